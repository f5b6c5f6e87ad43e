/** Datasets and samplers: MXNet's semantics of filter, shard, take, sample, transform and batches. */

import { describe, expect, expectTypeOf, it } from 'vitest'
import {
  ArrayDataset,
  BatchSampler,
  FilterSampler,
  RandomSampler,
  SequentialSampler,
  SimpleDataset,
} from '../../../src/gluon/data/index.ts'
import { type NDArray, nd, random } from '../../../src/node.ts'

const numbers = (n: number): SimpleDataset<number> =>
  new SimpleDataset(Array.from({ length: n }, (_, i) => i))

describe('Dataset', () => {
  it('filters, shards, takes and samples', () => {
    expect([...numbers(6).filter((x) => x % 2 === 1)]).toEqual([1, 3, 5])
    const shards = [0, 1, 2].map((i) => [...numbers(8).shard(3, i)])
    expect(shards).toEqual([
      [0, 1, 2],
      [3, 4, 5],
      [6, 7],
    ])
    expect([...numbers(5).take(2)]).toEqual([0, 1])
    expect([...numbers(3).take()]).toEqual([0, 1, 2])
    expect([...numbers(3).take(9)]).toEqual([0, 1, 2])
    expect([...numbers(5).sample(new SequentialSampler(2, 3))]).toEqual([3, 4])
    expect([
      ...numbers(10)
        .shard(2, 1)
        .filter((x) => x > 6)
        .take(2),
    ]).toEqual([7, 8])
  })

  it('counts negative indices from the end', () => {
    expect(numbers(3).at(-1)).toBe(2)
    expect(() => numbers(3).at(3)).toThrow('[SimpleDataset] index 3 is out of range for 3 samples')
  })

  it('unpacks tuples for transforms', () => {
    const pairs = new SimpleDataset<[number, string]>([
      [1, 'a'],
      [2, 'b'],
    ])
    const joined = pairs.transform((n, s) => `${s}${n}`)
    expectTypeOf(joined.at(0)).toEqualTypeOf<string>()
    expect([...joined]).toEqual(['a1', 'b2'])
    const first = pairs.transformFirst((n) => n * 10)
    expectTypeOf(first.at(0)).toEqualTypeOf<[number, string]>()
    expect([...first]).toEqual([
      [10, 'a'],
      [20, 'b'],
    ])
    expect([...numbers(2).transformFirst((x) => -x)]).toEqual([-0, -1])
  })

  it('transforms lazily or at once', () => {
    let calls = 0
    const count = (x: number): number => {
      calls++
      return x + 1
    }
    const lazy = numbers(3).transform(count)
    expect(calls).toBe(0)
    expect([lazy.at(0), lazy.at(0)]).toEqual([1, 1])
    expect(calls).toBe(2)
    const eager = numbers(3).transform(count, { lazy: false })
    expect(calls).toBe(5)
    expect([...eager, ...eager]).toEqual([1, 2, 3, 1, 2, 3])
    expect(calls).toBe(5)
  })

  it('says which arguments are wrong', () => {
    expect(() => numbers(3).shard(2, 2)).toThrow('[shard] index 2 must be from 0 to 1')
    expect(() => numbers(3).shard(0, 0)).toThrow('[shard] numShards 0')
    expect(() => numbers(3).take(-1)).toThrow('[take] count -1')
    expect(() => numbers(3).sample(new SequentialSampler(2, 2))).toThrow('[sample] index 3')
  })
})

describe('ArrayDataset', () => {
  it('gives bare items of one source and tuples of several', async () => {
    expect([...new ArrayDataset([5, 6])]).toEqual([5, 6])
    const mixed = new ArrayDataset(
      nd.array([
        [1, 2],
        [3, 4],
      ]),
      Int32Array.of(7, 8),
      ['a', 'b'],
    )
    expectTypeOf(mixed.at(0)).toEqualTypeOf<[NDArray, number, 'a' | 'b']>()
    const [x, n, s] = mixed.at(1)
    expect([await x.asArray(), n, s]).toEqual([[3, 4], 8, 'b'])
    const flat = new ArrayDataset(nd.array([5, 6])).at(1)
    expect([flat.shape, await flat.asScalar()]).toEqual([[], 6])
  })

  it('refuses sources of different lengths', () => {
    expect(() => new ArrayDataset([1], [1, 2])).toThrow(
      '[ArrayDataset] the sources have 1, 2 samples',
    )
    expect(() => new ArrayDataset()).toThrow('[ArrayDataset] nothing was given')
  })
})

describe('samplers', () => {
  it('give indices in order, in random order, and filtered', () => {
    expect([...new SequentialSampler(3, 2)]).toEqual([2, 3, 4])
    const sampler = new RandomSampler(100)
    random.seed(7)
    const [a, b] = [[...sampler], [...sampler]]
    expect(a).not.toEqual(b)
    expect(a.toSorted((x, y) => x - y)).toEqual([...new SequentialSampler(100)])
    random.seed(7)
    expect([...sampler]).toEqual(a)
    const filtered = new FilterSampler((x) => x > 2, numbers(5))
    expect([filtered.length, ...filtered]).toEqual([2, 3, 4])
  })

  it('make batches', () => {
    const batches = (mode: 'keep' | 'discard' | 'rollover') =>
      new BatchSampler(new SequentialSampler(5), 2, mode)
    expect([...batches('keep')]).toEqual([[0, 1], [2, 3], [4]])
    expect(batches('keep').length).toBe(3)
    expect([...batches('discard')]).toEqual([
      [0, 1],
      [2, 3],
    ])
    expect(batches('discard').length).toBe(2)
    const rolling = batches('rollover')
    expect([...rolling]).toEqual([
      [0, 1],
      [2, 3],
    ])
    expect(rolling.length).toBe(3)
    expect([...rolling]).toEqual([
      [4, 0],
      [1, 2],
      [3, 4],
    ])
    expect([...rolling]).toEqual([
      [0, 1],
      [2, 3],
    ])
    expect(() => new BatchSampler(new SequentialSampler(5), 0)).toThrow(
      '[BatchSampler] batchSize 0',
    )
  })
})
