/** Sampling where learned offsets point: deformable convolution (v1 and v2) and deformable position-sensitive pooling. */

import { isFloat } from '../base/dtype.ts'
import { fail } from '../base/error.ts'
import { formatShape, type Shape, sizeOf } from '../base/shape.ts'
import { apply } from '../core/apply.ts'
import { attr, type Given } from '../core/attrs.ts'
import type { Aval } from '../core/aval.ts'
import { arraysThenOptions } from '../core/given.ts'
import { defineOp, type Values } from '../core/op.ts'
import type { Tensor } from '../core/tensor.ts'
import { add, both, div, int, mul, num, sub } from '../prim/arithmetic.ts'
import { binary, cast, compare, constant, type Expr, index, select, unary } from '../prim/expr.ts'
import {
  castTo,
  contract,
  filled,
  gather,
  mapTensors,
  permuteAxes,
  pointwise,
  reduce,
  reshapeTo,
} from '../prim/primitive.ts'
import { part } from './boxes.ts'
import { addBias, filterAttrs, perAxis } from './convolution.ts'

const within = (x: Expr, low: number, high: number): Expr =>
  binary('min', binary('max', x, num(x, low)), num(x, high))
/** ⌊at·to / from⌋ for coordinates: which of `to` parts belongs to place `at` of `from`. */
const partOf = (at: Expr, from: number, to: number): Expr => div(mul(at, int(to)), int(from))

/** A map (H, W) among the elements of `flat`, whose (y, x) lies at (base + y·W + x). */
interface Maps {
  readonly flat: Tensor
  /** Where each map begins, in units of whole elements (or rows, where `flat` has two axes); int32. */
  readonly base: Tensor
  readonly size: readonly [h: number, w: number]
}

/** Values between the elements of maps, interpolated linearly; what lies outside of a map counts as 0. */
function interpolate({ flat, base, size: [h, w] }: Maps, y: Tensor, x: Tensor): Tensor {
  const rank = flat.shape.length - 1
  const behind = (t: Tensor): Tensor =>
    rank === 0 ? t : reshapeTo(t, [...t.shape, ...flat.shape.slice(1).map(() => 1)])
  const corner = (down: number, right: number): Tensor => {
    const place = (v: Expr, step: number): Expr => add(unary('floor', v), num(v, step))
    const at = pointwise([base, y, x], ([b, p, q]) => {
      const row = cast(within(place(p!, down), 0, h - 1), 'int32')
      const column = cast(within(place(q!, right), 0, w - 1), 'int32')
      return add(b!, add(mul(row, int(w)), column))
    })
    const share = pointwise([y, x], ([p, q]) => {
      const part = (v: Expr, step: number): Expr => {
        const rest = sub(v, unary('floor', v))
        return step === 1 ? rest : sub(num(v, 1), rest)
      }
      const inside = (v: Expr, step: number, n: number): Expr =>
        both(compare('ge', place(v, step), num(v, 0)), compare('le', place(v, step), num(v, n - 1)))
      const weight = mul(part(p!, down), part(q!, right))
      return select(both(inside(p!, down, h), inside(q!, right, w)), weight, num(p!, 0))
    })
    return pointwise([gather(flat, at, 0), behind(share)], ([v, s]) => mul(v!, s!))
  }
  const corners = [corner(0, 0), corner(0, 1), corner(1, 0), corner(1, 1)]
  return pointwise(corners, (values) => values.reduce(add))
}

const convolutionAttrs = {
  ...filterAttrs,
  numDeformableGroup: attr.int(1, { min: 1 }),
  workspace: attr.int(1024, { min: 0 }),
  noBias: attr.bool(false),
  layout: attr.optional(attr.oneOf(['NCW', 'NCHW', 'NCDHW'])),
}
const modulatedAttrs = { ...convolutionAttrs, im2colStep: attr.int(64, { min: 1 }) }
/** Options of `deformableConvolution`. */
export type DeformableConvolutionOptions = Given<typeof convolutionAttrs>
/** Options of `modulatedDeformableConvolution`. */
export type ModulatedDeformableConvolutionOptions = Given<typeof modulatedAttrs>

type Settings = Values<typeof convolutionAttrs>

/** The geometry of a deformable convolution, once its arrays fit. */
function geometry(where: string, x: Pick<Aval, 'shape' | 'dtype'>, attrs: Settings) {
  const { kernel, numFilter, numGroup: groups, numDeformableGroup: parts } = attrs
  if (kernel.length !== 2 || (attrs.layout !== null && attrs.layout !== 'NCHW'))
    fail(where, `kernel ${formatShape(kernel)} must have 2 sizes, and the layout be NCHW`)
  if (x.shape.length !== 4 || !isFloat(x.dtype))
    fail(where, `data is ${x.dtype} ${formatShape(x.shape)}: it must be floats (N, C, H, W)`)
  const [n, channels, ...image] = x.shape as [number, number, number, number]
  if (channels % groups !== 0 || numFilter % groups !== 0 || channels % parts !== 0)
    fail(
      where,
      `${channels} channels and ${numFilter} filters must divide by numGroup ${groups}, and channels by numDeformableGroup ${parts}`,
    )
  const stride = perAxis(where, 'stride', attrs.stride, 2, 1)
  const dilate = perAxis(where, 'dilate', attrs.dilate, 2, 1)
  const pad = perAxis(where, 'pad', attrs.pad, 2, 0)
  const out = image.map((d, i) => {
    const room = d + 2 * pad[i]! - dilate[i]! * (kernel[i]! - 1) - 1
    if (room < 0)
      fail(where, `kernel ${formatShape(kernel)} does not fit into ${formatShape(image)}`)
    return Math.floor(room / stride[i]!) + 1
  }) as [number, number]
  return { n, channels, image: image as [number, number], stride, dilate, pad, out, groups, parts }
}

function checkShape(where: string, name: string, x: Tensor, want: Shape): void {
  if (x.shape.length !== want.length || x.shape.some((d, i) => d !== want[i]))
    fail(where, `${name} ${formatShape(x.shape)} does not fit: it must be ${formatShape(want)}`)
}

/**
 * The convolution over values sampled at shifted places. In the first version only places within [0, H) count, held at the
 * last element; in the modulated one the map has a border of zeros, and a mask weighs each sample.
 */
function deformable(
  where: string,
  [x, offset, weight, bias]: readonly [Tensor, Tensor, Tensor, Tensor | undefined],
  mask: Tensor | null,
  attrs: Settings,
): Tensor {
  const g = geometry(where, x, attrs)
  const { n, channels, parts, groups } = g
  const [down, across] = attrs.kernel as [number, number]
  const taps = down * across
  const [h, w] = g.image
  const [oh, ow] = g.out
  const filters = attrs.numFilter
  checkShape(where, 'offset', offset, [n, 2 * parts * taps, oh, ow])
  checkShape(where, 'weight', weight, [filters, channels / groups, down, across])
  if (mask !== null) checkShape(where, 'mask', mask, [n, parts * taps, oh, ow])
  if (n * h * w * channels === 0) return filled([n, filters, oh, ow], 0, x.dtype)
  // Samples over (image, deformable group, tap, place).
  const samples = [n, parts, taps, oh * ow]
  const shifts = permuteAxes(
    reshapeTo(castTo(offset, x.dtype), [n, parts, taps, 2, oh * ow]),
    [0, 1, 2, 4, 3],
  )
  const coordinate = (axis: 0 | 1): Tensor => {
    const [tap, place] = [index(2), index(3)]
    const step = axis === 0 ? div(place, int(ow)) : binary('mod', place, int(ow))
    const k = axis === 0 ? div(tap, int(across)) : binary('mod', tap, int(across))
    const start = sub(
      add(mul(step, int(g.stride[axis]!)), mul(k, int(g.dilate[axis]!))),
      int(g.pad[axis]!),
    )
    const grid = mapTensors(cast(start, x.dtype), samples, [])
    return pointwise([grid, part(shifts, axis)], ([p, o]) => add(p!, o!))
  }
  const [y, z] = [coordinate(0), coordinate(1)]
  const held = (t: Tensor, d: number): Tensor =>
    mask === null ? pointwise([t], ([v]) => within(v!, 0, d - 1)) : t
  const perGroup = channels / parts
  const flat = reshapeTo(permuteAxes(reshapeTo(x, [n, parts, perGroup, h, w]), [0, 1, 3, 4, 2]), [
    n * parts * h * w,
    perGroup,
  ])
  const base = mapTensors(
    mul(add(mul(index(0), int(parts)), index(1)), int(h * w)),
    [n, parts, 1, 1],
    [],
  )
  const values = interpolate({ flat, base, size: [h, w] }, held(y, h), held(z, w))
  const low = mask === null ? 0 : -1
  const weighed = pointwise(
    [y, z, ...(mask === null ? [] : [reshapeTo(castTo(mask, x.dtype), samples)])],
    ([p, q, m]) => {
      const inside = (v: Expr, d: number): Expr =>
        both(compare(low === 0 ? 'ge' : 'gt', v, num(v, low)), compare('lt', v, num(v, d)))
      return select(both(inside(p!, h), inside(q!, w)), m ?? num(p!, 1), num(p!, 0))
    },
  )
  const columns = pointwise([values, reshapeTo(weighed, [...samples, 1])], ([v, m]) => mul(v!, m!))
  const sorted = reshapeTo(permuteAxes(columns, [0, 1, 4, 2, 3]), [
    ...[n, groups, channels / groups, taps, oh * ow],
  ])
  const product = contract(
    sorted,
    reshapeTo(weight, [groups, filters / groups, channels / groups, taps]),
    'ngckp',
    'gfck',
    'ngfp',
  )
  const result = reshapeTo(product, [n, filters, oh, ow])
  return addBias(where, result, attrs.noBias ? undefined : bias, filters)
}

const convolutionOp = defineOp({
  name: '_contrib_DeformableConvolution',
  inputs: ['data', 'offset', 'weight', 'bias?'],
  attrs: convolutionAttrs,
  body: ([x, offset, weight, bias], attrs) =>
    deformable('_contrib_DeformableConvolution', [x!, offset!, weight!, bias], null, attrs),
  complete: ([x], attrs) => shapesOf('_contrib_DeformableConvolution', x, attrs, false),
})

const modulatedOp = defineOp({
  name: '_contrib_ModulatedDeformableConvolution',
  inputs: ['data', 'offset', 'mask', 'weight', 'bias?'],
  attrs: modulatedAttrs,
  body: ([x, offset, mask, weight, bias], attrs) =>
    deformable(
      '_contrib_ModulatedDeformableConvolution',
      [x!, offset!, weight!, bias],
      mask!,
      attrs,
    ),
  complete: ([x], attrs) => shapesOf('_contrib_ModulatedDeformableConvolution', x, attrs, true),
})

/** Shapes of the other inputs from that of the data. */
function shapesOf(
  where: string,
  x: Aval | null | undefined,
  attrs: Settings,
  modulated: boolean,
): readonly (Shape | null)[] {
  if (!x) return []
  const { n, channels, out, groups, parts } = geometry(where, x, attrs)
  const taps = sizeOf(attrs.kernel)
  return [
    null,
    [n, 2 * parts * taps, ...out],
    ...(modulated ? [[n, parts * taps, ...out]] : []),
    [attrs.numFilter, channels / groups, ...attrs.kernel],
    [attrs.numFilter],
  ]
}

/**
 * A convolution whose window is bent: every tap reads where an offset of its own points, between elements.
 *
 * `out[n, f, i] = Σ_{c, k} weight[f, c, k]·data[n, c, i·stride + k·dilate - pad + offset[n, k, i]] + bias[f]`;
 * `(N, C, H, W), (N, 2·D·K, h, w), (F, C/G, …kernel), (F,) -> (N, F, h, w)` with K taps and D deformable groups, each
 * offset down, then across. Taps outside of the map read 0. Float dtypes.
 * @throws MXNetError when shapes do not fit.
 * @example
 * const [x, offset, weight] = [nd.ones([1, 2, 5, 5]), nd.zeros([1, 18, 3, 3]), nd.ones([4, 2, 3, 3])]
 * nd.contrib.deformableConvolution(x, offset, weight, null, { kernel: [3, 3], numFilter: 4, noBias: true }).shape // => [1, 4, 3, 3]
 * @see MXNet `_contrib_DeformableConvolution`
 */
export function deformableConvolution<T extends Tensor>(
  data: T,
  offset: T,
  weight: T,
  ...rest:
    | [attrs: DeformableConvolutionOptions]
    | [bias: T | null | undefined, attrs: DeformableConvolutionOptions]
): T {
  const [arrays, attrs] = arraysThenOptions<T, DeformableConvolutionOptions>(rest)
  return apply(convolutionOp, [data, offset, weight, ...arrays], attrs)
}

/**
 * `deformableConvolution` in which every tap also has a weight of its own, the mask; around the map lies a border of zeros.
 *
 * `out[n, f, i] = Σ_{c, k} weight[f, c, k]·mask[n, k, i]·data[n, c, …] + bias[f]`;
 * `(N, C, H, W), (N, 2·D·K, h, w), (N, D·K, h, w), (F, C/G, …kernel), (F,) -> (N, F, h, w)`. Float dtypes.
 * @throws MXNetError when shapes do not fit.
 * @example
 * const [x, offset, mask] = [nd.ones([1, 2, 5, 5]), nd.zeros([1, 18, 3, 3]), nd.ones([1, 9, 3, 3])]
 * const attrs = { kernel: [3, 3], numFilter: 4, noBias: true }
 * nd.contrib.modulatedDeformableConvolution(x, offset, mask, nd.ones([4, 2, 3, 3]), null, attrs).shape // => [1, 4, 3, 3]
 * @see MXNet `_contrib_ModulatedDeformableConvolution`
 */
export function modulatedDeformableConvolution<T extends Tensor>(
  data: T,
  offset: T,
  mask: T,
  weight: T,
  ...rest:
    | [attrs: ModulatedDeformableConvolutionOptions]
    | [bias: T | null | undefined, attrs: ModulatedDeformableConvolutionOptions]
): T {
  const [arrays, attrs] = arraysThenOptions<T, ModulatedDeformableConvolutionOptions>(rest)
  return apply(modulatedOp, [data, offset, mask, weight, ...arrays], attrs)
}

const poolingAttrs = {
  spatialScale: attr.float<undefined>(undefined),
  outputDim: attr.int<undefined>(undefined, { min: 1 }),
  groupSize: attr.int<undefined>(undefined, { min: 1 }),
  pooledSize: attr.int<undefined>(undefined, { min: 1 }),
  partSize: attr.int(0, { min: 0 }),
  samplePerPart: attr.int(1, { min: 1 }),
  transStd: attr.float(0),
  noTrans: attr.bool(false),
}
/** Options of `deformablePSROIPooling`. */
export type DeformablePSROIPoolingOptions = Given<typeof poolingAttrs>

const poolingOp = defineOp({
  name: '_contrib_DeformablePSROIPooling',
  inputs: ['data', 'rois', 'trans?'],
  attrs: poolingAttrs,
  body: ([data, rois, trans], attrs) => {
    const where = '_contrib_DeformablePSROIPooling'
    const { outputDim: dim, groupSize: group, pooledSize: bins, samplePerPart: per } = attrs
    if (data!.shape.length !== 4 || !isFloat(data!.dtype))
      fail(
        where,
        `data is ${data!.dtype} ${formatShape(data!.shape)}: it must be floats (N, C, H, W)`,
      )
    const [n, channels, h, w] = data!.shape as [number, number, number, number]
    if (channels !== dim * group * group)
      fail(where, `${channels} channels must be outputDim·groupSize² = ${dim * group * group}`)
    if (rois!.shape.length !== 2 || rois!.shape[1] !== 5)
      fail(where, `rois ${formatShape(rois!.shape)} must be (R, 5): image, x1, y1, x2, y2`)
    const count = rois!.shape[0]!
    const parts = attrs.partSize === 0 ? bins : attrs.partSize
    const shifted = !attrs.noTrans
    if (shifted && trans === undefined)
      return fail(where, 'trans is missing: give it, or set noTrans')
    const classes = shifted ? trans!.shape[1]! / 2 : 1
    if (shifted && (!Number.isInteger(dim / classes) || classes === 0))
      fail(
        where,
        `trans ${formatShape(trans!.shape)}: its pairs of channels must divide outputDim ${dim}`,
      )
    if (shifted) checkShape(where, 'trans', trans!, [count, 2 * classes, parts, parts])
    const shape = [count, dim, bins, bins]
    if (data!.size === 0 || count === 0) return filled(shape, 0, data!.dtype)
    const { dtype } = data!
    const boxes = castTo(rois!, dtype)
    const corner = (k: number): Tensor => reshapeTo(part(boxes, k), [count, 1, 1, 1, 1, 1])
    const start = (k: number): Tensor =>
      pointwise([corner(k)], ([v]) => edge(unary('round', v!), attrs.spatialScale))
    const extent = (k: number): Tensor =>
      pointwise([corner(k), corner(k + 2)], ([a, b]) => {
        const end = edge(add(unary('round', b!), num(b!, 1)), attrs.spatialScale)
        return binary('max', sub(end, edge(unary('round', a!), attrs.spatialScale)), num(a!, 0.1))
      })
    // Samples over (box, class of offsets, bin down, bin across, sample down, sample across).
    const grid = [count, classes, bins, bins, per, per]
    const moved = (axis: 0 | 1): Tensor => {
      const [from, size] = [start(axis + 1), extent(axis + 1)]
      const [bin, sample] = axis === 0 ? [index(3), index(5)] : [index(2), index(4)]
      const places = mapTensors(
        add(
          mul(cast(bin, dtype), constant(1 / bins, dtype)),
          mul(cast(sample, dtype), constant(1 / (bins * per), dtype)),
        ),
        grid,
        [],
      )
      if (!shifted) return pointwise([from, size, places], ([a, s, p]) => add(a!, mul(p!, s!)))
      const own = partsOf(castTo(trans!, dtype), [count, classes, parts], bins, axis)
      return pointwise([from, size, places, own], ([a, s, p, t]) =>
        add(a!, mul(add(p!, mul(t!, num(t!, attrs.transStd))), s!)),
      )
    }
    const [x, y] = [moved(0), moved(1)]
    const inside = pointwise([y, x], ([p, q]) => {
      const near = (v: Expr, d: number): Expr =>
        both(compare('ge', v, num(v, -0.5)), compare('le', v, num(v, d - 0.5)))
      return cast(both(near(p!, h), near(q!, w)), dtype)
    })
    // Values over (box, class, channel of the class, …): channels of one class share their samples.
    const each = dim / classes
    const apart = (t: Tensor): Tensor => reshapeTo(t, [count, classes, 1, bins, bins, per, per])
    const channel = mapTensors(
      add(
        mul(
          add(
            mul(add(mul(index(0), int(each)), index(1)), int(group)),
            partOf(index(2), bins, group),
          ),
          int(group),
        ),
        partOf(index(3), bins, group),
      ),
      [classes, each, bins, bins],
      [],
    )
    const base = pointwise(
      [
        reshapeTo(part(boxes, 0), [count, 1, 1, 1, 1, 1, 1]),
        reshapeTo(channel, [classes, each, bins, bins, 1, 1]),
      ],
      ([b, c]) => {
        const image = cast(within(b!, 0, n - 1), 'int32')
        return mul(add(mul(image, int(channels)), c!), int(h * w))
      },
    )
    const held = (t: Tensor, d: number): Tensor =>
      pointwise([apart(t)], ([v]) => within(v!, 0, d - 1))
    const flat = reshapeTo(data!, [data!.size])
    const values = interpolate({ flat, base, size: [h, w] }, held(y, h), held(x, w))
    const total = reduce(
      pointwise([values, apart(inside)], ([v, m]) => mul(v!, m!)),
      'sum',
      [5, 6],
    )
    const found = reshapeTo(reduce(inside, 'sum', [4, 5]), [count, classes, 1, bins, bins])
    const mean = pointwise([total, found], ([t, c]) => div(t!, binary('max', c!, num(c!, 1))))
    return reshapeTo(mean, shape)
  },
})

/** The edge of a box on the map: half an element before its pixel. */
const edge = (pixel: Expr, scale: number): Expr =>
  sub(mul(pixel, num(pixel, scale)), num(pixel, 0.5))

/** The offset across (0) or down (1) of each bin: trans (R, 2·classes, parts, parts) -> (R, classes, bins, bins, 1, 1). */
function partsOf(
  trans: Tensor,
  [count, classes, parts]: readonly number[],
  bins: number,
  axis: 0 | 1,
): Tensor {
  const pairs = permuteAxes(
    reshapeTo(trans, [count!, classes!, 2, parts!, parts!]),
    [0, 1, 3, 4, 2],
  )
  const places = mapTensors(partOf(index(0), bins, parts!), [bins], [])
  const own = gather(gather(part(pairs, axis), places, 2), places, 3)
  return reshapeTo(own, [count!, classes!, bins, bins, 1, 1])
}

/**
 * Position-sensitive means over boxes whose bins are shifted by learned offsets: each bin reads a channel of its own.
 *
 * `(N, outputDim·groupSize², H, W), (R, 5), (R, 2·classes, partSize, partSize) -> (R, outputDim, pooledSize, pooledSize)`; boxes as
 * in `psroiPooling`; a bin moves by `trans·transStd` of the box, and is the mean of `samplePerPart²` samples between elements.
 * Differentiable in data and trans. Float dtypes of data, kept.
 * @throws MXNetError when shapes do not fit.
 * @example
 * const options = { spatialScale: 1, outputDim: 2, groupSize: 2, pooledSize: 2, noTrans: true }
 * nd.contrib.deformablePSROIPooling(nd.ones([1, 8, 6, 6]), nd.array([[0, 1, 1, 4, 4]]), null, options).shape // => [1, 2, 2, 2]
 * @see MXNet `_contrib_DeformablePSROIPooling`
 */
export function deformablePSROIPooling<T extends Tensor>(
  data: T,
  rois: T,
  ...rest:
    | [attrs: DeformablePSROIPoolingOptions]
    | [trans: T | null | undefined, attrs: DeformablePSROIPoolingOptions]
): T {
  const [arrays, attrs] = arraysThenOptions<T, DeformablePSROIPoolingOptions>(rest)
  return apply(poolingOp, [data, rois, ...arrays], attrs)
}
