/** Partial reductions: what is cut and what is not, and that the numbers stay what they are. */

import { describe, expect, it } from 'vitest'
import { aval } from '../../src/core/aval.ts'
import type { Tensor } from '../../src/core/tensor.ts'
import { trace } from '../../src/core/trace.ts'
import { array } from '../../src/ndarray/creation.ts'
import type { NDArray } from '../../src/ndarray/ndarray.ts'
import { multiply } from '../../src/ops/binary.ts'
import { argmax, max, mean, prod, sum } from '../../src/ops/reduce.ts'
import { fuse } from '../../src/passes/fuse.ts'
import { lower } from '../../src/passes/lower.ts'
import { backends } from '../cases/devices.ts'

type Body = (x: Tensor) => Tensor

/** The loops of a function of one array, whose axes lie in memory in the order given. */
function loopsOf(body: Body, shape: readonly number[], order = shape.map((_, a) => a)): string[] {
  const graph = lower(trace([aval(shape, 'float32')], [], ([x]) => [body(x!)]))
  const strides = shape.map((_, a) =>
    order.slice(order.indexOf(a) + 1).reduce((n, b) => n * shape[b]!, 1),
  )
  return fuse(graph, [{ shape, strides, offset: 0 }]).steps.map(({ kernel }) =>
    kernel.kind === 'loop'
      ? `${kernel.dims.slice(0, kernel.parallel).join('x')}|${kernel.dims.slice(kernel.parallel).join('x')}`
      : kernel.kind,
  )
}

const total: Body = (x) => sum(x)
const overRows: Body = (x) => sum(x, { axis: 0 })
const perChannel: Body = (x) => sum(x, { axis: [0, 2, 3] })

describe('long reductions', () => {
  it('over columns go in pieces that stay near', () => {
    expect(loopsOf(overRows, [4096, 64])).toEqual(['32x64|128', '64|32'])
    expect(loopsOf(overRows, [4096, 4096])).toEqual(['64x4096|64', '4096|64'])
    const nhwc = [0, 2, 3, 1]
    expect(loopsOf(perChannel, [16, 64, 28, 28], nhwc)).toEqual(['16x7x64|4x28', '64|16x7'])
    expect(loopsOf((x) => sum(multiply(x, x)), [2 ** 20])).toEqual(['64|16384', '|64'])
  })

  it('of which one waits for the other read an array once', () => {
    const varied: Body = (x) => {
      const average = mean(x, { axis: 0 })
      return mean(multiply(x, x), { axis: 0 }).sub(multiply(average, average))
    }
    expect(loopsOf(varied, [4096, 64])[0]).toBe('32x64|128')
    expect(loopsOf(varied, [4096, 64]).filter((l) => l === '32x64|128')).toHaveLength(1)
  })

  it('that are short, fast as they are, or of a length without divisors stay whole', () => {
    expect(loopsOf(overRows, [256, 64])).toEqual(['64|256'])
    expect(loopsOf(overRows, [1009, 64])).toEqual(['64|1009'])
    expect(loopsOf(perChannel, [16, 64, 28, 28])).toHaveLength(1)
    expect(loopsOf(total, [1000])).toHaveLength(1)
    expect(loopsOf((x) => sum(x, { axis: 1 }), [512, 4096])).toHaveLength(1)
    expect(loopsOf((x) => argmax(x, { axis: 0 }), [4096, 64])).toHaveLength(1)
  })
})

describe.each(backends)('on $context', ({ context, skip }) => {
  it.skipIf(skip !== null)('come out as sums of all elements do', async () => {
    const [rows, columns] = [2160, 36]
    const values = Float32Array.from(
      { length: rows * columns },
      (_, i) => Math.sin(i * 0.7) + 0.001,
    )
    const x = array(values, { ctx: context }).reshape([rows, columns]) as NDArray
    const column = (c: number): Float64Array =>
      Float64Array.from({ length: rows }, (_, r) => values[r * columns + c]!)
    const add = (v: Float64Array): number => v.reduce((a, b) => a + b, 0)
    const folds: readonly [Body, (v: Float64Array) => number][] = [
      [(t) => sum(t, { axis: 0 }), add],
      [(t) => mean(multiply(t, t), { axis: 0 }), (v) => add(v.map((u) => u * u)) / rows],
      [(t) => max(t, { axis: 0 }), (v) => Math.max(...v)],
      [
        (t) => prod(t.add(1.2).div(1.2), { axis: 0 }),
        (v) => v.reduce((a, b) => (a * (b + 1.2)) / 1.2, 1),
      ],
    ]
    for (const [body, fold] of folds) {
      const got = await (body(x) as NDArray).asTypedArray()
      for (let c = 0; c < columns; c++) {
        const want = fold(column(c))
        expect(Math.abs((got[c] as number) - want)).toBeLessThan(2e-4 * (1 + Math.abs(want)))
      }
    }
    const big = array(values, { ctx: context }).tile([4]).reshape([1, -1])
    const [got] = await nd(sum(big))
    expect(Math.abs(got! - 4 * add(Float64Array.from(values)))).toBeLessThan(0.05)
  })

  it.skipIf(skip !== null)('keep NaN', async () => {
    const values = new Float32Array(2048 * 8).fill(1)
    values[1500 * 8 + 3] = Number.NaN
    const x = array(values, { ctx: context }).reshape([2048, 8]) as NDArray
    for (const body of [sum, max]) {
      const got = [...(await nd(body(x, { axis: 0 })))]
      expect(got.map(Number.isNaN)).toEqual(got.map((_, c) => c === 3))
    }
  })
})

/** The numbers of a result. */
const nd = async (x: Tensor): Promise<ArrayLike<number> & Iterable<number>> =>
  (await (x as NDArray).asTypedArray()) as Float32Array
