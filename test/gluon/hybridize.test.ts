/** hybridize(): the same numbers as eager execution, traced once for each kind of input. */

import { autograd, Context, gluon, init, type NDArray, nd, random, type Tensor } from 'mxnet-ts'
import { describe, expect, it } from 'vitest'

const contexts = ['reference', 'wasm', 'cpu'].map((type) => new Context(type as 'cpu', 0))

class Residual extends gluon.HybridBlock {
  readonly body = new gluon.nn.Dense(8, { activation: 'tanh', flatten: false })
  readonly scale = new gluon.Parameter('scale', { shape: [8], init: 'ones' })
  override forward(x: Tensor): Tensor {
    return nd.add(x, nd.multiply(this.body(x), this.scale.data()))
  }
}

function network(ctx: Context): gluon.nn.HybridSequential {
  random.seed(3)
  const net = new gluon.nn.HybridSequential()
  net.add(
    new gluon.nn.Dense(8, { activation: 'relu' }),
    new Residual(),
    new Residual(),
    new gluon.nn.Dense(3),
  )
  net.initialize(new init.Xavier(), { ctx })
  return net
}

async function train(ctx: Context, hybrid: boolean, optimizer: string): Promise<number[]> {
  const net = network(ctx)
  const loss = new gluon.loss.SoftmaxCrossEntropyLoss()
  if (hybrid) {
    net.hybridize()
    loss.hybridize()
  }
  const trainer = new gluon.Trainer(net.collectParams(), optimizer, { learningRate: 0.05 })
  random.seed(7)
  const values: number[] = []
  for (let step = 0; step < 6; step++) {
    const n = step < 4 ? 5 : 4
    const x = nd.random.normal(0, 1, { shape: [n, 6], ctx })
    const y = nd.array(
      Float32Array.from({ length: n }, (_, i) => i % 3),
      { ctx },
    )
    const l = autograd.record(() => loss(net(x), y))
    l.backward()
    trainer.step(n)
    values.push(await l.sum().asScalar())
  }
  for (const p of net.collectParams().values())
    values.push(...((await (p.data() as NDArray).asTypedArray()) as Float32Array))
  return values
}

describe.each(contexts.map((c) => [String(c), c] as const))('on %s', (_, ctx) => {
  it.each(['sgd', 'adam'])('trains as eagerly does (%s)', async (optimizer) => {
    const eager = await train(ctx, false, optimizer)
    const hybrid = await train(ctx, true, optimizer)
    hybrid.forEach((v, i) => expect(v).toBeCloseTo(eager[i]!, 5))
  })

  it('gives second derivatives', async () => {
    const grads = []
    for (const hybrid of [false, true]) {
      const net = network(ctx)
      if (hybrid) net.hybridize()
      const x = nd.array([[0.5, -1, 2, 0.1, 0.3, -0.7]], { ctx })
      net(x)
      x.attachGrad()
      const total = autograd.record(() =>
        autograd.grad(net(x).square().sum(), [x], { createGraph: true })[0]!.square().sum(),
      )
      total.backward()
      grads.push(await x.grad!.asTypedArray())
    }
    const [eager, hybrid] = grads as [Float32Array, Float32Array]
    hybrid.forEach((v, i) => expect(v).toBeCloseTo(eager[i]!, 3))
  })
})

describe('tracing', () => {
  it('happens once for each kind of input', () => {
    let calls = 0
    class Counted extends gluon.HybridBlock {
      override forward(x: Tensor): Tensor {
        calls++
        return nd.relu(x)
      }
    }
    const block = new Counted()
    block.hybridize()
    for (let i = 0; i < 3; i++) block(nd.ones([2, 3]))
    expect(calls).toBe(1)
    block(nd.ones([4, 3]))
    expect(calls).toBe(2)
    autograd.record(() => block(nd.ones([2, 3])))
    expect(calls).toBe(3)
    block.hybridize(false)
    block(nd.ones([2, 3]))
    expect(calls).toBe(4)
  })

  it('draws new random numbers at every call', async () => {
    const drop = new gluon.nn.Dropout(0.5)
    drop.hybridize()
    const x = nd.ones([1000])
    const [a, b] = autograd.record(() => [drop(x), drop(x)] as const)
    expect(await a.asTypedArray()).not.toEqual(await b.asTypedArray())
    expect(await nd.mean(a).asScalar()).toBeGreaterThan(0.8)
    expect(await drop(x).asTypedArray()).toEqual(await x.asTypedArray())
  })

  it('uses the same dropout mask in backward', async () => {
    const drop = new gluon.nn.Dropout(0.5)
    drop.hybridize()
    const x = nd.ones([100])
    x.attachGrad()
    const y = autograd.record(() => drop(x))
    y.backward()
    expect(await x.grad!.asTypedArray()).toEqual(await y.asTypedArray())
  })

  it('reads arrays that forward refers to anew at every call', async () => {
    const bias = nd.array([1, 2])
    class Shifted extends gluon.HybridBlock {
      override forward(x: Tensor): Tensor {
        return nd.add(x, bias as Tensor)
      }
    }
    const block = new Shifted()
    block.hybridize()
    expect(await block(nd.zeros([2])).asArray()).toEqual([1, 2])
    bias.assign(5)
    expect(await block(nd.zeros([2])).asArray()).toEqual([5, 5])
  })

  it('indexes as arrays do', async () => {
    class Cut extends gluon.HybridBlock {
      override forward(x: Tensor): Tensor {
        return nd.add(x.at('1:', -1), x.at(0, '::-1').at('1:3'))
      }
    }
    const block = new Cut()
    const x = nd.arange(12).reshape([3, 4])
    x.attachGrad()
    const run = async (): Promise<unknown[]> => {
      const y = autograd.record(() => block(x))
      y.backward()
      return [await y.asArray(), await x.grad!.asArray()]
    }
    const eager = await run()
    block.hybridize()
    expect(await run()).toEqual(eager)
    expect(eager[0]).toEqual([9, 12])
  })

  it('takes shared values apart once, however deep they are shared', async () => {
    class Deep extends gluon.HybridBlock {
      override forward(x: Tensor): Tensor {
        let y = x
        for (let i = 0; i < 60; i++) y = nd.multiply(y, y)
        return y
      }
    }
    const block = new Deep()
    block.hybridize()
    const x = nd.array([1, 0])
    x.attachGrad()
    const y = autograd.record(() => block(x))
    y.backward()
    expect(await y.asArray()).toEqual([1, 0])
    expect(await x.grad!.asArray()).toEqual([2 ** 60, 0])
  })

  it('follows a change of the parameters', async () => {
    const net = new gluon.nn.Dense(2, { inUnits: 3 })
    net.initialize(new init.One())
    net.hybridize()
    expect(await net(nd.ones([1, 3])).asArray()).toEqual([[3, 3]])
    net.weight.setData(nd.zeros([2, 3]))
    expect(await net(nd.ones([1, 3])).asArray()).toEqual([[0, 0]])
    net.cast('float64')
    expect(net(nd.ones([1, 3], { dtype: 'float64' })).dtype).toBe('float64')
  })

  it('refuses to read values, naming what was read', () => {
    class Peeking extends gluon.HybridBlock {
      override forward(x: Tensor): Tensor {
        return (x as NDArray).asScalarSync() > 0 ? x : nd.negative(x)
      }
    }
    const block = new Peeking()
    block.hybridize()
    expect(() => block(nd.ones([1]))).toThrow(/^\[asScalarSync\].*traced/)
  })

  it('prints the graph', () => {
    const net = new gluon.nn.Dense(2, { inUnits: 3, activation: 'relu' })
    net.initialize()
    expect(net.graph(nd.ones([1, 3])).text('lowered')).toContain('contract(')
  })
})
