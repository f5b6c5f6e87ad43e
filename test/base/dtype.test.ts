/** Element types: the table and the promotion lattice. */

import { describe, expect, test } from 'vitest'
import {
  checkDType,
  type DType,
  dtypeInfo,
  dtypeOfCode,
  dtypeOfTypedArray,
  dtypes,
  isFloat,
  itemSize,
  promote,
} from '../../src/base/dtype.ts'

describe('dtype', () => {
  test('codes are those of MXNet', () => {
    const codes: Record<string, number> = {
      float32: 0,
      float64: 1,
      float16: 2,
      uint8: 3,
      int32: 4,
      int8: 5,
      int64: 6,
      bool: 7,
      bfloat16: 12,
    }
    expect(dtypes.toSorted()).toEqual(Object.keys(codes).toSorted())
    for (const name of dtypes) {
      expect(dtypeInfo(name).code).toBe(codes[name])
      expect(dtypeOfCode(codes[name]!)).toBe(name)
    }
    expect(dtypeOfCode(99)).toBeUndefined()
  })

  test('sizes and typed arrays', () => {
    expect(dtypes.map(itemSize).toSorted()).toEqual([1, 1, 1, 2, 2, 4, 4, 8, 8])
    for (const name of ['float32', 'float64', 'uint8', 'int8', 'int32', 'int64'] as const) {
      expect(dtypeOfTypedArray(new (dtypeInfo(name).array)(1))).toBe(name)
    }
    expect(dtypeOfTypedArray(new Uint8ClampedArray(1))).toBe('uint8')
    expect(dtypeOfTypedArray([1])).toBeUndefined()
    expect(dtypeOfTypedArray(new Uint32Array(1))).toBeUndefined()
  })

  test('promotion is commutative and idempotent, and gives a type that is at least both', () => {
    for (const a of dtypes) {
      expect(promote(a, a)).toBe(a)
      for (const b of dtypes) {
        const both = promote(a, b)
        expect(promote(b, a)).toBe(both)
        expect(promote(a, both)).toBe(both)
        expect(promote(b, both)).toBe(both)
        expect(isFloat(both)).toBe(isFloat(a) || isFloat(b))
      }
    }
  })

  test('promotion is associative but where 16-bit floats or both bytes meet something wider', () => {
    const plain = dtypes.filter((t) => t !== 'float16' && t !== 'bfloat16')
    for (const a of plain) {
      for (const b of plain) {
        for (const c of plain) expect(promote(promote(a, b), c)).toBe(promote(a, promote(b, c)))
      }
    }
  })

  test('promotion examples', () => {
    const examples: readonly (readonly [DType, DType, DType])[] = [
      ['bool', 'uint8', 'uint8'],
      ['uint8', 'int8', 'int32'],
      ['int8', 'int32', 'int32'],
      ['int32', 'int64', 'int64'],
      ['int64', 'float32', 'float32'],
      ['float32', 'float64', 'float64'],
      ['float16', 'float32', 'float32'],
      ['float16', 'bfloat16', 'float32'],
      ['int64', 'float16', 'float16'],
    ]
    for (const [a, b, both] of examples) expect(promote(a, b)).toBe(both)
  })

  test('checkDType names what is allowed', () => {
    expect(checkDType('nd.zeros', 'int8')).toBe('int8')
    expect(() => checkDType('nd.zeros', 'int16')).toThrow(
      '[nd.zeros] dtype int16 is unknown: use one of float32, float64',
    )
    expect(() => checkDType('nd.zeros', 'toString')).toThrow(/unknown/)
    expect(() => checkDType('nd.zeros', 5)).toThrow(/unknown/)
  })
})
