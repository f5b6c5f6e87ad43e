/** Shapes: sizes, broadcasting and axes. Shapes are plain arrays of non-negative integers. */

import { fail } from './error.ts'

/** Sizes of an array's axes; `[]` is a scalar. */
export type Shape = readonly number[]

/** Number of elements; 1 for a scalar. */
export function sizeOf(shape: Shape): number {
  let size = 1
  for (let i = 0; i < shape.length; i++) size *= shape[i]!
  return size
}

/** Whether two shapes are the same. */
export function sameShape(a: Shape, b: Shape): boolean {
  if (a === b) return true
  if (a.length !== b.length) return false
  for (let i = 0; i < a.length; i++) if (a[i] !== b[i]) return false
  return true
}

/** A shape as MXNet prints it: `(2, 3)`, `(5,)`, `()`. */
export function formatShape(shape: Shape): string {
  return shape.length === 1 ? `(${shape[0]},)` : `(${shape.join(', ')})`
}

/** Row-major strides in elements. */
export function rowMajor(shape: Shape): number[] {
  const strides = new Array<number>(shape.length)
  let step = 1
  for (let i = shape.length - 1; i >= 0; i--) {
    strides[i] = step
    step *= shape[i]!
  }
  return strides
}

/** The shape two operands broadcast to (NumPy's rule: aligned right, sizes equal or 1). */
export function broadcastShapes(where: string, a: Shape, b: Shape): number[] {
  const rank = Math.max(a.length, b.length)
  const out = new Array<number>(rank)
  for (let i = 0; i < rank; i++) {
    const da = a[a.length - rank + i] ?? 1
    const db = b[b.length - rank + i] ?? 1
    if (da !== db && da !== 1 && db !== 1) {
      fail(
        where,
        `shapes ${formatShape(a)} and ${formatShape(b)} do not broadcast: sizes ${da} and ${db} differ`,
      )
    }
    out[i] = da === 1 ? db : da
  }
  return out
}

/** One axis, negative counted from the end, checked against `rank`. */
export function checkAxis(where: string, axis: number, rank: number, name = 'axis'): number {
  if (!Number.isInteger(axis) || axis < -rank || axis >= rank) {
    const range = rank === 0 ? 'a scalar has no axes' : `must be from ${-rank} to ${rank - 1}`
    fail(where, `${name} ${axis} is out of range for an array of ${rank} dimensions: ${range}`)
  }
  return axis < 0 ? axis + rank : axis
}

/** Distinct axes in ascending order. */
export function checkAxes(where: string, axes: readonly number[], rank: number): number[] {
  const out = axes.map((axis) => checkAxis(where, axis, rank)).sort((x, y) => x - y)
  for (let i = 1; i < out.length; i++) {
    if (out[i] === out[i - 1]) fail(where, `axis ${out[i]} is given twice in (${axes.join(', ')})`)
  }
  return out
}

/** Checks a shape given by a user: non-negative integers, at most 2^31 - 1 elements. */
export function checkShape(where: string, shape: Shape): Shape {
  if (!Array.isArray(shape))
    fail(where, `shape ${String(shape)} must be an array of sizes such as [2, 3]`)
  for (const d of shape) {
    if (!Number.isInteger(d) || d < 0) {
      fail(where, `shape (${shape.join(', ')}) must hold non-negative integers, not ${String(d)}`)
    }
  }
  if (sizeOf(shape) > 0x7fffffff)
    fail(where, `shape ${formatShape(shape)} has more than 2147483647 elements`)
  return shape
}
