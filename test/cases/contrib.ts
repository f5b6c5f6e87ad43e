/** Rows: boxes and detectors. */

import { expect } from 'vitest'
import type { Context } from '../../src/base/context.ts'
import { applyAll } from '../../src/core/apply.ts'
import { withFrame } from '../../src/core/frame.ts'
import { findOp } from '../../src/core/op.ts'
import type { NDArray } from '../../src/ndarray/ndarray.ts'
import { type Arr, build, get } from './model.ts'
import { between, type Row, row, signed } from './row.ts'
import { expectClose, finest, put, takeAll } from './runner.ts'

type Box = readonly [l: number, t: number, r: number, b: number]
const boxAt = (x: Arr, at: readonly number[], center = false): Box => {
  if (x.shape.at(-1) !== 4) throw new Error('four numbers')
  const [a, b, c, d] = [0, 1, 2, 3].map((k) => get(x, [...at, k])) as [
    number,
    number,
    number,
    number,
  ]
  return center ? [a - c / 2, b - d / 2, a + c / 2, b + d / 2] : [a, b, c, d]
}
const area = ([l, t, r, b]: Box): number => (r - l) * (b - t)
function iou(p: Box, q: Box): number {
  const w = Math.max(0, Math.min(p[2], q[2]) - Math.max(p[0], q[0]))
  const h = Math.max(0, Math.min(p[3], q[3]) - Math.max(p[1], q[1]))
  return w * h === 0 ? 0 : (w * h) / (area(p) + area(q) - w * h)
}
/** Boxes that are in order: values for (n, 4). */
const boxes = (n: number, seed: number, center = false) => ({
  shape: [n, 4],
  values: Array.from({ length: n }, (_, i) => {
    const u = (k: number): number => (((seed + 7 * i + 3 * k) * 37) % 101) / 101
    return center
      ? [u(0), u(1), 0.2 + u(2), 0.2 + u(3)]
      : [u(0), u(1), u(0) + 0.2 + u(2), u(1) + 0.2 + u(3)]
  }).flat(),
})

const run = (
  op: string,
  inputs: readonly NDArray[],
  attrs: object,
  context: Context,
): Promise<Arr[]> =>
  takeAll(withFrame({ context }, () => applyAll(findOp(op)!, inputs, { ...attrs }) as NDArray[]))
const none = { order: 0, why: 'it has no gradient' } as const

export const contribRows: readonly Row[] = [
  row<{ format?: string }>({
    op: '_contrib_box_iou',
    cases: [
      { inputs: [boxes(3, 1), boxes(2, 50)] },
      { inputs: [boxes(2, 9, true), boxes(4, 3, true)], attrs: { format: 'center' } },
      { inputs: [{ ...boxes(4, 5), shape: [2, 2, 4] }, boxes(1, 5)] },
    ],
    formula: ([a, b], { format }) => {
      const lead = a!.shape.length - 1
      return build([...a!.shape.slice(0, -1), ...b!.shape.slice(0, -1)], (at) =>
        iou(
          boxAt(a!, at.slice(0, lead), format === 'center'),
          boxAt(b!, at.slice(lead), format === 'center'),
        ),
      )
    },
    halfUnits: 16,
    ...none,
  }),
  row<{ overlapThresh?: number; idIndex?: number; topk?: number; forceSuppress?: boolean }>({
    op: '_contrib_box_nms',
    cases: [
      {
        inputs: [
          {
            shape: [3, 6],
            values: [0, 0.5, 0, 0, 1, 1, 0, 0.75, 0, 0, 1, 0.75, 1, 0.25, 2, 2, 3, 3],
          },
        ],
      },
      {
        inputs: [
          { shape: [3, 6], values: [0, 0.5, 0, 0, 1, 1, 1, 0.75, 0, 0, 1, 1, 1, 0.25, 0, 0, 1, 1] },
        ],
        attrs: { idIndex: 0 },
        order: 0,
      },
      {
        inputs: [
          {
            shape: [2, 2, 6],
            values: [0, 0.5, 0, 0, 1, 1, 0, 0.75, 2, 2, 3, 3, 0, 0, 0, 0, 1, 1, 0, 0.5, 0, 0, 1, 1],
          },
        ],
        attrs: { topk: 1 },
      },
    ],
    formula: ([x], { overlapThresh = 0.5, idIndex = -1, topk = -1 }) => {
      const [n, w] = x!.shape.slice(-2) as [number, number]
      if (w < 6) throw new Error('rows')
      const lead = x!.shape.slice(0, -2)
      const out: number[] = []
      for (let b = 0; b * n * w < x!.data.length; b++) {
        const rows = Array.from({ length: n }, (_, i) =>
          x!.data.slice((b * n + i) * w, (b * n + i + 1) * w),
        )
        const sorted = rows.filter((r) => r[1]! > 0).sort((p, q) => q[1]! - p[1]!)
        const kept: (readonly number[])[] = []
        for (const r of topk > 0 ? sorted.slice(0, topk) : sorted) {
          const box = (q: readonly number[]): Box => [q[2]!, q[3]!, q[4]!, q[5]!]
          const hit = kept.some(
            (k) =>
              (idIndex < 0 || k[idIndex] === r[idIndex]) && iou(box(k), box(r)) > overlapThresh,
          )
          if (!hit) kept.push(r)
        }
        for (let i = 0; i < n; i++) out.push(...(kept[i] ?? new Array<number>(w).fill(-1)))
      }
      return { shape: [...lead, n, w], data: out }
    },
    order: 1,
    why: 'rows are only chosen: the second derivative is zero',
  }),
  row<{ threshold: number; isAscend?: boolean }>({
    op: '_contrib_bipartite_matching',
    domain: between(0, 1),
    cases: [
      {
        inputs: [{ shape: [1, 2, 2], values: [0.875, 0.75, 0.5, 0.125] }],
        attrs: { threshold: 0.25 },
      },
      {
        inputs: [{ shape: [2, 3], values: [0.875, 0.75, 0.5, 0.25, 0.625, 0.375] }],
        attrs: { threshold: 1, isAscend: true },
      },
      { inputs: [{ shape: [1, 1], values: [0.5] }], attrs: { threshold: 0.75 } },
    ],
    formula: ([x], { threshold, isAscend }) => {
      const [n, m] = x!.shape.slice(-2) as [number, number]
      if (x!.shape.length < 2) throw new Error('a matrix')
      const rows = build([...x!.shape.slice(0, -2), n], () => -1)
      const columns = build([...x!.shape.slice(0, -2), m], () => -1)
      const count = n * m === 0 ? 0 : x!.data.length / (n * m)
      for (let b = 0; b < count; b++) {
        const at = x!.data.slice(b * n * m, (b + 1) * n * m).map((v, i) => [v, i] as const)
        const good = at.filter(([v]) => (isAscend ? v < threshold : v > threshold))
        for (const [, i] of good.sort((p, q) => (isAscend ? p[0] - q[0] : q[0] - p[0]))) {
          const [r, c] = [b * n + Math.floor(i / m), b * m + (i % m)]
          if (rows.data[r] !== -1 || columns.data[c] !== -1) continue
          ;(rows.data as number[])[r] = i % m
          ;(columns.data as number[])[c] = Math.floor(i / m)
        }
      }
      return [rows, columns]
    },
    ...none,
  }),
  row({
    op: '_contrib_box_encode',
    cases: [{ inputs: [[1, 2], [1, 2], [1, 2, 4], [1, 2, 4], [4], [4]] }],
    statistics: async (context) => {
      const [dtype, near] = finest(context)
      const make = (shape: number[], data: number[]) => put({ shape, data }, dtype, context)
      const anchors = make([1, 2, 4], [0, 0, 2, 2, 1, 1, 2, 3])
      const refs = make([1, 2, 4], [1, 0, 3, 4, 0, 0, 1, 1])
      const [offsets, mask] = await run(
        '_contrib_box_encode',
        [
          make([1, 2], [1, 0]),
          make([1, 2], [0, 1]),
          anchors,
          refs,
          make([4], [0, 0.5, 0, 0]),
          make([4], [0.5, 1, 1, 2]),
        ],
        {},
        context,
      )
      expectClose(
        offsets!,
        { shape: [1, 2, 4], data: [1, 0, 0, Math.LN2 / 2, 0, 0, 0, 0] },
        near,
        'offsets',
      )
      expect(mask!.data).toEqual([1, 1, 1, 1, 0, 0, 0, 0])
    },
    ...none,
  }),
  row<{ std0?: number; std2?: number; clip?: number; format?: string }>({
    op: '_contrib_box_decode',
    domain: signed,
    cases: [
      {
        inputs: [[2, 2, 4], { shape: [1, 2, 4], from: between(0.2, 1), fixed: true }],
        attrs: { std0: 0.1, std2: 0.2 },
      },
      {
        inputs: [[1, 3, 4], { shape: [1, 3, 4], from: between(0.2, 1), fixed: true }],
        attrs: { clip: 0.3 },
      },
      {
        inputs: [[2, 1, 4], { shape: [1, 1, 4], values: [0, 1, 2, 4], fixed: true }],
        attrs: { format: 'corner' },
      },
    ],
    formula: ([x, a], { std0 = 1, std2 = 1, clip = -1, format = 'center' }) => {
      if (
        x!.shape.length !== 3 ||
        a!.shape.join() !== [1, x!.shape[1], 4].join() ||
        x!.shape[2] !== 4
      )
        throw new Error('shapes')
      return build(x!.shape, ([b, n, k]) => {
        const raw = [0, 1, 2, 3].map((q) => get(a!, [0, n!, q])) as [number, number, number, number]
        const c =
          format === 'center'
            ? raw
            : [(raw[0] + raw[2]) / 2, (raw[1] + raw[3]) / 2, raw[2] - raw[0], raw[3] - raw[1]]
        const axis = k! % 2
        const middle = get(x!, [b!, n!, axis]) * (axis === 0 ? std0 : 1) * c[axis + 2]! + c[axis]!
        const log = get(x!, [b!, n!, axis + 2]) * (axis === 0 ? std2 : 1)
        return (
          middle +
          ((k! < 2 ? -1 : 1) * Math.exp(clip > 0 ? Math.min(log, clip) : log) * c[axis + 2]!) / 2
        )
      })
    },
    halfUnits: 16,
    ...none,
  }),
  row<{
    sizes?: number[]
    ratios?: number[]
    clip?: boolean
    offsets?: number[]
    steps?: number[]
  }>({
    op: '_contrib_MultiBoxPrior',
    cases: [
      { inputs: [[1, 3, 2, 2]], attrs: { sizes: [0.5, 0.25], ratios: [1, 2, 0.5] } },
      { inputs: [[1, 1, 3, 2]], attrs: { sizes: [0.9], ratios: [1, 3], clip: true } },
      { inputs: [[2, 1, 1, 4]], attrs: { offsets: [0, 0.25], steps: [0.5, 0.2] } },
    ],
    formula: ([x], { sizes = [1], ratios = [1], clip, offsets = [0.5, 0.5], steps = [-1, -1] }) => {
      if (x!.shape.length !== 4) throw new Error('a map')
      const [h, w] = x!.shape.slice(2) as [number, number]
      const kinds = [
        ...sizes.map((s) => [s, ratios[0]!]),
        ...ratios.slice(1).map((r) => [sizes[0]!, r]),
      ]
      return build([1, h * w * kinds.length, 4], ([, i, k]) => {
        const [s, r] = kinds[i! % kinds.length]! as [number, number]
        const cell = Math.floor(i! / kinds.length)
        const [y, z] = [Math.floor(cell / w), cell % w]
        const centre =
          k! % 2 === 0
            ? (z + offsets[1]!) * (steps[1]! > 0 ? steps[1]! : 1 / w)
            : (y + offsets[0]!) * (steps[0]! > 0 ? steps[0]! : 1 / h)
        const size = k! % 2 === 0 ? ((s * h) / w) * Math.sqrt(r) : s / Math.sqrt(r)
        const v = centre + ((k! < 2 ? -1 : 1) * size) / 2
        return clip ? Math.min(Math.max(v, 0), 1) : v
      })
    },
    halfUnits: 8,
    ...none,
  }),
  row({
    op: '_contrib_MultiBoxTarget',
    cases: [
      {
        inputs: [
          [1, 3, 4],
          [1, 1, 5],
          [1, 2, 3],
        ],
      },
    ],
    statistics: async (context) => {
      const [dtype, near] = finest(context)
      const make = (shape: number[], data: number[]) => put({ shape, data }, dtype, context)
      const anchors = make([1, 3, 4], [0, 0, 1, 1, 0, 0, 1, 0.5, 0.5, 0.5, 1, 1])
      const label = make([2, 2, 5], [3, 0, 0, 1, 1, -1, 0, 0, 0, 0, -1, 0, 0, 0, 0, -1, 0, 0, 0, 0])
      const predictions = make([2, 2, 3], [0, 0, 3, 0, 0, 0, 0, 0, 0, 0, 0, 0])
      const [offsets, mask, classes] = await run(
        '_contrib_MultiBoxTarget',
        [anchors, label, predictions],
        {},
        context,
      )
      expect(classes!.data).toEqual([4, 0, 0, -1, -1, -1])
      expect(offsets!.data.every((v) => v === 0)).toBe(true)
      expect(mask!.data.slice(0, 12)).toEqual([1, 1, 1, 1, 0, 0, 0, 0, 0, 0, 0, 0])
      // One negative for the one positive: the anchor that is least sure of the background.
      const mining = { negativeMiningRatio: 1, negativeMiningThresh: 0.75 }
      const mined = await run(
        '_contrib_MultiBoxTarget',
        [anchors, label, predictions],
        mining,
        context,
      )
      expect(mined[2]!.data.slice(0, 3)).toEqual([4, 0, -1])
      const low = await run(
        '_contrib_MultiBoxTarget',
        [anchors, label, predictions],
        { overlapThreshold: 0.25 },
        context,
      )
      expect(low[2]!.data.slice(0, 3)).toEqual([4, 4, 0])
      expectClose(
        { shape: [4], data: low[0]!.data.slice(4, 8) },
        { shape: [4], data: [0, 5, 0, Math.log(2) / 0.2] },
        near,
        'offsets',
      )
    },
    ...none,
  }),
  row({
    op: '_contrib_MultiBoxDetection',
    cases: [
      {
        inputs: [
          [1, 2, 1],
          [1, 4],
          [1, 1, 4],
        ],
      },
    ],
    statistics: async (context) => {
      const [dtype] = finest(context)
      const make = (shape: number[], data: number[]) => put({ shape, data }, dtype, context)
      const anchors = make([1, 3, 4], [0, 0, 1, 1, 0, 0, 1, 0.75, 0.5, 0.5, 0.75, 1])
      const probabilities = make([1, 3, 3], [0.1, 0.2, 1, 0.6, 0.8, 0, 0.3, 0, 0])
      const zeros = make([1, 12], new Array<number>(12).fill(0))
      const rows = async (attrs: object): Promise<number[]> => {
        const given = [probabilities, zeros, anchors]
        const [out] = await run('_contrib_MultiBoxDetection', given, attrs, context)
        return out!.data.map((v) => Math.round(v * 1e6) / 1e6)
      }
      expect(await rows({})).toEqual([
        0, 0.8, 0, 0, 1, 0.75, -1, 0.6, 0, 0, 1, 1, -1, -1, -1, -1, -1, -1,
      ])
      expect((await rows({ nmsThreshold: 0.9 }))[6]).toBe(0)
      expect((await rows({ threshold: 0.7 })).slice(6)).toEqual(new Array(12).fill(-1))
      expect((await rows({ nmsThreshold: 0.9, nmsTopk: 1 }))[6]).toBe(-1)
    },
    ...none,
  }),
]
