/** Random operators: uniform and normal numbers, integers, dropout, from counter-based bits. */

import type { DType } from '../base/dtype.ts'
import { fail } from '../base/error.ts'
import { checkAxes, type Shape } from '../base/shape.ts'
import { apply } from '../core/apply.ts'
import { attr } from '../core/attrs.ts'
import { defineOp } from '../core/op.ts'
import type { Tensor } from '../core/tensor.ts'
import {
  binary,
  cast,
  compare,
  constant,
  type Expr,
  randomBits,
  select,
  unary,
} from '../prim/expr.ts'
import { broadcastTo, castTo, flatPositions, pointwise } from '../prim/primitive.ts'

/** The upper 24 bits as a float in [0, 1). */
export function unit(bits: Expr): Expr {
  const top = binary('shr', bits, constant(8, 'int32'))
  return binary('mul', cast(top, 'float32'), constant(2 ** -24, 'float32'))
}

/** What is made of fresh bits and numbers at each element. */
export type Draw = (bits: (stream: number) => Expr, numbers: readonly Expr[]) => Expr

/** A tensor of draws: `bits(s)` gives fresh bits for each element, one set for each of `streams`. */
export function draws(
  shape: Shape,
  keys: readonly Tensor[],
  streams: number,
  numbers: readonly Tensor[],
  draw: Draw,
): Tensor {
  const words = keys.map((k) => castTo(k, 'int32'))
  return pointwise([flatPositions(shape), ...words, ...numbers], ([at, k0, k1, ...rest]) => {
    const counter = (s: number): Expr =>
      binary('add', binary('mul', at!, constant(streams, 'int32')), constant(s, 'int32'))
    return draw((s) => randomBits(k0!, k1!, counter(s)), rest)
  })
}

const floatTypes = ['float32', 'float64', 'float16', 'bfloat16'] as const

const uniformOp = defineOp({
  name: '_random_uniform',
  aliases: ['uniform', 'random_uniform'],
  inputs: [],
  attrs: {
    low: attr.scalar(0),
    high: attr.scalar(1),
    shape: attr.ints([], { min: 0 }),
    dtype: attr.oneOf(floatTypes, 'float32'),
  },
  traits: { random: true },
  body: (_xs, { shape, dtype }, [low, high, ...keys]) => {
    const bounds = [castTo(low!, dtype), castTo(high!, dtype)]
    return draws(shape, keys, 1, bounds, (bits, [lo, hi]) =>
      binary('add', lo!, binary('mul', cast(unit(bits(0)), dtype), binary('sub', hi!, lo!))),
    )
  },
})

/** Uniform numbers in [low, high): the operator behind `nd.random.uniform`. */
export function randomUniform(attrs: {
  readonly low?: number
  readonly high?: number
  readonly shape?: Shape
  readonly dtype?: RandomDType
}): Tensor {
  return apply(uniformOp, [], attrs)
}

const normalOp = defineOp({
  name: '_random_normal',
  aliases: ['normal', 'random_normal'],
  inputs: [],
  attrs: {
    loc: attr.scalar(0),
    scale: attr.scalar(1, { min: 0 }),
    shape: attr.ints([], { min: 0 }),
    dtype: attr.oneOf(floatTypes, 'float32'),
  },
  traits: { random: true },
  body: (_xs, { shape, dtype }, [loc, scale, ...keys]) =>
    draws(shape, keys, 2, [castTo(loc!, dtype), castTo(scale!, dtype)], (bits, [mean, deviation]) =>
      binary('add', mean!, binary('mul', cast(gauss(bits), dtype), deviation!)),
    ),
})

/** A standard normal number. Box and Muller: two uniforms give one normal; 1 - u keeps the logarithm finite. */
function gauss(bits: (stream: number) => Expr): Expr {
  const one = constant(1, 'float32')
  const radius = unary(
    'sqrt',
    binary('mul', constant(-2, 'float32'), unary('log', binary('sub', one, unit(bits(0))))),
  )
  const turn = unary('cos', binary('mul', constant(2 * Math.PI, 'float32'), unit(bits(1))))
  return binary('mul', radius, turn)
}

/** Standard normal numbers from two key words, for bodies of random operators. */
export function normalNoise(shape: Shape, dtype: DType, keys: readonly Tensor[]): Tensor {
  return draws(shape, keys, 2, [], (bits) => cast(gauss(bits), dtype))
}

/** Normal numbers: the operator behind `nd.random.normal`. */
export function randomNormal(attrs: {
  readonly loc?: number
  readonly scale?: number
  readonly shape?: Shape
  readonly dtype?: RandomDType
}): Tensor {
  return apply(normalOp, [], attrs)
}

const randintOp = defineOp({
  name: '_random_randint',
  aliases: ['random_randint'],
  inputs: [],
  attrs: {
    low: attr.int(),
    high: attr.int(),
    shape: attr.ints([], { min: 0 }),
    dtype: attr.oneOf(['int32', 'int64'], 'int32'),
  },
  traits: { random: true },
  body: (_xs, { low, high, shape, dtype }, keys) => {
    if (high <= low || high - low > 0x7fffffff) {
      fail('randint', `low ${low} and high ${high}: high must be above low, by at most 2147483647`)
    }
    return draws(shape, keys, 1, [], (bits) => {
      const positive = binary('shr', bits(0), constant(1, 'int32'))
      const within = binary('mod', positive, constant(high - low, 'int32'))
      return binary('add', cast(within, dtype), constant(low, dtype))
    })
  },
})

/** Integers in [low, high): the operator behind `nd.random.randint`. */
export function randomRandint(attrs: {
  readonly low: number
  readonly high: number
  readonly shape?: Shape
  readonly dtype?: 'int32' | 'int64'
}): Tensor {
  return apply(randintOp, [], attrs)
}

const dropoutOp = defineOp({
  name: 'Dropout',
  inputs: ['data'],
  attrs: {
    p: attr.float(0.5, { min: 0, max: 1 }),
    mode: attr.oneOf(['training', 'always'], 'training'),
    axes: attr.ints([]),
    cudnnOff: attr.bool(false),
    training: attr.bool(false),
  },
  traits: { random: true, trains: true },
  // The mask is drawn again from its key where the gradient needs it, so nothing is kept.
  body: ([x], { p, mode, axes, training }, keys) => {
    if (p === 0 || (!training && mode !== 'always')) return pointwise([x!], ([v]) => v!)
    const shared = checkAxes('Dropout', axes, x!.shape.length)
    const shape = x!.shape.map((d, i) => (shared.includes(i) ? 1 : d))
    const keep = draws(shape, keys, 1, [], (bits) => {
      const kept = compare('ge', unit(bits(0)), constant(p, 'float32'))
      return cast(
        select(kept, constant(p === 1 ? 0 : 1 / (1 - p), 'float32'), constant(0, 'float32')),
        x!.dtype,
      )
    })
    return pointwise([x!, broadcastTo(keep, x!.shape)], ([v, k]) => binary('mul', v!, k!))
  },
})

/**
 * Elements set to 0 with probability p while training, the others scaled up; the array itself otherwise.
 *
 * `out = x·mask / (1 - p)`; shape `(A…) -> (A…)`; keeps the dtype. `mode: 'always'` drops outside training too;
 * along `axes` one mask is shared. `cudnnOff` is MXNet's, for its files.
 * @throws MXNetError when p is not from 0 to 1.
 * @example
 * await nd.dropout(nd.ones([3]), { p: 0.5 }).asArray() // => [1, 1, 1] outside training
 * @see MXNet `Dropout`
 */
export function dropout<T extends Tensor>(
  data: T,
  attrs?: {
    readonly p?: number
    readonly mode?: 'training' | 'always'
    readonly axes?: readonly number[]
    readonly cudnnOff?: boolean
  },
): T {
  return apply(dropoutOp, [data], attrs)
}

/** Dtypes of random numbers. */
export type RandomDType = (typeof floatTypes)[number]
