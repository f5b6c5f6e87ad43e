/** Gradient descent: plain, with momentum, by signs, with noise, with delay compensation. */

import type { NDArray } from '../ndarray/ndarray.ts'
import type { Gradient } from '../ops/multiUpdate.ts'
import { FormulaOptimizer, type Step } from './formulaOptimizer.ts'
import { type OptimizerOptions, type OptimizerState, register } from './optimizer.ts'
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
export class SGD extends FormulaOptimizer {
  readonly momentum: number

  constructor(options: SGDOptions = {}) {
    super(options, ['momentum'])
    this.momentum = options.momentum ?? 0
  }

  override createState(_index: number, weight: NDArray): OptimizerState {
    return this.momentum === 0 ? [] : [zerosAs(weight)]
  }

  protected override step(index: number): Step {
    const { momentum } = this
    if (momentum === 0) return { formula: 'sgd', attrs: this.numbers(index) }
    return { formula: 'momentum', attrs: { ...this.numbers(index), momentum } }
  }
}

/**
 * SGD under the name of MXNet's former C++ version.
 * @example
 * optimizer.create('ccsgd', { learningRate: 0.1 })
 * @see MXNet `optimizer.ccSGD`
 */
export class ccSGD extends SGD {}

/**
 * Nesterov's accelerated gradient; without momentum the same as `SGD`.
 *
 * `g = clip(rescaleGrad·grad)`, `v = momentum·m`, `w' = w - v + (momentum + 1)·(v - lr·(g + wd·w))`,
 * `m ← v - lr·(g + wd·w')`, `w ← w'`.
 * @throws MXNetError for an option that it does not have.
 * @example
 * optimizer.create('nag', { learningRate: 0.1, momentum: 0.9 })
 * @see MXNet `optimizer.NAG`
 */
export class NAG extends SGD {
  protected override step(index: number): Step {
    const step = super.step(index)
    return step.formula === 'momentum' ? { ...step, formula: 'nag' } : step
  }
}

/** Options of `Signum`. */
export interface SignumOptions extends OptimizerOptions {
  /** 0.9 by default; 0 makes it signSGD. */
  readonly momentum?: number
  /** Weight decay apart from the momentum; 0 by default. */
  readonly wdLh?: number
}

/**
 * Steps by the sign of the momentum (Bernstein et al., 2018).
 *
 * `m ← momentum·m - (1 - momentum)·(wd·w + clip(rescaleGrad·grad))`, `w ← (1 - lr·wdLh)·w + lr·sign(m)`;
 * without momentum `w ← (1 - lr·wd)·w - lr·sign(grad)`.
 * @throws MXNetError for an option that it does not have.
 * @example
 * optimizer.create('signum', { learningRate: 0.01, momentum: 0.9 })
 * @see MXNet `optimizer.Signum`
 */
export class Signum extends FormulaOptimizer {
  readonly momentum: number
  readonly wdLh: number

  constructor(options: SignumOptions = {}) {
    super(options, ['momentum', 'wdLh'])
    this.momentum = options.momentum ?? 0.9
    this.wdLh = options.wdLh ?? 0
  }

  override createState(_index: number, weight: NDArray): OptimizerState {
    return this.momentum === 0 ? [] : [zerosAs(weight)]
  }

  protected override step(index: number): Step {
    const { momentum, wdLh } = this
    if (momentum === 0) return { formula: 'signsgd', attrs: this.numbers(index) }
    return { formula: 'signum', attrs: { ...this.numbers(index), momentum, wdLh } }
  }
}

/**
 * Stochastic gradient Langevin dynamics: samples from the posterior (Welling and Teh, 2011).
 *
 * `w ← w - lr/2·(clip(rescaleGrad·grad) + wd·w) + N(0, lr)`; the noise follows `mx.random.seed`.
 * @example
 * optimizer.create('sgld', { learningRate: 0.01 })
 * @see MXNet `optimizer.SGLD`
 */
export class SGLD extends FormulaOptimizer {
  protected override step(index: number): Step {
    return { formula: 'sgld', attrs: this.numbers(index) }
  }

  /** One call for each parameter: each has noise of its own. */
  override updateAll(
    indices: readonly number[],
    weights: readonly NDArray[],
    grads: readonly Gradient<NDArray>[],
    states: readonly OptimizerState[],
  ): void {
    indices.forEach((index, i) => {
      super.updateAll([index], [weights[i]!], [grads[i]!], [states[i]!])
    })
  }
}

/** Options of `DCASGD`. */
export interface DCASGDOptions extends OptimizerOptions {
  /** By default 0. */
  readonly momentum?: number
  /** How much of the delay is made up for, 0.04 by default. */
  readonly lamda?: number
}

/**
 * SGD that makes up for late gradients (Zheng et al., 2017).
 *
 * `m ← momentum·m - lr·(g + wd·w + lamda·g²·(w - w_before))`, `w_before ← w`, `w ← w + m`.
 * @throws MXNetError for an option that it does not have.
 * @example
 * optimizer.create('dcasgd', { learningRate: 0.1 })
 * @see MXNet `optimizer.DCASGD`
 */
export class DCASGD extends FormulaOptimizer {
  readonly momentum: number
  readonly lamda: number

  constructor(options: DCASGDOptions = {}) {
    super(options, ['momentum', 'lamda'])
    this.momentum = options.momentum ?? 0
    this.lamda = options.lamda ?? 0.04
  }

  override createState(_index: number, weight: NDArray): OptimizerState {
    const before = weight.detach().copy()
    return this.momentum === 0 ? [before] : [zerosAs(weight), before]
  }

  protected override step(index: number): Step {
    const { momentum, lamda } = this
    const formula = momentum === 0 ? 'dcasgd' : 'dcasgdMomentum'
    return { formula, attrs: { ...this.numbers(index), momentum, lamda } }
  }
}

/**
 * Adds the rescaled gradient to the weight: for tests of what stands around an optimizer.
 * @example
 * optimizer.create('test')
 * @see MXNet `optimizer.Test`
 */
export class Test extends FormulaOptimizer {
  override createState(_index: number, weight: NDArray): OptimizerState {
    return [zerosAs(weight)]
  }

  protected override step(_index: number): Step {
    return { formula: 'test', attrs: { rescaleGrad: this.rescaleGrad } }
  }
}

for (const klass of [SGD, ccSGD, NAG, Signum, SGLD, DCASGD, Test]) register(klass)
