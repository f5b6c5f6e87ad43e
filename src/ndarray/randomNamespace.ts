/** The namespace `mx.random`. */

export { normal, randint, randn, seed, shuffle, uniform } from './random.ts'
