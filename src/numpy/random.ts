/** `np.random`: random arrays from the stream of `mx.random.seed`. */

import type { Context } from '../base/context.ts'
import type { DType } from '../base/dtype.ts'
import { fail } from '../base/error.ts'
import { array } from '../ndarray/creation.ts'
import { hostUniform } from '../ndarray/draws.ts'
import type { NDArray } from '../ndarray/ndarray.ts'
import * as nd from '../ndarray/random.ts'
import * as ops from '../ops/index.ts'

/** Options of random arrays. */
export interface RandomOptions {
  /** The shape; a scalar by default. */
  readonly size?: readonly number[] | number | null
  readonly dtype?: DType
  readonly ctx?: Context
}
/** The shape by itself, or options. */
type Size = RandomOptions['size'] | RandomOptions

const optionsOf = (
  size: Size,
  dtype: DType = 'float32',
): { shape: readonly number[]; dtype: DType; ctx: Context | undefined } => {
  const o: RandomOptions =
    typeof size === 'object' && size !== null && !Array.isArray(size)
      ? (size as RandomOptions)
      : { size: (size as RandomOptions['size']) ?? null }
  const shape =
    o.size === null || o.size === undefined ? [] : typeof o.size === 'number' ? [o.size] : o.size
  return { shape, dtype: o.dtype ?? dtype, ctx: o.ctx }
}

/** Starts the random numbers anew. @see MXNet `npx.random.seed` */
export const seed: (seedState: number, ctx?: Context | 'all') => void = nd.seed

/** Draws in float32, float64 for float64, and casts. */
const draw = (f: typeof nd.uniform, a: number, b: number, size: Size): NDArray => {
  const { shape, dtype, ctx } = optionsOf(size)
  return f(a, b, { shape, dtype: dtype === 'float64' ? 'float64' : 'float32', ctx }).astype(dtype)
}

/**
 * Uniform numbers in [low, high).
 * @example
 * np.random.uniform(0, 1, [2, 3]).shape // => [2, 3]
 * @see MXNet `np.random.uniform`
 */
export const uniform = (low = 0, high = 1, size: Size = null): NDArray =>
  draw(nd.uniform, low, high, size)
/**
 * Normal numbers.
 * @example
 * np.random.normal(0, 1, { size: [2, 3], dtype: 'float64' }).dtype // => 'float64'
 * @see MXNet `np.random.normal`
 */
export const normal = (loc = 0, scale = 1, size: Size = null): NDArray =>
  draw(nd.normal, loc, scale, size)
/** Uniform numbers in [0, 1) of a shape. @see MXNet `np.random.rand` */
export const rand = (...size: number[]): NDArray => uniform(0, 1, size)
/** Standard normal numbers of a shape. @see MXNet `np.random.randn` */
export const randn = (...size: number[]): NDArray => normal(0, 1, size)
/**
 * Integers from `low` up to `high` (left out); with one argument from 0. int32 unless `dtype` says otherwise.
 * @example
 * np.random.randint(10, null, [4]).dtype // => 'int32'
 * @see MXNet `np.random.randint`
 */
export function randint(low: number, high: number | null = null, size: Size = null): NDArray {
  const { shape, dtype, ctx } = optionsOf(size, 'int32')
  const [from, to] = high === null ? [0, low] : [low, high]
  return nd.randint(from, to, { shape, dtype: dtype as 'int32', ctx })
}

/** Exponentially distributed numbers of a mean. @see MXNet `np.random.exponential` */
export const exponential = (scale = 1, size: Size = null): NDArray =>
  nd.exponential(scale, optionsOf(size) as nd.RandomOptions)
/** Gamma-distributed numbers. @see MXNet `np.random.gamma` */
export const gamma = (shape: number, scale = 1, size: Size = null): NDArray =>
  nd.gamma(shape, scale, optionsOf(size) as nd.RandomOptions)
/** Counts of independent events of a mean number, float32. @see NumPy `poisson` */
export const poisson = (lam = 1, size: Size = null): NDArray =>
  nd.poisson(lam, optionsOf(size) as nd.RandomOptions)
/** Lognormal numbers: `e` to the power of normal ones. @see MXNet `np.random.lognormal` */
export const lognormal = (mean = 0, sigma = 1, size: Size = null): NDArray =>
  ops.exp(normal(mean, sigma, size))
/** Logistic numbers. @see MXNet `np.random.logistic` */
export const logistic = (loc = 0, scale = 1, size: Size = null): NDArray => {
  const u = uniform(0, 1, size)
  return ops
    .log(ops.divide(u, ops.subtract(1, u)))
    .mul(scale)
    .add(loc)
}
/** Gumbel numbers. @see MXNet `np.random.gumbel` */
export const gumbel = (loc = 0, scale = 1, size: Size = null): NDArray =>
  ops
    .negative(ops.log(ops.negative(ops.log(uniform(0, 1, size)))))
    .mul(scale)
    .add(loc)

/** One minus a uniform number: in (0, 1], so that its logarithm is finite. */
const rest = (size: Size): NDArray => ops.subtract(1, uniform(0, 1, size))

/** Distances from the middle of two normal coordinates of deviation `scale`. @see MXNet `np.random.rayleigh` */
export const rayleigh = (scale = 1, size: Size = null): NDArray =>
  ops.sqrt(ops.log(rest(size)).mul(-2)).mul(scale)
/** Weibull-distributed numbers of shape `a` and scale 1. @see MXNet `np.random.weibull` */
export const weibull = (a: number, size: Size = null): NDArray =>
  ops.power(ops.negative(ops.log(rest(size))), 1 / a)
/** Numbers of the second Pareto distribution (Lomax) of shape `a`. @see MXNet `np.random.pareto` */
export const pareto = (a: number, size: Size = null): NDArray =>
  ops.power(rest(size), -1 / a).sub(1)
/** Numbers in [0, 1] of density `a·x^(a - 1)`. @see MXNet `np.random.power` */
export const power = (a: number, size: Size = null): NDArray =>
  ops.power(uniform(0, 1, size), 1 / a)
/** Numbers in [0, 1] of density proportional to `x^(a - 1)·(1 - x)^(b - 1)`. @see MXNet `np.random.beta` */
export function beta(a: number, b: number, size: Size = null): NDArray {
  const one = gamma(a, 1, size)
  return ops.divide(one, ops.add(one, gamma(b, 1, size)))
}
/** Sums of the squares of `df` standard normal numbers. @see MXNet `np.random.chisquare` */
export const chisquare = (df: number, size: Size = null): NDArray => gamma(df / 2, 2, size)
/**
 * Normal vectors of a mean `(N,)` and a covariance `(N, N)`, one for each place of `size`: `(size…, N)`.
 * @throws MXNetError when the covariance is not positive definite or the shapes do not fit.
 * @example
 * np.random.multivariateNormal(np.zeros([2]), np.eye(2), [5]).shape // => [5, 2]
 * @see MXNet `np.random.multivariate_normal`
 */
export function multivariateNormal(mean: NDArray, cov: NDArray, size: Size = null): NDArray {
  const n = mean.size
  if (mean.ndim !== 1 || cov.ndim !== 2 || cov.shape[0] !== n || cov.shape[1] !== n)
    fail(
      'multivariateNormal',
      `a mean of shape (${mean.shape}) and a covariance of shape (${cov.shape}): (N,) and (N, N) are needed`,
    )
  const { shape } = optionsOf(size)
  const drawn = normal(0, 1, { size: [...shape, n], ctx: mean.context, dtype: mean.dtype })
  const factor = ops.linalgPotrf(cov)
  return ops.add(ops.dot(drawn, factor, { transposeB: true }), ops.broadcastTo(mean, drawn.shape))
}

/** Options of `choice`. */
export interface ChoiceOptions {
  /** Whether an element may come more than once (the default). */
  readonly replace?: boolean
  /** Probabilities; equal by default. */
  readonly p?: readonly number[] | null
}

/** A position drawn by weights. */
function byWeight(weights: readonly number[], next: () => number): number {
  const total = weights.reduce((a, b) => a + b, 0)
  let rest = next() * total
  const at = weights.findIndex((w) => {
    rest -= w
    return rest < 0
  })
  return at < 0 ? weights.findLastIndex((w) => w > 0) : at
}

function positions(
  n: number,
  count: number,
  { replace = true, p = null }: ChoiceOptions,
): number[] {
  if (p !== null && p.length !== n)
    fail('choice', `${p.length} probabilities for ${n} elements: as many are needed`)
  if (!replace && count > n)
    fail('choice', `${count} of ${n} elements cannot be drawn without replacement`)
  if (p === null && !replace) return Array.from(nd.permutation(n).subarray(0, count))
  const next = hostUniform()
  const weights = p === null ? new Array<number>(n).fill(1) : [...p]
  return Array.from({ length: count }, () => {
    const at = byWeight(weights, next)
    if (!replace) weights[at] = 0
    return at
  })
}

/**
 * Elements of a vector, or numbers from 0 up to `a`, drawn at random.
 * @throws MXNetError when more elements than there are shall be drawn without replacement.
 * @example
 * np.random.choice(5, [3], { replace: false }).shape // => [3]
 * @see MXNet `np.random.choice`
 */
export function choice(
  a: NDArray | number,
  size: Size = null,
  options: ChoiceOptions = {},
): NDArray {
  const { shape, ctx } = optionsOf(size)
  const count = shape.reduce((x, y) => x * y, 1)
  const n = typeof a === 'number' ? a : a.size
  const at = array(BigInt64Array.from(positions(n, count, options), BigInt), {
    ctx: typeof a === 'number' ? ctx : a.context,
  }).reshape(shape.length === 0 ? [1] : shape)
  const drawn = typeof a === 'number' ? at : ops.take(a.reshape([-1]), at, { axis: 0 })
  return shape.length === 0 ? drawn.reshape([]) : drawn
}

/**
 * How often each of some outcomes came in n draws: int64 counts, one row for each place of `size`.
 * @throws MXNetError when the probabilities sum to more than 1.
 * @example
 * await np.random.multinomial(4, [0, 1]).asArray() // => [0n, 4n]
 * @see MXNet `np.random.multinomial`
 */
export function multinomial(n: number, pvals: readonly number[], size: Size = null): NDArray {
  const { shape, ctx } = optionsOf(size)
  const sum = pvals.reduce((a, b) => a + b, 0)
  if (sum > 1 + 1e-6) fail('multinomial', `pvals sum to ${sum}: they must sum to at most 1`)
  // What is missing from 1 belongs to the last outcome.
  const weights = pvals.map((p, i) => (i === pvals.length - 1 ? Math.max(0, p + 1 - sum) : p))
  const next = hostUniform()
  const rows = shape.reduce((x, y) => x * y, 1)
  const counts = new BigInt64Array(rows * weights.length)
  for (let row = 0; row < rows; row++) {
    for (let i = 0; i < n; i++) counts[row * weights.length + byWeight(weights, next)]!++
  }
  return array(counts, { ctx }).reshape([...shape, weights.length])
}

/**
 * Puts the slices of axis 0 in random order, in place.
 * @example
 * np.random.shuffle(np.arange(5)) // => undefined
 * @see MXNet `np.random.shuffle`
 */
export function shuffle(x: NDArray): void {
  x.assign(nd.shuffle(x.detach()))
}
/** The slices of axis 0, or the numbers from 0 up to n, in random order, as a new array. @see NumPy `permutation` */
export const permutation = (x: NDArray | number): NDArray =>
  nd.shuffle(
    typeof x === 'number' ? array(BigInt64Array.from({ length: x }, (_, i) => BigInt(i))) : x,
  )
