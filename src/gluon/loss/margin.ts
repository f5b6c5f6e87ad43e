/** Losses of margins and of pairs: hinges, logistic, triplets, cosine embeddings, multiclass metric learning. */

import { fail } from '../../base/error.ts'
import { formatShape, sameShape } from '../../base/shape.ts'
import { frame, withFrame } from '../../core/frame.ts'
import type { Tensor } from '../../core/tensor.ts'
import { relu } from '../../ops/activation.ts'
import { add, divide, maximum, multiply, subtract } from '../../ops/binary.ts'
import { equal } from '../../ops/compare.ts'
import { eyeOf } from '../../ops/creation.ts'
import { where } from '../../ops/indexing.ts'
import { expandDims, reshape } from '../../ops/movement.ts'
import { norm, sum } from '../../ops/reduce.ts'
import { logSoftmax } from '../../ops/softmax.ts'
import { abs, negative, square } from '../../ops/unary.ts'
import { softplus } from './classification.ts'
import { alike, Loss, type LossOptions } from './loss.ts'

/** Options of losses with a margin. */
export interface MarginOptions extends LossOptions {
  readonly margin?: number
}

/**
 * The hinge: `weight·mean(max(0, margin - pred·label))`, labels -1 and 1, margin 1 by default; `(N, …), (N, …) -> (N,)`.
 * @example
 * const hinge = new gluon.loss.HingeLoss()
 * await hinge(nd.array([[0.5]]), nd.array([[1]])).asArray() // => [0.5]
 * @see MXNet `gluon.loss.HingeLoss`
 */
export class HingeLoss extends Loss {
  protected readonly margin: number

  constructor(options: MarginOptions = {}) {
    super(options, ['margin'])
    this.margin = options.margin ?? 1
  }

  override forward(pred: Tensor, label: Tensor, sampleWeight?: Tensor | null): Tensor {
    return this.perSample(this.hinge(pred, label), sampleWeight)
  }

  protected hinge(pred: Tensor, label: Tensor): Tensor {
    return relu(subtract(this.margin, multiply(pred, alike(label, pred))))
  }
}

/**
 * The squared hinge: `weight·mean(max(0, margin - pred·label)²)`, labels -1 and 1, margin 1 by default.
 * @example
 * const hinge = new gluon.loss.SquaredHingeLoss()
 * await hinge(nd.array([[0.5]]), nd.array([[1]])).asArray() // => [0.25]
 * @see MXNet `gluon.loss.SquaredHingeLoss`
 */
export class SquaredHingeLoss extends HingeLoss {
  protected override hinge(pred: Tensor, label: Tensor): Tensor {
    return square(super.hinge(pred, label))
  }
}

/** Options of `LogisticLoss`. */
export interface LogisticOptions extends LossOptions {
  /** 'signed' (the default) for labels -1 and 1, 'binary' for 0 and 1. */
  readonly labelFormat?: 'signed' | 'binary'
}

/**
 * The logistic loss `weight·mean(log(1 + e^(-pred·label)))` for labels -1 and 1; `(N, …), (N, …) -> (N,)`.
 * @throws MXNetError for an unknown `labelFormat`.
 * @example
 * const logistic = new gluon.loss.LogisticLoss()
 * await logistic(nd.array([[0]]), nd.array([[1]])).asArray() // => [0.6931471824645996]
 * @see MXNet `gluon.loss.LogisticLoss`
 */
export class LogisticLoss extends Loss {
  readonly #signed: boolean

  constructor(options: LogisticOptions = {}) {
    super(options, ['labelFormat'])
    const { labelFormat = 'signed' } = options
    if (labelFormat !== 'signed' && labelFormat !== 'binary')
      fail('LogisticLoss', `labelFormat is '${String(labelFormat)}': use 'signed' or 'binary'`)
    this.#signed = labelFormat === 'signed'
  }

  override forward(pred: Tensor, target: Tensor, sampleWeight?: Tensor | null): Tensor {
    const given = alike(target, pred)
    const label = this.#signed ? multiply(add(given, 1), 0.5) : given
    const loss = add(subtract(relu(pred), multiply(pred, label)), softplus(negative(abs(pred))))
    return this.perSample(loss, sampleWeight)
  }
}

export interface TripletLoss {
  /** The loss of each sample from an anchor, a sample of its class and one of another. */
  <T extends Tensor>(pred: T, positive: T, negative: T, sampleWeight?: T | null): T
}

/**
 * Draws samples of a class together and others apart: `(N, …) three times -> (N,)`.
 *
 * `weight·max(0, Σ (positive - pred)² - Σ (negative - pred)² + margin)`, margin 1 by default.
 * @example
 * const triplet = new gluon.loss.TripletLoss()
 * await triplet(nd.array([[0]]), nd.array([[1]]), nd.array([[1]])).asArray() // => [1]
 * @see MXNet `gluon.loss.TripletLoss`
 */
// biome-ignore lint/suspicious/noUnsafeDeclarationMerging: the interface holds only the call signature
export class TripletLoss extends Loss {
  readonly #margin: number

  constructor(options: MarginOptions = {}) {
    super(options, ['margin'])
    this.#margin = options.margin ?? 1
  }

  override forward(
    pred: Tensor,
    positive: Tensor,
    other?: Tensor,
    sampleWeight?: Tensor | null,
  ): Tensor {
    if (!other) fail('TripletLoss', 'two arrays given: it takes pred, positive and negative')
    const near = square(subtract(alike(positive, pred), pred))
    const far = square(subtract(alike(other, pred), pred))
    const distance = sum(subtract(near, far), { axis: this.batchAxis, exclude: true })
    return this.weighed(relu(add(distance, this.#margin)), sampleWeight)
  }
}

export interface CosineEmbeddingLoss {
  /** The loss of each pair; labels say whether the two belong together (1) or not (-1). */
  <T extends Tensor>(input1: T, input2: T, label: T, sampleWeight?: T | null): T
}

/**
 * The angle between pairs: `1 - cos` for label 1, `max(0, cos - margin)` for label -1; `(N, C), (N, C), (N,) -> (N, 1)`.
 *
 * `cos = Σ a·b / max(‖a‖·‖b‖, 1e-12)` along the last axis; margin 0 by default.
 * @example
 * const cosine = new gluon.loss.CosineEmbeddingLoss()
 * await cosine(nd.array([[1, 0]]), nd.array([[0, 1]]), nd.array([1])).asArray() // => [[1]]
 * @see MXNet `gluon.loss.CosineEmbeddingLoss`
 */
// biome-ignore lint/suspicious/noUnsafeDeclarationMerging: the interface holds only the call signature
export class CosineEmbeddingLoss extends Loss {
  readonly #margin: number

  constructor(options: MarginOptions = {}) {
    super(options, ['margin'])
    this.#margin = options.margin ?? 0
  }

  override forward(
    input1: Tensor,
    input2: Tensor,
    label?: Tensor,
    sampleWeight?: Tensor | null,
  ): Tensor {
    if (!label) fail('CosineEmbeddingLoss', 'two arrays given: it takes input1, input2 and label')
    const a = alike(input1, input2)
    const column = (x: Tensor): Tensor => reshape(x, [-1, 1])
    const lengths = multiply(column(norm(a, { axis: -1 })), column(norm(input2, { axis: -1 })))
    const cos = divide(column(sum(multiply(a, input2), { axis: -1 })), maximum(lengths, 1e-12))
    const apart = maximum(subtract(cos, this.#margin), 0)
    const loss = where(equal(alike(label, cos), 1), subtract(1, cos), apart)
    return this.weighed(loss, sampleWeight)
  }
}

/** Options of `SDMLLoss`. */
export interface SDMLOptions extends LossOptions {
  /** How much of the label goes to the other samples of the batch, 0.3 by default. */
  readonly smoothingParameter?: number
}

export interface SDMLLoss {
  /** The loss of each pair: row i of both belongs together, all other rows of the batch do not. */
  <T extends Tensor>(x1: T, x2: T): T
}

/**
 * Smoothed deep metric learning (Bonadiman et al., 2019): each row of `x1` should find its partner among the rows of `x2`.
 *
 * The divergence of `softmax(-‖x1ᵢ - x2ⱼ‖²)` from the identity, of which `smoothingParameter` is spread over the other
 * rows; `(N, D), (N, D) -> (N,)`. As in MXNet, `weight` has no part in it.
 * @throws MXNetError when the shapes differ.
 * @example
 * const sdml = new gluon.loss.SDMLLoss()
 * sdml(nd.array([[1, 0], [0, 1]]), nd.array([[1, 0], [0, 1]])).shape // => [2]
 * @see MXNet `gluon.loss.SDMLLoss`
 */
// biome-ignore lint/suspicious/noUnsafeDeclarationMerging: the interface holds only the call signature
export class SDMLLoss extends Loss {
  readonly #smoothing: number

  constructor(options: SDMLOptions = {}) {
    super({ weight: 1, ...options }, ['smoothingParameter'])
    this.#smoothing = options.smoothingParameter ?? 0.3
  }

  override forward(x1: Tensor, x2: Tensor): Tensor {
    const n = x1.shape[0] ?? 0
    if (x1.ndim !== 2 || !sameShape(x1.shape, x2.shape)) {
      const shapes = `${formatShape(x1.shape)} and ${formatShape(x2.shape)}`
      fail('SDMLLoss', `inputs have shapes ${shapes}: both must be the same (N, D)`)
    }
    const distances = sum(square(subtract(expandDims(x1, 1), expandDims(x2, 0))), { axis: 2 })
    const logp = logSoftmax(negative(distances), { axis: 1 })
    const [own, other] = [1 - this.#smoothing, n > 1 ? this.#smoothing / (n - 1) : 0]
    // The labels are constants: their own entropy is one number, and their sums are those of logp and its diagonal.
    const entropy = own * Math.log(own + 1e-12) + (n - 1) * other * Math.log(other + 1e-12)
    const context = logp.context ?? frame.context
    const eye = withFrame({ context }, () => eyeOf({ N: n, M: 0, k: 0, dtype: logp.dtype }))
    const diagonal = sum(multiply(logp, eye), { axis: 1 })
    const all = sum(logp, { axis: 1 })
    const expected = add(multiply(diagonal, own - other), multiply(all, other))
    return subtract(entropy, expected)
  }
}
