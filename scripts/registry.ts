/** What is registered, for `operators.mjs`: the records with their names, and the public functions. */

import { allOps } from '../src/core/op.ts'
import * as nd from '../src/ndarray/index.ts'

/** Wire name and aliases of each record. */
export const operators: readonly (readonly string[])[] = allOps().map((op) => [
  op.name,
  ...(op.spec.aliases ?? []),
])

/** Whether a path such as `nd.contrib.cond` names a function. */
export function isFunction(path: string): boolean {
  const found = path.split('.').reduce<unknown>((at, key) => Reflect.get(Object(at), key), { nd })
  return typeof found === 'function'
}
