/** Operators that answer questions about arrays: shapes, sizes, what is finite, what is close; and casts of AMP. */

import { type DType, isFloat, itemSize } from '../base/dtype.ts'
import { fail } from '../base/error.ts'
import { sameShape } from '../base/shape.ts'
import { apply, applyAll } from '../core/apply.ts'
import { attr, type Given } from '../core/attrs.ts'
import { defineOp, type OpDef } from '../core/op.ts'
import type { Tensor } from '../core/tensor.ts'
import {
  binary,
  cast as castExpr,
  compare,
  constant,
  type Expr,
  index,
  select,
  unary,
} from '../prim/expr.ts'
import { castTo, filled, mapTensors, pointwise, reduce } from '../prim/primitive.ts'
import { multiply } from './binary.ts'
import { zerosLike } from './cast.ts'
import { equal, notEqual } from './compare.ts'

const shapeArrayOp = defineOp({
  name: 'shape_array',
  inputs: ['data'],
  body: ([x]) => {
    const value = x!.shape.reduce<Expr>(
      (e, d, i) => select(compare('eq', index(0), constant(i, 'int32')), constant(d, 'int64'), e),
      constant(0, 'int64'),
    )
    return mapTensors(value, [x!.shape.length], [])
  },
  grad: () => [null],
})

/**
 * The shape as an array; no gradient.
 *
 * `(A…) -> (rank,)`; int64.
 * @example
 * await nd.shapeArray(nd.zeros([2, 3])).asArray() // => [2n, 3n]
 * @see MXNet `shape_array`
 */
export function shapeArray<T extends Tensor>(data: T): T {
  return apply(shapeArrayOp, [data])
}

const sizeArrayOp = defineOp({
  name: 'size_array',
  inputs: ['data'],
  body: ([x]) => filled([1], x!.size, 'int64'),
  grad: () => [null],
})

/**
 * The number of elements as an array of one; no gradient.
 *
 * `(A…) -> (1,)`; int64.
 * @example
 * await nd.sizeArray(nd.zeros([2, 3])).asArray() // => [6n]
 * @see MXNet `size_array`
 */
export function sizeArray<T extends Tensor>(data: T): T {
  return apply(sizeArrayOp, [data])
}

const allcloseAttrs = {
  rtol: attr.float(1e-5, { min: 0 }),
  atol: attr.float(1e-8, { min: 0 }),
  equalNan: attr.bool(true),
}

const allcloseOp = defineOp({
  name: '_contrib_allclose',
  inputs: ['a', 'b'],
  attrs: allcloseAttrs,
  body: ([a, b], { rtol, atol, equalNan }) => {
    if (!sameShape(a!.shape, b!.shape)) fail('_contrib_allclose', 'a and b must have one shape')
    const type: DType = isFloat(a!.dtype) ? a!.dtype : 'float64'
    const close = pointwise([castTo(a!, type), castTo(b!, type)], ([x, y]) => {
      const limit = binary(
        'add',
        constant(atol, type),
        binary('mul', constant(rtol, type), unary('abs', y!)),
      )
      const near = compare('le', unary('abs', binary('sub', x!, y!)), limit)
      const finite = compare('lt', unary('abs', y!), constant(Number.POSITIVE_INFINITY, type))
      const same = compare('eq', x!, y!)
      const both = binary('and', compare('ne', x!, x!), compare('ne', y!, y!))
      const held = binary('or', same, binary('and', near, finite))
      return castExpr(equalNan ? binary('or', held, both) : held, 'uint8')
    })
    const least = reduce(
      close,
      'min',
      a!.shape.map((_, i) => i),
    )
    return pointwise([least], ([v]) => binary('min', v!, constant(1, 'uint8')))
  },
  grad: () => [null, null],
})

/**
 * 1 where all elements are close, `|a - b| ≤ atol + rtol·|b|`, else 0; no gradient.
 *
 * `(A…), (A…) -> ()`; uint8.
 * @throws MXNetError when the shapes differ.
 * @example
 * await nd.contrib.allclose(nd.array([1]), nd.array([1 + 1e-7])).asScalar() // => 1
 * @see MXNet `_contrib_allclose`
 */
export function allclose<T extends Tensor>(a: T, b: T, options?: Given<typeof allcloseAttrs>): T {
  return apply(allcloseOp, [a, b], options)
}

/**
 * 1 where an element is not a number, else 0, in the dtype of the data.
 *
 * shape `(A…) -> (A…)`.
 * @example
 * await nd.contrib.isnan(nd.array([NaN, 1])).asArray() // => [1, 0]
 * @see MXNet `mx.nd.contrib.isnan`
 */
export function isnan<T extends Tensor>(data: T): T {
  return notEqual(data, data)
}

/**
 * 1 where an element is infinite, else 0, in the dtype of the data.
 *
 * shape `(A…) -> (A…)`.
 * @example
 * await nd.contrib.isinf(nd.array([-Infinity, 1])).asArray() // => [1, 0]
 * @see MXNet `mx.nd.contrib.isinf`
 */
export function isinf<T extends Tensor>(data: T): T {
  if (!isFloat(data.dtype)) return zerosLike(data)
  return equal(data.abs() as T, Number.POSITIVE_INFINITY)
}

/**
 * 1 where an element is a finite number, else 0, in the dtype of the data.
 *
 * shape `(A…) -> (A…)`.
 * @example
 * await nd.contrib.isfinite(nd.array([NaN, 1])).asArray() // => [0, 1]
 * @see MXNet `mx.nd.contrib.isfinite`
 */
export function isfinite<T extends Tensor>(data: T): T {
  return multiply(equal(data, data), equal(isinf(data), 0))
}

const ampCastOp = defineOp({
  name: 'amp_cast',
  inputs: ['data'],
  attrs: { dtype: attr.dtype() },
  body: ([x], { dtype }) => pointwise([x!], ([v]) => castExpr(v!, dtype)),
})

/**
 * A cast that mixed precision inserts; the same as `cast`.
 *
 * shape `(A…) -> (A…)`.
 * @throws MXNetError for an unknown dtype.
 * @example
 * nd.ampCast(nd.ones([2]), { dtype: 'float16' }).dtype // => 'float16'
 * @see MXNet `amp_cast`
 */
export function ampCast<T extends Tensor>(data: T, attrs: { readonly dtype: DType }): T {
  return apply(ampCastOp, [data], attrs)
}

const multicastAttrs = { castNarrow: attr.bool(false), numOutputs: attr.optional(attr.int()) }

const ampMulticastOp = defineOp({
  name: 'amp_multicast',
  inputs: ['...data'],
  attrs: multicastAttrs,
  body: (xs, { castNarrow }) => {
    const floats = xs.map((x) => x.dtype).filter(isFloat)
    if (floats.length === 0) return xs.map((x) => pointwise([x], ([v]) => v!))
    const better = (a: DType, b: DType): boolean =>
      castNarrow ? itemSize(b) < itemSize(a) : itemSize(b) > itemSize(a)
    const dtype = floats.reduce((a, b) => (better(a, b) ? b : a))
    return xs.map((x) => pointwise([x], ([v]) => (isFloat(x.dtype) ? castExpr(v!, dtype) : v!)))
  },
})

/**
 * Several arrays in the widest (or narrowest) float dtype among them.
 *
 * `k × (A…) -> k × (A…)`; integers stay.
 * @example
 * nd.ampMulticast([nd.ones([2]), nd.ones([2], { dtype: 'float16' })]).map((x) => x.dtype) // => ['float32', 'float32']
 * @see MXNet `amp_multicast`
 */
export function ampMulticast<T extends Tensor>(
  data: readonly T[],
  options?: { readonly castNarrow?: boolean },
): T[] {
  return applyAll(ampMulticastOp as unknown as OpDef, data, options)
}

defineOp({
  name: '_identity_with_attr_like_rhs',
  inputs: ['lhs', 'rhs'],
  body: ([x, like]) => {
    if (!sameShape(x!.shape, like!.shape))
      fail('_identity_with_attr_like_rhs', 'lhs and rhs must have one shape')
    return pointwise([x!], ([v]) => v!)
  },
})
