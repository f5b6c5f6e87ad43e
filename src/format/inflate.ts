/** Deflate (RFC 1951) unpacked piece by piece, by a parser like the others: at once from memory, with waiting from files. */

import { fail } from '../base/error.ts'
import type { Parse } from './parse.ts'
import type { Member } from './zip.ts'

/** Packed bytes are read this many at a time. */
const packedPiece = 64 * 1024
/** What a match may reach back to. */
const windowBytes = 32 * 1024
const outBytes = 128 * 1024
const longestMatch = 258
/** A code of a length or distance with its extra bits takes fewer bytes; so does a whole table of codes. */
const [symbolBytes, tableBytes] = [16, 1024]

const lengthBase = [
  3, 4, 5, 6, 7, 8, 9, 10, 11, 13, 15, 17, 19, 23, 27, 31, 35, 43, 51, 59, 67, 83, 99, 115, 131,
  163, 195, 227, 258,
]
const lengthExtra = [
  0, 0, 0, 0, 0, 0, 0, 0, 1, 1, 1, 1, 2, 2, 2, 2, 3, 3, 3, 3, 4, 4, 4, 4, 5, 5, 5, 5, 0,
]
const distanceExtra = Array.from({ length: 30 }, (_, i) => Math.max(0, (i >> 1) - 1))
const distanceBase = distanceExtra.map((extra, i) => (i < 4 ? i + 1 : 1 + ((2 + (i & 1)) << extra)))
/** The order in which the lengths of the codes of lengths come. */
const lengthOrder = [16, 17, 18, 0, 8, 7, 9, 6, 10, 5, 11, 4, 12, 3, 13, 2, 14, 1, 15]
const longestCode = 15

/** What the next bits mean: by their value, `symbol << 4 | length of the code`; 0 where they are no code. */
type Codes = Uint16Array

/** Canonical codes of these lengths (0: none); null when there are too many of them. */
function codesOf(lengths: Uint8Array): Codes | null {
  const counts = new Uint16Array(longestCode + 1)
  for (const length of lengths) counts[length]!++
  counts[0] = 0
  const next = new Uint16Array(longestCode + 1)
  let [code, longest, left] = [0, 0, 1]
  for (let bits = 1; bits <= longestCode; bits++) {
    code = (code + counts[bits - 1]!) << 1
    next[bits] = code
    left = 2 * left - counts[bits]!
    if (left < 0) return null
    if (counts[bits]! > 0) longest = bits
  }
  const codes = new Uint16Array(1 << longest)
  lengths.forEach((length, symbol) => {
    if (length === 0) return
    // Codes come with the first bit lowest.
    let [turned, rest] = [0, next[length]!++]
    for (let i = 0; i < length; i++, rest >>= 1) turned = (turned << 1) | (rest & 1)
    for (let k = turned; k < codes.length; k += 1 << length) codes[k] = (symbol << 4) | length
  })
  return codes
}

const fixedLengths = new Uint8Array(288).fill(8).fill(9, 144, 256).fill(7, 256, 280)
const fixed = [codesOf(fixedLengths)!, codesOf(new Uint8Array(30).fill(5))!] as const

/** Where unpacking is: the next packed byte, bits of those before it, and the end of what has been unpacked. */
interface Place {
  input: Uint8Array
  pos: number
  bits: number
  count: number
  end: number
}

/** Whole bytes that were taken into the bits go back. */
function giveBack(place: Place): void {
  const held = place.count >> 3
  place.pos -= held
  place.count -= 8 * held
  place.bits &= (1 << place.count) - 1
}

type Damaged = (what: string) => never

function fill(place: Place): void {
  while (place.count <= 24 && place.pos < place.input.length) {
    place.bits |= place.input[place.pos++]! << place.count
    place.count += 8
  }
}

function takeBits(place: Place, n: number, damaged: Damaged): number {
  if (place.count < n) fill(place)
  if (place.count < n) damaged('it ends too early')
  const value = place.bits & ((1 << n) - 1)
  place.bits = (place.bits >>> n) | 0
  place.count -= n
  return value
}

/** The codes that a block brings with it. */
function readCodes(place: Place, damaged: Damaged): readonly [literals: Codes, distances: Codes] {
  const take = (n: number): number => takeBits(place, n, damaged)
  const [literals, distances] = [257 + take(5), 1 + take(5)]
  const lengths = new Uint8Array(lengthOrder.length)
  const named = 4 + take(4)
  for (let i = 0; i < named; i++) lengths[lengthOrder[i]!] = take(3)
  const codes = codesOf(lengths) ?? damaged('codes overlap')
  const all = new Uint8Array(literals + distances)
  for (let i = 0; i < all.length; ) {
    fill(place)
    const found = codes[place.bits & (codes.length - 1)]!
    if (found === 0) damaged('bits are no code')
    take(found & 15)
    const symbol = found >> 4
    if (symbol < 16) {
      all[i++] = symbol
      continue
    }
    if (symbol === 16 && i === 0) damaged('nothing is repeated')
    const value = symbol === 16 ? all[i - 1]! : 0
    const times = symbol === 16 ? 3 + take(2) : symbol === 17 ? 3 + take(3) : 11 + take(7)
    if (i + times > all.length) damaged('there are too many codes')
    all.fill(value, i, i + times)
    i += times
  }
  if (all[256] === 0) damaged('a block has no end')
  return [
    codesOf(all.subarray(0, literals)) ?? damaged('codes overlap'),
    codesOf(all.subarray(literals)) ?? damaged('codes overlap'),
  ]
}

/**
 * Unpacks symbols of a block until its end (true), or until the output is full or, where `more` is to come, the input low.
 *
 * A function of its own, on numbers of its own, since engines do not compile generators as well.
 */
function unpackSymbols(
  place: Place,
  [literals, distances]: readonly [Codes, Codes],
  out: Uint8Array,
  more: boolean,
  damaged: Damaged,
): boolean {
  const { input } = place
  let { pos, bits, count, end } = place
  const lowest = more ? input.length - symbolBytes : input.length
  const [literalMask, distanceMask] = [literals.length - 1, distances.length - 1]
  let ended = false
  const full = out.length - longestMatch
  while (end <= full && (pos <= lowest || !more)) {
    // A code and its extra bits take up to 20 bits.
    if (count < 20) {
      while (count <= 24 && pos < input.length) {
        bits |= input[pos++]! << count
        count += 8
      }
    }
    const found = literals[bits & literalMask]!
    const symbol = found >> 4
    bits = (bits >>> (found & 15)) | 0
    count -= found & 15
    if (found === 0 || count < 0) damaged(count < 0 ? 'it ends too early' : 'bits are no code')
    if (symbol < 256) {
      out[end++] = symbol
      continue
    }
    if (symbol === 256) {
      ended = true
      break
    }
    const which = symbol - 257
    if (which >= lengthBase.length) damaged('a match has no length')
    const lengthBits = lengthExtra[which]!
    const length = lengthBase[which]! + (bits & ((1 << lengthBits) - 1))
    bits = (bits >>> lengthBits) | 0
    count -= lengthBits
    while (count < 15 && pos < input.length) {
      bits |= input[pos++]! << count
      count += 8
    }
    const far = distances[bits & distanceMask]!
    bits = (bits >>> (far & 15)) | 0
    count -= far & 15
    if (far === 0 || count < 0) damaged(count < 0 ? 'it ends too early' : 'bits are no code')
    while (count < 13 && pos < input.length) {
      bits |= input[pos++]! << count
      count += 8
    }
    const distanceBits = distanceExtra[far >> 4]!
    const distance = distanceBase[far >> 4]! + (bits & ((1 << distanceBits) - 1))
    bits = (bits >>> distanceBits) | 0
    count -= distanceBits
    if (count < 0) damaged('it ends too early')
    if (!(distance <= end)) damaged('a match reaches before the beginning')
    for (let k = 0; k < length; k++, end++) out[end] = out[end - distance]!
  }
  place.pos = pos
  place.bits = bits
  place.count = count
  place.end = end
  return ended
}

/**
 * Feeds the unpacked contents of a member to `sink`, until it returns false. A piece is only good until the sink returns.
 * @throws MXNetError when they do not unpack, or more is packed than they are.
 */
export function* inflate(
  where: string,
  { name, at, packed, size }: Member,
  sink: (piece: Uint8Array) => boolean,
): Parse<void> {
  const damaged: Damaged = (what) => fail(where, `${name} does not unpack (${what}): it is damaged`)
  const place: Place = { input: new Uint8Array(0), pos: 0, bits: 0, count: 0, end: 0 }
  // One byte more than is stated shows that there are more.
  const out = new Uint8Array(Math.min(outBytes, size + longestMatch + 1))
  let [read, given] = [0, 0]
  /** Sees to it that so many bytes are there, if there are. */
  function* need(bytes: number): Parse<void> {
    if (place.input.length - place.pos >= bytes || read === packed) return
    giveBack(place)
    const rest = place.input.subarray(place.pos)
    const length = Math.min(packedPiece, packed - read)
    const piece = yield { at: at + read, length }
    read += length
    place.input = new Uint8Array(rest.length + length)
    place.input.set(rest)
    place.input.set(piece, rest.length)
    place.pos = 0
  }
  /** Gives away what has been unpacked, but for what matches may reach back to. */
  const give = (): boolean => {
    if (!sink(out.subarray(given, place.end))) return false
    if (out.length < outBytes) damaged('it is longer than it states')
    out.copyWithin(0, place.end - windowBytes, place.end)
    place.end = windowBytes
    given = windowBytes
    return true
  }
  for (let last = 0; last === 0; ) {
    yield* need(tableBytes)
    last = takeBits(place, 1, damaged)
    const kind = takeBits(place, 2, damaged)
    if (kind === 3) damaged('a block is of no known kind')
    if (kind === 0) {
      takeBits(place, place.count & 7, damaged)
      let left = takeBits(place, 16, damaged)
      if ((left ^ takeBits(place, 16, damaged)) !== 0xffff) damaged('a plain block has two lengths')
      giveBack(place)
      while (left > 0) {
        yield* need(1)
        const n = Math.min(left, place.input.length - place.pos, out.length - place.end)
        if (n === 0) damaged('it ends too early')
        out.set(place.input.subarray(place.pos, place.pos + n), place.end)
        place.pos += n
        place.end += n
        left -= n
        if (place.end === out.length && !give()) return
      }
      continue
    }
    const codes = kind === 1 ? fixed : readCodes(place, damaged)
    for (;;) {
      yield* need(symbolBytes + 1)
      if (unpackSymbols(place, codes, out, read < packed, damaged)) break
      if (place.end > out.length - longestMatch && !give()) return
    }
  }
  giveBack(place)
  if (read < packed || place.pos < place.input.length) damaged('more is packed than it is')
  sink(out.subarray(given, place.end))
}
