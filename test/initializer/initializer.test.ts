/** Initializers: values, bounds, names and texts. */

import { init, type NDArray, nd, random } from 'mxnet-ts'
import { expect, test } from 'vitest'

const values = async (x: NDArray): Promise<number[]> => [...(await x.asTypedArray())].map(Number)

test('constants', async () => {
  const x = nd.zeros([2, 2])
  new init.One().initWeight('w', x)
  expect(await values(x)).toEqual([1, 1, 1, 1])
  new init.Constant(2.5).initWeight('w', x)
  expect(await values(x)).toEqual([2.5, 2.5, 2.5, 2.5])
  new init.Constant(nd.array([1, 2])).initWeight('w', x)
  expect(await values(x)).toEqual([1, 2, 1, 2])
})

test('distributions have the bounds and deviations they say', async () => {
  random.seed(7)
  const x = nd.zeros([100, 100])
  new init.Uniform(0.3).initWeight('w', x)
  const u = await values(x)
  expect(Math.min(...u)).toBeGreaterThanOrEqual(-0.3)
  expect(Math.max(...u)).toBeLessThan(0.3)
  expect(Math.max(...u)).toBeGreaterThan(0.29)
  new init.Normal(0.1).initWeight('w', x)
  const n = await values(x)
  const mean = n.reduce((a, b) => a + b) / n.length
  const sd = Math.sqrt(n.reduce((a, b) => a + (b - mean) ** 2, 0) / n.length)
  expect(Math.abs(mean)).toBeLessThan(0.005)
  expect(sd).toBeCloseTo(0.1, 2)
})

test('Xavier scales by the fans', async () => {
  random.seed(7)
  // gluon/initializer/Xavier/1: shape (8, 3, 3, 3) draws from ±0.246183.
  const x = nd.zeros([8, 3, 3, 3])
  new init.Xavier().initWeight('w', x)
  const u = await values(x)
  expect(Math.max(...u.map(Math.abs))).toBeLessThanOrEqual(0.2461831)
  expect(Math.max(...u.map(Math.abs))).toBeGreaterThan(0.23)
  expect(() => new init.Xavier().initWeight('b', nd.zeros([3]))).toThrow(
    /\[Xavier\] b has shape \(3,\)/,
  )
})

test('the end of a name decides when an initializer is called', async () => {
  const one = new init.One()
  const x = nd.zeros([2])
  one('fc_weight', x)
  expect(await values(x)).toEqual([1, 1])
  one('fc_bias', x)
  expect(await values(x)).toEqual([0, 0])
  new init.Zero()('bn_gamma', x)
  expect(await values(x)).toEqual([1, 1])
  one({ name: 'anything', attrs: { __init__: '["constant", {"value": 4}]' } }, x)
  expect(await values(x)).toEqual([4, 4])
  expect(() => one('scale', x)).toThrow(/no rule for the name scale/)
})

test('names and texts lead back to the initializer', () => {
  expect(init.create('zeros')).toBeInstanceOf(init.Zero)
  const xavier = new init.Xavier({ rndType: 'gaussian', factorType: 'in', magnitude: 2 })
  const text = '["xavier", {"rnd_type": "gaussian", "factor_type": "in", "magnitude": 2}]'
  expect(xavier.dumps()).toBe(text)
  expect(init.create(text)).toBeInstanceOf(init.Xavier)
  expect((init.create(text) as init.Xavier).magnitude).toBe(2)
  expect(new init.Uniform(0.1).dumps()).toBe('["uniform", {"scale": 0.1}]')
  expect(() => init.create('xavierr')).toThrow(/no initializer is called 'xavierr'/)
})

test('own initializers register under their name', async () => {
  class Half extends init.Initializer {
    override initWeight(_name: string, array: NDArray): void {
      array.assign(0.5)
    }
  }
  init.register(Half)
  const x = nd.zeros([1])
  init.create('half')('w_weight', x)
  expect(await values(x)).toEqual([0.5])
})
