/** Operators that put in order: sort, argsort, topk. */

import type { DType } from '../base/dtype.ts'
import { fail } from '../base/error.ts'
import { checkAxis, formatShape, type Shape } from '../base/shape.ts'
import { apply, applyAll } from '../core/apply.ts'
import { attr, type Given } from '../core/attrs.ts'
import { defineOp, type OpDef } from '../core/op.ts'
import type { Tensor } from '../core/tensor.ts'
import { sortPositions } from '../prim/call.ts'
import { binary, constant } from '../prim/expr.ts'
import {
  castTo,
  filled,
  flatPositions,
  gather,
  permuteAxes,
  pointwise,
  reshapeTo,
  scatterAdd,
  sliceOf,
} from '../prim/primitive.ts'

/** The data with the axis to be sorted last, and the way back; a null axis flattens. */
function lines(
  where: string,
  x: Tensor,
  axis: number | null,
): { line: Tensor; back: (y: Tensor) => Tensor } {
  if (axis === null || x.shape.length === 0) return { line: reshapeTo(x, [x.size]), back: (y) => y }
  const rank = x.shape.length
  const at = checkAxis(where, axis, rank)
  const order = [...Array.from({ length: rank }, (_, i) => i).filter((i) => i !== at), at]
  return {
    line: permuteAxes(x, order),
    back: (y) =>
      permuteAxes(
        y,
        order.map((_, i) => order.indexOf(i)),
      ),
  }
}

/** The places, in an array of `shape` seen as one line, of positions along its last axis. */
function flatPlaces(positions: Tensor, shape: Shape): Tensor {
  const n = shape.at(-1)!
  const k = positions.shape.at(-1)!
  return pointwise([positions, flatPositions(positions.shape)], ([p, at]) => {
    const line = binary('div', at!, constant(Math.max(k, 1), 'int32'))
    return binary('add', binary('mul', line, constant(n, 'int32')), p!)
  })
}

/** Elements of each line (the last axis) at positions along it, in any number. */
export function takeAlong(line: Tensor, positions: Tensor): Tensor {
  if (positions.size === 0) return filled(positions.shape, 0, line.dtype)
  return gather(reshapeTo(line, [line.size]), flatPlaces(positions, line.shape), 0)
}

const sortAttrs = { axis: attr.optional(attr.int()), isAscend: attr.bool(true) }
const lastAxis = { ...sortAttrs.axis, fallback: -1 }

const sortOp = defineOp({
  name: 'sort',
  inputs: ['data'],
  attrs: { ...sortAttrs, axis: lastAxis },
  body: ([x], { axis, isAscend }) => {
    const { line, back } = lines('sort', x!, axis)
    return back(takeAlong(line, sortPositions(line, !isAscend)))
  },
})

/**
 * The elements in order along an axis (the last by default; null: of the flattened array); equal ones as they stood.
 *
 * `(A…) -> (A…)`; keeps the dtype. NaN counts as the largest. Gradients go back to where the elements came from.
 * @throws MXNetError when the axis is out of range.
 * @example
 * await nd.sort(nd.array([3, 1, 2])).asArray() // => [1, 2, 3]
 * @see MXNet `sort`
 */
export function sort<T extends Tensor>(data: T, options?: Given<typeof sortAttrs>): T {
  return apply(sortOp, [data], options)
}

const argsortAttrs = { ...sortAttrs, dtype: attr.dtype('float32') }

const argsortOp = defineOp({
  name: 'argsort',
  inputs: ['data'],
  attrs: { ...argsortAttrs, axis: lastAxis },
  body: ([x], { axis, isAscend, dtype }) => {
    const { line, back } = lines('argsort', x!, axis)
    return castTo(back(sortPositions(line, !isAscend)), dtype)
  },
})

/**
 * The positions that would put the elements in order along an axis; no gradient.
 *
 * `(A…) -> (A…)`, flat for a null axis; float32 unless `dtype` says otherwise. Stable; NaN counts as the largest.
 * @throws MXNetError when the axis is out of range.
 * @example
 * await nd.argsort(nd.array([3, 1, 2])).asArray() // => [1, 2, 0]
 * @see MXNet `argsort`
 */
export function argsort<T extends Tensor>(data: T, options?: Given<typeof argsortAttrs>): T {
  return apply(argsortOp, [data], options)
}

const topkAttrs = {
  axis: attr.optional(attr.int()),
  k: attr.int(1),
  retTyp: attr.oneOf(['value', 'indices', 'mask', 'both'], 'indices'),
  isAscend: attr.bool(false),
  dtype: attr.dtype('float32'),
}

const topkOp = defineOp({
  name: 'topk',
  inputs: ['data'],
  attrs: { ...topkAttrs, axis: lastAxis },
  body: ([x], { axis, k, retTyp, isAscend, dtype }) => {
    const { line, back } = lines('topk', x!, axis)
    const n = line.shape.at(-1)!
    if (k > n) fail('topk', `k is ${k}: ${formatShape(x!.shape)} has ${n} elements along the axis`)
    const shape = line.shape.with(-1, k < 1 ? n : k)
    const zeros = shape.map(() => 0)
    const ones = shape.map(() => 1)
    const first = sliceOf(sortPositions(line, !isAscend), zeros, ones, shape)
    if (retTyp === 'mask') {
      const marks = filled([first.size], 1, x!.dtype)
      const places = reshapeTo(flatPlaces(first, line.shape), [first.size])
      const mask = reshapeTo(scatterAdd(places, marks, [line.size], 0), line.shape)
      return reshapeTo(back(mask), x!.shape)
    }
    const values = (): Tensor => back(takeAlong(line, first))
    const indices = (): Tensor => castTo(back(first), dtype)
    if (retTyp === 'value') return values()
    return retTyp === 'indices' ? indices() : [values(), indices()]
  },
})

/** Options of `topk`. */
export interface TopkOptions {
  /** The axis, the last by default; null: the flattened array. */
  readonly axis?: number | null
  /** How many; below 1: all of them. */
  readonly k?: number
  /** Smallest instead of largest. */
  readonly isAscend?: boolean
  /** dtype of the positions, float32 by default. */
  readonly dtype?: DType
}

/**
 * The k largest (or smallest) along an axis: their positions, values, a mask of them, or values and positions.
 *
 * `(A…, n, B…) -> (A…, k, B…)`; a mask has the shape of the data. Of equal elements the first ones count.
 * @throws MXNetError when there are fewer than k elements.
 * @example
 * await nd.topk(nd.array([3, 1, 2]), { k: 2 }).asArray() // => [0, 2]
 * @see MXNet `topk`
 */
export function topk<T extends Tensor>(
  data: T,
  options: TopkOptions & { readonly retTyp: 'both' },
): T[]
export function topk<T extends Tensor>(
  data: T,
  options?: TopkOptions & { readonly retTyp?: 'value' | 'indices' | 'mask' },
): T
export function topk<T extends Tensor>(
  data: T,
  options?: TopkOptions & { readonly retTyp?: 'value' | 'indices' | 'mask' | 'both' },
): T | T[] {
  const results = applyAll(topkOp as unknown as OpDef, [data], options as Given<typeof topkAttrs>)
  return options?.retTyp === 'both' ? results : results[0]!
}
