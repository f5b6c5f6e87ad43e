/** Operators that cut arrays up and put them together: slice, split, concat, stack. */

import { promote } from '../base/dtype.ts'
import { fail } from '../base/error.ts'
import { checkAxis, formatShape } from '../base/shape.ts'
import { apply, applyAll } from '../core/apply.ts'
import { attr } from '../core/attrs.ts'
import { isOptions } from '../core/given.ts'
import { defineOp, type OpDef } from '../core/op.ts'
import type { Tensor } from '../core/tensor.ts'
import { assemble, castTo, reshapeTo, sliceOf } from '../prim/primitive.ts'

/** Begin, step and count of one axis, as Python slices: null for the natural end, negative from the back, clipped. */
export function sliceRange(
  where: string,
  size: number,
  begin: number | null,
  end: number | null,
  step: number | null,
): [number, number, number] {
  const by = step ?? 1
  if (by === 0) fail(where, 'step 0 leads nowhere: use a positive or negative step')
  const clamp = (v: number, lo: number, hi: number): number =>
    Math.min(Math.max(v < 0 ? v + size : v, lo), hi)
  const from =
    by > 0 ? clamp(begin ?? 0, 0, size) : begin === null ? size - 1 : clamp(begin, -1, size - 1)
  const to =
    by > 0
      ? end === null
        ? size
        : clamp(end, 0, size)
      : end === null
        ? -1
        : clamp(end, -1, size - 1)
  const count = Math.max(0, Math.ceil((to - from) / by))
  return [count === 0 ? 0 : from, by, count]
}

const sliceOp = defineOp({
  name: 'slice',
  aliases: ['crop'],
  inputs: ['data'],
  attrs: { begin: attr.intsOrNull(), end: attr.intsOrNull(), step: attr.intsOrNull([]) },
  body: ([x], { begin, end, step }) => {
    const rank = x!.shape.length
    if (begin.length !== end.length || begin.length > rank) {
      fail(
        'slice',
        `begin has ${begin.length} entries, end ${end.length}: as many are needed, at most ${rank}`,
      )
    }
    const parts = x!.shape.map((d, i) =>
      sliceRange('slice', d, begin[i] ?? null, end[i] ?? null, step[i] ?? null),
    )
    return sliceOf(
      x!,
      parts.map((p) => p[0]),
      parts.map((p) => p[1]),
      parts.map((p) => p[2]),
    )
  },
})

/**
 * A box of the array: from `begin` to before `end` in steps of `step` on each axis; null means the natural end.
 *
 * @throws MXNetError when begin and end differ in length, or a step is 0.
 * @example
 * await nd.slice(nd.array([1, 2, 3]), { begin: [1], end: [null] }).asArray() // => [2, 3]
 * @see MXNet `slice`
 */
export function slice<T extends Tensor>(
  data: T,
  attrs: {
    readonly begin: readonly (number | null)[] | number | null
    readonly end: readonly (number | null)[] | number | null
    readonly step?: readonly (number | null)[] | number | null
  },
): T {
  return apply(
    sliceOp,
    [data],
    attrs as { begin: readonly (number | null)[]; end: readonly (number | null)[] },
  )
}

const sliceAxisOp = defineOp({
  name: 'slice_axis',
  inputs: ['data'],
  attrs: { axis: attr.int(), begin: attr.int(), end: attr.optional(attr.int()) },
  body: ([x], { axis, begin, end }) => {
    const at = checkAxis('slice_axis', axis, x!.shape.length)
    const [from, , count] = sliceRange('slice_axis', x!.shape[at]!, begin, end, 1)
    return sliceOf(
      x!,
      x!.shape.map((_, i) => (i === at ? from : 0)),
      x!.shape.map(() => 1),
      x!.shape.with(at, count),
    )
  },
})

/**
 * The part of one axis from `begin` to before `end` (null: to its end).
 *
 * @throws MXNetError when the axis is out of range.
 * @example
 * await nd.sliceAxis(nd.array([1, 2, 3]), { axis: 0, begin: 1, end: null }).asArray() // => [2, 3]
 * @see MXNet `slice_axis`
 */
export function sliceAxis<T extends Tensor>(
  data: T,
  attrs: { readonly axis: number; readonly begin: number; readonly end: number | null },
): T {
  return apply(sliceAxisOp, [data], attrs)
}

const sliceLikeOp = defineOp({
  name: 'slice_like',
  inputs: ['data', 'shape_like'],
  attrs: { axes: attr.ints([]) },
  body: ([x, like], { axes }) => {
    const rank = x!.shape.length
    const named =
      axes.length === 0
        ? x!.shape.map((_, i) => i)
        : axes.map((a) => checkAxis('slice_like', a, rank))
    const size = [...x!.shape]
    for (const a of named) {
      const want = like!.shape[a]
      if (want === undefined || want > size[a]!) {
        fail(
          'slice_like',
          `data ${formatShape(x!.shape)} cannot be cut to ${formatShape(like!.shape)} on axis ${a}`,
        )
      }
      size[a] = want
    }
    return sliceOf(
      x!,
      size.map(() => 0),
      size.map(() => 1),
      size,
    )
  },
})

/**
 * Data cut to the sizes of another array, on all or on named axes.
 *
 * @throws MXNetError when the other array is larger.
 * @example
 * nd.sliceLike(nd.zeros([3, 4]), nd.zeros([2, 2])).shape // => [2, 2]
 * @see MXNet `slice_like`
 */
export function sliceLike<T extends Tensor>(
  data: T,
  like: T,
  attrs?: { readonly axes?: readonly number[] },
): T {
  return apply(sliceLikeOp, [data, like], attrs)
}

const splitOp = defineOp({
  name: 'SliceChannel',
  aliases: ['split'],
  inputs: ['data'],
  attrs: {
    numOutputs: attr.int(undefined, { above: 0 }),
    axis: attr.int(1),
    squeezeAxis: attr.bool(false),
  },
  body: ([x], { numOutputs, axis, squeezeAxis }) => {
    const at = checkAxis('split', axis, x!.shape.length)
    const size = x!.shape[at]! / numOutputs
    if (!Number.isInteger(size))
      fail(
        'split',
        `axis ${at} of size ${x!.shape[at]} does not divide into ${numOutputs} equal parts`,
      )
    if (squeezeAxis && size !== 1) fail('split', `squeezeAxis needs parts of size 1, not ${size}`)
    return Array.from({ length: numOutputs }, (_, k) => {
      const begin = x!.shape.map((_, i) => (i === at ? k * size : 0))
      const part = sliceOf(
        x!,
        begin,
        x!.shape.map(() => 1),
        x!.shape.with(at, size),
      )
      return squeezeAxis ? reshapeTo(part, x!.shape.toSpliced(at, 1)) : part
    })
  },
})

/**
 * Equal parts along an axis (1 by default), as an array of arrays.
 *
 * `(A…, n·k, B…) -> k × (A…, n, B…)`; `squeezeAxis` drops an axis of size 1.
 * @throws MXNetError when the axis does not divide.
 * @example
 * nd.split(nd.zeros([2, 4]), { numOutputs: 2 }).map((p) => p.shape) // => [[2, 2], [2, 2]]
 * @see MXNet `SliceChannel`
 */
export function split<T extends Tensor>(
  data: T,
  attrs: { readonly numOutputs: number; readonly axis?: number; readonly squeezeAxis?: boolean },
): T[] {
  return applyAll(splitOp as unknown as OpDef, [data], attrs)
}

/** The pieces in one dtype. */
function alike(pieces: readonly Tensor[]): Tensor[] {
  const dtype = pieces.map((p) => p.dtype).reduce(promote)
  return pieces.map((p) => castTo(p, dtype))
}

function joined(where: string, pieces: readonly Tensor[], axis: number): Tensor {
  const first = pieces[0]!
  const at = checkAxis(where, axis, first.shape.length, 'dim')
  let total = 0
  const offsets = pieces.map((p) => {
    const fits =
      p.shape.length === first.shape.length &&
      p.shape.every((d, i) => i === at || d === first.shape[i])
    if (!fits)
      fail(
        where,
        `shapes ${formatShape(first.shape)} and ${formatShape(p.shape)} differ outside axis ${at}`,
      )
    total += p.shape[at]!
    return total - p.shape[at]!
  })
  const placings = offsets.map((o) => ({
    begin: first.shape.map((_, i) => (i === at ? o : 0)),
    step: first.shape.map(() => 1),
  }))
  return assemble(first.shape.with(at, total), alike(pieces), placings)
}

const concatOp = defineOp({
  name: 'Concat',
  aliases: ['concat'],
  inputs: ['...data'],
  attrs: { dim: attr.int(1) },
  body: (xs, { dim }) =>
    xs.length === 0
      ? fail('concat', 'no arrays given: it takes at least one')
      : joined('concat', xs, dim),
})

/** Splits trailing options from spread arrays. */
function spread<T extends Tensor, O extends object>(
  args: readonly (T | O)[],
): [T[], O | undefined] {
  const last = args[args.length - 1]
  return isOptions(last) ? [args.slice(0, -1) as T[], last as O] : [args as T[], undefined]
}

/**
 * Arrays joined along an existing axis (`dim`, 1 by default).
 *
 * `(A…, n, B…), (A…, m, B…) -> (A…, n + m, B…)`; dtypes promote.
 * @throws MXNetError when other axes differ.
 * @example
 * nd.concat(nd.zeros([2, 1]), nd.zeros([2, 3]), { dim: 1 }).shape // => [2, 4]
 * @see MXNet `Concat`
 */
export function concat<T extends Tensor>(...args: (T | { readonly dim?: number })[]): T {
  const [arrays, attrs] = spread<T, { readonly dim?: number }>(args)
  return apply(concatOp, arrays, attrs)
}

const stackOp = defineOp({
  name: 'stack',
  inputs: ['...data'],
  attrs: { axis: attr.int(0) },
  body: (xs, { axis }) => {
    const first = xs[0] ?? fail('stack', 'no arrays given: it takes at least one')
    const at = checkAxis('stack', axis, first.shape.length + 1)
    return joined(
      'stack',
      xs.map((x) => reshapeTo(x, x.shape.toSpliced(Math.min(at, x.shape.length), 0, 1))),
      at,
    )
  },
})

/**
 * Arrays of one shape joined along a new axis (0 by default).
 *
 * `k × (A…, B…) -> (A…, k, B…)`; dtypes promote.
 * @throws MXNetError when the shapes differ.
 * @example
 * nd.stack(nd.zeros([3]), nd.zeros([3])).shape // => [2, 3]
 * @see MXNet `stack`
 */
export function stack<T extends Tensor>(...args: (T | { readonly axis?: number })[]): T {
  const [arrays, attrs] = spread<T, { readonly axis?: number }>(args)
  return apply(stackOp, arrays, attrs)
}
