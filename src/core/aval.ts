/** Abstract values: shape and dtype without data, one object for each distinct pair. */

import type { DType } from '../base/dtype.ts'
import type { Shape } from '../base/shape.ts'

/** Shape and dtype of a tensor. Equal pairs are (nearly always) one object, so that caches compare by identity. */
export interface Aval {
  readonly shape: Shape
  readonly dtype: DType
  readonly size: number
  /** A number whose dtype gives way to that of any array it meets. */
  readonly weak: boolean
}

const table = new Map<string, Aval>()
/** Forgetting costs only cache misses, so the table may be emptied at any time. */
const limit = 65536

/** The abstract value of a shape and dtype. */
export function aval(shape: Shape, dtype: DType, weak = false): Aval {
  const key = `${weak ? 'w' : ''}${dtype}:${shape.join()}`
  let found = table.get(key)
  if (found === undefined) {
    if (table.size >= limit) table.clear()
    let size = 1
    for (const d of shape) size *= d
    found = Object.freeze({ shape: Object.freeze([...shape]), dtype, size, weak })
    table.set(key, found)
  }
  return found
}

/** Whether two abstract values are the same. */
export function sameAval(a: Aval, b: Aval): boolean {
  return (
    a === b ||
    (a.dtype === b.dtype &&
      a.weak === b.weak &&
      a.shape.length === b.shape.length &&
      a.shape.every((d, i) => d === b.shape[i]))
  )
}
