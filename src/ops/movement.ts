/** Operators that rearrange: reshape with MXNet's codes, transposes, broadcasting, slices. */

import { fail } from '../base/error.ts'
import { checkAxes, checkAxis, checkShape, formatShape, type Shape, sizeOf } from '../base/shape.ts'
import { apply } from '../core/apply.ts'
import { attr, type Given } from '../core/attrs.ts'
import { byName } from '../core/given.ts'
import { defineOp, type OpDef } from '../core/op.ts'
import type { Tensor } from '../core/tensor.ts'
import { broadcastTo as broadcastView, permuteAxes, reshapeTo } from '../prim/primitive.ts'

/** The shape that MXNet's codes stand for: 0 copy, -1 infer, -2 copy the rest, -3 merge two, -4 a b split one. */
export function resolveReshape(
  where: string,
  from: Shape,
  codes: readonly number[],
  reverse: boolean,
): number[] {
  const source = reverse ? from.toReversed() : from
  const code = reverse ? reverseCodes(codes) : codes
  const bad = (why: string): never =>
    fail(
      where,
      `shape (${codes.join(', ')}) does not fit an array of shape ${formatShape(from)}: ${why}`,
    )
  const out: number[] = []
  let at = 0
  let inferred = -1
  const next = (): number =>
    at < source.length ? source[at++]! : bad('it names more axes than there are')
  const empty = sizeOf(from) === 0
  for (let i = 0; i < code.length; i++) {
    const c = code[i]!
    if (c > 0) {
      out.push(c)
      at++
    } else if (c === 0) out.push(empty && at >= source.length ? 0 : next())
    else if (c === -1) {
      if (inferred >= 0) bad('only one size can be -1')
      inferred = out.push(-1) - 1
      at++
    } else if (c === -2) {
      while (at < source.length) out.push(source[at++]!)
    } else if (c === -3) out.push(next() * next())
    else if (c === -4) {
      const d = next()
      let [a, b] = [
        code[++i] ?? bad('-4 needs two sizes after it'),
        code[++i] ?? bad('-4 needs two sizes after it'),
      ]
      if (a === -1 && b === -1) bad('only one of the two sizes after -4 can be -1')
      if (a === -1) a = d / b
      if (b === -1) b = d / a
      if (a * b !== d || !Number.isInteger(a) || !Number.isInteger(b))
        bad(`${d} does not split into ${a} and ${b}`)
      out.push(a, b)
    } else bad(`${c} is not a code`)
  }
  if (inferred >= 0) {
    const rest = out.reduce((product, d, i) => (i === inferred ? product : product * d), 1)
    const total = sizeOf(from)
    out[inferred] = rest === 0 ? 0 : total / rest
    if (!Number.isInteger(out[inferred])) bad(`${total} elements do not divide by ${rest}`)
  }
  if (reverse) out.reverse()
  if (sizeOf(out) !== sizeOf(from)) bad(`it has ${sizeOf(out)} elements, the array ${sizeOf(from)}`)
  return out
}

/** Codes from the right; the two sizes before a -4 (read from the right, after it) stay in order. */
function reverseCodes(codes: readonly number[]): number[] {
  const out: number[] = []
  for (let i = codes.length - 1; i >= 0; i--) {
    if (i >= 2 && codes[i - 2] === -4) {
      out.push(-4, codes[i]!, codes[i - 1]!)
      i -= 2
    } else if (codes[i] === -4 && out.length >= 2) {
      const [b, a] = [out.pop()!, out.pop()!]
      out.push(-4, a, b)
    } else out.push(codes[i]!)
  }
  return out
}

const reshapeOp = defineOp({
  name: 'Reshape',
  aliases: ['reshape'],
  inputs: ['data'],
  attrs: {
    shape: attr.ints([]),
    reverse: attr.bool(false),
    // What files of the first versions have in place of shape.
    targetShape: attr.ints([]),
    keepHighest: attr.bool(false),
  },
  body: ([x], { shape, reverse, targetShape, keepHighest }) => {
    const old = shape.length === 0 && targetShape.length > 0
    const codes = old ? targetShape.map((d, i) => (i === 0 && keepHighest ? 0 : d || -1)) : shape
    return reshapeTo(x!, resolveReshape('reshape', x!.shape, codes, reverse))
  },
})

/**
 * The same elements in row-major order under another shape.
 *
 * `(A…) -> (B…)` of the same size. Codes: 0 copies a size, -1 is inferred, -2 copies the rest, -3 merges two axes,
 * -4 a b splits one; `reverse` reads both shapes from the right.
 * @throws MXNetError when the sizes do not match.
 * @example
 * nd.reshape(nd.zeros([2, 3, 4]), [0, -1]).shape // => [2, 12]
 * @see MXNet `Reshape`
 */
export function reshape<T extends Tensor>(
  data: T,
  shape: Shape | number | { readonly shape: Shape | number; readonly reverse?: boolean },
  options?: { readonly reverse?: boolean },
): T {
  const attrs = { ...byName(['shape'], [shape]), ...options }
  return apply<T>(reshapeOp as unknown as OpDef, [data], attrs)
}

/** A range of axes as MXNet's reshape_like gives it: begin and end, negative ones from the back, null for all. */
function axisRange(
  name: string,
  ndim: number,
  begin: number | null,
  end: number | null,
): [number, number] {
  const at = (v: number): number => (v < 0 ? v + ndim : v)
  const [from, to] = [at(begin ?? 0), at(end ?? ndim)]
  if (from < 0 || to > ndim || from > to) {
    fail(
      'reshape_like',
      `the axes ${begin} to ${end} of ${name} are out of range: it has ${ndim} dimensions`,
    )
  }
  return [from, to]
}

const reshapeLikeAttrs = {
  lhsBegin: attr.optional(attr.int()),
  lhsEnd: attr.optional(attr.int()),
  rhsBegin: attr.optional(attr.int()),
  rhsEnd: attr.optional(attr.int()),
}

const reshapeLikeOp = defineOp({
  name: 'reshape_like',
  inputs: ['lhs', 'rhs'],
  attrs: reshapeLikeAttrs,
  body: ([x, like], { lhsBegin, lhsEnd, rhsBegin, rhsEnd }) => {
    const [from, to] = axisRange('lhs', x!.shape.length, lhsBegin, lhsEnd)
    const middle = like!.shape.slice(...axisRange('rhs', like!.shape.length, rhsBegin, rhsEnd))
    const shape = [...x!.shape.slice(0, from), ...middle, ...x!.shape.slice(to)]
    if (sizeOf(shape) !== x!.size) {
      fail(
        'reshape_like',
        `lhs ${formatShape(x!.shape)} cannot take the shape ${formatShape(shape)}: the sizes differ`,
      )
    }
    return reshapeTo(x!, shape)
  },
  grad: ({ inputs, dys }) => [reshapeTo(dys[0]!, inputs[0]!.shape), null],
})

/**
 * The elements of lhs under the shape of rhs, or with a range of its axes replaced by a range of those of rhs.
 *
 * `(A…), (B…) -> (B…)` of the same size; keeps the dtype of lhs.
 * @throws MXNetError when the sizes differ.
 * @example
 * nd.reshapeLike(nd.zeros([6]), nd.zeros([2, 3])).shape // => [2, 3]
 * @see MXNet `reshape_like`
 */
export function reshapeLike<T extends Tensor>(
  lhs: T,
  rhs: T,
  attrs?: Given<typeof reshapeLikeAttrs>,
): T {
  return apply(reshapeLikeOp, [lhs, rhs], attrs)
}

const flattenOp = defineOp({
  name: 'Flatten',
  aliases: ['flatten'],
  inputs: ['data'],
  body: ([x]) => {
    if (x!.shape.length === 0) fail('Flatten', 'data is a scalar: it needs at least one axis')
    return reshapeTo(x!, [x!.shape[0]!, sizeOf(x!.shape.slice(1))])
  },
})

/**
 * All axes but the first merged into one.
 *
 * `(N, A…) -> (N, product of A…)`; keeps the dtype.
 * @throws MXNetError for a scalar.
 * @example
 * nd.flatten(nd.zeros([2, 3, 4])).shape // => [2, 12]
 * @see MXNet `Flatten`
 */
export function flatten<T extends Tensor>(data: T): T {
  return apply(flattenOp, [data])
}

const transposeOp = defineOp({
  name: 'transpose',
  inputs: ['data'],
  attrs: { axes: attr.ints([]) },
  body: ([x], { axes }) => {
    const rank = x!.shape.length
    if (axes.length === 0)
      return permuteAxes(
        x!,
        x!.shape.map((_, i) => rank - 1 - i),
      )
    const order = axes.map((a) => checkAxis('transpose', a, rank))
    if (new Set(order).size !== rank)
      fail('transpose', `axes (${axes.join(', ')}) must name each of the ${rank} axes once`)
    return permuteAxes(x!, order)
  },
})

/**
 * The axes in another order, reversed by default.
 *
 * axis i of the result is axis `axes[i]` of the data; keeps the dtype.
 * @throws MXNetError unless each axis is named once.
 * @example
 * nd.transpose(nd.zeros([2, 3])).shape // => [3, 2]
 * @see MXNet `transpose`
 */
export function transpose<T extends Tensor>(
  data: T,
  axes?: readonly number[] | { readonly axes?: readonly number[] },
): T {
  return apply(transposeOp, [data], byName(['axes'], [axes]))
}

const swapAxisOp = defineOp({
  name: 'SwapAxis',
  aliases: ['swapaxes'],
  inputs: ['data'],
  attrs: { dim1: attr.int(0), dim2: attr.int(0) },
  body: ([x], { dim1, dim2 }) => {
    const rank = x!.shape.length
    const order = x!.shape.map((_, i) => i)
    const [a, b] = [
      checkAxis('SwapAxis', dim1, rank, 'dim1'),
      checkAxis('SwapAxis', dim2, rank, 'dim2'),
    ]
    order[a] = b
    order[b] = a
    return permuteAxes(x!, order)
  },
})

/**
 * Two axes exchanged.
 *
 * @throws MXNetError when an axis is out of range.
 * @example
 * nd.swapaxes(nd.zeros([2, 3, 4]), 0, 2).shape // => [4, 3, 2]
 * @see MXNet `SwapAxis`
 */
export function swapaxes<T extends Tensor>(
  data: T,
  ...axes: [dim1: number, dim2: number] | [{ readonly dim1?: number; readonly dim2?: number }]
): T {
  return apply(swapAxisOp, [data], byName(['dim1', 'dim2'], axes))
}

const expandDimsOp = defineOp({
  name: 'expand_dims',
  inputs: ['data'],
  attrs: { axis: attr.int() },
  body: ([x], { axis }) => {
    const at = checkAxis('expand_dims', axis, x!.shape.length + 1)
    return reshapeTo(x!, x!.shape.toSpliced(at, 0, 1))
  },
})

/**
 * A new axis of size 1 before `axis`.
 *
 * `(A…, B…) -> (A…, 1, B…)`; negative axes count from the end of the result.
 * @throws MXNetError when the axis is out of range.
 * @example
 * nd.expandDims(nd.zeros([2, 3]), 1).shape // => [2, 1, 3]
 * @see MXNet `expand_dims`
 */
export function expandDims<T extends Tensor>(data: T, axis: number | { readonly axis: number }): T {
  return apply(expandDimsOp, [data], byName(['axis'], [axis]))
}

type Axes = number | readonly number[] | null

const squeezeOp = defineOp({
  name: 'squeeze',
  inputs: ['data'],
  attrs: { axis: attr.optional(attr.ints()) },
  body: ([x], { axis }) => {
    if (axis === null)
      return reshapeTo(
        x!,
        x!.shape.filter((d) => d !== 1),
      )
    const axes = checkAxes('squeeze', axis, x!.shape.length)
    for (const a of axes)
      if (x!.shape[a] !== 1) fail('squeeze', `axis ${a} of shape ${formatShape(x!.shape)} is not 1`)
    return reshapeTo(
      x!,
      x!.shape.filter((_, i) => !axes.includes(i)),
    )
  },
})

/**
 * Axes of size 1 removed: the named ones, or all.
 *
 * @throws MXNetError when a named axis is not of size 1.
 * @example
 * nd.squeeze(nd.zeros([1, 3, 1])).shape // => [3]
 * @see MXNet `squeeze`
 */
export function squeeze<T extends Tensor>(data: T, axis?: Axes | { readonly axis?: Axes }): T {
  return apply<T>(squeezeOp as unknown as OpDef, [data], byName(['axis'], [axis]))
}

/** Checks that `from` broadcasts to `to` and says so otherwise. */
function checkBroadcast(where: string, from: Shape, to: Shape): void {
  const lead = to.length - from.length
  if (lead < 0 || from.some((d, i) => d !== to[i + lead] && d !== 1)) {
    fail(where, `shape ${formatShape(from)} does not broadcast to ${formatShape(to)}`)
  }
}

const broadcastToOp = defineOp({
  name: 'broadcast_to',
  inputs: ['data'],
  attrs: { shape: attr.ints() },
  body: ([x], { shape }) => {
    checkShape('broadcast_to', shape)
    const lead = shape.length - x!.shape.length
    // MXNet reads 0 as "keep", which only an axis that is not itself empty can mean.
    const target = shape.map((d, i) => (d === 0 && i >= lead ? x!.shape[i - lead]! : d))
    checkBroadcast('broadcast_to', x!.shape, target)
    return broadcastView(x!, target)
  },
})

/**
 * Axes of size 1 repeated, and axes added in front, to reach a shape; 0 keeps a size.
 *
 * `(1, B) -> (A, B)`; keeps the dtype.
 * @throws MXNetError when the shape cannot be reached.
 * @example
 * nd.broadcastTo(nd.zeros([1, 3]), [2, 3]).shape // => [2, 3]
 * @see MXNet `broadcast_to`
 */
export function broadcastTo<T extends Tensor>(
  data: T,
  shape: Shape | { readonly shape: Shape },
): T {
  return apply(broadcastToOp, [data], byName(['shape'], [shape]))
}

const broadcastAxisOp = defineOp({
  name: 'broadcast_axis',
  aliases: ['broadcast_axes'],
  inputs: ['data'],
  attrs: { axis: attr.ints([]), size: attr.ints([]) },
  body: ([x], { axis, size }) => {
    if (axis.length !== size.length)
      fail(
        'broadcast_axis',
        `${axis.length} axes and ${size.length} sizes given: as many are needed`,
      )
    const target = [...x!.shape]
    axis.forEach((a, i) => {
      const at = checkAxis('broadcast_axis', a, target.length)
      if (x!.shape[at] !== 1)
        fail('broadcast_axis', `axis ${at} of shape ${formatShape(x!.shape)} is not 1`)
      target[at] = size[i]!
    })
    return broadcastView(x!, target)
  },
})

/**
 * Named axes of size 1 repeated to given sizes.
 *
 * @throws MXNetError when a named axis is not of size 1.
 * @example
 * nd.broadcastAxis(nd.zeros([1, 3]), { axis: 0, size: 2 }).shape // => [2, 3]
 * @see MXNet `broadcast_axis`
 */
export function broadcastAxis<T extends Tensor>(
  data: T,
  attrs: { readonly axis: number | readonly number[]; readonly size: number | readonly number[] },
): T {
  return apply(
    broadcastAxisOp,
    [data],
    attrs as { axis: readonly number[]; size: readonly number[] },
  )
}

const broadcastLikeOp = defineOp({
  name: 'broadcast_like',
  inputs: ['lhs', 'rhs'],
  attrs: { lhsAxes: attr.optional(attr.ints()), rhsAxes: attr.optional(attr.ints()) },
  body: ([x, like], { lhsAxes, rhsAxes }) => {
    if (lhsAxes === null || rhsAxes === null) {
      checkBroadcast('broadcast_like', x!.shape, like!.shape)
      return broadcastView(x!, like!.shape)
    }
    const target = [...x!.shape]
    lhsAxes.forEach((a, i) => {
      const from = checkAxis('broadcast_like', rhsAxes[i] ?? a, like!.shape.length)
      target[checkAxis('broadcast_like', a, target.length)] = like!.shape[from]!
    })
    checkBroadcast('broadcast_like', x!.shape, target)
    return broadcastView(x!, target)
  },
})

/**
 * lhs broadcast to the shape of rhs, on all axes or on pairs of named ones.
 *
 * @throws MXNetError when the shape cannot be reached.
 * @example
 * nd.broadcastLike(nd.zeros([1, 3]), nd.zeros([2, 3])).shape // => [2, 3]
 * @see MXNet `broadcast_like`
 */
export function broadcastLike<T extends Tensor>(
  lhs: T,
  rhs: T,
  attrs?: Given<{
    lhsAxes: ReturnType<typeof attr.ints<readonly number[]>>
    rhsAxes: ReturnType<typeof attr.ints<readonly number[]>>
  }>,
): T {
  return apply(broadcastLikeOp, [lhs, rhs], attrs)
}
