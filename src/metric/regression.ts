/** Metrics of numbers: mean absolute and squared errors, correlation. */

import { fail } from '../base/error.ts'
import { formatShape } from '../base/shape.ts'
import type { Tensor } from '../core/tensor.ts'
import type { NDArray } from '../ndarray/ndarray.ts'
import { divide, multiply, subtract } from '../ops/binary.ts'
import { reshape } from '../ops/movement.ts'
import { mean, sum } from '../ops/reduce.ts'
import { concat } from '../ops/slicing.ts'
import { abs, sqrt, square } from '../ops/unary.ts'
import { type Adder, adder } from './added.ts'
import { EvalMetric, type MetricOptions } from './metric.ts'

/** Rows of numbers: `(N,)` stands for `(N, 1)`. */
const rows = (x: Tensor): Tensor => (x.ndim === 1 ? reshape(x, [-1, 1]) : x)
const error = (label: Tensor, pred: Tensor): Tensor => subtract(rows(label), rows(pred))

const addMae = adder('mae', {}, (label, pred) => mean(abs(error(label, pred))))
const addMse = adder('mse', {}, (label, pred) => mean(square(error(label, pred))))
const addRmse = adder('rmse', {}, (label, pred) => sqrt(mean(square(error(label, pred)))))

/** The mean over updates of an error of each. */
class MeanError extends EvalMetric {
  readonly #add: Adder

  constructor(name: string, options: MetricOptions, add: Adder) {
    super(name, options)
    this.#add = add
  }

  protected override updatePair(label: NDArray, pred: NDArray): void {
    const [l, p] = [label.shape[0], pred.shape[0]]
    if (l !== p) {
      const shapes = `${formatShape(label.shape)} and predictions ${formatShape(pred.shape)}`
      fail(this.constructor.name, `labels ${shapes} do not fit: they must have as many rows`)
    }
    this.#add(this.totalFor(pred, 1), label, pred)
  }
}

/**
 * The mean absolute error of each update, averaged over updates; `(N,)` goes with `(N, 1)`.
 * @example
 * const mae = new metric.MAE()
 * mae.update(nd.array([1, 2]), nd.array([2, 4]))
 * await mae.get() // => ['mae', 1.5]
 * @see MXNet `metric.MAE`
 */
export class MAE extends MeanError {
  constructor(options: MetricOptions = {}) {
    super('mae', options, addMae)
  }
}

/**
 * The mean squared error of each update, averaged over updates; `(N,)` goes with `(N, 1)`.
 * @example
 * const mse = new metric.MSE()
 * mse.update(nd.array([1, 2]), nd.array([2, 4]))
 * await mse.get() // => ['mse', 2.5]
 * @see MXNet `metric.MSE`
 */
export class MSE extends MeanError {
  constructor(options: MetricOptions = {}) {
    super('mse', options, addMse)
  }
}

/**
 * The root of the mean squared error of each update, averaged over updates.
 * @example
 * const rmse = new metric.RMSE()
 * rmse.update(nd.array([0, 0]), nd.array([2, 2]))
 * await rmse.get() // => ['rmse', 2]
 * @see MXNet `metric.RMSE`
 */
export class RMSE extends MeanError {
  constructor(options: MetricOptions = {}) {
    super('rmse', options, addRmse)
  }
}

/** How scores of several updates are joined. */
export type Average = 'macro' | 'micro'

export function checkAverage(where: string, average: Average): Average {
  if (average !== 'macro' && average !== 'micro')
    fail(where, `average is '${String(average)}': use 'macro' or 'micro'`)
  return average
}

const flat = (x: Tensor): Tensor => reshape(x, [-1])
const total = (x: Tensor): Tensor => reshape(sum(x), [1])

/** The correlation of one update, added to the sum. */
const addCorrelation = adder('pearsonr', {}, (label, pred) => {
  const [x, y] = [flat(label), flat(pred)]
  const [dx, dy] = [subtract(x, mean(x)), subtract(y, mean(y))]
  return divide(sum(multiply(dx, dy)), sqrt(multiply(sum(square(dx)), sum(square(dy)))))
})

/** The moments of all samples: `Σx, Σy, Σx², Σy², Σxy`. */
const addMoments = adder('pearsonr moments', {}, (label, pred) => {
  const [x, y] = [flat(label), flat(pred)]
  return concat(total(x), total(y), total(square(x)), total(square(y)), total(multiply(x, y)), {
    dim: 0,
  })
})

/** Options of `PearsonCorrelation`. */
export interface CorrelationOptions extends MetricOptions {
  /** 'macro' (the default) averages the updates' correlations, 'micro' correlates all samples. */
  readonly average?: Average
}

/**
 * Pearson's correlation of labels and predictions.
 * @throws MXNetError for an unknown average, or sizes that differ.
 * @example
 * const pearson = new metric.PearsonCorrelation()
 * pearson.update(nd.array([1, 2, 3]), nd.array([2, 4, 6]))
 * await pearson.get() // => ['pearsonr', 1]
 * @see MXNet `metric.PearsonCorrelation`
 */
export class PearsonCorrelation extends EvalMetric {
  readonly average: Average

  constructor(options: CorrelationOptions = {}) {
    const average = checkAverage('PearsonCorrelation', options.average ?? 'macro')
    super('pearsonr', options, average === 'macro' ? null : 5)
    this.average = average
  }

  protected override updatePair(label: NDArray, pred: NDArray): void {
    if (label.size !== pred.size) {
      const shapes = `${formatShape(label.shape)} and predictions ${formatShape(pred.shape)}`
      fail('PearsonCorrelation', `labels ${shapes} do not fit: they must have one size`)
    }
    if (this.average === 'macro') addCorrelation(this.totalFor(pred, 1), label, pred)
    else addMoments(this.totalFor(pred, pred.size), label, pred)
  }

  protected override valueOfSums(sums: readonly number[], count: number): number {
    if (this.average === 'macro' || count === 0) return super.valueOfSums(sums, count)
    const [x, y, xx, yy, xy] = sums as [number, number, number, number, number]
    const spread = (squares: number, sum: number): number => squares - (sum * sum) / count
    return (xy - (x * y) / count) / Math.sqrt(spread(xx, x) * spread(yy, y))
  }
}
