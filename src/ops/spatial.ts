/** Feature maps in another size: AdaptiveAvgPooling2D, BilinearResize2D. */

import { fail } from '../base/error.ts'
import { formatShape } from '../base/shape.ts'
import { apply } from '../core/apply.ts'
import { attr, type Given } from '../core/attrs.ts'
import { arraysThenOptions } from '../core/given.ts'
import { defineOp } from '../core/op.ts'
import type { Tensor } from '../core/tensor.ts'
import { adaptive, linear, resample } from './resampling.ts'

/** The sizes of a feature map that is not empty. */
export function checkMap(where: string, x: Tensor): [number, number, number, number] {
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
  ...rest:
    | [options?: Given<typeof resizeAttrs> | undefined]
    | [like: T | null | undefined, options?: Given<typeof resizeAttrs> | undefined]
): T {
  const [arrays, options] = arraysThenOptions<T, Given<typeof resizeAttrs>>(rest)
  return apply(resizeOp, [data, ...arrays], options)
}
