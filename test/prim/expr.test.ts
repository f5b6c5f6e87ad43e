/** Scalar expressions: folding, rewriting and straight-line programs. */

import { describe, expect, test } from 'vitest'
import { dtypeInfo } from '../../src/base/dtype.ts'
import {
  acc,
  binary,
  cast,
  compare,
  constant,
  type Expr,
  exprKey,
  index,
  linearize,
  load,
  operands,
  param,
  randomBits,
  renameInputs,
  rewrite,
  select,
  toDType,
  unary,
} from '../../src/prim/expr.ts'
import { binaryMeaning, integerMeaning, unaryMeaning } from '../../src/prim/scalar.ts'

const x = load(0, 'float32')
const y = load(1, 'float32')
const num = (v: number): Expr => constant(v, 'float32')

describe('toDType', () => {
  test('rounds, truncates and wraps', () => {
    expect(toDType(0.1, 'float32')).toBe(Math.fround(0.1))
    expect(toDType(0.1, 'float64')).toBe(0.1)
    expect([300, -1, 2.9, -2.9].map((v) => toDType(v, 'uint8'))).toEqual([44, 255, 2, 254])
    expect([200, -129, 2.9, -2.9].map((v) => toDType(v, 'int8'))).toEqual([-56, 127, 2, -2])
    expect([2 ** 31, -1.5, Number.NaN].map((v) => toDType(v, 'int32'))).toEqual([-(2 ** 31), -1, 0])
    expect([0, -0, 0.5, Number.NaN].map((v) => toDType(v, 'bool'))).toEqual([0, 0, 1, 1])
  })
})

describe('folding', () => {
  test('literals', () => {
    expect(binary('add', num(0.1), num(0.2))).toEqual(num(Math.fround(0.1 + 0.2)))
    expect(binary('div', constant(7, 'int32'), constant(-2, 'int32'))).toEqual(
      constant(-3, 'int32'),
    )
    expect(binary('div', constant(7, 'int32'), constant(0, 'int32'))).toEqual(constant(0, 'int32'))
    expect(binary('mul', constant(65537, 'int32'), constant(65537, 'int32'))).toEqual(
      constant(131073, 'int32'),
    )
    expect(binary('add', constant(250, 'uint8'), constant(10, 'uint8'))).toEqual(
      constant(4, 'uint8'),
    )
    expect(unary('neg', constant(-2147483648, 'int32'))).toEqual(constant(-2147483648, 'int32'))
    expect(compare('lt', num(1), num(2))).toEqual(constant(1, 'bool'))
    expect(select(constant(1, 'bool'), x, y)).toBe(x)
    expect(select(constant(0, 'bool'), x, y)).toBe(y)
    expect(binary('add', constant(1, 'int64'), constant(2, 'int64')).kind).toBe('op')
  })

  test('neutral elements', () => {
    const same = [
      binary('add', x, num(0)),
      binary('add', num(0), x),
      binary('sub', x, num(0)),
      binary('mul', x, num(1)),
      binary('mul', num(1), x),
      binary('div', x, num(1)),
      unary('neg', unary('neg', x)),
    ]
    for (const e of same) expect(e).toBe(x)
    expect(binary('mul', x, num(-1))).toEqual(unary('neg', x))
    expect(binary('mul', x, num(0)).kind).toBe('op')
    expect(binary('sub', num(0), x).kind).toBe('op')
  })

  test('casts', () => {
    expect(cast(x, 'float32')).toBe(x)
    expect(cast(num(2.7), 'int32')).toEqual(constant(2, 'int32'))
    expect(cast(param(3, 'float64'), 'int32')).toEqual(param(3, 'int32'))
    expect(cast(param(3, 'float32'), 'int32').kind).toBe('cast')
    expect(cast(x, 'int32')).toEqual({ kind: 'cast', arg: x, dtype: 'int32' })
  })
})

describe('meaning', () => {
  test('round, mod, pow and integer division', () => {
    expect([0.5, -0.5, 1.5, 2.5, -2.5, 0.4].map(unaryMeaning.round)).toEqual([1, -1, 2, 3, -3, 0])
    const mod = binaryMeaning.mod
    expect([mod(5, 3), mod(-5, 3), mod(5, -3), mod(-5, -3), mod(5, 0)]).toEqual([2, 1, -1, -2, 0])
    expect([binaryMeaning.pow(1, Number.NaN), binaryMeaning.pow(Number.NaN, 0)]).toEqual([1, 1])
    expect([integerMeaning.div(7, 2), integerMeaning.div(-7, 2), integerMeaning.div(1, 0)]).toEqual(
      [3, -3, 0],
    )
    expect([integerMeaning.shr(-1, 28), integerMeaning.shl(1, 4)]).toEqual([15, 16])
  })
})

describe('rewrite', () => {
  const e = select(compare('lt', x, y), binary('mul', x, y), cast(load(2, 'int32'), 'float32'))

  test('keeps what does not change', () => {
    expect(rewrite(e, () => undefined)).toBe(e)
  })

  test('folds what becomes literal', () => {
    const known = rewrite(e, (n) =>
      n.kind === 'load' ? constant(n.input + 1, n.dtype) : undefined,
    )
    expect(known).toEqual(num(2))
  })

  test('visits a shared node once', () => {
    let deep: Expr = x
    for (let i = 0; i < 60; i++) deep = binary('add', deep, deep)
    let visits = 0
    rewrite(deep, () => {
      visits++
      return undefined
    })
    expect(visits).toBe(61)
  })

  test('reaches into every kind of node', () => {
    const at: Expr = {
      kind: 'loadAt',
      input: 0,
      index: cast(x, 'int32'),
      size: 5,
      stride: 2,
      dtype: 'float32',
    }
    const all = binary(
      'add',
      at,
      cast(randomBits(index(0), param(0, 'int32'), cast(y, 'int32')), 'float32'),
    )
    const renamed = renameInputs(all, (i) => i + 10)
    const inputs = linearize([renamed]).nodes.flatMap(({ expr }) =>
      expr.kind === 'load' || expr.kind === 'loadAt' ? [expr.input] : [],
    )
    expect(inputs.toSorted()).toEqual([10, 10, 11])
    expect(renameInputs(all, (i) => i)).toBe(all)
    expect(operands(at)).toEqual([cast(x, 'int32')])
  })

  test('keeps the dtype of comparisons and bits', () => {
    const swapped = rewrite(compare('ge', x, y), (n) => (n === x ? y : n === y ? x : undefined))
    expect(swapped).toEqual(compare('ge', y, x))
  })
})

describe('linearize', () => {
  test('orders operands before users and merges equal nodes', () => {
    const sum = (): Expr => binary('add', load(0, 'float32'), load(1, 'float32'))
    const program = linearize([binary('mul', sum(), sum()), sum()])
    expect(program.nodes.length).toBe(4)
    expect(program.results).toEqual([3, 2])
    program.nodes.forEach(({ args }, i) => {
      for (const a of args) expect(a).toBeLessThan(i)
    })
  })

  test('keys are equal exactly for equal expressions', () => {
    const at = (size: number, stride: number): Expr => ({
      kind: 'loadAt',
      input: 0,
      index: index(0),
      size,
      stride,
      dtype: 'float32',
    })
    const different: Expr[] = [
      x,
      y,
      load(0, 'int32'),
      num(0),
      num(-0),
      num(1),
      constant(1, 'int32'),
      num(Number.NaN),
      num(Infinity),
      param(0, 'float32'),
      param(1, 'float32'),
      index(0),
      index(1),
      acc(0, 'float32'),
      acc(0, 'int32'),
      cast(x, 'int32'),
      cast(x, 'float64'),
      binary('sub', x, y),
      binary('sub', y, x),
      binary('add', x, y),
      compare('lt', x, y),
      compare('le', x, y),
      at(3, 1),
      at(3, 2),
      at(4, 1),
      select(compare('lt', x, y), x, y),
      select(compare('lt', x, y), y, x),
      unary('exp', x),
      unary('log', x),
    ]
    const keys = different.map(exprKey)
    expect(new Set(keys).size).toBe(different.length)
    expect(exprKey(binary('sub', load(0, 'float32'), load(1, 'float32')))).toBe(
      exprKey(binary('sub', x, y)),
    )
    expect(linearize([x, y]).key).not.toBe(linearize([y, x]).key)
    expect(dtypeInfo('float32').code).toBe(0)
  })
})
