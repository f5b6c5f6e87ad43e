/** The one door: every call of an operator checks attributes, infers shapes, and goes to the interpreter in force. */

import { fail } from '../base/error.ts'
import type { Given, Schema } from './attrs.ts'
import { frame } from './frame.ts'
import { arraysThenOptions } from './given.ts'
import { Node, Sym } from './graph.ts'
import type { BoundOp, OpDef } from './op.ts'
import { Tensor, Unbound } from './tensor.ts'

/** A tensor, or nothing for an optional input. */
export type MaybeTensor = Tensor | null | undefined

/** Applies an operator; all its results. */
export function applyAll<T extends Tensor>(
  op: OpDef,
  inputs: readonly (T | null | undefined)[],
  attrs?: { readonly [name: string]: unknown },
): T[] {
  if (frame.composing || hasUnbound(inputs)) {
    // Arrays that a symbol will find variables for may be left out, all but the first.
    const [arrays, options] = arraysThenOptions<T, object>(inputs)
    return frame.compose(op, arrays, options ? { ...attrs, ...options } : attrs) as T[]
  }
  const { traits } = op.spec
  let given = attrs
  if (traits?.trains) given = { ...attrs, training: attrs?.training ?? frame.training }
  const { bound, scalars } = op.bind(given)
  const numbers = traits?.random ? [...scalars, ...frame.keys()] : scalars
  return applyBound(bound, checkTensors(op, inputs), numbers) as T[]
}

/** Runs a call that a file describes: as its record says, or by applying it. */
export function perform(
  op: OpDef,
  inputs: readonly (Tensor | null)[],
  attrs: { readonly [name: string]: unknown },
): readonly Tensor[] {
  const { perform: run } = op.spec
  if (run === undefined) return applyAll(op, inputs, attrs)
  const results = run(inputs, attrs)
  return Array.isArray(results) ? results : [results as Tensor]
}

/** Applies an operator and writes its results into existing arrays of the same shapes and dtypes. */
export function applyInto<T extends Tensor>(
  op: OpDef,
  inputs: readonly (T | null | undefined)[],
  attrs: { readonly [name: string]: unknown } | undefined,
  targets: readonly T[],
): void {
  if (frame.tracing || frame.composing || hasUnbound(inputs))
    fail(op.name, 'writing into an array is not possible while a graph is being traced')
  const { bound, scalars: given } = op.bind(attrs)
  const scalars = op.spec.traits?.random ? [...given, ...frame.keys()] : given
  const checked = checkTensors(op, inputs)
  if (frame.intercept !== null) frame.intercept({ bound, inputs: checked, scalars, targets })
  else applyBound(bound, checked, scalars, targets)
}

/** Applies an operator with one result. */
export function apply<T extends Tensor, S extends Schema = Schema>(
  op: OpDef<S>,
  inputs: readonly (T | null | undefined)[],
  attrs?: Given<S>,
): T {
  return applyAll(op as unknown as OpDef, inputs, attrs)[0]!
}

function hasUnbound(inputs: readonly MaybeTensor[]): boolean {
  for (let i = 0; i < inputs.length; i++) if (inputs[i] instanceof Unbound) return true
  return false
}

/** The inputs, once each of them is an array or missing. */
export function checkTensors(
  op: OpDef,
  inputs: readonly MaybeTensor[],
): readonly (Tensor | null)[] {
  for (let i = 0; i < inputs.length; i++) {
    const t = inputs[i]
    if (!(t instanceof Tensor) && t !== null && t !== undefined) {
      const name = op.spec.inputs[i] ?? `${i}`
      fail(op.name, `input ${name} is ${describe(t)}: it must be an array`)
    }
  }
  return inputs as readonly (Tensor | null)[]
}

function describe(value: unknown): string {
  if (Array.isArray(value)) return 'a plain array (wrap it in nd.array)'
  if (typeof value === 'object') return `a ${value?.constructor?.name ?? 'object'}`
  return `${typeof value} ${String(value)}`
}

/** Applies a bound operator to checked inputs; `targets` are arrays to write results into (null: a new one). */
export function applyBound(
  bound: BoundOp,
  inputs: readonly (Tensor | null)[],
  scalars: readonly (number | Tensor)[],
  targets?: readonly (Tensor | null)[],
): readonly Tensor[] {
  if (frame.tracing || hasSym(inputs)) return place(bound, inputs, scalars)
  if (bound.op.spec.check) bound.instance(inputs)
  bound.op.spec.check?.(
    inputs.flatMap((t) => (t === null || t === undefined ? [] : [t.aval])),
    scalars as readonly number[],
  )
  return frame.eager(bound, inputs, scalars as readonly number[], targets)
}

function hasSym(inputs: readonly (Tensor | null)[]): boolean {
  for (let i = 0; i < inputs.length; i++) if (inputs[i] instanceof Sym) return true
  return false
}

/** Adds a node to the graph. */
function place(
  bound: BoundOp,
  inputs: readonly (Tensor | null)[],
  scalars: readonly (number | Tensor)[],
): readonly Tensor[] {
  const args = inputs.map((t) => {
    if (t === null || t === undefined || t instanceof Sym) return t ?? null
    if (frame.tracing && frame.capture !== null) return frame.capture(t)
    return fail(
      bound.op.name,
      'an array with data is mixed with symbols: pass it as an input or a parameter',
    )
  })
  const instance = bound.instance(args)
  const node = new Node(instance, args, scalars, instance.outs)
  return instance.outs.map((_, i) => new Sym(node, i))
}
