/** What a row of the operator table implies: values, gradients, fusion, layouts, edges and errors, one function each. */

import { expect } from 'vitest'
import { grad, record } from '../../src/autograd/index.ts'
import type { Context } from '../../src/base/context.ts'
import { type DType, dtypeInfo, finfo, isFloat } from '../../src/base/dtype.ts'
import { MXNetError } from '../../src/base/error.ts'
import { halfFormat } from '../../src/base/half.ts'
import { applyAll } from '../../src/core/apply.ts'
import { withFrame } from '../../src/core/frame.ts'
import { findOp, OpDef } from '../../src/core/op.ts'
import type { Tensor } from '../../src/core/tensor.ts'
import { fromBytes, zeros } from '../../src/ndarray/creation.ts'
import type { NDArray } from '../../src/ndarray/ndarray.ts'
import * as ops from '../../src/ops/index.ts'
import { toDType } from '../../src/prim/expr.ts'
import { reference } from './devices.ts'
import { type Arr, build, generator, get, sizeOf, spread } from './model.ts'
import { between, type Case, type InputSpec, type Row } from './row.ts'

type Attrs = { readonly [name: string]: unknown }
interface Input {
  readonly value: Arr
  readonly dtype: DType
  readonly fixed: boolean
}

const shapeOf = (spec: InputSpec): readonly number[] => ('shape' in spec ? spec.shape : spec)

/** The inputs of a case in one dtype (positions keep theirs), as plain numbers. */
export function inputsOf(row: Row, c: Case<unknown>, dtype: DType, at: number): Input[] {
  const random = generator(1000 * at + row.op.length)
  return (c.inputs ?? []).map((spec) => {
    const own = 'shape' in spec ? spec : { shape: spec }
    const domain = own.from ?? (isFloat(dtype) ? row.domain : row.ints?.domain) ?? between(0, 5)
    const type = own.dtype ?? dtype
    const drawn = own.values ?? spread(sizeOf(own.shape), random).map(domain)
    return {
      value: { shape: own.shape, data: drawn.map((v) => stored(v, type)) },
      dtype: type,
      fixed: own.fixed ?? false,
    }
  })
}

/** A number as a dtype holds it. */
export function stored(v: number, dtype: DType): number {
  if (dtype === 'float32') return Math.fround(v)
  if (isFloat(dtype)) return toDType(v, dtype)
  if (dtype === 'bool') return v === 0 ? 0 : 1
  const whole = Math.trunc(v)
  if (dtype === 'uint8') return ((whole % 256) + 256) % 256
  if (dtype === 'int8') return ((((whole + 128) % 256) + 256) % 256) - 128
  return whole
}

/** A row-major array on a device. */
export function put({ shape, data }: Arr, dtype: DType, context: Context): NDArray {
  const out = new (dtypeInfo(dtype).array)(data.length)
  const half = halfFormat(dtype)
  data.forEach((v, i) => {
    out[i] = dtype === 'int64' ? BigInt(v) : (half?.encode(v) ?? v)
  })
  return fromBytes(new Uint8Array(out.buffer), shape, dtype, context)
}

/** The elements of an array as plain numbers, at once. */
export const take = (x: NDArray): Arr => ({
  shape: x.shape,
  data: Array.from(x.asTypedArraySync(), Number),
})

/** As `take`, of arrays on any device. */
export const takeAll = (xs: readonly NDArray[]): Promise<Arr[]> =>
  Promise.all(
    xs.map(async (x) => ({ shape: x.shape, data: Array.from(await x.asTypedArray(), Number) })),
  )

/** The finest dtype of a device, and how near results in it must be. */
export const finest = (context: Context): readonly [DType, number] =>
  context.deviceType === 'gpu' ? ['float32', 1e-5] : ['float64', 1e-12]

export function call(
  op: OpDef,
  inputs: readonly Tensor[],
  attrs: Attrs | undefined,
  context: Context,
): NDArray[] {
  return withFrame({ context }, () => applyAll(op, inputs, attrs)) as NDArray[]
}

/** The operators of which a GPU has refused some cases, by the dtype that it lacks. */
export const refused = { int64: new Set<string>(), float64: new Set<string>() }

/**
 * What `body` gives, or null where a GPU refuses a dtype that it does not have. `types` names the dtypes that take part:
 * a refusal of anything else is an error. It is counted for operator `op`.
 */
function orRefused<T>(
  op: string | null,
  context: Context,
  types: () => string,
  body: () => T,
): T | null {
  try {
    return body()
  } catch (e) {
    const wide = /(float64|int64) does not exist on a GPU/.exec((e as Error).message)
    if (context.deviceType !== 'gpu' || wide === null) throw e
    expect(types(), (e as Error).message).toContain(wide[1])
    if (op !== null) refused[wide[1] as 'int64'].add(op)
    return null
  }
}

/** As `call`, or null where the device lacks a dtype of the inputs, the results or the attributes. */
function tryCall(
  row: Row,
  inputs: readonly Input[],
  attrs: Attrs | undefined,
  context: Context,
): NDArray[] | null {
  const arrays = inputs.map((x) => put(x.value, x.dtype, context))
  const types = (): string => {
    const { outs } = opOf(row).bind(attrs).bound.instance(arrays)
    return `${[...arrays, ...outs].map((x) => x.dtype)} ${JSON.stringify(attrs)}`
  }
  return orRefused(row.op, context, types, () => call(opOf(row), arrays, attrs, context))
}

const opOf = (row: Row): OpDef => findOp(row.op)!
const listOf = (out: Arr | readonly Arr[]): readonly Arr[] =>
  Array.isArray(out) ? out : [out as Arr]
const formulaOf = (
  row: Row,
  xs: readonly Arr[],
  attrs: unknown,
  want: readonly number[] = [],
): readonly Arr[] => listOf(row.formula!(xs, attrs ?? {}, want))

/** Equal within a tolerance relative to 1 + |want|; infinities and NaN must be the same. */
export function expectClose(got: Arr, want: Arr, tolerance: number, what: string): void {
  expect(got.shape, `${what}: shape`).toEqual(want.shape)
  got.data.forEach((g, i) => {
    const w = want.data[i]!
    const same = Object.is(g, w) || Math.abs(g - w) <= tolerance * (1 + Math.abs(w))
    if (!same)
      expect.fail(
        `${what}: element ${i} is ${g}, not ${w}\n got ${got.data.slice(0, 24)}\nwant ${want.data.slice(0, 24)}`,
      )
  })
}

const name = (row: Row, c: Case<unknown>): string =>
  `${row.op}(${(c.inputs ?? []).map((s) => `(${shapeOf(s)})`).join(' ')}) ${JSON.stringify(c.attrs ?? {})}`

/** Relative tolerance of values in a dtype: of 16-bit floats some units in the last place. */
function toleranceOf(row: Row, dtype: DType): number {
  if (dtype === 'float64') return row.tol64 ?? 1e-12
  if (dtype === 'float32') return row.tol32 ?? 1e-5
  return (row.halfUnits ?? 4) * finfo(dtype).eps
}

/** Values of every case in one dtype on one backend, against the formula. */
export async function checkValues(row: Row, dtype: DType, context: Context): Promise<void> {
  const tolerance = toleranceOf(row, dtype)
  for (const [at, c] of row.cases.entries()) {
    const inputs = inputsOf(row, c, dtype, at)
    const outs = tryCall(row, inputs, c.attrs as Attrs, context)
    if (outs === null) continue
    const want = formulaOf(
      row,
      inputs.map((x) => x.value),
      c.attrs,
      c.want,
    )
    const resultType = row.result?.(dtype, c.attrs ?? {}) ?? dtype
    expect(outs.length, `${name(row, c)}: results`).toBe(want.length)
    const read = await takeAll(outs)
    outs.forEach((out, k) => {
      expect(out.dtype, `${name(row, c)}: dtype`).toBe(row.results?.[k] ?? resultType)
      const loss = dtype === 'float64' && resultType === 'float32' ? 1e-7 : tolerance
      const held = { ...want[k]!, data: want[k]!.data.map((v) => stored(v, out.dtype)) }
      expectClose(read[k]!, isFloat(out.dtype) ? held : want[k]!, loss, name(row, c))
    })
  }
}

/** What is inferred is what comes out. */
export function checkInference(row: Row): void {
  row.cases.forEach((c, at) => {
    const inputs = inputsOf(row, c, 'float32', at).map((x) => put(x.value, x.dtype, reference))
    let attrs = c.attrs as Attrs | undefined
    if (opOf(row).spec.traits?.trains) attrs = { ...attrs, training: false }
    const { outs } = opOf(row).bind(attrs).bound.instance(inputs)
    const results = call(opOf(row), inputs, attrs, reference)
    expect(results.map((r) => [r.dtype, r.shape])).toEqual(outs.map((o) => [o.dtype, o.shape]))
    for (const r of results) expect(r.asTypedArraySync().length).toBe(sizeOf(r.shape))
  })
}

/** Integer and bool dtypes: the formula in that dtype, wrapped to its width. */
export async function checkInts(row: Row, context: Context): Promise<void> {
  const ints = row.ints!
  for (const dtype of ints.dtypes) {
    for (const [at, c] of row.cases.entries()) {
      const attrs = (ints.attrs && c.attrs ? ints.attrs(c.attrs) : c.attrs) as Attrs | undefined
      const inputs = inputsOf(row, { ...c, inputs: (c.inputs ?? []).map(plain) }, dtype, at)
      const outs = tryCall(row, inputs, attrs, context)
      if (outs === null) continue
      const read = await takeAll(outs)
      const values = inputs.map((x) => x.value)
      const want = ints.formula
        ? listOf(ints.formula(values, attrs ?? {}, dtype))
        : formulaOf(row, values, attrs, c.want)
      const resultType = row.result?.(dtype, attrs ?? {}) ?? dtype
      outs.forEach((out, k) => {
        const { data } = read[k]!
        const what = `${name(row, c)} in ${dtype}`
        const sums = out.dtype === 'int64' && resultType === 'bool'
        if (!sums) expect(out.dtype, what).toBe(resultType)
        expect(out.shape, what).toEqual(want[k]!.shape)
        want[k]!.data.forEach((w, i) => {
          // A float next to an integer may be cut off on either side of it.
          const edge = !Number.isInteger(w) && Math.abs(w - Math.round(w)) < 1e-5
          const near = edge && Math.abs(data[i]! - w) < 1.1
          if (!near)
            expect(data[i], `${what}: element ${i} of ${values.map((v) => `[${v.data}]`)}`).toBe(
              stored(w, out.dtype) + 0,
            )
        })
      })
    }
  }
}

/** Inputs whose values are given keep their place but lose them where dtypes differ (NaN has no integer). */
const plain = (spec: InputSpec): InputSpec => ('shape' in spec && !spec.fixed ? spec.shape : spec)

const direction = (shape: readonly number[], random: () => number): Arr =>
  build(shape, () => 2 * random() - 1)
const dotOf = (a: Arr, b: Arr): number => a.data.reduce((s, v, i) => s + v * b.data[i]!, 0)
const moved = (x: Arr, along: Arr, by: number): Arr => ({
  shape: x.shape,
  data: x.data.map((v, i) => v + by * along.data[i]!),
})

/** Gradients of random projections, first and second order, against central differences in float64. */
export function checkGradients(row: Row): void {
  row.cases.forEach((c, at) => {
    const order = Math.min(c.order ?? 2, row.order ?? 2)
    const inputs = inputsOf(row, c, 'float64', at)
    const free = inputs.flatMap((x, i) => (x.fixed || !isFloat(x.dtype) ? [] : [i]))
    if (order === 0 || free.length === 0) return
    const random = generator(77 + at)
    const shapes = formulaOf(
      row,
      inputs.map((x) => x.value),
      c.attrs,
      c.want,
    ).map((o) => o.shape)
    const heads = shapes.map((s) => put(direction(s, random), 'float64', reference))
    const v = free.map((i) => direction(inputs[i]!.value.shape, random))
    const w = free.map((i) => direction(inputs[i]!.value.shape, random))
    /** f(x) = Σ heads·op(x), its gradient along v, and the gradient of that along w. */
    const evaluate = (shift: number, depth: number): number[] => {
      const arrays = inputs.map((x, i) => {
        const k = free.indexOf(i)
        const array = put(k < 0 ? x.value : moved(x.value, w[k]!, shift), x.dtype, reference)
        if (k >= 0) array.attachGrad()
        return array
      })
      const variables = free.map((i) => arrays[i]!)
      const f = record(() => project(call(opOf(row), arrays, c.attrs as Attrs, reference), heads))
      if (depth === 0) return [f.asScalarSync()]
      const first = record(() => grad(f, variables, { createGraph: true }))
      const along = first.map((g, k) => dotOf(take(g), v[k]!))
      const sums = [
        f.asScalarSync(),
        along.reduce((a, b) => a + b, 0),
        first.reduce((s, g, k) => s + dotOf(take(g), w[k]!), 0),
      ]
      if (depth === 1) return sums
      const vs = v.map((d) => put(d, 'float64', reference))
      const g = record(() => project(first, vs))
      if (g.node === null) return [...sums, 0]
      const reached = variables.map((x) => secondOrZero(g, x))
      return [...sums, reached.reduce((s, h, k) => s + dotOf(h, w[k]!), 0)]
    }
    const h = 1e-5
    const [, , slope, bend] = evaluate(0, order)
    const [above, below] = [evaluate(h, order - 1), evaluate(-h, order - 1)]
    const what = name(row, c)
    const numeric = (above[0]! - below[0]!) / (2 * h)
    expectNear(slope!, numeric, 1e-6, `${what}: first derivative`)
    if (order === 2)
      expectNear(bend!, (above[1]! - below[1]!) / (2 * h), 1e-5, `${what}: second derivative`)
  })
}

/** Gradients where the head does not depend on a variable are zero; `grad` refuses such a question. */
function secondOrZero(head: NDArray, x: NDArray): Arr {
  try {
    return take(grad(head, [x], { retainGraph: true })[0]!)
  } catch (e) {
    if (e instanceof MXNetError && e.message.includes('is not behind the heads'))
      return build(x.shape, () => 0)
    throw e
  }
}

const project = (outs: readonly NDArray[], heads: readonly NDArray[]): NDArray =>
  outs.map((o, k) => ops.sum(ops.multiply(o, heads[k]!))).reduce((a, b) => ops.add(a, b))

function expectNear(got: number, want: number, tolerance: number, what: string): void {
  if (!(Math.abs(got - want) <= tolerance * (1 + Math.abs(want))))
    expect.fail(`${what} is ${got}, differences give ${want}`)
}

/** A map that changes nothing but must be computed: doubling and halving is exact. */
const nudge = (x: Tensor): Tensor => {
  if (x.dtype === 'bool') return ops.logicalNot(ops.logicalNot(x))
  if (!isFloat(x.dtype)) return ops.subtract(ops.add(x, 1), 1)
  return ops.multiply(ops.multiply(x, 2), 0.5)
}

/** The operator between two maps, as one program, with and without a stored intermediate: the eager values. */
export async function checkFusion(row: Row, dtype: DType, context: Context): Promise<void> {
  const tolerance = dtype === 'float64' ? 1e-12 : 1e-5
  for (const [at, c] of row.cases.entries()) {
    const given = inputsOf(row, c, dtype, at)
    const inputs = given.map((x) => put(x.value, x.dtype, context))
    const attrs = opOf(row).spec.traits?.trains
      ? { ...(c.attrs as Attrs), training: false }
      : (c.attrs as Attrs | undefined)
    if (opOf(row).spec.traits?.random) return
    const eager = tryCall(row, given, attrs, context)
    if (eager === null) continue
    const inner = (xs: readonly Tensor[]): Tensor[] => applyAll(opOf(row), xs.map(nudge), attrs)
    const program = (body: (xs: readonly Tensor[]) => Tensor[]): NDArray[] =>
      call(new OpDef({ name: 'program', inputs: ['...data'], body }), inputs, undefined, context)
    const n = eager.length
    // Integers are summed in int64, and inputs are computed with.
    const sums = eager.every((e) => isFloat(e.dtype)) ? '' : 'int64'
    const types = (): string => `${inputs.map((x) => x.dtype)} ${sums}`
    const programs = orRefused(null, context, types, () => [
      program((xs) => inner(xs).map(nudge)),
      program((xs) => {
        const outs = inner(xs)
        const sums = outs.map((o) => ops.sum(nudge(o)))
        return [...outs, ...outs.map(nudge), ...xs.map(nudge), ...sums]
      }),
    ])
    if (programs === null) continue
    const [was, once, both, had] = await Promise.all([eager, ...programs, inputs].map(takeAll))
    was!.forEach((e, k) => {
      expectClose(once![k]!, e, tolerance, `${name(row, c)} folded`)
      expectClose(both![k]!, e, tolerance, `${name(row, c)} stored`)
      expectClose(both![k + n]!, e, tolerance, `${name(row, c)} stored and finished`)
    })
    had!.forEach((x, k) => expectClose(both![2 * n + k]!, x, 0, `${name(row, c)} input`))
  }
}

/** The same values lying otherwise in memory. */
const arrangements: Record<string, (x: Arr, dtype: DType, context: Context) => NDArray> = {
  transposed: (x, dtype, context) => {
    const turned = build(x.shape.toReversed(), (at) => get(x, at.toReversed()))
    return ops.transpose(put(turned, dtype, context))
  },
  reversed: (x, dtype, context) => {
    const back = build(x.shape, (at) =>
      get(
        x,
        at.map((v, i) => x.shape[i]! - 1 - v),
      ),
    )
    return put(back, dtype, context).at(...x.shape.map(() => '::-1'))
  },
  spaced: (x, dtype, context) => {
    const wide = build(
      x.shape.map((d) => 2 * d + 1),
      (at) =>
        at.every((v) => v % 2 === 1)
          ? get(
              x,
              at.map((v) => (v - 1) / 2),
            )
          : 99,
    )
    return put(wide, dtype, context).at(...x.shape.map((d) => `1:${2 * d}:2`))
  },
}

export async function checkStrides(row: Row, dtype: DType, context: Context): Promise<void> {
  const tolerance = dtype === 'float64' ? 1e-12 : 1e-5
  for (const [at, c] of row.cases.entries()) {
    if (opOf(row).spec.traits?.random) return
    const inputs = inputsOf(row, c, dtype, at)
    const attrs = c.attrs as Attrs | undefined
    if (tryCall(row, inputs, attrs, context) === null) continue
    const compute = async (arrays: readonly NDArray[]): Promise<Arr[]> =>
      takeAll(call(opOf(row), arrays, attrs, context))
    const compare = async (
      arrays: readonly NDArray[],
      dense: readonly NDArray[],
      how: string,
    ): Promise<void> => {
      let want: Arr[]
      try {
        want = await compute(dense)
      } catch (e) {
        // Rows that are all the same may have no answer (singular matrices), then in any arrangement.
        if (how !== 'repeated' || !(e instanceof MXNetError)) throw e
        await expect(compute(arrays)).rejects.toThrow(MXNetError)
        return
      }
      const got = await compute(arrays)
      got.forEach((g, k) => expectClose(g, want[k]!, tolerance, `${name(row, c)} ${how}`))
    }
    const dense = inputs.map((x) => put(x.value, x.dtype, context))
    for (const how in arrangements) {
      await compare(
        inputs.map((x) => arrangements[how]!(x.value, x.dtype, context)),
        dense,
        how,
      )
    }
    // Only the first input may repeat its first row: positions and weights stay what they are.
    const [first, ...rest] = dense
    if (first !== undefined && first.ndim > 0 && first.size > 0) {
      const rows = ops.broadcastTo(first.at('0:1'), first.shape)
      await compare([rows, ...rest], [rows.copy(), ...rest], 'repeated')
    }
  }
}

/** Empty and scalar inputs give a result of the right shape, or an MXNetError. */
export async function checkEdges(row: Row, context: Context): Promise<void> {
  const change: Record<string, (shape: readonly number[]) => readonly number[]> = {
    'no rows': (s) => s.map((d, i) => (i === 0 ? 0 : d)),
    'no columns': (s) => s.map((d, i) => (i === s.length - 1 ? 0 : d)),
    nothing: (s) => s.map(() => 0),
    scalars: () => [],
  }
  for (const how in change) {
    for (const [at, c] of row.cases.entries()) {
      const inputs = inputsOf(
        row,
        { ...c, inputs: (c.inputs ?? []).map((s) => reshapedSpec(s, change[how]!(shapeOf(s)))) },
        'float32',
        at,
      )
      const what = `${name(row, c)} with ${how}`
      let read: Arr[]
      try {
        const arrays = inputs.map((x) => put(x.value, x.dtype, context))
        // Errors of work that is handed over show where it is read.
        read = await takeAll(call(opOf(row), arrays, c.attrs as Attrs, context))
      } catch (e) {
        if (!(e instanceof MXNetError)) expect.fail(`${what}: ${String((e as Error).stack)}`)
        expect(e.message, what).toMatch(/^\[[^\]]+\] .{10,}/)
        continue
      }
      let want: readonly Arr[] | null = null
      try {
        want = row.formula
          ? formulaOf(
              row,
              inputs.map((x) => x.value),
              c.attrs,
              c.want,
            )
          : null
      } catch {
        // The plain formula has nothing to say here.
      }
      if (c.want === undefined)
        want?.forEach((w, k) => expectClose(read[k]!, w, row.tol32 ?? 1e-5, what))
    }
  }
}

const specialFloats = [
  Number.NaN,
  Number.POSITIVE_INFINITY,
  Number.NEGATIVE_INFINITY,
  1e-45,
  -0,
  3.4e38,
  -3.4e38,
  1e-40,
  1e9,
  -7,
]
const specialInts = [2147483647, -2147483648, -1, 0, 99999]

/**
 * NaN, infinities, subnormals, extreme numbers and positions far outside: a result of the usual shape, or an MXNetError,
 * but no access outside an array (which the reference backend would report in its own name).
 */
export function checkSpecial(row: Row, context: Context): void {
  row.cases.forEach((c, at) => {
    const usual = inputsOf(row, c, 'float32', at)
    const strange = usual.map((x, k) => {
      const values = isFloat(x.dtype) ? specialFloats : specialInts
      const data = x.value.data.map((_, i) => values[(7 * i + 3 * k + at) % values.length]!)
      return put(
        { shape: x.value.shape, data: data.map((v) => stored(v, x.dtype)) },
        x.dtype,
        context,
      )
    })
    const run = (inputs: readonly NDArray[]): (readonly number[])[] =>
      call(opOf(row), inputs, c.attrs as Attrs, context).map((y) => take(y).shape)
    const shapes = run(usual.map((x) => put(x.value, x.dtype, context)))
    try {
      expect(run(strange), name(row, c)).toEqual(shapes)
    } catch (e) {
      if (!(e instanceof MXNetError) || e.where === 'reference' || e.where === 'wasm') throw e
    }
  })
}

const reshapedSpec = (spec: InputSpec, shape: readonly number[]): InputSpec => {
  if (!('shape' in spec)) return shape
  const { values: _values, ...rest } = spec
  return { ...rest, shape }
}

/** Wrong calls are answered in the operator's name. */
export function checkErrors(row: Row): void {
  const op = opOf(row)
  const c = row.cases[0] ?? {}
  const inputs = inputsOf(row, c, 'float32', 0).map((x) => put(x.value, x.dtype, reference))
  const refused = (what: string, body: () => unknown): void => {
    let error: unknown = null
    try {
      body()
    } catch (e) {
      error = e
    }
    expect(error, `${row.op}: ${what} is accepted`).not.toBeNull()
    expect(error, `${row.op}: ${what}: ${String(error)}`).toBeInstanceOf(MXNetError)
    expect(
      (error as MXNetError).message.startsWith(`[${row.op}] `),
      `${what}: ${(error as Error).message}`,
    ).toBe(true)
  }
  const attrs = c.attrs as Attrs | undefined
  refused('an unknown attribute', () => call(op, inputs, { ...attrs, nonsense: 1 }, reference))
  for (const key in op.schema) {
    refused(`attribute ${key} of a wrong type`, () =>
      call(op, inputs, { ...attrs, [key]: () => 0 }, reference),
    )
    if (op.schema[key]!.normalize('nonsense') !== undefined) continue
    refused(`attribute ${key} as text`, () =>
      call(op, inputs, { ...attrs, [key]: 'nonsense' }, reference),
    )
  }
  if (op.minInputs > 0) {
    refused('no input', () => call(op, [], attrs, reference))
    refused('a string', () => call(op, ['x' as never, ...inputs.slice(1)], attrs, reference))
    refused('a plain array', () =>
      call(op, [[1, 2] as never, ...inputs.slice(1)], attrs, reference),
    )
    refused('a missing input', () =>
      call(op, [null as never, ...inputs.slice(1)], attrs, reference),
    )
  }
  if (op.maxInputs < 9) {
    const many = Array.from({ length: 9 }, () => zeros([2], { ctx: reference }))
    refused('too many inputs', () => call(op, many, attrs, reference))
  }
}
