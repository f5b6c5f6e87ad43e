/** `.params` files: those of MXNet read exactly, ours read back, damaged ones are refused in words. */

import { existsSync, readFileSync } from 'node:fs'
import { mkdir, mkdtemp, readdir, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import fc from 'fast-check'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { MXNetError } from '../../src/base/error.ts'
import { decodeParams, encodeParams, type StoredArray } from '../../src/ndarray/params.ts'
import { type NDArray, nd } from '../../src/node.ts'
import { goldenPath, readNpz } from '../golden/npy.ts'

const legacy = fileURLToPath(
  new URL('../../../shared/golden/mxnet-fixtures/legacy_ndarray.v0', import.meta.url),
)
const read = (name: string): Uint8Array => readFileSync(goldenPath(name))

const sample: StoredArray[] = [
  { dtype: 'float32', shape: [2, 3], values: Float32Array.of(1, -2, 3, 4, 5, 6) },
  { dtype: 'int64', shape: [2], values: BigInt64Array.of(1n, -(2n ** 62n)) },
  { dtype: 'uint8', shape: [3, 1, 1], values: Uint8Array.of(0, 128, 255) },
  { dtype: 'bool', shape: [2], values: Uint8Array.of(0, 1) },
]
const odd: StoredArray[] = [
  { dtype: 'float64', shape: [], values: Float64Array.of(Math.PI) },
  { dtype: 'int8', shape: [0, 4], values: new Int8Array(0) },
]
const names = ['weight', 'dense0.bias', 'größe', '__proto__']

describe('decodeParams', () => {
  it('reads every dtype MXNet 1.9.1 wrote', () => {
    const { arrays, names } = decodeParams(read('mxnet-nd/dict.params'), 'dict.params')
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
    const list = decodeParams(read('mxnet-nd/list.params'), 'list')
    expect(list.names).toBeNull()
    expect(list.arrays.map((x) => x.values)).toEqual([
      all.get('arr_float32')!.values,
      all.get('arr_int8')!.values,
    ])
    const single = decodeParams(read('mxnet-nd/single.params'), 'single')
    expect(single.arrays.map((x) => x.values)).toEqual([all.get('vec_float32')!.values])
  })

  it('refuses sparse arrays by name', () => {
    const bytes = read('mxnet-nd/sparse.params')
    expect(() => decodeParams(bytes, 'sparse.params')).toThrow(
      "[sparse.params] array 0 is row_sparse: save it dense with tostype('default')",
    )
  })

  it.each(['mlp', 'lenet_bn'])('reads and writes back the bytes of %s', (net) => {
    for (const file of [`mxnet-nets/${net}/net.params`, `mxnet-nets/${net}/net-0000.params`]) {
      const bytes = read(file)
      const stored = decodeParams(bytes, file)
      expect(stored.names!.length).toBe(stored.arrays.length)
      expect(Buffer.compare(encodeParams(stored), bytes)).toBe(0)
    }
  })

  it.skipIf(!existsSync(legacy))('reads the oldest layout (needs the shared fixtures)', () => {
    const { arrays } = decodeParams(readFileSync(legacy), 'legacy')
    expect(arrays.length).toBe(6)
    for (const x of arrays)
      expect(x.values).toEqual(Float32Array.from({ length: 128 }, (_, i) => i))
  })

  it('reads version 1', () => {
    const current = encodeParams({ arrays: sample.slice(0, 1), names: null })
    const old = new Uint8Array(current.length - 4)
    old.set(current.subarray(0, 28))
    old.set(current.subarray(32), 28)
    new DataView(old.buffer).setUint32(24, 0xf993fac8, true)
    expect(decodeParams(old, 'v1').arrays).toEqual(sample.slice(0, 1))
  })

  it('gives back what was written', () => {
    expect(decodeParams(encodeParams({ arrays: sample, names }), 'x')).toEqual({
      arrays: sample,
      names,
    })
    expect(decodeParams(encodeParams({ arrays: odd, names: null }), 'x')).toEqual({
      arrays: odd,
      names: null,
    })
    expect(decodeParams(encodeParams({ arrays: [], names: null }), 'x').arrays).toEqual([])
  })

  it('reads a Buffer that lies at an odd place', () => {
    const bytes = encodeParams({ arrays: sample, names })
    const shifted = Buffer.concat([Buffer.from('x'), bytes]).subarray(1)
    expect(decodeParams(shifted, 'x').arrays).toEqual(sample)
  })

  it('says what is wrong', () => {
    const bytes = encodeParams({ arrays: sample, names })
    const edited = (at: number, ...values: number[]): Uint8Array => {
      const copy = bytes.slice()
      copy.set(values, at)
      return copy
    }
    const cases: [Uint8Array, RegExp][] = [
      [new Uint8Array(0), /^\[f\] ends in the magic number: 8 bytes are needed and 0 are left$/],
      [edited(0, 9), /not a \.params file/],
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
    for (const [damaged, message] of cases)
      expect(() => decodeParams(damaged, 'f')).toThrow(message)
  })

  it('answers any damage with an MXNetError or a whole result', () => {
    const files = [
      encodeParams({ arrays: sample, names }),
      encodeParams({ arrays: odd, names: null }),
      read('mxnet-nd/dict.params'),
      read('mxnet-nd/sparse.params'),
      ...(existsSync(legacy) ? [readFileSync(legacy)] : []),
    ]
    const damage = fc.record({
      file: fc.nat(files.length - 1),
      keep: fc.option(fc.double({ min: 0, max: 1, noNaN: true })),
      flips: fc.array(fc.tuple(fc.double({ min: 0, max: 1, noNaN: true }), fc.nat(255)), {
        maxLength: 8,
      }),
    })
    fc.assert(
      fc.property(damage, ({ file, keep, flips }) => {
        const whole = files[file]!
        const bytes = whole.slice(0, keep === null ? whole.length : Math.floor(keep * whole.length))
        for (const [at, value] of flips) {
          // Half of the flips aim at the header, where the lengths are.
          const place = value % 2 === 0 ? at * 80 : at * bytes.length
          if (place < bytes.length) bytes[Math.floor(place)] = value
        }
        try {
          const { arrays } = decodeParams(bytes, 'f')
          const total = arrays.reduce((sum, x) => sum + x.values.byteLength, 0)
          expect(total).toBeLessThanOrEqual(bytes.length)
        } catch (e) {
          expect(e).toBeInstanceOf(MXNetError)
        }
      }),
      { numRuns: 3000 },
    )
  })
})

describe('save and load', () => {
  let folder: string
  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'mxnet-ts-files-'))
  })
  afterAll(() => rm(folder, { recursive: true }))

  it('gives back names, shapes, dtypes and elements', async () => {
    const file = join(folder, 'dict.params')
    const data = {
      'dense0.weight': nd.array([
        [1, 2, 3],
        [4, 5, 6],
      ]),
      view: nd.arange(6).reshape([2, 3]).transpose(),
      picked: nd.arange(6).at('1:5:2'),
      number: nd.array(2.5),
      none: nd.zeros([0, 3]),
      ids: nd.array(BigInt64Array.of(-1n, 2n ** 40n)),
      mask: nd.array([true, false]),
    }
    await nd.save(file, data)
    const back = (await nd.load(file)) as Record<string, NDArray>
    expect(Object.keys(back)).toEqual(Object.keys(data))
    for (const [name, x] of Object.entries(data)) {
      expect([back[name]!.shape, back[name]!.dtype]).toEqual([x.shape, x.dtype])
      expect(await back[name]!.asTypedArray()).toEqual(await x.asTypedArray())
      expect(String(back[name]!.context)).toBe('cpu(0)')
    }
    expect(await readdir(folder)).toEqual(['dict.params'])
  })

  it('writes the bytes that MXNet 1.9.1 writes', async () => {
    const single = nd.loadFromBuffer(read('mxnet-nd/single.params')) as NDArray[]
    expect(single).toHaveLength(1)
    expect(Buffer.compare(await nd.saveToBuffer(single[0]!), read('mxnet-nd/single.params'))).toBe(
      0,
    )
    const net = nd.loadFromBuffer(read('mxnet-nets/mlp/net.params')) as Record<string, NDArray>
    expect(Buffer.compare(await nd.saveToBuffer(net), read('mxnet-nets/mlp/net.params'))).toBe(0)
  })

  it('refuses what it cannot hold, by name', async () => {
    expect(() => nd.loadFromBuffer(read('mxnet-nd/dict.params'))).toThrow(
      '[loadFromBuffer] array arr_float16 is float16, which is not supported yet',
    )
    await expect(nd.load(join(folder, 'none.params'))).rejects.toThrow(
      /^\[load\] cannot read '.*none\.params': ENOENT/,
    )
    await expect(nd.save(join(folder, 'no', 'x.params'), [nd.ones([1])])).rejects.toThrow(
      /^\[save\] cannot write/,
    )
    await expect(nd.save(join(folder, 'x'), [1] as never)).rejects.toThrow('[save] 0 is number')
    await expect(nd.save(join(folder, 'x'), null as never)).rejects.toThrow(
      '[save] nothing was given',
    )
  })

  it('leaves the old file whole when writing fails', async () => {
    const file = join(folder, 'kept')
    await mkdir(join(file, 'in the way'), { recursive: true })
    await expect(nd.save(file, [nd.ones([1])])).rejects.toThrow('[save] cannot write')
    expect((await readdir(folder)).filter((name) => name.endsWith('.part'))).toEqual([])
  })
})
