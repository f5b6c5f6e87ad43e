/** `gluon.contrib.cnn`: convolutions whose window is bent by offsets that they learn. */

import { fail } from '../../base/error.ts'
import { checkOptions } from '../../base/options.ts'
import { formatShape } from '../../base/shape.ts'
import type { Tensor } from '../../core/tensor.ts'
import type { InitLike } from '../../initializer/initializer.ts'
import { sigmoid } from '../../ops/activation.ts'
import { convolution } from '../../ops/convolution.ts'
import type { DeformableConvolutionOptions } from '../../ops/deformable.ts'
import { deformableConvolution, modulatedDeformableConvolution } from '../../ops/deformable.ts'
import { sliceAxis } from '../../ops/slicing.ts'
import { withNodeOptions } from '../../symbol/compose.ts'
import { type BlockOptions, blockOptions, HybridBlock } from '../block.ts'
import { Activation, type ActivationName } from '../nn/basic.ts'
import { perAxis, type Sizes } from '../nn/conv.ts'
import type { Parameter } from '../parameter.ts'

/** Options of deformable convolutions. */
export interface DeformableOptions extends BlockOptions {
  /** 1 by default. */
  readonly strides?: Sizes
  /** 0 by default. */
  readonly padding?: Sizes
  /** 1 by default. */
  readonly dilation?: Sizes
  /** Groups of channels that do not see each other; 1 by default. */
  readonly groups?: number
  /** Groups of channels with offsets of their own; 1 by default. */
  readonly numDeformableGroup?: number
  /** `NCHW`, the only order there is. */
  readonly layout?: 'NCHW'
  /** A function applied to the result; none by default. */
  readonly activation?: ActivationName | null
  /** Whether to add a bias; yes by default. */
  readonly useBias?: boolean
  /** Whether offsets have a bias; yes by default. */
  readonly offsetUseBias?: boolean
  readonly weightInitializer?: InitLike | null
  /** Zeros by default. */
  readonly biasInitializer?: InitLike
  /** Zeros by default: the window starts straight. */
  readonly offsetWeightInitializer?: InitLike
  /** Zeros by default. */
  readonly offsetBiasInitializer?: InitLike
  /** Channels of the input; told by the first input when left out. */
  readonly inChannels?: number
}

const known = [
  ...blockOptions,
  'strides',
  'padding',
  'dilation',
  'groups',
  'numDeformableGroup',
  'layout',
  'activation',
  'useBias',
  'offsetUseBias',
  'weightInitializer',
  'biasInitializer',
  'offsetWeightInitializer',
  'offsetBiasInitializer',
  'inChannels',
]

/** In symbols, the bent convolution has the name that the operator of a layer has. */
const named = <R>(body: () => R): R => withNodeOptions({ name: 'fwd' }, body)

/** What both versions are: a convolution that gives offsets, and one that reads where they point. */
abstract class Deformable extends HybridBlock {
  readonly offsetWeight: Parameter
  readonly offsetBias: Parameter | null
  readonly deformableConvWeight: Parameter
  readonly deformableConvBias: Parameter | null
  readonly act: Activation | null
  protected readonly window: {
    readonly kernel: readonly number[]
    readonly stride: readonly number[]
    readonly dilate: readonly number[]
    readonly pad: readonly number[]
    readonly numGroup: number
  }
  protected readonly channels: number
  /** Offsets at each place: two for each tap and deformable group. */
  protected readonly offsets: number
  protected readonly numDeformableGroup: number
  readonly #learned: number

  /** `perTap`: how many numbers are learned for each tap. */
  constructor(
    where: string,
    hint: string,
    perTap: number,
    channels: number,
    kernelSize: Sizes,
    options: DeformableOptions,
  ) {
    super(checkOptions(where, options, known), hint)
    if (!Number.isInteger(channels) || channels <= 0)
      fail(where, `channels is ${String(channels)}: it must be an integer above 0`)
    const { layout = 'NCHW', groups = 1, numDeformableGroup = 1, inChannels = 0 } = options
    if (layout !== 'NCHW') fail(where, `layout is ${String(layout)}: it must be NCHW`)
    const sizes = (name: string, given: Sizes): readonly number[] => perAxis(where, name, given, 2)
    const kernel = sizes('kernelSize', kernelSize)
    this.window = {
      kernel,
      stride: sizes('strides', options.strides ?? 1),
      dilate: sizes('dilation', options.dilation ?? 1),
      pad: sizes('padding', options.padding ?? 0),
      numGroup: groups,
    }
    this.channels = channels
    this.numDeformableGroup = numDeformableGroup
    const taps = kernel[0]! * kernel[1]! * numDeformableGroup
    this.offsets = 2 * taps
    this.#learned = perTap * taps
    const make = (name: string, shape: readonly number[], init: InitLike | null): Parameter =>
      this.params.get(name, { shape, init, allowDeferredInit: true })
    const inner = [inChannels / groups, ...kernel]
    const { useBias = true, offsetUseBias = true } = options
    this.offsetWeight = make(
      'offset_weight',
      [this.#learned, ...inner],
      options.offsetWeightInitializer ?? 'zeros',
    )
    this.offsetBias = offsetUseBias
      ? make('offset_bias', [this.#learned], options.offsetBiasInitializer ?? 'zeros')
      : null
    this.deformableConvWeight = make(
      'deformable_conv_weight',
      [channels, ...inner],
      options.weightInitializer ?? null,
    )
    this.deformableConvBias = useBias
      ? make('deformable_conv_bias', [channels], options.biasInitializer ?? 'zeros')
      : null
    const { activation = null } = options
    this.act =
      activation === null
        ? null
        : this.nameScope(() => new Activation(activation, { prefix: `${activation}_` }))
  }

  override inferShape(x: Tensor): void {
    const inner = [(x.shape[1] ?? 0) / this.window.numGroup, ...this.window.kernel]
    this.offsetWeight.shape = [this.#learned, ...inner]
    this.deformableConvWeight.shape = [this.channels, ...inner]
  }

  override forward(x: Tensor): Tensor {
    const [weight, bias] = [this.offsetWeight.data() as Tensor, this.offsetBias?.data()]
    const noBias = this.offsetBias === null
    const learned = convolution(x, weight, bias, {
      ...this.window,
      numFilter: this.#learned,
      noBias,
    })
    const y = this.bent(x, learned, this.deformableConvWeight.data() as Tensor, {
      ...this.window,
      numFilter: this.channels,
      numDeformableGroup: this.numDeformableGroup,
      noBias: this.deformableConvBias === null,
    })
    return this.act === null ? y : this.act(y)
  }

  /** The convolution where the learned numbers point. */
  protected abstract bent(
    x: Tensor,
    learned: Tensor,
    weight: Tensor,
    attrs: DeformableConvolutionOptions,
  ): Tensor

  protected override describe(): string {
    const { kernel, stride, pad, dilate, numGroup } = this.window
    const parts = [
      `${this.deformableConvWeight.shape![1] || 'None'} -> ${this.channels}`,
      `kernel_size=${formatShape(kernel)}`,
      `stride=${formatShape(stride)}`,
    ]
    if (pad.some((p) => p !== 0)) parts.push(`padding=${formatShape(pad)}`)
    if (dilate.some((d) => d !== 1)) parts.push(`dilation=${formatShape(dilate)}`)
    if (numGroup !== 1) parts.push(`groups=${numGroup}`)
    if (this.deformableConvBias === null) parts.push('bias=False')
    if (this.act !== null) parts.push(String(this.act))
    return `(${parts.join(', ')})`
  }
}

/**
 * A convolution each of whose taps reads where an offset points that another convolution gives (Dai et al., 2017).
 *
 * `(N, C, H, W) -> (N, channels, h, w)`; sizes as those of `Conv2D`. Offsets start at zero, where it is a `Conv2D`.
 * @throws MXNetError when sizes do not fit, and for a layout other than NCHW.
 * @example
 * const layer = new gluon.contrib.cnn.DeformableConvolution(8, 3, { padding: 1 })
 * layer.initialize()
 * layer(nd.ones([1, 2, 5, 5])).shape // => [1, 8, 5, 5]
 * @see MXNet `gluon.contrib.cnn.DeformableConvolution`
 */
export class DeformableConvolution extends Deformable {
  constructor(channels: number, kernelSize: Sizes = 1, options: DeformableOptions = {}) {
    super('DeformableConvolution', 'deformable_conv', 2, channels, kernelSize, options)
  }

  protected bent(
    x: Tensor,
    learned: Tensor,
    weight: Tensor,
    attrs: DeformableConvolutionOptions,
  ): Tensor {
    const bias = this.deformableConvBias?.data()
    return named(() => deformableConvolution(x, learned, weight, bias, attrs))
  }
}

/**
 * `DeformableConvolution` whose taps also learn how much they count, from 0 to 2 (Zhu et al., 2018).
 *
 * `(N, C, H, W) -> (N, channels, h, w)`; sizes as those of `Conv2D`. It starts as a `Conv2D`.
 * @throws MXNetError when sizes do not fit, and for a layout other than NCHW.
 * @example
 * const layer = new gluon.contrib.cnn.ModulatedDeformableConvolution(8, 3, { padding: 1 })
 * layer.initialize()
 * layer(nd.ones([1, 2, 5, 5])).shape // => [1, 8, 5, 5]
 * @see MXNet `gluon.contrib.cnn.ModulatedDeformableConvolution`
 */
export class ModulatedDeformableConvolution extends Deformable {
  constructor(channels: number, kernelSize: Sizes = 1, options: DeformableOptions = {}) {
    const hint = 'modulated_deformable_conv'
    super('ModulatedDeformableConvolution', hint, 3, channels, kernelSize, options)
  }

  protected bent(
    x: Tensor,
    learned: Tensor,
    weight: Tensor,
    attrs: DeformableConvolutionOptions,
  ): Tensor {
    const at = this.offsets
    const offset = sliceAxis(learned, { axis: 1, begin: 0, end: at })
    const mask = sigmoid(sliceAxis(learned, { axis: 1, begin: at, end: null })).mul(2)
    const bias = this.deformableConvBias?.data()
    return named(() => modulatedDeformableConvolution(x, offset, mask, weight, bias, attrs))
  }
}
