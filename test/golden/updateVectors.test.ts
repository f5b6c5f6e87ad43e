/** Numbers recorded from MXNet 1.9.1: optimizer updates through the public functions, states and `out` written in place. */

import { readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { describe, expect, it } from 'vitest'
import type { DType } from '../../src/base/dtype.ts'
import type { NDArray } from '../../src/ndarray/ndarray.ts'
import * as ops from '../../src/ops/index.ts'
import { backends } from '../cases/devices.ts'
import { put, take } from '../cases/runner.ts'

interface Recorded {
  readonly shape: readonly number[]
  readonly dtype: DType
  readonly data: readonly (number | 'nan' | 'inf' | '-inf')[]
}
interface UpdateCase {
  readonly id: string
  readonly op: string
  readonly attrs: { readonly [name: string]: unknown }
  readonly inputs: readonly (Recorded & { readonly name?: string })[]
  readonly outputs: readonly Recorded[]
  readonly out_alias?: readonly number[]
  readonly mutated?: readonly (Recorded & { readonly input: number })[]
}

const file = fileURLToPath(new URL('./mxnet-vectors/update.jsonl', import.meta.url))
const cases = readFileSync(file, 'utf8')
  .split('\n')
  .filter((line) => line !== '')
  .map((line) => JSON.parse(line) as UpdateCase)

const plain = { nan: Number.NaN, inf: Number.POSITIVE_INFINITY, '-inf': Number.NEGATIVE_INFINITY }
const number = (v: Recorded['data'][number]): number => (typeof v === 'number' ? v : plain[v])
const camel = (name: string): string =>
  name.replace(/_([a-z0-9])/g, (_, c: string) => c.toUpperCase())

type Call = (...args: unknown[]) => NDArray | NDArray[]
const functionsIn = (space: object, name: string): Call => {
  const found = (space as { readonly [name: string]: Call | undefined })[name]
  if (found === undefined) throw new Error(`there is no function ${name}`)
  return found
}

/** Calls the function of a case: spread arrays, or lists of arrays for what MXNet's Python wraps that way. */
function run(c: UpdateCase, arrays: readonly NDArray[]): NDArray[] {
  const outs = c.out_alias?.map((i) => arrays[i]!)
  const attrs = Object.entries(c.attrs).map(([name, v]) => [camel(name), v] as const)
  if (!c.op.startsWith('_multi')) {
    const [space, name] = c.op.startsWith('contrib.') ? [ops.contrib, c.op.slice(8)] : [ops, c.op]
    const out = c.op.includes('multi_') ? outs : outs?.[0]
    const options = { ...Object.fromEntries(attrs), ...(out ? { out } : {}) }
    return [functionsIn(space, camel(name))(...arrays, options)].flat()
  }
  const counts = ['numWeights', 'numTensors']
  const n = attrs.find(([name]) => counts.includes(name))![1] as number
  const behind = c.op.includes('adamw') ? 1 : 0
  const arity = (arrays.length - behind) / n
  const lists = Array.from({ length: arity }, (_, k) =>
    Array.from({ length: n }, (_, i) => arrays[i * arity + k]!),
  )
  const options = Object.fromEntries(attrs.filter(([name]) => !counts.includes(name)))
  const f = functionsIn(ops.contrib, camel(c.op.slice(1)))
  return f(...lists, ...arrays.slice(n * arity), {
    ...options,
    ...(outs ? { out: outs } : {}),
  }) as NDArray[]
}

function expectNear(got: NDArray, want: Recorded, what: string): void {
  const { shape, data } = take(got)
  expect(shape, `${what}: shape`).toEqual(want.shape)
  expect(got.dtype, `${what}: dtype`).toBe(want.dtype)
  const wanted = want.data.map(number)
  const base = want.dtype === 'float64' ? 1e-6 : want.dtype === 'float16' ? 2e-3 : 2e-5
  const largest = wanted.reduce((m, w) => (Number.isFinite(w) ? Math.max(m, Math.abs(w)) : m), 1e-3)
  wanted.forEach((w, i) => {
    if (!Object.is(data[i], w) && !(Math.abs(data[i]! - w) <= base * largest))
      expect.fail(`${what}: element ${i} is ${data[i]}, MXNet has ${w}`)
  })
}

/** MXNet's adamw_update leaves the clamped gradient in the gradient's place; here gradients are only read. */
const leftInPlace = (c: UpdateCase, input: number): boolean =>
  c.op.includes('adamw') && c.inputs[input]!.name === 'grad'

describe("MXNet's recorded updates", () => {
  for (const { context, skip } of backends) {
    const why = skip === null ? '' : ` (skipped: ${skip})`
    describe.skipIf(skip !== null)(`on ${context}${why}`, () => {
      it.each(cases.map((c) => [c.id, c] as const))('%s', (_id, c) => {
        const make = (x: Recorded): NDArray =>
          put({ shape: x.shape, data: x.data.map(number) }, x.dtype, context)
        const arrays = c.inputs.map(make)
        const outs = run(c, arrays)
        c.outputs.forEach((want, k) => expectNear(outs[k]!, want, `${c.id}: output ${k}`))
        const changed = new Map((c.mutated ?? []).map((m) => [m.input, m]))
        arrays.forEach((x, i) => {
          if (leftInPlace(c, i)) expectNear(x, c.inputs[i]!, `${c.id}: gradient`)
          else expectNear(x, changed.get(i) ?? c.inputs[i]!, `${c.id}: input ${i}`)
        })
      })
    })
  }
})
