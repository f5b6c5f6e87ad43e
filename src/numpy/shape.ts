/** Shapes and places: what moves, joins, cuts and repeats elements. */

import { fail } from '../base/error.ts'
import { broadcastShapes, checkAxis, formatShape, sizeOf } from '../base/shape.ts'
import type { Tensor } from '../core/tensor.ts'
import { array as makeArray } from '../ndarray/creation.ts'
import type { NDArray } from '../ndarray/ndarray.ts'
import * as ops from '../ops/index.ts'
import { reshapeTo } from '../prim/primitive.ts'

type Axes = number | readonly number[]
const listOf = (axes: Axes): readonly number[] => (typeof axes === 'number' ? [axes] : axes)

/**
 * The same elements in row-major order under another shape, in which one size may be -1.
 * @throws MXNetError when the sizes do not fit.
 * @example
 * np.reshape(np.zeros([2, 6]), [3, -1]).shape // => [3, 4]
 * @see MXNet `np.reshape`
 */
export function reshape<T extends Tensor>(a: T, newshape: Axes): T {
  const shape = listOf(newshape)
  const known = sizeOf(shape.filter((d) => d !== -1))
  const open = shape.filter((d) => d === -1).length
  if (open > 1 || shape.some((d) => d < -1 || !Number.isInteger(d)))
    fail(
      'reshape',
      `shape ${formatShape(shape)}: sizes are integers of at least 0, and one may be -1`,
    )
  const full = shape.map((d) => (d === -1 ? (known === 0 ? 0 : a.size / known) : d))
  if (sizeOf(full) !== a.size || !full.every(Number.isInteger))
    fail(
      'reshape',
      `${formatShape(a.shape)} has ${a.size} elements: they do not fit ${formatShape(shape)}`,
    )
  return reshapeTo(a, full) as T
}
/** All elements as a vector. @see MXNet `np.ravel` */
export const ravel = <T extends Tensor>(a: T): T => reshape(a, -1)
/**
 * Axes in another order; reversed without one.
 * @example
 * np.transpose(np.zeros([2, 3, 4])).shape // => [4, 3, 2]
 * @see MXNet `np.transpose`
 */
export const transpose = <T extends Tensor>(a: T, axes?: readonly number[]): T =>
  axes === undefined
    ? ops.transpose(a)
    : ops.transpose(
        a,
        axes.map((axis) => checkAxis('transpose', axis, a.ndim)),
      )
/** Two axes in each other's place. @see MXNet `np.swapaxes` */
export const swapaxes = <T extends Tensor>(a: T, axis1: number, axis2: number): T =>
  ops.swapaxes(a, checkAxis('swapaxes', axis1, a.ndim), checkAxis('swapaxes', axis2, a.ndim))
/**
 * Axes moved to other positions; the others keep their order.
 * @example
 * np.moveaxis(np.zeros([2, 3, 4]), 0, -1).shape // => [3, 4, 2]
 * @see MXNet `np.moveaxis`
 */
export function moveaxis<T extends Tensor>(a: T, source: Axes, destination: Axes): T {
  const from = listOf(source).map((axis) => checkAxis('moveaxis', axis, a.ndim))
  const to = listOf(destination).map((axis) => checkAxis('moveaxis', axis, a.ndim))
  if (from.length !== to.length)
    fail('moveaxis', `${from.length} axes and ${to.length} positions given: as many are needed`)
  const order: (number | undefined)[] = new Array(a.ndim).fill(undefined)
  to.forEach((at, i) => {
    order[at] = from[i]!
  })
  const rest = a.shape.map((_, i) => i).filter((i) => !from.includes(i))
  return ops.transpose(
    a,
    order.map((axis) => axis ?? rest.shift()!),
  )
}
/**
 * New axes of size 1 at positions of the result.
 * @example
 * np.expandDims(np.zeros([2, 3]), [0, -1]).shape // => [1, 2, 3, 1]
 * @see MXNet `np.expand_dims`
 */
export function expandDims<T extends Tensor>(a: T, axis: Axes): T {
  const rank = a.ndim + listOf(axis).length
  const places = listOf(axis)
    .map((p) => checkAxis('expandDims', p, rank))
    .toSorted((x, y) => x - y)
  const shape = [...a.shape]
  for (const p of places) shape.splice(p, 0, 1)
  return reshapeTo(a, shape) as T
}
/** Axes of size 1 left out: all, or the given ones. @see MXNet `np.squeeze` */
export const squeeze = <T extends Tensor>(a: T, axis: Axes | null = null): T => ops.squeeze(a, axis)
/** Repeated along axes of size 1, and along new ones in front, to reach a shape. @see MXNet `np.broadcast_to` */
export function broadcastTo<T extends Tensor>(a: T, shape: readonly number[]): T {
  const lead = shape.length - a.ndim
  if (lead < 0 || a.shape.some((d, i) => d !== 1 && d !== shape[i + lead]))
    fail('broadcastTo', `${formatShape(a.shape)} does not broadcast to ${formatShape(shape)}`)
  return ops.broadcastTo(a, shape)
}
/** Arrays at their common shape. @see MXNet `np.broadcast_arrays` */
export function broadcastArrays<T extends Tensor>(...arrays: T[]): T[] {
  const shape = arrays.reduce<readonly number[]>(
    (sofar, x) => broadcastShapes('broadcastArrays', sofar, x.shape),
    [],
  )
  return arrays.map((x) => broadcastTo(x, shape))
}
/** Arrays of fewer axes with axes of size 1 put in front. @see MXNet `np.atleast_1d` */
export const atleast1d = <T extends Tensor>(a: T): T => (a.ndim < 1 ? reshape(a, [1]) : a)
/** The same for two axes. @see MXNet `np.atleast_2d` */
export const atleast2d = <T extends Tensor>(a: T): T => (a.ndim < 2 ? reshape(a, [1, a.size]) : a)
/** The same for three axes: `(N,)` becomes `(1, N, 1)`, `(M, N)` becomes `(M, N, 1)`. @see MXNet `np.atleast_3d` */
export const atleast3d = <T extends Tensor>(a: T): T =>
  a.ndim < 2 ? reshape(a, [1, a.size, 1]) : a.ndim === 2 ? expandDims(a, 2) : a

function checkList(where: string, arrays: readonly Tensor[]): void {
  if (!Array.isArray(arrays) || arrays.length === 0)
    fail(where, 'a list of at least one array is needed')
}

/**
 * Arrays joined along an axis; null joins them flattened.
 * @example
 * await np.concatenate([np.array([1]), np.array([2, 3])]).asArray() // => [1, 2, 3]
 * @see MXNet `np.concatenate`
 */
export function concatenate<T extends Tensor>(seq: readonly T[], axis: number | null = 0): T {
  checkList('concatenate', seq)
  const parts = axis === null ? seq.map((x) => ravel(x)) : seq
  if (parts[0]!.ndim === 0) fail('concatenate', 'scalars cannot be joined: use np.stack')
  return ops.concat(...parts, { dim: axis ?? 0 })
}
/**
 * Arrays of one shape joined along a new axis.
 * @example
 * np.stack([np.zeros([2]), np.ones([2])], 1).shape // => [2, 2]
 * @see MXNet `np.stack`
 */
export function stack<T extends Tensor>(arrays: readonly T[], axis = 0): T {
  checkList('stack', arrays)
  return concatenate(
    arrays.map((x) => expandDims(x, axis)),
    axis,
  )
}
/** Arrays stacked as rows. @see MXNet `np.vstack` */
export const vstack = <T extends Tensor>(arrays: readonly T[]): T =>
  concatenate(arrays.map((x) => atleast2d(x)))
/** Arrays stacked as rows. @see MXNet `np.row_stack` */
export const rowStack = vstack
/** Arrays joined side by side: vectors along axis 0, others along axis 1. @see MXNet `np.hstack` */
export const hstack = <T extends Tensor>(arrays: readonly T[]): T => {
  const parts = arrays.map((x) => atleast1d(x))
  return concatenate(parts, parts[0]?.ndim === 1 ? 0 : 1)
}
/** Arrays joined along a third axis. @see MXNet `np.dstack` */
export const dstack = <T extends Tensor>(arrays: readonly T[]): T =>
  concatenate(
    arrays.map((x) => atleast3d(x)),
    2,
  )
/** Vectors as the columns of a matrix. @see MXNet `np.column_stack` */
export const columnStack = <T extends Tensor>(arrays: readonly T[]): T =>
  concatenate(
    arrays.map((x) => (x.ndim < 2 ? reshape(x, [x.size, 1]) : x)),
    1,
  )
/** Values joined to the end of an array; flattened without an axis. @see MXNet `np.append` */
export const append = <T extends Tensor>(arr: T, values: T, axis: number | null = null): T =>
  concatenate([arr, values], axis)

/** Pieces between places along an axis. */
function cut<T extends Tensor>(a: T, places: readonly number[], axis: number): T[] {
  const size = a.shape[axis]!
  const at = (p: number): number => Math.max(0, Math.min(size, p < 0 ? p + size : p))
  const edges = [0, ...places.map(at), size]
  return edges.slice(1).map((end, i) => {
    const begin = edges[i]!
    const key = a.shape.map((_, k) => (k === axis ? `${begin}:${Math.max(begin, end)}` : ':'))
    return a.at(...key)
  })
}

/**
 * An array cut into equal parts (a number), or at places (a list).
 * @throws MXNetError when a number of parts does not divide the size.
 * @example
 * np.split(np.arange(6), 3).length // => 3
 * @see MXNet `np.split`
 */
export function split<T extends Tensor>(a: T, indicesOrSections: Axes, axis = 0): T[] {
  const at = checkAxis('split', axis, a.ndim)
  if (typeof indicesOrSections === 'number' && a.shape[at]! % indicesOrSections !== 0)
    fail(
      'split',
      `axis ${axis} of size ${a.shape[at]} does not make ${indicesOrSections} equal parts`,
    )
  return arraySplit(a, indicesOrSections, axis)
}
/** As `split`; where the size is not a multiple, the first parts get one more. @see MXNet `np.array_split` */
export function arraySplit<T extends Tensor>(a: T, indicesOrSections: Axes, axis = 0): T[] {
  const at = checkAxis('arraySplit', axis, a.ndim)
  if (typeof indicesOrSections !== 'number') return cut(a, indicesOrSections, at)
  const n = indicesOrSections
  if (!Number.isInteger(n) || n < 1) fail('arraySplit', `${n} parts: at least one is needed`)
  const [each, extra] = [Math.floor(a.shape[at]! / n), a.shape[at]! % n]
  const places = Array.from({ length: n - 1 }, (_, i) => (i + 1) * each + Math.min(i + 1, extra))
  return cut(a, places, at)
}
/** Cut along axis 1 (vectors along axis 0). @see MXNet `np.hsplit` */
export const hsplit = <T extends Tensor>(a: T, indicesOrSections: Axes): T[] =>
  split(a, indicesOrSections, a.ndim === 1 ? 0 : 1)
/** Cut along axis 0. @see MXNet `np.vsplit` */
export const vsplit = <T extends Tensor>(a: T, indicesOrSections: Axes): T[] =>
  split(a, indicesOrSections, 0)
/** Cut along axis 2. @see MXNet `np.dsplit` */
export const dsplit = <T extends Tensor>(a: T, indicesOrSections: Axes): T[] =>
  split(a, indicesOrSections, 2)

/** The whole array repeated along each axis. @see MXNet `np.tile` */
export const tile = <T extends Tensor>(a: T, reps: Axes): T => ops.tile(a, { reps })
/** Each element repeated; of the flattened array without an axis. @see MXNet `np.repeat` */
export const repeat = <T extends Tensor>(a: T, repeats: number, axis: number | null = null): T =>
  ops.repeat(a, { repeats, axis })
/** Elements in reverse order along axes; along all without them. @see MXNet `np.flip` */
export const flip = <T extends Tensor>(m: T, axis: Axes | null = null): T => {
  const axes = axis === null ? m.shape.map((_, i) => i) : listOf(axis)
  const at = axes.map((a) => checkAxis('flip', a, m.ndim))
  return m.at(...m.shape.map((_, i) => (at.includes(i) ? '::-1' : ':')))
}
/** Rows in reverse order. @see MXNet `np.flipud` */
export const flipud = <T extends Tensor>(m: T): T => flip(m, 0)
/** Columns in reverse order. @see MXNet `np.fliplr` */
export const fliplr = <T extends Tensor>(m: T): T => flip(m, 1)

/**
 * Elements shifted along axes; what leaves at one end comes in at the other. Flattened without an axis.
 * @example
 * await np.roll(np.arange(4), 1).asArray() // => [3, 0, 1, 2]
 * @see MXNet `np.roll`
 */
export function roll<T extends Tensor>(a: T, shift: Axes, axis: Axes | null = null): T {
  if (axis === null) return reshape(roll(ravel(a), sumOf(listOf(shift)), 0), a.shape)
  const axes = listOf(axis)
  const shifts = typeof shift === 'number' ? axes.map(() => shift) : shift
  return axes.reduce((x, at, i) => {
    const k = checkAxis('roll', at, x.ndim)
    const size = x.shape[k]!
    if (size === 0) return x
    const by = (((shifts[i] ?? 0) % size) + size) % size
    const [head, tail] = cut(x, [size - by], k) as [T, T]
    return concatenate([tail, head], k)
  }, a)
}
const sumOf = (xs: readonly number[]): number => xs.reduce((a, b) => a + b, 0)

/**
 * Turned by quarters in the plane of two axes, from the first towards the second.
 * @example
 * await np.rot90(np.array([[1, 2], [3, 4]])).asArray() // => [[2, 4], [1, 3]]
 * @see MXNet `np.rot90`
 */
export function rot90<T extends Tensor>(m: T, k = 1, axes: readonly [number, number] = [0, 1]): T {
  const turns = ((k % 4) + 4) % 4
  if (turns === 0) return m
  if (turns === 2) return flip(flip(m, axes[0]), axes[1])
  return turns === 1 ? flip(swapaxes(m, ...axes), axes[0]) : swapaxes(flip(m, axes[0]), ...axes)
}

/** How `take` meets positions outside an axis. */
export type TakeMode = 'clip' | 'wrap'

/**
 * Elements at positions along an axis; of the flattened array without one. Positions outside are clipped, or wrapped around.
 * @example
 * await np.take(np.array([10, 20, 30]), np.array([2, 0])).asArray() // => [30, 10]
 * @see MXNet `np.take`
 */
export function take<T extends Tensor>(
  a: T,
  indices: T,
  axis: number | null = null,
  options: { readonly mode?: TakeMode } = {},
): T {
  if (axis === null) return ops.take(ravel(a), indices, { axis: 0, ...options })
  return ops.take(a, indices, { axis: checkAxis('take', axis, a.ndim), ...options })
}

/**
 * The positions of elements that are not 0: one int64 vector an axis. It reads the array, so it is awaited.
 * @example
 * await (await np.nonzero(np.array([0, 5, 7])))[0].asArray() // => [1n, 2n]
 * @see MXNet `np.nonzero`
 */
export async function nonzero(a: NDArray): Promise<NDArray[]> {
  const x = atleast1d(a)
  const data = (await x.asTypedArray()) as ArrayLike<number | bigint>
  const hits: number[] = []
  for (let i = 0; i < data.length; i++) if (Number(data[i]) !== 0) hits.push(i)
  const strides = x.shape.map((_, axis) => sizeOf(x.shape.slice(axis + 1)))
  return x.shape.map((d, axis) =>
    int64(
      hits.map((flat) => Math.floor(flat / strides[axis]!) % d),
      a,
    ),
  )
}

const int64 = (values: readonly number[], like: NDArray): NDArray =>
  makeArray(BigInt64Array.from(values, BigInt), { ctx: like.context })

/**
 * The distinct elements in order. It reads the array, so it is awaited.
 * @example
 * await (await np.unique(np.array([3, 1, 3]))).asArray() // => [1, 3]
 * @see MXNet `np.unique`
 */
export async function unique(ar: NDArray): Promise<NDArray> {
  const sorted = ops.sort(ravel(ar))
  const data = (await sorted.asTypedArray()) as ArrayLike<number | bigint>
  const first: number[] = []
  for (let i = 0; i < data.length; i++) if (i === 0 || data[i] !== data[i - 1]) first.push(i)
  return ops.take(sorted, int64(first, ar), { axis: 0 })
}
