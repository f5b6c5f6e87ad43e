/** The scalar language: the instructions every backend knows, and their exact meaning. */

import { threefry } from '../base/random.ts'
import { digamma, erf, erfinv, gamma, gammaln, trigamma } from '../base/special.ts'

/** Instructions of one operand; all but neg, abs, sign and not are for floats only. */
export const unaryNames = [
  'neg',
  'abs',
  'sign',
  'not',
  'floor',
  'ceil',
  'round',
  'trunc',
  'sqrt',
  'cbrt',
  'exp',
  'expm1',
  'log',
  'log1p',
  'log2',
  'log10',
  'sin',
  'cos',
  'tan',
  'asin',
  'acos',
  'atan',
  'sinh',
  'cosh',
  'tanh',
  'asinh',
  'acosh',
  'atanh',
  'erf',
  'erfinv',
  'gamma',
  'gammaln',
  'digamma',
  'trigamma',
] as const
/** Instructions of two operands of one dtype, giving that dtype. */
export const binaryNames = [
  'add',
  'sub',
  'mul',
  'div',
  'mod',
  'pow',
  'max',
  'min',
  'and',
  'or',
  'xor',
  'shl',
  'shr',
] as const
/** Comparisons: two operands of one dtype, giving bool. */
export const compareNames = ['eq', 'ne', 'lt', 'le', 'gt', 'ge'] as const

/** An instruction of one operand. */
export type UnaryName = (typeof unaryNames)[number]
/** An instruction of two operands. */
export type BinaryName = (typeof binaryNames)[number]
/** A comparison. */
export type CompareName = (typeof compareNames)[number]
/** Every scalar instruction: also `where(cond, a, b)` and `random(key0, key1, counter)` on int32. */
export type ScalarName = UnaryName | BinaryName | CompareName | 'where' | 'random'

/** Instructions that take tens of times as long as an addition. */
export const costly: ReadonlySet<ScalarName> = new Set<ScalarName>([
  ...unaryNames.slice(unaryNames.indexOf('cbrt')),
  'mod',
  'pow',
  'random',
])

type Fn1 = (x: number) => number
type Fn2 = (x: number, y: number) => number

/** Meaning of the one-operand instructions on numbers. round: half away from zero; not: 1 where x is 0. */
export const unaryMeaning: Record<UnaryName, Fn1> = {
  neg: (x) => -x,
  abs: Math.abs,
  sign: Math.sign,
  not: (x) => (x === 0 ? 1 : 0),
  floor: Math.floor,
  ceil: Math.ceil,
  round: (x) => (Math.abs(x) < 2 ** 52 ? Math.sign(x) * Math.floor(Math.abs(x) + 0.5) : x),
  trunc: Math.trunc,
  sqrt: Math.sqrt,
  cbrt: Math.cbrt,
  exp: Math.exp,
  expm1: Math.expm1,
  log: Math.log,
  log1p: Math.log1p,
  log2: Math.log2,
  log10: Math.log10,
  sin: Math.sin,
  cos: Math.cos,
  tan: Math.tan,
  asin: Math.asin,
  acos: Math.acos,
  atan: Math.atan,
  sinh: Math.sinh,
  cosh: Math.cosh,
  tanh: Math.tanh,
  asinh: Math.asinh,
  acosh: Math.acosh,
  atanh: Math.atanh,
  erf,
  erfinv,
  gamma,
  gammaln,
  digamma,
  trigamma,
}

/** a - floor(a / b)·b with the sign of b, and 0 where b is 0. */
function floorMod(a: number, b: number): number {
  if (b === 0) return 0
  const r = a % b
  return r !== 0 && r < 0 !== b < 0 ? r + b : r
}

/** Math.max and Math.min propagate NaN, as MXNet's do. pow is IEEE pow: pow(1, NaN) is 1. */
const power: Fn2 = (x, y) => (x === 1 || y === 0 ? 1 : x ** y)

/**
 * Meaning of the two-operand instructions on floats. Integers differ in div (truncates, 0 for a zero
 * divisor), wrap to their width, and alone have and, or, xor (bitwise), shl and shr (logical shift).
 */
export const binaryMeaning: Record<BinaryName, Fn2> = {
  add: (x, y) => x + y,
  sub: (x, y) => x - y,
  mul: (x, y) => x * y,
  div: (x, y) => x / y,
  mod: floorMod,
  pow: power,
  max: Math.max,
  min: Math.min,
  and: (x, y) => x & y,
  or: (x, y) => x | y,
  xor: (x, y) => x ^ y,
  shl: (x, y) => x << y,
  shr: (x, y) => x >>> y,
}

/** Meaning of the two-operand instructions on int32 and narrower integers, before wrapping to the width. */
export const integerMeaning: Record<BinaryName, Fn2> = {
  ...binaryMeaning,
  mul: Math.imul,
  div: (x, y) => (y === 0 ? 0 : Math.trunc(x / y)),
  pow: (x, y) => Math.trunc(x ** y),
}

/** Meaning of the comparisons. */
export const compareMeaning: Record<CompareName, (x: number, y: number) => boolean> = {
  eq: (x, y) => x === y,
  ne: (x, y) => x !== y,
  lt: (x, y) => x < y,
  le: (x, y) => x <= y,
  gt: (x, y) => x > y,
  ge: (x, y) => x >= y,
}

/** Meaning of `random`: 32 bits from two key words and a counter. */
export const randomMeaning = threefry
