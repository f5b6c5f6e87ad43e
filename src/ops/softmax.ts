/** Softmax and its relatives. */

import { type DType, isFloat } from '../base/dtype.ts'
import { fail } from '../base/error.ts'
import { checkAxis, formatShape } from '../base/shape.ts'
import { apply } from '../core/apply.ts'
import { attr, type Given } from '../core/attrs.ts'
import { arraysThenOptions } from '../core/given.ts'
import { defineOp } from '../core/op.ts'
import type { Tensor } from '../core/tensor.ts'
import { mul, sub } from '../prim/arithmetic.ts'
import { binary, compare, constant, select, unary } from '../prim/expr.ts'
import {
  broadcastTo,
  castTo,
  gather,
  iota,
  pointwise,
  reduce,
  reshapeTo,
} from '../prim/primitive.ts'

const softmaxAttrs = {
  axis: attr.int(-1),
  temperature: attr.optional(attr.float(undefined, { above: 0 })),
  dtype: attr.optional(attr.dtype()),
  useLength: attr.bool(false),
}
/** Options of softmax and its relatives. */
export type SoftmaxOptions = Given<typeof softmaxAttrs>

interface Settings {
  readonly axis: number
  readonly temperature: number | null
  readonly dtype: DType | null
}

/** A reduction that keeps its axis with size 1. */
function keeping(x: Tensor, op: 'max' | 'sum', axis: number): Tensor {
  return reshapeTo(
    reduce(x, op, [axis]),
    x.shape.map((d, i) => (i === axis ? 1 : d)),
  )
}

/** Where positions along the axis are below each line's length: 1, else 0. */
function mask(where: string, x: Tensor, length: Tensor, axis: number): Tensor {
  const line = x.shape.filter((_, i) => i !== axis)
  if (length.shape.length !== line.length || line.some((d, i) => d !== length.shape[i])) {
    fail(where, `length has shape ${formatShape(length.shape)}: it must be ${formatShape(line)}`)
  }
  const spread = broadcastTo(
    reshapeTo(
      castTo(length, 'int32'),
      x.shape.map((d, i) => (i === axis ? 1 : d)),
    ),
    x.shape,
  )
  return pointwise([iota(x.shape, axis), spread], ([i, n]) => compare('lt', i!, n!))
}

/** The scaled input in a float type, its largest element along the axis taken off. */
function shifted(
  where: string,
  data: Tensor,
  { axis, temperature, dtype }: Settings,
  sign: number,
): [Tensor, number] {
  const at = checkAxis(where, axis, data.shape.length)
  const x = castTo(data, dtype ?? (isFloat(data.dtype) ? data.dtype : 'float32'))
  const scale = sign / (temperature ?? 1)
  const scaled = scale === 1 ? x : pointwise([x], ([v]) => mul(v!, constant(scale, v!.dtype)))
  return [scaled, at]
}

function normalized(
  where: string,
  data: Tensor,
  length: Tensor | undefined,
  settings: Settings,
  sign: number,
): Tensor {
  const [x, axis] = shifted(where, data, settings, sign)
  const open = length ? mask(where, x, length, axis) : null
  const low = constant(Number.NEGATIVE_INFINITY, x.dtype)
  const visible = open ? pointwise([open, x], ([m, v]) => select(m!, v!, low)) : x
  const e = pointwise([visible, keeping(visible, 'max', axis)], ([v, top]) =>
    unary('exp', sub(v!, top!)),
  )
  // One division a line, not one an element.
  const share = pointwise([keeping(e, 'sum', axis)], ([s]) =>
    binary('div', constant(1, s!.dtype), s!),
  )
  const y = pointwise([e, share], ([v, s]) => mul(v!, s!))
  return open ? pointwise([open, y], ([m, v]) => select(m!, v!, constant(0, v!.dtype))) : y
}

/** dx of a softmax with output y: y·(dy - Σ dy·y), scaled. */
function softmaxGrad(
  data: Tensor,
  y: Tensor,
  dy: Tensor,
  { axis, temperature }: Settings,
  sign: number,
): Tensor {
  const at = checkAxis('softmax', axis, y.shape.length)
  const total = keeping(
    pointwise([dy, y], ([d, v]) => mul(d!, v!)),
    'sum',
    at,
  )
  const scale = sign / (temperature ?? 1)
  const dx = pointwise([y, dy, total], ([v, d, s]) =>
    mul(mul(v!, sub(d!, s!)), constant(scale, v!.dtype)),
  )
  return castTo(dx, data.dtype)
}

const define = (name: string, sign: 1 | -1) =>
  defineOp({
    name,
    inputs: ['data', 'length?'],
    attrs: softmaxAttrs,
    body: ([x, length], attrs) =>
      normalized(name, x!, attrs.useLength ? length : undefined, attrs, sign),
    grad: ({ inputs, outputs, dys, attrs }) => [
      isFloat(inputs[0]!.dtype) ? softmaxGrad(inputs[0]!, outputs[0]!, dys[0]!, attrs, sign) : null,
      null,
    ],
  })

const softmaxOp = define('softmax', 1)

/**
 * Exponentials normalised to sum to one along an axis.
 *
 * `out = e^(x/T) / Σ e^(x/T)`; shape `(A…) -> (A…)`; float dtypes kept, integers give float32. With a `length` array
 * (the shape without the axis) positions from the length on get probability 0.
 * @throws MXNetError when the axis is out of range.
 * @example
 * await nd.softmax(nd.array([1, 1])).asArray() // => [0.5, 0.5]
 * @see MXNet `softmax`
 */
export function softmax<T extends Tensor>(
  data: T,
  ...rest:
    | [attrs?: SoftmaxOptions | undefined]
    | [length: T | null | undefined, attrs?: SoftmaxOptions | undefined]
): T {
  const [[length], attrs] = arraysThenOptions<T, SoftmaxOptions>(rest)
  return apply(softmaxOp, [data, length], length ? { ...attrs, useLength: true } : attrs)
}

const softminOp = define('softmin', -1)

/**
 * Softmax of the negated input.
 *
 * `out = e^(-x/T) / Σ e^(-x/T)`; shape `(A…) -> (A…)`; float dtypes kept, integers give float32.
 * @example
 * await nd.softmin(nd.array([1, 1])).asArray() // => [0.5, 0.5]
 * @see MXNet `softmin`
 */
export function softmin<T extends Tensor>(data: T, attrs?: SoftmaxOptions): T {
  return apply(softminOp, [data], attrs)
}

const logSoftmaxOp = defineOp({
  name: 'log_softmax',
  inputs: ['data'],
  attrs: softmaxAttrs,
  body: ([data], attrs) => {
    if (attrs.useLength) fail('log_softmax', 'useLength is for softmax only: mask the result')
    const [x, axis] = shifted('log_softmax', data!, attrs, 1)
    const top = keeping(x, 'max', axis)
    const e = pointwise([x, top], ([v, t]) => unary('exp', sub(v!, t!)))
    const total = keeping(e, 'sum', axis)
    return pointwise([x, top, total], ([v, t, s]) => sub(sub(v!, t!), unary('log', s!)))
  },
  grad: ({ inputs, outputs, dys, attrs: { axis, temperature } }) => {
    const [x, y, dy] = [inputs[0]!, outputs[0]!, dys[0]!]
    if (!isFloat(x.dtype)) return [null]
    const total = keeping(dy, 'sum', checkAxis('log_softmax', axis, y.shape.length))
    const dx = pointwise([y, dy, total], ([v, d, s]) =>
      mul(sub(d!, mul(unary('exp', v!), s!)), constant(1 / (temperature ?? 1), v!.dtype)),
    )
    return [castTo(dx, x.dtype)]
  },
})

/**
 * The logarithm of softmax, computed without overflow.
 *
 * `out = x - max x - ln Σ e^(x - max x)`; shape `(A…) -> (A…)`; float dtypes kept, integers give float32.
 * @throws MXNetError when the axis is out of range.
 * @example
 * await nd.logSoftmax(nd.array([5])).asArray() // => [0]
 * @see MXNet `log_softmax`
 */
export function logSoftmax<T extends Tensor>(data: T, attrs?: SoftmaxOptions): T {
  return apply(logSoftmaxOp, [data], attrs)
}

const softmaxCrossEntropyOp = defineOp({
  name: 'softmax_cross_entropy',
  inputs: ['data', 'label'],
  body: ([x, label]) => {
    if (x!.shape.length !== 2 || label!.shape.length !== 1 || label!.shape[0] !== x!.shape[0]) {
      fail(
        'softmax_cross_entropy',
        `data ${formatShape(x!.shape)} and label ${formatShape(label!.shape)}: they must be (N, C) and (N,)`,
      )
    }
    const top = keeping(x!, 'max', 1)
    const e = pointwise([x!, top], ([v, t]) => unary('exp', sub(v!, t!)))
    const lse = pointwise([top, keeping(e, 'sum', 1)], ([t, s]) =>
      binary('add', t!, unary('log', s!)),
    )
    const picked = reshapeTo(gather(x!, castTo(label!, 'int32'), 1, true), lse.shape)
    return reduce(
      pointwise([lse, picked], ([l, p]) => sub(l!, p!)),
      'sum',
      [0, 1],
    )
  },
})

/**
 * The summed cross entropy of softmax against class labels.
 *
 * `out = -Σ_n ln softmax(data)[n, label_n]`; `(N, C), (N,) -> ()`; keeps the dtype of data.
 * @throws MXNetError when the shapes are not (N, C) and (N,).
 * @example
 * await nd.softmaxCrossEntropy(nd.zeros([1, 2]), nd.zeros([1])).asScalar() // => 0.6931471824645996
 * @see MXNet `softmax_cross_entropy`
 */
export function softmaxCrossEntropy<T extends Tensor>(data: T, label: T): T {
  return apply(softmaxCrossEntropyOp, [data, label])
}
