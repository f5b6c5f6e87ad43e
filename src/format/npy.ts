/** NumPy's files: one array (`.npy`), and archives of them (`.npz`). */

import { type DType, itemSize } from '../base/dtype.ts'
import { fail } from '../base/error.ts'
import { formatShape, type Shape, sizeOf } from '../base/shape.ts'
import { checkRank, checkStoredShape, type Entry, type Index } from './entry.ts'
import { inflate } from './inflate.ts'
import type { Parse } from './parse.ts'
import type { Stored } from './write.ts'
import { type Member, readDirectory, writeZip } from './zip.ts'

/** What a `.npy` file begins with. */
export const npyMagic = [0x93, 0x4e, 0x55, 0x4d, 0x50, 0x59] as const
/** NumPy's type texts without their byte order; bfloat16, which NumPy lacks, is two plain bytes as in `ml_dtypes`. */
const descriptors: Record<DType, string> = {
  float32: 'f4',
  float64: 'f8',
  float16: 'f2',
  bfloat16: 'V2',
  uint8: 'u1',
  int8: 'i1',
  int32: 'i4',
  int64: 'i8',
  bool: 'b1',
}
const dtypeOf = new Map(Object.entries(descriptors).map(([dtype, text]) => [text, dtype as DType]))
/** Magic, version, and a length of the header that fits either version. */
const preambleBytes = 12
/** Headers are padded so that the elements are aligned. */
const alignment = 64
/** A header holds a type and at most 32 sizes. */
const maxHeader = 64 * 1024

/** The bytes before the elements of a `.npy` file: magic, version 1.0, and a Python dictionary. */
function writeHeader({ dtype, shape }: Stored): Uint8Array {
  const order = itemSize(dtype) === 1 || dtype === 'bfloat16' ? '|' : '<'
  const text = `{'descr': '${order}${descriptors[dtype]}', 'fortran_order': False, 'shape': ${formatShape(shape)}, }`
  const length = Math.ceil((10 + text.length + 1) / alignment) * alignment
  const out = new Uint8Array(length).fill(0x20)
  out.set([...npyMagic, 1, 0, (length - 10) & 255, (length - 10) >>> 8])
  out.set(new TextEncoder().encode(text), 10)
  out[length - 1] = 0x0a
  return out
}

/** The bytes of a `.npy` file. @see NumPy `numpy/lib/format.py` */
export async function* writeNpy(array: Stored): AsyncGenerator<Uint8Array> {
  yield writeHeader(array)
  yield await array.elements()
}

/** The bytes of a `.npz` archive; arrays of a list are called `arr_0`, `arr_1`, … as NumPy calls them. */
export function writeNpz(
  where: string,
  arrays: readonly Stored[],
  named: boolean,
  compress: boolean,
): AsyncGenerator<Uint8Array> {
  const members = arrays.map((array) => ({
    name: `${named ? array.name : `arr_${array.name}`}.npy`,
    contents: async () => [writeHeader(array), await array.elements()],
  }))
  return writeZip(where, members, compress)
}

/**
 * What a `.npy` file of `size` bytes holds.
 * @throws MXNetError for damaged files, and by name for types that arrays here do not have.
 */
export function* readNpy(where: string, size: number): Parse<Index> {
  const length = (n: number): number => Math.min(n, size)
  const preamble = yield { at: 0, length: length(preambleBytes) }
  const end = headerEnd(where, 'it', preamble)
  if (end > size) fail(where, `ends in its header of ${end} bytes: it is cut off`)
  const header = yield { at: 0, length: end }
  return { format: 'npy', entries: [entryOf(where, '0', header, 0, size)], named: false }
}

/**
 * What a `.npz` archive of `size` bytes holds.
 * @throws MXNetError for damaged archives, and for members that are no arrays.
 */
export function* readNpz(where: string, size: number): Parse<Index> {
  const entries: Entry[] = []
  for (const member of yield* readDirectory(where, size)) {
    const { name } = member
    if (!name.endsWith('.npy')) fail(where, `holds '${name}', which is no array (.npy)`)
    const preamble = yield* readMember(where, member, preambleBytes)
    const end = headerEnd(where, name, preamble)
    if (end > member.size) fail(where, `${name} ends in its header of ${end} bytes: it is cut off`)
    const header = yield* readMember(where, member, end)
    const start = member.deflated ? 0 : member.at
    const entry = entryOf(where, name.slice(0, -4), header, start, start + member.size)
    entries.push({ ...entry, member })
  }
  return { format: 'npz', entries, named: true }
}

/** The first bytes of a member's contents. */
function* readMember(where: string, member: Member, wanted: number): Parse<Uint8Array> {
  const length = Math.min(wanted, member.size)
  if (!member.deflated) return yield { at: member.at, length }
  const out = new Uint8Array(length)
  let filled = 0
  yield* inflate(where, member, (piece) => {
    const part = piece.subarray(0, length - filled)
    out.set(part, filled)
    filled += part.length
    return filled < length
  })
  return out.subarray(0, filled)
}

/** Where the elements begin, from the preamble. */
function headerEnd(where: string, what: string, bytes: Uint8Array): number {
  if (bytes.length < 10 || npyMagic.some((v, i) => bytes[i] !== v)) {
    fail(where, `${what} does not begin as a .npy file does`)
  }
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  const version = bytes[6]!
  if (version < 1 || version > 3 || bytes[7] !== 0) {
    fail(where, `${what} is a .npy file of version ${version}.${bytes[7]}: 1.0 to 3.0 are read`)
  }
  if (version === 1) return 10 + view.getUint16(8, true)
  if (bytes.length < preambleBytes) fail(where, `${what} ends in its header: it is cut off`)
  const length = view.getUint32(8, true)
  if (length > maxHeader) fail(where, `${what} has a header of ${length} bytes: it is damaged`)
  return preambleBytes + length
}

const field =
  /\s*'(descr|fortran_order|shape)'\s*:\s*(?:'([^']*)'|(True|False)|\(([\d\s,]*)\))\s*(?:,|(?=\}))/y

/** The array that a header describes; its elements reach from the header to `end`. */
function entryOf(where: string, name: string, header: Uint8Array, at: number, end: number): Entry {
  const start = header[6] === 1 ? 10 : preambleBytes
  const text = new TextDecoder('latin1').decode(new Uint8Array(header.subarray(start)))
  const damaged = (what: string): never => fail(where, `array ${name} has ${what}: it is damaged`)
  const open = text.indexOf('{')
  if (open < 0 || text.slice(0, open).trim() !== '') damaged('no header')
  const found = new Map<string, string>()
  field.lastIndex = open + 1
  for (let last = field.lastIndex; ; last = field.lastIndex) {
    const match = field.exec(text)
    if (match === null) {
      if (!/^\s*\}\s*$/.test(text.slice(last))) {
        damaged(`a header that says ${JSON.stringify(text.slice(last, last + 40).trim())}`)
      }
      break
    }
    const [, key, type, flag, sizes] = match
    const wanted = { descr: type, fortran_order: flag, shape: sizes }[key!]
    if (wanted === undefined) damaged(`a header with a wrong ${key}`)
    found.set(key!, wanted!)
  }
  const [type, order, sizes] = ['descr', 'fortran_order', 'shape'].map((key) => found.get(key))
  if (type === undefined || order === undefined || sizes === undefined) {
    return damaged('a header without type, order or shape')
  }
  const dtype = dtypeOf.get(type.slice(1))
  if (dtype === undefined || !'<>|='.includes(type[0]!)) {
    const known = Object.values(descriptors).join(', ')
    return fail(where, `array ${name} has NumPy's type '${type}': there are ${known}`)
  }
  const shape = shapeOf(where, name, sizes)
  const bytes = sizeOf(shape) * itemSize(dtype)
  const held = end - at - header.length
  if (bytes !== held) {
    const what = `array ${name} of shape ${formatShape(shape)} takes ${bytes} bytes`
    fail(where, `${what} and ${held} are there: it is damaged`)
  }
  return {
    name,
    dtype,
    shape,
    fortran: order === 'True',
    bigEndian: type[0] === '>',
    data: { at: at + header.length, length: bytes },
  }
}

function shapeOf(where: string, name: string, text: string): Shape {
  const parts = text.split(',').map((part) => part.trim())
  if (parts.at(-1) === '') parts.pop()
  else if (parts.length === 1) fail(where, `array ${name} has a shape that is no tuple: (${text})`)
  checkRank(where, `array ${name}`, parts.length)
  if (!parts.every((part) => /^\d+$/.test(part))) {
    fail(where, `array ${name} has the shape (${text}): it is damaged`)
  }
  return checkStoredShape(where, `array ${name}`, parts.map(Number))
}
