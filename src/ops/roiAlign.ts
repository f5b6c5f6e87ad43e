/** Means over regions of feature maps, along their axes, turned, or by position: ROIAlign, RROIAlign, PSROIPooling. */

import { fail } from '../base/error.ts'
import { formatShape } from '../base/shape.ts'
import { apply } from '../core/apply.ts'
import { attr, type Given } from '../core/attrs.ts'
import { defineOp, OpDef } from '../core/op.ts'
import type { Tensor } from '../core/tensor.ts'
import { callRoutine } from '../prim/call.ts'
import { castTo } from '../prim/primitive.ts'
import { type RegionKind, regionKinds } from '../prim/routines/roi.ts'
import { checkMap } from './spatial.ts'

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
  name: 'gradient of region means',
  inputs: ['rois', 'dy'],
  attrs: { settings: attr.opaque<RoiSettings>(json) },
  body: ([rois, dy], { settings }) => {
    const { numbers, data } = settings as RoiSettings
    return callRoutine('roiAlignBack', [rois!, dy!], numbers, data, dy!.dtype)
  },
  grad: ({ inputs, dys, attrs }) => [null, apply(roiOp, [dys[0]!, inputs[0]!], attrs as never)],
}) as unknown as OpDef

const roiOp: OpDef = new OpDef({
  name: 'region means',
  inputs: ['data', 'rois'],
  attrs: { settings: attr.opaque<RoiSettings>(json) },
  body: ([x, rois], { settings }) => {
    const { numbers, out } = settings as RoiSettings
    return callRoutine('roiAlign', [x!, rois!], numbers, out)
  },
  grad: ({ inputs, dys, attrs }) => [apply(roiBackOp, [inputs[1]!, dys[0]!], attrs as never), null],
}) as unknown as OpDef

/** How a kind of regions is pooled: bins, samples, and the groups of channels of position-sensitive maps. */
interface Bins {
  readonly kind: RegionKind
  readonly pooled: readonly [down: number, across: number]
  readonly scale: number
  readonly samples: number
  /** Channels stand in groups for the parts (down, across) of a region; none without them. */
  readonly groups: readonly [down: number, across: number] | null
}

/** Numbers a region has: its map, and its place. */
const widths: Record<RegionKind, number> = { legacy: 5, aligned: 5, rotated: 6, pixels: 5 }

/** The mean of samples in each bin of each region: (N, C, H, W), (R, …) -> (R, C / groups, down, across). */
function regionMeans(where: string, x: Tensor, rois: Tensor, bins: Bins): Tensor {
  const { kind, pooled, scale, samples, groups } = bins
  const [n, c, h, w] = checkMap(where, x)
  const width = widths[kind]
  if (rois.shape.length !== 2 || rois.shape[1] !== width)
    fail(where, `rois have shape ${formatShape(rois.shape)}: they must be (R, ${width})`)
  const [groupsDown, groupsAcross] = groups ?? [1, 1]
  if (c % (groupsDown * groupsAcross) !== 0)
    fail(where, `${c} channels do not divide by ${groupsDown}·${groupsAcross}`)
  const regions = rois.shape[0]!
  const settings: RoiSettings = {
    numbers: [
      ...[n, c, h, w, regions, ...pooled, scale, samples],
      ...[regionKinds.indexOf(kind), groupsDown, groupsAcross],
    ],
    data: x.shape,
    out: [regions, c / (groupsDown * groupsAcross), ...pooled],
  }
  return apply(roiOp, [x, castTo(rois, x.dtype)], { settings } as never)
}

const roiAlignOp = defineOp({
  name: '_contrib_ROIAlign',
  inputs: ['data', 'rois'],
  attrs: roiAttrs,
  body: ([x, rois], { pooledSize, spatialScale, sampleRatio, positionSensitive, aligned }) => {
    const [down, across = down] = pooledSize as [number, number?]
    return regionMeans('_contrib_ROIAlign', x!, rois!, {
      kind: aligned ? 'aligned' : 'legacy',
      pooled: [down, across],
      scale: spatialScale,
      samples: sampleRatio,
      groups: positionSensitive ? [down, across] : null,
    })
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

const rotatedAttrs = {
  pooledSize: attr.ints(undefined, { above: 0 }),
  spatialScale: attr.float(),
  samplingRatio: attr.int(-1),
}

const rotatedOp = defineOp({
  name: '_contrib_RROIAlign',
  inputs: ['data', 'rois'],
  attrs: rotatedAttrs,
  body: ([x, rois], { pooledSize, spatialScale, samplingRatio }) => {
    const [down, across = down] = pooledSize as [number, number?]
    return regionMeans('_contrib_RROIAlign', x!, rois!, {
      kind: 'rotated',
      pooled: [down, across],
      scale: spatialScale,
      samples: samplingRatio,
      groups: null,
    })
  },
})

/**
 * `roiAlign` of turned regions: each is the number of its map, its middle, width and height, and an angle in degrees.
 *
 * `(N, C, H, W), (R, 6) -> (R, C, h, w)`; keeps the dtype. Middle and size are multiplied by `spatialScale`; a point (x, y) of the
 * region lies at `(x·cos θ + y·sin θ, y·cos θ - x·sin θ)` from its middle. No gradient for the regions.
 * @throws MXNetError when the shapes do not fit.
 * @example
 * const region = nd.array([[0, 3, 3, 4, 2, 30]])
 * nd.contrib.rroiAlign(nd.ones([1, 2, 6, 6]), region, { pooledSize: [2, 3], spatialScale: 1 }).shape // => [1, 2, 2, 3]
 * @see MXNet `_contrib_RROIAlign`
 */
export function rroiAlign<T extends Tensor>(
  data: T,
  rois: T,
  attrs: Omit<Given<typeof rotatedAttrs>, 'pooledSize'> & {
    readonly pooledSize: number | readonly number[]
  },
): T {
  return apply(rotatedOp, [data, rois], attrs as Given<typeof rotatedAttrs>)
}

const sensitiveAttrs = {
  spatialScale: attr.float(),
  outputDim: attr.int(undefined, { above: 0 }),
  pooledSize: attr.int(undefined, { above: 0 }),
  groupSize: attr.int(0, { min: 0 }),
}

const sensitiveOp = defineOp({
  name: '_contrib_PSROIPooling',
  inputs: ['data', 'rois'],
  attrs: sensitiveAttrs,
  body: ([x, rois], { spatialScale, outputDim, pooledSize, groupSize }) => {
    const where = '_contrib_PSROIPooling'
    const group = groupSize === 0 ? pooledSize : groupSize
    if (x!.shape[1] !== outputDim * group * group)
      fail(
        where,
        `${x!.shape[1]} channels must be outputDim·groupSize² = ${outputDim * group * group}`,
      )
    return regionMeans(where, x!, rois!, {
      kind: 'pixels',
      pooled: [pooledSize, pooledSize],
      scale: spatialScale,
      samples: 0,
      groups: [group, group],
    })
  },
})

/**
 * Position-sensitive pooling: the mean of the pixels in each bin of a box, each part of the box in channels of its own.
 *
 * `(N, outputDim·groupSize², H, W), (R, 5) -> (R, outputDim, pooledSize, pooledSize)`; keeps the dtype. A box is the number of its map and
 * rounded corners, the last pixel included, times `spatialScale`; `groupSize` is `pooledSize` unless given; empty bins are 0. No
 * gradient for the boxes.
 * @throws MXNetError when the shapes do not fit.
 * @example
 * const options = { spatialScale: 1, outputDim: 2, pooledSize: 2 }
 * nd.contrib.psroiPooling(nd.ones([1, 8, 6, 6]), nd.array([[0, 1, 1, 4, 4]]), options).shape // => [1, 2, 2, 2]
 * @see MXNet `_contrib_PSROIPooling`
 */
export function psroiPooling<T extends Tensor>(
  data: T,
  rois: T,
  attrs: Given<typeof sensitiveAttrs>,
): T {
  return apply(sensitiveOp, [data, rois], attrs)
}
