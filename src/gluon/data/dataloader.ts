/** The DataLoader: a dataset in batches, epoch after epoch. */

import { fail } from '../../base/error.ts'
import { checkOptions } from '../../base/options.ts'
import { breathe } from '../../ndarray/pressure.ts'
import { RowProgram } from '../../ndarray/rows.ts'
import { type Batched, defaultBatchifyFn } from './batchify.ts'
import { Dataset, SimpleDataset } from './dataset.ts'
import {
  BatchSampler,
  type LastBatch,
  RandomSampler,
  type Sampler,
  SequentialSampler,
} from './sampler.ts'

/** Options of a DataLoader. */
export interface DataLoaderOptions<T, B> {
  /** Samples in a batch; required unless `batchSampler` is given. */
  readonly batchSize?: number | undefined
  /** Reads the samples in a new random order every epoch. */
  readonly shuffle?: boolean | undefined
  /** The order of the samples; not together with `shuffle`. */
  readonly sampler?: Sampler | undefined
  /** What becomes of samples that do not fill a batch; `'keep'` when left out. */
  readonly lastBatch?: LastBatch | undefined
  /** The batches; not together with `batchSize`, `shuffle`, `sampler` and `lastBatch`. */
  readonly batchSampler?: Sampler<readonly number[]> | undefined
  /** How samples become a batch; `defaultBatchifyFn` when left out. */
  readonly batchifyFn?: ((samples: T[]) => B) | undefined
  /** Accepted; has no effect yet. */
  readonly numWorkers?: number | undefined
  /** Accepted; has no effect yet. */
  readonly prefetch?: number | undefined
}

/**
 * The samples of a dataset in batches, as an async iterable that can be iterated again for every epoch.
 *
 * Where the dataset is made of arrays (`ArrayDataset`, `vision.MNIST`) and no `batchifyFn` is given, the transform
 * is run on whole batches, with the same results. For that it is called with placeholders a number of
 * times; one that reads values, draws random numbers, or gives another graph from call to call is run sample by
 * sample instead, as everything else is. A transform with other side effects should be used with
 * `batchifyFn: (samples) => defaultBatchifyFn(samples)`, which calls it once for every sample.
 *
 * @throws MXNetError for options that exclude each other.
 * @example
 * const loader = new DataLoader(new ArrayDataset(nd.ones([4, 2]), nd.zeros([4])), { batchSize: 2 })
 * for await (const [data, label] of loader) console.log(data.shape, label.shape)
 * @see MXNet `gluon.data.DataLoader`
 */
export class DataLoader<T = unknown, B = Batched<T>> implements AsyncIterable<B> {
  readonly #dataset: Dataset<T>
  readonly #options: DataLoaderOptions<T, B>
  #batches: Sampler<readonly number[]> | undefined
  /** Undefined until it has been looked for; null where there is none. */
  #program: RowProgram | null | undefined
  #row: ((index: number) => number) | null = null

  constructor(dataset: Dataset<T> | readonly T[], options: DataLoaderOptions<T, B> = {}) {
    this.#dataset = dataset instanceof Dataset ? dataset : new SimpleDataset(dataset)
    if (!(dataset instanceof Dataset || Array.isArray(dataset))) {
      fail(
        'DataLoader',
        `the dataset is ${String(dataset)}: it must be a Dataset or an array of samples`,
      )
    }
    this.#options = checkOptions('DataLoader', options, optionNames)
    checkLoader(options)
  }

  /** Number of batches in an epoch. */
  get length(): number {
    return this.#sampler().length
  }

  #sampler(): Sampler<readonly number[]> {
    if (this.#batches === undefined) {
      const { batchSampler, batchSize, shuffle, lastBatch } = this.#options
      const order = (): Sampler =>
        this.#options.sampler ??
        new (shuffle ? RandomSampler : SequentialSampler)(this.#dataset.length)
      this.#batches = batchSampler ?? new BatchSampler(order(), batchSize!, lastBatch)
    }
    return this.#batches
  }

  /** One epoch. Leaving the loop early leaves nothing behind. */
  async *[Symbol.asyncIterator](): AsyncGenerator<B, void> {
    await this.#dataset.prepare()
    for (const indices of this.#sampler()) {
      yield this.#load(indices)
      await breathe()
    }
  }

  #load(indices: readonly number[]): B {
    const n = this.#dataset.length
    for (const i of indices) {
      if (!Number.isInteger(i) || i < 0 || i >= n) {
        fail('DataLoader', `the sampler gives index ${String(i)}: the dataset has ${n} samples`)
      }
    }
    if (this.#program === undefined) this.#program = this.#findProgram()
    if (this.#program?.holds() === false) this.#program = null
    if (this.#program && indices.length > 0) {
      const row = this.#row
      const rows = row === null ? Int32Array.from(indices) : Int32Array.from(indices, (i) => row(i))
      return this.#program.run(rows) as B
    }
    const samples = indices.map((i) => this.#dataset.get(i))
    const batchify = this.#options.batchifyFn ?? (defaultBatchifyFn as (samples: T[]) => B)
    return batchify(samples)
  }

  #findProgram(): RowProgram | null {
    const { batchifyFn } = this.#options
    if (batchifyFn !== undefined && batchifyFn !== (defaultBatchifyFn as unknown)) return null
    const columns = this.#dataset.columns()
    if (columns === null) return null
    const { arrays, row, fn, tuple } = columns
    this.#row = row
    return RowProgram.of(arrays, fn ?? (tuple ? null : (element) => element))
  }
}

const optionNames = [
  'batchSize',
  'shuffle',
  'sampler',
  'lastBatch',
  'batchSampler',
  'batchifyFn',
  'numWorkers',
  'prefetch',
]

function checkLoader<T, B>(options: DataLoaderOptions<T, B>): void {
  const { batchSize, shuffle, sampler, lastBatch, batchSampler } = options
  if (batchSampler === undefined) {
    if (batchSize === undefined)
      fail('DataLoader', 'batchSize is required unless batchSampler is given')
    if (!Number.isInteger(batchSize) || batchSize < 1) {
      fail('DataLoader', `batchSize ${String(batchSize)} must be an integer above 0`)
    }
    if (shuffle && sampler !== undefined) {
      fail('DataLoader', 'shuffle and sampler exclude each other: give one of them')
    }
  } else if (
    batchSize !== undefined ||
    shuffle ||
    sampler !== undefined ||
    lastBatch !== undefined
  ) {
    fail('DataLoader', 'batchSampler excludes batchSize, shuffle, sampler and lastBatch')
  }
  for (const name of ['numWorkers', 'prefetch'] as const) {
    const value = options[name]
    if (value !== undefined && (!Number.isInteger(value) || value < 0)) {
      fail('DataLoader', `${name} ${String(value)} must be a non-negative integer`)
    }
  }
}
