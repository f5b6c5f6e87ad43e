/** DenseNet (Huang et al., 2016): each layer sees the outputs of all before it. */

import type { HybridBlock } from '../block.ts'
import { HybridConcurrent, Identity } from '../contrib/nn.ts'
import { Activation, Dense, Dropout, Flatten } from '../nn/basic.ts'
import { Conv2D } from '../nn/conv.ts'
import { BatchNorm } from '../nn/normalization.ts'
import { AvgPool2D, MaxPool2D } from '../nn/pool.ts'
import { HybridSequential } from '../nn/sequential.ts'
import { Network, type NetworkOptions } from './network.ts'

/** Options of `DenseNet`. */
export interface DenseNetOptions extends NetworkOptions {
  /** How many times the growth a layer narrows to before its 3×3 convolution; 4 by default. */
  readonly bnSize?: number
  /** The share of what a layer adds that is dropped while training; 0 by default. */
  readonly dropout?: number
}

/** Normalization, relu and a convolution without bias. */
const step = (channels: number, kernel: number): HybridBlock[] => {
  const padding = kernel === 3 ? 1 : 0
  return [
    new BatchNorm(),
    new Activation('relu'),
    new Conv2D(channels, kernel, { padding, useBias: false }),
  ]
}

function layer(growth: number, narrow: number, dropout: number): HybridConcurrent {
  const added = new HybridSequential({ prefix: '' })
  added.add(...step(narrow, 1), ...step(growth, 3))
  if (dropout > 0) added.add(new Dropout(dropout))
  const both = new HybridConcurrent({ axis: 1, prefix: '' })
  both.add(new Identity(), added)
  return both
}

/**
 * DenseNet: blocks of `blockConfig[i]` layers that add `growthRate` channels each, halved between blocks.
 *
 * `(N, 3, 224, 224) -> (N, classes)`.
 * @example
 * const net = new gluon.modelZoo.vision.DenseNet(16, 8, [2, 2], { classes: 10 })
 * @see MXNet `gluon.model_zoo.vision.DenseNet`
 */
export class DenseNet extends Network {
  readonly features: HybridSequential
  readonly output: Dense

  constructor(
    numInitFeatures: number,
    growthRate: number,
    blockConfig: readonly number[],
    options: DenseNetOptions = {},
  ) {
    super('DenseNet', options, ['bnSize', 'dropout'])
    const { bnSize = 4, dropout = 0, classes = 1000 } = options
    const [features, output] = this.nameScope(() => {
      const all = new HybridSequential({ prefix: '' })
      all.add(
        new Conv2D(numInitFeatures, 7, { strides: 2, padding: 3, useBias: false }),
        new BatchNorm(),
        new Activation('relu'),
        new MaxPool2D(3, 2, { padding: 1 }),
      )
      let channels = numInitFeatures
      blockConfig.forEach((count, i) => {
        const block = new HybridSequential({ prefix: `stage${i + 1}_` })
        block.nameScope(() => {
          for (let k = 0; k < count; k++) block.add(layer(growthRate, bnSize * growthRate, dropout))
        })
        all.add(block)
        channels += count * growthRate
        if (i === blockConfig.length - 1) return
        channels = Math.floor(channels / 2)
        const between = new HybridSequential({ prefix: '' })
        between.add(...step(channels, 1), new AvgPool2D(2, 2))
        all.add(between)
      })
      all.add(new BatchNorm(), new Activation('relu'), new AvgPool2D(7), new Flatten())
      return [all, new Dense(classes)] as const
    })
    this.features = features
    this.output = output
  }
}
