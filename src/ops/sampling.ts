/** Spatial operators: enlarging, sampling at given places, and comparing neighbourhoods of two images. */

import { isFloat } from '../base/dtype.ts'
import { fail } from '../base/error.ts'
import { formatShape } from '../base/shape.ts'
import { apply } from '../core/apply.ts'
import { attr, type Given } from '../core/attrs.ts'
import { defineOp } from '../core/op.ts'
import type { Tensor } from '../core/tensor.ts'
import { add, mul, num, sub } from '../prim/arithmetic.ts'
import { conv } from '../prim/conv.ts'
import { binary, cast, compare, constant, type Expr, select, unary } from '../prim/expr.ts'
import {
  assemble,
  broadcastTo,
  castTo,
  contract,
  filled,
  gather,
  iota,
  permuteAxes,
  pointwise,
  reduce,
  reshapeTo,
  sliceOf,
} from '../prim/primitive.ts'
import { concat } from './slicing.ts'

function checkImage(where: string, name: string, x: Tensor): void {
  if (x.shape.length !== 4 || !isFloat(x.dtype))
    fail(where, `${name} is ${x.dtype} ${formatShape(x.shape)}: it must be floats (N, C, H, W)`)
}

const upSamplingAttrs = {
  scale: attr.int<undefined>(undefined, { min: 1 }),
  numFilter: attr.int(0, { min: 0 }),
  sampleType: attr.oneOf(['nearest', 'bilinear']),
  multiInputMode: attr.oneOf(['concat', 'sum'], 'concat'),
  numArgs: attr.int(1, { min: 1 }),
  workspace: attr.int(512, { min: 0 }),
}
/** Options of `upSampling`. */
export type UpSamplingOptions = Given<typeof upSamplingAttrs>

/** Each pixel as a square of pixels. */
function nearest(x: Tensor, factor: number): Tensor {
  if (factor === 1) return x
  const [n, c, h, w] = x.shape as [number, number, number, number]
  const spread = broadcastTo(reshapeTo(x, [n, c, h, 1, w, 1]), [n, c, h, factor, w, factor])
  return reshapeTo(spread, [n, c, h * factor, w * factor])
}

const upSamplingOp = defineOp({
  name: 'UpSampling',
  inputs: ['...data'],
  attrs: upSamplingAttrs,
  body: (inputs, { scale, sampleType, multiInputMode }) => {
    const where = 'UpSampling'
    if (inputs.length === 0) fail(where, 'there is no array to enlarge')
    const [x, weight] = inputs as readonly [Tensor, Tensor?]
    checkImage(where, 'data', x)
    if (sampleType === 'bilinear') {
      if (weight === undefined || inputs.length !== 2)
        return fail(where, `${inputs.length} arrays given: 'bilinear' takes data and a weight`)
      const [batch, channels, ...size] = x.shape as [number, number, number, number]
      const k = 2 * scale - (scale % 2)
      const want = [channels, 1, k, k]
      if (weight.shape.length !== 4 || weight.shape.some((d, i) => d !== want[i]))
        fail(where, `weight ${formatShape(weight.shape)} must be ${formatShape(want)}`)
      const target = size.map((n) => n * scale)
      const pad = Math.ceil((scale - 1) / 2)
      const sizes = {
        batch,
        groups: channels,
        inner: 1,
        outer: 1,
        x: target,
        window: [k, k],
        y: size,
        stride: [scale, scale],
        dilate: [1, 1],
        pad: [pad, pad],
      }
      const grouped = conv(
        reshapeTo(weight, [channels, 1, 1, k, k]),
        reshapeTo(x, [batch, channels, 1, ...size]),
        'x',
        sizes,
      )
      return reshapeTo(grouped, [batch, channels, ...target])
    }
    const [height, width] = [x.shape[2]! * scale, x.shape[3]! * scale]
    const enlarged = inputs.map((t) => {
      checkImage(where, 'data', t)
      const factor = height / t.shape[2]!
      if (!Number.isInteger(factor) || width / t.shape[3]! !== factor)
        fail(
          where,
          `${formatShape(t.shape)} cannot be enlarged to ${height} by ${width} by a whole number`,
        )
      return nearest(t, factor)
    })
    if (multiInputMode === 'concat')
      return enlarged.length === 1 ? enlarged[0]! : concat(...enlarged)
    return enlarged.reduce((a, b) => pointwise([a, b], ([p, q]) => add(p!, q!), where))
  },
})

/**
 * Enlarges images by a whole number: pixels repeated (`nearest`), or a transposed convolution with a weight (`bilinear`).
 *
 * `(N, C, H, W) -> (N, C, scale·H, scale·W)`; several arrays are all brought to the size of the first, enlarged, and
 * joined along channels or summed. Float dtypes, kept.
 * @throws MXNetError when a size is not a whole multiple, or the weight of `bilinear` does not fit.
 * @example
 * nd.upSampling(nd.ones([1, 1, 2, 2]), { scale: 2, sampleType: 'nearest' }).shape // => [1, 1, 4, 4]
 * @see MXNet `UpSampling`
 */
export function upSampling<T extends Tensor>(...args: [...data: T[], attrs: UpSamplingOptions]): T {
  const attrs = args.at(-1) as UpSamplingOptions
  return apply(upSamplingOp, args.slice(0, -1) as T[], attrs)
}

/** Coordinates -1 … 1 of `size` pixels, at every point of `shape`. */
function pixels(shape: readonly number[], axis: number, like: Tensor): Tensor {
  const size = shape[axis]!
  return pointwise([iota(shape, axis)], ([i]) => {
    const at = cast(i!, like.dtype)
    return sub(mul(at, num(at, size > 1 ? 2 / (size - 1) : 0)), num(at, 1))
  })
}

/** Places in the source for each pixel of the target: theta·(x, y, 1). */
function affineGrid(where: string, theta: Tensor, target: readonly number[]): Tensor {
  if (theta.shape.length !== 2 || theta.shape[1] !== 6)
    fail(where, `the transformation ${formatShape(theta.shape)} must be (N, 6)`)
  const [h, w] = target as [number, number]
  if (target.length !== 2 || h < 1 || w < 1)
    fail(where, `targetShape ${formatShape(target)} must be two sizes above 0`)
  const rows = [pixels([h, w], 1, theta), pixels([h, w], 0, theta), filled([h, w], 1, theta.dtype)]
  const placings = rows.map((_, i) => ({ begin: [i, 0, 0], step: [1, 1, 1] }))
  const points = assemble(
    [3, h, w],
    rows.map((r) => reshapeTo(r, [1, h, w])),
    placings,
  )
  const matrices = reshapeTo(theta, [theta.shape[0]!, 2, 3])
  return contract(matrices, points, 'nik', 'khw', 'nihw')
}

const gridGeneratorOp = defineOp({
  name: 'GridGenerator',
  inputs: ['data'],
  attrs: {
    transformType: attr.oneOf(['affine', 'warp']),
    targetShape: attr.ints([0, 0], { min: 0 }),
  },
  body: ([data], { transformType, targetShape }) => {
    const where = 'GridGenerator'
    if (!isFloat(data!.dtype)) fail(where, `data is ${data!.dtype}: it must be a float type`)
    if (transformType === 'affine') return affineGrid(where, data!, targetShape)
    if (data!.shape.length !== 4 || data!.shape[1] !== 2)
      fail(where, `data ${formatShape(data!.shape)} must be (N, 2, H, W) for 'warp'`)
    const [, , h, w] = data!.shape as [number, number, number, number]
    const axis = iota(data!.shape, 1)
    const [x, y] = [iota(data!.shape, 3), iota(data!.shape, 2)]
    return pointwise([data!, axis, x, y], ([flow, which, i, j]) => {
      const across = compare('eq', which!, num(which!, 0))
      const at = cast(select(across, i!, j!), flow!.dtype)
      const half = (n: number): Expr => num(flow!, Math.max(n - 1, 1) / 2)
      return sub(binary('div', add(flow!, at), select(across, half(w), half(h))), num(flow!, 1))
    })
  },
})

/**
 * Places to sample at, in coordinates from -1 to 1: an affine map of the target's pixels, or pixels moved by a flow.
 *
 * `affine`: `(N, 6) -> (N, 2, H, W)` with H and W from `targetShape`, `out = theta·(x, y, 1)`; `warp`:
 * `(N, 2, H, W) -> (N, 2, H, W)`, the flow in pixels. Channel 0 is x, 1 is y. Float dtypes, kept.
 * @throws MXNetError when data does not fit the transformation.
 * @example
 * nd.gridGenerator(nd.ones([1, 6]), { transformType: 'affine', targetShape: [2, 3] }).shape // => [1, 2, 2, 3]
 * @see MXNet `GridGenerator`
 */
export function gridGenerator<T extends Tensor>(
  data: T,
  attrs: {
    readonly transformType: 'affine' | 'warp'
    readonly targetShape?: readonly number[] | undefined
  },
): T {
  return apply(gridGeneratorOp, [data], attrs)
}

/** Bilinear interpolation of data at the places of a grid; 0 outside. */
function sample(where: string, data: Tensor, grid: Tensor): Tensor {
  checkImage(where, 'data', data)
  const [n, c, h, w] = data.shape as [number, number, number, number]
  if (grid.shape.length !== 4 || grid.shape[0] !== n || grid.shape[1] !== 2)
    fail(where, `grid ${formatShape(grid.shape)} must be (${n}, 2, H, W)`)
  if (grid.dtype !== data.dtype)
    fail(where, `data is ${data.dtype} and grid ${grid.dtype}: both must be the same`)
  const [, , height, width] = grid.shape as [number, number, number, number]
  const place = (channel: number, size: number): Tensor => {
    const part = sliceOf(grid, [0, channel, 0, 0], [1, 1, 1, 1], [n, 1, height, width])
    return pointwise([reshapeTo(part, [n, height, width])], ([g]) =>
      mul(add(g!, num(g!, 1)), num(g!, (size - 1) / 2)),
    )
  }
  const [x, y] = [place(0, w), place(1, h)]
  const rows = reshapeTo(permuteAxes(data, [0, 2, 3, 1]), [n * h * w, c])
  const first = iota([n, height, width], 0)
  const corner = (dy: 0 | 1, dx: 0 | 1): Tensor => {
    const weightOf = (v: Expr, d: 0 | 1): Expr => {
      const part = sub(v, unary('floor', v))
      return d === 1 ? part : sub(num(v, 1), part)
    }
    const at = (v: Expr, d: 0 | 1): Expr => add(unary('floor', v), num(v, d))
    const inside = (v: Expr, d: 0 | 1, size: number): Expr =>
      binary('and', compare('ge', at(v, d), num(v, 0)), compare('le', at(v, d), num(v, size - 1)))
    const index = pointwise([x, y, first], ([a, b, i]) => {
      const whole = (v: Expr, d: 0 | 1, size: number): Expr =>
        cast(binary('min', binary('max', at(v, d), num(v, 0)), num(v, size - 1)), 'int32')
      const row = add(mul(i!, constant(h, 'int32')), whole(b!, dy, h))
      return add(mul(row, constant(w, 'int32')), whole(a!, dx, w))
    })
    const weight = pointwise([x, y], ([a, b]) =>
      select(
        binary('and', inside(a!, dx, w), inside(b!, dy, h)),
        mul(weightOf(a!, dx), weightOf(b!, dy)),
        num(a!, 0),
      ),
    )
    const taken = gather(rows, index, 0)
    return pointwise([taken, reshapeTo(weight, [n, height, width, 1])], ([v, f]) => mul(v!, f!))
  }
  const corners = [corner(0, 0), corner(0, 1), corner(1, 0), corner(1, 1)]
  const total = corners.reduce((a, b) => pointwise([a, b], ([p, q]) => add(p!, q!)))
  return permuteAxes(total, [0, 3, 1, 2])
}

const bilinearSamplerOp = defineOp({
  name: 'BilinearSampler',
  inputs: ['data', 'grid'],
  attrs: { cudnnOff: attr.optional(attr.bool()) },
  body: ([data, grid]) => sample('BilinearSampler', data!, grid!),
})

/**
 * Samples images at given places by bilinear interpolation; outside of the image everything is 0.
 *
 * `(N, C, H, W), (N, 2, A, B) -> (N, C, A, B)`; grid channel 0 is x, 1 is y, from -1 to 1. Float dtypes, both the same.
 * @throws MXNetError when grid does not fit data.
 * @example
 * nd.bilinearSampler(nd.ones([1, 3, 4, 4]), nd.zeros([1, 2, 2, 5])).shape // => [1, 3, 2, 5]
 * @see MXNet `BilinearSampler`
 */
export function bilinearSampler<T extends Tensor>(data: T, grid: T): T {
  return apply(bilinearSamplerOp, [data, grid])
}

const spatialTransformerOp = defineOp({
  name: 'SpatialTransformer',
  inputs: ['data', 'loc'],
  attrs: {
    targetShape: attr.ints([0, 0], { min: 0 }),
    transformType: attr.oneOf(['affine']),
    samplerType: attr.oneOf(['bilinear']),
    cudnnOff: attr.optional(attr.bool()),
  },
  body: ([data, loc], { targetShape }) => {
    const where = 'SpatialTransformer'
    checkImage(where, 'data', data!)
    const target = targetShape.some((d) => d !== 0) ? targetShape : data!.shape.slice(2)
    return sample(where, data!, affineGrid(where, castTo(loc!, data!.dtype), target))
  },
})

/**
 * Samples images at the pixels of a target moved by an affine map, by bilinear interpolation.
 *
 * `(N, C, H, W), (N, 6) -> (N, C, A, B)` with A and B from `targetShape`, or those of data. Float dtypes, kept.
 * @throws MXNetError when loc is not (N, 6).
 * @example
 * nd.spatialTransformer(nd.ones([1, 1, 4, 4]), nd.ones([1, 6]), { targetShape: [2, 2], transformType: 'affine', samplerType: 'bilinear' }).shape // => [1, 1, 2, 2]
 * @see MXNet `SpatialTransformer`
 */
export function spatialTransformer<T extends Tensor>(
  data: T,
  loc: T,
  attrs: {
    readonly targetShape?: readonly number[] | undefined
    readonly transformType: 'affine'
    readonly samplerType: 'bilinear'
  },
): T {
  return apply(spatialTransformerOp, [data, loc], attrs)
}

const correlationAttrs = {
  kernelSize: attr.int(1, { min: 1 }),
  maxDisplacement: attr.int(1, { min: 0 }),
  stride1: attr.int(1, { min: 1 }),
  stride2: attr.int(1, { min: 1 }),
  padSize: attr.int(0, { min: 0 }),
  isMultiply: attr.bool(true),
}
/** Options of `correlation`. */
export type CorrelationOptions = Given<typeof correlationAttrs>

const correlationOp = defineOp({
  name: 'Correlation',
  inputs: ['data1', 'data2'],
  attrs: correlationAttrs,
  body: ([a, b], { kernelSize, maxDisplacement, stride1, stride2, padSize, isMultiply }) => {
    const where = 'Correlation'
    checkImage(where, 'data1', a!)
    if (
      b!.dtype !== a!.dtype ||
      b!.shape.length !== 4 ||
      b!.shape.some((d, i) => d !== a!.shape[i])
    )
      fail(where, `data1 ${formatShape(a!.shape)} and data2 ${formatShape(b!.shape)} must be alike`)
    if (kernelSize % 2 === 0) fail(where, `kernelSize ${kernelSize} must be odd`)
    const [n, c, h, w] = a!.shape as [number, number, number, number]
    const [height, width] = [h + 2 * padSize, w + 2 * padSize]
    const border = maxDisplacement + (kernelSize - 1) / 2
    const y = [height, width].map((d) => Math.ceil((d - 2 * border) / stride1))
    if (y.some((d) => d < 1))
      fail(where, `displacements and kernel are larger than data ${formatShape(a!.shape)}`)
    const padded = (x: Tensor): Tensor =>
      padSize === 0
        ? x
        : assemble(
            [n, c, height, width],
            [x],
            [{ begin: [0, 0, padSize, padSize], step: [1, 1, 1, 1] }],
          )
    const [first, second] = [padded(a!), padded(b!)]
    const size = y.map((d) => (d - 1) * stride1 + kernelSize)
    const part = (x: Tensor, dy: number, dx: number): Tensor =>
      sliceOf(x, [0, 0, maxDisplacement + dy, maxDisplacement + dx], [1, 1, 1, 1], [n, c, ...size])
    const base = part(first, 0, 0)
    const radius = Math.floor(maxDisplacement / stride2)
    const maps: Tensor[] = []
    for (let i = -radius; i <= radius; i++) {
      for (let j = -radius; j <= radius; j++) {
        const other = part(second, i * stride2, j * stride2)
        const alike = pointwise([base, other], ([p, q]) =>
          isMultiply ? mul(p!, q!) : unary('abs', sub(p!, q!)),
        )
        maps.push(reshapeTo(reduce(alike, 'sum', [1]), [n, 1, ...size]))
      }
    }
    const all = concat(...maps)
    const count = maps.length
    const sizes = {
      batch: n,
      groups: count,
      inner: 1,
      outer: 1,
      x: size,
      window: [kernelSize, kernelSize],
      y,
      stride: [stride1, stride1],
      dilate: [1, 1],
      pad: [0, 0],
    }
    const ones = filled([count, 1, 1, kernelSize, kernelSize], 1 / (kernelSize ** 2 * c), a!.dtype)
    const sums = conv(reshapeTo(all, [n, count, 1, ...size]), ones, 'y', sizes)
    return reshapeTo(sums, [n, count, ...y])
  },
})

/**
 * How alike the neighbourhoods of two images are, for every displacement of the second.
 *
 * `out[n, d, i, j]` is the mean over channels and a window of data1·data2 (or |data1 - data2| unless `isMultiply`), data2
 * moved by displacement d, at most `maxDisplacement` in steps of `stride2`; `(N, C, H, W), (N, C, H, W) -> (N, D², A, B)`;
 * float dtypes, both the same.
 * @throws MXNetError when the images differ in shape, or windows and displacements do not fit.
 * @example
 * nd.correlation(nd.ones([1, 2, 4, 4]), nd.ones([1, 2, 4, 4]), { padSize: 1 }).shape // => [1, 9, 4, 4]
 * @see MXNet `Correlation`
 */
export function correlation<T extends Tensor>(data1: T, data2: T, attrs?: CorrelationOptions): T {
  return apply(correlationOp, [data1, data2], attrs)
}
