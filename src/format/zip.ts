/** Zip archives: the directory read with suspicion, and members written one after the other. */

import { fail } from '../base/error.ts'
import { crc32 } from './crc32.ts'
import { decodeText, type Parse, type Range } from './parse.ts'

/** A file inside an archive. */
export interface Member {
  readonly name: string
  /** Where its bytes begin, and how many they are. */
  readonly at: number
  readonly packed: number
  /** Its size once unpacked, as the archive states. */
  readonly size: number
  readonly crc: number
  readonly deflated: boolean
}

const localMagic = 0x04034b50
const directoryMagic = 0x02014b50
const endMagic = 0x06054b50
const endBytes = 22
const unset32 = 0xffffffff
const textFlag = 0x0800
/** Unpacked contents beyond this many times the archive's size, and beyond the floor, are a bomb. */
const maxRatio = 100
const ratioFloor = 16 * 1024 * 1024
/** A byte of deflate gives no more than this: four of the longest matches, of 258 bytes at two bits each. */
const deflateRatio = 1032

/** Whether a member's name could lead out of the folder that an archive is unpacked into. */
export function escapes(name: string): boolean {
  // biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is looked for
  return /^[/\\]|^[A-Za-z]:|(^|[/\\])\.\.([/\\]|$)|[\0-\x1f]/.test(name)
}

/**
 * The members of an archive of `size` bytes.
 *
 * Every offset and length is checked, members must not overlap, and archives that unpack to over a hundred
 * times their size are refused, as are encrypted ones, those in parts, and names that lead elsewhere.
 * @see PKWARE APPNOTE.TXT 6.3
 */
export function* readDirectory(where: string, size: number): Parse<Member[]> {
  const { count, directory } = yield* findDirectory(where, size)
  const bytes = new Uint8Array(yield directory)
  const view = new DataView(bytes.buffer)
  const members: Member[] = []
  let at = 0
  for (let i = 0; i < count; i++) {
    const short = (length: number): void => {
      if (at + length > bytes.length) fail(where, 'ends in its directory: it is damaged')
    }
    short(46)
    if (view.getUint32(at, true) !== directoryMagic) {
      fail(where, `has no entry ${i} where its directory says: it is damaged`)
    }
    const [nameBytes, extraBytes] = [view.getUint16(at + 28, true), view.getUint16(at + 30, true)]
    const length = 46 + nameBytes + extraBytes + view.getUint16(at + 32, true)
    short(length)
    const label = bytes.subarray(at + 46, at + 46 + nameBytes)
    const extra = new DataView(bytes.buffer, at + 46 + nameBytes, extraBytes)
    members.push(
      yield* readMember(where, new DataView(bytes.buffer, at, 46), label, extra, directory.at),
    )
    at += length
  }
  if (at !== bytes.length) fail(where, 'has more in its directory than it states: it is damaged')
  checkMembers(where, members, size)
  return members
}

/** The end of an archive names its directory. */
function* findDirectory(where: string, size: number): Parse<{ count: number; directory: Range }> {
  if (size < endBytes) fail(where, `has ${size} bytes: it is no whole archive`)
  const tailBytes = Math.min(size, endBytes + 0xffff)
  const tail = new Uint8Array(yield { at: size - tailBytes, length: tailBytes })
  const view = new DataView(tail.buffer)
  let at = tailBytes - endBytes
  // A comment of the stated length reaches from the record to the end of the file.
  const isEnd = (): boolean =>
    view.getUint32(at, true) === endMagic &&
    view.getUint16(at + 20, true) === tailBytes - endBytes - at
  while (at >= 0 && !isEnd()) at--
  if (at < 0) fail(where, 'has no end of a zip archive: it is cut off or damaged')
  const count = view.getUint16(at + 10, true)
  const [length, start] = [view.getUint32(at + 12, true), view.getUint32(at + 16, true)]
  if (count === 0xffff || length === unset32 || start === unset32) {
    fail(where, 'is an archive of over 4 GiB or 65534 files: such archives are not read')
  }
  if (view.getUint16(at + 4, true) !== 0 || view.getUint16(at + 8, true) !== count) {
    fail(where, 'is one part of several: archives in parts are not read')
  }
  if (start + length !== size - tailBytes + at) {
    fail(where, 'has its directory elsewhere than it states: it is damaged')
  }
  return { count, directory: { at: start, length } }
}

function* readMember(
  where: string,
  entry: DataView,
  label: Uint8Array,
  extra: DataView,
  limit: number,
): Parse<Member> {
  const name = decodeText(where, label, 'the name of a member')
  if (name === '' || escapes(name)) {
    fail(where, `holds ${JSON.stringify(name)}, a name that leads out of its folder`)
  }
  const flags = entry.getUint16(8, true)
  const method = entry.getUint16(10, true)
  if (flags & 1) fail(where, `${name} is encrypted: encrypted archives are not read`)
  if (method !== 0 && method !== 8) {
    fail(where, `${name} is compressed by method ${method}: only stored and deflated ones are read`)
  }
  const wide = wideFields(extra)
  const field = (at: number): number => {
    const value = entry.getUint32(at, true)
    if (value !== unset32) return value
    return wide.shift() ?? fail(where, `${name} lacks its size: it is damaged`)
  }
  const [size, packed, local] = [field(24), field(20), field(42)]
  if (local + 30 > limit) fail(where, `${name} lies beyond the files: it is damaged`)
  const head = new Uint8Array(yield { at: local, length: 30 })
  const view = new DataView(head.buffer)
  if (view.getUint32(0, true) !== localMagic || view.getUint16(8, true) !== method) {
    fail(where, `${name} is not where the directory says: it is damaged`)
  }
  const at = local + 30 + view.getUint16(26, true) + view.getUint16(28, true)
  if (at + packed > limit) fail(where, `${name} reaches beyond the files: it is damaged`)
  if (method === 0 && packed !== size) fail(where, `${name} has two sizes: it is damaged`)
  if (size > deflateRatio * packed)
    fail(
      where,
      `${name} states ${size} bytes, which ${packed} packed ones cannot give: it is damaged`,
    )
  return { name, at, packed, size, crc: entry.getUint32(16, true), deflated: method === 8 }
}

/** The 64-bit numbers that stand in for sizes and offsets which the fixed fields leave unset. */
function wideFields(extra: DataView): number[] {
  for (let at = 0; at + 4 <= extra.byteLength; ) {
    const length = extra.getUint16(at + 2, true)
    if (at + 4 + length > extra.byteLength) break
    if (extra.getUint16(at, true) === 1) {
      const fields = Array.from({ length: length >>> 3 }, (_, i) => at + 4 + 8 * i)
      return fields.map((place) => Number(extra.getBigUint64(place, true)))
    }
    at += 4 + length
  }
  return []
}

function checkMembers(where: string, members: readonly Member[], size: number): void {
  let end = 0
  for (const { name, at, packed } of [...members].sort((a, b) => a.at - b.at)) {
    if (at < end) fail(where, `${name} overlaps another member: it is damaged`)
    end = at + packed
  }
  const total = members.reduce((sum, member) => sum + member.size, 0)
  if (total > Math.max(maxRatio * size, ratioFloor)) {
    fail(
      where,
      `states that its ${size} bytes unpack to ${total}: over ${maxRatio} times is refused`,
    )
  }
}

/** A member to be written: its name and its contents in pieces. */
export interface NewMember {
  readonly name: string
  contents(): Promise<readonly Uint8Array[]>
}

/** The bytes of an archive, member by member; packed when `deflate` is set. */
export async function* writeZip(
  where: string,
  members: readonly NewMember[],
  deflate: boolean,
): AsyncGenerator<Uint8Array> {
  const directory: Uint8Array[] = []
  let at = 0
  for (const { name, contents } of members) {
    if (name === '' || escapes(name)) {
      fail(where, `${JSON.stringify(name)} leads out of the archive's folder: give it another name`)
    }
    const plain = await contents()
    const size = bytesOf(plain)
    const pieces = deflate ? await pack(plain) : plain
    const packed = bytesOf(pieces)
    const label = new TextEncoder().encode(name)
    if (label.length > 0xffff) fail(where, 'a name is longer than an archive can hold')
    const shared = sharedFields(
      deflate,
      plain.reduce((sum, piece) => crc32(piece, sum), 0),
      packed,
      size,
      label,
    )
    if (at + packed > 0xfffffffe || members.length > 0xfffe) {
      fail(where, 'the arrays take over 4 GiB: save them as .safetensors')
    }
    yield joined(30, [[0, localMagic]], shared, 4, label)
    yield* pieces
    directory.push(
      joined(
        46,
        [
          [0, directoryMagic],
          [4, 20],
          [42, at],
        ],
        shared,
        6,
        label,
      ),
    )
    at += 30 + label.length + packed
  }
  yield* directory
  const end = new DataView(new ArrayBuffer(endBytes))
  end.setUint32(0, endMagic, true)
  end.setUint16(8, members.length, true)
  end.setUint16(10, members.length, true)
  end.setUint32(12, bytesOf(directory), true)
  end.setUint32(16, at, true)
  yield new Uint8Array(end.buffer)
}

const bytesOf = (pieces: readonly Uint8Array[]): number =>
  pieces.reduce((sum, piece) => sum + piece.length, 0)

/** The 26 bytes that a member's own header and its entry in the directory have in common. */
function sharedFields(
  deflated: boolean,
  crc: number,
  packed: number,
  size: number,
  label: Uint8Array,
): Uint8Array {
  const view = new DataView(new ArrayBuffer(26))
  view.setUint16(0, 20, true)
  view.setUint16(2, textFlag, true)
  view.setUint16(4, deflated ? 8 : 0, true)
  // Midnight of the first day there is: equal arrays give equal files.
  view.setUint16(8, 0x21, true)
  view.setUint32(10, crc, true)
  view.setUint32(14, packed, true)
  view.setUint32(18, size, true)
  view.setUint16(22, label.length, true)
  return new Uint8Array(view.buffer)
}

function joined(
  length: number,
  fields: readonly (readonly [number, number])[],
  shared: Uint8Array,
  at: number,
  label: Uint8Array,
): Uint8Array {
  const out = new Uint8Array(length + label.length)
  const view = new DataView(out.buffer)
  for (const [place, value] of fields) view.setUint32(place, value, true)
  out.set(shared, at)
  out.set(label, length)
  return out
}

async function pack(pieces: readonly Uint8Array[]): Promise<Uint8Array[]> {
  const stream = new Blob(pieces as Uint8Array<ArrayBuffer>[]).stream()
  const reader = stream.pipeThrough(new CompressionStream('deflate-raw')).getReader()
  const out: Uint8Array[] = []
  for (let step = await reader.read(); !step.done; step = await reader.read()) out.push(step.value)
  return out
}
