/** Numbers recorded from MXNet 1.9.1: values, gradients and second-order gradients of every operator that is here. */

import { readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { describe, expect, it } from 'vitest'
import { backward, grad, record } from '../../src/autograd/index.ts'
import type { Context } from '../../src/base/context.ts'
import { type DType, dtypeInfo } from '../../src/base/dtype.ts'
import { applyAll } from '../../src/core/apply.ts'
import { frame, withFrame } from '../../src/core/frame.ts'
import { findOp } from '../../src/core/op.ts'
import { CachedOp } from '../../src/ndarray/cachedOp.ts'
import type { NDArray } from '../../src/ndarray/ndarray.ts'
import * as ops from '../../src/ops/index.ts'
import { backends } from '../cases/devices.ts'
import { put, take } from '../cases/runner.ts'
import { deliberate } from './differences.ts'
import { functions } from './functions.ts'

type Attrs = { [name: string]: unknown }
type Numbers = readonly (number | 'nan' | 'inf' | '-inf')[]
interface Recorded {
  readonly shape: readonly number[]
  readonly dtype: DType
  readonly data: Numbers
}
interface VectorCase {
  readonly id: string
  readonly op: string
  readonly attrs: Attrs
  readonly train: boolean
  readonly inputs: readonly (Recorded | { readonly scalar: number })[]
  readonly outputs: readonly Recorded[]
  readonly head_grads?: readonly (Recorded | null)[]
  readonly grads?: readonly (Recorded | null)[]
  readonly second?: {
    readonly v: readonly (Recorded | null)[]
    readonly grads: readonly (Recorded | null)[]
  }
  readonly edge?: boolean
  readonly tol?: number
}

const folder = fileURLToPath(new URL('./mxnet-vectors/', import.meta.url))
const files =
  'unary binary reduce movement indexing linalg nn rnn sequence contrib image pdf'.split(' ')

const cases: VectorCase[] = files.flatMap((file) =>
  readFileSync(`${folder}${file}.jsonl`, 'utf8')
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => JSON.parse(line) as VectorCase),
)

const number = (v: Numbers[number]): number =>
  v === 'nan'
    ? Number.NaN
    : v === 'inf'
      ? Number.POSITIVE_INFINITY
      : v === '-inf'
        ? Number.NEGATIVE_INFINITY
        : v
const camel = (name: string): string =>
  name.replace(/(?<!^)_([a-z0-9])/g, (_, c: string) => c.toUpperCase())
const isArray = (x: Recorded | { readonly scalar: number }): x is Recorded => !('scalar' in x)

/** MXNet's Python helpers over several operators; the functions of that name here do the same. */
const helpers = new Set(
  'add subtract multiply divide modulo power maximum minimum equal not_equal greater greater_equal lesser lesser_equal logical_and logical_or logical_xor true_divide'.split(
    ' ',
  ),
)

type Replay = (inputs: readonly NDArray[]) => NDArray[]

/** How a case is called here; null where its operator is not here yet. */
function replayOf(c: VectorCase): Replay | null {
  if (helpers.has(c.op)) {
    const f = (ops as unknown as { [name: string]: (a: unknown, b: unknown) => NDArray })[
      camel(c.op)
    ]!
    return (arrays) => {
      let next = 0
      const [a, b] = c.inputs.map((x) => (isArray(x) ? arrays[next++] : x.scalar))
      return [f(a, b)]
    }
  }
  const dotted = `_${c.op.replace('.', '_')}`
  const f = functions[c.op]
  if (f !== undefined) return (arrays) => f(arrays, c.attrs)
  const op = findOp(c.op) ?? findOp(dotted)
  if (op === undefined) return null
  const attrs = Object.fromEntries(
    Object.entries(c.attrs).flatMap(([name, value]) => {
      if (bookkeeping.has(name)) return []
      if (name === 'ord') return [[name, String(value)]]
      return [[c.op === 'full' && name === 'val' ? 'value' : camel(name), value]]
    }),
  )
  return (arrays) => applyAll(op, arrays, attrs)
}

/** The case as a hybridized block runs it: traced once, then compiled graphs for it and its gradients. */
function traced(run: Replay): Replay {
  const op = new CachedOp('vector', (inputs) => run(inputs as readonly NDArray[]))
  return (arrays) => [op.call(arrays)].flat() as NDArray[]
}

/** What reads its inputs' values, or writes into one of them, cannot be traced. */
const untraceable = new Set(['contrib.boolean_mask', 'onehot_encode'])

/** Attributes that count inputs, hint at memory or mark text: they have no meaning here. */
const bookkeeping = new Set(['num_args', 'is_int', 'sparse_grad'])

function expectNear(
  got: NDArray | null | undefined,
  want: Recorded,
  c: VectorCase,
  what: string,
): void {
  if (!got) expect.fail(`${what} is missing`)
  const { shape, data } = take(got)
  // Deviation 1: what is (1,) in MXNet for want of rank 0 is [] here.
  const scalar = want.shape.length === 1 && want.shape[0] === 1 && shape.length === 0
  if (!scalar) expect(shape, `${what}: shape`).toEqual(want.shape)
  expect(got.dtype, `${what}: dtype`).toBe(want.dtype)
  const wanted = want.data.map(number)
  const base = { float16: 2e-3, float32: 2e-5, float64: 1e-6 }[want.dtype as string] ?? 0
  const tolerance = base === 0 ? 0 : Math.max(base, c.tol ?? 0)
  const largest = wanted.reduce((m, w) => (Number.isFinite(w) ? Math.max(m, Math.abs(w)) : m), 1e-3)
  wanted.forEach((w, i) => {
    const g = data[i]!
    const scale = c.edge ? Math.max(1e-3, Math.abs(w)) : largest
    const same =
      g === w || (Number.isNaN(g) && Number.isNaN(w)) || Math.abs(g - w) <= tolerance * scale
    if (!same)
      expect.fail(
        `${what}: element ${i} is ${g}, MXNet has ${w}\n got ${data.slice(0, 16)}\nwant ${wanted.slice(0, 16)}`,
      )
  })
}

/** Runs a case on a device and compares everything that was recorded. */
function replay(c: VectorCase, run: Replay, context: Context): void {
  const make = (x: Recorded): NDArray =>
    put({ shape: x.shape, data: x.data.map(number) }, x.dtype, context)
  const arrays = c.inputs.filter(isArray).map(make)
  const wants = c.inputs.flatMap((x, i) => (isArray(x) ? [c.grads?.[i] ?? null] : []))
  arrays.forEach((x, i) => {
    if (wants[i]) x.attachGrad()
  })
  const forward = (): NDArray[] =>
    withFrame({ context }, () =>
      c.grads
        ? record(() => run(arrays), { trainMode: c.train })
        : withFrame({ training: c.train }, () => run(arrays)),
    )
  const outs = forward()
  c.outputs.forEach((want, k) => expectNear(outs[k], want, c, `${c.id}: output ${k}`))
  if (!c.grads || !c.head_grads) return
  // Deviation 1 again: a gradient for (1,) belongs to the scalar here.
  const headOf = (o: NDArray, k: number): NDArray => {
    const g = make(c.head_grads![k]!)
    return o.ndim === 0 ? g.reshape([]) : g
  }
  const heads = outs.flatMap((o, k) => (c.head_grads![k] ? [{ o, g: headOf(o, k) }] : []))
  if (heads.every(({ o }) => o.node === null)) {
    wants.forEach((want, k) => {
      if (want)
        expect(
          want.data.every((v) => v === 0),
          `${c.id}: gradient ${k} is missing`,
        ).toBe(true)
    })
  } else {
    const followed = heads.filter(({ o }) => o.node !== null)
    backward(
      followed.map((h) => h.o),
      followed.map((h) => h.g),
      { trainMode: c.train },
    )
    wants.forEach((want, k) => {
      if (want) expectNear(arrays[k]!.grad, want, c, `${c.id}: gradient ${k}`)
    })
  }
  const { second } = c
  if (!second) return
  const vs = second.v.map((v) => (v ? make(v) : null))
  const variables = arrays.filter((_, k) => vs[k])
  for (const x of variables) x.attachGrad()
  const total = record(() => {
    const again = run(arrays)
    const live = again.filter((o, k) => c.head_grads![k] && o.node !== null)
    const headGrads = again.flatMap((o, k) =>
      c.head_grads![k] && o.node !== null ? [headOf(o, k)] : [],
    )
    const first = grad(live, variables, { headGrads, createGraph: true, trainMode: c.train })
    const directions = vs.filter((v): v is NDArray => v !== null)
    return first
      .map((g, k) => ops.sum(ops.multiply(g, directions[k]!)))
      .reduce((a, b) => ops.add(a, b))
  })
  if (total.node === null) {
    for (const want of second.grads)
      if (want)
        expect(
          want.data.every((v) => v === 0),
          `${c.id}: no second gradient`,
        ).toBe(true)
    return
  }
  backward(total)
  second.grads.forEach((want, k) => {
    if (want) expectNear(arrays[k]!.grad, want, c, `${c.id}: second gradient ${k}`)
  })
}

const supported = (c: VectorCase): boolean =>
  [...c.inputs.filter(isArray), ...c.outputs].every((x) => dtypeInfo(x.dtype) !== undefined)

const here = cases.flatMap((c) => {
  const run = replayOf(c)
  return run === null || !supported(c) ? [] : [{ c, run }]
})
const names = [...new Set(here.map(({ c }) => c.op))]

describe("MXNet's recorded vectors", () => {
  it('cover the operators that are here', () => {
    expect(names.length).toBeGreaterThan(100)
    const known = new Set(cases.map((c) => c.id))
    for (const id of Object.keys(deliberate))
      expect(known, `${id} in the list of differences`).toContain(id)
    expect(frame.recording).toBe(false)
  })

  for (const { context, skip } of backends.filter((b) => b.context.deviceType !== 'reference')) {
    describe.skipIf(skip !== null)(`on ${context}${skip ? ` (skipped: ${skip})` : ''}`, () => {
      for (const name of names) {
        it(name, () => {
          for (const { c, run } of here)
            if (c.op === name && !(c.id in deliberate)) replay(c, run, context)
        })
      }
      for (const name of names.filter((n) => !untraceable.has(n))) {
        it(`${name}, hybridized`, () => {
          for (const { c, run } of here)
            if (c.op === name && !(c.id in deliberate)) replay(c, traced(run), context)
        })
      }
    })
  }
})
