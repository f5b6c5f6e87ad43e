/** Schedules that fall by a factor every so many updates. They remember how far they have come and cannot go back. */

import { fail } from '../base/error.ts'
import { withFirst } from '../base/options.ts'
import { checkFactor, checkSteps, LRScheduler, type SchedulerOptions } from './scheduler.ts'

/** The steps of a schedule by name, for those who give all in one object. */
interface Steps<S> {
  readonly step: S
}

/** Options of `FactorScheduler`. */
export interface FactorOptions extends SchedulerOptions {
  /** The factor, 1 by default. */
  readonly factor?: number
  /** The rate never falls below it; 1e-8 by default. */
  readonly stopFactorLr?: number
}

/**
 * The rate times `factor` after every `step` updates: `base·factor^⌊(t-1)/step⌋`, at least `stopFactorLr`.
 * @throws MXNetError for a step below 1 or a factor above 1.
 * @example
 * new lrScheduler.FactorScheduler(2, { factor: 0.5, baseLr: 1 })(3) // => 0.5
 * @see MXNet `lr_scheduler.FactorScheduler`
 */
export class FactorScheduler extends LRScheduler {
  readonly step: number
  readonly factor: number
  readonly stopFactorLr: number
  #count = 0

  constructor(step: number | (FactorOptions & Steps<number>), options: FactorOptions = {}) {
    const given = withFirst<FactorOptions & Steps<number>>('step', step, options)
    super(given, ['step', 'factor', 'stopFactorLr'])
    this.step = checkSteps('FactorScheduler', 'step', given.step)
    this.factor = checkFactor('FactorScheduler', given.factor ?? 1)
    this.stopFactorLr = given.stopFactorLr ?? 1e-8
  }

  protected override rate(numUpdate: number): number {
    while (numUpdate > this.#count + this.step) {
      this.#count += this.step
      this.baseLr = Math.max(this.baseLr * this.factor, this.stopFactorLr)
    }
    return this.baseLr
  }
}

/** Options of `MultiFactorScheduler`. */
export interface MultiFactorOptions extends SchedulerOptions {
  /** The factor, 1 by default. */
  readonly factor?: number
}

/**
 * The rate times `factor` after each of the listed numbers of updates.
 * @throws MXNetError for a list that is empty or does not increase, or a factor above 1.
 * @example
 * new lrScheduler.MultiFactorScheduler([2, 5], { factor: 0.1, baseLr: 1 })(3) // => 0.1
 * @see MXNet `lr_scheduler.MultiFactorScheduler`
 */
export class MultiFactorScheduler extends LRScheduler {
  readonly step: readonly number[]
  readonly factor: number
  #next = 0

  constructor(
    steps: readonly number[] | (MultiFactorOptions & Steps<readonly number[]>),
    options: MultiFactorOptions = {},
  ) {
    const given = withFirst<MultiFactorOptions & Steps<readonly number[]>>('step', steps, options)
    super(given, ['step', 'factor'])
    const { step } = given
    if (!Array.isArray(step) || step.length === 0)
      fail('MultiFactorScheduler', `step is ${String(step)}: it must be a list of numbers`)
    step.forEach((s, i) => {
      checkSteps('MultiFactorScheduler', `step[${i}]`, s)
      if (i > 0 && s <= step[i - 1]!)
        fail('MultiFactorScheduler', `steps ${step.join(', ')} do not increase: list them in order`)
    })
    this.step = step
    this.factor = checkFactor('MultiFactorScheduler', given.factor ?? 1)
  }

  protected override rate(numUpdate: number): number {
    while (this.#next < this.step.length && numUpdate > this.step[this.#next]!) {
      this.#next++
      this.baseLr *= this.factor
    }
    return this.baseLr
  }
}
