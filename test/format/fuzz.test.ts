/** Damaged files: a clear MXNetError or a correct load each time, quickly, and without taking more memory than the file warrants. */

import { existsSync, readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { beforeAll, describe, expect, it } from 'vitest'
import { MXNetError } from '../../src/base/error.ts'
import { parseIdx } from '../../src/io/idx.ts'
import { type NDArray, nd, runtime } from '../../src/node.ts'
import { goldenPath } from '../golden/npy.ts'
import { decodeAsync, encode, type PlainArrays } from './arrays.ts'

const rounds = 10_000
/** Room for windows, zlib's buffers and the arrays' headers, whatever the file's size. */
const slack = 768 * 1024
/** Milliseconds of the processor that no read may take; the clock would count other programs too. */
const slowest = 1000
/** What the heap adds to a block, at most. */
const blockBytes = 128

const sample: PlainArrays = {
  arrays: [
    { dtype: 'float32', shape: [8, 16], values: Float32Array.from({ length: 128 }, (_, i) => i) },
    { dtype: 'int64', shape: [2], values: BigInt64Array.of(1n, -(2n ** 62n)) },
    { dtype: 'uint8', shape: [3, 1, 1], values: Uint8Array.of(0, 128, 255) },
    { dtype: 'bool', shape: [2], values: Uint8Array.of(0, 1) },
  ],
  names: ['weight', 'dense0.bias', 'größe', '__proto__'],
}
const odd: PlainArrays = {
  arrays: [
    { dtype: 'float64', shape: [], values: Float64Array.of(Math.PI) },
    { dtype: 'int8', shape: [0, 4], values: new Int8Array(0) },
  ],
  names: ['a', 'b'],
}
const legacy = fileURLToPath(
  new URL('../../../shared/golden/mxnet-fixtures/legacy_ndarray.v0', import.meta.url),
)

/** Numbers from a linear congruential generator: the same damage every time. */
class Dice {
  #state: number
  constructor(seed: number) {
    this.#state = seed
  }
  below(n: number): number {
    this.#state = (Math.imul(this.#state, 1664525) + 1013904223) >>> 0
    return Math.floor((this.#state / 2 ** 32) * n)
  }
}

/** Values that lengths and counts go wrong with. */
const edges = [0, 1, 0x7f, 0x80, 0xff, 0xfe, 0x7b, 0x10]

/** A damaged copy: cut, lengthened, bytes changed (often in the head and tail, where lengths stand), parts moved. */
function damage(whole: Uint8Array, dice: Dice): Uint8Array {
  const length = [whole.length, whole.length, dice.below(whole.length + 1), whole.length + 9]
  const bytes = new Uint8Array(length[dice.below(4)]!)
  bytes.set(whole.subarray(0, bytes.length))
  const place = (): number => {
    const near = Math.min(96, bytes.length)
    const from = dice.below(3)
    if (from === 0) return dice.below(near)
    return from === 1 ? bytes.length - 1 - dice.below(near) : dice.below(bytes.length)
  }
  for (let n = dice.below(6); n > 0 && bytes.length > 0; n--) {
    const at = place()
    const kind = dice.below(4)
    if (kind === 0) bytes[at] = dice.below(256)
    else if (kind === 1) bytes[at]! ^= 1 << dice.below(8)
    else if (kind === 2) bytes.fill(edges[dice.below(edges.length)]!, at, at + 1 + dice.below(8))
    else bytes.copyWithin(at, place(), place())
  }
  return bytes
}

/** Reads 10,000 damaged copies; `read` gives the bytes of memory that its result takes. */
async function fuzz(
  files: readonly Uint8Array[],
  read: (bytes: Uint8Array) => number | Promise<number>,
  allowed: (bytes: Uint8Array) => number = (bytes) => 2 * bytes.length,
): Promise<{ loaded: number; refused: number }> {
  const dice = new Dice(20_261_125)
  const counts = { loaded: 0, refused: 0 }
  for (let i = 0; i < rounds; i++) {
    const bytes = damage(files[i % files.length]!, dice)
    const before = process.memoryUsage().arrayBuffers
    const start = process.cpuUsage()
    try {
      expect(await read(bytes)).toBeLessThanOrEqual(allowed(bytes))
      counts.loaded++
    } catch (e) {
      if (!(e instanceof MXNetError)) throw e
      expect(e.message).toMatch(/^\[.+\] .{10}/)
      counts.refused++
    }
    const { user, system } = process.cpuUsage(start)
    expect((user + system) / 1000).toBeLessThan(slowest)
    expect(process.memoryUsage().arrayBuffers - before).toBeLessThan(2 * bytes.length + slack)
  }
  return counts
}

/** Loads into the arrays' memory, and gives back how much of it was taken. */
async function load(bytes: Uint8Array): Promise<number> {
  const before = runtime.memory().live
  const arrays = Object.values(await nd.load(bytes)) as NDArray[]
  const taken = arrays.reduce((sum, x) => sum + x.storage.bytes, 0)
  expect(runtime.memory().live - before).toBeLessThanOrEqual(taken + blockBytes * arrays.length)
  for (const array of arrays) array[Symbol.dispose]()
  expect(runtime.memory().live).toBeLessThanOrEqual(before)
  return taken
}

const golden = (name: string): Uint8Array => new Uint8Array(readFileSync(goldenPath(name)))

describe('damaged files', { timeout: 400_000 }, () => {
  // The first array brings the device and what it keeps for itself.
  beforeAll(() => nd.zeros([1]).waitToRead())

  it('.params', async () => {
    const counts = await fuzz(
      [
        await encode(sample),
        await encode(odd),
        golden('mxnet-nd/list.params'),
        golden('mxnet-nd/sparse.params'),
        ...(existsSync(legacy) ? [new Uint8Array(readFileSync(legacy))] : []),
      ],
      load,
    )
    expect(counts.loaded).toBeGreaterThan(500)
    expect(counts.refused).toBeGreaterThan(3000)
  })

  it('.npz, stored and packed', async () => {
    const packed = await encode(sample, 'npz', { compress: true })
    const files = [await encode(sample, 'npz'), packed, await encode(odd, 'npz')]
    // What is packed may take more than the file, but never more than it did before the damage.
    const counts = await fuzz(files, load, (bytes) => Math.max(2 * bytes.length, 1024))
    expect(counts.loaded).toBeGreaterThan(500)
    expect(counts.refused).toBeGreaterThan(3000)
  })

  it('.npy', async () => {
    const files = [golden('numpy/fortran.npy'), golden('mxnet-nets/mlp/output.npy')]
    const counts = await fuzz(files, load)
    expect(counts.loaded).toBeGreaterThan(500)
    expect(counts.refused).toBeGreaterThan(3000)
  })

  it('.safetensors', async () => {
    const metadata = { format: 'mx' }
    const files = [
      await encode(sample, 'safetensors', { metadata }),
      await encode(odd, 'safetensors'),
    ]
    const counts = await fuzz(files, load)
    expect(counts.loaded).toBeGreaterThan(500)
    expect(counts.refused).toBeGreaterThan(3000)
  })

  it('IDX', async () => {
    const images = new Uint8Array(16 + 4 * 9)
    images.set([0, 0, 8, 3, 0, 0, 0, 4, 0, 0, 0, 3, 0, 0, 0, 3])
    const counts = await fuzz([images], (bytes) => parseIdx(bytes, 3, 'images').values.length)
    expect(counts.loaded).toBeGreaterThan(500)
    expect(counts.refused).toBeGreaterThan(3000)
  })

  it('what still loads is written back to what loads alike', async () => {
    const dice = new Dice(7)
    const whole = await encode(sample, 'safetensors')
    let same = 0
    for (let i = 0; i < 500; i++) {
      const first = await decodeAsync(damage(whole, dice), 'f').catch(() => null)
      if (first === null) continue
      for (const format of ['params', 'npz', 'safetensors'] as const) {
        const data = { arrays: first.arrays, names: first.names }
        const again = await encode(data, format).then(
          (bytes) => decodeAsync(bytes, 'f'),
          () => null,
        )
        if (again === null) continue
        const order = again.names!.map((name) => first.names!.indexOf(name))
        expect(again.arrays).toEqual(order.map((at) => first.arrays[at]))
        same++
      }
    }
    expect(same).toBeGreaterThan(50)
  })
})
