/** Operators that pass values on: casts, copies, gradient stops, clipping, constants of a like shape. */

import { type DType, holdsNumber, isFloat } from '../base/dtype.ts'
import { fail } from '../base/error.ts'
import { apply } from '../core/apply.ts'
import { attr } from '../core/attrs.ts'
import { byName } from '../core/given.ts'
import { defineOp } from '../core/op.ts'
import type { Tensor } from '../core/tensor.ts'
import { binary, cast as castExpr, compare, constant, select } from '../prim/expr.ts'
import { castTo, filled, pointwise } from '../prim/primitive.ts'
import { type LossMarkOptions, scaledLoss } from './curves.ts'

const castOp = defineOp({
  name: 'Cast',
  aliases: ['cast'],
  inputs: ['data'],
  attrs: { dtype: attr.dtype() },
  body: ([x], { dtype }) => pointwise([x!], ([v]) => castExpr(v!, dtype)),
})

/**
 * The elements in another dtype; floats to integers truncate towards zero.
 *
 * shape `(A…) -> (A…)`; differentiable between float types.
 * @throws MXNetError for an unknown dtype.
 * @example
 * await nd.cast(nd.array([1.7]), { dtype: 'int32' }).asArray() // => [1]
 * @see MXNet `Cast`
 */
export function cast<T extends Tensor>(data: T, attrs: { readonly dtype: DType }): T {
  return apply(castOp, [data], attrs)
}

const identityOp = defineOp({
  name: '_copy',
  aliases: ['identity'],
  inputs: ['data'],
  body: ([x]) => pointwise([x!], ([v]) => v!),
})

/**
 * A copy of the array.
 *
 * `out = x`; shape `(A…) -> (A…)`; keeps the dtype.
 * @example
 * await nd.identity(nd.array([1, 2])).asArray() // => [1, 2]
 * @see MXNet `_copy`
 */
export function identity<T extends Tensor>(data: T): T {
  return apply(identityOp, [data])
}

const blockGradOp = defineOp({
  name: 'BlockGrad',
  aliases: ['stop_gradient'],
  inputs: ['data'],
  body: ([x]) => pointwise([x!], ([v]) => v!),
  grad: () => [null],
})

/**
 * The array itself, through which no gradient flows.
 *
 * `out = x`, gradient 0; shape `(A…) -> (A…)`; keeps the dtype.
 * @example
 * await nd.blockGrad(nd.array([1])).asArray() // => [1]
 * @see MXNet `BlockGrad`
 */
export function blockGrad<T extends Tensor>(data: T): T {
  return apply(blockGradOp, [data])
}

/** Another name of `blockGrad`. */
export const stopGradient = blockGrad

const makeLossOp = defineOp({
  name: 'make_loss',
  inputs: ['data'],
  body: ([x]) => pointwise([x!], ([v]) => v!),
  grad: ({ dys }) => [pointwise([dys[0]!], ([dy]) => constant(1, dy!.dtype))],
})

/**
 * Marks an array as a loss: its gradient is one whatever comes from above; `gradScale`, divided by the batch or by the
 * number of elements above `validThresh`, where options are given (MXNet's `MakeLoss`).
 *
 * `out = x`, gradient 1 (not the true derivative of what follows); shape `(A…) -> (A…)`.
 * @example
 * await nd.makeLoss(nd.array([3])).asArray() // => [3]
 * @see MXNet `make_loss`
 */
export function makeLoss<T extends Tensor>(data: T, options?: LossMarkOptions): T {
  return options === undefined ? apply(makeLossOp, [data]) : scaledLoss(data, options)
}

const clipOp = defineOp({
  name: 'clip',
  inputs: ['data'],
  attrs: { aMin: attr.scalar(), aMax: attr.scalar() },
  check: ([x], bounds) => {
    for (const bound of bounds) {
      if (!isFloat(x!.dtype) && !(Number.isInteger(bound) && holdsNumber(x!.dtype, bound))) {
        fail(
          'clip',
          `the number ${bound} does not fit an array of ${x!.dtype}: use an integer, or astype('float32') first`,
        )
      }
    }
  },
  body: ([x], _attrs, [low, high]) => {
    const bounds = [castTo(low!, x!.dtype), castTo(high!, x!.dtype)]
    return pointwise([x!, ...bounds], ([v, lo, hi]) => binary('min', binary('max', v!, lo!), hi!))
  },
  grad: ({ inputs, dys, scalars }) => {
    const x = inputs[0]!
    return [
      pointwise(
        [x, dys[0]!, castTo(scalars[0]!, x.dtype), castTo(scalars[1]!, x.dtype)],
        ([v, dy, lo, hi]) =>
          select(
            binary('or', compare('lt', v!, lo!), compare('gt', v!, hi!)),
            constant(0, x.dtype),
            dy!,
          ),
      ),
    ]
  },
})

/**
 * Each element moved to the nearest bound of a range; gradients pass inside and at the bounds.
 *
 * `out = min(max(x, min), max)`; shape `(A…) -> (A…)`; keeps the dtype.
 * @example
 * await nd.clip(nd.array([-1, 5]), 0, 1).asArray() // => [0, 1]
 * @see MXNet `clip`
 */
export function clip<T extends Tensor>(
  data: T,
  ...range: [min: number, max: number] | [{ readonly aMin: number; readonly aMax: number }]
): T {
  return apply(clipOp, [data], byName(['aMin', 'aMax'], range))
}

const zerosLikeOp = defineOp({
  name: 'zeros_like',
  inputs: ['data'],
  body: ([x]) => filled(x!.shape, 0, x!.dtype),
})

/**
 * Zeros of an array's shape and dtype.
 *
 * `out = 0`; shape `(A…) -> (A…)`.
 * @example
 * await nd.zerosLike(nd.array([5])).asArray() // => [0]
 * @see MXNet `zeros_like`
 */
export function zerosLike<T extends Tensor>(data: T): T {
  return apply(zerosLikeOp, [data])
}

const onesLikeOp = defineOp({
  name: 'ones_like',
  inputs: ['data'],
  body: ([x]) => filled(x!.shape, 1, x!.dtype),
})

/**
 * Ones of an array's shape and dtype.
 *
 * `out = 1`; shape `(A…) -> (A…)`.
 * @example
 * await nd.onesLike(nd.array([5])).asArray() // => [1]
 * @see MXNet `ones_like`
 */
export function onesLike<T extends Tensor>(data: T): T {
  return apply(onesLikeOp, [data])
}
