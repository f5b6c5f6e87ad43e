/** `mx.engine`: accepted so that programs carry over; work runs in the order in which it is given. */

let size = 15

/**
 * Sets how many operators MXNet's engine would join; it has no effect here and the old number is returned.
 *
 * @example
 * mx.engine.setBulkSize(30) // => 15
 * @see MXNet `mx.engine.set_bulk_size`
 */
export function setBulkSize(bulk: number): number {
  const before = size
  size = bulk
  return before
}

/**
 * Runs a body and gives its value; how many operators are joined is decided by `hybridize()`, not here.
 *
 * @example
 * mx.engine.bulk(10, () => 1 + 1) // => 2
 * @see MXNet `mx.engine.bulk`
 */
export function bulk<R>(bulkSize: number, body: () => R): R {
  const before = setBulkSize(bulkSize)
  try {
    return body()
  } finally {
    setBulkSize(before)
  }
}
