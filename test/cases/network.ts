/** Rows: leaky activations, output layers, and spatial operators. */

import { type Arr, build, get, map, points, reshaped, sizeOf, sum, zip } from './model.ts'
import { between, type Row, row, signed, whole } from './row.ts'

interface Leaky {
  actType?: 'rrelu' | 'leaky' | 'prelu' | 'elu' | 'selu' | 'gelu'
  slope?: number
  lowerBound?: number
  upperBound?: number
}

/** The error function by its series, which converges everywhere near 0. */
function erf(x: number): number {
  let [term, total] = [x, x]
  for (let n = 1; Math.abs(term) > 1e-17; n++) {
    term *= (-x * x) / n
    total += term / (2 * n + 1)
  }
  return (2 / Math.sqrt(Math.PI)) * total
}

function leaky([x, gamma]: readonly Arr[], attrs: Leaky): Arr {
  const { actType = 'leaky', slope = 0.25, lowerBound = 0.125, upperBound = 0.334 } = attrs
  return build(x!.shape, (at) => {
    const v = get(x!, at)
    if (actType === 'gelu') return 0.5 * v * (1 + erf(v / Math.SQRT2))
    const scale = actType === 'selu' ? 1.0507009873554805 : 1
    if (v > 0) return scale * v
    if (actType === 'leaky') return slope * v
    if (actType === 'rrelu') return ((lowerBound + upperBound) / 2) * v
    if (actType === 'prelu') return get(gamma!, [gamma!.data.length === 1 ? 0 : at[1]!]) * v
    const alpha = actType === 'selu' ? 1.6732632423543772 : slope
    return scale * alpha * (Math.exp(v) - 1)
  })
}

/** Softmax of lines along axis 1 of (samples, classes, places). */
function softmaxLines(x: Arr): Arr {
  const e = map(x, Math.exp)
  const [, classes] = x.shape as [number, number, number]
  return build(x.shape, ([n, c, p]) => {
    const line = Array.from({ length: classes }, (_, k) => get(e, [n!, k, p!]))
    return get(e, [n!, c!, p!]) / sum(line)
  })
}

const head = 'the gradient is that of a loss and not of the result'

interface SoftmaxAttrs {
  multiOutput?: boolean
  preserveShape?: boolean
}

function softmaxOutput([x]: readonly Arr[], { multiOutput, preserveShape }: SoftmaxAttrs): Arr {
  const { shape } = x!
  const lines = multiOutput
    ? [shape[0]!, shape[1]!, sizeOf(shape.slice(2))]
    : preserveShape
      ? [sizeOf(shape.slice(0, -1)), shape.at(-1)!, 1]
      : [shape[0]!, sizeOf(shape.slice(1)), 1]
  return reshaped(softmaxLines(reshaped(x!, lines)), shape)
}

const regressionCases = [
  {
    inputs: [
      [3, 4],
      [3, 4],
    ],
  },
  { inputs: [[3, 1], [3]], attrs: { gradScale: 2 } },
  {
    inputs: [
      [2, 3, 2],
      [2, 3, 2],
    ],
  },
]

/** Bilinear interpolation of one image at a place in pixels. */
function interpolate(x: Arr, n: number, c: number, px: number, py: number): number {
  const [, , h, w] = x.shape as [number, number, number, number]
  let total = 0
  for (let i = 0; i < h; i++) {
    for (let j = 0; j < w; j++) {
      const weight = Math.max(0, 1 - Math.abs(px - j)) * Math.max(0, 1 - Math.abs(py - i))
      total += weight * get(x, [n, c, i, j])
    }
  }
  return total
}

const unitAt = (i: number, size: number): number => -1 + (2 * i) / (size - 1)

function affine(theta: Arr, [h, w]: readonly number[]): Arr {
  return build([theta.shape[0]!, 2, h!, w!], ([n, k, i, j]) => {
    const t = (m: number): number => get(theta, [n!, 3 * k! + m])
    return t(0) * unitAt(j!, w!) + t(1) * unitAt(i!, h!) + t(2)
  })
}

function sampled(x: Arr, grid: Arr): Arr {
  const [n, c, h, w] = x.shape as [number, number, number, number]
  return build([n, c, grid.shape[2]!, grid.shape[3]!], ([b, k, i, j]) => {
    const place = (axis: number, size: number): number =>
      ((get(grid, [b!, axis, i!, j!]) + 1) * (size - 1)) / 2
    return interpolate(x, b!, k!, place(0, w), place(1, h))
  })
}

interface Correlation {
  kernelSize?: number
  maxDisplacement?: number
  stride1?: number
  stride2?: number
  padSize?: number
  isMultiply?: boolean
}

function correlation([a, b]: readonly Arr[], attrs: Correlation): Arr {
  const { kernelSize = 1, maxDisplacement = 1, stride1 = 1, stride2 = 1, padSize = 0 } = attrs
  const { isMultiply = true } = attrs
  const [n, c, h, w] = a!.shape as [number, number, number, number]
  const at = (x: Arr, batch: number, k: number, i: number, j: number): number => {
    const [y, z] = [i - padSize, j - padSize]
    return y < 0 || z < 0 || y >= h || z >= w ? 0 : get(x, [batch, k, y, z])
  }
  const border = maxDisplacement + (kernelSize - 1) / 2
  const size = [h, w].map((d) => Math.ceil((d + 2 * padSize - 2 * border) / stride1))
  const radius = Math.floor(maxDisplacement / stride2)
  const side = 2 * radius + 1
  return build([n, side * side, ...size], ([batch, d, i, j]) => {
    const [dy, dx] = [(Math.floor(d! / side) - radius) * stride2, ((d! % side) - radius) * stride2]
    const values: number[] = []
    for (const [k, p, q] of points([c, kernelSize, kernelSize])) {
      const [y, z] = [i! * stride1 + maxDisplacement + p!, j! * stride1 + maxDisplacement + q!]
      const [u, v] = [at(a!, batch!, k!, y, z), at(b!, batch!, k!, y + dy, z + dx)]
      values.push(isMultiply ? u * v : Math.abs(u - v))
    }
    return sum(values) / values.length
  })
}

const labels = (shape: readonly number[], classes: number) => ({
  shape,
  from: whole(0, classes - 1),
  fixed: true,
})

const boxes = (...values: number[]) => ({
  shape: [values.length / 5, 5],
  values,
  fixed: true,
})

export const networkRows: readonly Row[] = [
  row<Leaky>({
    op: 'LeakyReLU',
    domain: signed,
    cases: [
      { inputs: [[2, 3, 4]] },
      { inputs: [[2, 3, 4], [3]], attrs: { actType: 'prelu' } },
      { inputs: [[2, 3], [1]], attrs: { actType: 'prelu' } },
      { inputs: [[5]], attrs: { actType: 'elu', slope: 0.7 } },
      { inputs: [[3, 4]], attrs: { actType: 'selu' } },
      { inputs: [[3, 4]], attrs: { actType: 'gelu' } },
      { inputs: [[3, 4]], attrs: { actType: 'rrelu', lowerBound: 0.1, upperBound: 0.3 } },
    ],
    formula: leaky,
  }),
  row<{ mode?: 'instance' | 'channel' }>({
    op: 'SoftmaxActivation',
    domain: signed,
    cases: [
      { inputs: [[3, 4]] },
      { inputs: [[2, 3, 2]] },
      { inputs: [[2, 3, 2, 2]], attrs: { mode: 'channel' } },
    ],
    formula: ([x], { mode = 'instance' }) =>
      softmaxOutput([x!], { multiOutput: mode === 'channel', preserveShape: true }),
  }),
  row<SoftmaxAttrs>({
    op: 'SoftmaxOutput',
    domain: signed,
    order: 0,
    why: head,
    cases: [
      { inputs: [[3, 4], labels([3], 4)] },
      { inputs: [[2, 3, 4], labels([2, 4], 3)], attrs: { multiOutput: true } },
      { inputs: [[2, 3, 4], labels([2, 3], 4)], attrs: { preserveShape: true } },
    ],
    formula: softmaxOutput,
  }),
  row({
    op: 'LinearRegressionOutput',
    domain: signed,
    order: 0,
    why: head,
    cases: regressionCases,
    formula: ([x]) => x!,
  }),
  row({
    op: 'LogisticRegressionOutput',
    domain: signed,
    order: 0,
    why: head,
    cases: regressionCases,
    formula: ([x]) => map(x!, (v) => 1 / (1 + Math.exp(-v))),
  }),
  row({
    op: 'MAERegressionOutput',
    domain: signed,
    order: 0,
    why: head,
    cases: regressionCases,
    formula: ([x]) => x!,
  }),
  row({
    op: 'SVMOutput',
    domain: signed,
    order: 0,
    why: head,
    cases: [
      { inputs: [[3, 4], labels([3], 4)] },
      { inputs: [[4, 3], labels([4], 3)], attrs: { margin: 0.5, useLinear: true } },
      { inputs: [[1, 2], labels([1], 2)], attrs: { regularizationCoefficient: 2 } },
    ],
    formula: ([x]) => x!,
  }),
  row<{ scale: number; sampleType: string; multiInputMode?: string }>({
    op: 'UpSampling',
    domain: signed,
    cases: [
      { inputs: [[1, 2, 2, 3]], attrs: { scale: 2, sampleType: 'nearest' } },
      {
        inputs: [
          [1, 2, 4, 4],
          [1, 1, 2, 2],
        ],
        attrs: { scale: 1, sampleType: 'nearest' },
      },
      {
        inputs: [
          [1, 2, 2, 2],
          [1, 2, 1, 1],
        ],
        attrs: { scale: 3, sampleType: 'nearest', multiInputMode: 'sum' },
      },
      {
        inputs: [
          [1, 2, 2, 3],
          [2, 1, 4, 4],
        ],
        attrs: { scale: 2, sampleType: 'bilinear' },
      },
    ],
    formula: (xs, { scale, sampleType, multiInputMode = 'concat' }) => {
      const [n, c, h, w] = xs[0]!.shape as [number, number, number, number]
      const [height, width] = [h * scale, w * scale]
      if (sampleType === 'bilinear') {
        const [x, weight] = xs as readonly [Arr, Arr]
        const pad = Math.ceil((scale - 1) / 2)
        return build([n, c, height, width], ([b, k, i, j]) => {
          let total = 0
          for (const [p, q] of points([h, w])) {
            const at = [i! + pad - p! * scale, j! + pad - q! * scale]
            if (at.some((v, d) => v < 0 || v >= weight.shape[2 + d]!)) continue
            total += get(x, [b!, k!, p!, q!]) * get(weight, [k!, 0, at[0]!, at[1]!])
          }
          return total
        })
      }
      const large = xs.map((x) =>
        build([n, x.shape[1]!, height, width], ([b, k, i, j]) => {
          const f = height / x.shape[2]!
          return get(x, [b!, k!, Math.floor(i! / f), Math.floor(j! / f)])
        }),
      )
      if (multiInputMode === 'sum') return large.reduce((a, b) => zip(a, b, (p, q) => p + q))
      const channels = sum(large.map((x) => x.shape[1]!))
      return build([n, channels, height, width], ([b, k, i, j]) => {
        let rest = k!
        for (const x of large) {
          if (rest < x.shape[1]!) return get(x, [b!, rest, i!, j!])
          rest -= x.shape[1]!
        }
        return Number.NaN
      })
    },
  }),
  row<{ transformType: string; targetShape?: readonly number[] }>({
    op: 'GridGenerator',
    domain: signed,
    cases: [
      { inputs: [[2, 6]], attrs: { transformType: 'affine', targetShape: [2, 3] } },
      { inputs: [[1, 6]], attrs: { transformType: 'affine', targetShape: [4, 2] } },
      { inputs: [[1, 2, 3, 4]], attrs: { transformType: 'warp' } },
    ],
    formula: ([x], { transformType, targetShape }) =>
      transformType === 'affine'
        ? affine(x!, targetShape!)
        : build(x!.shape, ([n, k, i, j]) => {
            const size = x!.shape[k === 0 ? 3 : 2]!
            return (get(x!, [n!, k!, i!, j!]) + (k === 0 ? j! : i!)) / ((size - 1) / 2) - 1
          }),
  }),
  row({
    op: 'BilinearSampler',
    domain: signed,
    cases: [
      { inputs: [[2, 2, 3, 4], { shape: [2, 2, 2, 3], from: between(-0.93, 0.97) }] },
      { inputs: [[1, 1, 4, 4], { shape: [1, 2, 1, 5], from: between(-1.6, 1.9) }] },
      { inputs: [[1, 3, 2, 5], { shape: [1, 2, 3, 1], from: between(-0.9, 0.8) }] },
    ],
    formula: ([x, grid]) => sampled(x!, grid!),
  }),
  row<{ targetShape?: readonly number[]; transformType: string; samplerType: string }>({
    op: 'SpatialTransformer',
    domain: signed,
    cases: [
      {
        inputs: [[1, 2, 4, 5], { shape: [1, 6], from: between(-0.4, 0.5) }],
        attrs: { targetShape: [3, 3], transformType: 'affine', samplerType: 'bilinear' },
      },
      {
        inputs: [[2, 1, 3, 3], { shape: [2, 6], from: between(-0.8, 0.9) }],
        attrs: { transformType: 'affine', samplerType: 'bilinear' },
      },
      {
        inputs: [[1, 1, 5, 4], { shape: [1, 6], from: between(-1.2, 1) }],
        attrs: { targetShape: [4, 2], transformType: 'affine', samplerType: 'bilinear' },
      },
    ],
    formula: ([x, loc], { targetShape }) =>
      sampled(x!, affine(loc!, targetShape ?? x!.shape.slice(2))),
  }),
  row<Correlation>({
    op: 'Correlation',
    domain: signed,
    cases: [
      {
        inputs: [
          [1, 2, 4, 4],
          [1, 2, 4, 4],
        ],
        attrs: { padSize: 1 },
      },
      {
        inputs: [
          [2, 1, 5, 6],
          [2, 1, 5, 6],
        ],
        attrs: { padSize: 2, maxDisplacement: 2, stride1: 2, stride2: 2, isMultiply: false },
      },
      {
        inputs: [
          [1, 2, 6, 6],
          [1, 2, 6, 6],
        ],
        attrs: { kernelSize: 3, padSize: 1 },
      },
    ],
    formula: correlation,
  }),
  row<{ pooledSize: readonly [number, number]; spatialScale: number }>({
    op: 'ROIPooling',
    domain: signed,
    cases: [
      {
        inputs: [[1, 2, 4, 4], boxes(0, 0, 0, 3, 3)],
        attrs: { pooledSize: [2, 2], spatialScale: 1 },
      },
      {
        inputs: [[2, 1, 5, 6], boxes(1, 2, 0, 9, 7, 0, 0, 3, 8, 8)],
        attrs: { pooledSize: [2, 3], spatialScale: 0.5 },
      },
      {
        inputs: [[1, 1, 4, 4], boxes(0, 2, 2, 9, 9, 0, 3, 3, 1, 1, 0, 8, 8, 9, 9)],
        attrs: { pooledSize: [2, 2], spatialScale: 1 },
      },
    ],
    formula: ([x, rois], { pooledSize, spatialScale }) => {
      const [, c, h, w] = x!.shape as [number, number, number, number]
      return build([rois!.shape[0]!, c, ...pooledSize], ([r, k, i, j]) => {
        const corner = (m: number): number => Math.round(get(rois!, [r!, m]) * spatialScale)
        const range = (n: number, of: number, low: number, high: number, limit: number) => {
          const step = Math.max(high - low + 1, 1) / of
          const [from, to] = [low + Math.floor(n * step), low + Math.ceil((n + 1) * step)]
          return Array.from({ length: Math.max(0, to - from) }, (_, m) => from + m).filter(
            (v) => v >= 0 && v < limit,
          )
        }
        const rows = range(i!, pooledSize[0], corner(2), corner(4), h)
        const columns = range(j!, pooledSize[1], corner(1), corner(3), w)
        const image = get(rois!, [r!, 0])
        const values = rows.flatMap((y) => columns.map((z) => get(x!, [image, k!, y, z])))
        return values.length === 0 ? 0 : Math.max(...values)
      })
    },
  }),
]
