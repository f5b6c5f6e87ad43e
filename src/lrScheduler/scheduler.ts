/** LRScheduler: the learning rate after so many updates, with a warm-up before the schedule proper. */

import { Callable, invoke } from '../base/callable.ts'
import { fail } from '../base/error.ts'
import { checkOptions } from '../base/options.ts'

/** Options that every scheduler takes. */
export interface SchedulerOptions {
  /** The rate to start from, 0.01 by default; an optimizer's own `learningRate` replaces it. */
  readonly baseLr?: number
  /** How many updates the warm-up takes, 0 by default. */
  readonly warmupSteps?: number
  /** The rate at which the warm-up begins, 0 by default. */
  readonly warmupBeginLr?: number
  /** 'linear' (the default) grows to the base rate, 'constant' keeps `warmupBeginLr`. */
  readonly warmupMode?: 'linear' | 'constant'
}

const schedulerOptions = ['baseLr', 'warmupSteps', 'warmupBeginLr', 'warmupMode']

export interface LRScheduler {
  /** The learning rate of the update with this number; the first update is number 1. */
  (numUpdate: number): number
}

/**
 * The base of schedulers: called with the number of updates so far, it gives the learning rate.
 *
 * During the warm-up of n steps it is `begin + (base - begin)·t/n`, or `begin` in 'constant' mode; then `rate` decides.
 * @throws MXNetError for unknown options, a warm-up that begins above the base rate, or a negative number of steps.
 * @example
 * class Halving extends lrScheduler.LRScheduler {
 *   protected override rate(numUpdate: number): number { return this.baseLr * 0.5 ** numUpdate }
 * }
 * @see MXNet `python/mxnet/lr_scheduler.py` (LRScheduler)
 */
// biome-ignore lint/suspicious/noUnsafeDeclarationMerging: the interface holds only the call signature
export class LRScheduler extends Callable {
  /** The rate that the schedule has reached, or starts from. */
  baseLr: number
  readonly warmupSteps: number
  readonly warmupBeginLr: number
  readonly warmupFinalLr: number
  readonly warmupMode: 'linear' | 'constant'

  /** `ownNames` are the names of a subclass's own options. */
  constructor(options: SchedulerOptions = {}, ownNames: readonly string[] = []) {
    super()
    const where = new.target.name
    checkOptions(where, options, [...schedulerOptions, ...ownNames])
    this.baseLr = options.baseLr ?? 0.01
    this.warmupSteps = options.warmupSteps ?? 0
    this.warmupBeginLr = options.warmupBeginLr ?? 0
    this.warmupFinalLr = this.baseLr
    this.warmupMode = options.warmupMode ?? 'linear'
    if (this.warmupBeginLr > this.warmupFinalLr) {
      fail(
        where,
        `warmupBeginLr ${this.warmupBeginLr} is above baseLr ${this.baseLr}: a warm-up begins at or below it`,
      )
    }
    if (this.warmupSteps < 0)
      fail(where, `warmupSteps is ${this.warmupSteps}: it must be at least 0`)
    if (this.warmupMode !== 'linear' && this.warmupMode !== 'constant')
      fail(where, `warmupMode is '${String(this.warmupMode)}': use 'linear' or 'constant'`)
  }

  override [invoke](args: readonly unknown[]): number {
    const numUpdate = args[0] as number
    return numUpdate < this.warmupSteps ? this.getWarmupLr(numUpdate) : this.rate(numUpdate)
  }

  /** The rate within the warm-up. */
  getWarmupLr(numUpdate: number): number {
    if (this.warmupMode === 'constant') return this.warmupBeginLr
    const growth = this.warmupFinalLr - this.warmupBeginLr
    return this.warmupBeginLr + (growth * numUpdate) / this.warmupSteps
  }

  /** The rate after the warm-up; a subclass overrides it. */
  protected rate(_numUpdate: number): number {
    return fail(this.constructor.name, 'rate is not implemented: override it')
  }
}

/** A factor by which rates shrink. */
export function checkFactor(where: string, factor: number): number {
  if (!(factor <= 1)) fail(where, `factor is ${String(factor)}: it must be at most 1`)
  return factor
}

/** A number of updates. */
export function checkSteps(where: string, name: string, steps: number): number {
  if (!Number.isInteger(steps) || steps < 1)
    fail(where, `${name} is ${String(steps)}: it must be an integer of at least 1`)
  return steps
}
