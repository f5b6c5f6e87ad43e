/** Schedules that fall smoothly to a final rate: polynomial and cosine. */

import { withFirst } from '../base/options.ts'
import { checkSteps, LRScheduler, type SchedulerOptions } from './scheduler.ts'

/** Options of `CosineScheduler`. */
export interface CosineOptions extends SchedulerOptions {
  /** The rate at the end, 0 by default. */
  readonly finalLr?: number
}
/** Options of `PolyScheduler`. */
export interface PolyOptions extends CosineOptions {
  /** The power, 2 by default. */
  readonly pwr?: number
}

/** The end of a schedule by name, for those who give all in one object. */
interface Until {
  readonly maxUpdate: number
}

/** Falls from the base rate given at construction to a final one at `maxUpdate`, and stays. */
abstract class Falling extends LRScheduler {
  readonly maxUpdate: number
  readonly finalLr: number
  readonly #start: number

  constructor(where: string, options: CosineOptions & Until, ownNames: readonly string[]) {
    super(options, ['maxUpdate', 'finalLr', ...ownNames])
    this.maxUpdate = checkSteps(where, 'maxUpdate', options.maxUpdate)
    this.finalLr = options.finalLr ?? 0
    this.#start = this.baseLr
  }

  /** What is left of the fall when a share of the way is done. */
  protected abstract left(done: number): number

  protected override rate(numUpdate: number): number {
    if (numUpdate <= this.maxUpdate) {
      const done = (numUpdate - this.warmupSteps) / (this.maxUpdate - this.warmupSteps)
      this.baseLr = this.finalLr + (this.#start - this.finalLr) * this.left(done)
    }
    return this.baseLr
  }
}

/**
 * A polynomial fall: `final + (base - final)·(1 - (t - warmup)/(maxUpdate - warmup))^pwr`, constant after `maxUpdate`.
 *
 * The base rate is the one given here: an optimizer's `learningRate` does not replace it, as in MXNet.
 * @throws MXNetError when `maxUpdate` is not an integer of at least 1.
 * @example
 * new lrScheduler.PolyScheduler(10, { baseLr: 1, pwr: 1 })(5) // => 0.5
 * @see MXNet `lr_scheduler.PolyScheduler`
 */
export class PolyScheduler extends Falling {
  readonly power: number

  constructor(maxUpdate: number | (PolyOptions & Until), options: PolyOptions = {}) {
    const given = withFirst<PolyOptions & Until>('maxUpdate', maxUpdate, options)
    super('PolyScheduler', given, ['pwr'])
    this.power = given.pwr ?? 2
  }

  protected override left(done: number): number {
    return (1 - done) ** this.power
  }
}

/**
 * Half a cosine: `final + (base - final)·(1 + cos(π·(t - warmup)/(maxUpdate - warmup)))/2`, constant after `maxUpdate`.
 *
 * The base rate is the one given here: an optimizer's `learningRate` does not replace it, as in MXNet.
 * @throws MXNetError when `maxUpdate` is not an integer of at least 1.
 * @example
 * new lrScheduler.CosineScheduler(10, { baseLr: 1, finalLr: 0.1 })(10) // => 0.1
 * @see MXNet `lr_scheduler.CosineScheduler`
 */
export class CosineScheduler extends Falling {
  constructor(maxUpdate: number | (CosineOptions & Until), options: CosineOptions = {}) {
    super('CosineScheduler', withFirst('maxUpdate', maxUpdate, options), [])
  }

  protected override left(done: number): number {
    return (1 + Math.cos(Math.PI * done)) / 2
  }
}
