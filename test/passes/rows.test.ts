/** Row fusion: reductions and maps over the same rows as one sequence, block by block, with the same numbers. */

import { describe, expect, it } from 'vitest'
import { matchSoftmax } from '../../src/backend/onednn/softmax.ts'
import { aval } from '../../src/core/aval.ts'
import type { Tensor } from '../../src/core/tensor.ts'
import { trace } from '../../src/core/trace.ts'
import { array } from '../../src/ndarray/creation.ts'
import type { NDArray } from '../../src/ndarray/ndarray.ts'
import { add, divide, multiply, subtract } from '../../src/ops/binary.ts'
import { mean, sum } from '../../src/ops/reduce.ts'
import { softmax } from '../../src/ops/softmax.ts'
import { sqrt } from '../../src/ops/unary.ts'
import { fuse } from '../../src/passes/fuse.ts'
import { lower } from '../../src/passes/lower.ts'
import { sliceKernel } from '../../src/prim/slice.ts'
import { backends } from '../cases/devices.ts'

const [rows, columns] = [601, 512]

function normalize(x: Tensor): Tensor {
  const centred = subtract(x, mean(x, { axis: -1, keepdims: true }))
  const variance = mean(multiply(centred, centred), { axis: -1, keepdims: true })
  return divide(centred, sqrt(add(variance, 1e-5)))
}

function kernelsOf(body: (x: Tensor) => Tensor, shape: readonly number[]) {
  const input = aval(shape, 'float32')
  const graph = lower(trace([input], [], ([x]) => [body(x!)]))
  const strides = shape.map((_, i) => shape.slice(i + 1).reduce((n, d) => n * d, 1))
  return fuse(graph, [{ shape, strides, offset: 0 }]).steps.map((s) => s.kernel)
}

describe('fusion', () => {
  it('makes one sequence of what goes over the same rows', () => {
    for (const body of [(x: Tensor) => softmax(x), normalize]) {
      const kernels = kernelsOf(body, [rows, columns])
      expect(kernels.map((k) => k.kind)).toEqual(['sequence'])
    }
  })

  it('keeps the exponentials of a softmax where its result goes', () => {
    const [kernel] = kernelsOf((x) => softmax(x), [rows, columns])
    if (kernel?.kind !== 'sequence') expect.fail('no sequence')
    expect(kernel.outputs).toHaveLength(3)
    expect(kernel.spent).toHaveLength(2)
  })

  it('leaves alone what is small, what mixes rows, and what reduces over them', () => {
    const kinds = (body: (x: Tensor) => Tensor, shape: readonly number[]) =>
      kernelsOf(body, shape).map((k) => k.kind)
    expect(kinds((x) => softmax(x), [8, 16])).not.toContain('sequence')
    expect(kinds((x) => softmax(x, { axis: 0 }), [rows, columns])).not.toContain('sequence')
    const overAll = (x: Tensor): Tensor => divide(x, sum(x))
    expect(kinds(overAll, [rows, columns])).not.toContain('sequence')
  })

  it('is what the claim on softmax knows, whole and in parts', () => {
    const [kernel] = kernelsOf((x) => softmax(x), [rows, columns])
    if (kernel?.kind !== 'sequence') expect.fail('no sequence')
    expect(matchSoftmax(kernel)).toMatchObject({ rows, columns, fromOffset: 0, toOffset: 0 })
    const parts = sliceKernel(kernel, 4).map((k) =>
      k.kind === 'sequence' ? matchSoftmax(k) : null,
    )
    expect(parts.map((p) => p?.rows)).toEqual([150, 150, 150, 151])
    expect(parts.map((p) => p?.fromOffset)).toEqual([0, 150, 300, 450].map((r) => r * columns))
    const [other] = kernelsOf(normalize, [rows, columns])
    if (other?.kind !== 'sequence') expect.fail('no sequence')
    expect(matchSoftmax(other)).toBeNull()
  })
})

describe.each(backends)('on $context', ({ context, skip }) => {
  it.skipIf(skip !== null)('rows come out as they do one by one', async () => {
    const values = Float32Array.from(
      { length: rows * columns },
      (_, i) => Math.sin(i * 0.7) * 3 + (i % 7),
    )
    const x = array(values, { ctx: context }).reshape([rows, columns]) as NDArray
    for (const body of [(t: Tensor) => softmax(t), normalize]) {
      const whole = (await (body(x) as NDArray).asTypedArray()) as Float32Array
      for (const row of [0, 1, 63, 64, 65, 511, rows - 1]) {
        const one = body(x.at(`${row}:${row + 1}`)) as NDArray
        const alone = (await one.asTypedArray()) as Float32Array
        alone.forEach((v, i) =>
          expect(Math.abs(v - whole[row * columns + i]!)).toBeLessThan(2e-6 * Math.max(1, v)),
        )
      }
    }
  })

  it.skipIf(skip !== null)('NaN and infinities stay in their rows', async () => {
    const values = new Float32Array(rows * columns).fill(1)
    values[5 * columns + 3] = Number.NaN
    values[9 * columns + 3] = Number.NEGATIVE_INFINITY
    const x = array(values, { ctx: context }).reshape([rows, columns])
    const y = (await (softmax(x) as NDArray).asTypedArray()) as Float32Array
    expect(y.subarray(5 * columns, 6 * columns).every(Number.isNaN)).toBe(true)
    expect(y[9 * columns + 3]).toBe(0)
    expect(y[9 * columns]).toBeCloseTo(1 / (columns - 1), 6)
    expect(y[4 * columns]).toBeCloseTo(1 / columns, 6)
  })
})
