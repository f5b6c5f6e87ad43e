/** Operators that look elements up: take, pick, one_hot, where, Embedding. */

import { isFloat } from '../base/dtype.ts'
import { fail } from '../base/error.ts'
import { checkAxis, formatShape, sameShape } from '../base/shape.ts'
import { apply } from '../core/apply.ts'
import { attr, type Given } from '../core/attrs.ts'
import { byName } from '../core/given.ts'
import type { OneHotOptions } from '../core/methods.ts'
import { defineOp } from '../core/op.ts'
import type { Tensor } from '../core/tensor.ts'
import { callRoutine } from '../prim/call.ts'
import { binary, compare, constant, select } from '../prim/expr.ts'
import {
  broadcastTo,
  castTo,
  commonDType,
  gather,
  iota,
  pointwise,
  reshapeTo,
} from '../prim/primitive.ts'

type Mode = 'clip' | 'wrap' | 'raise'

/** Indices as int32 inside an axis: clipped to its ends, wrapped around, or checked. */
function inside(indices: Tensor, size: number, mode: Mode): Tensor {
  if (mode === 'raise')
    return callRoutine('inRange', [castTo(indices, 'int32')], [size], indices.shape)
  return pointwise([castTo(indices, 'int32')], ([i]) => {
    const last = constant(Math.max(size - 1, 0), 'int32')
    if (mode === 'wrap') return binary('mod', i!, constant(size, 'int32'))
    return binary('min', binary('max', i!, constant(0, 'int32')), last)
  })
}

const takeAttrs = { axis: attr.int(0), mode: attr.oneOf(['clip', 'wrap', 'raise'], 'clip') }

const takeOp = defineOp({
  name: 'take',
  inputs: ['a', 'indices'],
  attrs: takeAttrs,
  body: ([x, i], { axis, mode }) => {
    const at = checkAxis('take', axis, x!.shape.length)
    return gather(x!, inside(i!, x!.shape[at]!, mode), at)
  },
})

/**
 * Slices of an axis at the given indices; duplicates add up in the gradient.
 *
 * `(A…, n, B…), (I…) -> (A…, I…, B…)`; keeps the dtype. Indices of any dtype (floats truncate); outside the axis they
 * clip to its ends (a negative index gives the first slice), wrap, or are an error.
 * @throws MXNetError when the axis is out of range or empty, and for indices outside with `mode: 'raise'`.
 * @example
 * await nd.take(nd.array([10, 20, 30]), nd.array([2, 0])).asArray() // => [30, 10]
 * @see MXNet `take`
 */
export function take<T extends Tensor>(data: T, indices: T, attrs?: Given<typeof takeAttrs>): T {
  return apply(takeOp, [data, indices], attrs)
}

const pickAttrs = {
  axis: attr.optional(attr.int()),
  keepdims: attr.bool(false),
  mode: attr.oneOf(['clip', 'wrap'], 'clip'),
}

/** The axis of a pick and the data it works on (flattened for a null axis). */
function pickAxis(x: Tensor, axis: number | null): [Tensor, number] {
  return axis === null ? [reshapeTo(x, [x.size]), 0] : [x, checkAxis('pick', axis, x.shape.length)]
}

function pickIndex(line: Tensor, at: number, index: Tensor, mode: Mode): Tensor {
  const shape = line.shape.toSpliced(at, 1)
  const withAxis = line.shape.with(at, 1)
  if (!sameShape(index.shape, shape) && !sameShape(index.shape, withAxis)) {
    fail(
      'pick',
      `index has shape ${formatShape(index.shape)} for data ${formatShape(line.shape)}: it must be ${formatShape(shape)}`,
    )
  }
  return inside(reshapeTo(index, shape), line.shape[at]!, mode)
}

const pickOp = defineOp({
  name: 'pick',
  aliases: ['choose_element_0index'],
  inputs: ['data', 'index'],
  attrs: { ...pickAttrs, axis: { ...pickAttrs.axis, fallback: -1 } },
  body: ([x, i], { axis, keepdims, mode }) => {
    const [line, at] = pickAxis(x!, axis)
    const picked = gather(line, pickIndex(line, at, i!, mode), at, true)
    return keepdims ? reshapeTo(picked, line.shape.with(at, 1)) : picked
  },
  // A comparison with the positions fuses into one map, where a scatter would not.
  grad: ({ inputs, dys, attrs: { axis, mode } }) => {
    const x = inputs[0]!
    if (!isFloat(x.dtype)) return [null, null]
    const [line, at] = pickAxis(x, axis)
    const spread = (t: Tensor): Tensor =>
      broadcastTo(reshapeTo(t, line.shape.with(at, 1)), line.shape)
    const index = spread(pickIndex(line, at, inputs[1]!, mode))
    const dx = pointwise([iota(line.shape, at), index, spread(dys[0]!)], ([k, i, dy]) =>
      select(compare('eq', k!, i!), dy!, constant(0, dy!.dtype)),
    )
    return [reshapeTo(dx, x.shape), null]
  },
})

/**
 * One element of each line along an axis (the last by default; null: of the flattened array).
 *
 * `out[i…] = data[i…, index[i…]]`; `(A…, n, B…), (A…, B…) -> (A…, B…)`; keeps the dtype. Indices outside clip or wrap.
 * @throws MXNetError when the index does not have the shape without the axis.
 * @example
 * await nd.pick(nd.array([[1, 2], [3, 4]]), nd.array([0, 1])).asArray() // => [1, 4]
 * @see MXNet `pick`
 */
export function pick<T extends Tensor>(data: T, index: T, attrs?: Given<typeof pickAttrs>): T {
  return apply(pickOp, [data, index], attrs)
}

const batchTakeOp = defineOp({
  name: 'batch_take',
  inputs: ['a', 'indices'],
  body: ([x, i]) => {
    if (x!.shape.length !== 2)
      fail('batch_take', `a has shape ${formatShape(x!.shape)}: it must have two axes`)
    return gather(x!, pickIndex(x!, 1, i!, 'clip'), 1, true)
  },
})

/**
 * One element of each row.
 *
 * `out[i] = a[i, indices[i]]`; `(N, C), (N,) -> (N,)`; keeps the dtype.
 * @throws MXNetError unless a has two axes and indices one of the same length.
 * @example
 * await nd.batchTake(nd.array([[1, 2], [3, 4]]), nd.array([1, 0])).asArray() // => [2, 3]
 * @see MXNet `batch_take`
 */
export function batchTake<T extends Tensor>(data: T, indices: T): T {
  return apply(batchTakeOp, [data, indices])
}

const oneHotOp = defineOp({
  name: 'one_hot',
  inputs: ['indices'],
  attrs: {
    depth: attr.int(undefined, { above: 0 }),
    onValue: attr.float(1),
    offValue: attr.float(0),
    dtype: attr.dtype('float32'),
  },
  body: ([i], { depth, onValue, offValue, dtype }) => {
    const shape = [...i!.shape, depth]
    const spread = broadcastTo(reshapeTo(castTo(i!, 'int32'), [...i!.shape, 1]), shape)
    return pointwise([iota(shape, shape.length - 1), spread], ([k, at]) =>
      select(compare('eq', k!, at!), constant(onValue, dtype), constant(offValue, dtype)),
    )
  },
  grad: () => [null],
})

/**
 * Rows with one value set: at position i of a new last axis. An index outside gives a row without one; no gradient.
 *
 * `(I…) -> (I…, depth)`; float32 unless `dtype` says otherwise.
 * @example
 * await nd.oneHot(nd.array([1]), 3).asArray() // => [[0, 1, 0]]
 * @see MXNet `one_hot`
 */
export function oneHot<T extends Tensor>(
  indices: T,
  depth: number | (OneHotOptions & { readonly depth: number }),
  attrs?: OneHotOptions,
): T {
  return apply(oneHotOp, [indices], { ...byName(['depth'], [depth]), ...attrs })
}

const whereOp = defineOp({
  name: 'where',
  inputs: ['condition', 'x', 'y'],
  body: ([c, x, y]) => {
    if (!sameShape(x!.shape, y!.shape)) {
      fail(
        'where',
        `x ${formatShape(x!.shape)} and y ${formatShape(y!.shape)} differ: they must have one shape`,
      )
    }
    const rows = c!.shape.length === 1 && x!.shape.length > 1 && c!.shape[0] === x!.shape[0]
    if (!rows && !sameShape(c!.shape, x!.shape)) {
      fail(
        'where',
        `condition ${formatShape(c!.shape)} must have the shape of x ${formatShape(x!.shape)}, or be a vector of its rows`,
      )
    }
    const test = rows ? reshapeTo(c!, [c!.shape[0]!, ...x!.shape.slice(1).map(() => 1)]) : c!
    const dtype = commonDType(x!, y!)
    return pointwise([test, castTo(x!, dtype), castTo(y!, dtype)], ([t, a, b]) =>
      select(compare('ne', t!, constant(0, t!.dtype)), a!, b!),
    )
  },
})

/**
 * Elements of x where the condition is not 0, else of y.
 *
 * `(A…), (A…), (A…) -> (A…)`; a condition of shape (A0,) chooses rows; dtypes of x and y promote.
 * @throws MXNetError when the shapes differ.
 * @example
 * await nd.where(nd.array([1, 0]), nd.array([1, 2]), nd.array([3, 4])).asArray() // => [1, 4]
 * @see MXNet `where`
 */
export function where<T extends Tensor>(condition: T, x: T, y: T): T {
  return apply(whereOp, [condition, x, y])
}

/** Attributes of `Embedding`: files say the dtype of the weight; gradients are dense here. */
export const embeddingAttrs = {
  inputDim: attr.int(undefined, { above: 0 }),
  outputDim: attr.int(undefined, { above: 0 }),
  dtype: attr.dtype('float32'),
  sparseGrad: attr.bool(false),
}

const embeddingOp = defineOp({
  name: 'Embedding',
  inputs: ['data', 'weight'],
  attrs: embeddingAttrs,
  body: ([i, w], { inputDim, outputDim }) => {
    if (!sameShape(w!.shape, [inputDim, outputDim])) {
      fail(
        'Embedding',
        `weight has shape ${formatShape(w!.shape)}: it must be ${formatShape([inputDim, outputDim])}`,
      )
    }
    return gather(w!, inside(i!, inputDim, 'clip'), 0)
  },
  complete: (_known, { inputDim, outputDim }) => [null, [inputDim, outputDim]],
})

/**
 * Rows of a table at the given indices; indices outside clip.
 *
 * `(I…), (inputDim, outputDim) -> (I…, outputDim)`; the dtype of the weight. `dtype` and `sparseGrad` are MXNet's, for
 * its files: nothing depends on them here.
 * @throws MXNetError when the weight does not have the stated shape.
 * @example
 * nd.embedding(nd.array([1, 0]), nd.zeros([4, 3]), { inputDim: 4, outputDim: 3 }).shape // => [2, 3]
 * @see MXNet `Embedding`
 */
export function embedding<T extends Tensor>(
  data: T,
  weight: T,
  attrs: Given<typeof embeddingAttrs>,
): T {
  return apply(embeddingOp, [data, weight], attrs)
}
