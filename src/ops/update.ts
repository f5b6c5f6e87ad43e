/** Optimizer updates: how a weight and its state follow from a gradient, one array or many in one call. */

import { fail } from '../base/error.ts'
import { applyAll, applyInto } from '../core/apply.ts'
import { attr, type Given, type Schema } from '../core/attrs.ts'
import { defineOp, OpDef } from '../core/op.ts'
import type { Tensor } from '../core/tensor.ts'
import { binary, constant, type Expr, unary } from '../prim/expr.ts'
import { castTo, pointwise } from '../prim/primitive.ts'

const add = (x: Expr, y: Expr): Expr => binary('add', x, y)
const sub = (x: Expr, y: Expr): Expr => binary('sub', x, y)
const mul = (x: Expr, y: Expr): Expr => binary('mul', x, y)

/** The gradient clamped to ±limit; a negative limit leaves it alone. */
function clip(g: Expr, limit: number): Expr {
  if (limit < 0) return g
  return binary('min', binary('max', g, constant(-limit, g.dtype)), constant(limit, g.dtype))
}

const clipGradient = attr.float(-1)
/** What all updates share. Numbers that change while training are dynamic. */
const common = {
  lr: attr.scalar(),
  wd: attr.scalar(0),
  rescaleGrad: attr.scalar(1),
  clipGradient,
}
const momentumOf = { momentum: attr.scalar(0) }
const adamOf = { beta1: attr.scalar(0.9), beta2: attr.scalar(0.999), epsilon: attr.scalar(1e-8) }
/** Only sparse gradients ask for it; kept because files and callers name it. */
const lazy = { lazyUpdate: attr.bool(true) }

/** One point of an update: new values of the weight and its states from the old ones. */
type Rule = (arrays: readonly Expr[], numbers: readonly Expr[], clip: number) => readonly Expr[]

const sgdRule: Rule = ([w, g], [lr, wd, rescale], limit) => {
  const decay = sub(constant(1, w!.dtype), mul(lr!, wd!))
  return [sub(mul(decay, w!), mul(lr!, clip(mul(rescale!, g!), limit)))]
}

const momentumRule: Rule = ([w, g, m], [lr, wd, rescale, momentum], limit) => {
  const pull = add(clip(mul(rescale!, g!), limit), mul(wd!, w!))
  const next = sub(mul(momentum!, m!), mul(lr!, pull))
  return [add(w!, next), next]
}

const adamRule: Rule = ([w, g, m, v], [lr, wd, rescale, beta1, beta2, epsilon], limit) => {
  const one = constant(1, w!.dtype)
  const pull = clip(add(mul(rescale!, g!), mul(wd!, w!)), limit)
  const mean = add(mul(beta1!, m!), mul(sub(one, beta1!), pull))
  const variance = add(mul(beta2!, v!), mul(sub(one, beta2!), mul(pull, pull)))
  const step = binary('div', mul(lr!, mean), add(unary('sqrt', variance), epsilon!))
  return [sub(w!, step), mean, variance]
}

/** Runs a rule at every point; the gradient takes part in the weight's dtype. */
function run(
  where: string,
  rule: Rule,
  arrays: readonly Tensor[],
  numbers: readonly Tensor[],
  limit: number,
): Tensor[] {
  const { dtype, shape } = arrays[0]!
  for (const a of arrays) {
    if (a.ndim !== shape.length || a.shape.some((d, i) => d !== shape[i])) {
      fail(
        where,
        `arrays of shapes (${arrays.map((x) => x.shape.join(', ')).join('), (')}): they must be the same`,
      )
    }
  }
  const inputs = [...arrays, ...numbers].map((t) => castTo(t, dtype))
  const n = arrays.length
  const result = (k: number): Tensor =>
    pointwise(inputs, (e) => rule(e.slice(0, n), e.slice(n), limit)[k]!, where)
  // A rule gives back everything it was given but the gradient.
  return Array.from({ length: n - 1 }, (_, k) => result(k))
}

function define<S extends Schema>(
  name: string,
  inputs: readonly string[],
  attrs: S,
  rule: Rule,
): OpDef {
  const op = defineOp({
    name,
    inputs,
    attrs,
    body: (arrays, values, numbers) =>
      run(name, rule, arrays, numbers, (values as { clipGradient: number }).clipGradient),
  })
  return op as unknown as OpDef
}

const sgdOp = define('sgd_update', ['weight', 'grad'], { ...common, ...lazy }, sgdRule)
const momentumOp = define(
  'sgd_mom_update',
  ['weight', 'grad', 'mom'],
  { ...common, ...momentumOf, ...lazy },
  momentumRule,
)
const adamOp = define(
  'adam_update',
  ['weight', 'grad', 'mean', 'var'],
  { ...common, ...adamOf, ...lazy },
  adamRule,
)

/** The same update of many parameters at once; arrays of one parameter lie together, results as well. */
function many<S extends Schema>(name: string, arity: number, attrs: S, rule: Rule): OpDef {
  return new OpDef({
    name,
    inputs: ['...data'],
    attrs,
    body: (arrays, values, numbers) => {
      const { clipGradient: limit } = values as { clipGradient: number }
      const results: Tensor[] = []
      for (let i = 0; i < arrays.length; i += arity) {
        results.push(...run(name, rule, arrays.slice(i, i + arity), numbers, limit))
      }
      return results
    },
  }) as unknown as OpDef
}

const multiOps = {
  sgd: many('multi_sgd', 2, common, sgdRule),
  momentum: many('multi_sgd_mom', 3, { ...common, ...momentumOf }, momentumRule),
  adam: many('multi_adam', 4, { ...common, ...adamOf }, adamRule),
}

/** Numbers of a fused update; those a rule does not know are errors. */
export interface MultiUpdateOptions {
  readonly lr: number
  readonly wd: number
  readonly rescaleGrad: number
  readonly clipGradient: number
  readonly momentum?: number
  readonly beta1?: number
  readonly beta2?: number
  readonly epsilon?: number
}

/**
 * Updates many parameters in place in one call: parameter i is `weights[i]` with `states[i]`.
 *
 * All share one set of numbers; changing them compiles nothing anew.
 */
export function multiUpdate<T extends Tensor>(
  rule: keyof typeof multiOps,
  weights: readonly T[],
  grads: readonly T[],
  states: readonly (readonly T[])[],
  options: MultiUpdateOptions,
): void {
  const inputs: T[] = []
  const targets: T[] = []
  for (let i = 0; i < weights.length; i++) {
    inputs.push(weights[i]!, grads[i]!)
    targets.push(weights[i]!)
    for (const state of states[i]!) {
      inputs.push(state)
      targets.push(state)
    }
  }
  applyInto(multiOps[rule], inputs, { ...options }, targets)
}

type Options = typeof common & typeof lazy

/** Applies an update: a new array, or `out` overwritten; states are always overwritten. */
function update<T extends Tensor>(
  op: OpDef,
  weight: T,
  grad: T,
  states: readonly T[],
  { out, ...attrs }: { readonly out?: T | undefined; readonly [name: string]: unknown },
): T {
  const inputs = [weight, grad, ...states]
  if (out !== undefined) {
    applyInto(op, inputs, attrs, [out, ...states])
    return out
  }
  const [result, ...next] = applyAll(op, inputs, attrs)
  states.forEach((state, i) => {
    ;(state as T & { assign(value: T): unknown }).assign(next[i]!)
  })
  return result!
}

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
  options: Given<Options> & { out?: T },
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
  options: Given<Options & typeof momentumOf> & { out?: T },
): T {
  return update(momentumOp, weight, grad, [mom], options)
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
  options: Given<Options & typeof adamOf> & { out?: T },
): T {
  return update(adamOp, weight, grad, [mean, variance], options)
}
