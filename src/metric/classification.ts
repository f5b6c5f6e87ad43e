/** Metrics of class probabilities: top-k accuracy, cross entropies, perplexity. */

import { fail } from '../base/error.ts'
import { withFirst } from '../base/options.ts'
import { formatShape } from '../base/shape.ts'
import { attr } from '../core/attrs.ts'
import type { Tensor } from '../core/tensor.ts'
import type { NDArray } from '../ndarray/ndarray.ts'
import { add, maximum, multiply, subtract } from '../ops/binary.ts'
import { cast } from '../ops/cast.ts'
import { equal, greater, lesser } from '../ops/compare.ts'
import { log } from '../ops/elementary.ts'
import { pick } from '../ops/indexing.ts'
import { expandDims, reshape } from '../ops/movement.ts'
import { sum } from '../ops/reduce.ts'
import { concat } from '../ops/slicing.ts'
import { negative } from '../ops/unary.ts'
import { adder } from './added.ts'
import { EvalMetric, type MetricOptions } from './metric.ts'

const flat = (x: Tensor): Tensor => reshape(x, [-1])

/** A label is among the first k when fewer than k scores are above its own. */
const addTopHits = adder('top_k_accuracy', { topK: attr.int() }, (label, pred, { topK }) => {
  if (pred.ndim === 1)
    return sum(equal(cast(pred, { dtype: 'int32' }), cast(label, { dtype: 'int32' })))
  const own = pick(pred, flat(label), { axis: 1 })
  const above = sum(cast(greater(pred, expandDims(own, 1)), { dtype: pred.dtype }), { axis: 1 })
  return sum(lesser(above, topK))
})

/** Options of `TopKAccuracy`. */
export interface TopKOptions extends MetricOptions {
  /** How many guesses are allowed; above 1. */
  readonly topK?: number
}

/**
 * The share of labels among the k classes of the highest scores; `(N,)` labels, `(N, C)` scores.
 *
 * Equal scores are counted in the label's favour. The name becomes `top_k_accuracy_K`.
 * @throws MXNetError when `topK` is not an integer above 1, or the shapes do not fit.
 * @example
 * const top = new metric.TopKAccuracy(2)
 * top.update(nd.array([2]), nd.array([[0.1, 0.5, 0.4]]))
 * await top.get() // => ['top_k_accuracy_2', 1]
 * @see MXNet `metric.TopKAccuracy`
 */
export class TopKAccuracy extends EvalMetric {
  readonly topK: number

  constructor(topK: number | TopKOptions = 1, options: TopKOptions = {}) {
    const given = withFirst<TopKOptions>('topK', topK, options)
    const k = given.topK ?? 1
    if (!Number.isInteger(k) || k < 2)
      fail(
        'TopKAccuracy',
        `topK is ${String(k)}: it must be an integer above 1 (for 1 use Accuracy)`,
      )
    const { name = 'top_k_accuracy', ...others } = given
    super(`${name}_${k}`, others)
    this.topK = k
  }

  protected override updatePair(label: NDArray, pred: NDArray): void {
    if (pred.ndim > 2 || label.size !== pred.shape[0]) {
      const shapes = `${formatShape(label.shape)} and predictions ${formatShape(pred.shape)}`
      fail('TopKAccuracy', `labels ${shapes} do not fit: they must be (N,) and (N, C)`)
    }
    addTopHits(this.totalFor(pred, label.size), label, pred, { topK: this.topK })
  }
}

const addLogs = adder('cross entropy', { eps: attr.float() }, (label, pred, { eps }) =>
  negative(sum(log(add(pick(pred, flat(label), { axis: 1 }), eps)))),
)

/** Options of `CrossEntropy`. */
export interface CrossEntropyOptions extends MetricOptions {
  /** Added to probabilities, 1e-12 by default. */
  readonly eps?: number
}

/**
 * The mean of `-log(pred[label] + eps)`; `(N,)` class numbers, `(N, C)` probabilities.
 * @throws MXNetError when the shapes do not fit.
 * @example
 * const ce = new metric.CrossEntropy()
 * ce.update(nd.array([0]), nd.array([[1, 0]]))
 * (await ce.get())[0] // => 'cross-entropy'
 * @see MXNet `metric.CrossEntropy`
 */
export class CrossEntropy extends EvalMetric {
  readonly eps: number

  constructor(options: CrossEntropyOptions = {}) {
    super('cross-entropy', options)
    this.eps = options.eps ?? 1e-12
  }

  protected override updatePair(label: NDArray, pred: NDArray): void {
    if (pred.ndim !== 2 || label.size !== pred.shape[0]) {
      const shapes = `${formatShape(label.shape)} and predictions ${formatShape(pred.shape)}`
      fail(this.constructor.name, `labels ${shapes} do not fit: they must be (N,) and (N, C)`)
    }
    addLogs(this.totalFor(pred, label.size), label, pred, { eps: this.eps })
  }
}

/**
 * The same as `CrossEntropy` under the name `nll-loss`.
 * @throws MXNetError when the shapes do not fit.
 * @example
 * const nll = new metric.NegativeLogLikelihood()
 * nll.update(nd.array([0]), nd.array([[1, 0]]))
 * (await nll.get())[0] // => 'nll-loss'
 * @see MXNet `metric.NegativeLogLikelihood`
 */
export class NegativeLogLikelihood extends CrossEntropy {
  constructor(options: CrossEntropyOptions = {}) {
    super({ ...options, name: options.name ?? 'nll-loss' })
  }
}

/** The sum of negative logarithms and the number of labels that count. */
const addPerplexity = adder(
  'perplexity',
  { ignore: attr.bool(), label: attr.float() },
  (label, pred, { ignore, label: ignored }) => {
    const own = pick(reshape(pred, [-1, pred.shape.at(-1)!]), flat(label), { axis: 1 })
    const logs = negative(log(maximum(own, 1e-10)))
    const pair = (a: Tensor, b: Tensor): Tensor =>
      concat(reshape(a, [1]), reshape(b, [1]), { dim: 0 })
    const counts = cast(
      ignore ? subtract(1, equal(flat(label), ignored)) : add(multiply(own, 0), 1),
      {
        dtype: pred.dtype,
      },
    )
    return pair(sum(multiply(logs, counts)), sum(counts))
  },
)

/** Options of `Perplexity`. */
export interface PerplexityOptions extends MetricOptions {
  /** A label that does not count; null for none. */
  readonly ignoreLabel?: number | null
  /** The axis of classes; only the last (-1) is supported, as in MXNet. */
  readonly axis?: number
}

/**
 * How many classes a model hesitates between: `exp(mean(-log max(pred[label], 1e-10)))`.
 *
 * Labels of any shape, predictions of that shape and one axis of probabilities more (or flattened to rows).
 * @throws MXNetError when the sizes do not fit.
 * @example
 * const ppl = new metric.Perplexity(null)
 * ppl.update(nd.array([0]), nd.array([[0.5, 0.5]]))
 * await ppl.get() // => ['perplexity', 2]
 * @see MXNet `metric.Perplexity`
 */
export class Perplexity extends EvalMetric {
  readonly ignoreLabel: number | null

  constructor(ignoreLabel: number | null | PerplexityOptions, options: PerplexityOptions = {}) {
    const given = withFirst<PerplexityOptions>('ignoreLabel', ignoreLabel, options)
    super('perplexity', given, 2)
    this.ignoreLabel = given.ignoreLabel ?? null
    const { axis = -1 } = given
    if (axis !== -1) fail('Perplexity', `axis is ${axis}: classes must lie along the last axis, -1`)
  }

  protected override updatePair(label: NDArray, pred: NDArray): void {
    if (pred.ndim === 0 || label.size * pred.shape.at(-1)! !== pred.size) {
      const shapes = `${formatShape(label.shape)} and predictions ${formatShape(pred.shape)}`
      fail('Perplexity', `labels ${shapes} do not fit: each label needs a row of probabilities`)
    }
    const { ignoreLabel } = this
    const attrs = { ignore: ignoreLabel !== null, label: ignoreLabel ?? 0 }
    addPerplexity(this.totalFor(pred, label.size), label, pred, attrs)
  }

  protected override valueOfSums([logs, counted]: readonly number[], count: number): number {
    return count === 0 ? Number.NaN : Math.exp(logs! / counted!)
  }
}
