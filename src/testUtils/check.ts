/** Checks of operators and blocks: gradients against differences, devices and dtypes against each other. */

import { backward, record } from '../autograd/index.ts'
import type { Context } from '../base/context.ts'
import { type DType, isFloat } from '../base/dtype.ts'
import { fail, MXNetError } from '../base/error.ts'
import { formatShape, sameShape } from '../base/shape.ts'
import { withFrame } from '../core/frame.ts'
import { currentContext } from '../ndarray/context.ts'
import { array } from '../ndarray/creation.ts'
import { type GradReq, NDArray } from '../ndarray/ndarray.ts'
import { randNdarray } from './random.ts'
import { type Comparable, type Tolerances, tolerancesOf, valuesOf } from './values.ts'

/** What is checked: a function of arrays, an operator, or a block. */
export type Checked = (...inputs: NDArray[]) => NDArray | readonly NDArray[]

const listOf = (x: NDArray | readonly NDArray[]): readonly NDArray[] =>
  x instanceof NDArray ? [x] : x

const dot = (a: readonly number[], b: readonly number[]): number =>
  a.reduce((s, v, i) => s + v * b[i]!, 0)

/**
 * The context that tests run on: the current one.
 * @example
 * mx.testUtils.defaultContext() // => cpu(0)
 * @see MXNet `test_utils.default_context`
 */
export const defaultContext = currentContext

/** Options of `checkNumericGradient`. */
export interface NumericOptions extends Tolerances {
  /** The step of the differences; by dtype: 1e-2 for halves, 1e-3 for float32, 1e-5 for float64. */
  readonly numericEps?: number | null
  /** Which inputs are checked, by position; all of floating dtypes by default. */
  readonly gradNodes?: readonly number[] | null
  /** Whether layers such as Dropout behave as in training (the default). */
  readonly useForwardTrain?: boolean
  readonly ctx?: Context
  /** The dtype of inputs that are not arrays; 'float64' by default. */
  readonly dtype?: DType
}

const steps: { readonly [dtype: string]: number } = { float64: 1e-5, float32: 1e-3 }

/**
 * Checks the gradients of a function against central differences, along each element of each input.
 *
 * Outputs are projected on random directions r: `Σ r·f(x)` is differentiated both ways, and compared for `gradReq`
 * 'write' and 'add'. Inputs of float64 give the sharpest check.
 * @throws MXNetError that names the input and the place where the two differ by most.
 * @example
 * await mx.testUtils.checkNumericGradient((x) => nd.square(x), [nd.array([1, 2], { dtype: 'float64' })])
 * @see MXNet `test_utils.check_numeric_gradient`
 */
export async function checkNumericGradient(
  fn: Checked,
  location: readonly (NDArray | Comparable)[],
  options: NumericOptions = {},
): Promise<void> {
  const { ctx = currentContext(), dtype = 'float64', useForwardTrain = true } = options
  const inputs = location.map((x) =>
    x instanceof NDArray ? x.detach() : array(x as number[], { dtype, ctx }),
  )
  const every = inputs.flatMap((x, i) => (isFloat(x.dtype) ? [i] : []))
  const nodes = options.gradNodes ?? every
  const forward = (xs: readonly NDArray[]): readonly NDArray[] =>
    withFrame({ training: useForwardTrain, recording: false }, () => listOf(fn(...xs)))
  const outputs = forward(inputs)
  const directions = outputs.map((y) => randNdarray(y.shape, { dtype: y.dtype, ctx: y.context }))
  const weights = await Promise.all(directions.map(valuesOf))
  const project = async (xs: readonly NDArray[]): Promise<number> => {
    const values = await Promise.all(forward(xs).map(valuesOf))
    return values.reduce((s, v, k) => s + dot(v.data, weights[k]!.data), 0)
  }
  const analytic = async (gradReq: GradReq, times: number): Promise<number[][]> => {
    const xs = inputs.map((x) => x.copy())
    for (const i of nodes) xs[i]!.attachGrad(gradReq)
    for (let t = 0; t < times; t++) {
      const ys = record(() => listOf(fn(...xs)), { trainMode: useForwardTrain })
      const heads = ys.flatMap((y, k) => (y.node === null ? [] : [k]))
      if (heads.length > 0) {
        const grads = heads.map((k) => directions[k]!)
        backward(
          heads.map((k) => ys[k]!),
          grads,
          { trainMode: useForwardTrain },
        )
      }
    }
    return Promise.all(nodes.map(async (i) => [...(await valuesOf(xs[i]!.grad!)).data]))
  }
  const [written, added] = [await analytic('write', 1), await analytic('add', 2)]
  for (const [k, i] of nodes.entries()) {
    const x = inputs[i]!
    const eps = options.numericEps ?? steps[x.dtype] ?? 1e-2
    const { data } = await valuesOf(x)
    const moved = async (at: number, by: number): Promise<number> => {
      const changed = array(
        data.map((v, j) => (j === at ? v + by : v)),
        {
          dtype: x.dtype,
          ctx: x.context,
        },
      ).reshape(x.shape)
      return project(inputs.map((other, j) => (j === i ? changed : other)))
    }
    for (let at = 0; at < data.length; at++) {
      const numeric = ((await moved(at, eps)) - (await moved(at, -eps))) / (2 * eps)
      const rtol = options.rtol ?? (x.dtype === 'float64' ? 1e-5 : 1e-2)
      const atol = options.atol ?? (x.dtype === 'float64' ? 1e-7 : 1e-2)
      const checks = [
        ['write', written[k]![at]!, numeric],
        ['add (twice)', added[k]![at]!, 2 * numeric],
      ] as const
      for (const [req, got, want] of checks) {
        if (Math.abs(got - want) <= atol + rtol * Math.abs(want)) continue
        fail(
          'checkNumericGradient',
          `input ${i}, element ${at}, gradReq ${req}: the gradient is ${got}, differences give ${want}`,
        )
      }
    }
  }
}

/** One way to run: a context, and the dtype that floating inputs are cast to. */
export interface Setting {
  readonly ctx: Context
  readonly dtype?: DType
}

/** Options of `checkConsistency`. */
export interface ConsistencyOptions extends Tolerances {
  /** How gradients are stored; 'null' compares values alone. */
  readonly gradReq?: GradReq
}

/**
 * Checks that a function gives the same values and gradients on several contexts and in several dtypes.
 *
 * The setting of the finest dtype is taken for the truth; tolerances are those of the coarser dtype of each comparison.
 * @throws MXNetError that names the setting, the array and the place.
 * @example
 * const settings = [{ ctx: cpu(0) }, { ctx: cpu(1), dtype: 'float64' }]
 * await mx.testUtils.checkConsistency((x) => nd.exp(x), settings, [nd.array([1, 2])])
 * @see MXNet `test_utils.check_consistency`
 */
export async function checkConsistency(
  fn: Checked,
  settings: readonly Setting[],
  location: readonly NDArray[],
  options: ConsistencyOptions = {},
): Promise<void> {
  const { gradReq = 'write' } = options
  const run = async ({ ctx, dtype }: Setting): Promise<{ what: string; array: NDArray }[]> => {
    const inputs = location.map((x) => {
      const own = x.detach().asInContext(ctx)
      return (dtype !== undefined && isFloat(x.dtype) ? own.astype(dtype) : own).copy()
    })
    const free = inputs.filter((x) => isFloat(x.dtype) && gradReq !== 'null')
    for (const x of free) x.attachGrad(gradReq)
    const outputs = withFrame({ context: ctx }, () => {
      const ys = record(() => listOf(fn(...inputs)))
      const heads = ys.filter((y) => y.node !== null)
      if (heads.length > 0) backward(heads)
      return ys
    })
    return [
      ...outputs.map((y, i) => ({ what: `output ${i}`, array: y })),
      ...free.map((x, i) => ({ what: `gradient ${i}`, array: x.grad! })),
    ]
  }
  const fineness = (s: Setting): number =>
    ['bfloat16', 'float16', 'float32', 'float64'].indexOf(s.dtype ?? 'float32')
  const truthful = settings.toSorted((a, b) => fineness(b) - fineness(a))[0]
  if (truthful === undefined) fail('checkConsistency', 'there are no settings: give at least one')
  const truth = await run(truthful)
  for (const setting of settings) {
    if (setting === truthful) continue
    const got = await run(setting)
    for (const [k, { what, array: x }] of got.entries()) {
      const where = `${what} on ${setting.ctx} in ${x.dtype}`
      const want = truth[k]!.array
      if (!sameShape(x.shape, want.shape))
        fail(
          'checkConsistency',
          `${where} has shape ${formatShape(x.shape)}, not ${formatShape(want.shape)}`,
        )
      const { rtol, atol } = tolerancesOf(x.dtype, want.dtype, options)
      const [a, b] = await Promise.all([valuesOf(x), valuesOf(want)])
      const at = a.data.findIndex((v, i) => {
        const w = b.data[i]!
        const nans = (options.equalNan ?? false) && Number.isNaN(v) && Number.isNaN(w)
        return v !== w && !nans && !(Math.abs(v - w) <= atol + rtol * Math.abs(w))
      })
      if (at >= 0)
        fail('checkConsistency', `${where}: element ${at} is ${a.data[at]}, not ${b.data[at]}`)
    }
  }
}

/**
 * Fails unless a function throws an error of a class; also a promise may be rejected with it.
 * @throws MXNetError when nothing is thrown; another error passes through.
 * @example
 * await mx.testUtils.assertException(() => nd.dot(nd.zeros([2]), nd.zeros([3])), mx.MXNetError)
 * @see MXNet `test_utils.assert_exception`
 */
export async function assertException(
  f: () => unknown,
  // biome-ignore lint/suspicious/noExplicitAny: classes of errors take what they like
  exceptionType: abstract new (...args: any[]) => Error = MXNetError,
): Promise<void> {
  try {
    await f()
  } catch (e) {
    if (e instanceof exceptionType) return
    throw e
  }
  fail('assertException', `nothing was thrown: ${exceptionType.name} was expected`)
}
