/** Operators on images (H, W, C): tensors, sizes, windows and flips; with the colours, the namespace `nd.image`. */

import { isFloat } from '../base/dtype.ts'
import { fail } from '../base/error.ts'
import { formatShape } from '../base/shape.ts'
import { apply } from '../core/apply.ts'
import { attr, type Given } from '../core/attrs.ts'
import { defineOp } from '../core/op.ts'
import type { Tensor } from '../core/tensor.ts'
import { add, num } from '../prim/arithmetic.ts'
import { binary, compare, select, unary } from '../prim/expr.ts'
import { castTo, permuteAxes, pointwise, sliceOf } from '../prim/primitive.ts'
import { channelTable, heightAxis, saturated } from './pixels.ts'
import { area, computing, cubic, keepingRatio, linear, nearest, resample } from './resampling.ts'
import { uniformNumber } from './samples.ts'

export * from './colours.ts'

const toTensorOp = defineOp({
  name: '_image_to_tensor',
  inputs: ['data'],
  body: ([x]) => {
    const axis = heightAxis('to_tensor', x!)
    const order = axis === 0 ? [2, 0, 1] : [0, 3, 1, 2]
    const scaled = pointwise([castTo(x!, 'float32')], ([v]) => binary('div', v!, num(v!, 255)))
    return permuteAxes(scaled, order)
  },
})

/**
 * An image as a tensor: channels first, divided by 255 whatever the dtype.
 *
 * `(H, W, C) -> (C, H, W)`, or a batch of such; float32.
 * @throws MXNetError unless the data is an image or a batch of images.
 * @example
 * nd.image.toTensor(nd.zeros([4, 5, 3], { dtype: 'uint8' })).shape // => [3, 4, 5]
 * @see MXNet `_image_to_tensor`
 */
export function toTensor<T extends Tensor>(data: T): T {
  return apply(toTensorOp, [data])
}

const normalizeAttrs = { mean: attr.floats([0]), std: attr.floats([1]) }

const normalizeOp = defineOp({
  name: '_image_normalize',
  inputs: ['data'],
  attrs: normalizeAttrs,
  body: ([x], { mean, std }) => {
    const axis = heightAxis('normalize', x!)
    const channels = x!.shape[axis]!
    for (const list of [mean, std])
      if (list.length !== 1 && list.length !== channels)
        fail(
          'normalize',
          `${list.length} numbers are given for ${channels} channels: one, or one for each`,
        )
    if (!isFloat(x!.dtype)) fail('normalize', `data is ${x!.dtype}: use toTensor first`)
    return pointwise([x!], ([v]) =>
      binary('div', binary('sub', v!, channelTable(mean, axis, v!)), channelTable(std, axis, v!)),
    )
  },
})

/**
 * Channels shifted and scaled: `(x - mean) / std`.
 *
 * `(C, H, W) -> (C, H, W)`, or a batch of such; float dtypes. One number for all channels, or one for each.
 * @throws MXNetError when the numbers do not fit the channels.
 * @example
 * await nd.image.normalize(nd.ones([1, 1, 1]), { mean: 0.5, std: 0.5 }).asArray() // => [[[1]]]
 * @see MXNet `_image_normalize`
 */
export function normalize<T extends Tensor>(
  data: T,
  options?: {
    readonly mean?: number | readonly number[]
    readonly std?: number | readonly number[]
  },
): T {
  return apply(normalizeOp, [data], options as Given<typeof normalizeAttrs>)
}

const resizeAttrs = {
  size: attr.ints(undefined, { above: 0 }),
  keepRatio: attr.bool(false),
  interp: attr.int(1, { min: 0, max: 3 }),
}

const resizeOp = defineOp({
  name: '_image_resize',
  aliases: ['_cvimresize'],
  inputs: ['data'],
  attrs: resizeAttrs,
  body: ([x], { size, keepRatio, interp }) => {
    const axis = heightAxis('resize', x!)
    const from = x!.shape.slice(axis, axis + 2) as [number, number]
    if (size.length > 2 || size.length === 0)
      fail('resize', 'size is one number, or width and height')
    if (from.includes(0)) fail('resize', `the image ${formatShape(x!.shape)} is empty`)
    const [w, h] = size
    const to = h !== undefined ? [h, w!] : keepRatio ? keepingRatio(from, w!) : ([w!, w!] as const)
    const weight = (n: number, m: number) => {
      if (interp === 0) return nearest(n, m)
      if (interp === 2) return cubic(n, m)
      return interp === 3 && m < n ? area(n, m) : linear(n, m, 'centres')
    }
    const type = computing(x!)
    const y = [0, 1].reduce(
      (t, k) => resample(t, axis + k, to[k]!, weight(from[k]!, to[k]!)),
      castTo(x!, type),
    )
    if (isFloat(x!.dtype)) return y
    return pointwise([y], ([v]) => saturated(unary('floor', add(v!, num(v!, 0.5))), x!.dtype))
  },
})

/**
 * An image in another size, given as one number (a square, or the shorter side with `keepRatio`) or as width and height.
 *
 * `interp`: 0 nearest, 1 linear, 2 cubic, 3 area (linear when enlarging). `(H, W, C) -> (h, w, C)`, or a batch of
 * such; keeps the dtype.
 * @throws MXNetError when the image is empty.
 * @example
 * nd.image.resize(nd.ones([4, 6, 3]), { size: [3, 2] }).shape // => [2, 3, 3]
 * @see MXNet `_image_resize`
 */
export function resize<T extends Tensor>(
  data: T,
  options: {
    readonly size: number | readonly number[]
    readonly keepRatio?: boolean
    readonly interp?: number
  },
): T {
  return apply(resizeOp, [data], options as Given<typeof resizeAttrs>)
}

const cropAttrs = {
  x: attr.int(undefined, { min: 0 }),
  y: attr.int(undefined, { min: 0 }),
  width: attr.int(undefined, { above: 0 }),
  height: attr.int(undefined, { above: 0 }),
}

const cropOp = defineOp({
  name: '_image_crop',
  inputs: ['data'],
  attrs: cropAttrs,
  body: ([image], { x, y, width, height }) => {
    const axis = heightAxis('crop', image!)
    const [h, w] = image!.shape.slice(axis) as [number, number]
    if (x + width > w || y + height > h)
      fail('crop', `a window of ${width}×${height} at (${x}, ${y}) does not lie in ${w}×${h}`)
    const shape = image!.shape.with(axis, height).with(axis + 1, width)
    const begin = shape.map((_, i) => (i === axis ? y : i === axis + 1 ? x : 0))
    return sliceOf(
      image!,
      begin,
      shape.map(() => 1),
      shape,
    )
  },
})

/**
 * A window of an image: `width` by `height` from column x and row y.
 *
 * `(H, W, C) -> (height, width, C)`, or a batch of such; keeps the dtype.
 * @throws MXNetError when the window does not lie inside.
 * @example
 * nd.image.crop(nd.ones([4, 5, 3]), { x: 1, y: 0, width: 3, height: 2 }).shape // => [2, 3, 3]
 * @see MXNet `_image_crop`
 */
export function crop<T extends Tensor>(data: T, attrs: Given<typeof cropAttrs>): T {
  return apply(cropOp, [data], attrs)
}

/** The image with an axis (0 the rows, 1 the columns) turned around. */
function turned(x: Tensor, axis: number): Tensor {
  const begin = x.shape.map((d, i) => (i === axis ? Math.max(d - 1, 0) : 0))
  return sliceOf(
    x,
    begin,
    x.shape.map((_, i) => (i === axis ? -1 : 1)),
    x.shape,
  )
}

const flips = ['left_right', 'top_bottom'] as const
const [flipLeftRightOp, flipTopBottomOp] = flips.map((name) =>
  defineOp({
    name: `_image_flip_${name}`,
    inputs: ['data'],
    body: ([x]) => turned(x!, heightAxis(`flip_${name}`, x!) + (name === 'left_right' ? 1 : 0)),
  }),
)
const [randomFlipLeftRightOp, randomFlipTopBottomOp] = flips.map((name) =>
  defineOp({
    name: `_image_random_flip_${name}`,
    inputs: ['data'],
    attrs: { p: attr.float(0.5, { min: 0, max: 1 }) },
    traits: { random: true },
    body: ([x], { p }, keys) => {
      const axis = heightAxis(`random_flip_${name}`, x!) + (name === 'left_right' ? 1 : 0)
      return pointwise([x!, turned(x!, axis), uniformNumber(keys, 0)], ([v, t, u]) =>
        select(compare('lt', u!, num(u!, p)), t!, v!),
      )
    },
  }),
)

/**
 * An image with left and right exchanged.
 *
 * `(H, W, C) -> (H, W, C)`, or a batch of such; keeps the dtype.
 * @example
 * await nd.image.flipLeftRight(nd.array([[[1], [2]]])).asArray() // => [[[2], [1]]]
 * @see MXNet `_image_flip_left_right`
 */
export function flipLeftRight<T extends Tensor>(data: T): T {
  return apply(flipLeftRightOp!, [data])
}

/**
 * An image with top and bottom exchanged.
 *
 * `(H, W, C) -> (H, W, C)`, or a batch of such; keeps the dtype.
 * @example
 * await nd.image.flipTopBottom(nd.array([[[1]], [[2]]])).asArray() // => [[[2]], [[1]]]
 * @see MXNet `_image_flip_top_bottom`
 */
export function flipTopBottom<T extends Tensor>(data: T): T {
  return apply(flipTopBottomOp!, [data])
}

/**
 * An image with left and right exchanged with probability `p` (0.5).
 *
 * `(H, W, C) -> (H, W, C)`; keeps the dtype.
 * @example
 * await nd.image.randomFlipLeftRight(nd.array([[[1], [2]]]), { p: 1 }).asArray() // => [[[2], [1]]]
 * @see MXNet `_image_random_flip_left_right`
 */
export function randomFlipLeftRight<T extends Tensor>(
  data: T,
  options?: { readonly p?: number },
): T {
  return apply(randomFlipLeftRightOp!, [data], options)
}

/**
 * An image with top and bottom exchanged with probability `p` (0.5).
 *
 * `(H, W, C) -> (H, W, C)`; keeps the dtype.
 * @example
 * await nd.image.randomFlipTopBottom(nd.array([[[1]], [[2]]]), { p: 0 }).asArray() // => [[[1]], [[2]]]
 * @see MXNet `_image_random_flip_top_bottom`
 */
export function randomFlipTopBottom<T extends Tensor>(
  data: T,
  options?: { readonly p?: number },
): T {
  return apply(randomFlipTopBottomOp!, [data], options)
}
