/** Normalizations: by batch, layer, group and instance, by length, and across neighbouring channels. */

import { isFloat } from '../base/dtype.ts'
import { fail } from '../base/error.ts'
import { checkAxis, formatShape, sizeOf } from '../base/shape.ts'
import { apply, applyAll } from '../core/apply.ts'
import { attr, type Given } from '../core/attrs.ts'
import { frame } from '../core/frame.ts'
import { defineOp } from '../core/op.ts'
import type { Tensor } from '../core/tensor.ts'
import { conv } from '../prim/conv.ts'
import { binary, constant, type Expr, unary } from '../prim/expr.ts'
import { castTo, filled, pointwise, reduce, reshapeTo, sliceOf } from '../prim/primitive.ts'
import { blockGrad, onesLike } from './cast.ts'

const add = (x: Expr, y: Expr): Expr => binary('add', x, y)
const sub = (x: Expr, y: Expr): Expr => binary('sub', x, y)
const mul = (x: Expr, y: Expr): Expr => binary('mul', x, y)
const div = (x: Expr, y: Expr): Expr => binary('div', x, y)

const scaled = (x: Tensor, by: number): Tensor =>
  pointwise([x], ([v]) => mul(v!, constant(by, v!.dtype)))

function checkFloat(where: string, x: Tensor): void {
  if (!isFloat(x.dtype)) fail(where, `data is ${x.dtype}: it must be a float type`)
}

/** One number for each of `count` channels, as the sizes of a tensor that broadcasts along `axis`. */
function perChannel(
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
function meanOver(x: Tensor, axes: readonly number[]): Tensor {
  const kept = x.shape.map((d, i) => (axes.includes(i) ? 1 : d))
  const count = sizeOf(axes.map((a) => x.shape[a]!))
  return reshapeTo(scaled(reduce(x, 'sum', axes), 1 / count), kept)
}

/** Mean and variance along axes in two passes. */
function moments(x: Tensor, axes: readonly number[]): { mean: Tensor; variance: Tensor } {
  const mean = meanOver(x, axes)
  const squares = pointwise([x, mean], ([v, m]) => mul(sub(v!, m!), sub(v!, m!)))
  return { mean, variance: meanOver(squares, axes) }
}

/**
 * Mean and variance in one pass: sums of the distances from one element of each line, which is near the mean
 * compared with what float sums of squares would lose.
 */
function momentsAtOnce(x: Tensor, axes: readonly number[]): { mean: Tensor; variance: Tensor } {
  if (x.size === 0) return moments(x, axes)
  const shape = x.shape.map((d, i) => (axes.includes(i) ? 1 : d))
  const zeros = x.shape.map(() => 0)
  const near = blockGrad(
    sliceOf(
      x,
      zeros,
      x.shape.map(() => 1),
      shape,
    ),
  )
  const distance = pointwise([x, near], ([v, k]) => sub(v!, k!))
  const square = pointwise([x, near], ([v, k]) => mul(sub(v!, k!), sub(v!, k!)))
  const [first, second] = [meanOver(distance, axes), meanOver(square, axes)]
  return {
    mean: pointwise([near, first], ([k, m]) => add(k!, m!)),
    variance: pointwise([first, second], ([m, s]) =>
      binary('max', sub(s!, mul(m!, m!)), constant(0, m!.dtype)),
    ),
  }
}

const inverseRoot = (variance: Tensor, eps: number): Tensor =>
  pointwise([variance], ([v]) =>
    div(constant(1, v!.dtype), unary('sqrt', add(v!, constant(eps, v!.dtype)))),
  )

const batchNormAttrs = {
  eps: attr.float(1e-3, { min: 0 }),
  momentum: attr.float(0.9),
  fixGamma: attr.bool(true),
  useGlobalStats: attr.bool(false),
  outputMeanVar: attr.bool(false),
  axis: attr.int(1),
  cudnnOff: attr.bool(false),
  minCalibRange: attr.optional(attr.float()),
  maxCalibRange: attr.optional(attr.float()),
}
/** Options of `batchNorm`. */
export type BatchNormOptions = Given<typeof batchNormAttrs>

/** Axes without one. */
const axesBut = (x: Tensor, axis: number): number[] =>
  x.shape.flatMap((_, i) => (i === axis ? [] : [i]))

/** Results: the normalized data, mean and 1/√(var + eps); while training also the moving statistics as they are afterwards. */
const batchNormOp = defineOp({
  name: 'BatchNorm',
  aliases: ['BatchNorm_v1'],
  inputs: ['data', 'gamma', 'beta', 'moving_mean', 'moving_var'],
  attrs: { ...batchNormAttrs, training: attr.bool(false) },
  traits: { trains: true },
  results: 1,
  body: ([data, gamma, beta, movingMean, movingVar], attrs) => {
    const where = 'BatchNorm'
    const { eps, momentum, fixGamma, useGlobalStats, training } = attrs
    checkFloat(where, data!)
    const rank = data!.shape.length
    const axis = checkAxis(where, attrs.axis, rank)
    const channels = data!.shape[axis]!
    const line = (name: string, x: Tensor): Tensor =>
      perChannel(where, name, x, channels, rank, axis)
    const x = castTo(data!, gamma!.dtype)
    const [g, b] = [line('gamma', gamma!), line('beta', beta!)]
    const moving = [line('moving_mean', movingMean!), line('moving_var', movingVar!)] as const
    const batch = training && !useGlobalStats
    const { mean, variance } = batch
      ? momentsAtOnce(x, axesBut(x, axis))
      : { mean: moving[0], variance: moving[1] }
    const inverse = inverseRoot(variance, eps)
    const scale = fixGamma ? inverse : pointwise([inverse, g], ([i, s]) => mul(i!, s!))
    const out = pointwise([x, mean, scale, b], ([v, m, s, t]) => add(mul(sub(v!, m!), s!), t!))
    const flat = (t: Tensor): Tensor => reshapeTo(t, [channels])
    const results = [castTo(out, data!.dtype), flat(mean), flat(inverse)]
    if (!batch) return results
    const next = (old: Tensor, now: Tensor): Tensor =>
      pointwise([old, flat(now)], ([o, n]) =>
        add(mul(o!, constant(momentum, o!.dtype)), mul(n!, constant(1 - momentum, o!.dtype))),
      )
    return [...results, next(movingMean!, mean), next(movingVar!, variance)]
  },
  // Gradients of the other results arrive in second derivatives alone: MXNet does not follow them.
  grad: ({ inputs, outputs, dys, attrs, needs }) => {
    const [data, gamma, beta] = inputs as readonly [Tensor, Tensor, Tensor]
    const { fixGamma, momentum, useGlobalStats, training } = attrs
    const axis = checkAxis('BatchNorm', attrs.axis, data.shape.length)
    const axes = axesBut(data, axis)
    const shape = data.shape.map((d, i) => (i === axis ? d : 1))
    const line = (t: Tensor): Tensor => reshapeTo(t, shape)
    const [x, dy] = [castTo(data, gamma.dtype), castTo(dys[0]!, gamma.dtype)]
    const [mean, inverse] = [line(outputs[1]!), line(outputs[2]!)]
    const scale = fixGamma ? inverse : pointwise([inverse, line(gamma)], ([i, s]) => mul(i!, s!))
    const total = (t: Tensor): Tensor => reshapeTo(reduce(t, 'sum', axes), shape)
    const dBeta = total(dy)
    const along = total(pointwise([dy, x, mean], ([d, v, m]) => mul(d!, sub(v!, m!))))
    const dGamma = pointwise([along, inverse], ([a, i]) => mul(a!, i!))
    const flat = (t: Tensor, like: Tensor): Tensor => reshapeTo(t, like.shape)
    const count = sizeOf(axes.map((a) => data.shape[a]!))
    const dx = (): Tensor => {
      if (!training || useGlobalStats) return pointwise([dy, scale], ([d, s]) => mul(d!, s!))
      const part = constant(1 / count, x.dtype)
      // dx = scale·(dy - Σ dy/n - (x - mean)·Σ dy·(x - mean)/(n·(var + eps)))
      const shift = pointwise([dBeta], ([d]) => mul(d!, part))
      const slope = pointwise([along, inverse], ([a, i]) => mul(mul(a!, part), mul(i!, i!)))
      const own = pointwise([dy, x, mean, scale, shift, slope], ([d, v, m, s, t, w]) =>
        mul(s!, sub(sub(d!, t!), mul(sub(v!, m!), w!))),
      )
      if (dys.length === 1) return own
      const [, dMean, dInverse, dNextMean, dNextVariance] = dys.map((d, i) => (i > 0 ? line(d) : d))
      const rate = constant(1 - momentum, x.dtype)
      const lift = pointwise([dMean!, dNextMean!], ([p, q]) => add(p!, mul(rate, q!)))
      // d(var^-1/2) = -var^-3/2/2·d var, and d var = 2·(x - mean)/n.
      const bend = pointwise([dInverse!, inverse, dNextVariance!], ([q, i, w]) =>
        sub(mul(q!, mul(mul(i!, i!), i!)), mul(constant(2, x.dtype), mul(rate, w!))),
      )
      return pointwise([own, x, mean, lift, bend], ([o, v, m, p, q]) =>
        add(o!, mul(part, sub(p!, mul(q!, sub(v!, m!))))),
      )
    }
    return [
      needs[0] ? castTo(dx(), data.dtype) : null,
      fixGamma ? filled(gamma.shape, 0, gamma.dtype) : flat(dGamma, gamma),
      flat(dBeta, beta),
      null,
      null,
    ]
  },
  complete: ([x], { axis }) => {
    if (!x) return []
    const channels = [x.shape[axis < 0 ? axis + x.shape.length : axis]!]
    return [null, channels, channels, channels, channels]
  },
})

/**
 * Normalizes each channel over all other axes, by the statistics of the batch while training, by moving ones otherwise.
 *
 * `out = (data - mean)/√(var + eps)·gamma + beta`; `(N, C, …), (C,) × 4 -> (N, C, …)`; float dtypes, kept. While training
 * the moving statistics are written: `moving = moving·momentum + batch·(1 - momentum)`, variances as averages of squares.
 * With `fixGamma` (the default) gamma is 1, and written so. `outputMeanVar` gives the mean and 1/√(var + eps) too.
 * @throws MXNetError when the axis is out of range or an array does not have one number a channel.
 * @example
 * const [c, x] = [nd.ones([2]), nd.ones([1, 2, 3])]
 * await nd.batchNorm(x, c, nd.zeros([2]), nd.zeros([2]), c).shape // => [1, 2, 3]
 * @see MXNet `BatchNorm`
 */
export function batchNorm<T extends Tensor>(
  data: T,
  gamma: T,
  beta: T,
  movingMean: T,
  movingVar: T,
  attrs?: BatchNormOptions & { readonly outputMeanVar?: false | undefined },
): T
export function batchNorm<T extends Tensor>(
  data: T,
  gamma: T,
  beta: T,
  movingMean: T,
  movingVar: T,
  attrs: BatchNormOptions & { readonly outputMeanVar: boolean },
): T | T[]
export function batchNorm<T extends Tensor>(
  data: T,
  gamma: T,
  beta: T,
  movingMean: T,
  movingVar: T,
  attrs: BatchNormOptions = {},
): T | T[] {
  const inputs = [data, gamma, beta, movingMean, movingVar]
  const [out, mean, inverse, ...moved] = applyAll<Tensor>(batchNormOp as never, inputs, attrs)
  if (attrs.fixGamma ?? true) frame.store(gamma, onesLike(gamma))
  if (moved.length > 0) {
    frame.store(movingMean, moved[0]!)
    frame.store(movingVar, moved[1]!)
  }
  return attrs.outputMeanVar ? ([out, mean, inverse] as T[]) : (out as T)
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
  const out = pointwise([x, mean, deviation], ([v, m, d]) => div(sub(v!, m!), d!))
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
    nsize: attr.int(undefined, { min: 1 }),
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
