/** Random arrays: seeds, streams, shuffles. */

import { describe, expect, it } from 'vitest'
import { Context } from '../../src/base/context.ts'
import { arange, array } from '../../src/ndarray/creation.ts'
import type { NDArray } from '../../src/ndarray/ndarray.ts'
import {
  normal,
  permutation,
  randint,
  randn,
  seed,
  shuffle,
  uniform,
} from '../../src/ndarray/random.ts'
import { backends, reference } from '../cases/devices.ts'

const numbers = (x: NDArray): number[] => Array.from(x.asTypedArraySync(), Number)

describe('seeds', () => {
  it('repeat the whole sequence', () => {
    const run = (): number[][] => {
      seed(5)
      return [
        uniform(0, 1, { shape: 4 }),
        normal(0, 1, { shape: [2, 2] }),
        randint(0, 100, { shape: 3 }),
      ].map(numbers)
    }
    expect(run()).toEqual(run())
    const [first] = run()
    expect(numbers(uniform(0, 1, { shape: 4 }))).not.toEqual(first)
  })

  it('differ from each other and between calls', () => {
    seed(1)
    const a = numbers(uniform(0, 1, { shape: 4 }))
    const b = numbers(uniform(0, 1, { shape: 4 }))
    seed(2)
    expect(numbers(uniform(0, 1, { shape: 4 }))).not.toEqual(a)
    expect(b).not.toEqual(a)
  })

  it('start one context alone', () => {
    const other = new Context('reference', 1)
    const both = (): [number[], number[]] => [
      numbers(uniform(0, 1, { shape: 2, ctx: reference })),
      numbers(uniform(0, 1, { shape: 2, ctx: other })),
    ]
    seed(3)
    const [a, b] = both()
    expect(a).not.toEqual(b)
    seed(3, reference)
    const [c, d] = both()
    expect(c).toEqual(a)
    expect(d).not.toEqual(b)
  })

  it('must be integers', () => {
    expect(() => seed(0.5)).toThrow(/^\[seed\]/)
    expect(() => seed('1' as never)).toThrow(/^\[seed\]/)
  })

  it('draw the same numbers on every backend', () => {
    const draws = backends
      .filter((b) => b.skip === null)
      .map(({ context: ctx }) => {
        seed(11)
        const bits = randint(0, 1000, { shape: 50, ctx })
        const u = uniform(-1, 1, { shape: 50, ctx })
        return [numbers(bits), numbers(u).map((v) => v.toFixed(5))]
      })
    for (const d of draws) expect(d).toEqual(draws[0])
  })
})

it('dtypes and shapes', () => {
  expect([uniform().shape, uniform().dtype]).toEqual([[1], 'float32'])
  expect(normal(0, 1, { shape: [2, 0] }).shape).toEqual([2, 0])
  expect(uniform(0, 1, { shape: [], dtype: 'float64' }).dtype).toBe('float64')
  expect([randint(0, 5, { shape: [2] }).dtype, randn(2, 3).shape]).toEqual(['int32', [2, 3]])
  expect(() => randint(3, 3)).toThrow(/randint\] low 3 and high 3/)
  expect(() => normal(0, -1)).toThrow(/scale is -1/)
  expect(() => uniform(0, 1, { dtype: 'int32' as never })).toThrow(/dtype/)
})

it('permutations hold each number once', () => {
  seed(4)
  for (const n of [0, 1, 2, 50])
    expect([...permutation(n)].sort((a, b) => a - b)).toEqual(
      Array.from({ length: n }, (_, i) => i),
    )
  // Every order of three comes up about as often as every other.
  const counts = new Map<string, number>()
  for (let i = 0; i < 1200; i++)
    counts.set(permutation(3).join(), (counts.get(permutation(3).join()) ?? 0) + 1)
  expect(counts.size).toBe(6)
})

it('shuffle moves rows', () => {
  seed(6)
  const x = arange(20).reshape([10, 2])
  const y = shuffle(x)
  const rows = (y.asArraySync() as number[][]).toSorted((a, b) => a[0]! - b[0]!)
  expect(rows).toEqual(x.asArraySync())
  expect(y.asArraySync()).not.toEqual(x.asArraySync())
  expect(shuffle(array([5, 5], { dtype: 'int64' })).dtype).toBe('int64')
  expect(() => shuffle(array(1))).toThrow(/^\[shuffle\]/)
})
