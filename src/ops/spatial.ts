/** Feature maps in another size, and pooled over regions: AdaptiveAvgPooling2D, BilinearResize2D, ROIAlign. */

import { fail } from '../base/error.ts'
import { formatShape } from '../base/shape.ts'
import { apply } from '../core/apply.ts'
import { attr, type Given } from '../core/attrs.ts'
import { defineOp, OpDef } from '../core/op.ts'
import type { Tensor } from '../core/tensor.ts'
import { callRoutine } from '../prim/call.ts'
import { castTo } from '../prim/primitive.ts'
import { adaptive, linear, resample } from './resampling.ts'

function checkMap(where: string, x: Tensor): [number, number, number, number] {
  if (x.shape.length !== 4)
    fail(where, `data has shape ${formatShape(x.shape)}: it must be (N, C, H, W)`)
  if (x.shape[2] === 0 || x.shape[3] === 0) fail(where, `the map ${formatShape(x.shape)} is empty`)
  return x.shape as unknown as [number, number, number, number]
}

const poolAttrs = { outputSize: attr.ints([], { above: 0 }) }

const adaptiveOp = defineOp({
  name: '_contrib_AdaptiveAvgPooling2D',
  inputs: ['data'],
  attrs: poolAttrs,
  body: ([x], { outputSize }) => {
    const [, , h, w] = checkMap('_contrib_AdaptiveAvgPooling2D', x!)
    if (outputSize.length > 2)
      fail(
        '_contrib_AdaptiveAvgPooling2D',
        `outputSize has ${outputSize.length} numbers: give one or two`,
      )
    const [oh = 1, ow = oh] = outputSize
    return resample(resample(x!, 2, oh, adaptive(h, oh)), 3, ow, adaptive(w, ow))
  },
})

/**
 * Means over as many regions as asked for: one (the default), a square of them, or rows and columns.
 *
 * `(N, C, H, W) -> (N, C, h, w)`; region i reaches from ⌊i·H/h⌋ to ⌈(i + 1)·H/h⌉; keeps the dtype.
 * @throws MXNetError unless the data is a feature map.
 * @example
 * nd.contrib.adaptiveAvgPooling2D(nd.ones([1, 2, 5, 6]), { outputSize: [2, 3] }).shape // => [1, 2, 2, 3]
 * @see MXNet `_contrib_AdaptiveAvgPooling2D`
 */
export function adaptiveAvgPooling2D<T extends Tensor>(
  data: T,
  options?: { readonly outputSize?: number | readonly number[] },
): T {
  return apply(adaptiveOp, [data], options as Given<typeof poolAttrs>)
}

const resizeAttrs = {
  height: attr.int(1, { above: 0 }),
  width: attr.int(1, { above: 0 }),
  scaleHeight: attr.optional(attr.float(undefined, { above: 0 })),
  scaleWidth: attr.optional(attr.float(undefined, { above: 0 })),
  mode: attr.oneOf(
    ['size', 'odd_scale', 'like', 'to_even_down', 'to_even_up', 'to_odd_down', 'to_odd_up'],
    'size',
  ),
  alignCorners: attr.bool(true),
}

const even = (d: number): boolean => d % 2 === 0
/** What the modes that name no size make of one. */
const toward: { readonly [mode: string]: (d: number) => number } = {
  to_even_down: (d) => (even(d) ? d : d - 1),
  to_even_up: (d) => (even(d) ? d : d + 1),
  to_odd_down: (d) => (even(d) ? d - 1 : d),
  to_odd_up: (d) => (even(d) ? d + 1 : d),
}

const resizeOp = defineOp({
  name: '_contrib_BilinearResize2D',
  inputs: ['data', 'like?'],
  attrs: resizeAttrs,
  body: ([x, like], { height, width, scaleHeight, scaleWidth, mode, alignCorners }) => {
    const where = '_contrib_BilinearResize2D'
    const [, , h, w] = checkMap(where, x!)
    const sized = (d: number, scale: number | null, given: number): number => {
      if (toward[mode]) return toward[mode](d)
      if (scale === null) return given
      return Math.floor(mode === 'odd_scale' && !even(d) ? (d - 1) * scale + 1 : d * scale)
    }
    if (mode === 'like' && like?.shape.length !== 4)
      fail(where, 'mode like needs a second array (N, C, H, W)')
    const [oh, ow] =
      mode === 'like'
        ? (like!.shape.slice(2) as [number, number])
        : [sized(h, scaleHeight, height), sized(w, scaleWidth, width)]
    if (oh < 1 || ow < 1) fail(where, `${oh}×${ow} is no size`)
    const placement = alignCorners ? 'corners' : 'centres'
    const rows = resample(x!, 2, oh, linear(h, oh, placement))
    return resample(rows, 3, ow, linear(w, ow, placement))
  },
})

/**
 * A feature map in another size, by linear interpolation: a given size, scales, the size of another array, or the next
 * even or odd one.
 *
 * `(N, C, H, W) -> (N, C, h, w)`; keeps the dtype. With `alignCorners` (the default) corners stay corners, else pixels
 * are areas.
 * @throws MXNetError unless the data is a feature map.
 * @example
 * nd.contrib.bilinearResize2D(nd.ones([1, 2, 3, 4]), { height: 5, width: 7 }).shape // => [1, 2, 5, 7]
 * @see MXNet `_contrib_BilinearResize2D`
 */
export function bilinearResize2D<T extends Tensor>(
  data: T,
  options?: Given<typeof resizeAttrs>,
  like?: T,
): T {
  return apply(resizeOp, [data, like], options)
}

const roiAttrs = {
  pooledSize: attr.ints(undefined, { above: 0 }),
  spatialScale: attr.float(),
  sampleRatio: attr.int(-1),
  positionSensitive: attr.bool(false),
  aligned: attr.bool(false),
}

interface RoiSettings {
  readonly numbers: readonly number[]
  readonly data: readonly number[]
  readonly out: readonly number[]
}

const json = (value: unknown): string => JSON.stringify(value)

/** The gradient of the data: linear in dy, so its own gradient is the pooling again. */
const roiBackOp: OpDef = new OpDef({
  name: 'gradient of ROIAlign',
  inputs: ['rois', 'dy'],
  attrs: { settings: attr.opaque<RoiSettings>(json) },
  body: ([rois, dy], { settings }) => {
    const { numbers, data } = settings as RoiSettings
    return callRoutine('roiAlignBack', [rois!, dy!], numbers, data, dy!.dtype)
  },
  grad: ({ inputs, dys, attrs }) => [null, apply(roiOp, [dys[0]!, inputs[0]!], attrs as never)],
}) as unknown as OpDef

const roiOp: OpDef = new OpDef({
  name: 'pooling of ROIAlign',
  inputs: ['data', 'rois'],
  attrs: { settings: attr.opaque<RoiSettings>(json) },
  body: ([x, rois], { settings }) => {
    const { numbers, out } = settings as RoiSettings
    return callRoutine('roiAlign', [x!, rois!], numbers, out)
  },
  grad: ({ inputs, dys, attrs }) => [apply(roiBackOp, [inputs[1]!, dys[0]!], attrs as never), null],
}) as unknown as OpDef

const roiAlignOp = defineOp({
  name: '_contrib_ROIAlign',
  inputs: ['data', 'rois'],
  attrs: roiAttrs,
  body: ([x, rois], { pooledSize, spatialScale, sampleRatio, positionSensitive, aligned }) => {
    const where = '_contrib_ROIAlign'
    const [n, c, h, w] = checkMap(where, x!)
    if (rois!.shape.length !== 2 || rois!.shape[1] !== 5)
      fail(where, `rois have shape ${formatShape(rois!.shape)}: they must be (R, 5)`)
    const [down, across = down] = pooledSize as [number, number?]
    if (positionSensitive && c % (down * across) !== 0)
      fail(where, `${c} channels do not divide by ${down}·${across}`)
    const regions = rois!.shape[0]!
    const settings: RoiSettings = {
      numbers: [
        ...[n, c, h, w, regions, down, across, spatialScale, sampleRatio],
        ...[aligned ? 1 : 0, positionSensitive ? 1 : 0],
      ],
      data: x!.shape,
      out: [regions, positionSensitive ? c / (down * across) : c, down, across],
    }
    return apply(roiOp, [x!, castTo(rois!, x!.dtype)], { settings } as never)
  },
})

/**
 * Regions of feature maps pooled to one size: in each bin the mean of samples that are interpolated between elements.
 *
 * `(N, C, H, W), (R, 5) -> (R, C, h, w)`; keeps the dtype. A region is the number of its map and corners, times
 * `spatialScale`; `sampleRatio` samples a bin each way (below 1: as many as elements). `aligned` moves regions by half
 * an element. No gradient for the regions.
 * @throws MXNetError when the shapes do not fit.
 * @example
 * nd.contrib.roiAlign(nd.ones([1, 2, 6, 6]), nd.array([[0, 0, 0, 4, 4]]), { pooledSize: 2, spatialScale: 1 }).shape // => [1, 2, 2, 2]
 * @see MXNet `_contrib_ROIAlign`
 */
export function roiAlign<T extends Tensor>(
  data: T,
  rois: T,
  attrs: Omit<Given<typeof roiAttrs>, 'pooledSize'> & {
    readonly pooledSize: number | readonly number[]
  },
): T {
  return apply(roiAlignOp, [data, rois], attrs as Given<typeof roiAttrs>)
}
