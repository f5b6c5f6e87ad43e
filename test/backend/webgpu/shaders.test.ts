/** What shaders make of a device that can do more than others, where no such device is at hand. */

import { describe, expect, it } from 'vitest'
import { reductionRoutine } from '../../../src/backend/webgpu/reduction.ts'
import { plainOptions, type ShaderOptions } from '../../../src/backend/webgpu/routine.ts'
import type { DType } from '../../../src/base/dtype.ts'
import { acc, binary, load } from '../../../src/prim/expr.ts'
import type { LoopKernel } from '../../../src/prim/kernel.ts'

const size = 1000

/** Sums of rows, plus another array. */
const rowSums = (dtype: DType, other: DType): LoopKernel => ({
  kind: 'loop',
  dims: [4, size],
  parallel: 1,
  inputs: [
    { dtype, strides: [size, 1], offset: 0 },
    { dtype: other, strides: [1, 0], offset: 0 },
  ],
  outputs: [{ dtype, strides: [1], offset: 0 }],
  body: [load(0, dtype)],
  reduce: ['sum'],
  epilogue: [binary('add', acc(0, dtype), { kind: 'cast', arg: load(1, other), dtype })],
})

const textOf = (kernel: LoopKernel, options: Partial<ShaderOptions>): string => {
  const { stages } = reductionRoutine(kernel, { ...plainOptions, ...options })
  expect(stages).toHaveLength(1)
  return stages[0]!.source({ heaps: [0, 0, 0], aligned: [true, true, true] }).text
}

describe('float16', () => {
  it('is memory of 16 bits where the device has it and all arrays are such', () => {
    const text = textOf(rowSums('float16', 'float16'), { halves: true })
    expect(text).toMatch(/^enable f16;/)
    expect(text).toContain('heap0: array<f16>')
    expect(text).not.toContain('atomic')
  })
  it('is shifted out of words otherwise', () => {
    for (const text of [
      textOf(rowSums('float16', 'float16'), {}),
      textOf(rowSums('float16', 'float32'), { halves: true }),
    ]) {
      expect(text).not.toContain('f16;')
      expect(text).toContain('heap0: array<atomic<u32>>')
    }
  })
})

describe('sums of a team', () => {
  it('go by subgroups where shaders can tell them apart, with one barrier', () => {
    const text = textOf(rowSums('float32', 'float32'), { subgroups: true })
    expect(text).toContain('enable subgroups;')
    expect(text).toContain('subgroupShuffleXor(a0, across)')
    expect(text.match(/workgroupBarrier/g)).toHaveLength(1)
  })
  it('go by workgroup memory otherwise', () => {
    const text = textOf(rowSums('float32', 'float32'), {})
    expect(text).not.toContain('subgroup')
    expect(text).toContain('var<workgroup> share0: array<f32, 128>;')
  })
})
