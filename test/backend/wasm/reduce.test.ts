/** Reductions on the WebAssembly backend: every way of running them, accuracy, NaN, and products. */

import { expect, test } from 'vitest'
import { createReferenceBackend } from '../../../src/backend/reference/reference.ts'
import { createWasmBackend } from '../../../src/backend/wasm/backend.ts'
import { type DType, isFloat } from '../../../src/base/dtype.ts'
import { rowMajor, sizeOf } from '../../../src/base/shape.ts'
import { acc, binary, cast, constant, type Expr, index, load } from '../../../src/prim/expr.ts'
import type { ContractKernel, Kernel, LoopKernel, ReduceOp } from '../../../src/prim/kernel.ts'
import {
  type Data,
  data,
  execute,
  expectNear,
  randoms,
  smallValues,
  untouched,
} from '../kernels.ts'

const backend = createWasmBackend()
const reference = createReferenceBackend()

async function agree(kernel: Kernel, blocks: readonly Data[]) {
  const expected = await execute(reference, kernel, blocks)
  const actual = await execute(backend, kernel, blocks)
  expected.forEach((e, j) => {
    expectNear(actual[j]!, e, 'value')
  })
}

const resultType = (op: ReduceOp, dtype: DType): DType => (op.startsWith('arg') ? 'int32' : dtype)

/** A reduction of one dense input over `dims[parallel …)`, its dimensions taken in `order`. */
function reduction(
  dims: readonly number[],
  parallel: number,
  ops: readonly ReduceOp[],
  dtype: DType,
  strides = rowMajor(dims),
): LoopKernel {
  const kept = dims.slice(0, parallel)
  return {
    kind: 'loop',
    dims,
    parallel,
    inputs: [{ dtype, strides, offset: 0 }],
    outputs: ops.map((op) => ({
      dtype: resultType(op, dtype),
      strides: rowMajor(kept),
      offset: 0,
    })),
    body: ops.map(() => load(0, dtype)),
    reduce: ops,
    epilogue: ops.map((op, s) => acc(s, resultType(op, dtype))),
  }
}

const blocksOf = (kernel: LoopKernel, seed = 1): Data[] => [
  smallValues(kernel.inputs[0]!.dtype, sizeOf(kernel.dims), seed),
  ...kernel.outputs.map((o) =>
    untouched(o.dtype, sizeOf(kernel.dims.slice(0, kernel.parallel)) + 3),
  ),
]

const ops: readonly ReduceOp[] = ['sum', 'max', 'min', 'argmax', 'argmin']

for (const dtype of ['float32', 'float64', 'int32', 'uint8', 'int8', 'int64', 'bool'] as const) {
  test(`rows and columns of ${dtype}`, async () => {
    for (const op of [...ops, 'prod'] as const) {
      for (const n of [1, 2, 3, 5, 8, 16, 21, 70]) {
        if (op === 'prod' && n > (dtype === 'float32' ? 3 : 8)) continue
        await agree(reduction([n], 0, [op], dtype), blocksOf(reduction([n], 0, [op], dtype)))
        const rows = reduction([5, n], 1, [op], dtype)
        await agree(rows, blocksOf(rows, n))
        const columns = reduction([n, 6], 1, [op], dtype, [1, n])
        await agree(columns, blocksOf(columns, n + 1))
        const middle = reduction([3, 5, 4, n], 2, [op], dtype, [20 * n, 1, 5 * n, 5])
        if (op !== 'prod') await agree(middle, blocksOf(middle, n + 2))
      }
    }
  })
}

test('several reductions in one kernel', async () => {
  for (const dims of [
    [4, 37],
    [37, 4],
  ]) {
    for (const strides of [rowMajor(dims), [1, dims[0]!]]) {
      const kernel = reduction(dims, 1, ['sum', 'max', 'argmin', 'min'], 'float32', strides)
      await agree(kernel, blocksOf(kernel))
    }
  }
})

test('argmax and argmin give the first position; a NaN wins only where it is first', async () => {
  const n = 41
  const rows = Array.from({ length: 6 }, (_, r) => {
    const row = randoms(n, r + 1)
    row[7] = row[30] = 2
    row[9] = row[25] = -2
    if (r === 1) row[0] = Number.NaN
    if (r === 2) row[5] = row[16] = Number.NaN
    if (r === 3) row.fill(-Infinity)
    if (r === 4) row.fill(Infinity)
    if (r === 5) row.fill(Number.NaN)
    return row
  })
  for (const dtype of ['float32', 'float64'] as const) {
    for (const [op, plain] of [
      ['argmax', 7],
      ['argmin', 9],
    ] as const) {
      for (const strides of [
        [n, 1],
        [1, 6],
      ]) {
        const values = new Array<number>(6 * n)
        rows.forEach((row, r) => {
          row.forEach((v, i) => {
            values[r * strides[0]! + i * strides[1]!] = v
          })
        })
        const kernel = reduction([6, n], 1, [op], dtype, strides)
        const [out] = await execute(backend, kernel, [data(dtype, values), untouched('int32', 6)])
        expect([...out!]).toEqual([plain, 0, plain, 0, 0, 0])
      }
    }
  }
})

test('NaN passes through max and min wherever it stands', async () => {
  for (const at of [0, 3, 16, 20]) {
    const values = smallValues('float32', 21)
    values.array[at] = Number.NaN
    for (const op of ['max', 'min'] as const) {
      const kernel = reduction([21], 0, [op], 'float32')
      const [out] = await execute(backend, kernel, [values, untouched('float32', 1)])
      expect(out![0]).toBeNaN()
    }
  }
})

test('long float32 sums stay accurate', async () => {
  const n = 1_000_003
  const values = randoms(n, 5)
  const input = data('float32', values)
  const exact = (input.array as Float32Array).reduce((s, v) => s + v, 0)
  const rows = reduction([n], 0, ['sum'], 'float32')
  const [a] = await execute(backend, rows, [input, untouched('float32', 1)])
  expect(Math.abs(Number(a![0]) / exact - 1)).toBeLessThan(3e-7)
  const columns = reduction([4, n >> 2], 1, ['sum'], 'float32', [1, 4])
  const [b] = await execute(backend, columns, [input, untouched('float32', 4)])
  const total =
    [...(b as Float32Array)].reduce((s, v) => s + v, 0) +
    values[n - 1]! +
    values[n - 2]! +
    values[n - 3]!
  expect(Math.abs(total / exact - 1)).toBeLessThan(1e-6)
})

test('bodies and epilogues read other operands, positions and guards', async () => {
  const dims = [3, 4, 19]
  const float = (e: Expr): Expr => cast(e, 'float32')
  const product = binary('mul', load(0, 'float32'), float(index(2)))
  for (const parallel of [0, 1, 2]) {
    const kept = dims.slice(0, parallel)
    const still = (strides: readonly number[]) => strides.map((s, d) => (d < parallel ? s : 0))
    const kernel: LoopKernel = {
      kind: 'loop',
      dims,
      parallel,
      inputs: [
        {
          dtype: 'float32',
          strides: rowMajor(dims),
          offset: 0,
          guards: [
            { dim: 2, lo: 2, hi: 18 },
            { dim: 1, lo: 1, hi: 9 },
          ],
        },
        { dtype: 'uint8', strides: still(rowMajor(dims)), offset: 0 },
      ],
      outputs: [{ dtype: 'float64', strides: rowMajor(kept), offset: 2 }],
      body: [binary('add', product, float(load(1, 'uint8')))],
      reduce: ['sum'],
      epilogue: [
        cast(
          binary(
            'add',
            binary('mul', acc(0, 'float32'), constant(0.5, 'float32')),
            float(load(1, 'uint8')),
          ),
          'float64',
        ),
      ],
    }
    await agree(kernel, [
      smallValues('float32', 228),
      smallValues('uint8', 228),
      untouched('float64', 16),
    ])
  }
})

test('reductions over nothing give the epilogue of the neutral element', async () => {
  for (const dtype of ['float32', 'int32', 'uint8', 'int64'] as const) {
    for (const op of [...ops, 'prod'] as const) {
      const kernel = reduction([3, 0], 1, [op], dtype)
      const out = untouched(resultType(op, dtype), 3)
      const [values] = await execute(backend, kernel, [data(dtype, []), out])
      const first = Number(values![0])
      if (op.startsWith('arg') || op === 'sum') expect(first).toBe(0)
      else if (op === 'prod') expect(first).toBe(1)
      else if (isFloat(dtype)) expect(first).toBe(op === 'max' ? -Infinity : Infinity)
    }
  }
})

test('products with an output that holds an input of the epilogue, or is of another dtype', async () => {
  const [b, m, n, k] = [2, 5, 7, 6]
  const residual = binary('add', acc(0, 'float32'), load(0, 'float32'))
  for (const type of ['float32', 'float64', 'int32'] as const) {
    const out = { dtype: type, strides: [m * n, n, 1], offset: 0 }
    const kernel: ContractKernel = {
      kind: 'contract',
      dtype: 'float32',
      b,
      m,
      n,
      k,
      lhs: { dtype: 'float32', strides: [m * k, k, 1], offset: 0 },
      rhs: { dtype: 'float32', strides: [k * n, n, 1], offset: 0 },
      inputs: [{ dtype: 'float32', strides: [m * n, n, 1], offset: 0 }],
      output: out,
      epilogue: cast(residual, type),
    }
    const [lhs, rhs] = [smallValues('float32', b * m * k), smallValues('float32', b * k * n)]
    const rest = smallValues('float32', b * m * n)
    await agree(kernel, [lhs, rhs, rest, type === 'float32' ? rest : untouched(type, b * m * n)])
  }
})
