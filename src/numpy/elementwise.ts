/** Functions of each element: arithmetic, comparisons, elementary functions, with NumPy's dtypes. */

import { isFloat } from '../base/dtype.ts'
import { broadcastShapes } from '../base/shape.ts'
import type { Tensor } from '../core/tensor.ts'
import * as ops from '../ops/index.ts'
import { asBool, asFloat, floats, together } from './dtypes.ts'

/** Operands at their common shape; numbers become arrays of the first tensor's dtype (of float32 beside a condition). */
function aligned<T extends Tensor>(name: string, operands: readonly (T | number)[]): T[] {
  const tensors = operands.filter((x): x is T => typeof x !== 'number')
  const shape = tensors.reduce<readonly number[]>(
    (sofar, x) => broadcastShapes(name, sofar, x.shape),
    [],
  )
  const like = tensors.length > 1 || operands.length === 2 ? tensors.at(-1)! : asFloat(tensors[0]!)
  const wide = (x: T): T => ops.broadcastTo(x, shape)
  return operands.map((x) =>
    typeof x === 'number' ? ops.add(ops.zerosLike(wide(like)), x) : wide(x),
  )
}

type Unary = <T extends Tensor>(x: T) => T
type Binary = <T extends Tensor>(x1: T | number, x2: T | number) => T

const float =
  (f: Unary): Unary =>
  (x) =>
    f(asFloat(x))
const arithmetic =
  (f: Binary): Binary =>
  (x1, x2) =>
    f(...together(x1, x2))
const truth =
  (f: Binary): Binary =>
  (x1, x2) =>
    asBool(f(...together(x1, x2)))

/** `x1 + x2`; a fraction turns integers into float32. @see MXNet `np.add` */
export const add: Binary = arithmetic(ops.add)
/** `x1 - x2`. @see MXNet `np.subtract` */
export const subtract: Binary = arithmetic(ops.subtract)
/** `x1 · x2`. @see MXNet `np.multiply` */
export const multiply: Binary = arithmetic(ops.multiply)
/** The true quotient `x1 / x2`: float32 for integers. @see MXNet `np.true_divide` */
export const trueDivide: Binary = (x1, x2) => ops.divide(...floats(x1, x2))
/** The true quotient `x1 / x2`: float32 for integers. @see MXNet `np.divide` */
export const divide: Binary = trueDivide
/** The quotient rounded down, `⌊x1 / x2⌋`. @see NumPy `floor_divide` */
export const floorDivide: Binary = <T extends Tensor>(x1: T | number, x2: T | number): T => {
  const [a, b] = together(x1, x2)
  // The remainder has the divisor's sign, so that the rest divides exactly.
  return rint(ops.divide(ops.subtract(a, ops.modulo(a, b)), b)) as T
}
/** The remainder of `x1 / x2` with the sign of `x2`. @see MXNet `np.mod` */
export const mod: Binary = arithmetic(ops.modulo)
/** The remainder of `x1 / x2` with the sign of `x2`. @see MXNet `np.remainder` */
export const remainder: Binary = mod
/** `x1` to the power of `x2`. @see MXNet `np.power` */
export const power: Binary = arithmetic(ops.power)
/** The larger of two. @see MXNet `np.maximum` */
export const maximum: Binary = arithmetic(ops.maximum)
/** The smaller of two. @see MXNet `np.minimum` */
export const minimum: Binary = arithmetic(ops.minimum)
/** `√(x1² + x2²)`. @see MXNet `np.hypot` */
export const hypot: Binary = (x1, x2) => ops.hypot(...floats(x1, x2))
/** The magnitude of `x1` with the sign of `x2`. @see MXNet `np.copysign` */
export const copysign: Binary = <T extends Tensor>(x1: T | number, x2: T | number): T => {
  const [a, b] = floats(x1, x2)
  const magnitude = typeof a === 'number' ? Math.abs(a) : ops.abs(a)
  const sign = typeof b === 'number' ? (b < 0 || Object.is(b, -0) ? -1 : 1) : signOf(b)
  return ops.multiply(magnitude, sign) as T
}
/** -1 for what is below 0, else 1. */
const signOf = <T extends Tensor>(x: T): T => ops.add(ops.multiply(ops.lesser(x, 0), -2) as T, 1)
/** `x1 · 2^x2`. @see MXNet `np.ldexp` */
export const ldexp: Binary = (x1, x2) => ops.multiply(...floats(x1, ops.power(2, x2 as never)))
/** The angle of the point `(x2, x1)`, in radians from -π to π. @see MXNet `np.arctan2` */
export const arctan2: Binary = <T extends Tensor>(x1: T | number, x2: T | number): T => {
  const [y, x] = aligned('arctan2', floats(x1, x2)) as [T, T]
  const safe = ops.where(ops.equal(x, 0), ops.onesLike(x), x)
  const angle = ops.arctan(ops.divide(y, safe))
  const side = signOf(y)
  const turned = ops.where(ops.lesser(x, 0), ops.add(angle, ops.multiply(side, Math.PI)), angle)
  const upright = ops.where(ops.equal(y, 0), ops.zerosLike(y), ops.multiply(side, Math.PI / 2))
  return ops.where(ops.equal(x, 0), upright, turned)
}

/** Whether `x1 = x2`: truths. @see MXNet `np.equal` */
export const equal: Binary = truth(ops.equal)
/** Whether `x1 ≠ x2`: truths. @see MXNet `np.not_equal` */
export const notEqual: Binary = truth(ops.notEqual)
/** Whether `x1 > x2`: truths. @see MXNet `np.greater` */
export const greater: Binary = truth(ops.greater)
/** Whether `x1 ≥ x2`: truths. @see MXNet `np.greater_equal` */
export const greaterEqual: Binary = truth(ops.greaterEqual)
/** Whether `x1 < x2`: truths. @see MXNet `np.less` */
export const less: Binary = truth(ops.lesser)
/** Whether `x1 ≤ x2`: truths. @see MXNet `np.less_equal` */
export const lessEqual: Binary = truth(ops.lesserEqual)
/** Whether both are not 0: truths. @see NumPy `logical_and` */
export const logicalAnd: Binary = truth(ops.logicalAnd)
/** Whether one of them is not 0: truths. @see NumPy `logical_or` */
export const logicalOr: Binary = truth(ops.logicalOr)
/** Whether exactly one of them is not 0: truths. @see NumPy `logical_xor` */
export const logicalXor: Binary = truth(ops.logicalXor)
/** Whether it is 0: truths. @see MXNet `np.logical_not` */
export const logicalNot: Unary = (x) => asBool(ops.logicalNot(x))

/** `-x`. @see MXNet `np.negative` */
export const negative: Unary = ops.negative
/** `|x|`. @see MXNet `np.abs` */
export const abs: Unary = ops.abs
/** `|x|`. @see MXNet `np.absolute` */
export const absolute: Unary = ops.abs
/** `|x|` in a floating dtype. @see MXNet `np.fabs` */
export const fabs: Unary = float(ops.abs)
/** -1, 0 or 1. @see MXNet `np.sign` */
export const sign: Unary = ops.sign
/** `x²`. @see MXNet `np.square` */
export const square: Unary = ops.square
/** `√x`. @see MXNet `np.sqrt` */
export const sqrt: Unary = float(ops.sqrt)
/** `∛x`. @see MXNet `np.cbrt` */
export const cbrt: Unary = float(ops.cbrt)
/** `1/x`. @see MXNet `np.reciprocal` */
export const reciprocal: Unary = float(ops.reciprocal)
/** `eˣ`. @see MXNet `np.exp` */
export const exp: Unary = float(ops.exp)
/** `eˣ - 1`. @see MXNet `np.expm1` */
export const expm1: Unary = float(ops.expm1)
/** `ln x`. @see MXNet `np.log` */
export const log: Unary = float(ops.log)
/** `log₂ x`. @see MXNet `np.log2` */
export const log2: Unary = float(ops.log2)
/** `log₁₀ x`. @see MXNet `np.log10` */
export const log10: Unary = float(ops.log10)
/** `ln(1 + x)`. @see MXNet `np.log1p` */
export const log1p: Unary = float(ops.log1p)
/** The sine. @see MXNet `np.sin` */
export const sin: Unary = float(ops.sin)
/** The cosine. @see MXNet `np.cos` */
export const cos: Unary = float(ops.cos)
/** The tangent. @see MXNet `np.tan` */
export const tan: Unary = float(ops.tan)
/** The inverse sine. @see MXNet `np.arcsin` */
export const arcsin: Unary = float(ops.arcsin)
/** The inverse cosine. @see MXNet `np.arccos` */
export const arccos: Unary = float(ops.arccos)
/** The inverse tangent. @see MXNet `np.arctan` */
export const arctan: Unary = float(ops.arctan)
/** The hyperbolic sine. @see MXNet `np.sinh` */
export const sinh: Unary = float(ops.sinh)
/** The hyperbolic cosine. @see MXNet `np.cosh` */
export const cosh: Unary = float(ops.cosh)
/** The hyperbolic tangent. @see MXNet `np.tanh` */
export const tanh: Unary = float(ops.tanh)
/** The inverse hyperbolic sine. @see MXNet `np.arcsinh` */
export const arcsinh: Unary = float(ops.arcsinh)
/** The inverse hyperbolic cosine. @see MXNet `np.arccosh` */
export const arccosh: Unary = float(ops.arccosh)
/** The inverse hyperbolic tangent. @see MXNet `np.arctanh` */
export const arctanh: Unary = float(ops.arctanh)
/** Radians in degrees. @see MXNet `np.degrees` */
export const degrees: Unary = float(ops.degrees)
/** Degrees in radians. @see MXNet `np.radians` */
export const radians: Unary = float(ops.radians)
/** Radians in degrees. @see MXNet `np.rad2deg` */
export const rad2deg: Unary = degrees
/** Degrees in radians. @see MXNet `np.deg2rad` */
export const deg2rad: Unary = radians
/** Up to the next integer; integers stay. @see MXNet `np.ceil` */
export const ceil: Unary = (x) => (isFloat(x.dtype) ? ops.ceil(x) : x)
/** Down to the next integer; integers stay. @see MXNet `np.floor` */
export const floor: Unary = (x) => (isFloat(x.dtype) ? ops.floor(x) : x)
/** Towards 0 to the next integer; integers stay. @see MXNet `np.trunc` */
export const trunc: Unary = (x) => (isFloat(x.dtype) ? ops.trunc(x) : x)
/** Towards 0 to the next integer. @see MXNet `np.fix` */
export const fix: Unary = trunc
/** To the nearest integer, halves to the even one. @see MXNet `np.rint` */
export const rint: Unary = (x) => {
  if (!isFloat(x.dtype)) return x
  // Half of the even neighbour: rounding x/2 and doubling it tells which neighbour is even.
  const down = ops.floor(x)
  const rest = ops.subtract(x, down)
  const odd = ops.modulo(down, 2)
  const up = ops.logicalOr(ops.greater(rest, 0.5), ops.logicalAnd(ops.equal(rest, 0.5), odd))
  return ops.add(down, up)
}

/**
 * Rounded to a number of decimals, halves to the even neighbour.
 * @example
 * await np.around(np.array([0.5, 1.5, 2.5])).asArray() // => [0, 2, 2]
 * @see MXNet `np.around`
 */
export function around<T extends Tensor>(x: T, decimals = 0): T {
  if (decimals === 0) return rint(x)
  return ops.divide(rint(ops.multiply(asFloat(x), 10 ** decimals)), 10 ** decimals)
}
/** The same as `around`. @see MXNet `np.round` */
export const round = around

const compareSelf = (f: (x: Tensor) => Tensor): Unary =>
  (<T extends Tensor>(x: T): T => asBool(f(asFloat(x)) as T)) as Unary

/** Whether it is NaN: truths. @see MXNet `np.isnan` */
export const isnan: Unary = compareSelf((x) => ops.notEqual(x, x))
/** Whether it is neither NaN nor infinite: truths. @see MXNet `np.isfinite` */
export const isfinite: Unary = compareSelf((x) => ops.equal(ops.multiply(x, 0), 0))
/** Whether it is infinite: truths. @see MXNet `np.isinf` */
export const isinf: Unary = compareSelf((x) => ops.equal(ops.abs(x), Number.POSITIVE_INFINITY))
/** Whether it is +∞: truths. @see MXNet `np.isposinf` */
export const isposinf: Unary = compareSelf((x) => ops.equal(x, Number.POSITIVE_INFINITY))
/** Whether it is -∞: truths. @see MXNet `np.isneginf` */
export const isneginf: Unary = compareSelf((x) => ops.equal(x, Number.NEGATIVE_INFINITY))

/**
 * Held within limits; null for none.
 * @example
 * await np.clip(np.array([1, 5, 9]), 2, 6).asArray() // => [2, 5, 6]
 * @see MXNet `np.clip`
 */
export function clip<T extends Tensor>(x: T, min: T | number | null, max: T | number | null): T {
  const low = min === null ? x : maximum<T>(x, min)
  return max === null ? low : minimum<T>(low, max)
}

/**
 * Elements of `x` where the condition holds, of `y` elsewhere; all broadcast. Numbers take the other's dtype.
 * @example
 * await np.where(np.array([1, 0]), 5, np.array([2, 3])).asArray() // => [5, 3]
 * @see MXNet `np.where`
 */
export function where<T extends Tensor>(condition: T, x: T | number, y: T | number): T {
  const [a, b] = typeof x === 'number' || typeof y === 'number' ? together(x, y) : [x, y]
  const [c, p, q] = aligned('where', [condition, a, b]) as [T, T, T]
  return ops.where(c, p, q)
}

/**
 * NaN replaced by `nan`, infinities by the given numbers (the largest of float32 by default).
 * @example
 * await np.nanToNum(np.array([NaN, 1])).asArray() // => [0, 1]
 * @see MXNet `np.nan_to_num`
 */
export function nanToNum<T extends Tensor>(
  x: T,
  options: { readonly nan?: number; readonly posinf?: number; readonly neginf?: number } = {},
): T {
  const { nan = 0, posinf = 3.4028234663852886e38, neginf = -3.4028234663852886e38 } = options
  if (!isFloat(x.dtype)) return x
  const filled = (v: number): T => ops.add(ops.zerosLike(x), v)
  const plain = ops.where(ops.notEqual(x, x), filled(nan), x)
  const below = ops.where(ops.equal(plain, Number.NEGATIVE_INFINITY), filled(neginf), plain)
  return ops.where(ops.equal(below, Number.POSITIVE_INFINITY), filled(posinf), below)
}
