/** Initializer: how a new parameter is filled, chosen by hand or by the end of its name. */

import { Callable, invoke } from '../base/callable.ts'
import { fail } from '../base/error.ts'
import type { NDArray } from '../ndarray/ndarray.ts'

/** The name of a parameter with what is known about it; a plain string will do. */
export interface InitDesc {
  readonly name: string
  /** `__init__`: the text of an initializer that wins over the name (from `sym.var(…, { init })`). */
  readonly attrs?: { readonly [key: string]: string }
}

/** An initializer, its registered name, or its `dumps()` text. */
export type InitLike = Initializer | string

export interface Initializer {
  /** Fills `array` by the rule that the end of the parameter's name asks for. */
  (desc: string | InitDesc, array: NDArray): void
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
    const [desc, array] = args as [string | InitDesc, NDArray]
    const { name, attrs } = typeof desc === 'string' ? { name: desc, attrs: undefined } : desc
    const own = attrs?.__init__
    if (own) create(own).initWeight(name, array)
    else this.#byName(name, array)
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

  /** The initializer as MXNet's text, `["xavier", {"magnitude": 3}]`, which `create` reads. */
  dumps(): string {
    const entries = Object.entries(this.#params).map(
      ([k, v]) => `"${snake(k)}": ${JSON.stringify(v)}`,
    )
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
