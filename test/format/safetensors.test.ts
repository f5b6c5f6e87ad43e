/** `.safetensors`: files built by hand from the format's description, ours read back, damaged ones refused in words. */

import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { type DType, dtypeInfo, dtypes } from '../../src/base/dtype.ts'
import { sizeOf } from '../../src/base/shape.ts'
import { parseSource, type Source } from '../../src/format/parse.ts'
import { formatOfName } from '../../src/format/write.ts'
import { escapes } from '../../src/format/zip.ts'
import { decode, decodeAsync, encode, type Plain, type PlainArrays, readAll } from './arrays.ts'

/** A file of a header and as many bytes. */
function file(header: unknown, bytes: number): Uint8Array {
  const text = Buffer.from(typeof header === 'string' ? header : JSON.stringify(header))
  const out = Buffer.alloc(8 + text.length + bytes, 1)
  out.writeBigUInt64LE(BigInt(text.length))
  text.copy(out, 8)
  return out
}
const two = { dtype: 'F32', shape: [2], data_offsets: [0, 8] }

/** Arrays of any dtype and shape with any bytes, by name. */
const anyArray = fc
  .record({
    dtype: fc.constantFrom(...dtypes),
    shape: fc.array(fc.nat(4), { maxLength: 4 }),
    seed: fc.nat(255),
  })
  .map(({ dtype, shape, seed }): Plain => {
    const { array, bytes } = dtypeInfo(dtype as DType)
    const raw = Uint8Array.from({ length: sizeOf(shape) * bytes }, (_, i) => (i * 73 + seed) & 255)
    if (dtype === 'bool') raw.forEach((v, i) => raw.fill(v & 1, i, i + 1))
    return { dtype: dtype as DType, shape, values: new array(raw.buffer) }
  })
const anyArrays = fc.dictionary(
  fc.string({ minLength: 1, unit: 'grapheme' }).filter((s) => !escapes(s) && s !== '__metadata__'),
  anyArray,
  { minKeys: 1, maxKeys: 5 },
)

describe('.safetensors', () => {
  it('lays files out as the format says', async () => {
    const arrays: Plain[] = [
      { dtype: 'uint8', shape: [3], values: Uint8Array.of(1, 2, 3) },
      { dtype: 'float32', shape: [1, 2], values: Float32Array.of(0.5, -1) },
    ]
    const bytes = Buffer.from(
      await encode({ arrays, names: ['b', 'a'] }, 'safetensors', { metadata: { format: 'pt' } }),
    )
    const length = Number(bytes.readBigUInt64LE())
    expect(length % 8).toBe(0)
    expect(JSON.parse(bytes.toString('utf8', 8, 8 + length))).toEqual({
      __metadata__: { format: 'pt' },
      a: { dtype: 'F32', shape: [1, 2], data_offsets: [0, 8] },
      b: { dtype: 'U8', shape: [3], data_offsets: [8, 11] },
    })
    expect(bytes.length).toBe(8 + length + 11)
    const { arrays: back, names, index } = await decodeAsync(bytes, 'f')
    expect([back, names, index.metadata]).toEqual([
      [arrays[1], arrays[0]],
      ['a', 'b'],
      { format: 'pt' },
    ])
  })

  it('says what is wrong', () => {
    const cases: [Uint8Array, string][] = [
      [file({ a: two }, 7), 'data_offsets outside of the file'],
      [file({ a: two }, 9), 'has 1 bytes that belong to no array'],
      [file({ a: { ...two, shape: [3] } }, 8), 'takes 12 bytes and its data_offsets span 8'],
      [file({ a: two, b: { ...two, data_offsets: [4, 12] } }, 12), 'array b overlaps another'],
      [file({ a: two, b: { ...two, data_offsets: [9, 17] } }, 17), 'array b leaves a hole'],
      [file({ a: { ...two, data_offsets: [8, 0] } }, 8), 'its data_offsets span -8'],
      [file({ a: { ...two, data_offsets: [0, 8, 8] } }, 8), 'data_offsets outside'],
      [file({ a: { ...two, data_offsets: ['0', 8] } }, 8), 'data_offsets outside'],
      [file({ a: { ...two, dtype: 'F8_E4M3' } }, 8), 'array a has the type F8_E4M3: there are F32'],
      [file({ a: { ...two, shape: [-2] } }, 8), 'sizes must be from 0'],
      [file({ a: { ...two, shape: [1.5] } }, 8), 'sizes must be from 0'],
      [file({ a: { ...two, shape: '2' } }, 8), 'has no shape'],
      [file({ a: { ...two, shape: Array(33).fill(1) } }, 8), 'has rank 33'],
      [file({ a: 1 }, 8), 'must have dtype, shape and data_offsets'],
      [file({ __metadata__: { x: 1 } }, 0), '__metadata__ must hold texts'],
      [file('{"a": ', 8), 'the header is no JSON'],
      [file(`{"a":${'['.repeat(50_000)}${']'.repeat(50_000)}}`, 0), 'must have dtype'],
      [
        file(`{"a":{"dtype":"F32","shape":${'['.repeat(9000)}${']'.repeat(9000)}}}`, 0),
        'has no shape',
      ],
      [file({ a: two }, 8).subarray(0, 20), 'the length of the header is'],
    ]
    for (const [bytes, message] of cases) expect(() => decode(bytes, 'f')).toThrow(message)
  })

  it('says what it has no place for', async () => {
    const x: Plain = { dtype: 'bool', shape: [1], values: Uint8Array.of(1) }
    const list = { arrays: [x], names: null }
    await expect(encode(list, 'safetensors')).rejects.toThrow('arrays by name: give an object')
    const named = { arrays: [x], names: ['x'] }
    const metadata = { step: 1 as never }
    await expect(encode(named, 'safetensors', { metadata })).rejects.toThrow(
      'metadata must be texts',
    )
    await expect(encode(named, 'params', { metadata: {} })).rejects.toThrow('no place for metadata')
    await expect(encode(named, 'params', { compress: true })).rejects.toThrow('never compressed')
    const reserved = { arrays: [x], names: ['__metadata__'] }
    await expect(encode(reserved, 'safetensors')).rejects.toThrow('cannot be called __metadata__')
  })
})

describe('every format', () => {
  it.each(['params', 'npz', 'safetensors'] as const)(
    'gives back any arrays: .%s',
    async (format) => {
      const property = fc.asyncProperty(anyArrays, fc.boolean(), async (data, pack) => {
        const plain: PlainArrays = { arrays: Object.values(data), names: Object.keys(data) }
        const bytes = await encode(plain, format, { compress: pack && format === 'npz' })
        const { arrays, names } = await decodeAsync(bytes, 'f')
        expect(Object.fromEntries(names!.map((name, i) => [name, arrays[i]]))).toEqual({ ...data })
      })
      await fc.assert(property, { numRuns: 200 })
    },
  )

  it('is named by its ending', () => {
    expect(
      ['a.npz', 'b.NPY', 'c.safetensors', 'd.params', 'e.bin', 'npz'].map(formatOfName),
    ).toEqual(['npz', 'npy', 'safetensors', 'params', 'params', 'params'])
  })

  it.each(['params', 'npz', 'safetensors'] as const)('is read in pieces: .%s', async (format) => {
    const values = Float32Array.from({ length: 1_500_000 }, (_, i) => i)
    const x: Plain = { dtype: 'float32', shape: [1500, 1000], values }
    for (const compress of format === 'npz' ? [false, true] : [false]) {
      const bytes = await encode({ arrays: [x], names: ['x'] }, format, { compress })
      let largest = 0
      const source: Source = {
        size: bytes.length,
        read: async (at, length) => {
          largest = Math.max(largest, length)
          return bytes.slice(at, at + length)
        },
      }
      const { arrays } = await parseSource(readAll('f', bytes.length, { bytes: 0 }), source)
      const back = arrays[0]!.values
      expect(Buffer.compare(new Uint8Array(back.buffer), new Uint8Array(values.buffer))).toBe(0)
      expect(largest).toBeLessThanOrEqual(1024 * 1024)
    }
  })
})
