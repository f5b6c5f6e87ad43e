/** Questions about many arrays at once, as gradient scaling and LARS ask them: squares, finiteness, resetting. */

import { fail } from '../base/error.ts'
import { formatShape, sameShape } from '../base/shape.ts'
import { apply, applyInto } from '../core/apply.ts'
import { attr, type Given } from '../core/attrs.ts'
import { defineOp, type OpDef } from '../core/op.ts'
import type { Tensor } from '../core/tensor.ts'
import { binary, cast, compare, constant, unary } from '../prim/expr.ts'
import { assemble, castTo, filled, pointwise, reduce, reshapeTo } from '../prim/primitive.ts'
import { larsRate } from './formula.ts'

const all = (x: Tensor): number[] => x.shape.map((_, i) => i)

function checkCount(where: string, given: number, numArrays: number): void {
  if (given !== numArrays)
    fail(where, `${given} arrays given and numArrays is ${numArrays}: they must be as many`)
}

const sumSqOp = defineOp({
  name: 'multi_sum_sq',
  inputs: ['...data'],
  attrs: { numArrays: attr.int(undefined, { min: 1 }) },
  body: (arrays, { numArrays }) => {
    checkCount('multi_sum_sq', arrays.length, numArrays)
    const sums = arrays.map((x) => {
      const type = x.dtype === 'float64' ? 'float64' : 'float32'
      const squares = pointwise([castTo(x, type)], ([v]) => binary('mul', v!, v!))
      return castTo(reshapeTo(reduce(squares, 'sum', all(x)), [1]), 'float32')
    })
    const places = sums.map((_, i) => ({ begin: [i], step: [1] }))
    return assemble([sums.length], sums, places)
  },
})

/**
 * The sum of squares of each array, float32: `out[i] = Σ xᵢ²`, shape `(n,)` for n arrays.
 * @throws MXNetError when there are not `numArrays` arrays.
 * @example
 * await nd.multiSumSq(nd.array([1, 2]), nd.array([3]), { numArrays: 2 }).asArray() // => [5, 9]
 * @see MXNet `multi_sum_sq`
 */
export function multiSumSq<T extends Tensor>(
  ...args: [...arrays: T[], options: { readonly numArrays: number }]
): T {
  return apply(sumSqOp, args.slice(0, -1) as T[], args.at(-1) as { readonly numArrays: number })
}

/** 1 where every element of every array is finite, else 0: a finite number times 0 is 0. */
function finite(arrays: readonly Tensor[]): Tensor {
  const each = arrays.map((x) => {
    const good = pointwise([x], ([v]) => {
      const zero = constant(0, v!.dtype)
      return cast(compare('eq', binary('mul', v!, zero), zero), 'float32')
    })
    return x.size === 0 ? filled([], 1, 'float32') : reduce(good, 'min', all(x))
  })
  const joined = each.reduce((a, b) => pointwise([a, b], ([x, y]) => binary('min', x!, y!)))
  return reshapeTo(joined, [1])
}

const allFiniteOp = defineOp({
  name: 'all_finite',
  inputs: ['data'],
  attrs: { initOutput: attr.bool(true) },
  body: ([x]) => finite([x!]),
})

/**
 * Whether all elements are finite: 1 or 0, float32, shape `(1,)`.
 * @example
 * await nd.allFinite(nd.array([1, Infinity])).asArray() // => [0]
 * @see MXNet `all_finite`
 */
export function allFinite<T extends Tensor>(
  data: T,
  options: { readonly initOutput?: boolean } = {},
): T {
  return apply(allFiniteOp, [data], options)
}

const multiFiniteOp = defineOp({
  name: 'multi_all_finite',
  inputs: ['...data'],
  attrs: { numArrays: attr.int(1, { min: 1 }), initOutput: attr.bool(true) },
  body: (arrays, { numArrays }) => {
    checkCount('multi_all_finite', arrays.length, numArrays)
    return finite(arrays)
  },
})

/**
 * Whether all elements of all arrays are finite: 1 or 0, float32, shape `(1,)`.
 * @throws MXNetError when there are not `numArrays` arrays.
 * @example
 * await nd.multiAllFinite(nd.array([1]), nd.array([2]), { numArrays: 2 }).asArray() // => [1]
 * @see MXNet `multi_all_finite`
 */
export function multiAllFinite<T extends Tensor>(
  ...args: [...arrays: T[], options: { readonly numArrays?: number; readonly initOutput?: boolean }]
): T {
  return apply(
    multiFiniteOp,
    args.slice(0, -1) as T[],
    args.at(-1) as { readonly numArrays: number },
  )
}

const resetOp = defineOp({
  name: 'reset_arrays',
  inputs: ['...data'],
  attrs: { numArrays: attr.int(undefined, { min: 1 }) },
  body: (arrays, { numArrays }) => {
    checkCount('reset_arrays', arrays.length, numArrays)
    return arrays.map((x) => filled(x.shape, 0, x.dtype))
  },
})

/**
 * Overwrites arrays with zeros in one call.
 * @throws MXNetError when there are not `numArrays` arrays.
 * @example
 * const x = nd.array([1, 2])
 * nd.resetArrays(x, { numArrays: 1 })
 * await x.asArray() // => [0, 0]
 * @see MXNet `reset_arrays`
 */
export function resetArrays<T extends Tensor>(
  ...args: [...arrays: T[], options: { readonly numArrays: number }]
): void {
  const arrays = args.slice(0, -1) as T[]
  applyInto(
    resetOp as unknown as OpDef,
    arrays,
    args.at(-1) as { readonly numArrays: number },
    arrays,
  )
}

const larsAttrs = { eta: attr.scalar(), eps: attr.scalar(), rescaleGrad: attr.scalar(1) }

const larsOp = defineOp({
  name: 'multi_lars',
  inputs: ['lrs', 'weights_sum_sq', 'grads_sum_sq', 'wds'],
  attrs: larsAttrs,
  body: (arrays, _attrs, numbers) => {
    const { shape, dtype } = arrays[0]!
    if (arrays.some((a) => !sameShape(a.shape, shape))) {
      const shapes = arrays.map((a) => formatShape(a.shape)).join(', ')
      fail('multi_lars', `arrays of shapes ${shapes}: they must be the same`)
    }
    const [lrs, weights, grads, wds] = arrays.map((a) => castTo(a, dtype))
    const [eta, eps, rescale] = numbers.map((x) => castTo(x, dtype))
    const w = pointwise([weights!], ([s]) => unary('sqrt', s!))
    const g = pointwise([grads!, rescale!], ([s, r]) => binary('mul', unary('sqrt', s!), r!))
    return larsRate([lrs!, w, g, wds!], [eta!, eps!])
  },
})

/**
 * The learning rates of layers by LARS, from the sums of squares of weights and gradients; all shapes `(n,)`.
 *
 * `out = lr·eta·‖w‖ / (rescaleGrad·‖g‖ + wd·‖w‖ + eps)` where both norms are above 0, else `lr`.
 * @throws MXNetError when the shapes differ, or `eta` or `eps` is missing.
 * @example
 * const [lrs, w2, g2, wds] = [1, 4, 1, 0].map((x) => nd.array([x]))
 * await nd.multiLars(lrs, w2, g2, wds, { eta: 0.5, eps: 0 }).asArray() // => [1]
 * @see MXNet `multi_lars`
 */
export function multiLars<T extends Tensor>(
  lrs: T,
  weightsSumSq: T,
  gradsSumSq: T,
  wds: T,
  options: Given<typeof larsAttrs>,
): T {
  return apply(larsOp, [lrs, weightsSumSq, gradsSumSq, wds], options)
}
