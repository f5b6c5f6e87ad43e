/** Slicing of convolutions: along the batch, or along channels where weights are the larger array. */

import { describe, expect, it } from 'vitest'
import { rowMajor } from '../../src/base/shape.ts'
import { acc } from '../../src/prim/expr.ts'
import type { Operand } from '../../src/prim/kernel.ts'
import { sliceKernel } from '../../src/prim/slice.ts'
import { type ConvKernel, type ConvSide, convGiven, convShape } from '../../src/prim/window.ts'

function conv(result: ConvSide, batch: number, channels: number, size: number): ConvKernel {
  const both = (n: number): number[] => [n, n]
  const sizes = {
    ...{ batch, groups: 1, inner: channels, outer: channels, x: both(size), y: both(size) },
    ...{ window: both(3), stride: both(1), dilate: both(1), pad: both(1) },
  }
  const operand = (side: ConvSide): Operand => ({
    dtype: 'float32',
    strides: rowMajor(convShape(sizes, side)),
    offset: 0,
  })
  const [lhs, rhs] = convGiven(result).map(operand) as [Operand, Operand]
  const epilogue = acc(0, 'float32')
  const kind = { kind: 'conv', dtype: 'float32', result } as const
  return { ...kind, sizes, lhs, rhs, inputs: [], output: operand(result), epilogue }
}

/** Batch, inner and outer channels of each part. */
const parts = (kernel: ConvKernel, count = 2): number[][] =>
  sliceKernel(kernel, count).map((k) => {
    const { batch, inner, outer } = (k as ConvKernel).sizes
    return [batch, inner, outer]
  })

describe('a convolution is cut', () => {
  it('along the batch where images are the larger array', () => {
    const both = [
      [8, 64, 64],
      [8, 64, 64],
    ]
    expect(parts(conv('y', 16, 64, 56))).toEqual(both)
    expect(parts(conv('x', 16, 64, 56))).toEqual(both)
  })

  it('along channels, in whole vectors, where weights are', () => {
    const kernel = conv('y', 16, 80, 4)
    expect(parts(kernel)).toEqual([
      [16, 80, 32],
      [16, 80, 48],
    ])
    const [, second] = sliceKernel(kernel, 2) as [ConvKernel, ConvKernel]
    expect(second.rhs.offset).toBe(32 * 80 * 9)
    expect(second.output.offset).toBe(32 * 16)
    expect(parts(conv('x', 16, 80, 4)).map(([, inner]) => inner)).toEqual([32, 48])
    expect(parts(conv('w', 16, 80, 4)).map(([, , outer]) => outer)).toEqual([32, 48])
  })

  it('along the batch all the same where channels are few, and along channels where the batch is one', () => {
    expect(parts(conv('y', 16, 20, 2)).map(([batch]) => batch)).toEqual([8, 8])
    expect(parts(conv('y', 1, 64, 56)).map(([, , outer]) => outer)).toEqual([32, 32])
  })
})
