/** Indexing of arrays with data: strided regions are views, arrays of positions gather, masks are read. */

import { holdsNumber } from '../base/dtype.ts'
import { fail } from '../base/error.ts'
import { formatShape, rowMajor, sameShape } from '../base/shape.ts'
import { reshape, slice, type View } from '../base/view.ts'
import { aval } from '../core/aval.ts'
import { frame } from '../core/frame.ts'
import type { IndexKey } from '../core/methods.ts'
import { Tensor } from '../core/tensor.ts'
import { Layout, share } from '../exec/array.ts'
import { ownElements, scatterElements, writeElements } from '../exec/region.ts'
import { oneHot } from '../ops/indexing.ts'
import { atRegion, hasArrays, placesAt, regionOf } from '../ops/region.ts'
import { array } from './creation.ts'
import type { NDArray } from './ndarray.ts'

/** The key with each mask replaced by the positions of its elements that hold, one array an axis. */
function withoutMasks(where: string, x: NDArray, key: readonly IndexKey[]): readonly IndexKey[] {
  const isMask = (k: IndexKey): k is NDArray => k instanceof Tensor && k.dtype === 'bool'
  if (!key.some(isMask)) return key
  if (frame.tracing)
    fail(where, 'a mask cannot be read while a graph is being traced: use nd.where')
  const spans = key.map((k) => (k === null || k === '...' ? 0 : isMask(k) ? k.ndim : 1))
  const named = spans.reduce((a, b) => a + b, 0)
  let axis = 0
  return key.flatMap((k, i): readonly IndexKey[] => {
    const at = axis
    axis += k === '...' ? x.ndim - named : spans[i]!
    if (!isMask(k)) return [k]
    const covered = x.shape.slice(at, at + k.ndim)
    if (k.ndim === 0 || !sameShape(k.shape, covered)) {
      fail(
        where,
        `the mask has shape ${formatShape(k.shape)}, the axes it stands for ${formatShape(covered)}: they must be the same`,
      )
    }
    return positionsOf(k).map((p) => array(p, { ctx: x.context }))
  })
}

/** The coordinates of the elements that hold, in row-major order: one list an axis. */
export function positionsOf(mask: NDArray): Int32Array[] {
  const values = mask.asTypedArraySync()
  const held: number[] = []
  values.forEach((v, i) => {
    // biome-ignore lint/suspicious/noDoubleEquals: 0 and 0n are both false
    if (v != 0) held.push(i)
  })
  const strides = rowMajor(mask.shape)
  return mask.shape.map((d, a) =>
    Int32Array.from(held, (flat) => Math.floor(flat / strides[a]!) % d),
  )
}

/** `x.at(...key)`. */
export function readRegion(x: NDArray, given: readonly IndexKey[]): NDArray {
  const key = withoutMasks('at', x, given)
  if (hasArrays(key) || (frame.recording && x.node !== null)) return atRegion(x, key) as NDArray
  const { begin, step, size, shape } = regionOf('at', x.shape, key)
  const view = reshape(slice(x.layout, begin, step, size), shape)!
  return share(x, aval(shape, x.dtype), new Layout(view)) as NDArray
}

/** `x.set(value, ...key)`. */
export function writeRegion(x: NDArray, value: unknown, given: readonly IndexKey[]): void {
  const where = given.length === 0 ? 'assign' : 'set'
  if (frame.recording && x.node !== null) {
    fail(
      where,
      'the array is part of a recorded computation: writing into it while recording is not possible',
    )
  }
  const key = withoutMasks(where, x, given)
  if (hasArrays(key)) {
    const places = placesAt<NDArray>(x.shape, key)
    checkValue(where, x, value, places.shape)
    ownElements(x, true)
    scatterElements(x, places, value as NDArray | number)
    return
  }
  const { begin, step, size, shape } = regionOf(where, x.shape, key)
  const whole = size.every((d, i) => d === x.shape[i])
  checkValue(where, x, value, shape)
  ownElements(x, !whole)
  const region = reshape(slice(x.layout, begin, step, size), shape) as View
  writeElements(x, region, value as NDArray | number)
}

function checkValue(where: string, x: NDArray, value: unknown, shape: readonly number[]): void {
  if (typeof value === 'number') {
    if (!holdsNumber(x.dtype, value)) {
      fail(
        where,
        `${value} cannot be written into an array of ${x.dtype}: use an integer in its range`,
      )
    }
    return
  }
  const array = value as Partial<NDArray> | null
  if (array?.storage === undefined) fail(where, 'the value must be a number or an NDArray')
  if (array.storage.device !== x.storage.device) {
    fail(
      where,
      `the value is on ${array.storage.device.context}, the array on ${x.context}: move it with asInContext`,
    )
  }
  const from = array.shape!
  const lead = shape.length - from.length
  const fits = lead >= 0 && from.every((d, i) => d === 1 || d === shape[i + lead])
  if (!fits)
    fail(where, `a value of shape ${formatShape(from)} does not broadcast to ${formatShape(shape)}`)
}

/**
 * Fills a matrix with one-hot rows, in place.
 *
 * `(N,), (N, C) -> (N, C)`; an index outside gives a row of zeros.
 * @throws MXNetError when the rows do not match.
 * @example
 * await nd.onehotEncode(nd.array([1]), nd.ones([1, 3])).asArray() // => [[0, 1, 0]]
 * @see MXNet `mx.nd.onehot_encode`
 */
export function onehotEncode(indices: NDArray, out: NDArray): NDArray {
  if (out.ndim !== 2 || indices.ndim !== 1 || out.shape[0] !== indices.size)
    fail(
      'onehot_encode',
      `${formatShape(indices.shape)} does not fit ${formatShape(out.shape)}: a matrix of as many rows is needed`,
    )
  return out.assign(oneHot(indices, out.shape[1]!, { dtype: out.dtype }))
}
