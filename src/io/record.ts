/** The record format of dmlc-core: marked, aligned pieces of bytes. And the header that pictures carry. */

import { fail } from '../base/error.ts'

/** What every piece begins with. */
const magic = 0xced7230a
/** The low bits of the second word: the length. The rest says which piece of a record it is. */
const lengthBits = 29
const lengthLimit = 2 ** lengthBits
const [whole, first, middle, last] = [0, 1, 2, 3] as const
const headBytes = 8

const padded = (length: number): number => Math.ceil(length / 4) * 4

/** A record as it stands in a file: cut where its bytes look like the beginning of a piece. */
export function encodeRecord(data: Uint8Array): Uint8Array {
  if (data.length >= lengthLimit)
    fail('MXRecordIO.write', `${data.length} bytes: a record holds less than ${lengthLimit}`)
  const view = new DataView(data.buffer, data.byteOffset, data.byteLength)
  const cuts: number[] = []
  for (let i = 0; i + 4 <= data.length; i += 4) if (view.getUint32(i, true) === magic) cuts.push(i)
  const begins = [0, ...cuts.map((at) => at + 4)]
  const pieces = begins.map((from, i) => data.subarray(from, cuts[i] ?? data.length))
  const bytes = new Uint8Array(pieces.reduce((n, { length }) => n + headBytes + padded(length), 0))
  const out = new DataView(bytes.buffer)
  let at = 0
  pieces.forEach((piece, i) => {
    const end = i === pieces.length - 1
    const kind = i === 0 ? (end ? whole : first) : end ? last : middle
    out.setUint32(at, magic, true)
    out.setUint32(at + 4, kind * lengthLimit + piece.length, true)
    bytes.set(piece, at + headBytes)
    at += headBytes + padded(piece.length)
  })
  return bytes
}

/** Reads bytes of a file at a place; fewer only where the file ends. */
export type ReadAt = (at: number, length: number) => Uint8Array

/**
 * The record at a place of a file of so many bytes, and where the next one begins; null at the end.
 * @throws MXNetError where no record begins, or one is cut off.
 */
export function decodeRecord(
  read: ReadAt,
  start: number,
  size: number,
  file: string,
): { record: Uint8Array; next: number } | null {
  if (start === size) return null
  const pieces: Uint8Array[] = []
  let at = start
  for (;;) {
    const where = `'${file}' at byte ${at}`
    if (size - at < headBytes) fail('MXRecordIO.read', `${where}: the file ends within a record`)
    const head = read(at, headBytes)
    const view = new DataView(head.buffer, head.byteOffset, head.byteLength)
    if (view.getUint32(0, true) !== magic)
      fail('MXRecordIO.read', `${where}: no record begins here; it is damaged or of another format`)
    const word = view.getUint32(4, true)
    const [kind, length] = [Math.floor(word / lengthLimit), word % lengthLimit]
    const opening = pieces.length === 0
    if (kind > last || opening !== (kind === whole || kind === first))
      fail('MXRecordIO.read', `${where}: pieces of records do not follow each other`)
    if (size - at - headBytes < padded(length))
      fail('MXRecordIO.read', `${where}: the record has ${length} bytes, the file ends before`)
    pieces.push(read(at + headBytes, length))
    at += headBytes + padded(length)
    if (kind === whole || kind === last) break
  }
  const total = pieces.reduce((n, { length }) => n + length, 4 * (pieces.length - 1))
  const record = new Uint8Array(total)
  const out = new DataView(record.buffer)
  let place = 0
  pieces.forEach((piece, i) => {
    if (i > 0) {
      out.setUint32(place, magic, true)
      place += 4
    }
    record.set(piece, place)
    place += piece.length
  })
  return { record, next: at }
}

/** What stands before the bytes of a sample: its label, or several, and its numbers. */
export interface IRHeader {
  /** How many labels there are; 0 for one that stands in the header itself. `pack` sets it. */
  readonly flag: number
  /** A number, or several of them (float32). */
  readonly label: number | Float32Array
  readonly id: number | bigint
  readonly id2: number | bigint
}

const headerBytes = 24

/** What `pack` takes: `flag` follows from the label. */
export interface GivenHeader {
  readonly flag?: number
  readonly label: number | readonly number[] | Float32Array
  readonly id?: number | bigint
  readonly id2?: number | bigint
}

/**
 * The bytes of a sample with its header before them.
 * @throws MXNetError for numbers that are not whole and at least 0.
 * @example
 * const bytes = recordio.pack({ label: [1, 2], id: 7 }, new Uint8Array(3))
 * recordio.unpack(bytes)[0].flag // => 2
 * @see MXNet `mx.recordio.pack`
 */
export function pack(header: GivenHeader, s: Uint8Array | string): Uint8Array {
  const { label, id = 0, id2 = 0 } = header
  const labels = typeof label === 'number' ? [] : label
  const data = typeof s === 'string' ? new TextEncoder().encode(s) : s
  if (!(data instanceof Uint8Array)) fail('pack', `s is ${String(s)}: give bytes or a text`)
  const bytes = new Uint8Array(headerBytes + 4 * labels.length + data.length)
  const view = new DataView(bytes.buffer)
  const flag = typeof label === 'number' ? (header.flag ?? 0) : labels.length
  if (typeof label === 'number' && flag !== 0)
    fail(
      'pack',
      `flag is ${flag} for one label: leave it out, it is the length of a list of labels`,
    )
  view.setUint32(0, flag, true)
  view.setFloat32(4, typeof label === 'number' ? label : 0, true)
  for (const [at, value] of [[8, id] as const, [16, id2] as const]) {
    if (typeof value === 'number' && !Number.isSafeInteger(value))
      fail('pack', `the number ${value} is not whole`)
    if (value < 0 || value >= 2 ** 64) fail('pack', `the number ${value} does not fit 64 bits`)
    view.setBigUint64(at, BigInt(value), true)
  }
  labels.forEach((value: number, i: number) => {
    view.setFloat32(headerBytes + 4 * i, value, true)
  })
  bytes.set(data, headerBytes + 4 * labels.length)
  return bytes
}

/**
 * Header and bytes of a packed sample.
 * @throws MXNetError when there are fewer bytes than the header says.
 * @example
 * recordio.unpack(recordio.pack({ label: 3 }, 'abc'))[1].length // => 3
 * @see MXNet `mx.recordio.unpack`
 */
export function unpack(s: Uint8Array): [header: IRHeader, s: Uint8Array] {
  if (s.length < headerBytes) fail('unpack', `${s.length} bytes: a header alone has ${headerBytes}`)
  const view = new DataView(s.buffer, s.byteOffset, s.byteLength)
  const flag = view.getUint32(0, true)
  const begin = headerBytes + 4 * flag
  if (begin > s.length) fail('unpack', `the header speaks of ${flag} labels, in ${s.length} bytes`)
  const number = (at: number): number | bigint => {
    const value = view.getBigUint64(at, true)
    return value <= Number.MAX_SAFE_INTEGER ? Number(value) : value
  }
  const labels = Float32Array.from({ length: flag }, (_, i) =>
    view.getFloat32(headerBytes + 4 * i, true),
  )
  const label = flag === 0 ? view.getFloat32(4, true) : labels
  return [{ flag, label, id: number(8), id2: number(16) }, s.subarray(begin)]
}
