/** Networks without shortcuts: AlexNet, VGG and SqueezeNet. */

import { fail } from '../../base/error.ts'
import { Xavier } from '../../initializer/distributions.ts'
import type { HybridBlock } from '../block.ts'
import { HybridConcurrent } from '../contrib/nn.ts'
import { Activation, Dense, Dropout, Flatten } from '../nn/basic.ts'
import { Conv2D } from '../nn/conv.ts'
import { BatchNorm } from '../nn/normalization.ts'
import { AvgPool2D, MaxPool2D } from '../nn/pool.ts'
import { HybridSequential } from '../nn/sequential.ts'
import { Network, type NetworkOptions } from './network.ts'

const row = (...blocks: readonly HybridBlock[]): HybridSequential => {
  const sequence = new HybridSequential({ prefix: '' })
  sequence.add(...blocks)
  return sequence
}

/**
 * AlexNet (Krizhevsky et al., 2012) on one device.
 *
 * `(N, 3, 224, 224) -> (N, classes)`.
 * @example
 * const net = new gluon.modelZoo.vision.AlexNet({ classes: 10 })
 * @see MXNet `gluon.model_zoo.vision.AlexNet`
 */
export class AlexNet extends Network {
  readonly features: HybridSequential
  readonly output: Dense

  constructor(options: NetworkOptions = {}) {
    super('AlexNet', options)
    const conv = (channels: number, kernel: number, padding: number, strides = 1): Conv2D =>
      new Conv2D(channels, kernel, { padding, strides, activation: 'relu' })
    const [features, output] = this.nameScope(
      () =>
        [
          row(
            ...[conv(64, 11, 2, 4), new MaxPool2D(3, 2)],
            ...[conv(192, 5, 2), new MaxPool2D(3, 2)],
            ...[conv(384, 3, 1), conv(256, 3, 1), conv(256, 3, 1), new MaxPool2D(3, 2)],
            new Flatten(),
            ...[new Dense(4096, { activation: 'relu' }), new Dropout(0.5)],
            ...[new Dense(4096, { activation: 'relu' }), new Dropout(0.5)],
          ),
          new Dense(options.classes ?? 1000),
        ] as const,
    )
    this.features = features
    this.output = output
  }
}

/** Options of `VGG`. */
export interface VGGOptions extends NetworkOptions {
  /** Whether each convolution is followed by a normalization; no by default. */
  readonly batchNorm?: boolean
}

/**
 * VGG (Simonyan and Zisserman, 2014): stages of 3×3 convolutions, each ended by pooling.
 *
 * `(N, 3, 224, 224) -> (N, classes)`: stages of `layers[i]` convolutions with `filters[i]` channels.
 * @throws MXNetError unless there are as many numbers of channels as stages.
 * @example
 * const net = new gluon.modelZoo.vision.VGG([1, 1], [8, 16], { classes: 10, batchNorm: true })
 * @see MXNet `gluon.model_zoo.vision.VGG`
 */
export class VGG extends Network {
  readonly features: HybridSequential
  readonly output: Dense

  constructor(layers: readonly number[], filters: readonly number[], options: VGGOptions = {}) {
    super('VGG', options, ['batchNorm'])
    if (layers.length !== filters.length)
      fail('VGG', `${layers.length} stages need as many numbers of channels, not ${filters.length}`)
    const weightInitializer = new Xavier({
      rndType: 'gaussian',
      factorType: 'out',
      magnitude: 2,
    })
    const conv = (channels: number): HybridBlock[] => [
      new Conv2D(channels, 3, { padding: 1, weightInitializer, biasInitializer: 'zeros' }),
      ...(options.batchNorm ? [new BatchNorm()] : []),
      new Activation('relu'),
    ]
    const normal = { weightInitializer: 'normal', biasInitializer: 'zeros' }
    const dense = (): HybridBlock[] => [
      new Dense(4096, { activation: 'relu', ...normal }),
      new Dropout(0.5),
    ]
    const [features, output] = this.nameScope(
      () =>
        [
          row(
            ...layers.flatMap((count, i) => [
              ...Array.from({ length: count }, () => conv(filters[i]!)).flat(),
              new MaxPool2D(2, 2),
            ]),
            ...dense(),
            ...dense(),
          ),
          new Dense(options.classes ?? 1000, normal),
        ] as const,
    )
    this.features = features
    this.output = output
  }
}

/** Convolutions that narrow, then two side by side that widen. */
function fire(narrow: number, wide: number): HybridSequential {
  const conv = (channels: number, kernel: number): HybridSequential => {
    const padding = kernel === 3 ? 1 : 0
    return row(new Conv2D(channels, kernel, { padding }), new Activation('relu'))
  }
  const first = conv(narrow, 1)
  const paths = new HybridConcurrent({ axis: 1, prefix: '' })
  paths.add(conv(wide, 1), conv(wide, 3))
  return row(first, paths)
}

const shrink = (): MaxPool2D => new MaxPool2D(3, 2, { ceilMode: true })
const versions: { readonly [version: string]: () => HybridBlock[] } = {
  '1.0': () => [
    ...[new Conv2D(96, 7, { strides: 2 }), new Activation('relu'), shrink()],
    ...[fire(16, 64), fire(16, 64), fire(32, 128), shrink()],
    ...[fire(32, 128), fire(48, 192), fire(48, 192), fire(64, 256), shrink()],
    fire(64, 256),
  ],
  '1.1': () => [
    ...[new Conv2D(64, 3, { strides: 2 }), new Activation('relu'), shrink()],
    ...[fire(16, 64), fire(16, 64), shrink()],
    ...[fire(32, 128), fire(32, 128), shrink()],
    ...[fire(48, 192), fire(48, 192), fire(64, 256), fire(64, 256)],
  ],
}

/**
 * SqueezeNet (Iandola et al., 2016) of version '1.0' or '1.1'.
 *
 * `(N, 3, 224, 224) -> (N, classes)`.
 * @throws MXNetError for another version.
 * @example
 * const net = new gluon.modelZoo.vision.SqueezeNet('1.1', { classes: 10 })
 * @see MXNet `gluon.model_zoo.vision.SqueezeNet`
 */
export class SqueezeNet extends Network {
  readonly features: HybridSequential
  readonly output: HybridSequential

  constructor(version: '1.0' | '1.1', options: NetworkOptions = {}) {
    super('SqueezeNet', options)
    const layers = Object.hasOwn(versions, version)
      ? versions[version]!
      : fail('SqueezeNet', `version is ${String(version)}: it must be '1.0' or '1.1'`)
    const [features, output] = this.nameScope(
      () =>
        [
          row(...layers(), new Dropout(0.5)),
          row(
            new Conv2D(options.classes ?? 1000, 1),
            new Activation('relu'),
            new AvgPool2D(13),
            new Flatten(),
          ),
        ] as const,
    )
    this.features = features
    this.output = output
  }
}
