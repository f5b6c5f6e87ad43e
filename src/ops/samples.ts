/** Random operators by routines: distributions with numbers or arrays as parameters, categories, shuffling. */

import type { DType } from '../base/dtype.ts'
import { fail } from '../base/error.ts'
import { formatShape, type Shape, sameShape, sizeOf } from '../base/shape.ts'
import { apply, applyAll } from '../core/apply.ts'
import { attr, type NumberLimits } from '../core/attrs.ts'
import { defineOp, type OpDef } from '../core/op.ts'
import type { Tensor } from '../core/tensor.ts'
import { callRoutine, sortPositions } from '../prim/call.ts'
import { binary, constant, type Expr, randomBits, unary } from '../prim/expr.ts'
import {
  assemble,
  broadcastTo,
  castTo,
  flatPositions,
  gather,
  pointwise,
  reshapeTo,
} from '../prim/primitive.ts'
import { type Distribution, distributions } from '../prim/routines/sample.ts'
import { unit } from './random.ts'
import { takeAlong } from './sorting.ts'

/** One uniform number in [0, 1) from the keys of an operator, float32, rank 0; `stream` tells several apart. */
export function uniformNumber(keys: readonly Tensor[], stream: number): Tensor {
  return pointwise(
    keys.map((k) => castTo(k, 'int32')),
    ([k0, k1]) => unit(randomBits(k0!, k1!, constant(stream, 'int32'))),
  )
}

/** One number: uniform from low to high, or (`normal`) normal with mean `low` and deviation `high`. */
export function drawn(
  keys: readonly Tensor[],
  stream: number,
  low: number,
  high: number,
  normal = false,
): Tensor {
  const num = (value: number): Expr => constant(value, 'float32')
  const [u, v] = [uniformNumber(keys, 2 * stream), uniformNumber(keys, 2 * stream + 1)]
  return pointwise([u, v], ([a, b]) => {
    if (!normal) return binary('add', num(low), binary('mul', a!, num(high - low)))
    const radius = unary('sqrt', binary('mul', num(-2), unary('log', binary('sub', num(1), a!))))
    const turn = unary('cos', binary('mul', num(2 * Math.PI), b!))
    return binary('add', num(low), binary('mul', num(high), binary('mul', radius, turn)))
  })
}

/** The two key words as one array. */
function keyArray(keys: readonly Tensor[]): Tensor {
  const words = keys.map((k) => reshapeTo(castTo(k, 'int32'), [1]))
  return assemble([2], words, [
    { begin: [0], step: [1] },
    { begin: [1], step: [1] },
  ])
}

const floatTypes = ['float32', 'float64', 'float16', 'bfloat16'] as const

/** A draw from a distribution for each set of parameters, or `count` of them. */
function draw(
  distribution: Distribution,
  keys: readonly Tensor[],
  parameters: readonly Tensor[],
  count: number,
  shape: Shape,
  dtype: DType,
): Tensor {
  // The routine computes in doubles whatever it is given; a GPU can hold floats alone.
  const held = dtype === 'float64' ? 'float64' : 'float32'
  const given = parameters.map((p) => castTo(p, held))
  const numbers = [distributions.indexOf(distribution), count]
  return castTo(callRoutine('sample', [keyArray(keys), ...given], numbers, shape, held), dtype)
}

interface Family {
  readonly random: OpDef | null
  readonly sample: OpDef
  readonly like: OpDef
}

/** Declares the operators of one distribution: with numbers, with arrays, and in the shape of another array. */
function family(
  name: string,
  distribution: Distribution,
  parameters: { readonly [name: string]: readonly [fallback: number, limits: NumberLimits] },
  inputs: readonly string[] = Object.keys(parameters),
): Family {
  const numbers = Object.fromEntries(
    Object.entries(parameters).map(([key, [fallback, limits]]) => [
      key,
      attr.scalar(fallback, limits),
    ]),
  )
  const shape = attr.ints([], { min: 0 })
  const isMap = name === 'uniform' || name === 'normal'
  const random = isMap
    ? null
    : defineOp({
        name: `_random_${name}`,
        aliases: [`random_${name}`],
        inputs: [],
        attrs: { ...numbers, shape, dtype: attr.oneOf(floatTypes, 'float32') },
        traits: { random: true },
        body: (_xs, attrs, scalars) => {
          const { shape: size, dtype } = attrs as unknown as { shape: Shape; dtype: DType }
          const [given, keys] = [scalars.slice(0, -2), scalars.slice(-2)]
          return draw(distribution, keys, given, sizeOf(size), size, dtype)
        },
      })
  const sample = defineOp({
    name: `_sample_${name}`,
    aliases: [`sample_${name}`],
    inputs,
    attrs: { shape, dtype: attr.optional(attr.oneOf(floatTypes)) },
    traits: { random: true },
    body: (given, { shape: size, dtype }, keys) => {
      const [first, ...rest] = given
      for (const p of rest)
        if (!sameShape(p.shape, first!.shape))
          fail(
            `sample_${name}`,
            `parameters have shapes ${formatShape(first!.shape)} and ${formatShape(p.shape)}: they must be the same`,
          )
      const type = dtype ?? (first!.dtype === 'float64' ? 'float64' : 'float32')
      return draw(distribution, keys, given, sizeOf(size), [...first!.shape, ...size], type)
    },
    grad: ({ inputs: xs }) => xs.map(() => null),
  })
  const like = defineOp({
    name: `_random_${name}_like`,
    inputs: ['data'],
    attrs: numbers,
    traits: { random: true },
    body: ([x], _attrs, scalars) => {
      const [given, keys] = [scalars.slice(0, -2), scalars.slice(-2)]
      const type = (floatTypes as readonly DType[]).includes(x!.dtype) ? x!.dtype : 'float32'
      return draw(distribution, keys, given, x!.size, x!.shape, type)
    },
    grad: () => [null],
  })
  return {
    random: random as OpDef | null,
    sample: sample as unknown as OpDef,
    like: like as unknown as OpDef,
  }
}

const families: Record<Distribution, Family> = {
  uniform: family('uniform', 'uniform', { low: [0, {}], high: [1, {}] }),
  normal: family('normal', 'normal', { loc: [0, {}], scale: [1, { min: 0 }] }, ['mu', 'sigma']),
  exponential: family('exponential', 'exponential', { lam: [1, { above: 0 }] }),
  gamma: family('gamma', 'gamma', { alpha: [1, { above: 0 }], beta: [1, { above: 0 }] }),
  poisson: family('poisson', 'poisson', { lam: [1, { min: 0 }] }),
  negativeBinomial: family('negative_binomial', 'negativeBinomial', {
    k: [1, { min: 0 }],
    p: [1, { above: 0, max: 1 }],
  }),
  generalizedNegativeBinomial: family(
    'generalized_negative_binomial',
    'generalizedNegativeBinomial',
    { mu: [1, { min: 0 }], alpha: [1, { min: 0 }] },
  ),
}

/** Options of draws. */
export interface DrawOptions {
  readonly shape?: Shape
  readonly dtype?: (typeof floatTypes)[number] | undefined
}

/** Draws with numbers as parameters: the operators behind `nd.random.gamma` and the others. */
export function randomDraws(
  distribution: Exclude<Distribution, 'uniform' | 'normal'>,
  parameters: { readonly [name: string]: number },
  options: DrawOptions,
): Tensor {
  return apply(families[distribution].random!, [], { ...parameters, ...options } as never)
}

/** Draws with arrays as parameters, `shape` of them for each element: `(P…) -> (P…, shape…)`. */
export function sampleDraws<T extends Tensor>(
  distribution: Distribution,
  parameters: readonly T[],
  options: DrawOptions,
): T {
  return apply(families[distribution].sample, parameters, options as never)
}

/** Draws in the shape and dtype of an array. */
export function likeDraws<T extends Tensor>(
  distribution: Distribution,
  data: T,
  parameters: { readonly [name: string]: number },
): T {
  return apply(families[distribution].like, [data], parameters as never)
}

const multinomialAttrs = {
  shape: attr.ints([], { min: 0 }),
  getProb: attr.bool(false),
  dtype: attr.dtype('int32'),
}

const multinomialOp = defineOp({
  name: '_sample_multinomial',
  aliases: ['sample_multinomial'],
  inputs: ['data'],
  attrs: multinomialAttrs,
  traits: { random: true },
  body: ([x], { shape, getProb, dtype }, keys) => {
    const categories = x!.shape.at(-1)
    if (categories === undefined || categories === 0)
      return fail(
        'sample_multinomial',
        `data has shape ${formatShape(x!.shape)}: it has no categories`,
      )
    const lead = x!.shape.slice(0, -1)
    const [rows, count] = [sizeOf(lead), sizeOf(shape)]
    const weights = castTo(x!, x!.dtype === 'float64' ? 'float64' : 'float32')
    const chosen = callRoutine(
      'categorical',
      [keyArray(keys), weights],
      [rows, categories, count],
      [rows, count],
      'int32',
    )
    const out = [...lead, ...shape]
    const indices = castTo(reshapeTo(chosen, out), dtype)
    if (!getProb) return indices
    const taken = takeAlong(reshapeTo(x!, [rows, categories]), chosen)
    return [
      indices,
      reshapeTo(
        pointwise([taken], ([p]) => unary('log', p!)),
        out,
      ),
    ]
  },
})

/** Categories drawn by their probabilities: the operator behind `nd.random.multinomial`. */
export function sampleMultinomial<T extends Tensor>(
  data: T,
  attrs: { readonly shape?: Shape; readonly getProb?: boolean; readonly dtype?: DType },
): T[] {
  return applyAll(multinomialOp as unknown as OpDef, [data], attrs)
}

const shuffleOp = defineOp({
  name: '_shuffle',
  aliases: ['shuffle'],
  inputs: ['data'],
  traits: { random: true },
  body: ([x], _attrs, keys) => {
    const n = x!.shape[0] ?? fail('shuffle', 'data is a scalar: it needs at least one axis')
    if (n === 0) return pointwise([x!], ([v]) => v!)
    const words = keys.map((k) => broadcastTo(castTo(k, 'int32'), [n]))
    const bits = pointwise([flatPositions([n]), ...words], ([at, k0, k1]) =>
      randomBits(k0!, k1!, at!),
    )
    return gather(x!, sortPositions(bits, false), 0)
  },
})

/** The slices of axis 0 in random order: the operator behind `nd.random.shuffle`. */
export function shuffled<T extends Tensor>(data: T): T {
  return apply(shuffleOp, [data])
}
