/** Parameter: an array that training changes, with one copy on every context it was initialized on. */

import { attachGrad } from '../autograd/index.ts'
import type { Context } from '../base/context.ts'
import { checkDType, type DType } from '../base/dtype.ts'
import { DeferredInitializationError, fail } from '../base/error.ts'
import { checkOptions } from '../base/options.ts'
import { formatShape } from '../base/shape.ts'
import { frame, withFrame } from '../core/frame.ts'
import type { Tensor } from '../core/tensor.ts'
import { Uniform } from '../initializer/distributions.ts'
import { create, type Initializer, type InitLike } from '../initializer/initializer.ts'
import { zeros } from '../ndarray/creation.ts'
import { sharesBlock } from '../ndarray/exchange.ts'
import type { GradReq, NDArray } from '../ndarray/ndarray.ts'
import type { Symbolic } from '../symbol/symbol.ts'
import { variable } from '../symbol/variable.ts'

/** A shape in which null or 0 stands for a size that the first input will tell. */
export type PartialShape = number | readonly (number | null)[]

/** Options of a `Parameter`. */
export interface ParameterOptions {
  /** Null, or sizes of null or 0, are told by the first input; a number is a shape of one axis. */
  readonly shape?: PartialShape | null
  readonly dtype?: DType
  /** How `backward` stores the gradient: 'write' (the default), 'add' or 'null'. */
  readonly gradReq?: GradReq
  /** The initializer that goes before the one given to `initialize` of the whole network. */
  readonly init?: InitLike | null
  readonly lrMult?: number
  readonly wdMult?: number
  /** Whether `initialize` may wait for a shape that is not known yet. */
  readonly allowDeferredInit?: boolean
  /** False for values that are never trained, such as running means. */
  readonly differentiable?: boolean
}

/** Options of `initialize`. */
export interface InitializeOptions {
  /** The initializer of parameters that have none of their own; uniform on ±0.07 by default. */
  readonly init?: InitLike | null
  readonly ctx?: Context | readonly Context[] | null
  /** Initializes again what already is. */
  readonly forceReinit?: boolean
  readonly verbose?: boolean
}

/** Options of loading. */
export interface LoadOptions {
  readonly ctx?: Context | readonly Context[] | null
  /** Parameters that the file lacks are left alone. */
  readonly allowMissing?: boolean
  /** Arrays in the file that no parameter takes are passed over. */
  readonly ignoreExtra?: boolean
  /** Casts where dtypes differ, instead of failing. */
  readonly castDtype?: boolean
  /** Which dtype a cast leads to: the parameter's ('current') or the file's ('saved'). */
  readonly dtypeSource?: 'current' | 'saved'
}

/** What `initialize` has been asked for while the shape is not known. */
interface Deferred {
  readonly init: Initializer
  readonly ctx: readonly Context[]
  readonly data: NDArray | null
}

/** Gives a parameter's place in the graph that is being traced. */
export type ParameterSource = (parameter: Parameter) => Tensor

let source: ParameterSource | null = null

const parameterOptions = [
  'shape',
  'dtype',
  'gradReq',
  'init',
  'lrMult',
  'wdMult',
  'allowDeferredInit',
  'differentiable',
]

/** Runs `body` with parameters answering `data()` with places in a graph. */
export function withParameterSource<R>(from: ParameterSource, body: () => R): R {
  const before = source
  source = from
  try {
    return body()
  } finally {
    source = before
  }
}

export const contextsOf = (
  ctx: Context | readonly Context[] | null | undefined,
): readonly Context[] =>
  ctx === null || ctx === undefined ? [frame.context] : Array.isArray(ctx) ? ctx : [ctx as Context]

/** Work on parameters is never part of a recorded, traced or composed computation. */
const aside = <R>(body: () => R): R =>
  withFrame({ recording: false, tracing: false, composing: false }, body)

/**
 * An array that training changes.
 *
 * Inside a Block `data()` is the copy on the context of the block's input.
 * @example
 * const weight = new gluon.Parameter('weight', { shape: [2, 3] })
 * weight.initialize({ init: 'ones' })
 * weight.data().shape // => [2, 3]
 * @see MXNet `python/mxnet/gluon/parameter.py` (Parameter)
 */
export class Parameter {
  #name: string
  #owned = false
  #shape: readonly number[] | null
  /** The shape it was made with, before any input had told sizes: what symbols say of it. */
  readonly #declared: readonly number[] | null
  #var: Symbolic | null = null
  #dtype: DType
  #gradReq: GradReq
  #data: NDArray | null = null
  #copies: Map<Context, NDArray> | null = null
  #deferred: Deferred | null = null
  /** The initializer that goes before the network's. */
  init: InitLike | null
  /** Multiplies the learning rate; read at every update. */
  lrMult: number
  /** Multiplies the weight decay; read at every update. */
  wdMult: number
  readonly allowDeferredInit: boolean
  readonly differentiable: boolean

  constructor(name: string, options: ParameterOptions = {}) {
    this.#name = name
    checkOptions('Parameter', options, parameterOptions)
    const { shape = null, gradReq = 'write', differentiable = true } = options
    this.#declared = shape === null ? null : normalShape(shape)
    this.#shape = this.#declared
    this.#dtype = checkDType(name, options.dtype ?? 'float32')
    this.init = options.init ?? null
    this.lrMult = options.lrMult ?? 1
    this.wdMult = options.wdMult ?? 1
    this.allowDeferredInit = options.allowDeferredInit ?? false
    this.differentiable = differentiable
    this.#gradReq = differentiable ? checkGradReq(name, gradReq) : 'null'
  }

  /** The name, with the prefix of the block it belongs to. */
  get name(): string {
    return this.#name
  }

  /** Gives a parameter that no dictionary holds yet the prefix of its block. */
  adopt(prefix: string): void {
    if (!this.#owned && !this.#name.startsWith(prefix)) this.#name = prefix + this.#name
    this.#owned = true
  }

  /** The shape, 0 where a size is not known yet; null when nothing is. Setting it fills in unknown sizes. */
  get shape(): readonly number[] | null {
    return this.#shape
  }

  set shape(shape: PartialShape | null) {
    if (shape === null) return
    const next = normalShape(shape)
    const now = this.#shape
    const fits =
      now === null || (now.length === next.length && now.every((d, i) => d === 0 || d === next[i]))
    if (!fits) {
      fail(
        'Parameter',
        `${this.name} has shape ${formatShape(now)} and cannot become ${formatShape(next)}`,
      )
    }
    this.#shape = next
  }

  get dtype(): DType {
    return this.#dtype
  }

  /** How `backward` stores the gradient. Setting it makes a zero gradient, or for 'null' drops it. */
  get gradReq(): GradReq {
    return this.#gradReq
  }

  set gradReq(gradReq: GradReq) {
    checkGradReq(this.name, gradReq)
    const next = this.differentiable ? gradReq : 'null'
    if (next === this.#gradReq) return
    this.#gradReq = next
    for (const [ctx, array] of this.#copies ?? [])
      this.#put(
        ctx,
        aside(() => array.detach()),
      )
  }

  /** Whether all sizes are known. */
  get #known(): boolean {
    return this.#shape !== null && !this.#shape.includes(0)
  }

  /**
   * Makes the array on each context and fills it; waits for the first input while the shape is not known.
   *
   * `init` wins over the parameter's own initializer, and that over `defaultInit`. All contexts get the same values.
   * @throws MXNetError when the shape is not known and `allowDeferredInit` is off.
   */
  initialize(options: InitializeOptions & { readonly defaultInit?: InitLike } = {}): void {
    const { init = null, defaultInit = new Uniform(), forceReinit = false } = options
    if (this.#data !== null && !forceReinit) {
      console.warn(
        `Parameter '${this.name}' is already initialized: ignoring; set forceReinit to do it again`,
      )
      return
    }
    const contexts = contextsOf(options.ctx)
    if (contexts.length === 0)
      fail('Parameter', `${this.name} is initialized on no context: give at least one`)
    this.#data = null
    this.#copies = null
    this.#deferred = { init: create(init ?? this.init ?? defaultInit), ctx: contexts, data: null }
    if (this.#known) return this.finishDeferredInit()
    if (!this.allowDeferredInit) {
      const shape = this.#shape === null ? 'an unknown shape' : `shape ${formatShape(this.#shape)}`
      this.#deferred = null
      fail('Parameter', `${this.name} has ${shape}: give all sizes, or set allowDeferredInit`)
    }
  }

  /** Does what `initialize` put off, once the shape is known. */
  finishDeferredInit(): void {
    const deferred = this.#deferred
    if (deferred === null) return
    if (!this.#known) {
      const shape = this.#shape === null ? 'unknown' : formatShape(this.#shape)
      fail(
        'Parameter',
        `the shape of ${this.name} is ${shape} and its inputs do not tell it: give the shape, or let the block override inferShape`,
      )
    }
    this.#deferred = null
    aside(() => {
      const [shape, dtype, first] = [this.#shape!, this.#dtype, deferred.ctx[0]!]
      let data = deferred.data?.asInContext(first) ?? null
      if (data === null) {
        data = zeros(shape, { dtype, ctx: first })
        deferred.init.initWeight(this.name, data)
      }
      this.#fill(data, deferred.ctx)
    })
  }

  /** `data` on each context; where it is already it shares its memory until somebody writes. */
  #fill(data: NDArray, contexts: readonly Context[]): void {
    this.#copies = new Map()
    for (const ctx of contexts) {
      const shared = ctx === data.context && data.layout.dense
      this.#put(ctx, shared ? data.detach() : data.copyTo(ctx))
    }
    this.#data = this.#copies.get(contexts[0]!)!
  }

  #put(ctx: Context, array: NDArray): void {
    if (this.#gradReq !== 'null') attachGrad(array, this.#gradReq)
    this.#copies!.set(ctx, array)
    if (this.#data?.context === ctx) this.#data = array
  }

  /**
   * The array on a context; without one, on the only context or the current one.
   *
   * While a graph is traced, the parameter's place in it.
   * @throws DeferredInitializationError before the first input has told the shape.
   * @throws MXNetError when there is no array on the context.
   */
  data(ctx?: Context): NDArray {
    if (source !== null && (frame.tracing || frame.composing)) return source(this) as NDArray
    const copies = this.#copies
    if (copies !== null) {
      if (ctx === undefined && copies.size === 1) return this.#data!
      const found = copies.get(ctx ?? frame.context)
      if (found !== undefined) return found
    }
    return this.#absent(ctx)
  }

  #absent(ctx: Context | undefined): never {
    if (this.#deferred !== null) {
      throw new DeferredInitializationError(
        'Parameter',
        `${this.name} waits for the first input to tell its shape: run the network once, or give the input sizes`,
      )
    }
    if (this.#copies !== null) {
      const where = [...this.#copies.keys()].join(', ')
      fail(
        'Parameter',
        `${this.name} is not on ${ctx ?? frame.context}: it was initialized on ${where}`,
      )
    }
    return fail(
      'Parameter',
      `${this.name} has not been initialized: call initialize() on it or on its network first`,
    )
  }

  /** The arrays on all contexts, in the order of `listCtx`. */
  listData(): NDArray[] {
    return [...(this.#copies ?? this.#absent(undefined)).values()]
  }

  /**
   * The gradient on a context; without one as `data`.
   * @throws MXNetError when `gradReq` is 'null' or there is no array on the context.
   */
  grad(ctx?: Context): NDArray {
    return this.#gradOf(this.data(ctx))
  }

  /** The gradients on all contexts, in the order of `listCtx`. */
  listGrad(): NDArray[] {
    return this.listData().map((array) => this.#gradOf(array))
  }

  #gradOf(array: NDArray): NDArray {
    return (
      array.grad ??
      fail('Parameter', `${this.name} has no gradient: its gradReq is '${this.#gradReq}'`)
    )
  }

  /** The contexts that the parameter lives on, or will. */
  listCtx(): Context[] {
    if (this.#copies !== null) return [...this.#copies.keys()]
    return this.#deferred === null ? this.#absent(undefined) : [...this.#deferred.ctx]
  }

  /** Whether there is an array already. */
  get initialized(): boolean {
    return this.#copies !== null
  }

  /** Whether `initialize` has been called, though the shape may still be awaited. */
  get prepared(): boolean {
    return this.#copies !== null || this.#deferred !== null
  }

  /**
   * Writes values into the copies on all contexts; before the shape is known they are kept until then.
   * @throws MXNetError when the shape does not fit or the parameter is not initialized.
   */
  setData(data: NDArray): void {
    this.shape = data.shape
    if (this.#copies === null) {
      if (this.#deferred === null) this.#absent(undefined)
      const { ctx, init } = this.#deferred!
      this.#deferred = { ctx, init, data: aside(() => data.astype(this.#dtype)) }
      return
    }
    aside(() => {
      for (const [ctx, array] of this.#copies!) array.assign(data.detach().asInContext(ctx))
    })
  }

  /** Takes a value from a file, making the array where there is none. */
  loadInit(data: NDArray, options: LoadOptions = {}): void {
    const { castDtype = false, dtypeSource = 'current' } = options
    const now = this.#shape
    const fits =
      now === null ||
      (now.length === data.ndim && now.every((d, i) => d === 0 || d === data.shape[i]))
    if (!fits) {
      fail(
        'Parameter',
        `loading ${this.name}: the file has shape ${formatShape(data.shape)}, the parameter ${formatShape(now)}`,
      )
    }
    if (data.dtype !== this.#dtype) {
      if (!castDtype) {
        fail(
          'Parameter',
          `loading ${this.name}: the file has ${data.dtype}, the parameter ${this.#dtype}: set castDtype to convert`,
        )
      }
      if (dtypeSource === 'saved') this.cast(data.dtype)
    }
    if (options.ctx && this.prepared) {
      const [want, have] = [contextsOf(options.ctx), this.listCtx()]
      if (want.length !== have.length || want.some((c) => !have.includes(c))) {
        fail(
          'Parameter',
          `loading ${this.name} on ${want.join(', ')}: it is on ${have.join(', ')}; use resetCtx`,
        )
      }
    }
    this.shape = data.shape
    if (this.#copies !== null) return this.setData(data)
    const contexts = this.#deferred?.ctx ?? contextsOf(options.ctx)
    this.#deferred = null
    aside(() => this.#fill(data.astype(this.#dtype).asInContext(contexts[0]!), contexts))
  }

  /**
   * The parameter as a variable of a symbol, the same at every call.
   * @see MXNet `Parameter.var`
   */
  var(): Symbolic {
    if (this.#var?.name !== this.#name) {
      this.#var = variable(this.#name, {
        shape: this.#declared,
        dtype: this.#dtype,
        lrMult: this.lrMult,
        wdMult: this.wdMult,
        init: this.init,
        stype: 'default',
      })
    }
    return this.#var!
  }

  /** Sets the gradients to zero. */
  zeroGrad(): void {
    if (this.#gradReq === 'null' || this.#copies === null) return
    aside(() => {
      for (const array of this.#copies!.values()) array.grad?.assign(0)
    })
  }

  /** Changes the dtype of the arrays there are and of those to come; gradients start at zero. */
  cast(dtype: DType): void {
    this.#dtype = dtype
    const copies = [...(this.#copies ?? [])]
    aside(() => {
      for (const [ctx, array] of copies) this.#put(ctx, array.detach().astype(dtype))
    })
  }

  /** Moves the parameter to other contexts: the mean of the copies goes to each; gradients start at zero. */
  resetCtx(ctx: Context | readonly Context[]): void {
    const contexts = contextsOf(ctx)
    if (this.#copies !== null) {
      aside(() => {
        const mean = this.reduce()
        this.#data = null
        this.#fill(mean, contexts)
      })
    } else if (this.#deferred !== null) {
      this.#deferred = { ...this.#deferred, ctx: contexts }
    } else {
      this.#absent(undefined)
    }
  }

  /** The mean of the copies on all contexts, on the first of them; what is written to files. */
  reduce(): NDArray {
    const [first, ...others] = this.listData().map((array) => array.detach())
    if (others.every((array) => sharesBlock(first!, array))) return first!
    return aside(() => {
      const sum = others.reduce((s, x) => s.add(x.asInContext(s.context)), first!)
      return sum.div(others.length + 1)
    })
  }

  /** `Parameter dense0_weight (shape=(10, 0), dtype=float32)`. */
  toString(): string {
    const shape = this.#shape === null ? 'None' : formatShape(this.#shape)
    return `Parameter ${this.name} (shape=${shape}, dtype=${this.#dtype})`
  }

  [Symbol.for('nodejs.util.inspect.custom')](): string {
    return this.toString()
  }
}

function normalShape(shape: PartialShape): readonly number[] {
  const sizes = (typeof shape === 'number' ? [shape] : shape).map((d) => d ?? 0)
  if (!sizes.every((d) => Number.isInteger(d) && d >= 0)) {
    fail(
      'Parameter',
      `shape [${sizes.join(', ')}] must be non-negative integers, null where unknown`,
    )
  }
  return sizes
}

function checkGradReq(name: string, gradReq: GradReq): GradReq {
  if (gradReq !== 'write' && gradReq !== 'add' && gradReq !== 'null') {
    fail('Parameter', `gradReq of ${name} is '${String(gradReq)}': use 'write', 'add' or 'null'`)
  }
  return gradReq
}
