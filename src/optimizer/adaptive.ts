/** Optimizers that divide by what gradients have been: AdaGrad, AdaDelta, RMSProp, FTRL. */

import { fail } from '../base/error.ts'
import { formatShape } from '../base/shape.ts'
import { zeros } from '../ndarray/creation.ts'
import type { NDArray } from '../ndarray/ndarray.ts'
import { FormulaOptimizer, type Step } from './formulaOptimizer.ts'
import { type OptimizerOptions, type OptimizerState, register } from './optimizer.ts'
import { zerosAs } from './state.ts'

/** Options of `AdaGrad`. */
export interface AdaGradOptions extends OptimizerOptions {
  /** Added below the root, 1e-7 by default. */
  readonly eps?: number
}

/**
 * AdaGrad (Duchi et al., 2011).
 *
 * `g = clip(rescaleGrad·grad)`, `h ← h + g²`, `w ← w - lr·(g/√(h + eps) + wd·w)`.
 * @throws MXNetError for an option that it does not have.
 * @example
 * optimizer.create('adagrad', { learningRate: 0.1 })
 * @see MXNet `optimizer.AdaGrad`
 */
export class AdaGrad extends FormulaOptimizer {
  readonly eps: number

  constructor(options: AdaGradOptions = {}) {
    super(options, ['eps'])
    this.eps = options.eps ?? 1e-7
  }

  override createState(_index: number, weight: NDArray): OptimizerState {
    return [zerosAs(weight)]
  }

  protected override step(index: number): Step {
    return { formula: 'adagrad', attrs: { ...this.numbers(index), epsilon: this.eps } }
  }
}

/**
 * AdaGrad with one history for each row of a matrix, for embeddings; without weight decay.
 *
 * `g = clip(rescaleGrad·grad)`, `h ← h + mean(g²)` along each row, `w ← w - lr·g/√(h + eps)`.
 * @throws MXNetError for a weight that is no matrix, and for weight decay.
 * @example
 * optimizer.create('groupadagrad', { learningRate: 0.1 })
 * @see MXNet `optimizer.contrib.GroupAdaGrad`
 */
export class GroupAdaGrad extends FormulaOptimizer {
  readonly eps: number

  constructor(options: AdaGradOptions = {}) {
    super(options, ['eps'])
    this.eps = options.eps ?? 1e-5
  }

  override createState(_index: number, weight: NDArray): OptimizerState {
    const { shape, dtype, context: ctx } = weight
    if (shape.length !== 2)
      fail('GroupAdaGrad', `a weight has shape ${formatShape(shape)}: it must be a matrix`)
    return [zeros([shape[0]!, 1], { dtype, ctx })]
  }

  protected override step(index: number): Step {
    const { wd, ...numbers } = this.numbers(index)
    if (wd !== 0) fail('GroupAdaGrad', `wd is ${wd}: weight decay is not part of it, leave it at 0`)
    return { formula: 'groupAdagrad', attrs: { ...numbers, epsilon: this.eps } }
  }
}

/** Options of `AdaDelta`; a learning rate is accepted and has no effect. */
export interface AdaDeltaOptions extends OptimizerOptions {
  /** Decay of both running means, 0.9 by default. */
  readonly rho?: number
  /** By default 1e-5. */
  readonly epsilon?: number
}

/**
 * AdaDelta (Zeiler, 2012), which has no learning rate.
 *
 * `g = clip(rescaleGrad·grad)`, `a ← ρ·a + (1-ρ)·g²`, `Δ = √(d + ε)/√(a + ε)·g`, `d ← ρ·d + (1-ρ)·Δ²`,
 * `w ← w - Δ - wd·w`.
 * @throws MXNetError for an option that it does not have.
 * @example
 * optimizer.create('adadelta', { rho: 0.95 })
 * @see MXNet `optimizer.AdaDelta`
 */
export class AdaDelta extends FormulaOptimizer {
  readonly rho: number
  readonly epsilon: number

  constructor(options: AdaDeltaOptions = {}) {
    super(options, ['rho', 'epsilon'])
    this.rho = options.rho ?? 0.9
    this.epsilon = options.epsilon ?? 1e-5
  }

  override createState(_index: number, weight: NDArray): OptimizerState {
    return [zerosAs(weight), zerosAs(weight)]
  }

  protected override step(index: number): Step {
    const { rho, epsilon } = this
    const { lr: _unused, ...numbers } = this.numbers(index)
    return { formula: 'adadelta', attrs: { ...numbers, rho, epsilon } }
  }
}

/** Options of `RMSProp`; the learning rate is 0.001 by default. */
export interface RMSPropOptions extends OptimizerOptions {
  /** Decay of the running mean of squares, 0.9 by default. */
  readonly gamma1?: number
  /** Momentum of the centred form, 0.9 by default. */
  readonly gamma2?: number
  /** Added below the root, 1e-8 by default. */
  readonly epsilon?: number
  /** Whether the mean of gradients is taken off their squares (Graves, 2013), with momentum; off by default. */
  readonly centered?: boolean
  /** Clamps new weights to ±this; null or 0 leaves them. */
  readonly clipWeights?: number | null
}

/**
 * RMSProp (Tieleman and Hinton, 2012), plain or centred.
 *
 * `g = clip(rescaleGrad·grad + wd·w)`, `n ← γ1·n + (1-γ1)·g²`, `w ← w - lr·g/√(n + ε)`; centred
 * `ḡ ← γ1·ḡ + (1-γ1)·g`, `δ ← γ2·δ - lr·g/√(n - ḡ² + ε)`, `w ← w + δ`.
 * @throws MXNetError for an option that it does not have.
 * @example
 * optimizer.create('rmsprop', { learningRate: 0.01, gamma1: 0.9 })
 * @see MXNet `optimizer.RMSProp`
 */
export class RMSProp extends FormulaOptimizer {
  readonly gamma1: number
  readonly gamma2: number
  readonly epsilon: number
  readonly centered: boolean
  readonly clipWeights: number | null

  constructor(options: RMSPropOptions = {}) {
    super({ ...options, learningRate: options.learningRate ?? 0.001 }, [
      'gamma1',
      'gamma2',
      'epsilon',
      'centered',
      'clipWeights',
    ])
    this.gamma1 = options.gamma1 ?? 0.9
    this.gamma2 = options.gamma2 ?? 0.9
    this.epsilon = options.epsilon ?? 1e-8
    this.centered = options.centered ?? false
    this.clipWeights = options.clipWeights ?? null
  }

  override createState(_index: number, weight: NDArray): OptimizerState {
    const count = this.centered ? 3 : 1
    return Array.from({ length: count }, () => zerosAs(weight))
  }

  protected override step(index: number): Step {
    const { gamma1, gamma2, epsilon } = this
    const attrs = {
      ...this.numbers(index),
      gamma1,
      epsilon,
      clipWeights: this.clipWeights || -1,
    }
    if (!this.centered) return { formula: 'rmsprop', attrs }
    return { formula: 'rmspropalex', attrs: { ...attrs, gamma2 } }
  }
}

/** Options of `Ftrl`; the learning rate is 0.1 by default. */
export interface FtrlOptions extends OptimizerOptions {
  /** The weight of the 1-norm, 0.01 by default. */
  readonly lamda1?: number
  /** By default 1. */
  readonly beta?: number
}

/**
 * Follow the regularized leader (McMahan et al., 2013): weights that do not matter become 0.
 *
 * `g = clip(rescaleGrad·grad)`, `z ← z + g - (√(n + g²) - √n)·w/lr`, `n ← n + g²`,
 * `w ← (sign(z)·lamda1 - z) / ((beta + √n)/lr + wd)` where `|z| > lamda1`, else 0.
 * @throws MXNetError for an option that it does not have.
 * @example
 * optimizer.create('ftrl', { lamda1: 0.1 })
 * @see MXNet `optimizer.Ftrl`
 */
export class Ftrl extends FormulaOptimizer {
  readonly lamda1: number
  readonly beta: number

  constructor(options: FtrlOptions = {}) {
    super({ ...options, learningRate: options.learningRate ?? 0.1 }, ['lamda1', 'beta'])
    this.lamda1 = options.lamda1 ?? 0.01
    this.beta = options.beta ?? 1
  }

  override createState(_index: number, weight: NDArray): OptimizerState {
    return [zerosAs(weight), zerosAs(weight)]
  }

  protected override step(index: number): Step {
    const { lamda1, beta } = this
    return { formula: 'ftrl', attrs: { ...this.numbers(index), lamda1, beta } }
  }
}

for (const klass of [AdaGrad, GroupAdaGrad, AdaDelta, RMSProp, Ftrl]) register(klass)
