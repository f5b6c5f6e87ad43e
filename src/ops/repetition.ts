/** Operators that repeat or turn around: flip, tile, repeat. */

import { checkAxes, checkAxis } from '../base/shape.ts'
import { apply } from '../core/apply.ts'
import { attr } from '../core/attrs.ts'
import { defineOp } from '../core/op.ts'
import type { Tensor } from '../core/tensor.ts'
import { broadcastTo as broadcastView, reshapeTo, sliceOf } from '../prim/primitive.ts'

const flipOp = defineOp({
  name: 'reverse',
  aliases: ['flip'],
  inputs: ['data'],
  attrs: { axis: attr.ints() },
  body: ([x], { axis }) => {
    const axes = checkAxes('flip', axis, x!.shape.length)
    const turned = (i: number): boolean => axes.includes(i)
    const begin = x!.shape.map((d, i) => (turned(i) ? Math.max(d - 1, 0) : 0))
    return sliceOf(
      x!,
      begin,
      x!.shape.map((_, i) => (turned(i) ? -1 : 1)),
      x!.shape,
    )
  },
})

/**
 * The elements in reverse order along axes.
 *
 * shape `(A…) -> (A…)`; keeps the dtype.
 * @throws MXNetError when an axis is out of range.
 * @example
 * await nd.flip(nd.array([1, 2, 3]), { axis: 0 }).asArray() // => [3, 2, 1]
 * @see MXNet `reverse`
 */
export function flip<T extends Tensor>(
  data: T,
  attrs: { readonly axis: number | readonly number[] },
): T {
  return apply(flipOp, [data], attrs as { axis: readonly number[] })
}

const tileOp = defineOp({
  name: 'tile',
  inputs: ['data'],
  attrs: { reps: attr.ints(undefined, { min: 0 }) },
  body: ([x], { reps }) => {
    const rank = Math.max(x!.shape.length, reps.length)
    const shape = [...new Array<number>(rank - x!.shape.length).fill(1), ...x!.shape]
    const times = [...new Array<number>(rank - reps.length).fill(1), ...reps]
    const split = shape.flatMap((d) => [1, d])
    const repeated = broadcastView(
      reshapeTo(x!, split),
      shape.flatMap((d, i) => [times[i]!, d]),
    )
    return reshapeTo(
      repeated,
      shape.map((d, i) => d * times[i]!),
    )
  },
})

/**
 * The whole array repeated along each axis.
 *
 * `(A, B) -> (A·reps[0], B·reps[1])`; more reps than axes add axes in front.
 * @throws MXNetError for negative reps.
 * @example
 * await nd.tile(nd.array([1, 2]), { reps: [2] }).asArray() // => [1, 2, 1, 2]
 * @see MXNet `tile`
 */
export function tile<T extends Tensor>(
  data: T,
  attrs: { readonly reps: readonly number[] | number },
): T {
  return apply(tileOp, [data], attrs as { reps: readonly number[] })
}

const repeatOp = defineOp({
  name: 'repeat',
  inputs: ['data'],
  attrs: { repeats: attr.int(undefined, { min: 0 }), axis: attr.optional(attr.int()) },
  body: ([x], { repeats, axis }) => {
    const source = axis === null ? reshapeTo(x!, [x!.size]) : x!
    const at = axis === null ? 0 : checkAxis('repeat', axis, source.shape.length)
    const split = source.shape.toSpliced(at + 1, 0, 1)
    const repeated = broadcastView(reshapeTo(source, split), split.with(at + 1, repeats))
    return reshapeTo(repeated, source.shape.with(at, source.shape[at]! * repeats))
  },
})

/**
 * Each element repeated along an axis, or of the flattened array.
 *
 * `(A…, n, B…) -> (A…, n·repeats, B…)`; keeps the dtype.
 * @throws MXNetError when the axis is out of range.
 * @example
 * await nd.repeat(nd.array([1, 2]), { repeats: 2 }).asArray() // => [1, 1, 2, 2]
 * @see MXNet `repeat`
 */
export function repeat<T extends Tensor>(
  data: T,
  attrs: { readonly repeats: number; readonly axis?: number | null },
): T {
  return apply(repeatOp, [data], attrs)
}
