/** Optimizers for large batches, which set each layer's rate: LARS, LAMB, LBSGD. */

import { fail } from '../base/error.ts'
import type { NDArray } from '../ndarray/ndarray.ts'
import { FormulaOptimizer, type Step } from './formulaOptimizer.ts'
import { type OptimizerOptions, type OptimizerState, register } from './optimizer.ts'
import { zerosAs } from './state.ts'

/** Options of `LARS`. */
export interface LARSOptions extends OptimizerOptions {
  /** By default 0. */
  readonly momentum?: number
  /** The trust coefficient, 0.001 by default. */
  readonly eta?: number
  /** Added below the fraction, 0 by default. */
  readonly eps?: number
  /** Whether the momentum follows changes of the learning rate (the default). */
  readonly momentumCorrection?: boolean
}

/**
 * Layer-wise adaptive rates for SGD (You et al., 2017).
 *
 * `lr_layer = lr·eta·‖w‖ / (rescaleGrad·‖grad‖ + wd·‖w‖ + eps)` where both norms are above 0, then SGD. Parameters
 * whose name (`paramIdx2name`) ends in gamma, beta or bias keep `lr`.
 * @throws MXNetError for an option that it does not have.
 * @example
 * optimizer.create('lars', { learningRate: 1, momentum: 0.9 })
 * @see MXNet `optimizer.LARS`
 */
export class LARS extends FormulaOptimizer {
  readonly momentum: number
  readonly eta: number
  readonly eps: number
  readonly momentumCorrection: boolean
  /** The rate of the update before, and that of this one. */
  lastLr = 0
  currentLr: number | null = null

  constructor(options: LARSOptions = {}) {
    super(options, ['momentum', 'eta', 'eps', 'momentumCorrection'])
    this.momentum = options.momentum ?? 0
    this.eta = options.eta ?? 0.001
    this.eps = options.eps ?? 0
    this.momentumCorrection = options.momentumCorrection ?? true
  }

  override createState(_index: number, weight: NDArray): OptimizerState {
    return this.momentum === 0 ? [] : [zerosAs(weight)]
  }

  override updateCount(indices: readonly number[]): void {
    super.updateCount(indices)
    const lr = this.learningRate
    this.lastLr = this.currentLr ?? lr
    this.currentLr = lr
  }

  protected override step(index: number): Step {
    const { eta, eps } = this
    const correct = this.momentumCorrection && this.lastLr !== 0
    const momentum = correct ? (this.momentum * this.currentLr!) / this.lastLr : this.momentum
    const exempt = /(gamma|beta|bias)$/.test(this.nameOf(index))
    const numbers = this.numbers(index)
    if (this.momentum === 0) {
      if (exempt) return { formula: 'sgd', attrs: numbers }
      return { formula: 'lars', attrs: { ...numbers, eta, eps } }
    }
    if (exempt) return { formula: 'momentum', attrs: { ...numbers, momentum } }
    return { formula: 'larsMomentum', attrs: { ...numbers, eta, eps, momentum } }
  }
}

/** Options of `LAMB`; the learning rate is 0.001 by default. */
export interface LAMBOptions extends OptimizerOptions {
  /** Decay of the running mean, 0.9 by default. */
  readonly beta1?: number
  /** Decay of the running mean of squares, 0.999 by default. */
  readonly beta2?: number
  /** Added to the root, 1e-6 by default. */
  readonly epsilon?: number
  /** Limits of the weight's norm; none by default. */
  readonly lowerBound?: number | null
  readonly upperBound?: number | null
  /** Whether the means are corrected for their start at 0 (the default). */
  readonly biasCorrection?: boolean
}

/**
 * Adam with layer-wise rates for large batches (You et al., 2020).
 *
 * `g = clip(rescaleGrad·grad)`, `u = m̂ / (√v̂ + epsilon) + wd·w`, `w ← w - lr·‖w‖/‖u‖·u`; the ratio is 1 where a norm is 0.
 * @throws MXNetError for an option that it does not have.
 * @example
 * optimizer.create('lamb', { learningRate: 0.002 })
 * @see MXNet `optimizer.LAMB`
 */
export class LAMB extends FormulaOptimizer {
  readonly beta1: number
  readonly beta2: number
  readonly epsilon: number
  readonly lowerBound: number | null
  readonly upperBound: number | null
  readonly biasCorrection: boolean

  constructor(options: LAMBOptions = {}) {
    const own = ['beta1', 'beta2', 'epsilon', 'lowerBound', 'upperBound', 'biasCorrection']
    super({ ...options, learningRate: options.learningRate ?? 0.001 }, own)
    this.beta1 = options.beta1 ?? 0.9
    this.beta2 = options.beta2 ?? 0.999
    this.epsilon = options.epsilon ?? 1e-6
    this.lowerBound = options.lowerBound ?? null
    this.upperBound = options.upperBound ?? null
    this.biasCorrection = options.biasCorrection ?? true
  }

  override createState(_index: number, weight: NDArray): OptimizerState {
    return [zerosAs(weight), zerosAs(weight)]
  }

  protected override step(index: number): Step {
    const { beta1, beta2, epsilon, biasCorrection } = this
    const [lowerBound, upperBound] = [this.lowerBound || -1, this.upperBound || -1]
    const t = this.countOf(index)
    const own = { beta1, beta2, epsilon, t, biasCorrection, lowerBound, upperBound }
    return { formula: 'lamb', attrs: { ...this.numbers(index), ...own } }
  }
}

const strategies = ['linear', 'power2', 'sqrt', 'lars', 'none'] as const

/** Options of `LBSGD`. */
export interface LBSGDOptions extends OptimizerOptions {
  /** By default 0. */
  readonly momentum?: number
  /** How the rate grows to `batchScale` times itself, or 'lars' for rates by layer; 'linear' by default. */
  readonly warmupStrategy?: (typeof strategies)[number]
  /** By default 5. */
  readonly warmupEpochs?: number
  /** How many batches make one update, 1 by default. */
  readonly batchScale?: number
  /** By default 32. */
  readonly updatesPerEpoch?: number
  /** By default 0. */
  readonly beginEpoch?: number
  /** Accepted as MXNet accepts it; nothing depends on it. */
  readonly numEpochs?: number
}

/**
 * SGD on batches that are put together from `batchScale` small ones, with a warm-up of the rate.
 *
 * Gradients add up; every `batchScale` updates their mean makes an SGD step at `lr` times the warm-up's multiplier.
 * @throws MXNetError for an option that it does not have or an unknown strategy.
 * @example
 * optimizer.create('lbsgd', { learningRate: 0.1, batchScale: 4 })
 * @see MXNet `optimizer.LBSGD`
 */
export class LBSGD extends FormulaOptimizer {
  readonly momentum: number
  readonly warmupStrategy: string
  readonly batchScale: number
  readonly #warmupUpdates: number
  readonly #initUpdates: number
  #rates: ReadonlyMap<number, number> = new Map()

  constructor(options: LBSGDOptions = {}) {
    super(options, [
      'momentum',
      'warmupStrategy',
      'warmupEpochs',
      'batchScale',
      'updatesPerEpoch',
      'beginEpoch',
      'numEpochs',
    ])
    const { warmupStrategy = 'linear', batchScale = 1, updatesPerEpoch = 32 } = options
    if (!strategies.includes(warmupStrategy)) {
      const known = strategies.map((s) => `'${s}'`).join(', ')
      fail('LBSGD', `warmupStrategy is '${String(warmupStrategy)}': use one of ${known}`)
    }
    if (!Number.isInteger(batchScale) || batchScale < 1)
      fail('LBSGD', `batchScale is ${String(batchScale)}: it must be an integer of at least 1`)
    this.momentum = options.momentum ?? 0
    this.warmupStrategy = warmupStrategy
    this.batchScale = batchScale
    this.#warmupUpdates = (options.warmupEpochs ?? 5) * updatesPerEpoch
    this.#initUpdates = (options.beginEpoch ?? 0) * updatesPerEpoch
  }

  override createState(_index: number, weight: NDArray): OptimizerState {
    return this.momentum === 0 ? [zerosAs(weight)] : [zerosAs(weight), zerosAs(weight)]
  }

  /** MXNet reads the rate before it counts the update. */
  override updateCount(indices: readonly number[]): void {
    this.#rates = new Map(indices.map((index) => [index, this.lrOf(index)]))
    super.updateCount(indices)
  }

  #multiplier(updates: number): number {
    const [most, warmup] = [this.batchScale, this.#warmupUpdates]
    if (updates >= warmup) return most
    if (warmup <= 1) return 1
    const done = updates / warmup
    switch (this.warmupStrategy) {
      case 'linear':
        return 1 + (most - 1) * done
      case 'power2':
        return 1 + (most - 1) * done * done
      case 'sqrt':
        return 1 + (most - 1) * Math.sqrt(done)
      default:
        return 1
    }
  }

  protected override step(index: number): Step {
    const { momentum, batchScale } = this
    const updates = this.#initUpdates + this.countOf(index) - this.beginNumUpdate
    const lars = this.warmupStrategy === 'lars'
    const multiplier = lars ? 1 : this.#multiplier(updates)
    const attrs = {
      ...this.numbers(index),
      lr: this.#rates.get(index)! * multiplier,
      share: 1 / batchScale,
      collect: updates % batchScale !== 0,
      lars,
    }
    if (momentum === 0) return { formula: 'lbsgd', attrs }
    return { formula: 'lbsgdMomentum', attrs: { ...attrs, momentum } }
  }
}

for (const klass of [LARS, LAMB, LBSGD]) register(klass)
