/** Elementwise operators of one tensor: exponentials, logarithms, trigonometry, special functions. */

import { apply } from '../core/apply.ts'
import type { Tensor } from '../core/tensor.ts'
import { unary } from '../prim/expr.ts'
import { defineUnary } from './unary.ts'

const expOp = defineUnary('exp', (x) => unary('exp', x), true)

/**
 * The exponential of each element.
 *
 * `out = eˣ`; shape `(A…) -> (A…)`; keeps the dtype (integers are computed in float32 and truncated).
 * @example
 * await nd.exp(nd.array([0])).asArray() // => [1]
 * @see MXNet `exp`
 */
export function exp<T extends Tensor>(data: T): T {
  return apply(expOp, [data])
}

const expm1Op = defineUnary('expm1', (x) => unary('expm1', x), true)

/**
 * The exponential less one, exact near 0.
 *
 * `out = eˣ - 1`; shape `(A…) -> (A…)`; keeps the dtype (integers are computed in float32 and truncated).
 * @example
 * await nd.expm1(nd.array([0])).asArray() // => [0]
 * @see MXNet `expm1`
 */
export function expm1<T extends Tensor>(data: T): T {
  return apply(expm1Op, [data])
}

const logOp = defineUnary('log', (x) => unary('log', x), true)

/**
 * The natural logarithm of each element; -Infinity at 0, NaN below.
 *
 * `out = ln x`; shape `(A…) -> (A…)`; keeps the dtype (integers are computed in float32 and truncated).
 * @example
 * await nd.log(nd.array([1])).asArray() // => [0]
 * @see MXNet `log`
 */
export function log<T extends Tensor>(data: T): T {
  return apply(logOp, [data])
}

const log10Op = defineUnary('log10', (x) => unary('log10', x), true)

/**
 * The logarithm to base 10.
 *
 * `out = log₁₀ x`; shape `(A…) -> (A…)`; keeps the dtype (integers are computed in float32 and truncated).
 * @example
 * await nd.log10(nd.array([1])).asArray() // => [0]
 * @see MXNet `log10`
 */
export function log10<T extends Tensor>(data: T): T {
  return apply(log10Op, [data])
}

const log2Op = defineUnary('log2', (x) => unary('log2', x), true)

/**
 * The logarithm to base 2.
 *
 * `out = log₂ x`; shape `(A…) -> (A…)`; keeps the dtype (integers are computed in float32 and truncated).
 * @example
 * await nd.log2(nd.array([8])).asArray() // => [3]
 * @see MXNet `log2`
 */
export function log2<T extends Tensor>(data: T): T {
  return apply(log2Op, [data])
}

const log1pOp = defineUnary('log1p', (x) => unary('log1p', x), true)

/**
 * The logarithm of one plus each element, exact near 0.
 *
 * `out = ln(1 + x)`; shape `(A…) -> (A…)`; keeps the dtype (integers are computed in float32 and truncated).
 * @example
 * await nd.log1p(nd.array([0])).asArray() // => [0]
 * @see MXNet `log1p`
 */
export function log1p<T extends Tensor>(data: T): T {
  return apply(log1pOp, [data])
}

const sinOp = defineUnary('sin', (x) => unary('sin', x), true)

/**
 * The sine of each element (radians).
 *
 * `out = sin x`; shape `(A…) -> (A…)`; keeps the dtype (integers are computed in float32 and truncated).
 * @example
 * await nd.sin(nd.array([0])).asArray() // => [0]
 * @see MXNet `sin`
 */
export function sin<T extends Tensor>(data: T): T {
  return apply(sinOp, [data])
}

const cosOp = defineUnary('cos', (x) => unary('cos', x), true)

/**
 * The cosine of each element (radians).
 *
 * `out = cos x`; shape `(A…) -> (A…)`; keeps the dtype (integers are computed in float32 and truncated).
 * @example
 * await nd.cos(nd.array([0])).asArray() // => [1]
 * @see MXNet `cos`
 */
export function cos<T extends Tensor>(data: T): T {
  return apply(cosOp, [data])
}

const tanOp = defineUnary('tan', (x) => unary('tan', x), true)

/**
 * The tangent of each element (radians).
 *
 * `out = tan x`; shape `(A…) -> (A…)`; keeps the dtype (integers are computed in float32 and truncated).
 * @example
 * await nd.tan(nd.array([0])).asArray() // => [0]
 * @see MXNet `tan`
 */
export function tan<T extends Tensor>(data: T): T {
  return apply(tanOp, [data])
}

const arcsinOp = defineUnary('arcsin', (x) => unary('asin', x), true)

/**
 * The inverse sine, in radians; NaN outside [-1, 1].
 *
 * `out = arcsin x`; shape `(A…) -> (A…)`; keeps the dtype (integers are computed in float32 and truncated).
 * @example
 * await nd.arcsin(nd.array([0])).asArray() // => [0]
 * @see MXNet `arcsin`
 */
export function arcsin<T extends Tensor>(data: T): T {
  return apply(arcsinOp, [data])
}

const arccosOp = defineUnary('arccos', (x) => unary('acos', x), true)

/**
 * The inverse cosine, in radians; NaN outside [-1, 1].
 *
 * `out = arccos x`; shape `(A…) -> (A…)`; keeps the dtype (integers are computed in float32 and truncated).
 * @example
 * await nd.arccos(nd.array([1])).asArray() // => [0]
 * @see MXNet `arccos`
 */
export function arccos<T extends Tensor>(data: T): T {
  return apply(arccosOp, [data])
}

const arctanOp = defineUnary('arctan', (x) => unary('atan', x), true)

/**
 * The inverse tangent, in radians.
 *
 * `out = arctan x`; shape `(A…) -> (A…)`; keeps the dtype (integers are computed in float32 and truncated).
 * @example
 * await nd.arctan(nd.array([0])).asArray() // => [0]
 * @see MXNet `arctan`
 */
export function arctan<T extends Tensor>(data: T): T {
  return apply(arctanOp, [data])
}

const sinhOp = defineUnary('sinh', (x) => unary('sinh', x), true)

/**
 * The hyperbolic sine of each element.
 *
 * `out = sinh x`; shape `(A…) -> (A…)`; keeps the dtype (integers are computed in float32 and truncated).
 * @example
 * await nd.sinh(nd.array([0])).asArray() // => [0]
 * @see MXNet `sinh`
 */
export function sinh<T extends Tensor>(data: T): T {
  return apply(sinhOp, [data])
}

const coshOp = defineUnary('cosh', (x) => unary('cosh', x), true)

/**
 * The hyperbolic cosine of each element.
 *
 * `out = cosh x`; shape `(A…) -> (A…)`; keeps the dtype (integers are computed in float32 and truncated).
 * @example
 * await nd.cosh(nd.array([0])).asArray() // => [1]
 * @see MXNet `cosh`
 */
export function cosh<T extends Tensor>(data: T): T {
  return apply(coshOp, [data])
}

const arcsinhOp = defineUnary('arcsinh', (x) => unary('asinh', x), true)

/**
 * The inverse hyperbolic sine of each element.
 *
 * `out = arsinh x`; shape `(A…) -> (A…)`; keeps the dtype (integers are computed in float32 and truncated).
 * @example
 * await nd.arcsinh(nd.array([0])).asArray() // => [0]
 * @see MXNet `arcsinh`
 */
export function arcsinh<T extends Tensor>(data: T): T {
  return apply(arcsinhOp, [data])
}

const arccoshOp = defineUnary('arccosh', (x) => unary('acosh', x), true)

/**
 * The inverse hyperbolic cosine; NaN below 1.
 *
 * `out = arcosh x`; shape `(A…) -> (A…)`; keeps the dtype (integers are computed in float32 and truncated).
 * @example
 * await nd.arccosh(nd.array([1])).asArray() // => [0]
 * @see MXNet `arccosh`
 */
export function arccosh<T extends Tensor>(data: T): T {
  return apply(arccoshOp, [data])
}

const arctanhOp = defineUnary('arctanh', (x) => unary('atanh', x), true)

/**
 * The inverse hyperbolic tangent; NaN outside [-1, 1].
 *
 * `out = artanh x`; shape `(A…) -> (A…)`; keeps the dtype (integers are computed in float32 and truncated).
 * @example
 * await nd.arctanh(nd.array([0])).asArray() // => [0]
 * @see MXNet `arctanh`
 */
export function arctanh<T extends Tensor>(data: T): T {
  return apply(arctanhOp, [data])
}

const erfOp = defineUnary('erf', (x) => unary('erf', x), true)

/**
 * The error function of each element.
 *
 * `out = 2/√π ∫₀ˣ e^(-t²) dt`; shape `(A…) -> (A…)`; keeps the dtype (integers are computed in float32 and truncated).
 * @example
 * await nd.erf(nd.array([0])).asArray() // => [0]
 * @see MXNet `erf`
 */
export function erf<T extends Tensor>(data: T): T {
  return apply(erfOp, [data])
}

const erfinvOp = defineUnary('erfinv', (x) => unary('erfinv', x), true)

/**
 * The inverse error function; ±Infinity at ±1.
 *
 * `erf(out) = x`; shape `(A…) -> (A…)`; keeps the dtype (integers are computed in float32 and truncated).
 * @example
 * await nd.erfinv(nd.array([0])).asArray() // => [0]
 * @see MXNet `erfinv`
 */
export function erfinv<T extends Tensor>(data: T): T {
  return apply(erfinvOp, [data])
}

const gammaOp = defineUnary('gamma', (x) => unary('gamma', x), true)

/**
 * The gamma function of each element.
 *
 * `out = Γ(x)`; shape `(A…) -> (A…)`; keeps the dtype (integers are computed in float32 and truncated).
 * @example
 * await nd.gamma(nd.array([4])).asArray() // => [6]
 * @see MXNet `gamma`
 */
export function gamma<T extends Tensor>(data: T): T {
  return apply(gammaOp, [data])
}

const gammalnOp = defineUnary('gammaln', (x) => unary('gammaln', x), true)

/**
 * The logarithm of the magnitude of the gamma function.
 *
 * `out = ln |Γ(x)|`; shape `(A…) -> (A…)`; keeps the dtype (integers are computed in float32 and truncated).
 * @example
 * await nd.gammaln(nd.array([1])).asArray() // => [0]
 * @see MXNet `gammaln`
 */
export function gammaln<T extends Tensor>(data: T): T {
  return apply(gammalnOp, [data])
}
