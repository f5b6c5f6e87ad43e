/** Rows: operators on coordinates, layouts, margins and windows. */

import { type Arr, build, get, points, reshaped, sizeOf, sliceRange, sum } from './model.ts'
import { type Row, row, signed } from './row.ts'

const indices = (shape: readonly number[], values: readonly number[]) => ({
  shape,
  values,
  fixed: true,
})
const inside = (v: number, n: number): number => Math.min(Math.max(v < 0 ? v + n : v, 0), n - 1)

/** The coordinates that column `at` of an index array names in the first axes of a shape. */
const named = (i: Arr, at: readonly number[], shape: readonly number[]): number[] =>
  Array.from({ length: i.shape[0]! }, (_, m) => inside(Math.trunc(get(i, [m, ...at])), shape[m]!))

type Window = { kernel: number[]; stride?: number[]; dilate?: number[]; pad?: number[] }
/** For every window and element of it, where it stands in x; null in the padding. */
function windows(sizes: readonly number[], { kernel, stride = [], dilate = [], pad = [] }: Window) {
  const count = sizes.map(
    (d, i) =>
      Math.floor(
        (d + 2 * (pad[i] ?? 0) - (dilate[i] ?? 1) * (kernel[i]! - 1) - 1) / (stride[i] ?? 1),
      ) + 1,
  )
  const place = (k: readonly number[], o: readonly number[]): number[] | null => {
    const at = sizes.map(
      (_, i) => o[i]! * (stride[i] ?? 1) + k[i]! * (dilate[i] ?? 1) - (pad[i] ?? 0),
    )
    return at.every((v, i) => v >= 0 && v < sizes[i]!) ? at : null
  }
  return { count, place }
}

type Box = { begin: (number | null)[]; end: (number | null)[]; step?: (number | null)[] }
/** An array with the elements of a box replaced by `value` of their place in it. */
function boxed(x: Arr, { begin, end, step = [] }: Box, value: (at: number[]) => number): Arr {
  const lists = x.shape.map((d, i) =>
    sliceRange(d, begin[i] ?? null, end[i] ?? null, step[i] ?? null),
  )
  return build(x.shape, (at) => {
    const place = at.map((v, i) => lists[i]!.indexOf(v))
    return place.includes(-1) ? get(x, at) : value(place)
  })
}

export const placesRows: readonly Row[] = [
  row({
    op: 'gather_nd',
    domain: signed,
    cases: [
      { inputs: [[3, 4], indices([2, 3], [0, 2, 2, 1, 3, 3])] },
      { inputs: [[2, 3, 2], indices([1, 2, 2], [0, 1, -1, 5])] },
      { inputs: [[2, 3, 2], { ...indices([3, 2], [0, 1, 2, -3, 1, 0]), dtype: 'int32' }] },
    ],
    formula: ([x, i]) => {
      const m = i!.shape[0]!
      const rank = i!.shape.length - 1
      if (m < 1 || m > x!.shape.length) throw new Error('too many axes')
      return build([...i!.shape.slice(1), ...x!.shape.slice(m)], (at) =>
        get(x!, [...named(i!, at.slice(0, rank), x!.shape), ...at.slice(rank)]),
      )
    },
    ints: { dtypes: ['int32', 'int64', 'uint8'] },
  }),
  row<{ shape: number[] }>({
    op: 'scatter_nd',
    domain: signed,
    cases: [
      { inputs: [[2, 4], indices([1, 2], [2, 0])], attrs: { shape: [3, 4] } },
      { inputs: [[2], indices([3, 2], [0, 1, 2, 0, 1, 1])], attrs: { shape: [2, 3, 2] } },
      { inputs: [[4], indices([1, 4], [1, 0, 1, -1])], attrs: { shape: [3] } },
    ],
    formula: ([x, i], { shape }) => {
      const out = new Map<string, number>()
      const m = i!.shape[0]!
      for (const at of points(x!.shape)) {
        const rank = i!.shape.length - 1
        out.set([...named(i!, at.slice(0, rank), shape), ...at.slice(rank)].join(), get(x!, at))
      }
      if (x!.shape.length !== i!.shape.length - 1 + shape.length - m) throw new Error('shapes')
      return build(shape, (at) => out.get(at.join()) ?? 0)
    },
    ints: { dtypes: ['int32', 'int64'] },
  }),
  row({
    op: '_scatter_set_nd',
    domain: signed,
    cases: [
      { inputs: [[3, 4], [2], indices([2, 2], [0, 2, 1, 3])] },
      { inputs: [[3, 2], [2, 2], indices([1, 2], [2, 0])] },
      { inputs: [[4], [3], indices([1, 3], [1, 1, -1])] },
    ],
    formula: ([x, v, i]) => {
      const out = new Map<string, number>()
      const rank = i!.shape.length - 1
      for (const at of points(v!.shape))
        out.set([...named(i!, at.slice(0, rank), x!.shape), ...at.slice(rank)].join(), get(v!, at))
      return build(x!.shape, (at) => out.get(at.join()) ?? get(x!, at))
    },
  }),
  row<{ shape: number[] }>({
    op: '_ravel_multi_index',
    cases: [
      { inputs: [indices([2, 3], [0, 1, 2, 3, 0, 1])], attrs: { shape: [3, 4] } },
      { inputs: [indices([2, 2], [5, 1, 2, 0])], attrs: { shape: [-1, 4] } },
      { inputs: [{ ...indices([3, 1], [1, 2, 3]), dtype: 'int64' }], attrs: { shape: [2, 3, 4] } },
    ],
    formula: ([x], { shape }) => {
      if (x!.shape[0] !== shape.length) throw new Error('axes')
      return build(x!.shape.slice(1), (at) =>
        shape.reduce((s, d, m) => s * Math.abs(d) + get(x!, [m, ...at]), 0),
      )
    },
    result: (_d, { shape }) => (shape.length === 3 ? 'int64' : _d),
    order: 0,
    why: 'its input is positions',
    halfUnits: 4,
  }),
  row<{ shape: number[] }>({
    op: '_unravel_index',
    cases: [
      { inputs: [indices([3], [0, 5, 11])], attrs: { shape: [3, 4] } },
      { inputs: [indices([2, 2], [22, 9, 1, 0])], attrs: { shape: [-1, 4] } },
      { inputs: [{ ...indices([1], [23]), dtype: 'int64' }], attrs: { shape: [2, 3, 4] } },
    ],
    formula: ([x], { shape }) =>
      build([shape.length, ...x!.shape], ([m, ...at]) => {
        const below = shape.slice(m! + 1).reduce((a, b) => a * Math.abs(b), 1)
        const v = Math.floor(get(x!, at) / below)
        return m === 0 ? v : v % shape[m!]!
      }),
    result: (_d, { shape }) => (shape.length === 3 ? 'int64' : _d),
    order: 0,
    why: 'its input is positions',
  }),
  row({
    op: 'fill_element_0index',
    domain: signed,
    cases: [
      { inputs: [[2, 3], [2], indices([2], [0, 2])] },
      { inputs: [[3, 2], [3], indices([3], [1, 5, 0])] },
      { inputs: [[1, 1], [1], { ...indices([1], [0]), dtype: 'int32' }] },
    ],
    formula: ([x, v, i]) => {
      if (v!.shape.join() !== i!.shape.join() || v!.shape[0] !== x!.shape[0])
        throw new Error('shapes')
      return build(x!.shape, (at) =>
        get(i!, [at[0]!]) === at[1] ? get(v!, [at[0]!]) : get(x!, at),
      )
    },
  }),
  row({
    op: '_contrib_index_copy',
    domain: signed,
    cases: [
      { inputs: [[5, 3], indices([3], [0, 4, 2]), [3, 3]] },
      { inputs: [[4], indices([2], [1, 1]), [2]] },
      { inputs: [[3, 2, 2], { ...indices([1], [2]), dtype: 'int64' }, [1, 2, 2]] },
    ],
    formula: ([x, i, v]) => {
      const last = new Map<number, number>()
      i!.data.forEach((at, k) => {
        last.set(inside(Math.max(at, 0), x!.shape[0]!), k)
      })
      if (v!.shape[0] !== i!.data.length) throw new Error('shapes')
      return build(x!.shape, ([r, ...at]) =>
        last.has(r!) ? get(v!, [last.get(r!)!, ...at]) : get(x!, [r!, ...at]),
      )
    },
  }),
  row<{ axes?: number[] }>({
    op: '_contrib_index_array',
    cases: [{ inputs: [[2, 3]] }, { inputs: [[2, 3]], attrs: { axes: [-1] } }, { inputs: [[4]] }],
    formula: ([x], { axes }) => {
      const rank = x!.shape.length
      const list = (axes ?? x!.shape.map((_, i) => i)).map((a) => (a < 0 ? a + rank : a))
      return build([...x!.shape, list.length], (at) => at[list[at.at(-1)!]!]!)
    },
    result: () => 'int64',
    order: 0,
    why: 'coordinates do not depend on values',
  }),
  row<{ start?: number; step?: number; repeat?: number; axis?: number | null }>({
    op: '_contrib_arange_like',
    cases: [
      { inputs: [[2, 3]] },
      { inputs: [[2, 3]], attrs: { axis: -1, start: 2 } },
      { inputs: [[2, 3]], attrs: { start: 1, step: 0.5, repeat: 2 } },
    ],
    formula: ([x], { start = 0, step = 1, repeat = 1, axis = null }) => {
      const shape = axis === null ? x!.shape : [x!.shape.at(axis)!]
      const data = Array.from(
        { length: sizeOf(shape) },
        (_, i) => start + step * Math.floor(i / repeat),
      )
      return { shape, data }
    },
    order: 0,
    why: 'the numbers do not depend on values',
  }),
  row<Box>({
    op: '_slice_assign',
    domain: signed,
    cases: [
      {
        inputs: [
          [4, 5],
          [2, 2],
        ],
        attrs: { begin: [0, 4], end: [4, 0], step: [2, -2] },
      },
      { inputs: [[4], [2]], attrs: { begin: [1], end: [3] } },
      {
        inputs: [
          [2, 3],
          [1, 3],
        ],
        attrs: { begin: [-1], end: [null] },
      },
    ],
    formula: ([x, v], attrs) => boxed(x!, attrs, (at) => get(v!, at)),
    ints: { dtypes: ['int32', 'uint8'] },
  }),
  row<Box & { scalar: number }>({
    op: '_slice_assign_scalar',
    domain: signed,
    cases: [
      { inputs: [[4, 5]], attrs: { scalar: 2, begin: [1, 0], end: [3, 3] } },
      { inputs: [[4]], attrs: { scalar: -1, begin: [null], end: [null], step: [2] } },
      { inputs: [[2, 3]], attrs: { scalar: 0, begin: [1], end: [2] } },
    ],
    formula: ([x], attrs) => boxed(x!, attrs, () => attrs.scalar),
  }),
  row<{ blockSize: number }>({
    op: 'depth_to_space',
    domain: signed,
    cases: [
      { inputs: [[2, 4, 1, 2]], attrs: { blockSize: 2 } },
      { inputs: [[1, 8, 2, 2]], attrs: { blockSize: 2 } },
      { inputs: [[1, 9, 1, 1]], attrs: { blockSize: 3 } },
    ],
    formula: ([x], { blockSize: b }) => {
      const [n, c, h, w] = x!.shape as [number, number, number, number]
      const d = c / (b * b)
      return build([n, d, h * b, w * b], ([i, k, y, z]) =>
        get(x!, [i!, ((y! % b) * b + (z! % b)) * d + k!, Math.floor(y! / b), Math.floor(z! / b)]),
      )
    },
    ints: { dtypes: ['int32', 'uint8'] },
  }),
  row<{ blockSize: number }>({
    op: 'space_to_depth',
    domain: signed,
    cases: [
      { inputs: [[2, 1, 2, 4]], attrs: { blockSize: 2 } },
      { inputs: [[1, 2, 4, 4]], attrs: { blockSize: 2 } },
      { inputs: [[1, 1, 3, 3]], attrs: { blockSize: 3 } },
    ],
    formula: ([x], { blockSize: b }) => {
      const [n, c, h, w] = x!.shape as [number, number, number, number]
      return build([n, c * b * b, h / b, w / b], ([i, k, y, z]) => {
        const block = Math.floor(k! / c)
        return get(x!, [i!, k! % c, y! * b + Math.floor(block / b), z! * b + (block % b)])
      })
    },
    ints: { dtypes: ['int32', 'uint8'] },
  }),
  row<{ k?: number; axis1?: number; axis2?: number }>({
    op: 'diag',
    domain: signed,
    cases: [
      { inputs: [[3]], attrs: { k: 1 } },
      { inputs: [[3]], attrs: { k: -2 } },
      { inputs: [[4, 3]] },
      { inputs: [[3, 2, 3]], attrs: { axis1: 0, axis2: -1, k: 1 } },
      { inputs: [[4, 3]], attrs: { k: 7 } },
    ],
    formula: ([x], { k = 0, axis1 = 0, axis2 = 1 }) => {
      const { shape } = x!
      if (shape.length === 1) {
        const n = shape[0]! + Math.abs(k)
        return build([n, n], ([i, j]) => (j! - i! === k ? get(x!, [Math.min(i!, j!)]) : 0))
      }
      const [a, b] = [axis1, axis2].map((v) => (v < 0 ? v + shape.length : v)) as [number, number]
      const others = shape.map((_, i) => i).filter((i) => i !== a && i !== b)
      const count = Math.max(0, Math.min(shape[a]! - Math.max(0, -k), shape[b]! - Math.max(0, k)))
      return build([...others.map((i) => shape[i]!), count], (at) => {
        const from = new Array<number>(shape.length).fill(0)
        others.forEach((axis, i) => {
          from[axis] = at[i]!
        })
        from[a] = at.at(-1)! + Math.max(0, -k)
        from[b] = at.at(-1)! + Math.max(0, k)
        return get(x!, from)
      })
    },
    ints: { dtypes: ['int32', 'uint8'] },
  }),
  row({
    op: 'khatri_rao',
    domain: signed,
    cases: [
      {
        inputs: [
          [2, 2],
          [3, 2],
          [1, 2],
        ],
      },
      {
        inputs: [
          [2, 3],
          [4, 3],
        ],
      },
      { inputs: [[2, 3]] },
    ],
    formula: (xs) => {
      if (xs.some((x) => x.shape[1] !== xs[0]!.shape[1] || x.shape.length !== 2))
        throw new Error('columns')
      return xs.reduce((a, b) => {
        const n = b.shape[0]!
        return build(
          [a.shape[0]! * n, a.shape[1]!],
          ([i, k]) => get(a, [Math.floor(i! / n), k!]) * get(b, [i! % n, k!]),
        )
      })
    },
  }),
  row<{ offset?: number[]; hW?: number[]; centerCrop?: boolean }>({
    op: 'Crop',
    domain: signed,
    cases: [
      { inputs: [[1, 2, 5, 6], { shape: [1, 1, 3, 2], fixed: true }], attrs: { centerCrop: true } },
      { inputs: [[1, 1, 6, 5]], attrs: { hW: [3, 2], centerCrop: true } },
      { inputs: [[2, 1, 4, 4]], attrs: { hW: [2, 3], offset: [1, 1] } },
    ],
    formula: ([x, like], { offset = [0, 0], hW = [0, 0], centerCrop }) => {
      const [n, c, h, w] = x!.shape as [number, number, number, number]
      const size = like ? like.shape.slice(2) : hW
      const [top, left] = centerCrop
        ? [Math.floor((h - size[0]!) / 2), Math.floor((w - size[1]!) / 2)]
        : offset
      return build([n, c, ...size], ([i, k, y, z]) => get(x!, [i!, k!, y! + top!, z! + left!]))
    },
  }),
  row<{ indices?: number[]; sections?: number; axis?: number; squeezeAxis?: boolean }>({
    op: '_split_v2',
    domain: signed,
    cases: [
      { inputs: [[2, 6]], attrs: { indices: [0, 2, 3] } },
      { inputs: [[3, 2]], attrs: { indices: [0, 1, 2], axis: 0, squeezeAxis: true } },
      { inputs: [[6, 2]], attrs: { sections: 3, axis: 0 } },
    ],
    formula: ([x], { indices: cuts = [], sections = 0, axis = 1, squeezeAxis }) => {
      const n = x!.shape[axis]!
      const list =
        sections > 0 ? Array.from({ length: sections }, (_, i) => (i * n) / sections) : cuts
      return list.map((from, i) => {
        const count = Math.max(0, Math.min(list[i + 1] ?? n, n) - Math.min(from, n))
        const part = build(x!.shape.with(axis, count), (at) =>
          get(x!, at.with(axis, at[axis]! + from)),
        )
        return squeezeAxis ? reshaped(part, x!.shape.toSpliced(axis, 1)) : part
      })
    },
  }),
  row<{ mode: string; padWidth: number[]; constantValue?: number }>({
    op: 'Pad',
    domain: signed,
    cases: [
      { inputs: [[1, 2, 3, 4]], attrs: { mode: 'edge', padWidth: [0, 0, 0, 0, 2, 1, 1, 3] } },
      {
        inputs: [[2, 1, 2, 2]],
        attrs: { mode: 'constant', padWidth: [0, 0, 0, 0, 1, 1, 0, 2], constantValue: 1.5 },
      },
      { inputs: [[1, 1, 3, 3]], attrs: { mode: 'reflect', padWidth: [0, 0, 0, 0, 2, 1, 0, 2] } },
      { inputs: [[2, 3]], attrs: { mode: 'constant', padWidth: [1, 0, 0, 2] } },
    ],
    formula: ([x], { mode, padWidth, constantValue = 0 }) =>
      build(
        x!.shape.map((d, i) => d + padWidth[2 * i]! + padWidth[2 * i + 1]!),
        (at) => {
          const from = at.map((v, i) => {
            const [p, n] = [v - padWidth[2 * i]!, x!.shape[i]!]
            if (mode === 'edge') return Math.min(Math.max(p, 0), n - 1)
            if (mode === 'reflect') return p < 0 ? -p : p >= n ? 2 * (n - 1) - p : p
            return p
          })
          return from.every((v, i) => v >= 0 && v < x!.shape[i]!) ? get(x!, from) : constantValue
        },
      ),
  }),
  row<Window>({
    op: 'im2col',
    domain: signed,
    cases: [
      { inputs: [[2, 1, 4, 4]], attrs: { kernel: [3, 3], pad: [1, 1], stride: [2, 2] } },
      { inputs: [[1, 2, 3, 3]], attrs: { kernel: [2, 2], pad: [0, 1] } },
      { inputs: [[1, 2, 6]], attrs: { kernel: [2], dilate: [2] } },
    ],
    formula: ([x], attrs) => {
      const { count, place } = windows(x!.shape.slice(2), attrs)
      const [n, c] = x!.shape as [number, number]
      const ks = [...points(attrs.kernel)]
      const os = [...points(count)]
      return build([n, c * ks.length, os.length], ([i, q, l]) => {
        const at = place(ks[q! % ks.length]!, os[l!]!)
        return at === null ? 0 : get(x!, [i!, Math.floor(q! / ks.length), ...at])
      })
    },
  }),
  row<Window & { outputSize: number[] }>({
    op: 'col2im',
    domain: signed,
    cases: [
      {
        inputs: [[1, 9, 4]],
        attrs: { outputSize: [4, 4], kernel: [3, 3], pad: [1, 1], stride: [2, 2] },
      },
      { inputs: [[2, 8, 6]], attrs: { outputSize: [3, 4], kernel: [2, 2] } },
      { inputs: [[1, 4, 4]], attrs: { outputSize: [6], kernel: [2], dilate: [2] } },
    ],
    formula: ([x], attrs) => {
      const { count, place } = windows(attrs.outputSize, attrs)
      const ks = [...points(attrs.kernel)]
      const os = [...points(count)]
      const c = x!.shape[1]! / ks.length
      if (x!.shape[2] !== os.length || !Number.isInteger(c)) throw new Error('columns')
      return build([x!.shape[0]!, c, ...attrs.outputSize], ([n, k, ...at]) =>
        sum(
          ks.flatMap((kk, q) =>
            os.map((o, l) =>
              place(kk, o)?.join() === at.join() ? get(x!, [n!, k! * ks.length + q, l]) : 0,
            ),
          ),
        ),
      )
    },
  }),
]
