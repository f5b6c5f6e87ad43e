/** `gluon.data.vision.transforms`: blocks that prepare images `(H, W, C)`, one sample at a time. */

import type { DType } from '../../../base/dtype.ts'
import { fail } from '../../../base/error.ts'
import { formatShape } from '../../../base/shape.ts'
import type { Tensor } from '../../../core/tensor.ts'
import { imrotate } from '../../../image/rotate.ts'
import { hostUniform } from '../../../ndarray/draws.ts'
import { cast } from '../../../ops/cast.ts'
import * as image from '../../../ops/image.ts'
import { Block, HybridBlock } from '../../block.ts'
import { HybridSequential, Sequential } from '../../nn/sequential.ts'

/** A size: one number for a square, or width and height. */
export type Size = number | readonly [width: number, height: number]

const pair = (where: string, size: Size): readonly [number, number] => {
  const [w, h] = typeof size === 'number' ? [size, size] : size
  if (!(w > 0) || !(h > 0)) fail(where, `size ${String(size)}: a number or [width, height] above 0`)
  return [w, h]
}

/**
 * Transforms one after the other.
 * @example
 * const { Compose, ToTensor, Normalize } = gluon.data.vision.transforms
 * new Compose([new ToTensor(), new Normalize(0.13, 0.31)])(nd.zeros([28, 28, 1])).shape // => [1, 28, 28]
 * @see MXNet `gluon.data.vision.transforms.Compose`
 */
export class Compose extends Sequential {
  constructor(transforms: readonly Block[]) {
    super()
    this.add(...transforms)
  }
}

/**
 * Transforms one after the other, all of which can be hybridized.
 * @example
 * const { HybridCompose, ToTensor } = gluon.data.vision.transforms
 * new HybridCompose([new ToTensor()])(nd.zeros([2, 2, 3])).shape // => [3, 2, 2]
 * @see MXNet `gluon.data.vision.transforms.HybridCompose`
 */
export class HybridCompose extends HybridSequential {
  constructor(transforms: readonly HybridBlock[]) {
    super()
    this.add(...transforms)
  }
}

/**
 * Another dtype, float32 by default.
 * @example
 * new gluon.data.vision.transforms.Cast('float16')(nd.zeros([1])).dtype // => 'float16'
 * @see MXNet `gluon.data.vision.transforms.Cast`
 */
export class Cast extends HybridBlock {
  readonly dtype: DType

  constructor(dtype: DType = 'float32') {
    super()
    this.dtype = dtype
  }

  override forward(x: Tensor): Tensor {
    return cast(x, { dtype: this.dtype })
  }
}

/**
 * Bytes `(H, W, C)` as numbers in [0, 1], channels first: `(C, H, W)`, float32.
 * @example
 * new gluon.data.vision.transforms.ToTensor()(nd.zeros([2, 4, 3])).shape // => [3, 2, 4]
 * @see MXNet `gluon.data.vision.transforms.ToTensor`
 */
export class ToTensor extends HybridBlock {
  override forward(x: Tensor): Tensor {
    return image.toTensor(x)
  }
}

/**
 * `(x - mean) / std` for each channel of `(C, H, W)`.
 * @example
 * await new gluon.data.vision.transforms.Normalize(1, 2)(nd.array([[[3]]])).asArray() // => [[[1]]]
 * @see MXNet `gluon.data.vision.transforms.Normalize`
 */
export class Normalize extends HybridBlock {
  readonly mean: number | readonly number[]
  readonly std: number | readonly number[]

  constructor(mean: number | readonly number[] = 0, std: number | readonly number[] = 1) {
    super()
    this.mean = mean
    this.std = std
  }

  override forward(x: Tensor): Tensor {
    return image.normalize(x, { mean: this.mean, std: this.std })
  }
}

/** Options of `Resize`. */
export interface ResizeOptions {
  /** Whether a single number is the shorter side, so that the picture keeps its proportions; off by default. */
  readonly keepRatio?: boolean
  /** 0 nearest, 1 linear (the default), 2 cubic, 3 area. */
  readonly interpolation?: number
}

/**
 * Images in another size.
 * @example
 * new gluon.data.vision.transforms.Resize([4, 2])(nd.zeros([8, 8, 3])).shape // => [2, 4, 3]
 * @see MXNet `gluon.data.vision.transforms.Resize`
 */
export class Resize extends HybridBlock {
  readonly size: Size
  readonly keepRatio: boolean
  readonly interpolation: number

  constructor(size: Size, { keepRatio = false, interpolation = 1 }: ResizeOptions = {}) {
    super()
    pair('Resize', size)
    this.size = size
    this.keepRatio = keepRatio
    this.interpolation = interpolation
  }

  override forward(x: Tensor): Tensor {
    const { size, keepRatio, interpolation: interp } = this
    return image.resize(x, { size, keepRatio, interp })
  }
}

/** A part of an image, in another size where one is given. */
function cropped(
  x: Tensor,
  at: { readonly x: number; readonly y: number; readonly width: number; readonly height: number },
  size: readonly [number, number] | null,
  interp: number,
): Tensor {
  const part = image.crop(x, at)
  if (size === null || (size[0] === at.width && size[1] === at.height)) return part
  return image.resize(part, { size, interp })
}

/** Height and width of an image or of a batch of them. */
function sizesOf(where: string, x: Tensor): [height: number, width: number] {
  if (x.ndim !== 3 && x.ndim !== 4)
    fail(where, `shape ${formatShape(x.shape)}: images are (H, W, C), batches (N, H, W, C)`)
  return x.shape.slice(-3, -1) as [number, number]
}

/**
 * A part of images, then resized if `size` is given.
 * @example
 * new gluon.data.vision.transforms.CropResize(1, 1, 2, 3)(nd.zeros([8, 8, 3])).shape // => [3, 2, 3]
 * @see MXNet `gluon.data.vision.transforms.CropResize`
 */
export class CropResize extends HybridBlock {
  readonly #part: { x: number; y: number; width: number; height: number }
  readonly #size: readonly [number, number] | null
  readonly #interp: number

  constructor(
    x: number,
    y: number,
    width: number,
    height: number,
    { size, interpolation = 1 }: { readonly size?: Size; readonly interpolation?: number } = {},
  ) {
    super()
    this.#part = { x, y, width, height }
    this.#size = size === undefined ? null : pair('CropResize', size)
    this.#interp = interpolation
  }

  override forward(x: Tensor): Tensor {
    return cropped(x, this.#part, this.#size, this.#interp)
  }
}

/** The largest part of the proportions of `size` that is not above it nor above the image. */
function scaledDown([height, width]: readonly [number, number], size: readonly [number, number]) {
  let [w, h] = size
  if (height < h) [w, h] = [(w * height) / h, height]
  if (width < w) [w, h] = [width, (h * width) / w]
  return { width: Math.floor(w), height: Math.floor(h) }
}

function centred(x: Tensor, size: readonly [number, number], interp: number): Tensor {
  const [height, width] = sizesOf('CenterCrop', x)
  const part = scaledDown([height, width], size)
  const at = {
    x: Math.floor((width - part.width) / 2),
    y: Math.floor((height - part.height) / 2),
  }
  return cropped(x, { ...at, ...part }, size, interp)
}

/**
 * The middle of images; images that are smaller are enlarged.
 * @example
 * new gluon.data.vision.transforms.CenterCrop([4, 2])(nd.zeros([8, 8, 3])).shape // => [2, 4, 3]
 * @see MXNet `gluon.data.vision.transforms.CenterCrop`
 */
export class CenterCrop extends HybridBlock {
  readonly #size: readonly [number, number]
  readonly #interp: number

  constructor(size: Size, { interpolation = 1 }: { readonly interpolation?: number } = {}) {
    super()
    this.#size = pair('CenterCrop', size)
    this.#interp = interpolation
  }

  override forward(x: Tensor): Tensor {
    return centred(x, this.#size, this.#interp)
  }
}

/** Options of `RandomResizedCrop`. */
export interface RandomResizedCropOptions {
  /** Bounds of the part's share of the area, [0.08, 1] by default. */
  readonly scale?: readonly [number, number]
  /** Bounds of width over height, [3/4, 4/3] by default. */
  readonly ratio?: readonly [number, number]
  readonly interpolation?: number
}

/**
 * A random part of random proportions, resized; after ten parts that do not fit, the middle.
 * @example
 * new gluon.data.vision.transforms.RandomResizedCrop(4)(nd.zeros([8, 8, 3])).shape // => [4, 4, 3]
 * @see MXNet `gluon.data.vision.transforms.RandomResizedCrop`
 */
export class RandomResizedCrop extends Block {
  readonly #size: readonly [number, number]
  readonly #scale: readonly [number, number]
  readonly #ratio: readonly [number, number]
  readonly #interp: number

  constructor(size: Size, options: RandomResizedCropOptions = {}) {
    super()
    this.#size = pair('RandomResizedCrop', size)
    this.#scale = options.scale ?? [0.08, 1]
    this.#ratio = options.ratio ?? [3 / 4, 4 / 3]
    this.#interp = options.interpolation ?? 1
  }

  override forward(x: Tensor): Tensor {
    const [height, width] = sizesOf('RandomResizedCrop', x)
    const next = hostUniform()
    const between = (low: number, high: number): number => low + (high - low) * next()
    const [low, high] = this.#ratio.map(Math.log) as [number, number]
    for (let i = 0; i < 10; i++) {
      const area = between(...this.#scale) * width * height
      const ratio = Math.exp(between(low, high))
      const w = Math.round(Math.sqrt(area * ratio))
      const h = Math.round(Math.sqrt(area / ratio))
      if (w > width || h > height || w === 0 || h === 0) continue
      const at = {
        x: Math.floor(next() * (width - w + 1)),
        y: Math.floor(next() * (height - h + 1)),
      }
      return cropped(x, { ...at, width: w, height: h }, this.#size, this.#interp)
    }
    return centred(x, this.#size, this.#interp)
  }
}

/** A coin's side decides whether left and right are exchanged. @see MXNet `transforms.RandomFlipLeftRight` */
export class RandomFlipLeftRight extends HybridBlock {
  override forward(x: Tensor): Tensor {
    return image.randomFlipLeftRight(x)
  }
}
/** A coin's side decides whether top and bottom are exchanged. @see MXNet `transforms.RandomFlipTopBottom` */
export class RandomFlipTopBottom extends HybridBlock {
  override forward(x: Tensor): Tensor {
    return image.randomFlipTopBottom(x)
  }
}

type Jitter = <T extends Tensor>(data: T, minFactor: number, maxFactor: number) => T

/** A colour changed by a random factor within [max(0, 1 - amount), 1 + amount]. */
abstract class ColourJitter extends HybridBlock {
  readonly #amount: number
  readonly #jitter: Jitter

  constructor(where: string, amount: number, jitter: Jitter) {
    super()
    if (!(amount >= 0)) fail(where, `the amount is ${String(amount)}: it must be at least 0`)
    this.#amount = amount
    this.#jitter = jitter
  }

  override forward(x: Tensor): Tensor {
    return this.#jitter(x, Math.max(0, 1 - this.#amount), 1 + this.#amount)
  }
}

/** All colours times a random factor within [1 - brightness, 1 + brightness]. @see MXNet `transforms.RandomBrightness` */
export class RandomBrightness extends ColourJitter {
  constructor(brightness: number) {
    super('RandomBrightness', brightness, image.randomBrightness)
  }
}
/** Colours farther from or nearer to their mean. @see MXNet `transforms.RandomContrast` */
export class RandomContrast extends ColourJitter {
  constructor(contrast: number) {
    super('RandomContrast', contrast, image.randomContrast)
  }
}
/** Colours farther from or nearer to gray. @see MXNet `transforms.RandomSaturation` */
export class RandomSaturation extends ColourJitter {
  constructor(saturation: number) {
    super('RandomSaturation', saturation, image.randomSaturation)
  }
}
/** Colours turned around the circle of hues. @see MXNet `transforms.RandomHue` */
export class RandomHue extends ColourJitter {
  constructor(hue: number) {
    super('RandomHue', hue, image.randomHue)
  }
}

/** Amounts of `RandomColorJitter`, 0 by default. */
export interface ColorJitterOptions {
  readonly brightness?: number
  readonly contrast?: number
  readonly saturation?: number
  readonly hue?: number
}

/** Brightness, contrast, saturation and hue changed at random, in random order. @see MXNet `transforms.RandomColorJitter` */
export class RandomColorJitter extends HybridBlock {
  readonly #amounts: Required<ColorJitterOptions>

  constructor(options: ColorJitterOptions = {}) {
    super()
    this.#amounts = { brightness: 0, contrast: 0, saturation: 0, hue: 0, ...options }
  }

  override forward(x: Tensor): Tensor {
    return image.randomColorJitter(x, this.#amounts)
  }
}

/** Noise along the principal colours of ImageNet, of deviation `alpha`. @see MXNet `transforms.RandomLighting` */
export class RandomLighting extends HybridBlock {
  readonly #alpha: number

  constructor(alpha: number) {
    super()
    this.#alpha = alpha
  }

  override forward(x: Tensor): Tensor {
    return image.randomLighting(x, { alphaStd: this.#alpha })
  }
}

/** Options of `Rotate`. */
export interface RotateOptions {
  /** Whether the image is enlarged until no empty corner is left; no by default. */
  readonly zoomIn?: boolean
  /** Whether the image is shrunk until all of it is seen; no by default. */
  readonly zoomOut?: boolean
}

/**
 * Images `(C, H, W)` of float32, or batches of them, turned about their middle by degrees, the corners empty.
 * @throws MXNetError when both ways of zooming are asked for, and for other dtypes.
 * @example
 * new gluon.data.vision.transforms.Rotate(30)(nd.ones([3, 8, 8])).shape // => [3, 8, 8]
 * @see MXNet `gluon.data.vision.transforms.Rotate`
 */
export class Rotate extends Block {
  readonly #degrees: number
  readonly #options: RotateOptions

  constructor(rotationDegrees: number, options: RotateOptions = {}) {
    super()
    this.#degrees = rotationDegrees
    this.#options = options
  }

  override forward(x: Tensor): Tensor {
    return imrotate(x, this.#degrees, this.#options)
  }
}

/**
 * `Rotate` by an angle between limits, drawn anew for each call and used with probability `rotateWithProba` (1).
 * @throws MXNetError unless the limits are two numbers in order, and the probability from 0 to 1.
 * @example
 * new gluon.data.vision.transforms.RandomRotation([-10, 10])(nd.ones([3, 8, 8])).shape // => [3, 8, 8]
 * @see MXNet `gluon.data.vision.transforms.RandomRotation`
 */
export class RandomRotation extends Block {
  readonly #limits: readonly [number, number]
  readonly #options: RotateOptions
  readonly #p: number

  constructor(
    angleLimits: readonly [least: number, most: number],
    { rotateWithProba = 1, ...options }: RotateOptions & { readonly rotateWithProba?: number } = {},
  ) {
    super()
    const [least, most] = angleLimits
    if (!(least <= most))
      fail('RandomRotation', `angleLimits are ${String(angleLimits)}: [least, most] in degrees`)
    if (!(rotateWithProba >= 0 && rotateWithProba <= 1))
      fail('RandomRotation', `rotateWithProba is ${String(rotateWithProba)}: from 0 to 1`)
    this.#limits = [least, most]
    this.#options = options
    this.#p = rotateWithProba
  }

  override forward(x: Tensor): Tensor {
    const draw = hostUniform()
    const [least, most] = this.#limits
    if (draw() >= this.#p) return x
    return imrotate(x, least + (most - least) * draw(), this.#options)
  }
}

/**
 * Transforms that run all with probability `p` (0.5), or not at all.
 * @see MXNet `transforms.RandomApply`
 */
export class RandomApply extends Sequential {
  readonly #p: number

  constructor(transforms: Block | readonly Block[], p = 0.5) {
    super()
    this.add(...(transforms instanceof Block ? [transforms] : transforms))
    this.#p = p
  }

  override forward(x: Tensor): Tensor {
    return hostUniform()() < this.#p ? super.forward(x) : x
  }
}
