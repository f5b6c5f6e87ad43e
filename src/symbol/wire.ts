/** Attributes as text: our spelling and values to MXNet's, and back. */

import { fail } from '../base/error.ts'
import { pythonNumber } from '../core/attrs.ts'
import type { OpDef } from '../core/op.ts'
import { argumentCount } from './listing.ts'

/** MXNet's spelling of an attribute: `numHidden` is `num_hidden`; single letters keep their case. */
export const wireName = (name: string): string =>
  name.length === 1 ? name : name.replace(/[A-Z]/g, (c) => `_${c.toLowerCase()}`)

const spellings = new WeakMap<OpDef, Map<string, string>>()

/** Attributes of an operator that files may have; what the interpreter fills in is none of them. */
export const fileAttrs = (op: OpDef): string[] =>
  Object.keys(op.schema).filter((name) => name !== 'training' || !op.spec.traits?.trains)

/** Our spelling of each attribute, by MXNet's. */
function spellingsOf(op: OpDef): ReadonlyMap<string, string> {
  let names = spellings.get(op)
  if (names === undefined) {
    names = new Map(fileAttrs(op).map((name) => [wireName(name), name]))
    spellings.set(op, names)
  }
  return names
}

/** What only tells MXNet's devices how to compute, or what is so here anyway; kept in files and otherwise passed over. */
const tuning = new Set([
  'ctx',
  'cudnn_algo_bwd_data',
  'cudnn_algo_bwd_filter',
  'cudnn_algo_fwd',
  'cudnn_algo_verbose',
  'cudnn_deterministic',
  'cudnn_off',
  'cudnn_tensor_core',
  'cudnn_tune',
  'forward_stype',
  'infer_range',
  'is_int',
  'num_args',
  'out_dtype',
  'workspace',
])

/** Whether an attribute is an annotation rather than the operator's. */
export const isAnnotation = (key: string): boolean => key.startsWith('__') && key.endsWith('__')

/** The text of values given to an operator; defaults that were not given are left out. */
export function formatAttrs(
  op: OpDef,
  values: { readonly [name: string]: unknown },
  count: number,
): Map<string, string> {
  const texts = new Map<string, string>()
  for (const [name, value] of Object.entries(values)) {
    const { normalize, format } = op.schema[name]!
    const normal: unknown = normalize(value)
    // A number may stand for a tuple of one: Python prints what was given.
    const single = typeof value === 'number' && Array.isArray(normal)
    texts.set(wireName(name), single ? pythonNumber(value) : format(normal))
  }
  const given = argumentCount(op, count)
  if (given !== null) texts.set('num_args', String(given))
  return texts
}

/** An operator's attributes from text; annotations are passed over, other unknown names are errors. */
export function parseAttrs(
  where: string,
  op: OpDef,
  texts: ReadonlyMap<string, string>,
): { readonly [name: string]: unknown } {
  const values: { [name: string]: unknown } = {}
  const known = spellingsOf(op)
  for (const [key, text] of texts) {
    if (isAnnotation(key)) continue
    const name = known.get(key)
    if (name === undefined) {
      if (tuning.has(key)) continue
      const names = [...known.keys()].join(', ')
      fail(where, `${op.name} has no attribute ${key}: it has ${names || 'none'}`)
    }
    const a = op.schema[name]!
    const value = a.parse(text.trim())
    // What Python left out, C++ reads as its default.
    if (value === undefined && text.trim() === 'None' && !a.required) continue
    if (value === undefined) fail(where, `${key} of ${op.name} is '${text}': it must be ${a.wants}`)
    values[name] = value
  }
  return values
}

/** A shape in a file, `(64, 0)`: 0 and -1 stand for sizes not known. Null when the text is none. */
export function parseShape(text: string): readonly number[] | null {
  const match = /^[([]\s*((?:-?\d+L?\s*,\s*)*(?:-?\d+L?\s*)?)[)\]]$/.exec(text.trim())
  if (match === null) return null
  const parts = match[1]!.split(',').map((p) => p.trim().replace(/L$/, ''))
  return parts.filter((p) => p !== '').map(Number)
}

/** A shape as text. */
export const formatTuple = (shape: readonly number[]): string =>
  shape.length === 1 ? `(${shape[0]},)` : `(${shape.join(', ')})`
