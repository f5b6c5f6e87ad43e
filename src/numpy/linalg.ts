/** `np.linalg`: norms, factorizations and solutions. */

import { fail } from '../base/error.ts'
import { checkAxis, formatShape } from '../base/shape.ts'
import type { Tensor } from '../core/tensor.ts'
import * as ops from '../ops/index.ts'
import * as la from '../ops/linalg.ts'
import { asFloat } from './dtypes.ts'
import { matmul } from './products.ts'
import { moveaxis, ravel, reshape, swapaxes } from './shape.ts'
import { svd } from './svd.ts'

export { eig, eigvals } from './eigen.ts'
export { pinv, svd } from './svd.ts'

/** Options of `norm`. */
export interface NormOptions {
  /** 2 (Euclid's, the default), 1, a power, ±Infinity; of matrices Frobenius' by default, or 'nuc'. */
  readonly ord?: number | 'fro' | 'nuc' | null
  readonly axis?: number | readonly [number, number] | null
  readonly keepdims?: boolean
}

/**
 * The norm of vectors along an axis or of matrices along two; of all elements without an axis.
 *
 * Vectors: `(Σ |x|ᵖ)^(1/p)`, for ±∞ the largest or smallest magnitude. Matrices: Frobenius', ±1 and ±∞ by sums of columns
 * and rows, ±2 the largest and smallest singular value, 'nuc' the sum of them.
 * @throws MXNetError for an order that is not there.
 * @example
 * await np.linalg.norm(np.array([3, 4])).asScalar() // => 5
 * @see MXNet `np.linalg.norm`
 */
export function norm<T extends Tensor>(x: T, options: NormOptions = {}): T {
  const { ord = null, axis = null, keepdims = false } = options
  const v = asFloat(x)
  if (ord === null) return ops.sqrt(ops.sum(ops.square(v), { axis, keepdims }))
  const pair = axis !== null && typeof axis !== 'number'
  const matrix = pair || (axis === null && v.ndim === 2)
  const magnitude = ops.abs(v)
  if (!matrix) {
    if (typeof ord === 'string') fail('norm', `'${ord}' is a norm of matrices: give two axes`)
    const o = { axis, keepdims }
    if (ord === Number.POSITIVE_INFINITY) return ops.max(magnitude, o)
    if (ord === Number.NEGATIVE_INFINITY) return ops.min(magnitude, o)
    if (ord === 0) return ops.sum(ops.notEqual(magnitude, 0), o)
    if (ord === 2) return ops.sqrt(ops.sum(ops.square(v), o))
    return ops.power(ops.sum(ops.power(magnitude, ord), o), 1 / ord)
  }
  const [i, j] = (pair ? axis : [0, 1]).map((a) => checkAxis('norm', a, v.ndim)) as [number, number]
  if (ord === 'fro') return ops.sqrt(ops.sum(ops.square(v), { axis: [i, j], keepdims }))
  if (ord === 'nuc' || Math.abs(ord) === 2) {
    const s = svd(moveaxis(v, [i, j], [-2, -1]))[1]
    const value = (ord === 'nuc' ? ops.sum : ord > 0 ? ops.max : ops.min)(s, { axis: -1 })
    return keepdims ? ops.expandDims(ops.expandDims(value, Math.min(i, j)), Math.max(i, j)) : value
  }
  const [first, second] = Math.abs(ord) === 1 ? [i, j] : [j, i]
  const sums = ops.sum(magnitude, { axis: first, keepdims: true })
  const pick = ord > 0 ? ops.max : ops.min
  if (Math.abs(ord) !== 1 && Math.abs(ord) !== Number.POSITIVE_INFINITY)
    fail('norm', `ord ${ord} of matrices is not here: use 'fro', 'nuc', ±1, ±2 or ±Infinity`)
  const best = pick(sums, { axis: second, keepdims: true })
  return keepdims ? best : ops.squeeze(best, [i, j])
}

/** The determinant of the last two axes. @see MXNet `np.linalg.det` */
export const det = <T extends Tensor>(a: T): T => la.det(asFloat(a))
/** Sign and logarithm of the magnitude of the determinant. @see MXNet `np.linalg.slogdet` */
export const slogdet = <T extends Tensor>(a: T): T[] => la.slogdet(asFloat(a))
/** The inverse of the last two axes. @see MXNet `np.linalg.inv` */
export const inv = <T extends Tensor>(a: T): T => la.inverse(asFloat(a))
/** Cholesky's lower triangle: `L·Lᵀ = a`. @see MXNet `np.linalg.cholesky` */
export const cholesky = <T extends Tensor>(a: T): T => la.potrf(asFloat(a))

/**
 * The solution of `a·x = b`; `b` a vector or a matrix (stacks broadcast as in `matmul`).
 * @example
 * await np.linalg.solve(np.array([[2, 0], [0, 4]]), np.array([2, 4])).asArray() // => [1, 1]
 * @see MXNet `np.linalg.solve`
 */
export function solve<T extends Tensor>(a: T, b: T): T {
  const vector = b.ndim === a.ndim - 1
  const right = asFloat(vector ? reshape(b, [...b.shape, 1]) : b)
  const x = matmul(inv(a), right)
  return vector ? reshape(x, x.shape.slice(0, -1)) : x
}

/**
 * Eigenvalues (ascending) and eigenvectors (as columns) of symmetric matrices: `a·v = v·diag(w)`.
 * @throws MXNetError for shapes that are not square.
 * @example
 * await np.linalg.eigh(np.array([[2, 0], [0, 1]]))[0].asArray() // => [1, 2]
 * @see MXNet `np.linalg.eigh`
 */
export function eigh<T extends Tensor>(a: T): [w: T, v: T] {
  if (a.ndim < 2 || a.shape.at(-1) !== a.shape.at(-2))
    fail('eigh', `shape ${formatShape(a.shape)}: square matrices are needed`)
  const [u, w] = la.syevd(asFloat(a)) as [T, T]
  return [w, swapaxes(u, -1, -2)]
}
/** Eigenvalues of symmetric matrices, ascending. @see MXNet `np.linalg.eigvalsh` */
export const eigvalsh = <T extends Tensor>(a: T): T => eigh(a)[0]
/** The inverse of a tensor for `tensordot` over its first `ind` axes. @see MXNet `np.linalg.tensorinv` */
export function tensorinv<T extends Tensor>(a: T, ind = 2): T {
  const [front, back] = [a.shape.slice(0, ind), a.shape.slice(ind)]
  const rows = front.reduce((x, y) => x * y, 1)
  if (rows * rows !== a.size)
    fail(
      'tensorinv',
      `shape ${formatShape(a.shape)}: the first ${ind} axes must hold as many as the others`,
    )
  return reshape(inv(reshape(a, [rows, -1])), [...back, ...front])
}
/** The solution x of `tensordot(a, x) = b`. @see MXNet `np.linalg.tensorsolve` */
export function tensorsolve<T extends Tensor>(a: T, b: T): T {
  const x = solve(reshape(a, [b.size, -1]), ravel(b))
  return reshape(x, a.shape.slice(b.ndim))
}
