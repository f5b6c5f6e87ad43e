/** Shapes: sizes, broadcasting, axes and their error messages. */

import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import {
  broadcastShapes,
  checkAxes,
  checkAxis,
  checkShape,
  formatShape,
  rowMajor,
  sameShape,
  sizeOf,
} from '../../src/base/shape.ts'

const anyShape = fc.array(fc.integer({ min: 0, max: 5 }), { maxLength: 5 })

describe('shape', () => {
  test('sizes and strides', () => {
    expect([sizeOf([]), sizeOf([2, 3]), sizeOf([2, 0])]).toEqual([1, 6, 0])
    expect(rowMajor([2, 3, 4])).toEqual([12, 4, 1])
    expect(rowMajor([])).toEqual([])
    expect([formatShape([2, 3]), formatShape([5]), formatShape([])]).toEqual([
      '(2, 3)',
      '(5,)',
      '()',
    ])
    fc.assert(
      fc.property(anyShape, anyShape, (a, b) => {
        expect(sameShape(a, b)).toBe(formatShape(a) === formatShape(b))
      }),
    )
  })

  test('broadcasting is commutative, associative, and leaves what it gave alone', () => {
    // Sizes 1 and 3 or 1 and 0 always fit.
    const fitting = (d: number) => fc.array(fc.constantFrom(1, d), { maxLength: 4 })
    const three = fc.constantFrom(0, 3).chain((d) => fc.tuple(fitting(d), fitting(d), fitting(d)))
    fc.assert(
      fc.property(three, ([a, b, c]) => {
        const both = broadcastShapes('add', a, b)
        expect(broadcastShapes('add', b, a)).toEqual(both)
        expect(broadcastShapes('add', a, both)).toEqual(both)
        expect(broadcastShapes('add', both, c)).toEqual(
          broadcastShapes('add', a, broadcastShapes('add', b, c)),
        )
        expect(broadcastShapes('add', a, [])).toEqual(a)
      }),
    )
    expect(broadcastShapes('add', [2, 1, 4], [3, 1])).toEqual([2, 3, 4])
    expect(() => broadcastShapes('add', [2, 3], [4])).toThrow(
      '[add] shapes (2, 3) and (4,) do not broadcast: sizes 3 and 4 differ',
    )
    expect(() => broadcastShapes('add', [0], [3])).toThrow(/do not broadcast/)
  })

  test('axes', () => {
    expect([checkAxis('sum', 1, 3), checkAxis('sum', -1, 3), checkAxis('sum', -3, 3)]).toEqual([
      1, 2, 0,
    ])
    expect(() => checkAxis('sum', 3, 3)).toThrow(
      '[sum] axis 3 is out of range for an array of 3 dimensions: must be from -3 to 2',
    )
    expect(() => checkAxis('sum', 0, 0)).toThrow(/a scalar has no axes/)
    expect(() => checkAxis('sum', 0.5, 2)).toThrow(/out of range/)
    expect(checkAxes('sum', [-1, 0], 3)).toEqual([0, 2])
    expect(() => checkAxes('sum', [2, -1], 3)).toThrow('[sum] axis 2 is given twice in (2, -1)')
  })

  test('checkShape', () => {
    expect(checkShape('zeros', [2, 0])).toEqual([2, 0])
    expect(() => checkShape('zeros', [2, -1])).toThrow(/non-negative integers, not -1/)
    expect(() => checkShape('zeros', [1.5])).toThrow(/not 1.5/)
    expect(() => checkShape('zeros', [65536, 65536])).toThrow(/more than 2147483647 elements/)
    expect(() => checkShape('zeros', 3 as unknown as number[])).toThrow(/must be an array of sizes/)
  })
})
