/** Batches of arrays at hand. */

import { fail } from '../base/error.ts'
import { checkOptions } from '../base/options.ts'
import { formatShape } from '../base/shape.ts'
import { isOptions } from '../core/given.ts'
import { type ArraySource, array } from '../ndarray/creation.ts'
import { NDArray } from '../ndarray/ndarray.ts'
import { permutation } from '../ndarray/random.ts'
import { take } from '../ops/indexing.ts'
import { concat, sliceAxis } from '../ops/slicing.ts'
import { DataDesc } from './batch.ts'
import { DataIter } from './dataIter.ts'

/** Arrays to iterate over: one, a list, or by name. What is no NDArray becomes float32. */
export type IterSource =
  | ArraySource
  | readonly (NDArray | ArraySource)[]
  | { readonly [name: string]: NDArray | ArraySource }

/** Options of an `NDArrayIter`. */
export interface NDArrayIterOptions {
  /** Labels, where they are not the second argument. */
  readonly label?: IterSource | null
  /** 1 by default. */
  readonly batchSize?: number
  /** Whether each pass takes the samples in an order of its own. */
  readonly shuffle?: boolean
  /**
   * What becomes of samples that do not fill a batch: 'pad' fills it up from the beginning (`pad` of the batch says by how
   * many), 'discard' leaves them out, 'roll_over' puts them before the next pass.
   */
  readonly lastBatchHandle?: 'pad' | 'discard' | 'roll_over'
  /** The name of a single array of data. */
  readonly dataName?: string
  readonly labelName?: string
  /** What the axes of the data are, for `provideData`. */
  readonly layout?: string
}

const optionNames = [
  'label',
  'batchSize',
  'shuffle',
  'lastBatchHandle',
  'dataName',
  'labelName',
  'layout',
] as const satisfies readonly (keyof NDArrayIterOptions)[]
const handles = ['pad', 'discard', 'roll_over'] as const

type Named = readonly [name: string, array: NDArray]

/** Arrays by name, in the order of their names. */
function named(what: string, source: IterSource | null | undefined, name: string): Named[] {
  if (source === null || source === undefined) return []
  const toArray = (x: unknown): NDArray =>
    x instanceof NDArray ? x : array(x as ArraySource, { dtype: 'float32' })
  const list = Array.isArray(source) && source.some((x) => x instanceof NDArray) ? source : null
  const found: Named[] = isOptions(source)
    ? Object.entries(source).map(([key, x]) => [key, toArray(x)])
    : list === null
      ? [[name, toArray(source)]]
      : list.map((x, i) => [list.length === 1 ? name : `_${i}_${name}`, toArray(x)])
  for (const [key, x] of found)
    if (x.ndim === 0) fail('NDArrayIter', `${what} ${key} is a single number: rows are needed`)
  return found.sort(([a], [b]) => (a < b ? -1 : a > b ? 1 : 0))
}

/**
 * Batches of arrays whose first axis counts the samples.
 *
 * `(n, A…) -> (batchSize, A…)`; dtypes stay. Several arrays are taken in the order of their names.
 * @throws MXNetError when arrays differ in their number of samples, or there are fewer than a batch.
 * @example
 * const iter = new io.NDArrayIter(nd.arange(0, 10), nd.arange(0, 10), { batchSize: 4 })
 * Array.from(iter, (batch) => batch.pad) // => [0, 0, 2]
 * iter.provideLabel[0].name // => 'softmax_label'
 * @see MXNet `mx.io.NDArrayIter`
 */
export class NDArrayIter extends DataIter {
  /** The arrays of data by name. */
  readonly data: readonly Named[]
  readonly label: readonly Named[]
  /** The number of samples. */
  readonly numData: number
  readonly #shuffle: boolean
  readonly #handle: (typeof handles)[number]
  readonly #layout: string
  /** The sample with which the current batch begins; below 0 where it begins with samples of the pass before. */
  protected cursor: number
  #order: Int32Array | null = null
  /** Samples of the pass before, by array. */
  #kept: readonly NDArray[] = []
  #current: readonly NDArray[] = []

  constructor(
    data: IterSource,
    label?: IterSource | null | NDArrayIterOptions,
    options?: NDArrayIterOptions,
  ) {
    const inOptions =
      options === undefined && isOptions(label) && optionNames.some((name) => name in label)
    const all = (inOptions ? label : { label, ...options }) as NDArrayIterOptions
    const {
      batchSize = 1,
      shuffle = false,
      lastBatchHandle = 'pad',
      layout = 'NCHW',
    } = checkOptions('NDArrayIter', all, optionNames)
    if (!Number.isInteger(batchSize) || batchSize < 1)
      fail('NDArrayIter', `batchSize is ${String(batchSize)}: it must be a whole number above 0`)
    if (!handles.includes(lastBatchHandle))
      fail('NDArrayIter', `lastBatchHandle is '${lastBatchHandle}': use ${handles.join(', ')}`)
    super(batchSize)
    this.data = named('data', data, all.dataName ?? 'data')
    this.label = named('label', all.label, all.labelName ?? 'softmax_label')
    const [first] = this.data
    if (first === undefined) fail('NDArrayIter', 'no data given: it takes at least one array')
    this.numData = first[1].shape[0]!
    for (const [name, { shape }] of [...this.data, ...this.label])
      if (shape[0] !== this.numData) {
        const [a, b] = [formatShape(first[1].shape), formatShape(shape)]
        fail('NDArrayIter', `${first[0]} has shape ${a}, ${name} ${b}: all need as many samples`)
      }
    if (this.numData < batchSize)
      fail('NDArrayIter', `${this.numData} samples are fewer than a batch of ${batchSize}`)
    this.#shuffle = shuffle
    this.#handle = lastBatchHandle
    this.#layout = layout
    this.cursor = -batchSize
    if (shuffle) this.#order = permutation(this.numData)
  }

  override get provideData(): readonly DataDesc[] {
    return this.data.map((named) => this.#describe(named))
  }

  override get provideLabel(): readonly DataDesc[] {
    return this.label.map((named) => this.#describe(named))
  }

  #describe([name, { shape, dtype }]: Named): DataDesc {
    const layout = this.#layout
    return new DataDesc(name, [this.batchSize, ...shape.slice(1)], { dtype, layout })
  }

  override reset(): void {
    if (this.#shuffle) this.#order = permutation(this.numData)
    const left = this.numData - this.cursor
    const begun = left > 0 && left < this.batchSize
    this.cursor = this.#handle === 'roll_over' && begun ? -left - this.batchSize : -this.batchSize
    if (this.cursor === -this.batchSize) this.#kept = []
  }

  /** Goes back to the beginning without what 'roll_over' has kept. @see MXNet `NDArrayIter.hard_reset` */
  hardReset(): void {
    this.cursor = -this.batchSize
    this.reset()
  }

  override iterNext(): boolean {
    const { batchSize, numData } = this
    if (this.cursor >= 0 && this.cursor + batchSize >= numData) return false
    this.cursor += batchSize
    const [from, to] = [this.cursor, this.cursor + batchSize]
    const sources = [...this.data, ...this.label].map(([, x]) => x)
    if (to > numData && this.#handle !== 'pad') {
      if (this.#handle === 'roll_over')
        this.#kept = sources.map((x) => this.#rows(x, from, numData))
      return false
    }
    if (from < 0) {
      const before = this.#kept
      this.#current = sources.map((x, i) => joined(before[i]!, this.#rows(x, 0, to)))
      this.#kept = []
    } else if (to > numData)
      this.#current = sources.map((x) =>
        joined(this.#rows(x, from, numData), this.#rows(x, 0, to - numData)),
      )
    else this.#current = sources.map((x) => this.#rows(x, from, to))
    return true
  }

  override getData(): readonly NDArray[] {
    return this.#held().slice(0, this.data.length)
  }

  override getLabel(): readonly NDArray[] {
    return this.#held().slice(this.data.length)
  }

  #held(): readonly NDArray[] {
    if (this.#current.length === 0)
      fail('NDArrayIter', 'there is no current batch: call iterNext or next first')
    return this.#current
  }

  override getPad(): number {
    return Math.max(0, this.cursor < 0 ? -this.cursor : this.cursor + this.batchSize - this.numData)
  }

  /** Samples in the order of this pass. */
  #rows(x: NDArray, begin: number, end: number): NDArray {
    if (this.#order === null) return sliceAxis(x, { axis: 0, begin, end })
    const places = array(this.#order.slice(begin, end), { ctx: x.context })
    return take(x, places, { axis: 0 })
  }
}

const joined = (a: NDArray, b: NDArray): NDArray => concat(a, b, { dim: 0 })
