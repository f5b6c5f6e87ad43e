/** The layers that every network has: Dense, Activation, Dropout, Flatten, and layers made of a function. */

import type { DType } from '../../base/dtype.ts'
import { fail } from '../../base/error.ts'
import { checkOptions } from '../../base/options.ts'
import { formatShape } from '../../base/shape.ts'
import { type Tensor, Unbound } from '../../core/tensor.ts'
import type { InitLike } from '../../initializer/initializer.ts'
import { type ActType, activation as activate } from '../../ops/activation.ts'
import { identity } from '../../ops/cast.ts'
import { fullyConnected } from '../../ops/dense.ts'
import { flatten as flattenAxes } from '../../ops/movement.ts'
import { dropout } from '../../ops/random.ts'
import { Block, type BlockOptions, blockOptions, HybridBlock } from '../block.ts'
import type { Parameter } from '../parameter.ts'

/** The functions that `Activation` applies. */
export type ActivationName = ActType

const denseOptions = [
  ...blockOptions,
  'activation',
  'useBias',
  'flatten',
  'dtype',
  'weightInitializer',
  'biasInitializer',
  'inUnits',
]

/** Options of `Dense`. */
export interface DenseOptions extends BlockOptions {
  /** A function applied to the result; none by default. */
  readonly activation?: ActivationName | null
  /** Whether to add a bias; yes by default. */
  readonly useBias?: boolean
  /** Whether all axes but the first count as one; yes by default. */
  readonly flatten?: boolean
  readonly dtype?: DType
  readonly weightInitializer?: InitLike | null
  /** Zeros by default. */
  readonly biasInitializer?: InitLike
  /** The size of the input; told by the first input when left out. */
  readonly inUnits?: number
}

/**
 * A fully connected layer.
 *
 * `out = act(x · weightᵀ + bias)`; `(N, …) -> (N, units)`, without `flatten` `(…, I) -> (…, units)`;
 * weight `(units, I)`, bias `(units,)`.
 * @throws MXNetError when an input does not have the size that the weight expects.
 * @example
 * const layer = new gluon.nn.Dense(64, { activation: 'relu' })
 * @see MXNet `gluon.nn.Dense`
 */
export class Dense extends HybridBlock {
  readonly weight: Parameter
  readonly bias: Parameter | null
  readonly act: Activation | null
  readonly #units: number
  readonly #flatten: boolean

  constructor(units: number, options: DenseOptions = {}) {
    super(checkOptions('Dense', options, denseOptions))
    if (!Number.isInteger(units) || units <= 0) {
      fail('Dense', `units is ${String(units)}: it must be an integer above 0`)
    }
    const {
      dtype = 'float32',
      flatten = true,
      useBias = true,
      activation = null,
      inUnits = 0,
    } = options
    this.#units = units
    this.#flatten = flatten
    this.weight = this.params.get('weight', {
      shape: [units, inUnits],
      dtype,
      init: options.weightInitializer ?? null,
      allowDeferredInit: true,
    })
    this.bias = useBias
      ? this.params.get('bias', {
          shape: [units],
          dtype,
          init: options.biasInitializer ?? 'zeros',
          allowDeferredInit: true,
        })
      : null
    this.act =
      activation === null
        ? null
        : this.nameScope(() => new Activation(activation, { prefix: `${activation}_` }))
  }

  override inferShape(x: Tensor): void {
    const sizes = this.#flatten ? x.shape.slice(1) : x.shape.slice(-1)
    this.weight.shape = [this.#units, sizes.reduce((a, b) => a * b, 1)]
  }

  protected override get operatorName(): string {
    return 'fwd'
  }

  override forward(x: Tensor): Tensor {
    const weight: Tensor = this.weight.data()
    const attrs = { numHidden: this.#units, flatten: this.#flatten, noBias: this.bias === null }
    const y = fullyConnected(x, weight, this.bias?.data(), attrs)
    return this.act === null ? y : this.act(y)
  }

  protected override describe(): string {
    const [units, inner] = this.weight.shape!
    return `(${inner || 'None'} -> ${units}, ${this.act === null ? 'linear' : String(this.act)})`
  }
}

/**
 * A function applied to every element: relu, sigmoid, tanh, softrelu or softsign.
 * @throws MXNetError for another name.
 * @example
 * new gluon.nn.Activation('relu')
 * @see MXNet `gluon.nn.Activation`
 */
export class Activation extends HybridBlock {
  readonly #act: ActivationName

  constructor(activation: ActivationName, options: BlockOptions = {}) {
    super(checkOptions('Activation', options, blockOptions), String(activation))
    this.#act = activation
  }

  protected override get operatorName(): string {
    return 'fwd'
  }

  override forward(x: Tensor): Tensor {
    return activate(x, { actType: this.#act })
  }

  protected override describe(): string {
    return `(${this.#act})`
  }
}

/** Options of `Dropout`. */
export interface DropoutOptions extends BlockOptions {
  /** Axes along which all elements are dropped together. */
  readonly axes?: readonly number[]
}

/**
 * While training, sets elements to 0 with probability `rate` and scales the others by `1/(1 - rate)`.
 * @throws MXNetError unless `0 <= rate < 1`.
 * @example
 * new gluon.nn.Dropout(0.5)
 * @see MXNet `gluon.nn.Dropout`
 */
export class Dropout extends HybridBlock {
  readonly #rate: number
  readonly #axes: readonly number[]

  constructor(rate: number, options: DropoutOptions = {}) {
    super(checkOptions('Dropout', options, [...blockOptions, 'axes']))
    if (typeof rate !== 'number' || !(rate >= 0 && rate < 1)) {
      fail('Dropout', `rate is ${String(rate)}: it must be at least 0 and below 1`)
    }
    this.#rate = rate
    this.#axes = options.axes ?? []
  }

  protected override get operatorName(): string | null {
    return this.#rate === 0 ? null : 'fwd'
  }

  override forward(x: Tensor): Tensor {
    // MXNet's files have a node for it.
    if (this.#rate === 0) return x instanceof Unbound ? identity(x) : x
    return dropout(x, { p: this.#rate, axes: this.#axes, cudnnOff: false })
  }

  protected override describe(): string {
    return `(p = ${this.#rate}, axes=${formatShape(this.#axes)})`
  }
}

/**
 * Makes all axes but the first one: `(N, …) -> (N, product)`.
 * @example
 * new gluon.nn.Flatten()
 * @see MXNet `gluon.nn.Flatten`
 */
export class Flatten extends HybridBlock {
  constructor(options: BlockOptions = {}) {
    super(checkOptions('Flatten', options, blockOptions))
  }

  override forward(x: Tensor): Tensor {
    return flattenAxes(x)
  }

  protected override describe(): string {
    return ''
  }
}

/**
 * A function as a layer.
 * @throws MXNetError when it is given something else.
 * @example
 * new gluon.nn.Lambda((x) => x.mul(2))
 * @see MXNet `gluon.nn.Lambda`
 */
export class Lambda extends Block {
  readonly #function: (...inputs: Tensor[]) => Tensor

  constructor(fn: (...inputs: Tensor[]) => Tensor, options: BlockOptions = {}) {
    super(checkOptions('Lambda', options, blockOptions))
    this.#function = checkFunction('Lambda', fn)
  }

  override forward(...inputs: Tensor[]): Tensor {
    return this.#function(...inputs)
  }

  protected override describe(): string {
    return `(${this.#function.name || '<lambda>'})`
  }
}

/**
 * A function of tensor operators as a layer.
 * @throws MXNetError when it is given something else.
 * @example
 * new gluon.nn.HybridLambda((x) => nd.relu(x))
 * @see MXNet `gluon.nn.HybridLambda`
 */
export class HybridLambda extends HybridBlock {
  readonly #function: (...inputs: Tensor[]) => Tensor

  constructor(fn: (...inputs: Tensor[]) => Tensor, options: BlockOptions = {}) {
    super(checkOptions('HybridLambda', options, blockOptions))
    this.#function = checkFunction('HybridLambda', fn)
  }

  override forward(...inputs: Tensor[]): Tensor {
    return this.#function(...inputs)
  }

  protected override describe(): string {
    return `(${this.#function.name || '<lambda>'})`
  }
}

function checkFunction<F>(where: string, fn: F): F {
  if (typeof fn !== 'function')
    fail(where, `${String(fn)} is not a function: give one, such as (x) => x.relu()`)
  return fn
}
