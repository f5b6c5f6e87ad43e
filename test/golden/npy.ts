/** Reads NumPy's `.npy` files and `.npz` archives, for tests against recorded arrays. */

import { readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { inflateRawSync } from 'node:zlib'
import type { TypedArray } from '../../src/base/dtype.ts'

/** An array as NumPy stored it. */
export interface NpyArray {
  /** NumPy's type text without byte order: `f4`, `i8`, `b1`. */
  readonly type: string
  readonly shape: number[]
  readonly values: TypedArray
}

const makers: Record<string, new (buffer: ArrayBuffer) => TypedArray> = {
  f4: Float32Array,
  f8: Float64Array,
  f2: Uint16Array,
  u1: Uint8Array,
  i1: Int8Array,
  i4: Int32Array,
  i8: BigInt64Array,
  b1: Uint8Array,
}

/** The path of a golden file. */
export const goldenPath = (name: string): string =>
  fileURLToPath(new URL(`./${name}`, import.meta.url))

/** The array in the bytes of a `.npy` file; C order and little-endian only. */
export function parseNpy(bytes: Uint8Array): NpyArray {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  if (bytes[0] !== 0x93) throw new Error('not a .npy file')
  const wide = bytes[6]! >= 2
  const start = wide ? 12 : 10
  const length = wide ? view.getUint32(8, true) : view.getUint16(8, true)
  const header = new TextDecoder('latin1').decode(bytes.subarray(start, start + length))
  const type = /'descr': '[<|]([a-z]\d)'/.exec(header)?.[1] ?? ''
  const shape = /'shape': \(([^)]*)\)/.exec(header)![1]!.match(/\d+/g)?.map(Number) ?? []
  const maker = makers[type]
  if (maker === undefined || header.includes("'fortran_order': True")) {
    throw new Error(`unsupported .npy file: ${header}`)
  }
  const data = new Uint8Array(bytes.subarray(start + length))
  return { type, shape, values: new maker(data.buffer) }
}

/** A `.npy` file of the golden folder. */
export const readNpy = (name: string): NpyArray => parseNpy(readFileSync(goldenPath(name)))

/** A `.npz` archive of the golden folder: its arrays by name. */
export function readNpz(name: string): Map<string, NpyArray> {
  const bytes = readFileSync(goldenPath(name))
  const arrays = new Map<string, NpyArray>()
  const end = bytes.lastIndexOf(Buffer.from('PK\x05\x06', 'latin1'))
  let at = bytes.readUInt32LE(end + 16)
  for (let n = bytes.readUInt16LE(end + 10); n > 0; n--) {
    const method = bytes.readUInt16LE(at + 10)
    const size = bytes.readUInt32LE(at + 20)
    const nameLength = bytes.readUInt16LE(at + 28)
    const entry = bytes.toString('utf8', at + 46, at + 46 + nameLength)
    const local = bytes.readUInt32LE(at + 42)
    const begin = local + 30 + bytes.readUInt16LE(local + 26) + bytes.readUInt16LE(local + 28)
    const packed = bytes.subarray(begin, begin + size)
    const data = method === 0 ? packed : inflateRawSync(packed)
    arrays.set(entry.replace(/\.npy$/, ''), parseNpy(data))
    at += 46 + nameLength + bytes.readUInt16LE(at + 30) + bytes.readUInt16LE(at + 32)
  }
  return arrays
}
