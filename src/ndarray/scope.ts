/** Scopes of memory, for those who want to be explicit; no program needs one. */

import { memoryScope } from '../exec/array.ts'

/** The arrays inside a value: itself, or in plain arrays and objects. */
function arraysIn(value: unknown, found = new Set<unknown>()): Set<unknown> {
  if (typeof value !== 'object' || value === null || found.has(value)) return found
  found.add(value)
  if (Array.isArray(value) || Object.getPrototypeOf(value) === Object.prototype) {
    for (const part of Object.values(value)) arraysIn(part, found)
  }
  return found
}

/**
 * Runs a body and frees the arrays it made, except those in its value.
 *
 * Arrays that the body stored elsewhere are freed too: using them afterwards is an error.
 * @throws MXNetError when a freed array is used.
 * @example
 * const total = nd.scope(() => nd.ones([1000]).mul(2).sum())
 */
export function scope<R>(body: () => R): R {
  return memoryScope(body, arraysIn)
}
