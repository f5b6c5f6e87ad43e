/** Initializers that choose by the parameter's name: among patterns, or among stored arrays. */

import { Callable, invoke } from '../base/callable.ts'
import { fail } from '../base/error.ts'
import { formatShape, sameShape } from '../base/shape.ts'
import type { NDArray } from '../ndarray/ndarray.ts'
import type { InitDescLike, Initializer } from './initializer.ts'

/** Anything that fills an array by a name. */
type Filler = (desc: string | InitDescLike, array: NDArray) => void

const nameOf = (desc: string | InitDescLike): string =>
  typeof desc === 'string' ? desc : desc.name

export interface Mixed {
  /** Fills `array` by the first pattern that the name begins with. */
  (desc: string | InitDescLike, array: NDArray): void
}

/**
 * Several initializers, each with a regular expression: the first whose pattern matches the beginning of a name fills it.
 *
 * It is called with names (`mixed('fc1_weight', array)`); `net.initialize` does not go by names and takes none.
 * @throws MXNetError for lists of different lengths, and at a name that no pattern matches.
 * @example
 * const mixed = new init.Mixed(['.*bias', '.*'], [new init.Zero(), new init.Uniform(0.1)])
 * mixed('fc_bias', nd.ones([2]))
 * @see MXNet `initializer.Mixed`
 */
// biome-ignore lint/suspicious/noUnsafeDeclarationMerging: the interface holds only the call signature
export class Mixed extends Callable {
  readonly #rules: readonly (readonly [RegExp, Filler])[]

  constructor(patterns: readonly string[], initializers: readonly Initializer[]) {
    super()
    if (patterns.length !== initializers.length) {
      fail(
        'Mixed',
        `${patterns.length} patterns and ${initializers.length} initializers given: each pattern needs one`,
      )
    }
    this.#rules = patterns.map((p, i) => [new RegExp(`^(?:${p})`), initializers[i] as Filler])
  }

  override [invoke](args: readonly unknown[]): void {
    const [desc, array] = args as [string | InitDescLike, NDArray]
    const name = nameOf(desc)
    const rule = this.#rules.find(([pattern]) => pattern.test(name))
    if (rule === undefined)
      fail(
        'Mixed',
        `no pattern matches ${name}: add '.*' at the end with what should fill the rest`,
      )
    rule[1](desc, array)
  }
}

export interface Load {
  /** Fills `array` with the stored array of the name. */
  (desc: string | InitDescLike, array: NDArray): void
}

/** Options of `Load`. */
export interface LoadInitOptions {
  /** Fills what is not stored; without it a missing name is an error. */
  readonly defaultInit?: Initializer | null
  /** Whether each parameter is reported; off by default. */
  readonly verbose?: boolean
}

/**
 * Fills parameters with stored arrays of the same names (`arg:` and `aux:` in front are left out).
 * @throws MXNetError at a shape that differs, and at a missing name without `defaultInit`.
 * @example
 * const load = new init.Load({ 'arg:fc_weight': nd.ones([2]) })
 * load('fc_weight', nd.zeros([2]))
 * @see MXNet `initializer.Load`
 */
// biome-ignore lint/suspicious/noUnsafeDeclarationMerging: the interface holds only the call signature
export class Load extends Callable {
  readonly #stored: ReadonlyMap<string, NDArray>
  readonly #default: Filler | null
  readonly #verbose: boolean

  /** `param` is what `await nd.load(file)` gives. */
  constructor(param: { readonly [name: string]: NDArray }, options: LoadInitOptions = {}) {
    super()
    const entries = Object.entries(param)
    this.#stored = new Map(entries.map(([name, x]) => [name.replace(/^(arg|aux):/, ''), x]))
    this.#default = (options.defaultInit as Filler | null | undefined) ?? null
    this.#verbose = options.verbose ?? false
  }

  override [invoke](args: readonly unknown[]): void {
    const [desc, array] = args as [string | InitDescLike, NDArray]
    const name = nameOf(desc)
    const stored = this.#stored.get(name)
    if (stored !== undefined) {
      if (!sameShape(stored.shape, array.shape)) {
        fail(
          'Load',
          `${name} is stored with shape ${formatShape(stored.shape)} and needed with ${formatShape(array.shape)}`,
        )
      }
      array.assign(stored.astype(array.dtype).asInContext(array.context))
    } else if (this.#default !== null) this.#default(desc, array)
    else fail('Load', `${name} is not stored: give defaultInit for parameters that are missing`)
    if (this.#verbose) console.log(`${name} is ${stored ? 'loaded' : 'filled by defaultInit'}`)
  }
}
