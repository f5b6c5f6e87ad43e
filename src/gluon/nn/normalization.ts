/** Normalization layers. */

import type { DType } from '../../base/dtype.ts'
import { checkOptions } from '../../base/options.ts'
import type { Tensor } from '../../core/tensor.ts'
import type { InitLike } from '../../initializer/initializer.ts'
import { batchNorm, batchNormWithReLU } from '../../ops/batchNorm.ts'
import { groupNorm, instanceNorm, layerNorm } from '../../ops/normalization.ts'
import { type BlockOptions, blockOptions, HybridBlock } from '../block.ts'
import type { Parameter } from '../parameter.ts'

/** Options that normalization layers share. */
export interface NormOptions extends BlockOptions {
  /** Added to variances; 1e-5 by default. */
  readonly epsilon?: number
  /** Whether beta is trained; yes by default. */
  readonly center?: boolean
  /** Whether gamma is trained. */
  readonly scale?: boolean
  /** Zeros by default. */
  readonly betaInitializer?: InitLike
  /** Ones by default. */
  readonly gammaInitializer?: InitLike
}

/** Options of layers that normalize along an axis. */
export interface AxisNormOptions extends NormOptions {
  readonly axis?: number
  /** Channels of the input; told by the first input when left out. */
  readonly inChannels?: number
}

/** Options of `BatchNorm`. */
export interface BatchNormLayerOptions extends AxisNormOptions {
  /** How much of the running statistics stays at each step; 0.9 by default. */
  readonly momentum?: number
  /** Whether running statistics are used while training, too; no by default. */
  readonly useGlobalStats?: boolean
  /** Zeros by default. */
  readonly runningMeanInitializer?: InitLike
  /** Ones by default. */
  readonly runningVarianceInitializer?: InitLike
}

const normOptions = [
  ...blockOptions,
  'epsilon',
  'center',
  'scale',
  'betaInitializer',
  'gammaInitializer',
]
const axisOptions = [...normOptions, 'axis', 'inChannels']

/** A number as Python writes it: `1e-05`. */
function python(v: number | boolean): string {
  if (typeof v === 'boolean') return v ? 'True' : 'False'
  if (v === 0 || Math.abs(v) >= 1e-4) return String(v)
  return v.toExponential().replace(/e-(\d)$/, 'e-0$1')
}

const listed = (settings: { readonly [name: string]: number | boolean }): string =>
  Object.entries(settings)
    .map(([name, v]) => `${name}=${python(v)}`)
    .join(', ')

/** What normalization layers are: gamma and beta, one number for each of `count` channels (0: told by the input). */
abstract class Norm extends HybridBlock {
  readonly gamma: Parameter
  readonly beta: Parameter

  constructor(
    where: string,
    options: NormOptions,
    known: readonly string[],
    count: number,
    scaled: boolean,
  ) {
    super(checkOptions(where, options, known), where.toLowerCase())
    const { center = true, scale = scaled } = options
    this.gamma = this.params.get('gamma', {
      shape: [count],
      init: options.gammaInitializer ?? 'ones',
      gradReq: scale ? 'write' : 'null',
      allowDeferredInit: true,
      differentiable: scale,
    })
    this.beta = this.params.get('beta', {
      shape: [count],
      init: options.betaInitializer ?? 'zeros',
      gradReq: center ? 'write' : 'null',
      allowDeferredInit: true,
      differentiable: center,
    })
  }
}

/** The size of an axis, counted from the end when negative. */
const sizeAlong = (x: Tensor, axis: number): number =>
  x.shape[axis < 0 ? axis + x.shape.length : axis] ?? 0

/**
 * Normalizes each channel over the batch while training, by running statistics otherwise.
 *
 * `out = (x - mean)/√(var + epsilon)·gamma + beta`, `running = running·momentum + batch·(1 - momentum)`;
 * `(N, C, …) -> (N, C, …)` with C along `axis`. gamma, beta, running_mean and running_var are `(C,)`; without `scale` gamma
 * stays 1. `cast` to 16 bits leaves the parameters in float32.
 * @throws MXNetError when the axis is out of range.
 * @example
 * const layer = new gluon.nn.BatchNorm({ momentum: 0.8 })
 * @see MXNet `gluon.nn.BatchNorm`
 */
export class BatchNorm extends Norm {
  readonly runningMean: Parameter
  readonly runningVar: Parameter
  protected readonly settings: {
    readonly axis: number
    readonly eps: number
    readonly momentum: number
    readonly fixGamma: boolean
    readonly useGlobalStats: boolean
  }

  constructor(options: BatchNormLayerOptions = {}) {
    const { inChannels = 0, scale = true } = options
    const known = [
      ...axisOptions,
      'momentum',
      'useGlobalStats',
      'runningMeanInitializer',
      'runningVarianceInitializer',
    ]
    super(new.target.name, options, known, inChannels, true)
    this.settings = {
      axis: options.axis ?? 1,
      eps: options.epsilon ?? 1e-5,
      momentum: options.momentum ?? 0.9,
      fixGamma: !scale,
      useGlobalStats: options.useGlobalStats ?? false,
    }
    const running = (name: string, init: InitLike): Parameter =>
      this.params.get(name, {
        shape: [inChannels],
        init,
        gradReq: 'null',
        allowDeferredInit: true,
        differentiable: false,
      })
    this.runningMean = running('running_mean', options.runningMeanInitializer ?? 'zeros')
    this.runningVar = running('running_var', options.runningVarianceInitializer ?? 'ones')
  }

  override inferShape(x: Tensor): void {
    const channels = [sizeAlong(x, this.settings.axis)]
    for (const p of [this.gamma, this.beta, this.runningMean, this.runningVar]) p.shape = channels
  }

  override cast(dtype: DType): void {
    super.cast(dtype === 'float16' || dtype === 'bfloat16' ? 'float32' : dtype)
  }

  protected override get operatorName(): string {
    return 'fwd'
  }

  override forward(x: Tensor): Tensor {
    const [gamma, beta] = [this.gamma.data() as Tensor, this.beta.data() as Tensor]
    const [mean, variance] = [this.runningMean.data() as Tensor, this.runningVar.data() as Tensor]
    return batchNorm(x, gamma, beta, mean, variance, this.settings)
  }

  protected override describe(): string {
    const { axis, eps, momentum, fixGamma, useGlobalStats } = this.settings
    const text = listed({
      axis,
      eps,
      momentum,
      fix_gamma: fixGamma,
      use_global_stats: useGlobalStats,
    })
    return `(${text}, in_channels=${this.gamma.shape![0] || 'None'})`
  }
}

/**
 * `BatchNorm` and relu in one layer.
 *
 * `out = max(0, batchNorm(x))`; `(N, C, …) -> (N, C, …)`.
 * @example
 * new gluon.nn.BatchNormReLU()
 * @see MXNet `gluon.nn.BatchNormReLU`
 */
export class BatchNormReLU extends BatchNorm {
  override forward(x: Tensor): Tensor {
    const [gamma, beta] = [this.gamma.data() as Tensor, this.beta.data() as Tensor]
    const [mean, variance] = [this.runningMean.data() as Tensor, this.runningVar.data() as Tensor]
    return batchNormWithReLU(x, gamma, beta, mean, variance, this.settings) as Tensor
  }
}

/**
 * Normalizes each line of elements along an axis, the last one by default.
 *
 * `out = (x - mean)/√(var + epsilon)·gamma + beta`; `(A…, C) -> (A…, C)`, gamma and beta `(C,)`.
 * @throws MXNetError when the axis is out of range.
 * @example
 * const layer = new gluon.nn.LayerNorm()
 * @see MXNet `gluon.nn.LayerNorm`
 */
export class LayerNorm extends Norm {
  readonly #axis: number
  readonly #eps: number
  readonly #text: string

  constructor(options: AxisNormOptions = {}) {
    super('LayerNorm', options, axisOptions, options.inChannels ?? 0, true)
    const { axis = -1, epsilon: eps = 1e-5, center = true, scale = true } = options
    this.#axis = axis
    this.#eps = eps
    this.#text = listed({ eps, axis, center, scale })
  }

  override inferShape(x: Tensor): void {
    for (const p of [this.gamma, this.beta]) p.shape = [sizeAlong(x, this.#axis)]
  }

  override forward(x: Tensor): Tensor {
    const [gamma, beta] = [this.gamma.data() as Tensor, this.beta.data() as Tensor]
    return layerNorm(x, gamma, beta, { axis: this.#axis, eps: this.#eps })
  }

  protected override describe(): string {
    return `(${this.#text}, in_channels=${this.gamma.shape![0] || 'None'})`
  }
}

/**
 * Normalizes each channel of each sample; gamma is not trained unless `scale` says so.
 *
 * `out = (x - mean)/√(var + epsilon)·gamma + beta`; `(N, C, …) -> (N, C, …)` with C along `axis`, gamma and beta `(C,)`.
 * @throws MXNetError for fewer than 3 axes.
 * @example
 * new gluon.nn.InstanceNorm({ scale: true })
 * @see MXNet `gluon.nn.InstanceNorm`
 */
export class InstanceNorm extends Norm {
  readonly #axis: number
  readonly #eps: number
  readonly #text: string

  constructor(options: AxisNormOptions = {}) {
    super('InstanceNorm', options, axisOptions, options.inChannels ?? 0, false)
    const { axis = 1, epsilon: eps = 1e-5, center = true, scale = false } = options
    this.#axis = axis
    this.#eps = eps
    this.#text = listed({ eps, axis, center, scale })
  }

  override inferShape(x: Tensor): void {
    for (const p of [this.gamma, this.beta]) p.shape = [sizeAlong(x, this.#axis)]
  }

  protected override get operatorName(): string {
    return 'fwd'
  }

  override forward(x: Tensor): Tensor {
    const [gamma, beta] = [this.gamma.data() as Tensor, this.beta.data() as Tensor]
    const axis = this.#axis
    if (axis === 1) return instanceNorm(x, gamma, beta, { eps: this.#eps })
    const turned = x.swapaxes(1, axis)
    return instanceNorm(turned, gamma, beta, { eps: this.#eps }).swapaxes(1, axis)
  }

  protected override describe(): string {
    return `(${this.#text}, in_channels=${this.gamma.shape![0] || 'None'})`
  }
}

/** Options of `GroupNorm`. */
export interface GroupNormLayerOptions extends NormOptions {
  /** 1 by default. */
  readonly numGroups?: number
}

/**
 * Normalizes each group of channels of each sample.
 *
 * `out = (x - mean)/√(var + epsilon)·gamma + beta`; `(N, C, …) -> (N, C, …)`, gamma and beta `(numGroups,)`.
 * @throws MXNetError when the channels are not divisible by `numGroups`.
 * @example
 * new gluon.nn.GroupNorm({ numGroups: 2 })
 * @see MXNet `gluon.nn.GroupNorm`
 */
export class GroupNorm extends Norm {
  readonly #groups: number
  readonly #eps: number
  readonly #text: string

  constructor(options: GroupNormLayerOptions = {}) {
    const { numGroups = 1, epsilon: eps = 1e-5, center = true, scale = true } = options
    super('GroupNorm', options, [...normOptions, 'numGroups'], numGroups, true)
    this.#groups = numGroups
    this.#eps = eps
    this.#text = listed({ eps, num_groups: numGroups, center, scale })
  }

  override forward(x: Tensor): Tensor {
    const [gamma, beta] = [this.gamma.data() as Tensor, this.beta.data() as Tensor]
    return groupNorm(x, gamma, beta, { numGroups: this.#groups, eps: this.#eps })
  }

  protected override describe(): string {
    return `(${this.#text})`
  }
}
