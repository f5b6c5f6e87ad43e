/** Matrix products: dot, batch_dot, and the fully connected layer. */

import { isFloat, promote } from '../base/dtype.ts'
import { fail } from '../base/error.ts'
import { formatShape, sizeOf } from '../base/shape.ts'
import { apply } from '../core/apply.ts'
import { attr, type Given } from '../core/attrs.ts'
import { arraysThenOptions } from '../core/given.ts'
import { defineOp } from '../core/op.ts'
import type { Tensor } from '../core/tensor.ts'
import { binary } from '../prim/expr.ts'
import { castTo, contract, pointwise, reshapeTo } from '../prim/primitive.ts'

const letters = 'abcdefghijklmnopqrstuvw'

/** Both operands in their common dtype (bool counts as int32). */
function sameDType(a: Tensor, b: Tensor): [Tensor, Tensor] {
  const dtype = promote(a.dtype, b.dtype)
  const type = dtype === 'bool' ? 'int32' : dtype
  return [castTo(a, type), castTo(b, type)]
}

const transposeAttrs = { transposeA: attr.bool(false), transposeB: attr.bool(false) }
/** Options of `dot` and `batchDot`. */
export type TransposeOptions = Given<typeof transposeAttrs>

const dotOp = defineOp({
  name: 'dot',
  inputs: ['lhs', 'rhs'],
  attrs: transposeAttrs,
  body: ([a, b], { transposeA, transposeB }) => {
    const [x, y] = sameDType(a!, b!)
    const [n, m] = [x.shape.length, y.shape.length]
    if (n === 0 || m === 0)
      fail(
        'dot',
        `lhs ${formatShape(x.shape)} and rhs ${formatShape(y.shape)}: neither may be a scalar`,
      )
    const innerA = transposeA ? x.shape[0]! : x.shape[n - 1]!
    const innerB = transposeB ? y.shape[m - 1]! : y.shape[0]!
    if (innerA !== innerB) {
      fail(
        'dot',
        `lhs ${formatShape(x.shape)} and rhs ${formatShape(y.shape)}: inner sizes ${innerA} and ${innerB} differ`,
      )
    }
    const left = letters.slice(0, n - 1)
    const right = letters.slice(n - 1, n + m - 2)
    return contract(
      x,
      y,
      transposeA ? `z${left}` : `${left}z`,
      transposeB ? `${right}z` : `z${right}`,
      left + right,
    )
  },
})

/**
 * The matrix product; for more axes, the last axis of lhs is summed against the first of rhs.
 *
 * `out[i…, j…] = Σ_k lhs[i…, k]·rhs[k, j…]`; `(I…, K), (K, J…) -> (I…, J…)`; dtypes promote. `transposeA`
 * sums the first axis of lhs, `transposeB` the last of rhs.
 * @throws MXNetError when the inner sizes differ or an operand is a scalar.
 * @example
 * await nd.dot(nd.array([[1, 2]]), nd.array([[3], [4]])).asArray() // => [[11]]
 * @see MXNet `dot`
 */
export function dot<T extends Tensor>(lhs: T, rhs: T, options?: TransposeOptions): T {
  return apply(dotOp, [lhs, rhs], options)
}

const batchDotOp = defineOp({
  name: 'batch_dot',
  inputs: ['lhs', 'rhs'],
  attrs: transposeAttrs,
  body: ([a, b], { transposeA, transposeB }) => {
    const [x, y] = sameDType(a!, b!)
    const rank = x.shape.length
    const both = `lhs ${formatShape(x.shape)} and rhs ${formatShape(y.shape)}`
    if (rank < 3 || y.shape.length !== rank)
      fail('batch_dot', `${both}: both must have the same number of axes, at least 3`)
    for (let i = 0; i < rank - 2; i++) {
      if (x.shape[i] !== y.shape[i])
        fail('batch_dot', `${both}: batch sizes ${x.shape[i]} and ${y.shape[i]} differ`)
    }
    const innerA = x.shape[transposeA ? rank - 2 : rank - 1]
    const innerB = y.shape[transposeB ? rank - 1 : rank - 2]
    if (innerA !== innerB) fail('batch_dot', `${both}: inner sizes ${innerA} and ${innerB} differ`)
    const batch = letters.slice(0, rank - 2)
    return contract(
      x,
      y,
      batch + (transposeA ? 'zx' : 'xz'),
      batch + (transposeB ? 'yz' : 'zy'),
      `${batch}xy`,
    )
  },
})

/**
 * Matrix products of corresponding entries of two batches.
 *
 * `out[b…] = lhs[b…]·rhs[b…]`; `(B…, M, K), (B…, K, N) -> (B…, M, N)`; dtypes promote.
 * @throws MXNetError when batch or inner sizes differ.
 * @example
 * nd.batchDot(nd.ones([2, 3, 4]), nd.ones([2, 4, 5])).shape // => [2, 3, 5]
 * @see MXNet `batch_dot`
 */
export function batchDot<T extends Tensor>(lhs: T, rhs: T, options?: TransposeOptions): T {
  return apply(batchDotOp, [lhs, rhs], options)
}

/** Attributes of `FullyConnected`. */
export const fullyConnectedAttrs = {
  numHidden: attr.optional(attr.int(undefined, { above: 0 })),
  noBias: attr.bool(false),
  flatten: attr.bool(true),
}

const fullyConnectedOp = defineOp({
  name: 'FullyConnected',
  inputs: ['data', 'weight', 'bias?'],
  attrs: fullyConnectedAttrs,
  body: ([x, w, b], { numHidden, noBias, flatten }) => {
    const where = 'FullyConnected'
    if (x!.shape.length === 0) fail(where, 'data is a scalar: it needs at least one axis')
    const rows =
      flatten && x!.shape.length !== 2
        ? reshapeTo(x!, [x!.shape[0]!, sizeOf(x!.shape.slice(1))])
        : x!
    const inner = rows.shape[rows.shape.length - 1]!
    if (
      w!.shape.length !== 2 ||
      w!.shape[1] !== inner ||
      (numHidden !== null && w!.shape[0] !== numHidden)
    ) {
      const want = formatShape([numHidden ?? w!.shape[0] ?? 0, inner])
      fail(
        where,
        `weight ${formatShape(w!.shape)} does not fit data ${formatShape(x!.shape)}: it must be ${want}`,
      )
    }
    const units = w!.shape[0]!
    if (!isFloat(x!.dtype) || x!.dtype !== w!.dtype) {
      fail(
        where,
        `data is ${x!.dtype} and weight ${w!.dtype}: both must be the same float type (use astype)`,
      )
    }
    const front = letters.slice(0, rows.shape.length - 1)
    const y = contract(rows, w!, `${front}z`, 'yz', `${front}y`)
    if (!b || noBias) return y
    if (b.shape.length !== 1 || b.shape[0] !== units)
      fail(where, `bias ${formatShape(b.shape)} must be ${formatShape([units])}`)
    if (b.dtype !== x!.dtype) fail(where, `bias is ${b.dtype}: it must be ${x!.dtype}`)
    return pointwise([y, b], ([v, c]) => binary('add', v!, c!))
  },
  complete: ([x], { numHidden, flatten }) => {
    if (!x || numHidden === null) return []
    const inner = flatten ? sizeOf(x.shape.slice(1)) : x.shape[x.shape.length - 1]!
    return [null, [numHidden, inner], [numHidden]]
  },
})

/**
 * A fully connected layer.
 *
 * `out = data·weightᵀ + bias`; `(N, A…), (U, K), (U,) -> (N, U)` with K the product of A…; with `flatten: false`
 * `(A…, K) -> (A…, U)`; float dtypes, all the same.
 * @throws MXNetError when weight or bias do not fit, or dtypes differ.
 * @example
 * nd.fullyConnected(nd.ones([2, 3]), nd.ones([4, 3]), nd.zeros([4]), { numHidden: 4 }).shape // => [2, 4]
 * @see MXNet `FullyConnected`
 */
export function fullyConnected<T extends Tensor>(
  data: T,
  weight: T,
  ...rest:
    | [attrs?: Given<typeof fullyConnectedAttrs> | undefined]
    | [bias: T | null | undefined, attrs?: Given<typeof fullyConnectedAttrs> | undefined]
): T {
  const [arrays, attrs] = arraysThenOptions<T, Given<typeof fullyConnectedAttrs>>(rest)
  return apply(fullyConnectedOp, [data, weight, ...arrays], attrs)
}
