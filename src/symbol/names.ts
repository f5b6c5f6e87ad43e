/** Names and annotations of new symbols: counters, prefixes, and attributes in force for a scope. */

import { fail } from '../base/error.ts'

/** Gives names to symbols that were made without one: the operator in small letters and a number. */
export class NameManager {
  readonly #counters = new Map<string, number>()

  /**
   * The name of a new symbol: the given one, or the hint and the next number.
   * @example
   * new mx.name.NameManager().get(null, 'fullyconnected') // => 'fullyconnected0'
   * @see MXNet `mx.name.NameManager`
   */
  get(name: string | null, hint: string): string {
    if (name !== null) return name
    const count = this.#counters.get(hint) ?? 0
    this.#counters.set(hint, count + 1)
    return `${hint}${count}`
  }

  /** Runs `body` with this manager in force. */
  use<R>(body: () => R): R {
    return withManager(this, body)
  }
}

/**
 * Puts a prefix before all names, given and made.
 * @example
 * new mx.name.Prefix('net_').use(() => mx.sym.var('data').relu().name) // => 'net_relu0'
 * @see MXNet `mx.name.Prefix`
 */
export class Prefix extends NameManager {
  readonly #prefix: string

  constructor(prefix: string) {
    super()
    this.#prefix = prefix
  }

  override get(name: string | null, hint: string): string {
    return this.#prefix + super.get(name, hint)
  }
}

let manager = new NameManager()

function withManager<R>(next: NameManager, body: () => R): R {
  const before = manager
  manager = next
  try {
    return body()
  } finally {
    manager = before
  }
}

/** The name of a new symbol by the manager in force. */
export const nextName = (name: string | null, hint: string): string => manager.get(name, hint)

/** Names of annotations that MXNet hides between underscores. */
export const hiddenKeys = ['ctx_group', 'lr_mult', 'wd_mult', 'force_mirroring', 'mirror_stage']

/** An annotation's name as it is stored. */
export const storedKey = (key: string): string => (hiddenKeys.includes(key) ? `__${key}__` : key)

/** Text annotations by name. */
export type Annotations = { readonly [key: string]: string }

let scope: Annotations = {}

/**
 * Annotations that every symbol made inside gets.
 * @throws MXNetError when a value is not text.
 * @example
 * new mx.AttrScope({ ctx_group: 'dev1' }).use(() => mx.sym.var('x').attr('ctx_group')) // => 'dev1'
 * @see MXNet `mx.AttrScope`
 */
export class AttrScope {
  readonly #attrs: Annotations

  constructor(attrs: Annotations = {}) {
    this.#attrs = checkAnnotations('AttrScope', attrs)
  }

  /** Runs `body` with these annotations in force, besides those of the scopes around. */
  use<R>(body: () => R): R {
    const before = scope
    scope = { ...before, ...this.#attrs }
    try {
      return body()
    } finally {
      scope = before
    }
  }
}

/** Annotations as they are stored: those in force, and given ones. */
export function annotations(where: string, given: Annotations = {}): Map<string, string> {
  const all = { ...scope, ...checkAnnotations(where, given) }
  return new Map(Object.entries(all).map(([key, value]) => [storedKey(key), value]))
}

function checkAnnotations(where: string, attrs: Annotations): Annotations {
  for (const [key, value] of Object.entries(attrs)) {
    if (typeof value !== 'string')
      fail(where, `attribute ${key} is ${String(value)}: annotations are strings`)
  }
  return attrs
}
