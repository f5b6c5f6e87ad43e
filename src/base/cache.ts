/** Bounded caches: what has been made once is kept, up to a number of entries, oldest out first. */

/** Values by key, at most `limit` of them. */
export class Cache<K, V> {
  readonly #limit: number
  readonly #entries = new Map<K, V>()

  constructor(limit: number) {
    this.#limit = limit
  }

  /** The value of a key, made now if it is not there. `evicted` is called when another had to go. */
  get(key: K, make: () => V, evicted?: () => void): V {
    const known = this.#entries.get(key)
    if (known !== undefined) return known
    const value = make()
    if (this.#entries.size >= this.#limit) {
      this.#entries.delete(this.#entries.keys().next().value as K)
      evicted?.()
    }
    this.#entries.set(key, value)
    return value
  }

  /** Forgets everything. */
  clear(): void {
    this.#entries.clear()
  }
}
