/** Matrices in the last two axes: products, transposes, triangles and diagonals, for operators of linear algebra. */

import { fail } from '../base/error.ts'
import { formatShape, type Shape, sameShape } from '../base/shape.ts'
import type { Tensor } from '../core/tensor.ts'
import { binary, compare, constant, select } from '../prim/expr.ts'
import {
  assemble,
  contract,
  iota,
  permuteAxes,
  pointwise,
  reshapeTo,
  sliceOf,
} from '../prim/primitive.ts'
import type { CompareName } from '../prim/scalar.ts'

const letters = 'abcdefghijklmnopqrstuvwxyz'

/** Checks that a tensor is a batch of matrices, square ones where asked. */
export function checkMatrices(where: string, x: Tensor, square = false): void {
  const [m, n] = x.shape.slice(-2)
  if (x.shape.length < 2 || (square && m !== n))
    fail(
      where,
      `shape ${formatShape(x.shape)}: the last two axes must be ${square ? 'square matrices' : 'matrices'}`,
    )
}

/** Axes before the matrices, which two operands must share. */
function checkBatch(where: string, a: Tensor, b: Tensor): void {
  if (!sameShape(a.shape.slice(0, -2), b.shape.slice(0, -2)))
    fail(
      where,
      `shapes ${formatShape(a.shape)} and ${formatShape(b.shape)} differ before the last two axes`,
    )
}

/** The matrices transposed. */
export function transposed(x: Tensor): Tensor {
  const axes = x.shape.map((_, i) => i)
  const rank = axes.length
  return permuteAxes(x, [...axes.slice(0, -2), rank - 1, rank - 2])
}

/** Products of matrices, batch by batch. */
export function multiply(where: string, a: Tensor, b: Tensor, ta = false, tb = false): Tensor {
  checkMatrices(where, a)
  checkMatrices(where, b)
  checkBatch(where, a, b)
  const batch = letters.slice(0, a.shape.length - 2)
  const lhs = ta ? 'yx' : 'xy'
  const rhs = tb ? 'zy' : 'yz'
  const inner = [a.shape.at(ta ? -2 : -1), b.shape.at(tb ? -1 : -2)]
  if (inner[0] !== inner[1])
    fail(
      where,
      `${formatShape(a.shape)} and ${formatShape(b.shape)}: inner sizes ${inner[0]} and ${inner[1]} differ`,
    )
  return contract(a, b, batch + lhs, batch + rhs, `${batch}xz`)
}

/** The elements where column `test` row + offset holds, zeros elsewhere. */
export function masked(x: Tensor, test: CompareName, offset = 0): Tensor {
  const rank = x.shape.length
  return pointwise([x, iota(x.shape, rank - 2), iota(x.shape, rank - 1)], ([v, i, j]) =>
    select(
      compare(test, j!, binary('add', i!, constant(offset, 'int32'))),
      v!,
      constant(0, v!.dtype),
    ),
  )
}

/** The lower (or upper) triangle, with the diagonal. */
export const triangle = (x: Tensor, lower: boolean): Tensor => masked(x, lower ? 'le' : 'ge')

/** The lower triangle and its mirror image. */
export function mirrored(x: Tensor): Tensor {
  const upper = transposed(masked(x, 'lt'))
  return pointwise([triangle(x, true), upper], ([l, u]) => binary('add', l!, u!))
}

/** (X + Xᵀ) / 2. */
export function symmetric(x: Tensor): Tensor {
  return pointwise([x, transposed(x)], ([a, b]) =>
    binary('mul', binary('add', a!, b!), constant(0.5, a!.dtype)),
  )
}

/** Where a diagonal begins in a matrix of m rows and n columns seen as a line, and its length. */
function diagonal(m: number, n: number, offset: number): { begin: number; count: number } {
  const [row, column] = offset < 0 ? [-offset, 0] : [0, offset]
  return { begin: row * n + column, count: Math.max(0, Math.min(m - row, n - column)) }
}

/** A diagonal of each matrix, as the last axis. */
export function diagonalOf(x: Tensor, offset: number): Tensor {
  const [m, n] = x.shape.slice(-2) as [number, number]
  const batch = x.shape.slice(0, -2)
  const { begin, count } = diagonal(m, n, offset)
  const line = reshapeTo(x, [...batch, m * n])
  const zeros = batch.map(() => 0)
  const ones = batch.map(() => 1)
  return sliceOf(line, [...zeros, count === 0 ? 0 : begin], [...ones, n + 1], [...batch, count])
}

/** Square matrices with the last axis on a diagonal, zeros elsewhere. */
export function onDiagonal(x: Tensor, offset: number): Tensor {
  const n = x.shape.at(-1)! + Math.abs(offset)
  const batch: Shape = x.shape.slice(0, -1)
  const { begin } = diagonal(n, n, offset)
  const placing = { begin: [...batch.map(() => 0), begin], step: [...batch.map(() => 1), n + 1] }
  return reshapeTo(assemble([...batch, n * n], [x], [placing]), [...batch, n, n])
}
