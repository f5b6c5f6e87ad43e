/** `gluon.contrib.nn`: blocks side by side, the identity, and channels turned into pixels. */

import { fail } from '../../base/error.ts'
import { checkOptions } from '../../base/options.ts'
import { formatShape } from '../../base/shape.ts'
import type { Tensor } from '../../core/tensor.ts'
import { syncBatchNorm } from '../../ops/batchNorm.ts'
import { reshape, transpose } from '../../ops/movement.ts'
import { concat } from '../../ops/slicing.ts'
import { type BlockOptions, blockOptions, HybridBlock } from '../block.ts'
import { BatchNorm, type BatchNormLayerOptions } from '../nn/normalization.ts'
import { HybridSequential, Sequential } from '../nn/sequential.ts'

/** Options of blocks side by side. */
export interface ConcurrentOptions extends BlockOptions {
  /** The axis along which outputs are joined; the last by default. */
  readonly axis?: number
}

const concurrentOptions = [...blockOptions, 'axis']

/** The outputs of all blocks on one input, joined. */
const joined = (blocks: Iterable<(x: Tensor) => Tensor>, x: Tensor, axis: number): Tensor =>
  concat(...Array.from(blocks, (block) => block(x)), { dim: axis })

/** The options that `Sequential` knows. */
const own = ({ axis: _axis, ...rest }: ConcurrentOptions): BlockOptions => rest

/**
 * Blocks side by side: all get the same input, and their outputs are joined along an axis.
 * @example
 * const net = new gluon.contrib.nn.Concurrent({ axis: 1 })
 * net.add(new gluon.nn.Dense(3), new gluon.nn.Dense(2))
 * net.initialize()
 * net(nd.ones([4, 5])).shape // => [4, 5]
 * @see MXNet `gluon.contrib.nn.Concurrent`
 */
export class Concurrent extends Sequential {
  readonly axis: number

  constructor(options: ConcurrentOptions = {}) {
    super(own(checkOptions('Concurrent', options, concurrentOptions)))
    this.axis = options.axis ?? -1
  }

  override forward(x: Tensor): Tensor {
    return joined(this, x, this.axis)
  }
}

/**
 * `Concurrent` of HybridBlocks, which can be compiled as one.
 * @example
 * const net = new gluon.contrib.nn.HybridConcurrent({ axis: 1 })
 * net.add(new gluon.nn.Dense(3), new gluon.nn.Dense(2))
 * net.initialize()
 * net(nd.ones([4, 5])).shape // => [4, 5]
 * @see MXNet `gluon.contrib.nn.HybridConcurrent`
 */
export class HybridConcurrent extends HybridSequential {
  readonly axis: number

  constructor(options: ConcurrentOptions = {}) {
    super(own(checkOptions('HybridConcurrent', options, concurrentOptions)))
    this.axis = options.axis ?? -1
  }

  override forward(x: Tensor): Tensor {
    return joined(this, x, this.axis)
  }
}

/**
 * A block that gives back its input, for one side of a `Concurrent`.
 * @example
 * const net = new gluon.contrib.nn.HybridConcurrent({ axis: 1 })
 * net.add(new gluon.contrib.nn.Identity(), new gluon.nn.Dense(2))
 * net.initialize()
 * net(nd.ones([4, 5])).shape // => [4, 7]
 * @see MXNet `gluon.contrib.nn.Identity`
 */
export class Identity extends HybridBlock {
  constructor(options: BlockOptions = {}) {
    super(checkOptions('Identity', options, blockOptions))
  }

  override forward(x: Tensor): Tensor {
    return x
  }
}

/** How many pixels each becomes along each axis. */
type Factor = number | readonly number[]

/** Groups of channels as neighbouring pixels. */
abstract class PixelShuffle extends HybridBlock {
  readonly #factors: readonly number[]

  constructor(where: string, factor: Factor, axes: number, options: BlockOptions) {
    super(checkOptions(where, options, blockOptions))
    const factors = typeof factor === 'number' ? new Array<number>(axes).fill(factor) : factor
    const fits = Array.isArray(factors) && factors.length === axes
    if (!fits || !factors.every((f) => Number.isInteger(f) && f > 0))
      fail(
        where,
        `factor is ${JSON.stringify(factor)}: it must be ${axes} integers above 0, or one`,
      )
    this.#factors = factors
  }

  override forward(x: Tensor): Tensor {
    const factors = this.#factors
    const axes = factors.length
    // (N, C·f…, W…) -> (N, C, f…, W…) -> (N, C, W, f, …) -> (N, C, W·f, …)
    const split = reshape(x, [
      ...[0, -4, -1, factors.reduce((a, b) => a * b, 1)],
      ...new Array<number>(axes).fill(0),
    ])
    const apart = axes === 1 ? split : splitFactors(split, factors)
    const order = [0, 1, ...factors.flatMap((_, i) => [2 + axes + i, 2 + i])]
    return reshape(transpose(apart, order), [0, 0, ...factors.map(() => -3)])
  }

  protected override describe(): string {
    return formatShape(this.#factors)
  }
}

/** (N, C, f₁·f₂…, W…) -> (N, C, f₁, f₂, …, W…). */
function splitFactors(x: Tensor, factors: readonly number[]): Tensor {
  const [first, ...rest] = factors as [number, ...number[]]
  const split = reshape(x, [0, 0, -4, first, -1, -2])
  if (rest.length === 1) return split
  return reshape(split, [0, 0, 0, -4, rest[0]!, -1, -2])
}

/**
 * Groups of channels as neighbouring elements of a line.
 *
 * `(N, f·C, W) -> (N, C, f·W)`.
 * @throws MXNetError for factors that are no integers above 0.
 * @example
 * new gluon.contrib.nn.PixelShuffle1D(2)(nd.zeros([1, 8, 3])).shape // => [1, 4, 6]
 * @see MXNet `gluon.contrib.nn.PixelShuffle1D`
 */
export class PixelShuffle1D extends PixelShuffle {
  constructor(factor: Factor, options: BlockOptions = {}) {
    super('PixelShuffle1D', factor, 1, options)
  }
}

/**
 * Groups of channels as neighbouring pixels.
 *
 * `(N, f₁·f₂·C, H, W) -> (N, C, f₁·H, f₂·W)`.
 * @throws MXNetError for factors that are no integers above 0.
 * @example
 * new gluon.contrib.nn.PixelShuffle2D([2, 3])(nd.zeros([1, 12, 3, 5])).shape // => [1, 2, 6, 15]
 * @see MXNet `gluon.contrib.nn.PixelShuffle2D`
 */
export class PixelShuffle2D extends PixelShuffle {
  constructor(factor: Factor, options: BlockOptions = {}) {
    super('PixelShuffle2D', factor, 2, options)
  }
}

/**
 * Groups of channels as neighbouring elements of a volume.
 *
 * `(N, f₁·f₂·f₃·C, D, H, W) -> (N, C, f₁·D, f₂·H, f₃·W)`.
 * @throws MXNetError for factors that are no integers above 0.
 * @example
 * new gluon.contrib.nn.PixelShuffle3D(2)(nd.zeros([1, 8, 1, 2, 3])).shape // => [1, 1, 2, 4, 6]
 * @see MXNet `gluon.contrib.nn.PixelShuffle3D`
 */
export class PixelShuffle3D extends PixelShuffle {
  constructor(factor: Factor, options: BlockOptions = {}) {
    super('PixelShuffle3D', factor, 3, options)
  }
}

/** Options of `SyncBatchNorm`. */
export interface SyncBatchNormOptions extends Omit<BatchNormLayerOptions, 'axis'> {
  /** How many devices share their statistics; 1, the only number there is. */
  readonly numDevices?: number | null
}

/**
 * `BatchNorm` with statistics over the batches of all devices, of which there is one.
 *
 * `(N, C, …) -> (N, C, …)`; parameters as those of `BatchNorm`.
 * @throws MXNetError for more than one device.
 * @example
 * new gluon.contrib.nn.SyncBatchNorm({ inChannels: 4 })
 * @see MXNet `gluon.contrib.nn.SyncBatchNorm`
 */
export class SyncBatchNorm extends BatchNorm {
  constructor(options: SyncBatchNormOptions = {}) {
    const { numDevices = null, ...rest } = options
    if ('axis' in rest) fail('SyncBatchNorm', 'there is no option axis: channels lie along axis 1')
    if (numDevices !== null && numDevices !== 1)
      fail('SyncBatchNorm', `numDevices is ${String(numDevices)}: there is one device`)
    super(rest)
  }

  override forward(x: Tensor): Tensor {
    const { axis: _axis, ...settings } = this.settings
    const [gamma, beta] = [this.gamma.data() as Tensor, this.beta.data() as Tensor]
    const [mean, variance] = [this.runningMean.data() as Tensor, this.runningVar.data() as Tensor]
    const y = syncBatchNorm(x, gamma, beta, mean, variance, { ...settings, key: this.prefix })
    return y as Tensor
  }
}
