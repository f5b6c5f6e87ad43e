/** MobileNet (Howard et al., 2017; Sandler et al., 2018): convolutions of each channel alone, then across channels. */

import { fail } from '../../base/error.ts'
import type { Tensor } from '../../core/tensor.ts'
import { clip } from '../../ops/cast.ts'
import { HybridBlock } from '../block.ts'
import { Activation, Dense, Flatten } from '../nn/basic.ts'
import { Conv2D } from '../nn/conv.ts'
import { BatchNorm } from '../nn/normalization.ts'
import { GlobalAvgPool2D } from '../nn/pool.ts'
import { HybridSequential } from '../nn/sequential.ts'
import { Network, type NetworkOptions } from './network.ts'

/** relu that ends at 6. */
class RELU6 extends HybridBlock {
  override forward(x: Tensor): Tensor {
    return clip(x, 0, 6)
  }
}

/** What is left of a number of channels. */
const scaled = (channels: readonly number[], multiplier: number): number[] =>
  channels.map((c) => Math.trunc(c * multiplier))

const times = (count: number, channels: number): number[] => new Array<number>(count).fill(channels)

interface ConvSettings {
  readonly kernel?: number
  readonly strides?: number
  readonly groups?: number
  /** The activation; none for null. */
  readonly act?: (() => HybridBlock) | null
}

/** A convolution, its normalization and its activation. */
function conv(
  channels: number,
  { kernel = 1, strides = 1, groups = 1, act = () => new Activation('relu') }: ConvSettings = {},
): HybridBlock[] {
  const padding = kernel === 3 ? 1 : 0
  return [
    new Conv2D(channels, kernel, { strides, padding, groups, useBias: false }),
    new BatchNorm(),
    ...(act === null ? [] : [act()]),
  ]
}

function checkMultiplier(where: string, multiplier: number): void {
  if (!(typeof multiplier === 'number' && multiplier > 0))
    fail(where, `multiplier is ${String(multiplier)}: it must be a number above 0`)
}

/**
 * MobileNet of the first version, all numbers of channels multiplied by `multiplier`.
 *
 * `(N, 3, H, W) -> (N, classes)`.
 * @throws MXNetError for a multiplier that is not above 0.
 * @example
 * const net = new gluon.modelZoo.vision.MobileNet(0.25, { classes: 10 })
 * @see MXNet `gluon.model_zoo.vision.MobileNet`
 */
export class MobileNet extends Network {
  readonly features: HybridSequential
  readonly output: Dense

  constructor(multiplier = 1, options: NetworkOptions = {}) {
    super('MobileNet', options)
    checkMultiplier('MobileNet', multiplier)
    const widths = [32, 64, ...times(2, 128), ...times(2, 256), ...times(6, 512), 1024, 1024]
    const channels = scaled(widths, multiplier)
    const strides = [1, 2, 1, 2, 1, 2, 1, 1, 1, 1, 1, 2, 1]
    const [features, output] = this.nameScope(() => {
      const all = new HybridSequential({ prefix: '' })
      all.add(...conv(channels[0]!, { kernel: 3, strides: 2 }))
      strides.forEach((stride, i) => {
        const from = channels[i]!
        all.add(...conv(from, { kernel: 3, strides: stride, groups: from }))
        all.add(...conv(channels[i + 1]!))
      })
      all.add(new GlobalAvgPool2D(), new Flatten())
      return [all, new Dense(options.classes ?? 1000)] as const
    })
    this.features = features
    this.output = output
  }
}

/** A block that widens `t` times, convolves each channel alone, and narrows; added to its input where it fits. */
class LinearBottleneck extends HybridBlock {
  readonly out: HybridSequential
  readonly #shortcut: boolean

  constructor(inChannels: number, channels: number, t: number, strides: number) {
    super()
    this.#shortcut = strides === 1 && inChannels === channels
    this.out = this.nameScope(() => {
      const act = (): HybridBlock => new RELU6({ prefix: '' })
      const wide = inChannels * t
      const sequence = new HybridSequential()
      sequence.add(...conv(wide, { act }))
      sequence.add(...conv(wide, { kernel: 3, strides, groups: wide, act }))
      sequence.add(...conv(channels, { act: null }))
      return sequence
    })
  }

  override forward(x: Tensor): Tensor {
    const y = this.out(x)
    return this.#shortcut ? y.add(x) : y
  }
}

/**
 * MobileNet of the second version, all numbers of channels multiplied by `multiplier`.
 *
 * `(N, 3, H, W) -> (N, classes)`.
 * @throws MXNetError for a multiplier that is not above 0.
 * @example
 * const net = new gluon.modelZoo.vision.MobileNetV2(0.25, { classes: 10 })
 * @see MXNet `gluon.model_zoo.vision.MobileNetV2`
 */
export class MobileNetV2 extends Network {
  readonly features: HybridSequential
  readonly output: HybridSequential

  constructor(multiplier = 1, options: NetworkOptions = {}) {
    super('MobileNetV2', options)
    checkMultiplier('MobileNetV2', multiplier)
    const widths = [
      ...[32, 16, ...times(2, 24), ...times(3, 32), ...times(4, 64)],
      ...[...times(3, 96), ...times(3, 160), 320],
    ]
    const channels = scaled(widths, multiplier)
    const strides = [1, 2, 1, 2, 1, 1, 2, 1, 1, 1, 1, 1, 1, 2, 1, 1, 1]
    const act = (): HybridBlock => new RELU6({ prefix: '' })
    const [features, output] = this.nameScope(() => {
      const all = new HybridSequential({ prefix: 'features_' })
      all.nameScope(() => {
        all.add(...conv(channels[0]!, { kernel: 3, strides: 2, act }))
        strides.forEach((stride, i) => {
          all.add(new LinearBottleneck(channels[i]!, channels[i + 1]!, i === 0 ? 1 : 6, stride))
        })
        all.add(...conv(multiplier > 1 ? Math.trunc(1280 * multiplier) : 1280, { act }))
        all.add(new GlobalAvgPool2D())
      })
      const scores = new HybridSequential({ prefix: 'output_' })
      scores.nameScope(() => {
        scores.add(
          new Conv2D(options.classes ?? 1000, 1, { useBias: false, prefix: 'pred_' }),
          new Flatten(),
        )
      })
      return [all, scores] as const
    })
    this.features = features
    this.output = output
  }
}
