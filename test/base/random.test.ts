/** Random bits: Threefry's known answers, and streams that are even and repeat. */

import { describe, expect, test } from 'vitest'
import { KeyStream, threefry } from '../../src/base/random.ts'

/** Pearson's statistic of counts that should be equal. */
function chiSquare(counts: readonly number[]): number {
  const expected = counts.reduce((a, b) => a + b, 0) / counts.length
  return counts.reduce((sum, c) => sum + (c - expected) ** 2 / expected, 0)
}

describe('random', () => {
  test('threefry gives the published words (Random123 kat_vectors, 20 rounds), xored', () => {
    expect(threefry(0, 0, 0) >>> 0).toBe((0x6b200159 ^ 0x99ba4efe) >>> 0)
  })

  test('threefry is a function of its words modulo 2^32', () => {
    expect(threefry(1, 2, 3)).toBe(threefry(1, 2, 3))
    expect(threefry(2 ** 32 + 1, 2, 3)).toBe(threefry(1, 2, 3))
    expect(threefry(-1, 2, 3)).toBe(threefry(2 ** 32 - 1, 2, 3))
    expect(Number.isInteger(threefry(5, 6, 7))).toBe(true)
  })

  test('one bit of key or counter changes half the bits', () => {
    let flips = 0
    for (let i = 0; i < 300; i++) {
      const one = 1 << (i % 32)
      const pair = [
        threefry(i, 9, 4) ^ threefry(i ^ one, 9, 4),
        threefry(9, i, 4) ^ threefry(9, i ^ one, 4),
        threefry(9, 4, i) ^ threefry(9, 4, i ^ one),
      ]
      for (let bits of pair) for (; bits !== 0; bits &= bits - 1) flips++
    }
    expect(flips / 900).toBeGreaterThan(15.5)
    expect(flips / 900).toBeLessThan(16.5)
  })

  test('bits are uniform: chi-square of the high and the low byte', () => {
    const [high, low] = [new Array<number>(256).fill(0), new Array<number>(256).fill(0)]
    for (let i = 0; i < 65536; i++) {
      const bits = threefry(42, 7, i)
      high[bits >>> 24]!++
      low[bits & 255]!++
    }
    // 255 degrees of freedom: mean 255, deviation 22.6.
    for (const counts of [high, low]) {
      expect(chiSquare(counts)).toBeGreaterThan(255 - 90)
      expect(chiSquare(counts)).toBeLessThan(255 + 90)
    }
  })

  test('streams repeat, and differ by seed and by stream', () => {
    const take = (s: KeyStream): number[] => Array.from({ length: 20 }, () => s.next())
    expect(take(new KeyStream(5))).toEqual(take(new KeyStream(5)))
    expect(take(new KeyStream(5))).not.toEqual(take(new KeyStream(6)))
    expect(take(new KeyStream(5))).not.toEqual(take(new KeyStream(5, 1)))
    expect(new Set(take(new KeyStream(5))).size).toBe(20)
  })

  test('below is even and inside', () => {
    const stream = new KeyStream(3)
    const counts = new Array<number>(7).fill(0)
    for (let i = 0; i < 14_000; i++) counts[stream.below(7)]!++
    expect(counts.reduce((a, b) => a + b)).toBe(14_000)
    // 6 degrees of freedom: 22.5 is passed once in a thousand seeds.
    expect(chiSquare(counts)).toBeLessThan(22.5)
    expect(stream.below(1)).toBe(0)
  })

  test('a permutation holds every index once, and every place is as likely', () => {
    const stream = new KeyStream(11)
    expect([...stream.permutation(0)]).toEqual([])
    expect([...stream.permutation(100)].toSorted((a, b) => a - b)).toEqual(
      Array.from({ length: 100 }, (_, i) => i),
    )
    const first = new Array<number>(5).fill(0)
    for (let i = 0; i < 5000; i++) first[stream.permutation(5)[0]!]!++
    expect(chiSquare(first)).toBeLessThan(18.5)
  })
})
