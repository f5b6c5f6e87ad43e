/** Rows: reductions. */

import { type Arr, axesOf, fold, map, reshaped, sum } from './model.ts'
import { allInts, type Case, type Row, type RowOf, row, signed, whole } from './row.ts'

interface Options {
  axis?: number | readonly number[] | null
  keepdims?: boolean
  exclude?: boolean
}

const cases: Case<Options>[] = [
  { inputs: [[2, 3]] },
  { inputs: [[2, 3, 4]], attrs: { axis: 1 } },
  { inputs: [[2, 3, 4]], attrs: { axis: [0, -1], keepdims: true } },
  { inputs: [[2, 3, 4]], attrs: { axis: 1, exclude: true } },
  { inputs: [[5]], attrs: { axis: 0 } },
  { inputs: [[]] },
]

const lines = (
  x: Arr,
  { axis, keepdims = false, exclude = false }: Options,
  f: (line: readonly number[]) => number,
): Arr => {
  const rank = x.shape.length
  const named = axesOf(rank, axis)
  const axes = exclude ? axesOf(rank, null).filter((i) => !named.includes(i)) : named
  return fold(x, axes, keepdims, f)
}

const nonEmpty =
  (f: (line: readonly number[]) => number) =>
  (line: readonly number[]): number => {
    if (line.length === 0) throw new Error('nothing to choose from')
    return f(line)
  }

const reduction = (
  op: string,
  f: (line: readonly number[]) => number,
  more: Partial<RowOf<Options>> = {},
): Row =>
  row<Options>({
    op,
    domain: signed,
    cases,
    formula: ([x], attrs) => lines(x!, attrs, f),
    ints: { dtypes: ['int32', 'int64'], domain: whole(-3, 3) },
    ...more,
  })

const product = (line: readonly number[]): number => line.reduce((a, b) => a * b, 1)
const first = (better: (a: number, b: number) => boolean) =>
  nonEmpty((line) => line.reduce((best, v, i) => (better(v, line[best]!) ? i : best), 0))
const withNaN = { shape: [2, 3], values: [1, Number.NaN, 2, 0.5, -3, Number.NaN] }
const nanCases: Case<Options>[] = [
  ...cases,
  { inputs: [withNaN], order: 0 },
  { inputs: [withNaN], attrs: { axis: 1 }, order: 0 },
]
const why = 'differences cannot be taken at NaN'

const position = (op: string, better: (a: number, b: number) => boolean): Row =>
  row<{ axis?: number | null; keepdims?: boolean }>({
    op,
    domain: signed,
    cases: [
      { inputs: [[2, 3]] },
      { inputs: [[2, 3, 4]], attrs: { axis: 1 } },
      { inputs: [[2, 3]], attrs: { axis: -1, keepdims: true } },
      { inputs: [{ shape: [3, 4], from: whole(0, 1) }], attrs: { axis: 1 }, order: 0 },
      { inputs: [{ shape: [2, 2], from: whole(0, 1) }], attrs: { keepdims: true }, order: 0 },
    ],
    why: 'a step has no difference quotient at a tie',
    formula: ([x], { axis, keepdims = false }) => {
      const flat = axis === undefined || axis === null ? reshaped(x!, [x!.data.length]) : x!
      const out = fold(flat, axesOf(flat.shape.length, axis ?? 0), keepdims, first(better))
      return keepdims && flat !== x
        ? reshaped(
            out,
            x!.shape.map(() => 1),
          )
        : out
    },
    ints: { dtypes: ['int32', 'int64', 'uint8'], domain: whole(0, 9) },
  })

export const reduceRows: readonly Row[] = [
  reduction('sum', sum),
  reduction('nansum', (line) => sum(line.filter((v) => !Number.isNaN(v))), {
    cases: nanCases,
    why,
  }),
  reduction('prod', product),
  reduction('nanprod', (line) => product(line.filter((v) => !Number.isNaN(v))), {
    cases: nanCases,
    why,
  }),
  reduction(
    'max',
    nonEmpty((line) => Math.max(...line)),
    { ints: { dtypes: allInts, domain: whole(0, 9) } },
  ),
  reduction(
    'min',
    nonEmpty((line) => Math.min(...line)),
    { ints: { dtypes: allInts, domain: whole(0, 9) } },
  ),
  reduction('mean', (line) => sum(line) / line.length),
  row<{ ord?: string; axis?: number | readonly number[] | null; keepdims?: boolean }>({
    op: 'norm',
    domain: signed,
    cases: [
      { inputs: [[2, 3]] },
      { inputs: [[2, 3, 4]], attrs: { axis: 1 } },
      { inputs: [[2, 3]], attrs: { ord: '1', axis: [0, 1], keepdims: true } },
      { inputs: [[2, 3]], attrs: { ord: '1', axis: -1 } },
    ],
    formula: ([x], { ord = '2', ...rest }) =>
      ord === '1'
        ? lines(map(x!, Math.abs), rest, sum)
        : map(
            lines(
              map(x!, (v) => v * v),
              rest,
              sum,
            ),
            Math.sqrt,
          ),
  }),
  position('argmax', (a, b) => a > b),
  position('argmin', (a, b) => a < b),
  row({
    op: 'argmax_channel',
    domain: signed,
    cases: [{ inputs: [[2, 3]] }, { inputs: [[4, 1]] }, { inputs: [[2, 3, 2]] }],
    formula: ([x]) =>
      fold(
        x!,
        [1],
        false,
        first((a, b) => a > b),
      ),
    ints: { dtypes: ['int32'], domain: whole(0, 9) },
  }),
]
