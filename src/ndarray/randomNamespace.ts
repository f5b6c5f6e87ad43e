/** The namespace `mx.random`. */

export {
  exponential,
  gamma,
  generalizedNegativeBinomial,
  multinomial,
  negativeBinomial,
  normal,
  poisson,
  randint,
  randn,
  seed,
  shuffle,
  uniform,
} from './random.ts'
