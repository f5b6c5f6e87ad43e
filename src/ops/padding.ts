/** Operators on margins and windows: Pad, im2col, col2im. */

import { fail } from '../base/error.ts'
import { formatShape, type Shape, sizeOf } from '../base/shape.ts'
import { apply } from '../core/apply.ts'
import { attr, type Given } from '../core/attrs.ts'
import { defineOp } from '../core/op.ts'
import type { Tensor } from '../core/tensor.ts'
import { int } from '../prim/arithmetic.ts'
import { binary, compare, constant, type Expr, index, select } from '../prim/expr.ts'
import {
  assemble,
  gather,
  mapTensors,
  permuteAxes,
  pointwise,
  reshapeTo,
  scatterAdd,
  sliceOf,
} from '../prim/primitive.ts'

/** The array in the middle of zeros. */
export function zeroMargins(x: Tensor, before: Shape, after: Shape): Tensor {
  const shape = x.shape.map((d, i) => d + before[i]! + after[i]!)
  return assemble(shape, [x], [{ begin: before, step: x.shape.map(() => 1) }])
}

/** The position in an axis of n elements that stands at each place of the padded one. */
function mirroredPlaces(
  n: number,
  before: number,
  after: number,
  mode: 'edge' | 'reflect',
): Tensor {
  const at = binary('sub', index(0), int(before))
  const inside = (e: Expr): Expr => binary('min', binary('max', e, int(0)), int(n - 1))
  const back = binary('sub', int(2 * (n - 1)), at)
  const turned = select(
    compare('lt', at, int(0)),
    binary('sub', int(0), at),
    select(compare('ge', at, int(n)), back, at),
  )
  return mapTensors(inside(mode === 'edge' ? at : turned), [before + n + after], [])
}

const padAttrs = {
  mode: attr.oneOf(['constant', 'edge', 'reflect']),
  padWidth: attr.ints(undefined, { min: 0 }),
  constantValue: attr.float(0),
}

const padOp = defineOp({
  name: 'Pad',
  aliases: ['pad'],
  inputs: ['data'],
  attrs: padAttrs,
  body: ([x], { mode, padWidth, constantValue }) => {
    const { shape } = x!
    if (padWidth.length !== 2 * shape.length)
      fail(
        'Pad',
        `padWidth has ${padWidth.length} entries for ${shape.length} axes: two for each are needed`,
      )
    const before = shape.map((_, i) => padWidth[2 * i]!)
    const after = shape.map((_, i) => padWidth[2 * i + 1]!)
    if (mode === 'constant') {
      const padded = zeroMargins(x!, before, after)
      if (constantValue === 0) return padded
      const within = shape.map((d, i): Expr => {
        const at = index(i)
        return binary(
          'and',
          compare('ge', at, int(before[i]!)),
          compare('lt', at, int(before[i]! + d)),
        )
      })
      return pointwise([padded], ([v]) => {
        const inside = within.reduce((a, b) => binary('and', a, b), constant(1, 'bool'))
        return select(inside, v!, constant(constantValue, v!.dtype))
      })
    }
    return shape.reduce<Tensor>((y, n, i) => {
      const [low, high] = [before[i]!, after[i]!]
      if (low === 0 && high === 0) return y
      if (n === 0 || (mode === 'reflect' && Math.max(low, high) >= n))
        fail('Pad', `axis ${i} of size ${n} cannot be padded by ${low} and ${high} (${mode})`)
      return gather(y, mirroredPlaces(n, low, high, mode), i)
    }, x!)
  },
})

/**
 * The array with margins: a constant, its edges repeated, or its inside reflected without the edge.
 *
 * `padWidth` holds for each axis how much before and after. `(A…) -> (A + before + after…)`; keeps the dtype.
 * @throws MXNetError when padWidth does not fit, or reflecting needs more than there is.
 * @example
 * await nd.pad(nd.array([[1, 2]]), { mode: 'edge', padWidth: [0, 0, 1, 1] }).asArray() // => [[1, 1, 2, 2]]
 * @see MXNet `Pad`
 */
export function pad<T extends Tensor>(data: T, attrs: Given<typeof padAttrs>): T {
  return apply(padOp, [data], attrs)
}

const windowAttrs = {
  kernel: attr.ints(undefined, { above: 0 }),
  stride: attr.ints([], { above: 0 }),
  dilate: attr.ints([], { above: 0 }),
  pad: attr.ints([], { min: 0 }),
}

/** How windows lie along each axis, and how many there are. */
interface Windows {
  readonly kernel: Shape
  readonly stride: Shape
  readonly dilate: Shape
  readonly pad: Shape
  readonly count: Shape
}

function windowsOf(
  where: string,
  sizes: Shape,
  attrs: { readonly [K in 'kernel' | 'stride' | 'dilate' | 'pad']: Shape },
): Windows {
  const { kernel } = attrs
  const filled = (list: Shape, value: number): Shape => {
    if (list.length === 0) return kernel.map(() => value)
    if (list.length !== kernel.length)
      fail(
        where,
        `(${list.join(', ')}) has ${list.length} entries for a kernel of ${kernel.length}`,
      )
    return list
  }
  if (kernel.length !== sizes.length)
    fail(where, `a kernel of ${kernel.length} axes does not fit ${sizes.length} spatial axes`)
  const [stride, dilate, padding] = [
    filled(attrs.stride, 1),
    filled(attrs.dilate, 1),
    filled(attrs.pad, 0),
  ]
  const count = sizes.map((d, i) => {
    const reach = dilate[i]! * (kernel[i]! - 1) + 1
    const n = Math.floor((d + 2 * padding[i]! - reach) / stride[i]!) + 1
    return n > 0
      ? n
      : fail(where, `windows of ${reach} do not fit into ${d} + 2·${padding[i]} on axis ${i}`)
  })
  return { kernel, stride, dilate, pad: padding, count }
}

/** Where element k of window o stands in the padded axis, over (kernel, count). */
const windowPlaces = (w: Windows, i: number): Tensor =>
  mapTensors(
    binary(
      'add',
      binary('mul', index(0), int(w.dilate[i]!)),
      binary('mul', index(1), int(w.stride[i]!)),
    ),
    [w.kernel[i]!, w.count[i]!],
    [],
  )

/** The order (N, C, kernels…, counts…) of axes (N, C, kernel, count, kernel, count, …). */
const apart = (rank: number): number[] => [
  0,
  1,
  ...Array.from({ length: rank }, (_, i) => 2 + 2 * i),
  ...Array.from({ length: rank }, (_, i) => 3 + 2 * i),
]

const im2colOp = defineOp({
  name: 'im2col',
  inputs: ['data'],
  attrs: windowAttrs,
  body: ([x], attrs) => {
    if (x!.shape.length < 3)
      fail('im2col', `data has shape ${formatShape(x!.shape)}: it must be (N, C, spatial…)`)
    const sizes = x!.shape.slice(2)
    const w = windowsOf('im2col', sizes, attrs)
    const margins = [0, 0, ...w.pad]
    const spread = sizes.reduce(
      (y, _, i) => gather(y, windowPlaces(w, i), 2 + 2 * i),
      zeroMargins(x!, margins, margins),
    )
    const [n, c] = x!.shape as [number, number]
    return reshapeTo(permuteAxes(spread, apart(sizes.length)), [
      n,
      c * sizeOf(w.kernel),
      sizeOf(w.count),
    ])
  },
})

/**
 * The windows of a convolution as columns.
 *
 * `(N, C, S…) -> (N, C·Πkernel, L)` with L windows; keeps the dtype.
 * @throws MXNetError when windows do not fit.
 * @example
 * nd.im2col(nd.zeros([1, 2, 4, 4]), { kernel: [3, 3] }).shape // => [1, 18, 4]
 * @see MXNet `im2col`
 */
export function im2col<T extends Tensor>(data: T, attrs: Given<typeof windowAttrs>): T {
  return apply(im2colOp, [data], attrs)
}

const col2imAttrs = { outputSize: attr.ints(undefined, { above: 0 }), ...windowAttrs }

const col2imOp = defineOp({
  name: 'col2im',
  inputs: ['data'],
  attrs: col2imAttrs,
  body: ([x], attrs) => {
    const sizes = attrs.outputSize
    const w = windowsOf('col2im', sizes, attrs)
    const [n, columns, length] = x!.shape
    const c = (columns ?? 0) / sizeOf(w.kernel)
    if (x!.shape.length !== 3 || !Number.isInteger(c) || length !== sizeOf(w.count))
      fail(
        'col2im',
        `data has shape ${formatShape(x!.shape)}: it must be (N, C·${sizeOf(w.kernel)}, ${sizeOf(w.count)})`,
      )
    const rank = sizes.length
    const order = apart(rank)
    const split = reshapeTo(x!, [n!, c, ...w.kernel, ...w.count])
    let y = permuteAxes(
      split,
      order.map((_, i) => order.indexOf(i)),
    )
    for (let i = rank - 1; i >= 0; i--) {
      const places = windowPlaces(w, i)
      const axis = 2 + 2 * i
      const shape = y.shape.toSpliced(axis, 2, sizes[i]! + 2 * w.pad[i]!)
      y = scatterAdd(places, y, shape, axis)
    }
    const inner = [n!, c, ...sizes]
    return sliceOf(
      y,
      [0, 0, ...w.pad],
      inner.map(() => 1),
      inner,
    )
  },
})

/**
 * Columns put back where `im2col` took them; what overlaps is added up.
 *
 * `(N, C·Πkernel, L) -> (N, C, outputSize…)`; keeps the dtype.
 * @throws MXNetError when the shape does not fit the windows.
 * @example
 * nd.col2im(nd.zeros([1, 18, 4]), { outputSize: [4, 4], kernel: [3, 3] }).shape // => [1, 2, 4, 4]
 * @see MXNet `col2im`
 */
export function col2im<T extends Tensor>(data: T, attrs: Given<typeof col2imAttrs>): T {
  return apply(col2imOp, [data], attrs)
}
