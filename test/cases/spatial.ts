/** Rows: attention, and feature maps in other sizes. */

import { type Arr, build, get, sum } from './model.ts'
import { type Row, row, signed } from './row.ts'

/** Projection k of count for head and sequence n·heads + head. */
const projected = (
  x: Arr,
  heads: number,
  count: number,
  k: number,
  i: number,
  t: number,
  d: number,
): number => {
  const size = x.shape[2]! / (heads * count)
  if (!Number.isInteger(size)) throw new Error('width')
  return get(x, [t, Math.floor(i / heads), ((i % heads) * count + k) * size + d])
}
function attentionScores(
  q: Arr,
  kv: Arr,
  heads: number,
  counts: readonly [number, number],
  ks: readonly [number, number],
): Arr {
  const d = q.shape[2]! / (heads * counts[0])
  return build(
    [q.shape[1]! * heads, q.shape[0]!, kv.shape[0]!],
    ([i, t, s]) =>
      sum(
        Array.from(
          { length: d },
          (_, c) =>
            projected(q, heads, counts[0], ks[0], i!, t!, c) *
            projected(kv, heads, counts[1], ks[1], i!, s!, c),
        ),
      ) / Math.sqrt(Math.max(d, 1)),
  )
}
function attentionValues(kv: Arr, attention: Arr, heads: number, count: number): Arr {
  const d = kv.shape[2]! / (heads * count)
  return build([attention.shape[1]!, kv.shape[1]!, heads * d], ([t, n, c]) => {
    const i = n! * heads + Math.floor(c! / d)
    return sum(
      Array.from(
        { length: kv.shape[0]! },
        (_, s) => get(attention, [i, t!, s]) * projected(kv, heads, count, count - 1, i, s, c! % d),
      ),
    )
  })
}

/** Where output o lies among n elements. */
const placed = (o: number, n: number, m: number, corners: boolean): number =>
  corners
    ? m > 1
      ? (o * (n - 1)) / (m - 1)
      : 0
    : Math.min(Math.max(((o + 0.5) * n) / m - 0.5, 0), n - 1)
/** Bilinear interpolation of a map at a place inside. */
function sampled(x: Arr, lead: readonly number[], y: number, z: number): number {
  const [h, w] = x.shape.slice(2) as [number, number]
  let total = 0
  for (let i = 0; i < h; i++)
    for (let j = 0; j < w; j++)
      total +=
        Math.max(0, 1 - Math.abs(y - i)) *
        Math.max(0, 1 - Math.abs(z - j)) *
        get(x, [...lead, i, j])
  return total
}
const isMap = (x: Arr): void => {
  if (x.shape.length !== 4 || x.shape[2] === 0 || x.shape[3] === 0) throw new Error('a map')
}

export const spatialRows: readonly Row[] = [
  row<{ heads: number }>({
    op: '_contrib_interleaved_matmul_selfatt_qk',
    domain: signed,
    cases: [
      { inputs: [[3, 2, 12]], attrs: { heads: 2 } },
      { inputs: [[4, 1, 9]], attrs: { heads: 1 } },
      { inputs: [[1, 2, 6]], attrs: { heads: 2 } },
    ],
    formula: ([x], { heads }) => attentionScores(x!, x!, heads, [3, 3], [0, 1]),
    halfUnits: 8,
  }),
  row<{ heads: number }>({
    op: '_contrib_interleaved_matmul_selfatt_valatt',
    domain: signed,
    cases: [
      {
        inputs: [
          [3, 2, 12],
          [4, 3, 3],
        ],
        attrs: { heads: 2 },
      },
      {
        inputs: [
          [4, 1, 9],
          [1, 4, 4],
        ],
        attrs: { heads: 1 },
      },
      {
        inputs: [
          [1, 2, 6],
          [4, 1, 1],
        ],
        attrs: { heads: 2 },
      },
    ],
    formula: ([x, a], { heads }) => attentionValues(x!, a!, heads, 3),
    halfUnits: 8,
  }),
  row<{ heads: number }>({
    op: '_contrib_interleaved_matmul_encdec_qk',
    domain: signed,
    cases: [
      {
        inputs: [
          [3, 2, 4],
          [4, 2, 8],
        ],
        attrs: { heads: 2 },
      },
      {
        inputs: [
          [5, 1, 4],
          [2, 1, 8],
        ],
        attrs: { heads: 1 },
      },
      {
        inputs: [
          [1, 2, 2],
          [3, 2, 4],
        ],
        attrs: { heads: 2 },
      },
    ],
    formula: ([q, kv], { heads }) => attentionScores(q!, kv!, heads, [1, 2], [0, 0]),
    halfUnits: 8,
  }),
  row<{ heads: number }>({
    op: '_contrib_interleaved_matmul_encdec_valatt',
    domain: signed,
    cases: [
      {
        inputs: [
          [4, 2, 8],
          [4, 3, 4],
        ],
        attrs: { heads: 2 },
      },
      {
        inputs: [
          [5, 1, 6],
          [1, 4, 5],
        ],
        attrs: { heads: 1 },
      },
      {
        inputs: [
          [2, 2, 4],
          [4, 1, 2],
        ],
        attrs: { heads: 2 },
      },
    ],
    formula: ([kv, a], { heads }) => attentionValues(kv!, a!, heads, 2),
    halfUnits: 8,
  }),
  row<{ outputSize?: number | number[] }>({
    op: '_contrib_AdaptiveAvgPooling2D',
    domain: signed,
    cases: [
      { inputs: [[1, 2, 5, 6]], attrs: { outputSize: [2, 3] } },
      { inputs: [[2, 1, 3, 4]] },
      { inputs: [[1, 1, 3, 2]], attrs: { outputSize: 4 } },
    ],
    formula: ([x], { outputSize = [] }) => {
      isMap(x!)
      const list = typeof outputSize === 'number' ? [outputSize] : outputSize
      const [oh, ow] = [list[0] ?? 1, list[1] ?? list[0] ?? 1]
      const [n, c, h, w] = x!.shape as [number, number, number, number]
      const range = (o: number, size: number, m: number): number[] => {
        const [low, high] = [Math.floor((o * size) / m), Math.ceil(((o + 1) * size) / m)]
        return Array.from({ length: high - low }, (_, i) => low + i)
      }
      return build([n, c, oh, ow], ([i, k, y, z]) => {
        const values = range(y!, h, oh).flatMap((a) =>
          range(z!, w, ow).map((b) => get(x!, [i!, k!, a, b])),
        )
        return sum(values) / values.length
      })
    },
    halfUnits: 8,
  }),
  row<{
    height?: number
    width?: number
    alignCorners?: boolean
    mode?: string
    scaleHeight?: number
    scaleWidth?: number
  }>({
    op: '_contrib_BilinearResize2D',
    domain: signed,
    cases: [
      { inputs: [[1, 2, 3, 4]], attrs: { height: 5, width: 7 } },
      { inputs: [[2, 1, 3, 4]], attrs: { height: 2, width: 6, alignCorners: false } },
      { inputs: [[1, 1, 2, 3], { shape: [1, 1, 4, 2], fixed: true }], attrs: { mode: 'like' } },
      { inputs: [[1, 1, 2, 3]], attrs: { mode: 'to_odd_up' } },
    ],
    formula: ([x, like], { height = 1, width = 1, alignCorners = true, mode = 'size' }) => {
      isMap(x!)
      const [n, c, h, w] = x!.shape as [number, number, number, number]
      const odd = (d: number): number => (d % 2 === 0 ? d + 1 : d)
      const [oh, ow] =
        mode === 'like'
          ? (like!.shape.slice(2) as [number, number])
          : mode === 'size'
            ? [height, width]
            : [odd(h), odd(w)]
      return build([n, c, oh, ow], ([i, k, y, z]) =>
        sampled(x!, [i!, k!], placed(y!, h, oh, alignCorners), placed(z!, w, ow, alignCorners)),
      )
    },
    halfUnits: 8,
  }),
  row<{
    pooledSize: number | number[]
    spatialScale: number
    sampleRatio?: number
    aligned?: boolean
    positionSensitive?: boolean
  }>({
    op: '_contrib_ROIAlign',
    domain: signed,
    cases: [
      {
        inputs: [
          [1, 2, 6, 6],
          { shape: [2, 5], values: [0, 0.25, 0.75, 4.25, 4.5, 0, 1, 0.5, 3, 5], fixed: true },
        ],
        attrs: { pooledSize: [2, 3], spatialScale: 1, sampleRatio: 2 },
      },
      {
        inputs: [
          [2, 1, 5, 5],
          { shape: [2, 5], values: [1, 0.5, 0.75, 3.75, 3, 0, 1, 1, 2, 2], fixed: true },
        ],
        attrs: { pooledSize: 2, spatialScale: 0.5, aligned: true, sampleRatio: 1 },
      },
      {
        inputs: [[1, 4, 4, 4], { shape: [1, 5], values: [0, 0.5, 0.25, 2.75, 3.5], fixed: true }],
        attrs: { pooledSize: 2, spatialScale: 1, positionSensitive: true },
      },
    ],
    formula: (
      [x, rois],
      { pooledSize, spatialScale, sampleRatio = -1, aligned, positionSensitive },
    ) => {
      isMap(x!)
      const [, c, h, w] = x!.shape as [number, number, number, number]
      if (rois!.shape.length !== 2 || rois!.shape[1] !== 5) throw new Error('regions')
      const list = typeof pooledSize === 'number' ? [pooledSize] : pooledSize
      const [ph, pw] = [list[0]!, list[1] ?? list[0]!]
      const channels = positionSensitive ? c / (ph * pw) : c
      if (!Number.isInteger(channels)) throw new Error('channels')
      return build([rois!.shape[0]!, channels, ph, pw], ([r, k, i, j]) => {
        const [b, ...edges] = [0, 1, 2, 3, 4].map((q) => get(rois!, [r!, q])) as number[]
        const [x1, y1, x2, y2] = edges.map((e) => e * spatialScale - (aligned ? 0.5 : 0)) as [
          number,
          number,
          number,
          number,
        ]
        const [rw, rh] = aligned ? [x2 - x1, y2 - y1] : [Math.max(x2 - x1, 1), Math.max(y2 - y1, 1)]
        const [sy, sx] =
          sampleRatio > 0 ? [sampleRatio, sampleRatio] : [Math.ceil(rh / ph), Math.ceil(rw / pw)]
        let total = 0
        for (let a = 0; a < sy; a++)
          for (let q = 0; q < sx; q++) {
            const y = y1 + ((i! + (a + 0.5) / sy) * rh) / ph
            const z = x1 + ((j! + (q + 0.5) / sx) * rw) / pw
            if (y < -1 || y > h || z < -1 || z > w) continue
            const clamp = (v: number, n: number): number => Math.min(Math.max(v, 0), n - 1)
            const channel = positionSensitive ? (k! * ph + i!) * pw + j! : k!
            total += sampled(x!, [b!, channel], clamp(y, h), clamp(z, w))
          }
        return total / Math.max(sy * sx, 1)
      })
    },
    halfUnits: 16,
  }),
]
