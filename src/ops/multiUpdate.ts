/** Updates of many weights in one call: MXNet's multi-tensor operators, and the one the optimizers use. */

import { fail } from '../base/error.ts'
import { formatShape } from '../base/shape.ts'
import { applyAll, applyInto } from '../core/apply.ts'
import { attr, type Given, type Schema } from '../core/attrs.ts'
import { defineOp, OpDef } from '../core/op.ts'
import type { Tensor } from '../core/tensor.ts'
import { filled, reshapeTo, sliceOf } from '../prim/primitive.ts'
import { addN } from './binary.ts'
import { type Formula, type FormulaName, formulas, type Statics } from './formula.ts'
import { precise } from './updateOp.ts'

/** Runs a formula on each run of arrays; results are all new weights, then all new states in order. */
function each(
  where: string,
  { body }: Formula,
  runs: readonly (readonly Tensor[])[],
  numbersOf: (weight: number) => readonly Tensor[],
  attrs: Statics,
): Tensor[] {
  const weights: Tensor[] = []
  const states: Tensor[] = []
  runs.forEach((arrays, i) => {
    const [weight, ...after] = body(where, arrays, numbersOf(i), attrs)
    weights.push(weight!)
    states.push(...after)
  })
  return [...weights, ...states]
}

/** Arrays of `count` weights that lie one after another. */
function runsOf(
  where: string,
  arrays: readonly Tensor[],
  count: number,
  arity: number,
): Tensor[][] {
  if (arrays.length !== count * arity) {
    fail(
      where,
      `${arrays.length} arrays given for ${count} weights: each weight takes ${arity}, one after another`,
    )
  }
  return Array.from({ length: count }, (_, i) => arrays.slice(i * arity, (i + 1) * arity))
}

const optimizerOps = new Map<string, OpDef>()

/**
 * The operator that updates any number of parameters by one formula and one set of numbers; each has so many gradients,
 * which are added up.
 */
function optimizerOp(name: FormulaName, halves: boolean, gradients: number): OpDef {
  const key = `${name} of ${halves ? 'halves' : 'many'}${gradients > 1 ? ` by ${gradients}` : ''}`
  let op = optimizerOps.get(key)
  if (op === undefined) {
    const f: Formula = halves ? precise(formulas[name]) : formulas[name]
    const arity = f.arrays.length + gradients - 1
    op = new OpDef({
      name: key,
      inputs: ['...data'],
      attrs: f.attrs,
      ...(name === 'sgld' ? { traits: { random: true } } : {}),
      body: (arrays, values, numbers) => {
        const runs = runsOf(name, arrays, arrays.length / arity, arity)
        const summed = runs.map(([weight, ...after]) => {
          const grad = addN(...after.slice(0, gradients))
          return [weight!, grad, ...after.slice(gradients)]
        })
        return each(name, f, summed, () => numbers, values)
      },
    }) as unknown as OpDef
    optimizerOps.set(key, op)
  }
  return op
}

/** The gradient of a parameter, or several whose sum it is. */
export type Gradient<T extends Tensor> = T | readonly T[]

/**
 * Updates many parameters in place in one call: parameter i is `weights[i]` with `states[i]`.
 *
 * All have one gradient each, or equally many each, which are added up on the way.
 * All share one set of numbers; changing them compiles nothing anew. Where there is a state more than the formula has, it is
 * the float32 copy of a half-precision weight, by which the weight is updated; all parameters must be of one kind.
 * Parameters of a formula that draws random numbers must come one at a time.
 */
export function multiUpdate<T extends Tensor>(
  name: FormulaName,
  weights: readonly T[],
  grads: readonly Gradient<T>[],
  states: readonly (readonly T[])[],
  attrs: { readonly [name: string]: unknown },
): void {
  const halves = states.length > 0 && hasCopy(name, states[0]!.length)
  const sums = grads.map((g): readonly T[] => (Array.isArray(g) ? g : [g as T]))
  const inputs = weights.flatMap((weight, i) => [weight, ...sums[i]!, ...states[i]!])
  const op = optimizerOp(name, halves, sums[0]?.length ?? 1)
  applyInto(op, inputs, attrs, [...weights, ...states.flat()])
}

/** Whether so many states of a formula end in a float32 copy of the weight. */
export const hasCopy = (name: FormulaName, states: number): boolean =>
  states > formulas[name].arrays.length - 2

/** Where the numbers of each weight come from: the attribute of the list, for each number of the formula. */
interface Lists {
  readonly [number: string]: string
}

interface Multi {
  readonly op: OpDef
  /** Arrays a weight. */
  readonly arity: number
  /** Arrays behind those of the weights. */
  readonly extra: number
}

/** Attributes of a multi-tensor operator: lists instead of the numbers that differ from weight to weight. */
function listAttrs(f: Formula, lists: Lists, count: Schema, given: boolean): Schema {
  const attrs: { [name: string]: Schema[string] } = { ...count }
  for (const name in f.attrs) {
    const list = lists[name]
    if (list === undefined) attrs[name] = f.attrs[name]!
    else if (!given) attrs[list] = name === 't' ? attr.ints() : attr.floats()
  }
  return attrs
}

/** An operator that runs a formula on many weights; its lists are attributes, or arrays behind the weights. */
function defineMulti(
  name: string,
  f: Formula,
  lists: Lists,
  { preloaded = false, trailing = 0, count = 'numWeights' } = {},
): Multi {
  const listNames = Object.keys(f.attrs).filter((n) => lists[n] !== undefined)
  const arity = f.arrays.length - trailing
  const extra = trailing + (preloaded ? listNames.length : 0)
  const op = defineOp({
    name,
    inputs: ['...data'],
    attrs: listAttrs(
      f,
      lists,
      { [count]: attr.int(count === 'numWeights' ? 1 : undefined, { min: 1 }) },
      preloaded,
    ),
    body: (arrays, values, numbers) => {
      const n = (values as Statics)[count] as number
      const runs = runsOf(name, arrays.slice(0, arrays.length - extra), n, arity)
      const behind = arrays.slice(arrays.length - extra)
      const loaded = preloaded ? behind : []
      const shared = preloaded ? [] : behind
      const entry = (list: string, i: number): Tensor => {
        if (preloaded)
          return element(name, loaded[listNames.findIndex((k) => lists[k] === list)]!, i, n)
        const given = (values as Statics)[list] as readonly number[]
        if (given.length !== n)
          fail(name, `${list} has ${given.length} numbers for ${n} weights: it must have one each`)
        return filled([], given[i]!, 'float64')
      }
      const numbersOf = (i: number): Tensor[] => {
        let next = 0
        return Object.keys(f.attrs).flatMap((key) => {
          if (!f.attrs[key]!.dynamic) return []
          const list = lists[key]
          return [list === undefined ? numbers[next++]! : entry(list, i)]
        })
      }
      return each(
        name,
        f,
        runs.map((run) => [...run, ...shared]),
        numbersOf,
        values,
      )
    },
  })
  return { op: op as unknown as OpDef, arity, extra }
}

/** Element `i` of a list given as an array of `n`. */
function element(where: string, list: Tensor, i: number, n: number): Tensor {
  if (list.size !== n) {
    fail(
      where,
      `a list of shape ${formatShape(list.shape)} for ${n} weights: it must have one number each`,
    )
  }
  return reshapeTo(sliceOf(reshapeTo(list, [n]), [i], [1], [1]), [])
}

const rates: Lists = { lr: 'lrs', wd: 'wds' }
const { sgd, momentum, adamw, lamb } = formulas
const multiSgd = defineMulti('multi_sgd_update', sgd, rates)
const multiSgdMom = defineMulti('multi_sgd_mom_update', momentum, rates)
const multiMpSgd = defineMulti('multi_mp_sgd_update', precise(sgd), rates)
const multiMpSgdMom = defineMulti('multi_mp_sgd_mom_update', precise(momentum), rates)
const loaded = { preloaded: true }
const preloadedSgd = defineMulti('preloaded_multi_sgd_update', sgd, rates, loaded)
const preloadedSgdMom = defineMulti('preloaded_multi_sgd_mom_update', momentum, rates, loaded)
const preloadedMpSgd = defineMulti('preloaded_multi_mp_sgd_update', precise(sgd), rates, loaded)
const preloadedMpSgdMom = defineMulti(
  'preloaded_multi_mp_sgd_mom_update',
  precise(momentum),
  rates,
  loaded,
)
const adamwLists: Lists = { ...rates, eta: 'etas' }
const multiAdamwOp = defineMulti('_multi_adamw_update', adamw, adamwLists, { trailing: 1 })
const multiMpAdamwOp = defineMulti('_multi_mp_adamw_update', precise(adamw, 1), adamwLists, {
  trailing: 1,
})
const lambLists: Lists = { lr: 'learningRates', wd: 'wds', t: 'stepCount' }
const byTensors = { count: 'numTensors' }
const multiLambOp = defineMulti('_multi_lamb_update', lamb, lambLists, byTensors)
const multiMpLambOp = defineMulti('_multi_mp_lamb_update', precise(lamb), lambLists, byTensors)

/** Calls a multi-tensor operator: states are overwritten, new weights are new arrays or written into `out`. */
function updateMany<T extends Tensor>(
  { op, arity, extra }: Multi,
  data: readonly T[],
  { out, ...attrs }: { readonly out?: readonly T[] | undefined; readonly [name: string]: unknown },
): T[] {
  const own = data.slice(0, data.length - extra)
  const states = own.filter((_, i) => i % arity >= 2)
  if (out !== undefined) {
    applyInto(op, data, attrs, [...out, ...states])
    return [...out]
  }
  const results = applyAll(op, data, attrs)
  const weights = results.slice(0, results.length - states.length)
  results.slice(weights.length).forEach((next, i) => {
    ;(states[i] as T & { assign(value: T): unknown }).assign(next)
  })
  return weights
}

/** Options that all multi-tensor updates of gradient descent take. */
export interface MultiSgdOptions<T> {
  readonly numWeights?: number
  readonly rescaleGrad?: number
  readonly clipGradient?: number
  /** The arrays the new weights are written into; without it they are new arrays. */
  readonly out?: readonly T[]
}
/** The same with a learning rate and a weight decay for each weight. */
export interface ListedSgdOptions<T> extends MultiSgdOptions<T> {
  readonly lrs: readonly number[]
  readonly wds: readonly number[]
}
interface Momentum {
  readonly momentum?: number
}
/** Arrays, and options as the last argument. */
export type Spread<T, O> = [...data: T[], options: O]

const splitArguments = <T, O>(where: string, args: readonly (T | O)[]): [T[], O] => {
  const options = args.at(-1)
  if (options === undefined || typeof options !== 'object')
    fail(where, 'options are missing: give them last')
  return [args.slice(0, -1) as T[], options as O]
}

/** The function behind a multi-tensor operator over spread arrays. */
const spread = <T extends Tensor, O extends object>(multi: Multi, args: Spread<T, O>): T[] => {
  const [data, options] = splitArguments<T, O>(multi.op.name, args)
  return updateMany(multi, data, options as never)
}

/**
 * `sgdUpdate` of many weights at once; arrays come as weight, gradient, weight, gradient, …; the new weights.
 * @throws MXNetError when the arrays are not two for each of `numWeights`, or a list has another length.
 * @example
 * nd.multiSgdUpdate(nd.array([1]), nd.array([2]), { lrs: [0.5], wds: [0], numWeights: 1 }).length // => 1
 * @see MXNet `multi_sgd_update`
 */
export function multiSgdUpdate<T extends Tensor>(...args: Spread<T, ListedSgdOptions<T>>): T[] {
  return spread(multiSgd, args)
}

/**
 * `sgdMomUpdate` of many weights at once; arrays come as weight, gradient, momentum, …; momenta are overwritten.
 * @throws MXNetError when the arrays are not three for each of `numWeights`, or a list has another length.
 * @example
 * nd.multiSgdMomUpdate(nd.array([1]), nd.array([2]), nd.array([0]), { lrs: [0.5], wds: [0], momentum: 0.9 })
 * @see MXNet `multi_sgd_mom_update`
 */
export function multiSgdMomUpdate<T extends Tensor>(
  ...args: Spread<T, ListedSgdOptions<T> & Momentum>
): T[] {
  return spread(multiSgdMom, args)
}

/**
 * `mpSgdUpdate` of many weights at once; arrays come as weight, gradient, float32 copy, …; copies are overwritten.
 * @throws MXNetError when the arrays are not three for each of `numWeights`, or a list has another length.
 * @example
 * nd.multiMpSgdUpdate(nd.array([1]), nd.array([2]), nd.array([1]), { lrs: [0.5], wds: [0] })
 * @see MXNet `multi_mp_sgd_update`
 */
export function multiMpSgdUpdate<T extends Tensor>(...args: Spread<T, ListedSgdOptions<T>>): T[] {
  return spread(multiMpSgd, args)
}

/**
 * `mpSgdMomUpdate` of many weights at once; arrays come as weight, gradient, momentum, float32 copy, ….
 * @throws MXNetError when the arrays are not four for each of `numWeights`, or a list has another length.
 * @example
 * nd.multiMpSgdMomUpdate(nd.array([1]), nd.array([2]), nd.array([0]), nd.array([1]), { lrs: [0.5], wds: [0] })
 * @see MXNet `multi_mp_sgd_mom_update`
 */
export function multiMpSgdMomUpdate<T extends Tensor>(
  ...args: Spread<T, ListedSgdOptions<T> & Momentum>
): T[] {
  return spread(multiMpSgdMom, args)
}

/**
 * `multiSgdUpdate` with its rates and decays as two arrays behind the weights' arrays: changing them compiles nothing.
 * @throws MXNetError when the arrays are not two for each of `numWeights` and two more of `numWeights` elements.
 * @example
 * nd.preloadedMultiSgdUpdate(nd.array([1]), nd.array([2]), nd.array([0.5]), nd.array([0]), { numWeights: 1 })
 * @see MXNet `preloaded_multi_sgd_update`
 */
export function preloadedMultiSgdUpdate<T extends Tensor>(
  ...args: Spread<T, MultiSgdOptions<T>>
): T[] {
  return spread(preloadedSgd, args)
}

/**
 * `multiSgdMomUpdate` with its rates and decays as two arrays behind the weights' arrays.
 * @throws MXNetError when the arrays are not three for each of `numWeights` and two more of `numWeights` elements.
 * @example
 * const [w, g, mom, lrs, wds] = [1, 2, 0, 0.5, 0].map((x) => nd.array([x]))
 * nd.preloadedMultiSgdMomUpdate(w, g, mom, lrs, wds, { momentum: 0.9 })
 * @see MXNet `preloaded_multi_sgd_mom_update`
 */
export function preloadedMultiSgdMomUpdate<T extends Tensor>(
  ...args: Spread<T, MultiSgdOptions<T> & Momentum>
): T[] {
  return spread(preloadedSgdMom, args)
}

/**
 * `multiMpSgdUpdate` with its rates and decays as two arrays behind the weights' arrays.
 * @throws MXNetError when the arrays are not three for each of `numWeights` and two more of `numWeights` elements.
 * @example
 * const [w, g, copy, lrs, wds] = [1, 2, 1, 0.5, 0].map((x) => nd.array([x]))
 * nd.preloadedMultiMpSgdUpdate(w, g, copy, lrs, wds, {})
 * @see MXNet `preloaded_multi_mp_sgd_update`
 */
export function preloadedMultiMpSgdUpdate<T extends Tensor>(
  ...args: Spread<T, MultiSgdOptions<T>>
): T[] {
  return spread(preloadedMpSgd, args)
}

/**
 * `multiMpSgdMomUpdate` with its rates and decays as two arrays behind the weights' arrays.
 * @throws MXNetError when the arrays are not four for each of `numWeights` and two more of `numWeights` elements.
 * @example
 * const [w, g, mom, copy, lrs, wds] = [1, 2, 0, 1, 0.5, 0].map((x) => nd.array([x]))
 * nd.preloadedMultiMpSgdMomUpdate(w, g, mom, copy, lrs, wds, { momentum: 0.9 })
 * @see MXNet `preloaded_multi_mp_sgd_mom_update`
 */
export function preloadedMultiMpSgdMomUpdate<T extends Tensor>(
  ...args: Spread<T, MultiSgdOptions<T> & Momentum>
): T[] {
  return spread(preloadedMpSgdMom, args)
}

type Shared<F extends Formula, Own extends string> = Omit<Given<F['attrs']>, Own>

/** Options of `multiAdamwUpdate`. */
export type MultiAdamwOptions<T> = Shared<typeof adamw, 'lr' | 'wd' | 'eta'> & {
  readonly lrs: readonly number[]
  readonly wds: readonly number[]
  readonly etas: readonly number[]
  readonly out?: readonly T[]
}

const interleave = <T>(...lists: readonly (readonly T[])[]): T[] =>
  lists[0]!.flatMap((_, i) => lists.map((list) => list[i]!))

/**
 * `adamwUpdate` of many weights at once, each with its own rate, decay and `eta`; means are overwritten.
 * @throws MXNetError when the lists have different lengths.
 * @example
 * const [w, g, mean, variance] = [1, 2, 0, 0].map((x) => [nd.array([x])])
 * nd.contrib.multiAdamwUpdate(w, g, mean, variance, nd.array([1]), { lrs: [0.1], wds: [0], etas: [1] })
 * @see MXNet `contrib.multi_adamw_update`
 */
export function multiAdamwUpdate<T extends Tensor>(
  weights: readonly T[],
  grads: readonly T[],
  means: readonly T[],
  variances: readonly T[],
  rescaleGrad: T,
  options: MultiAdamwOptions<T>,
): T[] {
  const data = [...interleave(weights, grads, means, variances), rescaleGrad]
  return updateMany(multiAdamwOp, data, { ...options, numWeights: weights.length })
}

/**
 * `mpAdamwUpdate` of many weights at once; means and float32 copies are overwritten.
 * @throws MXNetError when the lists have different lengths.
 * @example
 * const [w, g, mean, variance, copy] = [1, 2, 0, 0, 1].map((x) => [nd.array([x])])
 * nd.contrib.multiMpAdamwUpdate(w, g, mean, variance, copy, nd.array([1]), { lrs: [0.1], wds: [0], etas: [1] })
 * @see MXNet `contrib.multi_mp_adamw_update`
 */
export function multiMpAdamwUpdate<T extends Tensor>(
  weights: readonly T[],
  grads: readonly T[],
  means: readonly T[],
  variances: readonly T[],
  weights32: readonly T[],
  rescaleGrad: T,
  options: MultiAdamwOptions<T>,
): T[] {
  const data = [...interleave(weights, grads, means, variances, weights32), rescaleGrad]
  return updateMany(multiMpAdamwOp, data, { ...options, numWeights: weights.length })
}

/** Options of `multiLambUpdate`; `stepCount` counts from 1 for each weight. */
export type MultiLambOptions<T> = Shared<typeof lamb, 'lr' | 'wd' | 't'> & {
  readonly learningRates: readonly number[]
  readonly wds: readonly number[]
  readonly stepCount: readonly number[]
  readonly out?: readonly T[]
}

/**
 * Both phases of LAMB for many weights at once; means are overwritten.
 * @throws MXNetError when the lists have different lengths.
 * @example
 * const [w, g, mean, variance] = [1, 2, 0, 0].map((x) => [nd.array([x])])
 * nd.contrib.multiLambUpdate(w, g, mean, variance, { learningRates: [0.1], wds: [0], stepCount: [1] })
 * @see MXNet `contrib.multi_lamb_update`
 */
export function multiLambUpdate<T extends Tensor>(
  weights: readonly T[],
  grads: readonly T[],
  means: readonly T[],
  variances: readonly T[],
  options: MultiLambOptions<T>,
): T[] {
  const data = interleave(weights, grads, means, variances)
  return updateMany(multiLambOp, data, { ...options, numTensors: weights.length })
}

/**
 * `multiLambUpdate` of half-precision weights by their float32 copies, which are overwritten.
 * @throws MXNetError when the lists have different lengths.
 * @example
 * const [w, g, mean, variance, copy] = [1, 2, 0, 0, 1].map((x) => [nd.array([x])])
 * nd.contrib.multiMpLambUpdate(w, g, mean, variance, copy, { learningRates: [0.1], wds: [0], stepCount: [1] })
 * @see MXNet `contrib.multi_mp_lamb_update`
 */
export function multiMpLambUpdate<T extends Tensor>(
  weights: readonly T[],
  grads: readonly T[],
  means: readonly T[],
  variances: readonly T[],
  weights32: readonly T[],
  options: MultiLambOptions<T>,
): T[] {
  const data = interleave(weights, grads, means, variances, weights32)
  return updateMany(multiMpLambOp, data, { ...options, numTensors: weights.length })
}
