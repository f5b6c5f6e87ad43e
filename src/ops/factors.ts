/** Linear algebra by routines: Cholesky, triangular systems, LQ, eigenvalues, inverses and determinants. */

import { isFloat } from '../base/dtype.ts'
import { fail } from '../base/error.ts'
import { formatShape, sameShape, sizeOf } from '../base/shape.ts'
import { apply, applyAll } from '../core/apply.ts'
import { attr, type Given } from '../core/attrs.ts'
import { defineOp, OpDef } from '../core/op.ts'
import type { Tensor } from '../core/tensor.ts'
import { callRoutine } from '../prim/call.ts'
import { binary, compare, constant, select, unary } from '../prim/expr.ts'
import {
  broadcastTo,
  filled,
  iota,
  pointwise,
  reduce,
  reshapeTo,
  sliceOf,
} from '../prim/primitive.ts'
import type { RoutineName } from '../prim/routines/index.ts'
import {
  checkMatrices,
  diagonalOf,
  mirrored,
  multiply,
  onDiagonal,
  symmetric,
  transposed,
  triangle,
} from './matrices.ts'

const batchOf = (x: Tensor): readonly number[] => x.shape.slice(0, -2)

/** Checks a batch of matrices of a float dtype. */
function checkReal(where: string, x: Tensor, square = true): void {
  checkMatrices(where, x, square)
  if (!isFloat(x.dtype))
    fail(where, `the matrices are ${x.dtype}: linear algebra needs a float dtype`)
}

/** A routine on a batch of square matrices, for each of which it gives `size` elements. */
function onSquares(
  routine: RoutineName,
  x: Tensor,
  shape: readonly number[],
  settings: readonly number[] = [],
): Tensor {
  const batch = sizeOf(batchOf(x))
  return callRoutine(routine, [x], [batch, x.shape.at(-1)!, ...settings], shape)
}

/** Parts of the last axis, each under a shape of its own. */
function unpack(packed: Tensor, shapes: readonly (readonly number[])[]): Tensor[] {
  const batch = packed.shape.slice(0, -1)
  let from = 0
  return shapes.map((shape) => {
    const size = sizeOf(shape)
    const begin = [...batch.map(() => 0), from]
    from += size
    return reshapeTo(
      sliceOf(
        packed,
        begin,
        packed.shape.map(() => 1),
        [...batch, size],
      ),
      [...batch, ...shape],
    )
  })
}

const scaled = (x: Tensor, alpha: number): Tensor =>
  alpha === 1 ? x : pointwise([x], ([v]) => binary('mul', v!, constant(alpha, v!.dtype)))
const negated = (x: Tensor): Tensor => pointwise([x], ([v]) => unary('neg', v!))
const sum = (x: Tensor, y: Tensor): Tensor => pointwise([x, y], ([a, b]) => binary('add', a!, b!))
const difference = (x: Tensor, y: Tensor): Tensor =>
  pointwise([x, y], ([a, b]) => binary('sub', a!, b!))

/** X of op(T)·X = B for a triangle T. */
function solve(t: Tensor, b: Tensor, lower: boolean, transpose: boolean): Tensor {
  return trsm(t, b, { lower, transpose })
}

const trsmAttrs = {
  transpose: attr.bool(false),
  rightside: attr.bool(false),
  lower: attr.bool(true),
  alpha: attr.float(1),
}

const trsmOp = defineOp({
  name: '_linalg_trsm',
  aliases: ['linalg_trsm'],
  inputs: ['A', 'B'],
  attrs: trsmAttrs,
  body: ([a, b], { transpose, rightside, lower, alpha }) => {
    checkReal('linalg_trsm', a!)
    checkReal('linalg_trsm', b!, false)
    const n = a!.shape.at(-1)!
    if (!sameShape(batchOf(a!), batchOf(b!)) || b!.shape.at(rightside ? -1 : -2) !== n)
      fail('linalg_trsm', `A ${formatShape(a!.shape)} does not fit B ${formatShape(b!.shape)}`)
    // X·op(A) = B is op(A)ᵀ·Xᵀ = Bᵀ.
    const right = scaled(rightside ? transposed(b!) : b!, alpha)
    const flags = [lower ? 1 : 0, transpose !== rightside ? 1 : 0]
    const numbers = [sizeOf(batchOf(a!)), n, right.shape.at(-1)!, ...flags]
    const x = callRoutine('trsm', [a!, right], numbers, right.shape)
    return rightside ? transposed(x) : x
  },
  grad: ({ inputs, outputs, dys, attrs: { transpose, rightside, lower, alpha } }) => {
    const [a, x] = [inputs[0]!, outputs[0]!]
    const db = trsm(a, dys[0]!, { transpose: !transpose, rightside, lower })
    const [l, r] = transpose !== rightside ? [x, db] : [db, x]
    const da = rightside
      ? multiply('linalg_trsm', l, r, true)
      : multiply('linalg_trsm', l, r, false, true)
    return [negated(triangle(da, lower)), scaled(db, alpha)]
  },
})

/**
 * The solution of triangular systems: of op(A)·X = alpha·B, or X·op(A) = alpha·B from the right.
 *
 * `(B…, n, n), (B…, n, m) -> (B…, n, m)`; float dtypes. Of A only the triangle that `lower` names is read.
 * @throws MXNetError when the shapes do not fit.
 * @example
 * await nd.linalg.trsm(nd.array([[2, 0], [1, 1]]), nd.array([[4], [5]])).asArray() // => [[2], [3]]
 * @see MXNet `linalg_trsm`
 */
export function trsm<T extends Tensor>(A: T, B: T, options?: Given<typeof trsmAttrs>): T {
  return apply(trsmOp, [A, B], options)
}

const factorAttrs = { lower: attr.bool(true) }

const potrfOp = defineOp({
  name: '_linalg_potrf',
  aliases: ['linalg_potrf'],
  inputs: ['A'],
  attrs: factorAttrs,
  body: ([a], { lower }) => {
    checkReal('linalg_potrf', a!)
    return onSquares('potrf', a!, a!.shape, [lower ? 1 : 0])
  },
  grad: ({ outputs, dys, attrs: { lower } }) => {
    // dA = L⁻ᵀ·Φ(Lᵀ·dL)·L⁻¹ / 2, with the lower triangle mirrored.
    const l = lower ? outputs[0]! : transposed(outputs[0]!)
    const dl = lower ? dys[0]! : transposed(dys[0]!)
    const inner = mirrored(multiply('linalg_potrf', l, dl, true))
    const left = solve(l, inner, true, true)
    return [scaled(trsm(l, left, { lower: true, rightside: true }), 0.5)]
  },
})

/**
 * The Cholesky factor of symmetric positive definite matrices, of which one triangle is read.
 *
 * `A = L·Lᵀ`, or `Uᵀ·U` for `lower: false`; `(B…, n, n) -> (B…, n, n)`; float dtypes. The gradient is symmetric.
 * @throws MXNetError when a matrix is not positive definite.
 * @example
 * await nd.linalg.potrf(nd.array([[4, 2], [2, 2]])).asArray() // => [[2, 0], [1, 1]]
 * @see MXNet `linalg_potrf`
 */
export function potrf<T extends Tensor>(A: T, options?: Given<typeof factorAttrs>): T {
  return apply(potrfOp, [A], options)
}

const potriOp = defineOp({
  name: '_linalg_potri',
  aliases: ['linalg_potri'],
  inputs: ['A'],
  attrs: factorAttrs,
  body: ([l], { lower }) => {
    checkReal('linalg_potri', l!)
    const unit = pointwise(
      [iota(l!.shape, l!.shape.length - 2), iota(l!.shape, l!.shape.length - 1)],
      ([i, j]) => select(compare('eq', i!, j!), constant(1, l!.dtype), constant(0, l!.dtype)),
    )
    const w = solve(l!, unit, lower, false)
    return lower
      ? multiply('linalg_potri', w, w, true)
      : multiply('linalg_potri', w, w, false, true)
  },
})

/**
 * The inverse of a symmetric matrix from its Cholesky factor.
 *
 * `(L·Lᵀ)⁻¹`, or `(Uᵀ·U)⁻¹` for `lower: false`; `(B…, n, n) -> (B…, n, n)`; float dtypes.
 * @throws MXNetError when the matrices are not square.
 * @example
 * await nd.linalg.potri(nd.array([[2, 0], [0, 1]])).asArray() // => [[0.25, 0], [0, 1]]
 * @see MXNet `linalg_potri`
 */
export function potri<T extends Tensor>(A: T, options?: Given<typeof factorAttrs>): T {
  return apply(potriOp, [A], options)
}

const gelqfOp = defineOp({
  name: '_linalg_gelqf',
  aliases: ['linalg_gelqf'],
  inputs: ['A'],
  body: ([a]) => {
    checkReal('linalg_gelqf', a!, false)
    const [m, n] = a!.shape.slice(-2) as [number, number]
    if (m > n)
      fail('linalg_gelqf', `${m} rows and ${n} columns: there must be at least as many columns`)
    const batch = batchOf(a!)
    const packed = callRoutine('gelqf', [a!], [sizeOf(batch), m, n], [...batch, m * n + m * m])
    return unpack(packed, [
      [m, n],
      [m, m],
    ])
  },
  grad: ({ outputs, dys }) => {
    const [q, l] = outputs as [Tensor, Tensor]
    const [dq, dl] = dys as [Tensor, Tensor]
    const inner = difference(
      multiply('linalg_gelqf', l, dl, true),
      multiply('linalg_gelqf', dq, q, false, true),
    )
    const right = sum(dq, multiply('linalg_gelqf', mirrored(inner), q))
    return [solve(l, right, true, true)]
  },
})

/**
 * The LQ factorisation: two arrays, Q with orthonormal rows and L lower triangular.
 *
 * `A = L·Q`; `(B…, m, n) -> (B…, m, n), (B…, m, m)` with m ≤ n; float dtypes.
 * @throws MXNetError when there are more rows than columns.
 * @example
 * nd.linalg.gelqf(nd.ones([2, 3])).map((x) => x.shape) // => [[2, 3], [2, 2]]
 * @see MXNet `linalg_gelqf`
 */
export function gelqf<T extends Tensor>(A: T): T[] {
  return applyAll(gelqfOp as unknown as OpDef, [A])
}

const syevdOp = defineOp({
  name: '_linalg_syevd',
  aliases: ['linalg_syevd'],
  inputs: ['A'],
  body: ([a]) => {
    checkReal('linalg_syevd', a!)
    const n = a!.shape.at(-1)!
    return unpack(onSquares('syevd', a!, [...batchOf(a!), n * n + n]), [[n, n], [n]])
  },
  grad: ({ outputs, dys }) => {
    const [u, values] = outputs as [Tensor, Tensor]
    const [du, dvalues] = dys as [Tensor, Tensor]
    const shape = u.shape
    const rows = broadcastTo(reshapeTo(values, [...values.shape, 1]), shape)
    const gaps = pointwise([transposed(rows), rows], ([j, i]) => {
      const gap = binary('sub', j!, i!)
      const [zero, one] = [constant(0, gap.dtype), constant(1, gap.dtype)]
      const same = compare('eq', gap, zero)
      return select(same, zero, binary('div', one, select(same, one, gap)))
    })
    const turned = multiply('linalg_syevd', u, du, false, true)
    const inner = symmetric(pointwise([gaps, turned], ([k, v]) => binary('mul', k!, v!)))
    const middle = sum(inner, onDiagonal(dvalues, 0))
    return [multiply('linalg_syevd', multiply('linalg_syevd', u, middle, true), u)]
  },
})

/**
 * Eigenvectors and eigenvalues of symmetric matrices, of which the lower triangle is read: U, whose rows are the
 * eigenvectors, and the eigenvalues, ascending. The element of largest magnitude of each row is positive.
 *
 * `A = Uᵀ·diag(λ)·U`; `(B…, n, n) -> (B…, n, n), (B…, n)`; float dtypes.
 * @throws MXNetError when the matrices are not square, or hold NaN.
 * @example
 * await nd.linalg.syevd(nd.array([[2, 0], [0, 1]]))[1].asArray() // => [1, 2]
 * @see MXNet `linalg_syevd`
 */
export function syevd<T extends Tensor>(A: T): T[] {
  return applyAll(syevdOp as unknown as OpDef, [A])
}

const inverseOp = defineOp({
  name: '_linalg_inverse',
  aliases: ['linalg_inverse'],
  inputs: ['A'],
  body: ([a]) => {
    checkReal('linalg_inverse', a!)
    return onSquares('inverse', a!, a!.shape, [1])
  },
  grad: ({ outputs, dys }) => {
    const b = outputs[0]!
    const left = multiply('linalg_inverse', b, dys[0]!, true)
    return [negated(multiply('linalg_inverse', left, b, false, true))]
  },
})

/**
 * The inverse of square matrices.
 *
 * `(B…, n, n) -> (B…, n, n)`; float dtypes.
 * @throws MXNetError when a matrix is singular.
 * @example
 * await nd.linalg.inverse(nd.array([[2, 0], [0, 4]])).asArray() // => [[0.5, 0], [0, 0.25]]
 * @see MXNet `linalg_inverse`
 */
export function inverse<T extends Tensor>(A: T): T {
  return apply(inverseOp, [A])
}

/** Sign and logarithm of the determinants. */
function signAndLog(where: string, a: Tensor): [Tensor, Tensor] {
  checkReal(where, a)
  const [sign, log] = unpack(onSquares('slogdet', a, [...batchOf(a), 2]), [[], []])
  return [sign!, log!]
}

/** A⁻ᵀ times a number for each matrix, zeros for singular ones: the gradient of determinants. */
const cofactorOp: OpDef = new OpDef({
  name: 'inverse transpose',
  inputs: ['A', 'factor'],
  body: ([a, factor]) => {
    const turned = transposed(onSquares('inverse', a!, a!.shape, [0]))
    return pointwise([turned, spread(factor!, a!)], ([v, f]) => binary('mul', v!, f!))
  },
  grad: ({ inputs, outputs, dys }) => {
    const [a, factor] = inputs as [Tensor, Tensor]
    const dy = dys[0]!
    const turned = apply(cofactorOp, [a, filled(factor.shape, 1, factor.dtype)])
    const rank = a.shape.length
    const shares = pointwise([turned, dy], ([v, d]) => binary('mul', v!, d!))
    const right = multiply('linalg_det', dy, outputs[0]!, true)
    return [
      negated(multiply('linalg_det', turned, right)),
      reduce(shares, 'sum', [rank - 2, rank - 1]),
    ]
  },
})

const spread = (factor: Tensor, a: Tensor): Tensor =>
  broadcastTo(reshapeTo(factor, [...factor.shape, 1, 1]), a.shape)

const detOp = defineOp({
  name: '_linalg_det',
  aliases: ['linalg_det'],
  inputs: ['A'],
  body: ([a]) =>
    pointwise(signAndLog('linalg_det', a!), ([s, l]) => binary('mul', s!, unary('exp', l!))),
  grad: ({ inputs, outputs, dys }) => {
    const factor = pointwise([outputs[0]!, dys[0]!], ([d, dy]) => binary('mul', d!, dy!))
    return [apply(cofactorOp, [inputs[0]!, factor])]
  },
})

/**
 * The determinants of square matrices; the gradient of a singular one is 0, as in MXNet.
 *
 * `(B…, n, n) -> (B…)`; float dtypes.
 * @throws MXNetError when the matrices are not square.
 * @example
 * await nd.linalg.det(nd.array([[1, 2], [3, 5]])).asScalar() // => -1
 * @see MXNet `linalg_det`
 */
export function det<T extends Tensor>(A: T): T {
  return apply(detOp, [A])
}

const slogdetOp = defineOp({
  name: '_linalg_slogdet',
  aliases: ['linalg_slogdet'],
  inputs: ['A'],
  body: ([a]) => signAndLog('linalg_slogdet', a!),
  grad: ({ inputs, dys }) => [apply(cofactorOp, [inputs[0]!, dys[1]!])],
})

/**
 * Sign of the determinant and logarithm of its magnitude, as two arrays; the sign has no gradient.
 *
 * `(B…, n, n) -> 2 × (B…)`; float dtypes. A singular matrix has sign 0 and logarithm -Infinity.
 * @throws MXNetError when the matrices are not square.
 * @example
 * await nd.linalg.slogdet(nd.array([[0, 1], [1, 0]]))[0].asScalar() // => -1
 * @see MXNet `linalg_slogdet`
 */
export function slogdet<T extends Tensor>(A: T): T[] {
  return applyAll(slogdetOp as unknown as OpDef, [A])
}

const sumlogdiagOp = defineOp({
  name: '_linalg_sumlogdiag',
  aliases: ['linalg_sumlogdiag'],
  inputs: ['A'],
  body: ([a]) => {
    checkReal('linalg_sumlogdiag', a!)
    const logs = pointwise([diagonalOf(a!, 0)], ([v]) => unary('log', v!))
    return reduce(logs, 'sum', [logs.shape.length - 1])
  },
})

/**
 * The sum of the logarithms of the diagonal: half the log-determinant of what a Cholesky factor stands for.
 *
 * `out = Σ ln A[i, i]`; `(B…, n, n) -> (B…)`; float dtypes.
 * @throws MXNetError when the matrices are not square.
 * @example
 * await nd.linalg.sumlogdiag(nd.array([[1, 0], [3, 1]])).asScalar() // => 0
 * @see MXNet `linalg_sumlogdiag`
 */
export function sumlogdiag<T extends Tensor>(A: T): T {
  return apply(sumlogdiagOp, [A])
}
