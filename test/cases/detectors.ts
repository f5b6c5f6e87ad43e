/** Rows: learned sampling places, regions of maps, proposals of regions, and processes of events. */

import { type Arr, build, get, sum } from './model.ts'
import { between, positive, type Row, row, signed, whole } from './row.ts'

/** A map at a place between its elements; outside of it lie zeros. */
function bordered(x: Arr, lead: readonly number[], y: number, z: number): number {
  const [h, w] = x.shape.slice(-2) as [number, number]
  let total = 0
  for (const p of [Math.floor(y), Math.floor(y) + 1])
    for (const q of [Math.floor(z), Math.floor(z) + 1])
      if (p >= 0 && q >= 0 && p < h && q < w)
        total += (1 - Math.abs(y - p)) * (1 - Math.abs(z - q)) * get(x, [...lead, p, q])
  return total
}
const clamp = (v: number, n: number): number => Math.min(Math.max(v, 0), n - 1)
/** The same with places moved to its edge. */
const edged = (x: Arr, lead: readonly number[], y: number, z: number): number =>
  bordered(x, lead, clamp(y, x.shape.at(-2)!), clamp(z, x.shape.at(-1)!))

interface Bent {
  kernel: number[]
  numFilter: number
  stride?: number[]
  dilate?: number[]
  pad?: number[]
  numGroup?: number
  numDeformableGroup?: number
  noBias?: boolean
}

function bent(
  x: Arr,
  offset: Arr,
  mask: Arr | null,
  weight: Arr,
  bias: Arr | null,
  attrs: Bent,
): Arr {
  const { kernel, stride = [1, 1], dilate = [1, 1], pad = [0, 0] } = attrs
  const { numGroup = 1, numDeformableGroup: parts = 1 } = attrs
  const [n, c, h, w] = x.shape as [number, number, number, number]
  const size = kernel.map(
    (k, i) =>
      Math.floor(((i === 0 ? h : w) + 2 * pad[i]! - dilate[i]! * (k - 1) - 1) / stride[i]!) + 1,
  )
  const taps = kernel[0]! * kernel[1]!
  const want = [n, 2 * parts * taps, ...size]
  if (x.shape.length !== 4 || offset.shape.join() !== want.join()) throw new Error('offsets')
  const per = c / numGroup
  return build([n, attrs.numFilter, ...size], ([b, f, i, j]) => {
    const group = Math.floor((f! * numGroup) / attrs.numFilter)
    let total = bias === null ? 0 : bias.data[f!]!
    for (let k = 0; k < per; k++) {
      const channel = group * per + k
      const part = Math.floor((channel * parts) / c)
      for (let t = 0; t < taps; t++) {
        const [p, q] = [Math.floor(t / kernel[1]!), t % kernel[1]!]
        const y =
          i! * stride[0]! -
          pad[0]! +
          p * dilate[0]! +
          get(offset, [b!, 2 * (part * taps + t), i!, j!])
        const z =
          j! * stride[1]! -
          pad[1]! +
          q * dilate[1]! +
          get(offset, [b!, 2 * (part * taps + t) + 1, i!, j!])
        const weighed = get(weight, [f!, k, p, q])
        if (mask !== null) {
          if (y > -1 && z > -1 && y < h && z < w)
            total +=
              weighed * get(mask, [b!, part * taps + t, i!, j!]) * bordered(x, [b!, channel], y, z)
        } else if (y >= 0 && z >= 0 && y < h && z < w)
          total += weighed * edged(x, [b!, channel], y, z)
      }
    }
    return total
  })
}

/** Offsets that keep away from elements, so that differences do not cross one. */
const offsets = (shape: readonly number[]) => ({
  shape,
  from: (u: number): number => Math.floor(u * 3) - 1 + 0.2 + 0.6 * ((u * 3) % 1),
})
const round = (v: number): number => Math.sign(v) * Math.floor(Math.abs(v) + 0.5)
const regions = (values: readonly number[], width: number) => ({
  shape: [values.length / width, width],
  values,
  fixed: true,
})
const isMap = (x: Arr, rois: Arr, width: number): void => {
  if (x.shape.length !== 4 || rois.shape[1] !== width) throw new Error('a map and regions')
}

interface Sensitive {
  spatialScale: number
  outputDim: number
  pooledSize: number
  groupSize?: number
}
interface Shifted extends Sensitive {
  partSize?: number
  samplePerPart?: number
  transStd?: number
  noTrans?: boolean
}
/** The channel that a bin reads. */
const channelOf = (k: number, i: number, j: number, bins: number, group: number): number =>
  (k * group + Math.floor((i * group) / bins)) * group + Math.floor((j * group) / bins)

function shifted(x: Arr, rois: Arr, trans: Arr | null, attrs: Shifted): Arr {
  const { spatialScale, outputDim, pooledSize: bins, groupSize: group = bins } = attrs
  const { partSize = 0, samplePerPart: per = 1, transStd = 0 } = attrs
  isMap(x, rois, 5)
  const [h, w] = x.shape.slice(2) as [number, number]
  const parts = partSize === 0 ? bins : partSize
  const classes = trans === null ? 1 : trans.shape[1]! / 2
  return build([rois.shape[0]!, outputDim, bins, bins], ([r, k, i, j]) => {
    const at = (q: number): number => get(rois, [r!, q])
    const start = [1, 2].map((q) => round(at(q)) * spatialScale - 0.5)
    const size = [1, 2].map((q, a) =>
      Math.max((round(at(q + 2)) + 1) * spatialScale - 0.5 - start[a]!, 0.1),
    )
    const kind = Math.floor((k! * classes) / outputDim)
    const part = [i!, j!].map((v) => Math.floor((v * parts) / bins))
    const move = [0, 1].map((a) =>
      trans === null ? 0 : get(trans, [r!, 2 * kind + a, ...part]) * transStd * size[a]!,
    )
    const values: number[] = []
    for (let a = 0; a < per; a++)
      for (let b = 0; b < per; b++) {
        const y = start[1]! + move[1]! + (size[1]! / bins) * (i! + a / per)
        const z = start[0]! + move[0]! + (size[0]! / bins) * (j! + b / per)
        if (z < -0.5 || z > w - 0.5 || y < -0.5 || y > h - 0.5) continue
        values.push(edged(x, [at(0), channelOf(k!, i!, j!, bins, group)], y, z))
      }
    return values.length === 0 ? 0 : sum(values) / values.length
  })
}

interface Anchored {
  scales: number[]
  ratios: number[]
  rpnPreNmsTopN?: number
  rpnPostNmsTopN: number
  threshold?: number
  rpnMinSize?: number
  featureStride?: number
  iouLoss?: boolean
}
type Box = [x1: number, y1: number, x2: number, y2: number, score: number]

function proposals(prob: Arr, pred: Arr, info: Arr, attrs: Anchored): Arr[] {
  const { scales, ratios, rpnPreNmsTopN = 6000, rpnPostNmsTopN: post, threshold = 0.7 } = attrs
  const { rpnMinSize = 16, featureStride: stride = 16, iouLoss = false } = attrs
  const anchors = ratios.flatMap((ratio) =>
    scales.map((scale) => {
      const width = Math.floor(Math.sqrt(Math.floor(stride ** 2 / ratio)) + 0.5)
      const height = Math.floor(width * ratio + 0.5)
      return [width * scale, height * scale] as const
    }),
  )
  const [n, , h, w] = prob.shape as [number, number, number, number]
  if (prob.data.length === 0 || info.shape[1] !== 3) throw new Error('an image')
  const rows: number[] = []
  const scores: number[] = []
  for (let b = 0; b < n; b++) {
    const [ih, iw, scale] = [0, 1, 2].map((k) => get(info, [b, k])) as [number, number, number]
    const boxes: Box[] = []
    for (let y = 0; y < h; y++)
      for (let x = 0; x < w; x++)
        anchors.forEach(([aw, ah], a) => {
          const d = [0, 1, 2, 3].map((k) => get(pred, [b, 4 * a + k, y, x])) as [
            number,
            number,
            number,
            number,
          ]
          const [cx, cy] = [(stride - 1) / 2 + x * stride, (stride - 1) / 2 + y * stride]
          const side = (c: number, size: number, s: number, shift: number, grow: number): number =>
            iouLoss
              ? c + (s * (size - 1)) / 2 + (s < 0 ? shift : grow)
              : shift * size + c + (s * (Math.exp(grow) * size - 1)) / 2
          const box: Box = [
            clamp(side(cx, aw, -1, d[0], d[2]), iw),
            clamp(side(cy, ah, -1, d[1], d[3]), ih),
            clamp(side(cx, aw, 1, d[0], d[2]), iw),
            clamp(side(cy, ah, 1, d[1], d[3]), ih),
            get(prob, [b, anchors.length + a, y, x]),
          ]
          if (y >= Math.trunc(ih / stride) || x >= Math.trunc(iw / stride)) box[4] = -1
          const least = rpnMinSize * scale
          if (box[2] - box[0] + 1 < least || box[3] - box[1] + 1 < least) {
            ;[-1, -1, 1, 1].forEach((s, k) => {
              box[k]! += (s * least) / 2
            })
            box[4] = -1
          }
          boxes.push(box)
        })
    boxes.sort((p, q) => q[4] - p[4])
    const area = (p: Box): number => (p[2] - p[0] + 1) * (p[3] - p[1] + 1)
    const kept: Box[] = []
    for (const box of boxes.slice(0, rpnPreNmsTopN)) {
      const hit = kept.some((k) => {
        const iw2 = Math.max(0, Math.min(k[2], box[2]) - Math.max(k[0], box[0]) + 1)
        const ih2 = Math.max(0, Math.min(k[3], box[3]) - Math.max(k[1], box[1]) + 1)
        return (iw2 * ih2) / (area(k) + area(box) - iw2 * ih2) > threshold
      })
      if (!hit) kept.push(box)
    }
    const best = kept.slice(0, Math.min(post, rpnPreNmsTopN))
    for (let i = 0; i < post; i++) {
      const box = best[i % best.length]!
      rows.push(b, ...box.slice(0, 4))
      scores.push(box[4])
    }
  }
  return [
    { shape: [n * post, 5], data: rows },
    { shape: [n * post, 1], data: scores },
  ]
}

/** The log-likelihood as the recursion over events states it. */
function hawkes(xs: readonly Arr[]): Arr[] {
  const [lda, alpha, beta, state, lags, marks, valid, end] = xs as readonly [
    Arr,
    Arr,
    Arr,
    Arr,
    Arr,
    Arr,
    Arr,
    Arr,
  ]
  const [n, k] = lda.shape as [number, number]
  if (lda.shape.length !== 2 || lags.shape.length !== 2) throw new Error('matrices')
  const likelihood: number[] = []
  const next: number[] = []
  for (let b = 0; b < n; b++) {
    const s = Array.from({ length: k }, (_, c) => get(state, [b, c]))
    const last = new Array<number>(k).fill(0)
    let [t, total] = [0, 0]
    const pass = (c: number, until: number): void => {
      const left = Math.exp(-beta.data[c]! * (until - last[c]!))
      total -= get(lda, [b, c]) * (until - last[c]!) + alpha.data[c]! * s[c]! * (1 - left)
      s[c]! *= left
      last[c] = until
    }
    for (let j = 0; j < Math.min(valid.data[b]!, lags.shape[1]!); j++) {
      t += get(lags, [b, j])
      const c = Math.min(Math.max(get(marks, [b, j]), 0), k - 1)
      pass(c, t)
      total += Math.log(get(lda, [b, c]) + alpha.data[c]! * beta.data[c]! * s[c]!)
      s[c]! += 1
    }
    for (let c = 0; c < k; c++) pass(c, end.data[b]!)
    likelihood.push(total)
    next.push(...s)
  }
  return [
    { shape: [n], data: likelihood },
    { shape: [n, k], data: next },
  ]
}

const noGradient = { order: 0, why: 'it has no gradient' } as const
const unique = (n: number) => ({ shape: [1, n, 2, 2] })

export const detectorRows: readonly Row[] = [
  row<Bent>({
    op: '_contrib_DeformableConvolution',
    domain: signed,
    cases: [
      {
        inputs: [[1, 2, 4, 4], offsets([1, 8, 3, 3]), [3, 2, 2, 2], [3]],
        attrs: { kernel: [2, 2], numFilter: 3 },
      },
      {
        inputs: [[2, 4, 5, 4], offsets([2, 36, 3, 2]), [4, 2, 3, 3]],
        attrs: {
          kernel: [3, 3],
          numFilter: 4,
          stride: [2, 2],
          pad: [1, 1],
          numGroup: 2,
          numDeformableGroup: 2,
          noBias: true,
        },
      },
      {
        inputs: [[1, 1, 5, 5], offsets([1, 8, 3, 3]), [2, 1, 2, 2], [2]],
        attrs: { kernel: [2, 2], numFilter: 2, dilate: [2, 2] },
      },
    ],
    formula: ([x, offset, weight, bias], attrs) =>
      bent(x!, offset!, null, weight!, bias ?? null, attrs),
    halfUnits: 64,
    tol32: 5e-5,
  }),
  row<Bent>({
    op: '_contrib_ModulatedDeformableConvolution',
    domain: signed,
    cases: [
      {
        inputs: [[1, 2, 4, 4], offsets([1, 8, 3, 3]), [1, 4, 3, 3], [3, 2, 2, 2], [3]],
        attrs: { kernel: [2, 2], numFilter: 3 },
      },
      {
        inputs: [[2, 4, 5, 4], offsets([2, 36, 3, 2]), [2, 18, 3, 2], [4, 2, 3, 3]],
        attrs: {
          kernel: [3, 3],
          numFilter: 4,
          stride: [2, 2],
          pad: [1, 1],
          numGroup: 2,
          numDeformableGroup: 2,
          noBias: true,
        },
      },
      {
        inputs: [[1, 1, 5, 5], offsets([1, 8, 3, 3]), [1, 4, 3, 3], [2, 1, 2, 2], [2]],
        attrs: { kernel: [2, 2], numFilter: 2, dilate: [2, 2] },
      },
    ],
    formula: ([x, offset, mask, weight, bias], attrs) =>
      bent(x!, offset!, mask!, weight!, bias ?? null, attrs),
    halfUnits: 64,
    tol32: 5e-5,
  }),
  row<Shifted>({
    op: '_contrib_DeformablePSROIPooling',
    domain: signed,
    cases: [
      {
        inputs: [
          [1, 8, 6, 6],
          regions([0, 1, 1, 4, 4], 5),
          { shape: [1, 2, 2, 2], from: between(0.1, 0.9) },
        ],
        attrs: {
          spatialScale: 1,
          outputDim: 2,
          groupSize: 2,
          pooledSize: 2,
          transStd: 0.1,
          partSize: 2,
          samplePerPart: 2,
        },
      },
      {
        inputs: [
          [2, 4, 5, 4],
          regions([1, 0, 1, 3, 6, 0, 2, 2, 5, 5], 5),
          { shape: [2, 8, 3, 3], from: between(-0.9, -0.1) },
        ],
        attrs: {
          spatialScale: 0.625,
          outputDim: 4,
          groupSize: 1,
          pooledSize: 3,
          transStd: 0.2,
          samplePerPart: 1,
        },
      },
      {
        inputs: [[1, 8, 5, 5], regions([0, 0.6, 1.2, 3.7, 4.4, 0, -9, -9, -7, -7], 5)],
        attrs: {
          spatialScale: 0.75,
          outputDim: 2,
          groupSize: 2,
          pooledSize: 3,
          samplePerPart: 3,
          noTrans: true,
        },
      },
    ],
    formula: ([x, rois, trans], attrs) => shifted(x!, rois!, trans ?? null, attrs),
    halfUnits: 64,
    tol32: 5e-5,
  }),
  row<Sensitive>({
    op: '_contrib_PSROIPooling',
    domain: signed,
    cases: [
      {
        inputs: [[1, 8, 6, 6], regions([0, 1, 1, 4, 4, 0, 0, 2, 5, 5], 5)],
        attrs: { spatialScale: 1, outputDim: 2, pooledSize: 2, groupSize: 2 },
      },
      {
        inputs: [[2, 4, 5, 4], regions([1, 0.25, 1.5, 6.75, 5.5], 5)],
        attrs: { spatialScale: 0.5, outputDim: 1, pooledSize: 4, groupSize: 2 },
      },
      {
        inputs: [[1, 9, 4, 4], regions([0, -8, -8, -6, -6, 0, 2, 1, 9, 9], 5)],
        attrs: { spatialScale: 1, outputDim: 1, pooledSize: 3 },
      },
    ],
    formula: ([x, rois], { spatialScale, outputDim, pooledSize: bins, groupSize = 0 }) => {
      isMap(x!, rois!, 5)
      const [h, w] = x!.shape.slice(2) as [number, number]
      const group = groupSize === 0 ? bins : groupSize
      return build([rois!.shape[0]!, outputDim, bins, bins], ([r, k, i, j]) => {
        const at = (q: number): number => get(rois!, [r!, q])
        const cut = (q: number, b: number, limit: number): number[] => {
          const start = round(at(q)) * spatialScale
          const size = Math.max((round(at(q + 2)) + 1) * spatialScale - start, 0.1) / bins
          const low = Math.min(Math.max(Math.floor(b * size + start), 0), limit)
          const high = Math.min(Math.max(Math.ceil((b + 1) * size + start), 0), limit)
          return Array.from({ length: Math.max(high - low, 0) }, (_, p) => low + p)
        }
        const values = cut(2, i!, h).flatMap((y) =>
          cut(1, j!, w).map((z) => get(x!, [at(0), channelOf(k!, i!, j!, bins, group), y, z])),
        )
        return values.length === 0 ? 0 : sum(values) / values.length
      })
    },
    halfUnits: 16,
  }),
  row<{ pooledSize: number[]; spatialScale: number; samplingRatio?: number }>({
    op: '_contrib_RROIAlign',
    domain: signed,
    cases: [
      {
        inputs: [[1, 2, 6, 6], regions([0, 3, 3, 3.5, 2.25, 30, 0, 2.5, 2, 2, 4, -75], 6)],
        attrs: { pooledSize: [2, 3], spatialScale: 1 },
      },
      {
        inputs: [[2, 1, 5, 5], regions([1, 5, 4, 6, 0.25, 130], 6)],
        attrs: { pooledSize: [2, 2], spatialScale: 0.5, samplingRatio: 3 },
      },
      {
        inputs: [[1, 1, 4, 4], regions([0, 0.25, 0.5, 5, 5, 45], 6)],
        attrs: { pooledSize: [3, 3], spatialScale: 1, samplingRatio: 1 },
      },
    ],
    formula: ([x, rois], { pooledSize, spatialScale, samplingRatio = -1 }) => {
      isMap(x!, rois!, 6)
      const [h, w] = x!.shape.slice(2) as [number, number]
      const [ph, pw] = pooledSize as [number, number]
      return build([rois!.shape[0]!, x!.shape[1]!, ph, pw], ([r, k, i, j]) => {
        const at = (q: number): number => get(rois!, [r!, q])
        const [cx, cy, rw0, rh0] = [1, 2, 3, 4].map((q) => at(q) * spatialScale) as [
          number,
          number,
          number,
          number,
        ]
        const [rw, rh] = [Math.max(rw0, 1), Math.max(rh0, 1)]
        const turn = (at(5) * Math.PI) / 180
        const [ny, nx] =
          samplingRatio > 0
            ? [samplingRatio, samplingRatio]
            : [Math.ceil(rh / ph), Math.ceil(rw / pw)]
        let total = 0
        for (let a = 0; a < ny; a++)
          for (let b = 0; b < nx; b++) {
            const v = -rh / 2 + ((i! + (a + 0.5) / ny) * rh) / ph
            const u = -rw / 2 + ((j! + (b + 0.5) / nx) * rw) / pw
            const z = u * Math.cos(turn) + v * Math.sin(turn) + cx
            const y = v * Math.cos(turn) - u * Math.sin(turn) + cy
            if (y >= -1 && y <= h && z >= -1 && z <= w) total += edged(x!, [at(0), k!], y, z)
          }
        return total / (ny * nx)
      })
    },
    halfUnits: 64,
    tol32: 5e-5,
  }),
  ...(['_contrib_Proposal', '_contrib_MultiProposal'] as const).map((op) =>
    row<Anchored>({
      op,
      domain: between(-0.4, 0.4),
      cases: [
        {
          inputs: [[1, 4, 3, 3], [1, 8, 3, 3], { shape: [1, 3], values: [48, 48, 1] }],
          attrs: {
            scales: [4],
            ratios: [0.5, 1],
            rpnPreNmsTopN: 12,
            rpnPostNmsTopN: 5,
            rpnMinSize: 4,
          },
        },
        {
          inputs: [[1, 2, 2, 3], [1, 4, 2, 3], { shape: [1, 3], values: [20, 48, 0.5] }],
          attrs: { scales: [1], ratios: [2], rpnPostNmsTopN: 9, threshold: 0.3, iouLoss: true },
        },
        {
          inputs: [unique(6), unique(12), { shape: [1, 3], values: [32, 30, 1] }],
          attrs: { scales: [2, 1.5, 1], ratios: [1], rpnPostNmsTopN: 4, featureStride: 8 },
        },
      ],
      formula: ([prob, pred, info], attrs) => proposals(prob!, pred!, info!, attrs),
      halfUnits: 64,
      tol32: 5e-5,
      ...noGradient,
    }),
  ),
  row({
    op: '_contrib_hawkesll',
    domain: positive,
    cases: [
      [1, 3, 5],
      [2, 2, 3],
      [3, 1, 1],
    ].map(([n, k, t], at) => ({
      inputs: [
        ...[[n!, k!], [k!], [k!], [n!, k!]],
        { shape: [n!, t!], fixed: true, from: between(0.1, 0.5) },
        { shape: [n!, t!], fixed: true, from: whole(0, k! - 1), dtype: 'int32' as const },
        {
          shape: [n!],
          fixed: true,
          values: Array.from({ length: n! }, (_, i) => t! - ((i + at) % 2)),
        },
        { shape: [n!], fixed: true, from: between(2.5, 4) },
      ],
    })),
    formula: hawkes,
    tol32: 5e-5,
    halfUnits: 128,
  }),
]
