/** Optimizer: turns gradients into new weights; one object serves all parameters, each under its index. */

import { fail } from '../base/error.ts'
import type { NDArray } from '../ndarray/ndarray.ts'

/** The learning rate as a function of the number of updates. */
export interface LRScheduler {
  (numUpdate: number): number
  /** The rate to start from; an optimizer's own `learningRate` replaces it. */
  baseLr?: number
}

/** What an optimizer reads of a parameter. */
export interface Multipliers {
  readonly lrMult: number
  readonly wdMult: number
}

/** Multipliers by index or name. */
type Multiplier = { readonly [key: string]: number }

/** What an optimizer keeps of one parameter between updates. */
export type OptimizerState = readonly NDArray[]

/** Options that every optimizer takes. */
export interface OptimizerOptions {
  /** The learning rate; 0.01 unless the optimizer says otherwise. */
  readonly learningRate?: number | null
  /** Weight decay. */
  readonly wd?: number
  /** Multiplies every gradient; a Trainer divides it by the batch size. */
  readonly rescaleGrad?: number
  /** Clamps rescaled gradients to ±this; null or 0 leaves them. */
  readonly clipGradient?: number | null
  readonly lrScheduler?: LRScheduler | null
  /** The number of updates to count from. */
  readonly beginNumUpdate?: number
  /** Names of parameters by index: those that end in neither `_weight` nor `_gamma` are not decayed. */
  readonly paramIdx2name?: { readonly [index: number]: string }
  /** Parameters by index, for their `lrMult` and `wdMult`. */
  readonly paramDict?: ReadonlyMap<number, Multipliers> | { readonly [index: number]: Multipliers }
  /** Keeps float32 copies of half-precision weights and updates those. */
  readonly multiPrecision?: boolean
  /** Accepted for callers that name it; only row-sparse gradients would ask for it. */
  readonly lazyUpdate?: boolean
}

const baseNames = [
  'learningRate',
  'wd',
  'rescaleGrad',
  'clipGradient',
  'lrScheduler',
  'beginNumUpdate',
  'paramDict',
  'paramIdx2name',
  'multiPrecision',
  'lazyUpdate',
]

/**
 * The base of optimizers.
 *
 * A subclass gives `createState` and `update`; one that can update many parameters in one call
 * overrides `updateAll` too. An update first calls `updateCount`, then reads `lrOf` and `wdOf`.
 * @throws MXNetError for an option that the optimizer does not have.
 * @example
 * const sgd = optimizer.create('sgd', { learningRate: 0.1, momentum: 0.9 })
 * @see MXNet `python/mxnet/optimizer/optimizer.py` (Optimizer)
 */
export class Optimizer {
  /** The rate when there is no scheduler. */
  lr: number
  wd: number
  rescaleGrad: number
  clipGradient: number | null
  lrScheduler: LRScheduler | null
  readonly multiPrecision: boolean
  /** The largest number of updates that any parameter has had. */
  numUpdate: number
  /** The number of updates that every parameter is counted from. */
  readonly beginNumUpdate: number
  #counts = new Map<number, number>()
  readonly #countsByDevice = new Map([[0, this.#counts]])
  /** What a device counts on from that had no part in the run whose numbers were restored. */
  #resumed: ReadonlyMap<number, number> = new Map()
  #params: OptimizerOptions['paramDict'] = {}
  readonly #names: { readonly [index: number]: string }
  #lrMult: Multiplier = {}
  #wdMult: Multiplier = {}

  /** `ownNames` are the names of the subclass's options. */
  constructor(options: OptimizerOptions = {}, ownNames: readonly string[] = []) {
    const where = new.target.name
    for (const name in options) {
      if (!baseNames.includes(name) && !ownNames.includes(name)) {
        fail(where, `unknown option ${name}: use ${[...ownNames, ...baseNames].join(', ')}`)
      }
    }
    const { learningRate = null, lrScheduler = null } = options
    this.lr = learningRate ?? lrScheduler?.baseLr ?? 0.01
    this.wd = options.wd ?? 0
    this.rescaleGrad = options.rescaleGrad ?? 1
    this.clipGradient = options.clipGradient ?? null
    this.lrScheduler = lrScheduler
    this.multiPrecision = options.multiPrecision ?? false
    if (lrScheduler !== null && learningRate !== null) lrScheduler.baseLr = learningRate
    this.numUpdate = options.beginNumUpdate ?? 0
    this.beginNumUpdate = this.numUpdate
    if (options.paramDict) this.#params = options.paramDict
    this.#names = options.paramIdx2name ?? {}
    this.setWdMult({})
    for (const [name, value] of [
      ['learningRate', this.lr],
      ['wd', this.wd],
      ['rescaleGrad', this.rescaleGrad],
    ] as const) {
      if (typeof value !== 'number' || Number.isNaN(value)) {
        fail(where, `${name} is ${String(value)}: it must be a number`)
      }
    }
  }

  /** The rate in force: the scheduler's for the updates so far, or the one that was set. */
  get learningRate(): number {
    return this.lrScheduler === null ? this.lr : this.lrScheduler(this.numUpdate)
  }

  /**
   * Sets the learning rate.
   * @throws MXNetError when a scheduler sets it.
   */
  setLearningRate(lr: number): void {
    if (this.lrScheduler !== null) {
      fail(
        this.constructor.name,
        'a scheduler sets the learning rate: change the scheduler instead',
      )
    }
    this.lr = lr
  }

  /** Learning-rate multipliers by index or name; those given by parameters win. */
  setLrMult(multipliers: Multiplier): void {
    this.#lrMult = { ...multipliers }
  }

  /** Weight-decay multipliers by index or name, beside 0 for named parameters that are neither weight nor gamma. */
  setWdMult(multipliers: Multiplier): void {
    const plain = Object.values(this.#names).filter((name) => !/_(weight|gamma)$/.test(name))
    this.#wdMult = { ...Object.fromEntries(plain.map((name) => [name, 0])), ...multipliers }
  }

  /** The name of a parameter, where one was given, else its index as text. */
  nameOf(index: number): string {
    return this.#names[index] ?? String(index)
  }

  /** Parameters by index, whose `lrMult` and `wdMult` are read at every update. */
  set paramDict(params: NonNullable<OptimizerOptions['paramDict']>) {
    this.#params = params
  }

  #param(index: number): Multipliers | undefined {
    const params = this.#params ?? {}
    return params instanceof Map
      ? params.get(index)
      : (params as { [i: number]: Multipliers })[index]
  }

  /** All numbers of the optimizer, for files: options and how often each parameter has been updated. */
  dump(): { [name: string]: unknown } {
    const plain = Object.entries(this).filter(
      ([, v]) => v === null || ['number', 'boolean', 'string'].includes(typeof v),
    )
    const counts = [...this.#countsByDevice].map(([device, map]) => [device, [...map]])
    return { class: this.constructor.name, ...Object.fromEntries(plain), counts }
  }

  /**
   * Takes over what `dump` gave; an empty object changes nothing.
   * @throws MXNetError for the numbers of another optimizer.
   */
  restore(dumped: { readonly [name: string]: unknown }): void {
    const { class: name, counts, ...fields } = dumped
    if (name === undefined) return
    const own = this.constructor.name
    if (name !== own) fail(own, `the states are those of ${String(name)}: make that optimizer`)
    for (const field in fields) if (field in this) Object.assign(this, { [field]: fields[field] })
    const devices = counts as readonly (readonly [number, readonly (readonly [number, number])[]])[]
    for (const [device, map] of devices) {
      const own = this.#countsByDevice.get(device) ?? new Map<number, number>()
      for (const [index, count] of map) own.set(index, count)
      this.#countsByDevice.set(device, own)
    }
    this.#resumed = new Map(devices[0]?.[1])
  }

  #multiplier(multipliers: Multiplier, index: number): number {
    return multipliers[index] ?? multipliers[this.nameOf(index)] ?? 1
  }

  /** Tells which device's copies are updated next: each has counts of its own. */
  setCurrentDevice(device: number): void {
    this.#counts = this.#countsByDevice.get(device) ?? new Map(this.#resumed)
    this.#countsByDevice.set(device, this.#counts)
  }

  /** Counts one update of each parameter. */
  updateCount(indices: readonly number[]): void {
    for (const index of indices) {
      const count = (this.#counts.get(index) ?? this.beginNumUpdate) + 1
      this.#counts.set(index, count)
      if (count > this.numUpdate) this.numUpdate = count
    }
  }

  /** How many updates a parameter has had. */
  countOf(index: number): number {
    return this.#counts.get(index) ?? this.beginNumUpdate
  }

  /** The learning rate of one parameter. */
  lrOf(index: number): number {
    return this.learningRate * (this.#param(index)?.lrMult ?? this.#multiplier(this.#lrMult, index))
  }

  /** The weight decay of one parameter. */
  wdOf(index: number): number {
    return this.wd * (this.#param(index)?.wdMult ?? this.#multiplier(this.#wdMult, index))
  }

  /** The limit of gradients as operators take it: -1 for none. */
  protected get clip(): number {
    return this.clipGradient || -1
  }

  /** What to keep of a parameter between updates; by default nothing. */
  createState(_index: number, _weight: NDArray): OptimizerState {
    return []
  }

  /** Updates one parameter in place. */
  update(index: number, _weight: NDArray, _grad: NDArray, _state: OptimizerState): void {
    fail(
      this.constructor.name,
      `update is not implemented and parameter ${index} needs it: override it`,
    )
  }

  /** Updates many parameters in place; by default one after the other. */
  updateAll(
    indices: readonly number[],
    weights: readonly NDArray[],
    grads: readonly NDArray[],
    states: readonly OptimizerState[],
  ): void {
    indices.forEach((index, i) => {
      this.update(index, weights[i]!, grads[i]!, states[i]!)
    })
  }
}

type OptimizerClass = new (options: never) => Optimizer

const registry = new Map<string, OptimizerClass>()

/**
 * Registers an optimizer under its class's name in lower case.
 * @example
 * optimizer.register(MyOptimizer) // new gluon.Trainer(params, 'myoptimizer')
 * @see MXNet `Optimizer.register`
 */
export function register<C extends OptimizerClass>(klass: C): C {
  registry.set(klass.name.toLowerCase(), klass)
  return klass
}

/**
 * Makes the optimizer that is registered under a name.
 * @throws MXNetError when there is none.
 * @example
 * optimizer.create('adam', { learningRate: 0.001 })
 * @see MXNet `Optimizer.create_optimizer`
 */
export function create(
  name: string,
  options: { readonly [name: string]: unknown } = {},
): Optimizer {
  const klass = registry.get(String(name).toLowerCase())
  if (klass === undefined) {
    fail(
      'optimizer',
      `no optimizer is called '${name}': use one of ${[...registry.keys()].join(', ')}`,
    )
  }
  if (typeof options !== 'object' || options === null) {
    fail(
      'optimizer',
      `the options are ${String(options)}: they must be an object such as { learningRate: 0.1 }`,
    )
  }
  return new klass(options as never)
}
