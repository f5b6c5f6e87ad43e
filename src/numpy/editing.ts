/** Elements put in, taken out and repeated, and places of elements as index vectors. */

import { fail } from '../base/error.ts'
import { checkAxis, sizeOf } from '../base/shape.ts'
import type { Tensor } from '../core/tensor.ts'
import { array } from '../ndarray/creation.ts'
import type { NDArray } from '../ndarray/ndarray.ts'
import * as ops from '../ops/index.ts'
import { diag, full } from './creation.ts'
import { broadcastTo, concatenate, moveaxis, ravel, reshape } from './shape.ts'

type Places = number | readonly number[]

/** An int64 vector beside a tensor. */
const vector = (values: readonly number[], like: Tensor): NDArray =>
  array(BigInt64Array.from(values, BigInt), { ctx: like.context })

/** Places along an axis of size `size`, counted from its end where they are negative; `size` itself only where `past` says so. */
function placesOf(where: string, obj: Places, size: number, past: boolean): number[] {
  return (typeof obj === 'number' ? [obj] : [...obj]).map((given) => {
    const at = given < 0 ? given + size : given
    if (!Number.isInteger(given) || at < 0 || at >= size + (past ? 1 : 0))
      fail(where, `place ${given} of an axis of size ${size}`)
    return at
  })
}

/** The axis that a function works along, and the array, which is taken as a vector where no axis is given. */
function along<T extends Tensor>(where: string, a: T, axis: number | null): [T, number] {
  return axis === null ? [ravel(a), 0] : [a, checkAxis(where, axis, a.ndim)]
}

/**
 * Without the elements at some places along an axis; of all elements as a vector where no axis is given.
 * @throws MXNetError when a place is not there.
 * @example
 * await np.delete(np.array([5, 6, 7, 8]), [0, -1]).asArray() // => [6, 7]
 * @see MXNet `np.delete`
 */
function without<T extends Tensor>(arr: T, obj: Places, axis: number | null = null): T {
  const [a, at] = along('delete', arr, axis)
  const size = a.shape[at]!
  const gone = new Set(placesOf('delete', obj, size, false))
  const kept = Array.from({ length: size }, (_, i) => i).filter((i) => !gone.has(i))
  return ops.take(a, vector(kept, a) as Tensor as T, { axis: at })
}

export { without as delete }

/**
 * With values before some places along an axis; of all elements as a vector where no axis is given. One place takes any
 * number of values, several places one each.
 * @throws MXNetError when a place is not there or the values do not fit.
 * @example
 * await np.insert(np.array([1, 2, 3]), 1, 9).asArray() // => [1, 9, 2, 3]
 * @see MXNet `np.insert`
 */
export function insert<T extends Tensor>(
  arr: T,
  obj: Places,
  values: T | number,
  axis: number | null = null,
): T {
  const [a, at] = along('insert', arr, axis)
  const size = a.shape[at]!
  const asked = placesOf('insert', obj, size, true)
  const one = asked.length === 1
  // At one place, the first axis of the values is the one that they go along.
  const block =
    typeof values === 'number'
      ? null
      : typeof obj === 'number' && values.ndim === a.ndim
        ? moveaxis(values, 0, at)
        : values
  const count = one ? (block?.ndim === a.ndim ? block.shape[at]! : 1) : asked.length
  const places = one ? new Array<number>(count).fill(asked[0]!) : asked
  const shape = a.shape.map((d, i) => (i === at ? count : d))
  const wide =
    block === null
      ? (full(shape, values as number, { dtype: a.dtype, ctx: a.context }) as Tensor as T)
      : broadcastTo(ops.cast(block, { dtype: a.dtype }), shape)
  const order = places.map((_, i) => i).sort((i, j) => places[i]! - places[j]!)
  const sources: number[] = []
  let next = 0
  for (let i = 0; i <= size; i++) {
    while (next < count && places[order[next]!] === i) sources.push(size + order[next++]!)
    if (i < size) sources.push(i)
  }
  const both = concatenate([a, wide], at)
  return ops.take(both, vector(sources, a) as Tensor as T, { axis: at })
}

/**
 * The elements in row-major order, again from the start where they run out, under another shape.
 * @throws MXNetError when there are none to repeat.
 * @example
 * await np.resize(np.array([1, 2, 3]), [2, 2]).asArray() // => [[1, 2], [3, 1]]
 * @see MXNet `np.resize`
 */
export function resize<T extends Tensor>(a: T, newShape: Places): T {
  const shape = typeof newShape === 'number' ? [newShape] : newShape
  const count = sizeOf(shape)
  if (a.size === 0 && count > 0) fail('resize', `no elements for shape (${shape})`)
  const reps = Math.max(1, Math.ceil(count / Math.max(1, a.size)))
  const long = ops.tile(ravel(a), { reps: [reps] })
  return reshape(ops.sliceAxis(long, { axis: 0, begin: 0, end: count }), shape)
}

/**
 * Differences of neighbours of all elements as a vector, between numbers before and after.
 * @example
 * await np.ediff1d(np.array([1, 4, 9])).asArray() // => [3, 5]
 * @see MXNet `np.ediff1d`
 */
export function ediff1d<T extends Tensor>(
  ary: T,
  toEnd: T | null = null,
  toBegin: T | null = null,
): T {
  const x = ravel(ary)
  const [n, axis] = [x.size, 0]
  const parts = [toBegin === null ? null : ravel(toBegin)]
  if (n > 1) {
    const [later, earlier] = [
      ops.sliceAxis(x, { axis, begin: 1, end: n }),
      ops.sliceAxis(x, { axis, begin: 0, end: n - 1 }),
    ]
    parts.push(ops.subtract(later, earlier))
  } else parts.push(ops.sliceAxis(x, { axis, begin: 0, end: 0 }))
  parts.push(toEnd === null ? null : ravel(toEnd))
  return concatenate(parts.flatMap((p) => (p === null ? [] : [p])))
}

/** All elements on the k-th diagonal of a square of zeros. @see MXNet `np.diagflat` */
export const diagflat = <T extends Tensor>(v: T, k = 0): T => diag(ravel(v), k)

/**
 * The indices, an array for each axis, of elements at flat places of a shape.
 * @example
 * (await np.unravelIndex(np.array([5], { dtype: 'int64' }), [2, 3])[1].asArray()) // => [2n]
 * @see MXNet `np.unravel_index`
 */
export function unravelIndex(places: NDArray, shape: readonly number[]): NDArray[] {
  const all = ops.unravelIndex(ravel(places), { shape: [...shape] })
  return shape.map((_, axis) =>
    reshape(ops.sliceAxis(all, { axis: 0, begin: axis, end: axis + 1 }), places.shape),
  )
}

/**
 * The indices of the main diagonal of an array with equal sizes, a vector for each axis.
 * @throws MXNetError when there are fewer than two axes or their sizes differ.
 * @see MXNet `np.diag_indices_from`
 */
export function diagIndicesFrom(arr: Tensor): NDArray[] {
  const [n] = arr.shape
  if (n === undefined || arr.ndim < 2 || arr.shape.some((d) => d !== n))
    fail('diagIndicesFrom', `shape (${arr.shape}): at least two axes of one size are needed`)
  const along = vector(
    Array.from({ length: n }, (_, i) => i),
    arr,
  )
  return arr.shape.map(() => along)
}
