/** Composing: an operator applied to symbols becomes a node, with variables for the parameters it lacks. */

import { fail } from '../base/error.ts'
import { checkTensors, type MaybeTensor } from '../core/apply.ts'
import { checkAttrs } from '../core/attrs.ts'
import { frame } from '../core/frame.ts'
import type { OpDef } from '../core/op.ts'
import {
  auxNames,
  fixesInputs,
  hintOf,
  initOf,
  inputNames,
  isVariadic,
  outputNames,
} from './listing.ts'
import { type Annotations, annotations, nextName } from './names.ts'
import { type Entry, SymbolNode } from './node.ts'
import { Symbolic } from './symbol.ts'
import { formatAttrs, isAnnotation } from './wire.ts'

/** What is said about the next node besides its operator. */
export interface NodeOptions {
  /** The name; made from the operator's when left out. */
  readonly name?: string | undefined
  /** Annotations, such as `{ lr_mult: '2' }`. */
  readonly attr?: Annotations | undefined
}

interface Pending extends NodeOptions {
  readonly inputs?: { readonly [name: string]: Symbolic }
}

let pending: Pending | null = null

/** Runs `body`; the first node made in it takes these options. */
export function withNodeOptions<R>(options: Pending, body: () => R): R {
  const before = pending
  pending = options
  try {
    return body()
  } finally {
    pending = before
  }
}

/** A new variable. */
export function makeVariable(name: string, attrs: Map<string, string>): Symbolic {
  return new Symbolic([{ node: new SymbolNode(null, name, attrs), index: 0, version: 0 }])
}

/** Results of an operator on symbols, as symbols; `hint` begins the name that is made when none is given. */
export function compose(
  op: OpDef,
  inputs: readonly MaybeTensor[],
  attrs: { readonly [name: string]: unknown } = {},
  hint: string = hintOf(op),
): Symbolic[] {
  const options = pending ?? {}
  pending = null
  const given = Object.fromEntries(
    Object.entries(attrs).filter(
      ([key, v]) => v !== undefined && !(key === 'training' && op.spec.traits?.trains),
    ),
  )
  const full = checkAttrs(op.name, op.schema, given).values
  const own = annotations(op.name, options.attr)
  const name = nextName(options.name ?? null, hint)
  const entries = isVariadic(op)
    ? checkTensors(op, inputs).map((t, i) => entryOf(op, t, String(i)))
    : fill(op, full, name, checkTensors(op, inputs), own, options.inputs ?? {})
  const texts = new Map([...formatAttrs(op, given, entries.length), ...own])
  const node = new SymbolNode(op, name, texts, given, entries)
  return outputNames(op, full, entries.length).map(
    (_, index) => new Symbolic([{ node, index, version: 0 }]),
  )
}

/** The inputs that the attributes call for; parameters that are not given become variables. */
function fill(
  op: OpDef,
  attrs: { readonly [name: string]: unknown },
  name: string,
  given: readonly MaybeTensor[],
  own: ReadonlyMap<string, string>,
  named: { readonly [name: string]: Symbolic },
): Entry[] {
  const all = op.spec.inputs.map((n) => n.replace(/\?$/, ''))
  for (const key of Object.keys(named)) {
    if (!all.includes(key)) fail(op.name, `there is no input ${key}: there are ${all.join(', ')}`)
  }
  const valueFor = (input: string): MaybeTensor => named[input] ?? given[all.indexOf(input)]
  const taken = inputNames(op, attrs, 0)
  const offered = all.filter((n) => !taken.includes(n) && (valueFor(n) ?? null) !== null)
  if (given.length > all.length || (fixesInputs(op) && offered.length > 0)) {
    const what = offered[0] ?? `array ${given.length}`
    fail(op.name, `${what} is given, but with these attributes it takes ${taken.join(', ')}`)
  }
  const wanted = all.filter((n) => taken.includes(n) || offered.includes(n))
  return wanted.map((input) => {
    const value = valueFor(input)
    const state = auxNames(op).includes(input)
    if (value !== null && value !== undefined) {
      const entry = entryOf(op, value, input)
      return state ? written(op, entry, input) : entry
    }
    const entry = variableFor(op, name, input, own).entries[0]!
    return state ? written(op, entry, input) : entry
  })
}

function variableFor(
  op: OpDef,
  name: string,
  input: string,
  own: ReadonlyMap<string, string>,
): Symbolic {
  const attrs = new Map([...own].filter(([key]) => isAnnotation(key)))
  const init = initOf(op, input)
  if (init !== undefined) attrs.set('__init__', init)
  return makeVariable(`${name}_${input}`, attrs)
}

/** A variable that the operator writes to, of which MXNet counts two versions. */
function written(op: OpDef, entry: Entry, input: string): Entry {
  if (entry.node.op !== null)
    fail(
      op.name,
      `${input} is a result: it must be a variable, which the operator keeps up to date`,
    )
  return { ...entry, version: 2 }
}

function entryOf(op: OpDef, value: MaybeTensor, input: string): Entry {
  if (value === null || value === undefined) return fail(op.name, `input ${input} is missing`)
  if (!(value instanceof Symbolic)) {
    return fail(
      op.name,
      `input ${input} is an array with data among symbols: make it a variable or a parameter`,
    )
  }
  if (value.length !== 1)
    return fail(op.name, `input ${input} is a group of ${value.length}: take one output with at(i)`)
  return value.entries[0]!
}

frame.compose = (op, inputs, attrs) => compose(op, inputs, attrs)
