/** Data-parallel training: several contexts learn what one learns, whichever way their gradients meet. */

import { spawnSync } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import {
  autograd,
  type Context,
  cpu,
  gluon,
  init,
  lrScheduler,
  type NDArray,
  nd,
  random,
} from 'mxnet-ts'
import { describe, expect, it } from 'vitest'

const { nn, Trainer, utils } = gluon

interface Options {
  readonly optimizer?: string
  readonly optimizerParams?: object
  readonly trainer?: gluon.TrainerOptions
  readonly steps?: number
}

/** The loss of each step of a small network on a global batch of 24, cut for the contexts. */
function losses(ctx: readonly Context[], options: Options = {}): number[] {
  const { optimizer = 'sgd', optimizerParams = { learningRate: 0.1 }, steps = 100 } = options
  random.seed(42)
  const net = new nn.Sequential()
  net.add(new nn.Dense(16, { activation: 'relu' }))
  net.add(new nn.Dense(4))
  net.initialize({ init: new init.Xavier(), ctx: [...ctx] })
  const loss = new gluon.loss.SoftmaxCrossEntropyLoss()
  const trainer = new Trainer(
    net.collectParams(),
    optimizer,
    { ...optimizerParams },
    options.trainer,
  )
  random.seed(7)
  const x = nd.random.normal(0, 1, { shape: [240, 8] })
  const y = nd.argmax(nd.dot(x, nd.random.normal(0, 1, { shape: [8, 4] })), { axis: 1 })
  const result: number[] = []
  for (let step = 0; step < steps; step++) {
    const at = (step % 10) * 24
    const parts = [x, y].map((a) =>
      utils.splitAndLoad(a.at(`${at}:${at + 24}`), ctx, { evenSplit: false }),
    )
    const each = autograd.record(() => parts[0]!.map((part, i) => loss(net(part), parts[1]![i]!)))
    for (const l of each) l.backward()
    trainer.step(24)
    result.push(each.reduce((s, l) => s + nd.sum(l).asScalarSync(), 0) / 24)
  }
  return result
}

function expectSame(got: readonly number[], want: readonly number[], tolerance = 1e-5): void {
  got.forEach((l, t) => {
    expect(Math.abs(l - want[t]!), `step ${t}: ${l} and ${want[t]}`).toBeLessThan(tolerance)
  })
}

const two = [cpu(0), cpu(1)]
const contexts = (n: number): Context[] => Array.from({ length: n }, (_, i) => cpu(i))

describe('several contexts', () => {
  const one = losses([cpu(0)])

  it('learn something', () => {
    expect(one.at(-1)).toBeLessThan(one[0]! / 2)
  })
  it.each([2, 3, 4, 5])('%i of them give the losses of one', (n) => {
    expectSame(losses(contexts(n)), one)
  })
  it.each([
    ['local', { kvstore: 'local' }],
    ['device, updating in the store', { kvstore: 'device', updateOnKvstore: true }],
    ['device, updating on the contexts', { kvstore: 'device', updateOnKvstore: false }],
  ] as const)('meet in a store: %s', (_name, trainer) => {
    expectSame(losses(two, { trainer }), one)
  })
  it('do so with states of an optimizer', () => {
    const adam = { optimizer: 'adam', optimizerParams: { learningRate: 0.01 } }
    const alone = losses([cpu(0)], adam)
    expectSame(losses(two, adam), alone)
    expectSame(losses(two, { ...adam, trainer: { updateOnKvstore: true } }), alone)
  })
  it('learn with compressed gradients, otherwise', () => {
    const trainer = { compressionParams: { type: '2bit' as const, threshold: 0.5 } }
    const compressed = losses(two, { trainer, steps: 100 })
    expect(compressed.at(-1)).toBeLessThan(one[0]! * 0.8)
    expect(Math.abs(compressed[20]! - one[20]!)).toBeGreaterThan(1e-4)
  })
})

describe('Trainer', () => {
  const layer = (ctx: Context[] = [cpu(0)]): gluon.nn.Dense => {
    const dense = new nn.Dense(1, { inUnits: 2, useBias: false })
    dense.initialize({ init: 'ones', ctx })
    return dense
  }
  const backward = (net: gluon.nn.Dense, x: NDArray): void => {
    for (const ctx of net.weight.listCtx())
      autograd.record(() => net(x.asInContext(ctx))).backward()
  }

  it('refuses halves of a step where the store updates', () => {
    const net = layer()
    const trainer = new Trainer(net.collectParams(), 'sgd', null, { updateOnKvstore: true })
    expect(() => trainer.allreduceGrads()).toThrow(/updateOnKvstore/)
    expect(() => trainer.update(1)).toThrow(/updateOnKvstore/)
    expect(() => trainer.step(1)).toThrow(/has not been written/)
    backward(net, nd.ones([1, 2]))
    trainer.step(1)
    expect(net.weight.data().asArraySync()).toEqual([[0.99, 0.99].map((v) => expect.closeTo(v, 6))])
    expect(
      () => new Trainer(net.collectParams(), 'sgd', null, { kvstore: null, updateOnKvstore: true }),
    ).toThrow(/name a store/)
  })

  it('does a step in two halves', () => {
    const net = layer(two)
    const trainer = new Trainer(net.collectParams(), 'sgd', { learningRate: 1 })
    backward(net, nd.ones([1, 2]))
    trainer.allreduceGrads()
    expect(net.weight.listGrad().map((g) => g.asArraySync())).toEqual([[[2, 2]], [[2, 2]]])
    trainer.update(2)
    expect(net.weight.listData().map((w) => w.asArraySync())).toEqual([[[0, 0]], [[0, 0]]])
  })

  it('adds nothing up without a store', () => {
    const net = layer(two)
    const trainer = new Trainer(net.collectParams(), 'sgd', { learningRate: 1 }, { kvstore: null })
    expect(trainer.kvstore).toBe(null)
    two.forEach((ctx, i) => {
      autograd.record(() => net(nd.ones([1, 2], { ctx }).mul(i + 1))).backward()
    })
    trainer.step(1)
    expect(net.weight.listData().map((w) => w.asArraySync())).toEqual([[[0, 0]], [[-1, -1]]])
  })

  it('leaves updates to the contexts where the environment says so', () => {
    const program = `
      const { cpu, gluon } = await import('mxnet-ts')
      const net = new gluon.nn.Dense(1, { inUnits: 2 })
      net.initialize({ ctx: [cpu(0), cpu(1)] })
      new gluon.Trainer(net.collectParams(), 'sgd').allreduceGrads()
      console.log('added up')`
    const run = (said: string) =>
      spawnSync(process.execPath, ['--input-type=module', '-e', program], {
        encoding: 'utf8',
        env: { ...process.env, MXNET_UPDATE_ON_KVSTORE: said },
      }).stdout
    expect(run('0')).toBe('added up\n')
  })

  it('leaves the update to the store where there are several contexts', () => {
    const net = layer(two)
    const trainer = new Trainer(net.collectParams(), 'sgd', { learningRate: 1 })
    backward(net, nd.ones([1, 2]))
    trainer.step(2)
    expect(net.weight.listData().map((w) => w.asArraySync())).toEqual([[[0, 0]], [[0, 0]]])
    // Gradients have gone to the store and have not come back.
    expect(net.weight.listGrad().map((g) => g.asArraySync())).toEqual([[[1, 1]], [[1, 1]]])
    expect(trainer.kvstore!.updater).not.toBe(null)
    expect(() => trainer.allreduceGrads()).toThrow(/updateOnKvstore/)
    const own = layer()
    const alone = new Trainer(own.collectParams(), 'sgd')
    expect(alone.kvstore).toBe(null)
    alone.allreduceGrads()
  })

  it('leaves it to the contexts where a local store would be large', () => {
    const wide = new nn.Dense(2 ** 12 + 1, { inUnits: 2 ** 12, useBias: false })
    wide.initialize({ init: 'zeros', ctx: two })
    for (const kvstore of ['local', 'device']) {
      const trainer = new Trainer(wide.collectParams(), 'sgd', null, { kvstore })
      trainer.step(1, { ignoreStaleGrad: true })
      expect(trainer.kvstore!.updater === null).toBe(kvstore === 'local')
    }
  })

  it.each([{}, { updateOnKvstore: false }])(
    'takes a context without work for one of zeros %o',
    (options) => {
      const net = layer(two)
      const trainer = new Trainer(net.collectParams(), 'sgd', { learningRate: 0.25 }, options)
      const firstOnly = (): void => autograd.record(() => net(nd.array([[1, 2]]))).backward()
      backward(net, nd.ones([1, 2]))
      trainer.step(1)
      firstOnly()
      expect(() => trainer.step(1)).toThrow(/dense\d+_weight on cpu\(1\) has not been written/)
      // The failed step has taken nothing away.
      trainer.step(1, { ignoreStaleGrad: true })
      const after = [[1 - 0.5 - 0.25, 1 - 0.5 - 0.5]]
      expect(net.weight.listData().map((w) => w.asArraySync())).toEqual([after, after])
      trainer.step(1, { ignoreStaleGrad: true })
      firstOnly()
      trainer.step(1, { ignoreStaleGrad: true })
      const last = [[after[0]![0]! - 0.25, after[0]![1]! - 0.5]]
      expect(net.weight.listData().map((w) => w.asArraySync())).toEqual([last, last])
    },
  )

  it('passes over parameters without gradients, until they have some', () => {
    const net = new nn.Dense(1, { inUnits: 2 })
    net.initialize({ init: 'ones', ctx: two })
    net.weight.gradReq = 'null'
    const trainer = new Trainer(net.collectParams(), 'sgd', { learningRate: 1 })
    backward(net, nd.ones([1, 2]))
    trainer.step(2)
    const now = () => [net.weight, net.bias!].map((p) => p.listData().map((w) => w.asArraySync()))
    expect(now()).toEqual([
      [[[1, 1]], [[1, 1]]],
      [[-1], [-1]],
    ])
    expect(() => net.weight.listGrad()).toThrow(/gradReq is 'null'/)
    net.weight.gradReq = 'write'
    backward(net, nd.ones([1, 2]))
    trainer.step(2)
    expect(now()).toEqual([
      [[[0, 0]], [[0, 0]]],
      [[-2], [-2]],
    ])
  })

  it('adds up the gradients of several batches where gradReq says so', () => {
    const net = layer(two)
    net.weight.gradReq = 'add'
    const trainer = new Trainer(net.collectParams(), 'sgd', { learningRate: 1 })
    for (let round = 1; round <= 2; round++) {
      backward(net, nd.array([[1, 2]]))
      backward(net, nd.array([[3, 4]]))
      trainer.step(4)
      net.weight.zeroGrad()
      const weight = [[1 - 2 * round, 1 - 3 * round]]
      expect(net.weight.listData().map((w) => w.asArraySync())).toEqual([weight, weight])
    }
  })

  it('keeps what compression leaves over, on each context for itself', () => {
    const net = layer(two)
    const compressionParams = { type: '2bit' as const, threshold: 0.5 }
    const trainer = new Trainer(
      net.collectParams(),
      'sgd',
      { learningRate: 1 },
      { compressionParams },
    )
    const step = (first: number[], second: number[]): unknown => {
      ;[first, second].forEach((x, i) => {
        autograd.record(() => net(nd.array([x], { ctx: two[i]! }))).backward()
      })
      trainer.step(1)
      const [a, b] = net.weight.listData().map((w) => w.asArraySync())
      expect(a).toEqual(b)
      return a
    }
    expect(step([0.25, 0.75], [0.25, 0.25])).toEqual([[1, 0.5]])
    // Left over: 0.25 and 0.25 on the first, 0.25 and 0.25 on the second.
    expect(step([0.25, 0], [0, 0.25])).toEqual([[0.5, 0]])
    expect(step([0, 0.25], [0.25, 0])).toEqual([[0, -0.5]])
  })

  it('follows learning rates as they change, for all contexts', () => {
    const net = layer(two)
    const trainer = new Trainer(net.collectParams(), 'sgd', { learningRate: 1 })
    const weights = (rate: number): unknown => {
      trainer.setLearningRate(rate)
      backward(net, nd.ones([1, 2]))
      trainer.step(2)
      return net.weight.listData().map((w) => w.asArraySync())
    }
    expect(weights(0.5)).toEqual([[[0.5, 0.5]], [[0.5, 0.5]]])
    expect(weights(0.25)).toEqual([[[0.25, 0.25]], [[0.25, 0.25]]])
    const lrSchedule = new lrScheduler.FactorScheduler(1, { factor: 0.5, baseLr: 1 })
    const scheduled = layer(two)
    const by = new Trainer(scheduled.collectParams(), 'sgd', { lrScheduler: lrSchedule })
    expect(() => by.setLearningRate(1)).toThrow(/scheduler/)
  })

  it('goes on where a trainer on other contexts left off', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'trainer-'))
    const file = join(folder, 'net.states')
    const go = (net: gluon.nn.Dense, trainer: gluon.Trainer): number[] => {
      const ctx = net.weight.listCtx()
      const parts = utils.splitAndLoad(
        nd.array([
          [1, 2],
          [3, -4],
        ]),
        ctx,
      )
      const each = autograd.record(() => parts.map((part) => nd.square(net(part))))
      for (const l of each) l.backward()
      trainer.step(2)
      return (net.weight.listData().at(-1)!.asArraySync() as number[][])[0]!
    }
    for (const [before, after] of [
      [[cpu(0)], two],
      [two, [cpu(0)]],
    ] as const) {
      for (const updateOnKvstore of [null, false]) {
        const nets = [before, before, after].map((ctx) => layer([...ctx]))
        const [gone, , resumed] = nets.map(
          (net) =>
            new Trainer(net.collectParams(), 'adam', { learningRate: 0.1 }, { updateOnKvstore }),
        )
        for (let i = 0; i < 3; i++) go(nets[0]!, gone!)
        await gone!.saveStates(file)
        nets[2]!.weight.setData(nets[0]!.weight.data(cpu(0)))
        await resumed!.loadStates(file)
        for (let i = 0; i < 3; i++) {
          const want = go(nets[0]!, gone!)
          go(nets[2]!, resumed!).forEach((v, k) => expect(v).toBeCloseTo(want[k]!, 5))
        }
      }
    }
    rmSync(folder, { recursive: true })
  })

  it.each([{}, { updateOnKvstore: true }])(
    'goes on where saved states left off %o',
    async (options) => {
      const folder = mkdtempSync(join(tmpdir(), 'trainer-'))
      const file = join(folder, 'net.states')
      const x = nd.array([[1, 2]])
      const make = (lr: number): [gluon.nn.Dense, gluon.Trainer] => {
        const net = layer(two)
        return [net, new Trainer(net.collectParams(), 'adam', { learningRate: lr }, options)]
      }
      const [net, trainer] = make(0.1)
      const go = (n: gluon.nn.Dense, t: gluon.Trainer): number[][] => {
        backward(n, x)
        t.step(1)
        return n.weight.data(cpu(1)).asArraySync() as number[][]
      }
      for (let i = 0; i < 3; i++) go(net, trainer)
      await trainer.saveStates(file)
      const [other, resumed] = make(0.9)
      other.weight.setData(net.weight.data(cpu(0)))
      await resumed.loadStates(file)
      expect(resumed.learningRate).toBe(0.1)
      for (let i = 0; i < 3; i++) expect(go(other, resumed)).toEqual(go(net, trainer))
      const [third] = make(0.1)
      const sgd = new Trainer(third.collectParams(), 'sgd')
      await expect(sgd.loadStates(file)).rejects.toThrow(/\[SGD\] the states are those of Adam/)
      rmSync(folder, { recursive: true })
    },
  )
})
