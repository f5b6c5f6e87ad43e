/** Numbers of arrays, side by side: exact and approximate comparison. */

import type { DType } from '../base/dtype.ts'
import { fail, MXNetError } from '../base/error.ts'
import { formatShape, sameShape, sizeOf } from '../base/shape.ts'
import { NDArray } from '../ndarray/ndarray.ts'

/** Nested lists of numbers. */
export type Nested = number | boolean | readonly Nested[]
/** What can be compared: arrays, typed arrays, nested lists, numbers. */
export type Comparable = NDArray | Nested | ArrayLike<number> | ArrayLike<bigint>

interface Values {
  readonly shape: readonly number[]
  readonly data: readonly number[]
  readonly dtype: DType
}

const integers: readonly string[] = ['uint8', 'int8', 'int32', 'int64', 'bool']

function flatten(x: Nested): { shape: number[]; data: number[] } {
  if (!Array.isArray(x)) return { shape: [], data: [Number(x)] }
  const parts = (x as readonly Nested[]).map(flatten)
  const inner = parts[0]?.shape ?? []
  if (parts.some((p) => !sameShape(p.shape, inner)))
    fail('testUtils', 'a nested list is ragged: its rows must have one length')
  return { shape: [parts.length, ...inner], data: parts.flatMap((p) => p.data) }
}

/** The numbers of anything that can be compared. */
export async function valuesOf(x: Comparable): Promise<Values> {
  if (x instanceof NDArray) {
    const data = Array.from((await x.asTypedArray()) as ArrayLike<number | bigint>, Number)
    return { shape: x.shape, data, dtype: x.dtype }
  }
  if (ArrayBuffer.isView(x)) {
    const data = Array.from(x as unknown as ArrayLike<number | bigint>, Number)
    return { shape: [data.length], data, dtype: x instanceof Float32Array ? 'float32' : 'float64' }
  }
  return { ...flatten(x as Nested), dtype: 'float64' }
}

/** How close is close enough. */
export interface Tolerances {
  /** Relative to `b`; by dtype unless given: 1e-2 for halves, 1e-4 for float32, 1e-5 for float64, 0 for integers. */
  readonly rtol?: number | null
  /** Absolute; by dtype unless given: 1e-1 for halves, 1e-3 for float32, 1e-20 for float64, 0 for integers. */
  readonly atol?: number | null
  /** Whether NaN equals NaN; off by default. */
  readonly equalNan?: boolean
}

/** Options of `assertAlmostEqual`. */
export interface AssertOptions extends Tolerances {
  /** What the message calls the two. */
  readonly names?: readonly [string, string]
}

const half = (d: DType): boolean => d === 'float16' || d === 'bfloat16'

/** The tolerances of the coarser of two dtypes. */
export function tolerancesOf(
  a: DType,
  b: DType,
  { rtol = null, atol = null }: Tolerances,
): { rtol: number; atol: number } {
  const both = [a, b]
  const [r, t] = both.some(half)
    ? [1e-2, 1e-1]
    : both.includes('float32')
      ? [1e-4, 1e-3]
      : both.every((d) => integers.includes(d))
        ? [0, 0]
        : [1e-5, 1e-20]
  return { rtol: rtol ?? r, atol: atol ?? t }
}

/** The first and the worst place where two arrays differ, or null where they are close. */
function differences(
  a: Values,
  b: Values,
  options: Tolerances,
): { count: number; worst: number; excess: number } | null {
  const { rtol, atol } = tolerancesOf(a.dtype, b.dtype, options)
  let [count, worst, excess] = [0, 0, 0]
  for (let i = 0; i < a.data.length; i++) {
    const [x, y] = [a.data[i]!, b.data[i]!]
    if (x === y || (options.equalNan && Number.isNaN(x) && Number.isNaN(y))) continue
    const allowed = atol + rtol * Math.abs(y)
    const off = Math.abs(x - y)
    if (off <= allowed) continue
    count++
    const by = Number.isNaN(off) || allowed === 0 ? Number.POSITIVE_INFINITY : off / allowed
    if (by > excess) [worst, excess] = [i, by]
  }
  return count === 0 ? null : { count, worst, excess }
}

const place = (shape: readonly number[], flat: number): string => {
  const at: number[] = []
  let rest = flat
  for (let d = shape.length - 1; d >= 0; d--) {
    at.unshift(rest % shape[d]!)
    rest = Math.floor(rest / shape[d]!)
  }
  return `(${at.join(', ')})`
}

/**
 * Whether two arrays have one shape and close numbers: `|a - b| <= atol + rtol·|b|` everywhere.
 * @example
 * await mx.testUtils.almostEqual(nd.array([1]), [1.00001]) // => true
 * @see MXNet `test_utils.almost_equal`
 */
export async function almostEqual(
  a: Comparable,
  b: Comparable,
  options: Tolerances = {},
): Promise<boolean> {
  const [x, y] = await Promise.all([valuesOf(a), valuesOf(b)])
  return sameShape(x.shape, y.shape) && differences(x, y, options) === null
}

/**
 * Fails unless two arrays have one shape and close numbers: `|a - b| <= atol + rtol·|b|` everywhere.
 * @throws MXNetError that says how many elements differ, and where by most.
 * @example
 * await mx.testUtils.assertAlmostEqual(nd.array([1, 2]), [1, 2])
 * @see MXNet `test_utils.assert_almost_equal`
 */
export async function assertAlmostEqual(
  a: Comparable,
  b: Comparable,
  options: AssertOptions = {},
): Promise<void> {
  const [x, y] = await Promise.all([valuesOf(a), valuesOf(b)])
  const [nameA, nameB] = options.names ?? ['a', 'b']
  if (!sameShape(x.shape, y.shape)) {
    throw new MXNetError(
      'assertAlmostEqual',
      `${nameA} has shape ${formatShape(x.shape)}, ${nameB} ${formatShape(y.shape)}`,
    )
  }
  const found = differences(x, y, options)
  if (found === null) return
  const { rtol, atol } = tolerancesOf(x.dtype, y.dtype, options)
  const at = found.worst
  throw new MXNetError(
    'assertAlmostEqual',
    `${found.count} of ${sizeOf(x.shape)} elements differ by more than ${atol} + ${rtol}·|${nameB}|; most at ` +
      `${place(x.shape, at)}: ${nameA} is ${x.data[at]}, ${nameB} is ${y.data[at]}`,
  )
}

/**
 * Whether two arrays have one shape and exactly the same numbers.
 * @example
 * await mx.testUtils.same(nd.array([1]), nd.array([1])) // => true
 * @see MXNet `test_utils.same`
 */
export async function same(a: Comparable, b: Comparable): Promise<boolean> {
  const [x, y] = await Promise.all([valuesOf(a), valuesOf(b)])
  return sameShape(x.shape, y.shape) && x.data.every((v, i) => v === y.data[i])
}

/**
 * Whether two arrays are one: what is written into the first shows in the second. Both keep their values.
 * @example
 * const x = nd.array([1])
 * [await mx.testUtils.sameArray(x, x), await mx.testUtils.sameArray(x, x.copy())] // => [true, false]
 * @see MXNet `test_utils.same_array`
 */
export async function sameArray(array1: NDArray, array2: NDArray): Promise<boolean> {
  if (!sameShape(array1.shape, array2.shape)) return false
  const before = array1.copy()
  array1.assign(array1.add(1))
  const shows = await same(array1, array2)
  array1.assign(before)
  return shows && (await same(array1, array2))
}
