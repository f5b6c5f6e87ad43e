/** Samplers: in which order, and in which batches, a dataset is read. */

import { fail } from '../../base/error.ts'
import { permutation } from '../../ndarray/random.ts'
import type { Dataset } from './dataset.ts'

/** What becomes of samples that do not fill a batch: kept as a smaller one, dropped, or left for the next epoch. */
export type LastBatch = 'keep' | 'discard' | 'rollover'

/**
 * An order in which to read a dataset; every iteration is one epoch.
 *
 * @see MXNet `gluon.data.Sampler`
 */
export abstract class Sampler<T = number> implements Iterable<T> {
  /** How many indices (or batches) an epoch has. */
  abstract readonly length: number
  abstract [Symbol.iterator](): Iterator<T>
}

function checkLength(where: string, length: number): number {
  if (!Number.isInteger(length) || length < 0) {
    fail(where, `length ${String(length)} must be a non-negative integer`)
  }
  return length
}

/**
 * Indices in order: start, start + 1, …, start + length - 1.
 *
 * @throws MXNetError for a negative length.
 * @example
 * [...new SequentialSampler(3)] // => [0, 1, 2]
 * @see MXNet `gluon.data.SequentialSampler`
 */
export class SequentialSampler extends Sampler {
  readonly length: number
  readonly #start: number

  constructor(length: number, start = 0) {
    super()
    this.length = checkLength('SequentialSampler', length)
    this.#start = start
  }

  *[Symbol.iterator](): Generator<number, void> {
    for (let i = 0; i < this.length; i++) yield this.#start + i
  }
}

/**
 * Indices 0 … length - 1 in a new random order at every iteration; `mx.random.seed` makes it repeat.
 *
 * @throws MXNetError for a negative length.
 * @example
 * [...new RandomSampler(3)].sort() // => [0, 1, 2]
 * @see MXNet `gluon.data.RandomSampler`
 */
export class RandomSampler extends Sampler {
  readonly length: number

  constructor(length: number) {
    super()
    this.length = checkLength('RandomSampler', length)
  }

  [Symbol.iterator](): Iterator<number> {
    return permutation(this.length)[Symbol.iterator]()
  }
}

/**
 * Indices of the samples for which a function is true, in order; every sample is looked at once, on construction.
 *
 * @example
 * [...new FilterSampler((x) => x > 1, new SimpleDataset([1, 2, 3]))] // => [1, 2]
 * @see MXNet `gluon.data.FilterSampler`
 */
export class FilterSampler<T> extends Sampler {
  readonly #indices: readonly number[]

  constructor(fn: (sample: T) => boolean, dataset: Dataset<T>) {
    super()
    this.#indices = Array.from(
      dataset.length === 0 ? [] : new SequentialSampler(dataset.length),
    ).filter((i) => fn(dataset.get(i)))
  }

  get length(): number {
    return this.#indices.length
  }

  [Symbol.iterator](): Iterator<number> {
    return this.#indices[Symbol.iterator]()
  }
}

/**
 * The indices of a sampler in batches.
 *
 * The last batch is kept although smaller (`'keep'`), left out (`'discard'`), or its indices open the next
 * epoch (`'rollover'`).
 *
 * @throws MXNetError when the batch size is not a positive integer.
 * @example
 * [...new BatchSampler(new SequentialSampler(5), 2)] // => [[0, 1], [2, 3], [4]]
 * @see MXNet `gluon.data.BatchSampler`
 */
export class BatchSampler extends Sampler<number[]> {
  readonly #sampler: Sampler
  readonly #batchSize: number
  readonly #lastBatch: LastBatch
  #left: number[] = []

  constructor(sampler: Sampler, batchSize: number, lastBatch: LastBatch = 'keep') {
    super()
    if (!Number.isInteger(batchSize) || batchSize < 1) {
      fail('BatchSampler', `batchSize ${String(batchSize)} must be an integer above 0`)
    }
    if (!['keep', 'discard', 'rollover'].includes(lastBatch)) {
      fail('BatchSampler', `lastBatch ${String(lastBatch)} must be 'keep', 'discard' or 'rollover'`)
    }
    this.#sampler = sampler
    this.#batchSize = batchSize
    this.#lastBatch = lastBatch
  }

  get length(): number {
    const n = this.#sampler.length
    if (this.#lastBatch === 'keep') return Math.ceil(n / this.#batchSize)
    const carried = this.#lastBatch === 'rollover' ? this.#left.length : 0
    return Math.floor((n + carried) / this.#batchSize)
  }

  *[Symbol.iterator](): Generator<number[], void> {
    let batch = this.#left
    this.#left = []
    for (const i of this.#sampler) {
      batch.push(i)
      if (batch.length === this.#batchSize) {
        yield batch
        batch = []
      }
    }
    if (batch.length === 0) return
    if (this.#lastBatch === 'keep') yield batch
    else if (this.#lastBatch === 'rollover') this.#left = batch
  }
}
