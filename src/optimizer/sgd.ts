/** SGD: stochastic gradient descent, with or without momentum. */

import type { NDArray } from '../ndarray/ndarray.ts'
import { multiUpdate } from '../ops/update.ts'
import { Optimizer, type OptimizerOptions, type OptimizerState, register } from './optimizer.ts'
import { zerosAs } from './state.ts'

/** Options of `SGD`. */
export interface SGDOptions extends OptimizerOptions {
  /** By default 0: no momentum and no state. */
  readonly momentum?: number
}

/**
 * Stochastic gradient descent.
 *
 * `g = clip(rescaleGrad·grad)`; without momentum `w ← (1 - lr·wd)·w - lr·g`,
 * with it `m ← momentum·m - lr·(g + wd·w)`, `w ← w + m`.
 * @throws MXNetError for an option that it does not have.
 * @example
 * new gluon.Trainer(net.collectParams(), new optimizer.SGD({ learningRate: 0.1, momentum: 0.9 }))
 * @see MXNet `optimizer.SGD`
 */
export class SGD extends Optimizer {
  readonly momentum: number

  constructor(options: SGDOptions = {}) {
    super(options, ['momentum'])
    this.momentum = options.momentum ?? 0
  }

  override createState(_index: number, weight: NDArray): OptimizerState {
    return this.momentum === 0 ? [] : [zerosAs(weight)]
  }

  override update(index: number, weight: NDArray, grad: NDArray, state: OptimizerState): void {
    this.updateAll([index], [weight], [grad], [state])
  }

  override updateAll(
    indices: readonly number[],
    weights: readonly NDArray[],
    grads: readonly NDArray[],
    states: readonly OptimizerState[],
  ): void {
    const { rescaleGrad, clip: clipGradient, momentum } = this
    for (const g of this.group(indices, weights, grads, states)) {
      const numbers = { lr: g.lr, wd: g.wd, rescaleGrad, clipGradient }
      if (momentum === 0) multiUpdate('sgd', g.weights, g.grads, g.states, numbers)
      else multiUpdate('momentum', g.weights, g.grads, g.states, { ...numbers, momentum })
    }
  }
}

register(SGD)
