/** Operators that lay elements out anew: depth and space, diagonals, cropping, products of columns, moved axes. */

import { fail } from '../base/error.ts'
import { checkAxis, formatShape } from '../base/shape.ts'
import { apply, applyAll } from '../core/apply.ts'
import { attr, type Given } from '../core/attrs.ts'
import { arraysThenOptions } from '../core/given.ts'
import { defineOp, type OpDef } from '../core/op.ts'
import type { Tensor } from '../core/tensor.ts'
import { binary } from '../prim/expr.ts'
import { broadcastTo, permuteAxes, pointwise, reshapeTo, sliceOf } from '../prim/primitive.ts'
import { diagonalOf, onDiagonal } from './matrices.ts'
import { transpose } from './movement.ts'
import { concat, slice } from './slicing.ts'

const blockAttrs = { blockSize: attr.int(undefined, { above: 0 }) }

function checkImages(where: string, x: Tensor): [number, number, number, number] {
  if (x.shape.length !== 4)
    fail(where, `data has shape ${formatShape(x.shape)}: it must be (N, C, H, W)`)
  return x.shape as unknown as [number, number, number, number]
}

const depthToSpaceOp = defineOp({
  name: 'depth_to_space',
  inputs: ['data'],
  attrs: blockAttrs,
  body: ([x], { blockSize: b }) => {
    const [n, c, h, w] = checkImages('depth_to_space', x!)
    if (c % (b * b) !== 0) fail('depth_to_space', `${c} channels do not divide by ${b}·${b}`)
    const split = permuteAxes(reshapeTo(x!, [n, b, b, c / (b * b), h, w]), [0, 3, 4, 1, 5, 2])
    return reshapeTo(split, [n, c / (b * b), h * b, w * b])
  },
})

/**
 * Blocks of channels moved into space.
 *
 * `(N, C·b², H, W) -> (N, C, H·b, W·b)`; keeps the dtype.
 * @throws MXNetError when the channels do not divide by b².
 * @example
 * await nd.depthToSpace(nd.arange(4).reshape([1, 4, 1, 1]), { blockSize: 2 }).asArray() // => [[[[0, 1], [2, 3]]]]
 * @see MXNet `depth_to_space`
 */
export function depthToSpace<T extends Tensor>(data: T, attrs: Given<typeof blockAttrs>): T {
  return apply(depthToSpaceOp, [data], attrs)
}

const spaceToDepthOp = defineOp({
  name: 'space_to_depth',
  inputs: ['data'],
  attrs: blockAttrs,
  body: ([x], { blockSize: b }) => {
    const [n, c, h, w] = checkImages('space_to_depth', x!)
    if (h % b !== 0 || w % b !== 0)
      fail('space_to_depth', `${h}×${w} does not divide into blocks of ${b}`)
    const split = permuteAxes(reshapeTo(x!, [n, c, h / b, b, w / b, b]), [0, 3, 5, 1, 2, 4])
    return reshapeTo(split, [n, c * b * b, h / b, w / b])
  },
})

/**
 * Blocks of space moved into channels; the inverse of `depthToSpace`.
 *
 * `(N, C, H·b, W·b) -> (N, C·b², H, W)`; keeps the dtype.
 * @throws MXNetError when the sizes do not divide by b.
 * @example
 * nd.spaceToDepth(nd.zeros([1, 1, 4, 6]), { blockSize: 2 }).shape // => [1, 4, 2, 3]
 * @see MXNet `space_to_depth`
 */
export function spaceToDepth<T extends Tensor>(data: T, attrs: Given<typeof blockAttrs>): T {
  return apply(spaceToDepthOp, [data], attrs)
}

const diagAttrs = { k: attr.int(0), axis1: attr.int(0), axis2: attr.int(1) }

const diagOp = defineOp({
  name: 'diag',
  inputs: ['data'],
  attrs: diagAttrs,
  body: ([x], { k, axis1, axis2 }) => {
    const rank = x!.shape.length
    if (rank === 0) fail('diag', 'a scalar has no diagonal')
    if (rank === 1) return onDiagonal(x!, k)
    const [a, b] = [
      checkAxis('diag', axis1, rank, 'axis1'),
      checkAxis('diag', axis2, rank, 'axis2'),
    ]
    if (a === b) fail('diag', `axis1 and axis2 are both ${a}: they must differ`)
    const others = x!.shape.map((_, i) => i).filter((i) => i !== a && i !== b)
    return diagonalOf(permuteAxes(x!, [...others, a, b]), k)
  },
})

/**
 * A matrix with a vector on its diagonal; of more axes the diagonals, as the last axis.
 *
 * `(n,) -> (n + |k|, n + |k|)`; `(A…, m, n) -> (A…, d)`; keeps the dtype.
 * @throws MXNetError for a scalar, and when the axes are the same or out of range.
 * @example
 * await nd.diag(nd.array([[1, 2], [3, 4]])).asArray() // => [1, 4]
 * @see MXNet `diag`
 */
export function diag<T extends Tensor>(data: T, options?: Given<typeof diagAttrs>): T {
  return apply(diagOp, [data], options)
}

const khatriRaoOp = defineOp({
  name: 'khatri_rao',
  inputs: ['...args'],
  body: (xs) => {
    const [first, ...rest] = xs
    if (first === undefined) return fail('khatri_rao', 'no arrays given: it takes at least one')
    for (const x of xs)
      if (x.shape.length !== 2 || x.shape[1] !== first.shape[1])
        fail('khatri_rao', `${formatShape(x.shape)} must be a matrix of ${first.shape[1]} columns`)
    return rest.reduce((a, b) => {
      const [m, n, k] = [a.shape[0]!, b.shape[0]!, a.shape[1]!]
      const left = broadcastTo(reshapeTo(a, [m, 1, k]), [m, n, k])
      const right = broadcastTo(reshapeTo(b, [1, n, k]), [m, n, k])
      return reshapeTo(
        pointwise([left, right], ([p, q]) => binary('mul', p!, q!)),
        [m * n, k],
      )
    }, first)
  },
})

/**
 * The Kronecker product column by column.
 *
 * `(m, k), (n, k), … -> (m·n·…, k)`; keeps the dtype.
 * @throws MXNetError unless all are matrices of as many columns.
 * @example
 * await nd.khatriRao(nd.array([[1], [2]]), nd.array([[3], [4]])).asArray() // => [[3], [4], [6], [8]]
 * @see MXNet `khatri_rao`
 */
export function khatriRao<T extends Tensor>(...matrices: T[]): T {
  return apply(khatriRaoOp, matrices)
}

const cropAttrs = { offset: attr.ints([0, 0]), hW: attr.ints([0, 0]), centerCrop: attr.bool(false) }

const cropOp = defineOp({
  name: 'Crop',
  inputs: ['data', 'crop_like?'],
  attrs: cropAttrs,
  body: ([x, like], { offset, hW, centerCrop }) => {
    const [n, c, h, w] = checkImages('Crop', x!)
    const [ch, cw] = like ? like.shape.slice(2) : hW
    if (ch === undefined || cw === undefined || offset.length !== 2)
      fail('Crop', 'give two numbers for hW and offset, or an array (N, C, H, W) to crop like')
    const [top, left] = centerCrop
      ? [Math.floor((h - ch) / 2), Math.floor((w - cw) / 2)]
      : (offset as [number, number])
    if (ch < 1 || cw < 1 || top < 0 || left < 0 || top + ch > h || left + cw > w)
      fail('Crop', `a window of ${ch}×${cw} at (${top}, ${left}) does not lie in ${h}×${w}`)
    return sliceOf(x!, [0, 0, top, left], [1, 1, 1, 1], [n, c, ch, cw])
  },
})

interface SliceArguments {
  readonly begin: readonly (number | null)[] | number | null
  readonly end: readonly (number | null)[] | number | null
  readonly step?: readonly (number | null)[] | number | null
}

type CropOptions = Given<typeof cropAttrs>

/**
 * A window of images (MXNet's `Crop`): of size `hW` or that of another array, at an offset or in the middle. With
 * `begin` and `end` it is `slice` (MXNet's `crop`).
 *
 * `(N, C, H, W) -> (N, C, h, w)`; keeps the dtype.
 * @throws MXNetError when the window does not lie inside.
 * @example
 * nd.crop(nd.zeros([1, 1, 5, 6]), { hW: [3, 2], centerCrop: true }).shape // => [1, 1, 3, 2]
 * @see MXNet `Crop`
 */
export function crop<T extends Tensor>(
  data: T,
  ...rest:
    | [attrs?: CropOptions | SliceArguments | undefined]
    | [cropLike: T | null | undefined, attrs?: CropOptions | undefined]
): T {
  const [arrays, attrs] = arraysThenOptions<T, CropOptions | SliceArguments>(rest)
  if (attrs !== undefined && 'begin' in attrs) return slice(data, attrs)
  return apply(cropOp, [data, ...arrays], attrs)
}

/**
 * Axes moved to other places; the others keep their order.
 *
 * @throws MXNetError when an axis is out of range or named twice.
 * @example
 * nd.moveaxis(nd.zeros([2, 3, 4]), 0, 2).shape // => [3, 4, 2]
 * @see MXNet `mx.nd.moveaxis`
 */
export function moveaxis<T extends Tensor>(
  data: T,
  source: number | readonly number[],
  destination: number | readonly number[],
): T {
  const list = (axes: number | readonly number[]): number[] =>
    (typeof axes === 'number' ? [axes] : [...axes]).map((a) => checkAxis('moveaxis', a, data.ndim))
  const [from, to] = [list(source), list(destination)]
  if (from.length !== to.length || new Set(from).size < from.length || new Set(to).size < to.length)
    fail(
      'moveaxis',
      `axes (${from.join(', ')}) do not go to (${to.join(', ')}): as many different ones are needed`,
    )
  const rest = data.shape.map((_, i) => i).filter((i) => !from.includes(i))
  const order = data.shape.map((_, i) => {
    const at = to.indexOf(i)
    return at < 0 ? rest.shift()! : from[at]!
  })
  return transpose(data, order)
}

/**
 * Arrays joined along an axis, 0 by default; the older helper beside `concat`.
 *
 * @throws MXNetError when other axes differ.
 * @example
 * nd.concatenate([nd.zeros([1, 2]), nd.zeros([3, 2])]).shape // => [4, 2]
 * @see MXNet `mx.nd.concatenate`
 */
export function concatenate<T extends Tensor>(
  arrays: readonly T[],
  options: { readonly axis?: number; readonly alwaysCopy?: boolean } = {},
): T {
  const { axis = 0, alwaysCopy = true } = options
  if (arrays.length === 1 && !alwaysCopy) return arrays[0]!
  return concat<T>(...arrays, { dim: axis })
}

const splitV2Attrs = {
  indices: attr.ints([], { min: 0 }),
  axis: attr.int(1),
  squeezeAxis: attr.bool(false),
  sections: attr.int(0, { min: 0 }),
}

const splitV2Op = defineOp({
  name: '_split_v2',
  inputs: ['data'],
  attrs: splitV2Attrs,
  body: ([x], { indices, axis, squeezeAxis, sections }) => {
    const at = checkAxis('split_v2', axis, x!.shape.length)
    const n = x!.shape[at]!
    if (sections > 0 && n % sections !== 0)
      fail('split_v2', `axis ${at} of size ${n} does not divide into ${sections} equal parts`)
    if (sections === 0 && indices.length === 0)
      fail('split_v2', 'give cut points, or how many sections')
    const cuts =
      sections > 0 ? Array.from({ length: sections }, (_, i) => (i * n) / sections) : indices
    return cuts.map((from, i) => {
      const begin = Math.min(from, n)
      const count = Math.max(0, Math.min(cuts[i + 1] ?? n, n) - begin)
      const shape = x!.shape.with(at, count)
      const part = sliceOf(
        x!,
        shape.map((_, d) => (d === at && count > 0 ? begin : 0)),
        shape.map(() => 1),
        shape,
      )
      if (!squeezeAxis) return part
      if (count !== 1) fail('split_v2', `squeezeAxis needs parts of size 1, not ${count}`)
      return reshapeTo(part, shape.toSpliced(at, 1))
    })
  },
})

/**
 * Parts along an axis (0 by default): as many equal ones, or cut at the given places.
 *
 * `(A…, n, B…) -> k × (A…, nᵢ, B…)`; keeps the dtype.
 * @throws MXNetError when the axis does not divide.
 * @example
 * nd.splitV2(nd.zeros([6, 2]), [2, 3]).map((p) => p.shape) // => [[2, 2], [1, 2], [3, 2]]
 * @see MXNet `mx.nd.split_v2`
 */
export function splitV2<T extends Tensor>(
  data: T,
  indicesOrSections: number | readonly number[],
  options: { readonly axis?: number; readonly squeezeAxis?: boolean } = {},
): T[] {
  const { axis = 0, squeezeAxis = false } = options
  const cuts =
    typeof indicesOrSections === 'number'
      ? { sections: indicesOrSections }
      : { indices: [0, ...indicesOrSections] }
  return applyAll(splitV2Op as unknown as OpDef, [data], { ...cuts, axis, squeezeAxis })
}
