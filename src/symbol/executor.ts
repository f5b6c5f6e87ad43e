/** Executor: a symbol bound to arrays, run forward and backward as compiled graphs. */

import { backward, markVariables, pause, record } from '../autograd/index.ts'
import { Context, cpu } from '../base/context.ts'
import type { DType } from '../base/dtype.ts'
import { fail } from '../base/error.ts'
import { checkOptions } from '../base/options.ts'
import { formatShape, sameShape, sizeOf } from '../base/shape.ts'
import { withFrame } from '../core/frame.ts'
import { CachedOp, type GraphView } from '../ndarray/cachedOp.ts'
import { zeros } from '../ndarray/creation.ts'
import type { GradReq } from '../ndarray/ndarray.ts'
import { NDArray } from '../ndarray/ndarray.ts'
import { infer } from './infer.ts'
import type { SymbolNode } from './node.ts'
import { Program } from './run.ts'
import { type ShapesByName, Symbolic } from './symbol.ts'

/** Arrays in the order of the names, or by name. */
export type Arrays = readonly NDArray[] | { readonly [name: string]: NDArray }

/** How gradients are stored: for all, in the order of the arguments, or by name (the others have none). */
export type GradReqs = GradReq | readonly GradReq[] | { readonly [argument: string]: GradReq }

/** Options of `bind`. */
export interface BindOptions {
  /** Where gradients go; arguments without one get a new array unless their `gradReq` is 'null'. */
  readonly argsGrad?: Arrays | null
  readonly gradReq?: GradReqs
  readonly auxStates?: Arrays | null
}

/** Options of `simpleBind`. */
export interface SimpleBindOptions {
  readonly gradReq?: GradReqs
  /** Dtypes of arguments; float32 otherwise. */
  readonly typeDict?: { readonly [argument: string]: DType } | null
}

/** The arguments of `bind` by name. */
export interface NamedBind extends BindOptions {
  readonly ctx: Context
  readonly args: Arrays
}

/** The arguments of `simpleBind` by name; all other names are inputs, with their shapes. */
export type NamedSimpleBind = SimpleBindOptions & {
  readonly ctx: Context
  readonly [input: string]: unknown
}

/** Told the name and value of every output of every node. */
export type Monitor = (name: string, value: NDArray) => void

/** Arrays by the names of variables, in their order. */
function byName(
  where: string,
  names: readonly string[],
  given: Arrays,
  optional: boolean,
): (NDArray | null)[] {
  const list = Array.isArray(given) ? (given as readonly NDArray[]) : null
  if (list !== null && list.length !== names.length)
    fail(where, `${list.length} arrays are given for ${names.length}: ${names.join(', ')}`)
  if (list === null) {
    const extra = Object.keys(given).find((name) => !names.includes(name))
    if (extra !== undefined && !optional)
      fail(where, `there is no ${extra}: there are ${names.join(', ')}`)
  }
  return names.map((name, i) => {
    const array = list === null ? (given as { readonly [name: string]: NDArray })[name] : list[i]
    if (array instanceof NDArray) return array
    if (optional && (array === undefined || array === null)) return null
    return fail(where, `${name} is ${String(array)}: give an array for it`)
  })
}

function reqsOf(names: readonly string[], gradReq: GradReqs): GradReq[] {
  const reqs = names.map((name, i) => {
    if (typeof gradReq === 'string') return gradReq
    if (Array.isArray(gradReq)) return (gradReq as readonly GradReq[])[i] ?? 'null'
    return (gradReq as { readonly [name: string]: GradReq })[name] ?? 'null'
  })
  for (const req of reqs)
    if (!['write', 'add', 'null'].includes(req))
      fail('bind', `gradReq is '${String(req)}': use 'write', 'add' or 'null'`)
  return reqs
}

const dictionary = <V>(names: readonly string[], values: readonly V[]): { [name: string]: V } => {
  const twice = names.find((name, i) => names.indexOf(name) !== i)
  if (twice !== undefined)
    fail('Executor', `two variables are called ${twice}: give them different names`)
  return Object.fromEntries(names.map((name, i) => [name, values[i]!]))
}

/**
 * A symbol with arrays for its variables.
 *
 * `forward` computes `outputs`, `backward` the gradients of the arguments, into `gradArrays`.
 * @example
 * const exec = mx.sym.var('x').square().bind(mx.cpu(), { x: nd.array([3]) })
 * exec.forward(true)
 * exec.backward()
 * await exec.gradDict.x.asArray() // => [6]
 * @see MXNet `mx.executor.Executor`
 */
export class Executor {
  readonly #symbol: Symbolic
  readonly #context: Context
  readonly #program: Program
  readonly #compiled: CachedOp
  readonly #reqs: readonly GradReq[]
  #monitor: { readonly callback: Monitor; readonly all: boolean } | null = null
  #recorded = false
  /** Arrays of the arguments, in the order of `listArguments`. */
  readonly argArrays: readonly NDArray[]
  /** Their gradients; null where none is kept. */
  readonly gradArrays: readonly (NDArray | null)[]
  /** Arrays of the auxiliary states. */
  readonly auxArrays: readonly NDArray[]
  /** The results of the last `forward`. */
  outputs: readonly NDArray[] = []

  constructor(
    symbol: Symbolic,
    context: Context,
    args: readonly NDArray[],
    gradients: readonly (NDArray | null)[],
    reqs: readonly GradReq[],
    states: readonly NDArray[],
  ) {
    this.#symbol = symbol
    this.#context = context
    this.#program = new Program(symbol.entries)
    this.argArrays = args
    this.auxArrays = states
    this.#reqs = reqs
    this.gradArrays = args.map((x, i) => {
      if (reqs[i] === 'null') return null
      const gradient = gradients[i] ?? zeros(x.shape, { dtype: x.dtype, ctx: x.context })
      if (!sameShape(gradient.shape, x.shape))
        fail(
          'bind',
          `the gradient ${formatShape(gradient.shape)} must have shape ${formatShape(x.shape)}`,
        )
      return gradient
    })
    const { variables } = this.#program
    const places = new Map<SymbolNode, number>(variables.map((node, i) => [node, i]))
    this.#compiled = new CachedOp('Executor', (inputs) =>
      this.#program.run((node) => inputs[places.get(node)!]!),
    )
  }

  /** The arrays of all variables, in the order in which the graph reads them. */
  #inputs(): NDArray[] {
    const [args, aux] = [this.argArrays.values(), this.auxArrays.values()]
    const states = new Set(this.#symbol.auxiliaryNodes())
    return this.#program.variables.map((node) => (states.has(node) ? aux : args).next().value!)
  }

  /** Arguments by name. */
  get argDict(): { [name: string]: NDArray } {
    return dictionary(this.#symbol.listArguments(), this.argArrays)
  }

  /** Gradients by the names of the arguments; null where none is kept. */
  get gradDict(): { [name: string]: NDArray | null } {
    return dictionary(this.#symbol.listArguments(), this.gradArrays)
  }

  /** Auxiliary states by name. */
  get auxDict(): { [name: string]: NDArray } {
    return dictionary(this.#symbol.listAuxiliaryStates(), this.auxArrays)
  }

  /** Results of the last `forward` by name. */
  get outputDict(): { [name: string]: NDArray } {
    return dictionary(this.#symbol.listOutputs(), this.outputs)
  }

  /**
   * Computes the outputs; `arrays` are copied into the arguments of these names before.
   * @throws MXNetError for an unknown name or another shape.
   * @see MXNet `Executor.forward`
   */
  forward(
    isTrain = false,
    arrays: { readonly [argument: string]: NDArray } = {},
  ): readonly NDArray[] {
    const args = this.argDict
    for (const [name, value] of Object.entries(arrays)) {
      const target = args[name]
      if (target === undefined)
        fail('forward', `there is no argument ${name}: there are ${Object.keys(args).join(', ')}`)
      if (!sameShape(target.shape, value.shape)) {
        const [got, want] = [formatShape(value.shape), formatShape(target.shape)]
        fail('forward', `${name} has shape ${got}, but ${want} was bound: use reshape`)
      }
      target.assign(value)
    }
    const run = (): readonly NDArray[] =>
      withFrame({ context: this.#context }, () => this.#run(this.#inputs()))
    if (isTrain) {
      const kept = this.#reqs.flatMap((req, i) => (req === 'null' ? [] : [i]))
      markVariables(
        kept.map((i) => this.argArrays[i]!),
        kept.map((i) => this.gradArrays[i]!),
        kept.map((i) => this.#reqs[i]!),
      )
    }
    this.outputs = isTrain ? record(run) : pause(run)
    this.#recorded = isTrain
    return this.outputs
  }

  #run(inputs: readonly NDArray[]): readonly NDArray[] {
    const monitor = this.#monitor
    if (monitor === null) return this.#compiled.call(inputs) as readonly NDArray[]
    const { variables } = this.#program
    return this.#program.run(
      (node) => inputs[variables.indexOf(node)]!,
      (name, value, isInput) => {
        if (monitor.all || !isInput) monitor.callback(name, value as NDArray)
      },
    ) as NDArray[]
  }

  /**
   * Computes the gradients of the arguments from those of the outputs, ones when left out.
   * @throws MXNetError when `forward(true)` has not been called before.
   * @see MXNet `Executor.backward`
   */
  backward(outGrads: NDArray | Arrays | null = null): void {
    if (!this.#recorded)
      fail('backward', 'nothing is recorded: call forward(true) before each backward')
    this.#recorded = false
    const names = this.#symbol.listOutputs()
    const given =
      outGrads instanceof NDArray
        ? [outGrads]
        : outGrads === null
          ? []
          : byName('backward', names, outGrads, true)
    const followed = this.outputs.flatMap((y, i) => (y.node === null ? [] : [i]))
    if (followed.length === 0) return
    backward(
      followed.map((i) => this.outputs[i]!),
      followed.map((i) => given[i] ?? null),
    )
  }

  /**
   * Copies values into arguments and states, casting where dtypes differ.
   * @throws MXNetError for a name that is not here, unless `allowExtraParams` is set.
   * @see MXNet `Executor.copy_params_from`
   */
  copyParamsFrom(
    argParams: { readonly [name: string]: NDArray },
    auxParams: { readonly [name: string]: NDArray } = {},
    { allowExtraParams = false }: { readonly allowExtraParams?: boolean } = {},
  ): void {
    const copy = (
      targets: { readonly [name: string]: NDArray },
      values: { readonly [name: string]: NDArray },
    ): void => {
      for (const [name, value] of Object.entries(values)) {
        const target = targets[name]
        if (target !== undefined)
          target.assign(value.astype(target.dtype).asInContext(target.context))
        else if (!allowExtraParams)
          fail(
            'copyParamsFrom',
            `there is no ${name}: there are ${Object.keys(targets).join(', ')}`,
          )
      }
    }
    copy(this.argDict, argParams)
    copy(this.auxDict, auxParams)
  }

  /**
   * An executor for other shapes, which shares the arrays whose shapes stay the same.
   * @throws MXNetError when a shape that is not given changes without `partialShaping`, or grows without `allowUpSizing`.
   * @see MXNet `Executor.reshape`
   */
  reshape(
    shapes: ShapesByName,
    {
      partialShaping = false,
      allowUpSizing = false,
    }: { readonly partialShaping?: boolean; readonly allowUpSizing?: boolean } = {},
  ): Executor {
    const [args, , aux] = this.#symbol.inferShape(shapes)
    if (args === null || aux === null)
      return fail('reshape', 'not all shapes follow: give those of all inputs')
    const names = this.#symbol.listArguments()
    const resized = (array: NDArray, shape: readonly number[], name: string): NDArray => {
      if (sameShape(array.shape, shape)) return array
      const [from, to] = [formatShape(array.shape), formatShape(shape)]
      if (!Object.hasOwn(shapes, name) && !partialShaping)
        fail('reshape', `${name} would become ${to} from ${from}: set partialShaping`)
      if (sizeOf(shape) > array.size && !allowUpSizing)
        fail('reshape', `${name} would grow from ${from} to ${to}: set allowUpSizing`)
      return zeros(shape, { dtype: array.dtype, ctx: array.context })
    }
    const moved = this.argArrays.map((x, i) => resized(x, args[i]!, names[i]!))
    const states = this.auxArrays.map((x, i) =>
      resized(x, aux[i]!, this.#symbol.listAuxiliaryStates()[i]!),
    )
    const gradients = this.gradArrays.map((g, i) => (moved[i] === this.argArrays[i] ? g : null))
    return new Executor(this.#symbol, this.#context, moved, gradients, this.#reqs, states)
  }

  /**
   * Calls `callback(name, value)` for every output of every node at each `forward`, with `monitorAll` for inputs too.
   *
   * The graph then runs operator by operator.
   * @see MXNet `Executor.set_monitor_callback`
   */
  setMonitorCallback(callback: Monitor | null, monitorAll = false): void {
    this.#monitor = callback === null ? null : { callback, all: monitorAll }
  }

  /** What the symbol has become for these arrays, to look at after each pass: as `HybridBlock.graph`. */
  graph(): GraphView {
    const reqs = this.#reqs.values()
    const states = new Set(this.#symbol.auxiliaryNodes())
    const needs = this.#program.variables.map(
      (node) => !states.has(node) && reqs.next().value !== 'null',
    )
    const avals = this.#inputs().map((x) => x.aval)
    return withFrame({ context: this.#context }, () => this.#compiled.view(avals, needs))
  }

  /** The graph as text. @see MXNet `Executor.debug_str` */
  debugStr(): string {
    return this.#symbol.debugStr()
  }
}

declare module './symbol.ts' {
  interface Symbolic {
    /**
     * Binds arrays to the variables: in the order of `listArguments`, or by name.
     * @throws MXNetError when an argument is missing.
     * @example
     * const exec = mx.sym.var('x').add(1).bind(mx.cpu(), { x: nd.array([1, 2]) })
     * await exec.forward()[0].asArray() // => [2, 3]
     * @see MXNet `Symbol.bind`
     */
    bind(context: Context, args: Arrays, options?: BindOptions): Executor
    bind(named: NamedBind): Executor
    /**
     * Binds new arrays of zeros, whose shapes follow from the given ones.
     * @throws MXNetError when not all shapes follow.
     * @example
     * const net = mx.sym.fullyConnected(mx.sym.var('data'), { numHidden: 2, name: 'fc' })
     * const exec = net.simpleBind(mx.cpu(), { data: [4, 3] })
     * exec.argDict.fc_weight.shape // => [2, 3]
     * @see MXNet `Symbol.simple_bind`
     */
    simpleBind(context: Context, shapes: ShapesByName, options?: SimpleBindOptions): Executor
    simpleBind(named: NamedSimpleBind): Executor
    /**
     * The outputs for these arrays, in predict mode.
     * @throws MXNetError when an argument is missing.
     * @example
     * await mx.sym.var('x').mul(2).eval({ x: nd.array([4]) })[0].asArray() // => [8]
     * @see MXNet `Symbol.eval`
     */
    eval(
      args: { readonly [name: string]: NDArray },
      options?: { readonly ctx?: Context },
    ): NDArray[]
  }
}

function contextOf(where: string, ctx: unknown): Context {
  return ctx instanceof Context
    ? ctx
    : fail(where, `ctx is ${String(ctx)}: a context such as cpu() is needed`)
}

Symbolic.prototype.bind = function (
  context: Context | NamedBind,
  args: Arrays = [],
  options: BindOptions = {},
): Executor {
  if (!(context instanceof Context)) {
    const { ctx, args: named, ...rest } = context
    return this.bind(contextOf('bind', ctx), named, rest)
  }
  checkOptions('bind', options, ['argsGrad', 'gradReq', 'auxStates'])
  const names = this.listArguments()
  const given = byName('bind', names, args, false) as NDArray[]
  const gradients = options.argsGrad
    ? byName('bind', names, options.argsGrad, true)
    : names.map(() => null)
  const states = byName('bind', this.listAuxiliaryStates(), options.auxStates ?? [], false)
  const reqs = reqsOf(names, options.gradReq ?? 'write')
  return new Executor(this, context, given, gradients, reqs, states as NDArray[])
}

Symbolic.prototype.simpleBind = function (
  context: Context | NamedSimpleBind,
  shapes: ShapesByName = {},
  options: SimpleBindOptions = {},
): Executor {
  if (!(context instanceof Context)) {
    const { ctx, gradReq, typeDict, ...inputs } = context
    const given = { ...(gradReq ? { gradReq } : {}), ...(typeDict ? { typeDict } : {}) }
    return this.simpleBind(contextOf('simpleBind', ctx), inputs as ShapesByName, given)
  }
  checkOptions('simpleBind', options, ['gradReq', 'typeDict'])
  const [args, , aux] = this.inferShape(shapes)
  if (args === null || aux === null)
    return fail('simpleBind', 'not all shapes follow: give those of all inputs')
  const names = this.listArguments()
  const states = this.listAuxiliaryStates()
  const found = infer(this.entries, shapes, options.typeDict ?? {})
  const types = new Map(
    [...found.dtypes].flatMap(([node, list]) => (node.op === null ? [[node.name, list[0]]] : [])),
  )
  const make = (name: string, shape: readonly number[]): NDArray =>
    zeros(shape, { ctx: context, dtype: types.get(name) ?? 'float32' })
  return new Executor(
    this,
    context,
    names.map((name, i) => make(name, args[i]!)),
    [],
    reqsOf(names, options.gradReq ?? 'write'),
    states.map((name, i) => make(name, aux[i]!)),
  )
}

Symbolic.prototype.eval = function (args, { ctx } = {}) {
  const program = new Program(this.entries)
  const context = ctx ?? Object.values(args)[0]?.context ?? cpu()
  const value = ({ name }: SymbolNode): NDArray =>
    Object.hasOwn(args, name) && args[name] instanceof NDArray
      ? args[name]
      : fail(
          'eval',
          `${name} is ${String(args[name])}: give an array for each of ${this.listInputs().join(', ')}`,
        )
  return pause(() => withFrame({ context }, () => program.run(value) as NDArray[]))
}
