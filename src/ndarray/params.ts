/** MXNet's `.params` bytes: a list of arrays, with or without names, written as version 2 and read in all versions. */

import { type DType, dtypeInfo, dtypeOfCode, type TypedArray } from '../base/dtype.ts'
import { fail } from '../base/error.ts'
import { formatShape, type Shape, sizeOf } from '../base/shape.ts'

/** One array as a file holds it; 16-bit floats come as their bits. */
export interface StoredArray {
  readonly dtype: DType
  readonly shape: Shape
  readonly values: TypedArray
}

/** What a file holds; `names` is null for a list. */
export interface StoredArrays {
  readonly arrays: readonly StoredArray[]
  readonly names: readonly string[] | null
}

const fileMagic = 0x112
const version1 = 0xf993fac8
const version2 = 0xf993fac9
const version3 = 0xf993faca
/** More axes than NumPy ever allowed mean a damaged file. */
const maxRank = 32
const maxSize = 0x7fffffff
const cpuDevice = 1

/**
 * Arrays as the bytes of a `.params` file.
 *
 * Records are of version 2 on device cpu(0). Arrays of rank 0 or size 0 do not exist in version 2, so
 * a file with one is of version 3, which MXNet reads under `np_shape`.
 *
 * @see MXNet `src/ndarray/ndarray.cc` (NDArray::Save)
 */
export function encodeParams({ arrays, names }: StoredArrays): Uint8Array<ArrayBuffer> {
  const labels = (names ?? []).map((name) => new TextEncoder().encode(name))
  const extended = arrays.some(({ shape }) => shape.length === 0 || sizeOf(shape) === 0)
  let total = 24 + 8
  for (const { shape, values } of arrays) total += 24 + 8 * shape.length + values.byteLength
  for (const label of labels) total += 8 + label.length
  const bytes = new Uint8Array(total)
  const view = new DataView(bytes.buffer)
  let at = 0
  const u32 = (value: number): void => {
    view.setUint32(at, value, true)
    at += 4
  }
  const u64 = (value: number): void => {
    view.setBigUint64(at, BigInt(value), true)
    at += 8
  }
  const raw = (part: Uint8Array): void => {
    bytes.set(part, at)
    at += part.length
  }
  u64(fileMagic)
  u64(0)
  u64(arrays.length)
  for (const { dtype, shape, values } of arrays) {
    u32(extended ? version3 : version2)
    u32(0)
    u32(shape.length)
    for (const d of shape) u64(d)
    u32(cpuDevice)
    u32(0)
    u32(dtypeInfo(dtype).code)
    raw(new Uint8Array(values.buffer, values.byteOffset, values.byteLength))
  }
  u64(labels.length)
  for (const label of labels) {
    u64(label.length)
    raw(label)
  }
  return bytes
}

/**
 * The arrays in the bytes of a `.params` file; `file` names it in messages.
 *
 * Nothing in the bytes is trusted: lengths are checked against what is there before memory is taken.
 *
 * @throws MXNetError for anything that is not a whole and well-formed file, and for sparse arrays.
 * @see MXNet `src/ndarray/ndarray.cc` (NDArray::Load)
 */
export function decodeParams(bytes: Uint8Array, file: string): StoredArrays {
  const reader = new Reader(bytes, file)
  if (reader.u64('the magic number') !== fileMagic) {
    reader.refuse('does not start with the magic number 0x112: it is not a .params file')
  }
  reader.skip(8, 'the header')
  const count = reader.count(8, 'the number of arrays')
  const arrays: StoredArray[] = []
  for (let i = 0; i < count; i++) arrays.push(readRecord(reader, `array ${i}`))
  const named = reader.count(8, 'the number of names')
  if (named !== 0 && named !== count) {
    reader.refuse(`holds ${named} names for ${count} arrays: there must be none or one each`)
  }
  const names: string[] = []
  for (let i = 0; i < named; i++) {
    names.push(reader.text(reader.count(1, `the length of name ${i}`), `name ${i}`))
  }
  if (reader.rest > 0) reader.refuse(`has ${reader.rest} bytes after its end: it is damaged`)
  return { arrays, names: named > 0 ? names : null }
}

function readRecord(reader: Reader, what: string): StoredArray {
  const magic = reader.u32(what)
  let shape: Shape
  if (magic === version2 || magic === version3) {
    const storage = reader.i32(`the storage type of ${what}`)
    if (storage === 1 || storage === 2) {
      const kind = storage === 1 ? 'row_sparse' : 'csr'
      reader.refuse(`${what} is ${kind}: save it dense with tostype('default')`)
    }
    if (storage !== 0) reader.refuse(`${what} has the unknown storage type ${storage}`)
    shape = reader.shape(reader.i32(`the rank of ${what}`), 8, what)
  } else if (magic === version1) {
    shape = reader.shape(reader.i32(`the rank of ${what}`), 8, what)
  } else {
    shape = reader.shape(magic, 4, what)
  }
  if (shape.length === 0 && magic !== version3) {
    reader.refuse(`${what} is none (an array without a shape): leave it out when saving`)
  }
  reader.skip(8, `the device of ${what}`)
  const code = reader.i32(`the dtype of ${what}`)
  const dtype = dtypeOfCode(code)
  if (dtype === undefined) return reader.refuse(`${what} has the unknown dtype code ${code}`)
  return { dtype, shape, values: reader.values(dtype, shape, what) }
}

/** Reads numbers in order; every length is checked against the bytes that are left. */
class Reader {
  readonly #bytes: Uint8Array
  readonly #view: DataView
  readonly #file: string
  #at = 0

  constructor(bytes: Uint8Array, file: string) {
    // A Buffer's own slice() shares memory; a plain array's copies.
    this.#bytes = new Uint8Array(bytes.buffer, bytes.byteOffset, bytes.byteLength)
    this.#view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
    this.#file = file
  }

  /** Bytes not read yet. */
  get rest(): number {
    return this.#bytes.length - this.#at
  }

  refuse(message: string): never {
    return fail(this.#file, message)
  }

  /** The position of the next `length` bytes. */
  skip(length: number, what: string): number {
    if (length > this.rest) {
      this.refuse(`ends in ${what}: ${length} bytes are needed and ${this.rest} are left`)
    }
    const start = this.#at
    this.#at += length
    return start
  }

  u32(what: string): number {
    return this.#view.getUint32(this.skip(4, what), true)
  }

  i32(what: string): number {
    return this.#view.getInt32(this.skip(4, what), true)
  }

  u64(what: string): number {
    return Number(this.#view.getBigUint64(this.skip(8, what), true))
  }

  /** A number of things that take at least `least` bytes each. */
  count(least: number, what: string): number {
    const n = this.u64(what)
    if (n > this.rest / least) {
      this.refuse(`${what} is ${n}: the ${this.rest} bytes that are left cannot hold so many`)
    }
    return n
  }

  shape(rank: number, width: 4 | 8, what: string): Shape {
    if (rank < 0 || rank > maxRank) {
      this.refuse(`${what} has rank ${rank}: it must be from 0 to ${maxRank}`)
    }
    const start = this.skip(rank * width, `the shape of ${what}`)
    const shape = Array.from({ length: rank }, (_, i) =>
      width === 4
        ? this.#view.getUint32(start + 4 * i, true)
        : Number(this.#view.getBigInt64(start + 8 * i, true)),
    )
    if (shape.some((d) => d < 0 || d > maxSize) || sizeOf(shape) > maxSize) {
      this.refuse(`${what} has shape ${formatShape(shape)}: sizes must be from 0 to ${maxSize}`)
    }
    return shape
  }

  values(dtype: DType, shape: Shape, what: string): TypedArray {
    const { array, bytes: width } = dtypeInfo(dtype)
    const length = sizeOf(shape) * width
    const start = this.skip(length, `the ${length} bytes of ${what} ${formatShape(shape)}`)
    const own = this.#bytes.slice(start, start + length)
    if (dtype === 'bool') for (let i = 0; i < length; i++) own[i] = own[i] === 0 ? 0 : 1
    return new array(own.buffer, own.byteOffset, sizeOf(shape))
  }

  text(length: number, what: string): string {
    const start = this.skip(length, what)
    try {
      const decoder = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true })
      return decoder.decode(this.#bytes.slice(start, start + length))
    } catch {
      return this.refuse(`${what} is not UTF-8: the file is damaged`)
    }
  }
}
