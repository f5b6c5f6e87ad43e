/** How an update operator is declared and called: states are written in place, the weight into a new array or `out`. */

import { applyAll, applyInto } from '../core/apply.ts'
import { attr, type Given, type Schema } from '../core/attrs.ts'
import { defineOp, type OpDef } from '../core/op.ts'
import type { Tensor } from '../core/tensor.ts'
import { type Formula, mixed } from './formula.ts'

/** Only sparse gradients ask for it; kept because files and callers name it. */
export const lazy = { lazyUpdate: attr.bool(true) }

/** Declares the operator of a formula under MXNet's name. */
export function defineUpdate(
  name: string,
  { arrays, attrs, body }: Formula,
  more: Schema = {},
): OpDef {
  return defineOp({
    name,
    inputs: arrays,
    attrs: { ...attrs, ...more },
    body: (xs, values, numbers) => body(name, xs, numbers, values),
  }) as unknown as OpDef
}

/** The formula on float32 copies of half-precision weights; `trailing` inputs stay behind the copy. */
export function precise<F extends Formula>(f: F, trailing = 0): F {
  const end = f.arrays.length - trailing
  const arrays = [...f.arrays.slice(0, end), 'weight32', ...f.arrays.slice(end)]
  return { ...f, arrays, body: mixed(f.body, trailing) }
}

/** What every update function takes besides its attributes. */
interface Out<T> {
  /** The array the new weight is written into; without it the new weight is a new array. */
  readonly out?: T | undefined
}
/** The options of an update function: attributes and `out`. */
export type UpdateOptions<F extends Formula, T> = Given<F['attrs']> & Out<T>
/** The same where `lazyUpdate` is known. */
export type LazyOptions<F extends Formula, T> = UpdateOptions<F, T> & {
  readonly lazyUpdate?: boolean
}

/** Applies an update: a new array, or `out` overwritten; states are always overwritten. */
export function update<T extends Tensor>(
  op: OpDef,
  weight: T,
  grad: T,
  states: readonly T[],
  options: Out<T>,
  extra: readonly T[] = [],
): T {
  const { out, ...attrs }: Out<T> & { readonly [name: string]: unknown } = { ...options }
  const inputs = [weight, grad, ...states, ...extra]
  if (out !== undefined) {
    applyInto(op, inputs, attrs, [out, ...states])
    return out
  }
  const [result, ...next] = applyAll(op, inputs, attrs)
  states.forEach((state, i) => {
    ;(state as T & { assign(value: T): unknown }).assign(next[i]!)
  })
  return result!
}
