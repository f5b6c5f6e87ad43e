/** Elementwise curves with parameters, and operators whose gradient is not that of their value. */

import { isFloat } from '../base/dtype.ts'
import { fail } from '../base/error.ts'
import { apply } from '../core/apply.ts'
import { attr, type Given } from '../core/attrs.ts'
import { defineOp } from '../core/op.ts'
import type { Tensor } from '../core/tensor.ts'
import { add, mul, num } from '../prim/arithmetic.ts'
import { binary, cast, compare, type Expr, select, unary } from '../prim/expr.ts'
import { broadcastTo, pointwise, reduce } from '../prim/primitive.ts'

const smoothAttrs = { scalar: attr.float(1) }

const smoothL1Op = defineOp({
  name: 'smooth_l1',
  inputs: ['data'],
  attrs: smoothAttrs,
  body: ([x], { scalar: sigma }) =>
    pointwise([x!], ([v]) => {
      const square = sigma * sigma
      const magnitude = unary('abs', v!)
      const outer = binary('sub', magnitude, num(v!, 0.5 / square))
      const inner = mul(num(v!, 0.5 * square), mul(v!, v!))
      return select(compare('gt', magnitude, num(v!, 1 / square)), outer, inner)
    }),
  grad: ({ inputs, dys, attrs: { scalar: sigma } }) => {
    const x = inputs[0]!
    if (!isFloat(x.dtype)) return [null]
    return [
      pointwise([x, dys[0]!], ([v, d]) => {
        const outer = compare('gt', unary('abs', v!), num(v!, 1 / (sigma * sigma)))
        return mul(d!, select(outer, unary('sign', v!), mul(num(v!, sigma * sigma), v!)))
      }),
    ]
  },
})

/**
 * The absolute value with its tip rounded off: the smooth L1 loss with σ = `scalar`.
 *
 * `σ²x²/2` where `|x| < 1/σ²`, else `|x| - 1/2σ²`; shape `(A…) -> (A…)`; keeps the dtype.
 * @example
 * await nd.smoothL1(nd.array([2, 1])).asArray() // => [1.5, 0.5]
 * @see MXNet `smooth_l1`
 */
export function smoothL1<T extends Tensor>(data: T, options?: Given<typeof smoothAttrs>): T {
  return apply(smoothL1Op, [data], options)
}

const quadraticAttrs = { a: attr.float(0), b: attr.float(0), c: attr.float(0) }

const quadraticOp = defineOp({
  name: '_contrib_quadratic',
  inputs: ['data'],
  attrs: quadraticAttrs,
  body: ([x], { a, b, c }) =>
    pointwise([x!], ([v]) => add(mul(add(mul(num(v!, a), v!), num(v!, b)), v!), num(v!, c))),
})

/**
 * A polynomial of degree two: `a·x² + b·x + c`.
 *
 * shape `(A…) -> (A…)`; keeps the dtype.
 * @example
 * await nd.contrib.quadratic(nd.array([2]), { a: 1, c: 3 }).asArray() // => [7]
 * @see MXNet `_contrib_quadratic`
 */
export function quadratic<T extends Tensor>(data: T, options?: Given<typeof quadraticAttrs>): T {
  return apply(quadraticOp, [data], options)
}

const divSqrtDimOp = defineOp({
  name: '_contrib_div_sqrt_dim',
  inputs: ['data'],
  body: ([x]) => {
    const d = x!.shape.at(-1) ?? fail('_contrib_div_sqrt_dim', 'a scalar has no last axis')
    return pointwise([x!], ([v]) => binary('div', v!, num(v!, Math.sqrt(Math.max(d, 1)))))
  },
})

/**
 * The array divided by the square root of its last size: the scale of attention.
 *
 * shape `(A…, d) -> (A…, d)`; keeps the dtype.
 * @throws MXNetError for a scalar.
 * @example
 * await nd.contrib.divSqrtDim(nd.ones([4])).asArray() // => [0.5, 0.5, 0.5, 0.5]
 * @see MXNet `_contrib_div_sqrt_dim`
 */
export function divSqrtDim<T extends Tensor>(data: T): T {
  return apply(divSqrtDimOp, [data])
}

const multiplierAttrs = { scalar: attr.float(1) }

const gradientMultiplierOp = defineOp({
  name: '_contrib_gradientmultiplier',
  inputs: ['data'],
  attrs: multiplierAttrs,
  body: ([x]) => pointwise([x!], ([v]) => v!),
  grad: ({ dys, attrs: { scalar } }) => [
    isFloat(dys[0]!.dtype) ? pointwise([dys[0]!], ([d]) => mul(d!, num(d!, scalar))) : null,
  ],
})

/**
 * The array itself; its gradient is multiplied by `scalar`.
 *
 * shape `(A…) -> (A…)`; keeps the dtype.
 * @example
 * await nd.contrib.gradientmultiplier(nd.array([3]), { scalar: -1 }).asArray() // => [3]
 * @see MXNet `_contrib_gradientmultiplier`
 */
export function gradientmultiplier<T extends Tensor>(
  data: T,
  options?: Given<typeof multiplierAttrs>,
): T {
  return apply(gradientMultiplierOp, [data], options)
}

const straightThrough = (name: string, f: (x: Expr) => Expr) =>
  defineOp({
    name,
    inputs: ['data'],
    body: ([x]) =>
      pointwise([x!], ([v]) => (isFloat(v!.dtype) || name.includes('sign') ? f(v!) : v!)),
    grad: ({ dys }) => [isFloat(dys[0]!.dtype) ? dys[0]! : null],
  })

const roundSteOp = straightThrough('_contrib_round_ste', (x) => unary('round', x))

/**
 * Rounding (halves away from zero) whose gradient passes as if it were not there.
 *
 * shape `(A…) -> (A…)`; keeps the dtype.
 * @example
 * await nd.contrib.roundSte(nd.array([1.6])).asArray() // => [2]
 * @see MXNet `_contrib_round_ste`
 */
export function roundSte<T extends Tensor>(data: T): T {
  return apply(roundSteOp, [data])
}

const signSteOp = straightThrough('_contrib_sign_ste', (x) => {
  const below = select(compare('lt', x, num(x, 0)), num(x, -1), num(x, 0))
  return select(compare('gt', x, num(x, 0)), num(x, 1), below)
})

/**
 * The sign whose gradient passes as if it were not there.
 *
 * shape `(A…) -> (A…)`; keeps the dtype.
 * @example
 * await nd.contrib.signSte(nd.array([-3])).asArray() // => [-1]
 * @see MXNet `_contrib_sign_ste`
 */
export function signSte<T extends Tensor>(data: T): T {
  return apply(signSteOp, [data])
}

const makeLossAttrs = {
  gradScale: attr.float(1),
  validThresh: attr.float(0),
  normalization: attr.oneOf(['null', 'batch', 'valid'], 'null'),
}

const makeLossOp = defineOp({
  name: 'MakeLoss',
  inputs: ['data'],
  attrs: makeLossAttrs,
  body: ([x]) => pointwise([x!], ([v]) => v!),
  grad: ({ inputs, dys, attrs: { gradScale, validThresh, normalization } }) => {
    const x = inputs[0]!
    if (!isFloat(x.dtype)) return [null]
    if (normalization !== 'valid') {
      const scale = normalization === 'batch' ? gradScale / (x.shape[0] ?? 1) : gradScale
      return [pointwise([dys[0]!], ([d]) => num(d!, scale))]
    }
    const marks = pointwise([x], ([v]) => cast(compare('gt', v!, num(v!, validThresh)), v!.dtype))
    const count = reduce(
      marks,
      'sum',
      x.shape.map((_, i) => i),
    )
    return [
      pointwise([broadcastTo(count, x.shape)], ([n]) =>
        binary('div', num(n!, gradScale), binary('max', n!, num(n!, 1))),
      ),
    ]
  },
})

/** Options of a loss that `MakeLoss` marks. */
export type LossMarkOptions = Given<typeof makeLossAttrs>

/** `MakeLoss` with its options: what `makeLoss` calls where any are given. */
export function scaledLoss<T extends Tensor>(data: T, options: LossMarkOptions): T {
  return apply(makeLossOp, [data], options)
}
