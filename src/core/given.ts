/** What callers may write: arrays left out before the options, and arguments by position or by name. */

import { Tensor } from './tensor.ts'

/** Whether an argument is an object of options: neither an array nor a list. */
export const isOptions = (given: unknown): given is { readonly [name: string]: unknown } =>
  typeof given === 'object' &&
  given !== null &&
  !(given instanceof Tensor) &&
  !Array.isArray(given) &&
  !ArrayBuffer.isView(given)

/** The arrays that stand before the options, each of which may be missing or left out, and the options. */
export function arraysThenOptions<T extends Tensor, O extends object>(
  given: readonly (T | O | null | undefined)[],
): [arrays: (T | null | undefined)[], options: O | undefined] {
  const at = given.findIndex(isOptions)
  if (at < 0) return [given as (T | null | undefined)[], undefined]
  return [given.slice(0, at) as (T | null | undefined)[], given[at] as O]
}

/** Arguments by their names: given one after the other, or as one object that names them. */
export function byName<A extends object>(
  names: readonly (keyof A & string)[],
  given: readonly unknown[],
): A {
  if (isOptions(given[0])) return given[0] as A
  const named: { [name: string]: unknown } = {}
  names.forEach((name, i) => {
    if (given[i] !== undefined) named[name] = given[i]
  })
  return named as A
}
