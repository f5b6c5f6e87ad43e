/** Rows: operators that rearrange, cut and join. */

import { type Arr, axesOf, build, get, reshaped, sizeOf, sliceRange } from './model.ts'
import { allInts, type Row, row, signed } from './row.ts'

const ints = { dtypes: [...allInts, 'bool'] as const }
const norm = (axis: number, rank: number): number => (axis < 0 ? axis + rank : axis)
const wanted = ([x]: readonly Arr[], _a: unknown, want: readonly number[]): Arr =>
  reshaped(x!, want.length === 0 ? [] : want)

const permuted = (x: Arr, axes: readonly number[]): Arr =>
  build(
    axes.map((a) => x.shape[a]!),
    (at) => {
      const from: number[] = []
      axes.forEach((a, i) => {
        from[a] = at[i]!
      })
      return get(x, from)
    },
  )

const joined = (xs: readonly Arr[], axis: number): Arr => {
  const lengths = xs.map((x) => x.shape[axis]!)
  const shape = xs[0]!.shape.with(
    axis,
    lengths.reduce((a, b) => a + b, 0),
  )
  return build(shape, (at) => {
    let place = at[axis]!
    let k = 0
    while (place >= lengths[k]!) place -= lengths[k++]!
    return get(xs[k]!, at.with(axis, place))
  })
}

type Slices = {
  begin: readonly (number | null)[]
  end: readonly (number | null)[]
  step?: readonly (number | null)[]
}

export const movementRows: readonly Row[] = [
  row<{
    shape?: readonly number[]
    reverse?: boolean
    targetShape?: readonly number[]
    keepHighest?: boolean
  }>({
    op: 'Reshape',
    domain: signed,
    cases: [
      { inputs: [[2, 3]], attrs: { shape: [3, 2] }, want: [3, 2] },
      { inputs: [[2, 3, 4]], attrs: { shape: [0, -1] }, want: [2, 12] },
      { inputs: [[2, 3, 4]], attrs: { shape: [-3, -4, 2, -1] }, want: [6, 2, 2] },
      { inputs: [[10, 5, 4]], attrs: { shape: [-1, 0], reverse: true }, want: [50, 4] },
      { inputs: [[2, 3, 4]], attrs: { targetShape: [2, 0] }, want: [2, 12] },
      {
        inputs: [[2, 3, 4]],
        attrs: { targetShape: [0, 6, 2], keepHighest: true },
        want: [2, 6, 2],
      },
    ],
    formula: wanted,
    ints,
  }),
  row({
    op: 'reshape_like',
    domain: signed,
    cases: [
      { inputs: [[6], [2, 3]] },
      {
        inputs: [
          [2, 3],
          [3, 1, 2],
        ],
      },
      { inputs: [[1], []] },
      {
        inputs: [
          [30, 7],
          [15, 2, 4],
        ],
        attrs: { lhsBegin: 0, lhsEnd: 1, rhsBegin: 0, rhsEnd: 2 },
        want: [15, 2, 7],
      },
      {
        inputs: [
          [3, 4],
          [5, 2, 2],
        ],
        attrs: { lhsBegin: -1, rhsBegin: 1 },
        want: [3, 2, 2],
      },
    ],
    formula: ([x, y], _attrs, want) => reshaped(x!, want.length > 0 ? want : y!.shape),
    ints,
  }),
  row({
    op: 'Flatten',
    domain: signed,
    cases: [{ inputs: [[2, 3, 4]] }, { inputs: [[5]] }, { inputs: [[2, 3]] }],
    formula: ([x]) => reshaped(x!, [x!.shape[0]!, sizeOf(x!.shape.slice(1))]),
    ints,
  }),
  row<{ axes?: readonly number[] }>({
    op: 'transpose',
    domain: signed,
    cases: [
      { inputs: [[2, 3]] },
      { inputs: [[2, 3, 4]], attrs: { axes: [1, 2, 0] } },
      { inputs: [[2, 3, 4]], attrs: { axes: [-1, 0, 1] } },
      { inputs: [[4]] },
    ],
    formula: ([x], { axes }) => {
      const rank = x!.shape.length
      return permuted(
        x!,
        axes ? axes.map((a) => norm(a, rank)) : x!.shape.map((_, i) => rank - 1 - i),
      )
    },
    ints,
  }),
  row<{ dim1: number; dim2: number }>({
    op: 'SwapAxis',
    domain: signed,
    cases: [
      { inputs: [[2, 3]], attrs: { dim1: 0, dim2: 1 } },
      { inputs: [[2, 3, 4]], attrs: { dim1: 0, dim2: -1 } },
      { inputs: [[2, 3, 4]], attrs: { dim1: 1, dim2: 1 } },
    ],
    formula: ([x], { dim1, dim2 }) => {
      const rank = x!.shape.length
      const [p, q] = [norm(dim1, rank), norm(dim2, rank)]
      return permuted(
        x!,
        x!.shape.map((_, i) => (i === p ? q : i === q ? p : i)),
      )
    },
    ints,
  }),
  row<{ axis: number }>({
    op: 'expand_dims',
    domain: signed,
    cases: [
      { inputs: [[2, 3]], attrs: { axis: 1 } },
      { inputs: [[4]], attrs: { axis: -1 } },
      { inputs: [[]], attrs: { axis: 0 } },
    ],
    formula: ([x], { axis }) =>
      reshaped(x!, x!.shape.toSpliced(norm(axis, x!.shape.length + 1), 0, 1)),
    ints,
  }),
  row<{ axis?: number | readonly number[] | null }>({
    op: 'squeeze',
    domain: signed,
    cases: [
      { inputs: [[1, 3, 1]] },
      { inputs: [[1, 3, 1]], attrs: { axis: -1 } },
      { inputs: [[1, 2, 1, 2]], attrs: { axis: [0, 2] } },
    ],
    formula: ([x], { axis }) => {
      const named = axesOf(x!.shape.length, axis)
      return reshaped(
        x!,
        x!.shape.filter((d, i) => !(d === 1 && named.includes(i))),
      )
    },
    ints,
  }),
  row<{ shape: readonly number[] }>({
    op: 'broadcast_to',
    domain: signed,
    cases: [
      { inputs: [[1, 3]], attrs: { shape: [2, 3] } },
      { inputs: [[2, 1]], attrs: { shape: [4, 0, 3] }, want: [4, 2, 3] },
      { inputs: [[]], attrs: { shape: [2, 2] } },
    ],
    formula: ([x], { shape }, want) => build(want.length ? want : shape, (at) => get(x!, at)),
    ints,
  }),
  row<{ axis: number | readonly number[]; size: number | readonly number[] }>({
    op: 'broadcast_axis',
    domain: signed,
    cases: [
      { inputs: [[1, 3]], attrs: { axis: 0, size: 4 }, want: [4, 3] },
      { inputs: [[2, 1, 1]], attrs: { axis: [1, 2], size: [2, 3] }, want: [2, 2, 3] },
      { inputs: [[1]], attrs: { axis: -1, size: 5 }, want: [5] },
    ],
    formula: ([x], _a, want) => build(want, (at) => get(x!, at)),
    ints,
  }),
  row<{ lhsAxes?: readonly number[]; rhsAxes?: readonly number[] }>({
    op: 'broadcast_like',
    domain: signed,
    cases: [
      {
        inputs: [
          [1, 3],
          [2, 3],
        ],
        want: [2, 3],
      },
      { inputs: [[3], [2, 3]], want: [2, 3] },
      {
        inputs: [
          [1, 2],
          [5, 4],
        ],
        attrs: { lhsAxes: [0], rhsAxes: [1] },
        want: [4, 2],
      },
    ],
    formula: ([x], _a, want) => build(want, (at) => get(x!, at)),
    ints,
  }),
  row<{ axis: number | readonly number[] }>({
    op: 'reverse',
    domain: signed,
    cases: [
      { inputs: [[2, 3]], attrs: { axis: 1 } },
      { inputs: [[2, 3, 2]], attrs: { axis: [0, -1] } },
      { inputs: [[5]], attrs: { axis: 0 } },
    ],
    formula: ([x], { axis }) => {
      const turned = axesOf(x!.shape.length, axis)
      return build(x!.shape, (at) =>
        get(
          x!,
          at.map((v, i) => (turned.includes(i) ? x!.shape[i]! - 1 - v : v)),
        ),
      )
    },
    ints,
  }),
  row<{ reps: number | readonly number[] }>({
    op: 'tile',
    domain: signed,
    cases: [
      { inputs: [[2, 3]], attrs: { reps: [2, 1] } },
      { inputs: [[3]], attrs: { reps: [2, 2] } },
      { inputs: [[2, 1, 2]], attrs: { reps: 3 } },
    ],
    formula: ([x], { reps }) => {
      const times = typeof reps === 'number' ? [reps] : [...reps]
      const shape = [...x!.shape]
      while (shape.length < times.length) shape.unshift(1)
      while (times.length < shape.length) times.unshift(1)
      const source = reshaped(x!, shape)
      return build(
        shape.map((d, i) => d * times[i]!),
        (at) =>
          get(
            source,
            at.map((v, i) => v % shape[i]!),
          ),
      )
    },
    ints,
  }),
  row<{ repeats: number; axis?: number | null }>({
    op: 'repeat',
    domain: signed,
    cases: [
      { inputs: [[2, 3]], attrs: { repeats: 2 } },
      { inputs: [[2, 3]], attrs: { repeats: 3, axis: 1 } },
      { inputs: [[2, 2, 2]], attrs: { repeats: 2, axis: -3 } },
      { inputs: [[3]], attrs: { repeats: 0, axis: 0 } },
    ],
    formula: ([x], { repeats, axis }) => {
      const source = axis === undefined || axis === null ? reshaped(x!, [x!.data.length]) : x!
      const a = norm(axis ?? 0, source.shape.length)
      const shape = source.shape.with(a, source.shape[a]! * repeats)
      return build(shape, (at) => get(source, at.with(a, Math.floor(at[a]! / repeats))))
    },
    ints,
  }),
  row<Slices>({
    op: 'slice',
    domain: signed,
    cases: [
      { inputs: [[4, 5]], attrs: { begin: [1, 0], end: [3, 4] } },
      { inputs: [[4, 5]], attrs: { begin: [null, -1], end: [null, 0], step: [2, -2] } },
      { inputs: [[6]], attrs: { begin: [-4], end: [null] } },
      { inputs: [[3, 4]], attrs: { begin: [null], end: [null], step: [-1] } },
      { inputs: [[3]], attrs: { begin: [2], end: [1] } },
    ],
    formula: ([x], { begin, end, step = [] }) => {
      const picks = x!.shape.map((d, i) =>
        sliceRange(d, begin[i] ?? null, end[i] ?? null, step[i] ?? null),
      )
      return build(
        picks.map((p) => p.length),
        (at) =>
          get(
            x!,
            at.map((v, i) => picks[i]![v]!),
          ),
      )
    },
    ints,
  }),
  row<{ axis: number; begin: number; end: number | null }>({
    op: 'slice_axis',
    domain: signed,
    cases: [
      { inputs: [[4, 5]], attrs: { axis: 1, begin: 1, end: 3 } },
      { inputs: [[4, 5]], attrs: { axis: -2, begin: -2, end: null } },
      { inputs: [[6]], attrs: { axis: 0, begin: 0, end: -1 } },
    ],
    formula: ([x], { axis, begin, end }) => {
      const a = norm(axis, x!.shape.length)
      const picks = sliceRange(x!.shape[a]!, begin, end, null)
      return build(x!.shape.with(a, picks.length), (at) => get(x!, at.with(a, picks[at[a]!]!)))
    },
    ints,
  }),
  row<{ axes?: readonly number[] }>({
    op: 'slice_like',
    domain: signed,
    cases: [
      {
        inputs: [
          [4, 5],
          [2, 3],
        ],
        want: [2, 3],
      },
      {
        inputs: [
          [4, 5],
          [2, 3],
        ],
        attrs: { axes: [1] },
        want: [4, 3],
      },
      {
        inputs: [
          [4, 5, 2],
          [2, 3],
        ],
        attrs: { axes: [0, 1] },
        want: [2, 3, 2],
      },
    ],
    formula: ([x], _a, want) => build(want, (at) => get(x!, at)),
    ints,
  }),
  row<{ numOutputs: number; axis?: number; squeezeAxis?: boolean }>({
    op: 'SliceChannel',
    domain: signed,
    cases: [
      { inputs: [[2, 6]], attrs: { numOutputs: 3 } },
      { inputs: [[4, 3]], attrs: { numOutputs: 2, axis: 0 } },
      { inputs: [[2, 3, 2]], attrs: { numOutputs: 2, axis: -1, squeezeAxis: true } },
    ],
    formula: ([x], { numOutputs, axis = 1, squeezeAxis = false }) => {
      const a = norm(axis, x!.shape.length)
      const size = x!.shape[a]! / numOutputs
      return Array.from({ length: numOutputs }, (_, k) => {
        const part = build(x!.shape.with(a, size), (at) => get(x!, at.with(a, at[a]! + k * size)))
        return squeezeAxis ? reshaped(part, x!.shape.toSpliced(a, 1)) : part
      })
    },
    ints,
  }),
  row<{ dim?: number }>({
    op: 'Concat',
    domain: signed,
    cases: [
      {
        inputs: [
          [2, 1],
          [2, 3],
        ],
      },
      {
        inputs: [
          [2, 3],
          [1, 3],
          [3, 3],
        ],
        attrs: { dim: 0 },
      },
      {
        inputs: [
          [2, 2, 2],
          [2, 2, 1],
        ],
        attrs: { dim: -1 },
      },
      { inputs: [[2, 2]] },
      {
        inputs: [
          [2, 0],
          [2, 2],
        ],
      },
    ],
    formula: (xs, { dim = 1 }) => joined(xs, norm(dim, xs[0]!.shape.length)),
    ints,
  }),
  row<{ dim?: number }>({
    op: '_rnn_param_concat',
    domain: signed,
    cases: [
      { inputs: [[3], [1], [6]], attrs: { dim: 0 } },
      { inputs: [[4]], attrs: { dim: 0 } },
      {
        inputs: [
          [2, 1],
          [2, 3],
        ],
      },
    ],
    formula: (xs, { dim = 1 }) => joined(xs, norm(dim, xs[0]!.shape.length)),
    ints,
  }),
  row<{ axis?: number }>({
    op: 'stack',
    domain: signed,
    cases: [
      { inputs: [[3], [3]] },
      {
        inputs: [
          [2, 3],
          [2, 3],
          [2, 3],
        ],
        attrs: { axis: 1 },
      },
      {
        inputs: [
          [2, 3],
          [2, 3],
        ],
        attrs: { axis: -1 },
      },
      { inputs: [[], []] },
    ],
    formula: (xs, { axis = 0 }) => {
      const a = norm(axis, xs[0]!.shape.length + 1)
      return joined(
        xs.map((x) => reshaped(x, x.shape.toSpliced(a, 0, 1))),
        a,
      )
    },
    ints,
  }),
]
