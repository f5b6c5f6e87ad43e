/** Memory of a backend: blocks, order of work, and launches. */

import { expect } from 'vitest'
import { MXNetError } from '../../../src/base/error.ts'
import { binary, constant, load, param } from '../../../src/prim/expr.ts'
import type { Rig } from '../conformance.ts'
import {
  allTypes,
  bytesOf,
  data,
  elements,
  expectNear,
  mapKernel,
  randoms,
  untouched,
} from '../kernels.ts'

const plusParam = binary('add', load(0, 'float32'), param(0, 'float32'))

/** Tests of memory and of the order of work. */
export function memorySuite(rig: Rig): void {
  const { test } = rig

  test('memory: blocks are aligned and apart', async () => {
    const { backend } = rig
    const sizes = [1, 64, 100, 0, 4096, 300_000, 5, 1_000_000]
    const blocks = sizes.map((size, i) => ({ address: backend.alloc(size), size, fill: i + 1 }))
    for (const { address, size, fill } of blocks) {
      expect(address % 64).toBe(0)
      backend.write(address, new Uint8Array(size).fill(fill))
    }
    for (const { address, size, fill } of blocks) {
      expect((await backend.read(address, size)).every((v) => v === fill)).toBe(true)
    }
    for (const { address } of blocks) backend.free(address)
  })

  test('memory: live bytes are counted', () => {
    const { backend } = rig
    const { live } = backend.memory()
    const blocks = [100, 70_000, 2_000_000].map((size) => backend.alloc(size))
    const during = backend.memory()
    expect(during.live - live).toBeGreaterThanOrEqual(2_070_100)
    expect(during.reserved).toBeGreaterThanOrEqual(during.live)
    for (const address of blocks) backend.free(address)
    expect(backend.memory().live).toBe(live)
  })

  test('memory: freed blocks are used again', () => {
    const { backend } = rig
    const { reserved } = backend.memory()
    for (let i = 0; i < 3000; i++) backend.free(backend.alloc(1 << (10 + (i % 12))))
    expect(backend.memory().reserved - reserved).toBeLessThan(64 << 20)
  })

  test('memory: more than can be had throws MXNetError', () => {
    expect(() => rig.backend.alloc(2 ** 52)).toThrow(MXNetError)
  })

  test('memory: parts of a block are written and read', async () => {
    const { backend } = rig
    const address = backend.alloc(64)
    backend.write(address, new Uint8Array(64))
    backend.write(address + 8, Uint8Array.of(1, 2, 3, 4))
    expect([...(await backend.read(address + 4, 12))]).toEqual([0, 0, 0, 0, 1, 2, 3, 4, 0, 0, 0, 0])
    const copy = await backend.read(address, 64)
    copy.fill(9)
    expect((await backend.read(address, 64))[8]).toBe(1)
    expect((await backend.read(address, 0)).length).toBe(0)
    backend.free(address)
  })

  test('memory: readSync reads where the backend can block, and else throws', () => {
    const { backend } = rig
    const address = backend.alloc(4)
    backend.write(address, Uint8Array.of(1, 2, 3, 4))
    if (backend.canBlock) expect([...backend.readSync(address, 4)]).toEqual([1, 2, 3, 4])
    else expect(() => backend.readSync(address, 4)).toThrow(MXNetError)
    backend.free(address)
  })

  for (const dtype of allTypes) {
    test(`memory: a kernel copies ${dtype} exactly`, async () => {
      const size = 67
      const bytes = Uint8Array.from(randoms(size * 8, 3), (u) =>
        dtype === 'bool' ? u * 2 : u * 256,
      )
      const array = elements(dtype, bytes)
      if (dtype === 'float32' || dtype === 'float64') {
        // The payload of a NaN need not survive.
        for (let i = 0; i < array.length; i++) if (Number.isNaN(array[i])) array[i] = i
      }
      await rig.compare(mapKernel([array.length], [dtype], [load(0, dtype)]), [
        { dtype, array },
        untouched(dtype, array.length),
      ])
    })
  }

  test('memory: one compiled kernel runs on many blocks, in order, and the caller may reuse its arrays', async () => {
    const { backend } = rig
    const kernel = mapKernel([5], ['float32'], [plusParam])
    const compiled = backend.compile(kernel)
    const blocks = [0, 1, 2, 3].map(() => backend.alloc(20))
    backend.write(blocks[0]!, bytesOf(data('float32', [1, 2, 3, 4, 5])))
    const addresses = [0, 0]
    const params = [0]
    for (let i = 0; i < 3; i++) {
      addresses[0] = blocks[i]!
      addresses[1] = blocks[i + 1]!
      params[0] = 10 ** i
      compiled.run(addresses, params)
      addresses.fill(0)
      params.fill(0)
    }
    const last = backend.read(blocks[3]!, 20)
    expectNear(elements('float32', await last), Float32Array.of(112, 113, 114, 115, 116), 'exact')
    expectNear(
      elements('float32', await backend.read(blocks[1]!, 20)),
      Float32Array.of(2, 3, 4, 5, 6),
      'exact',
    )
    for (const address of blocks) backend.free(address)
    await backend.sync()
  })

  test('memory: writes and reads are ordered with kernels, and freeing does not disturb them', async () => {
    const { backend } = rig
    const compiled = backend.compile(mapKernel([4], ['float32'], [plusParam]))
    const [x, y] = [backend.alloc(16), backend.alloc(16)]
    backend.write(x, bytesOf(data('float32', [1, 2, 3, 4])))
    compiled.run([x, y], [1])
    backend.write(x, bytesOf(data('float32', [10, 20, 30, 40])))
    const first = backend.read(y, 16)
    compiled.run([x, y], [1])
    backend.free(x)
    const second = backend.read(y, 16)
    backend.free(y)
    expectNear(elements('float32', await first), Float32Array.of(2, 3, 4, 5), 'exact')
    expectNear(elements('float32', await second), Float32Array.of(11, 21, 31, 41), 'exact')
  })

  test('memory: kernels run on addresses inside a block', async () => {
    const { backend } = rig
    const compiled = backend.compile(
      mapKernel([7], ['float32'], [binary('mul', load(0, 'float32'), constant(2, 'float32'))]),
    )
    const block = backend.alloc(400)
    const contents = Float32Array.from({ length: 100 }, (_, i) => i)
    backend.write(block, bytesOf({ dtype: 'float32', array: contents }))
    compiled.run([block + 4, block + 4 * 51], [])
    for (let i = 0; i < 7; i++) contents[51 + i] = (1 + i) * 2
    expectNear(elements('float32', await backend.read(block, 400)), contents, 'exact')
    backend.free(block)
  })
}
