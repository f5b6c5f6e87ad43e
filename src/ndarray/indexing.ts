/** Basic indexing: numbers, slices, new axes and the ellipsis name one strided region of an array. */

import { holdsNumber } from '../base/dtype.ts'
import { fail } from '../base/error.ts'
import { formatShape } from '../base/shape.ts'
import { reshape, slice, type View } from '../base/view.ts'
import { aval } from '../core/aval.ts'
import { frame } from '../core/frame.ts'
import { Layout, share } from '../exec/array.ts'
import { ownElements, writeElements } from '../exec/region.ts'
import { reshapeTo, sliceOf } from '../prim/primitive.ts'
import type { NDArray } from './ndarray.ts'

/** One index: a position, a slice `'start:stop:step'`, `'...'` for the axes not named, null for a new axis. */
export type BasicKey = number | string | null

interface Region {
  readonly begin: number[]
  readonly step: number[]
  readonly size: number[]
  /** The shape the region is seen under: picked axes dropped, new ones added. */
  readonly shape: number[]
}

const slicePattern = /^\s*(-?\d+)?\s*(?::\s*(-?\d+)?\s*(?::\s*(-?\d+)?\s*)?)$/

/** Start, step and count of a slice string on an axis, as Python counts them. */
function parseSlice(
  where: string,
  text: string,
  size: number,
): { begin: number; step: number; count: number } {
  const match = slicePattern.exec(text)
  if (match === null)
    fail(where, `index '${text}' is not understood: use a number, '1:3', '::2', ':', '...' or null`)
  const [start, stop, step] = match.slice(1).map((t) => (t === undefined ? undefined : Number(t)))
  const by = step ?? 1
  if (by === 0) fail(where, `index '${text}' has step 0`)
  const clamp = (v: number, lo: number, hi: number): number =>
    Math.min(Math.max(v < 0 ? v + size : v, lo), hi)
  const begin =
    start === undefined
      ? by > 0
        ? 0
        : size - 1
      : by > 0
        ? clamp(start, 0, size)
        : clamp(start, -1, size - 1)
  const end =
    stop === undefined
      ? by > 0
        ? size
        : -1
      : by > 0
        ? clamp(stop, 0, size)
        : clamp(stop, -1, size - 1)
  return { begin, step: by, count: Math.max(0, Math.ceil((end - begin) / by)) }
}

/** The region of a shape that a key names. */
function regionOf(where: string, shape: readonly number[], key: readonly unknown[]): Region {
  const named = key.filter((k) => k !== null && k !== '...').length
  const dots = key.filter((k) => k === '...').length
  if (dots > 1) fail(where, "an index has at most one '...'")
  if (named > shape.length)
    fail(where, `${named} indices for an array of ${shape.length} dimensions ${formatShape(shape)}`)
  const full = dots === 1 ? key : [...key, '...']
  const region: Region = { begin: [], step: [], size: [], shape: [] }
  const take = (begin: number, step: number, count: number, keep: boolean): void => {
    region.begin.push(count > 0 ? begin : 0)
    region.step.push(step)
    region.size.push(count)
    if (keep) region.shape.push(count)
  }
  for (const k of full) {
    const axis = region.begin.length
    const size = shape[axis] ?? 0
    if (k === null) region.shape.push(1)
    else if (k === '...') {
      for (let rest = shape.length - named; rest > 0; rest--)
        take(0, 1, shape[region.begin.length]!, true)
    } else if (typeof k === 'string') {
      const { begin, step, count } = parseSlice(where, k, size)
      take(begin, step, count, true)
    } else if (typeof k === 'number') {
      if (!Number.isInteger(k) || k < -size || k >= size) {
        fail(where, `index ${k} is out of range for axis ${axis} of size ${size}`)
      }
      take(k < 0 ? k + size : k, 1, 1, false)
    } else {
      fail(
        where,
        'an index must be a number, a slice string or null; arrays as indices are not supported yet: use nd.take',
      )
    }
  }
  return region
}

/** `x.at(...key)`. */
export function readRegion(x: NDArray, key: readonly unknown[]): NDArray {
  const { begin, step, size, shape } = regionOf('at', x.shape, key)
  if (frame.recording && x.node !== null)
    return reshapeTo(sliceOf(x, begin, step, size), shape) as NDArray
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
