/** Products with fewer rows or columns than a tile has: bound by reading the large operand, so read it in order. */

import type { Callable, Local } from './assembler.ts'
import type { ModuleBuilder } from './module.ts'
import { bump, bumpBy, i32s, is, type Lanes, whileLeft } from './pack.ts'
import { multiplyAdd } from './tile.ts'

/** Products with fewer rows or columns than this may be thin. */
const THIN = 4
/** Rows of A that share a load of x. */
const DOT_ROWS = 4
/** Rows of B that share a load and a store of C. */
const UPDATE_STEPS = 4

/** `dots(k, a, sam, x, c, scm, accumulate)`: the inner products of x and `rows` rows of A, all of unit stride. */
function emitDotKernel(m: ModuleBuilder, lanes: Lanes, relaxed: boolean, rows: number): Callable {
  const { scalar, vector, count, size, shift } = lanes
  const f = m.func(i32s(7), [])
  const [k, a, sam, x, c, scm, accumulate] = [0, 1, 2, 3, 4, 5, 6] as const
  const pair = () => [f.local('v128'), f.local('v128')] as const
  const acc = Array.from({ length: rows }, pair)
  const sums = acc.map(() => f.local(scalar))
  const right = pair()
  const left = f.local('v128')
  const pointers: Local[] = [a]
  for (let i = 1; i < rows; i++) {
    const p = f.local('i32')
    const before = pointers[i - 1]!
    f.get(before).get(sam).op('i32.add').set(p)
    pointers.push(p)
  }
  whileLeft(f, k, 2 * count, () => {
    for (const u of [0, 1] as const) {
      f.get(x).mem('v128.load', 16 * u, shift)
      f.set(right[u])
    }
    for (const [i, row] of acc.entries()) {
      for (const u of [0, 1] as const) {
        f.get(pointers[i]!).mem('v128.load', 16 * u, shift)
        f.set(left)
        multiplyAdd(f, lanes, relaxed, left, right[u], row[u])
      }
    }
    for (const p of [x, ...pointers]) bumpBy(f, p, 32)
  })
  for (const [i, [even, odd]] of acc.entries()) {
    f.get(even).get(odd).op(`${vector}.add`).set(even)
    for (let l = 0; l < count; l++) {
      f.get(even).lane(`${vector}.extract_lane`, l)
      if (l > 0) f.op(`${scalar}.add`)
    }
    f.set(sums[i]!)
  }
  whileLeft(f, k, 1, () => {
    for (const [i, sum] of sums.entries()) {
      f.get(sum).get(pointers[i]!).mem(`${scalar}.load`).get(x).mem(`${scalar}.load`)
      f.op(`${scalar}.mul`).op(`${scalar}.add`).set(sum)
    }
    for (const p of [x, ...pointers]) bumpBy(f, p, size)
  })
  for (const [i, sum] of sums.entries()) {
    if (i > 0) bump(f, c, scm)
    f.get(accumulate).if(() => f.get(c).mem(`${scalar}.load`).get(sum).op(`${scalar}.add`).set(sum))
    f.get(c).get(sum).mem(`${scalar}.store`)
  }
  return f
}

/** `dot(m, k, a, sam, x, c, scm, accumulate)`: a matrix of unit stride in k by a vector. */
function emitDots(m: ModuleBuilder, lanes: Lanes, relaxed: boolean): Callable {
  const kernels = [DOT_ROWS, 1].map((rows) => ({
    rows,
    kernel: emitDotKernel(m, lanes, relaxed, rows),
  }))
  const f = m.func(i32s(8), [])
  const [left, k, a, sam, x, c, scm, accumulate] = [0, 1, 2, 3, 4, 5, 6, 7] as const
  for (const { rows, kernel } of kernels) {
    whileLeft(f, left, rows, () => {
      for (const p of [k, a, sam, x, c, scm, accumulate]) f.get(p)
      f.call(kernel)
      for (let i = 0; i < rows; i++) {
        bump(f, a, sam)
        bump(f, c, scm)
      }
    })
  }
  return f
}

/** `update(n, a, sam, sak, b, sbk, c, scm)`: adds `steps` rows of B, scaled by elements of A, to `rows` rows of C. */
function emitUpdateKernel(
  m: ModuleBuilder,
  lanes: Lanes,
  relaxed: boolean,
  rows: number,
  steps: number,
): Callable {
  const { scalar, vector, count, size, shift } = lanes
  const f = m.func(i32s(8), [])
  const [n, a, sam, sak, b, sbk, c, scm] = [0, 1, 2, 3, 4, 5, 6, 7] as const
  const scales = Array.from({ length: rows }, () =>
    Array.from({ length: steps }, () => f.local('v128')),
  )
  const at = f.local('i32')
  for (const row of scales) {
    f.get(a).set(at)
    for (const scale of row) {
      f.get(at).mem(lanes.splat).set(scale)
      bump(f, at, sak)
    }
    bump(f, a, sam)
  }
  const from: Local[] = [b]
  for (let r = 1; r < steps; r++) {
    const p = f.local('i32')
    const before = from[r - 1]!
    f.get(before).get(sbk).op('i32.add').set(p)
    from.push(p)
  }
  const to: Local[] = [c]
  for (let i = 1; i < rows; i++) {
    const p = f.local('i32')
    f.get(c).get(scm).op('i32.add').set(p)
    to.push(p)
  }
  const right = f.local('v128')
  const sums = scales.map(() => f.local('v128'))
  const vectors = (turns: number) => {
    for (let u = 0; u < turns; u++) {
      for (const [i, sum] of sums.entries()) {
        f.get(to[i]!).mem('v128.load', 16 * u, shift)
        f.set(sum)
      }
      for (const [r, p] of from.entries()) {
        f.get(p).mem('v128.load', 16 * u, shift)
        f.set(right)
        for (const [i, sum] of sums.entries()) {
          multiplyAdd(f, lanes, relaxed, scales[i]![r]!, right, sum)
        }
      }
      for (const [i, sum] of sums.entries()) {
        f.get(to[i]!).get(sum)
        f.mem('v128.store', 16 * u, shift)
      }
    }
    for (const p of [...from, ...to]) bumpBy(f, p, 16 * turns)
  }
  whileLeft(f, n, 2 * count, () => vectors(2))
  whileLeft(f, n, count, () => vectors(1))
  whileLeft(f, n, 1, () => {
    for (const [i, p] of to.entries()) {
      f.get(p).get(p).mem(`${scalar}.load`)
      for (const [r, q] of from.entries()) {
        f.get(scales[i]![r]!).lane(`${vector}.extract_lane`, 0).get(q).mem(`${scalar}.load`)
        f.op(`${scalar}.mul`).op(`${scalar}.add`)
      }
      f.mem(`${scalar}.store`)
    }
    for (const p of [...from, ...to]) bumpBy(f, p, size)
  })
  return f
}

/** `updates(m, n, k, a, sam, sak, b, sbk, c, scm, accumulate)`: thin A by B of unit stride in n, into the same. */
function emitUpdates(m: ModuleBuilder, lanes: Lanes, relaxed: boolean): Callable {
  const kernels = [2, 1].map((rows) => ({
    rows,
    passes: [UPDATE_STEPS, 1].map((steps) => ({
      steps,
      kernel: emitUpdateKernel(m, lanes, relaxed, rows, steps),
    })),
  }))
  const f = m.func(i32s(11), [])
  const [left, n, k, a, sam, sak, b, sbk, c, scm, accumulate] = [
    0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10,
  ] as const
  const [rest, aAt, bAt] = [f.local('i32'), f.local('i32'), f.local('i32')]
  for (const { rows, passes } of kernels) {
    whileLeft(f, left, rows, () => {
      is(f, accumulate, 0).if(() => {
        for (let i = 0; i < rows; i++) {
          f.get(c)
          if (i > 0) f.get(scm).op('i32.add')
          f.i32(0).get(n).i32(lanes.shift).op('i32.shl').memoryFill()
        }
      })
      f.get(k).set(rest).get(a).set(aAt).get(b).set(bAt)
      for (const { steps, kernel } of passes) {
        whileLeft(f, rest, steps, () => {
          for (const p of [n, aAt, sam, sak, bAt, sbk, c, scm]) f.get(p)
          f.call(kernel)
          for (let i = 0; i < steps; i++) {
            bump(f, aAt, sak)
            bump(f, bAt, sbk)
          }
        })
      }
      for (let i = 0; i < rows; i++) {
        bump(f, a, sam)
        bump(f, c, scm)
      }
    })
  }
  return f
}

/**
 * `thin(m, n, k, a, sam, sak, b, sbk, sbn, c, scm, scn, accumulate)`, strides in bytes: does the product and
 * gives 1, or declines and gives 0.
 */
export function emitThin(m: ModuleBuilder, lanes: Lanes, relaxed: boolean, name: string): Callable {
  const dots = emitDots(m, lanes, relaxed)
  const updates = emitUpdates(m, lanes, relaxed)
  const f = m.func(i32s(13), ['i32'], name)
  const [mm, n, k, a, sam, sak, b, sbk, sbn, c, scm, scn] = [
    0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11,
  ] as const
  const accumulate = 12
  const i = f.local('i32')
  const fewRows = () => f.get(mm).i32(THIN).op('i32.lt_s')
  const fewColumns = () => f.get(n).i32(THIN).op('i32.lt_s')
  const bothUnit = (p: Local, q: Local) => {
    is(f, p, lanes.size)
    return is(f, q, lanes.size).op('i32.and')
  }
  const push = (...locals: Local[]) => {
    for (const p of locals) f.get(p)
  }
  fewRows()
  fewColumns()
    .op('i32.or')
    .op('i32.eqz')
    .if(() => f.i32(0).return())

  // Unit stride in k: inner products.
  bothUnit(sak, sbk)
    .get(k)
    .i32(2 * lanes.count)
    .op('i32.ge_s')
    .op('i32.and')
  f.if(() => {
    fewColumns().if(
      () =>
        f.range(i, n, 1, () => {
          push(mm, k, a, sam, b, c, scm, accumulate)
          f.call(dots)
          bump(f, b, sbn)
          bump(f, c, scn)
        }),
      () =>
        f.range(i, mm, 1, () => {
          push(n, k, b, sbn, a, c, scn, accumulate)
          f.call(dots)
          bump(f, a, sam)
          bump(f, c, scm)
        }),
    )
    f.i32(1).return()
  })
  // Unit stride across the large operand and C: row after row, or column after column.
  fewRows()
  bothUnit(sbn, scn)
    .op('i32.and')
    .if(() => {
      push(mm, n, k, a, sam, sak, b, sbk, c, scm, accumulate)
      f.call(updates).i32(1).return()
    })
  fewColumns()
  bothUnit(sam, scm)
    .op('i32.and')
    .if(() => {
      push(n, mm, k, b, sbn, sbk, a, sak, c, scn, accumulate)
      f.call(updates).i32(1).return()
    })
  f.i32(0)
  return f
}
