/** Every optimizer trains a small network to a stated loss, and does the same as one fused graph. */

import { autograd, gluon, init, lrScheduler, type NDArray, nd, optimizer, random } from 'mxnet-ts'
import { describe, expect, it } from 'vitest'

/** Options and the loss that 80 steps reach from about 0.3, for each registered optimizer. */
const runs: { readonly [name: string]: readonly [options: object, reached: number] } = {
  sgd: [{ learningRate: 0.3, momentum: 0.9 }, 0.01],
  ccsgd: [{ learningRate: 0.3, momentum: 0.9 }, 0.01],
  nag: [{ learningRate: 0.3, momentum: 0.9 }, 0.01],
  signum: [{ learningRate: 0.01 }, 0.02],
  sgld: [{ learningRate: 1e-5 }, 0.4],
  dcasgd: [{ learningRate: 0.3, momentum: 0.9 }, 0.01],
  lars: [{ learningRate: 20, momentum: 0.9 }, 0.05],
  lamb: [{ learningRate: 0.03 }, 0.02],
  lbsgd: [{ learningRate: 0.5, momentum: 0.9, batchScale: 2, warmupEpochs: 1 }, 0.05],
  adam: [{ learningRate: 0.03 }, 0.01],
  adamw: [{ learningRate: 0.03, wd: 1e-4 }, 0.01],
  adamax: [{ learningRate: 0.05 }, 0.01],
  nadam: [{ learningRate: 0.03 }, 0.01],
  ftml: [{ learningRate: 0.03 }, 0.02],
  adagrad: [{ learningRate: 0.1 }, 0.02],
  groupadagrad: [{ learningRate: 0.1 }, 0.05],
  adadelta: [{ rho: 0.9 }, 0.2],
  rmsprop: [{ learningRate: 0.01, centered: true }, 0.05],
  ftrl: [{ learningRate: 0.2, lamda1: 1e-4 }, 0.05],
}

const names = Object.keys(runs)
const data = (): [NDArray, NDArray] => {
  random.seed(7)
  const x = nd.random.uniform(-1, 1, { shape: [32, 4] })
  const y = nd.sum(nd.multiply(x, nd.array([1, -2, 0.5, 1])), { axis: 1, keepdims: true }).tanh()
  return [x, y]
}

/** A network of matrices only, which every optimizer can train. */
const build = (): gluon.nn.HybridSequential => {
  random.seed(3)
  const net = new gluon.nn.HybridSequential()
  net.add(new gluon.nn.Dense(16, { activation: 'tanh', useBias: false, inUnits: 4 }))
  net.add(new gluon.nn.Dense(1, { useBias: false, inUnits: 16 }))
  net.initialize(new init.Xavier())
  return net
}

function train(name: string, fused: boolean): number[] {
  const [x, y] = data()
  const net = build()
  const loss = new gluon.loss.L2Loss()
  random.seed(11)
  const trainer = new gluon.Trainer(net.collectParams(), name, { ...runs[name]![0] })
  const step = fused ? gluon.fuseStep(net, loss, trainer) : null
  const losses: number[] = []
  for (let t = 0; t < 80; t++) {
    if (step !== null) {
      losses.push(nd.mean(step(x, y)).asScalarSync())
      continue
    }
    const l = autograd.record(() => loss(net(x), y))
    l.backward()
    trainer.step(32)
    losses.push(nd.mean(l).asScalarSync())
  }
  return losses
}

describe('optimizers', () => {
  it('are all trained here', () => {
    let message = ''
    try {
      optimizer.create('none of them')
    } catch (e) {
      message = String(e)
    }
    const known = message.split('use one of ')[1]!.split(', ')
    expect(known.filter((name) => name !== 'test').toSorted()).toEqual(names.toSorted())
  })

  it.each(names)('%s reaches its loss, eager and fused alike', (name) => {
    const eager = train(name, false)
    expect(eager.at(-1), `${name} from ${eager[0]}`).toBeLessThan(runs[name]![1])
    const fused = train(name, true)
    fused.forEach((l, t) => expect(Math.abs(l - eager[t]!), `${name} at ${t}`).toBeLessThan(1e-3))
  })

  it.each(['sgd', 'adam', 'lamb'])(
    '%s trains half-precision weights by float32 copies, eager and fused',
    (name) => {
      const run = (fused: boolean): number[] => {
        const [x, y] = data().map((a) => a.astype('float16'))
        random.seed(3)
        const net = new gluon.nn.HybridSequential()
        net.add(new gluon.nn.Dense(16, { activation: 'tanh', inUnits: 4, dtype: 'float16' }))
        net.add(new gluon.nn.Dense(1, { inUnits: 16, dtype: 'float16' }))
        net.initialize(new init.Xavier())
        const loss = new gluon.loss.L2Loss()
        const params = { ...runs[name]![0], multiPrecision: true }
        const trainer = new gluon.Trainer(net.collectParams(), name, params)
        const step = fused ? gluon.fuseStep(net, loss, trainer) : null
        return Array.from({ length: 60 }, () => {
          if (step !== null) return nd.mean(step(x!, y!)).asScalarSync()
          const l = autograd.record(() => loss(net(x!), y!))
          l.backward()
          trainer.step(32)
          return nd.mean(l).asScalarSync()
        })
      }
      const [eager, fused] = [run(false), run(true)]
      expect(eager.at(-1)).toBeLessThan(0.03)
      expect(Math.abs(fused.at(-1)! - eager.at(-1)!)).toBeLessThan(0.01)
    },
  )

  it('sgld adds noise of variance lr, its own for each parameter', async () => {
    random.seed(5)
    const updater = optimizer.getUpdater(new optimizer.SGLD({ learningRate: 0.04 }))
    const ws = [nd.zeros([2000]), nd.zeros([2000])]
    updater.updateAll([0, 1], [nd.zeros([2000]), nd.zeros([2000])], ws)
    for (const w of ws) {
      expect(Math.abs(await nd.mean(w).asScalar())).toBeLessThan(0.02)
      expect(Math.sqrt(await nd.mean(nd.square(w)).asScalar())).toBeCloseTo(0.2, 1)
    }
    expect(Math.abs(await nd.mean(nd.multiply(ws[0]!, ws[1]!)).asScalar())).toBeLessThan(0.005)
  })

  it('follow a schedule with a warm-up', () => {
    const schedule = new lrScheduler.CosineScheduler(20, { baseLr: 0.4, warmupSteps: 4 })
    const sgd = new optimizer.SGD({ lrScheduler: schedule })
    const w = nd.array([0])
    const rates: number[] = []
    for (let t = 1; t <= 21; t++) {
      sgd.update(0, w, nd.array([0]), [])
      rates.push(sgd.learningRate)
    }
    expect(rates.slice(0, 4)).toEqual([0.1, 0.2, 0.3, 0.4].map((r) => expect.closeTo(r, 10)))
    expect(rates[11]).toBeCloseTo(0.2, 10)
    expect(rates.at(-1)).toBeCloseTo(0, 10)
    expect(() => sgd.setLearningRate(1)).toThrow(/scheduler/)
  })
})
