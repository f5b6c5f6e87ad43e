/** Metrics of right and wrong classes: F1, Matthews' correlation, and its generalization to many classes. */

import { fail } from '../base/error.ts'
import { formatShape, sameShape } from '../base/shape.ts'
import { applyInto } from '../core/apply.ts'
import { OpDef } from '../core/op.ts'
import type { Tensor } from '../core/tensor.ts'
import type { NDArray } from '../ndarray/ndarray.ts'
import { add, divide, maximum, multiply, subtract } from '../ops/binary.ts'
import { cast } from '../ops/cast.ts'
import { equal } from '../ops/compare.ts'
import { where } from '../ops/indexing.ts'
import { reshape } from '../ops/movement.ts'
import { argmax, sum } from '../ops/reduce.ts'
import { concat } from '../ops/slicing.ts'
import { sqrt } from '../ops/unary.ts'
import { adder } from './added.ts'
import { HostMetric } from './custom.ts'
import { EvalMetric, type MetricOptions } from './metric.ts'
import { type Average, checkAverage } from './regression.ts'

/** Right and wrong answers of two classes: true and false positives, false and true negatives, and other labels. */
const addCounts = adder('binary counts', {}, (label, pred) => {
  const guess = equal(argmax(pred, { axis: 1 }), 1)
  const truth = equal(reshape(label, [-1]), 1)
  const both = (g: number, t: number): Tensor => {
    const hit = multiply(equal(guess, g), equal(truth, t))
    return reshape(sum(cast(hit, { dtype: label.dtype })), [1])
  }
  const known = add(equal(label, 0), equal(label, 1))
  const others = subtract(label.size, sum(cast(known, { dtype: label.dtype })))
  return concat(both(1, 1), both(1, 0), both(0, 1), both(0, 0), reshape(others, [1]), { dim: 0 })
})

/** Scores of two classes from the four counts. */
interface Score {
  readonly onDevice: (tp: Tensor, fp: Tensor, fn: Tensor, tn: Tensor) => Tensor
  readonly onHost: (tp: number, fp: number, fn: number, tn: number) => number
}

const orZero = (x: Tensor, y: Tensor): Tensor =>
  where(equal(y, 0), multiply(x, 0), divide(x, add(y, equal(y, 0))))

const f1: Score = {
  onDevice: (tp, fp, fn) => orZero(multiply(tp, 2), add(add(multiply(tp, 2), fp), fn)),
  onHost: (tp, fp, fn) => (tp === 0 ? 0 : (2 * tp) / (2 * tp + fp + fn)),
}

const factors = <T>(tp: T, fp: T, fn: T, tn: T, plus: (a: T, b: T) => T): T[] => [
  plus(tp, fp),
  plus(tp, fn),
  plus(tn, fp),
  plus(tn, fn),
]

const mcc: Score = {
  onDevice: (tp, fp, fn, tn) => {
    // Factors of 0 are left out of the product.
    const roots = factors(tp, fp, fn, tn, add).map((t) => sqrt(maximum(t, 1)))
    const product = roots.reduce((a, b) => multiply(a, b))
    return divide(subtract(multiply(tp, tn), multiply(fp, fn)), product)
  },
  onHost: (tp, fp, fn, tn) => {
    const product = factors(tp, fp, fn, tn, (a, b) => a + b).reduce((p, t) => p * (t || 1), 1)
    return (tp * tn - fp * fn) / Math.sqrt(product)
  },
}

/** Adds the counts of an update to the totals, and its score behind them. */
const joinOps = new Map<Score, OpDef>()

function joinOp(score: Score): OpDef {
  let op = joinOps.get(score)
  if (op === undefined) {
    op = new OpDef({
      name: 'join counts',
      inputs: ['total', 'counts'],
      body: ([total, counts]) => {
        const at = (i: number): Tensor => counts!.at(i)
        const own = score.onDevice(at(0), at(1), at(2), at(3))
        const more = concat(counts!, reshape(own, [1]), { dim: 0 })
        return add(total!, cast(more, { dtype: total!.dtype }))
      },
    }) as unknown as OpDef
    joinOps.set(score, op)
  }
  return op
}

/** Options of `F1` and `MCC`. */
export interface BinaryOptions extends MetricOptions {
  /** 'macro' (the default) averages the updates' scores, 'micro' scores all samples together. */
  readonly average?: Average
}

class BinaryMetric extends EvalMetric {
  readonly average: Average
  readonly #score: Score

  constructor(name: string, options: BinaryOptions, score: Score) {
    super(name, options, 6)
    this.average = checkAverage(new.target.name, options.average ?? 'macro')
    this.#score = score
  }

  protected override updatePairs(pairs: readonly (readonly [NDArray, NDArray])[]): void {
    const first = pairs[0]?.[1]
    if (first === undefined) return
    const total = this.totalFor(first, 1)
    const counts = total.sliceAxis(0, 0, 5).zerosLike()
    for (const [label, pred] of pairs) {
      if (pred.ndim !== 2 || label.size !== pred.shape[0]) {
        const shapes = `${formatShape(label.shape)} and predictions ${formatShape(pred.shape)}`
        fail(this.constructor.name, `labels ${shapes} do not fit: they must be (N,) and (N, 2)`)
      }
      const { context } = total
      addCounts(counts, label.asInContext(context), pred.asInContext(context))
    }
    applyInto(joinOp(this.#score), [total, counts], undefined, [total])
  }

  protected override valueOfSums(sums: readonly number[], updates: number): number {
    const [tp, fp, fn, tn, others, scores] = sums as [
      number,
      number,
      number,
      number,
      number,
      number,
    ]
    if (others > 0) {
      fail(
        this.constructor.name,
        `${others} labels are neither 0 nor 1: it is for two classes only`,
      )
    }
    if (updates === 0) return Number.NaN
    return this.average === 'macro' ? scores / updates : this.#score.onHost(tp, fp, fn, tn)
  }
}

/**
 * The harmonic mean of precision and recall of class 1; `(N,)` labels 0 and 1, `(N, 2)` scores.
 *
 * `F1 = 2·TP / (2·TP + FP + FN)`, 0 where there is no true positive.
 * @throws MXNetError for an unknown average or shapes that do not fit; `get` throws for labels besides 0 and 1.
 * @example
 * const f1 = new metric.F1()
 * f1.update(nd.array([1, 0]), nd.array([[0.2, 0.8], [0.7, 0.3]]))
 * await f1.get() // => ['f1', 1]
 * @see MXNet `metric.F1`
 */
export class F1 extends BinaryMetric {
  constructor(options: BinaryOptions = {}) {
    super('f1', options, f1)
  }
}

/**
 * Matthews' correlation of two classes; `(N,)` labels 0 and 1, `(N, 2)` scores.
 *
 * `MCC = (TP·TN - FP·FN) / √((TP+FP)(TP+FN)(TN+FP)(TN+FN))`, factors of 0 left out.
 * @throws MXNetError for an unknown average or shapes that do not fit; `get` throws for labels besides 0 and 1.
 * @example
 * const mcc = new metric.MCC()
 * mcc.update(nd.array([1, 0]), nd.array([[0.2, 0.8], [0.7, 0.3]]))
 * await mcc.get() // => ['mcc', 1]
 * @see MXNet `metric.MCC`
 */
export class MCC extends BinaryMetric {
  constructor(options: BinaryOptions = {}) {
    super('mcc', options, mcc)
  }
}

/**
 * Matthews' correlation for any number of classes, from the confusion matrix of all samples.
 *
 * Predictions of the label's shape are classes, others scores along axis 1. The matrix is counted outside the device.
 * @throws MXNetError when the shapes do not fit.
 * @example
 * const pcc = new metric.PCC()
 * pcc.update(nd.array([0, 1, 2]), nd.array([0, 1, 2]))
 * await pcc.get() // => ['pcc', 1]
 * @see MXNet `metric.PCC`
 */
export class PCC extends HostMetric<ReadonlyMap<string, number>> {
  constructor(options: MetricOptions = {}) {
    super('pcc', options, new Map())
  }

  protected override async count(label: NDArray, pred: NDArray): Promise<Map<string, number>> {
    const guess = sameShape(label.shape, pred.shape) ? pred : argmax(pred, { axis: 1 })
    if (guess.size !== label.size) {
      const shapes = `${formatShape(label.shape)} and predictions ${formatShape(pred.shape)}`
      fail('PCC', `labels ${shapes} do not fit: predictions are classes or scores along axis 1`)
    }
    const [truth, guesses] = await Promise.all([label.asTypedArray(), guess.asTypedArray()])
    const cells = new Map<string, number>()
    for (let i = 0; i < truth.length; i++) {
      const cell = `${Math.trunc(Number(guesses[i]))},${Math.trunc(Number(truth[i]))}`
      cells.set(cell, (cells.get(cell) ?? 0) + 1)
    }
    return cells
  }

  protected override join(
    a: ReadonlyMap<string, number>,
    b: ReadonlyMap<string, number>,
  ): ReadonlyMap<string, number> {
    const sums = new Map(a)
    for (const [cell, n] of b) sums.set(cell, (sums.get(cell) ?? 0) + n)
    return sums
  }

  protected override score(cells: ReadonlyMap<string, number>): number {
    const [guessed, true_] = [new Map<string, number>(), new Map<string, number>()]
    let [total, hits] = [0, 0]
    for (const [cell, n] of cells) {
      const [g, t] = cell.split(',') as [string, string]
      guessed.set(g, (guessed.get(g) ?? 0) + n)
      true_.set(t, (true_.get(t) ?? 0) + n)
      total += n
      if (g === t) hits += n
    }
    if (total === 0) return Number.NaN
    const dot = (a: ReadonlyMap<string, number>, b: ReadonlyMap<string, number>): number =>
      [...a].reduce((sum, [k, n]) => sum + n * (b.get(k) ?? 0), 0)
    const xy = hits * total - dot(guessed, true_)
    const [xx, yy] = [guessed, true_].map((m) => total * total - dot(m, m)) as [number, number]
    return xx * yy === 0 ? Number.NaN : xy / Math.sqrt(xx * yy)
  }
}
