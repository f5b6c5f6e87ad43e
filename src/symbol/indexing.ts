/** Indexing a symbol as an array is indexed: numbers, slices, new axes and the ellipsis become MXNet's operators. */

import { fail } from '../base/error.ts'
import type { Tensor } from '../core/tensor.ts'
import { expandDims, squeeze } from '../ops/movement.ts'
import { slice } from '../ops/slicing.ts'

const pattern = /^\s*(-?\d+)?\s*:\s*(-?\d+)?\s*(?::\s*(-?\d+)?\s*)?$/

/** `x.at(...key)` of one output, without asking for its shape unless axes are counted from the end. */
export function atKeys<T extends Tensor>(x: T, key: readonly unknown[]): T {
  const named = key.filter((k) => k !== null && k !== '...').length
  const dots = key.indexOf('...')
  const skipped = dots >= 0 && dots < key.length - 1 ? x.shape.length - named : 0
  const begin: (number | null)[] = []
  const end: (number | null)[] = []
  const step: (number | null)[] = []
  const picked: number[] = []
  const added: number[] = []
  let place = 0
  for (const k of key) {
    if (k === '...') {
      for (let i = 0; i < skipped; i++) take(null, null, null)
      place += skipped
    } else if (k === null) added.push(place++)
    else if (typeof k === 'number' && Number.isInteger(k)) {
      picked.push(begin.length)
      take(k, k === -1 ? null : k + 1, null)
    } else {
      const match = typeof k === 'string' ? pattern.exec(k) : null
      if (match === null)
        fail(
          'at',
          `index ${String(k)} is not understood: use a number, '1:3', '::2', ':', '...' or null`,
        )
      const [from, to, by] = match.slice(1).map((t) => (t === undefined ? null : Number(t)))
      take(from!, to!, by!)
      place++
    }
  }
  function take(from: number | null, to: number | null, by: number | null): void {
    begin.push(from)
    end.push(to)
    step.push(by)
  }
  let result = x
  if (begin.some((b, i) => b !== null || end[i] !== null || step[i] !== null)) {
    const steps = step.some((s) => s !== null) ? { step } : {}
    result = slice(result, { begin, end, ...steps })
  }
  if (picked.length > 0) result = squeeze(result, picked)
  for (const axis of added) result = expandDims(result, axis)
  return result
}
