/**
 * A soak: training with random shapes, thrown errors and broken-off loops, and work on threads between, leaves nothing behind.
 * Short unless SOAK_SECONDS says how long each half takes.
 */

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

/** Work that is long enough for threads, written over while it is read: every read sees its own time. */
async function handedOver(value: number): Promise<void> {
  const x = nd.full([512, 512], value)
  const y = nd.dot(x, x)
  const before = y.at(3, 5).asScalar()
  y.addAssign(1)
  x.assign(0)
  expect(await y.at(511, 0).asScalar()).toBe(512 * value * value + 1)
  expect(await before).toBe(512 * value * value)
}

const seconds = Number(process.env.SOAK_SECONDS ?? 0)

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
    if (round % 10 === 0) await handedOver(1 + next(100))
  }
}

describe.each([false, true])('training with faults, hybridized: %s', (hybrid) => {
  it('does not grow', { timeout: 120_000 + 2000 * seconds }, async () => {
    const next = numbers(hybrid ? 7 : 3)
    await rounds(hybrid, 200, next)
    const before = runtime.memory().reserved
    const since = performance.now()
    do await rounds(hybrid, 500, next)
    while (performance.now() - since < 1000 * seconds)
    // WebAssembly alone keeps 192 MB before it gives the collector a turn.
    expect(runtime.memory().reserved - before).toBeLessThan(256 * 1024 * 1024)
  })
})
