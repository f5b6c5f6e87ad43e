/** Rows: elementwise operators of one array. */

import { type Arr, map } from './model.ts'
import {
  allInts,
  between,
  type Domain,
  fractional,
  positive,
  type Row,
  row,
  signed,
  whole,
} from './row.ts'

/** erf by Simpson's rule, independent of the library's series. */
export function erf(x: number): number {
  const n = 2000
  const h = x / n
  let total = 1 + Math.exp(-x * x)
  for (let i = 1; i < n; i++) total += (i % 2 === 1 ? 4 : 2) * Math.exp(-((i * h) ** 2))
  return ((2 / Math.sqrt(Math.PI)) * total * h) / 3
}

function erfinv(y: number): number {
  let [lo, hi] = [-4, 4]
  for (let i = 0; i < 60; i++) {
    const mid = (lo + hi) / 2
    if (erf(mid) < y) lo = mid
    else hi = mid
  }
  return (lo + hi) / 2
}

/** ln Γ by Stirling's series after a shift. */
export function lgamma(x: number): number {
  if (x < 0.5) return Math.log(Math.PI / Math.abs(Math.sin(Math.PI * x))) - lgamma(1 - x)
  let shift = 0
  let z = x
  while (z < 15) shift -= Math.log(z++)
  const s = 1 / (12 * z) - 1 / (360 * z ** 3) + 1 / (1260 * z ** 5) - 1 / (1680 * z ** 7)
  return shift + (z - 0.5) * Math.log(z) - z + 0.5 * Math.log(2 * Math.PI) + s
}
const gamma = (x: number): number =>
  x > 0 ? Math.exp(lgamma(x)) : Math.PI / (Math.sin(Math.PI * x) * gamma(1 - x))

const shapes = [
  { inputs: [[2, 3]] },
  { inputs: [[5]] },
  { inputs: [[2, 1, 3, 2]] },
  { inputs: [[]] },
]

const unary = (
  op: string,
  f: (x: number) => number,
  domain: Domain,
  more: Partial<Row> & { intDomain?: Domain } = {},
): Row => {
  const { intDomain, ...rest } = more
  return row({
    op,
    cases: shapes,
    domain,
    formula: ([x]) => map(x!, f),
    ...(intDomain ? { ints: { dtypes: ['int32', 'uint8'], domain: intDomain } } : {}),
    ...rest,
  })
}

const numbers = { dtypes: allInts, domain: whole(0, 9) }
const sign = Math.sign
const roundAway = (x: number): number => sign(x) * Math.floor(Math.abs(x) + 0.5)
const small = whole(1, 4)

const curves: Record<string, (x: number) => number> = {
  relu: (x) => (x > 0 ? x : 0),
  sigmoid: (x) => 1 / (1 + Math.exp(-x)),
  tanh: (x) => (Math.exp(x) - Math.exp(-x)) / (Math.exp(x) + Math.exp(-x)),
  softrelu: (x) => Math.log(1 + Math.exp(x)),
  softsign: (x) => x / (1 + Math.abs(x)),
}
const same = ([x]: readonly Arr[]): Arr => x!

export const unaryRows: readonly Row[] = [
  unary('relu', curves.relu!, signed, { ints: { dtypes: allInts, domain: whole(0, 5) } }),
  unary('sigmoid', curves.sigmoid!, signed),
  unary('tanh', curves.tanh!, signed),
  unary('softsign', curves.softsign!, signed),
  row<{ actType: string }>({
    op: 'Activation',
    domain: signed,
    cases: Object.keys(curves).map((actType) => ({ inputs: [[3, 4]], attrs: { actType } })),
    formula: ([x], { actType }) => map(x!, curves[actType]!),
  }),
  row<{ alpha?: number; beta?: number }>({
    op: 'hard_sigmoid',
    domain: signed,
    cases: [
      { inputs: [[7]] },
      { inputs: [[2, 3]], attrs: { alpha: 0.7 } },
      { inputs: [[4]], attrs: { alpha: 1, beta: 0.1 } },
    ],
    formula: ([x], { alpha = 0.2, beta = 0.5 }) =>
      map(x!, (v) => Math.min(Math.max(alpha * v + beta, 0), 1)),
  }),
  unary('abs', Math.abs, signed, { ints: numbers }),
  unary('sign', sign, signed, { ints: numbers }),
  unary('negative', (x) => -x, signed, { ints: numbers }),
  unary('reciprocal', (x) => 1 / x, signed, { intDomain: small }),
  unary('square', (x) => x * x, signed, { ints: numbers }),
  unary('sqrt', Math.sqrt, positive, { intDomain: small }),
  unary('rsqrt', (x) => x ** -0.5, positive, { intDomain: small }),
  unary('cbrt', (x) => sign(x) * Math.abs(x) ** (1 / 3), signed, { intDomain: small }),
  unary('rcbrt', (x) => sign(x) * Math.abs(x) ** (-1 / 3), signed, { intDomain: small }),
  unary('floor', Math.floor, fractional, { ints: numbers }),
  unary('ceil', Math.ceil, fractional, { ints: numbers }),
  unary('round', roundAway, fractional, { ints: numbers }),
  unary('rint', (x) => Math.round(x), fractional, { ints: numbers }),
  unary('fix', (x) => (x < 0 ? Math.ceil(x) : Math.floor(x)), fractional, { ints: numbers }),
  unary('trunc', (x) => (x < 0 ? Math.ceil(x) : Math.floor(x)), fractional, { ints: numbers }),
  unary('degrees', (x) => (x * 180) / Math.PI, signed, { intDomain: small }),
  unary('radians', (x) => (x * Math.PI) / 180, signed, { intDomain: small }),
  unary('logical_not', (x) => (x === 0 ? 1 : 0), signed, {
    ints: { dtypes: [...allInts, 'bool'], domain: whole(0, 1) },
  }),
  unary('exp', (x) => Math.E ** x, signed, { intDomain: small }),
  unary('expm1', (x) => Math.exp(x) - 1, signed, { intDomain: small }),
  unary('log', Math.log, positive, { intDomain: whole(2, 9) }),
  unary('log10', (x) => Math.log(x) / Math.LN10, positive, { intDomain: whole(2, 9) }),
  unary('log2', (x) => Math.log(x) / Math.LN2, positive, { intDomain: whole(3, 3) }),
  unary('log1p', (x) => Math.log(1 + x), positive, { intDomain: whole(1, 9) }),
  unary('sin', Math.sin, signed, { intDomain: small }),
  unary('cos', Math.cos, signed, { intDomain: small }),
  unary('tan', (x) => Math.sin(x) / Math.cos(x), between(-1.3, 1.3), { intDomain: small }),
  unary('arcsin', (x) => Math.atan2(x, Math.sqrt(1 - x * x)), between(-0.9, 0.9)),
  unary('arccos', (x) => Math.PI / 2 - Math.asin(x), between(-0.9, 0.9)),
  unary('arctan', (x) => Math.atan2(x, 1), signed, { intDomain: small }),
  unary('sinh', (x) => (Math.exp(x) - Math.exp(-x)) / 2, signed, { intDomain: small }),
  unary('cosh', (x) => (Math.exp(x) + Math.exp(-x)) / 2, signed, { intDomain: small }),
  unary('arcsinh', (x) => sign(x) * Math.log(Math.abs(x) + Math.sqrt(x * x + 1)), signed, {
    intDomain: small,
  }),
  unary('arccosh', (x) => Math.log(x + Math.sqrt(x * x - 1)), between(1.2, 4), {
    intDomain: whole(2, 9),
  }),
  unary('arctanh', (x) => Math.log((1 + x) / (1 - x)) / 2, between(-0.9, 0.9)),
  unary('erf', erf, signed, { intDomain: small }),
  unary('erfinv', erfinv, between(-0.95, 0.95), { tol64: 1e-11 }),
  unary('gamma', gamma, (u) => (u < 0.2 ? -0.8 + 3 * u : 0.4 + 3 * u), { tol64: 1e-11 }),
  unary('gammaln', lgamma, (u) => (u < 0.2 ? -0.8 + 3 * u : 0.4 + 3 * u), { tol64: 1e-11 }),
  row<{ dtype: string }>({
    op: 'Cast',
    domain: signed,
    cases: [
      { inputs: [[2, 3]], attrs: { dtype: 'float32' }, order: 0 },
      { inputs: [[4]], attrs: { dtype: 'float64' } },
      { inputs: [[4]], attrs: { dtype: 'int32' }, order: 0 },
      { inputs: [[2, 2]], attrs: { dtype: 'bool' }, order: 0 },
    ],
    why: 'float32 has too few digits for differences, integers and bool no gradient',
    formula: ([x], { dtype }) =>
      map(x!, (v) => {
        if (dtype === 'int32') return Math.trunc(v)
        return dtype === 'bool' ? (v === 0 ? 0 : 1) : dtype === 'float32' ? Math.fround(v) : v
      }),
    result: (_dtype, { dtype }) => dtype as 'int32',
    ints: { dtypes: [...allInts, 'bool'], domain: whole(0, 2) },
  }),
  row({
    op: '_copy',
    cases: shapes,
    domain: signed,
    formula: same,
    ints: { dtypes: [...allInts, 'bool'] },
  }),
  row({
    op: 'BlockGrad',
    cases: shapes,
    domain: signed,
    formula: same,
    order: 0,
    why: 'it blocks gradients on purpose',
  }),
  row({
    op: 'make_loss',
    cases: shapes,
    domain: signed,
    formula: same,
    order: 0,
    why: 'its gradient is 1 whatever follows',
  }),
  row<{ aMin: number; aMax: number }>({
    op: 'clip',
    domain: signed,
    cases: [
      { inputs: [[2, 3]], attrs: { aMin: -1, aMax: 1 } },
      { inputs: [[7]], attrs: { aMin: 0.4, aMax: 0.9 } },
      { inputs: [[]], attrs: { aMin: -5, aMax: 5 } },
    ],
    formula: ([x], { aMin, aMax }) => map(x!, (v) => (v < aMin ? aMin : v > aMax ? aMax : v)),
    ints: { dtypes: allInts, domain: whole(0, 9), attrs: () => ({ aMin: 2, aMax: 5 }) },
  }),
  row({
    op: 'zeros_like',
    cases: shapes,
    formula: ([x]) => map(x!, () => 0),
    ints: { dtypes: [...allInts, 'bool'] },
  }),
  row({
    op: 'ones_like',
    cases: shapes,
    formula: ([x]) => map(x!, () => 1),
    ints: { dtypes: [...allInts, 'bool'] },
  }),
]
