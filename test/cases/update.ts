/** Rows: optimizer updates. */

import { type Arr, build, get } from './model.ts'
import { between, type Row, row, signed } from './row.ts'

export interface Common {
  lr: number
  wd?: number
  rescaleGrad?: number
  clipGradient?: number
}

export const clipped = (g: number, limit = -1): number =>
  limit < 0 ? g : Math.max(-limit, Math.min(limit, g))
export const each = (xs: readonly Arr[], f: (...v: number[]) => number[]): Arr[] => {
  const count = xs.length - 1
  return Array.from({ length: count }, (_, k) =>
    build(xs[0]!.shape, (at) => f(...xs.map((x) => get(x, at)))[k]!),
  )
}
export const square = { shape: [4], from: between(0.1, 1) }

export const updateRows: readonly Row[] = [
  row<Common>({
    op: 'sgd_update',
    domain: signed,
    cases: [
      {
        inputs: [
          [2, 3],
          [2, 3],
        ],
        attrs: { lr: 0.1 },
      },
      { inputs: [[4], [4]], attrs: { lr: 0.5, wd: 0.01, rescaleGrad: 0.25 } },
      { inputs: [[5], [5]], attrs: { lr: 0.5, wd: 0.1, clipGradient: 0.7 } },
    ],
    formula: (xs, { lr, wd = 0, rescaleGrad = 1, clipGradient }) =>
      each(xs, (w, g) => [w - lr * (clipped(rescaleGrad * g!, clipGradient) + wd * w!)]),
  }),
  row<Common & { momentum?: number }>({
    op: 'sgd_mom_update',
    domain: signed,
    cases: [
      {
        inputs: [
          [2, 3],
          [2, 3],
          [2, 3],
        ],
        attrs: { lr: 0.1 },
      },
      { inputs: [[4], [4], [4]], attrs: { lr: 0.5, wd: 0.01, rescaleGrad: 0.25, momentum: 0.9 } },
      { inputs: [[5], [5], [5]], attrs: { lr: 0.5, wd: 0.1, clipGradient: 0.7, momentum: 0.5 } },
    ],
    formula: (xs, { lr, wd = 0, rescaleGrad = 1, clipGradient, momentum = 0 }) =>
      each(xs, (w, g, m) => {
        const next = momentum * m! - lr * (clipped(rescaleGrad * g!, clipGradient) + wd * w!)
        return [w! + next, next]
      }),
  }),
  row<Common & { beta1?: number; beta2?: number; epsilon?: number }>({
    op: 'adam_update',
    domain: signed,
    cases: [
      { inputs: [[4], [4], [4], square], attrs: { lr: 0.1 } },
      {
        inputs: [[4], [4], [4], square],
        attrs: { lr: 0.01, wd: 0.1, rescaleGrad: 0.5, epsilon: 1e-3 },
      },
      {
        inputs: [[4], [4], [4], square],
        attrs: { lr: 0.1, wd: 0.1, clipGradient: 0.7, beta1: 0.5, beta2: 0.6 },
      },
    ],
    formula: (
      xs,
      { lr, wd = 0, rescaleGrad = 1, clipGradient, beta1 = 0.9, beta2 = 0.999, epsilon = 1e-8 },
    ) =>
      each(xs, (w, g, m, v) => {
        const pull = clipped(rescaleGrad * g! + wd * w!, clipGradient)
        const mean = beta1 * m! + (1 - beta1) * pull
        const variance = beta2 * v! + (1 - beta2) * pull ** 2
        return [w! - (lr * mean) / (Math.sqrt(variance) + epsilon), mean, variance]
      }),
  }),
]
