/** Rows: updates of one weight beyond gradient descent and Adam. */

import { build, get } from './model.ts'
import { between, type InputSpec, type Row, row, signed } from './row.ts'
import { type Common, clipped, each, square } from './update.ts'

/** Numbers of an update as its formula sees them. */
export type Numbers = { readonly [name: string]: number | undefined }
/** New weight and states at one point. */
export type Point = (xs: readonly number[], n: Required<Common> & Numbers) => number[]

export const defaults = { lr: 0.1, wd: 0, rescaleGrad: 1, clipGradient: -1 }
const why = 'updates are not differentiated'

export const points = {
  sgd: ([w, g], { lr, wd, rescaleGrad, clipGradient }) => [
    (1 - lr * wd) * w! - lr * clipped(rescaleGrad * g!, clipGradient),
  ],
  momentum: ([w, g, m], { lr, wd, rescaleGrad, clipGradient, momentum = 0 }) => {
    const next = momentum * m! - lr * (clipped(rescaleGrad * g!, clipGradient) + wd * w!)
    return [w! + next, next]
  },
  nag: ([w, g, m], { lr, wd, rescaleGrad, clipGradient, momentum = 0 }) => {
    const grad = clipped(rescaleGrad * g!, clipGradient)
    const v = momentum * m!
    const next = w! - v + (momentum + 1) * (v - lr * (grad + wd * w!))
    return [next, v - lr * (grad + wd * next)]
  },
  signsgd: ([w, g], { lr, wd }) => [(1 - lr * wd) * w! - lr * Math.sign(g!)],
  signum: ([w, g, m], { lr, wd, rescaleGrad, clipGradient, momentum = 0, wdLh = 0 }) => {
    const pull = clipped(rescaleGrad * g!, clipGradient) + wd * w!
    const next = momentum * m! - (1 - momentum) * pull
    return [(1 - lr * wdLh) * w! + lr * Math.sign(next), next]
  },
  rmsprop: (
    [w, g, n],
    { lr, wd, rescaleGrad, clipGradient, gamma1 = 0.95, epsilon = 1e-8, clipWeights = -1 },
  ) => {
    const pull = clipped(rescaleGrad * g! + wd * w!, clipGradient)
    const next = gamma1 * n! + (1 - gamma1) * pull ** 2
    return [clipped(w! - (lr * pull) / Math.sqrt(next + epsilon), clipWeights), next]
  },
  rmspropalex: ([w, g, n, mean, delta], numbers) => {
    const { lr, wd, rescaleGrad, clipGradient, clipWeights = -1 } = numbers
    const { gamma1 = 0.95, gamma2 = 0.9, epsilon = 1e-8 } = numbers
    const pull = clipped(rescaleGrad * g! + wd * w!, clipGradient)
    const squares = gamma1 * n! + (1 - gamma1) * pull ** 2
    const average = gamma1 * mean! + (1 - gamma1) * pull
    const move = gamma2 * delta! - (lr * pull) / Math.sqrt(squares - average ** 2 + epsilon)
    return [clipped(w! + move, clipWeights), squares, average, move]
  },
  ftrl: ([w, g, z, n], { lr, wd, rescaleGrad, clipGradient, lamda1 = 0.01, beta = 1 }) => {
    const grad = clipped(rescaleGrad * g!, clipGradient)
    const squares = n! + grad ** 2
    const next = z! + grad - ((Math.sqrt(squares) - Math.sqrt(n!)) * w!) / lr
    const weight = (Math.sign(next) * lamda1 - next) / ((beta + Math.sqrt(squares)) / lr + wd)
    return [Math.abs(next) > lamda1 ? weight : 0, next, squares]
  },
  ftml: ([w, g, d, v, z], numbers) => {
    const { lr, wd, rescaleGrad, clipGrad = -1, t = 1 } = numbers
    const { beta1 = 0.6, beta2 = 0.999, epsilon = 1e-8 } = numbers
    const pull = clipped(rescaleGrad * g! + wd * w!, clipGrad)
    const variance = beta2 * v! + (1 - beta2) * pull ** 2
    const scale = ((1 - beta1 ** t) / lr) * (Math.sqrt(variance / (1 - beta2 ** t)) + epsilon)
    const next = beta1 * z! + (1 - beta1) * pull - (scale - beta1 * d!) * w!
    return [-next / scale, scale, variance, next]
  },
  adamw: ([w, g, m, v, scale], numbers) => {
    const { lr, wd, clipGradient, eta = 1 } = numbers
    const { beta1 = 0.9, beta2 = 0.999, epsilon = 1e-8 } = numbers
    if (scale === 0 || !Number.isFinite(scale)) return [w!, m!, v!]
    const grad = clipped(scale! * g!, clipGradient)
    const mean = beta1 * m! + (1 - beta1) * grad
    const variance = beta2 * v! + (1 - beta2) * grad ** 2
    return [w! - eta * ((lr * mean) / (Math.sqrt(variance) + epsilon) + wd * w!), mean, variance]
  },
  lamb: ([w, g, m, v], numbers) => {
    const { wd, rescaleGrad, clipGradient, biasCorrection, t = 1 } = numbers
    const { beta1 = 0.9, beta2 = 0.999, epsilon = 1e-6 } = numbers
    const grad = clipped(rescaleGrad * g!, clipGradient)
    const mean = beta1 * m! + (1 - beta1) * grad
    const variance = beta2 * v! + (1 - beta2) * grad ** 2
    const correct = (biasCorrection as unknown as boolean | undefined) ?? true
    const [a, b] = correct ? [1 - beta1 ** t, 1 - beta2 ** t] : [1, 1]
    return [mean / a / (Math.sqrt(variance / b) + epsilon) + wd * w!, mean, variance]
  },
} satisfies { readonly [name: string]: Point }

/** Arrays of an update: the weight, the gradient, states, and squares, which are positive. */
const arrays = (n: number, kinds: string): InputSpec[] =>
  [...kinds].map((k) => (k === '+' ? { ...square, shape: [n] } : [n]))

const simple = (op: string, kinds: string, point: Point, attrs: readonly Numbers[]): Row =>
  row<Numbers>({
    op,
    domain: signed,
    cases: attrs.map((a, i) => ({ inputs: arrays(3 + i, kinds), attrs: a })),
    formula: (xs, a) => each(xs, (...v) => point(v, { ...defaults, ...a })),
    order: 0,
    why,
  })

/** The same on float32 copies of half-precision weights: the copy is the last array, and the last result. */
const mixedPoint =
  (point: Point): Point =>
  (xs, n) => {
    const next = point([xs.at(-1)!, xs[1]!, ...xs.slice(2, -1)], n)
    return [...next, next[0]!]
  }

const plain = [
  { lr: 0.1 },
  { lr: 0.5, wd: 0.01, rescaleGrad: 0.25 },
  { lr: 0.5, clipGradient: 0.7 },
]
const withMomentum = plain.map((a, i) => ({ ...a, momentum: [0, 0.9, 0.5][i]! }))

const scale = (v: number): InputSpec => ({ shape: [1], values: [v], fixed: true })

/** AdamW: the factor of gradients stands behind the arrays. */
const adamwRow = (op: string, mixed: boolean): Row =>
  row<Numbers>({
    op,
    domain: signed,
    cases: [
      { lr: 0.1, eta: 1 },
      { lr: 0.1, eta: 0.5, wd: 0.1, clipGradient: 0.6 },
      { lr: 0.1, eta: 1, wd: 0.1, beta1: 0.5, epsilon: 1e-3 },
    ].map((attrs, i) => ({
      inputs: [...arrays(4, mixed ? '...+.' : '...+'), scale([1, 2, 0][i]!)],
      attrs,
    })),
    formula: (xs, a) => {
      const [factor, own] = [xs.at(-1)!.data[0]!, xs.slice(0, -1)]
      const numbers = { ...defaults, ...a }
      return each(own, (...v) => {
        if (!mixed) return points.adamw([...v, factor], numbers)
        const next = points.adamw([v[4]!, v[1]!, v[2]!, v[3]!, factor], numbers)
        return [...next, next[0]!]
      })
    },
    order: 0,
    why,
  })

const phase1 = [
  { t: 1, wd: 0.01 },
  { t: 3, wd: 0.1, clipGradient: 0.5, rescaleGrad: 0.5 },
  { t: 2, wd: 0, biasCorrection: false },
] as unknown as Numbers[]

/** LAMB's second half: the direction at the layer's length. */
const phase2Row = (op: string, mixed: boolean): Row =>
  row<Numbers>({
    op,
    domain: signed,
    cases: [{ lr: 0.1 }, { lr: 0.2, lowerBound: 3 }, { lr: 0.2, upperBound: 0.5 }, { lr: 0.1 }].map(
      (attrs, i) => ({
        inputs: [[4], [4], scale(2), scale([1, 1, 4, 0][i]!), ...(mixed ? [[4]] : [])],
        attrs,
      }),
    ),
    formula: (xs, { lr = 0, lowerBound = -1, upperBound = -1 }) => {
      const [r1, r2] = [xs[2]!.data[0]!, xs[3]!.data[0]!]
      const low = lowerBound < 0 ? r1 : Math.max(r1, lowerBound)
      const bounded = upperBound < 0 ? low : Math.min(low, upperBound)
      const ratio = bounded === 0 || r2 === 0 ? 1 : bounded / r2
      const w = mixed ? xs[4]! : xs[0]!
      return build(w.shape, (at) => get(w, at) - lr * ratio * get(xs[1]!, at))
    },
    order: 0,
    why,
  })

export const singleUpdateRows: readonly Row[] = [
  simple('mp_sgd_update', '...', mixedPoint(points.sgd), plain),
  simple('mp_sgd_mom_update', '....', mixedPoint(points.momentum), withMomentum),
  simple('nag_mom_update', '...', points.nag, withMomentum),
  simple('mp_nag_mom_update', '....', mixedPoint(points.nag), withMomentum),
  simple('signsgd_update', '..', points.signsgd, plain),
  simple(
    'signum_update',
    '...',
    points.signum,
    withMomentum.map((a) => ({ ...a, wdLh: 0.1 })),
  ),
  simple('rmsprop_update', '..+', points.rmsprop, [
    { lr: 0.1 },
    { lr: 0.1, wd: 0.1, gamma1: 0.5, epsilon: 0.01, clipGradient: 0.5 },
    { lr: 0.5, clipWeights: 0.6 },
  ]),
  row<Numbers>({
    op: 'rmspropalex_update',
    domain: between(0.1, 0.4),
    cases: [
      { lr: 0.1 },
      { lr: 0.1, wd: 0.1, gamma1: 0.5, gamma2: 0.5, epsilon: 0.01, clipGradient: 0.3 },
      { lr: 0.5, clipWeights: 0.6 },
    ].map((attrs) => ({
      inputs: [[4], [4], { shape: [4], from: between(1, 2) }, [4], [4]],
      attrs,
    })),
    formula: (xs, a) => each(xs, (...v) => points.rmspropalex(v, { ...defaults, ...a })),
    order: 0,
    why,
  }),
  simple('ftrl_update', '...+', points.ftrl, [
    { lr: 0.1 },
    { lr: 0.2, lamda1: 1, beta: 0.5, wd: 0.1 },
    { lr: 0.2, clipGradient: 0.5, rescaleGrad: 0.5 },
  ]),
  simple('ftml_update', '..++.', points.ftml, [
    { lr: 0.1, t: 3, beta1: 0.5, beta2: 0.75 },
    { lr: 0.02, t: 10, wd: 0.3, clipGrad: 0.5, beta1: 0.25, beta2: 0.875 },
    { lr: 0.05, t: 2, epsilon: 0.01, rescaleGrad: 0.5, beta1: 0.5, beta2: 0.5 },
  ]),
  adamwRow('_adamw_update', false),
  adamwRow('_mp_adamw_update', true),
  simple('lamb_update_phase1', '...+', points.lamb, phase1),
  // The float32 copy is only read: there is no fourth result.
  row<Numbers>({
    ...simple('mp_lamb_update_phase1', '...+.', points.lamb, phase1),
    formula: (xs, a) =>
      each([xs[4]!, ...xs.slice(1, 4)], (...v) => points.lamb(v, { ...defaults, ...a })),
  }),
  phase2Row('lamb_update_phase2', false),
  phase2Row('mp_lamb_update_phase2', true),
  row<Numbers>({
    op: '_contrib_group_adagrad_update',
    domain: signed,
    cases: [
      { inputs: [[3, 2], [3, 2], { shape: [3, 1], from: between(0.1, 2) }], attrs: { lr: 0.1 } },
      {
        inputs: [[2, 3], [2, 3], { shape: [2, 1], from: between(0.1, 2) }],
        attrs: { lr: 0.5, rescaleGrad: 0.5, clipGradient: 0.3, epsilon: 1e-3 },
      },
      { inputs: [[1, 4], [1, 4], { shape: [1, 1], from: between(0.1, 2) }], attrs: { lr: 0.2 } },
    ],
    formula: ([w, g, h], { lr, rescaleGrad = 1, clipGradient = -1, epsilon = 1e-5 }) => {
      if (w!.shape.length !== 2) throw new Error('rows')
      const grad = build(g!.shape, (at) => clipped(rescaleGrad * get(g!, at), clipGradient))
      const width = g!.shape[1]!
      const next = build(h!.shape, ([r]) => {
        const squares = Array.from({ length: width }, (_, c) => get(grad, [r!, c]) ** 2)
        return get(h!, [r!, 0]) + squares.reduce((a, b) => a + b, 0) / width
      })
      const moved = build(w!.shape, (at) => {
        const step = (lr! * get(grad, at)) / Math.sqrt(get(next, [at[0]!, 0]) + epsilon)
        return get(w!, at) - step
      })
      return [moved, next]
    },
    order: 0,
    why,
  }),
]
