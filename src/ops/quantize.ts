/** Eight-bit integers for floats: an array, and the range of numbers that it stands for. */

import type { DType } from '../base/dtype.ts'
import { fail } from '../base/error.ts'
import { formatShape } from '../base/shape.ts'
import { applyAll } from '../core/apply.ts'
import { attr, type Given } from '../core/attrs.ts'
import { defineOp, type OpDef } from '../core/op.ts'
import type { Tensor } from '../core/tensor.ts'
import { add, div, mul, num, sub } from '../prim/arithmetic.ts'
import { binary, cast, compare, type Expr, select, unary } from '../prim/expr.ts'
import { castTo, filled, pointwise, reduce, reshapeTo } from '../prim/primitive.ts'

const limits = { int8: [-128, 127], uint8: [0, 255], int32: [-2147483648, 2147483520] } as const
/** A dtype in which quantized numbers are held. */
export type Quantized = keyof typeof limits

/**
 * How many steps a range has on each side of 0, as MXNet counts them with oneDNN: half a step more than there are
 * numbers, so that the ends round to the last one. `quantize` and `requantize` count whole steps.
 */
export const stepsOf = { int8: 127.5, uint8: 255.5, int32: 2147483647 } as const

/** The nearest integer, halves to the even one, held within a dtype. */
export function rounded(x: Expr, dtype: Quantized): Expr {
  const low = unary('floor', x)
  const part = sub(x, low)
  const half = num(x, 0.5)
  const odd = compare('ne', binary('mod', low, num(x, 2)), num(x, 0))
  const up = binary('or', compare('gt', part, half), binary('and', compare('eq', part, half), odd))
  const near = add(low, select(up, num(x, 1), num(x, 0)))
  const [least, most] = limits[dtype]
  return cast(binary('min', binary('max', near, num(x, least)), num(x, most)), dtype)
}

/** The larger of two sizes, of the ends of a range. */
export const extent = (a: Expr, b: Expr): Expr => binary('max', unary('abs', a), unary('abs', b))

/** The number that an end of a range is: an array of one element. */
export function end(where: string, name: string, x: Tensor): Tensor {
  if (x.size !== 1) fail(where, `${name} has shape ${formatShape(x.shape)}: it must be one number`)
  return reshapeTo(castTo(x, 'float32'), [])
}

/** The size of a range. */
export const sizeOfRange = (low: Tensor, high: Tensor): Tensor =>
  pointwise([low, high], ([a, b]) => extent(a!, b!))

/** A number as the array of one element that ranges are given as. */
export const asRange = (x: Tensor): Tensor => reshapeTo(x, [1])

/** A literal end of a range. */
export const literal = (value: number): Tensor => filled([1], value, 'float32')

/** Whether a dtype holds quantized numbers of 8 bits. */
export const isByte = (dtype: DType): dtype is 'int8' | 'uint8' =>
  dtype === 'int8' || dtype === 'uint8'

/** Refuses what is not quantized. */
export function checkBytes(where: string, name: string, x: Tensor): 'int8' | 'uint8' {
  if (!isByte(x.dtype)) return fail(where, `${name} is ${x.dtype}: it must be int8 or uint8`)
  return x.dtype
}

const scaled = (x: Tensor, scale: Tensor, dtype: Quantized): Tensor =>
  pointwise([castTo(x, 'float32'), scale], ([v, s]) => rounded(mul(v!, s!), dtype))

const ranged = {
  minCalibRange: attr.optional(attr.float()),
  maxCalibRange: attr.optional(attr.float()),
}
const outTypes = ['auto', 'int8', 'uint8'] as const

/** The dtype that is asked for; `auto` is uint8 where the calibrated range has no negative numbers. */
const typeOf = (outType: (typeof outTypes)[number], low: number | null): 'int8' | 'uint8' =>
  outType === 'auto' ? (low !== null && low >= 0 ? 'uint8' : 'int8') : outType

const quantizeAttrs = { outType: attr.oneOf(['int8', 'uint8'], 'uint8') }

const quantizeOp = defineOp({
  name: '_contrib_quantize',
  inputs: ['data', 'min_range', 'max_range'],
  attrs: quantizeAttrs,
  body: ([x, min, max], { outType }) => {
    const where = '_contrib_quantize'
    const [low, high] = [end(where, 'min_range', min!), end(where, 'max_range', max!)]
    const range = sizeOfRange(low, high)
    const scale = pointwise([range], ([r]) => div(num(r!, limits[outType][1]), r!))
    const opposite = pointwise([range], ([r]) => unary('neg', r!))
    const ends = outType === 'int8' ? [opposite, range] : [low, high]
    return [scaled(x!, scale, outType), ...ends.map(asRange)]
  },
  grad: () => [null, null, null],
})

/**
 * Floats as integers of 8 bits by a given range, and the range that they stand for: three arrays.
 *
 * `q = round(data·steps / max(|min|, |max|))`, held within the dtype; `(A…), (1,), (1,) -> (A…), (1,), (1,)`. `outType` is uint8 (255 steps)
 * or int8 (127, its range made symmetric). No gradient.
 * @throws MXNetError when a range is not one number.
 * @example
 * const [q] = nd.contrib.quantize(nd.array([0, 1.5, 3]), nd.array([0]), nd.array([3]))
 * await q.asArray() // => [0, 128, 255]
 * @see MXNet `_contrib_quantize`
 */
export function quantize<T extends Tensor>(
  data: T,
  minRange: T,
  maxRange: T,
  attrs?: Given<typeof quantizeAttrs>,
): T[] {
  return applyAll(quantizeOp as unknown as OpDef, [data, minRange, maxRange], attrs)
}

const quantizeV2Attrs = { outType: attr.oneOf(outTypes, 'int8'), ...ranged }

const quantizeV2Op = defineOp({
  name: '_contrib_quantize_v2',
  inputs: ['data'],
  attrs: quantizeV2Attrs,
  body: ([x], { outType, minCalibRange: low, maxCalibRange: high }) => {
    const calibrated = low !== null && high !== null
    if (isByte(x!.dtype)) {
      const whole = x!.dtype === 'uint8' ? [0, 255] : [-127, 127]
      const [a, b] = calibrated ? [low, high] : whole
      return [pointwise([x!], ([v]) => v!), literal(a!), literal(b!)]
    }
    const dtype = typeOf(outType, calibrated ? low : null)
    const data = castTo(x!, 'float32')
    const every = data.shape.map((_, i) => i)
    const [a, b] = calibrated
      ? [reshapeTo(literal(low), []), reshapeTo(literal(high), [])]
      : [reduce(data, 'min', every), reduce(data, 'max', every)]
    const range = sizeOfRange(a, b)
    const scale = pointwise([range], ([r]) => div(num(r!, stepsOf[dtype]), r!))
    const opposite = pointwise([range], ([r]) => unary('neg', r!))
    const ends = dtype === 'int8' ? [opposite, range] : [a, b]
    return [scaled(data, scale, dtype), ...ends.map(asRange)]
  },
  grad: () => [null],
})

/**
 * `quantize` by the range of the data itself, or by a calibrated one.
 *
 * `(A…) -> (A…), (1,), (1,)`; int8 unless `outType` says uint8, or `auto` and the calibrated range has no negative numbers. Integers of 8 bits
 * stay as they are. No gradient.
 * @example
 * const [q] = nd.contrib.quantizeV2(nd.array([-1, 0, 1]))
 * await q.asArray() // => [-128, 0, 127]
 * @see MXNet `_contrib_quantize_v2`
 */
export function quantizeV2<T extends Tensor>(data: T, attrs?: Given<typeof quantizeV2Attrs>): T[] {
  return applyAll(quantizeV2Op as unknown as OpDef, [data], attrs)
}

const dequantizeAttrs = { outType: attr.oneOf(['float32'], 'float32') }

const dequantizeOp = defineOp({
  name: '_contrib_dequantize',
  inputs: ['data', 'min_range', 'max_range'],
  attrs: dequantizeAttrs,
  body: ([x, min, max]) => {
    const where = '_contrib_dequantize'
    if (!Object.hasOwn(limits, x!.dtype))
      fail(where, `data is ${x!.dtype}: it must be int8, uint8 or int32`)
    const steps = stepsOf[x!.dtype as Quantized]
    const range = sizeOfRange(end(where, 'min_range', min!), end(where, 'max_range', max!))
    return pointwise([castTo(x!, 'float32'), range], ([v, r]) => mul(v!, div(r!, num(r!, steps))))
  },
  grad: () => [null, null, null],
})

/**
 * The floats that quantized numbers stand for.
 *
 * `out = data·max(|min|, |max|) / steps`, with 127.5 steps for int8, 255.5 for uint8 and 2³¹ - 1 for int32;
 * `(A…), (1,), (1,) -> (A…) float32`. No gradient.
 * @throws MXNetError when the data is not quantized, or a range is not one number.
 * @example
 * const q = nd.array([51], { dtype: 'int8' })
 * await nd.contrib.dequantize(q, nd.array([-5]), nd.array([5])).asArray() // => [2]
 * @see MXNet `_contrib_dequantize`
 */
export function dequantize<T extends Tensor>(
  data: T,
  minRange: T,
  maxRange: T,
  attrs?: Given<typeof dequantizeAttrs>,
): T {
  return applyAll(dequantizeOp as unknown as OpDef, [data, minRange, maxRange], attrs)[0] as T
}

const requantizeAttrs = quantizeV2Attrs

const requantizeOp = defineOp({
  name: '_contrib_requantize',
  inputs: ['data', 'min_range', 'max_range'],
  attrs: requantizeAttrs,
  body: ([x, min, max], { outType, minCalibRange: low, maxCalibRange: high }) => {
    const where = '_contrib_requantize'
    if (x!.dtype !== 'int32') fail(where, `data is ${x!.dtype}: it must be int32`)
    const calibrated = low !== null && high !== null
    const dtype = typeOf(outType, calibrated ? low : null)
    const wide = sizeOfRange(end(where, 'min_range', min!), end(where, 'max_range', max!))
    const unit = pointwise([wide], ([r]) => div(r!, num(r!, stepsOf.int32)))
    const data = castTo(x!, 'float32')
    const largest = (): Tensor =>
      reduce(
        pointwise([data], ([v]) => unary('abs', v!)),
        'max',
        data.shape.map((_, i) => i),
      )
    const range = calibrated
      ? reshapeTo(literal(Math.max(Math.abs(low), Math.abs(high))), [])
      : pointwise([largest(), unit], ([v, u]) => mul(v!, u!))
    const scale = pointwise([unit, range], ([u, r]) => mul(u!, div(num(r!, limits[dtype][1]), r!)))
    const least = pointwise([range], ([r]) => (dtype === 'int8' ? unary('neg', r!) : num(r!, 0)))
    return [scaled(data, scale, dtype), asRange(least), asRange(range)]
  },
  grad: () => [null, null, null],
})

/**
 * Integers of 32 bits, as products of quantized numbers are, in 8 bits: by the range of the data itself, or by a calibrated one.
 *
 * `(A…) int32, (1,), (1,) -> (A…), (1,), (1,)`; int8 unless `outType` says otherwise, as in `quantizeV2`. No gradient.
 * @throws MXNetError when the data is not int32, or a range is not one number.
 * @example
 * const sums = nd.array([2 ** 30, -(2 ** 29)], { dtype: 'int32' })
 * const [q] = nd.contrib.requantize(sums, nd.array([-2]), nd.array([2]))
 * await q.asArray() // => [127, -64]
 * @see MXNet `_contrib_requantize`
 */
export function requantize<T extends Tensor>(
  data: T,
  minRange: T,
  maxRange: T,
  attrs?: Given<typeof requantizeAttrs>,
): T[] {
  return applyAll(requantizeOp as unknown as OpDef, [data, minRange, maxRange], attrs)
}
