/** ParameterDict: parameters by full name, in the order of their making. */

import type { Context } from '../base/context.ts'
import { fail } from '../base/error.ts'
import { Uniform } from '../initializer/distributions.ts'
import { Initializer, type InitLike } from '../initializer/initializer.ts'
import { load, save } from '../ndarray/files.ts'
import type { NDArray } from '../ndarray/ndarray.ts'
import { Constant } from './constant.ts'
import {
  type InitializeOptions,
  type LoadOptions,
  Parameter,
  type ParameterOptions,
} from './parameter.ts'

/** Arrays by name, as a `.params` file holds them. */
export type NamedArrays = { readonly [name: string]: NDArray }

/** The arguments of `initialize`: an initializer and options, or options that hold it. */
export type InitializeArguments = [
  init?: InitLike | InitializeOptions | null,
  options?: InitializeOptions,
]

/** Both spellings of `initialize` as one object. */
export function initializeOptions([first, options = {}]: InitializeArguments): InitializeOptions {
  if (first === null || first === undefined) return options
  if (typeof first === 'string' || first instanceof Initializer) return { ...options, init: first }
  if (typeof first !== 'object') {
    fail(
      'initialize',
      `init is ${String(first)}: give an initializer such as new init.Xavier(), or its name`,
    )
  }
  return { ...first, ...options }
}

/** The arrays of a file by name. */
export async function loadNamed(where: string, file: string): Promise<NamedArrays> {
  const found = await load(file)
  if (Array.isArray(found))
    fail(where, `${file} holds arrays without names: it is not a file of parameters`)
  const arrays: { [name: string]: NDArray } = {}
  for (const [name, array] of Object.entries(found as NamedArrays)) {
    arrays[name.replace(/^(arg|aux):/, '')] = array
  }
  return arrays
}

/**
 * Parameters by full name, iterated like a `Map`.
 *
 * `get(name, options)` makes `prefix + name` unless it exists; `get(name)` finds by full name or by
 * the name without the prefix.
 * @example
 * const params = new gluon.ParameterDict('net_')
 * params.get('weight', { shape: [2, 3] }).name // => 'net_weight'
 * @see MXNet `gluon.ParameterDict`
 */
export class ParameterDict implements Iterable<[string, Parameter]> {
  /** Put before names by `get`. */
  readonly prefix: string
  /** Where parameters are looked for before they are made. */
  readonly shared: ParameterDict | null
  readonly #params = new Map<string, Parameter>()

  constructor(prefix = '', shared: ParameterDict | null = null) {
    this.prefix = prefix
    this.shared = shared
  }

  /** The number of parameters. */
  get size(): number {
    return this.#params.size
  }

  /** Full names, in order. */
  keys(): MapIterator<string> {
    return this.#params.keys()
  }

  /** Parameters, in order. */
  values(): MapIterator<Parameter> {
    return this.#params.values()
  }

  /** Full names with parameters, in order. */
  entries(): MapIterator<[string, Parameter]> {
    return this.#params.entries()
  }

  [Symbol.iterator](): MapIterator<[string, Parameter]> {
    return this.#params.entries()
  }

  /** Calls `fn` for each parameter, in order. */
  forEach(fn: (parameter: Parameter, name: string) => void): void {
    this.#params.forEach((parameter, name) => {
      fn(parameter, name)
    })
  }

  /** Whether there is a parameter of this full name. */
  has(name: string): boolean {
    return this.#params.has(name)
  }

  /** The parameter of this name, or undefined. */
  get(name: string): Parameter | undefined
  /**
   * The parameter `prefix + name`, made if there is none; partly known shapes are merged.
   * @throws MXNetError when it exists with other attributes.
   */
  get(name: string, options: ParameterOptions): Parameter
  get(name: string, options?: ParameterOptions): Parameter | undefined {
    if (options === undefined) return this.#params.get(name) ?? this.#find(this.prefix + name)
    const full = this.prefix + name
    const found = this.#find(full)
    if (found === undefined) return this.#add(new Parameter(full, options))
    mergeOptions(found, options)
    return found
  }

  /**
   * The constant `prefix + name`, made of `value` if there is none.
   * @throws MXNetError when there is none and no value, or a parameter that is no constant has the name.
   */
  getConstant(name: string, value?: NDArray): Constant {
    const full = this.prefix + name
    const found = this.#find(full)
    if (found === undefined) {
      if (value === undefined)
        fail('ParameterDict', `there is no constant ${full}: give a value to make it`)
      return this.#add(new Constant(full, value))
    }
    if (!(found instanceof Constant))
      fail('ParameterDict', `${full} is a parameter, not a constant`)
    return found
  }

  #find(full: string): Parameter | undefined {
    const own = this.#params.get(full)
    if (own !== undefined) return own
    const other = this.shared?.get(full)
    return other === undefined || other.name !== full ? undefined : this.#add(other)
  }

  #add<P extends Parameter>(parameter: P): P {
    parameter.adopt('')
    this.#params.set(parameter.name, parameter)
    return parameter
  }

  /**
   * Takes in the parameters of another dictionary, or one parameter.
   * @throws MXNetError when two different parameters have one name.
   */
  update(other: Iterable<[string, Parameter]> | Parameter): void {
    const added = other instanceof Parameter ? [[other.name, other] as const] : other
    for (const [name, parameter] of added) {
      const known = this.#params.get(name)
      if (known !== undefined && known !== parameter) {
        fail(
          'ParameterDict',
          `two different parameters are called ${name}: make blocks inside nameScope, or give prefixes`,
        )
      }
      this.#add(parameter)
    }
  }

  /** Forgets a parameter. */
  drop(parameter: Parameter): void {
    if (this.#params.get(parameter.name) === parameter) this.#params.delete(parameter.name)
  }

  /** Initializes all parameters; `init` is for those that have no initializer of their own. */
  initialize(...args: InitializeArguments): void {
    const { init, verbose, ...options } = initializeOptions(args)
    const defaultInit = init ?? new Uniform()
    if (verbose) console.log(`initializing ${this.size} parameters with ${String(defaultInit)}`)
    for (const parameter of this.values()) parameter.initialize({ ...options, defaultInit })
  }

  /** Sets all gradients to zero. */
  zeroGrad(): void {
    for (const parameter of this.values()) parameter.zeroGrad()
  }

  /** Moves all parameters to other contexts. */
  resetCtx(ctx: Context | readonly Context[]): void {
    for (const parameter of this.values()) parameter.resetCtx(ctx)
  }

  /** All contexts that some parameter lives on. */
  listCtx(): Context[] {
    return [...new Set([...this.values()].flatMap((p) => p.listCtx()))]
  }

  /** Sets one attribute of every parameter: `setattr('gradReq', 'add')`, `setattr('lrMult', 0.1)`. */
  setattr<K extends 'gradReq' | 'lrMult' | 'wdMult' | 'init'>(name: K, value: Parameter[K]): void {
    for (const parameter of this.values()) parameter[name] = value
  }

  /**
   * Writes all parameters to a `.params` file under their full names, less `stripPrefix`.
   * @throws MXNetError when a name does not begin with it, or a parameter is not initialized.
   */
  async save(
    file: string,
    { stripPrefix = '' }: { readonly stripPrefix?: string } = {},
  ): Promise<void> {
    const arrays: { [name: string]: NDArray } = {}
    for (const [name, parameter] of this) {
      if (!name.startsWith(stripPrefix)) {
        fail(
          'ParameterDict',
          `${name} does not begin with the prefix '${stripPrefix}' that is to be stripped`,
        )
      }
      arrays[name.slice(stripPrefix.length)] = parameter.reduce()
    }
    await save(file, arrays)
  }

  /**
   * Reads parameters from a file that `save` or `export` wrote.
   * @throws MXNetError naming parameters that are missing or too many, unless the options allow it.
   */
  async load(
    file: string,
    options: LoadOptions & { readonly restorePrefix?: string } = {},
  ): Promise<void> {
    this.loadDict(await loadNamed('ParameterDict', file), { ...options, file })
  }

  /** As `load`, from arrays by name. */
  loadDict(
    arrays: NamedArrays,
    options: LoadOptions & { readonly restorePrefix?: string; readonly file?: string } = {},
  ): void {
    const {
      restorePrefix = '',
      file = 'the arrays',
      allowMissing = false,
      ignoreExtra = false,
    } = options
    const found = new Map<string, NDArray>()
    for (const [name, array] of Object.entries(arrays)) {
      const plain = name.replace(/^(arg|aux):/, '')
      found.set(this.#params.has(plain) ? plain : restorePrefix + plain, array)
    }
    if (!allowMissing) {
      const missing = [...this.keys()].filter((name) => !found.has(name))
      if (missing.length > 0)
        fail('ParameterDict', `${file} lacks ${missing.join(', ')}: allowMissing leaves them alone`)
    }
    for (const [name, array] of found) {
      const parameter = this.#params.get(name)
      if (parameter !== undefined) parameter.loadInit(array, options)
      else if (!ignoreExtra) {
        fail(
          'ParameterDict',
          `${file} has ${name}, which is no parameter here: ignoreExtra passes it over`,
        )
      }
    }
  }

  /** MXNet's text: the prefix and one line a parameter. */
  toString(): string {
    const lines = [...this.values()].map((p) => `  ${String(p)}`)
    return `${this.prefix === '' ? '' : `${this.prefix} `}(\n${lines.join('\n')}\n)`
  }

  [Symbol.for('nodejs.util.inspect.custom')](): string {
    return this.toString()
  }
}

/** Compares what is asked for with a parameter that exists; unknown sizes are filled in. */
function mergeOptions(parameter: Parameter, options: ParameterOptions): void {
  const { shape, ...rest } = options
  const clash = (name: string, have: unknown, want: unknown): never =>
    fail(
      'ParameterDict',
      `${parameter.name} exists with ${name} ${String(have)}, not ${String(want)}`,
    )
  if (shape !== undefined && shape !== null) {
    const wanted = (typeof shape === 'number' ? [shape] : shape).map((d) => d ?? 0)
    const have = parameter.shape
    const merged = wanted.map((d, i) => d || (have?.[i] ?? 0))
    const fits =
      have === null ||
      (have.length === wanted.length && have.every((d, i) => d === 0 || d === merged[i]))
    if (!fits) clash('shape', `(${have})`, `(${wanted})`)
    parameter.shape = merged
  }
  for (const [name, want] of Object.entries(rest)) {
    const have = parameter[name as keyof ParameterOptions]
    const same = have === want || String(have) === String(want)
    if (want !== undefined && want !== null && have !== null && !same) clash(name, have, want)
    if (name === 'init' && have === null) parameter.init = want as InitLike
  }
}
