/** NumPy's files: written by NumPy 2.4 and read here, written here and read back, damaged ones refused in words. */

import { readFileSync } from 'node:fs'
import { describe, expect, it } from 'vitest'
import { goldenPath, parseNpy } from '../golden/npy.ts'
import { decode, decodeAsync, encode, type Plain, type PlainArrays } from './arrays.ts'

const golden = (name: string): Uint8Array => readFileSync(goldenPath(`numpy/${name}`))
const count = (n: number): Float32Array => Float32Array.from({ length: n }, (_, i) => i)

const written: Record<string, Plain> = {
  fortran: { dtype: 'float32', shape: [2, 3, 4], values: count(24) },
  big: { dtype: 'float64', shape: [3], values: Float64Array.of(1.5, -2.25, 1e300) },
  bigInt: { dtype: 'int64', shape: [2, 2], values: BigInt64Array.of(1n, -(2n ** 62n), 3n, 4n) },
  half: { dtype: 'float16', shape: [3], values: Uint16Array.of(0x3800, 0xbc00, 0x7bff) },
  flags: { dtype: 'bool', shape: [3], values: Uint8Array.of(1, 0, 1) },
  bytes: { dtype: 'uint8', shape: [5], values: Uint8Array.of(0, 1, 2, 3, 4) },
  signed: { dtype: 'int8', shape: [2], values: Int8Array.of(-128, 127) },
  scalar: { dtype: 'float32', shape: [], values: Float32Array.of(2.5) },
  none: { dtype: 'int32', shape: [0, 3], values: new Int32Array(0) },
  zeros: { dtype: 'float32', shape: [50, 100], values: new Float32Array(5000) },
}
const all: PlainArrays = { arrays: Object.values(written), names: Object.keys(written) }
const byName = ({ arrays, names }: PlainArrays): Record<string, Plain> =>
  Object.fromEntries(names!.map((name, i) => [name, arrays[i]!]))

describe('.npz', () => {
  it('reads what NumPy stored and packed', async () => {
    expect(byName(decode(golden('stored.npz'), 'stored.npz'))).toEqual(written)
    expect(byName(decode(golden('packed.npz'), 'packed.npz'))).toEqual(written)
    expect(byName(await decodeAsync(golden('packed.npz'), 'packed.npz'))).toEqual(written)
  })

  it.each([false, true])('gives back what was written (packed: %s)', async (compress) => {
    const bytes = await encode(all, 'npz', { compress })
    const { arrays, names } = await decodeAsync(bytes, 'f')
    expect({ arrays, names }).toEqual(all)
    if (compress) expect(bytes.length).toBeLessThan(5000)
    expect(await encode(all, 'npz', { compress })).toEqual(bytes)
  })

  it('numbers the arrays of a list as NumPy does', async () => {
    const bytes = await encode({ arrays: all.arrays.slice(0, 2), names: null }, 'npz')
    expect(decode(bytes, 'f').names).toEqual(['arr_0', 'arr_1'])
  })

  it('refuses names that lead out of a folder, both ways', async () => {
    for (const name of ['../x', '/x', 'a/../../x', '..\\x', 'C:x', 'a\0']) {
      const data = { arrays: all.arrays.slice(0, 1), names: [name] }
      await expect(encode(data, 'npz')).rejects.toThrow("leads out of the archive's folder")
    }
    const bytes = await encode({ arrays: all.arrays.slice(0, 1), names: ['aa/x'] }, 'npz')
    const text = Buffer.from(bytes).toString('latin1').replaceAll('aa/x', '../x')
    expect(() => decode(Buffer.from(text, 'latin1'), 'f')).toThrow(
      '[f] holds "../x.npy", a name that leads out of its folder',
    )
  })

  it('refuses bombs, overlaps, damage and what is no array', async () => {
    const packed = new Uint8Array(await encode(all, 'npz', { compress: true }))
    const stored = await encode({ arrays: [written.zeros!], names: ['zeros'] }, 'npz')
    const view = (bytes: Uint8Array): DataView => new DataView(bytes.buffer, bytes.byteOffset)
    const edited = (
      bytes: Uint8Array,
      edit: (v: DataView, directory: number) => void,
    ): Uint8Array => {
      const copy = bytes.slice()
      edit(view(copy), view(copy).getUint32(copy.length - 6, true))
      return copy
    }
    const cases: [Uint8Array, string][] = [
      [edited(packed, (v, d) => v.setUint32(d + 24, 1e9, true)), 'packed ones cannot give'],
      [edited(packed, (v, d) => v.setUint32(d + 42, 1e6, true)), 'lies beyond the files'],
      [edited(packed, (v, d) => v.setUint32(d + 20, 1e6, true)), 'reaches beyond the files'],
      [edited(packed, (v, d) => v.setUint16(d + 10, 12, true)), 'compressed by method 12'],
      [edited(packed, (v, d) => v.setUint16(d + 8, 1, true)), 'is encrypted'],
      [edited(packed, (v, d) => v.setUint32(d + 16, 1, true)), 'has the wrong checksum'],
      [edited(stored, (v, d) => v.setUint32(d + 16, 1, true)), 'has the wrong checksum'],
      [edited(stored, (v) => v.setUint8(200, 1)), 'has the wrong checksum'],
      [edited(stored, (v, d) => v.setUint32(d + 24, 1, true)), 'has two sizes'],
      [packed.slice(0, -1), 'has no end of a zip archive'],
      [
        Buffer.from(Buffer.from(stored).toString('latin1').replaceAll('.npy', '.txt'), 'latin1'),
        "holds 'zeros.txt', which is no array",
      ],
    ]
    for (const [bytes, message] of cases) {
      await expect(decodeAsync(bytes, 'f')).rejects.toThrow(message)
    }
    const zeros: Plain = { dtype: 'uint8', shape: [20e6], values: new Uint8Array(20e6) }
    const bomb = await encode({ arrays: [zeros], names: ['zeros'] }, 'npz', { compress: true })
    await expect(decodeAsync(bomb, 'f')).rejects.toThrow('over 100 times is refused')
    const two = await encode({ arrays: all.arrays.slice(0, 2), names: ['a', 'b'] }, 'npz')
    const overlapping = edited(two, (v, d) => v.setUint32(d + 46 + 5 + 42, 0, true))
    await expect(decodeAsync(overlapping, 'f')).rejects.toThrow('overlaps another member')
  })
})

describe('.npy', () => {
  it('reads column-major arrays', () => {
    expect(decode(golden('fortran.npy'), 'f').arrays).toEqual([written.fortran])
  })

  it.each(all.names!)('gives back %s, and another reader agrees', async (name) => {
    const bytes = await encode({ arrays: [written[name]!], names: null }, 'npy')
    expect(decode(bytes, 'f')).toEqual({ arrays: [written[name]], names: null })
    expect(parseNpy(bytes).values).toEqual(written[name]!.values)
  })

  it('keeps bfloat16 as two plain bytes', async () => {
    const x: Plain = { dtype: 'bfloat16', shape: [2], values: Uint16Array.of(0x3f80, 0x4000) }
    const bytes = await encode({ arrays: [x], names: null }, 'npy')
    expect(Buffer.from(bytes).toString('latin1')).toContain("'descr': '|V2'")
    expect(decode(bytes, 'f').arrays).toEqual([x])
  })

  it('refuses other types by name, and what does not fit', async () => {
    expect(() => decode(golden('words.npy'), 'f')).toThrow("[f] array 0 has NumPy's type '<U1'")
    expect(() => decode(golden('short.npy'), 'f')).toThrow("[f] array 0 has NumPy's type '<i2'")
    const text = Buffer.from(golden('fortran.npy')).toString('latin1')
    const cases: [string, string][] = [
      [text.slice(0, -4), 'takes 96 bytes and 92 are there'],
      [`${text}....`, 'takes 96 bytes and 100 are there'],
      [text.replace('True', 'Tru '), 'a header that says'],
      [text.replace("'shape'", "'shope'"), 'a header that says'],
      [text.replace('(2, 3, 4)', '(2, 3, x)'), 'a header that says'],
      [text.replace('(2, 3, 4)', '(24)     '), 'a shape that is no tuple'],
      [text.replace('(2, 3, 4)', '(2 3, 4) '), 'has the shape (2 3, 4)'],
      [text.replace('\x01\0', '\x09\0'), 'of version 9.0'],
      [text.slice(0, 60), 'ends in its header of 128 bytes'],
    ]
    for (const [bytes, message] of cases) {
      expect(() => decode(Buffer.from(bytes, 'latin1'), 'f')).toThrow(message)
    }
  })

  it('holds one array', async () => {
    await expect(encode(all, 'npy')).rejects.toThrow('holds one array without a name')
  })
})
