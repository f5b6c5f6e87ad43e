/** Updater: an optimizer with the states of the parameters of one device. */

import { type Context, cpu } from '../base/context.ts'
import { fail } from '../base/error.ts'
import { frame, withFrame } from '../core/frame.ts'
import { array } from '../ndarray/creation.ts'
import type { NDArray } from '../ndarray/ndarray.ts'
import { addN } from '../ops/binary.ts'
import type { Gradient } from '../ops/multiUpdate.ts'
import { FormulaOptimizer } from './formulaOptimizer.ts'
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

  /**
   * Updates many parameters in place, in as few calls as the optimizer can. A gradient may be a list, whose arrays, on
   * the device of the weight, are added up.
   */
  updateAll(
    indices: readonly number[],
    given: readonly Gradient<NDArray>[],
    weights: readonly NDArray[],
  ): void {
    if (frame.recording)
      return withFrame({ recording: false }, () => this.updateAll(indices, given, weights))
    const { multiPrecision } = this.optimizer
    const full = multiPrecision
      ? weights.map((weight, i) => this.#masterOf(indices[i]!, weight))
      : weights
    if (this.optimizer instanceof FormulaOptimizer) {
      const states = indices.map((index, i) => {
        const own = this.#stateOf(index, full[i]!)
        return full[i] === weights[i] ? own : [...own, full[i]!]
      })
      return this.optimizer.updateAll(indices, weights, given, states)
    }
    const grads = given.map((g) => (Array.isArray(g) ? addN(...(g as NDArray[])) : (g as NDArray)))
    if (!multiPrecision) return this.#apply(indices, grads, weights)
    // An optimizer of one's own works on the float32 copies as on any weights.
    const exact = grads.map((grad, i) => (full[i] === weights[i] ? grad : grad.astype('float32')))
    this.#apply(indices, exact, full)
    weights.forEach((weight, i) => {
      if (full[i] !== weight) weight.assign(full[i]!)
    })
  }

  /**
   * The states as arrays by name: `3/0` is the first state of parameter 3, `3/master` its float32 copy. With
   * `dumpOptimizer` the optimizer's numbers are among them, as text in `optimizer`.
   * @see MXNet `Updater.get_states`
   */
  getStates(dumpOptimizer = false): { [name: string]: NDArray } {
    const arrays: { [name: string]: NDArray } = {}
    for (const [index, state] of this.states)
      state.forEach((x, k) => {
        arrays[`${index}/${k}`] = x.detach()
      })
    for (const [index, master] of this.masters) arrays[`${index}/master`] = master.detach()
    const text = JSON.stringify(dumpOptimizer ? this.optimizer.dump() : {})
    arrays.optimizer = array(new TextEncoder().encode(text), { ctx: cpu() })
    return arrays
  }

  /**
   * Takes over states that `getStates` gave; arrays go to `ctx`. The optimizer's numbers are taken over if they are there.
   * @throws MXNetError when the arrays are not such states, or those of another optimizer.
   * @see MXNet `Updater.set_states`
   */
  setStates(arrays: NDArray[] | { readonly [name: string]: NDArray }, ctx: Context = cpu()): void {
    const named = arrays as { readonly [name: string]: NDArray }
    if (Array.isArray(arrays) || named.optimizer === undefined)
      fail('Updater', 'these are no optimizer states: give what getStates or saveStates made')
    const text = new TextDecoder().decode(named.optimizer.asTypedArraySync() as Uint8Array)
    this.optimizer.restore(JSON.parse(text) as { readonly [name: string]: unknown })
    this.states.clear()
    this.masters.clear()
    for (const [name, x] of Object.entries(named)) {
      const place = /^(\d+)\/(\d+|master)$/.exec(name)
      if (place === null) continue
      const [index, which] = [Number(place[1]), place[2]!]
      const here = x.copyTo(ctx)
      if (which === 'master') this.masters.set(index, here)
      else this.states.set(index, [...(this.states.get(index) ?? []), here])
    }
  }

  /** Goes on with the states of another updater of the same device. */
  takeOver(other: Updater): void {
    for (const [index, state] of other.states) this.states.set(index, state)
    for (const [index, master] of other.masters) this.masters.set(index, master)
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
