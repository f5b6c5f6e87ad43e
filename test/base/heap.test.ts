/** The heap: blocks never overlap, are aligned, and come back. */

import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { MXNetError } from '../../src/base/error.ts'
import { Heap } from '../../src/base/heap.ts'

const open = (start = 1000, limit = 2 ** 32): Heap =>
  new Heap({ start, limit, grow: (end) => end <= limit })

/** Sizes of every kind: nothing, single classes, class borders, pages, and large. */
const anySize = fc.oneof(
  fc.integer({ min: 0, max: 600 }),
  fc.integer({ min: 1, max: 300_000 }),
  fc.nat(18).chain((e) => fc.constantFrom(2 ** e - 1, 2 ** e, 2 ** e + 1)),
  fc.integer({ min: 262_145, max: 8_000_000 }),
)
const script = fc.array(
  fc.oneof(
    fc.record({ size: anySize, free: fc.constant(-1) }),
    fc.record({ size: fc.constant(0), free: fc.nat(1000) }),
  ),
  { maxLength: 300 },
)

describe('Heap', () => {
  test('blocks are aligned, inside the space and never overlap', () => {
    fc.assert(
      fc.property(
        script,
        fc.constantFrom(0, 64, 1000),
        fc.constantFrom(2e6, 3e7, 2 ** 32),
        (ops, start, limit) => {
          let end = 0
          let shut = false
          const heap = new Heap({
            start,
            limit,
            grow: (e) => {
              if (!shut) end = Math.max(end, e)
              return e <= limit && !shut
            },
          })
          const held: { address: number; size: number }[] = []
          for (const { size, free } of ops) {
            if (free >= 0) {
              if (held.length > 0) heap.free(held.splice(free % held.length, 1)[0]!.address)
              continue
            }
            const address = heap.alloc(size)
            if (address < 0) continue
            expect(address % 64).toBe(0)
            expect(address).toBeGreaterThanOrEqual(start)
            expect(address + size).toBeLessThanOrEqual(end)
            for (const other of held) {
              const apart =
                address >= other.address + Math.max(1, other.size) ||
                other.address >= address + Math.max(1, size)
              expect(apart).toBe(true)
            }
            held.push({ address, size })
            expect(heap.live).toBeGreaterThanOrEqual(held.reduce((sum, b) => sum + b.size, 0))
            expect(heap.live).toBeLessThanOrEqual(heap.reserved)
          }
          for (const { address } of held) heap.free(address)
          expect(heap.live).toBe(0)
          const { reserved } = heap
          shut = true
          if (reserved > 0) {
            expect(heap.alloc(reserved)).toBe(Math.ceil(start / 64) * 64)
            expect(heap.reserved).toBe(reserved)
          }
        },
      ),
      { numRuns: 200, seed: 1 },
    )
  })

  test('a freed small block is the next one of its size', () => {
    const heap = open()
    const [a, b] = [heap.alloc(100), heap.alloc(100)]
    heap.free(a)
    heap.free(b)
    expect(heap.alloc(70)).toBe(b)
    expect(heap.alloc(128)).toBe(a)
  })

  test('large blocks merge with both neighbours and take the smallest span that fits', () => {
    const heap = open(0)
    const mb = 1 << 20
    const blocks = [1, 1, 1, 1, 2, 1, 3, 1].map((n) => heap.alloc(n * mb))
    heap.free(blocks[4]!)
    heap.free(blocks[6]!)
    expect(heap.alloc(1.5 * mb)).toBe(blocks[4])
    heap.free(blocks[0]!)
    heap.free(blocks[2]!)
    heap.free(blocks[1]!)
    expect(heap.alloc(2.5 * mb)).toBe(blocks[0])
    expect(heap.alloc(2.5 * mb)).toBe(blocks[6])
  })

  test('alternating workloads do not grow', () => {
    const heap = open()
    const sizes = [40, 700, 5000, 100_000, 262_144, 300_000, 1 << 20, 3_000_000]
    let held: number[] = []
    const round = (seed: number): void => {
      const next = Array.from({ length: 60 }, (_, i) =>
        heap.alloc(sizes[(i * seed) % sizes.length]!),
      )
      for (const address of held) heap.free(address)
      held = next
    }
    for (let i = 1; i <= 40; i++) round(((i * 2) % 7) + 1)
    const { reserved } = heap
    for (let i = 1; i <= 2000; i++) round(((i * 2) % 7) + 1)
    expect(heap.reserved).toBeLessThanOrEqual(reserved * 1.25)
  })

  test('small blocks freed make room for a large one, and the other way round', () => {
    const limit = 16 << 20
    const heap = open(0, limit)
    for (let i = 0; i < 20; i++) {
      const small: number[] = []
      for (;;) {
        const address = heap.alloc(64 << (i % 12))
        if (address < 0) break
        small.push(address)
      }
      expect(heap.live).toBeGreaterThan(limit * 0.95)
      for (const address of small) heap.free(address)
      const whole = heap.alloc(limit)
      expect(whole).toBe(0)
      expect(heap.alloc(1)).toBe(-1)
      heap.free(whole)
    }
  })

  test('addresses and sizes go beyond 2^31', () => {
    const heap = open(64, 2 ** 36)
    const a = heap.alloc(3e9)
    const b = heap.alloc(4294967296)
    const c = heap.alloc(100)
    expect(b).toBeGreaterThanOrEqual(a + 3e9)
    expect(c).toBeGreaterThanOrEqual(b + 2 ** 32)
    expect(heap.live).toBeGreaterThan(7e9)
    heap.free(b)
    heap.free(c)
    expect(heap.alloc(4294967296)).toBe(b)
    heap.free(a)
    heap.free(b)
    expect(heap.live).toBe(0)
  })

  test('a full space answers -1 and is asked for no more than its limit', () => {
    const asked: number[] = []
    const heap = new Heap({
      start: 0,
      limit: 1 << 20,
      grow: (end) => {
        asked.push(end)
        return true
      },
    })
    expect(heap.alloc((1 << 20) + 1)).toBe(-1)
    expect(heap.alloc(Infinity)).toBe(-1)
    expect(heap.alloc(1 << 20)).toBe(0)
    expect(heap.alloc(1)).toBe(-1)
    expect(Math.max(...asked)).toBe(1 << 20)
    expect(open(100, 100).alloc(1)).toBe(-1)
  })

  test('a space that refuses to grow much is asked for what is needed', () => {
    let limit = 40 * 4096
    const heap = new Heap({ start: 0, limit: 2 ** 32, grow: (end) => end <= limit })
    expect(heap.alloc(64)).toBe(0)
    expect(heap.alloc(1 << 20)).toBe(-1)
    limit = 2 ** 31
    expect(heap.alloc(1 << 20)).toBeGreaterThan(0)
  })

  test('freeing what is not handed out throws', () => {
    const heap = open(0)
    const [small, gapped, large] = [heap.alloc(64), heap.alloc(640), heap.alloc(1 << 20)]
    const wrong = [
      small + 32,
      small + 64,
      gapped + 51 * 640,
      large + 4096,
      large + 64,
      -1,
      -64,
      2 ** 33,
      Number.NaN,
    ]
    for (const address of wrong)
      expect(() => heap.free(address), String(address)).toThrow(MXNetError)
    for (const address of [small, gapped, large]) {
      heap.free(address)
      expect(() => heap.free(address)).toThrow(/^\[heap\] no block is handed out at address/)
    }
    expect(heap.live).toBe(0)
  })

  test('many free spans stay fast', () => {
    const heap = open(0)
    const mb = 1 << 20
    const held = Array.from({ length: 800 }, (_, i) => heap.alloc(mb + (i % 13) * 4096))
    for (let i = 0; i < 800; i += 2) heap.free(held[i]!)
    const began = performance.now()
    for (let i = 0; i < 1e5; i++) heap.free(heap.alloc(mb + (i % 29) * 4096))
    expect(performance.now() - began).toBeLessThan(2000)
  })
})
