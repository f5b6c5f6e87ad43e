/** Sums over devices of one memory, whose arrays are read where they lie. */

import { free } from '../exec/array.ts'
import { lend, shareMemory } from '../exec/exchange.ts'
import { addInto } from '../ops/binary.ts'
import { type NDArray, replaceData } from './ndarray.ts'

export { sharesBlock } from '../exec/exchange.ts'

/** Whether arrays lie in one memory, so that devices can read each other's. */
export const inOneMemory = (arrays: readonly NDArray[]): boolean =>
  arrays.every((x) => shareMemory(x, arrays[0]!))

/** Makes each of several arrays in one memory the sum of all, which lies where the one at `owner` does. */
export function sumInPlace(arrays: readonly NDArray[], owner: number): void {
  const total = arrays[owner]!
  const others = arrays.filter((x) => x !== total)
  const near = others.map((x) => lend(x, total.storage.device) as NDArray)
  addInto(total, near)
  for (const x of near) free(x)
  for (const other of others) replaceData(other, lend(total, other.storage.device) as NDArray)
}
