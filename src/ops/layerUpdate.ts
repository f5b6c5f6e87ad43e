/** Update operators of one weight that decay apart from the gradient or measure a whole layer: AdamW and LAMB. */

import { attr } from '../core/attrs.ts'
import type { Tensor } from '../core/tensor.ts'
import { binary } from '../prim/expr.ts'
import { castTo, pointwise, reshapeTo } from '../prim/primitive.ts'
import { type Formula, formulas, inFloat32, lambDirection, lambRatio } from './formula.ts'
import { defineUpdate, precise, type UpdateOptions, update } from './updateOp.ts'

const adamwOp = defineUpdate('_adamw_update', formulas.adamw)
const mpAdamwOp = defineUpdate('_mp_adamw_update', precise(formulas.adamw, 1))

/**
 * One step of AdamW (Loshchilov and Hutter, 2019) by a factor of gradients that is an array; `mean` and `variance` are overwritten.
 *
 * `g' = clip(rescaleGrad·g)`, means as in `adamUpdate`, `w' = w - eta·(lr·m' / (√v' + epsilon) + wd·w)`. Nothing
 * changes where `rescaleGrad` is 0 or not finite, which is how a loss scaler skips an overflow.
 * @throws MXNetError when the shapes differ, or `lr` or `eta` is missing.
 * @example
 * const [mean, variance, scale] = [nd.zeros([1]), nd.zeros([1]), nd.array([1])]
 * nd.contrib.adamwUpdate(nd.array([1]), nd.array([2]), mean, variance, scale, { lr: 0.1, eta: 1 })
 * @see MXNet `contrib.adamw_update`
 */
export function adamwUpdate<T extends Tensor>(
  weight: T,
  grad: T,
  mean: T,
  variance: T,
  rescaleGrad: T,
  options: UpdateOptions<typeof formulas.adamw, T>,
): T {
  return update(adamwOp, weight, grad, [mean, variance], options, [rescaleGrad])
}

/**
 * `adamwUpdate` of a half-precision weight by its float32 copy, which is overwritten as well.
 * @throws MXNetError when the shapes differ, or `lr` or `eta` is missing.
 * @example
 * const [mean, variance, copy, scale] = [nd.zeros([1]), nd.zeros([1]), nd.array([1]), nd.array([1])]
 * nd.contrib.mpAdamwUpdate(nd.array([1]), nd.array([2]), mean, variance, copy, scale, { lr: 0.1, eta: 1 })
 * @see MXNet `contrib.mp_adamw_update`
 */
export function mpAdamwUpdate<T extends Tensor>(
  weight: T,
  grad: T,
  mean: T,
  variance: T,
  weight32: T,
  rescaleGrad: T,
  options: UpdateOptions<typeof formulas.adamw, T>,
): T {
  return update(mpAdamwOp, weight, grad, [mean, variance, weight32], options, [rescaleGrad])
}

const groupAdagradOp = defineUpdate('_contrib_group_adagrad_update', formulas.groupAdagrad)

/**
 * One step of AdaGrad that keeps one sum of squares a row; `history` is overwritten.
 *
 * `g' = clip(rescaleGrad·g)`, `h' = h + mean(g'²)` over each row, `w' = w - lr·g' / √(h' + epsilon)`;
 * `(R, …), (R, …), (R, 1) -> (R, …)`.
 * @throws MXNetError when the shapes do not fit, or `lr` is missing.
 * @example
 * const [w, g, history] = [nd.ones([2, 3]), nd.ones([2, 3]), nd.zeros([2, 1])]
 * nd.contrib.groupAdagradUpdate(w, g, history, { lr: 0.1 }).shape // => [2, 3]
 * @see MXNet `contrib.group_adagrad_update`
 */
export function groupAdagradUpdate<T extends Tensor>(
  weight: T,
  grad: T,
  history: T,
  options: UpdateOptions<typeof formulas.groupAdagrad, T>,
): T {
  return update(groupAdagradOp, weight, grad, [history], options)
}

const phase1 = {
  arrays: ['weight', 'grad', 'mean', 'var'],
  attrs: {
    wd: attr.scalar(),
    rescaleGrad: attr.scalar(1),
    beta1: attr.scalar(0.9),
    beta2: attr.scalar(0.999),
    epsilon: attr.scalar(1e-6),
    t: attr.scalar(),
    biasCorrection: attr.bool(true),
    clipGradient: attr.float(-1),
  },
  body: inFloat32(lambDirection),
} satisfies Formula
const phase1Op = defineUpdate('lamb_update_phase1', phase1)
const mpPhase1Op = defineUpdate('mp_lamb_update_phase1', {
  ...phase1,
  arrays: [...phase1.arrays, 'weight32'],
  body: (where, arrays, numbers, attrs) => {
    const [, grad, mean, variance, full] = arrays as Tensor[]
    const exact = [full!, castTo(grad!, full!.dtype), mean!, variance!]
    return inFloat32(lambDirection)(where, exact, numbers, attrs)
  },
})

const phase2 = {
  arrays: ['weight', 'g', 'r1', 'r2'],
  attrs: { lr: attr.scalar(), lowerBound: attr.float(-1), upperBound: attr.float(-1) },
  body: (_where, arrays, [lr], attrs) => {
    const [w, g, r1, r2] = arrays.map((x) => castTo(x, arrays[0]!.dtype))
    const [weight, length] = [r1!, r2!].map((r) => reshapeTo(r, []))
    const ratio = lambRatio(
      weight!,
      length!,
      attrs.lowerBound as number,
      attrs.upperBound as number,
    )
    return [
      pointwise([w!, castTo(lr!, w!.dtype), ratio, g!], ([v, rate, trust, direction]) =>
        binary('sub', v!, binary('mul', binary('mul', rate!, trust!), direction!)),
      ),
    ]
  },
} satisfies Formula
const phase2Op = defineUpdate('lamb_update_phase2', phase2)
const mpPhase2Op = defineUpdate('mp_lamb_update_phase2', {
  ...phase2,
  arrays: [...phase2.arrays, 'weight32'],
  body: (where, arrays, numbers, attrs) => {
    const [weight, g, r1, r2, full] = arrays as Tensor[]
    const [next] = phase2.body(where, [full!, g!, r1!, r2!], numbers, attrs)
    return [castTo(next!, weight!.dtype)]
  },
})

/**
 * The first half of a LAMB step (You et al., 2020), the t-th: its direction; `mean` and `variance` are overwritten.
 *
 * `g' = clip(rescaleGrad·g)`, means as in `adamUpdate`, divided by `1 - βᵗ` with `biasCorrection`;
 * `out = m̂ / (√v̂ + epsilon) + wd·w`.
 * @throws MXNetError when the shapes differ, or `t` or `wd` is missing.
 * @example
 * const [mean, variance] = [nd.zeros([1]), nd.zeros([1])]
 * nd.lambUpdatePhase1(nd.array([1]), nd.array([2]), mean, variance, { t: 1, wd: 0 })
 * @see MXNet `lamb_update_phase1`
 */
export function lambUpdatePhase1<T extends Tensor>(
  weight: T,
  grad: T,
  mean: T,
  variance: T,
  options: UpdateOptions<typeof phase1, T>,
): T {
  return update(phase1Op, weight, grad, [mean, variance], options)
}

/**
 * `lambUpdatePhase1` of a half-precision weight by its float32 copy, which is read.
 * @throws MXNetError when the shapes differ, or `t` or `wd` is missing.
 * @example
 * const [mean, variance, copy] = [nd.zeros([1]), nd.zeros([1]), nd.array([1])]
 * nd.mpLambUpdatePhase1(nd.array([1]), nd.array([2]), mean, variance, copy, { t: 1, wd: 0 })
 * @see MXNet `mp_lamb_update_phase1`
 */
export function mpLambUpdatePhase1<T extends Tensor>(
  weight: T,
  grad: T,
  mean: T,
  variance: T,
  weight32: T,
  options: UpdateOptions<typeof phase1, T>,
): T {
  return update(mpPhase1Op, weight, grad, [mean, variance], options, [weight32])
}

/**
 * The second half of a LAMB step: the direction `g` at the length of the layer.
 *
 * `w' = w - lr·r·g`, `r = r1/r2` with `r1 = ‖w‖` held within the bounds and `r2 = ‖g‖`; 1 where either is 0.
 * @throws MXNetError when `lr` is missing or `r1` and `r2` do not have one element.
 * @example
 * const [r1, r2] = [nd.array([2]), nd.array([1])]
 * await nd.lambUpdatePhase2(nd.array([2]), nd.array([1]), r1, r2, { lr: 0.5 }).asArray() // => [1]
 * @see MXNet `lamb_update_phase2`
 */
export function lambUpdatePhase2<T extends Tensor>(
  weight: T,
  g: T,
  r1: T,
  r2: T,
  options: UpdateOptions<typeof phase2, T>,
): T {
  return update(phase2Op, weight, g, [], options, [r1, r2])
}

/**
 * `lambUpdatePhase2` of a half-precision weight by its float32 copy, which is read and, as in MXNet, not written.
 * @throws MXNetError when `lr` is missing or `r1` and `r2` do not have one element.
 * @example
 * const [r1, r2, copy] = [nd.array([2]), nd.array([1]), nd.array([2])]
 * await nd.mpLambUpdatePhase2(nd.array([2]), nd.array([1]), r1, r2, copy, { lr: 0.5 }).asArray() // => [1]
 * @see MXNet `mp_lamb_update_phase2`
 */
export function mpLambUpdatePhase2<T extends Tensor>(
  weight: T,
  g: T,
  r1: T,
  r2: T,
  weight32: T,
  options: UpdateOptions<typeof phase2, T>,
): T {
  return update(mpPhase2Op, weight, g, [], options, [r1, r2, weight32])
}
