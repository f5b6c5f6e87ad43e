/** Derivatives of scalar expressions, as scalar expressions. */

import { isFloat } from '../base/dtype.ts'
import { add, div, mul, num, sub } from './arithmetic.ts'
import { binary, cast, compare, type Expr, linearize, select, unary } from './expr.ts'
import type { BinaryName, CompareName, ScalarName, UnaryName } from './scalar.ts'

const sqrt = (x: Expr): Expr => unary('sqrt', x)
const square = (x: Expr): Expr => mul(x, x)

/** The share of `dy` that reaches each operand; null where none does. */
type Rule = (args: readonly Expr[], out: Expr, dy: Expr) => readonly (Expr | null)[]

const none: Rule = () => [null, null, null]
const one =
  (f: (x: Expr, out: Expr, dy: Expr) => Expr): Rule =>
  ([x], out, dy) => [f(x!, out, dy)]
const two =
  (f: (x: Expr, y: Expr, out: Expr, dy: Expr) => readonly [Expr, Expr]): Rule =>
  ([x, y], out, dy) =>
    f(x!, y!, out, dy)

const unaryRules: Record<UnaryName, Rule> = {
  neg: one((_x, _o, dy) => unary('neg', dy)),
  abs: one((x, _o, dy) => mul(dy, unary('sign', x))),
  sign: none,
  not: none,
  floor: none,
  ceil: none,
  round: none,
  trunc: none,
  sqrt: one((_x, o, dy) => div(mul(dy, num(o, 0.5)), o)),
  cbrt: one((_x, o, dy) => div(dy, mul(num(o, 3), square(o)))),
  exp: one((_x, o, dy) => mul(dy, o)),
  expm1: one((_x, o, dy) => mul(dy, add(o, num(o, 1)))),
  log: one((x, _o, dy) => div(dy, x)),
  log1p: one((x, _o, dy) => div(dy, add(x, num(x, 1)))),
  log2: one((x, _o, dy) => div(dy, mul(x, num(x, Math.LN2)))),
  log10: one((x, _o, dy) => div(dy, mul(x, num(x, Math.LN10)))),
  sin: one((x, _o, dy) => mul(dy, unary('cos', x))),
  cos: one((x, _o, dy) => unary('neg', mul(dy, unary('sin', x)))),
  tan: one((_x, o, dy) => mul(dy, add(square(o), num(o, 1)))),
  asin: one((x, _o, dy) => div(dy, sqrt(sub(num(x, 1), square(x))))),
  acos: one((x, _o, dy) => unary('neg', div(dy, sqrt(sub(num(x, 1), square(x)))))),
  atan: one((x, _o, dy) => div(dy, add(square(x), num(x, 1)))),
  sinh: one((x, _o, dy) => mul(dy, unary('cosh', x))),
  cosh: one((x, _o, dy) => mul(dy, unary('sinh', x))),
  tanh: one((_x, o, dy) => mul(dy, sub(num(o, 1), square(o)))),
  asinh: one((x, _o, dy) => div(dy, sqrt(add(square(x), num(x, 1))))),
  acosh: one((x, _o, dy) => div(dy, sqrt(sub(square(x), num(x, 1))))),
  atanh: one((x, _o, dy) => div(dy, sub(num(x, 1), square(x)))),
  erf: one((x, _o, dy) =>
    mul(dy, mul(num(x, 2 / Math.sqrt(Math.PI)), unary('exp', unary('neg', square(x))))),
  ),
  erfinv: one((_x, o, dy) => mul(dy, mul(num(o, Math.sqrt(Math.PI) / 2), unary('exp', square(o))))),
  gamma: one((x, o, dy) => mul(dy, mul(o, unary('digamma', x)))),
  gammaln: one((x, _o, dy) => mul(dy, unary('digamma', x))),
  digamma: one((x, _o, dy) => mul(dy, unary('trigamma', x))),
  // Third derivatives of gammaln are not promised; NaN says so instead of a silent zero.
  trigamma: one((x) => num(x, Number.NaN)),
}

const binaryRules: Record<BinaryName, Rule> = {
  add: two((_x, _y, _o, dy) => [dy, dy]),
  sub: two((_x, _y, _o, dy) => [dy, unary('neg', dy)]),
  mul: two((x, y, _o, dy) => [mul(dy, y), mul(dy, x)]),
  div: two((_x, y, o, dy) => [div(dy, y), unary('neg', div(mul(dy, o), y))]),
  mod: two((x, y, _o, dy) => [dy, unary('neg', mul(dy, unary('floor', div(x, y))))]),
  pow: two((x, y, o, dy) => [
    mul(dy, mul(y, binary('pow', x, sub(y, num(y, 1))))),
    mul(dy, mul(o, unary('log', x))),
  ]),
  // Ties go to the left operand.
  max: two((x, y, _o, dy) => [
    select(compare('ge', x, y), dy, num(dy, 0)),
    select(compare('lt', x, y), dy, num(dy, 0)),
  ]),
  min: two((x, y, _o, dy) => [
    select(compare('le', x, y), dy, num(dy, 0)),
    select(compare('gt', x, y), dy, num(dy, 0)),
  ]),
  and: none,
  or: none,
  xor: none,
  shl: none,
  shr: none,
}

const compareRules: Record<CompareName, Rule> = {
  eq: none,
  ne: none,
  lt: none,
  le: none,
  gt: none,
  ge: none,
}

const rules: Record<ScalarName, Rule> = {
  ...unaryRules,
  ...binaryRules,
  ...compareRules,
  where: ([c], _o, dy) => [null, select(c!, dy, num(dy, 0)), select(c!, num(dy, 0), dy)],
  random: none,
}

/**
 * The derivative of `root` with respect to what operand `input` loads, times `dy`; null when it is zero.
 * Gathered loads are not differentiated here: `gather` has a rule of its own.
 */
export function differentiate(root: Expr, input: number, dy: Expr): Expr | null {
  const program = linearize([root])
  const sums: (Expr | null)[] = program.nodes.map(() => null)
  sums[program.results[0]!] = dy
  let total: Expr | null = null
  for (let at = program.nodes.length - 1; at >= 0; at--) {
    const grad = sums[at]
    if (!grad) continue
    const { expr, args } = program.nodes[at]!
    if (expr.kind === 'load' && expr.input === input)
      total = total === null ? grad : add(total, grad)
    if (expr.kind === 'cast' && isFloat(expr.arg.dtype)) give(args[0]!, cast(grad, expr.arg.dtype))
    if (expr.kind === 'op') {
      const operandExprs = args.map((a) => program.nodes[a]!.expr)
      rules[expr.op](operandExprs, expr, grad).forEach((share, i) => {
        if (share !== null && i < args.length) give(args[i]!, share)
      })
    }
  }
  function give(at: number, share: Expr): void {
    const sofar = sums[at]
    sums[at] = sofar ? add(sofar, share) : share
  }
  return total
}
