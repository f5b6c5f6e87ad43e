/** Sums over devices: every device ends with the sum of all. */

import { addElements, copyElements, shareMemory } from '../exec/exchange.ts'
import type { NDArray } from './ndarray.ts'

/** Whether arrays lie in one memory, so that devices can read each other's. */
export const inOneMemory = (arrays: readonly NDArray[]): boolean =>
  arrays.every((x) => shareMemory(x, arrays[0]!))

/** Makes each of several arrays in one memory the sum of all; the one at `owner` is where they are added up. */
export function sumInPlace(arrays: readonly NDArray[], owner: number): void {
  const total = arrays[owner]!
  const others = arrays.filter((x) => x !== total)
  addElements(total, others)
  for (const other of others) copyElements(other, total)
}
