/** Least common multiples of integers. */

import type { Routine } from './routine.ts'

/** No numbers. The least common multiple of each pair, 0 where one is 0; it wraps around where the dtype does not hold it. */
export const lcm: Routine = ([a, b], output) => {
  for (let i = 0; i < output.length; i++) {
    const [x, y] = [BigInt(a![i]!), BigInt(b![i]!)]
    let [larger, smaller] = [x, y]
    while (smaller !== 0n) [larger, smaller] = [smaller, larger % smaller]
    const product = larger === 0n ? 0n : (x / larger) * y
    const value = product < 0n ? -product : product
    output[i] = output instanceof BigInt64Array ? value : Number(BigInt.asIntN(32, value))
  }
}
