/** Elementwise operators of one tensor: signs, powers, rounding. */

import { isFloat } from '../base/dtype.ts'
import { apply } from '../core/apply.ts'
import { defineOp, type OpDef } from '../core/op.ts'
import type { Tensor } from '../core/tensor.ts'
import { binary, cast, compare, constant, type Expr, unary } from '../prim/expr.ts'
import { castTo, pointwise } from '../prim/primitive.ts'

/**
 * Declares an elementwise operator of one tensor. Integers and bools are computed in float32 and cut back to
 * their dtype where `float` is set (MXNet computes exp of int32 the same way: truncated).
 */
export function defineUnary(
  name: string,
  f: (x: Expr) => Expr,
  float: boolean,
  aliases: readonly string[] = [],
): OpDef {
  return defineOp({
    name,
    aliases,
    inputs: ['data'],
    body: ([x]) => {
      if (!float || isFloat(x!.dtype)) return pointwise([x!], ([v]) => f(v!), name)
      return castTo(
        pointwise([castTo(x!, 'float32')], ([v]) => f(v!), name),
        x!.dtype,
      )
    },
  }) as unknown as OpDef
}

const absOp = defineUnary('abs', (x) => unary('abs', x), false)

/**
 * The magnitude of each element.
 *
 * `out = |x|`; shape `(A…) -> (A…)`; keeps the dtype (computed in the integer type).
 * @example
 * await nd.abs(nd.array([-1, 2])).asArray() // => [1, 2]
 * @see MXNet `abs`
 */
export function abs<T extends Tensor>(data: T): T {
  return apply(absOp, [data])
}

const signOp = defineUnary('sign', (x) => unary('sign', x), false)

/**
 * The sign of each element: -1, 0 or 1.
 *
 * `out = sgn(x)`; shape `(A…) -> (A…)`; keeps the dtype (computed in the integer type).
 * @example
 * await nd.sign(nd.array([-3, 0])).asArray() // => [-1, 0]
 * @see MXNet `sign`
 */
export function sign<T extends Tensor>(data: T): T {
  return apply(signOp, [data])
}

const negativeOp = defineUnary('negative', (x) => unary('neg', x), false)

/**
 * Each element with the other sign.
 *
 * `out = -x`; shape `(A…) -> (A…)`; keeps the dtype (computed in the integer type).
 * @example
 * await nd.negative(nd.array([1, -2])).asArray() // => [-1, 2]
 * @see MXNet `negative`
 */
export function negative<T extends Tensor>(data: T): T {
  return apply(negativeOp, [data])
}

const reciprocalOp = defineUnary('reciprocal', (x) => binary('div', constant(1, x.dtype), x), true)

/**
 * One over each element.
 *
 * `out = 1 / x`; shape `(A…) -> (A…)`; keeps the dtype (integers are computed in float32 and truncated).
 * @example
 * await nd.reciprocal(nd.array([2, 4])).asArray() // => [0.5, 0.25]
 * @see MXNet `reciprocal`
 */
export function reciprocal<T extends Tensor>(data: T): T {
  return apply(reciprocalOp, [data])
}

const squareOp = defineUnary('square', (x) => binary('mul', x, x), false)

/**
 * The square of each element.
 *
 * `out = x²`; shape `(A…) -> (A…)`; keeps the dtype (computed in the integer type).
 * @example
 * await nd.square(nd.array([2, 3])).asArray() // => [4, 9]
 * @see MXNet `square`
 */
export function square<T extends Tensor>(data: T): T {
  return apply(squareOp, [data])
}

const sqrtOp = defineUnary('sqrt', (x) => unary('sqrt', x), true)

/**
 * The square root of each element; NaN below 0.
 *
 * `out = √x`; shape `(A…) -> (A…)`; keeps the dtype (integers are computed in float32 and truncated).
 * @example
 * await nd.sqrt(nd.array([4, 9])).asArray() // => [2, 3]
 * @see MXNet `sqrt`
 */
export function sqrt<T extends Tensor>(data: T): T {
  return apply(sqrtOp, [data])
}

const rsqrtOp = defineUnary(
  'rsqrt',
  (x) => binary('div', constant(1, x.dtype), unary('sqrt', x)),
  true,
)

/**
 * One over the square root of each element.
 *
 * `out = 1 / √x`; shape `(A…) -> (A…)`; keeps the dtype (integers are computed in float32 and truncated).
 * @example
 * await nd.rsqrt(nd.array([4])).asArray() // => [0.5]
 * @see MXNet `rsqrt`
 */
export function rsqrt<T extends Tensor>(data: T): T {
  return apply(rsqrtOp, [data])
}

const cbrtOp = defineUnary('cbrt', (x) => unary('cbrt', x), true)

/**
 * The cube root of each element.
 *
 * `out = ∛x`; shape `(A…) -> (A…)`; keeps the dtype (integers are computed in float32 and truncated).
 * @example
 * await nd.cbrt(nd.array([8])).asArray() // => [2]
 * @see MXNet `cbrt`
 */
export function cbrt<T extends Tensor>(data: T): T {
  return apply(cbrtOp, [data])
}

const rcbrtOp = defineUnary(
  'rcbrt',
  (x) => binary('div', constant(1, x.dtype), unary('cbrt', x)),
  true,
)

/**
 * One over the cube root of each element.
 *
 * `out = 1 / ∛x`; shape `(A…) -> (A…)`; keeps the dtype (integers are computed in float32 and truncated).
 * @example
 * await nd.rcbrt(nd.array([8])).asArray() // => [0.5]
 * @see MXNet `rcbrt`
 */
export function rcbrt<T extends Tensor>(data: T): T {
  return apply(rcbrtOp, [data])
}

const floorOp = defineUnary('floor', (x) => unary('floor', x), true)

/**
 * The largest integer not above each element; gradient 0.
 *
 * `out = ⌊x⌋`; shape `(A…) -> (A…)`; keeps the dtype (integers are computed in float32 and truncated).
 * @example
 * await nd.floor(nd.array([1.5])).asArray() // => [1]
 * @see MXNet `floor`
 */
export function floor<T extends Tensor>(data: T): T {
  return apply(floorOp, [data])
}

const ceilOp = defineUnary('ceil', (x) => unary('ceil', x), true)

/**
 * The smallest integer not below each element; gradient 0.
 *
 * `out = ⌈x⌉`; shape `(A…) -> (A…)`; keeps the dtype (integers are computed in float32 and truncated).
 * @example
 * await nd.ceil(nd.array([1.5])).asArray() // => [2]
 * @see MXNet `ceil`
 */
export function ceil<T extends Tensor>(data: T): T {
  return apply(ceilOp, [data])
}

const roundOp = defineUnary('round', (x) => unary('round', x), true)

/**
 * The nearest integer, halves away from zero; gradient 0.
 *
 * `out = round(x)`; shape `(A…) -> (A…)`; keeps the dtype (integers are computed in float32 and truncated).
 * @example
 * await nd.round(nd.array([2.5])).asArray() // => [3]
 * @see MXNet `round`
 */
export function round<T extends Tensor>(data: T): T {
  return apply(roundOp, [data])
}

const rintOp = defineUnary(
  'rint',
  (x) => unary('ceil', binary('sub', x, constant(0.5, x.dtype))),
  true,
)

/**
 * The nearest integer, halves to the lower one; gradient 0.
 *
 * `out = ⌈x - ½⌉`; shape `(A…) -> (A…)`; keeps the dtype (integers are computed in float32 and truncated).
 * @example
 * await nd.rint(nd.array([1.5])).asArray() // => [1]
 * @see MXNet `rint`
 */
export function rint<T extends Tensor>(data: T): T {
  return apply(rintOp, [data])
}

const fixOp = defineUnary('fix', (x) => unary('trunc', x), true)

/**
 * Each element without its fraction; gradient 0.
 *
 * `out = trunc(x)`; shape `(A…) -> (A…)`; keeps the dtype (integers are computed in float32 and truncated).
 * @example
 * await nd.fix(nd.array([-1.5])).asArray() // => [-1]
 * @see MXNet `fix`
 */
export function fix<T extends Tensor>(data: T): T {
  return apply(fixOp, [data])
}

const truncOp = defineUnary('trunc', (x) => unary('trunc', x), true)

/**
 * Each element without its fraction; gradient 0.
 *
 * `out = trunc(x)`; shape `(A…) -> (A…)`; keeps the dtype (integers are computed in float32 and truncated).
 * @example
 * await nd.trunc(nd.array([1.7])).asArray() // => [1]
 * @see MXNet `trunc`
 */
export function trunc<T extends Tensor>(data: T): T {
  return apply(truncOp, [data])
}

const degreesOp = defineUnary(
  'degrees',
  (x) => binary('mul', x, constant(180 / Math.PI, x.dtype)),
  true,
)

/**
 * Radians to degrees.
 *
 * `out = x·180 / π`; shape `(A…) -> (A…)`; keeps the dtype (integers are computed in float32 and truncated).
 * @example
 * await nd.degrees(nd.array([0])).asArray() // => [0]
 * @see MXNet `degrees`
 */
export function degrees<T extends Tensor>(data: T): T {
  return apply(degreesOp, [data])
}

const radiansOp = defineUnary(
  'radians',
  (x) => binary('mul', x, constant(Math.PI / 180, x.dtype)),
  true,
)

/**
 * Degrees to radians.
 *
 * `out = x·π / 180`; shape `(A…) -> (A…)`; keeps the dtype (integers are computed in float32 and truncated).
 * @example
 * await nd.radians(nd.array([0])).asArray() // => [0]
 * @see MXNet `radians`
 */
export function radians<T extends Tensor>(data: T): T {
  return apply(radiansOp, [data])
}

const logicalNotOp = defineUnary(
  'logical_not',
  (x) => cast(compare('eq', x, constant(0, x.dtype)), x.dtype),
  false,
)

/**
 * 1 where an element is 0, else 0; no gradient.
 *
 * `out = (x = 0)`; shape `(A…) -> (A…)`; keeps the dtype (computed in the integer type).
 * @example
 * await nd.logicalNot(nd.array([0, 2])).asArray() // => [1, 0]
 * @see MXNet `logical_not`
 */
export function logicalNot<T extends Tensor>(data: T): T {
  return apply(logicalNotOp, [data])
}
