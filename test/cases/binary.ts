/** Rows: elementwise operators of two arrays, and of an array and a number. */

import { type Arr, build, get, map, zip } from './model.ts'
import { allInts, type Domain, positive, type Row, row, signed, whole } from './row.ts'

type F = (x: number, y: number) => number
const mod: F = (x, y) => (y === 0 ? 0 : x - Math.floor(x / y) * y)
const truth = (b: boolean): number => (b ? 1 : 0)

const pairs = [
  {
    inputs: [
      [2, 3],
      [2, 3],
    ],
  },
  {
    inputs: [
      [2, 1, 3],
      [4, 1],
    ],
  },
  { inputs: [[3], [2, 3]] },
  { inputs: [[], [2, 2]] },
]
const equals = [
  {
    inputs: [
      [2, 3],
      [2, 3],
    ],
  },
  { inputs: [[5], [5]] },
  { inputs: [[], []] },
]

type Numbered = { scalar?: number }
type Formula = NonNullable<Row['formula']>

interface More {
  readonly domain?: Domain
  readonly int?: F
  readonly intDomain?: Domain
  readonly bools?: boolean
  readonly noInts?: boolean
}

/** The dtypes and integer formula that all kinds of a function share. */
const intsOf = (
  f: F,
  { int = f, intDomain = whole(0, 9), bools = false, noInts = false }: More,
  wrap: (g: F) => Formula,
) =>
  noInts
    ? {}
    : {
        ints: {
          dtypes: bools ? ([...allInts, 'bool'] as const) : allInts,
          domain: intDomain,
          formula: (xs: readonly Arr[], attrs: Numbered) => wrap(int)(xs, attrs, []),
          attrs: (a: Numbered): Numbered =>
            a.scalar === undefined ? a : { scalar: Math.ceil(Math.abs(a.scalar)) },
        },
      }

const two = (op: string, f: F, more: More = {}, cases: Row['cases'] = pairs): Row => {
  const wrap =
    (g: F): Formula =>
    ([a, b]) =>
      zip(a!, b!, g)
  return row({
    op,
    cases,
    domain: more.domain ?? signed,
    formula: wrap(f),
    ...intsOf(f, more, wrap),
  })
}

/** An array and a number on its right; `f` has the array first. */
const withNumber = (
  op: string,
  f: F,
  more: More = {},
  numbers: readonly number[] = [1.5, -0.75, 2],
): Row => {
  const wrap =
    (g: F): Formula =>
    ([a], attrs) =>
      map(a!, (x) => g(x, attrs.scalar))
  return {
    op,
    cases: numbers.map((scalar, i) => ({ inputs: [[[2, 3], [4], []][i % 3]!], attrs: { scalar } })),
    domain: more.domain ?? signed,
    formula: wrap(f),
    ...intsOf(f, more, wrap),
  }
}

const flip =
  (f: F): F =>
  (x, y) =>
    f(y, x)
const intDiv: F = (x, y) => (y === 0 ? 0 : Math.trunc(x / y))
const add: F = (x, y) => x + y
const sub: F = (x, y) => x - y
const mul: F = (x, y) => x * y
const div: F = (x, y) => x / y
const power: F = (x, y) => Math.exp(y * Math.log(x))
const hypot: F = (x, y) => Math.hypot(x, y)
const powers = { domain: positive, int: (x: number, y: number) => x ** y, intDomain: whole(0, 3) }
const larger: F = (x, y) => (x > y ? x : y)
const smaller: F = (x, y) => (x < y ? x : y)
const byInts = { int: intDiv, intDomain: whole(1, 9) }

/** Comparisons meet ties: one case has few distinct values. */
const comparison = (name: string, f: F): Row[] => [
  two(`_${name}`, f, { bools: true, intDomain: whole(0, 1) }, [
    ...equals,
    { inputs: [4, 4].map((n) => ({ shape: [n], from: whole(0, 2) })), order: 0 },
  ]),
  two(`broadcast_${name}`, f, { bools: true, intDomain: whole(0, 1) }, [
    ...pairs,
    {
      inputs: [
        { shape: [4, 3], from: whole(0, 2) },
        { shape: [4, 3], from: whole(0, 2) },
      ],
      order: 0,
    },
  ]),
  {
    ...withNumber(`_${name}_scalar`, f),
    cases: [
      { inputs: [[2, 3]], attrs: { scalar: 0.1 } },
      { inputs: [{ shape: [9], from: whole(0, 2) }], attrs: { scalar: 1 }, order: 0 },
      { inputs: [[]], attrs: { scalar: -0.3 } },
    ],
    why: 'a step has no difference quotient at a tie',
  },
]

const logic = (name: string, f: F): Row[] =>
  comparison(name, (x, y) => truth(f(truth(x !== 0), truth(y !== 0)) !== 0))

export const binaryRows: readonly Row[] = [
  two('elemwise_add', add, {}, equals),
  two('broadcast_add', add),
  withNumber('_plus_scalar', add),
  two('elemwise_sub', sub, {}, equals),
  two('broadcast_sub', sub),
  withNumber('_minus_scalar', sub),
  withNumber('_rminus_scalar', flip(sub)),
  two('elemwise_mul', mul, {}, equals),
  two('broadcast_mul', mul),
  withNumber('_mul_scalar', mul),
  two('elemwise_div', div, { int: intDiv }, equals),
  two('broadcast_div', div, { int: intDiv }),
  withNumber('_div_scalar', div, byInts),
  withNumber('_rdiv_scalar', flip(div), { ...byInts, int: flip(intDiv) }),
  two('_mod', mod, {}, equals),
  two('broadcast_mod', mod),
  withNumber('_mod_scalar', mod),
  withNumber('_rmod_scalar', flip(mod)),
  two('_power', power, powers, equals),
  two('broadcast_power', power, powers),
  withNumber('_power_scalar', power, powers),
  withNumber(
    '_rpower_scalar',
    flip(power),
    { domain: positive, int: (x, y) => y ** x, intDomain: whole(0, 3) },
    [1.5, 0.75, 2],
  ),
  two('_maximum', larger, { bools: true }, equals),
  two('broadcast_maximum', larger, { bools: true }),
  withNumber('_maximum_scalar', larger),
  two('_minimum', smaller, { bools: true }, equals),
  two('broadcast_minimum', smaller, { bools: true }),
  withNumber('_minimum_scalar', smaller),
  two('_hypot', hypot, {}, equals),
  two('broadcast_hypot', hypot),
  withNumber('_hypot_scalar', hypot),
  ...comparison('equal', (x, y) => truth(x === y)),
  ...comparison('not_equal', (x, y) => truth(x !== y)),
  ...comparison('greater', (x, y) => truth(x > y)),
  ...comparison('greater_equal', (x, y) => truth(x >= y)),
  ...comparison('lesser', (x, y) => truth(x < y)),
  ...comparison('lesser_equal', (x, y) => truth(x <= y)),
  ...logic('logical_and', (x, y) => x * y),
  ...logic('logical_or', (x, y) => x + y),
  ...logic('logical_xor', (x, y) => (x + y) % 2),
  row({
    op: 'add_n',
    domain: signed,
    cases: [
      { inputs: [[2, 3]] },
      { inputs: [[4], [4]] },
      {
        inputs: [
          [2, 2],
          [2, 2],
          [2, 2],
        ],
      },
    ],
    formula: (xs) => build(xs[0]!.shape, (at) => xs.reduce((s, x) => s + get(x, at), 0)),
    ints: { dtypes: allInts, domain: whole(0, 20) },
  }),
]
