/** Normalizations: by layer, group and instance, by length, and across neighbouring channels. */

import { isFloat } from '../base/dtype.ts'
import { fail } from '../base/error.ts'
import { checkAxis, formatShape, sizeOf } from '../base/shape.ts'
import { apply, applyAll } from '../core/apply.ts'
import { attr, type Given } from '../core/attrs.ts'
import { defineOp } from '../core/op.ts'
import type { Tensor } from '../core/tensor.ts'
import { add, div, mul, sub } from '../prim/arithmetic.ts'
import { conv } from '../prim/conv.ts'
import { binary, constant, unary } from '../prim/expr.ts'
import { filled, pointwise, reduce, reshapeTo } from '../prim/primitive.ts'

const scaled = (x: Tensor, by: number): Tensor =>
  pointwise([x], ([v]) => mul(v!, constant(by, v!.dtype)))

/** Fails for data that is not of a float type. */
export function checkFloat(where: string, x: Tensor): void {
  if (!isFloat(x.dtype)) fail(where, `data is ${x.dtype}: it must be a float type`)
}

/** One number for each of `count` channels, as the sizes of a tensor that broadcasts along `axis`. */
export function perChannel(
  where: string,
  name: string,
  x: Tensor,
  count: number,
  rank: number,
  axis: number,
): Tensor {
  if (x.shape.length !== 1 || x.shape[0] !== count)
    fail(where, `${name} ${formatShape(x.shape)} must be ${formatShape([count])}`)
  return reshapeTo(
    x,
    Array.from({ length: rank }, (_, i) => (i === axis ? count : 1)),
  )
}

/** The mean along axes, which keep size 1. */
export function meanOver(x: Tensor, axes: readonly number[]): Tensor {
  const kept = x.shape.map((d, i) => (axes.includes(i) ? 1 : d))
  const count = sizeOf(axes.map((a) => x.shape[a]!))
  return reshapeTo(scaled(reduce(x, 'sum', axes), 1 / count), kept)
}

/** Mean and variance along axes in two passes. */
export function moments(x: Tensor, axes: readonly number[]): { mean: Tensor; variance: Tensor } {
  const mean = meanOver(x, axes)
  const squares = pointwise([x, mean], ([v, m]) => mul(sub(v!, m!), sub(v!, m!)))
  return { mean, variance: meanOver(squares, axes) }
}

const layerNormAttrs = {
  axis: attr.int(-1),
  eps: attr.float(1e-5, { min: 0 }),
  outputMeanVar: attr.bool(false),
}
/** Options of `layerNorm`. */
export type LayerNormOptions = Given<typeof layerNormAttrs>

/** The data brought to mean 0 and deviation 1 along axes; also mean and deviation, without those axes. */
function standardized(
  x: Tensor,
  axes: readonly number[],
  eps: number,
): { out: Tensor; mean: Tensor; deviation: Tensor } {
  const { mean, variance } = moments(x, axes)
  const deviation = pointwise([variance], ([v]) => unary('sqrt', add(v!, constant(eps, v!.dtype))))
  const share = pointwise([deviation], ([d]) => div(constant(1, d!.dtype), d!))
  const out = pointwise([x, mean, share], ([v, m, s]) => mul(sub(v!, m!), s!))
  return { out, mean, deviation }
}

const affine = (x: Tensor, gamma: Tensor, beta: Tensor): Tensor =>
  pointwise([x, gamma, beta], ([v, g, b]) => add(mul(v!, g!), b!))

const layerNormOp = defineOp({
  name: 'LayerNorm',
  inputs: ['data', 'gamma', 'beta'],
  attrs: layerNormAttrs,
  body: ([x, gamma, beta], attrs) => {
    const where = 'LayerNorm'
    checkFloat(where, x!)
    const rank = x!.shape.length
    const axis = checkAxis(where, attrs.axis, rank)
    const count = x!.shape[axis]!
    const g = perChannel(where, 'gamma', gamma!, count, rank, axis)
    const b = perChannel(where, 'beta', beta!, count, rank, axis)
    const { out, mean, deviation } = standardized(x!, [axis], attrs.eps)
    const result = affine(out, g, b)
    return attrs.outputMeanVar ? [result, mean, deviation] : result
  },
  complete: ([x], { axis }) => {
    if (!x) return []
    const count = [x.shape[axis < 0 ? axis + x.shape.length : axis]!]
    return [null, count, count]
  },
})

/**
 * Normalizes each line of elements along an axis to mean 0 and deviation 1, then scales and shifts it.
 *
 * `out = (data - mean)/√(var + eps)·gamma + beta`; `(A…, C), (C,), (C,) -> (A…, C)`; float dtypes, kept. `outputMeanVar` gives
 * mean and deviation too, the axis of size 1.
 * @throws MXNetError when the axis is out of range or gamma or beta do not fit it.
 * @example
 * await nd.layerNorm(nd.array([[1, 3]]), nd.ones([2]), nd.zeros([2]), { eps: 0 }).asArray() // => [[-1, 1]]
 * @see MXNet `LayerNorm`
 */
export function layerNorm<T extends Tensor>(
  data: T,
  gamma: T,
  beta: T,
  attrs?: LayerNormOptions & { readonly outputMeanVar?: false | undefined },
): T
export function layerNorm<T extends Tensor>(
  data: T,
  gamma: T,
  beta: T,
  attrs: LayerNormOptions & { readonly outputMeanVar: boolean },
): T | T[]
export function layerNorm<T extends Tensor>(
  data: T,
  gamma: T,
  beta: T,
  attrs: LayerNormOptions = {},
): T | T[] {
  const results = applyAll<Tensor>(layerNormOp as never, [data, gamma, beta], attrs) as T[]
  return attrs.outputMeanVar ? results : results[0]!
}

const groupNormAttrs = {
  numGroups: attr.int(1, { min: 1 }),
  eps: attr.float(1e-5, { min: 0 }),
  outputMeanVar: attr.bool(false),
}
/** Options of `groupNorm`. */
export type GroupNormOptions = Given<typeof groupNormAttrs>

const groupNormOp = defineOp({
  name: 'GroupNorm',
  inputs: ['data', 'gamma', 'beta'],
  attrs: groupNormAttrs,
  body: ([x, gamma, beta], { numGroups, eps, outputMeanVar }) => {
    const where = 'GroupNorm'
    checkFloat(where, x!)
    const { shape } = x!
    if (shape.length < 3)
      fail(where, `data ${formatShape(shape)} must have at least 3 axes: batch, channels, …`)
    const [batch, channels, ...rest] = shape as [number, number, ...number[]]
    if (channels % numGroups !== 0)
      fail(where, `${channels} channels are not divisible by numGroups ${numGroups}`)
    const grouped = reshapeTo(x!, [batch, numGroups, channels / numGroups, ...rest])
    const rank = grouped.shape.length
    const axes = grouped.shape.flatMap((_, i) => (i < 2 ? [] : [i]))
    const g = perChannel(where, 'gamma', gamma!, numGroups, rank, 1)
    const b = perChannel(where, 'beta', beta!, numGroups, rank, 1)
    const { out, mean, deviation } = standardized(grouped, axes, eps)
    const result = reshapeTo(affine(out, g, b), shape)
    const flat = (t: Tensor): Tensor => reshapeTo(t, [batch, numGroups])
    return outputMeanVar ? [result, flat(mean), flat(deviation)] : result
  },
  complete: ([x], { numGroups }) => (x ? [null, [numGroups], [numGroups]] : []),
})

/**
 * Normalizes each group of channels of each sample to mean 0 and deviation 1, then scales and shifts it.
 *
 * `out = (data - mean)/√(var + eps)·gamma + beta`; `(N, C, …), (G,), (G,) -> (N, C, …)`; float dtypes, kept.
 * `outputMeanVar` gives mean and deviation too, `(N, G)`.
 * @throws MXNetError when channels are not divisible by `numGroups`, or gamma or beta do not fit.
 * @example
 * nd.groupNorm(nd.ones([1, 4, 2]), nd.ones([2]), nd.zeros([2]), { numGroups: 2 }).shape // => [1, 4, 2]
 * @see MXNet `GroupNorm`
 */
export function groupNorm<T extends Tensor>(
  data: T,
  gamma: T,
  beta: T,
  attrs?: GroupNormOptions & { readonly outputMeanVar?: false | undefined },
): T
export function groupNorm<T extends Tensor>(
  data: T,
  gamma: T,
  beta: T,
  attrs: GroupNormOptions & { readonly outputMeanVar: boolean },
): T | T[]
export function groupNorm<T extends Tensor>(
  data: T,
  gamma: T,
  beta: T,
  attrs: GroupNormOptions = {},
): T | T[] {
  const results = applyAll<Tensor>(groupNormOp as never, [data, gamma, beta], attrs) as T[]
  return attrs.outputMeanVar ? results : results[0]!
}

const instanceNormOp = defineOp({
  name: 'InstanceNorm',
  inputs: ['data', 'gamma', 'beta'],
  attrs: { eps: attr.float(1e-3, { min: 0 }) },
  body: ([x, gamma, beta], { eps }) => {
    const where = 'InstanceNorm'
    checkFloat(where, x!)
    const { shape } = x!
    if (shape.length < 3)
      fail(where, `data ${formatShape(shape)} must have at least 3 axes: batch, channels, …`)
    const g = perChannel(where, 'gamma', gamma!, shape[1]!, shape.length, 1)
    const b = perChannel(where, 'beta', beta!, shape[1]!, shape.length, 1)
    const axes = shape.flatMap((_, i) => (i < 2 ? [] : [i]))
    return affine(standardized(x!, axes, eps).out, g, b)
  },
  complete: ([x]) => (x ? [null, [x.shape[1]!], [x.shape[1]!]] : []),
})

/**
 * Normalizes each channel of each sample to mean 0 and deviation 1, then scales and shifts it.
 *
 * `out = (data - mean)/√(var + eps)·gamma + beta`; `(N, C, …), (C,), (C,) -> (N, C, …)`; float dtypes, kept.
 * @throws MXNetError for fewer than 3 axes, or when gamma or beta do not fit.
 * @example
 * nd.instanceNorm(nd.ones([1, 2, 3]), nd.ones([2]), nd.zeros([2])).shape // => [1, 2, 3]
 * @see MXNet `InstanceNorm`
 */
export function instanceNorm<T extends Tensor>(
  data: T,
  gamma: T,
  beta: T,
  attrs?: { readonly eps?: number | undefined },
): T {
  return apply(instanceNormOp, [data, gamma, beta], attrs)
}

const l2NormalizationOp = defineOp({
  name: 'L2Normalization',
  inputs: ['data'],
  attrs: {
    eps: attr.float(1e-10, { min: 0 }),
    mode: attr.oneOf(['instance', 'spatial', 'channel'], 'instance'),
  },
  body: ([x], { eps, mode }) => {
    const where = 'L2Normalization'
    checkFloat(where, x!)
    const rank = x!.shape.length
    const least = mode === 'instance' ? 1 : mode === 'channel' ? 2 : 3
    if (rank < least)
      fail(where, `data ${formatShape(x!.shape)} must have at least ${least} axes for '${mode}'`)
    const from = mode === 'spatial' ? 2 : 1
    const axes = mode === 'channel' ? [1] : Array.from({ length: rank - from }, (_, i) => i + from)
    const shape = x!.shape.map((d, i) => (axes.includes(i) ? 1 : d))
    const squares = pointwise([x!], ([v]) => mul(v!, v!))
    const total = reshapeTo(reduce(squares, 'sum', axes), shape)
    return pointwise([x!, total], ([v, t]) =>
      div(v!, unary('sqrt', add(t!, constant(eps, t!.dtype)))),
    )
  },
})

/**
 * Scales to length 1: each sample (`instance`), the channels at each place (`channel`), or each channel (`spatial`).
 *
 * `out = data/√(Σ data² + eps)`; shape `(A…) -> (A…)`; float dtypes, kept.
 * @throws MXNetError when data has too few axes for the mode.
 * @example
 * await nd.l2Normalization(nd.array([[3, 4]]), { eps: 0 }).asArray() // => [[0.6000000238418579, 0.800000011920929]]
 * @see MXNet `L2Normalization`
 */
export function l2Normalization<T extends Tensor>(
  data: T,
  attrs?: {
    readonly eps?: number | undefined
    readonly mode?: 'instance' | 'spatial' | 'channel' | undefined
  },
): T {
  return apply(l2NormalizationOp, [data], attrs)
}

const lrnOp = defineOp({
  name: 'LRN',
  inputs: ['data'],
  attrs: {
    alpha: attr.float(1e-4),
    beta: attr.float(0.75),
    knorm: attr.float(2),
    nsize: attr.int<undefined>(undefined, { min: 1 }),
  },
  body: ([x], { alpha, beta, knorm, nsize }) => {
    const where = 'LRN'
    checkFloat(where, x!)
    if (x!.shape.length !== 4)
      fail(where, `data ${formatShape(x!.shape)} must have 4 axes: batch, channels, height, width`)
    if (nsize % 2 === 0) fail(where, `nsize ${nsize} must be odd`)
    const [batch, channels, height, width] = x!.shape as [number, number, number, number]
    const squares = pointwise([x!], ([v]) => mul(v!, v!))
    const sizes = {
      batch,
      groups: 1,
      inner: 1,
      outer: 1,
      x: [channels, height * width],
      window: [nsize, 1],
      y: [channels, height * width],
      stride: [1, 1],
      dilate: [1, 1],
      pad: [(nsize - 1) / 2, 0],
    }
    const ones = filled([1, 1, 1, nsize, 1], 1, x!.dtype)
    const rows = reshapeTo(squares, [batch, 1, 1, channels, height * width])
    const sums = reshapeTo(conv(rows, ones, 'y', sizes), x!.shape)
    return pointwise([x!, sums], ([v, s]) => {
      const base = add(constant(knorm, s!.dtype), mul(s!, constant(alpha / nsize, s!.dtype)))
      return mul(v!, binary('pow', base, constant(-beta, s!.dtype)))
    })
  },
})

/**
 * Divides by a power of the sum of squares over `nsize` neighbouring channels.
 *
 * `out = data·(knorm + alpha/nsize·Σ data²)^-beta`; `(N, C, H, W) -> (N, C, H, W)`; float dtypes, kept.
 * @throws MXNetError for other than 4 axes or an even `nsize`.
 * @example
 * nd.lrn(nd.ones([1, 4, 2, 2]), { nsize: 3 }).shape // => [1, 4, 2, 2]
 * @see MXNet `LRN`
 */
export function lrn<T extends Tensor>(
  data: T,
  attrs: {
    readonly nsize: number
    readonly alpha?: number | undefined
    readonly beta?: number | undefined
    readonly knorm?: number | undefined
  },
): T {
  return apply(lrnOp, [data], attrs)
}
