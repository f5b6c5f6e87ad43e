/** Attribute schemas: one line an attribute gives its static type, default, check and wire text. */

import { type DType, dtypes } from '../base/dtype.ts'
import { fail } from '../base/error.ts'
import { Tensor } from './tensor.ts'

/** How one attribute of an operator is typed, defaulted, checked and written. */
export interface Attr<T, Required extends boolean = boolean> {
  readonly required: Required
  readonly fallback: T | undefined
  /** A number that may differ from call to call without compiling anew; the body sees a scalar tensor. */
  readonly dynamic: boolean
  /** What a value must be, for messages: "an integer above 0". */
  readonly wants: string
  /** The value in its normal form, or undefined when it does not fit. */
  readonly normalize: (value: unknown) => T | undefined
  /** Reads MXNet's text form. */
  readonly parse: (text: string) => T | undefined
  /** MXNet's text form; also the cache key. */
  readonly format: (value: T) => string
}

// biome-ignore lint/suspicious/noExplicitAny: a schema holds attributes of any type
export type Schema = { readonly [name: string]: Attr<any> }

type RequiredKeys<S extends Schema> = {
  [K in keyof S]: S[K] extends { readonly required: true } ? K : never
}[keyof S]
type TypeOf<A> = A extends Attr<infer T, boolean> ? T : never

/** What a caller may give for a schema: required attributes, and any of the others. */
export type Given<S extends Schema> = { [K in RequiredKeys<S>]: TypeOf<S[K]> } & {
  [K in Exclude<keyof S, RequiredKeys<S>>]?: TypeOf<S[K]> | undefined
}

/** Limits of a number. */
export interface NumberLimits {
  readonly above?: number
  readonly min?: number
  readonly max?: number
}

const within = (x: number, l: NumberLimits): boolean =>
  (l.above === undefined || x > l.above) &&
  (l.min === undefined || x >= l.min) &&
  (l.max === undefined || x <= l.max)

const limitText = (l: NumberLimits): string =>
  [
    l.above === undefined ? '' : ` above ${l.above}`,
    l.min === undefined ? '' : ` of at least ${l.min}`,
    l.max === undefined ? '' : ` of at most ${l.max}`,
  ].join('')

const namedNumbers: ReadonlyMap<string, number> = new Map([
  ['nan', Number.NaN],
  ['inf', Number.POSITIVE_INFINITY],
  ['-inf', Number.NEGATIVE_INFINITY],
])

const parseNumber = (text: string): number | undefined => {
  const named = namedNumbers.get(text.trim())
  if (named !== undefined) return named
  return /^\s*[-+]?(\d+\.?\d*|\.\d+)([eE][-+]?\d+)?L?\s*$/.test(text)
    ? Number(text.trim().replace('L', ''))
    : undefined
}

/** A number as Python prints a float: `1.0`, `0.001`, `1e-05`. */
export function formatFloat(x: number): string {
  if (Number.isInteger(x) && Math.abs(x) < 1e16) return Object.is(x, -0) ? '-0.0' : `${x}.0`
  return pythonNumber(x)
}

/** A number as Python prints it, whole numbers without a point. */
export function pythonNumber(x: number): string {
  if (Number.isNaN(x)) return 'nan'
  if (!Number.isFinite(x)) return x > 0 ? 'inf' : '-inf'
  const size = Math.abs(x)
  if (size === 0 || (size >= 1e-4 && size < 1e16)) return String(x)
  const [mantissa, power] = x.toExponential().split('e')
  const exponent = Number(power)
  const digits = String(Math.abs(exponent)).padStart(2, '0')
  return `${mantissa}e${exponent < 0 ? '-' : '+'}${digits}`
}

type Made<T, D> = [D] extends [undefined] ? Attr<T, true> : Attr<T, false>

function make<T, D>(a: Omit<Attr<T>, 'required' | 'dynamic'>, dynamic = false): Made<T, D> {
  return { ...a, dynamic, required: a.fallback === undefined } as unknown as Made<T, D>
}

type Fallback = number | undefined

/** A number that passes a test, called `noun` in messages. */
function numeric<D extends Fallback>(
  noun: string,
  test: (x: number) => boolean,
  fallback: D | undefined,
  limits: NumberLimits,
): Made<number, D> {
  const normalize = (v: unknown): number | undefined =>
    typeof v === 'number' && test(v) && within(v, limits) ? v : undefined
  return make<number, D>({
    fallback,
    wants: `${noun}${limitText(limits)}`,
    normalize,
    parse: (text) => normalize(parseNumber(text)),
    format: pythonNumber,
  })
}

function int<D extends Fallback = undefined>(
  fallback?: D,
  limits: NumberLimits = {},
): Made<number, D> {
  return numeric('an integer', Number.isInteger, fallback, limits)
}

function float<D extends Fallback = undefined>(
  fallback?: D,
  limits: NumberLimits = {},
): Made<number, D> {
  return { ...numeric<D>('a number', () => true, fallback, limits), format: formatFloat }
}

/** A number that changes from call to call (a scalar operand, a learning rate). */
function scalar<D extends number | undefined = undefined>(
  fallback?: D,
  limits: NumberLimits = {},
): Made<number, D> {
  return { ...float<D>(fallback, limits), format: pythonNumber, dynamic: true }
}

function bool<D extends boolean | undefined = undefined>(fallback?: D): Made<boolean, D> {
  return make<boolean, D>({
    fallback,
    wants: 'true or false',
    normalize: (v) => (typeof v === 'boolean' ? v : undefined),
    parse: (text) =>
      ['true', 'True', '1'].includes(text)
        ? true
        : ['false', 'False', '0'].includes(text)
          ? false
          : undefined,
    format: (v) => (v ? 'True' : 'False'),
  })
}

function oneOf<const C extends string, D extends C | undefined = undefined>(
  choices: readonly C[],
  fallback?: D,
): Made<C, D> {
  const normalize = (v: unknown): C | undefined => choices.find((c) => c === v)
  return make<C, D>({
    fallback: fallback as C | undefined,
    wants: `one of ${choices.map((c) => `'${c}'`).join(', ')}`,
    normalize,
    parse: normalize,
    format: String,
  })
}

const parseInts = (text: string): number[] | undefined => {
  const inner = text
    .trim()
    .replace(/^[([]/, '')
    .replace(/[)\]]$/, '')
  const parts = inner
    .split(',')
    .map((p) => p.trim())
    .filter((p) => p !== '')
  const out = parts.map((p) => Number(p.replace(/L$/, '')))
  return out.every(Number.isInteger) ? out : undefined
}

/** A tuple of integers; a single number stands for a tuple of one. */
function ints<D extends readonly number[] | undefined = undefined>(
  fallback?: D,
  limits: NumberLimits = {},
): Made<readonly number[], D> {
  const normalize = (v: unknown): readonly number[] | undefined => {
    const list = typeof v === 'number' ? [v] : v
    const fits = (x: unknown): boolean =>
      typeof x === 'number' && Number.isInteger(x) && within(x, limits)
    return Array.isArray(list) && list.every(fits) ? list : undefined
  }
  return make<readonly number[], D>({
    fallback,
    wants: `integers${limitText(limits)} such as [2, 3]`,
    normalize,
    parse: (text) => normalize(parseInts(text)),
    format: (v) => (v.length === 1 ? `(${v[0]},)` : `(${v.join(', ')})`),
  })
}

/** A tuple of numbers; a single number stands for a tuple of one. */
function floats<D extends readonly number[] | undefined = undefined>(
  fallback?: D,
  limits: NumberLimits = {},
): Made<readonly number[], D> {
  const normalize = (v: unknown): readonly number[] | undefined => {
    const list = typeof v === 'number' ? [v] : v
    const fits = (x: unknown): boolean => typeof x === 'number' && within(x, limits)
    return Array.isArray(list) && list.every(fits) ? list : undefined
  }
  return make<readonly number[], D>({
    fallback,
    wants: `numbers${limitText(limits)} such as [0.1, 0.2]`,
    normalize,
    parse: (text) => {
      const inner = text
        .trim()
        .replace(/^[([{]/, '')
        .replace(/[)\]}]$/, '')
      const parts = inner.split(',').filter((p) => p.trim() !== '')
      return normalize(parts.map(parseNumber))
    },
    format: (v) => (v.length === 1 ? `(${v[0]},)` : `(${v.join(', ')})`),
  })
}

/** A tuple whose entries may be null, as in slice's begin and end. */
function intsOrNull<D extends readonly (number | null)[] | undefined = undefined>(
  fallback?: D,
): Made<readonly (number | null)[], D> {
  const normalize = (v: unknown): readonly (number | null)[] | undefined => {
    const list = typeof v === 'number' || v === null ? [v] : v
    return Array.isArray(list) && list.every((x) => x === null || Number.isInteger(x))
      ? list
      : undefined
  }
  return make<readonly (number | null)[], D>({
    fallback,
    wants: 'integers or null such as [0, null]',
    normalize,
    parse: (text) => {
      const inner = text
        .trim()
        .replace(/^[([]/, '')
        .replace(/[)\]]$/, '')
      const parts = inner
        .split(',')
        .map((p) => p.trim())
        .filter((p) => p !== '')
      return normalize(parts.map((p) => (p === 'None' ? null : Number(p.replace(/L$/, '')))))
    },
    format: (v) =>
      `(${v.map((x) => (x === null ? 'None' : x)).join(', ')}${v.length === 1 ? ',' : ''})`,
  })
}

function dtype<D extends DType | undefined = undefined>(fallback?: D): Made<DType, D> {
  const normalize = (v: unknown): DType | undefined => dtypes.find((name) => name === v)
  return make<DType, D>({
    fallback: fallback as DType | undefined,
    wants: `a dtype: ${dtypes.join(', ')}`,
    normalize,
    parse: normalize,
    format: String,
  })
}

/** A text. */
function text<D extends string | undefined = undefined>(fallback?: D): Made<string, D> {
  return make<string, D>({
    fallback: fallback as string | undefined,
    wants: 'a text',
    normalize: (v) => (typeof v === 'string' ? v : undefined),
    parse: (given) => given,
    format: (v) => v,
  })
}

/** The same attribute, or null (the default): MXNet's None. */
function optional<T>(inner: Attr<T>): Attr<T | null, false> {
  return {
    required: false,
    fallback: null,
    dynamic: false,
    wants: `${inner.wants}, or null`,
    normalize: (v) => (v === null ? null : inner.normalize(v)),
    parse: (text) => (text === 'None' ? null : inner.parse(text)),
    format: (v) => (v === null ? 'None' : inner.format(v)),
  }
}

/** A value of the library's own, never written to a file; `key` tells equal values. */
function opaque<T>(key: (value: T) => string): Attr<T, true> {
  return {
    required: true,
    fallback: undefined,
    dynamic: false,
    wants: 'an internal value',
    normalize: (v) => v as T,
    parse: () => undefined,
    format: key,
  }
}

/** Makers of attributes, for operator records. */
export const attr = {
  int,
  float,
  scalar,
  bool,
  oneOf,
  ints,
  floats,
  intsOrNull,
  dtype,
  text,
  optional,
  opaque,
}

/** Checked attributes: the static ones with their cache key, and the numbers that may change. */
export interface Checked {
  readonly values: { readonly [name: string]: unknown }
  readonly key: string
  readonly scalars: readonly (number | Tensor)[]
}

/** Checks given attributes against a schema, filling defaults; unknown names are errors. */
export function checkAttrs(
  where: string,
  schema: Schema,
  given: { readonly [name: string]: unknown },
): Checked {
  if (typeof given !== 'object' || Array.isArray(given)) {
    fail(where, `the options are ${show(given)}: they must be an object such as { axis: 1 }`)
  }
  const values: { [name: string]: unknown } = {}
  const scalars: (number | Tensor)[] = []
  let key = ''
  for (const name in schema) {
    const a = schema[name]!
    const raw = given[name]
    let value: unknown
    if (raw === undefined) {
      if (a.required) fail(where, `attribute ${name} is required: give ${a.wants}`)
      value = a.fallback
    } else if (a.dynamic && raw instanceof Tensor) {
      value = raw
    } else {
      value = a.normalize(raw)
      if (value === undefined)
        fail(where, `attribute ${name} is ${show(raw)}: it must be ${a.wants}`)
    }
    if (a.dynamic) {
      scalars.push(value as number | Tensor)
    } else {
      values[name] = value
      key += `${a.format(value)};`
    }
  }
  for (const name in given) {
    if (!Object.hasOwn(schema, name) && given[name] !== undefined) {
      const known = Object.keys(schema)
      fail(
        where,
        `unknown attribute ${name}: ${known.length ? `use ${known.join(', ')}` : 'there are none'}`,
      )
    }
  }
  return { values, key, scalars }
}

function show(value: unknown): string {
  if (Array.isArray(value)) return `[${value.map(show).join(', ')}]`
  return typeof value === 'string' ? `'${value}'` : String(value)
}
