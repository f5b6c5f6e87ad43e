/** Rows: arrays of 8 bits and the ranges that they stand for. */

import type { DType } from '../../src/base/dtype.ts'
import { type Arr, build, get, map, sum } from './model.ts'
import { between, type InputSpec, type Row, row, whole } from './row.ts'

const none = { order: 0, why: 'integers have no gradient' } as const

/** Integers that are the same in every dtype. */
const ints = (shape: readonly number[], dtype: DType, lo = -100, hi = 100): InputSpec => ({
  shape,
  dtype,
  fixed: true,
  from: whole(lo, hi),
})
const end = (value: number): InputSpec => ({
  shape: [1],
  values: [value],
  dtype: 'float32',
  fixed: true,
})
const ends = (low: number, high: number): InputSpec[] => [end(low), end(high)]

type Byte = 'int8' | 'uint8'
const nearest = (x: number): number => {
  const low = Math.floor(x)
  if (x - low !== 0.5) return Math.round(x)
  return low % 2 === 0 ? low : low + 1
}
const limits = { int8: [-128, 127], uint8: [0, 255] } as const
const held = (x: number, type: Byte): number =>
  Math.min(Math.max(nearest(x), limits[type][0]), limits[type][1])
const steps = { int8: 127.5, uint8: 255.5 } as const
/** The size of a range whose ends are inputs. */
const extent = (low: Arr, high: Arr): number =>
  Math.max(...[low, high].map((x) => Math.abs(oneOf(x))))
const oneOf = (x: Arr): number => {
  if (x.data.length !== 1) throw new Error('one number')
  return x.data[0]!
}
const single = (v: number): Arr => ({ shape: [1], data: [v] })
const range = (low: number, high: number): Arr[] => [single(low), single(high)]
const products = (a: number, b: number): Arr[] => {
  const high = (a / 127) * (b / 127) * 2147483647
  return range(-high, high)
}
const ranged = (type: DType) => ({
  result: (): DType => 'float32',
  results: [type, 'float32', 'float32'] as const,
})

interface Calibrated {
  minCalibRange?: number
  maxCalibRange?: number
}

export const quantizedRows: readonly Row[] = [
  row<{ outType?: Byte }>({
    op: '_contrib_quantize',
    domain: between(-2, 3),
    cases: [
      { inputs: [[2, 3], ...ends(-2, 3)], attrs: { outType: 'int8' } },
      { inputs: [[4], ...ends(-4, 1)], attrs: { outType: 'int8' } },
      {
        inputs: [{ shape: [2, 2], values: [-9, 9, 1.4, 0] }, ...ends(0, 3)],
        attrs: { outType: 'int8' },
      },
    ],
    formula: ([x, low, high]) => {
      const r = extent(low!, high!)
      return [map(x!, (v) => held((v * 127) / r, 'int8')), ...range(-r, r)]
    },
    ...ranged('int8'),
    ...none,
  }),
  row<Calibrated>({
    op: '_contrib_quantize_v2',
    domain: between(-2, 3),
    cases: [
      { inputs: [[2, 3]] },
      { inputs: [[5]], attrs: { minCalibRange: -1, maxCalibRange: 2.5 } },
      {
        inputs: [{ shape: [3], values: [-8, 0, 8] }],
        attrs: { minCalibRange: -4, maxCalibRange: 1 },
      },
    ],
    formula: ([x], { minCalibRange: low, maxCalibRange: high }) => {
      const all = low === undefined ? x!.data : [low, high!]
      if (all.length === 0) throw new Error('a range')
      const r = Math.max(...all.map(Math.abs))
      return [map(x!, (v) => held((v * 127.5) / r, 'int8')), ...range(-r, r)]
    },
    ...ranged('int8'),
    ...none,
  }),
  row({
    op: '_contrib_dequantize',
    cases: [
      { inputs: [ints([2, 3], 'int8'), ...ends(-2, 3)] },
      { inputs: [ints([4], 'int8'), ...ends(-4, 1)] },
      { inputs: [ints([1, 2, 2], 'int8'), ...ends(0.5, 1)] },
    ],
    formula: ([x, low, high]) => map(x!, (v) => (v * extent(low!, high!)) / 127.5),
    result: () => 'float32',
    ...none,
  }),
  row<Calibrated>({
    op: '_contrib_requantize',
    cases: [
      { inputs: [ints([2, 3], 'int32', -90000000, 90000000), ...ends(-50, 50)] },
      {
        inputs: [ints([4], 'int32', -90000000, 90000000), ...ends(-30, 50)],
        attrs: { minCalibRange: -1, maxCalibRange: 1.5 },
      },
      {
        inputs: [ints([2, 2], 'int32', -900, 900), ...ends(-1, 1)],
        attrs: { minCalibRange: -1e-6, maxCalibRange: 2e-7 },
      },
    ],
    formula: ([x, low, high], { minCalibRange, maxCalibRange }) => {
      const unit = extent(low!, high!) / 2147483647
      if (x!.data.length === 0) throw new Error('a range')
      const r =
        minCalibRange === undefined
          ? Math.max(...x!.data.map(Math.abs)) * unit
          : Math.max(Math.abs(minCalibRange), Math.abs(maxCalibRange!))
      return [map(x!, (v) => held((v * unit * 127) / r, 'int8')), ...range(-r, r)]
    },
    ...ranged('int8'),
    ...none,
  }),
  row<{ numQuantizedBins: number }>({
    op: '_contrib_calibrate_entropy',
    domain: whole(1, 9),
    cases: [
      {
        inputs: [[9], { shape: [10], fixed: true, values: [-9, -7, -5, -3, -1, 1, 3, 5, 7, 9] }],
        attrs: { numQuantizedBins: 3 },
      },
      {
        inputs: [
          { shape: [11], values: [1, 0, 4, 9, 0, 30, 12, 0, 3, 0, 2], fixed: true },
          { shape: [12], values: Array.from({ length: 12 }, (_, i) => i - 5.5), fixed: true },
        ],
        attrs: { numQuantizedBins: 5 },
      },
      {
        inputs: [
          [15],
          { shape: [16], fixed: true, values: Array.from({ length: 16 }, (_, i) => i - 7.5) },
        ],
        attrs: { numQuantizedBins: 4 },
      },
    ],
    formula: ([hist, edges], { numQuantizedBins: bins }) => bestCut(hist!.data, edges!.data, bins),
    result: () => 'float32',
    tol32: 1e-4,
    ...none,
  }),
  row<{ numHidden: number; noBias?: boolean }>({
    op: '_contrib_quantized_fully_connected',
    cases: [
      {
        inputs: [ints([2, 4], 'int8'), ints([3, 4], 'int8'), ...ends(-1, 1), ...ends(-2, 2)],
        attrs: { numHidden: 3, noBias: true },
      },
      {
        inputs: [
          ...[ints([2, 2, 2], 'int8'), ints([2, 4], 'int8'), ints([2], 'int8')],
          ...[...ends(-1, 1), ...ends(-2, 1), ...ends(-1, 1)],
        ],
        attrs: { numHidden: 2 },
      },
      {
        inputs: [ints([1, 300], 'int8'), ints([2, 300], 'int8'), ...ends(-1, 3), ...ends(0, 1)],
        attrs: { numHidden: 2, noBias: true },
      },
    ],
    formula: (xs, { noBias = false }) => {
      const count = noBias ? 2 : 3
      const [x, w, b] = xs as [Arr, Arr, Arr]
      const sizes = Array.from({ length: count }, (_, i) =>
        extent(xs[count + 2 * i]!, xs[count + 2 * i + 1]!),
      ) as [number, number, number]
      const [n, k] = [x.shape[0]!, w.shape[1]!]
      if (x.data.length !== n * k || x.shape.length < 2) throw new Error('rows')
      const scale = (127.5 / sizes[0]) * (127.5 / sizes[1]) * (sizes[2] / 127.5)
      const out = build([n, w.shape[0]!], ([i, j]) => {
        const products = Array.from({ length: k }, (_, c) => x.data[i! * k + c]! * get(w, [j!, c]))
        return sum(products) + (noBias ? 0 : Math.trunc(b.data[j!]! * scale))
      })
      return [out, ...products(sizes[0], sizes[1])]
    },
    ...ranged('int32'),
    ...none,
  }),
  row<{ kernel: number[]; numFilter: number; stride?: number[]; pad?: number[] }>({
    op: '_contrib_quantized_conv',
    cases: [
      {
        inputs: [
          ints([1, 4, 4, 4], 'uint8', 0, 200),
          ints([4, 4, 3, 3], 'int8'),
          ...ends(0, 1),
          ...ends(-2, 2),
        ],
        attrs: { kernel: [3, 3], numFilter: 4, noBias: true } as never,
      },
      {
        inputs: [
          ints([2, 1, 3, 4], 'int8'),
          ints([2, 1, 2, 2], 'int8'),
          ...ends(-1, 1),
          ...ends(-1, 2),
        ],
        attrs: { kernel: [2, 2], numFilter: 2, stride: [2, 1], pad: [1, 0], noBias: true } as never,
      },
      {
        inputs: [
          ints([1, 2, 2, 2], 'int8'),
          ints([3, 2, 1, 1], 'int8'),
          ...ends(-3, 1),
          ...ends(-1, 1),
        ],
        attrs: { kernel: [1, 1], numFilter: 3, noBias: true } as never,
      },
    ],
    formula: ([x, w, a, b, c, d], { kernel, stride = [1, 1], pad = [0, 0] }) => {
      const size = kernel.map(
        (k, i) => Math.floor((x!.shape[2 + i]! + 2 * pad[i]! - k) / stride[i]!) + 1,
      )
      if (x!.shape.length !== 4 || size.some((s) => s < 1)) throw new Error('an image')
      const out = build([x!.shape[0]!, w!.shape[0]!, ...size], ([n, f, i, j]) => {
        let total = 0
        for (let k = 0; k < w!.shape[1]!; k++)
          for (let p = 0; p < kernel[0]!; p++)
            for (let q = 0; q < kernel[1]!; q++) {
              const [y, z] = [i! * stride[0]! + p - pad[0]!, j! * stride[1]! + q - pad[1]!]
              if (y >= 0 && z >= 0 && y < x!.shape[2]! && z < x!.shape[3]!)
                total += get(x!, [n!, k, y, z]) * get(w!, [f!, k, p, q])
            }
        return total
      })
      return [out, ...products(extent(a!, b!), extent(c!, d!))]
    },
    ...ranged('int32'),
    ...none,
  }),
  row<{ kernel: number[]; stride?: number[]; poolType?: string }>({
    op: '_contrib_quantized_pooling',
    cases: [
      {
        inputs: [ints([1, 2, 4, 4], 'int8'), ...ends(-1, 1)],
        attrs: { kernel: [2, 2], stride: [2, 2] },
      },
      {
        inputs: [ints([2, 1, 3, 3], 'int8'), ...ends(-1, 2)],
        attrs: { kernel: [2, 2], poolType: 'avg' },
      },
      {
        inputs: [ints([1, 1, 2, 4], 'int8'), ...ends(-3, 2)],
        attrs: { kernel: [1, 2], stride: [1, 2], poolType: 'avg' },
      },
    ],
    formula: ([x, low, high], { kernel, stride = [1, 1], poolType = 'max' }) => {
      const size = kernel.map((k, i) => Math.floor((x!.shape[2 + i]! - k) / stride[i]!) + 1)
      if (x!.shape.length !== 4 || size.some((s) => s < 1)) throw new Error('an image')
      const out = build([...x!.shape.slice(0, 2), ...size], ([n, c, i, j]) => {
        const window = [...Array(kernel[0]).keys()].flatMap((p) =>
          [...Array(kernel[1]).keys()].map((q) =>
            get(x!, [n!, c!, i! * stride[0]! + p, j! * stride[1]! + q]),
          ),
        )
        return poolType === 'max' ? Math.max(...window) : nearest(sum(window) / window.length)
      })
      return [out, ...range(oneOf(low!), oneOf(high!))]
    },
    ...ranged('int8'),
    ...none,
  }),
  row<{ actType: string }>({
    op: '_contrib_quantized_act',
    cases: [
      { inputs: [ints([2, 3], 'int8'), ...ends(-1, 1)], attrs: { actType: 'relu' } },
      { inputs: [ints([4], 'int8'), ...ends(-1, 2)], attrs: { actType: 'relu' } },
      { inputs: [ints([1, 2, 2, 2], 'int8'), ...ends(0, 2)], attrs: { actType: 'relu' } },
    ],
    formula: ([x, low, high]) => [
      map(x!, (v) => Math.max(v, 0)),
      ...range(oneOf(low!), oneOf(high!)),
    ],
    ...ranged('int8'),
    ...none,
  }),
  row({
    op: '_contrib_quantized_flatten',
    cases: [
      { inputs: [ints([2, 3], 'int8'), ...ends(-1, 1)] },
      { inputs: [ints([2, 2, 2], 'int8'), ...ends(-1, 2)] },
      { inputs: [ints([1, 2, 2, 3], 'int8'), ...ends(0, 2)] },
    ],
    formula: ([x, low, high]) => {
      const [n, ...rest] = x!.shape
      if (n === undefined) throw new Error('rows')
      const width = rest.reduce((a, b) => a * b, 1)
      return [{ shape: [n, width], data: x!.data }, ...range(oneOf(low!), oneOf(high!))]
    },
    ...ranged('int8'),
    ...none,
  }),
  row<{ dim?: number }>({
    op: '_contrib_quantized_concat',
    cases: [
      { inputs: [ints([2, 3], 'int8'), ints([2, 1], 'int8'), ...ends(-1, 1), ...ends(-2, 3)] },
      {
        inputs: [
          ints([1, 2], 'int8'),
          ints([2, 2], 'uint8', 0, 200),
          ...ends(-1, 1),
          ...ends(0, 1.5),
        ],
        attrs: { dim: 0 },
      },
      { inputs: [ints([2, 2], 'int8'), ...ends(-2, 1)] },
    ],
    formula: (xs, { dim = 1 }) => {
      const count = xs.length / 3
      const data = xs.slice(0, count)
      if (data.some((x) => x.shape.length !== 2)) throw new Error('matrices')
      const lows = data.map((_, i) => oneOf(xs[count + 2 * i]!))
      const highs = data.map((_, i) => oneOf(xs[count + 2 * i + 1]!))
      const [low, high] = [Math.min(0, ...lows), Math.max(0, ...highs)]
      const size = Math.max(-low, high)
      const scaled = data.map((x, i) => {
        // The second array of the second case is uint8.
        const from = dim === 0 && i === 1 ? 255.5 : 127.5
        const own = Math.max(Math.abs(lows[i]!), Math.abs(highs[i]!))
        return map(x, (v) => held((v * own * 127.5) / (from * size), 'int8'))
      })
      const total = sum(data.map((x) => x.shape[dim]!))
      const shape = data[0]!.shape.map((d, i) => (i === dim ? total : d))
      const out = build(shape, (at) => {
        let k = at[dim]!
        for (const x of scaled) {
          if (k < x.shape[dim]!)
            return get(
              x,
              at.map((v, i) => (i === dim ? k : v)),
            )
          k -= x.shape[dim]!
        }
        throw new Error('outside')
      })
      return [out, ...range(low, high)]
    },
    ...ranged('int8'),
    ...none,
  }),
  row<Calibrated>({
    op: '_contrib_quantized_elemwise_add',
    cases: [
      {
        inputs: [ints([2, 3], 'int8'), ints([2, 3], 'int8'), ...ends(-1, 1), ...ends(-2, 2.5)],
        attrs: { minCalibRange: -2, maxCalibRange: 2 },
      },
      {
        inputs: [ints([4], 'int8'), ints([4], 'int8'), ...ends(-1, 0.5), ...ends(-0.25, 0.55)],
        attrs: { minCalibRange: -1, maxCalibRange: 0.25 },
      },
      {
        inputs: [
          ints([2, 2], 'int8'),
          ints([2, 2], 'uint8', 0, 200),
          ...ends(-1, 1),
          ...ends(0, 3),
        ],
        attrs: { minCalibRange: 0, maxCalibRange: 5 },
      },
    ],
    formula: ([x, y, a, b, c, d], { minCalibRange: low, maxCalibRange: high }) => {
      const size = Math.max(Math.abs(low!), Math.abs(high!))
      const from = high === 5 ? 'uint8' : 'int8'
      if (x!.shape.join() !== y!.shape.join()) throw new Error('one shape')
      const out = build(x!.shape, (at) => {
        const real =
          (get(x!, at) * extent(a!, b!)) / steps.int8 + (get(y!, at) * extent(c!, d!)) / steps[from]
        return held((real * 127.5) / size, 'int8')
      })
      return [out, ...range(low!, high!)]
    },
    ...ranged('int8'),
    ...none,
  }),
  row({
    op: '_contrib_quantized_elemwise_mul',
    cases: [
      { inputs: [ints([2, 3], 'int8'), ints([2, 3], 'int8'), ...ends(-1, 1), ...ends(-2, 2.5)] },
      { inputs: [ints([4], 'int8'), ints([4], 'int8'), ...ends(-1, 0.5), ...ends(-0.25, 0.5)] },
      { inputs: [ints([1, 2, 2], 'int8'), ints([1, 2, 2], 'int8'), ...ends(-1, 1), ...ends(0, 3)] },
    ],
    formula: ([x, y, a, b, c, d]) => {
      if (x!.shape.join() !== y!.shape.join()) throw new Error('one shape')
      const out = build(x!.shape, (at) => get(x!, at) * get(y!, at))
      return [out, ...products(extent(a!, b!), extent(c!, d!))]
    },
    ...ranged('int32'),
    ...none,
  }),
  row<{ inputDim: number; outputDim: number }>({
    op: '_contrib_quantized_embedding',
    domain: whole(-1, 4),
    cases: [
      {
        inputs: [[2, 2], ints([4, 3], 'int8'), ...ends(-1, 1)],
        attrs: { inputDim: 4, outputDim: 3 },
      },
      { inputs: [[5], ints([3, 1], 'int8'), ...ends(-1, 2)], attrs: { inputDim: 3, outputDim: 1 } },
      {
        inputs: [[1, 3], ints([2, 2], 'int8'), ...ends(0, 2)],
        attrs: { inputDim: 2, outputDim: 2 },
      },
    ],
    formula: ([x, w, low, high], { inputDim, outputDim }) => {
      if (w!.shape.join() !== `${inputDim},${outputDim}`) throw new Error('a table')
      const out = build([...x!.shape, outputDim], (at) =>
        get(w!, [Math.min(Math.max(get(x!, at.slice(0, -1)), 0), inputDim - 1), at.at(-1)!]),
      )
      return [out, ...range(oneOf(low!), oneOf(high!))]
    },
    ...ranged('int8'),
    ...none,
  }),
  row<Calibrated & { eps?: number; axis?: number }>({
    op: '_contrib_quantized_batch_norm',
    domain: between(0.5, 2),
    cases: [
      {
        inputs: [ints([2, 3, 2], 'int8'), [3], [3], [3], [3], ...ends(-1, 1)],
        attrs: { minCalibRange: -3, maxCalibRange: 4 },
      },
      {
        inputs: [ints([4, 2], 'int8'), [2], [2], [2], [2], ...ends(-2, 1)],
        attrs: { minCalibRange: -3, maxCalibRange: 1, eps: 0.1 },
      },
      {
        inputs: [ints([1, 2, 3], 'int8'), [3], [3], [3], [3], ...ends(-1, 1)],
        attrs: { minCalibRange: -2, maxCalibRange: 5, axis: -1 },
      },
    ],
    formula: (
      [x, g, b, m, v, low, high],
      { minCalibRange, maxCalibRange, eps = 1e-3, axis = 1 },
    ) => {
      const size = Math.max(-minCalibRange!, maxCalibRange!)
      const at0 = (axis + x!.shape.length) % x!.shape.length
      const out = build(x!.shape, (at) => {
        const c = [at[at0]!]
        const real = (get(x!, at) * extent(low!, high!)) / 127.5
        const scaled = ((real - get(m!, c)) / Math.sqrt(get(v!, c) + eps)) * get(g!, c) + get(b!, c)
        return held((scaled * 127.5) / size, 'int8')
      })
      return [out, ...range(minCalibRange!, maxCalibRange!)]
    },
    ...ranged('int8'),
    ...none,
  }),
]

/** The cut of a histogram around its middle with the least divergence, found by trying them all as the paper says. */
function bestCut(hist: readonly number[], edges: readonly number[], bins: number): Arr[] {
  const n = hist.length
  if (edges.length !== n + 1 || n < bins) throw new Error('edges')
  const [half, middle] = [Math.floor(bins / 2), Math.floor(n / 2)]
  let best = [0, Number.POSITIVE_INFINITY]
  for (let i = half; i <= middle; i++) {
    const [from, to] = [middle - i, Math.min(middle + i, n - 1)]
    const inner = hist.slice(from, to + 1)
    const p = [...inner]
    p[0] = sum(hist.slice(0, from + 1))
    p[p.length - 1] = sum(hist.slice(to))
    inner[0] = 0
    const width = Math.floor(inner.length / bins)
    const q = inner.map((_, k) => {
      const bin = Math.min(Math.floor(k / width), bins - 1)
      const group = inner.slice(bin * width, bin === bins - 1 ? inner.length : (bin + 1) * width)
      const some = group.filter((v) => v !== 0).length
      return some > 0 && p[k] !== 0 ? sum(group) / some : 0
    })
    const [a, b] = [smooth(p), smooth(q)]
    if (a === null || b === null) continue
    const divergence = sum(a.map((v, k) => v * Math.log(v / b[k]!)))
    if (divergence < best[1]!) best = [edges[middle + i + 1]!, divergence]
  }
  return [single(best[0]!), single(best[1]!)]
}

function smooth(x: readonly number[]): number[] | null {
  const zeros = x.filter((v) => v === 0).length
  if (zeros === x.length) return null
  const less = (1e-4 * zeros) / (x.length - zeros)
  const moved = x.map((v) => (v === 0 ? 1e-4 : v - less))
  return moved.map((v) => v / sum(moved))
}
