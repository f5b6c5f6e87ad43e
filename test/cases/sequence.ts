/** Rows: sequences of different lengths, densities, curves with parameters, questions about arrays. */

import { type Arr, build, get, map, sizeOf, sum } from './model.ts'
import { between, positive, type Row, row, signed, whole } from './row.ts'
import { lgamma } from './unary.ts'

const lengths = (values: readonly number[], dtype?: 'int32' | 'float32') => ({
  shape: [values.length],
  values,
  fixed: true,
  ...(dtype ? { dtype } : {}),
})
type Sequence = { useSequenceLength?: boolean; value?: number; axis?: number }
const use = { useSequenceLength: true }

/** The length of sequence n; all of it without lengths. */
const lengthOf = (x: Arr, l: Arr | undefined, n: number, axis: number): number =>
  l === undefined ? x.shape[axis]! : get(l, [n])
const checked = (x: Arr, l: Arr | undefined, axis: number): void => {
  if (l !== undefined && (l.shape.length !== 1 || l.shape[0] !== x.shape[1 - axis]!))
    throw new Error('lengths')
}

/** A density under parameters laid over the leading axes of the samples. */
const density =
  (f: (x: number, ...parameters: number[]) => number) =>
  ([x, ...ps]: readonly Arr[], { isLog }: { isLog?: boolean }): Arr => {
    for (const p of ps) if (p.shape.some((d, i) => d !== x!.shape[i])) throw new Error('parameters')
    return build(x!.shape, (at) => {
      const value = f(get(x!, at), ...ps.map((p) => get(p, at.slice(0, p.shape.length))))
      return isLog ? value : Math.exp(value)
    })
  }
const counts = { shape: [2, 3], from: whole(0, 5), fixed: true }
const pdf = (
  name: string,
  parameters: number,
  f: (x: number, ...p: number[]) => number,
  sample?: object,
  from = positive,
): Row => {
  const of = (shape: readonly number[]) => ({ shape, from })
  return row<{ isLog?: boolean }>({
    op: `_random_pdf_${name}`,
    domain: positive,
    cases: [
      {
        inputs: [
          { ...(sample as typeof counts), shape: [2, 3] },
          ...Array.from({ length: parameters }, () => of([2])),
        ],
      },
      {
        inputs: [
          { ...(sample as typeof counts), shape: [2, 2, 2] },
          ...Array.from({ length: parameters }, () => of([2, 2])),
        ],
        attrs: { isLog: true },
      },
      {
        inputs: [
          { ...(sample as typeof counts), shape: [3] },
          ...Array.from({ length: parameters }, () => of([3])),
        ],
        attrs: { isLog: true },
      },
    ],
    formula: density(f),
    tol64: 1e-10,
    tol32: 1e-4,
    halfUnits: 64,
  })
}
const binomial = (x: number, k: number, p: number): number =>
  lgamma(x + k) - lgamma(x + 1) - lgamma(k) + k * Math.log(p) + x * Math.log(1 - p)

export const sequenceRows: readonly Row[] = [
  row<Sequence>({
    op: 'SequenceMask',
    domain: signed,
    cases: [
      { inputs: [[4, 2, 3]] },
      { inputs: [[3, 2, 2], lengths([3, 1])], attrs: use },
      { inputs: [[2, 4], lengths([3, 0], 'int32')], attrs: { ...use, axis: 1, value: 9 } },
    ],
    formula: ([x, l], { axis = 0, value = 0 }) => {
      checked(x!, l, axis)
      return build(x!.shape, (at) =>
        at[axis]! < lengthOf(x!, l, at[1 - axis]!, axis) ? get(x!, at) : value,
      )
    },
    ints: { dtypes: ['int32', 'uint8'] },
  }),
  row<Sequence>({
    op: 'SequenceLast',
    domain: signed,
    cases: [
      { inputs: [[4, 2, 3]] },
      { inputs: [[3, 2, 2], lengths([3, 1])], attrs: use },
      { inputs: [[2, 4], lengths([3, 1], 'int32')], attrs: { ...use, axis: 1 } },
    ],
    formula: ([x, l], { axis = 0 }) => {
      checked(x!, l, axis)
      const rest = x!.shape.slice(2)
      return build([x!.shape[1 - axis]!, ...rest], ([n, ...at]) => {
        const t = Math.max(lengthOf(x!, l, n!, axis) - 1, 0)
        return get(x!, axis === 0 ? [t, n!, ...at] : [n!, t, ...at])
      })
    },
    ints: { dtypes: ['int32', 'uint8'] },
  }),
  row<Sequence>({
    op: 'SequenceReverse',
    domain: signed,
    cases: [
      { inputs: [[4, 2, 3]] },
      { inputs: [[3, 2, 2], lengths([3, 1])], attrs: use },
      { inputs: [[4, 2], lengths([2, 4], 'int32')], attrs: use },
    ],
    formula: ([x, l]) => {
      checked(x!, l, 0)
      return build(x!.shape, ([t, n, ...at]) => {
        const length = lengthOf(x!, l, n!, 0)
        return get(x!, [t! < length ? length - 1 - t! : t!, n!, ...at])
      })
    },
    ints: { dtypes: ['int32', 'uint8'] },
  }),
  row<{ isLog?: boolean }>({
    op: '_random_pdf_uniform',
    cases: [
      {
        inputs: [[2, 3], { shape: [2], from: between(-1, 0) }, { shape: [2], from: between(1, 2) }],
      },
      {
        inputs: [
          [2, 2, 2],
          { shape: [2, 2], from: between(-1, 0) },
          { shape: [2, 2], from: between(1, 2) },
        ],
        attrs: { isLog: true },
      },
      { inputs: [[3], { shape: [3], from: between(-1, 0) }, { shape: [3], from: between(1, 2) }] },
    ],
    domain: between(0.1, 0.9),
    formula: density((_x, low, high) => -Math.log(high! - low!)),
    halfUnits: 16,
  }),
  pdf(
    'normal',
    2,
    (x, mu, sigma) => -0.5 * ((x - mu!) / sigma!) ** 2 - Math.log(sigma! * Math.sqrt(2 * Math.PI)),
  ),
  pdf('gamma', 2, (x, a, b) => a! * Math.log(b!) + (a! - 1) * Math.log(x) - b! * x - lgamma(a!)),
  pdf('exponential', 1, (x, lam) => Math.log(lam!) - lam! * x),
  pdf('poisson', 1, (x, lam) => x * Math.log(lam!) - lam! - lgamma(x + 1), counts),
  pdf('negative_binomial', 2, (x, k, p) => binomial(x, k!, p!), counts, between(0.2, 0.8)),
  pdf(
    'generalized_negative_binomial',
    2,
    (x, mu, alpha) => binomial(x, 1 / alpha!, 1 / (1 + mu! * alpha!)),
    counts,
  ),
  row<{ isLog?: boolean }>({
    op: '_random_pdf_dirichlet',
    domain: between(0.1, 0.9),
    cases: [
      { inputs: [[2, 3, 2], { shape: [2, 2], from: positive }] },
      { inputs: [[1, 3, 4], { shape: [1, 4], from: positive }], attrs: { isLog: true } },
      { inputs: [[2, 3], { shape: [3], from: positive }], attrs: { isLog: true }, order: 0 },
    ],
    formula: ([x, a], { isLog }) => {
      const lead = a!.shape.length - 1
      const k = a!.shape.at(-1)!
      if (x!.shape.at(-1) !== k || a!.shape.slice(0, -1).some((d, i) => d !== x!.shape[i]))
        throw new Error('categories')
      return build(x!.shape.slice(0, -1), (at) => {
        const alpha = Array.from({ length: k }, (_, c) => get(a!, [...at.slice(0, lead), c]))
        const value =
          lgamma(sum(alpha)) +
          sum(alpha.map((v, c) => (v - 1) * Math.log(get(x!, [...at, c])) - lgamma(v)))
        return isLog ? value : Math.exp(value)
      })
    },
    tol64: 1e-10,
    tol32: 1e-4,
    halfUnits: 64,
  }),
  row<{ scalar?: number }>({
    op: 'smooth_l1',
    domain: signed,
    cases: [
      { inputs: [[3, 4]] },
      { inputs: [[6]], attrs: { scalar: 0.5 } },
      { inputs: [[2, 2]], attrs: { scalar: 2 } },
    ],
    formula: ([x], { scalar: s = 1 }) =>
      map(x!, (v) =>
        Math.abs(v) < 1 / (s * s) ? 0.5 * (s * v) ** 2 : Math.abs(v) - 0.5 / (s * s),
      ),
  }),
  row<{ a?: number; b?: number; c?: number }>({
    op: '_contrib_quadratic',
    domain: signed,
    cases: [
      { inputs: [[3, 4]], attrs: { a: 2, b: -1, c: 0.5 } },
      { inputs: [[5]], attrs: { b: 3, c: 1.5 } },
      { inputs: [[]], attrs: { a: 1 } },
    ],
    formula: ([x], { a = 0, b = 0, c = 0 }) => map(x!, (v) => a * v * v + b * v + c),
    halfUnits: 8,
  }),
  row({
    op: '_contrib_div_sqrt_dim',
    domain: signed,
    cases: [{ inputs: [[2, 3, 4]] }, { inputs: [[2, 7]] }, { inputs: [[5]] }],
    formula: ([x]) => map(x!, (v) => v / Math.sqrt(x!.shape.at(-1)!)),
  }),
  row<{ scalar?: number }>({
    op: '_contrib_gradientmultiplier',
    domain: signed,
    cases: [
      { inputs: [[2, 3]] },
      { inputs: [[4]], attrs: { scalar: 2 } },
      { inputs: [[]], attrs: { scalar: -1 } },
    ],
    formula: ([x]) => x!,
    ints: { dtypes: ['int32', 'uint8'] },
    order: 0,
    why: 'its gradient is not that of its value; golden vectors have it',
  }),
  row({
    op: '_contrib_round_ste',
    domain: (u) => 8 * u - 4.01,
    cases: [{ inputs: [[2, 3]] }, { inputs: [[7]] }, { inputs: [[]] }],
    formula: ([x]) => map(x!, (v) => Math.sign(v) * Math.floor(Math.abs(v) + 0.5)),
    order: 0,
    why: 'its gradient is not that of its value; golden vectors have it',
  }),
  row({
    op: '_contrib_sign_ste',
    domain: signed,
    cases: [{ inputs: [[2, 3]] }, { inputs: [[7]] }, { inputs: [[]] }],
    formula: ([x]) => map(x!, Math.sign),
    ints: { dtypes: ['int32', 'uint8'] },
    order: 0,
    why: 'its gradient is not that of its value; golden vectors have it',
  }),
  row<{ gradScale?: number; normalization?: string }>({
    op: 'MakeLoss',
    domain: signed,
    cases: [
      { inputs: [[2, 3]] },
      { inputs: [[4]], attrs: { gradScale: 2, normalization: 'batch' } },
      { inputs: [[3, 2]], attrs: { normalization: 'valid' } },
    ],
    formula: ([x]) => x!,
    order: 0,
    why: 'its gradient is not that of its value; golden vectors have it',
  }),
  row({
    op: 'shape_array',
    cases: [{ inputs: [[2, 3]] }, { inputs: [[4]] }, { inputs: [[]] }],
    formula: ([x]) => ({ shape: [x!.shape.length], data: [...x!.shape] }),
    result: () => 'int64',
    order: 0,
    why: 'a shape does not depend on values',
  }),
  row({
    op: 'size_array',
    cases: [{ inputs: [[2, 3]] }, { inputs: [[4]] }, { inputs: [[]] }],
    formula: ([x]) => ({ shape: [1], data: [sizeOf(x!.shape)] }),
    result: () => 'int64',
    order: 0,
    why: 'a size does not depend on values',
  }),
  row<{ rtol?: number; atol?: number; equalNan?: boolean }>({
    op: '_contrib_allclose',
    cases: [
      {
        inputs: [
          { shape: [2], values: [1, 2] },
          { shape: [2], values: [1, 2] },
        ],
      },
      {
        inputs: [
          { shape: [2], values: [1, 2] },
          { shape: [2], values: [1, 2.5] },
        ],
        attrs: { rtol: 0.1 },
      },
      {
        inputs: [
          { shape: [3], values: [1, Number.NaN, 2] },
          { shape: [3], values: [1.25, Number.NaN, 2] },
        ],
        attrs: { atol: 0.5 },
      },
      {
        inputs: [
          { shape: [1], values: [Number.NaN] },
          { shape: [1], values: [Number.NaN] },
        ],
        attrs: { equalNan: false },
      },
    ],
    formula: ([a, b], { rtol = 1e-5, atol = 1e-8, equalNan = true }) => {
      if (a!.shape.join() !== b!.shape.join()) throw new Error('shapes')
      const close = a!.data.every((x, i) => {
        const y = b!.data[i]!
        if (Number.isNaN(x) && Number.isNaN(y)) return equalNan
        return Math.abs(x - y) <= atol + rtol * Math.abs(y)
      })
      return { shape: [], data: [close ? 1 : 0] }
    },
    result: () => 'uint8',
    order: 0,
    why: 'an answer has no gradient',
  }),
  row<{ dtype: string }>({
    op: 'amp_cast',
    domain: signed,
    cases: [
      { inputs: [[2, 3]], attrs: { dtype: 'float32' } },
      { inputs: [[4]], attrs: { dtype: 'float64' } },
      { inputs: [[]], attrs: { dtype: 'float32' } },
    ],
    formula: ([x]) => x!,
    result: (_d, { dtype }) => dtype as 'float32',
    order: 0,
    why: 'float32 results are too coarse for differences',
  }),
  row<{ castNarrow?: boolean }>({
    op: 'amp_multicast',
    domain: signed,
    cases: [
      { inputs: [[2, 3], [2]] },
      { inputs: [[4], [], [2]], attrs: { castNarrow: true } },
      { inputs: [[1]] },
    ],
    formula: (xs) => xs,
  }),
  row({
    op: '_identity_with_attr_like_rhs',
    domain: signed,
    cases: [
      {
        inputs: [
          [2, 3],
          [2, 3],
        ],
      },
      { inputs: [[4], [4]] },
      { inputs: [[], []] },
    ],
    formula: ([x, y]) => {
      if (x!.shape.join() !== y!.shape.join()) throw new Error('shapes')
      return x!
    },
  }),
]
