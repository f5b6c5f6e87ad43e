/** EvalMetric: a sum and a count that grow on the device and are read once. */

import type { Context } from '../base/context.ts'
import { fail } from '../base/error.ts'
import {
  escapeHtml,
  type InspectOptions,
  inspected,
  jupyterDisplay,
  type MimeBundle,
} from '../base/notebook.ts'
import { frame, withFrame } from '../core/frame.ts'
import { zeros } from '../ndarray/creation.ts'
import { NDArray } from '../ndarray/ndarray.ts'
import { cast } from '../ops/cast.ts'
import { sum } from '../ops/reduce.ts'

/** One array, or a list of them (one a device). */
export type Arrays = NDArray | readonly NDArray[]

/** Options that every metric takes. */
export interface MetricOptions {
  /** What `get` calls the value. */
  readonly name?: string
  /** Which outputs and labels `updateDict` picks; all by default. */
  readonly outputNames?: readonly string[] | null
  readonly labelNames?: readonly string[] | null
}

/** One array or a list as a list. */
export const listOf = (arrays: Arrays): readonly NDArray[] =>
  Array.isArray(arrays) ? arrays : [arrays as NDArray]

/** Sums by device, a number of instances, and nothing read until somebody asks. */
class Tally {
  readonly sums = new Map<Context, NDArray>()
  count = 0
  readonly #shape: readonly number[]

  constructor(shape: readonly number[]) {
    this.#shape = shape
  }

  /** The running sums on a device: float64, on a GPU float32. */
  on(context: Context): NDArray {
    let sum = this.sums.get(context)
    if (sum === undefined) {
      const dtype = context.deviceType === 'gpu' ? 'float32' : 'float64'
      sum = zeros(this.#shape, { dtype, ctx: context })
      this.sums.set(context, sum)
    }
    return sum
  }

  /** Adds another tally to this one, on the devices. */
  take(other: Tally): void {
    for (const [context, sum] of other.sums) this.on(context).addAssign(sum)
    this.count += other.count
  }

  async values(): Promise<number[]> {
    const parts = await Promise.all([...this.sums.values()].map((sum) => sum.asTypedArray()))
    const size = this.#shape.reduce((a, b) => a * b, 1)
    return Array.from({ length: size }, (_, i) => parts.reduce((a, part) => a + Number(part[i]), 0))
  }
}

/**
 * The base of metrics: `update` adds to a sum and a count, `get` gives their ratio.
 *
 * Nothing is read from the device before `get`, and nothing is recorded for autograd. A subclass
 * overrides `updatePair` and adds with `addSum`.
 *
 * @example
 * class Share extends metric.EvalMetric {
 *   protected override updatePair(_label: NDArray, pred: NDArray): void {
 *     this.addSum(pred, pred.size)
 *   }
 * }
 * @see MXNet `python/mxnet/metric.py` (EvalMetric)
 */
export class EvalMetric<Name = string, Value = number> {
  readonly name: string
  readonly #outputNames: readonly string[] | null
  readonly #labelNames: readonly string[] | null
  readonly #shape: readonly number[]
  #local: Tally
  #past: Tally

  /** `sums` is how many running sums the metric keeps; null for one scalar. */
  constructor(name: string, options: MetricOptions = {}, sums: number | null = null) {
    this.name = options.name ?? name
    this.#outputNames = options.outputNames ?? null
    this.#labelNames = options.labelNames ?? null
    this.#shape = sums === null ? [] : [sums]
    this.#local = new Tally(this.#shape)
    this.#past = new Tally(this.#shape)
  }

  /**
   * Adds a batch: labels and predictions, each an array or a list of as many arrays.
   * @throws MXNetError when there are not as many labels as predictions, or their shapes do not fit.
   */
  update(labels: Arrays, preds: Arrays): void {
    const [l, p] = [listOf(labels), listOf(preds)]
    if (l.length !== p.length) {
      fail(
        this.constructor.name,
        `${l.length} labels and ${p.length} predictions given: as many are needed`,
      )
    }
    const other = [...l, ...p].find((x) => !(x instanceof NDArray))
    if (other !== undefined) {
      fail(this.constructor.name, `labels and predictions must be arrays: one is ${String(other)}`)
    }
    withFrame({ recording: false }, () => {
      this.updatePairs(p.map((pred, i) => [l[i]!.asInContext(pred.context), pred]))
    })
  }

  /** Adds the pairs of one update; by default one after the other. */
  protected updatePairs(pairs: readonly (readonly [label: NDArray, pred: NDArray])[]): void {
    for (const [label, pred] of pairs) this.updatePair(label, pred)
  }

  /** Adds a batch from arrays by name; `outputNames` and `labelNames` pick and order them. */
  updateDict(
    labels: { readonly [name: string]: NDArray },
    preds: { readonly [name: string]: NDArray },
  ): void {
    const chosen = (
      from: { readonly [name: string]: NDArray },
      names: readonly string[] | null,
    ): NDArray[] =>
      names === null
        ? Object.values(from)
        : names.map(
            (n) =>
              from[n] ??
              fail(
                this.constructor.name,
                `there is no array ${n}: there are ${Object.keys(from).join(', ')}`,
              ),
          )
    this.update(chosen(labels, this.#labelNames), chosen(preds, this.#outputNames))
  }

  /** Adds one label with its prediction; a subclass overrides it. */
  protected updatePair(_label: NDArray, _pred: NDArray): void {
    fail(this.constructor.name, 'updatePair is not implemented: override it')
  }

  /** Adds the sum of an array's elements to the sum, and `count` instances to the count. */
  protected addSum(values: NDArray, count: number): void {
    const total = this.totalFor(values, count)
    const added = sum(cast(values, { dtype: total.dtype }))
    total.addAssign(added)
  }

  /** Adds to the count and gives the running sum on an array's device, to be written into. */
  protected totalFor(values: NDArray, count: number): NDArray {
    this.#local.count += count
    return this.#local.on(values.context)
  }

  /** The name and the value, NaN before the first update; the one wait. */
  async get(): Promise<[Name, Value]> {
    return [this.name as Name, (await this.#read([this.#local])) as Value]
  }

  /** As `get`, over everything since `reset`, whatever `resetLocal` has cleared. */
  async getGlobal(): Promise<[Name, Value]> {
    return [this.name as Name, (await this.#read([this.#past, this.#local])) as Value]
  }

  async #read(tallies: readonly Tally[]): Promise<number> {
    const values = await Promise.all(tallies.map((t) => t.values()))
    const sums = values.reduce((a, b) => a.map((x, i) => x + b[i]!))
    return this.valueOfSums(
      sums,
      tallies.reduce((n, t) => n + t.count, 0),
    )
  }

  /** The value from the running sums and the count; by default their ratio, NaN without instances. */
  protected valueOfSums(sums: readonly number[], count: number): number {
    return count === 0 ? Number.NaN : sums[0]! / count
  }

  /** The names with their values, as a list of pairs. */
  async getNameValue(): Promise<[string, number][]> {
    return pairs(await this.get())
  }

  /** As `getNameValue`, over everything since `reset`. */
  async getGlobalNameValue(): Promise<[string, number][]> {
    return pairs(await this.getGlobal())
  }

  /** Forgets everything. */
  reset(): void {
    this.#local = new Tally(this.#shape)
    this.#past = new Tally(this.#shape)
  }

  /** Starts a new stretch; `getGlobal` still counts the old ones. */
  resetLocal(): void {
    if (frame.recording) withFrame({ recording: false }, () => this.#past.take(this.#local))
    else this.#past.take(this.#local)
    this.#local = new Tally(this.#shape)
  }

  /** `EvalMetric: {'accuracy': …}` without the value, which has to be awaited. */
  toString(): string {
    return `EvalMetric: ${this.name}`
  }

  [Symbol.for('nodejs.util.inspect.custom')](depth: number, options?: InspectOptions): string {
    return inspected(depth, options?.depth, {
      text: () => this.toString(),
      brief: () => this.toString(),
      bundle: () => this[jupyterDisplay](),
    })
  }

  /** What a notebook shows: names and values as a table. */
  async [jupyterDisplay](): Promise<MimeBundle> {
    const values = await this.getNameValue()
    const rows = values.map(([name, v]) => `<tr><th>${escapeHtml(name)}</th><td>${v}</td></tr>`)
    return {
      'text/html': `<table>${rows.join('')}</table>`,
      'text/plain': values.map(([name, v]) => `${name}=${v}`).join(' '),
    }
  }
}

function pairs([name, value]: readonly [unknown, unknown]): [string, number][] {
  if (!Array.isArray(name)) return [[name as string, value as number]]
  return name.map((n, i) => [n as string, (value as number[])[i]!])
}
