/** Rows: operators without inputs, and random ones. */

import { expect } from 'vitest'
import type { Context } from '../../src/base/context.ts'
import type { DType } from '../../src/base/dtype.ts'
import { applyAll } from '../../src/core/apply.ts'
import { withFrame } from '../../src/core/frame.ts'
import { findOp } from '../../src/core/op.ts'
import { full } from '../../src/ndarray/creation.ts'
import type { NDArray } from '../../src/ndarray/ndarray.ts'
import { seed } from '../../src/ndarray/random.ts'
import { type Arr, build, sum } from './model.ts'
import { type Row, row, signed } from './row.ts'

type Shaped = { shape: readonly number[]; dtype?: string }
const dtypeOf = {
  result: (_d: unknown, { dtype }: { dtype?: string }) => (dtype ?? 'float32') as 'float32',
}
const none = { order: 0, why: 'it has no inputs' } as const
const list = (values: readonly number[]): Arr => ({ shape: [values.length], data: values })

/** Draws twice under one seed and once under another; what comes out is the same, and not the same. */
async function draw(
  context: Context,
  op: string,
  attrs: object,
  inputs: readonly NDArray[] = [],
): Promise<number[]> {
  const run = async (s: number): Promise<number[]> => {
    seed(s)
    const [out] = withFrame(
      { context },
      () => applyAll(findOp(op)!, inputs, { ...attrs }) as NDArray[],
    )
    return Array.from(await out!.asTypedArray(), Number)
  }
  const values = await run(7)
  expect(await run(7)).toEqual(values)
  expect(await run(8)).not.toEqual(values)
  return values
}

/** The dtypes of a list that a device has. */
const typesOn = (context: Context, dtypes: readonly DType[]): readonly DType[] =>
  dtypes.filter((t) => context.deviceType !== 'gpu' || !/64$/.test(t))

const mean = (xs: readonly number[]): number => sum(xs) / xs.length
const variance = (xs: readonly number[]): number => mean(xs.map((x) => (x - mean(xs)) ** 2))
const n = 4000
/** Five standard errors. */
const near = (got: number, want: number, deviation: number): void =>
  expect(Math.abs(got - want)).toBeLessThan((5 * deviation) / Math.sqrt(n))

export const creationRows: readonly Row[] = [
  row<Shaped>({
    op: '_zeros',
    cases: [
      { attrs: { shape: [2, 3] } },
      { attrs: { shape: [] } },
      { attrs: { shape: [0, 2], dtype: 'int32' } },
    ],
    formula: (_x, { shape }) => build(shape, () => 0),
    ...dtypeOf,
    ...none,
  }),
  row<Shaped>({
    op: '_ones',
    cases: [
      { attrs: { shape: [2, 3] } },
      { attrs: { shape: [] } },
      { attrs: { shape: [4], dtype: 'bool' } },
    ],
    formula: (_x, { shape }) => build(shape, () => 1),
    ...dtypeOf,
    ...none,
  }),
  row<Shaped & { value: number }>({
    op: '_full',
    cases: [
      { attrs: { shape: [2, 3], value: 2.5 } },
      { attrs: { shape: [], value: -1 } },
      { attrs: { shape: [3], value: 7, dtype: 'int64' } },
    ],
    formula: (_x, { shape, value }) => build(shape, () => value),
    ...dtypeOf,
    ...none,
  }),
  row<{ start: number; stop?: number; step?: number; repeat?: number; dtype?: string }>({
    op: '_arange',
    cases: [
      { attrs: { start: 5 } },
      { attrs: { start: 1, stop: 4, step: 0.5 } },
      { attrs: { start: 3, stop: -2, step: -2, repeat: 2, dtype: 'int32' } },
      { attrs: { start: 3, stop: 1 } },
    ],
    formula: (_x, { start, stop, step = 1, repeat = 1 }) => {
      const [from, to] = stop === undefined ? [0, start] : [start, stop]
      const out: number[] = []
      for (let v = from; step > 0 ? v < to : v > to; v += step)
        for (let r = 0; r < repeat; r++) out.push(v)
      return list(out)
    },
    ...dtypeOf,
    ...none,
  }),
  row<{ start: number; stop: number; num: number; endpoint?: boolean; dtype?: string }>({
    op: '_linspace',
    cases: [
      { attrs: { start: 0, stop: 1, num: 5 } },
      { attrs: { start: 0, stop: 1, num: 4, endpoint: false } },
      { attrs: { start: 2, stop: 3, num: 1, dtype: 'float64' } },
      { attrs: { start: 2, stop: 3, num: 0 } },
    ],
    formula: (_x, { start, stop, num, endpoint = true }) =>
      list(
        Array.from({ length: num }, (_, i) =>
          num === 1 ? start : start + ((stop - start) * i) / (endpoint ? num - 1 : num),
        ),
      ),
    ...dtypeOf,
    ...none,
  }),
  row<{ N: number; M?: number; k?: number; dtype?: string }>({
    op: '_eye',
    cases: [
      { attrs: { N: 3 } },
      { attrs: { N: 2, M: 4, k: 1 } },
      { attrs: { N: 3, M: 2, k: -1, dtype: 'int32' } },
    ],
    formula: (_x, { N, M = 0, k = 0 }) =>
      build([N, M || N], (at) => (at[1]! - at[0]! === k ? 1 : 0)),
    ...dtypeOf,
    ...none,
  }),
  row({
    op: '_random_uniform',
    cases: [],
    statistics: async (context) => {
      for (const dtype of typesOn(context, ['float32', 'float64'])) {
        const xs = await draw(context, '_random_uniform', {
          low: -1,
          high: 3,
          shape: [n / 4, 4],
          dtype,
        })
        near(mean(xs), 1, 4 / Math.sqrt(12))
        near(variance(xs), 16 / 12, 16 / Math.sqrt(180))
        expect(Math.min(...xs)).toBeGreaterThanOrEqual(-1)
        expect(Math.max(...xs)).toBeLessThanOrEqual(3)
      }
    },
    ...none,
  }),
  row({
    op: '_random_normal',
    cases: [],
    statistics: async (context) => {
      for (const dtype of typesOn(context, ['float32', 'float64'])) {
        const xs = await draw(context, '_random_normal', { loc: 2, scale: 3, shape: [n], dtype })
        near(mean(xs), 2, 3)
        near(variance(xs), 9, 9 * Math.SQRT2)
        expect(xs.every(Number.isFinite)).toBe(true)
        // Half of a normal lies within 0.6745 deviations.
        near(mean(xs.map((x) => (Math.abs(x - 2) < 0.6745 * 3 ? 1 : 0))), 0.5, 0.5)
      }
    },
    ...none,
  }),
  row({
    op: '_random_randint',
    cases: [],
    statistics: async (context) => {
      for (const dtype of typesOn(context, ['int32', 'int64'])) {
        const xs = await draw(context, '_random_randint', { low: -2, high: 3, shape: [n], dtype })
        expect([...new Set(xs)].sort((a, b) => a - b)).toEqual([-2, -1, 0, 1, 2])
        near(mean(xs), 0, Math.SQRT2)
        near(variance(xs), 2, Math.sqrt(2.8))
      }
    },
    ...none,
  }),
  row<{ p?: number; mode?: string; training?: boolean }>({
    op: 'Dropout',
    domain: signed,
    cases: [
      { inputs: [[2, 3]], attrs: { training: false } },
      { inputs: [[4]], attrs: { p: 0.3, training: false } },
      { inputs: [[]], attrs: { p: 0, mode: 'always' } },
    ],
    formula: ([x]) => x!,
    statistics: async (context) => {
      const ones = full([n], 2, { ctx: context })
      const xs = await draw(context, 'Dropout', { p: 0.25, mode: 'always' }, [ones])
      const kept = Math.fround(2 / 0.75)
      expect(xs.every((x) => x === 0 || Math.abs(x - kept) < 1e-6)).toBe(true)
      near(mean(xs.map((x) => (x === 0 ? 1 : 0))), 0.25, Math.sqrt(0.25 * 0.75))
      const dropped = await draw(context, 'Dropout', { p: 0.5, training: true }, [ones])
      expect(dropped.includes(0)).toBe(true)
      const shared = await draw(context, 'Dropout', { p: 0.5, mode: 'always', axes: [1] }, [
        full([50, 4], 1, { ctx: context }),
      ])
      for (let i = 0; i < 50; i++) expect(new Set(shared.slice(4 * i, 4 * i + 4)).size).toBe(1)
    },
  }),
  row({
    op: '_random_leaky_relu',
    cases: [],
    statistics: async (context) => {
      const bounds = { lowerBound: 0.1, upperBound: 0.5 }
      const xs = await draw(context, '_random_leaky_relu', bounds, [
        full([n], -2, { ctx: context }),
      ])
      expect(xs.every((x) => x > -1.0001 && x < -0.1999)).toBe(true)
      near(mean(xs), -0.6, 0.8 / Math.sqrt(12))
    },
  }),
]
