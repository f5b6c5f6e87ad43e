/** Batch normalization: by the statistics of a batch while training, by moving ones otherwise. */

import { fail } from '../base/error.ts'
import { checkAxis, sizeOf } from '../base/shape.ts'
import { applyAll } from '../core/apply.ts'
import { attr, type Given } from '../core/attrs.ts'
import { frame } from '../core/frame.ts'
import { defineOp, type OpDef } from '../core/op.ts'
import { type Tensor, Unbound } from '../core/tensor.ts'
import { add, div, mul, sub } from '../prim/arithmetic.ts'
import { binary, constant, unary } from '../prim/expr.ts'
import { castTo, filled, pointwise, reduce, reshapeTo, sliceOf } from '../prim/primitive.ts'
import { relu } from './activation.ts'
import { blockGrad, onesLike } from './cast.ts'
import { checkFloat, meanOver, moments, perChannel } from './normalization.ts'

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
  perform: ([data, gamma, beta, movingMean, movingVar], attrs) =>
    batchNorm(data!, gamma!, beta!, movingMean!, movingVar!, attrs as { outputMeanVar: boolean }),
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
  return normalized(
    batchNormOp as unknown as OpDef,
    [data, gamma, beta, movingMean, movingVar],
    attrs,
  )
}

type Five<T> = readonly [data: T, gamma: T, beta: T, movingMean: T, movingVar: T]

/** Applies the operator, and writes gamma and the moving statistics as they are afterwards. */
function normalized<T extends Tensor>(
  op: OpDef,
  inputs: Five<T>,
  attrs: { readonly fixGamma?: boolean | undefined; readonly outputMeanVar?: boolean | undefined },
): T | T[] {
  const [, gamma, , movingMean, movingVar] = inputs
  const [out, mean, inverse, ...moved] = applyAll<Tensor>(op, inputs, attrs)
  const results = attrs.outputMeanVar ? ([out, mean, inverse] as T[]) : (out as T)
  if (out instanceof Unbound) return results
  if (attrs.fixGamma ?? true) frame.store(gamma, onesLike(gamma))
  if (moved.length > 0) {
    frame.store(movingMean, moved[0]!)
    frame.store(movingVar, moved[1]!)
  }
  return results
}

/** The results of `BatchNorm` on these inputs, in the body of another operator. */
const asBatchNorm = (inputs: readonly Tensor[], attrs: object): readonly Tensor[] =>
  applyAll(batchNormOp as unknown as OpDef, inputs, { ...attrs })

const reluOp: OpDef = defineOp({
  name: '_contrib_BatchNormWithReLU',
  inputs: batchNormOp.spec.inputs,
  attrs: { ...batchNormAttrs, training: attr.bool(false) },
  traits: { trains: true },
  body: (inputs, attrs) => {
    const [out, ...rest] = asBatchNorm(inputs, attrs)
    return [relu(out!), ...rest]
  },
  perform: (inputs, attrs) => normalized(reluOp, inputs as unknown as Five<Tensor>, attrs),
  complete: (known, attrs) => batchNormOp.spec.complete!(known, attrs),
}) as unknown as OpDef

/**
 * `batchNorm`, then `relu`: `max((data - mean)/√(var + eps)·gamma + beta, 0)`.
 *
 * `(N, C, …), (C,) × 4 -> (N, C, …)`; float dtypes, kept. Options and moving statistics as in `batchNorm`.
 * @throws MXNetError when the axis is out of range or an array does not have one number a channel.
 * @example
 * const [c, x] = [nd.ones([2]), nd.ones([1, 2, 3])]
 * nd.contrib.batchNormWithReLU(x, c, nd.zeros([2]), nd.zeros([2]), c).shape // => [1, 2, 3]
 * @see MXNet `_contrib_BatchNormWithReLU`
 */
export function batchNormWithReLU<T extends Tensor>(
  data: T,
  gamma: T,
  beta: T,
  movingMean: T,
  movingVar: T,
  attrs: BatchNormOptions = {},
): T | T[] {
  return normalized(reluOp, [data, gamma, beta, movingMean, movingVar], attrs)
}

const syncAttrs = {
  eps: attr.float(1e-3, { min: 0 }),
  momentum: attr.float(0.9),
  fixGamma: attr.bool(true),
  useGlobalStats: attr.bool(false),
  outputMeanVar: attr.bool(false),
  ndev: attr.int(1, { above: 0 }),
  key: attr.text(),
}

const syncOp: OpDef = defineOp({
  name: '_contrib_SyncBatchNorm',
  inputs: batchNormOp.spec.inputs,
  attrs: { ...syncAttrs, training: attr.bool(false) },
  traits: { trains: true },
  body: (inputs, { ndev, key: _key, ...attrs }) => {
    if (ndev !== 1)
      fail(
        '_contrib_SyncBatchNorm',
        `ndev is ${ndev}: statistics over several devices are not here, normalize on each of them (ndev 1)`,
      )
    return asBatchNorm(inputs, attrs)
  },
  perform: (inputs, attrs) => normalized(syncOp, inputs as unknown as Five<Tensor>, attrs),
  complete: (known) => batchNormOp.spec.complete!(known, { axis: 1 } as never),
}) as unknown as OpDef

/**
 * `batchNorm` over the batches of `ndev` devices at once; here of one.
 *
 * `(N, C, …), (C,) × 4 -> (N, C, …)`; float dtypes, kept; `key` names the layer to the other devices. Moving statistics as in `batchNorm`.
 * @throws MXNetError for more than one device, and when an array does not have one number a channel.
 * @example
 * const [c, x] = [nd.ones([2]), nd.ones([1, 2, 3])]
 * nd.contrib.syncBatchNorm(x, c, nd.zeros([2]), nd.zeros([2]), c, { key: 'norm0' }).shape // => [1, 2, 3]
 * @see MXNet `_contrib_SyncBatchNorm`
 */
export function syncBatchNorm<T extends Tensor>(
  data: T,
  gamma: T,
  beta: T,
  movingMean: T,
  movingVar: T,
  attrs: Given<typeof syncAttrs>,
): T | T[] {
  return normalized(syncOp, [data, gamma, beta, movingMean, movingVar], attrs)
}
