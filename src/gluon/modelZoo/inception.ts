/** Inception of the third version (Szegedy et al., 2015): convolutions of several sizes side by side. */

import type { HybridBlock } from '../block.ts'
import { HybridConcurrent } from '../contrib/nn.ts'
import { Activation, Dense, Dropout } from '../nn/basic.ts'
import { Conv2D, type Sizes } from '../nn/conv.ts'
import { BatchNorm } from '../nn/normalization.ts'
import { AvgPool2D, MaxPool2D } from '../nn/pool.ts'
import { HybridSequential } from '../nn/sequential.ts'
import { Network, type NetworkOptions } from './network.ts'

const row = (...blocks: readonly HybridBlock[]): HybridSequential => {
  const sequence = new HybridSequential({ prefix: '' })
  sequence.add(...blocks)
  return sequence
}

/** A convolution without bias, its normalization and relu. */
const conv = (
  channels: number,
  kernel: Sizes,
  padding: Sizes = 0,
  strides: Sizes = 1,
): HybridSequential =>
  row(
    new Conv2D(channels, kernel, { padding, strides, useBias: false }),
    new BatchNorm({ epsilon: 0.001 }),
    new Activation('relu'),
  )

/** Blocks whose outputs are joined along channels. */
function beside(prefix: string, branches: () => readonly HybridBlock[]): HybridConcurrent {
  const all = new HybridConcurrent({ axis: 1, prefix })
  all.nameScope(() => all.add(...branches()))
  return all
}

const mean = (): AvgPool2D => new AvgPool2D(3, 1, { padding: 1 })
const largest = (): MaxPool2D => new MaxPool2D(3, 2)

const blockA = (prefix: string, pooled: number): HybridConcurrent =>
  beside(prefix, () => [
    row(conv(64, 1)),
    row(conv(48, 1), conv(64, 5, 2)),
    row(conv(64, 1), conv(96, 3, 1), conv(96, 3, 1)),
    row(mean(), conv(pooled, 1)),
  ])

const blockB = (prefix: string): HybridConcurrent =>
  beside(prefix, () => [
    row(conv(384, 3, 0, 2)),
    row(conv(64, 1), conv(96, 3, 1), conv(96, 3, 0, 2)),
    row(largest()),
  ])

const across = (channels: number): HybridSequential => conv(channels, [1, 7], [0, 3])
const down = (channels: number): HybridSequential => conv(channels, [7, 1], [3, 0])

const blockC = (prefix: string, inner: number): HybridConcurrent =>
  beside(prefix, () => [
    row(conv(192, 1)),
    row(conv(inner, 1), across(inner), down(192)),
    row(conv(inner, 1), down(inner), across(inner), down(inner), across(192)),
    row(mean(), conv(192, 1)),
  ])

const blockD = (prefix: string): HybridConcurrent =>
  beside(prefix, () => [
    row(conv(192, 1), conv(320, 3, 0, 2)),
    row(conv(192, 1), across(192), down(192), conv(192, 3, 0, 2)),
    row(largest()),
  ])

/** The end of a branch: 1×3 beside 3×1. */
const split = (): HybridConcurrent =>
  beside('', () => [row(conv(384, [1, 3], [0, 1])), row(conv(384, [3, 1], [1, 0]))])

const blockE = (prefix: string): HybridConcurrent =>
  beside(prefix, () => [
    row(conv(320, 1)),
    row(row(conv(384, 1)), split()),
    row(row(conv(448, 1), conv(384, 3, 1)), split()),
    row(mean(), conv(192, 1)),
  ])

/**
 * Inception of the third version.
 *
 * `(N, 3, 299, 299) -> (N, classes)`.
 * @example
 * const net = new gluon.modelZoo.vision.Inception3({ classes: 10 })
 * @see MXNet `gluon.model_zoo.vision.Inception3`
 */
export class Inception3 extends Network {
  readonly features: HybridSequential
  readonly output: Dense

  constructor(options: NetworkOptions = {}) {
    super('Inception3', options)
    const [features, output] = this.nameScope(
      () =>
        [
          row(
            ...[conv(32, 3, 0, 2), conv(32, 3), conv(64, 3, 1), largest()],
            ...[conv(80, 1), conv(192, 3), largest()],
            ...[blockA('A1_', 32), blockA('A2_', 64), blockA('A3_', 64), blockB('B_')],
            ...[blockC('C1_', 128), blockC('C2_', 160), blockC('C3_', 160), blockC('C4_', 192)],
            ...[blockD('D_'), blockE('E1_'), blockE('E2_')],
            ...[new AvgPool2D(8), new Dropout(0.5)],
          ),
          new Dense(options.classes ?? 1000),
        ] as const,
    )
    this.features = features
    this.output = output
  }
}
