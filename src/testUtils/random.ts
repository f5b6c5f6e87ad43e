/** Random arrays and shapes for tests, from the stream of `mx.random.seed`. */

import type { Context } from '../base/context.ts'
import type { DType } from '../base/dtype.ts'
import { fail } from '../base/error.ts'
import type { NDArray } from '../ndarray/ndarray.ts'
import { normal, permutation, uniform } from '../ndarray/random.ts'

/** Options of `randNdarray`. */
export interface RandOptions {
  /** 'float32' by default. */
  readonly dtype?: DType
  /** 'uniform' on [-1, 1) (the default) or 'normal'. */
  readonly distribution?: 'uniform' | 'normal'
  /** Factor of the numbers, 1 by default. */
  readonly scale?: number
  readonly ctx?: Context
}

/**
 * An array of random numbers.
 * @throws MXNetError for an unknown distribution.
 * @example
 * mx.testUtils.randNdarray([2, 3]).shape // => [2, 3]
 * @see MXNet `test_utils.rand_ndarray`
 */
export function randNdarray(shape: readonly number[], options: RandOptions = {}): NDArray {
  const { dtype = 'float32', distribution = 'uniform', scale = 1, ctx } = options
  if (distribution !== 'uniform' && distribution !== 'normal')
    fail('randNdarray', `distribution is '${String(distribution)}': use 'uniform' or 'normal'`)
  const drawn = dtype === 'float64' ? 'float64' : 'float32'
  const own = { shape, dtype: drawn, ctx } as const
  const x = distribution === 'normal' ? normal(0, scale, own) : uniform(-scale, scale, own)
  return x.astype(dtype)
}

/** A whole number from `low` up to `high`, which is left out. */
const below = (low: number, high: number): number => low + permutation(high - low)[0]!

/**
 * A random shape of `numDim` axes, each from 1 up to `dim` (10), or from 0 with `allowZeroSize`.
 * @example
 * mx.testUtils.randShapeNd(3).length // => 3
 * @see MXNet `test_utils.rand_shape_nd`
 */
export function randShapeNd(
  numDim: number,
  {
    dim = 10,
    allowZeroSize = false,
  }: { readonly dim?: number; readonly allowZeroSize?: boolean } = {},
): number[] {
  return Array.from({ length: numDim }, () => below(allowZeroSize ? 0 : 1, dim + 1))
}

/**
 * A random shape of two axes, each up to its limit (10).
 * @example
 * mx.testUtils.randShape2d(4, 4).length // => 2
 * @see MXNet `test_utils.rand_shape_2d`
 */
export const randShape2d = (dim0 = 10, dim1 = 10): [number, number] => [
  below(1, dim0 + 1),
  below(1, dim1 + 1),
]

/**
 * A random shape of three axes, each up to its limit (10).
 * @example
 * mx.testUtils.randShape3d().length // => 3
 * @see MXNet `test_utils.rand_shape_3d`
 */
export const randShape3d = (dim0 = 10, dim1 = 10, dim2 = 10): [number, number, number] => [
  ...randShape2d(dim0, dim1),
  below(1, dim2 + 1),
]
