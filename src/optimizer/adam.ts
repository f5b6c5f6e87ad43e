/** Adam and its kin: steps scaled by running means of the gradient and of its powers. */

import type { NDArray } from '../ndarray/ndarray.ts'
import { FormulaOptimizer, type Step } from './formulaOptimizer.ts'
import { type OptimizerOptions, type OptimizerState, register } from './optimizer.ts'
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
export class Adam extends FormulaOptimizer {
  readonly beta1: number
  readonly beta2: number
  readonly epsilon: number

  constructor(options: AdamOptions = {}, ownNames: readonly string[] = []) {
    super({ ...options, learningRate: options.learningRate ?? 0.001 }, [
      'beta1',
      'beta2',
      'epsilon',
      ...ownNames,
    ])
    this.beta1 = options.beta1 ?? 0.9
    this.beta2 = options.beta2 ?? 0.999
    this.epsilon = options.epsilon ?? 1e-8
  }

  override createState(_index: number, weight: NDArray): OptimizerState {
    return [zerosAs(weight), zerosAs(weight)]
  }

  protected override step(index: number): Step {
    const { beta1, beta2, epsilon } = this
    const t = this.countOf(index)
    const { lr, ...others } = this.numbers(index)
    const corrected = (lr * Math.sqrt(1 - beta2 ** t)) / (1 - beta1 ** t)
    return { formula: 'adam', attrs: { ...others, lr: corrected, beta1, beta2, epsilon } }
  }
}

/** Options of `AdamW`; the learning rate is 0.001 and epsilon 1e-6 by default. */
export interface AdamWOptions extends AdamOptions {
  /** Whether the means are corrected for their start at 0 (the default). */
  readonly correctBias?: boolean
}

/**
 * Adam whose weight decay stands apart from the gradient (Loshchilov and Hutter, 2019).
 *
 * `g = clip(rescaleGrad·grad)`, means as `Adam`'s, `w ← w - lr·√(1-β2ᵗ)/(1-β1ᵗ)·m / (√v + epsilon) - lr·wd·w`.
 * MXNet 1.9.1 has the operator alone; the class is MXNet 2.0's.
 * @throws MXNetError for an option that it does not have.
 * @example
 * optimizer.create('adamw', { learningRate: 0.001, wd: 0.01 })
 * @see MXNet `optimizer.AdamW`
 */
export class AdamW extends Adam {
  readonly correctBias: boolean

  constructor(options: AdamWOptions = {}) {
    super({ ...options, epsilon: options.epsilon ?? 1e-6 }, ['correctBias'])
    this.correctBias = options.correctBias ?? true
  }

  protected override step(index: number): Step {
    const { beta1, beta2, epsilon } = this
    const t = this.countOf(index)
    const { lr, wd, ...others } = this.numbers(index)
    const factor = this.correctBias ? Math.sqrt(1 - beta2 ** t) / (1 - beta1 ** t) : 1
    const own = { lr: lr * factor, wd: lr * wd, eta: 1, beta1, beta2, epsilon }
    return { formula: 'decoupledAdam', attrs: { ...others, ...own } }
  }
}

/**
 * Adam by the largest gradient instead of the mean of squares (Kingma and Ba, 2015); the learning rate is 0.002 by default.
 *
 * `g = clip(rescaleGrad·grad + wd·w)`, `m ← β1·m + (1-β1)·g`, `u ← max(β2·u, |g|)`, `w ← w - lr/(1-β1ᵗ)·m/u`.
 * @throws MXNetError for an option that it does not have.
 * @example
 * optimizer.create('adamax')
 * @see MXNet `optimizer.Adamax`
 */
export class Adamax extends FormulaOptimizer {
  readonly beta1: number
  readonly beta2: number

  constructor(options: Omit<AdamOptions, 'epsilon'> = {}) {
    super({ ...options, learningRate: options.learningRate ?? 0.002 }, ['beta1', 'beta2'])
    this.beta1 = options.beta1 ?? 0.9
    this.beta2 = options.beta2 ?? 0.999
  }

  override createState(_index: number, weight: NDArray): OptimizerState {
    return [zerosAs(weight), zerosAs(weight)]
  }

  protected override step(index: number): Step {
    const { beta1, beta2 } = this
    const { lr, ...others } = this.numbers(index)
    const rate = lr / (1 - beta1 ** this.countOf(index))
    return { formula: 'adamax', attrs: { ...others, lr: rate, beta1, beta2 } }
  }
}

/** Options of `Nadam`. */
export interface NadamOptions extends AdamOptions {
  /** How fast the momentum reaches beta1, 0.004 by default. */
  readonly scheduleDecay?: number
}

/**
 * Adam with Nesterov's momentum (Dozat, 2016).
 *
 * `μₜ = β1·(1 - ½·0.96^(t·scheduleDecay))`; S is the product of the μ of all updates, of all parameters as in MXNet;
 * `w ← w - lr·((1-μₜ)·g/(1-S) + μₜ₊₁·m/(1-S·μₜ₊₁)) / (√(v/(1-β2ᵗ)) + epsilon)`, g, m and v as `Adam`'s.
 * @throws MXNetError for an option that it does not have.
 * @example
 * optimizer.create('nadam')
 * @see MXNet `optimizer.Nadam`
 */
export class Nadam extends Adam {
  readonly scheduleDecay: number
  /** The product of the momenta of all updates so far. */
  schedule = 1

  constructor(options: NadamOptions = {}) {
    super(options, ['scheduleDecay'])
    this.scheduleDecay = options.scheduleDecay ?? 0.004
  }

  protected override step(index: number): Step {
    const { beta1, beta2, epsilon, scheduleDecay } = this
    const t = this.countOf(index)
    const momentumAt = (n: number): number => beta1 * (1 - 0.5 * 0.96 ** (n * scheduleDecay))
    const [now, next] = [momentumAt(t), momentumAt(t + 1)]
    this.schedule *= now
    const scales = {
      gradScale: (1 - now) / (1 - this.schedule),
      meanScale: next / (1 - this.schedule * next),
      varScale: 1 / (1 - beta2 ** t),
    }
    return { formula: 'nadam', attrs: { ...this.numbers(index), beta1, beta2, epsilon, ...scales } }
  }
}

/** Options of `FTML`. */
export interface FTMLOptions extends OptimizerOptions {
  /** By default 0.6. */
  readonly beta1?: number
  /** By default 0.999. */
  readonly beta2?: number
  /** By default 1e-8. */
  readonly epsilon?: number
}

/**
 * Follow the moving leader (Zheng and Kwok, 2017).
 *
 * `g = clip(rescaleGrad·grad + wd·w)`, `v ← β2·v + (1-β2)·g²`, `d' = (1-β1ᵗ)/lr·(√(v/(1-β2ᵗ)) + epsilon)`,
 * `z ← β1·z + (1-β1)·g - (d' - β1·d)·w`, `w ← -z/d'`.
 * @throws MXNetError for an option that it does not have.
 * @example
 * optimizer.create('ftml', { learningRate: 0.0025 })
 * @see MXNet `optimizer.FTML`
 */
export class FTML extends FormulaOptimizer {
  readonly beta1: number
  readonly beta2: number
  readonly epsilon: number

  constructor(options: FTMLOptions = {}) {
    super(options, ['beta1', 'beta2', 'epsilon'])
    this.beta1 = options.beta1 ?? 0.6
    this.beta2 = options.beta2 ?? 0.999
    this.epsilon = options.epsilon ?? 1e-8
  }

  override createState(_index: number, weight: NDArray): OptimizerState {
    return [zerosAs(weight), zerosAs(weight), zerosAs(weight)]
  }

  protected override step(index: number): Step {
    const { beta1, beta2, epsilon } = this
    const { clipGradient: clipGrad, ...others } = this.numbers(index)
    const t = this.countOf(index)
    return { formula: 'ftml', attrs: { ...others, beta1, beta2, epsilon, t, clipGrad } }
  }
}

for (const klass of [Adam, AdamW, Adamax, Nadam, FTML]) register(klass)
