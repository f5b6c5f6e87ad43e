/** Pooling layers over one, two or three axes, and over whole images. */

import { checkOptions } from '../../base/options.ts'
import { formatShape } from '../../base/shape.ts'
import type { Tensor } from '../../core/tensor.ts'
import { type PoolingOptions, pooling } from '../../ops/pooling.ts'
import { type BlockOptions, blockOptions, HybridBlock } from '../block.ts'
import { layouts, perAxis, type Sizes } from './conv.ts'

type Layout = NonNullable<PoolingOptions['layout']>

/** Options of layers that take the largest element. */
export interface MaxPoolOptions extends BlockOptions {
  /** 0 by default. */
  readonly padding?: Sizes
  /** The order of axes; `NCW`, `NCHW` or `NCDHW` by default. */
  readonly layout?: string
  /** Whether a window that reaches over the end still counts; no by default. */
  readonly ceilMode?: boolean
}

/** Options of layers that take the mean. */
export interface AvgPoolOptions extends MaxPoolOptions {
  /** Whether padding counts as elements; yes by default. */
  readonly countIncludePad?: boolean
}

/** Options of layers that pool whole images. */
export interface GlobalPoolOptions extends BlockOptions {
  readonly layout?: string
}

/** What all pooling layers are. */
abstract class Pool extends HybridBlock {
  readonly #attrs: PoolingOptions

  constructor(
    where: string,
    options: BlockOptions,
    known: readonly string[],
    attrs: PoolingOptions,
  ) {
    super(checkOptions(where, options, [...blockOptions, 'layout', ...known]), 'pool')
    this.#attrs = attrs
  }

  protected override get operatorName(): string {
    return 'fwd'
  }

  override forward(x: Tensor): Tensor {
    return pooling(x, this.#attrs)
  }

  protected override describe(): string {
    const { kernel, stride, pad, poolingConvention, globalPool, poolType, layout } = this.#attrs
    const bool = (v: boolean): string => (v ? 'True' : 'False')
    const ceil = bool(poolingConvention === 'full')
    return (
      `(size=${formatShape(kernel!)}, stride=${formatShape(stride!)}, padding=${formatShape(pad!)}, ceil_mode=${ceil}` +
      `, global_pool=${bool(globalPool!)}, pool_type=${poolType}, layout=${layout})`
    )
  }
}

/** The operator's attributes for windows of a size; strides are the size unless given. */
function windows(
  where: string,
  axes: number,
  poolType: 'max' | 'avg',
  poolSize: Sizes,
  strides: Sizes | null | undefined,
  options: AvgPoolOptions,
): PoolingOptions {
  const kernel = perAxis(where, 'poolSize', poolSize, axes)
  const { padding = 0, ceilMode = false, countIncludePad = true } = options
  return {
    kernel,
    stride: perAxis(where, 'strides', strides ?? kernel, axes),
    pad: perAxis(where, 'padding', padding, axes),
    globalPool: false,
    poolType,
    layout: (options.layout ?? layouts[axes - 1]!) as Layout,
    poolingConvention: ceilMode ? 'full' : 'valid',
    ...(poolType === 'avg' ? { countIncludePad } : {}),
  }
}

/** The operator's attributes for whole images. */
function whole(
  axes: number,
  poolType: 'max' | 'avg',
  { layout }: GlobalPoolOptions,
): PoolingOptions {
  const ones = new Array<number>(axes).fill(1)
  return {
    kernel: ones,
    stride: ones,
    pad: ones.map(() => 0),
    globalPool: true,
    poolType,
    layout: (layout ?? layouts[axes - 1]!) as Layout,
    poolingConvention: 'full',
  }
}

/**
 * The largest element of each window, over one axis; strides are the size of the window unless given.
 *
 * `(N, C, W) -> (N, C, B)`, each size `floor((size + 2·padding - poolSize)/strides) + 1`, rounded up with `ceilMode`.
 * @throws MXNetError when the window is larger than the padded input.
 * @example
 * new gluon.nn.MaxPool1D(2, 2)
 * @see MXNet `gluon.nn.MaxPool1D`
 */
export class MaxPool1D extends Pool {
  constructor(poolSize: Sizes = 2, strides?: Sizes | null, options: MaxPoolOptions = {}) {
    const attrs = windows('MaxPool1D', 1, 'max', poolSize, strides, options)
    super('MaxPool1D', options, ['padding', 'ceilMode'], attrs)
  }
}

/**
 * The largest element of each window, over two axes; strides are the size of the window unless given.
 *
 * `(N, C, H, W) -> (N, C, A, B)`, each size `floor((size + 2·padding - poolSize)/strides) + 1`, rounded up with `ceilMode`.
 * @throws MXNetError when the window is larger than the padded input.
 * @example
 * new gluon.nn.MaxPool2D(2, 2)
 * @see MXNet `gluon.nn.MaxPool2D`
 */
export class MaxPool2D extends Pool {
  constructor(poolSize: Sizes = 2, strides?: Sizes | null, options: MaxPoolOptions = {}) {
    const attrs = windows('MaxPool2D', 2, 'max', poolSize, strides, options)
    super('MaxPool2D', options, ['padding', 'ceilMode'], attrs)
  }
}

/**
 * The largest element of each window, over three axes; strides are the size of the window unless given.
 *
 * `(N, C, D, H, W) -> (N, C, A, B, E)`, each size `floor((size + 2·padding - poolSize)/strides) + 1`, rounded up with `ceilMode`.
 * @throws MXNetError when the window is larger than the padded input.
 * @example
 * new gluon.nn.MaxPool3D(2, 2)
 * @see MXNet `gluon.nn.MaxPool3D`
 */
export class MaxPool3D extends Pool {
  constructor(poolSize: Sizes = 2, strides?: Sizes | null, options: MaxPoolOptions = {}) {
    const attrs = windows('MaxPool3D', 3, 'max', poolSize, strides, options)
    super('MaxPool3D', options, ['padding', 'ceilMode'], attrs)
  }
}

/**
 * The mean of each window, over one axis; strides are the size of the window unless given.
 *
 * `(N, C, W) -> (N, C, B)`, each size `floor((size + 2·padding - poolSize)/strides) + 1`, rounded up with `ceilMode`.
 * @throws MXNetError when the window is larger than the padded input.
 * @example
 * new gluon.nn.AvgPool1D(2, 2)
 * @see MXNet `gluon.nn.AvgPool1D`
 */
export class AvgPool1D extends Pool {
  constructor(poolSize: Sizes = 2, strides?: Sizes | null, options: AvgPoolOptions = {}) {
    const attrs = windows('AvgPool1D', 1, 'avg', poolSize, strides, options)
    super('AvgPool1D', options, ['padding', 'ceilMode', 'countIncludePad'], attrs)
  }
}

/**
 * The mean of each window, over two axes; strides are the size of the window unless given.
 *
 * `(N, C, H, W) -> (N, C, A, B)`, each size `floor((size + 2·padding - poolSize)/strides) + 1`, rounded up with `ceilMode`.
 * @throws MXNetError when the window is larger than the padded input.
 * @example
 * new gluon.nn.AvgPool2D(2, 2)
 * @see MXNet `gluon.nn.AvgPool2D`
 */
export class AvgPool2D extends Pool {
  constructor(poolSize: Sizes = 2, strides?: Sizes | null, options: AvgPoolOptions = {}) {
    const attrs = windows('AvgPool2D', 2, 'avg', poolSize, strides, options)
    super('AvgPool2D', options, ['padding', 'ceilMode', 'countIncludePad'], attrs)
  }
}

/**
 * The mean of each window, over three axes; strides are the size of the window unless given.
 *
 * `(N, C, D, H, W) -> (N, C, A, B, E)`, each size `floor((size + 2·padding - poolSize)/strides) + 1`, rounded up with `ceilMode`.
 * @throws MXNetError when the window is larger than the padded input.
 * @example
 * new gluon.nn.AvgPool3D(2, 2)
 * @see MXNet `gluon.nn.AvgPool3D`
 */
export class AvgPool3D extends Pool {
  constructor(poolSize: Sizes = 2, strides?: Sizes | null, options: AvgPoolOptions = {}) {
    const attrs = windows('AvgPool3D', 3, 'avg', poolSize, strides, options)
    super('AvgPool3D', options, ['padding', 'ceilMode', 'countIncludePad'], attrs)
  }
}

/**
 * The largest element of each channel, over one axis.
 *
 * `(N, C, W) -> (N, C, 1)`.
 * @example
 * new gluon.nn.GlobalMaxPool1D()
 * @see MXNet `gluon.nn.GlobalMaxPool1D`
 */
export class GlobalMaxPool1D extends Pool {
  constructor(options: GlobalPoolOptions = {}) {
    super('GlobalMaxPool1D', options, [], whole(1, 'max', options))
  }
}

/**
 * The largest element of each channel, over two axes.
 *
 * `(N, C, H, W) -> (N, C, 1, 1)`.
 * @example
 * new gluon.nn.GlobalMaxPool2D()
 * @see MXNet `gluon.nn.GlobalMaxPool2D`
 */
export class GlobalMaxPool2D extends Pool {
  constructor(options: GlobalPoolOptions = {}) {
    super('GlobalMaxPool2D', options, [], whole(2, 'max', options))
  }
}

/**
 * The largest element of each channel, over three axes.
 *
 * `(N, C, D, H, W) -> (N, C, 1, 1, 1)`.
 * @example
 * new gluon.nn.GlobalMaxPool3D()
 * @see MXNet `gluon.nn.GlobalMaxPool3D`
 */
export class GlobalMaxPool3D extends Pool {
  constructor(options: GlobalPoolOptions = {}) {
    super('GlobalMaxPool3D', options, [], whole(3, 'max', options))
  }
}

/**
 * The mean of each channel, over one axis.
 *
 * `(N, C, W) -> (N, C, 1)`.
 * @example
 * new gluon.nn.GlobalAvgPool1D()
 * @see MXNet `gluon.nn.GlobalAvgPool1D`
 */
export class GlobalAvgPool1D extends Pool {
  constructor(options: GlobalPoolOptions = {}) {
    super('GlobalAvgPool1D', options, [], whole(1, 'avg', options))
  }
}

/**
 * The mean of each channel, over two axes.
 *
 * `(N, C, H, W) -> (N, C, 1, 1)`.
 * @example
 * new gluon.nn.GlobalAvgPool2D()
 * @see MXNet `gluon.nn.GlobalAvgPool2D`
 */
export class GlobalAvgPool2D extends Pool {
  constructor(options: GlobalPoolOptions = {}) {
    super('GlobalAvgPool2D', options, [], whole(2, 'avg', options))
  }
}

/**
 * The mean of each channel, over three axes.
 *
 * `(N, C, D, H, W) -> (N, C, 1, 1, 1)`.
 * @example
 * new gluon.nn.GlobalAvgPool3D()
 * @see MXNet `gluon.nn.GlobalAvgPool3D`
 */
export class GlobalAvgPool3D extends Pool {
  constructor(options: GlobalPoolOptions = {}) {
    super('GlobalAvgPool3D', options, [], whole(3, 'avg', options))
  }
}
