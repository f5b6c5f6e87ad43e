/** Row fusion: reductions and maps over the same rows as one sequence, block by block, with the same numbers. */

import { describe, expect, it } from 'vitest'
import { matchRows } from '../../src/backend/onednn/rows.ts'
import { aval } from '../../src/core/aval.ts'
import type { Tensor } from '../../src/core/tensor.ts'
import { trace } from '../../src/core/trace.ts'
import { array, full, ones, zeros } from '../../src/ndarray/creation.ts'
import type { NDArray } from '../../src/ndarray/ndarray.ts'
import { add, divide, multiply, subtract } from '../../src/ops/binary.ts'
import { layerNorm } from '../../src/ops/normalization.ts'
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

  const claimed: [string, (x: Tensor) => Tensor, string][] = [
    ['softmax', (x) => softmax(x), 'softmax'],
    ['layerNorm', (x) => layerNorm(x, ones([columns]), zeros([columns])), 'normalize'],
    ['a normalization written out', normalize, 'normalize'],
  ]
  it.each(claimed)('of %s is what a claim knows, whole and in parts', (_, body, name) => {
    const [kernel] = kernelsOf(body, [rows, columns])
    if (kernel?.kind !== 'sequence') expect.fail('no sequence')
    const addresses = kernel.inputs.concat(kernel.outputs).map((_, i) => (i + 1) * 1e7)
    const whole = matchRows(kernel)
    expect(whole).toMatchObject({ name, elements: rows * columns })
    const given = whole!.args(addresses)
    expect(given).toEqual(expect.arrayContaining([rows, columns]))
    const parts = sliceKernel(kernel, 4).map((k) => (k.kind === 'sequence' ? matchRows(k) : null))
    const sizes = [150, 150, 150, 151]
    parts.forEach((part, i) => {
      const args = part!.args(addresses)
      expect(args).toContain(sizes[i])
      expect(args[0]).toBe(given[0]! + i * 150 * columns * 4)
    })
  })

  it('of other loops is not claimed', () => {
    const unlike = (x: Tensor): Tensor =>
      multiply(subtract(x, sum(x, { axis: -1, keepdims: true })), x)
    for (const body of [unlike, (x: Tensor) => normalize(unlike(x))]) {
      const kernels = kernelsOf(body, [rows, columns]).filter((k) => k.kind === 'sequence')
      expect(kernels.length).toBeGreaterThan(0)
      for (const kernel of kernels) expect(matchRows(kernel)).toBeNull()
    }
  })
})

describe.each(backends)('on $context', ({ context, skip }) => {
  it.skipIf(skip !== null)('rows come out as they do one by one', async () => {
    const values = Float32Array.from(
      { length: rows * columns },
      (_, i) => Math.sin(i * 0.7) * 3 + (i % 7),
    )
    const x = array(values, { ctx: context }).reshape([rows, columns]) as NDArray
    const [gamma, beta] = [3, -1].map((v) => full([columns], v, { ctx: context }))
    const affine = (t: Tensor): Tensor => layerNorm(t, gamma!, beta!)
    for (const body of [(t: Tensor) => softmax(t), normalize, affine]) {
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
    const normal = (await (normalize(x) as NDArray).asTypedArray()) as Float32Array
    for (const row of [5, 9])
      expect(normal.subarray(row * columns, (row + 1) * columns).every(Number.isNaN)).toBe(true)
    expect(normal.subarray(6 * columns, 7 * columns).every((v) => v === 0)).toBe(true)
    const y = (await (softmax(x) as NDArray).asTypedArray()) as Float32Array
    expect(y.subarray(5 * columns, 6 * columns).every(Number.isNaN)).toBe(true)
    expect(y[9 * columns + 3]).toBe(0)
    expect(y[9 * columns]).toBeCloseTo(1 / (columns - 1), 6)
    expect(y[4 * columns]).toBeCloseTo(1 / columns, 6)
  })
})
