/** Rows: random operators, by mean and variance of many draws. */

import { expect } from 'vitest'
import type { Context } from '../../src/base/context.ts'
import { applyAll } from '../../src/core/apply.ts'
import { withFrame } from '../../src/core/frame.ts'
import { findOp } from '../../src/core/op.ts'
import type { NDArray } from '../../src/ndarray/ndarray.ts'
import { seed } from '../../src/ndarray/random.ts'
import { sum } from './model.ts'
import { type Row, row } from './row.ts'
import { finest, put } from './runner.ts'

const n = 4000
const none = { order: 0, why: 'it is random' } as const

/** Draws that repeat under one seed and not under another. */
async function draws(
  context: Context,
  op: string,
  inputs: readonly NDArray[],
  attrs: object,
): Promise<number[]> {
  const run = async (s: number): Promise<number[]> => {
    seed(s)
    const [out] = withFrame({ context }, () =>
      applyAll(findOp(op)!, inputs, { ...attrs }),
    ) as NDArray[]
    return Array.from(await out!.asTypedArray(), Number)
  }
  const values = await run(7)
  expect(await run(7)).toEqual(values)
  expect(await run(8)).not.toEqual(values)
  return values
}

/** Five standard errors around mean and variance; the fourth moment bounds the latter. */
function expectMoments(xs: readonly number[], mean: number, variance: number): void {
  const m = sum(xs) / xs.length
  expect(Math.abs(m - mean)).toBeLessThan(5 * Math.sqrt(variance / xs.length))
  const v = sum(xs.map((x) => (x - m) ** 2)) / xs.length
  const fourth = sum(xs.map((x) => (x - m) ** 4)) / xs.length
  expect(Math.abs(v - variance)).toBeLessThan(5 * Math.sqrt((fourth - v * v) / xs.length) + 1e-12)
}

interface Law {
  readonly name: string
  /** Parameters by name, two sets of them. */
  readonly sets: readonly (readonly [number, number?])[]
  readonly names: readonly string[]
  readonly moments: (p: number, q: number) => readonly [mean: number, variance: number]
}

const laws: readonly Law[] = [
  {
    name: 'uniform',
    names: ['low', 'high'],
    sets: [
      [0, 1],
      [-2, 5],
    ],
    moments: (a, b) => [(a + b) / 2, (b - a) ** 2 / 12],
  },
  {
    name: 'normal',
    names: ['loc', 'scale'],
    sets: [
      [0, 1],
      [3, 0.5],
    ],
    moments: (m, s) => [m, s * s],
  },
  { name: 'exponential', names: ['lam'], sets: [[1], [4]], moments: (l) => [1 / l, 1 / (l * l)] },
  {
    name: 'gamma',
    names: ['alpha', 'beta'],
    sets: [
      [0.5, 2],
      [7, 0.3],
    ],
    moments: (a, b) => [a * b, a * b * b],
  },
  { name: 'poisson', names: ['lam'], sets: [[2.5], [60]], moments: (l) => [l, l] },
  {
    name: 'negative_binomial',
    names: ['k', 'p'],
    sets: [
      [3, 0.4],
      [20, 0.2],
    ],
    moments: (k, p) => [(k * (1 - p)) / p, (k * (1 - p)) / (p * p)],
  },
  {
    name: 'generalized_negative_binomial',
    names: ['mu', 'alpha'],
    sets: [
      [4, 0.5],
      [9, 0],
    ],
    moments: (m, a) => [m, m + a * m * m],
  },
]

const rowsOf = ({ name, names, sets, moments }: Law): Row[] => {
  const attrsOf = (set: readonly (number | undefined)[]): object =>
    Object.fromEntries(names.map((key, i) => [key, set[i]]))
  const random: Row = row<object>({
    op: `_random_${name}`,
    cases: [{ attrs: attrsOf(sets[0]!) }],
    statistics: async (context) => {
      for (const set of sets)
        expectMoments(
          await draws(context, `_random_${name}`, [], { ...attrsOf(set), shape: [n] }),
          ...moments(set[0], set[1] ?? 0),
        )
    },
    ...none,
  })
  const sample: Row = row({
    op: `_sample_${name}`,
    cases: [{ inputs: names.map(() => [2]) }],
    statistics: async (context) => {
      const given = names.map((_, i) =>
        put({ shape: [2], data: sets.map((s) => s[i]!) }, 'float32', context),
      )
      const values = await draws(context, `_sample_${name}`, given, { shape: [n] })
      sets.forEach((set, k) =>
        expectMoments(values.slice(k * n, (k + 1) * n), ...moments(set[0], set[1] ?? 0)),
      )
    },
    ...none,
  })
  const like: Row = row<object>({
    op: `_random_${name}_like`,
    cases: [{ inputs: [[3]] }],
    statistics: async (context) => {
      const shape = put(
        { shape: [n], data: new Array<number>(n).fill(0) },
        finest(context)[0],
        context,
      )
      const set = sets[1]!
      expectMoments(
        await draws(context, `_random_${name}_like`, [shape], attrsOf(set)),
        ...moments(set[0], set[1] ?? 0),
      )
    },
    ...none,
  })
  // Uniform and normal numbers have rows of their own beside the other creation operators.
  return name === 'uniform' || name === 'normal' ? [sample, like] : [random, sample, like]
}

export const sampleRows: readonly Row[] = [
  ...laws.flatMap(rowsOf),
  row<{ shape?: number[]; getProb?: boolean }>({
    op: '_sample_multinomial',
    cases: [{ inputs: [[2, 3]] }],
    statistics: async (context) => {
      const p = [0.2, 0.5, 0.3, 0, 1, 0]
      const x = put({ shape: [2, 3], data: p }, 'float32', context)
      const values = await draws(context, '_sample_multinomial', [x], { shape: [n] })
      for (let c = 0; c < 3; c++) {
        const share = values.slice(0, n).filter((v) => v === c).length / n
        expect(Math.abs(share - p[c]!)).toBeLessThan(5 * Math.sqrt(0.25 / n))
      }
      expect(new Set(values.slice(n))).toEqual(new Set([1]))
      const [index, log] = withFrame({ context }, () =>
        applyAll(findOp('_sample_multinomial')!, [x], { shape: [5], getProb: true }),
      ) as NDArray[]
      const at = Array.from(await index!.asTypedArray(), Number)
      Array.from(await log!.asTypedArray(), Number).forEach((l, i) => {
        expect(l).toBeCloseTo(Math.log(p[Math.floor(i / 5) * 3 + at[i]!]!), 5)
      })
    },
    ...none,
  }),
  row({
    op: '_shuffle',
    cases: [{ inputs: [[4, 2]] }],
    statistics: async (context) => {
      const x = put(
        { shape: [200], data: Array.from({ length: 200 }, (_, i) => i) },
        'float32',
        context,
      )
      const values = await draws(context, '_shuffle', [x], {})
      expect(values.toSorted((a, b) => a - b)).toEqual(Array.from({ length: 200 }, (_, i) => i))
      const moved = values.filter((v, i) => v !== i).length
      expect(moved).toBeGreaterThan(180)
    },
    ...none,
  }),
  row({
    op: '_sample_unique_zipfian',
    cases: [{ attrs: { rangeMax: 6, shape: [2, 3] } }],
    statistics: async (context) => {
      if (context.deviceType === 'gpu') {
        const attrs = { rangeMax: 6, shape: [2, 3] }
        expect(() =>
          withFrame({ context }, () => applyAll(findOp('_sample_unique_zipfian')!, [], attrs)),
        ).toThrow('int64')
        return
      }
      const range = 6
      const p = Array.from(
        { length: range },
        (_, k) => Math.log((k + 2) / (k + 1)) / Math.log(range + 1),
      )
      const values = await draws(context, '_sample_unique_zipfian', [], {
        rangeMax: range,
        shape: [n, 3],
      })
      const rows = Array.from({ length: n }, (_, r) => values.slice(3 * r, 3 * r + 3))
      expect(rows.every((r) => new Set(r).size === 3)).toBe(true)
      const near = (share: number, want: number): void =>
        expect(Math.abs(share - want)).toBeLessThan(5 * Math.sqrt((want * (1 - want)) / n))
      p.forEach((first, k) => {
        near(rows.filter((r) => r[0] === k).length / n, first)
        const second = sum(p.map((q, j) => (j === k ? 0 : (q * first) / (1 - q))))
        near(rows.filter((r) => r[1] === k).length / n, second)
      })
      seed(3)
      const attrs = { rangeMax: range, shape: [n, 2] }
      const [, tries] = withFrame({ context }, () =>
        applyAll(findOp('_sample_unique_zipfian')!, [], attrs),
      ) as NDArray[]
      const counts = Array.from(await tries!.asTypedArray(), Number)
      expect(Math.min(...counts)).toBe(2)
      // After a first class of share q it takes 1/(1 - q) draws to meet another one.
      const mean = 1 + sum(p.map((q) => q / (1 - q)))
      const spread = sum(p.map((q) => q * (2 / (1 - q) ** 2 - 1 / (1 - q)))) - (mean - 1) ** 2
      const error = Math.abs(sum(counts) / n - mean)
      expect(error).toBeLessThan(5 * Math.sqrt(spread / n))
    },
    ...none,
  }),
]
