/** A check of values while a plan runs: positions that must lie inside an axis. */

import { fail } from '../../base/error.ts'
import type { Routine } from './routine.ts'

/** Numbers: the size of the axis. The positions themselves, where all of them are inside. */
export const inRange: Routine = ([positions], output, [size]) => {
  const from = positions as Int32Array
  for (let i = 0; i < from.length; i++) {
    const p = from[i]!
    if (p < 0 || p >= size!)
      fail('take', `index ${p} (number ${i}) is out of range: the axis has size ${size}`)
    output[i] = p
  }
}
