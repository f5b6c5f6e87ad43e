/** Arrays of 16-bit floats: made, read, printed, saved, drawn, computed with and differentiated. */

import { describe, expect, it } from 'vitest'
import { autograd, type NDArray, nd } from '../../src/node.ts'
import { goldenPath, readNpz } from '../golden/npy.ts'

describe.each(['float16', 'bfloat16'] as const)('%s', (dtype) => {
  const x = () =>
    nd.array(
      [
        [1.5, -2],
        [0.25, 4],
      ],
      { dtype },
    )

  it('is read as numbers', async () => {
    expect(await x().asTypedArray()).toEqual(Float32Array.of(1.5, -2, 0.25, 4))
    expect(x().asArraySync()).toEqual([
      [1.5, -2],
      [0.25, 4],
    ])
    expect(nd.array([1 / 3], { dtype }).asScalarSync()).not.toBe(1 / 3)
    expect(await x().storedElements()).toBeInstanceOf(Uint16Array)
  })

  it('prints the fewest digits that name a number', () => {
    expect(String(x())).toBe('\n[[ 1.5  -2.  ]\n [ 0.25  4.  ]]\n<NDArray 2x2 @cpu(0)>')
    const tenth = nd.array([0.1], { dtype })
    expect(String(tenth)).toBe('\n[0.1]\n<NDArray 1 @cpu(0)>')
  })

  it('comes back from a file bit by bit', async () => {
    const values = nd.random.normal(0, 1, { shape: [3, 5], dtype })
    const back = nd.loadFromBuffer(await nd.saveToBuffer({ values })) as { values: NDArray }
    expect(back.values.dtype).toBe(dtype)
    expect(await back.values.storedElements()).toEqual(await values.storedElements())
  })

  it('draws in its range', () => {
    const drawn = nd.random.uniform(2, 3, { shape: [1000], dtype })
    expect(drawn.dtype).toBe(dtype)
    const values = Array.from(drawn.asTypedArraySync(), Number)
    expect(Math.min(...values)).toBeGreaterThanOrEqual(2)
    expect(Math.max(...values)).toBeLessThanOrEqual(3)
    expect(new Set(values).size).toBeGreaterThan(50)
  })

  it('promotes, casts and multiplies', () => {
    expect(x().add(nd.ones([2], { dtype: 'float32' })).dtype).toBe('float32')
    expect(x().add(nd.ones([2], { dtype: 'int64' })).dtype).toBe(dtype)
    expect(x().mul(0.5).dtype).toBe(dtype)
    expect(x().astype('int8').asArraySync()).toEqual([
      [1, -2],
      [0, 4],
    ])
    expect(nd.dot(x(), x()).asArraySync()).toEqual([
      [1.75, -11],
      [1.375, 15.5],
    ])
    const y = x()
    y.set(7, 0, ':')
    y.addAssign(x())
    expect(y.asArraySync()).toEqual([
      [8.5, 5],
      [0.5, 8],
    ])
  })

  it('sums in float32', () => {
    expect(nd.ones([4096], { dtype }).sum().asScalarSync()).toBe(4096)
    expect(nd.ones([3, 4096], { dtype }).sum({ axis: 0 }).asArraySync()).toHaveLength(4096)
  })

  it('has gradients of its own dtype', () => {
    const v = x()
    v.attachGrad()
    autograd.record(() => nd.dot(v, v).tanh().sum()).backward()
    expect(v.grad!.dtype).toBe(dtype)
    const w = x().astype('float32')
    w.attachGrad()
    autograd.record(() => nd.dot(w, w).tanh().sum()).backward()
    const [got, want] = [v.grad!.asTypedArraySync(), w.grad!.asTypedArraySync()]
    got.forEach((g, i) => {
      expect(Number(g)).toBeCloseTo(Number(want[i]), 1)
    })
  })
})

it('reads the float16 that MXNet wrote', () => {
  const arrays = nd.load(goldenPath('mxnet-nd/dict.params')) as Promise<Record<string, NDArray>>
  const bits = readNpz('mxnet-nd/dict.npz').get('arr_float16')!.values
  return arrays.then(async ({ arr_float16: x }) => {
    expect(x!.dtype).toBe('float16')
    expect(await x!.storedElements()).toEqual(bits)
  })
})
