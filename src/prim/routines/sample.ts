/** Random numbers of distributions that need loops: counter-based, each element with a stream of its own. */

import { threefry } from '../../base/random.ts'
import { gammaln } from '../../base/special.ts'
import type { Floats, Routine } from './routine.ts'

/** The distributions; the place in this list is the number of the distribution. */
export const distributions = [
  'uniform',
  'normal',
  'exponential',
  'gamma',
  'poisson',
  'negativeBinomial',
  'generalizedNegativeBinomial',
] as const
/** A distribution. */
export type Distribution = (typeof distributions)[number]

/** The stream of one element: uniform numbers in (0, 1). */
class Stream {
  #key0 = 0
  #key1 = 0
  #count = 0

  start(key0: number, key1: number, element: number): void {
    this.#key0 = key0
    this.#key1 = (key1 + element) | 0
    this.#count = 0
  }

  uniform(): number {
    return ((threefry(this.#key0, this.#key1, this.#count++) >>> 0) + 0.5) / 4294967296
  }

  normal(): number {
    const radius = Math.sqrt(-2 * Math.log(this.uniform()))
    return radius * Math.cos(2 * Math.PI * this.uniform())
  }

  /** Marsaglia and Tsang's method; below 1 by a power of a uniform number. */
  gamma(alpha: number): number {
    if (!(alpha > 0)) return alpha === 0 ? 0 : Number.NaN
    if (alpha < 1) return this.gamma(alpha + 1) * this.uniform() ** (1 / alpha)
    const d = alpha - 1 / 3
    const c = 1 / Math.sqrt(9 * d)
    for (;;) {
      const x = this.normal()
      const v = (1 + c * x) ** 3
      if (v <= 0) continue
      const u = this.uniform()
      if (Math.log(u) < 0.5 * x * x + d - d * v + d * Math.log(v)) return d * v
    }
  }

  /** Products of uniform numbers where the mean is small, else Hörmann's transformed rejection. */
  poisson(mean: number): number {
    if (!(mean >= 0) || mean === Number.POSITIVE_INFINITY) return Number.NaN
    if (mean < 12) {
      const limit = Math.exp(-mean)
      let [k, product] = [0, this.uniform()]
      while (product > limit) {
        k++
        product *= this.uniform()
      }
      return k
    }
    const b = 0.931 + 2.53 * Math.sqrt(mean)
    const a = -0.059 + 0.02483 * b
    const inverse = 1.1239 + 1.1328 / (b - 3.4)
    const limit = 0.9277 - 3.6224 / (b - 2)
    for (;;) {
      const u = this.uniform() - 0.5
      const v = this.uniform()
      const us = 0.5 - Math.abs(u)
      const k = Math.floor(((2 * a) / us + b) * u + mean + 0.43)
      if (us >= 0.07 && v <= limit) return k
      if (k < 0 || (us < 0.013 && v > us)) continue
      const left = Math.log((v * inverse) / (a / (us * us) + b))
      if (left <= k * Math.log(mean) - mean - gammaln(k + 1)) return k
    }
  }
}

type Draw = (stream: Stream, p: number, q: number) => number

const draws: Record<Distribution, Draw> = {
  uniform: (s, low, high) => low + (high - low) * s.uniform(),
  normal: (s, mean, deviation) => mean + deviation * s.normal(),
  exponential: (s, rate) => -Math.log(s.uniform()) / rate,
  gamma: (s, alpha, scale) => scale * s.gamma(alpha),
  poisson: (s, mean) => s.poisson(mean),
  negativeBinomial: (s, k, p) => (p === 1 ? 0 : s.poisson((s.gamma(k) * (1 - p)) / p)),
  generalizedNegativeBinomial: (s, mean, alpha) =>
    s.poisson(alpha === 0 ? mean : s.gamma(1 / alpha) * alpha * mean),
}

/**
 * Numbers: the distribution, how many draws for each set of parameters. Inputs: two key words (int32), then the
 * parameters, an array each.
 */
export const sample: Routine = ([keys, first, second], output, [code, count]) => {
  const draw = draws[distributions[code!]!]
  const stream = new Stream()
  const [key0, key1] = keys as Int32Array
  const [p, q] = [first as Floats, second as Floats | undefined]
  let at = 0
  for (let i = 0; i < p.length; i++) {
    for (let j = 0; j < count!; j++, at++) {
      stream.start(key0!, key1!, at)
      output[at] = draw(stream, p[i]!, q === undefined ? 0 : q[i]!)
    }
  }
}

/** Numbers: rows, categories, draws a row. Inputs: two key words, then the weights, which need not sum to one. */
export const categorical: Routine = ([keys, weights], output, [rows, categories, count]) => {
  const stream = new Stream()
  const [key0, key1] = keys as Int32Array
  const w = weights as Floats
  for (let r = 0; r < rows!; r++) {
    let total = 0
    for (let c = 0; c < categories!; c++) total += w[r * categories! + c]!
    for (let j = 0; j < count!; j++) {
      const at = r * count! + j
      stream.start(key0!, key1!, at)
      let rest = stream.uniform() * total
      let chosen = 0
      for (let c = 0; c < categories!; c++) {
        const share = w[r * categories! + c]!
        if (share > 0) chosen = c
        rest -= share
        if (rest < 0) break
      }
      output[at] = chosen
    }
  }
}
