/** The operators of `nd` as functions of symbols: names and keyword inputs besides their own arguments. */

import { withFrame } from '../core/frame.ts'
import { isOptions } from '../core/given.ts'
import type { Tensor } from '../core/tensor.ts'
import * as ops from '../ops/index.ts'
import { type NodeOptions, withNodeOptions } from './compose.ts'
import { Symbolic } from './symbol.ts'
import { wireName } from './wire.ts'

/** Inputs given by name instead of by position. */
export interface NamedInputs {
  readonly data?: Symbolic
  readonly weight?: Symbolic
  readonly bias?: Symbolic
  readonly label?: Symbolic
  readonly lhs?: Symbolic
  readonly rhs?: Symbolic
  readonly gamma?: Symbolic
  readonly beta?: Symbolic
  readonly movingMean?: Symbolic
  readonly movingVar?: Symbolic
  readonly parameters?: Symbolic
  readonly state?: Symbolic
  readonly stateCell?: Symbolic
  readonly sequenceLength?: Symbolic
}

type Plain = string | number | boolean | null | undefined | readonly unknown[]
type Argument<A> = A extends Tensor
  ? Symbolic | null | undefined
  : A extends Plain
    ? A
    : A & NodeOptions & NamedInputs
type Arguments<A extends readonly unknown[]> = number extends A['length']
  ? { [K in keyof A]: Argument<A[K]> }
  : [...{ [K in keyof A]: Argument<A[K]> }, options?: NodeOptions & NamedInputs]
type Result<R> = R extends Tensor ? Symbolic : R extends readonly Tensor[] ? Symbolic[] : R
type Last<A extends readonly unknown[]> =
  Required<A> extends readonly [...infer _, infer L]
    ? L extends Tensor | Plain
      ? object
      : L
    : object
type Short<A extends readonly unknown[]> = NonNullable<Last<A>> & NodeOptions & NamedInputs

/** An operator on symbols: its arguments, or the data and options; parameters that are left out become variables. */
export type SymbolFunction<A extends readonly unknown[], R> = {
  (...args: Arguments<A>): Result<R>
  (data: Symbolic, options: Short<A>): Result<R>
  (options: Short<A>): Result<R>
}

/** A namespace of operators on symbols. */
export type SymbolFunctions<N> = {
  readonly [K in keyof N]: N[K] extends (...args: infer A) => infer R
    ? SymbolFunction<A, R>
    : N[K] extends object
      ? SymbolFunctions<N[K]>
      : N[K]
}

/** An operator's function for symbols. */
function onSymbols(fn: (...args: unknown[]) => unknown): (...args: unknown[]) => unknown {
  return (...args) => {
    const given = [...args]
    const options = isOptions(given.at(-1)) ? given.pop() : undefined
    const { name, attr, ...rest } = (options ?? {}) as NodeOptions & { [name: string]: unknown }
    const inputs: { [name: string]: Symbolic } = {}
    const own: { [name: string]: unknown } = {}
    for (const [key, value] of Object.entries(rest)) {
      if (value instanceof Symbolic) inputs[wireName(key)] = value
      else own[key] = value
    }
    if (options !== undefined) {
      // Parameters that were left out stand between the inputs and the options.
      while (given.length < fn.length - 1) given.push(undefined)
      if (Object.keys(own).length > 0) given.push(own)
    }
    return withNodeOptions({ name, attr, inputs }, () =>
      withFrame({ composing: true }, () => fn(...given)),
    )
  }
}

/** Every function of a namespace, and of those inside it, for symbols. */
function symbolFunctions<N extends object>(namespace: N): SymbolFunctions<N> {
  const made: { [name: string]: unknown } = {}
  for (const [name, value] of Object.entries(namespace)) {
    if (typeof value === 'function') made[name] = onSymbols(value)
    else if (isOptions(value)) made[name] = symbolFunctions(value)
  }
  return made as SymbolFunctions<N>
}

/** The operators on symbols. */
export const operators: SymbolFunctions<typeof ops> = symbolFunctions(ops)
