/** Trainer: applies an optimizer to parameters after each backward. */

import { gradIsFresh } from '../autograd/tape.ts'
import type { Context } from '../base/context.ts'
import { fail } from '../base/error.ts'
import { checkOptions } from '../base/options.ts'
import { sizeOf } from '../base/shape.ts'
import { type WritingCall, withFrame } from '../core/frame.ts'
import { type CompressionParams, create, KVStore } from '../kvstore/kvstore.ts'
import { load, save } from '../ndarray/files.ts'
import { create as createOptimizer, Optimizer } from '../optimizer/optimizer.ts'
import { Updater } from '../optimizer/updater.ts'
import { Parameter } from './parameter.ts'
import { ParameterDict } from './parameterDict.ts'

/** Options of a `Trainer`. */
export interface TrainerOptions {
  /**
   * The store in which gradients of several contexts meet: its kind, or one of one's own. Null for none: each context is
   * then updated by its own gradients, which are for the program to add up.
   */
  readonly kvstore?: string | KVStore | null
  /**
   * Whether the store updates the weights, once, and all contexts read them; otherwise each context updates its own by the
   * sum of the gradients. By default the store does where there are several contexts, unless `allreduceGrads` or `update`
   * is called first, a 'local' store would hold a parameter of more than 16 M elements, or the environment of Node has
   * `MXNET_UPDATE_ON_KVSTORE=0`.
   */
  readonly updateOnKvstore?: boolean | null
  /** How gradients are compressed on their way to the store ('device' stores). */
  readonly compressionParams?: CompressionParams | null
}

/** Options of a step. */
export interface StepOptions {
  /**
   * Skips parameters that no backward has reached since their last update, instead of failing. Where it has reached them on
   * some contexts only, the gradients of the others count as zero.
   */
  readonly ignoreStaleGrad?: boolean
}

/** What a trainer can be given: a dictionary (taken in order of names) or a list (taken as it is). */
export type Trainable = ParameterDict | ReadonlyMap<string, Parameter> | Iterable<Parameter>

/**
 * Applies an optimizer to parameters.
 *
 * `step(batchSize)` adds up the gradients of all contexts, divides them by the batch size and updates every parameter in
 * place, in one call of an operator. Contexts of one memory then share the weights.
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
  /** Null until the first step, or half of one, decides. */
  #updateInStore: boolean | null = null
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
    const { updateOnKvstore = null, kvstore } = options
    this.#store = storeOf(options, this.#contexts.length)
    if (updateOnKvstore && this.#store === null)
      fail('Trainer', 'updateOnKvstore is true and kvstore null: name a store')
    const open = this.#contexts.length > 1 || kvstore instanceof KVStore
    if (updateOnKvstore !== null) this.#settle(updateOnKvstore)
    else if (!open || this.#store === null || !storesUpdate) this.#settle(false)
  }

  /** Whether the store updates the weights. Where nobody has said so, the first call settles it: a step, or half of one. */
  #byStore(half: boolean): boolean {
    return this.#updateInStore ?? this.#settle(!half && !this.#tooLarge())
  }

  /** MXNet's rule: what a 'local' store would hold on the side is limited. */
  #tooLarge(): boolean {
    const large = ({ shape }: Parameter): boolean => sizeOf(shape ?? []) > largest
    return this.#store!.type === 'local' && this.#params.some(large)
  }

  #settle(inStore: boolean): boolean {
    this.#updateInStore = inStore
    if (inStore) {
      this.#store!.setOptimizer(this.#optimizer)
      this.#store!.updater!.takeOver(this.#updaters[0]!)
    }
    return inStore
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
    const indices = this.#ready(options.ignoreStaleGrad ?? false)
    if (this.#byStore(false)) return this.#updateByStore(this.#store!, indices)
    this.#reduce(indices)
    this.#update(() => indices)
  }

  /**
   * Adds up the gradients of all contexts and gives each the sum; `step` does so by itself.
   * @throws MXNetError when the store updates the weights: gradients go there and do not come back.
   */
  allreduceGrads(): void {
    this.#checkHalves('allreduceGrads')
    this.#reduce(this.#trained())
  }

  /** The second half of `step`, for those who call `allreduceGrads` themselves. */
  update(batchSize: number | undefined, options: StepOptions = {}): void {
    this.#checkHalves('update')
    this.#rescale('update', batchSize)
    const { ignoreStaleGrad = false } = options
    this.#update((context) =>
      this.#trained().filter((i) => {
        const parameter = this.#params[i]!
        const fresh = gradIsFresh(parameter.data(context), true)
        if (!fresh && !ignoreStaleGrad) refuseStale(parameter, context)
        return fresh
      }),
    )
  }

  #checkHalves(where: string): void {
    if (this.#byStore(true))
      fail(
        'Trainer',
        `${where}: the store updates the weights; call step, or set updateOnKvstore to false`,
      )
  }

  /** The parameters that have gradients. */
  #trained(): number[] {
    return this.#params.flatMap(({ gradReq }, i) => (gradReq === 'null' ? [] : [i]))
  }

  /** The parameters that a step updates: those whose gradients backward has written, on one context at least. */
  #ready(ignoreStale: boolean): number[] {
    const written = this.#trained().flatMap((i) => {
      const parameter = this.#params[i]!
      const weights = parameter.listData()
      const stale = weights.filter((weight) => !gradIsFresh(weight))
      if (stale.length > 0 && !ignoreStale) refuseStale(parameter, stale[0]!.context)
      return stale.length < weights.length ? [{ i, weights, stale }] : []
    })
    for (const { weights, stale } of written) {
      for (const weight of stale) weight.grad!.assign(0)
      for (const weight of weights) gradIsFresh(weight, true)
    }
    return written.map(({ i }) => i)
  }

  /** Gives each context the sum of the gradients of all. */
  #reduce(indices: readonly number[]): void {
    const store = this.#store
    if (store === null) return
    withFrame({ recording: false }, () => {
      for (const i of indices) {
        if (!this.#told.has(i)) this.#tell(store, i)
        store.pushpull(i, this.#params[i]!.listGrad(), { priority: -i })
      }
    })
    this.#watch(store)
  }

  /** Lets the store begin with the next sums while backward is still at work; what is added to is not final then. */
  #watch(store: KVStore): void {
    const written = this.#trained().filter((i) => this.#params[i]!.gradReq === 'write')
    store.watch(new Map(written.map((i) => [i, this.#params[i]!.listData()])))
  }

  /** Makes a parameter known to the store. */
  #tell(store: KVStore, index: number): void {
    store.init(index, this.#params[index]!.listData()[0]!)
    this.#told.add(index)
  }

  /**
   * Writes the optimizer's states and numbers to a file.
   * @example
   * await trainer.saveStates('net.states')
   * @see MXNet `Trainer.save_states`
   */
  async saveStates(fname: string): Promise<void> {
    const updater = this.#updateInStore ? this.#store!.updater! : this.#updaters[0]!
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
    if (this.#byStore(true))
      fail(
        'Trainer',
        'the store updates the weights: a fused step needs updateOnKvstore to be false',
      )
    this.#rescale('step', batchSize)
    const calls: WritingCall[] = []
    withFrame({ intercept: (call) => calls.push(call) }, () => this.#update(() => this.#trained()))
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

  /** Sends gradients to the store, which updates its weights, and reads those. */
  #updateByStore(store: KVStore, indices: number[]): void {
    const params = indices.map((i) => this.#params[i]!)
    const weights = params.map((parameter) => parameter.listData())
    indices.forEach((i, k) => {
      // What a program writes to the weights of the first context counts, as with a single one.
      if (this.#told.has(i)) store.adopt(i, weights[k]![0]!)
      else this.#tell(store, i)
    })
    const grads = params.map((parameter) => parameter.listGrad())
    store.pushpull(indices, grads, { out: weights })
    this.#watch(store)
  }

  /** Updates the weights of each context by the gradients there. */
  #update(indicesOn: (context: Context) => readonly number[]): void {
    this.#updaters.forEach((updater, device) => {
      const context = this.#contexts[device]!
      const indices = indicesOn(context)
      const weights = indices.map((i) => this.#params[i]!.data(context))
      const grads = weights.map((weight) => weight.grad!)
      this.#optimizer.setCurrentDevice(device)
      updater.updateAll(indices, grads, weights)
    })
  }
}

/** Whether stores update weights of several contexts where nothing else is said. */
let storesUpdate = true

/** Says whether stores update weights of several contexts where a trainer is told nothing. @see MXNet `MXNET_UPDATE_ON_KVSTORE` */
export function setStoresUpdate(update: boolean): void {
  storesUpdate = update
}

/** Elements of a parameter above which a 'local' store leaves updates to the contexts, as in MXNet. */
const largest = 16 * 1024 ** 2

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
  if (kvstore === null) return null
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
