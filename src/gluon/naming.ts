/** Names of blocks: prefixes, counters and scopes, exactly as MXNet gives them. */

import { ParameterDict } from './parameterDict.ts'

/** What the children made inside a block's scope need of it. */
interface Scope {
  readonly prefix: string
  readonly params: ParameterDict
  readonly counters: Map<string, number>
}

let current: Scope | null = null
/** Counters of blocks made outside any scope. */
const outer = new Map<string, number>()

function count(counters: Map<string, number>, hint: string): string {
  const n = counters.get(hint) ?? 0
  counters.set(hint, n + 1)
  return `${hint}${n}`
}

/** The prefix and parameters of a block under construction. */
export function nameBlock(
  hint: string,
  prefix: string | null,
  shared: ParameterDict | null,
): { readonly prefix: string; readonly params: ParameterDict } {
  const own = prefix ?? `${count(current?.counters ?? outer, hint)}_`
  const full = (current?.prefix ?? '') + own
  if (shared !== null) return { prefix: full, params: new ParameterDict(shared.prefix, shared) }
  if (current === null) return { prefix: full, params: new ParameterDict(full) }
  const { params } = current
  return { prefix: full, params: new ParameterDict(params.prefix + own, params.shared) }
}

/** Runs `body` so that blocks made in it are named after the block of the scope. */
export function inScope<R>(scope: Scope, body: () => R): R {
  const before = current
  current = scope
  try {
    return body()
  } finally {
    current = before
  }
}

/** MXNet's spelling of a field: `runningMean` is `running_mean` in files. */
export const snakeCase = (name: string): string =>
  name.replace(/[A-Z]/g, (c) => `_${c.toLowerCase()}`)
