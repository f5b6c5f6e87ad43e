/** The namespace `nd`: arrays, and every operator as a function of them. */

import * as randomArrays from './random.ts'

export * as image from '../ops/image.ts'
export * from '../ops/index.ts'
export * as linalg from '../ops/linalg.ts'
export * as contrib from './contrib.ts'
export { arange, array, empty, eye, full, linspace, ones, zeros } from './creation.ts'
export { load, loadFromBuffer, save, saveToBuffer } from './files.ts'
export { onehotEncode } from './indexing.ts'
export { NDArray } from './ndarray.ts'
export { scope } from './scope.ts'
export { waitAll } from './wait.ts'

/** Random arrays: `nd.random.uniform`, `normal`, `gamma`, `multinomial`, `shuffle` and the others. */
export const random = {
  uniform: randomArrays.uniform,
  normal: randomArrays.normal,
  randn: randomArrays.randn,
  randint: randomArrays.randint,
  exponential: randomArrays.exponential,
  gamma: randomArrays.gamma,
  poisson: randomArrays.poisson,
  negativeBinomial: randomArrays.negativeBinomial,
  generalizedNegativeBinomial: randomArrays.generalizedNegativeBinomial,
  multinomial: randomArrays.multinomial,
  shuffle: randomArrays.shuffle,
}
/** The slices of axis 0 in random order; another name of `random.shuffle`. */
export const { shuffle } = randomArrays
