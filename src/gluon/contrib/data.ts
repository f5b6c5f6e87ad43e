/** `gluon.contrib.data`: samplers that MXNet keeps apart. */

import { fail } from '../../base/error.ts'
import { Sampler } from '../data/sampler.ts'

/**
 * Every `interval`-th index from 0, then from 1, and so on; without `rollover` only those from 0.
 * @throws MXNetError unless `interval` is an integer from 1 to `length`.
 * @example
 * [...new gluon.contrib.data.IntervalSampler(5, 3)] // => [0, 3, 1, 4, 2]
 * @see MXNet `gluon.contrib.data.IntervalSampler`
 */
export class IntervalSampler extends Sampler {
  readonly length: number
  readonly #total: number
  readonly #interval: number
  readonly #starts: number

  constructor(length: number, interval: number, rollover = true) {
    super()
    const whole = Number.isInteger(length) && Number.isInteger(interval)
    if (!whole || interval < 1 || interval > length)
      fail(
        'IntervalSampler',
        `interval is ${String(interval)}: it must be an integer from 1 to length, ${String(length)}`,
      )
    this.#total = length
    this.#interval = interval
    this.#starts = rollover ? interval : 1
    this.length = rollover ? length : Math.ceil(length / interval)
  }

  *[Symbol.iterator](): Generator<number, void> {
    for (let start = 0; start < this.#starts; start++)
      for (let i = start; i < this.#total; i += this.#interval) yield i
  }
}
