/** Optimizer states: arrays that live beside a weight. */

import { zeros } from '../ndarray/creation.ts'
import type { NDArray } from '../ndarray/ndarray.ts'

/** Zeros of a weight's shape and dtype, where the weight lives. */
export function zerosAs({ shape, dtype, context: ctx }: NDArray): NDArray {
  return zeros(shape, { dtype, ctx })
}
