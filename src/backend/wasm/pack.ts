/** Moving panels of matrices: gathering operands into the order in which the micro-kernel reads, and results back. */

import type { Callable, FunctionBuilder, Label, Local } from './assembler.ts'
import type { ModuleBuilder } from './module.ts'

/** The element type of a product. */
export type Real = 'float32' | 'float64'

/** What the generators need to know of an element type. */
export interface Lanes {
  readonly scalar: 'f32' | 'f64'
  readonly vector: 'f32x4' | 'f64x2'
  /** Elements in a v128. */
  readonly count: 4 | 2
  /** Bytes of an element, and its log2. */
  readonly size: 4 | 8
  readonly shift: 2 | 3
  readonly splat: 'v128.load32_splat' | 'v128.load64_splat'
}

/** The lane layout of an element type. */
export const LANES: Record<Real, Lanes> = {
  float32: {
    scalar: 'f32',
    vector: 'f32x4',
    count: 4,
    size: 4,
    shift: 2,
    splat: 'v128.load32_splat',
  },
  float64: {
    scalar: 'f64',
    vector: 'f64x2',
    count: 2,
    size: 8,
    shift: 3,
    splat: 'v128.load64_splat',
  },
}

/** Rows of a matrix of unit column stride that a pack reads side by side. */
const ROWS_AT_A_TIME = 32

/** `local += delta`. */
export function bump(f: FunctionBuilder, local: Local, delta: Local): void {
  f.get(local).get(delta).op('i32.add').set(local)
}

/** `local += delta`, a constant. */
export function bumpBy(f: FunctionBuilder, local: Local, delta: number): void {
  f.get(local).i32(delta).op('i32.add').set(local)
}

/** Adds a constant to the i32 on the stack. */
export function plus(f: FunctionBuilder, value: number): FunctionBuilder {
  return f.i32(value).op('i32.add')
}

/** Adds `a · b` to the i32 on the stack. */
export function plusProduct(f: FunctionBuilder, a: Local, b: Local): FunctionBuilder {
  return f.get(a).get(b).op('i32.mul').op('i32.add')
}

/** Pushes whether an i32 local is a value. */
export function is(f: FunctionBuilder, local: Local, value: number): FunctionBuilder {
  return f.get(local).i32(value).op('i32.eq')
}

/** Repeats `body` until it branches to `done`. */
export function repeat(f: FunctionBuilder, body: (done: Label) => void): void {
  f.block((done) => {
    f.loop((again) => {
      body(done)
      f.br(again)
    })
  })
}

/** Takes `n` off `left` and repeats `body` while at least `n` are left. */
export function whileLeft(f: FunctionBuilder, left: Local, n: number, body: () => void): void {
  repeat(f, (done) => {
    f.get(left).i32(n).op('i32.lt_s').brIf(done)
    body()
    bumpBy(f, left, -n)
  })
}

/** As many i32 as a function has parameters. */
export const i32s = (n: number) => new Array<'i32'>(n).fill('i32')

/** Pushes min(a, b) of i32 locals or a constant b. */
export function pushMin(
  f: FunctionBuilder,
  a: Local,
  b: Local | { const: number },
): FunctionBuilder {
  const pushB = () => (typeof b === 'number' ? f.get(b) : f.i32(b.const))
  f.get(a)
  pushB()
  f.get(a)
  return pushB().op('i32.lt_s').select()
}

/**
 * `group(src, sk, sw, steps, valid, dst, stride)`: for each of `steps` values of k, one v128 of lanes
 * `src[i·sw + k·sk]`, lanes from `valid` on zero, stored at `dst + k·stride`. Strides in bytes.
 */
function emitGroup(m: ModuleBuilder, lanes: Lanes): Callable {
  const { count, size } = lanes
  const f = m.func(i32s(7), [])
  const [src, sk, sw, steps, valid, dst, stride] = [0, 1, 2, 3, 4, 5, 6] as const
  const k = f.local('i32')
  const at = f.local('i32')
  const v = f.local('v128')
  const rows = Array.from({ length: count }, () => f.local('v128'))
  const bits = (size * 8) as 32 | 64

  const whole = () => f.get(valid).i32(count).op('i32.eq')

  // Lanes already side by side: a copy a step.
  whole().get(sw).i32(size).op('i32.eq').op('i32.and')
  f.if(() => {
    f.range(k, steps, 1, () => {
      f.get(dst).get(src).mem('v128.load', 0, lanes.shift).mem('v128.store', 0, lanes.shift)
      bump(f, src, sk)
      bump(f, dst, stride)
    })
    f.return()
  })

  // Steps side by side: square transposes, the rest below.
  whole().get(sk).i32(size).op('i32.eq').op('i32.and')
  f.if(() => {
    const end = f.local('i32')
    f.get(steps).i32(-count).op('i32.and').set(end)
    f.range(k, end, count, () => {
      f.get(src).set(at)
      for (const row of rows) {
        f.get(at).mem('v128.load', 0, lanes.shift).set(row)
        bump(f, at, sw)
      }
      for (const put of transpose(f, rows)) {
        f.get(dst)
        put()
        f.mem('v128.store', 0, lanes.shift)
        bump(f, dst, stride)
      }
      bumpBy(f, src, count * size)
    })
  })

  f.range(k, steps, 1, () => {
    f.get(src).tee(at).mem(`v128.load${bits}_zero`).set(v)
    for (let i = 1; i < count; i++) {
      f.get(valid).i32(i).op('i32.gt_s')
      f.if(() => {
        bump(f, at, sw)
        f.get(at).get(v).memLane(`v128.load${bits}_lane`, i).set(v)
      })
    }
    f.get(dst).get(v).mem('v128.store', 0, lanes.shift)
    bump(f, src, sk)
    bump(f, dst, stride)
  })
  return f
}

/** Pushers of the columns of the square held in `rows`. */
function transpose(f: FunctionBuilder, rows: readonly Local[]): (() => void)[] {
  const [a, b, c, d] = rows as [Local, Local, Local, Local]
  if (rows.length === 2) {
    return [() => f.get(a).get(b).shuffle64(0, 2), () => f.get(a).get(b).shuffle64(1, 3)]
  }
  const [low, high, low2, high2] = [0, 1, 2, 3].map(() => f.local('v128')) as [
    Local,
    Local,
    Local,
    Local,
  ]
  f.get(a).get(b).shuffle32(0, 4, 1, 5).set(low)
  f.get(c).get(d).shuffle32(0, 4, 1, 5).set(low2)
  f.get(a).get(b).shuffle32(2, 6, 3, 7).set(high)
  f.get(c).get(d).shuffle32(2, 6, 3, 7).set(high2)
  return [
    () => f.get(low).get(low2).shuffle64(0, 2),
    () => f.get(low).get(low2).shuffle64(1, 3),
    () => f.get(high).get(high2).shuffle64(0, 2),
    () => f.get(high).get(high2).shuffle64(1, 3),
  ]
}

/**
 * `pack(src, sk, sw, steps, width, dst, panel, storage)`: panels of `panel` consecutive w, each `steps` rows of
 * `storage` elements (a multiple of the lanes, at least `panel`); lanes past `width` are zero, panel after panel
 * `steps · storage` elements apart. Strides in bytes.
 */
export function emitPack(m: ModuleBuilder, lanes: Lanes, exportName?: string): Callable {
  const { count, size, shift } = lanes
  const group = emitGroup(m, lanes)
  const f = m.func(i32s(8), [], exportName)
  const [src, sk, sw, steps, width, dst, panel, storage] = [0, 1, 2, 3, 4, 5, 6, 7] as const
  const i32 = () => f.local('i32')
  const [g, end, left, stride, k, turn, most] = [i32(), i32(), i32(), i32(), i32(), i32(), i32()]
  const [from, to, room] = [i32(), i32(), i32()]
  f.get(storage).i32(shift).op('i32.shl').set(stride)
  // Rows are read a few at a time through all panels, so that each line is used whole while it is near.
  f.i32(ROWS_AT_A_TIME).get(steps)
  is(f, sw, size).get(sk).i32(size).op('i32.ne').op('i32.and').select().set(most)
  repeat(f, (done) => {
    f.get(steps).get(k).op('i32.sub').tee(turn).i32(0).op('i32.le_s').brIf(done)
    pushMin(f, turn, most).set(turn)
    plusProduct(f.get(src), k, sk).set(from)
    plusProduct(f.get(dst), k, stride).set(to)
    f.get(width).set(left)
    repeat(f, (last) => {
      f.get(left).i32(0).op('i32.le_s').brIf(last)
      pushMin(f.i32(0).set(g), panel, left).set(end)
      f.range(g, end, count, () => {
        plusProduct(f.get(from), g, sw).get(sk).get(sw).get(turn)
        // A group may reach past its panel, never past the matrix.
        f.get(left).get(g).op('i32.sub').set(room)
        pushMin(f, room, { const: count })
        f.get(to).get(g).i32(shift).op('i32.shl').op('i32.add').get(stride).call(group)
      })
      plusProduct(f.get(from), panel, sw).set(from)
      plusProduct(f.get(to), stride, steps).set(to)
      f.get(left).get(panel).op('i32.sub').set(left)
    })
    bump(f, k, turn)
  })
  return f
}

/**
 * `scatter(tile, tileStride, c, scm, scn, rows, columns, accumulate)`: element (i, j) of a tile with unit column
 * stride to `c + i·scm + j·scn`, stored or added. Strides in bytes.
 */
export function emitScatter(m: ModuleBuilder, lanes: Lanes): Callable {
  const { scalar, size } = lanes
  const f = m.func(i32s(8), [])
  const [tile, tileStride, c, scm, scn, rows, columns, accumulate] = [
    0, 1, 2, 3, 4, 5, 6, 7,
  ] as const
  const [i, j, from, to] = [0, 0, 0, 0].map(() => f.local('i32')) as [Local, Local, Local, Local]
  const zero = () => (scalar === 'f32' ? f.f32(-0) : f.f64(-0))
  f.range(i, rows, 1, () => {
    f.get(tile).set(from).get(c).set(to).i32(0).set(j)
    f.range(j, columns, 1, () => {
      f.get(to).get(from).mem(`${scalar}.load`)
      f.get(accumulate).if(
        () => f.get(to).mem(`${scalar}.load`),
        () => zero(),
        scalar,
      )
      f.op(`${scalar}.add`).mem(`${scalar}.store`)
      bumpBy(f, from, size)
      bump(f, to, scn)
    })
    bump(f, tile, tileStride)
    bump(f, c, scm)
  })
  return f
}
