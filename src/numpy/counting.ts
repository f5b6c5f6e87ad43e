/** Elements counted. */

import { fail } from '../base/error.ts'
import { formatShape } from '../base/shape.ts'
import type { Tensor } from '../core/tensor.ts'
import { array } from '../ndarray/creation.ts'
import type { NDArray } from '../ndarray/ndarray.ts'
import * as ops from '../ops/index.ts'

/**
 * How many elements fall between neighbouring edges: counts and edges. The last bin holds its upper edge too.
 *
 * `bins`: their number over `range` (by default from the smallest to the largest element), or an array of edges.
 * @throws MXNetError when the range is not one.
 * @example
 * await np.histogram(np.array([1, 2, 1]), 2, [0, 4])[0].asArray() // => [2n, 1n]
 * @see MXNet `np.histogram`
 */
export function histogram<T extends Tensor>(
  a: T,
  bins: number | T = 10,
  range: readonly [number, number] | null = null,
): T[] {
  return ops.histogram(a, { bins, range })
}

/**
 * How often each integer from 0 on comes up in a vector, or the sum of its weights. It reads the vector, so it is awaited.
 *
 * `(n,) -> (max + 1,)`, no shorter than `minlength`; int64, or the dtype of the weights.
 * @throws MXNetError for negative numbers and weights of another length.
 * @example
 * await (await np.bincount(np.array([0, 2, 2], { dtype: 'int32' }))).asArray() // => [1n, 0n, 2n]
 * @see MXNet `np.bincount`
 */
export async function bincount(
  x: NDArray,
  weights: NDArray | null = null,
  minlength = 0,
): Promise<NDArray> {
  if (x.ndim !== 1) fail('bincount', `x has shape ${formatShape(x.shape)}: it must be a vector`)
  if (weights !== null && weights.size !== x.size)
    fail('bincount', `${weights.size} weights for ${x.size} numbers: as many are needed`)
  const values = Array.from((await x.asTypedArray()) as ArrayLike<number | bigint>, Number)
  if (values.some((v) => v < 0 || !Number.isInteger(v)))
    fail('bincount', 'x must hold integers of at least 0')
  const length = values.reduce((most, v) => Math.max(most, v + 1), minlength)
  if (weights === null) {
    const counts = new BigInt64Array(length)
    for (const v of values) counts[v]!++
    return array(counts, { ctx: x.context })
  }
  const shares = Array.from((await weights.asTypedArray()) as ArrayLike<number | bigint>, Number)
  const sums = new Array<number>(length).fill(0)
  values.forEach((v, i) => {
    sums[v]! += shares[i]!
  })
  return array(sums, { ctx: x.context, dtype: weights.dtype })
}
