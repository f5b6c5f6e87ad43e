/** Linear algebra by products and places: gemm, trmm, syrk, and diagonals and triangles taken out and put in. */

import { fail } from '../base/error.ts'
import { checkAxis, formatShape, sameShape } from '../base/shape.ts'
import { apply } from '../core/apply.ts'
import { attr, type Given } from '../core/attrs.ts'
import { defineOp } from '../core/op.ts'
import type { Tensor } from '../core/tensor.ts'
import { int } from '../prim/arithmetic.ts'
import { binary, compare, constant, type Expr, index, select } from '../prim/expr.ts'
import {
  gather,
  mapTensors,
  permuteAxes,
  pointwise,
  reshapeTo,
  scatterAdd,
  sliceOf,
} from '../prim/primitive.ts'
import { checkMatrices, diagonalOf, multiply, onDiagonal, triangle } from './matrices.ts'

const scaled = (x: Tensor, alpha: number): Tensor =>
  alpha === 1 ? x : pointwise([x], ([v]) => binary('mul', v!, constant(alpha, v!.dtype)))

/** The axes with `axis`, that of the rows, moved before the last one, and the way back. */
function rowsLast(where: string, rank: number, axis: number): { to: number[]; back: number[] } {
  const at = checkAxis(where, axis, rank)
  const others = Array.from({ length: rank - 1 }, (_, i) => i).filter((i) => i !== at)
  const to =
    at === rank - 1 ? fail(where, `axis ${axis} is that of the columns`) : [...others, at, rank - 1]
  return { to, back: to.map((_, i) => to.indexOf(i)) }
}

const gemm2Attrs = {
  transposeA: attr.bool(false),
  transposeB: attr.bool(false),
  alpha: attr.float(1),
  axis: attr.int(-2),
}
const gemmAttrs = { ...gemm2Attrs, beta: attr.float(1) }

function product(
  where: string,
  a: Tensor,
  b: Tensor,
  {
    transposeA,
    transposeB,
    alpha,
    axis,
  }: { transposeA: boolean; transposeB: boolean; alpha: number; axis: number },
): { y: Tensor; back: (y: Tensor) => Tensor; to: (x: Tensor) => Tensor } {
  checkMatrices(where, a)
  if (a.shape.length !== b.shape.length)
    fail(where, `A ${formatShape(a.shape)} and B ${formatShape(b.shape)} must have as many axes`)
  const { to, back } = rowsLast(where, a.shape.length, axis)
  const move = (x: Tensor): Tensor => permuteAxes(x, to)
  const y = scaled(multiply(where, move(a), move(b), transposeA, transposeB), alpha)
  return { y, to: move, back: (z) => permuteAxes(z, back) }
}

const gemmOp = defineOp({
  name: '_linalg_gemm',
  aliases: ['linalg_gemm'],
  inputs: ['A', 'B', 'C'],
  attrs: gemmAttrs,
  body: ([a, b, c], attrs) => {
    const { y, to, back } = product('linalg_gemm', a!, b!, attrs)
    if (!sameShape(back(y).shape, c!.shape))
      fail(
        'linalg_gemm',
        `C is ${formatShape(c!.shape)}: the product is ${formatShape(back(y).shape)}`,
      )
    const added = pointwise([y, scaled(to(c!), attrs.beta)], ([p, q]) => binary('add', p!, q!))
    return back(added)
  },
})

/**
 * A product of matrices and a sum: alpha·op(A)·op(B) + beta·C.
 *
 * `(B…, m, k), (B…, k, n), (B…, m, n) -> (B…, m, n)`; float dtypes. `axis` is the axis of the rows, the last but one.
 * @throws MXNetError when the shapes do not fit.
 * @example
 * await nd.linalg.gemm(nd.ones([1, 2]), nd.ones([2, 1]), nd.ones([1, 1])).asArray() // => [[3]]
 * @see MXNet `linalg_gemm`
 */
export function gemm<T extends Tensor>(A: T, B: T, C: T, options?: Given<typeof gemmAttrs>): T {
  return apply(gemmOp, [A, B, C], options)
}

const gemm2Op = defineOp({
  name: '_linalg_gemm2',
  aliases: ['linalg_gemm2'],
  inputs: ['A', 'B'],
  attrs: gemm2Attrs,
  body: ([a, b], attrs) => {
    const { y, back } = product('linalg_gemm2', a!, b!, attrs)
    return back(y)
  },
})

/**
 * A product of matrices: alpha·op(A)·op(B).
 *
 * `(B…, m, k), (B…, k, n) -> (B…, m, n)`; float dtypes. `axis` is the axis of the rows, the last but one.
 * @throws MXNetError when the shapes do not fit.
 * @example
 * await nd.linalg.gemm2(nd.ones([1, 2]), nd.ones([2, 1])).asArray() // => [[2]]
 * @see MXNet `linalg_gemm2`
 */
export function gemm2<T extends Tensor>(A: T, B: T, options?: Given<typeof gemm2Attrs>): T {
  return apply(gemm2Op, [A, B], options)
}

const trmmAttrs = {
  transpose: attr.bool(false),
  rightside: attr.bool(false),
  lower: attr.bool(true),
  alpha: attr.float(1),
}

const trmmOp = defineOp({
  name: '_linalg_trmm',
  aliases: ['linalg_trmm'],
  inputs: ['A', 'B'],
  attrs: trmmAttrs,
  body: ([a, b], { transpose, rightside, lower, alpha }) => {
    checkMatrices('linalg_trmm', a!, true)
    const t = triangle(a!, lower)
    const y = rightside
      ? multiply('linalg_trmm', b!, t, false, transpose)
      : multiply('linalg_trmm', t, b!, transpose)
    return scaled(y, alpha)
  },
})

/**
 * A product with a triangle: alpha·op(A)·B, or alpha·B·op(A) from the right. Of A one triangle is read.
 *
 * `(B…, n, n), (B…, n, m) -> (B…, n, m)`; float dtypes.
 * @throws MXNetError when the shapes do not fit.
 * @example
 * await nd.linalg.trmm(nd.array([[1, 9], [1, 1]]), nd.array([[2], [3]])).asArray() // => [[2], [5]]
 * @see MXNet `linalg_trmm`
 */
export function trmm<T extends Tensor>(A: T, B: T, options?: Given<typeof trmmAttrs>): T {
  return apply(trmmOp, [A, B], options)
}

const syrkAttrs = { transpose: attr.bool(false), alpha: attr.float(1) }

const syrkOp = defineOp({
  name: '_linalg_syrk',
  aliases: ['linalg_syrk'],
  inputs: ['A'],
  attrs: syrkAttrs,
  body: ([a], { transpose, alpha }) =>
    scaled(multiply('linalg_syrk', a!, a!, transpose, !transpose), alpha),
})

/**
 * A matrix times its transpose: alpha·A·Aᵀ, or alpha·Aᵀ·A.
 *
 * `(B…, m, n) -> (B…, m, m)`, or `(B…, n, n)` with `transpose`; float dtypes.
 * @throws MXNetError when there are not two axes.
 * @example
 * await nd.linalg.syrk(nd.array([[1, 2]])).asArray() // => [[5]]
 * @see MXNet `linalg_syrk`
 */
export function syrk<T extends Tensor>(A: T, options?: Given<typeof syrkAttrs>): T {
  return apply(syrkOp, [A], options)
}

const offsetAttrs = { offset: attr.int(0) }

const extractdiagOp = defineOp({
  name: '_linalg_extractdiag',
  aliases: ['linalg_extractdiag'],
  inputs: ['A'],
  attrs: offsetAttrs,
  body: ([a], { offset }) => {
    checkMatrices('linalg_extractdiag', a!, true)
    return diagonalOf(a!, offset)
  },
})

/**
 * A diagonal of square matrices: the main one, above it (offset > 0) or below.
 *
 * `(B…, n, n) -> (B…, n - |offset|)`; keeps the dtype.
 * @throws MXNetError when the matrices are not square.
 * @example
 * await nd.linalg.extractdiag(nd.array([[1, 2], [3, 4]])).asArray() // => [1, 4]
 * @see MXNet `linalg_extractdiag`
 */
export function extractdiag<T extends Tensor>(A: T, options?: Given<typeof offsetAttrs>): T {
  return apply(extractdiagOp, [A], options)
}

const makediagOp = defineOp({
  name: '_linalg_makediag',
  aliases: ['linalg_makediag'],
  inputs: ['A'],
  attrs: offsetAttrs,
  body: ([a], { offset }) => {
    if (a!.shape.length === 0) fail('linalg_makediag', 'a scalar has no axis to lay on a diagonal')
    return onDiagonal(a!, offset)
  },
})

/**
 * Square matrices with the elements of the last axis on a diagonal, zeros elsewhere.
 *
 * `(B…, n) -> (B…, n + |offset|, n + |offset|)`; keeps the dtype.
 * @throws MXNetError for a scalar.
 * @example
 * await nd.linalg.makediag(nd.array([1, 2])).asArray() // => [[1, 0], [0, 2]]
 * @see MXNet `linalg_makediag`
 */
export function makediag<T extends Tensor>(A: T, options?: Given<typeof offsetAttrs>): T {
  return apply(makediagOp, [A], options)
}

const trianAttrs = { offset: attr.int(0), lower: attr.bool(true) }

/** Whether the triangle is the lower one: the offset decides unless it is 0. */
const isLower = (offset: number, lower: boolean): boolean => (offset === 0 ? lower : offset < 0)

/** Which element of a packed triangle stands at row and column i, j; `outside` where none does. */
function packedPlace(i: Expr, j: Expr, offset: number, lower: boolean, outside: Expr): Expr {
  const [major, minor] = isLower(offset, lower)
    ? [binary('sub', i, int(Math.abs(offset))), j]
    : [binary('sub', j, int(Math.abs(offset))), i]
  const square = binary('mul', major, binary('add', major, int(1)))
  const place = binary('add', binary('div', square, int(2)), minor)
  return select(compare('le', minor, major), place, outside)
}

/** Elements of the triangle of a matrix of n rows. */
const packedSize = (n: number, offset: number): number => {
  const m = Math.max(0, n - Math.abs(offset))
  return (m * (m + 1)) / 2
}

const extracttrianOp = defineOp({
  name: '_linalg_extracttrian',
  aliases: ['linalg_extracttrian'],
  inputs: ['A'],
  attrs: trianAttrs,
  body: ([a], { offset, lower }) => {
    checkMatrices('linalg_extracttrian', a!, true)
    const n = a!.shape.at(-1)!
    const batch = a!.shape.slice(0, -2)
    const size = packedSize(n, offset)
    // What lies outside the triangle goes to a place more that is cut off again.
    const places = mapTensors(packedPlace(index(0), index(1), offset, lower, int(size)), [n, n], [])
    const line = reshapeTo(a!, [...batch, n * n])
    const shape = [...batch, size + 1]
    const packed = scatterAdd(reshapeTo(places, [n * n]), line, shape, batch.length)
    return sliceOf(
      packed,
      shape.map(() => 0),
      shape.map(() => 1),
      [...batch, size],
    )
  },
})

/**
 * A triangle of square matrices, row by row (of the upper one: column by column), as one axis.
 *
 * `(B…, n, n) -> (B…, m(m + 1)/2)` with m = n - |offset|; keeps the dtype. An offset above 0 takes the upper triangle
 * from that diagonal on, below 0 the lower one; for 0 `lower` decides.
 * @throws MXNetError when the matrices are not square.
 * @example
 * await nd.linalg.extracttrian(nd.array([[1, 2], [3, 4]])).asArray() // => [1, 3, 4]
 * @see MXNet `linalg_extracttrian`
 */
export function extracttrian<T extends Tensor>(A: T, options?: Given<typeof trianAttrs>): T {
  return apply(extracttrianOp, [A], options)
}

const maketrianOp = defineOp({
  name: '_linalg_maketrian',
  aliases: ['linalg_maketrian'],
  inputs: ['A'],
  attrs: trianAttrs,
  body: ([a], { offset, lower }) => {
    const size = a!.shape.at(-1) ?? fail('linalg_maketrian', 'a scalar is no packed triangle')
    const m = Math.round((Math.sqrt(8 * size + 1) - 1) / 2)
    if ((m * (m + 1)) / 2 !== size)
      fail('linalg_maketrian', `${size} elements are no triangle: there must be 1, 3, 6, 10 …`)
    const n = m + Math.abs(offset)
    const batch = a!.shape.slice(0, -1)
    const place = packedPlace(index(0), index(1), offset, lower, int(-1))
    const places = mapTensors(place, [n, n], [])
    const taken =
      size === 0
        ? mapTensors(constant(0, a!.dtype), [...batch, n, n], [])
        : gather(a!, places, batch.length)
    return pointwise([taken, places], ([v, at]) =>
      select(compare('ge', at!, int(0)), v!, constant(0, v!.dtype)),
    )
  },
})

/**
 * Square matrices from packed triangles, as `extracttrian` gives them; zeros elsewhere.
 *
 * `(B…, m(m + 1)/2) -> (B…, n, n)` with n = m + |offset|; keeps the dtype.
 * @throws MXNetError when the elements are no triangle.
 * @example
 * await nd.linalg.maketrian(nd.array([1, 3, 4])).asArray() // => [[1, 0], [3, 4]]
 * @see MXNet `linalg_maketrian`
 */
export function maketrian<T extends Tensor>(A: T, options?: Given<typeof trianAttrs>): T {
  return apply(maketrianOp, [A], options)
}
