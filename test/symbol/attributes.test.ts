/** Attributes of files: every one that MXNet 1.9.1 has is read, with MXNet's default, in every spelling, and written back as it stood. */

import { readFileSync } from 'node:fs'
import { describe, expect, it } from 'vitest'
import 'mxnet-ts'
import { findOp, type OpDef } from '../../src/core/op.ts'
import { sym } from '../../src/symbol/index.ts'
import { fileAttrs, formatAttrs, parseAttrs, wireName } from '../../src/symbol/wire.ts'
import { rows } from '../cases/index.ts'
import { type Line, textOf } from './file.ts'

/** By operator and attribute: the text of the default (null: it must be given), then of other choices. */
type Listed = { readonly [op: string]: { readonly [attr: string]: readonly (string | null)[] } }
const listed = JSON.parse(
  readFileSync(new URL('attributes.json', import.meta.url), 'utf8'),
) as Listed
const known = Object.entries(listed).flatMap(([name, attrs]) => {
  const op = findOp(name)
  return op?.name === name ? [[name, op, attrs] as const] : []
})

/** What a text of MXNet means to the operator; undefined for what is only kept. */
const read = (op: OpDef, key: string, text: string): unknown =>
  Object.values(parseAttrs('test', op, new Map([[key, text]])))[0]

/** Defaults that mean the same in other words: one number for all channels, no tuple for what follows from the input. */
const same = (a: unknown, b: unknown): boolean => {
  const short = (x: unknown): unknown => {
    const list = Array.isArray(x) ? [...new Set(x as unknown[])] : [x]
    return list.length === 1 ? (list[0] ?? 0) : list.length === 0 ? 0 : x
  }
  return a === undefined || JSON.stringify(short(a)) === JSON.stringify(short(b))
}

it('knows the attributes of most operators', () => {
  expect(known.length).toBeGreaterThan(150)
})

describe.each(known)('%s', (_, op, attrs) => {
  it('reads each attribute of MXNet’s, with its default', () => {
    for (const [key, [first, ...others]] of Object.entries(attrs)) {
      const ours = Object.keys(op.schema).find((name) => wireName(name) === key)
      if (first !== null && first !== undefined) {
        const value = read(op, key, first)
        if (ours !== undefined && !op.schema[ours]!.required) {
          const { fallback } = op.schema[ours]!
          expect(same(value, fallback), `${key}: ${first} is not ${String(fallback)}`).toBe(true)
        }
      }
      for (const text of others) expect(() => read(op, key, text!), key).not.toThrow()
    }
  })
})

/** Texts that Python and C++ programs have written for a value. */
function spellings(value: unknown): string[] {
  if (typeof value === 'boolean') return value ? ['True', 'true', '1'] : ['False', 'false', '0']
  if (value === null) return ['None']
  if (typeof value === 'number')
    return Number.isInteger(value) ? [String(value)] : [String(value), value.toExponential()]
  if (typeof value === 'string') return [value]
  const list = value as readonly (number | null)[]
  const items = list.map((v) => (v === null ? 'None' : String(v)))
  const texts = [
    `(${items.join(', ')}${items.length === 1 ? ',' : ''})`,
    `[${items.join(', ')}]`,
    `(${items.join(',')})`,
  ]
  const whole = list.every((v) => Number.isInteger(v))
  return whole && items.length > 0 ? [...texts, `(${items.map((i) => `${i}L`).join(', ')})`] : texts
}

const withAttrs = rows.flatMap((row) => {
  const op = findOp(row.op)
  return op && fileAttrs(op).length > 0 ? [[row.op, op, row] as const] : []
})

describe.each(withAttrs)('%s', (name, op, row) => {
  it('reads its own values in every spelling', () => {
    for (const { attrs = {} } of row.cases) {
      for (const [key, value] of Object.entries(attrs)) {
        if (value === undefined || !fileAttrs(op).includes(key)) continue
        const normal: unknown = op.schema[key]!.normalize(value)
        for (const text of [op.schema[key]!.format(normal), ...spellings(value)])
          expect(read(op, wireName(key), text), `${key}: ${text}`).toEqual(normal)
      }
    }
  })

  it('gives back a file’s attributes as they stood', () => {
    for (const c of row.cases) {
      const { training: _, ...values } = (c.attrs ?? {}) as { [key: string]: unknown }
      const own = formatAttrs(op, values, (c.inputs ?? []).length)
      const defaults = Object.entries(listed[name] ?? {}).flatMap(([key, [text]]) =>
        text === null || text === undefined ? [] : [[key, text] as const],
      )
      const texts = {
        ...Object.fromEntries(defaults),
        __profiler_scope__: '<unk>:',
        ...Object.fromEntries(own),
      }
      const inputs = (c.inputs ?? []).map((_, i) => `in${i}`)
      const lines: Line[] = [
        ...inputs.map((input): Line => ['null', input]),
        [name, 'node', texts, inputs.join(' ')],
      ]
      const again = JSON.parse(sym.loadJSON(textOf(lines)).toJSON()) as {
        nodes: { attrs?: object }[]
      }
      expect(again.nodes.at(-1)!.attrs).toEqual(texts)
    }
  })
})
