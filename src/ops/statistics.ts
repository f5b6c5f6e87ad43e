/** Operators on the distribution of values: running sums, moments, histograms. */

import { type DType, isFloat } from '../base/dtype.ts'
import { fail } from '../base/error.ts'
import { checkAxis, formatShape, sizeOf } from '../base/shape.ts'
import { apply, applyAll } from '../core/apply.ts'
import { attr, type Given } from '../core/attrs.ts'
import { defineOp, type OpDef } from '../core/op.ts'
import { Tensor } from '../core/tensor.ts'
import { scan } from '../prim/call.ts'
import { binary, cast, compare, constant, select } from '../prim/expr.ts'
import {
  broadcastTo,
  castTo,
  filled,
  iota,
  pointwise,
  reduce,
  reshapeTo,
  scatterAdd,
  sliceOf,
} from '../prim/primitive.ts'
import { reducedAxes } from './reduce.ts'

const cumsumAttrs = { axis: attr.optional(attr.int()), dtype: attr.optional(attr.dtype()) }

const cumsumOp = defineOp({
  name: 'cumsum',
  aliases: ['_np_cumsum'],
  inputs: ['a'],
  attrs: cumsumAttrs,
  body: ([x], { axis, dtype }) => {
    const line = axis === null ? reshapeTo(x!, [x!.size]) : x!
    const at = axis === null ? 0 : checkAxis('cumsum', axis, line.shape.length)
    const type = dtype ?? (x!.dtype === 'bool' ? 'int64' : x!.dtype)
    return scan(castTo(line, type), 'sum', { axis: at })
  },
})

/**
 * The running sum along an axis, or of the flattened array.
 *
 * `out[i] = Σ_{j ≤ i} a[j]`; `(A…) -> (A…)`; keeps the dtype unless `dtype` says otherwise (bool: int64).
 * @throws MXNetError when the axis is out of range.
 * @example
 * await nd.cumsum(nd.array([1, 2, 3])).asArray() // => [1, 3, 6]
 * @see MXNet `cumsum`
 */
export function cumsum<T extends Tensor>(data: T, options?: Given<typeof cumsumAttrs>): T {
  return apply(cumsumOp, [data], options)
}

const momentsAttrs = { axes: attr.optional(attr.ints()), keepdims: attr.bool(false) }

const momentsOp = defineOp({
  name: 'moments',
  inputs: ['data'],
  attrs: momentsAttrs,
  body: ([x], { axes, keepdims }) => {
    const along = reducedAxes('moments', x!.shape.length, { axis: axes, exclude: false })
    const count = sizeOf(along.map((a) => x!.shape[a]!))
    const kept = x!.shape.map((d, i) => (along.includes(i) ? 1 : d))
    const mean = (v: Tensor): Tensor =>
      pointwise([reduce(v, 'sum', along)], ([s]) =>
        isFloat(s!.dtype)
          ? binary('mul', s!, constant(1 / count, s!.dtype))
          : binary('div', s!, constant(Math.max(count, 1), s!.dtype)),
      )
    const first = mean(x!)
    const centred = pointwise([x!, broadcastTo(reshapeTo(first, kept), x!.shape)], ([v, m]) => {
      const d = binary('sub', v!, m!)
      return binary('mul', d, d)
    })
    const both = [first, mean(centred)]
    return keepdims ? both.map((y) => reshapeTo(y, kept)) : both
  },
})

/**
 * Mean and variance (divided by n) along axes, or of all elements, as two arrays.
 *
 * `mean = Σ x / n`, `var = Σ (x - mean)² / n`; `(A…) -> 2 × (A… without axes)`; keeps the dtype.
 * @throws MXNetError when an axis is out of range.
 * @example
 * nd.moments(nd.array([1, 3])).map((m) => m.asScalarSync()) // => [2, 1]
 * @see MXNet `moments`
 */
export function moments<T extends Tensor>(
  data: T,
  options?: { readonly axes?: number | readonly number[] | null; readonly keepdims?: boolean },
): T[] {
  return applyAll(momentsOp as unknown as OpDef, [data], options)
}

const histogramOp = defineOp({
  name: '_histogram',
  inputs: ['data', 'bins?'],
  attrs: {
    binCnt: attr.optional(attr.int(undefined, { above: 0 })),
    range: attr.optional(attr.floats()),
  },
  body: ([x, given], { binCnt, range }) => {
    const edges = given ?? evenEdges(x!, binCnt ?? fail('histogram', 'bins are missing'), range)
    if (edges.shape.length !== 1 || edges.size < 2)
      fail('histogram', `bins have shape ${formatShape(edges.shape)}: give two or more edges`)
    const count = edges.size - 1
    const flat = castTo(reshapeTo(x!, [x!.size, 1]), edges.dtype)
    const table = [x!.size, edges.size]
    const passed = pointwise(
      [broadcastTo(flat, table), broadcastTo(reshapeTo(edges, [1, edges.size]), table)],
      ([v, e]) => cast(compare('ge', v!, e!), 'int32'),
    )
    const edge = (at: number): Tensor => reshapeTo(sliceOf(edges, [at], [1], [1]), [])
    // What lies outside, NaN too, goes to a bin more that is cut off again.
    const bin = pointwise(
      [reduce(passed, 'sum', [1]), reshapeTo(flat, [x!.size]), edge(0), edge(count)],
      ([n, v, low, high]) => {
        const inside = binary('and', compare('ge', v!, low!), compare('le', v!, high!))
        const at = binary('sub', n!, constant(1, 'int32'))
        const last = binary('min', at, constant(count - 1, 'int32'))
        return select(inside, last, constant(count, 'int32'))
      },
    )
    const counts = scatterAdd(bin, filled([x!.size], 1, 'int32'), [count + 1], 0)
    return [castTo(sliceOf(counts, [0], [1], [count]), 'int64'), pointwise([edges], ([e]) => e!)]
  },
  grad: ({ inputs }) => inputs.map(() => null),
})

/** Edges of bins of one width over a range, or from the smallest to the largest element. */
function evenEdges(x: Tensor, count: number, range: readonly number[] | null): Tensor {
  if (range !== null && (range.length !== 2 || range[0]! > range[1]!))
    fail('histogram', `range is [${range.join(', ')}]: give a lower and an upper end`)
  if (range === null && x.size === 0) fail('histogram', 'an empty array has no range: give one')
  const type: DType = isFloat(x.dtype) ? x.dtype : 'float32'
  const flat = reshapeTo(x, [x.size])
  const [low, high] = range
    ? [filled([], range[0]!, type), filled([], range[1]!, type)]
    : [castTo(reduce(flat, 'min', [0]), type), castTo(reduce(flat, 'max', [0]), type)]
  return pointwise([iota([count + 1], 0), low, high], ([i, lo, hi]) => {
    const share = binary('div', cast(i!, type), constant(count, type))
    return binary('add', lo!, binary('mul', share, binary('sub', hi!, lo!)))
  })
}

/**
 * How many elements fall between neighbouring edges: counts and edges. The last bin holds its upper edge too.
 *
 * `bins`: their number over `range` (by default from the smallest to the largest element), or an array of edges.
 * `(A…) -> (bins,) int64, (bins + 1,)`; no gradient.
 * @throws MXNetError when the range is not one, or fewer than two edges are given.
 * @example
 * await nd.histogram(nd.array([1, 2, 1]), { bins: 2, range: [0, 4] })[0].asArray() // => [2n, 1n]
 * @see MXNet `mx.nd.histogram`
 */
export function histogram<T extends Tensor>(
  data: T,
  options: { readonly bins?: number | T; readonly range?: readonly number[] | null } = {},
): T[] {
  const { bins = 10, range } = options
  const op = histogramOp as unknown as OpDef
  if (bins instanceof Tensor) return applyAll(op, [data, bins])
  return applyAll(op, [data], { binCnt: bins, range: range ?? null })
}
