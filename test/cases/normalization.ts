/** Rows: normalizations. */

import { type Arr, build, fold, get, map, reshaped, sum, zip } from './model.ts'
import { positive, type Row, row, signed } from './row.ts'

const mean = (xs: readonly number[]): number => sum(xs) / xs.length
const variance = (xs: readonly number[]): number => mean(xs.map((x) => (x - mean(xs)) ** 2))
const others = (x: Arr, ...axes: readonly number[]): number[] =>
  x.shape.flatMap((_, i) => (axes.includes(i) ? [] : [i]))
const flat = (x: Arr): Arr => reshaped(x, [x.data.length])
/** One number a channel, along an axis. */
const along = (x: Arr, rank: number, axis: number): Arr =>
  reshaped(
    x,
    Array.from({ length: rank }, (_, i) => (i === axis ? x.data.length : 1)),
  )

interface Batch {
  eps?: number
  momentum?: number
  fixGamma?: boolean
  useGlobalStats?: boolean
  axis?: number
  training?: boolean
}

const fixed = (n: number) => [
  { shape: [n], fixed: true },
  { shape: [n], fixed: true, from: positive },
]

function batchNorm([x, gamma, beta, movingMean, movingVar]: readonly Arr[], attrs: Batch): Arr[] {
  const { eps = 1e-3, momentum = 0.9, fixGamma = true, useGlobalStats = false } = attrs
  const rank = x!.shape.length
  const axis = ((attrs.axis ?? 1) + rank) % rank
  const batch = (attrs.training ?? false) && !useGlobalStats
  const m = batch ? flat(fold(x!, others(x!, axis), true, mean)) : movingMean!
  const v = batch ? flat(fold(x!, others(x!, axis), true, variance)) : movingVar!
  const inverse = map(v, (a) => 1 / Math.sqrt(a + eps))
  const out = build(x!.shape, (at) => {
    const c = [at[axis]!]
    const scale = (fixGamma ? 1 : get(gamma!, c)) * get(inverse, c)
    return (get(x!, at) - get(m, c)) * scale + get(beta!, c)
  })
  const next = (old: Arr, now: Arr): Arr =>
    zip(old, now, (a, b) => a * momentum + b * (1 - momentum))
  return [out, m, inverse, ...(batch ? [next(movingMean!, m), next(movingVar!, v)] : [])]
}

interface Norm {
  axis?: number
  eps?: number
  numGroups?: number
  outputMeanVar?: boolean
  mode?: 'instance' | 'spatial' | 'channel'
}

function standardized(x: Arr, axes: readonly number[], eps: number) {
  const m = fold(x, axes, true, mean)
  const deviation = map(fold(x, axes, true, variance), (v) => Math.sqrt(v + eps))
  return {
    out: zip(
      zip(x, m, (a, b) => a - b),
      deviation,
      (a, b) => a / b,
    ),
    m,
    deviation,
  }
}

const affine = (x: Arr, gamma: Arr, beta: Arr): Arr =>
  zip(
    zip(x, gamma, (a, b) => a * b),
    beta,
    (a, b) => a + b,
  )

export const normalizationRows: readonly Row[] = [
  row<Batch>({
    op: 'BatchNorm',
    domain: signed,
    cases: [
      { inputs: [[3, 2, 4], [2], [2], ...fixed(2)], attrs: { training: true, fixGamma: false } },
      {
        inputs: [[2, 3, 2, 2], [3], [3], ...fixed(3)],
        attrs: { training: true, eps: 0.1, momentum: 0.7 },
      },
      {
        inputs: [[4, 3], [3], [3], ...fixed(3)],
        attrs: { training: true, axis: -1, fixGamma: false },
      },
      {
        inputs: [[2, 3, 2], [3], [3], ...fixed(3)],
        attrs: { training: true, useGlobalStats: true, fixGamma: false },
      },
      { inputs: [[2, 3, 2], [3], [3], ...fixed(3)], attrs: { training: false } },
    ],
    formula: batchNorm,
    tol64: 1e-11,
    tol32: 5e-5,
  }),
  row<Batch>({
    op: '_contrib_BatchNormWithReLU',
    domain: signed,
    cases: [
      { inputs: [[3, 2, 4], [2], [2], ...fixed(2)], attrs: { training: true, fixGamma: false } },
      { inputs: [[4, 3], [3], [3], ...fixed(3)], attrs: { training: true, axis: -1, eps: 0.1 } },
      { inputs: [[2, 3, 2], [3], [3], ...fixed(3)], attrs: { training: false } },
    ],
    formula: (xs, attrs) => {
      const [out, ...rest] = batchNorm(xs, attrs)
      return [map(out!, (v) => Math.max(v, 0)), ...rest]
    },
    tol64: 1e-11,
    tol32: 5e-5,
  }),
  row<Batch & { key: string }>({
    op: '_contrib_SyncBatchNorm',
    domain: signed,
    cases: [
      {
        inputs: [[3, 2, 4], [2], [2], ...fixed(2)],
        attrs: { key: 'a', training: true, fixGamma: false },
      },
      {
        inputs: [[4, 3], [3], [3], ...fixed(3)],
        attrs: { key: 'a', training: true, momentum: 0.7, eps: 0.1 },
      },
      { inputs: [[2, 3, 2], [3], [3], ...fixed(3)], attrs: { key: 'b', training: false } },
    ],
    formula: batchNorm,
    tol64: 1e-11,
    tol32: 5e-5,
  }),
  row<Norm>({
    op: 'LayerNorm',
    domain: signed,
    cases: [
      { inputs: [[3, 4], [4], [4]] },
      { inputs: [[2, 3, 4], [3], [3]], attrs: { axis: 1, eps: 0.1 } },
      { inputs: [[2, 5], [5], [5]], attrs: { outputMeanVar: true } },
    ],
    formula: ([x, gamma, beta], { axis = -1, eps = 1e-5, outputMeanVar = false }) => {
      const rank = x!.shape.length
      const a = (axis + rank) % rank
      const { out, m, deviation } = standardized(x!, [a], eps)
      const result = affine(out, along(gamma!, rank, a), along(beta!, rank, a))
      return outputMeanVar ? [result, m, deviation] : result
    },
    tol32: 5e-5,
  }),
  row<Norm>({
    op: 'GroupNorm',
    domain: signed,
    cases: [
      { inputs: [[2, 4, 3], [2], [2]], attrs: { numGroups: 2 } },
      { inputs: [[1, 3, 2, 2], [1], [1]] },
      { inputs: [[2, 6, 2], [3], [3]], attrs: { numGroups: 3, eps: 0.1, outputMeanVar: true } },
    ],
    formula: ([x, gamma, beta], { numGroups = 1, eps = 1e-5, outputMeanVar = false }) => {
      const [n, c, ...rest] = x!.shape as [number, number, ...number[]]
      const grouped = reshaped(x!, [n, numGroups, c / numGroups, ...rest])
      const rank = grouped.shape.length
      const { out, m, deviation } = standardized(grouped, others(grouped, 0, 1), eps)
      const result = affine(out, along(gamma!, rank, 1), along(beta!, rank, 1))
      const flatten = (t: Arr): Arr => reshaped(t, [n, numGroups])
      const whole = reshaped(result, x!.shape)
      return outputMeanVar ? [whole, flatten(m), flatten(deviation)] : whole
    },
    tol32: 5e-5,
  }),
  row<Norm>({
    op: 'InstanceNorm',
    domain: signed,
    cases: [
      { inputs: [[2, 3, 4], [3], [3]] },
      { inputs: [[1, 2, 2, 3], [2], [2]], attrs: { eps: 0.1 } },
      { inputs: [[2, 1, 2, 2, 2], [1], [1]] },
    ],
    formula: ([x, gamma, beta], { eps = 1e-3 }) => {
      const rank = x!.shape.length
      const { out } = standardized(x!, others(x!, 0, 1), eps)
      return affine(out, along(gamma!, rank, 1), along(beta!, rank, 1))
    },
    tol32: 5e-5,
  }),
  row<Norm>({
    op: 'L2Normalization',
    domain: signed,
    cases: [
      { inputs: [[2, 3, 2]] },
      { inputs: [[2, 3, 2]], attrs: { mode: 'channel', eps: 0.5 } },
      { inputs: [[2, 2, 3, 2]], attrs: { mode: 'spatial' } },
    ],
    formula: ([x], { eps = 1e-10, mode = 'instance' }) => {
      const axes = mode === 'channel' ? [1] : others(x!, ...(mode === 'spatial' ? [0, 1] : [0]))
      const norm = fold(x!, axes, true, (v) => Math.sqrt(sum(v.map((a) => a * a)) + eps))
      return zip(x!, norm, (a, b) => a / b)
    },
  }),
  row<{ nsize: number; alpha?: number; beta?: number; knorm?: number }>({
    op: 'LRN',
    domain: signed,
    cases: [
      { inputs: [[1, 6, 2, 2]], attrs: { nsize: 5, alpha: 0.1, beta: 0.5, knorm: 1 } },
      { inputs: [[2, 3, 1, 2]], attrs: { nsize: 1, alpha: 0.2 } },
      { inputs: [[1, 2, 3, 1]], attrs: { nsize: 3, alpha: 0.5 } },
    ],
    formula: ([x], { nsize, alpha = 1e-4, beta = 0.75, knorm = 2 }) =>
      build(x!.shape, ([n, c, h, w]) => {
        let squares = 0
        for (let k = c! - (nsize - 1) / 2; k <= c! + (nsize - 1) / 2; k++)
          if (k >= 0 && k < x!.shape[1]!) squares += get(x!, [n!, k, h!, w!]) ** 2
        return get(x!, [n!, c!, h!, w!]) * (knorm + (alpha / nsize) * squares) ** -beta
      }),
  }),
]
