/** Scatters on the WebAssembly backend, and its memory. */

import fc from 'fast-check'
import { expect, test } from 'vitest'
import { createReferenceBackend } from '../../../src/backend/reference/reference.ts'
import { createWasmBackend } from '../../../src/backend/wasm/backend.ts'
import { MXNetError } from '../../../src/base/error.ts'
import { constant, index, load } from '../../../src/prim/expr.ts'
import type { ScatterKernel } from '../../../src/prim/kernel.ts'
import { data, execute, expectNear, smallValues, untouched } from '../kernels.ts'

const backend = createWasmBackend()
const reference = createReferenceBackend()

const anyScatter = fc.record({
  rows: fc.constantFrom(1, 2, 5, 9),
  columns: fc.constantFrom(1, 3, 4, 7, 16, 21),
  dtype: fc.constantFrom('float32' as const, 'float64', 'int32', 'uint8', 'int8', 'int64', 'bool'),
  at: fc.constantFrom('int32' as const, 'int64', 'uint8'),
  op: fc.constantFrom('set' as const, 'add', 'max'),
  /** Whether an index stands for a row of values, or for one value. */
  whole: fc.boolean(),
  gap: fc.constantFrom(1, 1, 2),
  seed: fc.integer({ min: 1, max: 500 }),
})

test('scatters agree with the reference, repeated and outlying indices included', async () => {
  await fc.assert(
    fc.asyncProperty(anyScatter, async ({ rows, columns, dtype, at, op, whole, gap, seed }) => {
      const places = 6
      const kernel: ScatterKernel = {
        kind: 'scatter',
        dims: [rows, columns],
        inputs: [
          { dtype, strides: [columns * gap, gap], offset: 0 },
          { dtype: at, strides: whole ? [1, 0] : [columns, 1], offset: 0 },
        ],
        output: { dtype, strides: whole ? [0, 1] : [0, 0], offset: 2 },
        at: [{ index: load(1, at), size: places, stride: whole ? columns : 1 }],
        value: load(0, dtype),
        op,
      }
      const blocks = [
        smallValues(dtype, rows * columns * gap, seed),
        smallValues(at, rows * columns, seed + 1),
        untouched(dtype, places * columns + 5),
      ]
      const [expected] = await execute(reference, kernel, blocks)
      const [actual] = await execute(backend, kernel, blocks)
      expectNear(actual!, expected!, 'value')
    }),
    { numRuns: 300, seed: 7 },
  )
})

test('several indices, one of them a coordinate', async () => {
  const kernel: ScatterKernel = {
    kind: 'scatter',
    dims: [3, 8],
    inputs: [{ dtype: 'int32', strides: [1, 0], offset: 0 }],
    output: { dtype: 'float32', strides: [0, 0], offset: 0 },
    at: [
      { index: load(0, 'int32'), size: 4, stride: 10 },
      { index: index(1), size: 6, stride: 1 },
    ],
    value: constant(1, 'float32'),
    op: 'add',
  }
  const blocks = [data('int32', [2, 0, 2]), data('float32', new Array(40).fill(0))]
  const [expected] = await execute(reference, kernel, blocks)
  const [actual] = await execute(backend, kernel, blocks)
  expectNear(actual!, expected!, 'value')
})

test('memory grows, keeps its contents, and says when it is full', () => {
  const small = createWasmBackend({ limit: 32 * 2 ** 20 })
  const first = small.alloc(100)
  small.write(first, new Uint8Array([1, 2, 3]))
  const pages = small.wasmMemory.buffer.byteLength
  const large = small.alloc(16 * 2 ** 20)
  expect(small.wasmMemory.buffer.byteLength).toBeGreaterThan(pages)
  expect([...small.readSync(first, 3)]).toEqual([1, 2, 3])
  expect(small.readSync(first, 3).buffer).toBeInstanceOf(ArrayBuffer)
  expect(() => small.alloc(2 ** 26)).toThrow(MXNetError)
  expect(() => small.alloc(2 ** 26)).toThrow(/no room for 64.0 MiB/)
  small.free(large)
  small.free(first)
  expect(small.memory().live).toBe(0)
})

test('what stays compiled is bounded', () => {
  const few = createWasmBackend({ structures: 2 })
  const address = few.alloc(64)
  for (let i = 0; i < 6; i++) {
    const fill = few.compile({
      kind: 'loop',
      dims: [4],
      parallel: 1,
      inputs: [],
      outputs: [{ dtype: 'int32', strides: [1], offset: 0 }],
      body: [constant(i % 4, 'int32')],
      reduce: [],
      epilogue: [],
    })
    fill.run([address], [])
    expect([...new Int32Array(few.readSync(address, 16).buffer)]).toEqual(new Array(4).fill(i % 4))
  }
})
