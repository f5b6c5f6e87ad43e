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

test('Load fills from stored arrays and by default where they are missing', async () => {
  const stored = { 'arg:fc_weight': nd.array([1, 2]), 'aux:bn_moving_mean': nd.array([3]) }
  const load = new init.Load(stored, { defaultInit: new init.One() })
  const [w, m, other] = [nd.zeros([2]), nd.zeros([1]), nd.zeros([2])]
  load('fc_weight', w)
  load('bn_moving_mean', m)
  load('conv_weight', other)
  expect([await values(w), await values(m), await values(other)]).toEqual([[1, 2], [3], [1, 1]])
  expect(() => load('fc_weight', nd.zeros([3]))).toThrow(
    /\[Load\] fc_weight is stored with shape \(2,\)/,
  )
  expect(() => new init.Load(stored)('nothing', w)).toThrow(/nothing is not stored/)
})

test('Mixed refuses what no pattern matches, and matches from the beginning of a name', () => {
  const mixed = new init.Mixed(['fc'], [new init.Zero()])
  expect(() => mixed('my_fc_weight', nd.zeros([1]))).toThrow(
    /\[Mixed\] no pattern matches my_fc_weight/,
  )
  expect(() => new init.Mixed(['a', 'b'], [new init.Zero()])).toThrow(
    /2 patterns and 1 initializers/,
  )
})

test('packed RNN parameters are filled matrix by matrix', async () => {
  random.seed(1)
  const [hidden, input, gates] = [4, 3, 4]
  const x = nd.zeros([gates * (hidden * input + hidden * hidden + 2 * hidden)])
  const rnn = new init.FusedRNN({
    init: new init.Xavier(),
    numHidden: hidden,
    numLayers: 1,
    mode: 'lstm',
  })
  rnn.initWeight('lstm_parameters', x)
  const v = await values(x)
  const bound = Math.sqrt(3 / ((hidden + input) / 2))
  expect(Math.max(...v.slice(0, 48))).toBeLessThan(bound)
  expect(Math.max(...v.slice(0, 48))).toBeGreaterThan(bound / 2)
  expect(v.slice(-32)).toEqual([0, 1, 0, 0, 0, 1, 0, 0].flatMap((b) => [b, b, b, b]))
  expect(() => rnn.initWeight('p', nd.zeros([7]))).toThrow(/no input size fits/)
})

test('texts of nested initializers read back', () => {
  const text = new init.FusedRNN({
    init: 'xavier',
    numHidden: 2,
    numLayers: 1,
    mode: 'gru',
  }).dumps()
  expect(init.create(text).dumps()).toBe(text)
  expect(init.create(new init.Orthogonal(1, { randType: 'normal' }).dumps()).dumps()).toBe(
    '["orthogonal", {"scale": 1.0, "rand_type": "normal"}]',
  )
})
