/** ROIPooling: the largest element in each bin of boxes on images. */

import { isFloat } from '../base/dtype.ts'
import { fail } from '../base/error.ts'
import { formatShape } from '../base/shape.ts'
import { apply } from '../core/apply.ts'
import { attr, type Given } from '../core/attrs.ts'
import { defineOp } from '../core/op.ts'
import type { Tensor } from '../core/tensor.ts'
import { callRoutine } from '../prim/call.ts'
import { binary, compare, constant, select } from '../prim/expr.ts'
import { filled, gather, pointwise, reshapeTo } from '../prim/primitive.ts'

const roiPoolingAttrs = {
  pooledSize: attr.ints<undefined>(undefined, { min: 1 }),
  spatialScale: attr.float(),
}

const roiPoolingOp = defineOp({
  name: 'ROIPooling',
  inputs: ['data', 'rois'],
  attrs: roiPoolingAttrs,
  body: ([data, rois], { pooledSize, spatialScale }) => {
    const where = 'ROIPooling'
    if (data!.shape.length !== 4 || !isFloat(data!.dtype))
      fail(
        where,
        `data is ${data!.dtype} ${formatShape(data!.shape)}: it must be floats (N, C, H, W)`,
      )
    if (rois!.shape.length !== 2 || rois!.shape[1] !== 5)
      fail(where, `rois ${formatShape(rois!.shape)} must be (R, 5): image, x1, y1, x2, y2`)
    if (pooledSize.length !== 2)
      fail(where, `pooledSize ${formatShape(pooledSize)} must have 2 sizes`)
    const [count, channels] = [rois!.shape[0]!, data!.shape[1]!]
    const shape = [count, channels, ...pooledSize]
    if (data!.size === 0) return filled(shape, 0, data!.dtype)
    const numbers = [...data!.shape, count, ...pooledSize, spatialScale]
    const places = callRoutine('roiPool', [data!, rois!], numbers, shape, 'int32')
    const none = constant(0, 'int32')
    const inside = pointwise([places], ([p]) => binary('max', p!, none))
    const taken = gather(reshapeTo(data!, [data!.size]), inside, 0)
    return pointwise([taken, places], ([v, p]) =>
      select(compare('ge', p!, none), v!, constant(0, v!.dtype)),
    )
  },
})

/**
 * The largest element in each bin of boxes on images; empty bins give 0.
 *
 * `(N, C, H, W), (R, 5) -> (R, C, …pooledSize)`; a box is the number of its image and its corners x1, y1, x2, y2, which are
 * multiplied by `spatialScale`, rounded, and both belong to it. Float dtypes of data, kept.
 * @throws MXNetError when data or boxes do not have these shapes.
 * @example
 * const box = nd.array([[0, 0, 0, 3, 3]])
 * nd.roiPooling(nd.ones([1, 2, 4, 4]), box, { pooledSize: [2, 2], spatialScale: 1 }).shape // => [1, 2, 2, 2]
 * @see MXNet `ROIPooling`
 */
export function roiPooling<T extends Tensor>(
  data: T,
  rois: T,
  attrs: Given<typeof roiPoolingAttrs>,
): T {
  return apply(roiPoolingOp, [data, rois], attrs)
}
