/** Operators on images (H, W, C): the namespace `nd.image`. */

import { type DType, dtypeInfo, isFloat } from '../base/dtype.ts'
import { fail } from '../base/error.ts'
import { formatShape } from '../base/shape.ts'
import { apply } from '../core/apply.ts'
import { attr, type Given } from '../core/attrs.ts'
import { defineOp } from '../core/op.ts'
import type { Tensor } from '../core/tensor.ts'
import { binary, cast, compare, constant, type Expr, index, select, unary } from '../prim/expr.ts'
import {
  broadcastTo,
  castTo,
  mapTensors,
  permuteAxes,
  pointwise,
  reduce,
  reshapeTo,
  sliceOf,
} from '../prim/primitive.ts'
import { hueTurned } from './hue.ts'
import { area, computing, cubic, keepingRatio, linear, nearest, resample } from './resampling.ts'
import { drawn, uniformNumber } from './samples.ts'

const add = (x: Expr, y: Expr): Expr => binary('add', x, y)
const mul = (x: Expr, y: Expr): Expr => binary('mul', x, y)
const num = (like: Expr, value: number): Expr => constant(value, like.dtype)

/** Checks for an image or a batch of images; gives the axis of the height. */
function heightAxis(where: string, x: Tensor): number {
  const rank = x.shape.length
  if (rank !== 3 && rank !== 4)
    fail(where, `data has shape ${formatShape(x.shape)}: it must be (H, W, C) or (N, H, W, C)`)
  return rank - 3
}

/** A float value in the dtype of the image: bytes saturate and drop fractions. */
function saturated(v: Expr, dtype: DType): Expr {
  if (isFloat(dtype)) return cast(v, dtype)
  const { min, max } = dtypeInfo(dtype)
  return cast(binary('min', binary('max', v, num(v, min)), num(v, max)), dtype)
}

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

/** A number for each channel along axis 0 of the domain's axes. */
function channelTable(values: readonly number[], axis: number, like: Expr): Expr {
  return values.reduce<Expr>(
    (e, v, i) =>
      i === 0
        ? num(like, v)
        : select(compare('eq', index(axis), constant(i, 'int32')), num(like, v), e),
    num(like, 0),
  )
}

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

/** Weights of red, green and blue in gray. */
const grayWeights = [0.299, 0.587, 0.114] as const

/** The gray value of each pixel, with the channel axis of size 1; images of one channel are gray. */
function gray(x: Tensor): Tensor {
  const last = x.shape.length - 1
  const channels = x.shape[last]!
  if (channels !== 1 && channels !== 3) fail('image', `${channels} channels: there must be 1 or 3`)
  const weighted =
    channels === 1 ? x : pointwise([x], ([v]) => mul(v!, channelTable(grayWeights, last, v!)))
  return reshapeTo(reduce(weighted, 'sum', [last]), x.shape.with(last, 1))
}

/** Brightness: multiplied by a factor. */
const brightened = (x: Tensor, factor: Tensor): Tensor =>
  pointwise([x, factor], ([v, f]) => mul(v!, f!))

/** Blended with the mean gray of the image. */
function contrasted(x: Tensor, factor: Tensor): Tensor {
  const grays = gray(x)
  const axis = heightAxis('random_contrast', x)
  const sums = reduce(grays, 'sum', [axis, axis + 1, axis + 2])
  const count = x.shape[axis]! * x.shape[axis + 1]!
  const mean = reshapeTo(sums, [...sums.shape, 1, 1, 1])
  return pointwise([x, mean, factor], ([v, m, f]) => {
    const rest = binary('sub', num(f!, 1), f!)
    return add(mul(v!, f!), mul(rest, binary('div', m!, num(m!, Math.max(count, 1)))))
  })
}

/** Blended with the gray of each pixel. */
const saturatedBy = (x: Tensor, factor: Tensor): Tensor =>
  pointwise([x, broadcastTo(gray(x), x.shape), factor], ([v, g, f]) =>
    add(mul(v!, f!), mul(binary('sub', num(f!, 1), f!), g!)),
  )

/** Computes on an image in float32 and puts it back into its dtype. */
function inFloat(x: Tensor, f: (x: Tensor) => Tensor): Tensor {
  const type = computing(x)
  const y = f(castTo(x, type))
  return x.dtype === type ? y : pointwise([y], ([v]) => saturated(v!, x.dtype))
}

const factorAttrs = { minFactor: attr.float(), maxFactor: attr.float() }

const withFactor = (name: string, f: (x: Tensor, factor: Tensor) => Tensor) =>
  defineOp({
    name: `_image_random_${name}`,
    inputs: ['data'],
    attrs: factorAttrs,
    traits: { random: true },
    body: ([x], { minFactor, maxFactor }, keys) => {
      heightAxis(`random_${name}`, x!)
      if (maxFactor < minFactor)
        fail(`random_${name}`, `minFactor ${minFactor} is above maxFactor ${maxFactor}`)
      return inFloat(x!, (y) => f(y, castTo(drawn(keys, 0, minFactor, maxFactor), y.dtype)))
    },
  })

const brightnessOp = withFactor('brightness', brightened)
const contrastOp = withFactor('contrast', contrasted)
const saturationOp = withFactor('saturation', saturatedBy)
const hueOp = withFactor('hue', hueTurned)

/**
 * An image multiplied by a random factor between two bounds; bytes saturate.
 *
 * `(H, W, C) -> (H, W, C)`; keeps the dtype.
 * @throws MXNetError when the bounds are in the wrong order.
 * @example
 * await nd.image.randomBrightness(nd.ones([1, 1, 1]), 2, 2).asArray() // => [[[2]]]
 * @see MXNet `_image_random_brightness`
 */
export function randomBrightness<T extends Tensor>(
  data: T,
  minFactor: number,
  maxFactor: number,
): T {
  return apply(brightnessOp, [data], { minFactor, maxFactor })
}

/**
 * An image blended with its mean gray: a random factor of the image, the rest of the gray.
 *
 * `(H, W, C) -> (H, W, C)`; keeps the dtype.
 * @throws MXNetError when the bounds are in the wrong order.
 * @example
 * await nd.image.randomContrast(nd.ones([1, 1, 1]), 2, 2).asArray() // => [[[1]]]
 * @see MXNet `_image_random_contrast`
 */
export function randomContrast<T extends Tensor>(data: T, minFactor: number, maxFactor: number): T {
  return apply(contrastOp, [data], { minFactor, maxFactor })
}

/**
 * An image blended with the gray of each pixel: a random factor of the image, the rest of the gray.
 *
 * `(H, W, C) -> (H, W, C)`; keeps the dtype.
 * @throws MXNetError when the bounds are in the wrong order.
 * @example
 * await nd.image.randomSaturation(nd.ones([1, 1, 1]), 2, 2).asArray() // => [[[1]]]
 * @see MXNet `_image_random_saturation`
 */
export function randomSaturation<T extends Tensor>(
  data: T,
  minFactor: number,
  maxFactor: number,
): T {
  return apply(saturationOp, [data], { minFactor, maxFactor })
}

/**
 * An image with its hue turned by a random part of the circle.
 *
 * `(H, W, 3) -> (H, W, 3)`; keeps the dtype.
 * @throws MXNetError unless there are three channels.
 * @example
 * await nd.image.randomHue(nd.array([[[0, 0, 0]]]), 0, 1).asArray() // => [[[0, 0, 0]]]
 * @see MXNet `_image_random_hue`
 */
export function randomHue<T extends Tensor>(data: T, minFactor: number, maxFactor: number): T {
  return apply(hueOp, [data], { minFactor, maxFactor })
}

const jitterAttrs = {
  brightness: attr.float(undefined, { min: 0 }),
  contrast: attr.float(undefined, { min: 0 }),
  saturation: attr.float(undefined, { min: 0 }),
  hue: attr.float(undefined, { min: 0 }),
}

const jitterOp = defineOp({
  name: '_image_random_color_jitter',
  inputs: ['data'],
  attrs: jitterAttrs,
  traits: { random: true },
  body: ([x], { brightness, contrast, saturation, hue }, keys) => {
    heightAxis('random_color_jitter', x!)
    return inFloat(x!, (image) => {
      const factor = (k: number, by: number, middle: number): Tensor =>
        castTo(drawn(keys, k, middle - by, middle + by), image.dtype)
      let y = image
      if (brightness > 0) y = brightened(y, factor(0, brightness, 1))
      if (contrast > 0) y = contrasted(y, factor(1, contrast, 1))
      if (saturation > 0) y = saturatedBy(y, factor(2, saturation, 1))
      if (hue > 0) y = hueTurned(y, factor(3, hue, 0))
      return y
    })
  },
})

/**
 * An image with brightness, contrast, saturation and hue changed at random, in this order (MXNet draws the order).
 *
 * The first three by factors from 1 - a to 1 + a, the hue from -a to a. `(H, W, C) -> (H, W, C)`; keeps the dtype.
 * @throws MXNetError for negative amounts.
 * @example
 * nd.image.randomColorJitter(nd.ones([2, 2, 3]), { brightness: 0.1, contrast: 0, saturation: 0, hue: 0 }).shape // => [2, 2, 3]
 * @see MXNet `_image_random_color_jitter`
 */
export function randomColorJitter<T extends Tensor>(data: T, attrs: Given<typeof jitterAttrs>): T {
  return apply(jitterOp, [data], attrs)
}

/** Principal axes of the colours of ImageNet, scaled by their standard deviations: rows are red, green, blue. */
const principal = [
  [55.46 * -0.5675, 4.794 * 0.7192, 1.148 * 0.4009],
  [55.46 * -0.5808, 4.794 * -0.0045, 1.148 * -0.814],
  [55.46 * -0.5836, 4.794 * -0.6948, 1.148 * 0.4203],
] as const

/** The image with colours moved along the principal axes by three numbers. */
function lit(x: Tensor, alpha: readonly Tensor[]): Tensor {
  const last = x.shape.length - 1
  heightAxis('adjust_lighting', x)
  if (x.shape[last] !== 3) fail('adjust_lighting', `${x.shape[last]} channels: there must be 3`)
  return inFloat(x, (image) =>
    pointwise([image, ...alpha.map((a) => castTo(a, image.dtype))], ([v, ...as]) =>
      as.reduce(
        (sum, a, k) =>
          add(
            sum,
            mul(
              a,
              channelTable(
                principal.map((row) => row[k]!),
                last,
                v!,
              ),
            ),
          ),
        v!,
      ),
    ),
  )
}

const lightingOp = defineOp({
  name: '_image_adjust_lighting',
  inputs: ['data'],
  attrs: { alpha: attr.floats() },
  body: ([x], { alpha }) => {
    if (alpha.length !== 3) fail('adjust_lighting', `alpha has ${alpha.length} numbers: give three`)
    return lit(
      x!,
      alpha.map((a) => mapTensors(constant(a, 'float64'), [], [])),
    )
  },
})

/**
 * An image with its colours moved along the principal axes of ImageNet's colours by three numbers.
 *
 * `(H, W, 3) -> (H, W, 3)`; keeps the dtype; bytes saturate.
 * @throws MXNetError unless there are three channels and three numbers.
 * @example
 * nd.image.adjustLighting(nd.ones([2, 2, 3]), [0.1, 0, 0]).shape // => [2, 2, 3]
 * @see MXNet `_image_adjust_lighting`
 */
export function adjustLighting<T extends Tensor>(data: T, alpha: readonly number[]): T {
  return apply(lightingOp, [data], { alpha })
}

const randomLightingOp = defineOp({
  name: '_image_random_lighting',
  inputs: ['data'],
  attrs: { alphaStd: attr.float(0.05, { min: 0 }) },
  traits: { random: true },
  body: ([x], { alphaStd }, keys) =>
    lit(
      x!,
      [0, 1, 2].map((k) => drawn(keys, k, 0, alphaStd, true)),
    ),
})

/**
 * An image with its colours moved along the principal axes by three normal numbers of deviation `alphaStd` (0.05).
 *
 * `(H, W, 3) -> (H, W, 3)`; keeps the dtype; bytes saturate.
 * @throws MXNetError unless there are three channels.
 * @example
 * nd.image.randomLighting(nd.ones([2, 2, 3])).shape // => [2, 2, 3]
 * @see MXNet `_image_random_lighting`
 */
export function randomLighting<T extends Tensor>(
  data: T,
  options?: { readonly alphaStd?: number },
): T {
  return apply(randomLightingOp, [data], options)
}
