/** Datasets: samples by index, and datasets made from others. */

import { dtypeOfTypedArray, type TypedArray } from '../../base/dtype.ts'
import { fail } from '../../base/error.ts'
import { NDArray } from '../../ndarray/ndarray.ts'
import { FilterSampler, type Sampler } from './sampler.ts'

/** What a function of a sample is called with: the elements of a tuple, or the sample. */
export type Spread<T> = T extends readonly unknown[] ? T : [T]

/** The first element of a tuple, or the sample. */
type First<T> = T extends readonly [infer A, ...unknown[]] ? A : T
/** The sample with its first element replaced. */
type WithFirst<T, R> = T extends readonly [unknown, ...infer Rest] ? [R, ...Rest] : R

/** Whether a transform runs whenever a sample is read, or once for all samples. */
export interface TransformOptions {
  readonly lazy?: boolean
}

/**
 * A dataset whose samples are rows of arrays, seen through a choice of rows and a function of a sample:
 * what the DataLoader needs to make whole batches at once.
 */
export interface Columns {
  readonly arrays: readonly NDArray[]
  /** The row of a sample; null: the same number. */
  readonly row: ((index: number) => number) | null
  /** The function of the elements of a row; null: the elements themselves. */
  readonly fn: ((...elements: NDArray[]) => unknown) | null
  /** Whether a sample without `fn` is a tuple. */
  readonly tuple: boolean
}

const spread = <T>(sample: T): Spread<T> => (Array.isArray(sample) ? sample : [sample]) as Spread<T>

/**
 * Samples by index. A sample that is a plain array is a tuple, such as `[data, label]`.
 *
 * @see MXNet `gluon.data.Dataset`
 */
export abstract class Dataset<T = unknown> implements Iterable<T> {
  /** Number of samples. */
  abstract readonly length: number
  /** The sample at `index`, from 0 to length - 1. */
  abstract get(index: number): T

  /** Resolves when samples can be read without waiting; the DataLoader awaits it. */
  prepare(): Promise<void> {
    return Promise.resolve()
  }

  /** The samples as rows of arrays, where they are such; used by the DataLoader. */
  columns(): Columns | null {
    return null
  }

  /**
   * The sample at an index; negative ones count from the end.
   *
   * @throws MXNetError when there is no such sample.
   * @example
   * new SimpleDataset([5, 6]).at(-1) // => 6
   */
  at(index: number): T {
    const n = this.length
    if (!Number.isInteger(index) || index < -n || index >= n) {
      fail(this.constructor.name, `index ${String(index)} is out of range for ${n} samples`)
    }
    return this.get(index < 0 ? index + n : index)
  }

  *[Symbol.iterator](): Generator<T, void> {
    for (let i = 0; i < this.length; i++) yield this.get(i)
  }

  /**
   * The samples for which `fn` is true; it is called with each sample at once.
   *
   * @example
   * new SimpleDataset([1, 2, 3]).filter((x) => x > 1).length // => 2
   * @see MXNet `Dataset.filter`
   */
  filter(fn: (sample: T) => boolean): Dataset<T> {
    return this.sample(new FilterSampler(fn, this))
  }

  /**
   * One of `numShards` neighbouring parts of nearly equal length; the first ones are one longer.
   *
   * @throws MXNetError when there is no such shard.
   * @example
   * new SimpleDataset([1, 2, 3]).shard(2, 0).length // => 2
   * @see MXNet `Dataset.shard`
   */
  shard(numShards: number, index: number): Dataset<T> {
    if (!Number.isInteger(numShards) || numShards < 1) {
      fail('shard', `numShards ${String(numShards)} must be an integer above 0`)
    }
    if (!Number.isInteger(index) || index < 0 || index >= numShards) {
      fail('shard', `index ${String(index)} must be from 0 to ${numShards - 1}`)
    }
    const each = Math.floor(this.length / numShards)
    const longer = this.length % numShards
    const start = each * index + Math.min(index, longer)
    const length = each + (index < longer ? 1 : 0)
    return new PickedDataset(this, length, (i) => start + i)
  }

  /**
   * The first `count` samples; all when left out or null.
   *
   * @throws MXNetError for a negative count.
   * @example
   * new SimpleDataset([1, 2, 3]).take(2).length // => 2
   * @see MXNet `Dataset.take`
   */
  take(count: number | null = null): Dataset<T> {
    if (count !== null && (!Number.isInteger(count) || count < 0)) {
      fail('take', `count ${String(count)} must be a non-negative integer or null`)
    }
    return new PickedDataset(this, Math.min(count ?? this.length, this.length), (i) => i)
  }

  /**
   * The samples that a sampler names, in its order.
   *
   * @throws MXNetError when the sampler names a sample that is not there.
   * @example
   * [...new SimpleDataset([5, 6, 7]).sample(new SequentialSampler(2, 1))] // => [6, 7]
   * @see MXNet `Dataset.sample`
   */
  sample(sampler: Sampler): Dataset<T> {
    const indices = Int32Array.from(sampler)
    const wrong = indices.find((i) => i < 0 || i >= this.length)
    if (wrong !== undefined)
      fail('sample', `index ${wrong} is out of range for ${this.length} samples`)
    return new PickedDataset(this, indices.length, (i) => indices[i]!)
  }

  /**
   * The samples seen through a function, which is called with the elements of a tuple one by one.
   *
   * With `lazy: false` the function is called at once with every sample. Otherwise it is called when a
   * sample is read, except that a DataLoader over arrays first tries to run it on whole batches: it calls the
   * function with placeholders, so side effects other than operators on arrays happen more or less often.
   *
   * @example
   * new SimpleDataset([1, 2]).transform((x) => 10 * x).at(1) // => 20
   * @see MXNet `Dataset.transform`
   */
  transform<R>(fn: (...sample: Spread<T>) => R, options: TransformOptions = {}): Dataset<R> {
    if (typeof fn !== 'function')
      fail('Dataset', `transform is given ${String(fn)}: it must be a function`)
    const seen = new TransformedDataset<T, R>(this, fn)
    return options.lazy === false ? new SimpleDataset([...seen]) : seen
  }

  /**
   * The samples with only the first element of each tuple seen through a function.
   *
   * @example
   * new SimpleDataset([[1, 2]]).transformFirst((x) => 10 * x).at(0) // => [10, 2]
   * @see MXNet `Dataset.transform_first`
   */
  transformFirst<R>(
    fn: (first: First<T>) => R,
    options: TransformOptions = {},
  ): Dataset<WithFirst<T, R>> {
    const change = (first: unknown, ...rest: unknown[]): unknown =>
      rest.length > 0 ? [fn(first as First<T>), ...rest] : fn(first as First<T>)
    return this.transform(change as never, options) as Dataset<WithFirst<T, R>>
  }
}

/** Samples of another dataset, chosen by index. */
class PickedDataset<T> extends Dataset<T> {
  readonly length: number
  readonly #source: Dataset<T>
  readonly #pick: (index: number) => number

  constructor(source: Dataset<T>, length: number, pick: (index: number) => number) {
    super()
    this.length = length
    this.#source = source
    this.#pick = pick
  }

  get(index: number): T {
    return this.#source.get(this.#pick(index))
  }

  override prepare(): Promise<void> {
    return this.#source.prepare()
  }

  override columns(): Columns | null {
    const source = this.#source.columns()
    if (source === null) return null
    const { row } = source
    return { ...source, row: row === null ? this.#pick : (i) => row(this.#pick(i)) }
  }
}

/** Samples of another dataset seen through a function. */
class TransformedDataset<T, R> extends Dataset<R> {
  readonly #source: Dataset<T>
  readonly #fn: (...sample: Spread<T>) => R

  constructor(source: Dataset<T>, fn: (...sample: Spread<T>) => R) {
    super()
    this.#source = source
    this.#fn = fn
  }

  get length(): number {
    return this.#source.length
  }

  get(index: number): R {
    return this.#fn(...spread(this.#source.get(index)))
  }

  override prepare(): Promise<void> {
    return this.#source.prepare()
  }

  override columns(): Columns | null {
    const source = this.#source.columns()
    if (source === null) return null
    const { fn } = source
    const own = this.#fn as unknown as (...elements: unknown[]) => R
    return { ...source, fn: fn === null ? own : (...elements) => own(...spread(fn(...elements))) }
  }
}

/**
 * A list as a dataset: any values, each a sample.
 *
 * @example
 * new SimpleDataset(['a', 'b']).at(0) // => 'a'
 * @see MXNet `gluon.data.SimpleDataset`
 */
export class SimpleDataset<T> extends Dataset<T> {
  readonly #values: readonly T[]

  constructor(values: readonly T[]) {
    super()
    this.#values = values
  }

  get length(): number {
    return this.#values.length
  }

  get(index: number): T {
    return this.#values[index]!
  }
}

/** Something with samples: an array (its rows), a list, a typed array, another dataset. */
export type Indexable = NDArray | readonly unknown[] | TypedArray | Dataset

/** A sample of an indexable. */
export type Item<X> = X extends NDArray
  ? NDArray
  : X extends Dataset<infer T>
    ? T
    : X extends BigInt64Array
      ? bigint
      : X extends TypedArray
        ? number
        : X extends readonly (infer T)[]
          ? T
          : never

/** What an ArrayDataset of these sources gives: bare items of one, tuples of several. */
export type Items<X extends readonly Indexable[]> = X extends readonly [infer Only]
  ? Item<Only>
  : { -readonly [K in keyof X]: Item<X[K]> }

/**
 * Several sources of one length side by side; a single one gives bare items, several give tuples.
 *
 * Items of an array are its rows; of a one-dimensional array, arrays of rank 0.
 *
 * @throws MXNetError when the lengths differ.
 * @example
 * new ArrayDataset([1, 2], ['a', 'b']).at(1) // => [2, 'b']
 * @see MXNet `gluon.data.ArrayDataset`
 */
export class ArrayDataset<const X extends readonly Indexable[]> extends Dataset<Items<X>> {
  readonly length: number
  readonly #sources: X

  constructor(...sources: X) {
    super()
    if (sources.length === 0) fail('ArrayDataset', 'nothing was given: give at least one array')
    const lengths = sources.map((x, i) => lengthOf(x, i))
    if (new Set(lengths).size > 1) {
      fail(
        'ArrayDataset',
        `the sources have ${lengths.join(', ')} samples: they must have one length`,
      )
    }
    this.length = lengths[0]!
    this.#sources = sources
  }

  get(index: number): Items<X> {
    const items = this.#sources.map((x) => itemOf(x, index))
    return (items.length === 1 ? items[0] : items) as Items<X>
  }

  override async prepare(): Promise<void> {
    for (const x of this.#sources) if (x instanceof Dataset) await x.prepare()
  }

  override columns(): Columns | null {
    const arrays = this.#sources.filter((x) => x instanceof NDArray)
    if (arrays.length < this.#sources.length || this.length === 0) return null
    if (arrays.some((x) => x.context !== arrays[0]!.context)) return null
    return { arrays, row: null, fn: null, tuple: arrays.length > 1 }
  }
}

function lengthOf(x: Indexable, position: number): number {
  if (x instanceof NDArray) {
    return x.ndim > 0
      ? x.shape[0]!
      : fail('ArrayDataset', `source ${position} is an array of rank 0: it has no rows`)
  }
  const indexable = x instanceof Dataset || Array.isArray(x) || dtypeOfTypedArray(x) !== undefined
  return indexable
    ? x.length
    : fail('ArrayDataset', `source ${position} has no items: give arrays or lists`)
}

const itemOf = (x: Indexable, index: number): unknown =>
  x instanceof NDArray ? x.at(index) : x instanceof Dataset ? x.get(index) : x[index]
