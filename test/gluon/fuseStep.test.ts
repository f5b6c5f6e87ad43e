/** fuseStep: the same training as record, backward and step, in one graph. */

import { autograd, Context, gluon, init, type NDArray, nd, random } from 'mxnet-ts'
import { describe, expect, it } from 'vitest'

function setUp(ctx: Context, optimizer: string, options: { [name: string]: number }) {
  random.seed(11)
  const net = new gluon.nn.HybridSequential()
  net.add(
    new gluon.nn.Dense(16, { activation: 'relu' }),
    new gluon.nn.Dropout(0.25),
    new gluon.nn.Dense(4),
  )
  net.initialize(new init.Xavier(), { ctx })
  const loss = new gluon.loss.SoftmaxCrossEntropyLoss()
  const trainer = new gluon.Trainer(net.collectParams(), optimizer, options)
  return { net, loss, trainer }
}

async function train(
  ctx: Context,
  fused: boolean,
  optimizer: string,
  options: { [name: string]: number },
) {
  const { net, loss, trainer } = setUp(ctx, optimizer, options)
  net(nd.zeros([1, 9], { ctx }))
  const step = gluon.fuseStep(net, loss, trainer)
  const values: number[] = []
  for (let i = 0; i < 8; i++) {
    const n = i === 5 ? 3 : 6
    random.seed(100 + i)
    const x = nd.random.normal(0, 1, { shape: [n, 9], ctx })
    const y = nd.array(
      Float32Array.from({ length: n }, (_, k) => (k + i) % 4),
      { ctx },
    )
    if (i === 6) trainer.setLearningRate(0.01)
    random.seed(200 + i)
    if (fused) values.push(await step(x, y).sum().asScalar())
    else {
      const l = autograd.record(() => loss(net(x), y))
      l.backward()
      trainer.step(n)
      values.push(await l.sum().asScalar())
    }
  }
  for (const p of net.collectParams().values()) {
    values.push(...((await (p.data() as NDArray).asTypedArray()) as Float32Array))
  }
  return values
}

const cases = [
  ['sgd', { learningRate: 0.1 }],
  ['sgd', { learningRate: 0.1, momentum: 0.9, wd: 0.01 }],
  ['adam', { learningRate: 0.02 }],
] as const

describe.each(['reference', 'wasm', 'cpu'] as const)('a fused step on %s', (type) => {
  const ctx = new Context(type, 0)
  it.each(cases)('trains as the three calls do: %s %j', async (optimizer, options) => {
    const plain = await train(ctx, false, optimizer, options)
    const fused = await train(ctx, true, optimizer, options)
    fused.forEach((v, i) => expect(v).toBeCloseTo(plain[i]!, 5))
  })
})

describe('errors', () => {
  it('name parameters on several contexts', () => {
    const net = new gluon.nn.Dense(2, { inUnits: 3 })
    net.initialize(undefined, { ctx: [new Context('cpu', 0), new Context('cpu', 1)] })
    const trainer = new gluon.Trainer(net.collectParams(), 'sgd', { learningRate: 0.1 })
    const step = gluon.fuseStep(net, new gluon.loss.L2Loss(), trainer)
    expect(() => step(nd.ones([1, 3]), nd.ones([1, 2]))).toThrow(/^\[Trainer\].*one context/)
  })

  it('name a parameter that takes no part', () => {
    const net = new gluon.nn.Dense(2, { inUnits: 3 })
    const other = new gluon.nn.Dense(2, { inUnits: 3 })
    net.initialize()
    other.initialize()
    const params = [...net.collectParams().values(), ...other.collectParams().values()]
    const trainer = new gluon.Trainer(params, 'sgd', { learningRate: 0.1 })
    const step = gluon.fuseStep(net, new gluon.loss.L2Loss(), trainer)
    expect(() => step(nd.ones([1, 3]), nd.ones([1, 2]))).toThrow(
      /^\[fuseStep\].*does not take part/,
    )
  })
})
