/** The formulas of optimizers at one point: a new weight and new states from the old ones and a gradient. */

import { add, div, mul, sub } from '../prim/arithmetic.ts'
import { binary, compare, constant, type Expr, select, unary } from '../prim/expr.ts'

/** Limits that are part of the formula: below 0 there is none. */
export interface Limits {
  readonly clipGradient: number
  readonly clipWeights: number
}

/**
 * New values of the weight and its states, in the order of the arrays without the gradient. Arrays are the weight, its
 * gradient and the states; numbers come in the order of the operator's attributes: `lr, wd, rescaleGrad` and its own.
 */
export type Rule = (
  arrays: readonly Expr[],
  numbers: readonly Expr[],
  limits: Limits,
) => readonly Expr[]

const pow = (x: Expr, y: Expr): Expr => binary('pow', x, y)
const sqrt = (x: Expr): Expr => unary('sqrt', x)
const sign = (x: Expr): Expr => unary('sign', x)
const like = (x: Expr, value: number): Expr => constant(value, x.dtype)
const rest = (x: Expr): Expr => sub(like(x, 1), x)
/** `rate·old + (1 - rate)·new`. */
const blend = (rate: Expr, old: Expr, next: Expr): Expr =>
  add(mul(rate, old), mul(rest(rate), next))

/** Clamped to ±limit; a negative limit leaves it alone. */
function clip(x: Expr, limit: number): Expr {
  if (limit < 0) return x
  return binary('min', binary('max', x, like(x, -limit)), like(x, limit))
}

export const sgd: Rule = ([w, g], [lr, wd, rescale], { clipGradient }) => {
  const decay = rest(mul(lr!, wd!))
  return [sub(mul(decay, w!), mul(lr!, clip(mul(rescale!, g!), clipGradient)))]
}

export const momentum: Rule = ([w, g, m], [lr, wd, rescale, rate], { clipGradient }) => {
  const pull = add(clip(mul(rescale!, g!), clipGradient), mul(wd!, w!))
  const next = sub(mul(rate!, m!), mul(lr!, pull))
  return [add(w!, next), next]
}

/** As MXNet runs it in place: the momentum's decay sees the weight that has just been written. */
export const nag: Rule = ([w, g, m], [lr, wd, rescale, rate], { clipGradient }) => {
  const grad = clip(mul(rescale!, g!), clipGradient)
  const kept = mul(rate!, m!)
  const ahead = sub(kept, mul(lr!, add(grad, mul(wd!, w!))))
  const weight = add(sub(w!, kept), mul(add(rate!, like(rate!, 1)), ahead))
  return [weight, sub(kept, mul(lr!, add(grad, mul(wd!, weight))))]
}

export const signsgd: Rule = ([w, g], [lr, wd]) => [
  sub(mul(rest(mul(lr!, wd!)), w!), mul(lr!, sign(g!))),
]

export const signum: Rule = ([w, g, m], [lr, wd, rescale, rate, wdLh], { clipGradient }) => {
  const pull = add(mul(wd!, w!), clip(mul(rescale!, g!), clipGradient))
  const next = sub(mul(rate!, m!), mul(rest(rate!), pull))
  return [add(mul(rest(mul(lr!, wdLh!)), w!), mul(lr!, sign(next))), next]
}

/** The gradient with its weight decay, clamped as a whole. */
const decayed = (w: Expr, g: Expr, wd: Expr, rescale: Expr, limit: number): Expr =>
  clip(add(mul(rescale, g), mul(wd, w)), limit)

export const adam: Rule = (
  [w, g, m, v],
  [lr, wd, rescale, beta1, beta2, epsilon],
  { clipGradient },
) => {
  const pull = decayed(w!, g!, wd!, rescale!, clipGradient)
  const mean = blend(beta1!, m!, pull)
  const variance = blend(beta2!, v!, mul(pull, pull))
  return [sub(w!, div(mul(lr!, mean), add(sqrt(variance), epsilon!))), mean, variance]
}

/** The last array is the factor of gradients: the update is left out where it is 0 or not finite. */
export const adamw: Rule = (
  [w, g, m, v, rescale],
  [lr, wd, eta, beta1, beta2, epsilon],
  { clipGradient },
) => {
  const grad = clip(mul(rescale!, g!), clipGradient)
  const mean = blend(beta1!, m!, grad)
  const variance = blend(beta2!, v!, mul(grad, grad))
  const step = add(div(mul(lr!, mean), add(sqrt(variance), epsilon!)), mul(wd!, w!))
  // A factor times 0 is 0 exactly where it is finite.
  const good = binary(
    'and',
    compare('ne', rescale!, like(rescale!, 0)),
    compare('eq', mul(rescale!, like(rescale!, 0)), like(rescale!, 0)),
  )
  const kept = (next: Expr, old: Expr): Expr => select(good, next, old)
  return [kept(sub(w!, mul(eta!, step)), w!), kept(mean, m!), kept(variance, v!)]
}

const clipped = (weight: Expr, limit: number): Expr => (limit > 0 ? clip(weight, limit) : weight)

export const rmsprop: Rule = (
  [w, g, n],
  [lr, wd, rescale, gamma1, epsilon],
  { clipGradient, clipWeights },
) => {
  const pull = decayed(w!, g!, wd!, rescale!, clipGradient)
  const squares = blend(gamma1!, n!, mul(pull, pull))
  const weight = sub(w!, mul(lr!, div(pull, sqrt(add(squares, epsilon!)))))
  return [clipped(weight, clipWeights), squares]
}

export const rmspropalex: Rule = (
  [w, g, n, mean, delta],
  [lr, wd, rescale, gamma1, gamma2, epsilon],
  { clipGradient, clipWeights },
) => {
  const pull = decayed(w!, g!, wd!, rescale!, clipGradient)
  const squares = blend(gamma1!, n!, mul(pull, pull))
  const average = blend(gamma1!, mean!, pull)
  const spread = sqrt(add(sub(squares, mul(average, average)), epsilon!))
  const move = sub(mul(gamma2!, delta!), mul(lr!, div(pull, spread)))
  return [clipped(add(w!, move), clipWeights), squares, average, move]
}

export const ftrl: Rule = ([w, g, z, n], [lr, wd, rescale, lamda1, beta], { clipGradient }) => {
  const grad = clip(mul(rescale!, g!), clipGradient)
  const squares = add(n!, mul(grad, grad))
  const next = sub(add(z!, grad), div(mul(sub(sqrt(squares), sqrt(n!)), w!), lr!))
  const shrunk = sub(mul(sign(next), lamda1!), next)
  const weight = div(shrunk, add(div(add(beta!, sqrt(squares)), lr!), wd!))
  const far = compare('gt', unary('abs', next), lamda1!)
  return [select(far, weight, like(w!, 0)), next, squares]
}

export const ftml: Rule = (
  [w, g, d, v, z],
  [lr, wd, rescale, beta1, beta2, epsilon, t],
  { clipGradient },
) => {
  const pull = decayed(w!, g!, wd!, rescale!, clipGradient)
  const variance = blend(beta2!, v!, mul(pull, pull))
  const root = sqrt(div(variance, rest(pow(beta2!, t!))))
  const scale = mul(div(rest(pow(beta1!, t!)), lr!), add(root, epsilon!))
  const sigma = sub(scale, mul(beta1!, d!))
  const next = sub(blend(beta1!, z!, pull), mul(sigma, w!))
  return [unary('neg', div(next, scale)), scale, variance, next]
}

export const adagrad: Rule = ([w, g, h], [lr, wd, rescale, epsilon], { clipGradient }) => {
  const grad = clip(mul(rescale!, g!), clipGradient)
  const history = add(h!, mul(grad, grad))
  const step = add(div(grad, sqrt(add(history, epsilon!))), mul(wd!, w!))
  return [sub(w!, mul(lr!, step)), history]
}

/** Without a learning rate. */
export const adadelta: Rule = (
  [w, g, accG, accDelta],
  [wd, rescale, rho, epsilon],
  { clipGradient },
) => {
  const grad = clip(mul(rescale!, g!), clipGradient)
  const squares = blend(rho!, accG!, mul(grad, grad))
  const delta = mul(div(sqrt(add(accDelta!, epsilon!)), sqrt(add(squares, epsilon!))), grad)
  return [sub(w!, add(delta, mul(wd!, w!))), squares, blend(rho!, accDelta!, mul(delta, delta))]
}

export const adamax: Rule = ([w, g, m, u], [lr, wd, rescale, beta1, beta2], { clipGradient }) => {
  const pull = decayed(w!, g!, wd!, rescale!, clipGradient)
  const mean = blend(beta1!, m!, pull)
  const largest = binary('max', mul(beta2!, u!), unary('abs', pull))
  return [sub(w!, div(mul(lr!, mean), largest)), mean, largest]
}

/** `gradScale`, `meanScale` and `varScale` are the bias corrections, which depend on the schedule of momenta. */
export const nadam: Rule = (
  [w, g, m, v],
  [lr, wd, rescale, beta1, beta2, epsilon, gradScale, meanScale, varScale],
  { clipGradient },
) => {
  const pull = decayed(w!, g!, wd!, rescale!, clipGradient)
  const mean = blend(beta1!, m!, pull)
  const variance = blend(beta2!, v!, mul(pull, pull))
  const ahead = add(mul(gradScale!, pull), mul(meanScale!, mean))
  const root = add(sqrt(mul(varScale!, variance)), epsilon!)
  return [sub(w!, div(mul(lr!, ahead), root)), mean, variance]
}

/** States: the momentum, where there is one, and the weight before the last update. */
export const dcasgd: Rule = (arrays, [lr, wd, rescale, rate, lamda], { clipGradient }) => {
  const [w, g] = arrays
  const previous = arrays.at(-1)!
  const grad = clip(mul(rescale!, g!), clipGradient)
  const delay = mul(mul(lamda!, mul(grad, grad)), sub(w!, previous))
  const step = unary('neg', mul(lr!, add(add(grad, mul(wd!, w!)), delay)))
  if (arrays.length === 3) return [add(w!, step), w!]
  const next = add(mul(rate!, arrays[2]!), step)
  return [add(w!, next), next, w!]
}

/** The direction of LAMB before its length is set; weight and gradient only take part in it. */
export const lambDirection: Rule = (
  [w, g, m, v],
  [wd, rescale, beta1, beta2, epsilon, meanScale, varScale],
  { clipGradient },
) => {
  const grad = clip(mul(rescale!, g!), clipGradient)
  const mean = blend(beta1!, m!, grad)
  const variance = blend(beta2!, v!, mul(grad, grad))
  const root = add(sqrt(mul(varScale!, variance)), epsilon!)
  return [add(div(mul(meanScale!, mean), root), mul(wd!, w!)), mean, variance]
}

/** The drift of Langevin dynamics. */
export const langevin: Rule = ([w, g], [lr, wd, rescale], { clipGradient }) => {
  const pull = add(clip(mul(rescale!, g!), clipGradient), mul(wd!, w!))
  return [sub(w!, mul(mul(lr!, like(lr!, 0.5)), pull))]
}

/** The test optimizer: the rescaled gradient is added, and the state is the new weight. */
export const test: Rule = ([w, g], [rescale]) => {
  const next = add(w!, mul(rescale!, g!))
  return [next, next]
}
