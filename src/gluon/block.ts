/** Block: a callable layer or network that knows its children, its parameters and their names. */

import { Callable, invoke } from '../base/callable.ts'
import type { DType } from '../base/dtype.ts'
import { DeferredInitializationError, fail } from '../base/error.ts'
import {
  type InspectOptions,
  inspected,
  jupyterDisplay,
  type MimeBundle,
} from '../base/notebook.ts'
import { frame } from '../core/frame.ts'
import { Sym } from '../core/graph.ts'
import { Tensor, Unbound } from '../core/tensor.ts'
import { CachedOp } from '../ndarray/cachedOp.ts'
import { save } from '../ndarray/files.ts'
import type { NDArray } from '../ndarray/ndarray.ts'
import { composing } from './composing.ts'
import { inScope, nameBlock, snakeCase } from './naming.ts'
import type { LoadOptions } from './parameter.ts'
import { Parameter, withParameterSource } from './parameter.ts'
import {
  type InitializeArguments,
  initializeOptions,
  loadNamed,
  ParameterDict,
} from './parameterDict.ts'
import { printSummary } from './summary.ts'
import { blockBundle } from './tree.ts'

/** Names of the options that every block takes. */
export const blockOptions: readonly string[] = ['prefix', 'params']

/** Options that every block takes. */
export interface BlockOptions {
  /** The beginning of the names of the block's parameters; by default the class and a number, `dense0_`. */
  readonly prefix?: string | null
  /** Parameters to share: those of another block. */
  readonly params?: ParameterDict | null
}

/** Options of `hybridize`, as MXNet's. */
export interface HybridizeOptions {
  readonly active?: boolean
  readonly staticAlloc?: boolean
  readonly staticShape?: boolean
  readonly inlineLimit?: number
  readonly forwardBulkSize?: number | null
  readonly backwardBulkSize?: number | null
}

/** A hook that can be taken off again, by `detach` or at the end of a `using` scope. */
export interface HookHandle extends Disposable {
  detach(): void
}

type PreHook = (block: Block, inputs: readonly Tensor[]) => void
type Hook = (block: Block, inputs: readonly Tensor[], output: Tensor) => void

export interface Block {
  /** Runs the block: hooks, `forward`, hooks. */
  <T extends Tensor>(...inputs: T[]): T
}

/**
 * A layer or a network: a function of tensors that owns parameters and other blocks.
 *
 * Public fields that hold Blocks or Parameters are the block's children and parameters, in the order
 * of the fields; `#private` fields, arrays and maps are not seen (use `registerChild`). A Parameter
 * made with `new` takes the block's prefix. `forward` says what a call computes.
 *
 * @example
 * class Twice extends gluon.Block {
 *   readonly body = new gluon.nn.Dense(4)
 *   override forward(x: Tensor): Tensor { return this.body(x).mul(2) }
 * }
 * @see MXNet `python/mxnet/gluon/block.py` (Block)
 */
// biome-ignore lint/suspicious/noUnsafeDeclarationMerging: the interface holds only the call signature
export class Block extends Callable {
  readonly #prefix: string
  readonly #params: ParameterDict
  readonly #counters = new Map<string, number>()
  readonly #transparent: boolean
  #children = new Map<string, Block>()
  #regParams = new Map<string, Parameter>()
  /** Names of children that are fields, as against registered ones. */
  readonly #fields = new Set<string>()
  /** Names of parameters that are registered, as against fields. */
  readonly #registered = new Set<string>()
  #preHooks: PreHook[] | null = null
  #hooks: Hook[] | null = null

  constructor(options: BlockOptions = {}, hint?: string) {
    super()
    const { prefix = null, params = null } = options
    const named = nameBlock(hint ?? new.target.name.toLowerCase(), prefix, params)
    this.#prefix = named.prefix
    this.#params = named.params
    this.#transparent = prefix === ''
  }

  /** The beginning of the names of the block's parameters, such as `dense0_`. */
  get prefix(): string {
    return this.#prefix
  }

  /** What names of operators begin with in symbols; empty for those of the block around. */
  protected symbolPrefix(): string {
    return this.#transparent ? '' : this.#prefix
  }

  /** The prefix without its last underscore: `dense0`. */
  get name(): string {
    return this.#prefix.replace(/_$/, '')
  }

  /** The parameters of the block itself, not of its children; `params.get(name, options)` makes one. */
  get params(): ParameterDict {
    this.#scan()
    return this.#params
  }

  /** The blocks inside this one, by field name or by the name they were registered under. */
  get children(): ReadonlyMap<string, Block> {
    this.#scan()
    return this.#children
  }

  /** The block's own parameters by field name. */
  get regParams(): ReadonlyMap<string, Parameter> {
    this.#scan()
    return this.#regParams
  }

  /** Brings children and parameters in line with the fields as they are now. */
  #scan(): void {
    const fields = this as unknown as { readonly [name: string]: unknown }
    for (const name of this.#fields) {
      if (fields[name] === this.#children.get(name) || fields[name] instanceof Block) continue
      this.#fields.delete(name)
      this.#children.delete(name)
    }
    for (const [name, parameter] of this.#regParams) {
      if (fields[name] === parameter || this.#registered.has(name)) continue
      this.#regParams.delete(name)
      this.#params.drop(parameter)
    }
    for (const name of Object.keys(this)) {
      const value = fields[name]
      if (value instanceof Block) {
        if (this.#children.get(name) === value) continue
        this.checkChild(value)
        this.#children.set(name, value)
        this.#fields.add(name)
      } else if (value instanceof Parameter && this.#regParams.get(name) !== value) {
        value.adopt(this.#prefix)
        this.#regParams.set(name, value)
        if (!this.#params.has(value.name)) this.#params.update(value)
      }
    }
  }

  /** Fails for a block that cannot be a child of this one. */
  protected checkChild(_block: Block): void {}

  /** Makes a block a child under a name; by default its number. */
  registerChild(block: Block, name?: string): void {
    if (!(block instanceof Block))
      fail(this.constructor.name, `${String(block)} is not a Block and cannot be a child`)
    this.checkChild(block)
    this.#scan()
    this.#children.set(name ?? String(this.#children.size), block)
  }

  /** Makes a parameter the block's own under a name, as a field would. */
  protected registerParameter(name: string, parameter: Parameter): void {
    this.#registered.add(name)
    this.#regParams.set(name, parameter)
    if (!this.#params.has(parameter.name)) this.#params.update(parameter)
  }

  /** Runs `body` so that blocks made in it are named after this one: `sequential0_dense0_`. */
  nameScope<R>(body: () => R): R {
    if (this.#transparent) return body()
    return inScope({ prefix: this.#prefix, params: this.#params, counters: this.#counters }, body)
  }

  /**
   * The parameters of the block and of all blocks inside it, in order.
   *
   * `pattern` is a regular expression that must match from the start of the full name.
   * @throws MXNetError when two different parameters have one name.
   */
  collectParams(pattern?: string | RegExp): ParameterDict {
    const text = pattern instanceof RegExp ? pattern.source : pattern
    const matcher = text === undefined ? null : new RegExp(`^(?:${text})`)
    const found = new ParameterDict(this.#params.prefix)
    this.#collect(found, matcher)
    return found
  }

  #collect(into: ParameterDict, matcher: RegExp | null): void {
    for (const entry of this.params)
      if (matcher === null || matcher.test(entry[0])) into.update([entry])
    for (const child of this.children.values()) child.#collect(into, matcher)
  }

  /** Initializes all parameters: `initialize(init, { ctx })` or `initialize({ init, ctx })`. */
  initialize(...args: InitializeArguments): void {
    this.collectParams().initialize(initializeOptions(args))
  }

  /** Calls `fn` for each block inside, children first, and for this one. */
  apply(fn: (block: Block) => void): this {
    for (const child of this.children.values()) child.apply(fn)
    fn(this)
    return this
  }

  /** Changes the dtype of all parameters, now and to come. */
  cast(dtype: DType): void {
    for (const child of this.children.values()) child.cast(dtype)
    for (const parameter of this.params.values()) parameter.cast(dtype)
  }

  /** Asks all HybridBlocks inside to compile their `forward`; see there. */
  hybridize(options: boolean | HybridizeOptions = {}): void {
    for (const child of this.children.values()) child.hybridize(options)
  }

  /** Calls `hook(block, inputs)` before each `forward`. */
  registerForwardPreHook(hook: PreHook): HookHandle {
    this.#preHooks ??= []
    return attach(this.#preHooks, hook)
  }

  /** Calls `hook(block, inputs, output)` after each `forward`. */
  registerForwardHook(hook: Hook): HookHandle {
    this.#hooks ??= []
    return attach(this.#hooks, hook)
  }

  /** What a call computes; a subclass overrides it. */
  forward(..._inputs: Tensor[]): Tensor {
    return fail(this.constructor.name, 'forward is not implemented: override it')
  }

  /**
   * Tells the shapes of the block's own parameters from its inputs, by setting `parameter.shape`.
   *
   * Called when `forward` met a parameter whose shape is not known yet.
   */
  inferShape(..._inputs: Tensor[]): void {}

  override [invoke](args: readonly unknown[]): unknown {
    const inputs = args as readonly Tensor[]
    if (this.#preHooks !== null) for (const hook of [...this.#preHooks]) hook(this, inputs)
    const { probe } = frame
    const start = probe === null ? 0 : performance.now()
    const output = this.#onContext(inputs)
    if (probe !== null) probe('layer', this.name, start, performance.now())
    if (this.#hooks !== null) for (const hook of [...this.#hooks]) hook(this, inputs, output)
    return output
  }

  /** Runs `forward` with the inputs' context in force. */
  #onContext(inputs: readonly Tensor[]): Tensor {
    const before = frame.context
    const { layers } = frame
    const depth = layers.push(this.name)
    for (const x of inputs) {
      const context = x instanceof Tensor ? x.context : undefined
      if (context === undefined) continue
      frame.context = context
      break
    }
    try {
      return this.run(inputs)
    } catch (e) {
      if (!(e instanceof DeferredInitializationError)) throw e
      this.#inferParameters(inputs)
      return this.run(inputs)
    } finally {
      frame.context = before
      layers.length = depth - 1
    }
  }

  /** Runs the block on inputs whose context is in force. */
  protected run(inputs: readonly Tensor[]): Tensor {
    return this.forward(...(inputs as Tensor[]))
  }

  #inferParameters(inputs: readonly Tensor[]): void {
    if (!(inputs[0] instanceof Tensor)) {
      fail(
        this.constructor.name,
        `the input is ${String(inputs[0])}: it must be an array (nd.array)`,
      )
    }
    this.inferShape(...(inputs as Tensor[]))
    for (const parameter of this.params.values()) parameter.finishDeferredInit()
  }

  /** The name in files of a parameter of the block's own. */
  protected structuralName(name: string): string {
    return snakeCase(name)
  }

  /** Parameters by where they are, `features.0.weight`: the names in files, which do not depend on prefixes. */
  #structural(prefix: string, into: Map<string, Parameter>): Map<string, Parameter> {
    for (const [name, parameter] of this.regParams)
      into.set(prefix + this.structuralName(name), parameter)
    for (const [name, child] of this.children)
      child.#structural(`${prefix}${snakeCase(name)}.`, into)
    return into
  }

  /**
   * Writes all parameters to a `.params` file that MXNet reads, named by structure (`0.weight`).
   *
   * The copies on several contexts are averaged; a shared parameter is written under each of its
   * names, with `deduplicate` under the first only.
   * @throws MXNetError when a parameter is not initialized.
   */
  async saveParameters(
    file: string,
    { deduplicate = false }: { readonly deduplicate?: boolean } = {},
  ): Promise<void> {
    const arrays: { [name: string]: NDArray } = {}
    const written = new Map<Parameter, NDArray>()
    for (const [name, parameter] of this.#structural('', new Map())) {
      const known = written.get(parameter)
      if (known !== undefined && deduplicate) continue
      const array = known ?? parameter.reduce()
      written.set(parameter, array)
      arrays[name] = array
    }
    await save(file, arrays)
  }

  /**
   * Reads parameters from a file: MXNet's or our own, named by structure or, in old files, by prefix.
   * @throws MXNetError naming parameters that are missing, too many or of another shape or dtype.
   */
  async loadParameters(file: string, options: LoadOptions = {}): Promise<void> {
    const where = this.constructor.name
    const arrays = await loadNamed(where, file)
    const params = this.#structural('', new Map())
    const names = Object.keys(arrays)
    if (!names.some((name) => name.includes('.')) && !names.every((name) => params.has(name))) {
      this.collectParams().loadDict(arrays, { ...options, restorePrefix: this.prefix, file })
      return
    }
    const { allowMissing = false, ignoreExtra = false } = options
    const given = new Set(names.map((name) => params.get(name)))
    const missing = [...params].flatMap(([name, parameter]) => (given.has(parameter) ? [] : [name]))
    if (missing.length > 0 && !allowMissing) {
      fail(where, `${file} lacks ${missing.join(', ')}: allowMissing leaves them alone`)
    }
    for (const [name, array] of Object.entries(arrays)) {
      const parameter = params.get(name)
      if (parameter !== undefined) parameter.loadInit(array, options)
      else if (!ignoreExtra)
        fail(where, `${file} has ${name}, which is no parameter here: ignoreExtra passes it over`)
    }
  }

  /** Prints each layer with its output shape and number of parameters, as MXNet does; runs the block once. */
  summary(...inputs: Tensor[]): void {
    console.log(printSummary(this, inputs))
  }

  /** Whether the block is only a list of its children, as Sequential is; `summary` gives it no row. */
  get listsOnly(): boolean {
    return false
  }

  /** Whether `hybridize` is in force. */
  get hybridized(): boolean {
    return false
  }

  /** The children as printed: a line each. */
  protected describe(): string {
    const lines = [...this.children].map(([name, child]) => `  (${name}): ${indent(String(child))}`)
    return `(\n${lines.join('\n')}\n)`
  }

  /** MXNet's text: the class, and a line for each child. */
  override toString(): string {
    return this.constructor.name + this.describe()
  }

  [Symbol.for('nodejs.util.inspect.custom')](depth: number, options?: InspectOptions): string {
    return inspected(depth, options?.depth, {
      text: () => this.toString(),
      brief: () => `<${this.constructor.name} ${this.name}>`,
      bundle: () => blockBundle(this),
    })
  }

  /** What a notebook shows: the blocks inside as a tree, with their numbers of parameters. */
  [jupyterDisplay](): MimeBundle {
    return blockBundle(this)
  }
}

/** Puts two spaces before every line but the first. */
const indent = (text: string): string => text.replaceAll('\n', '\n  ')

function attach<H>(hooks: H[], hook: H): HookHandle {
  hooks.push(hook)
  const detach = (): void => {
    const at = hooks.indexOf(hook)
    if (at >= 0) hooks.splice(at, 1)
  }
  return { detach, [Symbol.dispose]: detach }
}

/**
 * A Block whose `forward` is made of tensor operators only, so that the same text serves arrays and graphs.
 *
 * Its children must be HybridBlocks as well.
 * @example
 * class Residual extends gluon.HybridBlock {
 *   readonly body = new gluon.nn.Dense(64, { activation: 'relu', flatten: false })
 *   override forward(x: Tensor): Tensor { return nd.add(x, this.body(x)) }
 * }
 * @see MXNet `python/mxnet/gluon/block.py` (HybridBlock)
 */
export class HybridBlock extends Block {
  #hybrid: HybridizeOptions | null = null
  #cached: CachedOp | null = null
  #ran: CachedOp['lastInputs'] = null

  /**
   * Runs `forward` from now on as one compiled graph: traced at the first call with a combination of shapes,
   * dtypes, context and training mode, then fused and planned. Children are hybridized too; of nested blocks the
   * outermost compiles the whole.
   *
   * While it is traced `forward` sees places in a graph: reading a value, or branching on one, is an error.
   * @see MXNet `HybridBlock.hybridize`
   */
  override hybridize(options: boolean | HybridizeOptions = {}): void {
    const { active = true, ...rest } = typeof options === 'boolean' ? { active: options } : options
    this.#hybrid = active ? rest : null
    this.#cached = null
    super.hybridize(options)
  }

  /** The function that `hybridize` compiles, with its traces. */
  get cachedOp(): CachedOp {
    this.#cached ??= new CachedOp(this.constructor.name, (inputs, place) =>
      withParameterSource(
        (parameter) => place(parameter, () => parameter.data()),
        () => this.forward(...(inputs as Tensor[])),
      ),
    )
    return this.#cached
  }

  /** The name of the first operator that `forward` applies, in symbols; by default made from the operator's. */
  protected get operatorName(): string | null {
    return null
  }

  /** Shapes and dtypes of the inputs of the last call that was no other block's; null before the first. */
  get lastInputs(): CachedOp['lastInputs'] {
    return this.#ran ?? this.cachedOp.lastInputs
  }

  protected override run(inputs: readonly Tensor[]): Tensor {
    if (inputs.some((x) => x instanceof Unbound)) {
      return composing(this.symbolPrefix(), this.operatorName, () =>
        this.forward(...(inputs as Tensor[])),
      )
    }
    const traced = frame.tracing || inputs.some((x) => x instanceof Sym)
    // Of nested blocks the outermost is the one that people export.
    if (!traced && frame.layers.length === 1) this.#ran = inputs.map((x) => x?.aval ?? null)
    if (traced || this.#hybrid === null) return super.run(inputs)
    return this.cachedOp.call(
      (inputs as readonly (NDArray | null | undefined)[]).map((x) => x ?? null),
    ) as Tensor
  }

  override get hybridized(): boolean {
    return this.#hybrid !== null
  }

  protected override checkChild(block: Block): void {
    if (block instanceof HybridBlock) return
    fail(
      this.constructor.name,
      `child ${block.name} is a ${block.constructor.name}: children of a HybridBlock must be HybridBlocks`,
    )
  }
}
