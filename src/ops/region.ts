/** Indexing as an operator: numbers, slices, new axes and the ellipsis name a strided region; arrays name places. */

import { fail } from '../base/error.ts'
import { broadcastShapes, formatShape, rowMajor, type Shape } from '../base/shape.ts'
import { apply } from '../core/apply.ts'
import { attr } from '../core/attrs.ts'
import type { IndexKey } from '../core/methods.ts'
import { OpDef } from '../core/op.ts'
import { Tensor } from '../core/tensor.ts'
import { int } from '../prim/arithmetic.ts'
import { binary, cast, compare, select } from '../prim/expr.ts'
import { broadcastTo, gather, iota, pointwise, reshapeTo, sliceOf } from '../prim/primitive.ts'
import { sliceRange } from './slicing.ts'

/** One part of a key: a number, a slice or an array on an axis, or a new axis. */
type Part =
  | { readonly kind: 'pick'; readonly axis: number; readonly index: number }
  | {
      readonly kind: 'slice'
      readonly axis: number
      readonly begin: number
      readonly step: number
      readonly size: number
    }
  | { readonly kind: 'array'; readonly axis: number; readonly index: Tensor }
  | { readonly kind: 'new' }

const slicePattern = /^\s*(-?\d+)?\s*(?::\s*(-?\d+)?\s*(?::\s*(-?\d+)?\s*)?)$/

/** Begin, step and count of a slice string on an axis, as Python counts them. */
function parseSlice(where: string, text: string, size: number): [number, number, number] {
  const match = slicePattern.exec(text)
  if (match === null)
    fail(where, `index '${text}' is not understood: use a number, '1:3', '::2', ':', '...' or null`)
  const [start, stop, step] = match.slice(1).map((t) => (t === undefined ? null : Number(t)))
  return sliceRange(where, size, start!, stop!, step!)
}

/** A key without the ellipsis, every axis of the shape named by one part. */
function partsOf(where: string, shape: Shape, key: readonly unknown[]): Part[] {
  const named = key.filter((k) => k !== null && k !== '...').length
  const dots = key.filter((k) => k === '...').length
  if (dots > 1) fail(where, "an index has at most one '...'")
  if (named > shape.length)
    fail(where, `${named} indices for an array of ${shape.length} dimensions ${formatShape(shape)}`)
  const rest = new Array<string>(shape.length - named).fill(':')
  const full = (dots === 1 ? key : [...key, '...']).flatMap((k) => (k === '...' ? rest : [k]))
  let next = 0
  return full.map((k): Part => {
    if (k === null) return { kind: 'new' }
    const axis = next++
    const size = shape[axis]!
    if (typeof k === 'string') {
      const [begin, step, count] = parseSlice(where, k, size)
      return { kind: 'slice', axis, begin: count > 0 ? begin : 0, step, size: count }
    }
    if (typeof k === 'number') {
      if (!Number.isInteger(k) || k < -size || k >= size)
        fail(where, `index ${k} is out of range for axis ${axis} of size ${size}`)
      return { kind: 'pick', axis, index: k < 0 ? k + size : k }
    }
    if (k instanceof Tensor) {
      if (k.dtype === 'bool')
        fail(
          where,
          'how many elements a mask takes is not known while a graph is being traced: use nd.where',
        )
      if (size === 0 && k.size > 0) fail(where, `axis ${axis} has size 0: there is nothing to take`)
      return { kind: 'array', axis, index: k }
    }
    return fail(
      where,
      `index ${String(k)} must be a number, a slice string, '...', null or an array of positions`,
    )
  })
}

/** Whether a key holds arrays; without them it names a strided region. */
export const hasArrays = (key: readonly unknown[]): boolean => key.some((k) => k instanceof Tensor)

interface Region {
  readonly begin: readonly number[]
  readonly step: readonly number[]
  readonly size: readonly number[]
  /** The shape the region is seen under: picked axes dropped, new ones added. */
  readonly shape: readonly number[]
}

/** The region of a shape that a key without arrays names. */
export function regionOf(where: string, shape: Shape, key: readonly unknown[]): Region {
  const parts = partsOf(where, shape, key)
  const along = parts.flatMap((p) => {
    if (p.kind === 'slice') return [p]
    return p.kind === 'pick' ? [{ begin: p.index, step: 1, size: 1 }] : []
  })
  return {
    begin: along.map((p) => p.begin),
    step: along.map((p) => p.step),
    size: along.map((p) => p.size),
    shape: parts.flatMap((p) => (p.kind === 'slice' ? [p.size] : p.kind === 'new' ? [1] : [])),
  }
}

/** Positions from the front, moved inside the axis: negative ones count from the end. */
function inside(index: Tensor, size: number): Tensor {
  return pointwise([index], ([i]) => {
    const at = cast(i!, 'int32')
    const front = select(compare('lt', at, int(0)), binary('add', at, int(size)), at)
    return binary('min', binary('max', front, int(0)), int(Math.max(size - 1, 0)))
  })
}

/**
 * The place in row-major order of every element that a key with arrays names, int32. Arrays (and numbers beside
 * them) broadcast together; their axes stand where the first of them does if they are neighbours, else in front.
 */
function placesOf(where: string, shape: Shape, key: readonly IndexKey[]): Tensor {
  const parts = partsOf(where, shape, key)
  const strides = rowMajor(shape)
  const isAdvanced = (p: Part): boolean => p.kind === 'array' || p.kind === 'pick'
  const advanced = parts.flatMap((p, i) => (isAdvanced(p) ? [i] : []))
  const [first, last] = [advanced[0]!, advanced.at(-1)!]
  const together = last - first + 1 === advanced.length
  const common = parts.reduce<Shape>(
    (s, p) => (p.kind === 'array' ? broadcastShapes(where, s, p.index.shape) : s),
    [],
  )
  const basic = parts.flatMap((p) => (isAdvanced(p) ? [] : [p]))
  const sizes = basic.map((p) => (p.kind === 'slice' ? p.size : 1))
  const lead = together ? parts.slice(0, first).filter((p) => !isAdvanced(p)).length : 0
  const out = [...sizes.slice(0, lead), ...common, ...sizes.slice(lead)]
  const terms: Tensor[] = []
  let offset = 0
  for (const p of parts) {
    if (p.kind === 'pick') offset += p.index * strides[p.axis]!
    if (p.kind !== 'array') continue
    const stride = strides[p.axis]!
    const behind = sizes.slice(lead).map(() => 1)
    const own = pointwise([inside(p.index, shape[p.axis]!)], ([i]) =>
      binary('mul', i!, int(stride)),
    )
    terms.push(broadcastTo(reshapeTo(own, [...own.shape, ...behind]), out))
  }
  basic.forEach((p, i) => {
    if (p.kind !== 'slice') return
    offset += p.begin * strides[p.axis]!
    const by = p.step * strides[p.axis]!
    const at = i < lead ? i : i + common.length
    if (p.size > 1) terms.push(pointwise([iota(out, at)], ([c]) => binary('mul', c!, int(by))))
  })
  return pointwise(terms, (loads) =>
    loads.reduce((sum, term) => binary('add', sum, term), int(offset)),
  )
}

/** A key as an attribute: arrays stand at their numbers among the operator's other inputs. */
type Stored = number | string | null | { readonly array: number }

const keyText = (key: readonly Stored[]): string => JSON.stringify(key)

function store(key: readonly IndexKey[]): { stored: readonly Stored[]; arrays: readonly Tensor[] } {
  const arrays: Tensor[] = []
  const stored = key.map((k): Stored => (k instanceof Tensor ? { array: arrays.push(k) - 1 } : k))
  return { stored, arrays }
}

const restore = (stored: readonly Stored[], arrays: readonly Tensor[]): IndexKey[] =>
  stored.map((k) => (typeof k === 'object' && k !== null ? arrays[k.array]! : k))

const gatherOp = new OpDef({
  name: 'at',
  inputs: ['data', '...indices'],
  attrs: { key: attr.opaque<readonly Stored[]>(keyText) },
  body: ([x, ...arrays], { key }) => {
    const given = restore(key, arrays)
    const parts = partsOf('at', x!.shape, given)
    const only = parts.find((p) => p.kind === 'array')!
    const whole = (p: Part): boolean =>
      p.kind === 'slice' && p.step === 1 && p.size === x!.shape[p.axis]
    if (parts.every((p) => p === only || whole(p)))
      return gather(x!, inside(only.index, x!.shape[only.axis]!), only.axis)
    const places = placesOf('at', x!.shape, given)
    const flat = reshapeTo(x!, [x!.size])
    if (places.size === 0) return reshapeTo(sliceOf(flat, [0], [1], [0]), places.shape)
    return gather(flat, places, 0)
  },
})

const placesOp = new OpDef({
  name: 'set',
  inputs: ['...indices'],
  attrs: {
    key: attr.opaque<readonly Stored[]>(keyText),
    shape: attr.opaque<Shape>((shape) => shape.join()),
  },
  body: (arrays, { key, shape }) => placesOf('set', shape, restore(key, arrays)),
})

/** The row-major places, in an array of `shape`, of the elements that a key with arrays names. */
export function placesAt<T extends Tensor>(shape: Shape, key: readonly IndexKey[]): T {
  const { stored, arrays } = store(key)
  return apply(placesOp, arrays, { key: stored, shape }) as T
}

/** The elements of a tensor that a key names. */
export function atRegion(x: Tensor, key: readonly IndexKey[]): Tensor {
  const { stored, arrays } = store(key)
  if (arrays.length > 0) return apply(gatherOp, [x, ...arrays], { key: stored })
  const { begin, step, size, shape } = regionOf('at', x.shape, key)
  return reshapeTo(sliceOf(x, begin, step, size), shape)
}
