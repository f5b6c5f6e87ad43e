/** Gates: what a CPU does while something from another device is on its way. */

import { expect, it } from 'vitest'
import { createReferenceBackend } from '../../src/backend/reference/reference.ts'
import { MXNetError } from '../../src/base/error.ts'
import { Gate } from '../../src/exec/gate.ts'
import { binary, load } from '../../src/prim/expr.ts'
import { mapKernel } from '../backend/kernels.ts'

const double = mapKernel([2], ['float32'], [binary('add', load(0, 'float32'), load(0, 'float32'))])
const bytes = (...values: number[]): Uint8Array => new Uint8Array(Float32Array.from(values).buffer)
const floats = (b: Uint8Array): number[] => [...new Float32Array(b.slice().buffer)]

function make() {
  const inner = createReferenceBackend()
  const gate = new Gate()
  const backend = gate.around(inner)
  const [x, y] = [backend.alloc(8), backend.alloc(8)]
  return { inner, gate, backend, x, y, compiled: backend.compile(double) }
}

it('lets work through while it is open', () => {
  const { backend, gate, x, y, compiled } = make()
  backend.write(x, bytes(1, 2))
  compiled.run([x, y], [])
  expect(floats(backend.readSync(y, 8))).toEqual([2, 4])
  expect(gate.around(backend)).toBe(backend)
})

it('keeps all work back in order, on every stream, and gives memory back last', async () => {
  const { backend, gate, inner, x, y, compiled } = make()
  const second = gate.around(createReferenceBackend())
  const { live } = inner.memory()
  let arrive!: (b: Uint8Array) => void
  backend.writeLater(x, new Promise((resolve) => (arrive = resolve)))
  const addresses = [x, y]
  const source = bytes(9, 9)
  compiled.run(addresses, [])
  addresses.fill(0)
  const first = backend.read(y, 8)
  backend.write(x, source)
  source.fill(0)
  compiled.run([x, y], [])
  const last = backend.read(y, 8)
  backend.free(x)
  expect(backend.canBlock).toBe(false)
  expect(second.canBlock).toBe(false)
  expect(() => backend.readSync(y, 8)).toThrow(/on its way: use await/)
  expect(inner.memory().live).toBe(live)
  arrive(bytes(5, 6))
  expect(floats(await first)).toEqual([10, 12])
  expect(floats(await last)).toEqual([18, 18])
  await backend.sync()
  expect(backend.canBlock).toBe(true)
  expect(inner.memory().live).toBeLessThan(live)
})

it('tells once, at the next read, of what never came', async () => {
  const { backend, x, y } = make()
  backend.write(y, bytes(1, 2))
  backend.writeLater(x, Promise.reject(new MXNetError('gpu(0)', 'the device was lost')))
  await expect(backend.read(y, 8)).rejects.toThrow('[gpu(0)] the device was lost')
  expect(floats(await backend.read(y, 8))).toEqual([1, 2])
})
