/** The inner product of the house: a register tile of C kept through k, and the sweep of tiles over a block. */

import type { Callable, FunctionBuilder, Local } from './assembler.ts'
import type { ModuleBuilder } from './module.ts'
import {
  bump,
  bumpBy,
  emitScatter,
  i32s,
  is,
  type Lanes,
  plusProduct,
  pushMin,
  repeat,
  whileLeft,
} from './pack.ts'

/** Vectors a tile is wide. */
export const TILE_VECTORS = 2

/** Rows of a tile: with fused multiply-add 12 accumulators fit beside the operands, without it 8 do. */
export const tileRows = (relaxed: boolean) => (relaxed ? 6 : 4)

/** Emits `c = c + a·b`, of vectors. */
export function multiplyAdd(
  f: FunctionBuilder,
  lanes: Lanes,
  relaxed: boolean,
  a: Local,
  b: Local,
  c: Local,
): void {
  if (relaxed) f.get(a).get(b).get(c).op(`${lanes.vector}.relaxed_madd`).set(c)
  else f.get(c).get(a).get(b).op(`${lanes.vector}.mul`).op(`${lanes.vector}.add`).set(c)
}

/** How a kernel walks A: rows side by side in memory (packed or transposed), or a pointer for each row. */
type Walk = 'adjacent' | 'rows'

/**
 * `kernel(kc, a, sam, sak, b, sbk, c, scm, accumulate)`: a tile of `rows` × `vectors` v128. One step of k a
 * turn: TurboFan of Node 20 spills accumulators when the loop is unrolled.
 */
function emitKernel(
  m: ModuleBuilder,
  lanes: Lanes,
  relaxed: boolean,
  rows: number,
  vectors: number,
  walk: Walk,
): Callable {
  const f = m.func(i32s(9), [])
  const [kc, a, sam, sak, b, sbk, c, scm, accumulate] = [0, 1, 2, 3, 4, 5, 6, 7, 8] as const
  const { vector, size, shift } = lanes
  const v128s = () => Array.from({ length: vectors }, () => f.local('v128'))
  const acc = Array.from({ length: rows }, v128s)
  const right = v128s()
  const left = f.local('v128')
  const pointers: Local[] = [a]
  if (walk === 'rows') {
    for (let i = 1; i < rows; i++) {
      const p = f.local('i32')
      const before = pointers[i - 1]!
      f.get(before).get(sam).op('i32.add').set(p)
      pointers.push(p)
    }
  }
  f.get(kc).if(() => {
    f.loop((again) => {
      for (const [j, r] of right.entries()) {
        f.get(b).mem('v128.load', 16 * j, shift)
        f.set(r)
      }
      for (const [i, row] of acc.entries()) {
        if (walk === 'rows') f.get(pointers[i]!).mem(lanes.splat)
        else f.get(a).mem(lanes.splat, size * i)
        f.set(left)
        for (const [j, into] of row.entries()) {
          multiplyAdd(f, lanes, relaxed, left, right[j]!, into)
        }
      }
      for (const p of pointers) bump(f, p, sak)
      bump(f, b, sbk)
      f.get(kc).i32(1).op('i32.sub').tee(kc).brIf(again)
    })
  })
  const store = (add: boolean) => {
    for (const [i, row] of acc.entries()) {
      if (i > 0) bump(f, c, scm)
      for (const [j, value] of row.entries()) {
        f.get(c).get(value)
        if (add)
          f.get(c)
            .mem('v128.load', 16 * j, shift)
            .op(`${vector}.add`)
        f.mem('v128.store', 16 * j, shift)
      }
    }
  }
  f.get(accumulate).if(
    () => store(true),
    () => store(false),
  )
  return f
}

/**
 * `panel(m, kc, a, aStep, sam, sak, b, sbk, c, scm, accumulate)`: a column of tiles; `aStep` bytes lie between
 * the rows of A of one tile and the next. A kernel is a function of its own because V8 replaces a function by its
 * optimized code only when it is called.
 */
function emitPanel(
  m: ModuleBuilder,
  lanes: Lanes,
  relaxed: boolean,
  vectors: number,
  walk: Walk,
): Callable {
  const rows = tileRows(relaxed)
  const kernels = Array.from({ length: rows }, (_, i) =>
    emitKernel(m, lanes, relaxed, i + 1, vectors, walk),
  )
  const f = m.func(i32s(11), [])
  const [left, kc, a, aStep, sam, sak, b, sbk, c] = [0, 1, 2, 3, 4, 5, 6, 7, 8] as const
  const [scm, accumulate] = [9, 10] as const
  const tile = (count: number) => {
    for (const p of [kc, a, sam, sak, b, sbk, c, scm, accumulate]) f.get(p)
    f.call(kernels[count - 1]!)
  }
  const cStep = f.local('i32')
  f.get(scm).i32(rows).op('i32.mul').set(cStep)
  whileLeft(f, left, rows, () => {
    tile(rows)
    bump(f, a, aStep)
    bump(f, c, cStep)
  })
  for (let count = 1; count < rows; count++) is(f, left, count).if(() => tile(count))
  return f
}

/**
 * `sweep(m, n, kc, a, aStep, sam, sak, adjacent, b, sbk, packed, buffer, tile, c, scm, scn, accumulate)`: a block
 * of C. B comes from panels in `buffer` where `packed`, else from `b` with unit column stride, and its last
 * columns, short of a tile, from `buffer`. Columns short of a vector, or not side by side, go by way of `tile`.
 */
export function emitSweep(
  m: ModuleBuilder,
  lanes: Lanes,
  relaxed: boolean,
  name: string,
): Callable {
  const { count, size } = lanes
  const panels = (walk: Walk) =>
    [1, TILE_VECTORS].map((v) => emitPanel(m, lanes, relaxed, v, walk)) as [Callable, Callable]
  const adjacentPanels = panels('adjacent')
  const rowPanels = panels('rows')
  const scatter = emitScatter(m, lanes)

  const f = m.func(i32s(17), [], name)
  const [mm, n, kc, a, aStep, sam, sak, adjacent, b, sbk] = [0, 1, 2, 3, 4, 5, 6, 7, 8, 9] as const
  const [packed, buffer, tile, c, scm, scn, accumulate] = [10, 11, 12, 13, 14, 15, 16] as const
  const i32 = () => f.local('i32')
  const [left, width, vectors, direct] = [i32(), i32(), i32(), i32()]
  const [from, step, to, toStep, add] = [i32(), i32(), i32(), i32(), i32()]
  const run = ([narrow, full]: readonly [Callable, Callable]) => {
    const call = (panel: Callable) => {
      for (const p of [mm, kc, a, aStep, sam, sak, from, step, to, toStep, add]) f.get(p)
      f.call(panel)
    }
    is(f, vectors, 1).if(
      () => call(narrow),
      () => call(full),
    )
  }
  f.get(n).set(left)
  repeat(f, (done) => {
    f.get(left).i32(0).op('i32.le_s').brIf(done)
    f.i32(1).i32(TILE_VECTORS).get(left).i32(count).op('i32.le_s').select().tee(vectors)
    f.i32(count).op('i32.mul').set(width)

    f.get(packed).get(left).get(width).op('i32.lt_s').op('i32.or')
    const rowBytes = count * TILE_VECTORS * size
    f.if(
      () => f.get(buffer).set(from).i32(rowBytes).set(step),
      () => f.get(b).set(from).get(sbk).set(step),
    )
    is(f, scn, size).get(left).get(width).op('i32.ge_s').op('i32.and').tee(direct)
    f.if(
      () => f.get(c).set(to).get(scm).set(toStep).get(accumulate).set(add),
      () => f.get(tile).set(to).get(width).i32(size).op('i32.mul').set(toStep).i32(0).set(add),
    )
    f.get(adjacent).if(
      () => run(adjacentPanels),
      () => run(rowPanels),
    )
    pushMin(f, width, left).set(width)
    is(f, direct, 0).if(() => {
      for (const p of [tile, toStep, c, scm, scn, mm, width, accumulate]) f.get(p)
      f.call(scatter)
    })
    plusProduct(f.get(c), width, scn).set(c)
    f.get(width).i32(size).op('i32.mul').set(width)
    f.get(packed).if(
      () => plusProduct(f.get(buffer), width, kc).set(buffer),
      () => bump(f, b, width),
    )
    bumpBy(f, left, -count * TILE_VECTORS)
  })
  return f
}
