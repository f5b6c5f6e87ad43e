/** What a file of arrays holds, found without reading the elements, and the elements in pieces. */

import { type DType, dtypeInfo, itemSize } from '../base/dtype.ts'
import { fail } from '../base/error.ts'
import { formatShape, type Shape, sizeOf } from '../base/shape.ts'
import { crc32 } from './crc32.ts'
import { inflate } from './inflate.ts'
import type { Parse, Range } from './parse.ts'
import type { Member } from './zip.ts'

/** The formats that arrays are read from and written to. */
export type Format = 'params' | 'npy' | 'npz' | 'safetensors'

/** An array in a file: what it is and where its elements lie. */
export interface Entry {
  /** Its name, or its number in a list. */
  readonly name: string
  readonly dtype: DType
  readonly shape: Shape
  /** Elements in column-major (Fortran's) order. */
  readonly fortran?: boolean
  /** Elements with the most significant byte first. */
  readonly bigEndian?: boolean
  /** The elements; in a packed member, the range within its unpacked contents. */
  readonly data: Range
  /** The archive's member that holds them. */
  readonly member?: Member
  readonly sparse?: Sparse
}

/** The parts of a sparse array beside its values. */
export interface Sparse {
  readonly kind: 'row_sparse' | 'csr'
  /** Shape of the values that are stored. */
  readonly stored: Shape
  /** Row numbers of a row_sparse array; row pointers, then column numbers of a csr array. */
  readonly indices: readonly {
    readonly dtype: DType
    readonly length: number
    readonly data: Range
  }[]
}

/** What a file holds. */
export interface Index {
  readonly format: Format
  readonly entries: readonly Entry[]
  /** Whether the arrays have names, as against a list. */
  readonly named: boolean
  /** Text that a safetensors file carries beside its arrays. */
  readonly metadata?: { readonly [key: string]: string }
}

/** More axes than NumPy ever allowed mean a damaged file. */
export const maxRank = 32
/** No size, and no number of elements, is larger. */
export const maxSize = 0x7fffffff

/** Checks a shape that a file gave. */
export function checkStoredShape(where: string, what: string, shape: Shape): Shape {
  const whole = (d: number): boolean => Number.isInteger(d) && d >= 0 && d <= maxSize
  if (!shape.every(whole) || sizeOf(shape) > maxSize) {
    fail(where, `${what} has shape ${formatShape(shape)}: sizes must be from 0 to ${maxSize}`)
  }
  return shape
}

/** Checks a rank that a file gave. */
export function checkRank(where: string, what: string, rank: number): number {
  if (rank >= 0 && rank <= maxRank) return rank
  return fail(where, `${what} has rank ${rank}: it must be from 0 to ${maxRank}`)
}

/** Bytes of the elements when dense. */
export const denseBytes = ({ shape, dtype }: Entry): number => sizeOf(shape) * itemSize(dtype)

/** Elements come in pieces of this size, a multiple of every item's. */
const pieceBytes = 1024 * 1024

/**
 * The elements of an entry in order, row-major and little-endian unless it is `fortran`, in pieces to `write`.
 *
 * Pieces are not kept here: whoever gets one may hold on to it. A packed entry must have been proven (`prove`).
 */
export function* readElements(
  where: string,
  entry: Entry,
  write: (piece: Uint8Array) => void,
): Parse<void> {
  const { data, member, sparse } = entry
  if (sparse !== undefined) return write(yield* densify(where, entry, sparse))
  if (member?.deflated) return yield* unpackElements(where, entry, member, write)
  let sum = 0
  // The archive's checksum covers the array's header as well.
  if (member !== undefined) sum = crc32(yield { at: member.at, length: data.at - member.at })
  for (let done = 0; done < data.length; done += pieceBytes) {
    const length = Math.min(pieceBytes, data.length - done)
    const piece = yield { at: data.at + done, length }
    if (member !== undefined) sum = crc32(piece, sum)
    write(canonical(piece, entry))
  }
  if (member !== undefined) checkSum(where, member, sum)
}

function checkSum(where: string, member: Member, sum: number): void {
  if (sum !== member.crc) fail(where, `${member.name} has the wrong checksum: it is damaged`)
}

/**
 * Proves what a packed member states, its length and checksum, by unpacking it with nothing kept. Memory for its
 * elements is asked for afterwards; other entries have been found to lie within the file.
 */
export function* prove(where: string, { member }: Entry): Parse<void> {
  if (!member?.deflated) return
  let size = 0
  let sum = 0
  yield* inflate(where, member, (piece) => {
    size += piece.length
    sum = crc32(piece, sum)
    return size <= member.size
  })
  if (size !== member.size) {
    fail(
      where,
      `${member.name} does not unpack to the ${member.size} bytes it states: it is damaged`,
    )
  }
  checkSum(where, member, sum)
}

function* unpackElements(
  where: string,
  entry: Entry,
  member: Member,
  write: (piece: Uint8Array) => void,
): Parse<void> {
  const { at, length } = entry.data
  let seen = 0
  let done = 0
  let held = new Uint8Array(Math.min(pieceBytes, length))
  let filled = 0
  yield* inflate(where, member, (piece) => {
    let from = Math.max(0, at - seen)
    seen += piece.length
    while (from < piece.length && held.length > 0) {
      const n = Math.min(piece.length - from, held.length - filled)
      held.set(piece.subarray(from, from + n), filled)
      filled += n
      from += n
      if (filled < held.length) continue
      done += filled
      write(canonical(held, entry))
      held = new Uint8Array(Math.min(pieceBytes, length - done))
      filled = 0
    }
    return held.length > 0
  })
}

/** A piece of elements with the least significant byte first, and booleans 0 or 1; a copy where that differs. */
function canonical(piece: Uint8Array, { dtype, bigEndian }: Entry): Uint8Array {
  if (dtype === 'bool') {
    return piece.some((v) => v > 1) ? piece.map((v) => (v === 0 ? 0 : 1)) : piece
  }
  const width = itemSize(dtype)
  if (!bigEndian || width === 1) return piece
  const out = new Uint8Array(piece.length)
  for (let i = 0; i < piece.length; i += width) {
    for (let k = 0; k < width; k++) out[i + k] = piece[i + width - 1 - k]!
  }
  return out
}

/** The elements of a sparse array with the zeros written out. */
function* densify(
  where: string,
  entry: Entry,
  { kind, stored, indices }: Sparse,
): Parse<Uint8Array> {
  const { name, shape, data } = entry
  const out = new Uint8Array(denseBytes(entry))
  const values = yield data
  const numbers: number[][] = []
  for (const { dtype, length, data: range } of indices) {
    const bytes = new Uint8Array(yield range)
    const { array } = dtypeInfo(dtype)
    numbers.push(Array.from(new array(bytes.buffer, 0, length), Number))
  }
  const place = (row: number, from: number, to: number, bytes: number): void => {
    out.set(values.subarray(from, from + bytes), row + to)
  }
  const within = (n: number, limit: number): number => {
    if (Number.isInteger(n) && n >= 0 && n < limit) return n
    return fail(where, `array ${name} is ${kind} and has index ${n} of ${limit}: it is damaged`)
  }
  const item = itemSize(entry.dtype)
  const rowBytes = (item * sizeOf(shape)) / Math.max(1, shape[0]!)
  if (kind === 'row_sparse') {
    const [rows] = numbers as [number[]]
    rows.forEach((row, i) => place(within(row, shape[0]!) * rowBytes, i * rowBytes, 0, rowBytes))
    return out
  }
  const [pointers, columns] = numbers as [number[], number[]]
  let begin = 0
  for (let row = 0; row < shape[0]!; row++) {
    const end = within(pointers[row + 1]!, stored[0]! + 1)
    for (; begin < end; begin++) {
      const k = begin
      place(row * rowBytes, k * item, within(columns[k]!, shape[1]!) * item, item)
    }
  }
  return out
}
