/** Metrics: sums that grow on the device. */

import { autograd, cpu, metric, type NDArray, nd } from 'mxnet-ts'
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

test('metrics of other devices, of lists, and of more classes than two', async () => {
  const f1 = new metric.F1({ average: 'micro' })
  const [label, pred] = [
    nd.array([1, 0]),
    nd.array([
      [0.2, 0.8],
      [0.2, 0.8],
    ]),
  ]
  const other = [nd.array([1], { ctx: cpu(1) }), nd.array([[0.1, 0.9]], { ctx: cpu(1) })] as const
  f1.update([label, other[0]], [pred, other[1]])
  expect((await f1.get())[1]).toBeCloseTo((2 * 2) / (2 * 2 + 1), 10)
  f1.update(nd.array([2, 0]), pred)
  await expect(f1.get()).rejects.toThrow(/\[F1\] 1 labels are neither 0 nor 1/)
})

test('macro averages the updates, micro pools them', async () => {
  const label = [nd.array([1, 2, 3]), nd.array([1, 2, 4])]
  const pred = [nd.array([1, 2, 4]), nd.array([3, 2, 1])]
  const [macro, micro] = [
    new metric.PearsonCorrelation(),
    new metric.PearsonCorrelation({ average: 'micro' }),
  ]
  label.forEach((l, i) => {
    macro.update(l, pred[i]!)
    micro.update(l, pred[i]!)
  })
  const r = (x: number[], y: number[]): number => {
    const mean = (v: number[]): number => v.reduce((a, b) => a + b) / v.length
    const [mx, my] = [mean(x), mean(y)]
    const cov = (a: number[], b: number[], ma: number, mb: number): number =>
      a.reduce((s, v, i) => s + (v - ma) * (b[i]! - mb), 0)
    return cov(x, y, mx, my) / Math.sqrt(cov(x, x, mx, mx) * cov(y, y, my, my))
  }
  expect((await macro.get())[1]).toBeCloseTo(
    (r([1, 2, 3], [1, 2, 4]) + r([1, 2, 4], [3, 2, 1])) / 2,
    6,
  )
  expect((await micro.get())[1]).toBeCloseTo(r([1, 2, 3, 1, 2, 4], [1, 2, 4, 3, 2, 1]), 6)
})

test('a function as a metric, at once or later', async () => {
  const mean = metric.create(
    async (label: NDArray, pred: NDArray) => [
      await pred.sub(label).abs().sum().asScalar(),
      label.size,
    ],
    { name: 'mine' },
  )
  mean.update(nd.array([1, 2]), nd.array([2, 4]))
  mean.update(nd.array([0]), nd.array([0]))
  expect(await mean.get()).toEqual(['mine', 1])
  mean.resetLocal()
  expect(await mean.get()).toEqual(['mine', Number.NaN])
  expect(await mean.getGlobal()).toEqual(['mine', 1])
  const broken = new metric.CustomMetric(() => {
    throw new Error('no')
  })
  broken.update(nd.array([0]), nd.array([0]))
  await expect(broken.get()).rejects.toThrow('no')
  broken.reset()
  expect((await broken.get())[1]).toBeNaN()
})

test('metrics by name, with their options', async () => {
  expect(metric.create('top_k_acc', { topK: 3 }).name).toBe('top_k_accuracy_3')
  expect(metric.create('Perplexity', { ignoreLabel: 0 }).name).toBe('perplexity')
  expect(() => metric.create('top_k_acc', { topK: 1 })).toThrow(/topK is 1/)
  expect(() => new metric.CrossEntropy().update(nd.array([0]), nd.zeros([2, 2]))).toThrow(
    /\[CrossEntropy\] labels \(1,\)/,
  )
})
