/** Transcendental functions of four float32 lanes as straight-line code; bounds are in ulp of float32. */

import type { FunctionBuilder, Local, PlainOp } from './assembler.ts'
import { hasRelaxedSimd } from './relaxed.ts'

type F = FunctionBuilder

const add = (f: F) => f.op('f32x4.add')
const sub = (f: F) => f.op('f32x4.sub')
const mul = (f: F) => f.op('f32x4.mul')

/** A local, or a constant in brackets. */
type Given = Local | readonly [number]
const push = (f: F, given: Given): F =>
  typeof given === 'number' ? f.get(given) : f.f32x4(given[0])

/** Pushes a·b + c, in one instruction where the engine has it. */
function madd(f: F, a: Given, b: Given, c: Given): F {
  push(push(f, a), b)
  return hasRelaxedSimd() ? push(f, c).op('f32x4.relaxed_madd') : add(push(mul(f), c))
}

/** Pushes c - a·b, likewise. */
function nmadd(f: F, a: Given, b: Given, c: Given): F {
  if (hasRelaxedSimd()) return push(push(push(f, a), b), c).op('f32x4.relaxed_nmadd')
  return sub(mul(push(push(push(f, c), a), b)))
}

/** Sets y to ((c0·x + c1)·x + c2)·x … */
function horner(f: F, x: Local, coefficients: readonly number[], y: Local): void {
  f.f32x4(coefficients[0]!).set(y)
  for (let i = 1; i < coefficients.length; i++) madd(f, y, x, [coefficients[i]!]).set(y).cut()
}

/** x < low ? low : x, which keeps NaN (f32x4.max would as well, at several times the cost). */
const clampLow = (f: F, low: number) => f.f32x4(low).op('f32x4.pmax')
const clampHigh = (f: F, high: number) => f.f32x4(high).op('f32x4.pmin')

/** ln 2 in two parts, the first of few enough bits that n·LN2_HIGH is exact. */
const LN2_HIGH = 0.693359375
const LN2_LOW = -2.1219444e-4
/** Adding it rounds to an integer, which is then in the low 22 bits (|x| < 2^22). */
const ROUNDER = 12582912
/** (exp(r) - 1 - r) / r² on |r| ≤ ln 2 / 2, to 0.05 ulp of exp: our own fit, by reweighted least squares. */
const expPoly = [
  1.381459910118529e-3, 8.368716917927451e-3, 4.166838803890469e-2, 1.6666520631298715e-1,
  4.9999993447812835e-1,
]

/**
 * Splits x (clamped) into n·ln 2 + r, and computes p = r²·q(r) + r, which is exp(r) - 1. The low 22 bits of `n` are those of
 * the integer n + `bias`.
 */
function reduceExp(f: F, x: Local, bias: number, n: Local, r: Local, p: Local): void {
  const t = f.local('v128')
  madd(f, x, [Math.LOG2E], [ROUNDER + bias])
    .set(n)
    .cut()
  sub(f.get(n).f32x4(ROUNDER + bias))
    .set(t)
    .cut()
  nmadd(f, t, [LN2_HIGH], x).set(r).cut()
  nmadd(f, t, [LN2_LOW], r).set(r).cut()
  horner(f, r, expPoly, p)
  mul(f.get(p).get(r)).set(p).cut()
  madd(f, p, r, r).set(p).cut()
  f.free(t)
}

/** exp: below 1 ulp; NaN stays, subnormal results are kept. */
function exp(f: F, x: Local): void {
  const [n, r, p, h] = [f.local('v128'), f.local('v128'), f.local('v128'), f.local('v128')]
  clampLow(f.get(x), -104)
  clampHigh(f, 89).set(h).cut()
  reduceExp(f, h, 2 * 127, n, r, p)
  // 2^n as a product of two powers, so that n = 128 and subnormal results come out: the bits of 2^⌊n/2⌋, …
  f.get(n).i32(22).op('i32x4.shl').i32x4(-0x800000).op('v128.and').set(h).cut()
  add(f.get(p).f32x4(1)).get(h)
  mul(f).set(p).cut()
  // … and those of the other.
  f.get(p).get(n).i32(23).op('i32x4.shl').get(h).op('i32x4.sub')
  mul(f)
  for (const l of [n, r, p, h]) f.free(l)
}

/** expm1: below 2 ulp. */
function expm1(f: F, x: Local): void {
  const [n, r, c, p] = [f.local('v128'), f.local('v128'), f.local('v128'), f.local('v128')]
  clampLow(f.get(x), -20)
  clampHigh(f, 89).set(c).cut()
  reduceExp(f, c, 126, n, r, p)
  // 2·(t·p + (t - 1/2)) with t = 2^(n-1), which is finite for n = 128; p itself where n = 0 keeps -0.
  f.get(n).i32(23).op('i32x4.shl').set(r).cut()
  mul(f.get(r).get(p))
  sub(f.get(r).f32x4(0.5))
  add(f).set(c).cut()
  add(f.get(c).get(c))
    .get(p)
    .get(r)
    .i32x4(126 << 23)
    .op('i32x4.ne')
    .op('v128.bitselect')
  for (const l of [n, r, c, p]) f.free(l)
}

const logPoly = [
  7.0376836292e-2, -1.151461031e-1, 1.167699874e-1, -1.2420140846e-1, 1.4249322787e-1,
  -1.6668057665e-1, 2.0000714765e-1, -2.4999993993e-1, 3.3333331174e-1,
]

/** log: below 1 ulp; -Infinity at ±0, NaN below 0. */
function log(f: F, x: Local): void {
  const [m, e, z, y] = [f.local('v128'), f.local('v128'), f.local('v128'), f.local('v128')]
  // Subnormals are scaled by 2^23 first.
  mul(f.get(x).f32x4(8388608)).get(x)
  f.get(x).f32x4(1.1754943508222875e-38).op('f32x4.lt').tee(z).op('v128.bitselect').set(m).cut()
  // The exponent relative to sqrt(1/2), and the mantissa in [sqrt(1/2), sqrt(2)).
  f.get(m).i32x4(0x3f3504f3).op('i32x4.sub').i32(23).op('i32x4.shr_s').set(e).cut()
  f.get(m).get(e).i32(23).op('i32x4.shl').op('i32x4.sub')
  sub(f.f32x4(1)).set(m).cut()
  f.get(e).get(z).i32x4(23).op('v128.and').op('i32x4.sub').op('f32x4.convert_i32x4_s').set(e).cut()
  mul(f.get(m).get(m)).set(z).cut()
  horner(f, m, logPoly, y)
  mul(mul(f.get(y).get(m)).get(z))
    .set(y)
    .cut()
  madd(f, e, [LN2_LOW], y).set(y).cut()
  nmadd(f, z, [0.5], y).set(y).cut()
  add(f.get(m).get(y)).set(y).cut()
  madd(f, e, [LN2_HIGH], y).set(y).cut()
  // x ≤ 0 or NaN: the log of the sign; Infinity stays.
  f.get(y).get(x).get(x).f32x4(Infinity).op('f32x4.lt').op('v128.bitselect').set(y).cut()
  f.f32x4(-Infinity).f32x4(Number.NaN).get(x).f32x4(0).op('f32x4.eq').op('v128.bitselect')
  f.get(y).get(x).f32x4(0).op('f32x4.le').op('v128.bitselect')
  for (const l of [m, e, z, y]) f.free(l)
}

/** log1p: below 2 ulp; log(u) for u = 1 + x rounded, and a correction for what rounding lost. */
function log1p(f: F, x: Local): void {
  const [u, l] = [f.local('v128'), f.local('v128')]
  add(f.get(x).f32x4(1)).set(u).cut()
  log(f, u)
  f.set(l).cut()
  sub(f.get(x).get(u).f32x4(1).op('f32x4.sub')).get(u).op('f32x4.div')
  add(f.get(l)).get(l)
  f.get(u).f32x4(0).op('f32x4.gt').get(u).f32x4(Infinity).op('f32x4.lt').op('v128.and')
  f.op('v128.bitselect').set(l).cut()
  // -0 and the subnormals around it.
  f.get(x).get(l).get(u).f32x4(1).op('f32x4.eq').op('v128.bitselect')
  f.free(u).free(l)
}

const tanhPoly = [
  -5.70498872745e-3, 2.06390887954e-2, -5.37397155531e-2, 1.33314422036e-1, -3.33332819422e-1,
]

/** tanh: below 2 ulp; a polynomial below 0.625, 1 - 2/(exp(2|x|) + 1) above. */
function tanh(f: F, x: Local): void {
  const [a, z, p, y] = [f.local('v128'), f.local('v128'), f.local('v128'), f.local('v128')]
  f.get(x).op('f32x4.abs').set(a)
  add(f.get(a).get(a)).set(z).cut()
  exp(f, z)
  f.f32x4(1)
  add(f).set(z).cut()
  sub(f.f32x4(1).f32x4(2).get(z).op('f32x4.div'))
  f.get(x).f32x4(-0).op('v128.and').op('v128.or').set(p).cut()
  mul(f.get(x).get(x)).set(z).cut()
  horner(f, z, tanhPoly, y)
  mul(f.get(y).get(z)).set(y).cut()
  madd(f, y, x, x).get(p)
  f.get(a).f32x4(0.625).op('f32x4.lt').op('v128.bitselect')
  for (const l of [a, z, p, y]) f.free(l)
}

const erfSmall = [
  -5.96761703e-4, 4.99119423e-3, -2.67681349e-2, 1.12819925e-1, -3.76125336e-1, 1.28379166e-1,
]
const erfLarge = [
  -1.7285347e-5, 3.83197126e-4, -3.88396438e-3, 2.42546219e-2, -1.06777877e-1, -6.34846687e-1,
  -1.28717512e-1,
]

/** erf: below 2 ulp. Source: N. Juffa's minimax polynomials, x + x·p(x²) and 1 - exp(-(|x| + |x|·p(|x|))). */
function erf(f: F, x: Local): void {
  const [a, z, p, y] = [f.local('v128'), f.local('v128'), f.local('v128'), f.local('v128')]
  f.get(x).op('f32x4.abs')
  clampHigh(f, 5).set(a).cut()
  horner(f, a, erfLarge, y)
  mul(f.get(y).get(a))
  sub(f.get(a)).set(z).cut()
  exp(f, z)
  f.set(z).cut()
  sub(f.f32x4(1).get(z))
  f.get(x).f32x4(-0).op('v128.and').op('v128.or').set(p).cut()
  mul(f.get(x).get(x)).set(z).cut()
  horner(f, z, erfSmall, y)
  madd(f, y, x, x).get(p)
  f.get(a).f32x4(0.927734375).op('f32x4.lt').op('v128.bitselect')
  for (const l of [a, z, p, y]) f.free(l)
}

const functions: Record<string, (f: F, x: Local) => void> = { exp, expm1, log, log1p, tanh, erf }

/** Whether an instruction is computed here. */
export const hasVectorMath = (op: string): boolean => Object.hasOwn(functions, op)

/** Pushes an instruction's value on the four lanes of a local. */
export function vectorMath(f: FunctionBuilder, op: string, x: Local): void {
  functions[op]!(f, x)
}

/** Beyond this magnitude the reduction of `vectorSine` loses bits. */
export const sineLimit = 8192
/** pi/4 in three parts, the first two of few enough bits that their products with octants are exact. */
const QUARTERS = [0.78515625, 2.4187564849853516e-4, 3.774894977445941e-8]
const sinPoly = [-1.9515295891e-4, 8.3321608736e-3, -1.6666654611e-1]
const cosPoly = [2.443315711809948e-5, -1.388731625493765e-3, 4.166664568298827e-2]

/** sin and cos for |x| < `sineLimit`: absolute error below 1.2e-7. */
export function vectorSine(f: FunctionBuilder, op: 'sin' | 'cos', x: Local): void {
  const [r, j, y, z] = [f.local('v128'), f.local('v128'), f.local('v128'), f.local('v128')]
  const p = f.local('v128')
  f.get(x)
    .op('f32x4.abs')
    .tee(r)
    .f32x4(4 / Math.PI)
  mul(f).op('i32x4.trunc_sat_f32x4_s').i32x4(1).op('i32x4.add').i32x4(-2).op('v128.and')
  f.tee(j).op('f32x4.convert_i32x4_s').set(y)
  for (const part of QUARTERS) sub(mul(f.get(r).get(y).f32x4(part))).set(r)
  mul(f.get(r).get(r)).set(z)
  // The polynomial of the other function in every second quadrant.
  horner(f, z, cosPoly, p)
  horner(f, z, sinPoly, y)
  add(mul(mul(f.get(y).get(z)).get(r)).get(r))
  mul(mul(f.get(p).get(z)).get(z))
  add(sub(f.get(z).f32x4(0.5).op('f32x4.mul')).f32x4(1))
  f.get(j)
    .i32x4(2)
    .op('v128.and')
    .i32x4(op === 'sin' ? 0 : 2)
    .op('i32x4.eq')
  f.op('v128.bitselect')
  // The sign: of the half turn, and for sin of x.
  f.get(j)
  if (op === 'cos') f.i32x4(2).op('i32x4.add')
  f.i32(29).op('i32x4.shl')
  if (op === 'sin') f.get(x).op('v128.xor')
  f.f32x4(-0).op('v128.and').op('v128.xor')
  for (const l of [r, j, y, z, p]) f.free(l)
}

/** Rounds half away from zero, on f32x4 or f64x2: |x - trunc x| is exact, unlike |x| + 1/2. */
export function vectorRound(f: FunctionBuilder, shape: 'f32x4' | 'f64x2', x: Local): void {
  const t = f.local('v128')
  const op = (name: string) => f.op(`${shape}.${name}` as PlainOp)
  const push = (value: number) => (shape === 'f32x4' ? f.f32x4(value) : f.f64x2(value))
  f.get(x)
  op('trunc').set(t)
  push(1).get(x)
  push(-0).op('v128.and').op('v128.or')
  f.get(x).get(t)
  op('sub')
  op('abs')
  push(0.5)
  op('ge').op('v128.and').get(t)
  op('add').set(t)
  // -0 and what truncates to it keep their sign.
  f.get(t).get(x)
  push(-0).op('v128.and').op('v128.or').free(t)
}
