/** Batchifying: samples become arrays with a leading batch axis. */

import { dtypeOfTypedArray, type TypedArray } from '../../base/dtype.ts'
import { fail } from '../../base/error.ts'
import { type ArraySource, array } from '../../ndarray/creation.ts'
import { NDArray } from '../../ndarray/ndarray.ts'
import { stack } from '../../ops/slicing.ts'

/** What a batch of samples of type T is: arrays for arrays and numbers, tuples for tuples. */
export type Batched<T> = T extends NDArray | number | bigint | boolean | TypedArray
  ? NDArray
  : T extends readonly unknown[]
    ? { -readonly [K in keyof T]: Batched<T[K]> }
    : unknown

/**
 * The batch of a list of samples: arrays are stacked, tuples are batched element by element.
 *
 * Shapes `n × (A…) -> (n, A…)`; arrays and typed arrays keep their dtype; numbers give float32 as in `nd.array`
 * (MXNet: int64 or float64), bigints int64 and booleans bool.
 *
 * @throws MXNetError when samples differ in shape or kind, or are of a kind that arrays cannot hold.
 * @example
 * await defaultBatchifyFn([[1, 2], [3, 4]])[0].asArray() // => [1, 3]
 * @see MXNet `gluon.data.dataloader.default_batchify_fn`
 */
export function defaultBatchifyFn<T>(samples: readonly T[]): Batched<T> {
  return batchify(samples) as Batched<T>
}

function batchify(samples: readonly unknown[]): unknown {
  const first = samples[0]
  if (first === undefined) fail('defaultBatchifyFn', 'there are no samples: give at least one')
  if (first instanceof NDArray) return stackArrays(samples)
  if (Array.isArray(first)) {
    const n = first.length
    const tuples = samples as readonly (readonly unknown[])[]
    if (!tuples.every((s) => Array.isArray(s) && s.length === n)) {
      fail('defaultBatchifyFn', `samples differ: one is a tuple of ${n}, so all must be`)
    }
    return first.map((_, i) => batchify(tuples.map((s) => s[i])))
  }
  const typed = dtypeOfTypedArray(first)
  if (typed !== undefined) return array(samples.map((s) => array(s as TypedArray)))
  if (typeof first === 'bigint') return array(samples as readonly ArraySource[], { dtype: 'int64' })
  if (typeof first === 'number' || typeof first === 'boolean') {
    return array(samples as readonly ArraySource[])
  }
  return fail(
    'defaultBatchifyFn',
    `a sample holds a ${typeof first}, which no array can: use a batchifyFn of your own`,
  )
}

function stackArrays(samples: readonly unknown[]): NDArray {
  const arrays = samples.filter((s) => s instanceof NDArray)
  if (arrays.length < samples.length) {
    fail('defaultBatchifyFn', 'samples differ: one is an array, so all must be')
  }
  return stack(...arrays)
}
