/** Reductions: sums, products, extrema, norms and positions along axes. */

import { isFloat } from '../base/dtype.ts'
import { fail } from '../base/error.ts'
import { checkAxes, checkAxis, formatShape } from '../base/shape.ts'
import { apply } from '../core/apply.ts'
import { attr, type Given } from '../core/attrs.ts'
import type { ReduceOptions } from '../core/methods.ts'
import { defineOp, type OpDef } from '../core/op.ts'
import type { Tensor } from '../core/tensor.ts'
import { binary, compare, constant, type Expr, select, unary } from '../prim/expr.ts'
import type { ReduceOp } from '../prim/kernel.ts'
import { broadcastTo, castTo, pointwise, reduce, reshapeTo } from '../prim/primitive.ts'

const reduceAttrs = {
  axis: attr.optional(attr.ints()),
  keepdims: attr.bool(false),
  exclude: attr.bool(false),
}

interface ReduceAttrs {
  readonly axis: readonly number[] | null
  readonly keepdims: boolean
  readonly exclude: boolean
}

/** The axes that a reduction removes, ascending; none given means all. */
export function reducedAxes(
  where: string,
  rank: number,
  { axis, exclude }: Pick<ReduceAttrs, 'axis' | 'exclude'>,
): number[] {
  const all = Array.from({ length: rank }, (_, i) => i)
  if (axis === null || axis.length === 0) return all
  const listed = checkAxes(where, axis, rank)
  return exclude ? all.filter((i) => !listed.includes(i)) : listed
}

/** Puts reduced axes back with size 1 where they are to be kept. */
function kept(y: Tensor, x: Tensor, axes: readonly number[], keepdims: boolean): Tensor {
  return keepdims
    ? reshapeTo(
        y,
        x.shape.map((d, i) => (axes.includes(i) ? 1 : d)),
      )
    : y
}

function along(
  where: string,
  x: Tensor,
  attrs: ReduceAttrs,
  op: ReduceOp,
  before?: (v: Expr) => Expr,
): Tensor {
  const axes = reducedAxes(where, x.shape.length, attrs)
  if ((op === 'max' || op === 'min') && axes.some((a) => x.shape[a] === 0)) {
    fail(
      where,
      `shape ${formatShape(x.shape)} has nothing along the reduced axes: ${op} of nothing is not defined`,
    )
  }
  // No array has more elements than int32 counts.
  const counts = x.dtype === 'bool' && (op === 'sum' || op === 'prod')
  const source = counts ? castTo(x, 'int32') : x
  const values = before ? pointwise([source], ([v]) => before(v!)) : source
  const result = kept(reduce(values, op, axes), source, axes, attrs.keepdims)
  return counts ? castTo(result, 'int64') : result
}

const withoutNaN =
  (neutral: number) =>
  (v: Expr): Expr =>
    isFloat(v.dtype) ? select(compare('ne', v, v), constant(neutral, v.dtype), v) : v

const define = (
  name: string,
  aliases: readonly string[],
  op: ReduceOp,
  before?: (v: Expr) => Expr,
): OpDef<typeof reduceAttrs> =>
  defineOp({
    name,
    aliases,
    inputs: ['data'],
    attrs: reduceAttrs,
    body: ([x], attrs) => along(name, x!, attrs, op, before),
  })

const call = <T extends Tensor>(
  op: OpDef<typeof reduceAttrs>,
  data: T,
  options?: ReduceOptions,
): T => apply(op, [data], options as Given<typeof reduceAttrs> | undefined)

const sumOp = define('sum', ['sum_axis'], 'sum')

/**
 * The sum along axes, or of all elements.
 *
 * `out = Σ x`; `(A…) -> (A… without axis)`, rank 0 when all are summed; keeps the dtype (bool: int64).
 * @throws MXNetError when an axis is out of range.
 * @example
 * await nd.sum(nd.array([[1, 2], [3, 4]]), { axis: 1 }).asArray() // => [3, 7]
 * @see MXNet `sum`
 */
export function sum<T extends Tensor>(data: T, options?: ReduceOptions): T {
  return call(sumOp, data, options)
}

const nansumOp = define('nansum', [], 'sum', withoutNaN(0))

/**
 * The sum along axes, with NaN counted as 0.
 *
 * `out = Σ x`; `(A…) -> (A… without axis)`; keeps the dtype.
 * @example
 * await nd.nansum(nd.array([1, NaN])).asScalar() // => 1
 * @see MXNet `nansum`
 */
export function nansum<T extends Tensor>(data: T, options?: ReduceOptions): T {
  return call(nansumOp, data, options)
}

const prodOp = define('prod', [], 'prod')

/**
 * The product along axes; its gradient is out / x.
 *
 * `out = Π x`; `(A…) -> (A… without axis)`; keeps the dtype.
 * @example
 * await nd.prod(nd.array([2, 3])).asScalar() // => 6
 * @see MXNet `prod`
 */
export function prod<T extends Tensor>(data: T, options?: ReduceOptions): T {
  return call(prodOp, data, options)
}

const nanprodOp = define('nanprod', [], 'prod', withoutNaN(1))

/**
 * The product along axes, with NaN counted as 1.
 *
 * `out = Π x`; `(A…) -> (A… without axis)`; keeps the dtype.
 * @example
 * await nd.nanprod(nd.array([2, NaN])).asScalar() // => 2
 * @see MXNet `nanprod`
 */
export function nanprod<T extends Tensor>(data: T, options?: ReduceOptions): T {
  return call(nanprodOp, data, options)
}

const maxOp = define('max', ['max_axis'], 'max')

/**
 * The largest element along axes; NaN propagates, and every maximal element gets the gradient.
 *
 * `out = max x`; `(A…) -> (A… without axis)`; keeps the dtype.
 * @throws MXNetError when there is nothing along the axes.
 * @example
 * await nd.max(nd.array([1, 3, 2])).asScalar() // => 3
 * @see MXNet `max`
 */
export function max<T extends Tensor>(data: T, options?: ReduceOptions): T {
  return call(maxOp, data, options)
}

const minOp = define('min', ['min_axis'], 'min')

/**
 * The smallest element along axes; NaN propagates, and every minimal element gets the gradient.
 *
 * `out = min x`; `(A…) -> (A… without axis)`; keeps the dtype.
 * @throws MXNetError when there is nothing along the axes.
 * @example
 * await nd.min(nd.array([1, 3, 2])).asScalar() // => 1
 * @see MXNet `min`
 */
export function min<T extends Tensor>(data: T, options?: ReduceOptions): T {
  return call(minOp, data, options)
}

const meanOp = defineOp({
  name: 'mean',
  inputs: ['data'],
  attrs: reduceAttrs,
  body: ([x], attrs) => {
    const total = along('mean', x!, attrs, 'sum')
    const count = total.size === 0 ? 1 : x!.size / total.size
    return pointwise([total], ([v]) =>
      isFloat(v!.dtype)
        ? binary('mul', v!, constant(1 / count, v!.dtype))
        : binary('div', v!, constant(count, v!.dtype)),
    )
  },
})

/**
 * The mean along axes, or of all elements; integers truncate.
 *
 * `out = Σ x / n`; `(A…) -> (A… without axis)`; keeps the dtype.
 * @example
 * await nd.mean(nd.array([1, 2])).asScalar() // => 1.5
 * @see MXNet `mean`
 */
export function mean<T extends Tensor>(data: T, options?: ReduceOptions): T {
  return call(meanOp, data, options)
}

const normAttrs = {
  ord: attr.oneOf(['1', '2'], '2'),
  axis: attr.optional(attr.ints()),
  keepdims: attr.bool(false),
}

const normOp = defineOp({
  name: 'norm',
  inputs: ['data'],
  attrs: normAttrs,
  body: ([x], { ord, axis, keepdims }) => {
    const attrs = { axis, keepdims, exclude: false }
    if (ord === '1') return along('norm', x!, attrs, 'sum', (v) => unary('abs', v))
    return pointwise([along('norm', x!, attrs, 'sum', (v) => binary('mul', v, v))], ([v]) =>
      unary('sqrt', v!),
    )
  },
  grad: ({ inputs, outputs, dys, attrs: { ord, axis } }) => {
    const x = inputs[0]!
    const axes = reducedAxes('norm', x.shape.length, { axis, exclude: false })
    const spread = (t: Tensor): Tensor =>
      broadcastTo(
        reshapeTo(
          t,
          x.shape.map((d, i) => (axes.includes(i) ? 1 : d)),
        ),
        x.shape,
      )
    const dy = spread(dys[0]!)
    if (ord === '1') return [pointwise([x, dy], ([v, d]) => binary('mul', d!, unary('sign', v!)))]
    return [
      pointwise([x, spread(outputs[0]!), dy], ([v, y, d]) =>
        binary('div', binary('mul', d!, v!), y!),
      ),
    ]
  },
})

/**
 * The L2 (or L1) norm along axes, or of all elements; at 0 the L2 norm has no gradient: NaN.
 *
 * `out = √Σ x²` or `Σ |x|`; `(A…) -> (A… without axis)`; keeps the dtype.
 * @example
 * await nd.norm(nd.array([3, 4])).asScalar() // => 5
 * @see MXNet `norm`
 */
export function norm<T extends Tensor>(
  data: T,
  options?: {
    readonly ord?: 1 | 2
    readonly axis?: number | readonly number[] | null
    readonly keepdims?: boolean
  },
): T {
  const { ord, ...rest } = options ?? {}
  if (ord !== undefined && ord !== 1 && ord !== 2)
    fail('norm', `ord ${String(ord)} is not known: use 1 or 2`)
  return apply(normOp, [data], { ...rest, ord: ord === 1 ? '1' : '2' } as Given<typeof normAttrs>)
}

const argAttrs = { axis: attr.optional(attr.int()), keepdims: attr.bool(false) }

function position(
  where: string,
  x: Tensor,
  op: 'argmax' | 'argmin',
  axis: number | null,
  keepdims: boolean,
): Tensor {
  if (x.size === 0)
    fail(where, `shape ${formatShape(x.shape)} is empty: ${op} of nothing is not defined`)
  const line = axis === null ? reshapeTo(x, [x.size]) : x
  const at = axis === null ? 0 : checkAxis(where, axis, x.shape.length)
  if (line.shape.length === 0)
    return castTo(
      pointwise([line], () => constant(0, 'int32')),
      x.dtype,
    )
  const found = castTo(reduce(line, op, [at]), x.dtype)
  if (!keepdims) return found
  return reshapeTo(
    found,
    x.shape.map((d, i) => (axis === null || i === at ? 1 : d)),
  )
}

const argOp = (name: 'argmax' | 'argmin'): OpDef<typeof argAttrs> =>
  defineOp({
    name,
    inputs: ['data'],
    attrs: argAttrs,
    body: ([x], { axis, keepdims }) => position(name, x!, name, axis, keepdims),
  })

const argmaxOp = argOp('argmax')

/**
 * The position of the first largest element along an axis, or among all; no gradient.
 *
 * `(A…) -> (A… without axis)`; the position has the dtype of the data, as in MXNet.
 * @throws MXNetError when the axis is out of range or the array is empty.
 * @example
 * await nd.argmax(nd.array([[1, 3], [4, 2]]), { axis: 1 }).asArray() // => [1, 0]
 * @see MXNet `argmax`
 */
export function argmax<T extends Tensor>(data: T, options?: Given<typeof argAttrs>): T {
  return apply(argmaxOp, [data], options)
}

const argminOp = argOp('argmin')

/**
 * The position of the first smallest element along an axis, or among all; no gradient.
 *
 * `(A…) -> (A… without axis)`; the position has the dtype of the data, as in MXNet.
 * @throws MXNetError when the axis is out of range or the array is empty.
 * @example
 * await nd.argmin(nd.array([[1, 3], [4, 2]]), { axis: 1 }).asArray() // => [0, 1]
 * @see MXNet `argmin`
 */
export function argmin<T extends Tensor>(data: T, options?: Given<typeof argAttrs>): T {
  return apply(argminOp, [data], options)
}

const argmaxChannelOp = defineOp({
  name: 'argmax_channel',
  inputs: ['data'],
  body: ([x]) => position('argmax_channel', x!, 'argmax', 1, false),
})

/**
 * The position of the first largest element along axis 1; no gradient.
 *
 * `(N, C, A…) -> (N, A…)`; the position has the dtype of the data.
 * @example
 * await nd.argmaxChannel(nd.array([[1, 3], [4, 2]])).asArray() // => [1, 0]
 * @see MXNet `argmax_channel`
 */
export function argmaxChannel<T extends Tensor>(data: T): T {
  return apply(argmaxChannelOp, [data])
}
