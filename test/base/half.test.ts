/** 16-bit floats: known values, round trips of every bit pattern, ties to even. */

import { describe, expect, it } from 'vitest'
import { finfo, iinfo } from '../../src/base/dtype.ts'
import { MXNetError } from '../../src/base/error.ts'
import { fromBfloat16, fromFloat16, toBfloat16, toFloat16 } from '../../src/base/half.ts'

describe('float16', () => {
  it.each([
    [0, 0x0000],
    [-0, 0x8000],
    [1, 0x3c00],
    [-2, 0xc000],
    [65504, 0x7bff],
    [65519.999, 0x7bff],
    [65520, 0x7c00],
    [2 ** -14, 0x0400],
    [2 ** -24, 0x0001],
    [2 ** -25, 0x0000],
    [2 ** -25 * 1.0001, 0x0001],
    [1 + 2 ** -11, 0x3c00],
    [1 + 3 * 2 ** -11, 0x3c02],
    [2047.5 * 2 ** -11, 0x3c00],
    [Number.NEGATIVE_INFINITY, 0xfc00],
  ])('stores %d as its nearest', (value, bits) => {
    expect(toFloat16(value)).toBe(bits)
  })
  it('gives back every pattern', () => {
    for (let bits = 0; bits < 65536; bits++) {
      const value = fromFloat16(bits)
      if (Number.isNaN(value)) expect(fromFloat16(toFloat16(value))).toBeNaN()
      else if (toFloat16(value) !== bits) expect.fail(`${bits} comes back as ${toFloat16(value)}`)
    }
  })
})

describe('bfloat16', () => {
  it.each([
    [1, 0x3f80],
    [-0, 0x8000],
    [1 + 2 ** -8, 0x3f80],
    [1 + 3 * 2 ** -8, 0x3f82],
    [3.4e38, 0x7f80],
    [Number.POSITIVE_INFINITY, 0x7f80],
  ])('stores %d as its nearest', (value, bits) => {
    expect(toBfloat16(value)).toBe(bits)
  })
  it('gives back every pattern', () => {
    for (let bits = 0; bits < 65536; bits++) {
      const value = fromBfloat16(bits)
      if (Number.isNaN(value)) expect(fromBfloat16(toBfloat16(value))).toBeNaN()
      else if (toBfloat16(value) !== bits) expect.fail(`${bits} comes back as ${toBfloat16(value)}`)
    }
  })
})

describe('facts', () => {
  it('agree with the formats', () => {
    expect(finfo('float16')).toMatchObject({ bits: 16, eps: 2 ** -10, max: 65504, tiny: 2 ** -14 })
    expect(fromFloat16(1)).toBe(finfo('float16').smallestSubnormal)
    expect(fromBfloat16(0x7f7f)).toBe(finfo('bfloat16').max)
    expect(fromBfloat16(1)).toBe(finfo('bfloat16').smallestSubnormal)
    expect(finfo('float64').eps).toBe(Number.EPSILON)
    expect(finfo('float32').smallestSubnormal).toBe(2 ** -149)
    expect(iinfo('int64').max).toBe(9223372036854775807n)
    expect(iinfo('int8')).toEqual({ bits: 8, min: -128, max: 127 })
    expect(() => finfo('int8')).toThrow(MXNetError)
    expect(() => iinfo('bool')).toThrow(MXNetError)
  })
})
