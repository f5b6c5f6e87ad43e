/** Rows: updates and questions of many arrays at once. */

import { type Arr, build, get, map, sum } from './model.ts'
import { between, type InputSpec, type Row, row, signed } from './row.ts'
import { defaults, type Numbers, type Point, points } from './singleUpdate.ts'
import { square } from './update.ts'

const why = 'updates are not differentiated'
interface Listed {
  readonly [name: string]: number | boolean | readonly number[] | undefined
}

const shapes = [[3], [2, 2]]
const listOf = (kinds: string): InputSpec[] =>
  shapes.flatMap((shape) => [...kinds].map((k) => (k === '+' ? { ...square, shape } : shape)))

/** Results of many weights: all weights, then all states. `lists` name the numbers that lie in lists. */
function many(
  xs: readonly Arr[],
  arity: number,
  update: (arrays: readonly Arr[], weight: number) => readonly Arr[],
): Arr[] {
  const each = Array.from({ length: xs.length / arity }, (_, i) =>
    update(xs.slice(i * arity, (i + 1) * arity), i),
  )
  return [...each.map((r) => r[0]!), ...each.flatMap((r) => r.slice(1))]
}

const pointwise = (point: Point, xs: readonly Arr[], numbers: Numbers): Arr[] => {
  const at0 = xs.map((x) => x.data[0] ?? 0)
  const count = point(at0, { ...defaults, ...numbers }).length
  return Array.from({ length: count }, (_, k) =>
    build(
      xs[0]!.shape,
      (at) =>
        point(
          xs.map((x) => get(x, at)),
          { ...defaults, ...numbers },
        )[k]!,
    ),
  )
}

/** The point on float32 copies, which come last. */
const mixed =
  (point: Point): Point =>
  (xs, n) => {
    const next = point([xs.at(-1)!, xs[1]!, ...xs.slice(2, -1)], n)
    return [...next, next[0]!]
  }

const sgdCases = [
  { rescaleGrad: 0.5, clipGradient: 0.4 },
  { clipGradient: 0.3 },
  { rescaleGrad: 2 },
]
const lists = { lrs: [0.1, 0.2], wds: [0, 0.1] }

/** `multi_sgd…` with its lists as attributes, or `preloaded_multi_sgd…` with two arrays behind. */
const sgdRow = (op: string, kinds: string, point: Point, momentum: boolean): Row => {
  const preloaded = op.startsWith('preloaded')
  const behind: InputSpec[] = preloaded
    ? [lists.lrs, lists.wds].map((values) => ({ shape: [2], values, fixed: true }))
    : []
  return row<Listed>({
    op,
    domain: signed,
    cases: sgdCases.map((a, i) => ({
      inputs: [...listOf(kinds), ...behind],
      attrs: {
        numWeights: 2,
        ...a,
        ...(preloaded ? {} : lists),
        ...(momentum ? { momentum: i * 0.4 } : {}),
      },
    })),
    formula: (xs, a) => {
      const own = preloaded ? xs.slice(0, -2) : xs
      const [lrs, wds] = preloaded ? xs.slice(-2).map((x) => x.data) : [lists.lrs, lists.wds]
      return many(own, kinds.length, (arrays, i) =>
        pointwise(point, arrays, { ...(a as Numbers), lr: lrs![i], wd: wds![i] }),
      )
    },
    order: 0,
    why,
  })
}

const adamwRow = (op: string, kinds: string): Row =>
  row<Listed>({
    op,
    domain: signed,
    cases: [{}, { beta1: 0.8, beta2: 0.95, epsilon: 1e-3 }, { clipGradient: 0.5 }].map((a, i) => ({
      inputs: [...listOf(kinds), { shape: [1], values: [[1, 0.5, 0][i]!], fixed: true }],
      attrs: { numWeights: 2, ...lists, etas: [1, 0.5], ...a },
    })),
    formula: (xs, a) => {
      const factor = xs.at(-1)!.data[0]!
      const point: Point = (v, n) => {
        const full = kinds.length === 5 ? [v[4]!, ...v.slice(1, 4)] : v
        const next = points.adamw([...full, factor], n)
        return kinds.length === 5 ? [...next, next[0]!] : next
      }
      return many(xs.slice(0, -1), kinds.length, (arrays, i) =>
        pointwise(point, arrays, {
          ...(a as Numbers),
          lr: lists.lrs[i],
          wd: lists.wds[i],
          eta: [1, 0.5][i],
        }),
      )
    },
    order: 0,
    why,
  })

const norm = (x: Arr): number => Math.sqrt(sum(x.data.map((v) => v * v)))

const lambRow = (op: string, kinds: string): Row =>
  row<Listed>({
    op,
    domain: signed,
    cases: [
      {},
      { beta1: 0.8, beta2: 0.95, epsilon: 1e-3, clipGradient: 0.5, rescaleGrad: 0.5 },
      { biasCorrection: false, lowerBound: 0.1, upperBound: 1.2 },
    ].map((a) => ({
      inputs: listOf(kinds),
      attrs: { numTensors: 2, learningRates: lists.lrs, wds: lists.wds, stepCount: [1, 3], ...a },
    })),
    formula: (xs, a) =>
      many(xs, kinds.length, (arrays, i) => {
        const { lowerBound = -1, upperBound = -1 } = a as Numbers
        const own = kinds.length === 5 ? [arrays[4]!, ...arrays.slice(1, 4)] : arrays
        const numbers = { ...(a as Numbers), wd: lists.wds[i], t: [1, 3][i] }
        const [direction, ...states] = pointwise(points.lamb, own, numbers)
        const low = lowerBound < 0 ? norm(own[0]!) : Math.max(norm(own[0]!), lowerBound)
        const r1 = upperBound < 0 ? low : Math.min(low, upperBound)
        const r2 = norm(direction!)
        const rate = lists.lrs[i]! * (r1 === 0 || r2 === 0 ? 1 : r1 / r2)
        const next = build(own[0]!.shape, (at) => get(own[0]!, at) - rate * get(direction!, at))
        return kinds.length === 5 ? [next, ...states, next] : [next, ...states]
      }),
    order: 0,
    why,
  })

const one = (v: number): Arr => ({ shape: [1], data: [v] })
const finite = (xs: readonly Arr[]): Arr =>
  one(xs.every((x) => x.data.every(Number.isFinite)) ? 1 : 0)
const withInfinity: InputSpec = { shape: [2], values: [1, Number.POSITIVE_INFINITY], fixed: true }
const withNaN: InputSpec = { shape: [2], values: [Number.NaN, 1], fixed: true }
const float32 = (): 'float32' => 'float32'
const yes = 'the answer is yes or no'

export const multiUpdateRows: readonly Row[] = [
  sgdRow('multi_sgd_update', '..', points.sgd, false),
  sgdRow('multi_sgd_mom_update', '...', points.momentum, true),
  sgdRow('multi_mp_sgd_update', '...', mixed(points.sgd), false),
  sgdRow('multi_mp_sgd_mom_update', '....', mixed(points.momentum), true),
  sgdRow('preloaded_multi_sgd_update', '..', points.sgd, false),
  sgdRow('preloaded_multi_sgd_mom_update', '...', points.momentum, true),
  sgdRow('preloaded_multi_mp_sgd_update', '...', mixed(points.sgd), false),
  sgdRow('preloaded_multi_mp_sgd_mom_update', '....', mixed(points.momentum), true),
  adamwRow('_multi_adamw_update', '...+'),
  adamwRow('_multi_mp_adamw_update', '...+.'),
  lambRow('_multi_lamb_update', '...+'),
  lambRow('_multi_mp_lamb_update', '...+.'),
  row<{ numArrays: number }>({
    op: 'multi_sum_sq',
    domain: signed,
    cases: [
      { inputs: [[3], [2, 2]], attrs: { numArrays: 2 } },
      { inputs: [[4]], attrs: { numArrays: 1 } },
      { inputs: [[1], [2], [2, 1, 3]], attrs: { numArrays: 3 } },
    ],
    formula: (xs) => ({ shape: [xs.length], data: xs.map((x) => sum(x.data.map((v) => v * v))) }),
    result: float32,
    order: 0,
    why: 'the result is float32, whose steps differences in float64 see',
  }),
  row({
    op: 'all_finite',
    domain: signed,
    cases: [{ inputs: [[3]] }, { inputs: [withInfinity] }, { inputs: [withNaN] }],
    formula: finite,
    result: float32,
    order: 0,
    why: yes,
  }),
  row<{ numArrays: number }>({
    op: 'multi_all_finite',
    domain: signed,
    cases: [
      { inputs: [[3], [2, 2]], attrs: { numArrays: 2 } },
      { inputs: [[3], withInfinity], attrs: { numArrays: 2 } },
      { inputs: [withNaN, [3]], attrs: { numArrays: 2 } },
    ],
    formula: finite,
    result: float32,
    order: 0,
    why: yes,
  }),
  row<{ numArrays: number }>({
    op: 'reset_arrays',
    domain: signed,
    cases: [
      { inputs: [[3], [2, 2]], attrs: { numArrays: 2 } },
      { inputs: [[4]], attrs: { numArrays: 1 } },
      { inputs: [[1], [2], [2, 1, 3]], attrs: { numArrays: 3 } },
    ],
    formula: (xs) => xs.map((x) => map(x, () => 0)),
    order: 0,
    why: 'the results are constants',
  }),
  row<{ eta: number; eps: number; rescaleGrad?: number }>({
    op: 'multi_lars',
    domain: between(0.1, 2),
    cases: [
      { inputs: [[3], [3], [3], [3]], attrs: { eta: 0.001, eps: 1e-8 } },
      { inputs: [[4], [4], [4], [4]], attrs: { eta: 0.1, eps: 0, rescaleGrad: 0.5 } },
      {
        inputs: [[2], { shape: [2], values: [0, 1], fixed: true }, [2], [2]],
        attrs: { eta: 0.1, eps: 0 },
      },
    ],
    formula: ([lrs, ws, gs, wds], { eta, eps, rescaleGrad = 1 }) =>
      build(lrs!.shape, (at) => {
        const [lr, w, g, wd] = [
          get(lrs!, at),
          Math.sqrt(get(ws!, at)),
          Math.sqrt(get(gs!, at)) * rescaleGrad,
          get(wds!, at),
        ]
        return w > 0 && g > 0 ? (lr * eta * w) / (g + wd * w + eps) : lr
      }),
    order: 0,
    why,
  }),
]
