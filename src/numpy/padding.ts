/** Borders and windows: `pad`, and the curves that signals are multiplied by. */

import { isFloat } from '../base/dtype.ts'
import { fail } from '../base/error.ts'
import { formatShape } from '../base/shape.ts'
import type { Tensor } from '../core/tensor.ts'
import { array } from '../ndarray/creation.ts'
import type { NDArray } from '../ndarray/ndarray.ts'
import * as ops from '../ops/index.ts'
import { assemble } from '../prim/primitive.ts'

/** How many elements come before and after each axis: a number for all, or pairs. */
export type PadWidth = number | readonly [number, number] | readonly (readonly [number, number])[]

/** What stands at place i of an axis of n elements that goes on over its ends. */
const beyond = {
  edge: (i: number, n: number) => Math.max(0, Math.min(n - 1, i)),
  wrap: (i: number, n: number) => ((i % n) + n) % n,
  reflect: (i: number, n: number) => folded(i, 2 * (n - 1), n),
  symmetric: (i: number, n: number) => {
    const at = ((i % (2 * n)) + 2 * n) % (2 * n)
    return at < n ? at : 2 * n - 1 - at
  },
} as const

function folded(i: number, period: number, n: number): number {
  if (n === 1) return 0
  const at = ((i % period) + period) % period
  return at < n ? at : period - at
}

/** Options of `pad`. */
export interface PadOptions {
  /** 'constant' (the default), 'edge', 'reflect', 'symmetric' or 'wrap'. */
  readonly mode?: 'constant' | keyof typeof beyond
  /** What a constant border is made of, 0 by default. */
  readonly constantValues?: number
}

/**
 * An array with a border around it.
 * @throws MXNetError for widths that do not fit the axes, and unknown modes.
 * @example
 * await np.pad(np.array([1, 2]), 1).asArray() // => [0, 1, 2, 0]
 * @see MXNet `np.pad`
 */
export function pad<T extends Tensor>(x: T, padWidth: PadWidth, options: PadOptions = {}): T {
  const { mode = 'constant', constantValues = 0 } = options
  const widths = widthsOf(x, padWidth)
  if (mode === 'constant') {
    const shape = x.shape.map((d, i) => d + widths[i]![0] + widths[i]![1])
    const place = { begin: widths.map((w) => w[0]), step: x.shape.map(() => 1) }
    if (constantValues === 0) return assemble(shape, [x], [place]) as T
    const lowered = ops.subtract(x, constantValues)
    return ops.add(assemble(shape, [lowered], [place]) as T, constantValues)
  }
  const at =
    beyond[mode] ??
    fail(
      'pad',
      `mode is '${String(mode)}': use 'constant', 'edge', 'reflect', 'symmetric' or 'wrap'`,
    )
  return x.shape.reduce<T>((y, n, axis) => {
    const [before, after] = widths[axis]!
    if (before === 0 && after === 0) return y
    if (n === 0) fail('pad', `axis ${axis} is empty: there is nothing to repeat`)
    const places = Int32Array.from({ length: n + before + after }, (_, i) => at(i - before, n))
    return ops.take(y, array(places, { ctx: y.context }) as unknown as T, { axis })
  }, x)
}

function widthsOf(x: Tensor, given: PadWidth): (readonly [number, number])[] {
  const list: readonly unknown[] = typeof given === 'number' ? [given, given] : given
  const pairs = (
    typeof list[0] === 'number' ? x.shape.map(() => list) : list
  ) as readonly (readonly [number, number])[]
  const fits =
    pairs.length === x.ndim &&
    pairs.every((p) => p.length === 2 && p.every((w) => Number.isInteger(w) && w >= 0))
  if (!fits)
    fail(
      'pad',
      `widths ${JSON.stringify(given)} for shape ${formatShape(x.shape)}: a pair of counts is needed for each axis`,
    )
  return [...pairs]
}

const curve =
  (f: (turn: number) => number) =>
  (M: number): NDArray =>
    array(
      Array.from({ length: Math.max(0, M) }, (_, i) =>
        M === 1 ? 1 : f((2 * Math.PI * i) / (M - 1)),
      ),
    )

/** The Hann window of M numbers: `½ - ½·cos(2πi/(M-1))`, float32. @see MXNet `np.hanning` */
export const hanning = curve((t) => 0.5 - 0.5 * Math.cos(t))
/** The Hamming window of M numbers: `0.54 - 0.46·cos(2πi/(M-1))`, float32. @see MXNet `np.hamming` */
export const hamming = curve((t) => 0.54 - 0.46 * Math.cos(t))
/** The Blackman window: `0.42 - ½·cos t + 0.08·cos 2t`, t = 2πi/(M-1), float32. @see MXNet `np.blackman` */
export const blackman = curve((t) => 0.42 - 0.5 * Math.cos(t) + 0.08 * Math.cos(2 * t))

/** How close is close enough: `|a - b| <= atol + rtol·|b|`. */
export interface CloseOptions {
  /** 1e-5 by default. */
  readonly rtol?: number
  /** 1e-8 by default. */
  readonly atol?: number
  /** Whether NaN equals NaN; off by default. */
  readonly equalNan?: boolean
}

/**
 * Where two arrays are close: truths.
 * @example
 * await np.isclose(np.array([1, 2]), np.array([1, 3])).asArray() // => [true, false]
 * @see NumPy `isclose`
 */
export function isclose<T extends Tensor>(a: T, b: T, options: CloseOptions = {}): T {
  const { rtol = 1e-5, atol = 1e-8, equalNan = false } = options
  const float = (x: T): T => (isFloat(x.dtype) ? x : ops.cast(x, { dtype: 'float32' }))
  const [x, y] = [float(a), float(b)]
  const allowed = ops.add(ops.multiply(ops.abs(y), rtol), atol)
  const near = ops.lesserEqual(ops.abs(ops.subtract(x, y) as T), allowed)
  const same = ops.logicalOr(near, ops.equal(x, y))
  const both = ops.logicalAnd(ops.notEqual(x, x), ops.notEqual(y, y))
  return ops.cast(equalNan ? ops.logicalOr(same, both) : same, { dtype: 'bool' }) as T
}

/**
 * Whether all elements of two arrays are close. It reads the arrays, so it is awaited.
 * @example
 * await np.allclose(np.array([1, 2]), np.array([1, 2.000001])) // => true
 * @see NumPy `allclose`
 */
export const allclose = async (
  a: NDArray,
  b: NDArray,
  options: CloseOptions = {},
): Promise<boolean> => {
  const off = ops.subtract(1, ops.cast(isclose(a, b, options), { dtype: 'float32' }))
  return off.size === 0 || (await ops.max(off).asScalar()) === 0
}
