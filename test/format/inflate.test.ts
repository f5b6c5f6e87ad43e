/** Deflate: what zlib packs in each of its ways comes back; what is damaged is refused, or is what zlib makes of it. */

import { constants, deflateRawSync, inflateRawSync } from 'node:zlib'
import { MXNetError } from 'mxnet-ts'
import { describe, expect, it } from 'vitest'
import { inflate } from '../../src/format/inflate.ts'
import { parseBytes, parseSource } from '../../src/format/parse.ts'
import type { Member } from '../../src/format/zip.ts'
import { bytesSource } from '../../src/ndarray/nodeFiles.ts'

/** A small generator of repeatable numbers (mulberry32). */
function generator(seed: number): () => number {
  let state = seed
  return () => {
    state = (state + 0x6d2b79f5) | 0
    let t = Math.imul(state ^ (state >>> 15), 1 | state)
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32
  }
}

const memberOf = (packed: Uint8Array, size: number, at = 0): Member => ({
  name: 'x',
  at,
  packed: packed.length - at,
  size,
  crc: 0,
  deflated: true,
})

/** The contents, put together from pieces that are only good until the sink returns. */
function unpack(packed: Uint8Array, size = 1e6): Uint8Array {
  const pieces: Uint8Array[] = []
  const parser = inflate('f', memberOf(packed, size), (piece) => pieces.push(piece.slice()) > 0)
  parseBytes(parser, packed)
  return Buffer.concat(pieces)
}

const random = generator(5)
const words = Array.from({ length: 40 }, () => Math.floor(random() * 1e9).toString(36))
const contents: { readonly [name: string]: Uint8Array } = {
  nothing: new Uint8Array(0),
  'one byte': Uint8Array.of(7),
  zeros: new Uint8Array(300_000),
  noise: Uint8Array.from({ length: 300_000 }, () => random() * 256),
  'few values': Uint8Array.from({ length: 200_000 }, () => random() ** 4 * 9),
  floats: new Uint8Array(Float32Array.from({ length: 60_000 }, () => random() - 0.5).buffer),
  text: Buffer.from(
    Array.from({ length: 60_000 }, () => words[Math.floor(random() ** 2 * 40)]).join(' '),
  ),
}
const ways = [
  ...[0, 1, 6, 9].map((level) => ({ level })),
  { strategy: constants.Z_FIXED },
  { strategy: constants.Z_HUFFMAN_ONLY },
  { strategy: constants.Z_RLE },
  { level: 9, memLevel: 1, windowBits: 9 },
]

describe.each(Object.entries(contents))('%s', (_, plain) => {
  it.each(ways)('comes back from %o', async (way) => {
    const packed = deflateRawSync(plain, way)
    expect(Buffer.compare(unpack(packed, plain.length), plain)).toBe(0)
    // Behind other bytes, and with waiting.
    const moved = Buffer.concat([Buffer.from('before'), packed])
    const pieces: Uint8Array[] = []
    await parseSource(
      inflate('f', memberOf(moved, plain.length, 6), (piece) => pieces.push(piece.slice()) > 0),
      bytesSource(moved),
    )
    expect(Buffer.compare(Buffer.concat(pieces), plain)).toBe(0)
  })
})

it('stops when enough has come', () => {
  let seen = 0
  parseBytes(
    inflate('f', memberOf(deflateRawSync(contents.zeros!), 300_000), (piece) => {
      seen += piece.length
      return false
    }),
    deflateRawSync(contents.zeros!),
  )
  expect(seen).toBeLessThan(contents.zeros!.length)
})

it('refuses what is longer than it states', () => {
  const packed = deflateRawSync(contents.text!)
  expect(() => unpack(packed, 1000)).toThrow('longer than it states')
  expect(unpack(packed, contents.text!.length - 1).length).toBe(contents.text!.length)
})

describe('damage', () => {
  const refuse = (bytes: number[] | Uint8Array) => () => unpack(Uint8Array.from(bytes))
  it.each([
    ['no bytes', [], 'it ends too early'],
    ['an unknown kind of block', [0b111], 'no known kind'],
    ['a plain block with two lengths', [1, 4, 0, 0, 0, 1, 2, 3, 4], 'two lengths'],
    ['a plain block that ends', [1, 4, 0, 0xfb, 0xff, 1, 2], 'it ends too early'],
    ['bits that are no code', [0b101, ...new Array<number>(12).fill(0xff)], 'bits are no code'],
    [
      'codes of one bit, too many',
      [0b101, 0xe0, 0x24, 0x49, 0x92, 0x24, 0x49, 0x92, 0x24],
      'codes overlap',
    ],
    ['a match before the beginning', [0b0011, 0b10], 'before the beginning'],
    ['bytes behind the end', [3, 0, 9], 'more is packed'],
    ['half of it', deflateRawSync(contents.text!).subarray(0, 9000), 'it ends too early'],
  ] as const)('%s', (_, bytes, message) => {
    expect(refuse([...bytes])).toThrow(MXNetError)
    expect(refuse([...bytes])).toThrow(message)
  })

  it('in 10,000 places gives what zlib gives, or an error', () => {
    const packed = ways.map((way) => deflateRawSync(contents.text!.subarray(0, 3000), way))
    const counts = { same: 0, refused: 0 }
    for (let round = 0; round < 10_000; round++) {
      const bytes = Uint8Array.from(packed[round % packed.length]!)
      for (let n = 0; n <= round % 3; n++)
        bytes[Math.floor(random() * bytes.length)]! ^= 1 << Math.floor(random() * 8)
      let ours: Uint8Array | null = null
      try {
        ours = unpack(bytes)
      } catch (e) {
        if (!(e instanceof MXNetError)) throw e
      }
      let theirs: Uint8Array | null = null
      try {
        theirs = inflateRawSync(bytes)
      } catch {
        // It refuses.
      }
      if (ours === null) counts.refused++
      else if (theirs !== null) {
        counts.same++
        expect(Buffer.compare(ours, theirs)).toBe(0)
      }
    }
    expect(counts.same).toBeGreaterThan(500)
    expect(counts.refused).toBeGreaterThan(1000)
  })
})
