/** Trainer and the utilities for several contexts. */

import { autograd, cpu, gluon, init, MXNetError, nd, optimizer } from 'mxnet-ts'
import { expect, test } from 'vitest'

const { nn, Trainer, utils } = gluon

const layer = (): gluon.nn.Dense => {
  const dense = new nn.Dense(1, { inUnits: 2, useBias: false })
  dense.initialize('ones')
  return dense
}

test('a step divides by the batch size and changes the weight in place', () => {
  const net = layer()
  const trainer = new Trainer(net.collectParams(), 'sgd', { learningRate: 0.5 })
  const weight = net.weight.data()
  const x = nd.array([
    [1, 2],
    [3, 4],
  ])
  autograd.record(() => net(x)).backward()
  trainer.step(2)
  expect(net.weight.data()).toBe(weight)
  expect(weight.asArraySync()).toEqual([[1 - 0.5 * 2, 1 - 0.5 * 3]])
})

test('a stale gradient is an error, or skipped', () => {
  const net = layer()
  const trainer = new Trainer(net.collectParams(), 'sgd', { learningRate: 1 })
  expect(() => trainer.step(1)).toThrow(
    /\[Trainer\] the gradient of dense\d+_weight on cpu\(0\) has not been written/,
  )
  autograd.record(() => net(nd.ones([1, 2]))).backward()
  trainer.step(1)
  expect(() => trainer.step(1)).toThrow(MXNetError)
  trainer.step(1, { ignoreStaleGrad: true })
  expect(net.weight.data().asArraySync()).toEqual([[0, 0]])
})

test('lrMult, wdMult and gradReq are read at every step', () => {
  const net = new nn.Dense(1, { inUnits: 1 })
  net.initialize('ones')
  net.bias!.setData(nd.array([1]))
  net.bias!.lrMult = 0
  const trainer = new Trainer(net.collectParams(), 'sgd', { learningRate: 0.5, wd: 0.1 })
  net.weight.wdMult = 0
  autograd.record(() => net(nd.ones([1, 1]))).backward()
  trainer.step(1)
  expect(net.weight.data().asArraySync()).toEqual([[0.5]])
  expect(net.bias!.data().asArraySync()).toEqual([1])
  trainer.setLearningRate(0.25)
  expect(trainer.learningRate).toBe(0.25)
})

test('two contexts learn what one learns', () => {
  const data = nd.array([
    [1, 2],
    [3, 4],
    [5, 6],
    [7, 8],
  ])
  const after = [[cpu(0)], [cpu(0), cpu(1)]].map((ctx) => {
    const net = new nn.Dense(1, { inUnits: 2, useBias: false })
    net.initialize(new init.One(), { ctx })
    const trainer = new Trainer(net.collectParams(), 'adam', { learningRate: 0.1 })
    for (let step = 0; step < 3; step++) {
      const parts = utils.splitAndLoad(data, ctx)
      const losses = autograd.record(() => parts.map((part) => nd.square(net(part))))
      for (const loss of losses) loss.backward()
      trainer.step(4)
    }
    const copies = net.weight.listData().map((w) => w.asArraySync())
    for (const copy of copies) expect(copy).toEqual(copies[0])
    return copies[0]
  })
  expect(after[1]).toEqual(after[0])
})

test('what cannot be trained is an error', () => {
  const net = layer()
  const params = net.collectParams()
  expect(() => new Trainer(params, 'sgdd')).toThrow(/no optimizer is called 'sgdd'/)
  expect(() => new Trainer(params, new optimizer.SGD(), { learningRate: 1 })).toThrow(
    /leave them out/,
  )
  expect(() => new Trainer(new nn.Dense(1).collectParams(), 'sgd')).toThrow(
    /has not been initialized/,
  )
  expect(() => new Trainer(params, 'sgd', null, { kvstore: 'dist_sync' })).toThrow(
    /'dist_sync' is for several machines/,
  )
  expect(() => new Trainer([net] as never, 'sgd')).toThrow(/is not a Parameter/)
  expect(() => new Trainer(params, 'sgd').step(0)).toThrow(/batch size 0/)
})

test('data is split evenly, or nearly', () => {
  const data = nd.arange(0, 7).reshape([7, 1])
  expect(() => utils.splitData(data, 2)).toThrow(/7 samples do not make 2 equal parts/)
  expect(utils.splitData(data, 3, { evenSplit: false }).map((p) => p.shape[0])).toEqual([3, 2, 2])
  const columns = utils.splitData(nd.zeros([3, 4]), 2, { batchAxis: 1 })
  expect(columns.map((p) => p.shape)).toEqual([
    [3, 2],
    [3, 2],
  ])
})

test('the global norm is limited', async () => {
  const arrays = [nd.array([3]), nd.array([4])]
  expect(await utils.clipGlobalNorm(arrays, 1)).toBe(5)
  expect(arrays[0]!.asScalarSync()).toBeCloseTo(0.6, 5)
  const norm = utils.clipGlobalNorm(arrays, 10, { checkIsfinite: false })
  expect(await norm.asScalar()).toBeCloseTo(1, 5)
  expect(arrays[1]!.asScalarSync()).toBeCloseTo(0.8, 5)
})

test('a network learns', async () => {
  const net = new nn.HybridSequential()
  net.add(new nn.Dense(8, { activation: 'tanh' }), new nn.Dense(2))
  net.initialize(new init.Xavier())
  net.hybridize()
  const x = nd.array([
    [0, 0],
    [0, 1],
    [1, 0],
    [1, 1],
  ])
  const y = nd.array([0, 1, 1, 0])
  const loss = new gluon.loss.SoftmaxCrossEntropyLoss()
  const trainer = new Trainer(net.collectParams(), 'adam', { learningRate: 0.1 })
  for (let step = 0; step < 150; step++) {
    autograd.record(() => loss(net(x), y)).backward()
    trainer.step(4)
  }
  expect(await nd.mean(loss(net(x), y)).asScalar()).toBeLessThan(0.1)
})
