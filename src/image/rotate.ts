/** Pictures turned about their middle. */

import { fail } from '../base/error.ts'
import { formatShape } from '../base/shape.ts'
import type { Tensor } from '../core/tensor.ts'
import { fromBytes } from '../ndarray/creation.ts'
import { hostUniform } from '../ndarray/draws.ts'
import { NDArray } from '../ndarray/ndarray.ts'
import { reshape } from '../ops/movement.ts'
import { bilinearSampler } from '../ops/sampling.ts'

/** Options of `imrotate`. */
export interface ImrotateOptions {
  /** Whether the picture is enlarged until no empty corner is left; no by default. */
  readonly zoomIn?: boolean
  /** Whether the picture is shrunk until all of it is seen; no by default. */
  readonly zoomOut?: boolean
}

/** How far apart the points of a turned picture lie, by the corner that reaches farthest. */
function zoom(height: number, width: number, turn: number, options: ImrotateOptions): number {
  if (!options.zoomIn && !options.zoomOut) return 1
  const reach = Math.hypot(height, width)
  const corner = Math.atan(height / width)
  const most = (f: (angle: number) => number): number =>
    Math.max(...[1, -1].map((s) => Math.abs(reach * f(corner + s * Math.abs(turn)))))
  const [across, down] = [most(Math.cos) / width, most(Math.sin) / height]
  return options.zoomOut ? Math.max(across, down) : Math.min(1 / across, 1 / down)
}

/**
 * Pictures turned about their middle by degrees, interpolated linearly; what lies outside is 0.
 *
 * `(C, H, W)`, or a batch `(N, C, H, W)` with one angle or one for each; float32, kept.
 * @throws MXNetError for other shapes and dtypes, and when both ways of zooming are asked for.
 * @example
 * image.imrotate(nd.ones([3, 8, 8]), 30, { zoomIn: true }).shape // => [3, 8, 8]
 * @see MXNet `mx.image.imrotate`
 */
export function imrotate<T extends Tensor>(
  src: T,
  rotationDegrees: number | readonly number[],
  options: ImrotateOptions = {},
): T {
  const where = 'imrotate'
  if (options.zoomIn && options.zoomOut) fail(where, 'zoomIn and zoomOut exclude each other')
  if (src.dtype !== 'float32') fail(where, `src is ${src.dtype}: it must be float32 (use astype)`)
  const single = src.shape.length === 3
  if (!single && src.shape.length !== 4)
    fail(where, `src has shape ${formatShape(src.shape)}: it must be (C, H, W) or (N, C, H, W)`)
  const [count, channels, height, width] = (single ? [1, ...src.shape] : src.shape) as [
    number,
    number,
    number,
    number,
  ]
  const angles =
    typeof rotationDegrees === 'number'
      ? new Array<number>(count).fill(rotationDegrees)
      : rotationDegrees
  if (angles.length !== count || !angles.every(Number.isFinite))
    fail(where, `rotationDegrees must be one number, or one for each of ${count} pictures`)
  const size = height * width
  const grid = new Float32Array(count * 2 * size)
  const [down, across] = [(height - 1) / 2, (width - 1) / 2]
  angles.forEach((degrees, n) => {
    const turn = (degrees * Math.PI) / 180
    const scale = zoom(height, width, turn, options)
    const [cos, sin] = [Math.cos(turn) * scale, Math.sin(turn) * scale]
    for (let i = 0; i < size; i++) {
      const [y, x] = [Math.floor(i / width) - down, (i % width) - across]
      grid[2 * n * size + i] = across === 0 ? 0 : (x * cos - y * sin) / across
      grid[(2 * n + 1) * size + i] = down === 0 ? 0 : (x * sin + y * cos) / down
    }
  })
  const context = src instanceof NDArray ? src.context : undefined
  const places = fromBytes(
    new Uint8Array(grid.buffer),
    [count, 2, height, width],
    'float32',
    context,
  )
  const batch = single ? reshape(src, [1, channels, height, width]) : src
  const turned = bilinearSampler(batch as Tensor, places)
  return (single ? reshape(turned, [channels, height, width]) : turned) as T
}

/**
 * `imrotate` by an angle drawn evenly between two limits; pictures of a batch each get their own.
 * @throws MXNetError as `imrotate`.
 * @example
 * image.randomRotate(nd.ones([3, 8, 8]), [-10, 10]).shape // => [3, 8, 8]
 * @see MXNet `mx.image.random_rotate`
 */
export function randomRotate<T extends Tensor>(
  src: T,
  angleLimits: readonly [least: number, most: number],
  options: ImrotateOptions = {},
): T {
  const [least, most] = angleLimits
  const draw = hostUniform()
  const angle = (): number => least + (most - least) * draw()
  const batch = src.shape.length === 4
  return imrotate(src, batch ? Array.from({ length: src.shape[0]! }, angle) : angle(), options)
}
