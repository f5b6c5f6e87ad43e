/** Operators on coordinates: gather_nd, scatter_nd, flat and many-dimensional indices, elements set at places. */

import type { DType } from '../base/dtype.ts'
import { fail } from '../base/error.ts'
import { checkAxis, formatShape, rowMajor, type Shape, sameShape, sizeOf } from '../base/shape.ts'
import { apply } from '../core/apply.ts'
import { attr, type Given } from '../core/attrs.ts'
import { byName } from '../core/given.ts'
import { defineOp } from '../core/op.ts'
import type { Tensor } from '../core/tensor.ts'
import { int } from '../prim/arithmetic.ts'
import { binary, cast, compare, constant, type Expr, index, select } from '../prim/expr.ts'
import {
  assemble,
  broadcastTo,
  castTo,
  filled,
  flatPositions,
  gather,
  iota,
  mapTensors,
  pointwise,
  reduce,
  reshapeTo,
  scatterOp,
  scatterSet,
} from '../prim/primitive.ts'
import { sliceRange } from './slicing.ts'

/** The row-major place in `sizes` that each column of coordinates (M, K…) names, int32; negative ones from the end. */
function flatPlaces(where: string, indices: Tensor, sizes: Shape): Tensor {
  const [m, ...rest] = indices.shape
  if (m === undefined || m > sizes.length || m === 0)
    fail(
      where,
      `indices have shape ${formatShape(indices.shape)}: axis 0 must name from 1 to ${sizes.length} axes`,
    )
  const shape = sizes.slice(0, m)
  const strides = rowMajor(shape)
  const table = (values: readonly number[]): Expr =>
    values.reduce<Expr>(
      (e, v, i) => (i === 0 ? int(v) : select(compare('eq', index(0), int(i)), int(v), e)),
      int(0),
    )
  const parts = pointwise([castTo(indices, 'int32')], ([i]) => {
    const size = table(shape)
    const front = select(compare('lt', i!, int(0)), binary('add', i!, size), i!)
    const last = binary('sub', size, int(1))
    const inside = binary('min', binary('max', front, int(0)), last)
    return binary('mul', inside, table(strides))
  })
  return reshapeTo(reduce(parts, 'sum', [0]), rest)
}

const gatherNdOp = defineOp({
  name: 'gather_nd',
  inputs: ['data', 'indices'],
  body: ([x, indices]) => {
    const places = flatPlaces('gather_nd', indices!, x!.shape)
    const m = indices!.shape[0]!
    const count = sizeOf(x!.shape.slice(0, m))
    return gather(reshapeTo(x!, [count, ...x!.shape.slice(m)]), places, 0)
  },
})

/**
 * Elements (or slices) at coordinates: axis 0 of the indices names the first axes of the data.
 *
 * `(n₀, …, n_M, B…), (M, K…) -> (K…, B…)`; keeps the dtype. Negative coordinates count from the end, those outside
 * clip; gradients of places taken twice add up.
 * @throws MXNetError when the indices name more axes than there are.
 * @example
 * await nd.gatherNd(nd.array([[1, 2], [3, 4]]), nd.array([[1, 0], [0, 1]])).asArray() // => [3, 2]
 * @see MXNet `gather_nd`
 */
export function gatherNd<T extends Tensor>(data: T, indices: T): T {
  return apply(gatherNdOp, [data, indices])
}

/** Checks that updates have the shape that indices and target ask for, and lays them out over places. */
function updatesOf(where: string, indices: Tensor, updates: Tensor, shape: Shape): Tensor {
  const [m, ...rest] = indices.shape
  const want = [...rest, ...shape.slice(m)]
  if (!sameShape(updates.shape, want))
    fail(
      where,
      `the values have shape ${formatShape(updates.shape)}: they must be ${formatShape(want)}`,
    )
  return reshapeTo(updates, [sizeOf(rest), ...shape.slice(m)])
}

const scatterNdOp = defineOp({
  name: 'scatter_nd',
  inputs: ['data', 'indices'],
  attrs: { shape: attr.ints(undefined, { min: 0 }) },
  body: ([x, indices], { shape }) => {
    const places = flatPlaces('scatter_nd', indices!, shape)
    const m = indices!.shape[0]!
    const target = [sizeOf(shape.slice(0, m)), ...shape.slice(m)]
    const updates = updatesOf('scatter_nd', indices!, x!, shape)
    const flat = reshapeTo(places, [places.size])
    const y = apply(scatterOp, [flat, updates], {
      shape: target,
      axis: 0,
      batched: false,
      op: 'set',
    })
    return reshapeTo(y, shape)
  },
})

/**
 * Zeros with values at coordinates; of several values for one place the last stays.
 *
 * `(K…, B…), (M, K…) -> shape`; keeps the dtype.
 * @throws MXNetError when the values do not fit the indices and the shape.
 * @example
 * await nd.scatterNd(nd.array([5, 6]), nd.array([[0, 2]]), [3]).asArray() // => [5, 0, 6]
 * @see MXNet `scatter_nd`
 */
export function scatterNd<T extends Tensor>(
  data: T,
  indices: T,
  shape: Shape | { readonly shape: Shape },
): T {
  return apply(scatterNdOp, [data, indices], byName(['shape'], [shape]))
}

/** MXNet's internal name of an array with values set at coordinates: what `x[i, j] = v` is in its graphs. */
defineOp({
  name: '_scatter_set_nd',
  inputs: ['lhs', 'rhs', 'indices'],
  attrs: { shape: attr.ints([], { min: 0 }) },
  body: ([x, values, indices]) => {
    const places = flatPlaces('_scatter_set_nd', indices!, x!.shape)
    const m = indices!.shape[0]!
    const target = [sizeOf(x!.shape.slice(0, m)), ...x!.shape.slice(m)]
    const updates = updatesOf('_scatter_set_nd', indices!, castTo(values!, x!.dtype), x!.shape)
    const y = scatterSet(reshapeTo(places, [places.size]), updates, reshapeTo(x!, target), 0)
    return reshapeTo(y, x!.shape)
  },
})

const shapeAttr = { shape: attr.ints(undefined, { min: -1 }) }

/** Computes in int64 on data of that dtype, in int32 on others, and gives the data's dtype back. */
function inIntegers(x: Tensor, f: (v: Expr) => Expr): Tensor {
  const type: DType = x.dtype === 'int64' ? 'int64' : 'int32'
  return pointwise([x], ([v]) => cast(f(cast(v!, type)), x.dtype))
}

const ravelOp = defineOp({
  name: '_ravel_multi_index',
  aliases: ['ravel_multi_index'],
  inputs: ['data'],
  attrs: shapeAttr,
  body: ([x], { shape }) => {
    if (x!.shape[0] !== shape.length)
      fail(
        'ravel_multi_index',
        `data has shape ${formatShape(x!.shape)}: axis 0 must have the ${shape.length} axes of the shape`,
      )
    const strides = rowMajor(shape.map((d) => Math.abs(d)))
    const parts = inIntegers(x!, (v) =>
      strides.reduce<Expr>(
        (e, s, i) =>
          select(compare('eq', index(0), int(i)), binary('mul', v, constant(s, v.dtype)), e),
        constant(0, v.dtype),
      ),
    )
    return reduce(parts, 'sum', [0])
  },
  grad: () => [null],
})

/**
 * Flat indices from coordinates: axis 0 of the data names the axes of `shape` (whose first size may be -1).
 *
 * `(M, N…) -> (N…)`; keeps the dtype; no gradient.
 * @throws MXNetError when axis 0 does not have the length of the shape.
 * @example
 * await nd.ravelMultiIndex(nd.array([[1], [2]]), { shape: [3, 4] }).asArray() // => [6]
 * @see MXNet `_ravel_multi_index`
 */
export function ravelMultiIndex<T extends Tensor>(data: T, attrs: Given<typeof shapeAttr>): T {
  return apply(ravelOp, [data], attrs)
}

const unravelOp = defineOp({
  name: '_unravel_index',
  aliases: ['unravel_index'],
  inputs: ['data'],
  attrs: shapeAttr,
  body: ([x], { shape }) => {
    const out = [shape.length, ...x!.shape]
    const strides = rowMajor(shape.map((d) => Math.abs(d)))
    return inIntegers(broadcastTo(x!, out), (v) =>
      shape.reduce<Expr>(
        (e, d, i) => {
          const whole = binary('div', v, constant(Math.max(strides[i]!, 1), v.dtype))
          const part = i === 0 ? whole : binary('mod', whole, constant(Math.max(d, 1), v.dtype))
          return select(compare('eq', index(0), int(i)), part, e)
        },
        constant(0, v.dtype),
      ),
    )
  },
  grad: () => [null],
})

/**
 * Coordinates from flat indices; the inverse of `ravelMultiIndex`.
 *
 * `(N…) -> (M, N…)` for a shape of M axes; keeps the dtype; no gradient.
 * @throws MXNetError for sizes below -1.
 * @example
 * await nd.unravelIndex(nd.array([6]), { shape: [3, 4] }).asArray() // => [[1], [2]]
 * @see MXNet `_unravel_index`
 */
export function unravelIndex<T extends Tensor>(data: T, attrs: Given<typeof shapeAttr>): T {
  return apply(unravelOp, [data], attrs)
}

const fillElementOp = defineOp({
  name: 'fill_element_0index',
  inputs: ['lhs', 'mhs', 'rhs'],
  body: ([x, values, at]) => {
    const [rows, columns] = x!.shape
    const fits = x!.shape.length === 2 && [values, at].every((v) => sameShape(v!.shape, [rows!]))
    if (!fits)
      fail(
        'fill_element_0index',
        `lhs ${formatShape(x!.shape)}, mhs ${formatShape(values!.shape)} and rhs ${formatShape(at!.shape)}: a matrix and two vectors of its rows are needed`,
      )
    const spread = (v: Tensor): Tensor => broadcastTo(reshapeTo(v, [rows!, 1]), [rows!, columns!])
    return pointwise(
      [x!, spread(castTo(values!, x!.dtype)), spread(castTo(at!, 'int32')), iota(x!.shape, 1)],
      ([v, m, i, j]) => select(compare('eq', i!, j!), m!, v!),
    )
  },
})

/**
 * A matrix with one element of each row replaced.
 *
 * `out[i, rhs[i]] = mhs[i]`; `(N, C), (N,), (N,) -> (N, C)`; keeps the dtype of lhs.
 * @throws MXNetError when the shapes do not fit.
 * @example
 * await nd.fillElement0index(nd.zeros([1, 2]), nd.array([5]), nd.array([1])).asArray() // => [[0, 5]]
 * @see MXNet `fill_element_0index`
 */
export function fillElement0index<T extends Tensor>(lhs: T, mhs: T, rhs: T): T {
  return apply(fillElementOp, [lhs, mhs, rhs])
}

const indexCopyOp = defineOp({
  name: '_contrib_index_copy',
  inputs: ['old_tensor', 'index_vector', 'new_tensor'],
  body: ([old, at, fresh]) => {
    const want = [at!.size, ...old!.shape.slice(1)]
    if (old!.shape.length === 0 || at!.shape.length !== 1 || !sameShape(fresh!.shape, want))
      fail(
        '_contrib_index_copy',
        `new_tensor has shape ${formatShape(fresh!.shape)} for ${formatShape(at!.shape)} rows of ${formatShape(old!.shape)}`,
      )
    return scatterSet(castTo(at!, 'int32'), castTo(fresh!, old!.dtype), old!, 0)
  },
})

/**
 * A copy with rows replaced.
 *
 * `out[index[i]] = new[i]`; `(N, A…), (K,), (K, A…) -> (N, A…)`; keeps the dtype. Indices outside clip.
 * @throws MXNetError when the shapes do not fit.
 * @example
 * await nd.contrib.indexCopy(nd.zeros([3]), nd.array([1]), nd.array([7])).asArray() // => [0, 7, 0]
 * @see MXNet `_contrib_index_copy`
 */
export function indexCopy<T extends Tensor>(oldTensor: T, indexVector: T, newTensor: T): T {
  return apply(indexCopyOp, [oldTensor, indexVector, newTensor])
}

const indexArrayAttrs = { axes: attr.optional(attr.ints()) }

const indexArrayOp = defineOp({
  name: '_contrib_index_array',
  inputs: ['data'],
  attrs: indexArrayAttrs,
  body: ([x], { axes }) => {
    const rank = x!.shape.length
    const named =
      axes === null
        ? x!.shape.map((_, i) => i)
        : axes.map((a) => checkAxis('_contrib_index_array', a, rank))
    const value = named.reduce<Expr>(
      (e, axis, i) => select(compare('eq', index(rank), int(i)), index(axis), e),
      int(0),
    )
    return mapTensors(cast(value, 'int64'), [...x!.shape, named.length], [])
  },
  grad: () => [null],
})

/**
 * The coordinates of every element, of all axes or of some.
 *
 * `(A…) -> (A…, axes)`; int64; no gradient.
 * @throws MXNetError when an axis is out of range.
 * @example
 * await nd.contrib.indexArray(nd.zeros([2])).asArray() // => [[0n], [1n]]
 * @see MXNet `_contrib_index_array`
 */
export function indexArray<T extends Tensor>(data: T, options?: Given<typeof indexArrayAttrs>): T {
  return apply(indexArrayOp, [data], options)
}

const arangeLikeAttrs = {
  start: attr.float(0),
  step: attr.float(1),
  repeat: attr.int(1, { above: 0 }),
  axis: attr.optional(attr.int()),
}

const arangeLikeOp = defineOp({
  name: '_contrib_arange_like',
  inputs: ['data'],
  attrs: arangeLikeAttrs,
  body: ([x], { start, step, repeat, axis }) => {
    const shape =
      axis === null
        ? x!.shape
        : [x!.shape[checkAxis('_contrib_arange_like', axis, x!.shape.length)]!]
    return pointwise([flatPositions(shape)], ([at]) => {
      const place = cast(binary('div', at!, int(repeat)), 'float64')
      const value = binary(
        'add',
        constant(start, 'float64'),
        binary('mul', place, constant(step, 'float64')),
      )
      return cast(value, x!.dtype)
    })
  },
  grad: () => [null],
})

/**
 * Numbers counted up in the shape of an array, or along one of its axes.
 *
 * `out[i] = start + step·⌊i / repeat⌋`; `(A…) -> (A…)`, or `(n,)` with an axis; keeps the dtype; no gradient.
 * @throws MXNetError when the axis is out of range.
 * @example
 * await nd.contrib.arangeLike(nd.zeros([2, 3]), { axis: 1 }).asArray() // => [0, 1, 2]
 * @see MXNet `_contrib_arange_like`
 */
export function arangeLike<T extends Tensor>(data: T, options?: Given<typeof arangeLikeAttrs>): T {
  return apply(arangeLikeOp, [data], options)
}

const boxAttrs = { begin: attr.intsOrNull(), end: attr.intsOrNull(), step: attr.intsOrNull([]) }

/** An array with the box that begin, end and step name replaced. */
function boxReplaced(
  where: string,
  x: Tensor,
  { begin, end, step }: { readonly [K in 'begin' | 'end' | 'step']: readonly (number | null)[] },
  value: (size: Shape) => Tensor,
): Tensor {
  const parts = x.shape.map((d, i) =>
    sliceRange(where, d, begin[i] ?? null, end[i] ?? null, step[i] ?? null),
  )
  const size = parts.map((p) => p[2])
  const placing = [{ begin: parts.map((p) => p[0]), step: parts.map((p) => p[1]) }]
  const inside = assemble(x.shape, [filled(size, 1, 'bool')], placing)
  const values = assemble(x.shape, [castTo(value(size), x.dtype)], placing)
  return pointwise([inside, values, x], ([i, v, old]) => select(i!, v!, old!))
}

/** MXNet's internal names of `x[box] = array` and `x[box] = number` in its graphs. */
defineOp({
  name: '_slice_assign',
  aliases: ['_crop_assign'],
  inputs: ['lhs', 'rhs'],
  attrs: boxAttrs,
  body: ([x, values], attrs) =>
    boxReplaced('_slice_assign', x!, attrs, (size) => {
      if (!sameShape(values!.shape, size))
        fail(
          '_slice_assign',
          `rhs has shape ${formatShape(values!.shape)}: the box is ${formatShape(size)}`,
        )
      return values!
    }),
})
defineOp({
  name: '_slice_assign_scalar',
  aliases: ['_crop_assign_scalar'],
  inputs: ['data'],
  attrs: { ...boxAttrs, scalar: attr.float(0) },
  body: ([x], { scalar, ...attrs }) =>
    boxReplaced('_slice_assign_scalar', x!, attrs, (size) => filled(size, scalar, x!.dtype)),
})
