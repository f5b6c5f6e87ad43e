/** Residual networks (He et al., 2015 and 2016): each block adds to its input. */

import { fail } from '../../base/error.ts'
import { checkOptions } from '../../base/options.ts'
import type { Tensor } from '../../core/tensor.ts'
import { activation } from '../../ops/activation.ts'
import { type BlockOptions, blockOptions, HybridBlock } from '../block.ts'
import { Activation, Dense, Flatten } from '../nn/basic.ts'
import { Conv2D } from '../nn/conv.ts'
import { BatchNorm } from '../nn/normalization.ts'
import { GlobalAvgPool2D, MaxPool2D } from '../nn/pool.ts'
import { HybridSequential } from '../nn/sequential.ts'
import { Network, type NetworkOptions } from './network.ts'

/** Options of residual blocks. */
export interface ResidualOptions extends BlockOptions {
  /** Whether the input is brought to the size of the output; no by default. */
  readonly downsample?: boolean
  /** Channels of the input; told by the first input when left out. */
  readonly inChannels?: number
}

const conv = (
  channels: number,
  kernel: number,
  strides: number,
  inChannels = 0,
  useBias = false,
): Conv2D => {
  const padding = kernel === 3 ? 1 : 0
  return new Conv2D(channels, kernel, { strides, padding, useBias, inChannels })
}

const row = (...blocks: HybridBlock[]): HybridSequential => {
  const sequence = new HybridSequential({ prefix: '' })
  sequence.add(...blocks)
  return sequence
}

/** As files of MXNet's networks have it. */
const relu = (x: Tensor): Tensor => activation(x, { actType: 'relu' })

/** A residual block of the first version: `relu(body(x) + x)`. */
abstract class ResidualV1 extends HybridBlock {
  readonly body: HybridSequential
  readonly downsample: HybridSequential | null

  constructor(
    where: string,
    body: () => HybridSequential,
    channels: number,
    stride: number,
    options: ResidualOptions,
  ) {
    const { downsample = false, inChannels = 0, ...rest } = checkOptions(where, options, known)
    super(rest)
    this.body = body()
    this.downsample = downsample
      ? row(conv(channels, 1, stride, inChannels), new BatchNorm())
      : null
  }

  override forward(x: Tensor): Tensor {
    const kept = this.downsample ? this.downsample(x) : x
    return relu(kept.add(this.body(x)))
  }
}

const known = [...blockOptions, 'downsample', 'inChannels']

/**
 * Two 3×3 convolutions, added to the input: for networks of 18 and 34 layers.
 *
 * `(N, inChannels, H, W) -> (N, channels, H/stride, W/stride)`.
 * @example
 * const block = new gluon.modelZoo.vision.BasicBlockV1(8, 2, { downsample: true, inChannels: 4 })
 * @see MXNet `gluon.model_zoo.vision.BasicBlockV1`
 */
export class BasicBlockV1 extends ResidualV1 {
  constructor(channels: number, stride: number, options: ResidualOptions = {}) {
    const body = () =>
      row(
        conv(channels, 3, stride, options.inChannels ?? 0),
        new BatchNorm(),
        new Activation('relu'),
        conv(channels, 3, 1, channels),
        new BatchNorm(),
      )
    super('BasicBlockV1', body, channels, stride, options)
  }
}

/**
 * A 3×3 convolution of a quarter of the channels between two 1×1, of which the first has the stride, added to the input.
 *
 * `(N, inChannels, H, W) -> (N, channels, H/stride, W/stride)`.
 * @example
 * const block = new gluon.modelZoo.vision.BottleneckV1(16, 1, { inChannels: 16 })
 * @see MXNet `gluon.model_zoo.vision.BottleneckV1`
 */
export class BottleneckV1 extends ResidualV1 {
  constructor(channels: number, stride: number, options: ResidualOptions = {}) {
    const inner = Math.floor(channels / 4)
    const body = () =>
      row(
        conv(inner, 1, stride, 0, true),
        new BatchNorm(),
        new Activation('relu'),
        conv(inner, 3, 1, inner),
        new BatchNorm(),
        new Activation('relu'),
        conv(channels, 1, 1, 0, true),
        new BatchNorm(),
      )
    super('BottleneckV1', body, channels, stride, options)
  }
}

/** The convolution that brings the input of a block of the second version to its size, if any. */
const shortcut = (channels: number, stride: number, options: ResidualOptions): Conv2D | null =>
  options.downsample ? conv(channels, 1, stride, options.inChannels ?? 0) : null

const blockOf = (where: string, options: ResidualOptions): BlockOptions => {
  const { downsample: _d, inChannels: _i, ...rest } = checkOptions(where, options, known)
  return rest
}

/**
 * `BasicBlockV1` with normalization and relu before each convolution.
 *
 * `(N, inChannels, H, W) -> (N, channels, H/stride, W/stride)`.
 * @example
 * const block = new gluon.modelZoo.vision.BasicBlockV2(8, 2, { downsample: true, inChannels: 4 })
 * @see MXNet `gluon.model_zoo.vision.BasicBlockV2`
 */
export class BasicBlockV2 extends HybridBlock {
  readonly bn1 = new BatchNorm()
  readonly conv1: Conv2D
  readonly bn2: BatchNorm
  readonly conv2: Conv2D
  readonly downsample: Conv2D | null

  constructor(channels: number, stride: number, options: ResidualOptions = {}) {
    super(blockOf('BasicBlockV2', options))
    this.conv1 = conv(channels, 3, stride, options.inChannels ?? 0)
    this.bn2 = new BatchNorm()
    this.conv2 = conv(channels, 3, 1, channels)
    this.downsample = shortcut(channels, stride, options)
  }

  override forward(x: Tensor): Tensor {
    const ready = relu(this.bn1(x))
    const kept = this.downsample ? this.downsample(ready) : x
    return this.conv2(relu(this.bn2(this.conv1(ready)))).add(kept)
  }
}

/**
 * `BottleneckV1` with normalization and relu before each convolution, and the stride on the 3×3 one.
 *
 * `(N, inChannels, H, W) -> (N, channels, H/stride, W/stride)`.
 * @example
 * const block = new gluon.modelZoo.vision.BottleneckV2(16, 1, { inChannels: 16 })
 * @see MXNet `gluon.model_zoo.vision.BottleneckV2`
 */
export class BottleneckV2 extends HybridBlock {
  readonly bn1 = new BatchNorm()
  readonly conv1: Conv2D
  readonly bn2: BatchNorm
  readonly conv2: Conv2D
  readonly bn3: BatchNorm
  readonly conv3: Conv2D
  readonly downsample: Conv2D | null

  constructor(channels: number, stride: number, options: ResidualOptions = {}) {
    super(blockOf('BottleneckV2', options))
    const inner = Math.floor(channels / 4)
    this.conv1 = conv(inner, 1, 1)
    this.bn2 = new BatchNorm()
    this.conv2 = conv(inner, 3, stride, inner)
    this.bn3 = new BatchNorm()
    this.conv3 = conv(channels, 1, 1)
    this.downsample = shortcut(channels, stride, options)
  }

  override forward(x: Tensor): Tensor {
    const ready = relu(this.bn1(x))
    const kept = this.downsample ? this.downsample(ready) : x
    const inner = relu(this.bn3(this.conv2(relu(this.bn2(this.conv1(ready))))))
    return this.conv3(inner).add(kept)
  }
}

/** A class of residual blocks. */
export type ResidualBlock = new (
  channels: number,
  stride: number,
  options?: ResidualOptions,
) => HybridBlock

/** Options of residual networks. */
export interface ResNetOptions extends NetworkOptions {
  /** Whether images are small (32×32), so that the first layers keep their size; no by default. */
  readonly thumbnail?: boolean
}

/** The layers before the first stage. */
const stem = (channels: number, thumbnail: boolean): HybridBlock[] =>
  thumbnail
    ? [conv(channels, 3, 1)]
    : [
        new Conv2D(channels, 7, { strides: 2, padding: 3, useBias: false }),
        new BatchNorm(),
        new Activation('relu'),
        new MaxPool2D(3, 2, { padding: 1 }),
      ]

/** The stages: the first keeps the size of its input, the others halve it. */
function stages(
  block: ResidualBlock,
  layers: readonly number[],
  channels: readonly number[],
): HybridSequential[] {
  return layers.map((count, i) => {
    const [from, to] = [channels[i]!, channels[i + 1]!]
    const stage = new HybridSequential({ prefix: `stage${i + 1}_` })
    stage.nameScope(() => {
      const stride = i === 0 ? 1 : 2
      stage.add(new block(to, stride, { downsample: to !== from, inChannels: from, prefix: '' }))
      for (let k = 1; k < count; k++) stage.add(new block(to, 1, { inChannels: to, prefix: '' }))
    })
    return stage
  })
}

function checkStages(where: string, layers: readonly number[], channels: readonly number[]): void {
  if (channels.length !== layers.length + 1)
    fail(
      where,
      `${layers.length} stages need ${layers.length + 1} numbers of channels, not ${channels.length}`,
    )
}

type ResNetArguments = [
  block: ResidualBlock,
  layers: readonly number[],
  channels: readonly number[],
  options?: ResNetOptions,
]

/** Both versions: a stem and stages of blocks, with something of their own before and behind. */
abstract class ResNet extends Network {
  readonly features: HybridSequential
  readonly output: Dense

  constructor(
    where: string,
    [block, layers, channels, options = {}]: ResNetArguments,
    before: () => HybridBlock[],
    behind: () => HybridBlock[],
  ) {
    super(where, options, ['thumbnail'])
    checkStages(where, layers, channels)
    const { classes = 1000, thumbnail = false } = options
    // Blocks are made in the order in which they stand: their names count on.
    const [features, output] = this.nameScope(
      () =>
        [
          row(
            ...before(),
            ...stem(channels[0]!, thumbnail),
            ...stages(block, layers, channels),
            ...behind(),
          ),
          new Dense(classes, { inUnits: channels.at(-1)! }),
        ] as const,
    )
    this.features = features
    this.output = output
  }
}

/**
 * A residual network of the first version.
 *
 * `(N, 3, H, W) -> (N, classes)`: stages of `layers[i]` blocks, from `channels[i]` to `channels[i + 1]` channels.
 * @throws MXNetError unless there is one more number of channels than stages.
 * @example
 * const { BasicBlockV1, ResNetV1 } = gluon.modelZoo.vision
 * const net = new ResNetV1(BasicBlockV1, [1, 1], [8, 8, 16], { classes: 10, thumbnail: true })
 * net.initialize()
 * net(nd.ones([2, 3, 16, 16])).shape // => [2, 10]
 * @see MXNet `gluon.model_zoo.vision.ResNetV1`
 */
export class ResNetV1 extends ResNet {
  constructor(...given: ResNetArguments) {
    super(
      'ResNetV1',
      given,
      () => [],
      () => [new GlobalAvgPool2D()],
    )
  }
}

/**
 * A residual network of the second version, whose input is normalized.
 *
 * `(N, 3, H, W) -> (N, classes)`: stages of `layers[i]` blocks, from `channels[i]` to `channels[i + 1]` channels.
 * @throws MXNetError unless there is one more number of channels than stages.
 * @example
 * const { BottleneckV2, ResNetV2 } = gluon.modelZoo.vision
 * const net = new ResNetV2(BottleneckV2, [1, 1], [8, 8, 16], { classes: 10, thumbnail: true })
 * net.initialize()
 * net(nd.ones([2, 3, 16, 16])).shape // => [2, 10]
 * @see MXNet `gluon.model_zoo.vision.ResNetV2`
 */
export class ResNetV2 extends ResNet {
  constructor(...given: ResNetArguments) {
    super(
      'ResNetV2',
      given,
      () => [new BatchNorm({ scale: false, center: false })],
      () => [new BatchNorm(), new Activation('relu'), new GlobalAvgPool2D(), new Flatten()],
    )
  }
}
