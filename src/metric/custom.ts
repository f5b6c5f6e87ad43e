/** Metrics that are counted outside the device: a function of the user's own, and what has no fixed size. */

import { fail } from '../base/error.ts'
import type { NDArray } from '../ndarray/ndarray.ts'
import { type Arrays, EvalMetric, listOf, type MetricOptions } from './metric.ts'

/**
 * The base of metrics whose state is a value of the program: `count` makes one of a batch, `join` adds two up, `score`
 * gives the result. Updates return at once; `get` waits for all of them.
 */
export abstract class HostMetric<State> extends EvalMetric {
  readonly #empty: State
  #local: Promise<State>
  #past: Promise<State>

  constructor(name: string, options: MetricOptions, empty: State) {
    super(name, options)
    this.#empty = empty
    this.#local = Promise.resolve(empty)
    this.#past = this.#local
  }

  /** What a batch counts. */
  protected abstract count(label: NDArray, pred: NDArray): Promise<State>
  /** Two counts as one. */
  protected abstract join(a: State, b: State): State
  /** The value of a count. */
  protected abstract score(state: State): number

  protected override updatePair(label: NDArray, pred: NDArray): void {
    const next = this.count(label, pred)
    const sofar = this.#local
    this.#local = Promise.all([sofar, next]).then(([a, b]) => this.join(a, b))
    // A batch that fails is reported by `get`, not as an unhandled rejection.
    this.#local.catch(() => {})
  }

  override async get(): Promise<[string, number]> {
    return [this.name, this.score(await this.#local)]
  }

  override async getGlobal(): Promise<[string, number]> {
    const [past, local] = await Promise.all([this.#past, this.#local])
    return [this.name, this.score(this.join(past, local))]
  }

  override reset(): void {
    super.reset()
    this.#local = Promise.resolve(this.#empty)
    this.#past = this.#local
  }

  override resetLocal(): void {
    this.#past = Promise.all([this.#past, this.#local]).then(([a, b]) => this.join(a, b))
    this.#past.catch(() => {})
    this.#local = Promise.resolve(this.#empty)
  }
}

/** A value, or a sum with the number of instances in it. */
type Evaluated = number | readonly [sum: number, count: number]
/** A metric of one's own: from a label and a prediction, at once or later. */
export type FEval = (label: NDArray, pred: NDArray) => Evaluated | Promise<Evaluated>

/** Options of `CustomMetric`. */
export interface CustomOptions extends MetricOptions {
  /** Whether there may be more predictions than labels; off by default. */
  readonly allowExtraOutputs?: boolean
}

interface Sum {
  readonly sum: number
  readonly count: number
}

/**
 * A metric of one's own: `feval(label, pred)` gives a value of the batch, or a sum and the number of instances in it.
 *
 * It may be asynchronous, so that it can read: `async (label, pred) => (await label.sub(pred).abs().mean().asScalar())`.
 * @throws MXNetError when `feval` is not a function.
 * @example
 * const share = new metric.CustomMetric(async (label, pred) => [await pred.sum().asScalar(), label.size], { name: 'share' })
 * share.update(nd.array([1, 1]), nd.array([1, 0]))
 * await share.get() // => ['share', 0.5]
 * @see MXNet `metric.CustomMetric`
 */
export class CustomMetric extends HostMetric<Sum> {
  readonly #feval: FEval
  readonly #extra: boolean

  constructor(feval: FEval, options: CustomOptions = {}) {
    if (typeof feval !== 'function')
      fail(
        'CustomMetric',
        `feval is ${String(feval)}: it must be a function of a label and a prediction`,
      )
    super(options.name ?? (feval.name || 'custom'), options, { sum: 0, count: 0 })
    this.#feval = feval
    this.#extra = options.allowExtraOutputs ?? false
  }

  override update(labels: Arrays, preds: Arrays): void {
    const [l, p] = [listOf(labels), listOf(preds)]
    super.update(l, this.#extra ? p.slice(0, l.length) : p)
  }

  protected override async count(label: NDArray, pred: NDArray): Promise<Sum> {
    const value = await this.#feval(label, pred)
    if (typeof value === 'number') return { sum: value, count: 1 }
    return { sum: value[0], count: value[1] }
  }

  protected override join(a: Sum, b: Sum): Sum {
    return { sum: a.sum + b.sum, count: a.count + b.count }
  }

  protected override score({ sum, count }: Sum): number {
    return count === 0 ? Number.NaN : sum / count
  }
}

/**
 * A `CustomMetric` of a function, as MXNet's decorator makes it.
 * @example
 * metric.np(async (label, pred) => (await label.sub(pred).abs().mean().asScalar()), { name: 'mine' }).name // => 'mine'
 * @see MXNet `metric.np`
 */
export function np(numpyFeval: FEval, options: CustomOptions = {}): CustomMetric {
  return new CustomMetric(numpyFeval, options)
}
