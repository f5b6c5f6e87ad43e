/** Making arrays, in float32 unless told otherwise. */

import type { DType } from '../base/dtype.ts'
import { fail } from '../base/error.ts'
import { checkAxis, formatShape } from '../base/shape.ts'
import type { Tensor } from '../core/tensor.ts'
import * as nd from '../ndarray/creation.ts'
import type { NDArray } from '../ndarray/ndarray.ts'
import * as ops from '../ops/index.ts'

export type { NDArray as ndarray }

/** Where and in which dtype an array is made. */
export type ArrayOptions = nd.ArrayOptions

/**
 * An array of given values: arrays and typed arrays keep their dtype, lists and numbers become float32.
 * @example
 * await np.array([[1, 2]]).asArray() // => [[1, 2]]
 * @see MXNet `np.array`
 */
export const array: (source: nd.ArraySource, options?: ArrayOptions) => NDArray = nd.array
/**
 * Zeros.
 * @example
 * np.zeros([2, 3]).shape // => [2, 3]
 * @see MXNet `np.zeros`
 */
export const zeros: (shape: readonly number[] | number, options?: ArrayOptions) => NDArray =
  nd.zeros
/**
 * Ones.
 * @example
 * np.ones([2, 3]).shape // => [2, 3]
 * @see MXNet `np.ones`
 */
export const ones: (shape: readonly number[] | number, options?: ArrayOptions) => NDArray = nd.ones
/**
 * An array whose values are whatever was there.
 * @example
 * np.empty([2]).shape // => [2]
 * @see MXNet `np.empty`
 */
export const empty: (shape: readonly number[] | number, options?: ArrayOptions) => NDArray =
  nd.empty
/**
 * One value everywhere.
 * @example
 * await np.full([2], 7).asArray() // => [7, 7]
 * @see MXNet `np.full`
 */
export const full: (
  shape: readonly number[] | number,
  fillValue: number,
  options?: ArrayOptions,
) => NDArray = nd.full
/**
 * Numbers from `start` up to `stop` (left out) by `step`; with one argument from 0. float32 unless `dtype` says otherwise.
 * @example
 * await np.arange(3).asArray() // => [0, 1, 2]
 * @see MXNet `np.arange`
 */
export function arange(
  start: number,
  stop?: number | ArrayOptions | null,
  step?: number | ArrayOptions,
  options?: ArrayOptions,
): NDArray {
  const own = [stop, step, options].find(
    (o): o is ArrayOptions => typeof o === 'object' && o !== null,
  )
  const [to, by] = [typeof stop === 'number' ? stop : null, typeof step === 'number' ? step : 1]
  return to === null ? nd.arange(0, start, by, own) : nd.arange(start, to, by, own)
}

/** Options of `linspace`. */
export interface LinspaceOptions extends ArrayOptions {
  /** Whether the last number is `stop` itself (the default). */
  readonly endpoint?: boolean
}

/**
 * Evenly spaced numbers.
 * @example
 * await np.linspace(0, 1, 3).asArray() // => [0, 0.5, 1]
 * @see MXNet `np.linspace`
 */
export function linspace(
  start: number,
  stop: number,
  num = 50,
  options: LinspaceOptions = {},
): NDArray {
  return nd.linspace(start, stop, num, options)
}

/**
 * Numbers whose logarithms are evenly spaced: `base^linspace(start, stop)`.
 * @example
 * await np.logspace(0, 2, 3).asArray() // => [1, 10, 100]
 * @see MXNet `np.logspace`
 */
export function logspace(
  start: number,
  stop: number,
  num = 50,
  { base = 10, ...options }: LinspaceOptions & { readonly base?: number } = {},
): NDArray {
  return ops.power(base, linspace(start, stop, num, options))
}

/**
 * Ones on a diagonal: `out[i, i + k] = 1`.
 * @example
 * await np.eye(2).asArray() // => [[1, 0], [0, 1]]
 * @see MXNet `np.eye`
 */
export function eye(N: number, M: number | null = null, k = 0, options?: ArrayOptions): NDArray {
  return nd.eye(N, M ?? N, k, options)
}
/**
 * The identity matrix.
 * @example
 * np.identity(3).shape // => [3, 3]
 * @see MXNet `np.identity`
 */
export const identity = (n: number, options?: ArrayOptions): NDArray => nd.eye(n, n, 0, options)

const typed = <T extends Tensor>(x: T, dtype: DType | undefined): T =>
  dtype === undefined ? x : ops.cast(x, { dtype })

/** Zeros of an array's shape and dtype. @see MXNet `np.zeros_like` */
export const zerosLike = <T extends Tensor>(x: T, dtype?: DType): T =>
  typed(ops.zerosLike(x), dtype)
/** Ones of an array's shape and dtype. @see MXNet `np.ones_like` */
export const onesLike = <T extends Tensor>(x: T, dtype?: DType): T => typed(ops.onesLike(x), dtype)
/** An array of another's shape and dtype, whatever its values. @see MXNet `np.empty_like` */
export const emptyLike = zerosLike
/** One value in an array's shape and dtype. @see MXNet `np.full_like` */
export const fullLike = <T extends Tensor>(x: T, fillValue: number, dtype?: DType): T =>
  ops.add(zerosLike(x, dtype), fillValue)

/**
 * Coordinates of a grid: for vectors of n and m numbers two arrays of shape (m, n), or (n, m) with `indexing: 'ij'`.
 * @example
 * (await np.meshgrid(np.arange(2), np.arange(3))[0].asArray()) // => [[0, 1], [0, 1], [0, 1]]
 * @see MXNet `np.meshgrid`
 */
export function meshgrid<T extends Tensor>(
  ...args: [...vectors: T[], options: { readonly indexing?: 'xy' | 'ij' }] | T[]
): T[] {
  const last = args.at(-1) as T | { readonly indexing?: 'xy' | 'ij' } | undefined
  const isOptions = last !== undefined && !('aval' in last)
  const vectors = (isOptions ? args.slice(0, -1) : args) as T[]
  const { indexing = 'xy' } = (isOptions ? last : {}) as { readonly indexing?: 'xy' | 'ij' }
  const swapped = indexing === 'xy' && vectors.length > 1
  const axisOf = (i: number): number => (swapped && i < 2 ? 1 - i : i)
  const shape: number[] = new Array(vectors.length)
  vectors.forEach((v, i) => {
    shape[axisOf(i)] = v.size
  })
  return vectors.map((v, i) => {
    const own = shape.map((d, axis) => (axis === axisOf(i) ? d : 1))
    return ops.broadcastTo(ops.reshape(v, own), shape)
  })
}

/** The positions of rows and columns of the last two axes, compared. */
function band<T extends Tensor>(
  where: string,
  x: T,
  keep: (rows: NDArray, columns: NDArray) => NDArray,
): T {
  if (x.ndim < 2) fail(where, `shape ${formatShape(x.shape)}: at least two axes are needed`)
  const [rows, columns] = x.shape.slice(-2) as [number, number]
  const ctx = x.context
  const at = keep(
    nd.arange(0, rows, 1, { ctx }).reshape([rows, 1]),
    nd.arange(0, columns, 1, { ctx }).reshape([1, columns]),
  )
  const mask = ops.broadcastTo(at, x.shape) as unknown as T
  return ops.where(mask, x, ops.zerosLike(x))
}

/**
 * The lower triangle up to the k-th diagonal; zeros above.
 * @example
 * await np.tril(np.ones([2, 2])).asArray() // => [[1, 0], [1, 1]]
 * @see MXNet `np.tril`
 */
export const tril = <T extends Tensor>(m: T, k = 0): T =>
  band('tril', m, (i, j) => ops.greaterEqual(ops.add(i, k), j))
/**
 * The upper triangle from the k-th diagonal; zeros below.
 * @example
 * await np.triu(np.ones([2, 2])).asArray() // => [[1, 1], [0, 1]]
 * @see NumPy `triu`
 */
export const triu = <T extends Tensor>(m: T, k = 0): T =>
  band('triu', m, (i, j) => ops.lesserEqual(ops.add(i, k), j))

/**
 * The positions of a grid, one array an axis: shape `(n, d₁, …, dₙ)`, int32.
 * @example
 * (await np.indices([2, 1]).asArray()) // => [[[0], [1]], [[0], [0]]]
 * @see MXNet `np.indices`
 */
export function indices(dimensions: readonly number[], options: ArrayOptions = {}): NDArray {
  const axes = dimensions.map((d) =>
    nd.arange(0, d, 1, { ...options, dtype: options.dtype ?? 'int32' }),
  )
  return ops.stack<NDArray>(...meshgrid<NDArray>(...axes, { indexing: 'ij' }), { axis: 0 })
}

/**
 * A vector on the k-th diagonal of a matrix, or the k-th diagonal of a matrix.
 * @example
 * await np.diag(np.array([1, 2])).asArray() // => [[1, 0], [0, 2]]
 * @see MXNet `np.diag`
 */
export function diag<T extends Tensor>(v: T, k = 0): T {
  if (v.ndim === 2) return diagonal(v, k)
  if (v.ndim !== 1) fail('diag', `shape ${formatShape(v.shape)}: a vector or a matrix is needed`)
  const n = v.size + Math.abs(k)
  const places = eye(v.size, n, Math.max(k, 0), { ctx: v.context, dtype: v.dtype }) as unknown as T
  const rows = ops.multiply(ops.expandDims(v, 1), places) as T
  if (k >= 0) return n === v.size ? rows : ops.concat(rows, blank(rows, n - v.size), { dim: 0 })
  return ops.concat(blank(rows, n - v.size), rows, { dim: 0 })
}
const blank = <T extends Tensor>(like: T, rows: number): T => {
  const [, columns] = like.shape as [number, number]
  return nd.zeros([rows, columns], { dtype: like.dtype, ctx: like.context }) as unknown as T
}

/**
 * A diagonal of two axes, as the last axis of the result.
 * @example
 * await np.diagonal(np.array([[1, 2], [3, 4]])).asArray() // => [1, 4]
 * @see MXNet `np.diagonal`
 */
export function diagonal<T extends Tensor>(a: T, offset = 0, axis1 = 0, axis2 = 1): T {
  const [i, j] = [checkAxis('diagonal', axis1, a.ndim), checkAxis('diagonal', axis2, a.ndim)]
  if (i === j) fail('diagonal', `axis1 and axis2 are both ${axis1}: two axes are needed`)
  const others = a.shape.map((_, k) => k).filter((k) => k !== i && k !== j)
  const last = ops.transpose(a, [...others, i, j])
  const [rows, columns] = last.shape.slice(-2) as [number, number]
  const count = Math.max(
    0,
    offset >= 0 ? Math.min(rows, columns - offset) : Math.min(rows + offset, columns),
  )
  const start = offset >= 0 ? offset : -offset * columns
  const flat = ops.reshape(last, [...last.shape.slice(0, -2), rows * columns])
  const stop = count === 0 ? start : start + (count - 1) * (columns + 1) + 1
  return flat.at('...', `${start}:${stop}:${columns + 1}`)
}
