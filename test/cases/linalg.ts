/** Rows: linear algebra, against the textbook's formulas on plain arrays. */

import { expect } from 'vitest'
import type { Context } from '../../src/base/context.ts'
import { applyAll } from '../../src/core/apply.ts'
import { withFrame } from '../../src/core/frame.ts'
import { findOp } from '../../src/core/op.ts'
import type { NDArray } from '../../src/ndarray/ndarray.ts'
import { type Arr, build, fold, generator, get, reshaped, sum } from './model.ts'
import { type Row, row, signed } from './row.ts'
import { expectClose, finest, put, takeAll } from './runner.ts'

/** Matrices in the last two axes, one at a time. */
function each(x: Arr, f: (m: Arr) => Arr): Arr {
  const [m, n] = x.shape.slice(-2) as [number, number]
  const batch = x.shape.slice(0, -2)
  const count = m * n === 0 ? 0 : x.data.length / (m * n)
  const parts = Array.from({ length: count }, (_, b) =>
    f({ shape: [m, n], data: x.data.slice(b * m * n, (b + 1) * m * n) }),
  )
  return { shape: [...batch, ...(parts[0]?.shape ?? [m, n])], data: parts.flatMap((p) => p.data) }
}

const turn = (x: Arr): Arr =>
  each(x, (m) => build([m.shape[1]!, m.shape[0]!], ([i, j]) => get(m, [j!, i!])))

function times(a: Arr, b: Arr): Arr {
  const [m, k] = a.shape.slice(-2) as [number, number]
  const n = b.shape.at(-1)!
  if (b.shape.at(-2) !== k || a.shape.slice(0, -2).join() !== b.shape.slice(0, -2).join())
    throw new Error('shapes do not fit')
  return build([...a.shape.slice(0, -2), m, n], (at) => {
    const [i, j] = at.slice(-2) as [number, number]
    const batch = at.slice(0, -2)
    return sum(
      Array.from({ length: k }, (_, q) => get(a, [...batch, i, q]) * get(b, [...batch, q, j])),
    )
  })
}

const scale = (x: Arr, by: number): Arr => ({ shape: x.shape, data: x.data.map((v) => v * by) })
const tri = (x: Arr, lower: boolean): Arr =>
  build(x.shape, (at) => {
    const [i, j] = at.slice(-2) as [number, number]
    return (lower ? j <= i : j >= i) ? get(x, at) : 0
  })

/** The determinant by its first row. */
function determinant(m: Arr): number {
  const n = m.shape[0]!
  if (n === 0) return 1
  return sum(
    Array.from(
      { length: n },
      (_, j) => (j % 2 === 0 ? 1 : -1) * get(m, [0, j]) * determinant(minor(m, 0, j)),
    ),
  )
}
const minor = (m: Arr, row: number, column: number): Arr => {
  const n = m.shape[0]!
  return build([n - 1, n - 1], ([i, j]) =>
    get(m, [i! + (i! >= row ? 1 : 0), j! + (j! >= column ? 1 : 0)]),
  )
}
const invert = (m: Arr): Arr =>
  build(
    m.shape,
    ([i, j]) => ((i! + j!) % 2 === 0 ? 1 : -1) * (determinant(minor(m, j!, i!)) / determinant(m)),
  )

function cholesky(m: Arr): Arr {
  const n = m.shape[0]!
  const l: number[][] = Array.from({ length: n }, () => new Array<number>(n).fill(0))
  for (let i = 0; i < n; i++)
    for (let j = 0; j <= i; j++) {
      const rest = get(m, [i, j]) - sum(Array.from({ length: j }, (_, k) => l[i]![k]! * l[j]![k]!))
      l[i]![j] = i === j ? Math.sqrt(rest) : rest / l[j]![j]!
    }
  return build(m.shape, ([i, j]) => l[i!]![j!]!)
}

/** Values of B·Bᵀ + n·I for drawn B. */
function positive(
  shape: readonly number[],
  seed: number,
): { shape: readonly number[]; values: number[] } {
  const random = generator(seed)
  const b = build(shape, () => signed(random()))
  const a = times(b, turn(b))
  const n = shape.at(-1)!
  const data = build(shape, (at) => get(a, at) + (at.at(-1) === at.at(-2) ? n : 0)).data
  return { shape, values: [...data] }
}
/** Matrices that are far from singular. */
const firm = (shape: readonly number[], seed: number) => {
  const random = generator(seed)
  const data = build(shape, (at) => signed(random()) + (at.at(-1) === at.at(-2) ? 4 : 0)).data
  return { shape, values: [...data] }
}

type Flags = { transpose?: boolean; rightside?: boolean; lower?: boolean; alpha?: number }
const op = (a: Arr, { transpose, lower = true }: Flags): Arr => {
  const t = tri(a, lower)
  return transpose ? turn(t) : t
}

type Gemm = {
  transposeA?: boolean
  transposeB?: boolean
  alpha?: number
  beta?: number
  axis?: number
}
const gemm = (a: Arr, b: Arr, { transposeA, transposeB, alpha = 1 }: Gemm): Arr =>
  scale(times(transposeA ? turn(a) : a, transposeB ? turn(b) : b), alpha)

const packed = (n: number, offset: number, lower: boolean): [number, number][] => {
  const m = n - Math.abs(offset)
  const below = offset === 0 ? lower : offset < 0
  const out: [number, number][] = []
  for (let i = 0; i < m; i++)
    for (let j = 0; j <= i; j++)
      out.push(below ? [i + Math.abs(offset), j] : [j, i + Math.abs(offset)])
  return out
}
type Tri = { offset?: number; lower?: boolean }

const run = (name: string, x: NDArray, context: Context): Promise<Arr[]> =>
  takeAll(withFrame({ context }, () => applyAll(findOp(name)!, [x]) as NDArray[]))
const square =
  'the gradient is that of symmetric matrices, which single elements are not; golden vectors have it'

export const linalgRows: readonly Row[] = [
  row<Gemm>({
    op: '_linalg_gemm',
    domain: signed,
    cases: [
      {
        inputs: [
          [2, 3],
          [3, 4],
          [2, 4],
        ],
      },
      {
        inputs: [
          [3, 2],
          [4, 3],
          [2, 4],
        ],
        attrs: { transposeA: true, transposeB: true, alpha: 0.5, beta: -2 },
      },
      {
        inputs: [
          [2, 2, 3],
          [2, 3, 2],
          [2, 2, 2],
        ],
        attrs: { beta: 0.25 },
      },
    ],
    formula: ([a, b, c], attrs) => {
      const y = gemm(a!, b!, attrs)
      return build(y.shape, (at) => get(y, at) + (attrs.beta ?? 1) * get(c!, at))
    },
    halfUnits: 8,
  }),
  row<Gemm>({
    op: '_linalg_gemm2',
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
        attrs: { transposeA: true, transposeB: true, alpha: 0.5 },
      },
      {
        inputs: [
          [2, 1, 2, 3],
          [2, 1, 4, 3],
        ],
        attrs: { transposeB: true },
      },
    ],
    formula: ([a, b], attrs) => gemm(a!, b!, attrs),
    halfUnits: 8,
  }),
  row<Flags>({
    op: '_linalg_trmm',
    domain: signed,
    cases: [
      {
        inputs: [
          [3, 3],
          [3, 2],
        ],
      },
      {
        inputs: [
          [3, 3],
          [2, 3],
        ],
        attrs: { rightside: true, transpose: true, alpha: 0.5 },
      },
      {
        inputs: [
          [2, 2, 2],
          [2, 2, 3],
        ],
        attrs: { lower: false },
      },
    ],
    formula: ([a, b], attrs) =>
      scale(
        attrs.rightside ? times(b!, op(a!, attrs)) : times(op(a!, attrs), b!),
        attrs.alpha ?? 1,
      ),
    halfUnits: 8,
  }),
  row<Flags>({
    op: '_linalg_trsm',
    domain: signed,
    cases: [
      { inputs: [firm([3, 3], 1), [3, 2]] },
      {
        inputs: [firm([3, 3], 2), [2, 3]],
        attrs: { rightside: true, transpose: true, alpha: 0.5 },
      },
      { inputs: [firm([2, 2, 2], 3), [2, 2, 3]], attrs: { lower: false } },
      { inputs: [firm([2, 2], 4), [3, 2]], attrs: { lower: false, rightside: true } },
      { inputs: [firm([2, 2], 5), [2, 3]], attrs: { transpose: true } },
    ],
    formula: ([a, b], attrs) => {
      const inverse = each(op(a!, attrs), invert)
      return scale(attrs.rightside ? times(b!, inverse) : times(inverse, b!), attrs.alpha ?? 1)
    },
    halfUnits: 8,
  }),
  row<Flags>({
    op: '_linalg_syrk',
    domain: signed,
    cases: [
      { inputs: [[2, 3]] },
      { inputs: [[2, 3]], attrs: { transpose: true, alpha: -1.5 } },
      { inputs: [[2, 1, 3]] },
    ],
    formula: ([a], { transpose, alpha = 1 }) =>
      scale(transpose ? times(turn(a!), a!) : times(a!, turn(a!)), alpha),
    halfUnits: 8,
  }),
  row<{ lower?: boolean }>({
    op: '_linalg_potrf',
    cases: [
      { inputs: [positive([3, 3], 1)] },
      { inputs: [positive([2, 2, 2], 2)], attrs: { lower: false } },
      { inputs: [positive([1, 1], 3)] },
    ],
    formula: ([a], { lower = true }) => {
      const l = each(a!, cholesky)
      return lower ? l : turn(l)
    },
    order: 0,
    why: square,
    halfUnits: 8,
  }),
  row<{ lower?: boolean }>({
    op: '_linalg_potri',
    cases: [
      { inputs: [firm([3, 3], 1)] },
      { inputs: [firm([2, 2, 2], 2)], attrs: { lower: false } },
      { inputs: [firm([1, 1], 3)] },
    ],
    formula: ([a], { lower = true }) => {
      const l = tri(a!, lower)
      return each(lower ? times(l, turn(l)) : times(turn(l), l), invert)
    },
    halfUnits: 8,
  }),
  row({
    op: '_linalg_inverse',
    cases: [
      { inputs: [firm([3, 3], 1)] },
      { inputs: [firm([2, 1, 2, 2], 2)] },
      { inputs: [firm([1, 1], 3)] },
    ],
    formula: ([a]) => each(a!, invert),
    tol64: 1e-11,
    halfUnits: 8,
  }),
  row({
    op: '_linalg_det',
    domain: signed,
    cases: [{ inputs: [firm([3, 3], 1)] }, { inputs: [[2, 1, 2, 2]] }, { inputs: [[1, 1]] }],
    formula: ([a]) =>
      reshaped(
        each(a!, (m) => ({ shape: [1, 1], data: [determinant(m)] })),
        a!.shape.slice(0, -2),
      ),
    tol64: 1e-11,
    halfUnits: 16,
  }),
  row({
    op: '_linalg_slogdet',
    domain: signed,
    cases: [{ inputs: [firm([3, 3], 1)] }, { inputs: [[2, 1, 2, 2]] }, { inputs: [[1, 1]] }],
    formula: ([a]) => {
      const d = a!.shape.slice(0, -2)
      const of = (f: (x: number) => number): Arr =>
        reshaped(
          each(a!, (m) => ({ shape: [1, 1], data: [f(determinant(m))] })),
          d,
        )
      return [of(Math.sign), of((x) => Math.log(Math.abs(x)))]
    },
    tol64: 1e-11,
    halfUnits: 16,
  }),
  row({
    op: '_linalg_sumlogdiag',
    cases: [
      { inputs: [firm([3, 3], 1)] },
      { inputs: [firm([2, 1, 2, 2], 2)] },
      { inputs: [firm([1, 1], 3)] },
    ],
    formula: ([a]) => {
      const n = a!.shape.at(-1)!
      if (a!.shape.at(-2) !== n) throw new Error('square matrices')
      const diagonal = build([...a!.shape.slice(0, -2), n], (at) => get(a!, [...at, at.at(-1)!]))
      return fold(diagonal, [diagonal.shape.length - 1], false, (line) => sum(line.map(Math.log)))
    },
  }),
  row<Tri>({
    op: '_linalg_extractdiag',
    domain: signed,
    cases: [
      { inputs: [[3, 3]] },
      { inputs: [[2, 3, 3]], attrs: { offset: 1 } },
      { inputs: [[4, 4]], attrs: { offset: -2 } },
    ],
    formula: ([a], { offset = 0 }) =>
      build([...a!.shape.slice(0, -2), Math.max(0, a!.shape.at(-1)! - Math.abs(offset))], (at) => {
        const k = at.at(-1)!
        return get(a!, [...at.slice(0, -1), k + Math.max(0, -offset), k + Math.max(0, offset)])
      }),
    ints: { dtypes: ['int32', 'int64', 'uint8'] },
  }),
  row<Tri>({
    op: '_linalg_makediag',
    domain: signed,
    cases: [
      { inputs: [[3]] },
      { inputs: [[2, 3]], attrs: { offset: 1 } },
      { inputs: [[2]], attrs: { offset: -2 } },
    ],
    formula: ([a], { offset = 0 }) => {
      const n = a!.shape.at(-1)! + Math.abs(offset)
      return build([...a!.shape.slice(0, -1), n, n], (at) => {
        const [i, j] = at.slice(-2) as [number, number]
        return j - i === offset ? get(a!, [...at.slice(0, -2), Math.min(i, j)]) : 0
      })
    },
    ints: { dtypes: ['int32', 'int64', 'uint8'] },
  }),
  row<Tri>({
    op: '_linalg_extracttrian',
    domain: signed,
    cases: [
      { inputs: [[3, 3]] },
      { inputs: [[2, 3, 3]], attrs: { lower: false } },
      { inputs: [[4, 4]], attrs: { offset: -1 } },
      { inputs: [[4, 4]], attrs: { offset: 2 } },
    ],
    formula: ([a], { offset = 0, lower = true }) => {
      const places = packed(a!.shape.at(-1)!, offset, lower)
      return build([...a!.shape.slice(0, -2), places.length], (at) =>
        get(a!, [...at.slice(0, -1), ...places[at.at(-1)!]!]),
      )
    },
  }),
  row<Tri>({
    op: '_linalg_maketrian',
    domain: signed,
    cases: [
      { inputs: [[6]] },
      { inputs: [[2, 3]], attrs: { lower: false } },
      { inputs: [[3]], attrs: { offset: -1 } },
      { inputs: [[1]], attrs: { offset: 2 } },
    ],
    formula: ([a], { offset = 0, lower = true }) => {
      const m = (Math.sqrt(8 * a!.shape.at(-1)! + 1) - 1) / 2
      const n = m + Math.abs(offset)
      const places = packed(n, offset, lower).map((p) => p.join())
      return build([...a!.shape.slice(0, -1), n, n], (at) => {
        const k = places.indexOf(at.slice(-2).join())
        return k < 0 ? 0 : get(a!, [...at.slice(0, -2), k])
      })
    },
  }),
  row({
    op: '_linalg_gelqf',
    cases: [{ inputs: [[2, 3]] }],
    statistics: async (context) => {
      const [dtype, near] = finest(context)
      for (const shape of [
        [2, 3],
        [2, 3, 3],
        [1, 5],
      ]) {
        const random = generator(shape.length)
        const a = build(shape, () => signed(random()))
        const [q, l] = (await run('linalg_gelqf', put(a, dtype, context), context)) as [Arr, Arr]
        const m = shape.at(-2)!
        expectClose(times(l, q), a, near, 'L·Q')
        const unit = build([...shape.slice(0, -2), m, m], (at) => (at.at(-1) === at.at(-2) ? 1 : 0))
        expectClose(times(q, turn(q)), unit, near, 'Q·Qᵀ')
        expectClose(tri(l, true), l, 0, 'L')
      }
    },
    order: 0,
    why: 'checked by what it promises; golden vectors have the gradient',
  }),
  row({
    op: '_linalg_syevd',
    cases: [{ inputs: [[3, 3]] }],
    statistics: async (context) => {
      const [dtype, near] = finest(context)
      for (const shape of [
        [3, 3],
        [2, 4, 4],
        [1, 1],
        [12, 12],
      ]) {
        const a = { shape, data: positive(shape, shape.length).values }
        const [u, values] = (await run('linalg_syevd', put(a, dtype, context), context)) as [
          Arr,
          Arr,
        ]
        const n = shape.at(-1)!
        const diagonal = build(shape, (at) =>
          at.at(-1) === at.at(-2) ? get(values, at.slice(0, -1)) : 0,
        )
        expectClose(times(times(turn(u), diagonal), u), a, near, 'Uᵀ·diag·U')
        const unit = build(shape, (at) => (at.at(-1) === at.at(-2) ? 1 : 0))
        expectClose(times(u, turn(u)), unit, near, 'U·Uᵀ')
        for (let i = 0; i < values.data.length; i++)
          if (i % n > 0) expect(values.data[i]!).toBeGreaterThanOrEqual(values.data[i - 1]!)
      }
    },
    order: 0,
    why: 'checked by what it promises; golden vectors have the gradient',
  }),
]
