/** Rows: matrix products and the softmax family. */

import { type Arr, axesOf, build, fold, get, map, reshaped, sizeOf, sum, zip } from './model.ts'
import { type Row, row, signed, whole } from './row.ts'

interface Transposes {
  transposeA?: boolean
  transposeB?: boolean
}

const range = (n: number): number[] => Array.from({ length: n }, (_, i) => i)

interface Soft {
  axis?: number
  temperature?: number
  useLength?: boolean
}

/** Softmax in the textbook way: exponentials over their sum; `length` hides the tail of each line. */
function softmax(x: Arr, { axis = -1, temperature = 1 }: Soft, sign: number, length?: Arr): Arr {
  const a = axesOf(x.shape.length, axis)
  const e = build(x.shape, (at) => {
    const hidden = length !== undefined && at[a[0]!]! >= get(length, at.toSpliced(a[0]!, 1))
    return hidden ? 0 : Math.exp((sign * get(x, at)) / temperature)
  })
  return zip(e, fold(e, a, true, sum), (v, s) => (v === 0 ? 0 : v / s))
}

const softCases = [
  { inputs: [[2, 3]] },
  { inputs: [[2, 3, 4]], attrs: { axis: 1 } },
  { inputs: [[5]], attrs: { temperature: 2.5 } },
  { inputs: [[3, 2]], attrs: { axis: 0, temperature: 0.5 } },
]

export const denseRows: readonly Row[] = [
  row<Transposes>({
    op: 'dot',
    domain: signed,
    cases: [
      {
        inputs: [
          [2, 3],
          [3, 4],
        ],
      },
      {
        inputs: [
          [3, 2],
          [4, 3],
        ],
        attrs: { transposeA: true, transposeB: true },
      },
      {
        inputs: [
          [2, 3, 4],
          [4, 2, 3],
        ],
      },
      { inputs: [[4], [4]] },
      {
        inputs: [
          [2, 3],
          [4, 3],
        ],
        attrs: { transposeB: true },
      },
      { inputs: [[3, 2, 2], [3]], attrs: { transposeA: true } },
    ],
    formula: ([x, y], { transposeA = false, transposeB = false }) => {
      const left = transposeA ? x!.shape.slice(1) : x!.shape.slice(0, -1)
      const right = transposeB ? y!.shape.slice(0, -1) : y!.shape.slice(1)
      const k = transposeA ? x!.shape[0]! : x!.shape.at(-1)!
      return build([...left, ...right], (at) => {
        const [i, j] = [at.slice(0, left.length), at.slice(left.length)]
        return sum(
          range(k).map(
            (t) =>
              get(x!, transposeA ? [t, ...i] : [...i, t]) *
              get(y!, transposeB ? [...j, t] : [t, ...j]),
          ),
        )
      })
    },
    ints: { dtypes: ['int32', 'int64'], domain: whole(-4, 4) },
  }),
  row<Transposes>({
    op: 'batch_dot',
    domain: signed,
    cases: [
      {
        inputs: [
          [2, 3, 4],
          [2, 4, 2],
        ],
      },
      {
        inputs: [
          [2, 4, 3],
          [2, 2, 4],
        ],
        attrs: { transposeA: true, transposeB: true },
      },
      {
        inputs: [
          [2, 2, 1, 3],
          [2, 2, 3, 2],
        ],
      },
    ],
    formula: ([x, y], { transposeA = false, transposeB = false }) => {
      const batch = x!.shape.slice(0, -2)
      const [m, k] = transposeA
        ? [x!.shape.at(-1)!, x!.shape.at(-2)!]
        : [x!.shape.at(-2)!, x!.shape.at(-1)!]
      const n = transposeB ? y!.shape.at(-2)! : y!.shape.at(-1)!
      return build([...batch, m, n], (at) => {
        const b = at.slice(0, -2)
        const [i, j] = [at.at(-2)!, at.at(-1)!]
        return sum(
          range(k).map(
            (t) =>
              get(x!, [...b, ...(transposeA ? [t, i] : [i, t])]) *
              get(y!, [...b, ...(transposeB ? [j, t] : [t, j])]),
          ),
        )
      })
    },
    ints: { dtypes: ['int32'], domain: whole(-4, 4) },
  }),
  row<{ numHidden?: number; noBias?: boolean; flatten?: boolean }>({
    op: 'FullyConnected',
    domain: signed,
    cases: [
      { inputs: [[2, 3], [4, 3], [4]], attrs: { numHidden: 4 } },
      {
        inputs: [
          [2, 3, 2],
          [4, 6],
        ],
        attrs: { noBias: true },
      },
      { inputs: [[2, 3, 2], [4, 2], [4]], attrs: { flatten: false } },
      { inputs: [[3], [2, 1], [2]] },
    ],
    formula: ([x, w, b], { flatten = true }) => {
      const rows = flatten ? reshaped(x!, [x!.shape[0]!, sizeOf(x!.shape.slice(1))]) : x!
      const k = rows.shape.at(-1)!
      return build([...rows.shape.slice(0, -1), w!.shape[0]!], (at) => {
        const products = range(k).map(
          (t) => get(rows, [...at.slice(0, -1), t]) * get(w!, [at.at(-1)!, t]),
        )
        return sum(products) + (b ? get(b, [at.at(-1)!]) : 0)
      })
    },
  }),
  row<Soft>({
    op: 'softmax',
    domain: signed,
    cases: [
      ...softCases,
      {
        inputs: [[3, 4], { shape: [3], from: whole(1, 4), fixed: true, dtype: 'int32' }],
        attrs: { useLength: true },
      },
      { inputs: [{ shape: [1, 3], values: [1000, 1001, -1000] }], order: 0 },
    ],
    why: 'differences of 1e-5 are lost beside 1000',
    formula: ([x, length], attrs) => softmax(shiftedDown(x!), attrs, 1, length),
  }),
  row<Soft>({
    op: 'softmin',
    domain: signed,
    cases: softCases,
    formula: ([x], attrs) => softmax(x!, attrs, -1),
  }),
  row<Soft>({
    op: 'log_softmax',
    domain: signed,
    cases: softCases,
    formula: ([x], attrs) => map(softmax(x!, attrs, 1), Math.log),
  }),
  row({
    op: 'softmax_cross_entropy',
    domain: signed,
    cases: [
      { inputs: [[3, 4], { shape: [3], from: whole(0, 3), fixed: true }] },
      { inputs: [[1, 2], { shape: [1], from: whole(0, 1), fixed: true, dtype: 'int32' }] },
      { inputs: [[5, 3], { shape: [5], from: whole(0, 2), fixed: true, dtype: 'int64' }] },
    ],
    formula: ([x, label]) => {
      const y = softmax(x!, {}, 1)
      return {
        shape: [],
        data: [-sum(range(x!.shape[0]!).map((n) => Math.log(get(y, [n, get(label!, [n])]))))],
      }
    },
  }),
]

/** Large inputs would overflow the textbook formula; softmax does not see a common shift. */
const shiftedDown = (x: Arr): Arr => {
  const top = Math.max(0, ...x.data)
  return top > 100 ? map(x, (v) => v - top) : x
}
