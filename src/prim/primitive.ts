/** The primitives: operators without a body, from which all others are made. */

import type { DType } from '../base/dtype.ts'
import { isFloat, promote } from '../base/dtype.ts'
import { fail } from '../base/error.ts'
import { halfFormat } from '../base/half.ts'
import { broadcastShapes, formatShape, type Shape, sameShape, sizeOf } from '../base/shape.ts'
import { apply } from '../core/apply.ts'
import { attr } from '../core/attrs.ts'
import { aval } from '../core/aval.ts'
import { frame, withFrame } from '../core/frame.ts'
import { OpDef } from '../core/op.ts'
import { installAlgebra } from '../core/reverse.ts'
import type { Tensor } from '../core/tensor.ts'
import { differentiate } from './derivative.ts'
import {
  binary,
  cast,
  compare,
  constant,
  type Expr,
  exprKey,
  index,
  load,
  renameInputs,
  select,
  someNode,
} from './expr.ts'
import type { ReduceOp } from './kernel.ts'

/** How a view rearranges its input. */
export type ViewOp =
  | { readonly kind: 'reshape'; readonly shape: Shape }
  | { readonly kind: 'permute'; readonly axes: readonly number[] }
  | { readonly kind: 'broadcast'; readonly shape: Shape }
  | {
      readonly kind: 'slice'
      readonly begin: Shape
      readonly step: readonly number[]
      readonly size: Shape
    }

const json = (value: unknown): string => JSON.stringify(value)

/** `map`: one scalar expression at every point of a shape; all inputs have that shape. */
export const mapOp = new OpDef({
  name: 'map',
  inputs: ['...inputs'],
  attrs: {
    fn: attr.opaque<Expr>(exprKey),
    shape: attr.opaque<Shape>(json),
    weak: attr.bool(false),
  },
  infer: (_xs, { fn, shape, weak }) => [aval(shape, fn.dtype, weak)],
  grad: ({ inputs, dys, attrs, needs }) => {
    const dy = load(inputs.length, attrs.fn.dtype)
    return inputs.map((x, i) => {
      const d = needs[i] && isFloat(x.dtype) ? differentiate(attrs.fn, i, dy) : null
      return d === null ? null : mapTensors(d, attrs.shape, [...inputs, dys[0]!])
    })
  },
})

/** `view`: the same elements seen otherwise; no kernel. */
export const viewOp = new OpDef({
  name: 'view',
  inputs: ['data'],
  attrs: { op: attr.opaque<ViewOp>(json) },
  infer: ([x], { op }) => {
    const shape =
      op.kind === 'slice'
        ? op.size
        : op.kind === 'permute'
          ? op.axes.map((a) => x!.shape[a]!)
          : op.shape
    return [aval(shape, x!.dtype, x!.weak)]
  },
  grad: ({ inputs, dys, attrs: { op } }) => {
    const shape = inputs[0]!.shape
    const dy = dys[0]!
    if (!isFloat(dy.dtype)) return [null]
    switch (op.kind) {
      case 'reshape':
        return [reshapeTo(dy, shape)]
      case 'permute':
        return [
          permuteAxes(
            dy,
            shape.map((_, i) => op.axes.indexOf(i)),
          ),
        ]
      case 'broadcast':
        return [sumTo(dy, shape)]
      case 'slice':
        return [assemble(shape, [dy], [{ begin: op.begin, step: op.step }])]
      default:
        return op satisfies never
    }
  },
})

/** `reduce`: combines along axes, which disappear. argmax and argmin give int32 positions along one axis. */
export const reduceOp = new OpDef({
  name: 'reduce',
  inputs: ['data'],
  attrs: {
    op: attr.oneOf(['sum', 'prod', 'max', 'min', 'argmax', 'argmin']),
    axes: attr.opaque<readonly number[]>(json),
  },
  infer: ([x], { op, axes }) => {
    const shape = x!.shape.filter((_, i) => !axes.includes(i))
    return [aval(shape, op === 'argmax' || op === 'argmin' ? 'int32' : x!.dtype)]
  },
  grad: ({ inputs, outputs, dys, attrs: { op, axes } }) => {
    const x = inputs[0]!
    if (!isFloat(x.dtype)) return [null]
    const spread = (t: Tensor): Tensor => {
      const kept = x.shape.map((d, i) => (axes.includes(i) ? 1 : d))
      return broadcastTo(reshapeTo(t, kept), x.shape)
    }
    switch (op) {
      case 'sum':
        return [spread(dys[0]!)]
      case 'prod':
        return [
          pointwise([spread(dys[0]!), spread(outputs[0]!), x], ([dy, y, v]) =>
            binary('div', binary('mul', dy!, y!), v!),
          ),
        ]
      case 'max':
      case 'min':
        return [
          pointwise([spread(dys[0]!), spread(outputs[0]!), x], ([dy, y, v]) => {
            const hit: Expr = { kind: 'op', op: 'eq', args: [v!, y!], dtype: 'bool' }
            return binary('mul', dy!, cast(hit, v!.dtype))
          }),
        ]
      case 'argmax':
      case 'argmin':
        return [null]
      default:
        return op satisfies never
    }
  },
})

/** `contract`: sums of products, named by letters: `ik,jk->ij`. A letter stands in two or three places. */
export const contractOp = new OpDef({
  name: 'contract',
  inputs: ['lhs', 'rhs'],
  attrs: {
    lhs: attr.opaque<string>(String),
    rhs: attr.opaque<string>(String),
    out: attr.opaque<string>(String),
  },
  infer: ([a, b], { lhs, rhs, out }) => {
    const sizes = new Map<string, number>()
    const note = (letters: string, shape: Shape): void =>
      [...letters].forEach((letter, i) => {
        const known = sizes.get(letter)
        if (known !== undefined && known !== shape[i])
          fail('contract', `sizes ${known} and ${shape[i]} of ${letter} differ`)
        sizes.set(letter, shape[i]!)
      })
    note(lhs, a!.shape)
    note(rhs, b!.shape)
    return [
      aval(
        [...out].map((letter) => sizes.get(letter)!),
        a!.dtype,
      ),
    ]
  },
  grad: ({ inputs, dys, attrs: { lhs, rhs, out } }) => {
    if (!isFloat(inputs[0]!.dtype)) return [null, null]
    return [
      contract(dys[0]!, inputs[1]!, out, rhs, lhs),
      contract(inputs[0]!, dys[0]!, lhs, out, rhs),
    ]
  },
})

/**
 * `gather`: elements of data along `axis` at integer positions (clamped to the axis).
 * Plain: (…a, n, …b) by (…i) -> (…a, …i, …b). Batched: indices have data's shape without the axis, and
 * each takes one element of its own line.
 */
export const gatherOp = new OpDef({
  name: 'gather',
  inputs: ['data', 'indices'],
  attrs: { axis: attr.int(), batched: attr.bool(false) },
  infer: ([x, i], { axis, batched }) => {
    const [before, after] = [x!.shape.slice(0, axis), x!.shape.slice(axis + 1)]
    if (x!.shape[axis] === 0 && sizeOf(i!.shape) > 0)
      fail('gather', `axis ${axis} has size 0: there is nothing to take`)
    return [aval(batched ? [...before, ...after] : [...before, ...i!.shape, ...after], x!.dtype)]
  },
  grad: ({ inputs, dys, attrs: { axis, batched } }) => {
    const [x, indices] = inputs as [Tensor, Tensor]
    return [isFloat(x.dtype) ? scatterAdd(indices, dys[0]!, x.shape, axis, batched) : null, null]
  },
})

/**
 * `scatter`: updates added to, or set in, zeros of a shape (or a base array) at the places from which `gather` would
 * take them. Of several updates that are set at one place the last in row-major order stays.
 */
export const scatterOp = new OpDef({
  name: 'scatter',
  inputs: ['indices', 'updates', '...base'],
  attrs: {
    shape: attr.opaque<Shape>(json),
    axis: attr.int(),
    batched: attr.bool(false),
    op: attr.oneOf(['add', 'set'], 'add'),
  },
  infer: ([_i, u], { shape }) => [aval(shape, u!.dtype)],
  grad: ({ inputs, dys, attrs: { axis, batched, op } }) => {
    const [indices, updates, base] = inputs as [Tensor, Tensor, Tensor | undefined]
    const dy = dys[0]!
    const taken = gather(dy, indices, axis, batched)
    if (op === 'add') return base === undefined ? [null, taken] : [null, taken, dy]
    // Only the update that stays has a gradient: the one whose number is found at its place.
    const order = flatPositions(updates.shape)
    const numbers = apply(scatterOp, [indices, order], { shape: dy.shape, axis, batched, op })
    const winner = pointwise([gather(numbers, indices, axis, batched), order, taken], ([w, i, d]) =>
      select(compare('eq', w!, i!), d!, constant(0, d!.dtype)),
    )
    if (base === undefined) return [null, winner]
    const zeros = filled(updates.shape, 0, dy.dtype)
    return [null, winner, scatterSet(indices, zeros, dy, axis, batched)]
  },
})

/** Where one piece of an assembled array goes: element i of an axis lies at begin + i·step. */
export interface Placing {
  readonly begin: Shape
  readonly step: readonly number[]
}

/** `concat`: an array made of pieces written to regions of it; what no piece covers is 0. Pieces are disjoint. */
export const concatOp = new OpDef({
  name: 'concat',
  inputs: ['...pieces'],
  attrs: { shape: attr.opaque<Shape>(json), placings: attr.opaque<readonly Placing[]>(json) },
  infer: ([x], { shape }) => [aval(shape, x!.dtype)],
  grad: ({ inputs, dys, attrs: { placings } }) =>
    inputs.map((x, i) =>
      isFloat(x.dtype) ? sliceOf(dys[0]!, placings[i]!.begin, placings[i]!.step, x.shape) : null,
    ),
})

/** Applies `fn` at every point of `shape`; inputs must have that shape. */
export function mapTensors(fn: Expr, shape: Shape, inputs: readonly Tensor[]): Tensor {
  if (fn.kind === 'load') return inputs[fn.input]!
  const used = new Set<number>()
  someNode(fn, (e) => {
    if (e.kind === 'load') used.add(e.input)
    return false
  })
  if (used.size === inputs.length) return apply(mapOp, inputs, { fn, shape, weak: isWeak(inputs) })
  const kept = inputs.flatMap((_, i) => (used.has(i) ? [i] : []))
  const renamed = renameInputs(fn, (i) => kept.indexOf(i))
  const rest = kept.map((i) => inputs[i]!)
  return apply(mapOp, rest, { fn: renamed, shape, weak: isWeak(rest) })
}

const isWeak = (inputs: readonly Tensor[]): boolean =>
  inputs.length > 0 && inputs.every((t) => t.aval.weak)

/** An elementwise function of tensors that broadcast against each other; `build` gets one load each. */
export function pointwise(
  inputs: readonly Tensor[],
  build: (loads: readonly Expr[]) => Expr,
  where = 'map',
): Tensor {
  const shape = inputs.reduce<Shape>(
    (s, t) => (sameShape(s, t.shape) ? s : broadcastShapes(where, s, t.shape)),
    inputs[0]?.shape ?? [],
  )
  const fn = build(inputs.map((t, i) => load(i, t.dtype)))
  return mapTensors(
    fn,
    shape,
    inputs.map((t) => broadcastTo(t, shape)),
  )
}

/** The dtype two tensors meet in: that of the array where the other is a plain number. */
export function commonDType(a: Tensor, b: Tensor): DType {
  if (a.aval.weak !== b.aval.weak) return a.aval.weak ? b.dtype : a.dtype
  return promote(a.dtype, b.dtype)
}

/** The tensor in another dtype. */
export function castTo(x: Tensor, dtype: DType): Tensor {
  if (x.dtype === dtype && !x.aval.weak) return x
  const fn = cast(load(0, x.dtype), dtype)
  return apply(mapOp, [x], { fn, shape: x.shape, weak: false })
}

/** A tensor of one value. */
export function filled(shape: Shape, value: number, dtype: DType): Tensor {
  return apply(mapOp, [], { fn: constant(value, dtype), shape, weak: false })
}

/** The coordinate along `axis` at every point of `shape`, int32. */
export function iota(shape: Shape, axis: number): Tensor {
  return apply(mapOp, [], { fn: index(axis), shape, weak: false })
}

function view(x: Tensor, op: ViewOp): Tensor {
  return apply(viewOp, [x], { op })
}

/** The same elements in row-major order under another shape of the same size. */
export function reshapeTo(x: Tensor, shape: Shape): Tensor {
  if (sameShape(x.shape, shape)) return x
  if (sizeOf(shape) !== x.size)
    fail(
      'reshape',
      `${formatShape(x.shape)} has ${x.size} elements, ${formatShape(shape)} ${sizeOf(shape)}`,
    )
  return view(x, { kind: 'reshape', shape })
}

/** Axis `axes[i]` becomes axis i. */
export function permuteAxes(x: Tensor, axes: readonly number[]): Tensor {
  return axes.every((a, i) => a === i) ? x : view(x, { kind: 'permute', axes })
}

/** Repeats axes of size 1, and leading axes, to reach `shape`, which must fit. */
export function broadcastTo(x: Tensor, shape: Shape): Tensor {
  return sameShape(x.shape, shape) ? x : view(x, { kind: 'broadcast', shape })
}

/** `size` elements of each axis from `begin` in steps of `step`; the caller keeps it inside. */
export function sliceOf(x: Tensor, begin: Shape, step: readonly number[], size: Shape): Tensor {
  const whole = sameShape(size, x.shape) && step.every((s) => s === 1)
  return whole ? x : view(x, { kind: 'slice', begin, step, size })
}

/** Reduces along axes; they disappear. */
export function reduce(x: Tensor, op: ReduceOp, axes: readonly number[]): Tensor {
  if (axes.length === 0 && op !== 'argmax' && op !== 'argmin') return x
  return apply(reduceOp, [x], { op, axes })
}

/** Sums a broadcast away: the gradient of `broadcastTo`. */
export function sumTo(x: Tensor, shape: Shape): Tensor {
  if (sameShape(x.shape, shape)) return x
  const lead = x.shape.length - shape.length
  const axes = x.shape.flatMap((d, i) =>
    i < lead || (shape[i - lead] === 1 && d !== 1) ? [i] : [],
  )
  return reshapeTo(reduce(x, 'sum', axes), shape)
}

/** A sum of products by letters, as in `contract(a, b, 'ik', 'jk', 'ij')`, in any order; dtypes must agree. */
export function contract(a: Tensor, b: Tensor, lhs: string, rhs: string, out: string): Tensor {
  // Products of 16-bit floats are those of float32, rounded once.
  if (halfFormat(a.dtype) !== undefined) {
    const wide = (t: Tensor): Tensor => castTo(t, 'float32')
    return castTo(contract(wide(a), wide(b), lhs, rhs, out), a.dtype)
  }
  // A product is a matrix (or a batch of them): letters that make its rows, columns and sums must stand together.
  const inBoth = (c: string): boolean => lhs.includes(c) && rhs.includes(c)
  const batch = [...out].filter(inBoth)
  const rows = [...out].filter((c) => !rhs.includes(c))
  const columns = [...out].filter((c) => !lhs.includes(c))
  const sums = [...lhs].filter((c) => inBoth(c) && !out.includes(c))
  const [left, as] = sorted(a, lhs, [batch, rows, sums])
  const [right, bs] = sorted(b, rhs, [batch, sums, columns])
  const groups = [batch, rows, columns]
  const together = groups.every((g) => out.includes(g.join('')))
  const order = together ? out : groups.flat().join('')
  const product = apply(contractOp, [left, right], { lhs: as, rhs: bs, out: order })
  return permuteAxes(
    product,
    [...out].map((c) => order.indexOf(c)),
  )
}

/** A tensor whose axes have letters, with the letters of each group next to each other. */
function sorted(
  x: Tensor,
  letters: string,
  groups: readonly (readonly string[])[],
): [Tensor, string] {
  if (groups.every((g) => letters.includes(g.join('')))) return [x, letters]
  const order = groups.flat().join('')
  return [
    permuteAxes(
      x,
      [...order].map((c) => letters.indexOf(c)),
    ),
    order,
  ]
}

/** Elements of `x` along `axis` at int32 `indices`. */
export function gather(x: Tensor, indices: Tensor, axis: number, batched = false): Tensor {
  return apply(gatherOp, [x, indices], { axis, batched })
}

/** Zeros of `shape` with `updates` added where `gather` would have taken them. */
export function scatterAdd(
  indices: Tensor,
  updates: Tensor,
  shape: Shape,
  axis: number,
  batched = false,
): Tensor {
  return apply(scatterOp, [indices, updates], { shape, axis, batched })
}

/** `base` with `updates` in place of what `gather` would have taken; the last of several stays. */
export function scatterSet(
  indices: Tensor,
  updates: Tensor,
  base: Tensor,
  axis: number,
  batched = false,
): Tensor {
  return apply(scatterOp, [indices, updates, base], { shape: base.shape, axis, batched, op: 'set' })
}

/** The position of each element in row-major order, int32. */
export function flatPositions(shape: Shape): Tensor {
  let step = 1
  let sum: Expr = constant(0, 'int32')
  for (let d = shape.length - 1; d >= 0; d--) {
    sum = binary('add', sum, binary('mul', index(d), constant(step, 'int32')))
    step *= shape[d]!
  }
  return mapTensors(sum, shape, [])
}

/** An array of `shape` made of pieces; zeros elsewhere. */
export function assemble(
  shape: Shape,
  pieces: readonly Tensor[],
  placings: readonly Placing[],
): Tensor {
  return apply(concatOp, pieces, { shape, placings })
}

installAlgebra({
  add: (a, b) => pointwise([a, b], ([x, y]) => binary('add', x!, y!)),
  zeros: (value, like) =>
    withFrame({ context: like.context ?? frame.context }, () =>
      filled(value.shape, 0, value.dtype),
    ),
})
