/** Random arrays, and the stream of keys behind them. */

import { type Context, Context as ContextClass } from '../base/context.ts'
import type { DType } from '../base/dtype.ts'
import { fail } from '../base/error.ts'
import { KeyStream } from '../base/random.ts'
import type { Shape } from '../base/shape.ts'
import { frame, withFrame } from '../core/frame.ts'
import { type RandomDType, randomNormal, randomRandint, randomUniform } from '../ops/random.ts'
import { randomDraws, sampleDraws, sampleMultinomial, shuffled } from '../ops/samples.ts'
import type { Distribution } from '../prim/routines/sample.ts'
import { NDArray } from './ndarray.ts'

/** Options of random arrays. */
export interface RandomOptions<D = RandomDType> {
  /** Shape of the result, one element by default. */
  readonly shape?: Shape | number | undefined
  readonly dtype?: D | undefined
  readonly ctx?: Context | undefined
}

const streams = new Map<Context, KeyStream>()
/** The seed before anybody sets one; that of the Mersenne twister, as in MXNet. */
let seedOfAll = 5489

function streamOf(context: Context): KeyStream {
  let stream = streams.get(context)
  if (stream === undefined) {
    // Devices differ from each other under one seed, as in MXNet.
    stream = new KeyStream(seedOfAll, context.deviceId)
    streams.set(context, stream)
  }
  return stream
}

frame.keys = () => {
  const stream = streamOf(frame.context)
  return [stream.next(), stream.next()]
}

/**
 * Starts the random numbers anew: of every device, or of one context.
 *
 * @throws MXNetError when the seed is not an integer.
 * @example
 * mx.random.seed(42)
 * @see MXNet `mx.random.seed`
 */
export function seed(seedState: number, ctx: Context | 'all' = 'all'): void {
  if (!Number.isInteger(seedState)) fail('seed', `seed ${String(seedState)} must be an integer`)
  if (ctx === 'all') {
    seedOfAll = seedState
    streams.clear()
  } else streams.set(ctx, new KeyStream(seedState))
}

/** A permutation of 0 … n - 1 from the current device's stream; shuffling of arrays and of samplers. */
export function permutation(n: number): Int32Array {
  if (frame.tracing)
    fail(
      'shuffle',
      'a permutation cannot be drawn while a graph is being traced: shuffle outside of forward',
    )
  const [key, stream] = frame.keys() as readonly [number, number]
  return new KeyStream(key, stream).permutation(n)
}

function on<D>(options: RandomOptions<D>, make: (shape: Shape) => unknown): NDArray {
  const context = options.ctx ?? frame.context
  if (!(context instanceof ContextClass)) fail('random', 'ctx must be a context such as cpu()')
  const { shape = [1] } = options
  return withFrame({ context }, () => make(typeof shape === 'number' ? [shape] : shape)) as NDArray
}

/** A parameter of a distribution: a number, or an array of them. */
export type Parameter = number | NDArray

/**
 * Draws of a distribution: `numbers` where all parameters are numbers, else `shape` of them for each element of the
 * arrays (all of which must then be arrays).
 */
function drawsOf(
  distribution: Distribution,
  parameters: readonly Parameter[],
  options: RandomOptions,
  numbers: (shape: Shape) => unknown,
): NDArray {
  const arrays = parameters.filter((p) => p instanceof NDArray)
  if (arrays.length === 0) return on(options, numbers)
  if (arrays.length < parameters.length)
    fail('random', 'parameters are numbers or arrays: give all of one kind')
  const { shape = [], dtype } = options
  return withFrame({ context: arrays[0]!.context }, () =>
    sampleDraws(distribution, arrays, {
      shape: typeof shape === 'number' ? [shape] : shape,
      dtype,
    }),
  )
}

/**
 * Uniform numbers in [low, high); for arrays of bounds, `shape` of them for each element.
 *
 * @throws MXNetError when one bound is a number and the other an array.
 * @example
 * nd.random.uniform(0, 1, { shape: [2, 3] }).shape // => [2, 3]
 * @see MXNet `mx.nd.random.uniform`
 */
export function uniform(
  low: Parameter = 0,
  high: Parameter = 1,
  options: RandomOptions = {},
): NDArray {
  return drawsOf('uniform', [low, high], options, (shape) =>
    randomUniform({
      low: low as number,
      high: high as number,
      shape,
      dtype: options.dtype ?? 'float32',
    }),
  )
}

/**
 * Normal numbers with mean `loc` and standard deviation `scale`; for arrays, `shape` of them for each element.
 *
 * @throws MXNetError when scale is negative, or one parameter is a number and the other an array.
 * @example
 * nd.random.normal(0, 1, { shape: [2, 3] }).shape // => [2, 3]
 * @see MXNet `mx.nd.random.normal`
 */
export function normal(
  loc: Parameter = 0,
  scale: Parameter = 1,
  options: RandomOptions = {},
): NDArray {
  return drawsOf('normal', [loc, scale], options, (shape) =>
    randomNormal({
      loc: loc as number,
      scale: scale as number,
      shape,
      dtype: options.dtype ?? 'float32',
    }),
  )
}

/**
 * Exponential numbers of mean `scale` (of rate 1 / scale).
 *
 * @throws MXNetError unless scale is above 0.
 * @example
 * nd.random.exponential(2, { shape: [3] }).shape // => [3]
 * @see MXNet `mx.nd.random.exponential`
 */
export function exponential(scale: Parameter = 1, options: RandomOptions = {}): NDArray {
  const rate = scale instanceof NDArray ? scale.rdiv(1) : 1 / scale
  return drawsOf('exponential', [rate], options, (shape) =>
    randomDraws('exponential', { lam: rate as number }, { shape, dtype: options.dtype }),
  )
}

/**
 * Gamma numbers of shape `alpha` and scale `beta`.
 *
 * @throws MXNetError unless both are above 0.
 * @example
 * nd.random.gamma(2, 1, { shape: [3] }).shape // => [3]
 * @see MXNet `mx.nd.random.gamma`
 */
export function gamma(
  alpha: Parameter = 1,
  beta: Parameter = 1,
  options: RandomOptions = {},
): NDArray {
  return drawsOf('gamma', [alpha, beta], options, (shape) =>
    randomDraws(
      'gamma',
      { alpha: alpha as number, beta: beta as number },
      { shape, dtype: options.dtype },
    ),
  )
}

/**
 * Poisson counts of mean `lam`, as floats.
 *
 * @throws MXNetError for a negative mean.
 * @example
 * nd.random.poisson(4, { shape: [3] }).shape // => [3]
 * @see MXNet `mx.nd.random.poisson`
 */
export function poisson(lam: Parameter = 1, options: RandomOptions = {}): NDArray {
  return drawsOf('poisson', [lam], options, (shape) =>
    randomDraws('poisson', { lam: lam as number }, { shape, dtype: options.dtype }),
  )
}

/**
 * Failures before `k` successes of probability `p`, as floats.
 *
 * @throws MXNetError unless p is above 0 and at most 1.
 * @example
 * nd.random.negativeBinomial(3, 0.5, { shape: [3] }).shape // => [3]
 * @see MXNet `mx.nd.random.negative_binomial`
 */
export function negativeBinomial(
  k: Parameter = 1,
  p: Parameter = 1,
  options: RandomOptions = {},
): NDArray {
  return drawsOf('negativeBinomial', [k, p], options, (shape) =>
    randomDraws(
      'negativeBinomial',
      { k: k as number, p: p as number },
      { shape, dtype: options.dtype },
    ),
  )
}

/**
 * Negative binomial counts of mean `mu` and dispersion `alpha`, as floats.
 *
 * @throws MXNetError for negative parameters.
 * @example
 * nd.random.generalizedNegativeBinomial(3, 0.5, { shape: [3] }).shape // => [3]
 * @see MXNet `mx.nd.random.generalized_negative_binomial`
 */
export function generalizedNegativeBinomial(
  mu: Parameter = 1,
  alpha: Parameter = 1,
  options: RandomOptions = {},
): NDArray {
  return drawsOf('generalizedNegativeBinomial', [mu, alpha], options, (shape) =>
    randomDraws(
      'generalizedNegativeBinomial',
      { mu: mu as number, alpha: alpha as number },
      { shape, dtype: options.dtype },
    ),
  )
}

/** Options of `multinomial`. */
export interface MultinomialOptions {
  /** Draws from each distribution; one without this axis when left out. */
  readonly shape?: Shape | number
  /** Also the logarithms of the probabilities of what was drawn, which are differentiable. */
  readonly getProb?: boolean
  /** dtype of the categories, int32 by default. */
  readonly dtype?: DType
}

/**
 * Categories drawn from distributions, the last axis of the data; with `getProb` an array of two arrays.
 *
 * `(B…, k) -> (B…, shape…)`; int32.
 * @throws MXNetError when there are no categories.
 * @example
 * await nd.random.multinomial(nd.array([0, 1, 0]), { shape: 2 }).asArray() // => [1, 1]
 * @see MXNet `mx.nd.random.multinomial`
 */
export function multinomial(
  data: NDArray,
  options: MultinomialOptions & { readonly getProb: true },
): NDArray[]
export function multinomial(data: NDArray, options?: MultinomialOptions): NDArray
export function multinomial(data: NDArray, options: MultinomialOptions = {}): NDArray | NDArray[] {
  const { shape = [], ...rest } = options
  const results = withFrame({ context: data.context }, () =>
    sampleMultinomial(data, { ...rest, shape: typeof shape === 'number' ? [shape] : shape }),
  )
  return options.getProb ? results : results[0]!
}

/** Normal numbers of a shape given size by size: `randn(2, 3)`. */
export function randn(...shape: number[]): NDArray {
  return normal(0, 1, { shape })
}

/**
 * Integers in [low, high).
 *
 * @throws MXNetError unless high is above low.
 * @example
 * nd.random.randint(0, 10, { shape: [3] }).dtype // => 'int32'
 * @see MXNet `mx.nd.random.randint`
 */
export function randint(
  low: number,
  high: number,
  options: RandomOptions<'int32' | 'int64'> = {},
): NDArray {
  return on(options, (shape) =>
    randomRandint({ low, high, shape, dtype: options.dtype ?? 'int32' }),
  )
}

/**
 * The slices of axis 0 in random order, in a new array.
 *
 * `(N, A…) -> (N, A…)`; keeps the dtype.
 * @throws MXNetError for a scalar.
 * @example
 * nd.random.shuffle(nd.arange(5)).shape // => [5]
 * @see MXNet `mx.nd.random.shuffle`
 */
export function shuffle(data: NDArray): NDArray {
  if (!(data instanceof NDArray)) fail('shuffle', `data is ${String(data)}: it must be an NDArray`)
  if (data.ndim === 0) fail('shuffle', 'data is a scalar: it needs at least one axis')
  return withFrame({ context: data.context }, () => shuffled(data))
}

/**
 * Candidates from a log-uniform distribution over 0 … rangeMax - 1, with how often the true and the drawn classes are to be
 * expected among them: an array of three arrays.
 *
 * `P(k) = ln((k + 2)/(k + 1)) / ln(rangeMax + 1)`; `(m,) -> (n,) int64, (m,) float64, (n,) float64`.
 * @throws MXNetError when rangeMax is below 1.
 * @example
 * nd.contrib.randZipfian(nd.array([3]), 4, 5).map((x) => x.shape) // => [[4], [1], [4]]
 * @see MXNet `mx.nd.contrib.rand_zipfian`
 */
export function randZipfian(
  trueClasses: NDArray,
  numSampled: number,
  rangeMax: number,
  options: { readonly ctx?: Context } = {},
): NDArray[] {
  if (!(rangeMax >= 1)) fail('rand_zipfian', `rangeMax is ${rangeMax}: it must be at least 1`)
  const ctx = options.ctx ?? trueClasses.context
  const logRange = Math.log(rangeMax + 1)
  const drawn = uniform(0, logRange, { shape: [numSampled], dtype: 'float64', ctx })
  const sampled = drawn.exp().sub(1).astype('int64').mod(rangeMax)
  const expected = (classes: NDArray): NDArray => {
    const k = classes.asInContext(ctx).astype('float64')
    return k
      .add(2)
      .div(k.add(1))
      .log()
      .mul(numSampled / logRange)
  }
  return [sampled, expected(trueClasses), expected(sampled)]
}
