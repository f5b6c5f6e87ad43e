/** Resampling along axes: every output element is a weighted sum of input elements, one axis after the other. */

import { isFloat } from '../base/dtype.ts'
import { type Shape, sizeOf } from '../base/shape.ts'
import type { Tensor } from '../core/tensor.ts'
import { add, mul, sub } from '../prim/arithmetic.ts'
import { binary, cast, compare, constant, type Expr, index, select, unary } from '../prim/expr.ts'
import { contract, mapTensors, permuteAxes, reshapeTo } from '../prim/primitive.ts'

const real = (value: number): Expr => constant(value, 'float64')
const within = (x: Expr, low: number, high: number): Expr =>
  binary('min', binary('max', x, real(low)), real(high))

/** The weight of input element i in output element o, both float64. */
export type Weight = (o: Expr, i: Expr) => Expr

/** The tensor with an axis resampled to `size` elements. */
export function resample(x: Tensor, axis: number, size: number, weight: Weight): Tensor {
  const n = x.shape[axis]!
  const o = cast(index(0), 'float64')
  const i = cast(index(1), 'float64')
  const weights = mapTensors(cast(weight(o, i), x.dtype), [size, n], [])
  const rank = x.shape.length
  const order = [...Array.from({ length: rank }, (_, d) => d).filter((d) => d !== axis), axis]
  const lines = permuteAxes(x, order)
  const lead = lines.shape.slice(0, -1)
  const y = contract(reshapeTo(lines, [sizeOf(lead), n]), weights, 'ln', 'zn', 'lz')
  return permuteAxes(
    reshapeTo(y, [...lead, size]),
    order.map((_, d) => order.indexOf(d)),
  )
}

/** How pixels of the input lie under those of the output. */
export type Placement = 'corners' | 'centres'

/** Where an output element lies among n input elements, of which there are `size`. */
function source(o: Expr, n: number, size: number, placement: Placement): Expr {
  if (placement === 'corners') return mul(o, real(size > 1 ? (n - 1) / (size - 1) : 0))
  return sub(mul(add(o, real(0.5)), real(n / size)), real(0.5))
}

/** Sums the weights of taps around a place; taps outside count for the element at the edge. */
function taps(
  place: Expr,
  i: Expr,
  n: number,
  offsets: readonly number[],
  f: (d: Expr) => Expr,
): Expr {
  const base = unary('floor', place)
  const part = sub(place, base)
  return offsets
    .map((t) => {
      const at = within(add(base, real(t)), 0, n - 1)
      return select(compare('eq', at, i), f(sub(real(t), part)), real(0))
    })
    .reduce(add)
}

/** Linear interpolation between neighbours. */
export const linear =
  (n: number, size: number, placement: Placement): Weight =>
  (o, i) =>
    taps(within(source(o, n, size, placement), 0, n - 1), i, n, [0, 1], (d) =>
      sub(real(1), unary('abs', d)),
    )

/** Keys' cubic with a = -3/4, as image libraries have it. */
export const cubic =
  (n: number, size: number): Weight =>
  (o, i) =>
    taps(source(o, n, size, 'centres'), i, n, [-1, 0, 1, 2], (d) => {
      const x = unary('abs', d)
      const a = -0.75
      const near = add(mul(mul(sub(mul(real(a + 2), x), real(a + 3)), x), x), real(1))
      const far = sub(
        mul(add(mul(sub(mul(real(a), x), real(5 * a)), x), real(8 * a)), x),
        real(4 * a),
      )
      return select(compare('le', x, real(1)), near, far)
    })

/** The element under the upper left corner. */
export const nearest =
  (n: number, size: number): Weight =>
  (o, i) => {
    const at = within(unary('floor', mul(o, real(n / size))), 0, n - 1)
    return select(compare('eq', at, i), real(1), real(0))
  }

/** The mean over what an output element covers, parts of elements included. */
export const area =
  (n: number, size: number): Weight =>
  (o, i) => {
    const width = n / size
    const low = binary('max', mul(o, real(width)), i)
    const high = binary('min', mul(add(o, real(1)), real(width)), add(i, real(1)))
    return mul(binary('max', sub(high, low), real(0)), real(1 / width))
  }

/** The mean over the elements from ⌊o·n/size⌋ to ⌈(o + 1)·n/size⌉. */
export const adaptive =
  (n: number, size: number): Weight =>
  (o, i) => {
    const low = unary('floor', binary('div', mul(o, real(n)), real(size)))
    const high = unary('ceil', binary('div', mul(add(o, real(1)), real(n)), real(size)))
    const inside = binary('and', compare('ge', i, low), compare('lt', i, high))
    return select(inside, binary('div', real(1), sub(high, low)), real(0))
  }

/** The size of an image (H, W) whose shorter side becomes `size`. */
export function keepingRatio([h, w]: Shape, size: number): [number, number] {
  return h! > w! ? [Math.floor((size * h!) / w!), size] : [size, Math.floor((size * w!) / h!)]
}

/** The dtype in which a resampled image of a dtype is computed. */
export const computing = (x: Tensor): 'float32' | Tensor['dtype'] =>
  isFloat(x.dtype) ? x.dtype : 'float32'
