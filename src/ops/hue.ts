/** Hue: colours as hue, lightness and saturation, turned around the circle. */

import { fail } from '../base/error.ts'
import type { Tensor } from '../core/tensor.ts'
import { add, div, mul, num, sub } from '../prim/arithmetic.ts'
import { binary, compare, constant, type Expr, index, select, unary } from '../prim/expr.ts'
import { broadcastTo, pointwise, sliceOf } from '../prim/primitive.ts'

/** Hue (in sixths of the circle, turned by `turn` circles), lightness and saturation. */
function toHls(r: Expr, g: Expr, b: Expr, turn: Expr): { h: Expr; l: Expr; s: Expr } {
  const high = binary('max', binary('max', r, g), b)
  const low = binary('min', binary('min', r, g), b)
  const gap = sub(high, low)
  const l = mul(add(high, low), num(r, 0.5))
  const flat = compare('le', gap, num(r, 1.1920929e-7))
  const width = select(
    compare('lt', l, num(r, 0.5)),
    add(high, low),
    sub(sub(num(r, 2), high), low),
  )
  const s = select(flat, num(r, 0), div(gap, select(flat, num(r, 1), width)))
  const scale = div(num(r, 60), select(flat, num(r, 1), gap))
  const around = select(
    compare('eq', high, r),
    mul(sub(g, b), scale),
    select(
      compare('eq', high, g),
      add(mul(sub(b, r), scale), num(r, 120)),
      add(mul(sub(r, g), scale), num(r, 240)),
    ),
  )
  const degrees = select(compare('lt', around, num(r, 0)), add(around, num(r, 360)), around)
  const turned = add(select(flat, num(r, 0), degrees), mul(turn, num(r, 360)))
  const sixths = mul(turned, num(r, 1 / 60))
  return { h: binary('mod', sixths, num(r, 6)), l, s }
}

/** Which of (p2, p1, falling, rising) each sector of the circle gives blue, green and red. */
const sectors = [
  [1, 3, 0],
  [1, 0, 2],
  [3, 0, 1],
  [0, 2, 1],
  [0, 1, 3],
  [2, 1, 0],
] as const

/** The images with their hue turned by a number of circles. */
export function hueTurned(x: Tensor, turn: Tensor): Tensor {
  const last = x.shape.length - 1
  if (x.shape[last] !== 3) fail('random_hue', `${x.shape[last]} channels: there must be 3`)
  const channel = (k: number): Tensor => {
    const shape = x.shape.with(last, 1)
    const begin = shape.map((_, i) => (i === last ? k : 0))
    return broadcastTo(
      sliceOf(
        x,
        begin,
        shape.map(() => 1),
        shape,
      ),
      x.shape,
    )
  }
  return pointwise([channel(0), channel(1), channel(2), turn], ([r0, g0, b0, by]) => {
    const unit = (v: Expr): Expr => div(v, num(v, 255))
    const { h, l, s } = toHls(unit(r0!), unit(g0!), unit(b0!), by!)
    const p2 = select(
      compare('le', l, num(l, 0.5)),
      mul(l, add(num(l, 1), s)),
      sub(add(l, s), mul(l, s)),
    )
    const p1 = sub(mul(num(l, 2), l), p2)
    const sector = unary('floor', h)
    const part = sub(h, sector)
    const table = [
      p2,
      p1,
      add(p1, mul(sub(p2, p1), sub(num(l, 1), part))),
      add(p1, mul(sub(p2, p1), part)),
    ]
    const at = (column: number): Expr =>
      sectors.reduce<Expr>(
        (e, row, k) => select(compare('eq', sector, num(l, k)), table[row[column]!]!, e),
        table[sectors[5][column]!]!,
      )
    const [blue, green, red] = [at(0), at(1), at(2)]
    const here = (k: number): Expr => compare('eq', index(last), constant(k, 'int32'))
    const coloured = select(here(0), red, select(here(1), green, blue))
    return mul(select(compare('eq', s, num(s, 0)), l, coloured), num(l, 255))
  })
}
