/** Attributes as MXNet's files have them: every recorded call of an operator, written as symbol.json, means the same. */

import { readFileSync } from 'node:fs'
import { describe, expect, it } from 'vitest'
import type { DType } from '../../src/base/dtype.ts'
import { pythonNumber } from '../../src/core/attrs.ts'
import { withFrame } from '../../src/core/frame.ts'
import { findOp } from '../../src/core/op.ts'
import type { NDArray } from '../../src/ndarray/ndarray.ts'
import { sym } from '../../src/symbol/index.ts'
import { Program } from '../../src/symbol/run.ts'
import { fileAttrs, wireName } from '../../src/symbol/wire.ts'
import { reference } from '../cases/devices.ts'
import { call, expectClose, put, take } from '../cases/runner.ts'
import { goldenPath } from './npy.ts'

interface Recorded {
  readonly shape: readonly number[]
  readonly dtype: DType
  readonly data: readonly (number | string)[]
}
interface VectorCase {
  readonly id: string
  readonly op: string
  readonly attrs: { readonly [name: string]: unknown }
  readonly inputs: readonly (Recorded | { readonly scalar: number })[]
}

const files = 'unary binary reduce movement indexing linalg nn rnn sequence contrib image pdf'
const cases = files.split(' ').flatMap((file) =>
  readFileSync(goldenPath(`mxnet-vectors/${file}.jsonl`), 'utf8')
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => JSON.parse(line) as VectorCase),
)

/** What Python's `str` makes of a value. */
function python(value: unknown): string {
  if (value === null) return 'None'
  if (typeof value === 'boolean') return value ? 'True' : 'False'
  if (typeof value === 'number') return pythonNumber(value)
  if (!Array.isArray(value)) return String(value)
  const items = value.map(python)
  return items.length === 1 ? `(${items[0]},)` : `(${items.join(', ')})`
}

/** The operators that are here, each with its recorded calls. */
const known = new Map<string, VectorCase[]>()
for (const c of cases) {
  const name = [c.op, `_${c.op.replace('.', '_')}`].find((n) => findOp(n) !== undefined)
  const op = name === undefined ? undefined : findOp(name)
  // Python's functions of a name may take other arguments than the operator: `full(val=…)`, `split_v2`.
  const own = new Set(op === undefined ? [] : fileAttrs(op).map(wireName))
  const fits = Object.keys(c.attrs).every(
    (key) => own.has(key) || /^(num_args|is_int|sparse_grad)$/.test(key),
  )
  if (op === undefined || !fits || c.inputs.some((x) => 'scalar' in x)) continue
  known.set(op.name, [...(known.get(op.name) ?? []), c])
}

describe('recorded calls as symbol.json', () => {
  it('are most operators', () => expect(known.size).toBeGreaterThan(130))

  it.each([...known])('%s', (name, calls) => {
    const op = findOp(name)!
    for (const c of calls) {
      const arrays = (c.inputs as readonly Recorded[]).map((x) =>
        put({ shape: x.shape, data: x.data.map((v) => Number(v)) }, x.dtype, reference),
      )
      const attrs = Object.fromEntries(Object.entries(c.attrs).map(([k, v]) => [k, python(v)]))
      const node = { op: name, name: 'n', attrs, inputs: arrays.map((_, i) => [i, 0, 0]) }
      const variables = arrays.map((_, i) => ({ op: 'null', name: String(i), inputs: [] }))
      const file = { nodes: [...variables, node], heads: [[arrays.length, 0, 0]] }
      const text = JSON.stringify({ ...file, attrs: { mxnet_version: ['int', 10901] } })
      const symbol = sym.loadJSON(text)
      const { values } = symbol.entries[0]!.node
      const given = Object.fromEntries(
        Object.entries(c.attrs).flatMap(([key, value]) => {
          const own = fileAttrs(op).find((n) => wireName(n) === key)
          if (own === undefined) return []
          const normal = op.schema[own]!.normalize(value)
          return [[own, normal === undefined ? String(value) : normal]]
        }),
      )
      const wanted = attempt(() => call(op, arrays, given, reference))
      const program = new Program(symbol.entries)
      const got = attempt(
        () =>
          withFrame({ context: reference }, () =>
            program.run((v) => arrays[Number(v.name)]!),
          ) as NDArray[],
      )
      expect(got === null, `${c.id} ${text}`).toBe(wanted === null)
      if (got === null || wanted === null) continue
      expect(op.bind(values).bound.key, c.id).toBe(op.bind(given).bound.key)
      expectClose(take(got[0]!), take(wanted[0]!), 1e-6, c.id)
    }
  })
})

function attempt<R>(body: () => R): R | null {
  try {
    return body()
  } catch {
    return null
  }
}
