/** Update operators of one weight: gradient descent, signs, Adam, RMSProp, FTRL, FTML; new arrays or written in place. */

import type { Tensor } from '../core/tensor.ts'
import { formulas } from './formula.ts'
import {
  defineUpdate,
  type LazyOptions,
  lazy,
  precise,
  type UpdateOptions,
  update,
} from './updateOp.ts'

const { sgd, momentum, nag, signsgd, signum, adam, rmsprop, rmspropalex, ftrl, ftml } = formulas
const sgdOp = defineUpdate('sgd_update', sgd, lazy)
const momentumOp = defineUpdate('sgd_mom_update', momentum, lazy)
const mpSgdOp = defineUpdate('mp_sgd_update', precise(sgd), lazy)
const mpMomentumOp = defineUpdate('mp_sgd_mom_update', precise(momentum), lazy)
const nagOp = defineUpdate('nag_mom_update', nag)
const mpNagOp = defineUpdate('mp_nag_mom_update', precise(nag))
const signsgdOp = defineUpdate('signsgd_update', signsgd)
const signumOp = defineUpdate('signum_update', signum)
const adamOp = defineUpdate('adam_update', adam, lazy)
const rmspropOp = defineUpdate('rmsprop_update', rmsprop)
const rmspropalexOp = defineUpdate('rmspropalex_update', rmspropalex)
const ftrlOp = defineUpdate('ftrl_update', ftrl)
const ftmlOp = defineUpdate('ftml_update', ftml)

/**
 * One step of stochastic gradient descent; the new weight, or `out` overwritten.
 *
 * `w' = (1 - lr·wd)·w - lr·clip(rescaleGrad·g)`; all arrays have one shape, the result the weight's dtype.
 * @throws MXNetError when the shapes differ or `lr` is missing.
 * @example
 * await nd.sgdUpdate(nd.array([1]), nd.array([2]), { lr: 0.5 }).asArray() // => [0]
 * @see MXNet `sgd_update`
 */
export function sgdUpdate<T extends Tensor>(
  weight: T,
  grad: T,
  options: LazyOptions<typeof sgd, T>,
): T {
  return update(sgdOp, weight, grad, [], options)
}

/**
 * One step of gradient descent with momentum; `mom` is overwritten.
 *
 * `m' = momentum·m - lr·(clip(rescaleGrad·g) + wd·w)`, `w' = w + m'`.
 * @throws MXNetError when the shapes differ or `lr` is missing.
 * @example
 * const mom = nd.array([1])
 * await nd.sgdMomUpdate(nd.array([1]), nd.array([2]), mom, { lr: 0.5, momentum: 0.5 }).asArray() // => [0.5]
 * @see MXNet `sgd_mom_update`
 */
export function sgdMomUpdate<T extends Tensor>(
  weight: T,
  grad: T,
  mom: T,
  options: LazyOptions<typeof momentum, T>,
): T {
  return update(momentumOp, weight, grad, [mom], options)
}

/**
 * `sgdUpdate` of a half-precision weight by its float32 copy `weight32`, which is overwritten.
 * @throws MXNetError when the shapes differ or `lr` is missing.
 * @example
 * const copy = nd.array([1])
 * await nd.mpSgdUpdate(nd.array([1]), nd.array([2]), copy, { lr: 0.5 }).asArray() // => [0]
 * @see MXNet `mp_sgd_update`
 */
export function mpSgdUpdate<T extends Tensor>(
  weight: T,
  grad: T,
  weight32: T,
  options: LazyOptions<typeof sgd, T>,
): T {
  return update(mpSgdOp, weight, grad, [weight32], options)
}

/**
 * `sgdMomUpdate` of a half-precision weight by its float32 copy; `mom` (float32) and `weight32` are overwritten.
 * @throws MXNetError when the shapes differ or `lr` is missing.
 * @example
 * const [mom, copy] = [nd.array([1]), nd.array([1])]
 * await nd.mpSgdMomUpdate(nd.array([1]), nd.array([2]), mom, copy, { lr: 0.5, momentum: 0.5 }).asArray() // => [0.5]
 * @see MXNet `mp_sgd_mom_update`
 */
export function mpSgdMomUpdate<T extends Tensor>(
  weight: T,
  grad: T,
  mom: T,
  weight32: T,
  options: LazyOptions<typeof momentum, T>,
): T {
  return update(mpMomentumOp, weight, grad, [mom, weight32], options)
}

/**
 * One step of Nesterov's accelerated gradient; `mom` is overwritten.
 *
 * `g' = clip(rescaleGrad·g)`, `v = momentum·m`, `w' = w - v + (momentum + 1)·(v - lr·(g' + wd·w))`,
 * `m' = v - lr·(g' + wd·w')`: as in MXNet, the momentum's decay sees the new weight.
 * @throws MXNetError when the shapes differ or `lr` is missing.
 * @example
 * const mom = nd.array([0])
 * await nd.nagMomUpdate(nd.array([1]), nd.array([1]), mom, { lr: 0.5, momentum: 0.5 }).asArray() // => [0.25]
 * @see MXNet `nag_mom_update`
 */
export function nagMomUpdate<T extends Tensor>(
  weight: T,
  grad: T,
  mom: T,
  options: UpdateOptions<typeof nag, T>,
): T {
  return update(nagOp, weight, grad, [mom], options)
}

/**
 * `nagMomUpdate` of a half-precision weight by its float32 copy; `mom` (float32) and `weight32` are overwritten.
 * @throws MXNetError when the shapes differ or `lr` is missing.
 * @example
 * const [mom, copy] = [nd.array([0]), nd.array([1])]
 * await nd.mpNagMomUpdate(nd.array([1]), nd.array([1]), mom, copy, { lr: 0.5, momentum: 0.5 }).asArray() // => [0.25]
 * @see MXNet `mp_nag_mom_update`
 */
export function mpNagMomUpdate<T extends Tensor>(
  weight: T,
  grad: T,
  mom: T,
  weight32: T,
  options: UpdateOptions<typeof nag, T>,
): T {
  return update(mpNagOp, weight, grad, [mom, weight32], options)
}

/**
 * A step by the sign of the gradient; `rescaleGrad` and `clipGradient` are taken and, as in MXNet, change nothing.
 *
 * `w' = (1 - lr·wd)·w - lr·sign(g)`.
 * @throws MXNetError when the shapes differ or `lr` is missing.
 * @example
 * await nd.signsgdUpdate(nd.array([1]), nd.array([3]), { lr: 0.5 }).asArray() // => [0.5]
 * @see MXNet `signsgd_update`
 */
export function signsgdUpdate<T extends Tensor>(
  weight: T,
  grad: T,
  options: UpdateOptions<typeof signsgd, T>,
): T {
  return update(signsgdOp, weight, grad, [], options)
}

/**
 * A step by the sign of the momentum; `mom` is overwritten.
 *
 * `m' = momentum·m - (1 - momentum)·(clip(rescaleGrad·g) + wd·w)`, `w' = (1 - lr·wdLh)·w + lr·sign(m')`.
 * @throws MXNetError when the shapes differ or `lr` is missing.
 * @example
 * const mom = nd.array([0])
 * await nd.signumUpdate(nd.array([1]), nd.array([3]), mom, { lr: 0.5, momentum: 0.5 }).asArray() // => [0.5]
 * @see MXNet `signum_update`
 */
export function signumUpdate<T extends Tensor>(
  weight: T,
  grad: T,
  mom: T,
  options: UpdateOptions<typeof signum, T>,
): T {
  return update(signumOp, weight, grad, [mom], options)
}

/**
 * One step of Adam without bias correction (the optimizer folds it into `lr`); `mean` and `variance` are overwritten.
 *
 * `g' = clip(rescaleGrad·g + wd·w)`, `m' = β1·m + (1-β1)·g'`, `v' = β2·v + (1-β2)·g'²`,
 * `w' = w - lr·m' / (√v' + epsilon)`.
 * @throws MXNetError when the shapes differ or `lr` is missing.
 * @example
 * const [mean, variance] = [nd.zeros([1]), nd.zeros([1])]
 * nd.adamUpdate(nd.array([1]), nd.array([2]), mean, variance, { lr: 0.1 })
 * @see MXNet `adam_update`
 */
export function adamUpdate<T extends Tensor>(
  weight: T,
  grad: T,
  mean: T,
  variance: T,
  options: LazyOptions<typeof adam, T>,
): T {
  return update(adamOp, weight, grad, [mean, variance], options)
}

/**
 * One step of RMSProp; `n` is overwritten.
 *
 * `g' = clip(rescaleGrad·g + wd·w)`, `n' = γ1·n + (1-γ1)·g'²`, `w' = w - lr·g' / √(n' + epsilon)`, clamped to ±clipWeights.
 * @throws MXNetError when the shapes differ or `lr` is missing.
 * @example
 * const n = nd.array([0])
 * await nd.rmspropUpdate(nd.array([1]), nd.array([2]), n, { lr: 0.5, gamma1: 0, epsilon: 0 }).asArray() // => [0.5]
 * @see MXNet `rmsprop_update`
 */
export function rmspropUpdate<T extends Tensor>(
  weight: T,
  grad: T,
  n: T,
  options: UpdateOptions<typeof rmsprop, T>,
): T {
  return update(rmspropOp, weight, grad, [n], options)
}

/**
 * One step of centred RMSProp (Graves, 2013); `n`, `g` and `delta` are overwritten.
 *
 * As `rmspropUpdate`, with `ḡ' = γ1·ḡ + (1-γ1)·g'`, `δ' = γ2·δ - lr·g' / √(n' - ḡ'² + epsilon)`, `w' = w + δ'`.
 * @throws MXNetError when the shapes differ or `lr` is missing.
 * @example
 * const [n, g, delta] = [nd.zeros([1]), nd.zeros([1]), nd.zeros([1])]
 * nd.rmspropalexUpdate(nd.array([1]), nd.array([2]), n, g, delta, { lr: 0.1 })
 * @see MXNet `rmspropalex_update`
 */
export function rmspropalexUpdate<T extends Tensor>(
  weight: T,
  grad: T,
  n: T,
  g: T,
  delta: T,
  options: UpdateOptions<typeof rmspropalex, T>,
): T {
  return update(rmspropalexOp, weight, grad, [n, g, delta], options)
}

/**
 * One step of "follow the regularized leader"; `z` and `n` are overwritten.
 *
 * `g' = clip(rescaleGrad·g)`, `z' = z + g' - (√(n + g'²) - √n)·w/lr`, `n' = n + g'²`,
 * `w' = (sign(z')·lamda1 - z') / ((beta + √n')/lr + wd)` where `|z'| > lamda1`, else 0.
 * @throws MXNetError when the shapes differ or `lr` is missing.
 * @example
 * const [z, n] = [nd.zeros([1]), nd.zeros([1])]
 * nd.ftrlUpdate(nd.array([1]), nd.array([2]), z, n, { lr: 0.1 })
 * @see MXNet `ftrl_update`
 */
export function ftrlUpdate<T extends Tensor>(
  weight: T,
  grad: T,
  z: T,
  n: T,
  options: UpdateOptions<typeof ftrl, T>,
): T {
  return update(ftrlOp, weight, grad, [z, n], options)
}

/**
 * One step of "follow the moving leader" (Zheng and Kwok, 2017), the t-th; `d`, `v` and `z` are overwritten.
 *
 * `g' = clip(rescaleGrad·g + wd·w)`, `v' = β2·v + (1-β2)·g'²`, `d' = (1-β1ᵗ)/lr·(√(v'/(1-β2ᵗ)) + epsilon)`,
 * `z' = β1·z + (1-β1)·g' - (d' - β1·d)·w`, `w' = -z'/d'`.
 * @throws MXNetError when the shapes differ, or `lr` or `t` is missing.
 * @example
 * const [d, v, z] = [nd.zeros([1]), nd.zeros([1]), nd.zeros([1])]
 * nd.ftmlUpdate(nd.array([1]), nd.array([2]), d, v, z, { lr: 0.1, t: 1 })
 * @see MXNet `ftml_update`
 */
export function ftmlUpdate<T extends Tensor>(
  weight: T,
  grad: T,
  d: T,
  v: T,
  z: T,
  options: UpdateOptions<typeof ftml, T>,
): T {
  return update(ftmlOp, weight, grad, [d, v, z], options)
}
