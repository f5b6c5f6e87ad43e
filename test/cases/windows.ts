/** Rows: convolution, its transpose, and pooling. */

import { type Arr, build, get, points, sum } from './model.ts'
import { type Row, row, signed } from './row.ts'

interface Conv {
  kernel: readonly number[]
  numFilter: number
  stride?: readonly number[]
  dilate?: readonly number[]
  pad?: readonly number[]
  adj?: readonly number[]
  targetShape?: readonly number[]
  numGroup?: number
  noBias?: boolean
  layout?: string
}

const ones = (n: number): number[] => new Array<number>(n).fill(1)
const zeros = (n: number): number[] => new Array<number>(n).fill(0)
/** Channels to axis 1, and back to the end. */
const first = (x: Arr): Arr =>
  build([x.shape[0]!, x.shape.at(-1)!, ...x.shape.slice(1, -1)], ([n, c, ...s]) =>
    get(x, [n!, ...s, c!]),
  )
const last = (x: Arr): Arr =>
  build([x.shape[0]!, ...x.shape.slice(2), x.shape[1]!], (at) =>
    get(x, [at[0]!, at.at(-1)!, ...at.slice(1, -1)]),
  )

function convolution([x, w, b]: readonly Arr[], attrs: Conv): Arr {
  if (attrs.layout?.endsWith('C')) {
    const { layout: _layout, ...rest } = attrs
    return last(convolution([first(x!), first(w!), ...(b ? [b] : [])], rest))
  }
  const { kernel, numFilter, numGroup = 1 } = attrs
  const n = kernel.length
  const { stride = ones(n), dilate = ones(n), pad = zeros(n) } = attrs
  const inner = x!.shape[1]! / numGroup
  const size = x!.shape.slice(2)
  const y = size.map((s, d) =>
    Math.floor((s + 2 * pad[d]! - dilate[d]! * (kernel[d]! - 1) - 1) / stride[d]! + 1),
  )
  return build([x!.shape[0]!, numFilter, ...y], ([batch, o, ...at]) => {
    const group = Math.floor(o! / (numFilter / numGroup))
    const products: number[] = []
    for (const [c, ...k] of points([inner, ...kernel])) {
      const from = at.map((i, d) => i * stride[d]! + k[d]! * dilate[d]! - pad[d]!)
      if (from.some((i, d) => i < 0 || i >= size[d]!)) continue
      products.push(get(x!, [batch!, group * inner + c!, ...from]) * get(w!, [o!, c!, ...k]))
    }
    return sum(products) + (b && !attrs.noBias ? get(b, [o!]) : 0)
  })
}

function deconvolution([x, w, b]: readonly Arr[], attrs: Conv): Arr {
  const { kernel, numFilter, numGroup = 1, noBias = true } = attrs
  const n = kernel.length
  const { stride = ones(n), dilate = ones(n) } = attrs
  let { adj = zeros(n), pad = zeros(n) } = attrs
  const full = x!.shape
    .slice(2)
    .map((s, d) => stride[d]! * (s - 1) + dilate[d]! * (kernel[d]! - 1) + 1)
  if (attrs.targetShape) {
    pad = full.map((s, d) => Math.ceil((s - attrs.targetShape![d]!) / 2))
    adj = full.map((s, d) => (s - attrs.targetShape![d]!) % 2)
  }
  const size = full.map((s, d) => s - 2 * pad[d]! + adj[d]!)
  const [perIn, perOut] = [x!.shape[1]! / numGroup, numFilter / numGroup]
  const out = new Map<string, number>()
  for (const [batch, c, ...at] of points(x!.shape)) {
    for (const [f, ...k] of points([perOut, ...kernel])) {
      const to = at.map((i, d) => i * stride[d]! + k[d]! * dilate[d]! - pad[d]!)
      const key = [batch!, Math.floor(c! / perIn) * perOut + f!, ...to].join()
      const product = get(x!, [batch!, c!, ...at]) * get(w!, [c!, f!, ...k])
      out.set(key, (out.get(key) ?? 0) + product)
    }
  }
  return build([x!.shape[0]!, numFilter, ...size], (at) => {
    return (out.get(at.join()) ?? 0) + (b && !noBias ? get(b, [at[1]!]) : 0)
  })
}

interface Pool {
  kernel?: readonly number[]
  poolType?: 'max' | 'avg' | 'sum' | 'lp'
  globalPool?: boolean
  poolingConvention?: 'valid' | 'full' | 'same'
  stride?: readonly number[]
  pad?: readonly number[]
  pValue?: number
  countIncludePad?: boolean
  layout?: string
}

const pooling =
  (whole: boolean) =>
  ([x]: readonly Arr[], attrs: Pool): Arr => {
    if (attrs.layout?.endsWith('C')) {
      const { layout: _layout, ...rest } = attrs
      return last(pooling(whole)([first(x!)], rest))
    }
    const size = x!.shape.slice(2)
    const n = size.length
    const { poolType = 'max', globalPool = false, poolingConvention = 'valid', pValue = 2 } = attrs
    const kernel = globalPool ? size : attrs.kernel!
    const stride = globalPool ? ones(n) : (attrs.stride ?? ones(n))
    const pad = globalPool ? zeros(n) : (attrs.pad ?? zeros(n))
    const y = size.map((s, d) => {
      const steps = (s + 2 * pad[d]! - kernel[d]!) / stride[d]!
      if (poolingConvention === 'same') return Math.ceil((s + 2 * pad[d]!) / stride[d]!)
      return (poolingConvention === 'full' ? Math.ceil(steps) : Math.floor(steps)) + 1
    })
    return build([...x!.shape.slice(0, 2), ...y], ([batch, c, ...at]) => {
      const values: number[] = []
      let padded = 0
      for (const k of points(kernel)) {
        const from = at.map((i, d) => i * stride[d]! + k[d]! - pad[d]!)
        if (from.every((i, d) => i >= -pad[d]! && i < size[d]! + pad[d]!)) padded++
        if (from.some((i, d) => i < 0 || i >= size[d]!)) continue
        values.push(get(x!, [batch!, c!, ...from]))
      }
      if (poolType === 'max') return Math.max(...values)
      if (poolType === 'lp') return sum(values.map((v) => Math.abs(v) ** pValue)) ** (1 / pValue)
      if (poolType === 'sum') return sum(values)
      const { countIncludePad = true } = attrs
      const count = whole ? points(kernel) : null
      return sum(values) / (count ? [...count].length : countIncludePad ? padded : values.length)
    })
  }

const poolCases: readonly { inputs: number[][]; attrs: Pool }[] = [
  { inputs: [[2, 2, 5, 4]], attrs: { kernel: [2, 2], stride: [2, 2] } },
  { inputs: [[1, 2, 7]], attrs: { kernel: [3], stride: [2], pad: [1], poolingConvention: 'full' } },
  { inputs: [[1, 1, 3, 4, 3]], attrs: { kernel: [2, 2, 2], poolType: 'avg', pad: [1, 0, 1] } },
  {
    inputs: [[1, 2, 5, 6]],
    attrs: {
      kernel: [3, 2],
      stride: [2, 3],
      pad: [1, 1],
      poolType: 'avg',
      poolingConvention: 'full',
    },
  },
  { inputs: [[2, 2, 3, 3]], attrs: { globalPool: true } },
  { inputs: [[2, 2, 3, 3]], attrs: { globalPool: true, poolType: 'avg' } },
  { inputs: [[1, 2, 4, 5]], attrs: { kernel: [2, 3], stride: [2, 2], poolType: 'sum' } },
]

export const windowRows: readonly Row[] = [
  row<Conv>({
    op: 'Convolution',
    domain: signed,
    cases: [
      { inputs: [[2, 3, 5, 4], [4, 3, 3, 2], [4]], attrs: { kernel: [3, 2], numFilter: 4 } },
      {
        inputs: [
          [1, 4, 7],
          [6, 2, 3],
        ],
        attrs: {
          kernel: [3],
          numFilter: 6,
          numGroup: 2,
          stride: [2],
          pad: [2],
          dilate: [2],
          noBias: true,
        },
      },
      {
        inputs: [[1, 2, 3, 4, 3], [2, 2, 2, 2, 2], [2]],
        attrs: { kernel: [2, 2, 2], numFilter: 2, pad: [1, 0, 1], stride: [1, 2, 2] },
      },
      {
        inputs: [
          [2, 3, 5, 5],
          [3, 1, 3, 3],
        ],
        attrs: { kernel: [3, 3], numFilter: 3, numGroup: 3, pad: [1, 1], noBias: true },
      },
      {
        inputs: [[2, 5, 6, 2], [3, 3, 3, 2], [3]],
        attrs: { kernel: [3, 3], numFilter: 3, stride: [2, 1], layout: 'NHWC' },
      },
      {
        inputs: [[1, 8, 6, 6], [8, 8, 1, 1], [8]],
        attrs: { kernel: [1, 1], numFilter: 8, stride: [2, 2] },
      },
    ],
    formula: convolution,
  }),
  row<Conv>({
    op: 'Deconvolution',
    domain: signed,
    cases: [
      {
        inputs: [
          [2, 3, 3, 2],
          [3, 4, 3, 2],
        ],
        attrs: { kernel: [3, 2], numFilter: 4 },
      },
      {
        inputs: [[1, 4, 4], [4, 3, 3], [6]],
        attrs: {
          kernel: [3],
          numFilter: 6,
          numGroup: 2,
          stride: [2],
          pad: [1],
          adj: [1],
          noBias: false,
        },
      },
      {
        inputs: [
          [1, 2, 3, 4],
          [2, 5, 3, 3],
        ],
        attrs: {
          kernel: [3, 3],
          numFilter: 5,
          stride: [3, 2],
          dilate: [1, 2],
          targetShape: [8, 9],
        },
      },
      {
        inputs: [
          [1, 2, 2, 3, 2],
          [2, 1, 2, 2, 2],
        ],
        attrs: { kernel: [2, 2, 2], numFilter: 1, stride: [2, 1, 2], pad: [0, 1, 0] },
      },
    ],
    formula: deconvolution,
  }),
  row<Pool>({
    op: 'Pooling',
    domain: signed,
    cases: [
      ...poolCases,
      {
        inputs: [[1, 2, 5, 6]],
        attrs: {
          kernel: [3, 2],
          stride: [2, 3],
          pad: [1, 1],
          poolType: 'avg',
          countIncludePad: false,
        },
      },
      {
        inputs: [[1, 2, 4, 4]],
        attrs: { kernel: [2, 2], poolType: 'lp', pValue: 2, stride: [2, 2] },
      },
      { inputs: [[1, 2, 4, 4]], attrs: { kernel: [2, 2], poolType: 'lp', pValue: 3 } },
      { inputs: [[1, 2, 4, 4]], attrs: { globalPool: true, poolType: 'lp', pValue: 1 } },
      { inputs: [[2, 5, 4, 2]], attrs: { kernel: [2, 2], stride: [1, 2], layout: 'NHWC' } },
      { inputs: [[1, 2, 5]], attrs: { kernel: [3], stride: [2], poolingConvention: 'same' } },
    ],
    formula: pooling(false),
  }),
  row<Pool>({ op: 'Pooling_v1', domain: signed, cases: poolCases, formula: pooling(true) }),
]
