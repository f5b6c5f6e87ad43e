/** Scalar expressions: rewriting replaces each load once, however the result folds. */

import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import {
  binary,
  cast,
  constant,
  type Expr,
  exprKey,
  load,
  operands,
  renameInputs,
  rewrite,
  unary,
} from '../../src/prim/expr.ts'
import { binaryMeaning, unaryMeaning } from '../../src/prim/scalar.ts'

const x = (i: number): Expr => load(i, 'float64')

/** The value of an expression; `values[i]` is what operand i holds. */
function evaluate(e: Expr, values: readonly number[]): number {
  const args = operands(e).map((a) => evaluate(a, values))
  if (e.kind === 'load') return values[e.input]!
  if (e.kind === 'const') return e.value
  if (e.kind === 'cast') return args[0]!
  if (e.kind !== 'op') throw new Error(`no value of ${e.kind}`)
  return args.length === 1
    ? unaryMeaning[e.op as 'neg'](args[0]!)
    : binaryMeaning[e.op as 'add'](args[0]!, args[1]!)
}

const expressions = fc.letrec<{ e: Expr }>((tie) => ({
  e: fc.oneof(
    { maxDepth: 5 },
    fc.nat(2).map(x),
    fc.constantFrom(-1, 0, 1, 2).map((v) => constant(v, 'float64')),
    tie('e').map((a) => unary('neg', a)),
    tie('e').map((a) => unary('abs', a)),
    fc
      .tuple(fc.constantFrom('add', 'sub', 'mul', 'max'), tie('e'), tie('e'))
      .map(([op, a, b]) => binary(op as 'add', a, b)),
  ),
})).e

describe('rewrite', () => {
  it('replaces what a folded node leaves over once', () => {
    const once = rewrite(unary('neg', x(0)), (e) =>
      e.kind === 'load' ? unary('neg', x(0)) : undefined,
    )
    expect(exprKey(once)).toBe(exprKey(x(0)))
    const sum = binary('add', x(0), x(1))
    const shifted = rewrite(sum, (e) =>
      e.kind === 'load' ? (e.input === 0 ? constant(0, 'float64') : x(0)) : undefined,
    )
    expect(exprKey(shifted)).toBe(exprKey(x(0)))
    const narrow = cast(load(0, 'float32'), 'float64')
    const same = rewrite(narrow, (e) =>
      e.kind === 'load' && e.input === 0 ? x(1) : e.kind === 'load' ? x(9) : undefined,
    )
    expect(exprKey(same)).toBe(exprKey(x(1)))
  })

  it('means substitution', () => {
    fc.assert(
      fc.property(expressions, expressions, expressions, expressions, (e, a, b, c) => {
        const values = [1.5, -2.25, 0.75]
        const inner = [a, b, c].map((s) => evaluate(s, values))
        const got = rewrite(e, (n) => (n.kind === 'load' ? [a, b, c][n.input]! : undefined))
        expect(evaluate(got, values)).toBeCloseTo(evaluate(e, inner), 9)
      }),
      { numRuns: 2000 },
    )
  })

  it('renames inputs all at once', () => {
    fc.assert(
      fc.property(expressions, (e) => {
        const turned = renameInputs(e, (i) => (i + 1) % 3)
        expect(evaluate(turned, [1, 2, 3])).toBe(evaluate(e, [2, 3, 1]))
      }),
    )
  })
})
