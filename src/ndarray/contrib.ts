/** The namespace `nd.contrib`: its operators, and what has to read its arguments. */

import { fail } from '../base/error.ts'
import { checkAxis, formatShape } from '../base/shape.ts'
import { frame } from '../core/frame.ts'
import { take } from '../ops/indexing.ts'
import { array } from './creation.ts'
import { positionsOf } from './indexing.ts'
import type { NDArray } from './ndarray.ts'

export * from '../ops/contrib.ts'
export { cond, foreach, whileLoop } from './controlFlow.ts'
export { randZipfian } from './random.ts'

/**
 * The slices of an axis (0 by default) where the index is not 0. How many there are is known only by reading the index, so
 * it cannot be traced.
 *
 * `(A…, n, B…), (n,) -> (A…, k, B…)`; keeps the dtype; differentiable in the data.
 * @throws MXNetError when the index does not have the length of the axis, and while a graph is traced.
 * @example
 * await nd.contrib.booleanMask(nd.array([1, 2, 3]), nd.array([1, 0, 1])).asArray() // => [1, 3]
 * @see MXNet `_contrib_boolean_mask`
 */
export function booleanMask(
  data: NDArray,
  index: NDArray,
  options: { readonly axis?: number } = {},
): NDArray {
  const where = 'boolean_mask'
  const axis = checkAxis(where, options.axis ?? 0, data.ndim)
  if (index.ndim !== 1 || index.size !== data.shape[axis])
    fail(
      where,
      `index has shape ${formatShape(index.shape)}: axis ${axis} of the data has size ${data.shape[axis]}`,
    )
  if (frame.tracing)
    fail(where, 'how many slices there are is not known while a graph is traced: use nd.where')
  const [held] = positionsOf(index)
  return take(data, array(held!, { ctx: data.context }), { axis })
}
