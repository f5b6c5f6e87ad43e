/** Basic indexing: numbers, slices, new axes and the ellipsis name one strided region of an array. */

import { holdsNumber } from '../base/dtype.ts'
import { fail } from '../base/error.ts'
import { formatShape } from '../base/shape.ts'
import { reshape, slice, type View } from '../base/view.ts'
import { aval } from '../core/aval.ts'
import { frame } from '../core/frame.ts'
import { Layout, share } from '../exec/array.ts'
import { ownElements, writeElements } from '../exec/region.ts'
import { atRegion, regionOf } from '../ops/region.ts'
import type { NDArray } from './ndarray.ts'

/** `x.at(...key)`. */
export function readRegion(x: NDArray, key: readonly unknown[]): NDArray {
  if (frame.recording && x.node !== null) return atRegion(x, key) as NDArray
  const { begin, step, size, shape } = regionOf('at', x.shape, key)
  const view = reshape(slice(x.layout, begin, step, size), shape)!
  return share(x, aval(shape, x.dtype), new Layout(view)) as NDArray
}

/** `x.set(value, ...key)`. */
export function writeRegion(x: NDArray, value: unknown, key: readonly unknown[]): void {
  const where = key.length === 0 ? 'assign' : 'set'
  if (frame.recording && x.node !== null) {
    fail(
      where,
      'the array is part of a recorded computation: writing into it while recording is not possible',
    )
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
