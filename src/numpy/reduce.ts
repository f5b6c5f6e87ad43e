/** Sums, means, extrema and order along axes. */

import type { DType } from '../base/dtype.ts'
import { fail } from '../base/error.ts'
import { checkAxes, checkAxis, sizeOf } from '../base/shape.ts'
import type { Tensor } from '../core/tensor.ts'
import * as ops from '../ops/index.ts'
import { asBool, asFloat } from './dtypes.ts'
import { ravel, reshape } from './shape.ts'

/** Which axes are reduced: all without one; negative ones count from the end. */
export interface AxisOptions {
  readonly axis?: number | readonly number[] | null
  /** Whether reduced axes stay with size 1. */
  readonly keepdims?: boolean
}
/** The same with the dtype of the result. */
export interface TypedAxisOptions extends AxisOptions {
  readonly dtype?: DType
}

type Axis = AxisOptions['axis'] | AxisOptions
/** The axis may stand alone: `np.sum(x, 1)` and `np.sum(x, { axis: 1, keepdims: true })`. */
const optionsOf = <O extends AxisOptions>(axis: O['axis'] | O | undefined): O =>
  (typeof axis === 'object' && axis !== null && !Array.isArray(axis)
    ? axis
    : { axis: axis ?? null }) as O

const typed = <T extends Tensor>(x: T, dtype: DType | undefined): T =>
  dtype === undefined ? x : ops.cast(x, { dtype })
/** Truths are counted in int64. */
const counted = <T extends Tensor>(x: T): T =>
  x.dtype === 'bool' ? ops.cast(x, { dtype: 'int64' }) : x
const own = ({ axis = null, keepdims = false }: AxisOptions): AxisOptions => ({ axis, keepdims })
/** An empty list of axes reduces nothing in NumPy, everything in MXNet's operators. */
const nothing = ({ axis }: AxisOptions): boolean => Array.isArray(axis) && axis.length === 0

/**
 * The sum; truths are counted in int64.
 * @example
 * await np.sum(np.array([[1, 2], [3, 4]]), -1).asArray() // => [3, 7]
 * @see MXNet `np.sum`
 */
export function sum<T extends Tensor>(a: T, axis?: Axis | TypedAxisOptions): T {
  const o = optionsOf<TypedAxisOptions>(axis)
  const x = counted(typed(a, o.dtype))
  return nothing(o) ? x : ops.sum(x, own(o))
}
/** The product. @see MXNet `np.prod` */
export function prod<T extends Tensor>(a: T, axis?: Axis | TypedAxisOptions): T {
  const o = optionsOf<TypedAxisOptions>(axis)
  const x = counted(typed(a, o.dtype))
  return nothing(o) ? x : ops.prod(x, own(o))
}
/** The largest element. @see MXNet `np.max` */
export function max<T extends Tensor>(a: T, axis?: Axis): T {
  const o = optionsOf<AxisOptions>(axis)
  return nothing(o) ? a : ops.max(a, own(o))
}
/** The smallest element. @see MXNet `np.min` */
export function min<T extends Tensor>(a: T, axis?: Axis): T {
  const o = optionsOf<AxisOptions>(axis)
  return nothing(o) ? a : ops.min(a, own(o))
}
/** The largest element. @see MXNet `np.amax` */
export const amax = max
/** The smallest element. @see MXNet `np.amin` */
export const amin = min

/**
 * The mean; float32 for integers.
 * @example
 * await np.mean(np.array([1, 2])).asScalar() // => 1.5
 * @see MXNet `np.mean`
 */
export function mean<T extends Tensor>(a: T, axis?: Axis | TypedAxisOptions): T {
  const o = optionsOf<TypedAxisOptions>(axis)
  const x = asFloat(typed(a, o.dtype))
  return nothing(o) ? x : ops.mean(x, own(o))
}

/** Options of `variance` and `std`. */
export interface SpreadOptions extends AxisOptions {
  /** What is taken off the number of elements below the fraction, 0 by default. */
  readonly ddof?: number
}

const countAlong = (x: Tensor, { axis = null }: AxisOptions): number =>
  axis === null
    ? x.size
    : sizeOf(
        checkAxes('np', typeof axis === 'number' ? [axis] : axis, x.ndim).map((i) => x.shape[i]!),
      )

/** The variance: the mean square of what lies off the mean. Exported as `np.var`. @see MXNet `np.var` */
export function variance<T extends Tensor>(a: T, axis?: SpreadOptions['axis'] | SpreadOptions): T {
  const o = optionsOf<SpreadOptions>(axis)
  const x = asFloat(a)
  const off = ops.subtract(x, ops.mean(x, { ...own(o), keepdims: true }))
  const squares = ops.sum(ops.square(off), own(o))
  return ops.divide(squares, countAlong(x, o) - (o.ddof ?? 0)) as T
}
/**
 * The standard deviation.
 * @example
 * await np.std(np.array([1, 3])).asScalar() // => 1
 * @see MXNet `np.std`
 */
export const std = <T extends Tensor>(a: T, axis?: SpreadOptions['axis'] | SpreadOptions): T =>
  ops.sqrt(variance(a, axis))

/**
 * The mean weighted by numbers of the same shape, or one for each place along the axis.
 * @example
 * await np.average(np.array([1, 2]), { weights: np.array([3, 1]) }).asScalar() // => 1.25
 * @see MXNet `np.average`
 */
export function average<T extends Tensor>(
  a: T,
  options: { readonly axis?: number | null; readonly weights?: T | null } = {},
): T {
  const { axis = null, weights = null } = options
  if (weights === null) return mean(a, axis)
  const x = asFloat(a)
  const w = asFloat(weights)
  const shape = x.shape.map((d, i) =>
    axis !== null && i === checkAxis('average', axis, x.ndim) ? d : 1,
  )
  const wide = w.ndim === x.ndim ? w : reshape(w, shape)
  const total = ops.sum(ops.multiply(x, wide), { axis })
  return ops.divide(total, ops.sum(ops.broadcastLike(wide, x), { axis })) as T
}

const position =
  (f: <T extends Tensor>(x: T, o: { axis: number | null; keepdims: boolean }) => T) =>
  <T extends Tensor>(
    a: T,
    axis: number | null | { readonly axis?: number | null; readonly keepdims?: boolean } = null,
  ): T => {
    const { axis: at = null, keepdims = false } =
      typeof axis === 'object' && axis !== null ? axis : { axis }
    return ops.cast(f(a, { axis: at, keepdims }), { dtype: 'int64' })
  }
/** The position of the largest element, int64; in the flattened array without an axis. @see MXNet `np.argmax` */
export const argmax = position((x, o) => ops.argmax(x, o))
/** The position of the smallest element, int64; in the flattened array without an axis. @see MXNet `np.argmin` */
export const argmin = position((x, o) => ops.argmin(x, o))

/** Whether all elements are not 0: truths. @see MXNet `np.all` */
export function all<T extends Tensor>(a: T, axis?: Axis): T {
  const o = optionsOf<AxisOptions>(axis)
  return asBool(ops.prod(ops.cast(asBool(a), { dtype: 'int32' }), own(o)))
}
/** Whether some element is not 0: truths. @see MXNet `np.any` */
export function any<T extends Tensor>(a: T, axis?: Axis): T {
  const o = optionsOf<AxisOptions>(axis)
  return asBool(ops.sum(ops.cast(asBool(a), { dtype: 'int32' }), own(o)))
}

/** Running sums along an axis; of the flattened array without one. @see MXNet `np.cumsum` */
export const cumsum = <T extends Tensor>(a: T, axis: number | null = null, dtype?: DType): T => {
  const x = counted(typed(a, dtype))
  return axis === null
    ? ops.cumsum(ravel(x), { axis: 0 })
    : ops.cumsum(x, { axis: checkAxis('cumsum', axis, x.ndim) })
}
/** Differences of neighbours along an axis, n times. @see MXNet `np.diff` */
export function diff<T extends Tensor>(a: T, n = 1, axis = -1): T {
  if (n === 0) return a
  const at = checkAxis('diff', axis, a.ndim)
  const part = (key: string): T => a.at(...a.shape.map((_, i) => (i === at ? key : ':')))
  return diff(ops.subtract(part('1:'), part(':-1')) as T, n - 1, axis)
}

/** The elements in order along an axis (the last); of the flattened array for null. @see MXNet `np.sort` */
export const sort = <T extends Tensor>(a: T, axis: number | null = -1): T => ops.sort(a, { axis })
/** The positions that put elements in order, int64. @see MXNet `np.argsort` */
export const argsort = <T extends Tensor>(a: T, axis: number | null = -1): T =>
  ops.argsort(a, { axis, dtype: 'int64' })

/** Options of `percentile` and `quantile`. */
export interface QuantileOptions extends AxisOptions {
  /** How a place between two elements is filled: 'linear' by default. */
  readonly interpolation?: 'linear' | 'lower' | 'higher' | 'nearest' | 'midpoint'
}

/**
 * The value below which a share `q` (0 … 1) of the elements lies.
 * @throws MXNetError when `q` is outside 0 … 1 or the interpolation is unknown.
 * @example
 * await np.quantile(np.array([1, 2, 3, 4]), 0.5).asScalar() // => 2.5
 * @see MXNet `np.quantile`
 */
export function quantile<T extends Tensor>(a: T, q: number, options: QuantileOptions = {}): T {
  const { axis = null, keepdims = false, interpolation = 'linear' } = options
  if (!(q >= 0 && q <= 1)) fail('quantile', `q is ${String(q)}: it must be between 0 and 1`)
  if (axis !== null && typeof axis !== 'number')
    fail('quantile', 'one axis, or null for all, is supported')
  const at = axis === null ? 0 : checkAxis('quantile', axis, a.ndim)
  const x = asFloat(axis === null ? ravel(a) : a)
  const sorted = ops.sort(x, { axis: at })
  const place = q * (x.shape[at]! - 1)
  const pick = (i: number): T => ops.take(sorted, index(sorted, i), { axis: at })
  const [low, high] = [Math.floor(place), Math.ceil(place)]
  const share = {
    linear: place - low,
    lower: 0,
    higher: 1,
    midpoint: low === high ? 0 : 0.5,
    nearest: Math.round(place) > low ? 1 : 0,
  }[interpolation]
  if (share === undefined)
    fail(
      'quantile',
      `interpolation is '${String(interpolation)}': use 'linear', 'lower', 'higher', 'nearest' or 'midpoint'`,
    )
  const value = ops.add(
    ops.multiply(pick(low), 1 - share) as T,
    ops.multiply(pick(high), share) as T,
  )
  if (!keepdims) return value
  return axis === null
    ? reshape(
        value,
        a.shape.map(() => 1),
      )
    : ops.expandDims(value, at)
}
/** A scalar position. */
const index = <T extends Tensor>(like: T, i: number): T =>
  ops.add(ops.multiply(ops.zerosLike(like.at(...like.shape.map(() => 0))), 0), i) as T
/** As `quantile`, with `q` in percent. @see MXNet `np.percentile` */
export const percentile = <T extends Tensor>(a: T, q: number, options: QuantileOptions = {}): T =>
  quantile(a, q / 100, options)
/** The middle value. @see NumPy `median` */
export const median = <T extends Tensor>(a: T, options: AxisOptions = {}): T =>
  quantile(a, 0.5, options)
