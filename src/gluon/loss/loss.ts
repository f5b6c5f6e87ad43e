/** `gluon.loss`: how far predictions are from labels, one number a sample. */

import { fail } from '../base/error.ts'
import { checkOptions } from '../base/options.ts'
import { sameShape } from '../base/shape.ts'
import { Tensor } from '../core/tensor.ts'
import { activation, relu } from '../ops/activation.ts'
import { add, multiply, subtract } from '../ops/binary.ts'
import { log } from '../ops/elementary.ts'
import { pick } from '../ops/indexing.ts'
import { reshapeLike } from '../ops/movement.ts'
import { mean, sum } from '../ops/reduce.ts'
import { logSoftmax } from '../ops/softmax.ts'
import { abs, negative, square } from '../ops/unary.ts'
import { type BlockOptions, blockOptions, HybridBlock } from './block.ts'

/** Options that every loss takes. */
export interface LossOptions extends BlockOptions {
  /** Multiplies the loss. */
  readonly weight?: number | null
  /** The axis that counts samples; 0 by default. */
  readonly batchAxis?: number
}

const lossOptions = ['weight', 'batchAxis']

export interface Loss {
  /** The loss of each sample; `sampleWeight` broadcasts against the loss before its mean is taken. */
  <T extends Tensor>(pred: T, label: T, sampleWeight?: T | null): T
}

/**
 * The base of losses: the mean over all axes but the batch's, times `weight`.
 *
 * Labels are reshaped like predictions, so that `(N,)` goes with `(N, 1)`.
 * @example
 * class Cubic extends gluon.loss.Loss {
 *   override forward(pred: Tensor, label: Tensor): Tensor {
 *     return this.perSample(nd.abs(nd.subtract(label, pred)).pow(3))
 *   }
 * }
 * @see MXNet `python/mxnet/gluon/loss.py` (Loss)
 */
// biome-ignore lint/suspicious/noUnsafeDeclarationMerging: the interface holds only the call signature
export class Loss extends HybridBlock {
  readonly #weight: number | null
  readonly #batchAxis: number

  /** `ownNames` are the names of a subclass's own options. */
  constructor(options: LossOptions = {}, ownNames: readonly string[] = []) {
    super(options)
    checkOptions(new.target.name, options, [...blockOptions, ...lossOptions, ...ownNames])
    const { weight = null, batchAxis = 0 } = options
    if (weight !== null && typeof weight !== 'number') {
      fail(this.constructor.name, `weight is ${String(weight)}: it must be a number or null`)
    }
    this.#weight = weight
    this.#batchAxis = batchAxis
  }

  /** Multiplies the loss. */
  get weight(): number | null {
    return this.#weight
  }

  /** The axis that counts samples. */
  get batchAxis(): number {
    return this.#batchAxis
  }

  /** Weighs a loss of the predictions' shape and takes its mean over all axes but the batch's. */
  protected perSample(loss: Tensor, sampleWeight?: Tensor | null, weight = this.#weight): Tensor {
    let y = sampleWeight ? multiply(loss, sampleWeight) : loss
    if (weight !== null && weight !== 1) y = weight === -1 ? negative(y) : multiply(y, weight)
    return this.meanOf(y, this.#batchAxis)
  }

  /** The mean over all axes but one. */
  protected meanOf(y: Tensor, batchAxis: number): Tensor {
    return y.ndim === 1 ? y : mean(y, { axis: batchAxis, exclude: true })
  }

  protected override describe(): string {
    const w = this.#weight
    const text = w === null ? 'None' : Number.isInteger(w) ? w.toFixed(1) : String(w)
    return `(batch_axis=${this.#batchAxis}, w=${text})`
  }
}

/** The label in the shape of the prediction; what is no array is left for the operator to refuse. */
const alike = (label: Tensor, pred: Tensor): Tensor => {
  const arrays = label instanceof Tensor && pred instanceof Tensor
  return arrays && sameShape(label.shape, pred.shape) ? label : reshapeLike(label, pred)
}

/**
 * Half the squared error: `½·weight·mean((label - pred)²)`, `(N, …), (N, …) -> (N,)`.
 * @example
 * const l2 = new gluon.loss.L2Loss()
 * await l2(nd.array([[1, 3]]), nd.array([[1, 1]])).asArray() // => [1]
 * @see MXNet `gluon.loss.L2Loss`
 */
export class L2Loss extends Loss {
  constructor(options: LossOptions = {}) {
    super({ weight: 1, ...options })
  }

  override forward(pred: Tensor, label: Tensor, sampleWeight?: Tensor | null): Tensor {
    const loss = square(subtract(alike(label, pred), pred))
    return this.perSample(loss, sampleWeight, (this.weight ?? 1) / 2)
  }
}

/**
 * The absolute error: `weight·mean(|label - pred|)`, `(N, …), (N, …) -> (N,)`.
 * @example
 * const l1 = new gluon.loss.L1Loss()
 * await l1(nd.array([[1, 3]]), nd.array([[1, 1]])).asArray() // => [1]
 * @see MXNet `gluon.loss.L1Loss`
 */
export class L1Loss extends Loss {
  override forward(pred: Tensor, label: Tensor, sampleWeight?: Tensor | null): Tensor {
    return this.perSample(abs(subtract(alike(label, pred), pred)), sampleWeight)
  }
}

/** Options of `SigmoidBinaryCrossEntropyLoss`. */
export interface SigmoidBCEOptions extends LossOptions {
  /** Whether predictions are probabilities already. */
  readonly fromSigmoid?: boolean
}

export interface SigmoidBinaryCrossEntropyLoss {
  /** The loss of each sample; `posWeight` multiplies the part of positive labels. */
  <T extends Tensor>(pred: T, label: T, sampleWeight?: T | null, posWeight?: T | null): T
}

/**
 * Cross entropy of two classes.
 *
 * From logits `relu(p) - p·y + log(1 + e^-|p|)`; with `fromSigmoid`
 * `-(y·log(p + ε) + (1 - y)·log(1 - p + ε))`, ε = 1e-12; `(N, …), (N, …) -> (N,)`.
 * @example
 * const bce = new gluon.loss.SigmoidBCELoss()
 * await bce(nd.array([[0]]), nd.array([[1]])).asArray() // => [0.6931471824645996]
 * @see MXNet `gluon.loss.SigmoidBinaryCrossEntropyLoss`
 */
// biome-ignore lint/suspicious/noUnsafeDeclarationMerging: the interface holds only the call signature
export class SigmoidBinaryCrossEntropyLoss extends Loss {
  readonly #fromSigmoid: boolean

  constructor(options: SigmoidBCEOptions = {}) {
    super(options, ['fromSigmoid'])
    this.#fromSigmoid = options.fromSigmoid ?? false
  }

  override forward(
    pred: Tensor,
    target: Tensor,
    sampleWeight?: Tensor | null,
    posWeight?: Tensor | null,
  ): Tensor {
    const label = alike(target, pred)
    const loss = this.#fromSigmoid
      ? fromProbabilities(pred, label, posWeight)
      : fromLogits(pred, label, posWeight)
    return this.perSample(loss, sampleWeight)
  }
}

const softplus = (x: Tensor): Tensor => activation(x, { actType: 'softrelu' })

function fromLogits(pred: Tensor, label: Tensor, posWeight: Tensor | null | undefined): Tensor {
  const product = multiply(pred, label)
  const tail = softplus(negative(abs(pred)))
  if (!posWeight) return add(subtract(relu(pred), product), tail)
  const factor = add(multiply(subtract(posWeight, 1), label), 1)
  return add(subtract(pred, product), multiply(factor, add(tail, relu(negative(pred)))))
}

function fromProbabilities(
  pred: Tensor,
  label: Tensor,
  posWeight: Tensor | null | undefined,
): Tensor {
  const eps = 1e-12
  const hit = multiply(log(add(pred, eps)), label)
  const miss = multiply(log(add(subtract(1, pred), eps)), subtract(1, label))
  return negative(add(posWeight ? multiply(hit, posWeight) : hit, miss))
}

/** Another name of `SigmoidBinaryCrossEntropyLoss`. */
export const SigmoidBCELoss = SigmoidBinaryCrossEntropyLoss

/** Options of `SoftmaxCrossEntropyLoss`. */
export interface SoftmaxCEOptions extends LossOptions {
  /** The axis of classes; the last by default. */
  readonly axis?: number
  /** Whether labels are class numbers (the default) or distributions over classes. */
  readonly sparseLabel?: boolean
  /** Whether predictions are log-probabilities already. */
  readonly fromLogits?: boolean
}

/**
 * Cross entropy of a softmax.
 *
 * `-log softmax(pred)[label]`, for dense labels `-Σ label·log softmax(pred)`; mean over all axes but
 * the batch's: `(N, C), (N,) -> (N,)`. Class numbers may have any dtype and are clipped to `0 … C - 1`.
 * @example
 * const loss = new gluon.loss.SoftmaxCrossEntropyLoss()
 * await loss(nd.array([[0, 0]]), nd.array([1])).asArray() // => [0.6931471824645996]
 * @see MXNet `gluon.loss.SoftmaxCrossEntropyLoss`
 */
export class SoftmaxCrossEntropyLoss extends Loss {
  readonly #axis: number
  readonly #sparseLabel: boolean
  readonly #fromLogits: boolean

  constructor(options: SoftmaxCEOptions = {}) {
    super(options, ['axis', 'sparseLabel', 'fromLogits'])
    this.#axis = options.axis ?? -1
    this.#sparseLabel = options.sparseLabel ?? true
    this.#fromLogits = options.fromLogits ?? false
  }

  override forward(pred: Tensor, label: Tensor, sampleWeight?: Tensor | null): Tensor {
    const axis = this.#axis
    const logp = this.#fromLogits ? pred : logSoftmax(pred, { axis })
    const weight = -(this.weight ?? 1)
    if (!this.#sparseLabel) {
      const loss = sum(multiply(logp, alike(label, logp)), { axis, keepdims: true })
      return this.perSample(loss, sampleWeight, weight)
    }
    if (sampleWeight)
      return this.perSample(pick(logp, label, { axis, keepdims: true }), sampleWeight, weight)
    // Without weights the axis of classes need not be kept, which saves the mean over it.
    const picked = pick(logp, label, { axis })
    const loss = weight === -1 ? negative(picked) : multiply(picked, weight)
    const classAxis = axis < 0 ? axis + pred.ndim : axis
    return this.meanOf(loss, classAxis < this.batchAxis ? this.batchAxis - 1 : this.batchAxis)
  }
}

/** Another name of `SoftmaxCrossEntropyLoss`. */
export const SoftmaxCELoss = SoftmaxCrossEntropyLoss
