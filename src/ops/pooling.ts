/** Pooling: the largest, the mean, the sum or a norm of the elements in each window. */

import { isFloat } from '../base/dtype.ts'
import { fail } from '../base/error.ts'
import { formatShape, sizeOf } from '../base/shape.ts'
import { apply } from '../core/apply.ts'
import { attr, type Given } from '../core/attrs.ts'
import { defineOp, type Values } from '../core/op.ts'
import type { Tensor } from '../core/tensor.ts'
import { int } from '../prim/arithmetic.ts'
import { conv, pool } from '../prim/conv.ts'
import { binary, cast, compare, constant, type Expr, index, select, unary } from '../prim/expr.ts'
import { filled, mapTensors, pointwise, reduce, reshapeTo } from '../prim/primitive.ts'
import type { PoolSizes } from '../prim/window.ts'
import { channelsBack, channelsFirst, channelsLast, perAxis } from './convolution.ts'

/** Attributes of `Pooling`. */
export const poolingAttrs = {
  kernel: attr.ints([], { min: 0 }),
  poolType: attr.oneOf(['max', 'avg', 'sum', 'lp'], 'max'),
  globalPool: attr.bool(false),
  cudnnOff: attr.bool(false),
  poolingConvention: attr.oneOf(['valid', 'full', 'same'], 'valid'),
  stride: attr.ints([], { min: 1 }),
  pad: attr.ints([], { min: 0 }),
  pValue: attr.optional(attr.int(undefined, { min: 1, max: 3 })),
  countIncludePad: attr.optional(attr.bool()),
  layout: attr.optional(attr.oneOf(['NCW', 'NCHW', 'NCDHW', 'NWC', 'NHWC', 'NDHWC'])),
}
/** Options of `pooling`. */
export type PoolingOptions = Given<typeof poolingAttrs>

type Convention = 'valid' | 'full' | 'same'

function windowsAlong(
  size: number,
  kernel: number,
  stride: number,
  pad: number,
  how: Convention,
): number {
  if (how === 'same') return Math.ceil((size + 2 * pad) / stride)
  const steps = (size + 2 * pad - kernel) / stride
  return (how === 'full' ? Math.ceil(steps) : Math.floor(steps)) + 1
}

/** The sum over each window: a convolution of every channel by itself, with ones. */
function sumWindows(x: Tensor, { window, y, stride, dilate, pad }: PoolSizes): Tensor {
  const [batch, channels] = x.shape as [number, number]
  const spatial = x.shape.slice(2)
  const sizes = {
    batch,
    groups: channels,
    inner: 1,
    outer: 1,
    x: spatial,
    window,
    y,
    stride,
    dilate,
    pad,
  }
  const ones = filled([channels, 1, 1, ...window], 1, x.dtype)
  const sums = conv(reshapeTo(x, [batch, channels, 1, ...spatial]), ones, 'y', sizes)
  return reshapeTo(sums, [batch, channels, ...y])
}

/** Divides each sum by the size of a window. */
const wholeMean = (sums: Tensor, { window }: PoolSizes): Tensor =>
  pointwise([sums], ([s]) => binary('div', s!, constant(sizeOf(window), s!.dtype)))

/** Divides each sum by the number of elements its window counts: clipped to the padded data, or to the data alone. */
function divideByCounts(sums: Tensor, sizes: PoolSizes, includePad: boolean): Tensor {
  const { x, window, y, stride, pad } = sizes
  const clipped = y.some((n, d) => {
    const last = (n - 1) * stride[d]! - pad[d]! + window[d]!
    return last > x[d]! + (includePad ? pad[d]! : 0) || (!includePad && pad[d]! > 0)
  })
  if (!clipped) return wholeMean(sums, sizes)
  const count = window.reduce<Expr>((product, k, d) => {
    const first = binary('sub', binary('mul', index(2 + d), int(stride[d]!)), int(pad[d]!))
    const end = binary('min', binary('add', first, int(k)), int(x[d]! + (includePad ? pad[d]! : 0)))
    const begin = includePad ? first : binary('max', first, int(0))
    return binary('mul', product, binary('sub', end, begin))
  }, int(1))
  const counts = mapTensors(cast(count, sums.dtype), sums.shape, [])
  return pointwise([sums, counts], ([s, n]) => binary('div', s!, n!))
}

/** (Σ |x|^p)^(1/p), whose derivative is 0 where everything is 0. */
function norm(x: Tensor, p: number, sums: (powers: Tensor) => Tensor): Tensor {
  const powers = pointwise([x], ([v]) =>
    p === 2
      ? binary('mul', v!, v!)
      : p === 1
        ? unary('abs', v!)
        : binary('pow', unary('abs', v!), constant(p, v!.dtype)),
  )
  const total = sums(powers)
  if (p === 1) return total
  return pointwise([total], ([s]) => {
    const none = compare('eq', s!, constant(0, s!.dtype))
    const safe = select(none, constant(1, s!.dtype), s!)
    const root = p === 2 ? unary('sqrt', safe) : unary('cbrt', safe)
    return select(none, constant(0, s!.dtype), root)
  })
}

/** Pools; `mean` divides the sums of windows by their counts. */
function pooled(
  where: string,
  data: Tensor,
  attrs: Values<typeof poolingAttrs>,
  mean: (sums: Tensor, sizes: PoolSizes) => Tensor,
): Tensor {
  const { kernel, globalPool, poolType, poolingConvention, pValue } = attrs
  const axes = data.shape.length - 2
  if (axes < 1 || axes > 3) fail(where, `data ${formatShape(data.shape)} must have 3, 4 or 5 axes`)
  if (!isFloat(data.dtype)) fail(where, `data is ${data.dtype}: it must be a float type`)
  const last = channelsLast(where, attrs.layout, axes)
  const x = last ? channelsFirst(data) : data
  const spatial = x.shape.slice(2)
  const p =
    pValue ?? (poolType === 'lp' ? fail(where, "pValue is needed for 'lp': give 1, 2 or 3") : 0)
  const back = (y: Tensor): Tensor => (last ? channelsBack(y) : y)
  if (globalPool) {
    const over = spatial.map((_, d) => d + 2)
    const kept = (t: Tensor): Tensor =>
      reshapeTo(t, [...x.shape.slice(0, 2), ...spatial.map(() => 1)])
    if (poolType === 'max') {
      const sizes = sizesOf(
        x,
        spatial,
        spatial.map(() => 1),
        spatial.map(() => 1),
        spatial.map(() => 0),
      )
      return back(pool('max', sizes, x))
    }
    const sum = (t: Tensor): Tensor => kept(reduce(t, 'sum', over))
    if (poolType === 'lp') return back(norm(x, p, sum))
    const total = sum(x)
    if (poolType === 'sum') return back(total)
    const count = sizeOf(spatial)
    return back(pointwise([total], ([s]) => binary('div', s!, constant(count, s!.dtype))))
  }
  if (kernel.length !== axes || kernel.includes(0))
    fail(
      where,
      `kernel ${formatShape(kernel)} must have ${axes} sizes above 0 for data ${formatShape(data.shape)}`,
    )
  const stride = perAxis(where, 'stride', attrs.stride, axes, 1)
  const pad = perAxis(where, 'pad', attrs.pad, axes, 0)
  const y = spatial.map((n, d) => {
    if (kernel[d]! > n + 2 * pad[d]!)
      fail(
        where,
        `kernel ${formatShape(kernel)} is larger than data ${formatShape(data.shape)} with pad ${formatShape(pad)}`,
      )
    return windowsAlong(n, kernel[d]!, stride[d]!, pad[d]!, poolingConvention)
  })
  const sizes = sizesOf(x, kernel, y, stride, pad)
  switch (poolType) {
    case 'max':
      return back(pool('max', sizes, x))
    case 'sum':
      return back(sumWindows(x, sizes))
    case 'avg':
      return back(mean(sumWindows(x, sizes), sizes))
    case 'lp':
      return back(norm(x, p, (t) => sumWindows(t, sizes)))
    default:
      return poolType satisfies never
  }
}

const sizesOf = (
  x: Tensor,
  window: readonly number[],
  y: readonly number[],
  stride: readonly number[],
  pad: readonly number[],
): PoolSizes => ({
  lines: x.shape.slice(0, 2),
  x: x.shape.slice(2),
  window,
  y,
  stride,
  dilate: window.map(() => 1),
  pad,
})

const poolingOp = defineOp({
  name: 'Pooling',
  inputs: ['data'],
  attrs: poolingAttrs,
  body: ([data], attrs) =>
    pooled('Pooling', data!, attrs, (sums, sizes) =>
      divideByCounts(sums, sizes, attrs.countIncludePad ?? true),
    ),
})

/**
 * Pools the elements of each window: their largest (`max`), mean (`avg`), `sum` or p-norm (`lp`).
 *
 * `(N, C, A…) -> (N, C, B…)` with `B = floor((A + 2·pad - kernel)/stride) + 1`, rounded up by `poolingConvention: 'full'`;
 * with `globalPool`, B is 1. Means count padding unless `countIncludePad` is false. Float dtypes, kept.
 * @throws MXNetError when the kernel is larger than the padded data or does not fit its axes.
 * @example
 * nd.pooling(nd.ones([1, 2, 4, 4]), { kernel: [2, 2], stride: [2, 2] }).shape // => [1, 2, 2, 2]
 * @see MXNet `Pooling`
 */
export function pooling<T extends Tensor>(data: T, attrs: PoolingOptions = {}): T {
  return apply(poolingOp, [data], attrs)
}

const poolingV1Attrs = {
  kernel: attr.ints([], { min: 0 }),
  poolType: attr.oneOf(['max', 'avg', 'sum'], 'max'),
  globalPool: attr.bool(false),
  poolingConvention: attr.oneOf(['valid', 'full'], 'valid'),
  stride: attr.ints([], { min: 1 }),
  pad: attr.ints([], { min: 0 }),
}

const poolingV1Op = defineOp({
  name: 'Pooling_v1',
  inputs: ['data'],
  attrs: poolingV1Attrs,
  body: ([data], attrs) => {
    const rest = { pValue: null, countIncludePad: null, layout: null, cudnnOff: false }
    return pooled('Pooling_v1', data!, { ...attrs, ...rest }, wholeMean)
  },
})

/**
 * Pooling as MXNet had it before: means are sums over the kernel's size, whatever part of a window lies inside.
 *
 * `(N, C, A…) -> (N, C, B…)` as `pooling`. Float dtypes, kept.
 * @throws MXNetError when the kernel is larger than the padded data or does not fit its axes.
 * @example
 * nd.poolingV1(nd.ones([1, 2, 4, 4]), { kernel: [2, 2], stride: [2, 2] }).shape // => [1, 2, 2, 2]
 * @see MXNet `Pooling_v1`
 */
export function poolingV1<T extends Tensor>(data: T, attrs: Given<typeof poolingV1Attrs> = {}): T {
  return apply(poolingV1Op, [data], attrs)
}
