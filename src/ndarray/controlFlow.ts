/** Control flow: loops and branches as functions: step by step on arrays, unrolled while traced, one node of a symbol. */

import { fail } from '../base/error.ts'
import { formatShape } from '../base/shape.ts'
import { frame } from '../core/frame.ts'
import { type Tensor, Unbound } from '../core/tensor.ts'
import { multiply } from '../ops/binary.ts'
import { zerosLike } from '../ops/cast.ts'
import { notEqual } from '../ops/compare.ts'
import { where } from '../ops/indexing.ts'
import { broadcastTo, reshape } from '../ops/movement.ts'
import { stack } from '../ops/slicing.ts'
import { NDArray } from './ndarray.ts'

/** One tensor, or several. */
export type Several<T extends Tensor> = T | readonly T[]

const listOf = <T extends Tensor>(x: Several<T>): readonly T[] =>
  Array.isArray(x) ? (x as readonly T[]) : [x as T]
/** The tensors in the form in which `like` gave its own. */
const inFormOf = <T extends Tensor>(like: Several<T>, xs: readonly T[]): Several<T> =>
  Array.isArray(like) ? xs : xs[0]!

/** Whether a loop or branch is to be a node of a symbol. */
const composes = (xs: readonly Tensor[]): boolean => xs.some((x) => x instanceof Unbound)

/** Whether a predicate can be read here and now. */
const readable = (x: Tensor): x is NDArray => x instanceof NDArray && !frame.tracing

/** `x` where the predicate (one element) is not 0, else `y`. */
function choose<T extends Tensor>(name: string, predicate: T, x: T, y: T): T {
  if (predicate.size !== 1)
    fail(name, `the predicate has shape ${formatShape(predicate.shape)}: it must be one element`)
  if (x.shape.join() !== y.shape.join())
    fail(
      name,
      `the results have shapes ${formatShape(x.shape)} and ${formatShape(y.shape)}: they must be the same`,
    )
  const ones = x.shape.map(() => 1)
  return where(broadcastTo(reshape(predicate, ones), x.shape), x, y)
}

/**
 * A loop over the slices of axis 0: `body(slice, states)` gives an output and new states; outputs are stacked.
 *
 * `(n, A…), states -> (n, B…), states`. While a graph is traced the loop is unrolled; on symbols it is one node, `_foreach`.
 * @throws MXNetError when the arrays differ in length or have none.
 * @example
 * const [sums] = nd.contrib.foreach((x, s) => [x.add(s), x.add(s)], nd.array([1, 2, 3]), nd.array(0))
 * await sums.asArray() // => [1, 3, 6]
 * @see MXNet `mx.nd.contrib.foreach`
 */
export function foreach<T extends Tensor, D extends Several<T>, S extends Several<T>>(
  body: (data: D, states: S) => readonly [Several<T>, Several<T>],
  data: D,
  initStates: S,
): [Several<T>, S] {
  const arrays = listOf<T>(data)
  if (composes(arrays)) {
    let form: Several<T> = []
    const [outs, last] = frame.flow!.foreach(
      (xs, vars) => {
        const [out, next] = body(
          inFormOf(data as Several<T>, xs as readonly T[]) as D,
          inFormOf(initStates as Several<T>, vars as readonly T[]) as S,
        )
        form = out
        return [listOf(out), listOf<T>(next)]
      },
      arrays,
      listOf<T>(initStates),
    )
    return [
      inFormOf(form, outs as readonly T[]),
      inFormOf(initStates as Several<T>, last as readonly T[]) as S,
    ]
  }
  const n = arrays[0]?.shape[0]
  if (n === undefined || n === 0 || arrays.some((x) => x.shape[0] !== n))
    fail('foreach', 'data must be arrays with a common axis 0 of at least one slice')
  let states = initStates
  const steps: (readonly T[])[] = []
  let form: Several<T> = []
  for (let i = 0; i < n; i++) {
    const slices = arrays.map((x) => x.at(i))
    const [out, next] = body(inFormOf(data as Several<T>, slices) as D, states)
    form = out
    steps.push(listOf(out))
    states = next as S
  }
  const stacked = steps[0]!.map((_, k) => stack<T>(...steps.map((s) => s[k]!)))
  return [inFormOf(form, stacked), states]
}

/** How long a `whileLoop` may run. */
export interface WhileOptions {
  readonly maxIterations: number
}

/**
 * A loop while a condition holds, at most `maxIterations` times: `func(...vars)` gives an output and new variables.
 * Outputs are stacked and filled up with zeros to `maxIterations`.
 *
 * `vars -> (maxIterations, B…), vars`. While a graph is traced all iterations are in it, those after the condition
 * failed without effect; on symbols the loop is one node, `_while_loop`.
 * @throws MXNetError when maxIterations is not an integer above 0.
 * @example
 * const [, [i]] = nd.contrib.whileLoop((x) => x.lesser(5), (x) => [x, [x.add(2)]], [nd.array(0)], { maxIterations: 9 })
 * await i.asScalar() // => 6
 * @see MXNet `mx.nd.contrib.while_loop`
 */
export function whileLoop<T extends Tensor>(
  cond: (...vars: T[]) => T,
  func: (...vars: T[]) => readonly [Several<T>, Several<T>],
  loopVars: Several<T>,
  options: WhileOptions,
): [T[], T[]] {
  const { maxIterations } = options
  if (!Number.isInteger(maxIterations) || maxIterations < 1)
    fail('while_loop', `maxIterations is ${String(maxIterations)}: it must be an integer above 0`)
  let vars = [...listOf(loopVars)]
  if (composes(vars)) {
    const [outs, last] = frame.flow!.whileLoop(
      (given) => cond(...(given as readonly T[])),
      (given) => {
        const [out, next] = func(...(given as readonly T[]))
        return [listOf(out), listOf(next)]
      },
      vars,
      maxIterations,
    )
    return [[...(outs as readonly T[])], [...(last as readonly T[])]]
  }
  let active: T | null = null
  const steps: (readonly T[])[] = []
  for (let i = 0; i < maxIterations; i++) {
    const predicate = cond(...vars)
    if (readable(predicate) && predicate.asScalarSync() === 0) break
    const [out, next] = func(...vars)
    const [outs, fresh] = [listOf(out), listOf(next)]
    if (fresh.length !== vars.length)
      fail('while_loop', `func gives ${fresh.length} variables for ${vars.length}`)
    if (readable(predicate)) {
      steps.push(outs)
      vars = [...fresh]
      continue
    }
    const holds = notEqual(reshape(predicate, []), 0)
    active = active === null ? holds : multiply(active, holds)
    const still = active
    steps.push(outs.map((o) => choose('while_loop', still, o, zerosLike(o))))
    vars = vars.map((v, k) => choose('while_loop', still, fresh[k]!, v))
  }
  const [first] = steps
  if (first === undefined) return [[], vars]
  const outputs = first.map((o, k) => {
    const rest = Array.from({ length: maxIterations - steps.length }, () => zerosLike(o))
    return stack<T>(...steps.map((s) => s[k]!), ...rest)
  })
  return [outputs, vars]
}

/**
 * One of two branches by a predicate of one element. While a graph is traced both are in it, and the predicate chooses
 * between their results; on symbols it is one node, `_cond`.
 *
 * @throws MXNetError when the predicate has more than one element, or traced branches give different shapes.
 * @example
 * await nd.contrib.cond(nd.array([1]), () => nd.array([5]), () => nd.array([6])).asArray() // => [5]
 * @see MXNet `mx.nd.contrib.cond`
 */
export function cond<T extends Tensor, R extends Several<T>>(
  pred: T,
  thenFunc: () => R,
  elseFunc: () => R,
): R {
  if (composes([pred])) {
    let form: Several<T> = []
    const branch = (run: () => R) => (): readonly Tensor[] => {
      form = run()
      return listOf<T>(form)
    }
    const results = frame.flow!.cond(pred, branch(thenFunc), branch(elseFunc))
    return inFormOf(form, results as readonly T[]) as R
  }
  if (readable(pred)) return pred.asScalarSync() !== 0 ? thenFunc() : elseFunc()
  const yes = thenFunc()
  const [a, b] = [listOf<T>(yes), listOf<T>(elseFunc())]
  if (a.length !== b.length) fail('cond', `the branches give ${a.length} and ${b.length} results`)
  return inFormOf(
    yes as Several<T>,
    a.map((x, k) => choose('cond', pred, x, b[k]!)),
  ) as R
}
