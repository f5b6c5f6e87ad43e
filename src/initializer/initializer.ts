/** Initializer: how a new parameter is filled, chosen by hand or by the end of its name. */

import { Callable, invoke } from '../base/callable.ts'
import { fail } from '../base/error.ts'
import { formatShape } from '../base/shape.ts'
import { array as makeArray } from '../ndarray/creation.ts'
import type { NDArray } from '../ndarray/ndarray.ts'

/** What is known of a parameter besides its name. */
export interface InitDescLike {
  readonly name: string
  /** `__init__`: the text of an initializer that wins over the name (from `sym.var(…, { init })`). */
  readonly attrs?: { readonly [key: string]: string }
}

/**
 * The name of a parameter with its attributes; `__init__` among them names the initializer to use.
 * @example
 * init.create('one')(new init.InitDesc('fc_weight', { __init__: 'zeros' }), nd.ones([2]))
 * @see MXNet `initializer.InitDesc`
 */
export class InitDesc implements InitDescLike {
  readonly name: string
  readonly attrs: { readonly [key: string]: string }
  /** The initializer of the whole network, for those that fill parts of a parameter by names of their own. */
  readonly globalInit: Initializer | null

  constructor(
    name: string,
    attrs: { readonly [key: string]: string } = {},
    globalInit: Initializer | null = null,
  ) {
    this.name = name
    this.attrs = attrs
    this.globalInit = globalInit
  }

  /** The name. */
  toString(): string {
    return this.name
  }
}

/** An initializer, its registered name, or its `dumps()` text. */
export type InitLike = Initializer | string

export interface Initializer {
  /** Fills `array` by the rule that the end of the parameter's name asks for. */
  (desc: string | InitDescLike, array: NDArray): void
}

/**
 * The base of initializers: `init(name, array)` fills the array.
 *
 * A name ending in `weight` gets `initWeight`; `bias`, `beta`, `min`, `running_mean` and
 * `moving_mean` get 0; `gamma`, `max`, `running_var` and `moving_var` get 1. Blocks do not go by
 * the name: they call `initWeight` for every parameter. Subclasses override `initWeight`.
 *
 * @example
 * class Half extends init.Initializer {
 *   override initWeight(_name: string, array: NDArray): void { array.assign(0.5) }
 * }
 * @see MXNet `python/mxnet/initializer.py` (Initializer)
 */
// biome-ignore lint/suspicious/noUnsafeDeclarationMerging: the interface holds only the call signature
export class Initializer extends Callable {
  readonly #params: { readonly [key: string]: unknown }

  /** `params` are the constructor's arguments by name, for `dumps`. */
  constructor(params: { readonly [key: string]: unknown } = {}) {
    super()
    this.#params = params
  }

  override [invoke](args: readonly unknown[]): void {
    const [desc, array] = args as [string | InitDescLike, NDArray]
    if (typeof desc === 'string') return this.#byPlainName(desc, array)
    const own = desc.attrs?.__init__
    if (own) create(own).initWeight(desc.name, array)
    else this.#byName(desc.name, array)
  }

  /** The rules of names without attributes, which know two layers by the beginning of their names. */
  #byPlainName(name: string, array: NDArray): void {
    if (name.startsWith('upsampling')) array.assign(bilinearKernel(array))
    else if (/^stn_loc.*weight$/.test(name)) array.assign(0)
    else if (/^stn_loc.*bias$/.test(name)) {
      if (array.size !== 6) {
        fail(
          this.constructor.name,
          `${name} has shape ${formatShape(array.shape)}: the six numbers of an affine map are needed`,
        )
      }
      array.assign(on(array, [1, 0, 0, 0, 1, 0]))
    } else this.#byName(name, array)
  }

  #byName(name: string, array: NDArray): void {
    if (name.endsWith('weight')) return this.initWeight(name, array)
    if (/(bias|beta|min|running_mean|moving_mean|moving_inv_var|moving_avg)$/.test(name))
      array.assign(0)
    else if (/(gamma|max|running_var|moving_var)$/.test(name)) array.assign(1)
    else {
      fail(
        this.constructor.name,
        `no rule for the name ${name}: let it end in weight, bias, gamma or beta, or call initWeight`,
      )
    }
  }

  /** Fills a weight; what a subclass is for. */
  initWeight(name: string, _array: NDArray): void {
    fail(this.constructor.name, `initWeight is not implemented and ${name} needs it: override it`)
  }

  /** The constructor's arguments by name. */
  protected get dumped(): { readonly [key: string]: unknown } {
    return this.#params
  }

  /** The initializer as MXNet's text, `["xavier", {"magnitude": 3}]`, which `create` reads. */
  dumps(): string {
    const entries = Object.entries(this.dumped).map(([k, v]) => `"${snake(k)}": ${written(k, v)}`)
    return `["${this.constructor.name.toLowerCase()}", {${entries.join(', ')}}]`
  }

  /** The same text as `dumps`. */
  override toString(): string {
    return this.dumps()
  }

  [Symbol.for('nodejs.util.inspect.custom')](): string {
    return this.dumps()
  }
}

/** Arguments that are real numbers in MXNet, so that 2 is written 2.0. */
const reals = ['scale', 'sigma', 'slope', 'forgetBias']

function written(name: string, value: unknown): string {
  if (value instanceof Initializer) return JSON.stringify(value.dumps())
  if (Number.isInteger(value) && reals.includes(name)) return (value as number).toFixed(1)
  return JSON.stringify(value)
}

/** Numbers in the shape and dtype of an array, where it lives. */
export function on({ shape, dtype, context: ctx }: NDArray, values: readonly number[]): NDArray {
  return makeArray(Float64Array.from(values), { dtype, ctx }).reshape(shape)
}

/** The kernel that makes a transposed convolution interpolate linearly, for a shape (…, …, height, width). */
export function bilinearKernel(array: NDArray): NDArray {
  const [height, width] = array.shape.slice(2)
  if (array.ndim !== 4 || height === undefined || width === undefined) {
    fail('Bilinear', `the shape is ${formatShape(array.shape)}: a kernel of four axes is needed`)
  }
  const f = Math.ceil(width / 2)
  const c = (2 * f - 1 - (f % 2)) / (2 * f)
  const part = (i: number): number => 1 - Math.abs(i / f - c)
  const values = Array.from(
    { length: array.size },
    (_, i) => part(i % width) * part(Math.floor(i / width) % height),
  )
  return on(array, values)
}

const snake = (name: string): string => name.replace(/[A-Z]/g, (c) => `_${c.toLowerCase()}`)
const camel = (name: string): string =>
  name.replace(/_([a-z0-9])/g, (_, c: string) => c.toUpperCase())

/** Makes an initializer from its arguments by name. */
type Maker = (params: { readonly [key: string]: unknown }) => Initializer

const registry = new Map<string, Maker>()

/**
 * Registers an initializer under the class's name in lower case, and under aliases.
 *
 * `make` builds one from its arguments by name; by default `new klass(params)`.
 * @example
 * init.register(Half) // net.initialize('half')
 * @see MXNet `initializer.register`
 */
export function register(
  klass: new (params: never) => Initializer,
  aliases: readonly string[] = [],
  make: Maker = (params) => new klass(params as never),
): void {
  for (const name of [klass.name, ...aliases]) registry.set(name.toLowerCase(), make)
}

/**
 * The initializer that a value names: itself, a registered name, or the text of `dumps`.
 * @throws MXNetError when nothing is registered under the name.
 * @example
 * init.create('zeros').dumps() // => '["zero", {}]'
 * @see MXNet `initializer.create`
 */
export function create(
  value: InitLike,
  params: { readonly [key: string]: unknown } = {},
): Initializer {
  if (value instanceof Initializer) return value
  if (typeof value !== 'string') {
    fail('init', `${String(value)} is not an initializer: give one, or a name such as 'xavier'`)
  }
  let [name, given] = [value, params]
  if (value.startsWith('[')) {
    const [first, rest] = JSON.parse(value) as [string, { readonly [key: string]: unknown }?]
    name = first
    given = Object.fromEntries(Object.entries(rest ?? {}).map(([k, v]) => [camel(k), v]))
  }
  const make = registry.get(name.toLowerCase())
  if (make === undefined) {
    fail(
      'init',
      `no initializer is called '${name}': use one of ${[...registry.keys()].join(', ')}`,
    )
  }
  return make(given)
}
