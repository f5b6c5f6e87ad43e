/** Printing equals NumPy's text, element for element and line for line. */

import { readFileSync } from 'node:fs'
import { inspect } from 'node:util'
import { describe, expect, it } from 'vitest'
import { gpu } from '../../src/base/context.ts'
import { type DType, dtypeInfo, type TypedArray } from '../../src/base/dtype.ts'
import type { NDArray } from '../../src/ndarray/ndarray.ts'
import { formatArray, formatValues } from '../../src/ndarray/print.ts'
import { nd } from '../../src/node.ts'
import { goldenPath } from '../golden/npy.ts'

interface Case {
  readonly shape: number[]
  readonly dtype: DType
  readonly text: string
  readonly values?: (number | string)[]
}

const golden = JSON.parse(readFileSync(goldenPath('numpy-print.json'), 'utf8')) as {
  listed: Case[]
  computed: Case[]
}

const element = (value: number | string): number =>
  value === 'inf' ? Infinity : value === '-inf' ? -Infinity : value === 'nan' ? NaN : Number(value)

function elements({ dtype, values }: Case): TypedArray {
  const out = new (dtypeInfo(dtype).array)(values!.length)
  values!.forEach((v, i) => {
    if (out instanceof BigInt64Array) out[i] = BigInt(v)
    else out[i] = element(v)
  })
  return out
}

describe('formatValues', () => {
  it.each(golden.listed)('prints $dtype $shape as NumPy does', (c) => {
    expect(formatValues(elements(c), c.shape, c.dtype)).toBe(c.text)
  })

  it.each(golden.computed)('abridges $dtype $shape as NumPy does', (c) => {
    const n = c.shape.reduce((a, b) => a * b, 1)
    const values = new (dtypeInfo(c.dtype).array)(n) as Float32Array
    for (let i = 0; i < n; i++) values[i] = ((i * 7919) % 1000) / (c.dtype === 'float32' ? 8 : 1)
    expect(formatValues(values, c.shape, c.dtype)).toBe(c.text)
  })

  it.each([
    [[1, 2, 3], '[1. 2. 3.]'],
    [[0.1, 10], '[ 0.1 10. ]'],
    [[1e-5, 1], '[1.e-05 1.e+00]'],
    [[1e8], '[1.e+08]'],
    [[-0, NaN, Infinity], '[-0. nan inf]'],
    [[-Infinity, 1], '[-inf   1.]'],
    [[1.30078125], '[1.3007812]'],
    [[1 / 3, 2 / 3], '[0.33333334 0.6666667 ]'],
  ])('prints float32 %j', (values, text) => {
    expect(formatValues(Float32Array.from(values), [values.length], 'float32')).toBe(text)
  })
})

/** As much of an array as printing looks at. */
function fake(shape: number[], values: TypedArray, canBlock: boolean): NDArray {
  const storage = { device: { backend: { canBlock } } }
  const context = canBlock ? 'cpu(0)' : gpu(0)
  return { shape, dtype: 'float32', storage, context, asTypedArraySync: () => values } as never
}

describe('formatArray', () => {
  it('adds a line about the array', () => {
    const text = '\n[[1. 2.]\n [3. 4.]]\n<NDArray 2x2 @cpu(0)>'
    expect(formatArray(fake([2, 2], Float32Array.of(1, 2, 3, 4), true))).toBe(text)
    expect(formatArray(fake([], Float32Array.of(3), true))).toBe('\n3.0\n<NDArray  @cpu(0)>')
    expect(formatArray(fake([0, 3], new Float32Array(0), true))).toBe('\n[]\n<NDArray 0x3 @cpu(0)>')
  })

  it('prints arrays, views, and the edges of large arrays', () => {
    const x = nd.arange(6).reshape([2, 3])
    expect(`${x}`).toBe('\n[[0. 1. 2.]\n [3. 4. 5.]]\n<NDArray 2x3 @cpu(0)>')
    expect(`${x.T}`).toBe('\n[[0. 3.]\n [1. 4.]\n [2. 5.]]\n<NDArray 3x2 @cpu(0)>')
    expect(inspect(x)).toBe(`${x}`)
    for (const shape of [[7, 200], [2000], [5, 300, 3], [1200, 1], [10, 10, 11]]) {
      const large = nd.arange(shape.reduce((a, b) => a * b)).reshape(shape)
      const text = formatValues(large.asTypedArraySync(), shape, 'float32')
      expect(`${large}`).toBe(`\n${text}\n<NDArray ${shape.join('x')} @cpu(0)>`)
    }
  })

  it('leaves the elements out where the device cannot block', () => {
    const x = fake([2, 3], new Float32Array(6), false)
    expect(formatArray(x)).toBe('<NDArray 2x3 @gpu(0), not read>')
  })
})
