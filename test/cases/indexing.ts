/** Rows: operators that look elements up. */

import { build, get } from './model.ts'
import { type Domain, loose, type Row, row, signed, whole } from './row.ts'

const indices = (shape: readonly number[], from: Domain) => ({ shape, from, fixed: true })
const clip = (i: number, n: number): number => Math.min(Math.max(Math.trunc(i), 0), n - 1)
const wrap = (i: number, n: number): number => ((Math.trunc(i) % n) + n) % n
const inside = (mode: string): ((i: number, n: number) => number) => (mode === 'wrap' ? wrap : clip)
const norm = (axis: number, rank: number): number => (axis < 0 ? axis + rank : axis)

export const indexingRows: readonly Row[] = [
  row<{ axis?: number; mode?: string }>({
    op: 'take',
    domain: signed,
    cases: [
      { inputs: [[4, 3], indices([5], loose(4))] },
      { inputs: [[4, 3], indices([2, 2], loose(3))], attrs: { axis: 1 } },
      { inputs: [[2, 3, 2], indices([4], whole(-4, 6))], attrs: { axis: -2, mode: 'wrap' } },
      { inputs: [[5], { shape: [], from: whole(2, 2), fixed: true, dtype: 'int32' }] },
      { inputs: [[5], { shape: [3], from: whole(0, 4), fixed: true, dtype: 'int64' }] },
    ],
    formula: ([x, i], { axis = 0, mode = 'clip' }) => {
      const a = norm(axis, x!.shape.length)
      const r = i!.shape.length
      const shape = x!.shape.toSpliced(a, 1, ...i!.shape)
      return build(shape, (at) => {
        const k = inside(mode)(get(i!, at.slice(a, a + r)), x!.shape[a]!)
        return get(x!, [...at.slice(0, a), k, ...at.slice(a + r)])
      })
    },
    ints: { dtypes: ['int32', 'uint8', 'int64'] },
  }),
  row<{ axis?: number | null; keepdims?: boolean; mode?: string }>({
    op: 'pick',
    domain: signed,
    cases: [
      { inputs: [[4, 3], indices([4], loose(3))] },
      { inputs: [[4, 3], indices([3], whole(-6, 9))], attrs: { axis: 0, mode: 'wrap' } },
      { inputs: [[2, 3, 2], indices([2, 1, 2], loose(3))], attrs: { axis: 1, keepdims: true } },
      { inputs: [[2, 3], { shape: [2], from: whole(0, 2), fixed: true, dtype: 'int32' }] },
    ],
    formula: ([x, i], { axis = -1, keepdims = false, mode = 'clip' }) => {
      const a = norm(axis ?? -1, x!.shape.length)
      const flat = { shape: x!.shape.toSpliced(a, 1), data: i!.data }
      const shape = keepdims ? x!.shape.with(a, 1) : flat.shape
      return build(shape, (at) => {
        const line = keepdims ? at.toSpliced(a, 1) : at
        return get(x!, line.toSpliced(a, 0, inside(mode)(get(flat, line), x!.shape[a]!)))
      })
    },
    ints: { dtypes: ['int32', 'uint8'] },
  }),
  row({
    op: 'batch_take',
    domain: signed,
    cases: [
      { inputs: [[4, 3], indices([4], loose(3))] },
      { inputs: [[1, 5], indices([1], whole(0, 4))] },
      { inputs: [[3, 2], { shape: [3], from: whole(0, 1), fixed: true, dtype: 'int32' }] },
    ],
    formula: ([x, i]) =>
      build([x!.shape[0]!], (at) => get(x!, [at[0]!, clip(get(i!, at), x!.shape[1]!)])),
  }),
  row<{ depth: number; onValue?: number; offValue?: number; dtype?: string }>({
    op: 'one_hot',
    cases: [
      { inputs: [indices([4], loose(3))], attrs: { depth: 3 } },
      { inputs: [indices([2, 2], whole(0, 3))], attrs: { depth: 4, onValue: 2.5, offValue: -1 } },
      {
        inputs: [{ shape: [3], from: whole(0, 1), fixed: true, dtype: 'int32' }],
        attrs: { depth: 2, dtype: 'int32' },
      },
    ],
    formula: ([i], { depth, onValue = 1, offValue = 0 }) =>
      build([...i!.shape, depth], (at) =>
        get(i!, at.slice(0, -1)) === at.at(-1) ? onValue : offValue,
      ),
    result: (_d, { dtype }) => (dtype ?? 'float32') as 'float32',
    order: 0,
    why: 'its only input is positions',
  }),
  row({
    op: 'where',
    domain: signed,
    cases: [
      { inputs: [indices([2, 3], whole(0, 1)), [2, 3], [2, 3]] },
      { inputs: [indices([3], whole(0, 1)), [3, 2], [3, 2]] },
      { inputs: [{ shape: [4], from: whole(0, 1), fixed: true, dtype: 'bool' }, [4], [4]] },
      { inputs: [indices([], whole(1, 1)), [], []] },
    ],
    formula: ([c, x, y]) =>
      build(x!.shape, (at) => {
        const rows = c!.shape.length === 1 && x!.shape.length > 1
        return get(c!, rows ? [at[0]!] : at) !== 0 ? get(x!, at) : get(y!, at)
      }),
    ints: { dtypes: ['int32', 'int64', 'uint8'] },
    result: (dtype) => dtype,
  }),
  row<{ inputDim: number; outputDim: number }>({
    op: 'Embedding',
    domain: signed,
    cases: [
      { inputs: [indices([3], loose(4)), [4, 2]], attrs: { inputDim: 4, outputDim: 2 } },
      { inputs: [indices([2, 3], whole(0, 4)), [5, 3]], attrs: { inputDim: 5, outputDim: 3 } },
      {
        inputs: [{ shape: [], from: whole(1, 1), fixed: true, dtype: 'int32' }, [3, 2]],
        attrs: { inputDim: 3, outputDim: 2 },
      },
    ],
    formula: ([i, w], { inputDim }) =>
      build([...i!.shape, w!.shape[1]!], (at) =>
        get(w!, [clip(get(i!, at.slice(0, -1)), inputDim), at.at(-1)!]),
      ),
  }),
]
