/** Losses of numbers: squared, absolute, Huber's, and counts after Poisson. */

import type { Tensor } from '../../core/tensor.ts'
import { add, maximum, multiply, subtract } from '../../ops/binary.ts'
import { greater } from '../../ops/compare.ts'
import { exp, log } from '../../ops/elementary.ts'
import { where } from '../../ops/indexing.ts'
import { mean } from '../../ops/reduce.ts'
import { abs, square } from '../../ops/unary.ts'
import { alike, Loss, type LossOptions } from './loss.ts'

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

/** Options of `HuberLoss`. */
export interface HuberOptions extends LossOptions {
  /** Where the loss turns from a square into a line, 1 by default. */
  readonly rho?: number
}

/**
 * Squared near the label, absolute far from it; `(N, …), (N, …) -> (N,)`.
 *
 * With `d = |label - pred|`: `d - rho/2` where `d > rho`, else `d²/(2·rho)`; times `weight`, mean over all axes but the batch's.
 * @example
 * const huber = new gluon.loss.HuberLoss()
 * await huber(nd.array([[3]]), nd.array([[0]])).asArray() // => [2.5]
 * @see MXNet `gluon.loss.HuberLoss`
 */
export class HuberLoss extends Loss {
  readonly #rho: number

  constructor(options: HuberOptions = {}) {
    super(options, ['rho'])
    this.#rho = options.rho ?? 1
  }

  override forward(pred: Tensor, label: Tensor, sampleWeight?: Tensor | null): Tensor {
    const rho = this.#rho
    const distance = abs(subtract(alike(label, pred), pred))
    const line = subtract(distance, 0.5 * rho)
    const loss = where(greater(distance, rho), line, multiply(square(distance), 0.5 / rho))
    return this.perSample(loss, sampleWeight)
  }
}

/** Options of `PoissonNLLLoss`. */
export interface PoissonOptions extends LossOptions {
  /** Whether predictions are logarithms of means (the default). */
  readonly fromLogits?: boolean
  /** Whether Stirling's approximation of `log(target!)` is added; off by default. */
  readonly computeFull?: boolean
}

export interface PoissonNLLLoss {
  /** The mean loss of all samples, a scalar; `epsilon` (1e-8) keeps the logarithm of a mean of 0 finite. */
  <T extends Tensor>(pred: T, target: T, sampleWeight?: T | null, epsilon?: number): T
}

/**
 * The negative logarithm of a Poisson distribution; one scalar, the mean over everything: `(N, …), (N, …) -> ()`.
 *
 * `e^pred - target·pred`, or `pred - target·log(pred + epsilon)` without `fromLogits`; with `computeFull` plus
 * `target·log(target) - target + ½·log(2π·target)` where the target is above 1.
 * @example
 * const poisson = new gluon.loss.PoissonNLLLoss()
 * await poisson(nd.array([[0]]), nd.array([[3]])).asScalar() // => 1
 * @see MXNet `gluon.loss.PoissonNLLLoss`
 */
// biome-ignore lint/suspicious/noUnsafeDeclarationMerging: the interface holds only the call signature
export class PoissonNLLLoss extends Loss {
  readonly #fromLogits: boolean
  readonly #computeFull: boolean

  constructor(options: PoissonOptions = {}) {
    super(options, ['fromLogits', 'computeFull'])
    this.#fromLogits = options.fromLogits ?? true
    this.#computeFull = options.computeFull ?? false
  }

  override forward(
    pred: Tensor,
    label: Tensor,
    sampleWeight?: Tensor | null,
    epsilon: Tensor | number = 1e-8,
  ): Tensor {
    const target = alike(label, pred)
    let loss = this.#fromLogits
      ? subtract(exp(pred), multiply(target, pred))
      : subtract(pred, multiply(target, log(add(pred, epsilon as number))))
    if (this.#computeFull) loss = add(loss, stirling(target))
    return mean(this.weighed(loss, sampleWeight))
  }
}

/** `log(target!)` after Stirling where the target is above 1, else 0. */
function stirling(target: Tensor): Tensor {
  const safe = maximum(target, 1)
  const half = multiply(log(multiply(safe, 2 * Math.PI)), 0.5)
  const value = add(subtract(multiply(safe, log(safe)), safe), half)
  return multiply(value, greater(target, 1))
}
