/** `.params` files: those of MXNet read exactly, ours read back, damaged ones are refused in words. */

import { existsSync, readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { describe, expect, it } from 'vitest'
import { goldenPath, readNpz } from '../golden/npy.ts'
import { decode, encode, type Plain } from './arrays.ts'

const legacy = fileURLToPath(
  new URL('../../../shared/golden/mxnet-fixtures/legacy_ndarray.v0', import.meta.url),
)
const read = (name: string): Uint8Array => readFileSync(goldenPath(name))

const sample: Plain[] = [
  { dtype: 'float32', shape: [2, 3], values: Float32Array.of(1, -2, 3, 4, 5, 6) },
  { dtype: 'int64', shape: [2], values: BigInt64Array.of(1n, -(2n ** 62n)) },
  { dtype: 'uint8', shape: [3, 1, 1], values: Uint8Array.of(0, 128, 255) },
  { dtype: 'bool', shape: [2], values: Uint8Array.of(0, 1) },
]
const odd: Plain[] = [
  { dtype: 'float64', shape: [], values: Float64Array.of(Math.PI) },
  { dtype: 'int8', shape: [0, 4], values: new Int8Array(0) },
]
const names = ['weight', 'dense0.bias', 'größe', '__proto__']

describe('.params', () => {
  it('reads every dtype MXNet 1.9.1 wrote', () => {
    const { arrays, names } = decode(read('mxnet-nd/dict.params'), 'dict.params')
    const expected = readNpz('mxnet-nd/dict.npz')
    expect(names).toEqual([...expected.keys()])
    arrays.forEach((x, i) => {
      const want = expected.get(names![i]!)!
      expect(names![i]).toContain(x.dtype === 'float32' ? 'float32' : x.dtype)
      expect(x.shape).toEqual(want.shape)
      expect(x.values).toEqual(want.values)
    })
  })

  it('reads lists and single arrays', () => {
    const all = readNpz('mxnet-nd/dict.npz')
    const list = decode(read('mxnet-nd/list.params'), 'list')
    expect(list.names).toBeNull()
    expect(list.arrays.map((x) => x.values)).toEqual([
      all.get('arr_float32')!.values,
      all.get('arr_int8')!.values,
    ])
    const single = decode(read('mxnet-nd/single.params'), 'single')
    expect(single.arrays.map((x) => x.values)).toEqual([all.get('vec_float32')!.values])
  })

  it('reads sparse arrays as dense ones', () => {
    const { arrays, names } = decode(read('mxnet-nd/sparse.params'), 'sparse.params')
    expect(Object.fromEntries(names!.map((name, i) => [name, arrays[i]]))).toEqual({
      rsp: {
        dtype: 'float32',
        shape: [6, 3],
        values: Float32Array.of(0, 0, 0, 0, 1, 2, 0, 0, 0, 0, 0, 0, 3, 4, 5, 0, 0, 0),
      },
      csr: { dtype: 'float32', shape: [2, 3], values: Float32Array.of(0, 1, 0, 2, 0, 3) },
    })
  })

  it('refuses sparse arrays by name where dense ones would take much more than the file', () => {
    const bytes = new Uint8Array(read('mxnet-nd/sparse.params'))
    const view = new DataView(bytes.buffer)
    // The rows of the first array: after magic, kind, shape of the values, and its own rank.
    expect(view.getBigInt64(56, true)).toBe(6n)
    view.setBigInt64(56, 600n, true)
    expect(() => decode(bytes, 'sparse.params')).toThrow(
      "[sparse.params] array rsp is row_sparse and takes over twice the file's bytes when dense: save it with tostype('default')",
    )
  })

  it.each(['mlp', 'lenet_bn'])('reads and writes back the bytes of %s', async (net) => {
    for (const file of [`mxnet-nets/${net}/net.params`, `mxnet-nets/${net}/net-0000.params`]) {
      const bytes = read(file)
      const stored = decode(bytes, file)
      expect(stored.names!.length).toBe(stored.arrays.length)
      expect(Buffer.compare(await encode(stored), bytes)).toBe(0)
    }
  })

  it.skipIf(!existsSync(legacy))('reads the oldest layout (needs the shared fixtures)', () => {
    const { arrays } = decode(readFileSync(legacy), 'legacy')
    expect(arrays.length).toBe(6)
    for (const x of arrays)
      expect(x.values).toEqual(Float32Array.from({ length: 128 }, (_, i) => i))
  })

  it('reads version 1', async () => {
    const current = await encode({ arrays: sample.slice(0, 1), names: null })
    const old = new Uint8Array(current.length - 4)
    old.set(current.subarray(0, 28))
    old.set(current.subarray(32), 28)
    new DataView(old.buffer).setUint32(24, 0xf993fac8, true)
    expect(decode(old, 'v1').arrays).toEqual(sample.slice(0, 1))
  })

  it('gives back what was written', async () => {
    expect(decode(await encode({ arrays: sample, names }), 'x')).toEqual({
      arrays: sample,
      names,
    })
    expect(decode(await encode({ arrays: odd, names: null }), 'x')).toEqual({
      arrays: odd,
      names: null,
    })
    expect(decode(await encode({ arrays: [], names: null }), 'x').arrays).toEqual([])
  })

  it('reads a Buffer that lies at an odd place', async () => {
    const bytes = await encode({ arrays: sample, names })
    const shifted = Buffer.concat([Buffer.from('x'), bytes]).subarray(1)
    expect(decode(shifted, 'x').arrays).toEqual(sample)
  })

  it('says what is wrong', async () => {
    const bytes = await encode({ arrays: sample, names })
    const edited = (at: number, ...values: number[]): Uint8Array => {
      const copy = bytes.slice()
      copy.set(values, at)
      return copy
    }
    const cases: [Uint8Array, RegExp][] = [
      [new Uint8Array(0), /^\[f\] begins as no file of arrays does/],
      [bytes.slice(0, 12), /ends in the header: 8 bytes are needed and 4 are left$/],
      [edited(0, 9), /begins as no file of arrays does/],
      [
        edited(16, 255, 255, 255, 255, 255, 255, 255, 255),
        /the number of arrays is .* cannot hold so many/,
      ],
      [edited(28, 7), /unknown storage type 7/],
      [edited(32, 33), /array 0 has rank 33: it must be from 0 to 32/],
      [edited(32, 0), /array 0 is none/],
      [edited(36, 255, 255, 255, 255, 255, 255, 255, 255), /sizes must be from 0 to/],
      [edited(36, 255, 255, 255, 127), /array 0 has shape/],
      [edited(36, 255, 255, 0, 0), /ends in the 786420 bytes of array 0/],
      [edited(60, 9), /unknown dtype code 9/],
      [edited(bytes.length - 1, 200), /name 3 is not UTF-8/],
      [new Uint8Array([...bytes, 0]), /1 bytes after its end/],
    ]
    for (const [damaged, message] of cases) expect(() => decode(damaged, 'f')).toThrow(message)
  })
})
