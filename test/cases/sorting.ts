/** Rows: operators that put in order, and those on the distribution of values. */

import { type Arr, axesOf, build, fold, get, points, sum } from './model.ts'
import { allInts, fractional, type Row, row, signed, whole } from './row.ts'

/** An array with the lines along an axis (null: the flattened array) replaced by what `f` makes of them. */
function lines(x: Arr, axis: number | null, f: (line: number[]) => number[]): Arr {
  if (axis === null || x.shape.length === 0) {
    const data = f([...x.data])
    return { shape: [data.length], data }
  }
  const a = axis < 0 ? axis + x.shape.length : axis
  const n = x.shape[a]!
  const made = new Map<string, number[]>()
  for (const at of points(x.shape.with(a, 1))) {
    const line = Array.from({ length: n }, (_, i) => get(x, at.with(a, i)))
    made.set(at.join(), f(line))
  }
  const { length } = f(new Array<number>(n).fill(0))
  return build(x.shape.with(a, length), (at) => made.get(at.with(a, 0).join())![at[a]!]!)
}

const order = (line: readonly number[], ascending: boolean): number[] =>
  line
    .map((_, i) => i)
    .sort((i, j) => (ascending ? line[i]! - line[j]! : line[j]! - line[i]!) || i - j)

type Sort = { axis?: number | null; isAscend?: boolean; dtype?: string }
type Topk = Sort & { k?: number; retTyp?: string }

export const sortingRows: readonly Row[] = [
  row<Sort>({
    op: 'sort',
    domain: signed,
    cases: [
      { inputs: [[3, 4]] },
      { inputs: [[4, 3]], attrs: { axis: 0, isAscend: false } },
      { inputs: [[2, 3]], attrs: { axis: null } },
      { inputs: [[2, 29, 2]], attrs: { axis: 1 } },
    ],
    formula: ([x], { axis = -1, isAscend = true }) =>
      lines(x!, axis, (line) => order(line, isAscend).map((i) => line[i]!)),
    ints: { dtypes: allInts, domain: whole(0, 5) },
  }),
  row<Sort>({
    op: 'argsort',
    domain: signed,
    cases: [
      { inputs: [[3, 4]] },
      { inputs: [[4, 3]], attrs: { axis: 0, isAscend: false } },
      { inputs: [[2, 3]], attrs: { axis: null, dtype: 'int64' } },
    ],
    formula: ([x], { axis = -1, isAscend = true }) =>
      lines(x!, axis, (line) => order(line, isAscend)),
    result: (_d, { dtype }) => (dtype ?? 'float32') as 'float32',
    ints: { dtypes: ['int32', 'int64', 'uint8'], domain: whole(0, 3) },
    order: 0,
    why: 'positions have no gradient',
  }),
  row<Topk>({
    op: 'topk',
    domain: signed,
    cases: [
      { inputs: [[3, 4]], attrs: { k: 2, retTyp: 'value' } },
      { inputs: [[4, 3]], attrs: { axis: 0, k: 3, isAscend: true, retTyp: 'value' } },
      { inputs: [[2, 3, 2]], attrs: { axis: 1, k: 2, retTyp: 'mask' }, order: 0 },
      { inputs: [[2, 3]], attrs: { axis: null, k: 4, retTyp: 'value' } },
      { inputs: [[2, 5]], attrs: { k: 0, retTyp: 'value' } },
    ],
    formula: ([x], { axis = -1, k = 1, isAscend = false, retTyp }) =>
      lines(x!, axis, (line) => {
        const chosen = order(line, isAscend).slice(0, k < 1 ? line.length : k)
        if (retTyp === 'mask') return line.map((_, i) => (chosen.includes(i) ? 1 : 0))
        return chosen.map((i) => line[i]!)
      }),
    ints: { dtypes: allInts, domain: whole(0, 5) },
  }),
  row<{ axis?: number | null; dtype?: string }>({
    op: 'cumsum',
    domain: signed,
    cases: [
      { inputs: [[2, 3]] },
      { inputs: [[4, 3]], attrs: { axis: 0 } },
      { inputs: [[2, 3, 2]], attrs: { axis: -2 } },
    ],
    formula: ([x], { axis = null }) =>
      lines(x!, axis, (line) => line.map((_, i) => sum(line.slice(0, i + 1)))),
    ints: { dtypes: allInts, domain: whole(0, 90) },
  }),
  row<{ axes?: readonly number[] | null; keepdims?: boolean }>({
    op: 'moments',
    domain: signed,
    cases: [
      { inputs: [[2, 3]] },
      { inputs: [[4, 3]], attrs: { axes: [0], keepdims: true } },
      { inputs: [[2, 3, 2]], attrs: { axes: [-1, 0] } },
    ],
    formula: ([x], { axes, keepdims = false }) => {
      const along = axesOf(x!.shape.length, axes)
      const mean = (line: readonly number[]): number => sum(line) / line.length
      return [
        fold(x!, along, keepdims, mean),
        fold(x!, along, keepdims, (line) => mean(line.map((v) => (v - mean(line)) ** 2))),
      ]
    },
  }),
  row<{ binCnt?: number | null; range?: readonly number[] | null }>({
    op: '_histogram',
    domain: fractional,
    cases: [
      { inputs: [[20]], attrs: { binCnt: 4, range: [-2, 2] } },
      { inputs: [[3, 5]], attrs: { binCnt: 3, range: [-4, 4] } },
      {
        inputs: [[12], { shape: [4], values: [-3, -1, 0.5, 3], fixed: true }],
      },
    ],
    formula: ([x, edges], { binCnt, range }) => {
      const n = binCnt ?? edges!.data.length - 1
      const at =
        edges?.data ??
        [...Array(n + 1).keys()].map((i) => range![0]! + (i * (range![1]! - range![0]!)) / n)
      const counts = Array.from({ length: n }, (_, i) => {
        const last = i === n - 1
        return x!.data.filter((v) => v >= at[i]! && (v < at[i + 1]! || (last && v === at[n]!)))
          .length
      })
      return [
        { shape: [n], data: counts },
        { shape: [n + 1], data: at },
      ]
    },
    results: ['int64', null],
    order: 0,
    why: 'counts do not change with small changes',
  }),
]
