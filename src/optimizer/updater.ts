/** Updater: an optimizer with the states of the parameters of one device. */

import { frame, withFrame } from '../core/frame.ts'
import type { NDArray } from '../ndarray/ndarray.ts'
import type { Optimizer, OptimizerState } from './optimizer.ts'

/**
 * Updates parameters by index, making their states at the first update.
 * @example
 * const updater = optimizer.getUpdater(new optimizer.SGD())
 * updater.update(0, grad, weight)
 * @see MXNet `optimizer.Updater`
 */
export class Updater {
  readonly optimizer: Optimizer
  /** States by index. */
  readonly states = new Map<number, OptimizerState>()
  /** Float32 copies of half-precision weights by index, where the optimizer asks for them. */
  readonly masters = new Map<number, NDArray>()

  constructor(optimizer: Optimizer) {
    this.optimizer = optimizer
  }

  /** Updates one parameter in place; note the order: gradient, then weight. */
  update(index: number, grad: NDArray, weight: NDArray): void {
    this.updateAll([index], [grad], [weight])
  }

  /** Updates many parameters in place, in as few calls as the optimizer can. */
  updateAll(
    indices: readonly number[],
    grads: readonly NDArray[],
    weights: readonly NDArray[],
  ): void {
    if (frame.recording)
      return withFrame({ recording: false }, () => this.updateAll(indices, grads, weights))
    if (!this.optimizer.multiPrecision) return this.#apply(indices, grads, weights)
    const full = weights.map((weight, i) => this.#masterOf(indices[i]!, weight))
    const precise = grads.map((grad, i) => (full[i] === weights[i] ? grad : grad.astype('float32')))
    this.#apply(indices, precise, full)
    weights.forEach((weight, i) => {
      if (full[i] !== weight) weight.assign(full[i]!)
    })
  }

  #apply(indices: readonly number[], grads: readonly NDArray[], weights: readonly NDArray[]): void {
    const states = indices.map((index, i) => this.#stateOf(index, weights[i]!))
    this.optimizer.updateAll(indices, weights, grads, states)
  }

  #stateOf(index: number, weight: NDArray): OptimizerState {
    let state = this.states.get(index)
    if (state === undefined) {
      state = this.optimizer.createState(index, weight)
      this.states.set(index, state)
    }
    return state
  }

  /** The array that is really updated: the weight, or its float32 copy. */
  #masterOf(index: number, weight: NDArray): NDArray {
    if (weight.dtype !== 'float16' && weight.dtype !== 'bfloat16') return weight
    let master = this.masters.get(index)
    if (master === undefined) {
      master = weight.detach().astype('float32')
      this.masters.set(index, master)
    }
    return master
  }
}

/**
 * An updater of an optimizer.
 * @example
 * optimizer.getUpdater(optimizer.create('sgd')).update(0, grad, weight)
 * @see MXNet `optimizer.get_updater`
 */
export function getUpdater(optimizer: Optimizer): Updater {
  return new Updater(optimizer)
}
