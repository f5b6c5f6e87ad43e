/** Pictures (H, W, C) in other sizes, and parts of them. */

import { fail } from '../base/error.ts'
import { formatShape } from '../base/shape.ts'
import type { Tensor } from '../core/tensor.ts'
import { hostUniform } from '../ndarray/draws.ts'
import { divide, subtract } from '../ops/binary.ts'
import { cast } from '../ops/cast.ts'
import { crop, resize } from '../ops/image.ts'

/** Width and height. */
type Size = readonly [width: number, height: number]
/** Where a part was cut out. */
export type Box = readonly [x: number, y: number, width: number, height: number]

function sizeOf(where: string, src: Tensor): Size {
  if (src.shape.length !== 3)
    fail(where, `src has shape ${formatShape(src.shape)}: it must be (H, W, C)`)
  return [src.shape[1]!, src.shape[0]!]
}

/** The interpolation that a code means for a change of size: 9 is area for shrinking, else cubic; 10 is any. */
function interpolation(where: string, interp: number, from: Size, to: Size): number {
  if (interp === 10) return Math.floor(hostUniform()() * 4)
  if (interp === 9) return to[0] < from[0] && to[1] < from[1] ? 3 : 2
  if (![0, 1, 2, 3].includes(interp))
    fail(
      where,
      `interp is ${String(interp)}: 0 nearest, 1 linear, 2 cubic, 3 area, 9 by size, 10 random`,
    )
  return interp
}

/**
 * A picture in another size.
 *
 * `(H, W, C) -> (h, w, C)`; keeps the dtype. `interp`: 0 nearest, 1 linear (the default), 2 cubic, 3 area, 9 area for shrinking and
 * cubic for enlarging, 10 any of them at random.
 * @throws MXNetError for other shapes or codes.
 * @example
 * image.imresize(nd.ones([4, 6, 3]), 3, 2).shape // => [2, 3, 3]
 * @see MXNet `mx.image.imresize`
 */
export function imresize<T extends Tensor>(src: T, w: number, h: number, interp = 1): T {
  const from = sizeOf('imresize', src)
  return resize(src, { size: [w, h], interp: interpolation('imresize', interp, from, [w, h]) })
}

/**
 * A picture whose shorter side becomes `size`.
 * @throws MXNetError for other shapes or codes.
 * @example
 * image.resizeShort(nd.ones([4, 6, 3]), 2).shape // => [2, 3, 3]
 * @see MXNet `mx.image.resize_short`
 */
export function resizeShort<T extends Tensor>(src: T, size: number, interp = 2): T {
  const [w, h] = sizeOf('resizeShort', src)
  return h > w
    ? imresize(src, size, Math.floor((h * size) / w), interp)
    : imresize(src, Math.floor((w * size) / h), size, interp)
}

/**
 * `size` made smaller, in proportion, until it fits into `srcSize`; both are width and height.
 * @example
 * image.scaleDown([640, 480], [720, 120]) // => [640, 106]
 * @see MXNet `mx.image.scale_down`
 */
export function scaleDown([sw, sh]: Size, size: Size): [number, number] {
  let [w, h] = size
  if (sh < h) [w, h] = [(w * sh) / h, sh]
  if (sw < w) [w, h] = [sw, (h * sw) / w]
  return [Math.trunc(w), Math.trunc(h)]
}

/**
 * A part of a picture, then resized where `size` (width and height) is given and other.
 * @throws MXNetError when the part reaches outside.
 * @example
 * image.fixedCrop(nd.ones([4, 6, 3]), 1, 0, 2, 3).shape // => [3, 2, 3]
 * @see MXNet `mx.image.fixed_crop`
 */
export function fixedCrop<T extends Tensor>(
  src: T,
  x0: number,
  y0: number,
  w: number,
  h: number,
  size: Size | null = null,
  interp = 2,
): T {
  const part = crop(src, { x: x0, y: y0, width: w, height: h })
  return size === null || (size[0] === w && size[1] === h)
    ? part
    : imresize(part, size[0], size[1], interp)
}

/**
 * The middle of a picture in a size, enlarged where it is smaller: the picture, and where it was cut out.
 * @throws MXNetError for other shapes or codes.
 * @example
 * image.centerCrop(nd.ones([4, 6, 3]), [2, 2])[1] // => [2, 1, 2, 2]
 * @see MXNet `mx.image.center_crop`
 */
export function centerCrop<T extends Tensor>(src: T, size: Size, interp = 2): [T, Box] {
  const from = sizeOf('centerCrop', src)
  const [w, h] = scaleDown(from, size)
  const [x, y] = [Math.trunc((from[0] - w) / 2), Math.trunc((from[1] - h) / 2)]
  return [fixedCrop(src, x, y, w, h, size, interp), [x, y, w, h]]
}

/**
 * A part of a picture at random in a size, enlarged where it is smaller: the picture, and where it was cut out.
 * @throws MXNetError for other shapes or codes.
 * @example
 * image.randomCrop(nd.ones([4, 6, 3]), [2, 2])[0].shape // => [2, 2, 3]
 * @see MXNet `mx.image.random_crop`
 */
export function randomCrop<T extends Tensor>(src: T, size: Size, interp = 2): [T, Box] {
  const from = sizeOf('randomCrop', src)
  const [w, h] = scaleDown(from, size)
  const draw = hostUniform()
  const [x, y] = [Math.floor(draw() * (from[0] - w + 1)), Math.floor(draw() * (from[1] - h + 1))]
  return [fixedCrop(src, x, y, w, h, size, interp), [x, y, w, h]]
}

/**
 * `(src - mean) / std`, in float32.
 * @example
 * await image.colorNormalize(nd.array([[[3]]]), nd.array([1]), nd.array([2])).asArray() // => [[[1]]]
 * @see MXNet `mx.image.color_normalize`
 */
export function colorNormalize<T extends Tensor>(
  src: T,
  mean: T | number,
  std: T | number | null = null,
): T {
  const shifted = subtract(cast(src, { dtype: 'float32' }), mean)
  return std === null ? shifted : divide(shifted, std)
}
