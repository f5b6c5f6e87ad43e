/** A short soak: training with random shapes, thrown errors and broken-off loops leaves nothing behind. */

import { autograd, gluon, nd, runtime, type Tensor } from 'mxnet-ts'
import { describe, expect, it } from 'vitest'

/** A small generator of repeatable numbers. */
function numbers(seed: number): (below: number) => number {
  let state = seed
  return (below) => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0
    return Math.floor((state / 2 ** 32) * below)
  }
}

class Faulty extends gluon.HybridBlock {
  static fails = false
  override forward(x: Tensor): Tensor {
    if (Faulty.fails) throw new Error('on purpose')
    return nd.relu(x)
  }
}

async function rounds(
  hybrid: boolean,
  count: number,
  next: (below: number) => number,
): Promise<void> {
  const net = new gluon.nn.HybridSequential()
  const faulty = new Faulty()
  net.add(new gluon.nn.Dense(32, { activation: 'tanh' }), faulty, new gluon.nn.Dense(4))
  net.initialize()
  const loss = new gluon.loss.SoftmaxCrossEntropyLoss()
  if (hybrid) {
    net.hybridize()
    loss.hybridize()
  }
  net(nd.zeros([1, 64]))
  const trainer = new gluon.Trainer(net.collectParams(), 'adam', { learningRate: 0.001 })
  for (let round = 0; round < count; round++) {
    const n = 1 + next(24)
    const x = nd.random.normal(0, 1, { shape: [n * 3, 64] })
    const y = nd.random.randint(0, 4, { shape: [n * 3] }).astype('float32')
    const loader = new gluon.data.DataLoader(new gluon.data.ArrayDataset(x, y), { batchSize: n })
    const stop = next(4)
    let batches = 0
    for await (const [data, label] of loader) {
      Faulty.fails = next(5) === 0
      try {
        const l = autograd.record(() => loss(net(data), label))
        l.backward()
        trainer.step(n)
        expect(Number.isFinite(await l.sum().asScalar())).toBe(true)
      } catch (e) {
        expect((e as Error).message).toMatch(/on purpose/)
      } finally {
        Faulty.fails = false
      }
      expect(autograd.isRecording()).toBe(false)
      if (batches++ === stop) break
    }
    expect(() => nd.dot(x, y)).toThrow(/^\[dot\]/)
  }
}

describe.each([false, true])('training with faults, hybridized: %s', (hybrid) => {
  it('does not grow', { timeout: 120_000 }, async () => {
    const next = numbers(hybrid ? 7 : 3)
    await rounds(hybrid, 200, next)
    const before = runtime.memory().reserved
    await rounds(hybrid, 500, next)
    expect(runtime.memory().reserved - before).toBeLessThan(64 * 1024 * 1024)
  })
})
