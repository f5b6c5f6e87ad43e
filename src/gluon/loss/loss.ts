/** The base of losses: one number a sample, weighted. */

import { fail } from '../../base/error.ts'
import { checkOptions } from '../../base/options.ts'
import { sameShape } from '../../base/shape.ts'
import { Tensor, Unbound } from '../../core/tensor.ts'
import { multiply } from '../../ops/binary.ts'
import { reshapeLike } from '../../ops/movement.ts'
import { mean } from '../../ops/reduce.ts'
import { negative } from '../../ops/unary.ts'
import { type BlockOptions, blockOptions, HybridBlock } from '../block.ts'

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
    return this.meanOf(this.weighed(loss, sampleWeight, weight), this.#batchAxis)
  }

  /** Multiplies a loss by the samples' weights and by its own. */
  protected weighed(loss: Tensor, sampleWeight?: Tensor | null, weight = this.#weight): Tensor {
    const y = sampleWeight ? multiply(loss, sampleWeight) : loss
    if (weight === null || weight === 1) return y
    return weight === -1 ? negative(y) : multiply(y, weight)
  }

  /** The mean over all axes but one. */
  protected meanOf(y: Tensor, batchAxis: number): Tensor {
    return !(y instanceof Unbound) && y.ndim === 1 ? y : mean(y, { axis: batchAxis, exclude: true })
  }

  protected override describe(): string {
    const w = this.#weight
    const text = w === null ? 'None' : Number.isInteger(w) ? w.toFixed(1) : String(w)
    return `(batch_axis=${this.#batchAxis}, w=${text})`
  }
}

/** The label in the shape of the prediction; what is no array is left for the operator to refuse. */
export const alike = (label: Tensor, pred: Tensor): Tensor => {
  const arrays = label instanceof Tensor && pred instanceof Tensor
  const shaped = arrays && !(label instanceof Unbound) && !(pred instanceof Unbound)
  return shaped && sameShape(label.shape, pred.shape) ? label : reshapeLike(label, pred)
}
