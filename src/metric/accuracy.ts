/** Accuracy: the share of predictions that name the label's class. */

import { fail } from '../base/error.ts'
import { formatShape, sameShape } from '../base/shape.ts'
import { applyInto } from '../core/apply.ts'
import { attr } from '../core/attrs.ts'
import { OpDef } from '../core/op.ts'
import type { NDArray } from '../ndarray/ndarray.ts'
import { add } from '../ops/binary.ts'
import { cast } from '../ops/cast.ts'
import { equal } from '../ops/compare.ts'
import { reshape } from '../ops/movement.ts'
import { argmax, sum } from '../ops/reduce.ts'
import { EvalMetric, type MetricOptions } from './metric.ts'

/** One update as one kernel: the sum so far and the number of hits in a batch. */
const countHits = new OpDef({
  name: 'accuracy',
  inputs: ['total', 'label', 'pred'],
  attrs: { axis: attr.int(1) },
  body: ([total, label, pred], { axis }) => {
    const guess = sameShape(label!.shape, pred!.shape) ? pred! : argmax(pred!, { axis })
    const classes = cast(reshape(guess, [guess.size]), { dtype: 'int32' })
    const truth = cast(reshape(label!, [label!.size]), { dtype: 'int32' })
    const hits = sum(cast(equal(classes, truth), { dtype: 'int32' }))
    return add(total!, cast(hits, { dtype: total!.dtype }))
  },
}) as unknown as OpDef

/** Options of `Accuracy`. */
export interface AccuracyOptions extends MetricOptions {
  /** The axis of classes in predictions that are not classes yet; 1 by default. */
  readonly axis?: number
}

/**
 * The share of right predictions.
 *
 * Predictions of the label's shape are classes; others are scores, of which the largest along `axis`
 * counts. Classes are compared as int32.
 * @throws MXNetError when the sizes of labels and predictions do not fit.
 * @example
 * const acc = new metric.Accuracy()
 * acc.update(nd.array([0, 1]), nd.array([[0.9, 0.1], [0.8, 0.2]]))
 * await acc.get() // => ['accuracy', 0.5]
 * @see MXNet `metric.Accuracy`
 */
export class Accuracy extends EvalMetric {
  readonly axis: number

  constructor(options: AccuracyOptions = {}) {
    super('accuracy', options)
    this.axis = options.axis ?? 1
  }

  protected override updatePair(label: NDArray, pred: NDArray): void {
    const classes = sameShape(label.shape, pred.shape)
      ? pred.size
      : pred.size / (pred.shape.at(this.axis) ?? 0)
    if (classes !== label.size) {
      fail(
        'Accuracy',
        `labels ${formatShape(label.shape)} and predictions ${formatShape(pred.shape)} do not fit: predictions are classes of the label's shape, or scores along axis ${this.axis}`,
      )
    }
    const total = this.totalFor(pred, label.size)
    applyInto(countHits, [total, label, pred], { axis: this.axis }, [total])
  }
}
