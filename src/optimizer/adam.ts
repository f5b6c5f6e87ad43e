/** Adam: steps scaled by running means of the gradient and of its square. */

import type { NDArray } from '../ndarray/ndarray.ts'
import { multiUpdate } from '../ops/update.ts'
import { Optimizer, type OptimizerOptions, type OptimizerState, register } from './optimizer.ts'
import { zerosAs } from './state.ts'

/** Options of `Adam`; the learning rate is 0.001 by default. */
export interface AdamOptions extends OptimizerOptions {
  /** Decay of the running mean, 0.9 by default. */
  readonly beta1?: number
  /** Decay of the running mean of squares, 0.999 by default. */
  readonly beta2?: number
  /** Added to the root, 1e-8 by default. */
  readonly epsilon?: number
}

/**
 * Adam (Kingma and Ba, 2015).
 *
 * `g = clip(rescaleGrad·grad + wd·w)`, `m ← β1·m + (1-β1)·g`, `v ← β2·v + (1-β2)·g²`,
 * `w ← w - lr·√(1-β2ᵗ)/(1-β1ᵗ)·m / (√v + epsilon)` at the t-th update.
 * @throws MXNetError for an option that it does not have.
 * @example
 * new gluon.Trainer(net.collectParams(), 'adam', { learningRate: 0.01 })
 * @see MXNet `optimizer.Adam`
 */
export class Adam extends Optimizer {
  readonly beta1: number
  readonly beta2: number
  readonly epsilon: number

  constructor(options: AdamOptions = {}) {
    super({ ...options, learningRate: options.learningRate ?? 0.001 }, [
      'beta1',
      'beta2',
      'epsilon',
    ])
    this.beta1 = options.beta1 ?? 0.9
    this.beta2 = options.beta2 ?? 0.999
    this.epsilon = options.epsilon ?? 1e-8
  }

  override createState(_index: number, weight: NDArray): OptimizerState {
    return [zerosAs(weight), zerosAs(weight)]
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
    const { rescaleGrad, clip: clipGradient, beta1, beta2, epsilon } = this
    const rate = (index: number): number => {
      const t = this.countOf(index)
      return (this.lrOf(index) * Math.sqrt(1 - beta2 ** t)) / (1 - beta1 ** t)
    }
    for (const { lr, wd, ...g } of this.group(indices, weights, grads, states, rate)) {
      const numbers = { lr, wd, rescaleGrad, clipGradient, beta1, beta2, epsilon }
      multiUpdate('adam', g.weights, g.grads, g.states, numbers)
    }
  }
}

register(Adam)
