/** Layers on quantized arrays: each takes and gives integers with the ranges that they stand for. */

import { fail } from '../base/error.ts'
import { formatShape, sizeOf } from '../base/shape.ts'
import { applyAll } from '../core/apply.ts'
import { attr, type Given } from '../core/attrs.ts'
import { defineOp, type OpDef } from '../core/op.ts'
import type { Tensor } from '../core/tensor.ts'
import { add, div, mul, num } from '../prim/arithmetic.ts'
import { binary, cast, unary } from '../prim/expr.ts'
import { castTo, contract, pointwise, reshapeTo } from '../prim/primitive.ts'
import { convolutionAttrs } from './convolution.ts'
import { fullyConnectedAttrs } from './dense.ts'
import { im2col } from './padding.ts'
import { pooling, poolingAttrs } from './pooling.ts'
import { asRange, checkBytes, end, rounded, sizeOfRange, stepsOf } from './quantize.ts'
import { concat } from './slicing.ts'

const nothing = (inputs: readonly Tensor[]): null[] => inputs.map(() => null)

/** The size of the range with these ends among the inputs. */
export const rangeOf = (where: string, low: Tensor, high: Tensor): Tensor =>
  sizeOfRange(end(where, 'a range', low), end(where, 'a range', high))

/** The symmetric range of 32-bit sums of products of two arrays of 8 bits, as their greatest values have 255 or 127 steps. */
export function productRange(a: Tensor, stepsA: number, b: Tensor): Tensor[] {
  const high = pointwise([a, b], ([x, y]) =>
    mul(mul(div(x!, num(x!, stepsA)), div(y!, num(y!, 127))), num(x!, 2147483647)),
  )
  return [asRange(pointwise([high], ([h]) => unary('neg', h!))), asRange(high)]
}

/** Data, weight and bias, and the sizes of their ranges, of a layer's arrays: no bias where there is none. */
function operands(where: string, arrays: readonly Tensor[], noBias: boolean) {
  const count = noBias ? 2 : 3
  if (arrays.length !== 3 * count)
    fail(
      where,
      `${arrays.length} arrays given: it takes ${3 * count}, each array and then both ends of the range of each`,
    )
  const ranges = Array.from({ length: count }, (_, i) =>
    rangeOf(where, arrays[count + 2 * i]!, arrays[count + 2 * i + 1]!),
  )
  const type = checkBytes(where, 'data', arrays[0]!)
  if (arrays.slice(1, count).some((x) => x.dtype !== 'int8'))
    fail(where, 'weight and bias must be int8')
  const [data, weight, bias] = arrays as readonly [Tensor, Tensor, Tensor]
  return { type, data, weight, bias: noBias ? null : bias, ranges }
}

/** A bias in the steps of the sums that it is added to, cut off towards 0. */
function biasInSteps(
  bias: Tensor,
  type: 'int8' | 'uint8',
  [data, weight, own]: readonly Tensor[],
): Tensor {
  const { int8: steps } = stepsOf
  return pointwise([bias, data!, weight!, own!], ([b, d, w, r]) => {
    const scale = mul(div(num(d!, stepsOf[type]), d!), div(num(w!, steps), w!))
    return cast(mul(cast(b!, 'float32'), div(mul(scale, r!), num(r!, steps))), 'int32')
  })
}

const wide = (x: Tensor): Tensor => castTo(x, 'int32')

const denseOp = defineOp({
  name: '_contrib_quantized_fully_connected',
  inputs: ['...arrays'],
  attrs: fullyConnectedAttrs,
  body: (arrays, { noBias, flatten, numHidden }) => {
    const where = '_contrib_quantized_fully_connected'
    const { type, data, weight, bias, ranges } = operands(where, arrays, noBias)
    const lead = flatten ? [data.shape[0] ?? 1] : data.shape.slice(0, -1)
    const width = sizeOf(data.shape) / Math.max(sizeOf(lead), 1)
    const hidden = weight.shape[0]!
    if (weight.shape.length !== 2 || weight.shape[1] !== width || (numHidden ?? hidden) !== hidden)
      fail(
        where,
        `weight ${formatShape(weight.shape)} does not fit data ${formatShape(data.shape)}: it must be (${numHidden ?? 'numHidden'}, ${width})`,
      )
    const rows = reshapeTo(wide(data), [sizeOf(lead), width])
    const product = contract(rows, wide(weight), 'nk', 'hk', 'nh')
    const sums =
      bias === null
        ? product
        : pointwise([product, biasInSteps(bias, type, ranges)], ([p, b]) => add(p!, b!))
    const steps = type === 'int8' ? 127 : 255
    return [reshapeTo(sums, [...lead, hidden]), ...productRange(ranges[0]!, steps, ranges[1]!)]
  },
  grad: ({ inputs }) => nothing(inputs),
})

/**
 * `fullyConnected` on arrays of 8 bits: 32-bit sums of products, and their range.
 *
 * `(N, …), (H, K) int8, (H,) int8 -> (N, H) int32, (1,), (1,)`; arrays in the order data, weight, bias, then both ends of the range of each;
 * without bias (`noBias`) six of them. The bias is brought to the steps of the sums. No gradient.
 * @throws MXNetError when shapes, dtypes or the number of arrays do not fit.
 * @example
 * const [x, w, low, high] = [nd.ones([1, 2], { dtype: 'int8' }), nd.ones([3, 2], { dtype: 'int8' }), nd.array([-1]), nd.array([1])]
 * const [sums] = nd.contrib.quantizedFullyConnected(x, w, low, high, low, high, { numHidden: 3, noBias: true })
 * await sums.asArray() // => [[2, 2, 2]]
 * @see MXNet `_contrib_quantized_fully_connected`
 */
export function quantizedFullyConnected<T extends Tensor>(
  ...args: [...arrays: T[], attrs: Given<typeof fullyConnectedAttrs>]
): T[] {
  return withAttrs(denseOp, args)
}

/** Applies an operator to arrays and, last, its attributes. */
function withAttrs<T extends Tensor>(op: unknown, args: readonly unknown[]): T[] {
  return applyAll(
    op as OpDef,
    args.slice(0, -1) as T[],
    args.at(-1) as { readonly [name: string]: unknown },
  )
}

const convOp = defineOp({
  name: '_contrib_quantized_conv',
  inputs: ['...arrays'],
  attrs: convolutionAttrs,
  body: (arrays, { kernel, stride, dilate, pad, numFilter, numGroup, layout, noBias }) => {
    const where = '_contrib_quantized_conv'
    const { type, data, weight, bias, ranges } = operands(where, arrays, noBias)
    const [n, channels] = data.shape as [number, number]
    if (kernel.length !== 2 || data.shape.length !== 4 || (layout !== null && layout !== 'NCHW'))
      fail(
        where,
        `data ${formatShape(data.shape)} must be (N, C, H, W), and the kernel have 2 sizes`,
      )
    if (numGroup !== 1) fail(where, `numGroup is ${numGroup}: it must be 1`)
    const want = [numFilter, channels, ...kernel]
    if (weight.shape.length !== 4 || weight.shape.some((d, i) => d !== want[i]))
      fail(where, `weight ${formatShape(weight.shape)} must be ${formatShape(want)}`)
    const windows = { kernel, stride, dilate, pad }
    const columns = im2col(data, windows)
    const product = contract(
      wide(columns),
      reshapeTo(wide(weight), [numFilter, channels * sizeOf(kernel)]),
      'nkl',
      'fk',
      'nfl',
    )
    const image = kernel.map((k, i) => {
      const room = data.shape[2 + i]! + 2 * (pad[i] ?? 0) - (dilate[i] ?? 1) * (k - 1) - 1
      return Math.floor(room / (stride[i] ?? 1)) + 1
    })
    const sums =
      bias === null
        ? product
        : pointwise(
            [product, reshapeTo(biasInSteps(bias, type, ranges), [numFilter, 1])],
            ([p, b]) => add(p!, b!),
          )
    // MXNet counts 127 steps here whatever the data.
    return [reshapeTo(sums, [n, numFilter, ...image]), ...productRange(ranges[0]!, 127, ranges[1]!)]
  },
  grad: ({ inputs }) => nothing(inputs),
})

/**
 * `convolution` on arrays of 8 bits: 32-bit sums of products, and their range.
 *
 * `(N, C, H, W), (F, C, …kernel) int8, (F,) int8 -> (N, F, h, w) int32, (1,), (1,)`; arrays in the order data, weight, bias, then both
 * ends of the range of each; without bias (`noBias`) six of them. One group. No gradient.
 * @throws MXNetError when shapes, dtypes or the number of arrays do not fit.
 * @example
 * const [x, w] = [nd.ones([1, 4, 3, 3], { dtype: 'uint8' }), nd.ones([4, 4, 3, 3], { dtype: 'int8' })]
 * const [low, high] = [nd.array([0]), nd.array([1])]
 * const [sums] = nd.contrib.quantizedConv(x, w, low, high, low, high, { kernel: [3, 3], numFilter: 4, noBias: true })
 * await sums.at(0, 0, 0, 0).asScalar() // => 36
 * @see MXNet `_contrib_quantized_conv`
 */
export function quantizedConv<T extends Tensor>(
  ...args: [...arrays: T[], attrs: Given<typeof convolutionAttrs>]
): T[] {
  return withAttrs(convOp, args)
}

const one = ['data', 'min_data', 'max_data'] as const

/** The range of an input as it is. */
const same = (where: string, [, low, high]: readonly Tensor[]): Tensor[] =>
  [low!, high!].map((x) => asRange(end(where, 'a range', x)))

const poolingOp = defineOp({
  name: '_contrib_quantized_pooling',
  inputs: one,
  attrs: poolingAttrs,
  body: (inputs, attrs) => {
    const where = '_contrib_quantized_pooling'
    const type = checkBytes(where, 'data', inputs[0]!)
    if (attrs.poolType !== 'max' && attrs.poolType !== 'avg')
      fail(where, `poolType is '${attrs.poolType}': it must be 'max' or 'avg'`)
    if (inputs[0]!.shape.length !== 4)
      fail(where, `data ${formatShape(inputs[0]!.shape)} must be (N, C, H, W)`)
    const pooled = pooling(castTo(inputs[0]!, 'float32'), attrs)
    return [pointwise([pooled], ([v]) => rounded(v!, type)), ...same(where, inputs)]
  },
  grad: ({ inputs }) => nothing(inputs),
})

/**
 * `pooling` of an array of 8 bits by its largest elements or means, which are rounded, halves to the even number.
 *
 * `(N, C, H, W), (1,), (1,) -> (N, C, h, w), (1,), (1,)`; dtype and range are kept. No gradient.
 * @throws MXNetError when the data is not int8 or uint8, and for other kinds of pooling.
 * @example
 * const x = nd.array([[[[1, 2], [3, 5]]]], { dtype: 'int8' })
 * const [y] = nd.contrib.quantizedPooling(x, nd.array([-1]), nd.array([1]), { kernel: [2, 2] })
 * await y.asArray() // => [[[[5]]]]
 * @see MXNet `_contrib_quantized_pooling`
 */
export function quantizedPooling<T extends Tensor>(
  data: T,
  minData: T,
  maxData: T,
  attrs?: Given<typeof poolingAttrs>,
): T[] {
  return applyAll(poolingOp as unknown as OpDef, [data, minData, maxData], attrs)
}

const actAttrs = { actType: attr.oneOf(['relu', 'sigmoid', 'tanh', 'softrelu', 'softsign']) }

const actOp = defineOp({
  name: '_contrib_quantized_act',
  inputs: one,
  attrs: actAttrs,
  body: (inputs, { actType }) => {
    const where = '_contrib_quantized_act'
    checkBytes(where, 'data', inputs[0]!)
    if (actType !== 'relu') fail(where, `actType is '${actType}': only 'relu' works on integers`)
    const out = pointwise([inputs[0]!], ([v]) => binary('max', v!, num(v!, 0)))
    return [out, ...same(where, inputs)]
  },
  grad: ({ inputs }) => nothing(inputs),
})

/**
 * `relu` of an array of 8 bits; its range is kept.
 *
 * `out = max(data, 0)`; `(A…), (1,), (1,) -> (A…), (1,), (1,)`. No gradient.
 * @throws MXNetError when the data is not int8 or uint8, and for other activations.
 * @example
 * const x = nd.array([-3, 4], { dtype: 'int8' })
 * await nd.contrib.quantizedAct(x, nd.array([-1]), nd.array([1]), { actType: 'relu' })[0].asArray() // => [0, 4]
 * @see MXNet `_contrib_quantized_act`
 */
export function quantizedAct<T extends Tensor>(
  data: T,
  minData: T,
  maxData: T,
  attrs: Given<typeof actAttrs>,
): T[] {
  return applyAll(actOp as unknown as OpDef, [data, minData, maxData], attrs)
}

const flattenOp = defineOp({
  name: '_contrib_quantized_flatten',
  inputs: one,
  body: (inputs) => {
    const where = '_contrib_quantized_flatten'
    const [x] = inputs as readonly [Tensor]
    checkBytes(where, 'data', x)
    const [n = 1, ...rest] = x.shape
    const flat = reshapeTo(
      pointwise([x], ([v]) => v!),
      [n, sizeOf(rest)],
    )
    return [flat, ...same(where, inputs)]
  },
  grad: ({ inputs }) => nothing(inputs),
})

/**
 * `flatten` of an array of 8 bits; its range is kept.
 *
 * `(N, A…), (1,), (1,) -> (N, ΠA), (1,), (1,)`. No gradient.
 * @throws MXNetError when the data is not int8 or uint8.
 * @example
 * const x = nd.zeros([2, 3, 4], { dtype: 'int8' })
 * nd.contrib.quantizedFlatten(x, nd.array([-1]), nd.array([1]))[0].shape // => [2, 12]
 * @see MXNet `_contrib_quantized_flatten`
 */
export function quantizedFlatten<T extends Tensor>(data: T, minData: T, maxData: T): T[] {
  return applyAll(flattenOp as unknown as OpDef, [data, minData, maxData])
}

const concatAttrs = { dim: attr.int(1) }

const concatOp = defineOp({
  name: '_contrib_quantized_concat',
  inputs: ['...arrays'],
  attrs: concatAttrs,
  body: (arrays, { dim }) => {
    const where = '_contrib_quantized_concat'
    const count = arrays.length / 3
    if (!Number.isInteger(count) || count === 0)
      fail(where, `${arrays.length} arrays given: all to join, then both ends of the range of each`)
    const data = arrays.slice(0, count)
    const types = data.map((x) => checkBytes(where, 'data', x))
    const type = types.includes('int8') ? 'int8' : 'uint8'
    const ends = arrays.slice(count).map((x) => end(where, 'a range', x))
    const outer = (from: 0 | 1, pick: 'min' | 'max'): Tensor =>
      pointwise(
        ends.filter((_, i) => i % 2 === from),
        (all) => all.reduce((a, b) => binary(pick, a, b), num(all[0]!, 0)),
      )
    const [low, high] = [outer(0, 'min'), outer(1, 'max')]
    const whole = sizeOfRange(low, high)
    const joined = data.map((x, i) => {
      const own = sizeOfRange(ends[2 * i]!, ends[2 * i + 1]!)
      return pointwise([castTo(x, 'float32'), own, whole], ([v, r, w]) => {
        const scale = div(div(num(w!, stepsOf[type]), w!), div(num(r!, stepsOf[types[i]!]), r!))
        return rounded(mul(v!, scale), type)
      })
    })
    return [concat(...joined, { dim }), asRange(low), asRange(high)]
  },
  grad: ({ inputs }) => nothing(inputs),
})

/**
 * `concat` of arrays of 8 bits, brought to the range that holds all of theirs.
 *
 * First the arrays, then the lower and upper end of the range of each; joined along axis `dim` (1). int8 if one of them is, else uint8;
 * gives the array and both ends of its range. No gradient.
 * @throws MXNetError when an array is not int8 or uint8, or the ranges are not two for each.
 * @example
 * const [x, low, high] = [nd.ones([1, 2], { dtype: 'int8' }), nd.array([-1]), nd.array([1])]
 * nd.contrib.quantizedConcat(x, x, low, high, low, high, { dim: 1 })[0].shape // => [1, 4]
 * @see MXNet `_contrib_quantized_concat`
 */
export function quantizedConcat<T extends Tensor>(
  ...args: [...arrays: T[], attrs: Given<typeof concatAttrs>]
): T[] {
  return withAttrs(concatOp, args)
}
