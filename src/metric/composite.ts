/** CompositeEvalMetric: several metrics fed at once. */

import { fail } from '../base/error.ts'
import { CustomMetric, type FEval } from './custom.ts'
import { type Arrays, EvalMetric, type MetricOptions } from './metric.ts'

/** A metric of any kind. */
// biome-ignore lint/suspicious/noExplicitAny: names and values are strings and numbers, or lists of them
export type AnyMetric = EvalMetric<any, any>

/**
 * Several metrics as one: `get` gives the lists of their names and values.
 * @example
 * const both = new metric.CompositeEvalMetric([new metric.Accuracy(), new metric.Loss()])
 * @see MXNet `metric.CompositeEvalMetric`
 */
export class CompositeEvalMetric extends EvalMetric<string[], number[]> {
  readonly #metrics: AnyMetric[] = []

  constructor(metrics: readonly (AnyMetric | string)[] = [], options: MetricOptions = {}) {
    super('composite', options)
    for (const m of metrics) this.add(m)
  }

  /** The metrics, in order. */
  get metrics(): readonly AnyMetric[] {
    return this.#metrics
  }

  /** Adds a metric, or the one that is registered under a name. */
  add(metric: AnyMetric | string): void {
    this.#metrics.push(create(metric))
  }

  /**
   * The metric at a position.
   * @throws MXNetError when there is none.
   */
  getMetric(index: number): AnyMetric {
    const found = this.#metrics[index]
    return (
      found ??
      fail('CompositeEvalMetric', `there is no metric ${index}: there are ${this.#metrics.length}`)
    )
  }

  override update(labels: Arrays, preds: Arrays): void {
    for (const m of this.#metrics) m.update(labels, preds)
  }

  override async get(): Promise<[string[], number[]]> {
    return split(await Promise.all(this.#metrics.map((m) => m.getNameValue())))
  }

  override async getGlobal(): Promise<[string[], number[]]> {
    return split(await Promise.all(this.#metrics.map((m) => m.getGlobalNameValue())))
  }

  override reset(): void {
    for (const m of this.#metrics) m.reset()
  }

  override resetLocal(): void {
    for (const m of this.#metrics) m.resetLocal()
  }
}

function split(lists: readonly (readonly [string, number][])[]): [string[], number[]] {
  const all = lists.flat()
  return [all.map(([name]) => name), all.map(([, value]) => value)]
}

type MetricClass = new (options?: never) => AnyMetric

const registry = new Map<string, MetricClass>()

/**
 * Registers a metric under its class's name in lower case, and under aliases.
 * @example
 * metric.register(MyMetric, ['mine'])
 * @see MXNet `metric.register`
 */
export function register<C extends MetricClass>(klass: C, aliases: readonly string[] = []): C {
  for (const name of [klass.name, ...aliases]) registry.set(name.toLowerCase(), klass)
  return klass
}

/**
 * The metric that a value names: itself, a registered name, a function of a label and a prediction, or a list of them as one.
 * @throws MXNetError when nothing is registered under the name.
 * @example
 * metric.create(['acc', 'loss'])
 * @see MXNet `metric.create`
 */
export function create(metric: readonly (AnyMetric | string)[]): CompositeEvalMetric
export function create<M extends AnyMetric>(metric: M): M
export function create(metric: AnyMetric | string | FEval, options?: object): AnyMetric
export function create(
  metric: AnyMetric | string | FEval | readonly (AnyMetric | string)[],
  options?: object,
): AnyMetric {
  if (metric instanceof EvalMetric) return metric
  if (Array.isArray(metric)) return new CompositeEvalMetric(metric)
  if (typeof metric === 'function') return new CustomMetric(metric as FEval, options)
  const klass = registry.get(String(metric).toLowerCase())
  if (klass === undefined) {
    fail(
      'metric',
      `no metric is called '${String(metric)}': use one of ${[...registry.keys()].join(', ')}`,
    )
  }
  return new klass(options as never)
}
