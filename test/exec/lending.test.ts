/** Arrays on several CPU contexts: nothing is copied until somebody writes, and every context reads what it was given. */

import {
  autograd,
  type Context,
  cpu,
  gluon,
  kv,
  type NDArray,
  nd,
  optimizer,
  profiler,
} from 'mxnet-ts'
import { describe, expect, it } from 'vitest'

/** Large enough for threads: a pass over it takes a millisecond. */
const size = 1 << 20
const filled = (value: number, id = 0): NDArray => nd.ones([size], { ctx: cpu(id) }).mul(value)
const ends = (x: NDArray): number[] =>
  [x.at(0), x.at(size - 1)].map((element) => element.asScalarSync())

/** Blocks taken from the memory while `body` runs. */
function allocations(body: () => void): number {
  const before = profiler.counters().allocations!
  body()
  return profiler.counters().allocations! - before
}

describe('an array on another context', () => {
  it('takes no memory', () => {
    const x = filled(1)
    let y: NDArray | undefined
    expect(
      allocations(() => {
        y = x.asInContext(cpu(1))
      }),
    ).toBe(0)
    expect(y!.context).toBe(cpu(1))
    expect(ends(y!.asInContext(cpu(2)))).toEqual([1, 1])
  })

  it.each(['lender', 'borrower'])('keeps its elements when the %s writes', (who) => {
    const x = filled(1)
    const y = x.asInContext(cpu(1))
    const [writer, reader] = who === 'lender' ? [x, y] : [y, x]
    writer.set(5, 0)
    writer.addAssign(1)
    expect([ends(writer), ends(reader)]).toEqual([
      [6, 2],
      [1, 1],
    ])
    reader.assign(9)
    expect([ends(writer), ends(reader)]).toEqual([
      [6, 2],
      [9, 9],
    ])
  })

  it('outlives the one it comes from, and gives the block back', () => {
    const x = filled(3)
    const y = x.asInContext(cpu(1))
    x[Symbol.dispose]()
    expect(ends(y.add(1))).toEqual([4, 4])
    y[Symbol.dispose]()
    expect(() => y.add(1)).toThrow(/freed/)
  })

  it('is copied where it has gaps', () => {
    const x = nd.array([
      [1, 2],
      [3, 4],
    ])
    expect(x.T.asInContext(cpu(1)).asArraySync()).toEqual([
      [1, 3],
      [2, 4],
    ])
    expect(x.at(1).asInContext(cpu(1)).asArraySync()).toEqual([3, 4])
  })

  it('reads and writes in the order of the program, whoever works meanwhile', () => {
    let seed = 1
    const random = (n: number): number => {
      seed = (Math.imul(seed, 1103515245) + 12345) >>> 0
      return (seed >>> 8) % n
    }
    const contexts = [cpu(0), cpu(1), cpu(2)]
    const arrays = contexts.map((_, i) => filled(i, i))
    const want = [0, 1, 2]
    for (let step = 0; step < 300; step++) {
      const [i, j, what] = [random(3), random(3), random(4)]
      if (what === 0) {
        arrays[i]!.addAssign(1)
        want[i]! += 1
      } else if (what === 1) {
        arrays[i]!.assign(step)
        want[i] = step
      } else if (what === 2) {
        arrays[i] = arrays[j]!.asInContext(contexts[i]!).add(0)
        want[i] = want[j]!
      } else {
        const before = arrays[i]!
        arrays[i] = i === j ? before : arrays[j]!.asInContext(contexts[i]!)
        want[i] = want[j]!
        if (i !== j && random(2) === 0) before[Symbol.dispose]()
      }
    }
    expect(arrays.map(ends)).toEqual(want.map((v) => [v, v]))
  })
})

describe('weights of several contexts', () => {
  const ctx: Context[] = [cpu(0), cpu(1), cpu(2)]
  const layer = (options: gluon.TrainerOptions = {}) => {
    const net = new gluon.nn.Dense(256, { inUnits: 256, useBias: false })
    net.initialize({ init: 'ones', ctx })
    const trainer = new gluon.Trainer(net.collectParams(), 'sgd', { learningRate: 1 }, options)
    const step = (): void => {
      for (const c of ctx) autograd.record(() => net(nd.ones([1, 256], { ctx: c }))).backward()
      trainer.step(ctx.length)
    }
    const firsts = (): number[] => net.weight.listData().map((w) => w.at(0, 0).asScalarSync())
    return { net, step, firsts }
  }

  it('lie in one block, which an update writes over', () => {
    const { net, step, firsts } = layer()
    for (let i = 0; i < 3; i++) step()
    const addresses = (): Set<number> =>
      new Set(net.weight.listData().map((w) => w.storage.address))
    const before = addresses()
    expect(before.size).toBe(1)
    step()
    expect(addresses()).toEqual(before)
    expect(firsts()).toEqual([-3, -3, -3])
    expect(net.weight.reduce().storage.address).toBe(net.weight.data(ctx[0]).storage.address)
  })

  it('are not written over while somebody else holds them', () => {
    const { net, step, firsts } = layer()
    step()
    const held = net.weight.listData().map((w) => w.detach())
    step()
    expect(firsts()).toEqual([-1, -1, -1])
    expect(held.map((w) => w.at(0, 0).asScalarSync())).toEqual([0, 0, 0])
  })

  it.each([{}, { updateOnKvstore: false }])('are what a program writes there: %o', (options) => {
    const { net, step, firsts } = layer(options)
    step()
    net.weight.setData(nd.full([256, 256], 7))
    step()
    expect(firsts()).toEqual([6, 6, 6])
    for (const w of net.weight.listData()) w.mulAssign(2)
    step()
    expect(firsts()).toEqual([11, 11, 11])
  })

  it('stay when an update fails', () => {
    const store = kv.create('device')
    class Failing extends optimizer.SGD {
      override updateAll(): void {
        throw new Error('no update today')
      }
    }
    const weights = ctx.slice(0, 2).map((c) => nd.full([4], 2, { ctx: c }))
    store.init('w', weights[0]!)
    store.pull('w', { out: weights })
    store.setOptimizer(new Failing())
    const grads = weights.map((w) => nd.ones([4], { ctx: w.context }))
    expect(() => store.pushpull('w', grads, { out: weights })).toThrow('no update today')
    expect(weights.map((w) => w.asArraySync())).toEqual([
      [2, 2, 2, 2],
      [2, 2, 2, 2],
    ])
  })
})
