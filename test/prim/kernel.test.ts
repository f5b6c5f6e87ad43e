/** Kernels: their operands, their keys, and products as loops. */

import { describe, expect, test } from 'vitest'
import { acc, binary, constant, index, load, unary } from '../../src/prim/expr.ts'
import {
  type ContractKernel,
  contractAsLoop,
  type Kernel,
  kernelKey,
  kernelOperands,
  type LoopKernel,
  type Operand,
  type ScatterKernel,
} from '../../src/prim/kernel.ts'

const f = (strides: readonly number[], more: Partial<Operand> = {}): Operand => ({
  dtype: 'float32',
  strides,
  offset: 0,
  ...more,
})
const x = load(0, 'float32')

const map: LoopKernel = {
  kind: 'loop',
  dims: [4, 6],
  parallel: 2,
  inputs: [f([6, 1])],
  outputs: [f([6, 1])],
  body: [unary('exp', x)],
  reduce: [],
  epilogue: [],
}
const sum: LoopKernel = {
  ...map,
  parallel: 1,
  outputs: [f([1])],
  body: [x],
  reduce: ['sum'],
  epilogue: [acc(0, 'float32')],
}
const product: ContractKernel = {
  kind: 'contract',
  dtype: 'float32',
  b: 1,
  m: 2,
  n: 3,
  k: 4,
  lhs: f([8, 4, 1]),
  rhs: f([12, 3, 1]),
  inputs: [f([0, 0, 1])],
  output: f([6, 3, 1]),
  epilogue: binary('add', acc(0, 'float32'), x),
}
const scatter: ScatterKernel = {
  kind: 'scatter',
  dims: [5],
  inputs: [f([1])],
  output: f([0]),
  at: [{ index: index(0), size: 5, stride: 1 }],
  value: x,
  op: 'add',
}

describe('kernels', () => {
  test('operands come in the order of launch, outputs last', () => {
    expect(kernelOperands(map)).toEqual([...map.inputs, ...map.outputs])
    expect(kernelOperands(product)).toEqual([
      product.lhs,
      product.rhs,
      product.inputs[0],
      product.output,
    ])
    expect(kernelOperands(scatter)).toEqual([scatter.inputs[0], scatter.output])
  })

  test('keys tell kernels apart by every part', () => {
    const guard = { dim: 0, lo: 0, hi: 2 }
    const kernels: Kernel[] = [
      map,
      sum,
      product,
      scatter,
      { ...map, dims: [6, 4] },
      { ...map, dims: [4, 6, 1] },
      { ...map, body: [unary('log', x)] },
      { ...map, body: [constant(1, 'float32')] },
      { ...map, inputs: [f([1, 4])] },
      { ...map, inputs: [f([6, 1], { offset: 1 })] },
      { ...map, inputs: [f([6, 1], { dtype: 'float64' })] },
      { ...map, inputs: [f([6, 1], { guards: [guard] })] },
      { ...map, inputs: [f([6, 1], { guards: [{ ...guard, dim: 1 }] })] },
      { ...map, inputs: [f([6, 1], { guards: [{ ...guard, lo: 1 }] })] },
      { ...map, inputs: [f([6, 1], { guards: [{ ...guard, hi: 3 }] })] },
      { ...map, outputs: [f([6, -1])] },
      { ...sum, reduce: ['max'] },
      { ...sum, epilogue: [unary('neg', acc(0, 'float32'))] },
      { ...sum, parallel: 0 },
      { ...product, m: 3 },
      { ...product, n: 2 },
      { ...product, k: 5 },
      { ...product, b: 2 },
      { ...product, epilogue: acc(0, 'float32') },
      { ...product, lhs: f([8, 1, 2]) },
      { ...product, dtype: 'int32' },
      { ...scatter, op: 'set' },
      { ...scatter, dims: [4] },
      { ...scatter, at: [{ index: index(0), size: 4, stride: 1 }] },
      { ...scatter, at: [{ index: index(0), size: 5, stride: 2 }] },
      { ...scatter, at: [] },
      { ...scatter, value: constant(1, 'float32') },
    ]
    expect(new Set(kernels.map(kernelKey)).size).toBe(kernels.length)
    for (const kernel of kernels) expect(kernelKey(structuredClone(kernel))).toBe(kernelKey(kernel))
  })

  test('operands moved between inputs and outputs make another key', () => {
    const two: LoopKernel = {
      ...map,
      inputs: [f([6, 1])],
      outputs: [f([6, 1]), f([6, 1])],
      body: [x, x],
    }
    const one: LoopKernel = {
      ...map,
      inputs: [f([6, 1]), f([6, 1])],
      outputs: [f([6, 1])],
      body: [x],
    }
    expect(kernelKey(two)).not.toBe(kernelKey(one))
  })

  test('a product as a loop keeps strides, guards and epilogue', () => {
    const guarded = {
      ...product,
      lhs: f([8, 4, 1], { guards: [{ dim: 2, lo: 1, hi: 3 }] }),
      rhs: f([12, 3, 1], {
        guards: [
          { dim: 1, lo: 1, hi: 3 },
          { dim: 2, lo: 0, hi: 2 },
        ],
      }),
    }
    const loop = contractAsLoop(guarded)
    expect([loop.dims, loop.parallel]).toEqual([[1, 2, 3, 4], 3])
    expect(loop.inputs.map((o) => o.strides)).toEqual([
      [8, 4, 0, 1],
      [12, 0, 1, 3],
      [0, 0, 1, 0],
    ])
    expect(loop.inputs[0]!.guards).toEqual([{ dim: 3, lo: 1, hi: 3 }])
    expect(loop.inputs[1]!.guards).toEqual([
      { dim: 3, lo: 1, hi: 3 },
      { dim: 2, lo: 0, hi: 2 },
    ])
    expect(loop.epilogue).toEqual([binary('add', acc(0, 'float32'), load(2, 'float32'))])
  })
})
