/** Operators on the colours of images: brightness, contrast, saturation, hue, lighting. */

import { fail } from '../base/error.ts'
import { apply } from '../core/apply.ts'
import { attr, type Given } from '../core/attrs.ts'
import { defineOp } from '../core/op.ts'
import type { Tensor } from '../core/tensor.ts'
import { add, mul, num } from '../prim/arithmetic.ts'
import { binary, constant } from '../prim/expr.ts'
import { broadcastTo, castTo, mapTensors, pointwise, reduce, reshapeTo } from '../prim/primitive.ts'
import { hueTurned } from './hue.ts'
import { channelTable, heightAxis, saturated } from './pixels.ts'
import { computing } from './resampling.ts'
import { drawn } from './samples.ts'

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
