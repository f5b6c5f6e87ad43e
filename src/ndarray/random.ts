/** Random arrays, and the stream of keys behind them. */

import { type Context, Context as ContextClass } from '../base/context.ts'
import { fail } from '../base/error.ts'
import { KeyStream } from '../base/random.ts'
import type { Shape } from '../base/shape.ts'
import { frame, withFrame } from '../core/frame.ts'
import { take } from '../ops/indexing.ts'
import { type RandomDType, randomNormal, randomRandint, randomUniform } from '../ops/random.ts'
import { array } from './creation.ts'
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

/**
 * Uniform numbers in [low, high).
 *
 * @example
 * nd.random.uniform(0, 1, { shape: [2, 3] }).shape // => [2, 3]
 * @see MXNet `mx.nd.random.uniform`
 */
export function uniform(low = 0, high = 1, options: RandomOptions = {}): NDArray {
  return on(options, (shape) =>
    randomUniform({ low, high, shape, dtype: options.dtype ?? 'float32' }),
  )
}

/**
 * Normal numbers with mean `loc` and standard deviation `scale`.
 *
 * @throws MXNetError when scale is negative.
 * @example
 * nd.random.normal(0, 1, { shape: [2, 3] }).shape // => [2, 3]
 * @see MXNet `mx.nd.random.normal`
 */
export function normal(loc = 0, scale = 1, options: RandomOptions = {}): NDArray {
  return on(options, (shape) =>
    randomNormal({ loc, scale, shape, dtype: options.dtype ?? 'float32' }),
  )
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
  const order = withFrame({ context: data.context }, () => permutation(data.shape[0]!))
  return take(data, array(order, { ctx: data.context }))
}
