/** A training step that has run before takes no memory: results find the blocks of earlier ones. */

import { autograd, gluon, type NDArray, nd, profiler } from 'mxnet-ts'
import { expect, it } from 'vitest'

function parts() {
  const net = new gluon.nn.HybridSequential()
  net.add(new gluon.nn.Dense(16, { activation: 'relu' }), new gluon.nn.Dense(4))
  net.initialize()
  const loss = new gluon.loss.SoftmaxCrossEntropyLoss()
  const trainer = new gluon.Trainer(net.collectParams(), 'adam', { learningRate: 0.01 })
  const data = nd.random.uniform(0, 1, { shape: [8, 12] })
  const label = nd.array([0, 1, 2, 3, 0, 1, 2, 3])
  return { net, loss, trainer, data, label }
}

const taken = (body: () => void): number => {
  const before = profiler.counters().allocations
  body()
  return profiler.counters().allocations - before
}

it('hybridized: but for the arrays that forward hands out, nothing is taken after the first step', () => {
  const { net, loss, trainer, data, label } = parts()
  net.hybridize()
  loss.hybridize()
  const step = (): void => {
    let out!: NDArray
    const l = autograd.record(() => {
      out = net(data)
      return loss(out, label)
    })
    l.backward()
    trainer.step(8)
    // Done with: their blocks serve the next step. Otherwise they would once they have been collected.
    out[Symbol.dispose]()
    l[Symbol.dispose]()
  }
  for (let i = 0; i < 3; i++) step()
  expect(taken(() => Array.from({ length: 200 }, step))).toBe(0)
})

it('fused: nothing is taken after the first step', () => {
  const { net, loss, trainer, data, label } = parts()
  const fused = gluon.fuseStep(net, loss, trainer)
  const step = (): void => fused(data, label)[Symbol.dispose]()
  for (let i = 0; i < 3; i++) step()
  expect(taken(() => Array.from({ length: 200 }, step))).toBe(0)
})

it('arrays that were given up do not read what came after them', () => {
  const x = nd.ones([3])
  x[Symbol.dispose]()
  const y = nd.full([3], 2)
  expect(() => x.add(1)).toThrow(/freed/)
  x[Symbol.dispose]()
  expect(y.asArraySync()).toEqual([2, 2, 2])
})
