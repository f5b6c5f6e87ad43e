/** The reference backend against values worked out by hand, and against its own suite. */

import { describe, expect, test } from 'vitest'
import { createReferenceBackend } from '../../src/backend/reference/reference.ts'
import { MXNetError } from '../../src/base/error.ts'
import { acc, binary, cast, constant, index, load, param, unary } from '../../src/prim/expr.ts'
import type { Kernel, LoopKernel, ReduceOp } from '../../src/prim/kernel.ts'
import { conformance } from './conformance.ts'
import { allTypes, type Data, data, denseOperand, execute, mapKernel } from './kernels.ts'

const backend = createReferenceBackend()
const run = async (kernel: Kernel, blocks: readonly Data[], params: readonly number[] = []) =>
  (await execute(backend, kernel, blocks, params)).map((a) => [...a])
const f32 = (values: readonly number[]): Data => data('float32', values)
const zeros = (n: number): Data => f32(new Array<number>(n).fill(0))

const reduce = (
  dims: readonly number[],
  parallel: number,
  op: ReduceOp,
  dtype: Data['dtype'] = 'float32',
): LoopKernel => {
  const type = op.startsWith('arg') ? 'int32' : dtype
  return {
    kind: 'loop',
    dims,
    parallel,
    inputs: [denseOperand(dtype, dims)],
    outputs: [denseOperand(type, dims.slice(0, parallel))],
    body: [load(0, dtype)],
    reduce: [op],
    epilogue: [acc(0, type)],
  }
}

describe('reference', () => {
  test('maps with broadcasting and launch numbers', async () => {
    const kernel: LoopKernel = {
      ...mapKernel(
        [2, 3],
        ['float32', 'float32'],
        [binary('add', binary('mul', load(0, 'float32'), param(0, 'float32')), load(1, 'float32'))],
      ),
      inputs: [
        { dtype: 'float32', strides: [0, 1], offset: 0 },
        { dtype: 'float32', strides: [1, 0], offset: 1 },
      ],
    }
    expect(await run(kernel, [f32([1, 2, 3]), f32([9, 10, 20]), zeros(6)], [2])).toEqual([
      [12, 14, 16, 22, 24, 26],
    ])
  })

  test('floats are not rounded inside an expression, but casts and stores round', async () => {
    const tiny = constant(2 ** -30, 'float32')
    const sum = binary('add', load(0, 'float32'), tiny)
    const back = binary('sub', sum, load(0, 'float32'))
    const rounded = binary('sub', cast(cast(sum, 'float64'), 'float32'), load(0, 'float32'))
    expect(
      await run(mapKernel([1], ['float32'], [back, rounded, sum]), [
        f32([1]),
        zeros(1),
        zeros(1),
        zeros(1),
      ]),
    ).toEqual([[2 ** -30], [0], [1]])
  })

  test('integers wrap at every instruction', async () => {
    const x = load(0, 'int32')
    const body = [
      binary('add', x, constant(1, 'int32')),
      unary('abs', x),
      binary('mul', x, x),
      binary('div', x, constant(-1, 'int32')),
    ]
    const blocks = body.map(() => data('int32', [0, 0]))
    const out = await run(mapKernel([2], ['int32'], body), [
      data('int32', [2147483647, -2147483648]),
      ...blocks,
    ])
    expect(out).toEqual([
      [-2147483648, -2147483647],
      [2147483647, -2147483648],
      [1, 0],
      [-2147483647, -2147483648],
    ])
    const byte = load(0, 'uint8')
    const bytes = await run(
      mapKernel([2], ['uint8'], [binary('sub', constant(0, 'uint8'), byte)]),
      [data('uint8', [1, 200]), data('uint8', [0, 0])],
    )
    expect(bytes).toEqual([[255, 56]])
  })

  test('int64 is exact', async () => {
    const x = load(0, 'int64')
    const body = [x, binary('add', x, constant(1, 'int64')), binary('mul', x, x)]
    const blocks = body.map(() => data('int64', [0, 0]))
    const out = await run(mapKernel([2], ['int64'], body), [
      data('int64', [2n ** 63n - 1n, 2n ** 53n + 1n]),
      ...blocks,
    ])
    expect(out).toEqual([
      [2n ** 63n - 1n, 2n ** 53n + 1n],
      [-(2n ** 63n), 2n ** 53n + 2n],
      [1n, 2n ** 54n + 1n],
    ])
  })

  test('reductions and what they give for nothing', async () => {
    const x = f32([3, 1, 2, 3, -1, 0])
    const expected = {
      sum: [6, 2],
      prod: [6, -0],
      max: [3, 3],
      min: [1, -1],
      argmax: [0, 0],
      argmin: [1, 1],
    } as const
    for (const [op, values] of Object.entries(expected)) {
      const out = op.startsWith('arg') ? data('int32', [9, 9]) : zeros(2)
      expect(await run(reduce([2, 3], 1, op as ReduceOp), [x, out]), op).toEqual([values])
    }
    const nothing = {
      sum: 0,
      prod: 1,
      max: -Infinity,
      min: Infinity,
      argmax: 0,
      argmin: 0,
    } as const
    for (const [op, value] of Object.entries(nothing)) {
      const out = op.startsWith('arg') ? data('int32', [9]) : zeros(1)
      expect(await run(reduce([1, 0], 1, op as ReduceOp), [zeros(0), out]), op).toEqual([[value]])
    }
    const ends = {
      uint8: [0, 255],
      int8: [-128, 127],
      int32: [-2147483648, 2147483647],
      bool: [0, 1],
    } as const
    for (const [dtype, [min, max]] of Object.entries(ends)) {
      const type = dtype as Data['dtype']
      expect(await run(reduce([0], 0, 'max', type), [data(type, []), data(type, [1])])).toEqual([
        [min],
      ])
      expect(await run(reduce([0], 0, 'min', type), [data(type, []), data(type, [0])])).toEqual([
        [max],
      ])
    }
    expect(
      await run(reduce([0], 0, 'max', 'int64'), [data('int64', []), data('int64', [1])]),
    ).toEqual([[-(2n ** 63n)]])
  })

  test('products with an epilogue', async () => {
    const kernel: Kernel = {
      kind: 'contract',
      dtype: 'float32',
      b: 1,
      m: 2,
      n: 2,
      k: 3,
      lhs: { dtype: 'float32', strides: [0, 3, 1], offset: 0 },
      rhs: { dtype: 'float32', strides: [0, 1, 3], offset: 0 },
      inputs: [{ dtype: 'float32', strides: [0, 0, 1], offset: 0 }],
      output: { dtype: 'float32', strides: [4, 2, 1], offset: 0 },
      epilogue: binary(
        'max',
        binary('add', acc(0, 'float32'), load(0, 'float32')),
        constant(0, 'float32'),
      ),
    }
    const blocks = [f32([1, 2, 3, 4, 5, 6]), f32([1, 0, -1, 2, 1, 0]), f32([0.5, -5]), zeros(4)]
    expect(await run(kernel, blocks)).toEqual([[0, 0, 0, 8]])
  })

  test('guarded products read 0 outside, for every dtype', async () => {
    for (const dtype of ['float32', 'int32'] as const) {
      const kernel: Kernel = {
        kind: 'contract',
        dtype,
        b: 1,
        m: 2,
        n: 2,
        k: 3,
        lhs: { dtype, strides: [0, 3, 1], offset: 0, guards: [{ dim: 2, lo: 1, hi: 3 }] },
        rhs: { dtype, strides: [0, 2, 1], offset: -2, guards: [{ dim: 1, lo: 1, hi: 3 }] },
        inputs: [],
        output: { dtype, strides: [4, 2, 1], offset: 0 },
        epilogue: acc(0, dtype),
      }
      const blocks = [
        data(dtype, [1, 2, 3, 4, 5, 6]),
        data(dtype, [1, 2, 3, 4]),
        data(dtype, [0, 0, 0, 0]),
      ]
      expect(await run(kernel, blocks)).toEqual([[11, 16, 23, 34]])
    }
  })

  test('scatter writes in order and clamps', async () => {
    const kernel: Kernel = {
      kind: 'scatter',
      dims: [5],
      inputs: [{ dtype: 'int32', strides: [1], offset: 0 }],
      output: { dtype: 'float32', strides: [0], offset: 0 },
      at: [{ index: load(0, 'int32'), size: 3, stride: 1 }],
      value: cast(index(0), 'float32'),
      op: 'set',
    }
    const indices = data('int32', [1, 7, 1, -4, 2])
    expect(await run(kernel, [indices, f32([9, 9, 9, 9])])).toEqual([[3, 2, 4, 9]])
    expect(await run({ ...kernel, op: 'add' }, [indices, f32([9, 9, 9, 9])])).toEqual([
      [12, 11, 14, 9],
    ])
    expect(await run({ ...kernel, op: 'max' }, [indices, f32([1, 1, 9, 9])])).toEqual([
      [3, 2, 9, 9],
    ])
  })

  test('an access outside a block throws', async () => {
    const kernel = mapKernel([4], ['float32'], [load(0, 'float32')])
    await expect(run(kernel, [zeros(3), zeros(4)])).rejects.toThrow(
      /^\[reference\] operand 0 \(float32\) at point \(3\): element 3 is outside/,
    )
    await expect(run(kernel, [zeros(4), zeros(3)])).rejects.toThrow(/operand 1/)
    const back: LoopKernel = { ...kernel, inputs: [{ dtype: 'float32', strides: [-1], offset: 2 }] }
    await expect(run(back, [zeros(4), zeros(4)])).rejects.toThrow(/element -1 is outside/)
    const address = backend.alloc(10)
    expect(() => backend.write(address + 4, new Uint8Array(7))).toThrow(MXNetError)
    expect(() => backend.compile(kernel).run([address + 1, address], [])).toThrow(/multiple/)
    backend.free(address)
    expect(() => backend.readSync(address, 1)).toThrow(MXNetError)
    expect(() => backend.compile(kernel).run([address, address], [])).toThrow(MXNetError)
  })

  test('a launch number that is missing throws', async () => {
    await expect(run(mapKernel([1], [], [param(2, 'float32')]), [zeros(1)], [1])).rejects.toThrow(
      /launch number 2/,
    )
  })

  test('more than a gigabyte can be held', () => {
    const own = createReferenceBackend()
    const blocks = Array.from({ length: 6 }, () => own.alloc(2 ** 28))
    own.write(blocks[5]! + 2 ** 28 - 1, Uint8Array.of(7))
    expect(own.readSync(blocks[5]! + 2 ** 28 - 1, 1)[0]).toBe(7)
    expect(own.memory().live).toBe(6 * 2 ** 28)
    for (const address of blocks) own.free(address)
    expect(own.memory().live).toBe(0)
  })

  test('a 64 × 784 × 64 product takes milliseconds', async () => {
    const [m, n, k] = [64, 64, 784]
    const kernel: Kernel = {
      kind: 'contract',
      dtype: 'float32',
      b: 1,
      m,
      n,
      k,
      lhs: denseOperand('float32', [1, m, k]),
      rhs: denseOperand('float32', [1, k, n]),
      inputs: [],
      output: denseOperand('float32', [1, m, n]),
      epilogue: acc(0, 'float32'),
    }
    const blocks = [m * k, k * n, m * n].map((size) => backend.alloc(size * 4))
    for (const [i, size] of [m * k, k * n].entries())
      backend.write(blocks[i]!, new Uint8Array(size * 4))
    const compiled = backend.compile(kernel)
    const times = Array.from({ length: 10 }, () => {
      const began = performance.now()
      compiled.run(blocks, [])
      return performance.now() - began
    })
    for (const address of blocks) backend.free(address)
    expect(Math.min(...times)).toBeLessThan(50)
  })

  test('every dtype has tests', () => {
    expect(allTypes.length).toBe(7)
  })
})

conformance('reference', createReferenceBackend)
