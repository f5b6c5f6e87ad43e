/** Metrics: sums that grow on the device. */

import { autograd, metric, type NDArray, nd } from 'mxnet-ts'
import { expect, test } from 'vitest'

test('accuracy of classes and of scores', async () => {
  const acc = new metric.Accuracy()
  expect(await acc.get()).toEqual(['accuracy', Number.NaN])
  acc.update(
    nd.array([0, 1, 1]),
    nd.array([
      [0.9, 0.1],
      [0.8, 0.2],
      [0.3, 0.7],
    ]),
  )
  expect((await acc.get())[1]).toBeCloseTo(2 / 3)
  acc.update(nd.array([2, 2]), nd.array([2, 0]))
  expect((await acc.get())[1]).toBeCloseTo(3 / 5)
  acc.reset()
  expect(await acc.get()).toEqual(['accuracy', Number.NaN])
})

test('accuracy takes lists, other dtypes and a name', async () => {
  const acc = new metric.Accuracy({ name: 'acc2' })
  const label = nd.array(Int32Array.of(0, 1, 1, 1, 2))
  const pred = nd.array(Int32Array.of(2, 2, 1, 1, 2))
  acc.update([label], [pred])
  expect(await acc.get()).toEqual(['acc2', 0.6])
  expect(await acc.getNameValue()).toEqual([['acc2', 0.6]])
  expect(() => acc.update([label, label], [pred])).toThrow(/2 labels and 1 predictions/)
  expect(() => acc.update(label, nd.zeros([4, 3]))).toThrow(/\[Accuracy\] labels \(5,\)/)
})

test('resetLocal keeps the global value', async () => {
  const acc = new metric.Accuracy()
  acc.update(nd.array([1]), nd.array([1]))
  acc.resetLocal()
  acc.update(nd.array([1]), nd.array([0]))
  expect((await acc.get())[1]).toBe(0)
  expect((await acc.getGlobal())[1]).toBe(0.5)
})

test('loss is the mean of all values', async () => {
  const loss = new metric.Loss()
  loss.update(null, nd.array([1, 2, 3]))
  loss.update(null, [nd.array([[6]])])
  expect(await loss.get()).toEqual(['loss', 3])
})

test('nothing is recorded', async () => {
  const x = nd.array([1, 2])
  x.attachGrad()
  const loss = new metric.Loss()
  autograd.record(() => {
    const y = x.mul(2)
    loss.update(null, y)
    y.backward()
  })
  expect(await loss.get()).toEqual(['loss', 3])
  expect(await x.grad!.asArray()).toEqual([2, 2])
})

test('several metrics as one, by name', async () => {
  const both = metric.create(['acc', new metric.Loss()])
  both.update(nd.array([1, 0]), nd.array([1, 1]))
  expect(await both.get()).toEqual([
    ['accuracy', 'loss'],
    [0.5, 1],
  ])
  expect(metric.create('Accuracy')).toBeInstanceOf(metric.Accuracy)
  expect(() => metric.create('acuracy')).toThrow(/no metric is called 'acuracy'/)
})

test('a metric of one’s own', async () => {
  class Largest extends metric.EvalMetric {
    protected override updatePair(_label: NDArray, pred: NDArray): void {
      this.addSum(nd.max(pred), 1)
    }
  }
  const largest = new Largest('largest')
  largest.update(nd.array([0]), nd.array([1, 5]))
  largest.update(nd.array([0]), nd.array([3, 2]))
  expect(await largest.get()).toEqual(['largest', 4])
})
