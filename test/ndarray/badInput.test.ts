/** Wrong calls that once went through or failed inside: each is an MXNetError in the name of what was called. */

import { autograd, Context, cpu, gluon, initializer, metric, nd, optimizer } from 'mxnet-ts'
import { describe, expect, it } from 'vitest'
import { MXNetError } from '../../src/base/error.ts'

/** Calls that types would refuse. */
// biome-ignore lint/suspicious/noExplicitAny: wrong calls are what is tested
type Loose = any
const loose: Loose = { autograd, gluon, initializer, metric, nd, optimizer }
const dense = (): Loose => {
  const layer = new gluon.nn.Dense(2)
  layer.initialize()
  return layer
}
const freed = () => {
  const x = nd.ones([3])
  x[Symbol.dispose]()
  return x
}
const bytes = () => nd.array(new Uint8Array([1, 2]))

const wrong: { readonly [what: string]: () => unknown } = {
  'reads a freed array': () => freed().asArraySync(),
  'prints a freed array': () => `${freed()}`,
  'writes into a freed array': () => freed().set(1, 0),
  'assigns a freed array': () => nd.zeros([3]).assign(freed()),
  'adds a number out of range': () => bytes().add(300),
  'compares with a number out of range': () => bytes().greater(300),
  'fills with a number out of range': () => nd.full([2], -1, { dtype: 'uint8' }),
  'writes a number out of range': () => bytes().set(300, 0),
  'clips to bounds out of range': () => bytes().clip(-1, 300),
  'gives an axis without an object': () => loose.nd.sum(nd.ones([2]), 1),
  'joins with a number': () => loose.nd.concat(nd.ones([2, 2]), 3),
  'joins with null': () => loose.nd.concat(nd.ones([2, 2]), null),
  'draws a negative shape': () => nd.random.uniform(0, 1, { shape: [-1] }),
  'shuffles null': () => loose.nd.random.shuffle(null),
  'moves to null': () => nd.ones([1]).asInContext(null as Loose),
  'takes gradients of null': () => loose.autograd.grad(null, null),
  'sweeps back from null': () => loose.autograd.backward(null),
  'gives a number as head gradient': () => {
    const x = nd.ones([1])
    x.attachGrad()
    loose.autograd.backward(
      autograd.record(() => x.mul(2)),
      3,
    )
  },
  'calls a layer without input': () => dense()(),
  'calls a layer with a plain array': () => dense()([[1, 2]]),
  'initializes with a number': () => dense().initialize(3),
  'makes a parameter of no dtype': () => new gluon.nn.Dense(2, { dtype: 'foo' as Loose }),
  'trains nothing': () => new loose.gluon.Trainer(null, 'sgd'),
  'trains without optimizer': () => new loose.gluon.Trainer([], null),
  'gives a number as options of an optimizer': () => loose.optimizer.create('sgd', 0.1),
  'measures null': () => new loose.metric.Accuracy().update(null, null),
  'compares null': () => new loose.gluon.loss.L2Loss()(null, nd.ones([2])),
  'loads without options': () => new loose.gluon.data.DataLoader([1, 2]),
  'loads null': () => new loose.gluon.data.DataLoader(null, { batchSize: 1 }),
  'transforms by a number': () => new loose.gluon.data.SimpleDataset([1]).transform(3),
}

describe('a program that', () => {
  it.each(Object.entries(wrong))('%s is told so', (_what, body) => {
    let error: unknown = null
    try {
      body()
    } catch (e) {
      error = e
    }
    expect(error, String(error)).toBeInstanceOf(MXNetError)
    expect((error as MXNetError).message).toMatch(/^\[[^\]]+\] .{10,}/)
  })

  it('differentiates constants on another context gets them there', () => {
    const x = nd.array([3], { ctx: cpu(1) })
    x.attachGrad()
    const [g] = autograd.record(() =>
      autograd.grad(nd.makeLoss(x.mul(x)), [x], { createGraph: true }),
    )
    expect(g!.context).toBe(new Context('cpu', 1))
    expect(g!.asArraySync()).toEqual([6])
  })
})
