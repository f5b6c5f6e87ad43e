/** Products of attention on interleaved projections, as transformers of MXNet use them. */

import { fail } from '../base/error.ts'
import { formatShape, sameShape } from '../base/shape.ts'
import { apply } from '../core/apply.ts'
import { attr } from '../core/attrs.ts'
import { defineOp } from '../core/op.ts'
import type { Tensor } from '../core/tensor.ts'
import { binary, constant } from '../prim/expr.ts'
import { permuteAxes, pointwise, reshapeTo, sliceOf } from '../prim/primitive.ts'
import { multiply } from './matrices.ts'

const headsAttr = { heads: attr.int(undefined, { above: 0 }) }

/** Projection `k` of `count` that are interleaved head by head: (T, N, heads·count·D) -> (N·heads, T, D). */
function projection(where: string, x: Tensor, heads: number, count: number, k: number): Tensor {
  const [t, n, width] = x.shape
  const d = (width ?? 0) / (heads * count)
  if (x.shape.length !== 3 || !Number.isInteger(d))
    fail(where, `${formatShape(x.shape)} must be (T, N, ${heads}·${count}·D)`)
  const split = reshapeTo(x, [t!, n!, heads, count, d])
  const one = sliceOf(split, [0, 0, 0, k, 0], [1, 1, 1, 1, 1], [t!, n!, heads, 1, d])
  return reshapeTo(permuteAxes(reshapeTo(one, [t!, n!, heads, d]), [1, 2, 0, 3]), [
    n! * heads,
    t!,
    d,
  ])
}

/** Scores q·kᵀ / √D. */
function scores(where: string, q: Tensor, k: Tensor): Tensor {
  const d = q.shape[2]!
  const scaled = pointwise([q], ([v]) =>
    binary('mul', v!, constant(1 / Math.sqrt(Math.max(d, 1)), v!.dtype)),
  )
  return multiply(where, scaled, k, false, true)
}

/** Weighted values (N·heads, T, D) -> (T, N, heads·D). */
function weighted(where: string, attention: Tensor, v: Tensor, heads: number): Tensor {
  const [batch, s, d] = v.shape as [number, number, number]
  const t = attention.shape[1] ?? 0
  if (!sameShape(attention.shape, [batch, t, s]))
    fail(
      where,
      `attention has shape ${formatShape(attention.shape)}: it must be (${batch}, T, ${s})`,
    )
  const n = batch / heads
  const y = reshapeTo(multiply(where, attention, v), [n, heads, t, d])
  return reshapeTo(permuteAxes(y, [2, 0, 1, 3]), [t, n, heads * d])
}

const selfQkOp = defineOp({
  name: '_contrib_interleaved_matmul_selfatt_qk',
  inputs: ['queries_keys_values'],
  attrs: headsAttr,
  body: ([x], { heads }) => {
    const where = '_contrib_interleaved_matmul_selfatt_qk'
    return scores(where, projection(where, x!, heads, 3, 0), projection(where, x!, heads, 3, 1))
  },
})

/**
 * Scores of self-attention from interleaved projections.
 *
 * `(T, N, heads·3·D) -> (N·heads, T, T)`, scaled by 1/√D; keeps the dtype.
 * @throws MXNetError when the width does not divide.
 * @example
 * nd.contrib.interleavedMatmulSelfattQk(nd.zeros([4, 2, 12]), { heads: 2 }).shape // => [4, 4, 4]
 * @see MXNet `_contrib_interleaved_matmul_selfatt_qk`
 */
export function interleavedMatmulSelfattQk<T extends Tensor>(
  queriesKeysValues: T,
  attrs: { readonly heads: number },
): T {
  return apply(selfQkOp, [queriesKeysValues], attrs)
}

const selfValuesOp = defineOp({
  name: '_contrib_interleaved_matmul_selfatt_valatt',
  inputs: ['queries_keys_values', 'attention'],
  attrs: headsAttr,
  body: ([x, attention], { heads }) => {
    const where = '_contrib_interleaved_matmul_selfatt_valatt'
    return weighted(where, attention!, projection(where, x!, heads, 3, 2), heads)
  },
})

/**
 * Values of self-attention weighted by their scores.
 *
 * `(T, N, heads·3·D), (N·heads, T, T) -> (T, N, heads·D)`; keeps the dtype.
 * @throws MXNetError when the shapes do not fit.
 * @example
 * nd.contrib.interleavedMatmulSelfattValatt(nd.zeros([4, 2, 12]), nd.zeros([4, 4, 4]), { heads: 2 }).shape // => [4, 2, 4]
 * @see MXNet `_contrib_interleaved_matmul_selfatt_valatt`
 */
export function interleavedMatmulSelfattValatt<T extends Tensor>(
  queriesKeysValues: T,
  attention: T,
  attrs: { readonly heads: number },
): T {
  return apply(selfValuesOp, [queriesKeysValues, attention], attrs)
}

const crossQkOp = defineOp({
  name: '_contrib_interleaved_matmul_encdec_qk',
  inputs: ['queries', 'keys_values'],
  attrs: headsAttr,
  body: ([q, kv], { heads }) => {
    const where = '_contrib_interleaved_matmul_encdec_qk'
    return scores(where, projection(where, q!, heads, 1, 0), projection(where, kv!, heads, 2, 0))
  },
})

/**
 * Scores of attention from one sequence to another.
 *
 * `(T, N, heads·D), (S, N, heads·2·D) -> (N·heads, T, S)`, scaled by 1/√D; keeps the dtype.
 * @throws MXNetError when the shapes do not fit.
 * @example
 * nd.contrib.interleavedMatmulEncdecQk(nd.zeros([3, 2, 4]), nd.zeros([5, 2, 8]), { heads: 2 }).shape // => [4, 3, 5]
 * @see MXNet `_contrib_interleaved_matmul_encdec_qk`
 */
export function interleavedMatmulEncdecQk<T extends Tensor>(
  queries: T,
  keysValues: T,
  attrs: { readonly heads: number },
): T {
  return apply(crossQkOp, [queries, keysValues], attrs)
}

const crossValuesOp = defineOp({
  name: '_contrib_interleaved_matmul_encdec_valatt',
  inputs: ['keys_values', 'attention'],
  attrs: headsAttr,
  body: ([kv, attention], { heads }) => {
    const where = '_contrib_interleaved_matmul_encdec_valatt'
    return weighted(where, attention!, projection(where, kv!, heads, 2, 1), heads)
  },
})

/**
 * Values of another sequence weighted by their scores.
 *
 * `(S, N, heads·2·D), (N·heads, T, S) -> (T, N, heads·D)`; keeps the dtype.
 * @throws MXNetError when the shapes do not fit.
 * @example
 * nd.contrib.interleavedMatmulEncdecValatt(nd.zeros([5, 2, 8]), nd.zeros([4, 3, 5]), { heads: 2 }).shape // => [3, 2, 4]
 * @see MXNet `_contrib_interleaved_matmul_encdec_valatt`
 */
export function interleavedMatmulEncdecValatt<T extends Tensor>(
  keysValues: T,
  attention: T,
  attrs: { readonly heads: number },
): T {
  return apply(crossValuesOp, [keysValues, attention], attrs)
}
