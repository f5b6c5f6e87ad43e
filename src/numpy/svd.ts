/** Singular values, and what follows from them. */

import { fail } from '../base/error.ts'
import { formatShape } from '../base/shape.ts'
import { applyAll } from '../core/apply.ts'
import { OpDef } from '../core/op.ts'
import type { Tensor } from '../core/tensor.ts'
import * as ops from '../ops/index.ts'
import * as la from '../ops/linalg.ts'
import { binary, compare, constant, select } from '../prim/expr.ts'
import { filled, pointwise } from '../prim/primitive.ts'
import { asFloat } from './dtypes.ts'
import { matmul } from './products.ts'
import { swapaxes } from './shape.ts'

/** Matrices with rows and columns exchanged. */
export const turned = (x: Tensor): Tensor => swapaxes(x, -1, -2)
/** One number for each row. */
const column = (x: Tensor): Tensor => ops.expandDims(x, -1)

/** 1 / x, and 0 for 0. */
export const reciprocal = (x: Tensor): Tensor =>
  pointwise([x], ([v]) => {
    const [zero, one] = [constant(0, v!.dtype), constant(1, v!.dtype)]
    const none = compare('eq', v!, zero)
    return select(none, zero, binary('div', one, select(none, one, v!)))
  })

/**
 * Matrices with no more rows than columns. Eigenvectors of [[0, A], [Aᵀ, 0]] are (u, v) with eigenvalues ±σ, exact to the
 * dtype also for small σ; those of σ = 0 say nothing of u and v apart, so both are made orthonormal, the largest σ first.
 */
const svdOp: OpDef = new OpDef({
  name: 'svd',
  inputs: ['a'],
  body: ([a]) => {
    const [m, n] = a!.shape.slice(-2) as [number, number]
    const block = (rows: number): Tensor =>
      filled([...a!.shape.slice(0, -2), rows, rows], 0, a!.dtype)
    const both = ops.concat(
      ops.concat(block(m), a!, { dim: -1 }),
      ops.concat(turned(a!), block(n), { dim: -1 }),
      { dim: -2 },
    )
    const vectors = la.syevd(both)[0]!
    // The largest eigenvalues come last.
    const found = ops.sliceAxis(vectors, { axis: -2, begin: n, end: null })
    const largest = ops.flip(found, { axis: vectors.shape.length - 2 })
    const u = la.gelqf(ops.sliceAxis(largest, { axis: -1, begin: 0, end: m }))[0]!
    const [v, l] = la.gelqf(matmul(u, a!)) as [Tensor, Tensor]
    const values = la.extractdiag(l)
    const signed = pointwise([v, column(values)], ([x, s]) =>
      select(
        compare('lt', s!, constant(0, s!.dtype)),
        binary('sub', constant(0, x!.dtype), x!),
        x!,
      ),
    )
    return [turned(u), ops.abs(values), signed]
  },
  grad: ({ outputs, dys }) => {
    const [u, s, v] = outputs as [Tensor, Tensor, Tensor]
    const [du, ds, dv] = dys as [Tensor, Tensor, Tensor]
    const square = ops.square(s)
    const gaps = reciprocal(ops.subtract(ops.expandDims(square, -2), column(square)))
    const skew = (x: Tensor): Tensor => ops.multiply(gaps, ops.subtract(x, turned(x)))
    const left = ops.multiply(skew(matmul(turned(u), du)), ops.expandDims(s, -2))
    const right = ops.multiply(column(s), skew(matmul(v, turned(dv))))
    const middle = ops.add(ops.add(left, right), la.makediag(ds))
    const scaled = ops.multiply(dv, column(reciprocal(s)))
    // What dv has outside of the rows of v.
    const outside = ops.subtract(scaled, matmul(matmul(scaled, turned(v)), v))
    return [matmul(u, ops.add(matmul(middle, v), outside))]
  },
})

/**
 * Singular values, largest first, and singular vectors, with orthonormal columns before and orthonormal rows behind.
 *
 * `a = u·diag(s)·v`; `(B…, M, N) -> (B…, M, K), (B…, K), (B…, K, N)`, `K = min(M, N)`. Pairs of vectors are given up to their
 * common sign. Gradients need values that differ.
 * @throws MXNetError for arrays with fewer than two axes.
 * @example
 * await np.linalg.svd(np.array([[3, 0], [0, 4]]))[1].asArray() // => [4, 3]
 * @see MXNet `np.linalg.svd`
 */
export function svd<T extends Tensor>(a: T): [u: T, s: T, v: T] {
  if (a.ndim < 2) fail('svd', `shape ${formatShape(a.shape)}: matrices are needed`)
  const wide = a.shape.at(-2)! <= a.shape.at(-1)!
  const x = asFloat(a)
  const [u, s, v] = applyAll(svdOp, [wide ? x : swapaxes(x, -1, -2)]) as [T, T, T]
  return wide ? [u, s, v] : [swapaxes(v, -1, -2), s, swapaxes(u, -1, -2)]
}

/**
 * The pseudo-inverse of Moore and Penrose; singular values up to `rcond` times the largest count as 0.
 *
 * `(B…, M, N) -> (B…, N, M)`.
 * @throws MXNetError for arrays with fewer than two axes.
 * @example
 * await np.linalg.pinv(np.array([[2, 0], [0, 4]])).asArray() // => [[0.5, 0], [0, 0.25]]
 * @see MXNet `np.linalg.pinv`
 */
export function pinv<T extends Tensor>(a: T, rcond = 1e-15): T {
  const [u, s, v] = svd(a)
  const floor = ops.multiply(ops.max(s, { axis: -1, keepdims: true }), rcond)
  const kept = ops.greater(s, floor)
  const inverse = ops.where(
    kept,
    ops.reciprocal(ops.where(kept, s, ops.onesLike(s))),
    ops.zerosLike(s),
  )
  const scaled = ops.multiply(swapaxes(v, -1, -2), ops.expandDims(inverse, -2))
  return matmul(scaled, swapaxes(u, -1, -2))
}
