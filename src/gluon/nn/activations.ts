/** Activations with settings of their own, as layers. */

import { fail } from '../../base/error.ts'
import { checkOptions } from '../../base/options.ts'
import type { Tensor } from '../../core/tensor.ts'
import { Constant } from '../../initializer/distributions.ts'
import type { InitLike } from '../../initializer/initializer.ts'
import { sigmoid } from '../../ops/activation.ts'
import { leakyReLU } from '../../ops/leakyRelu.ts'
import { type BlockOptions, blockOptions, HybridBlock } from '../block.ts'
import type { Parameter } from '../parameter.ts'

/**
 * Positive elements as they are, the others times `alpha`.
 *
 * `out = x > 0 ? x : alpha·x`; shape `(A…) -> (A…)`.
 * @throws MXNetError for a negative alpha.
 * @example
 * new gluon.nn.LeakyReLU(0.1)
 * @see MXNet `gluon.nn.LeakyReLU`
 */
export class LeakyReLU extends HybridBlock {
  readonly #alpha: number

  constructor(alpha: number, options: BlockOptions = {}) {
    super(checkOptions('LeakyReLU', options, blockOptions))
    if (!(typeof alpha === 'number' && alpha >= 0))
      fail('LeakyReLU', `alpha is ${String(alpha)}: it must be a number of at least 0`)
    this.#alpha = alpha
  }

  protected override get operatorName(): string {
    return 'fwd'
  }

  override forward(x: Tensor): Tensor {
    return leakyReLU(x, null, { actType: 'leaky', slope: this.#alpha })
  }

  protected override describe(): string {
    return `(${this.#alpha})`
  }
}

/** Options of `PReLU`. */
export interface PReLUOptions extends BlockOptions {
  /** The constant 0.25 by default. */
  readonly alphaInitializer?: InitLike
  /** One slope for each channel, or 1 (the default) for all. */
  readonly inChannels?: number
}

/**
 * Positive elements as they are, the others times a slope that is learned.
 *
 * `out = x > 0 ? x : alpha·x`; `(N, C, …) -> (N, C, …)`, alpha `(inChannels,)`.
 * @example
 * new gluon.nn.PReLU()
 * @see MXNet `gluon.nn.PReLU`
 */
export class PReLU extends HybridBlock {
  readonly alpha: Parameter

  constructor(options: PReLUOptions = {}) {
    super(checkOptions('PReLU', options, [...blockOptions, 'alphaInitializer', 'inChannels']))
    this.alpha = this.params.get('alpha', {
      shape: [options.inChannels ?? 1],
      init: options.alphaInitializer ?? new Constant(0.25),
    })
  }

  protected override get operatorName(): string {
    return 'fwd'
  }

  override forward(x: Tensor): Tensor {
    return leakyReLU(x, this.alpha.data() as Tensor, { actType: 'prelu' })
  }
}

/**
 * Positive elements as they are, the others an exponential that ends at `-alpha`.
 *
 * `out = x > 0 ? x : alpha·(eˣ - 1)`; shape `(A…) -> (A…)`.
 * @example
 * new gluon.nn.ELU()
 * @see MXNet `gluon.nn.ELU`
 */
export class ELU extends HybridBlock {
  readonly #alpha: number

  constructor(alpha = 1, options: BlockOptions = {}) {
    super(checkOptions('ELU', options, blockOptions))
    this.#alpha = alpha
  }

  override forward(x: Tensor): Tensor {
    return leakyReLU(x, null, { actType: 'elu', slope: this.#alpha })
  }
}

/**
 * The exponential linear unit whose constants keep mean 0 and deviation 1 through layers.
 *
 * `out = λ·(x > 0 ? x : α·(eˣ - 1))`; shape `(A…) -> (A…)`.
 * @example
 * new gluon.nn.SELU()
 * @see MXNet `gluon.nn.SELU`
 */
export class SELU extends HybridBlock {
  constructor(options: BlockOptions = {}) {
    super(checkOptions('SELU', options, blockOptions))
  }

  protected override get operatorName(): string {
    return 'fwd'
  }

  override forward(x: Tensor): Tensor {
    return leakyReLU(x, null, { actType: 'selu' })
  }
}

/**
 * Each element times the probability that a normal number is below it.
 *
 * `out = x·(1 + erf(x/√2))/2`; shape `(A…) -> (A…)`.
 * @example
 * new gluon.nn.GELU()
 * @see MXNet `gluon.nn.GELU`
 */
export class GELU extends HybridBlock {
  constructor(options: BlockOptions = {}) {
    super(checkOptions('GELU', options, blockOptions))
  }

  protected override get operatorName(): string {
    return 'fwd'
  }

  override forward(x: Tensor): Tensor {
    return leakyReLU(x, null, { actType: 'gelu' })
  }
}

/**
 * Each element times its logistic function.
 *
 * `out = x·sigmoid(beta·x)`; shape `(A…) -> (A…)`.
 * @example
 * new gluon.nn.Swish()
 * @see MXNet `gluon.nn.Swish`
 */
export class Swish extends HybridBlock {
  readonly #beta: number

  constructor(beta = 1, options: BlockOptions = {}) {
    super(checkOptions('Swish', options, blockOptions))
    this.#beta = beta
  }

  override forward(x: Tensor): Tensor {
    return x.mul(sigmoid(x.mul(this.#beta)))
  }
}
