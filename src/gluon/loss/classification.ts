/** Losses of classes and of distributions: cross entropies and the Kullback-Leibler divergence. */

import { type Tensor, Unbound } from '../../core/tensor.ts'
import { activation, relu } from '../../ops/activation.ts'
import { add, multiply, subtract } from '../../ops/binary.ts'
import { log } from '../../ops/elementary.ts'
import { pick } from '../../ops/indexing.ts'
import { sum } from '../../ops/reduce.ts'
import { logSoftmax } from '../../ops/softmax.ts'
import { abs, negative } from '../../ops/unary.ts'
import { alike, Loss, type LossOptions } from './loss.ts'

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

export const softplus = (x: Tensor): Tensor => activation(x, { actType: 'softrelu' })

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
    if (sampleWeight || pred instanceof Unbound)
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

/** Options of `KLDivLoss`. */
export interface KLDivOptions extends LossOptions {
  /** Whether predictions are log-probabilities already (the default). */
  readonly fromLogits?: boolean
  /** The axis of the softmax where they are not; the last by default. */
  readonly axis?: number
}

/**
 * The Kullback-Leibler divergence of predictions from labels, which are distributions.
 *
 * `Σ label·(log(label + 1e-12) - log pred)` times `weight`, summed over all axes but the batch's: `(N, C), (N, C) -> (N,)`.
 * @example
 * const kl = new gluon.loss.KLDivLoss({ fromLogits: false })
 * await kl(nd.array([[0, 0]]), nd.array([[0.5, 0.5]])).asArray() // => [0]
 * @see MXNet `gluon.loss.KLDivLoss`
 */
export class KLDivLoss extends Loss {
  readonly #fromLogits: boolean
  readonly #axis: number

  constructor(options: KLDivOptions = {}) {
    super(options, ['fromLogits', 'axis'])
    this.#fromLogits = options.fromLogits ?? true
    this.#axis = options.axis ?? -1
  }

  override forward(pred: Tensor, label: Tensor, sampleWeight?: Tensor | null): Tensor {
    const logp = this.#fromLogits ? pred : logSoftmax(pred, { axis: this.#axis })
    const loss = multiply(label, subtract(log(add(label, 1e-12)), logp))
    return sum(this.weighed(loss, sampleWeight), { axis: this.batchAxis, exclude: true })
  }
}
