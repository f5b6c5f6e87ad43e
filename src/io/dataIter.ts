/** Iterators over batches, and those made of others. */

import { fail } from '../base/error.ts'
import { checkOptions } from '../base/options.ts'
import type { NDArray } from '../ndarray/ndarray.ts'
import { DataBatch, DataDesc } from './batch.ts'

/**
 * An iterator over batches: one pass, then nothing until `reset`.
 *
 * A subclass says what comes (`provideData`, `provideLabel`) and gives it (`iterNext`, `getData`, `getLabel`, `getPad`).
 * @example
 * const iter = new io.NDArrayIter(nd.zeros([4, 2]), null, { batchSize: 2 })
 * Array.from(iter, (batch) => batch.data[0].shape) // => [[2, 2], [2, 2]]
 * @see MXNet `mx.io.DataIter`
 */
export abstract class DataIter implements Iterable<DataBatch> {
  /** Rows of a batch. */
  readonly batchSize: number

  constructor(batchSize = 0) {
    this.batchSize = batchSize
  }

  /** What the arrays of data are. */
  abstract get provideData(): readonly DataDesc[]
  /** What the labels are. */
  abstract get provideLabel(): readonly DataDesc[]

  /** Goes back to the beginning. */
  abstract reset(): void

  /** Goes on to the next batch; false at the end. */
  abstract iterNext(): boolean

  /** The data of the current batch. */
  abstract getData(): readonly NDArray[]

  /** The labels of the current batch. */
  abstract getLabel(): readonly NDArray[]

  /** How many rows of the current batch only fill it up. */
  abstract getPad(): number

  /** The numbers of the current batch's samples, where they are known. */
  getIndex(): readonly number[] | null {
    return null
  }

  /** The next batch; null at the end. */
  next(): DataBatch | null {
    if (!this.iterNext()) return null
    const [data, label] = [this.getData(), this.getLabel()]
    return new DataBatch(data, label, { pad: this.getPad(), index: this.getIndex() })
  }

  /** The batches that are left until the end; `reset` begins anew. */
  *[Symbol.iterator](): Generator<DataBatch, void, undefined> {
    for (let batch = this.next(); batch !== null; batch = this.next()) yield batch
  }
}

/** An iterator that hands on batches which it has got from others. */
abstract class Relay extends DataIter {
  protected current: DataBatch | null = null

  #held(): DataBatch {
    return (
      this.current ?? fail('DataIter', 'there is no current batch: call iterNext or next first')
    )
  }

  override getData(): readonly NDArray[] {
    return this.#held().data
  }

  override getLabel(): readonly NDArray[] {
    return this.#held().label ?? []
  }

  override getPad(): number {
    return this.#held().pad ?? 0
  }

  override getIndex(): readonly number[] | null {
    return this.#held().index
  }
}

/**
 * An iterator cut or repeated to a number of batches.
 * @throws MXNetError when the iterator inside has no batches at all.
 * @example
 * const three = new io.ResizeIter(new io.NDArrayIter(nd.zeros([4, 2]), null, { batchSize: 2 }), 3)
 * Array.from(three).length // => 3
 * @see MXNet `mx.io.ResizeIter`
 */
export class ResizeIter extends Relay {
  readonly #inner: DataIter
  readonly #size: number
  readonly #resetInternal: boolean
  #done = 0

  constructor(
    dataIter: DataIter,
    size: number,
    options: {
      /** Whether `reset` begins anew inside too (true); otherwise the next pass goes on where the last ended. */
      readonly resetInternal?: boolean
    } = {},
  ) {
    const { resetInternal = true } = checkOptions('ResizeIter', options, ['resetInternal'])
    if (!Number.isInteger(size) || size < 0)
      fail('ResizeIter', `size is ${String(size)}: it must be a number of batches`)
    super(dataIter.batchSize)
    this.#inner = dataIter
    this.#size = size
    this.#resetInternal = resetInternal
  }

  override get provideData(): readonly DataDesc[] {
    return this.#inner.provideData
  }

  override get provideLabel(): readonly DataDesc[] {
    return this.#inner.provideLabel
  }

  override reset(): void {
    this.#done = 0
    if (this.#resetInternal) this.#inner.reset()
  }

  override iterNext(): boolean {
    if (this.#done === this.#size) return false
    this.current = this.#inner.next()
    if (this.current === null) {
      this.#inner.reset()
      this.current = this.#inner.next()
    }
    if (this.current === null) fail('ResizeIter', 'the iterator inside has no batches')
    this.#done++
    return true
  }
}

/** New names of arrays by their old ones. */
export interface Renames {
  readonly [name: string]: string
}

/** Options of a `PrefetchingIter`. */
export interface PrefetchingOptions {
  /** New names of the data, an object for each iterator. */
  readonly renameData?: readonly Renames[] | null
  readonly renameLabel?: readonly Renames[] | null
}

/**
 * One or several iterators side by side, a batch ahead: its arrays are being made while the one before is in use.
 *
 * A batch has the data and the labels of all iterators one after another.
 * @throws MXNetError when the iterators do not end together, or fill up their batches differently.
 * @example
 * const [a, b] = [1, 2].map((n) => new io.NDArrayIter(nd.zeros([4, n]), null, { batchSize: 2 }))
 * const both = new io.PrefetchingIter([a, b], { renameData: [{ data: 'left' }, { data: 'right' }] })
 * both.provideData.map((d) => d.name) // => ['left', 'right']
 * @see MXNet `mx.io.PrefetchingIter`
 */
export class PrefetchingIter extends Relay {
  readonly #iters: readonly DataIter[]
  readonly #renames: readonly [
    data: readonly Renames[] | null | undefined,
    label: readonly Renames[] | null | undefined,
  ]
  /** The batch after the current one; undefined: not asked for yet. */
  #ahead: DataBatch | null | undefined

  constructor(iters: DataIter | readonly DataIter[], options: PrefetchingOptions = {}) {
    const { renameData, renameLabel } = checkOptions('PrefetchingIter', options, [
      'renameData',
      'renameLabel',
    ])
    const list: readonly DataIter[] = iters instanceof DataIter ? [iters] : iters
    const [first] = list
    if (first === undefined) fail('PrefetchingIter', 'no iterators given: it takes at least one')
    for (const names of [renameData, renameLabel])
      if (names && names.length !== list.length)
        fail('PrefetchingIter', `${names.length} objects of names for ${list.length} iterators`)
    super(first.batchSize)
    this.#iters = list
    this.#renames = [renameData, renameLabel]
  }

  override get provideData(): readonly DataDesc[] {
    return this.#iters.flatMap((iter, i) => renamed(iter.provideData, this.#renames[0]?.[i]))
  }

  override get provideLabel(): readonly DataDesc[] {
    return this.#iters.flatMap((iter, i) => renamed(iter.provideLabel, this.#renames[1]?.[i]))
  }

  override reset(): void {
    for (const iter of this.#iters) iter.reset()
    this.#ahead = undefined
    this.current = null
  }

  override iterNext(): boolean {
    this.current = this.#ahead === undefined ? this.#fetch() : this.#ahead
    this.#ahead = this.current === null ? null : this.#fetch()
    return this.current !== null
  }

  #fetch(): DataBatch | null {
    const batches = this.#iters.map((iter) => iter.next())
    const there = batches.filter((batch) => batch !== null)
    if (there.length === 0) return null
    const [first] = there
    if (there.length < batches.length)
      fail('PrefetchingIter', 'the iterators end after different numbers of batches')
    if (there.some((batch) => batch.pad !== first!.pad))
      fail('PrefetchingIter', 'the iterators fill up their batches by different numbers of rows')
    return new DataBatch(
      there.flatMap(({ data }) => data),
      there.flatMap(({ label }) => label ?? []),
      { pad: first!.pad, index: first!.index },
    )
  }
}

const renamed = (list: readonly DataDesc[], names: Renames | undefined): DataDesc[] =>
  list.map(
    ({ name, shape, dtype, layout }) =>
      new DataDesc(names?.[name] ?? name, shape, { dtype, layout }),
  )
