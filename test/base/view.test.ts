/** Strided views against a plain model: the list of buffer positions that a view names. */

import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { rowMajor, type Shape, sizeOf } from '../../src/base/shape.ts'
import {
  broadcast,
  collapse,
  dense,
  isDense,
  permute,
  reshape,
  slice,
  type View,
} from '../../src/base/view.ts'

/** Every index of a shape, row-major. */
function indices(shape: Shape): number[][] {
  return shape.reduce<number[][]>(
    (list, d) => list.flatMap((at) => Array.from({ length: d }, (_, i) => [...at, i])),
    [[]],
  )
}

const positionOf = (v: View, at: readonly number[]): number =>
  at.reduce((sum, i, d) => sum + i * v.strides[d]!, v.offset)
/** The positions of a view's elements, row-major. */
const positions = (v: View): number[] => indices(v.shape).map((at) => positionOf(v, at))

const anyShape = fc.array(fc.constantFrom(0, 1, 1, 2, 3, 3, 4, 5), { maxLength: 4 })

/** A view with strides of its own: a dense one, permuted, sliced and broadcast. */
const anyView: fc.Arbitrary<View> = anyShape.chain((shape) =>
  fc
    .record({
      order: fc.shuffledSubarray(
        shape.map((_, i) => i),
        { minLength: shape.length, maxLength: shape.length },
      ),
      cuts: fc.tuple(...shape.map((d) => anyCut(d))),
      sliced: fc.boolean(),
      lead: fc.constantFrom<number[]>([], [], [2], [1, 3]),
    })
    .map(({ order, cuts, sliced, lead }) => {
      let v = dense(shape)
      if (sliced)
        v = slice(
          v,
          cuts.map((c) => c.begin),
          cuts.map((c) => c.step),
          cuts.map((c) => c.size),
        )
      v = permute(v, order)
      return broadcast(v, [...lead, ...v.shape])
    }),
)

/** A range of an axis that stays inside it. */
function anyCut(d: number): fc.Arbitrary<{ begin: number; step: number; size: number }> {
  return fc
    .record({
      begin: fc.nat(Math.max(0, d - 1)),
      step: fc.constantFrom(1, 1, 2, -1, -2),
      size: fc.nat(d),
    })
    .map(({ begin, step, size }) => {
      const room = d === 0 ? 0 : Math.floor((step > 0 ? d - 1 - begin : begin) / Math.abs(step)) + 1
      return { begin, step, size: Math.min(size, room) }
    })
}

/** Shapes with `size` elements. */
const shapesOf = (size: number): fc.Arbitrary<number[]> =>
  size === 0
    ? anyShape.map((s) => [...s, 0])
    : fc.array(fc.nat(20), { maxLength: 5 }).map((picks) => {
        const shape: number[] = []
        let rest = size
        for (const pick of picks) {
          const divisors = Array.from({ length: rest }, (_, i) => i + 1).filter(
            (n) => rest % n === 0,
          )
          const d = divisors[pick % divisors.length]!
          shape.push(d)
          rest /= d
        }
        return rest === 1 ? shape : [...shape, rest]
      })

describe('views', () => {
  test('a dense view names every position once, in order', () => {
    fc.assert(
      fc.property(anyShape, (shape) => {
        expect(positions(dense(shape))).toEqual(Array.from({ length: sizeOf(shape) }, (_, i) => i))
        expect(isDense(dense(shape))).toBe(true)
      }),
    )
  })

  test('isDense is true exactly for runs of positions', () => {
    fc.assert(
      fc.property(anyView, (v) => {
        const list = positions(v)
        expect(isDense(v)).toBe(list.every((p, i) => p === list[0]! + i))
      }),
    )
  })

  test('permute moves axes', () => {
    fc.assert(
      fc.property(
        anyView.chain((v) =>
          fc.tuple(
            fc.constant(v),
            fc.shuffledSubarray(
              v.shape.map((_, i) => i),
              { minLength: v.shape.length, maxLength: v.shape.length },
            ),
          ),
        ),
        ([v, axes]) => {
          const p = permute(v, axes)
          expect(p.shape).toEqual(axes.map((a) => v.shape[a]))
          for (const at of indices(v.shape))
            expect(
              positionOf(
                p,
                axes.map((a) => at[a]!),
              ),
            ).toBe(positionOf(v, at))
        },
      ),
    )
  })

  test('broadcast repeats axes of size 1 and adds axes in front', () => {
    fc.assert(
      fc.property(
        anyView,
        fc.array(fc.integer({ min: 0, max: 3 }), { maxLength: 2 }),
        fc.integer({ min: 0, max: 4 }),
        (v, lead, d) => {
          const wide = [...lead, ...v.shape.map((s) => (s === 1 ? d : s))]
          const b = broadcast(v, wide)
          expect(b.shape).toEqual(wide)
          for (const at of indices(wide)) {
            const from = at.slice(lead.length).map((i, axis) => (v.shape[axis] === 1 ? 0 : i))
            expect(positionOf(b, at)).toBe(positionOf(v, from))
          }
        },
      ),
    )
  })

  test('slice takes begin, begin + step, …', () => {
    fc.assert(
      fc.property(
        anyView.chain((v) => fc.tuple(fc.constant(v), fc.tuple(...v.shape.map(anyCut)))),
        ([v, cuts]) => {
          const s = slice(
            v,
            cuts.map((c) => c.begin),
            cuts.map((c) => c.step),
            cuts.map((c) => c.size),
          )
          for (const at of indices(s.shape)) {
            expect(positionOf(s, at)).toBe(
              positionOf(
                v,
                at.map((i, d) => cuts[d]!.begin + i * cuts[d]!.step),
              ),
            )
          }
        },
      ),
    )
  })

  test('reshape keeps the order of elements, and answers null only when no strides can', () => {
    fc.assert(
      fc.property(
        anyView.chain((v) => fc.tuple(fc.constant(v), shapesOf(sizeOf(v.shape)))),
        ([v, shape]) => {
          const r = reshape(v, shape)
          const list = positions(v)
          if (r !== null) {
            expect(r.shape).toEqual(shape)
            expect(positions(r)).toEqual(list)
            return
          }
          // Where strides exist they are the differences between neighbours; they must fail somewhere.
          const steps = rowMajor(shape).map((step, d) =>
            shape[d]! > 1 ? list[step]! - list[0]! : 0,
          )
          expect(positions({ shape, strides: steps, offset: list[0]! })).not.toEqual(list)
        },
      ),
      { numRuns: 500 },
    )
  })

  test('reshape examples', () => {
    expect(reshape(dense([2, 3]), [3, 2])).toEqual({ shape: [3, 2], strides: [2, 1], offset: 0 })
    expect(reshape(permute(dense([2, 3]), [1, 0]), [6])).toBeNull()
    expect(reshape(permute(dense([2, 3, 4]), [1, 0, 2]), [3, 2, 2, 2])?.strides).toEqual([
      4, 12, 2, 1,
    ])
    expect(reshape(broadcast(dense([1]), [3, 4]), [12])?.strides).toEqual([0])
  })

  test('collapse keeps positions and merges what it can', () => {
    fc.assert(
      fc.property(anyView, fc.array(fc.nat(3), { maxLength: 2 }), (v, barriers) => {
        const other = rowMajor(v.shape)
        const c = collapse(v.shape, [v.strides, other], barriers)
        expect(c.axes.flat()).toEqual(v.shape.map((_, i) => i))
        expect(c.dims).toEqual(c.axes.map((axes) => sizeOf(axes.map((a) => v.shape[a]!))))
        const merged = (k: number): number[] =>
          positions({ shape: c.dims, strides: c.strides[k]!, offset: 0 })
        if (sizeOf(v.shape) > 0) {
          expect(merged(0)).toEqual(positions({ ...v, offset: 0 }))
          expect(merged(1)).toEqual(positions(dense(v.shape)))
        }
        for (const b of barriers)
          if (b < v.shape.length) expect(c.axes.some((axes) => axes[0] === b)).toBe(true)
      }),
    )
    expect(
      collapse(
        [2, 3, 4],
        [
          [12, 4, 1],
          [0, 0, 0],
        ],
      ),
    ).toEqual({ dims: [24], strides: [[1], [0]], axes: [[0, 1, 2]] })
    expect(collapse([2, 3, 4], [[12, 4, 1]], [2]).dims).toEqual([6, 4])
  })
})
