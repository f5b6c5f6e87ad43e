/** Element by element on quantized arrays: sums, products, batch normalization, and rows of a table. */

import { fail } from '../base/error.ts'
import { checkAxis, formatShape, sameShape } from '../base/shape.ts'
import { applyAll } from '../core/apply.ts'
import { attr, type Given } from '../core/attrs.ts'
import { defineOp, type OpDef } from '../core/op.ts'
import type { Tensor } from '../core/tensor.ts'
import { add, div, mul, num, sub } from '../prim/arithmetic.ts'
import { cast, type Expr, unary } from '../prim/expr.ts'
import { castTo, gather, pointwise } from '../prim/primitive.ts'
import { embeddingAttrs } from './indexing.ts'
import { perChannel } from './normalization.ts'
import { asRange, checkBytes, end, literal, type Quantized, rounded, stepsOf } from './quantize.ts'
import { productRange, rangeOf } from './quantized.ts'

const calibration = {
  minCalibRange: attr.optional(attr.float()),
  maxCalibRange: attr.optional(attr.float()),
}
const pair = ['lhs', 'rhs', 'lhs_min', 'lhs_max', 'rhs_min', 'rhs_max'] as const

/** The size of a calibrated range. */
const extentOf = (low: number, high: number): number => Math.max(Math.abs(low), Math.abs(high))

function checkPair(
  where: string,
  [a, b]: readonly Tensor[],
): readonly ['int8' | 'uint8', 'int8' | 'uint8'] {
  if (!sameShape(a!.shape, b!.shape))
    fail(where, `lhs ${formatShape(a!.shape)} and rhs ${formatShape(b!.shape)} must have one shape`)
  return [checkBytes(where, 'lhs', a!), checkBytes(where, 'rhs', b!)]
}

const addOp = defineOp({
  name: '_contrib_quantized_elemwise_add',
  inputs: pair,
  attrs: calibration,
  body: (inputs, { minCalibRange: low, maxCalibRange: high }) => {
    const where = '_contrib_quantized_elemwise_add'
    const [a, b, ...ends] = inputs as readonly [Tensor, Tensor, ...Tensor[]]
    const types = checkPair(where, inputs)
    const ranges = [rangeOf(where, ends[0]!, ends[1]!), rangeOf(where, ends[2]!, ends[3]!)]
    const calibrated = low !== null && high !== null
    const narrow = types[0] === types[1] ? types[0] : 'int8'
    const type: Quantized = calibrated ? narrow : 'int32'
    const out = pointwise([a, b, ...ranges], ([x, y, r, s]) => {
      const whole = calibrated ? num(r!, extentOf(low, high)) : add(r!, s!)
      const part = (v: Expr, range: Expr, from: 'int8' | 'uint8'): Expr => {
        const scale = div(mul(range, num(r!, stepsOf[type])), mul(whole, num(r!, stepsOf[from])))
        return mul(cast(v, 'float32'), scale)
      }
      return rounded(add(part(x!, r!, types[0]), part(y!, s!, types[1])), type)
    })
    if (calibrated) return [out, literal(low), literal(high)]
    const sum = pointwise(ranges, ([r, s]) => add(r!, s!))
    const opposite = pointwise([sum], ([v]) => unary('neg', v!))
    return [out, asRange(opposite), asRange(sum)]
  },
  grad: ({ inputs }) => inputs.map(() => null),
})

/**
 * Sums of the elements of two arrays of 8 bits: in 8 bits of a calibrated range, else in 32 bits of the sum of both ranges.
 *
 * `(A…) × 2, (1,) × 4 -> (A…), (1,), (1,)`; the ends of the ranges of lhs and rhs follow the arrays. No gradient.
 * @throws MXNetError when shapes differ or an array is not int8 or uint8.
 * @example
 * const [x, low, high] = [nd.array([51], { dtype: 'int8' }), nd.array([-1]), nd.array([1])]
 * const calibrated = { minCalibRange: -2, maxCalibRange: 2 }
 * await nd.contrib.quantizedElemwiseAdd(x, x, low, high, low, high, calibrated)[0].asArray() // => [51]
 * @see MXNet `_contrib_quantized_elemwise_add`
 */
export function quantizedElemwiseAdd<T extends Tensor>(
  lhs: T,
  rhs: T,
  lhsMin: T,
  lhsMax: T,
  rhsMin: T,
  rhsMax: T,
  attrs?: Given<typeof calibration>,
): T[] {
  return applyAll(addOp as unknown as OpDef, [lhs, rhs, lhsMin, lhsMax, rhsMin, rhsMax], attrs)
}

const mulAttrs = { ...calibration, enableFloatOutput: attr.bool(false) }

const mulOp = defineOp({
  name: '_contrib_quantized_elemwise_mul',
  inputs: pair,
  attrs: mulAttrs,
  body: (inputs, { minCalibRange: low, maxCalibRange: high, enableFloatOutput }) => {
    const where = '_contrib_quantized_elemwise_mul'
    const [a, b, ...ends] = inputs as readonly [Tensor, Tensor, ...Tensor[]]
    const types = checkPair(where, inputs)
    if (types.includes('uint8')) fail(where, 'lhs and rhs must be int8')
    const ranges = [rangeOf(where, ends[0]!, ends[1]!), rangeOf(where, ends[2]!, ends[3]!)] as const
    const product = ([x, y]: readonly Expr[]): Expr => mul(cast(x!, 'int32'), cast(y!, 'int32'))
    const steps = stepsOf.int8
    const real = (x: Expr, y: Expr, r: Expr, s: Expr): Expr =>
      mul(cast(product([x, y]), 'float32'), mul(div(r, num(r, steps)), div(s, num(s, steps))))
    if (enableFloatOutput)
      return pointwise([a, b, ...ranges], ([x, y, r, s]) => real(x!, y!, r!, s!))
    if (low === null || high === null)
      return [pointwise([a, b], product), ...productRange(ranges[0], 127, ranges[1])]
    const out = pointwise([a, b, ...ranges], ([x, y, r, s]) => {
      const scale = num(r!, steps / extentOf(low, high))
      return cast(unary('trunc', mul(real(x!, y!, r!, s!), scale)), 'int8')
    })
    return [out, literal(low), literal(high)]
  },
  grad: ({ inputs }) => inputs.map(() => null),
})

/**
 * Products of the elements of two int8 arrays: 32-bit integers, 8-bit ones of a calibrated range, or floats.
 *
 * `(A…) × 2, (1,) × 4 -> (A…), (1,), (1,)`, with `enableFloatOutput` one float32 array alone. No gradient.
 * @throws MXNetError when shapes differ or an array is not int8.
 * @example
 * const [x, low, high] = [nd.array([51], { dtype: 'int8' }), nd.array([-5]), nd.array([5])]
 * const [out, least, most] = nd.contrib.quantizedElemwiseMul(x, x, low, high, low, high)
 * await out.asArray() // => [2601]
 * @see MXNet `_contrib_quantized_elemwise_mul`
 */
export function quantizedElemwiseMul<T extends Tensor>(
  lhs: T,
  rhs: T,
  lhsMin: T,
  lhsMax: T,
  rhsMin: T,
  rhsMax: T,
  attrs?: Given<typeof mulAttrs>,
): T[] {
  return applyAll(mulOp as unknown as OpDef, [lhs, rhs, lhsMin, lhsMax, rhsMin, rhsMax], attrs)
}

const embeddingOp = defineOp({
  name: '_contrib_quantized_embedding',
  inputs: ['data', 'weight', 'min_weight', 'max_weight'],
  attrs: embeddingAttrs,
  body: ([data, weight, low, high], { inputDim, outputDim }) => {
    const where = '_contrib_quantized_embedding'
    if (weight!.dtype !== 'int8') fail(where, `weight is ${weight!.dtype}: it must be int8`)
    if (!sameShape(weight!.shape, [inputDim, outputDim]))
      fail(where, `weight ${formatShape(weight!.shape)} must be (${inputDim}, ${outputDim})`)
    const ends = [low!, high!].map((x) => asRange(end(where, 'a range', x)))
    return [gather(weight!, castTo(data!, 'int32'), 0), ...ends]
  },
  grad: ({ inputs }) => inputs.map(() => null),
})

/**
 * `embedding` in an int8 table: its rows, and the range of the table.
 *
 * `(A…), (inputDim, outputDim) int8, (1,), (1,) -> (A…, outputDim) int8, (1,), (1,)`; indices are clipped. No gradient.
 * @throws MXNetError when the table is not int8 or does not have these sizes.
 * @example
 * const table = nd.array([[1, 2], [3, 4]], { dtype: 'int8' })
 * const options = { inputDim: 2, outputDim: 2 }
 * const [rows] = nd.contrib.quantizedEmbedding(nd.array([1]), table, nd.array([-1]), nd.array([1]), options)
 * await rows.asArray() // => [[3, 4]]
 * @see MXNet `_contrib_quantized_embedding`
 */
export function quantizedEmbedding<T extends Tensor>(
  data: T,
  weight: T,
  minWeight: T,
  maxWeight: T,
  attrs: Given<typeof embeddingAttrs>,
): T[] {
  return applyAll(embeddingOp as unknown as OpDef, [data, weight, minWeight, maxWeight], attrs)
}

const normAttrs = {
  eps: attr.float(1e-3, { min: 0 }),
  momentum: attr.float(0.9),
  fixGamma: attr.bool(true),
  useGlobalStats: attr.bool(false),
  outputMeanVar: attr.bool(false),
  axis: attr.int(1),
  cudnnOff: attr.bool(false),
  ...calibration,
}

const normOp = defineOp({
  name: '_contrib_quantized_batch_norm',
  inputs: ['data', 'gamma', 'beta', 'moving_mean', 'moving_var', 'min_data', 'max_data'],
  attrs: normAttrs,
  body: (inputs, { eps, axis, minCalibRange: low, maxCalibRange: high }) => {
    const where = '_contrib_quantized_batch_norm'
    const [data, gamma, beta, mean, variance, min, max] = inputs as readonly Tensor[]
    const type = checkBytes(where, 'data', data!)
    if (low === null || high === null)
      return fail(where, 'minCalibRange and maxCalibRange must be given')
    const rank = data!.shape.length
    const at = checkAxis(where, axis, rank)
    const line = (name: string, x: Tensor): Tensor =>
      castTo(perChannel(where, name, x, data!.shape[at]!, rank, at), 'float32')
    const lines = [
      line('gamma', gamma!),
      line('beta', beta!),
      line('moving_mean', mean!),
      line('moving_var', variance!),
    ]
    const whole = extentOf(low, high)
    const out = pointwise(
      [data!, ...lines, rangeOf(where, min!, max!)],
      ([x, g, b, m, v, range]) => {
        const inverse = div(num(g!, 1), unary('sqrt', add(v!, num(g!, eps))))
        const slope = mul(g!, inverse)
        // uint8 is brought to the steps of int8 first.
        const float = cast(x!, 'float32')
        const steps =
          type === 'int8'
            ? float
            : cast(rounded(mul(float, num(g!, stepsOf.int8 / stepsOf.uint8)), 'int8'), 'float32')
        const shift = div(mul(sub(b!, mul(m!, slope)), num(g!, stepsOf.int8)), num(g!, whole))
        return rounded(add(mul(steps, div(mul(slope, range!), num(g!, whole))), shift), 'int8')
      },
    )
    return [out, literal(low), literal(high)]
  },
  grad: ({ inputs }) => inputs.map(() => null),
})

/**
 * `batchNorm` by moving statistics of an array of 8 bits, into int8 of a calibrated range.
 *
 * `(N, C, …), (C,) × 4, (1,), (1,) -> (N, C, …) int8, (1,), (1,)`; gamma is used as it is. No gradient.
 * @throws MXNetError without `minCalibRange` and `maxCalibRange`, and when shapes or dtypes do not fit.
 * @example
 * const [c, x] = [nd.ones([1]), nd.array([[51]], { dtype: 'int8' })]
 * const options = { eps: 0, minCalibRange: -1, maxCalibRange: 1 }
 * const [y] = nd.contrib.quantizedBatchNorm(x, c, nd.zeros([1]), nd.zeros([1]), c, nd.array([-1]), nd.array([1]), options)
 * await y.asArray() // => [[51]]
 * @see MXNet `_contrib_quantized_batch_norm`
 */
export function quantizedBatchNorm<T extends Tensor>(
  data: T,
  gamma: T,
  beta: T,
  movingMean: T,
  movingVar: T,
  minData: T,
  maxData: T,
  attrs: Given<typeof normAttrs>,
): T[] {
  const inputs = [data, gamma, beta, movingMean, movingVar, minData, maxData]
  return applyAll(normOp as unknown as OpDef, inputs, attrs)
}
