/** Trainer: applies an optimizer to parameters after each backward. */

import { gradIsFresh } from '../autograd/tape.ts'
import type { Context } from '../base/context.ts'
import { fail } from '../base/error.ts'
import { checkOptions } from '../base/options.ts'
import { type WritingCall, withFrame } from '../core/frame.ts'
import type { NDArray } from '../ndarray/ndarray.ts'
import { create, Optimizer } from '../optimizer/optimizer.ts'
import { Updater } from '../optimizer/updater.ts'
import { Parameter } from './parameter.ts'
import { ParameterDict } from './parameterDict.ts'

/** Options of a `Trainer`. */
export interface TrainerOptions {
  /** How gradients of several contexts meet; null, 'local' and 'device' all add them up in this process. */
  readonly kvstore?: string | null
  /** Updates happen here, not in a store: true is refused. */
  readonly updateOnKvstore?: boolean | null
}

/** Options of a step. */
export interface StepOptions {
  /** Skips parameters that no backward has reached since their last update, instead of failing. */
  readonly ignoreStaleGrad?: boolean
}

/** What a trainer can be given: a dictionary (taken in order of names) or a list (taken as it is). */
export type Trainable = ParameterDict | ReadonlyMap<string, Parameter> | Iterable<Parameter>

/**
 * Applies an optimizer to parameters.
 *
 * `step(batchSize)` adds up the gradients of all contexts, divides them by the batch size and updates
 * every parameter in place, on one context in one call of an operator.
 * @throws MXNetError for unknown optimizers or options, and for parameters that are not initialized.
 * @example
 * const trainer = new gluon.Trainer(net.collectParams(), 'sgd', { learningRate: 0.1 })
 * loss.backward()
 * trainer.step(64)
 * @see MXNet `python/mxnet/gluon/trainer.py`
 */
export class Trainer {
  readonly #params: readonly Parameter[]
  readonly #optimizer: Optimizer
  readonly #scale: number
  readonly #contexts: readonly Context[]
  readonly #updaters: readonly Updater[]

  constructor(
    params: Trainable,
    optimizer: string | Optimizer,
    optimizerParams: { readonly [name: string]: unknown } | null = null,
    options: TrainerOptions = {},
  ) {
    this.#params = listOf(params)
    if (optimizer instanceof Optimizer) {
      if (optimizerParams !== null && Object.keys(optimizerParams).length > 0) {
        fail(
          'Trainer',
          'optimizerParams are given with an optimizer that is made already: leave them out',
        )
      }
      this.#optimizer = optimizer
    } else {
      this.#optimizer = create(optimizer, optimizerParams ?? {})
    }
    checkStore(checkOptions('Trainer', options, ['kvstore', 'updateOnKvstore']))
    this.#optimizer.paramDict = new Map(this.#params.map((p, i) => [i, p]))
    this.#scale = this.#optimizer.rescaleGrad
    this.#contexts = sharedContexts(this.#params)
    this.#updaters = this.#contexts.map(() => new Updater(this.#optimizer))
  }

  /** The optimizer in use. */
  get optimizer(): Optimizer {
    return this.#optimizer
  }

  /** The learning rate in force. */
  get learningRate(): number {
    return this.#optimizer.learningRate
  }

  /**
   * Sets the learning rate.
   * @throws MXNetError when a scheduler sets it.
   */
  setLearningRate(lr: number): void {
    this.#optimizer.setLearningRate(lr)
  }

  /**
   * Updates all parameters from the gradients of a batch.
   * @throws MXNetError when a gradient is stale: no backward has written it since the last step.
   */
  step(batchSize: number | undefined, options: StepOptions = {}): void {
    this.#rescale('step', batchSize)
    this.allreduceGrads()
    this.#update(options.ignoreStaleGrad ?? false)
  }

  /** Adds up the gradients of all contexts and gives each the sum; `step` does so by itself. */
  allreduceGrads(): void {
    if (this.#contexts.length < 2) return
    withFrame({ recording: false }, () => {
      for (const parameter of this.#params) {
        if (parameter.gradReq === 'null') continue
        const grads = parameter.listGrad()
        const first = grads[0]!
        for (const g of grads.slice(1)) first.addAssign(g.asInContext(first.context))
        for (const g of grads.slice(1)) g.assign(first.asInContext(g.context))
      }
    })
  }

  /** The second half of `step`, for those who call `allreduceGrads` themselves. */
  update(batchSize: number | undefined, options: StepOptions = {}): void {
    this.#rescale('update', batchSize)
    this.#update(options.ignoreStaleGrad ?? false)
  }

  /**
   * What `step` would write, without writing it: how `fuseStep` learns the updates. Counts as a step.
   * @throws MXNetError for parameters on several contexts.
   */
  plannedUpdates(batchSize: number): WritingCall[] {
    if (this.#contexts.length > 1) {
      fail(
        'Trainer',
        `parameters are on ${this.#contexts.join(', ')}: a fused step works on one context`,
      )
    }
    this.#rescale('step', batchSize)
    const calls: WritingCall[] = []
    withFrame({ intercept: (call) => calls.push(call) }, () => this.#update(false, true))
    return calls
  }

  #rescale(where: string, batchSize: number | undefined): void {
    if (typeof batchSize !== 'number' || !(batchSize > 0)) {
      fail(
        'Trainer',
        `${where} is given the batch size ${String(batchSize)}: it must be a number above 0`,
      )
    }
    this.#optimizer.rescaleGrad = this.#scale / batchSize
  }

  #update(ignoreStale: boolean, planned = false): void {
    const params = this.#params
    this.#updaters.forEach((updater, device) => {
      const context = this.#contexts[device]!
      const indices: number[] = []
      const grads: NDArray[] = []
      const weights: NDArray[] = []
      for (let i = 0; i < params.length; i++) {
        const parameter = params[i]!
        if (parameter.gradReq === 'null') continue
        const weight = parameter.data(context)
        if (!planned && !gradIsFresh(weight, true)) {
          if (ignoreStale) continue
          stale(parameter, context)
        }
        indices.push(i)
        weights.push(weight)
        grads.push(weight.grad!)
      }
      this.#optimizer.setCurrentDevice(device)
      updater.updateAll(indices, grads, weights)
    })
  }
}

function stale(parameter: Parameter, context: Context): never {
  fail(
    'Trainer',
    `the gradient of ${parameter.name} on ${context} has not been written by backward since the last step: ` +
      'call backward first; if only part of the network took part, pass { ignoreStaleGrad: true }',
  )
}

function listOf(params: Trainable): Parameter[] {
  if (typeof (params as Partial<Iterable<unknown>> | null)?.[Symbol.iterator] !== 'function') {
    fail('Trainer', `params is ${String(params)}: give net.collectParams() or a list of Parameters`)
  }
  const byName = params instanceof ParameterDict || params instanceof Map
  const list = byName
    ? [...(params as Iterable<[string, Parameter]>)]
        .sort(([a], [b]) => (a < b ? -1 : a > b ? 1 : 0))
        .map(([, parameter]) => parameter)
    : [...(params as Iterable<Parameter>)]
  for (const p of list) {
    if (!(p instanceof Parameter)) {
      fail(
        'Trainer',
        `${String(p)} is not a Parameter: give net.collectParams() or a list of Parameters`,
      )
    }
  }
  return list
}

function checkStore({ kvstore = 'device', updateOnKvstore = null }: TrainerOptions): void {
  if (updateOnKvstore === true) {
    fail('Trainer', 'updateOnKvstore is true: updates always happen in the process, leave it out')
  }
  const known = [null, 'local', 'device', 'nccl', 'local_allreduce_cpu', 'local_allreduce_device']
  if (!known.includes(kvstore)) {
    fail('Trainer', `kvstore is '${String(kvstore)}': use 'device', 'local' or null`)
  }
}

/** The contexts that all parameters live on. */
function sharedContexts(params: readonly Parameter[]): readonly Context[] {
  let contexts: readonly Context[] = []
  for (const parameter of params) {
    const own = parameter.listCtx()
    if (contexts.length === 0) contexts = own
    if (own.length !== contexts.length || own.some((c, i) => c !== contexts[i])) {
      fail(
        'Trainer',
        `${parameter.name} is on ${own.join(', ')}, others on ${contexts.join(', ')}: all must be on the same`,
      )
    }
  }
  return contexts
}
