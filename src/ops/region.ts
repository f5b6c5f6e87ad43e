/** Basic indexing as an operator: numbers, slices, new axes and the ellipsis name one strided region. */

import { fail } from '../base/error.ts'
import { formatShape } from '../base/shape.ts'
import type { Tensor } from '../core/tensor.ts'
import { reshapeTo, sliceOf } from '../prim/primitive.ts'
import { sliceRange } from './slicing.ts'

interface Region {
  readonly begin: number[]
  readonly step: number[]
  readonly size: number[]
  /** The shape the region is seen under: picked axes dropped, new ones added. */
  readonly shape: number[]
}

const slicePattern = /^\s*(-?\d+)?\s*(?::\s*(-?\d+)?\s*(?::\s*(-?\d+)?\s*)?)$/

/** Begin, step and count of a slice string on an axis, as Python counts them. */
function parseSlice(where: string, text: string, size: number): [number, number, number] {
  const match = slicePattern.exec(text)
  if (match === null)
    fail(where, `index '${text}' is not understood: use a number, '1:3', '::2', ':', '...' or null`)
  const [start, stop, step] = match.slice(1).map((t) => (t === undefined ? null : Number(t)))
  return sliceRange(where, size, start!, stop!, step!)
}

/** The region of a shape that a key names. */
export function regionOf(where: string, shape: readonly number[], key: readonly unknown[]): Region {
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
      take(...parseSlice(where, k, size), true)
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

/** The elements of a tensor that a key names. */
export function atRegion(x: Tensor, key: readonly unknown[]): Tensor {
  const { begin, step, size, shape } = regionOf('at', x.shape, key)
  return reshapeTo(sliceOf(x, begin, step, size), shape)
}
