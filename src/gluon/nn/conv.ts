/** Convolutional layers and their transposes, over one, two or three axes. */

import { fail } from '../../base/error.ts'
import { checkOptions } from '../../base/options.ts'
import { formatShape } from '../../base/shape.ts'
import type { Tensor } from '../../core/tensor.ts'
import type { InitLike } from '../../initializer/initializer.ts'
import { type ConvolutionOptions, convolution, deconvolution } from '../../ops/convolution.ts'
import { type BlockOptions, blockOptions, HybridBlock } from '../block.ts'
import type { Parameter } from '../parameter.ts'
import { Activation, type ActivationName } from './basic.ts'

/** One size for every axis, or one each. */
export type Sizes = number | readonly number[]

/** One size an axis. */
export function perAxis(
  where: string,
  name: string,
  given: Sizes,
  axes: number,
): readonly number[] {
  const sizes = typeof given === 'number' ? new Array<number>(axes).fill(given) : given
  const fits = Array.isArray(sizes) && sizes.length === axes && sizes.every(Number.isInteger)
  if (!fits)
    fail(where, `${name} is ${JSON.stringify(given)}: it must be an integer or ${axes} of them`)
  return sizes
}

/** Options of convolutional layers. */
export interface ConvOptions extends BlockOptions {
  /** 1 by default. */
  readonly strides?: Sizes
  /** 0 by default. */
  readonly padding?: Sizes
  /** 1 by default. */
  readonly dilation?: Sizes
  /** Groups of channels that do not see each other; 1 by default. */
  readonly groups?: number
  /** The order of axes; `NCW`, `NCHW` or `NCDHW` by default. */
  readonly layout?: string
  /** A function applied to the result; none by default. */
  readonly activation?: ActivationName | null
  /** Whether to add a bias; yes by default. */
  readonly useBias?: boolean
  readonly weightInitializer?: InitLike | null
  /** Zeros by default. */
  readonly biasInitializer?: InitLike
  /** Channels of the input; told by the first input when left out. */
  readonly inChannels?: number
}

/** Options of transposed convolutional layers. */
export interface ConvTransposeOptions extends ConvOptions {
  /** Rows added at the end of the result; smaller than the stride. */
  readonly outputPadding?: Sizes
}

const convOptions = [
  ...blockOptions,
  'strides',
  'padding',
  'dilation',
  'groups',
  'layout',
  'activation',
  'useBias',
  'weightInitializer',
  'biasInitializer',
  'inChannels',
]

export const layouts = ['NCW', 'NCHW', 'NCDHW'] as const

/** What all convolutional layers are. */
abstract class Conv extends HybridBlock {
  readonly weight: Parameter
  readonly bias: Parameter | null
  readonly act: Activation | null
  protected readonly attrs: ConvolutionOptions
  protected readonly transposed: boolean
  protected readonly outputPadding: readonly number[]

  constructor(
    where: string,
    axes: number,
    channels: number,
    kernelSize: Sizes,
    options: ConvTransposeOptions,
    transposed: boolean,
  ) {
    super(
      checkOptions(where, options, transposed ? [...convOptions, 'outputPadding'] : convOptions),
      'conv',
    )
    if (!Number.isInteger(channels) || channels <= 0)
      fail(where, `channels is ${String(channels)}: it must be an integer above 0`)
    const sizes = (name: string, given: Sizes): readonly number[] =>
      perAxis(where, name, given, axes)
    const { groups = 1, useBias = true, activation = null, inChannels = 0 } = options
    const layout = (options.layout ?? layouts[axes - 1]!) as (typeof layouts)[number]
    this.transposed = transposed
    this.outputPadding = sizes('outputPadding', options.outputPadding ?? 0)
    this.attrs = {
      kernel: sizes('kernelSize', kernelSize),
      stride: sizes('strides', options.strides ?? 1),
      dilate: sizes('dilation', options.dilation ?? 1),
      pad: sizes('padding', options.padding ?? 0),
      numFilter: channels,
      numGroup: groups,
      noBias: !useBias,
      layout,
    }
    this.weight = this.params.get('weight', {
      shape: this.#weightShape(inChannels),
      init: options.weightInitializer ?? null,
      allowDeferredInit: true,
    })
    this.bias = useBias
      ? this.params.get('bias', {
          shape: [channels],
          init: options.biasInitializer ?? 'zeros',
          allowDeferredInit: true,
        })
      : null
    this.act =
      activation === null
        ? null
        : this.nameScope(() => new Activation(activation, { prefix: `${activation}_` }))
  }

  get #channelsLast(): boolean {
    return this.attrs.layout?.endsWith('C') ?? false
  }

  #weightShape(inChannels: number): number[] {
    const { numFilter, numGroup = 1, kernel } = this.attrs
    const groups = numGroup
    const [out, inner] = this.transposed
      ? [inChannels, numFilter / groups]
      : [numFilter, inChannels / groups]
    return this.#channelsLast ? [out, ...kernel, inner] : [out, inner, ...kernel]
  }

  override inferShape(x: Tensor): void {
    const channels = x.shape[this.#channelsLast ? x.shape.length - 1 : 1] ?? 0
    this.weight.shape = this.#weightShape(channels)
  }

  protected override get operatorName(): string {
    return 'fwd'
  }

  override forward(x: Tensor): Tensor {
    const [weight, bias] = [this.weight.data() as Tensor, this.bias?.data()]
    const y = this.transposed
      ? deconvolution(x, weight, bias, { ...this.attrs, adj: this.outputPadding })
      : convolution(x, weight, bias, this.attrs)
    return this.act === null ? y : this.act(y)
  }

  protected override describe(): string {
    const { kernel, stride, pad, dilate, numFilter, numGroup } = this.attrs
    const shape = this.weight.shape!
    const at = this.transposed ? 0 : this.#channelsLast ? shape.length - 1 : 1
    const parts = [
      `${shape[at] || 'None'} -> ${numFilter}`,
      `kernel_size=${formatShape(kernel)}`,
      `stride=${formatShape(stride!)}`,
    ]
    if (pad!.some((p) => p !== 0)) parts.push(`padding=${formatShape(pad!)}`)
    if (dilate!.some((d) => d !== 1)) parts.push(`dilation=${formatShape(dilate!)}`)
    if (this.outputPadding.some((p) => p !== 0))
      parts.push(`output_padding=${formatShape(this.outputPadding)}`)
    if (numGroup !== 1) parts.push(`groups=${numGroup}`)
    if (this.bias === null) parts.push('bias=False')
    if (this.act !== null) parts.push(String(this.act))
    return `(${parts.join(', ')})`
  }
}

/**
 * Convolution over one axis.
 *
 * `(N, C, W) -> (N, channels, B)`, `B = floor((W + 2·padding - dilation·(kernel - 1) - 1)/strides) + 1`; weight
 * `(channels, C/groups, kernel)`, bias `(channels,)`.
 * @throws MXNetError when sizes do not fit.
 * @example
 * new gluon.nn.Conv1D(8, 3, { padding: 1 })
 * @see MXNet `gluon.nn.Conv1D`
 */
export class Conv1D extends Conv {
  constructor(channels: number, kernelSize: Sizes, options: ConvOptions = {}) {
    super('Conv1D', 1, channels, kernelSize, options, false)
  }
}

/**
 * Convolution over two axes.
 *
 * `(N, C, H, W) -> (N, channels, A, B)`; weight `(channels, C/groups, kernel…)`, bias `(channels,)`; with layout `NHWC` data
 * `(N, H, W, C)` and weight `(channels, kernel…, C/groups)`.
 * @throws MXNetError when sizes do not fit.
 * @example
 * const layer = new gluon.nn.Conv2D(20, 5, { activation: 'relu' })
 * @see MXNet `gluon.nn.Conv2D`
 */
export class Conv2D extends Conv {
  constructor(channels: number, kernelSize: Sizes, options: ConvOptions = {}) {
    super('Conv2D', 2, channels, kernelSize, options, false)
  }
}

/**
 * Convolution over three axes.
 *
 * `(N, C, D, H, W) -> (N, channels, A, B, E)`; weight `(channels, C/groups, kernel…)`, bias `(channels,)`.
 * @throws MXNetError when sizes do not fit.
 * @example
 * new gluon.nn.Conv3D(4, [3, 3, 3])
 * @see MXNet `gluon.nn.Conv3D`
 */
export class Conv3D extends Conv {
  constructor(channels: number, kernelSize: Sizes, options: ConvOptions = {}) {
    super('Conv3D', 3, channels, kernelSize, options, false)
  }
}

/**
 * Transposed convolution over one axis.
 *
 * `(N, C, W) -> (N, channels, B)`, `B = strides·(W - 1) + dilation·(kernel - 1) + 1 - 2·padding + outputPadding`; weight
 * `(C, channels/groups, kernel)`, bias `(channels,)`.
 * @throws MXNetError when sizes do not fit.
 * @example
 * new gluon.nn.Conv1DTranspose(8, 3, { strides: 2 })
 * @see MXNet `gluon.nn.Conv1DTranspose`
 */
export class Conv1DTranspose extends Conv {
  constructor(channels: number, kernelSize: Sizes, options: ConvTransposeOptions = {}) {
    super('Conv1DTranspose', 1, channels, kernelSize, options, true)
  }
}

/**
 * Transposed convolution over two axes.
 *
 * `(N, C, H, W) -> (N, channels, A, B)`; weight `(C, channels/groups, kernel…)`, bias `(channels,)`.
 * @throws MXNetError when sizes do not fit.
 * @example
 * new gluon.nn.Conv2DTranspose(3, 4, { strides: 2, padding: 1 })
 * @see MXNet `gluon.nn.Conv2DTranspose`
 */
export class Conv2DTranspose extends Conv {
  constructor(channels: number, kernelSize: Sizes, options: ConvTransposeOptions = {}) {
    super('Conv2DTranspose', 2, channels, kernelSize, options, true)
  }
}

/**
 * Transposed convolution over three axes.
 *
 * `(N, C, D, H, W) -> (N, channels, A, B, E)`; weight `(C, channels/groups, kernel…)`, bias `(channels,)`.
 * @throws MXNetError when sizes do not fit.
 * @example
 * new gluon.nn.Conv3DTranspose(2, 3)
 * @see MXNet `gluon.nn.Conv3DTranspose`
 */
export class Conv3DTranspose extends Conv {
  constructor(channels: number, kernelSize: Sizes, options: ConvTransposeOptions = {}) {
    super('Conv3DTranspose', 3, channels, kernelSize, options, true)
  }
}
