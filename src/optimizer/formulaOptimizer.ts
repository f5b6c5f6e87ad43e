/** FormulaOptimizer: an optimizer whose update is an operator, so many parameters are updated in one call. */

import type { NDArray } from '../ndarray/ndarray.ts'
import type { FormulaName } from '../ops/formula.ts'
import { type Gradient, hasCopy, multiUpdate } from '../ops/multiUpdate.ts'
import { Optimizer, type OptimizerState } from './optimizer.ts'

/** What one update of a parameter computes. Parameters with equal steps are updated in one call. */
export interface Step {
  readonly formula: FormulaName
  readonly attrs: { readonly [name: string]: number | boolean }
}

/**
 * The base of optimizers that choose a formula and its numbers for each parameter. Behind a parameter's states may stand the
 * float32 copy of a half-precision weight, by which it is then updated.
 */
export abstract class FormulaOptimizer extends Optimizer {
  /** The formula of a parameter and its numbers, once for each update, after it has been counted. */
  protected abstract step(index: number): Step

  /** The numbers that almost every formula takes. */
  protected numbers(index: number): {
    lr: number
    wd: number
    rescaleGrad: number
    clipGradient: number
  } {
    const { rescaleGrad, clip: clipGradient } = this
    return { lr: this.lrOf(index), wd: this.wdOf(index), rescaleGrad, clipGradient }
  }

  override update(index: number, weight: NDArray, grad: NDArray, state: OptimizerState): void {
    this.updateAll([index], [weight], [grad], [state])
  }

  /** As of any optimizer; a gradient may also be given as a list, whose arrays are added up on the way. */
  override updateAll(
    indices: readonly number[],
    weights: readonly NDArray[],
    grads: readonly Gradient<NDArray>[],
    states: readonly OptimizerState[],
  ): void {
    this.updateCount(indices)
    const groups = new Map<string, Step & { readonly members: number[] }>()
    indices.forEach((index, i) => {
      const step = this.step(index)
      const copy = hasCopy(step.formula, states[i]!.length)
      const grad = grads[i]!
      const count = Array.isArray(grad) ? grad.length : 1
      const key = `${step.formula} ${copy} ${count} ${Object.values(step.attrs).join()}`
      const group = groups.get(key)
      if (group === undefined) groups.set(key, { ...step, members: [i] })
      else group.members.push(i)
    })
    for (const { formula, attrs, members } of groups.values()) {
      const pick = <T>(list: readonly T[]): T[] => members.map((i) => list[i]!)
      multiUpdate(formula, pick(weights), pick(grads), pick(states), attrs)
    }
  }
}
