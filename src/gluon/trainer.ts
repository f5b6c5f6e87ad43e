/** Trainer: applies an optimizer to parameters after each backward. */

import { gradIsFresh } from '../autograd/tape.ts'
import type { Context } from '../base/context.ts'
import { fail } from '../base/error.ts'
import { checkOptions } from '../base/options.ts'
import { type WritingCall, withFrame } from '../core/frame.ts'
import { type CompressionParams, create, KVStore } from '../kvstore/kvstore.ts'
import { load, save } from '../ndarray/files.ts'
import type { NDArray } from '../ndarray/ndarray.ts'
import { create as createOptimizer, Optimizer } from '../optimizer/optimizer.ts'
import { Updater } from '../optimizer/updater.ts'
import { Parameter } from './parameter.ts'
import { ParameterDict } from './parameterDict.ts'

/** Options of a `Trainer`. */
export interface TrainerOptions {
  /** The store in which gradients of several contexts meet: its kind, one of one's own, or null for none. */
  readonly kvstore?: string | KVStore | null
  /** Whether the store updates the weights, once, and all contexts read them; by default each context updates its own. */
  readonly updateOnKvstore?: boolean | null
  /** How gradients are compressed on their way to the store ('device' stores). */
  readonly compressionParams?: CompressionParams | null
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
  readonly #store: KVStore | null
  readonly #updateInStore: boolean
  /** Parameters that the store knows already: it is told at the first step, when all shapes are known. */
  readonly #told = new Set<number>()

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
      this.#optimizer = createOptimizer(optimizer, optimizerParams ?? {})
    }
    checkOptions('Trainer', options, ['kvstore', 'updateOnKvstore', 'compressionParams'])
    this.#optimizer.paramDict = new Map(this.#params.map((p, i) => [i, p]))
    this.#scale = this.#optimizer.rescaleGrad
    this.#contexts = sharedContexts(this.#params)
    this.#updaters = this.#contexts.map(() => new Updater(this.#optimizer))
    this.#updateInStore = options.updateOnKvstore ?? false
    this.#store = storeOf(options, this.#contexts.length)
    if (this.#updateInStore) {
      if (this.#store === null)
        fail('Trainer', 'updateOnKvstore is true and kvstore null: name a store')
      this.#store.setOptimizer(this.#optimizer)
    }
  }

  /** The parameters, in the order of their indices. */
  get params(): readonly Parameter[] {
    return this.#params
  }

  /** The store in which gradients meet; null where there is one context and nobody asked for a store. */
  get kvstore(): KVStore | null {
    return this.#store
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
    this.#allreduce()
    this.#update(options.ignoreStaleGrad ?? false)
  }

  /**
   * Adds up the gradients of all contexts and gives each the sum; `step` does so by itself.
   * @throws MXNetError when the store updates the weights: gradients go there and do not come back.
   */
  allreduceGrads(): void {
    if (this.#updateInStore)
      fail(
        'Trainer',
        'allreduceGrads: the store updates the weights; call step, or set updateOnKvstore to false',
      )
    this.#allreduce()
  }

  #allreduce(): void {
    const store = this.#store
    if (store === null || this.#updateInStore) return
    withFrame({ recording: false }, () => {
      this.#params.forEach((parameter, i) => {
        if (parameter.gradReq === 'null') return
        this.#tell(store, i)
        store.pushpull(i, parameter.listGrad(), { priority: -i })
      })
    })
  }

  /** Makes a parameter known to the store. */
  #tell(store: KVStore, index: number): void {
    if (this.#told.has(index)) return
    store.init(index, this.#params[index]!.listData()[0]!)
    this.#told.add(index)
  }

  /** The second half of `step`, for those who call `allreduceGrads` themselves. */
  update(batchSize: number | undefined, options: StepOptions = {}): void {
    if (this.#updateInStore)
      fail(
        'Trainer',
        'update: the store updates the weights; call step, or set updateOnKvstore to false',
      )
    this.#rescale('update', batchSize)
    this.#update(options.ignoreStaleGrad ?? false)
  }

  /**
   * Writes the optimizer's states and numbers to a file.
   * @example
   * await trainer.saveStates('net.states')
   * @see MXNet `Trainer.save_states`
   */
  async saveStates(fname: string): Promise<void> {
    const updater = (this.#updateInStore ? this.#store!.updater : null) ?? this.#updaters[0]!
    await save(fname, updater.getStates(true), { format: 'params' })
  }

  /**
   * Takes over what `saveStates` wrote: states on every context, and the optimizer's numbers, among them the learning rate.
   * @throws MXNetError when the file holds no states, or those of another optimizer.
   * @example
   * await trainer.loadStates('net.states')
   * @see MXNet `Trainer.load_states`
   */
  async loadStates(fname: string): Promise<void> {
    const arrays = await load(fname)
    if (this.#updateInStore) this.#store!.updater!.setStates(arrays, this.#contexts[0])
    else this.#updaters.forEach((updater, i) => updater.setStates(arrays, this.#contexts[i]))
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
    if (this.#updateInStore)
      fail(
        'Trainer',
        'the store updates the weights: a fused step needs updateOnKvstore to be false',
      )
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

  /** Pushes gradients to the store, which updates its weights, and reads those. */
  #updateByStore(store: KVStore, ignoreStale: boolean): void {
    this.#params.forEach((parameter, i) => {
      if (parameter.gradReq === 'null') return
      const weights = parameter.listData()
      const stale = weights.findIndex((weight) => !gradIsFresh(weight, true))
      if (stale >= 0) {
        if (ignoreStale) return
        refuseStale(parameter, this.#contexts[stale]!)
      }
      this.#tell(store, i)
      store.push(i, parameter.listGrad(), { priority: -i })
      store.pull(i, { out: weights, priority: -i })
    })
  }

  #update(ignoreStale: boolean, planned = false): void {
    const params = this.#params
    if (this.#updateInStore) return this.#updateByStore(this.#store!, ignoreStale)
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
          refuseStale(parameter, context)
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

function refuseStale(parameter: Parameter, context: Context): never {
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

/** The store that gradients go through; one context needs none unless it is asked for. */
function storeOf(options: TrainerOptions, contexts: number): KVStore | null {
  const { kvstore = 'device', updateOnKvstore = false, compressionParams = null } = options
  if (kvstore === null) {
    if (contexts < 2) return null
    // Without a store of the program's own, gradients still have to meet.
    return new KVStore('device')
  }
  const given = kvstore instanceof KVStore
  if (!given && typeof kvstore !== 'string')
    fail('Trainer', `kvstore is ${String(kvstore)}: use 'device', 'local', a store or null`)
  const store = given ? kvstore : create(kvstore)
  if (compressionParams !== null) store.setGradientCompression(compressionParams)
  const needed = contexts > 1 || given || updateOnKvstore || compressionParams !== null
  return needed ? store : null
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
