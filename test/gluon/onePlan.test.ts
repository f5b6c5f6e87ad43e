/** One plan: a block, the SymbolBlock of its file and an executor compile to the same kernels, and give the same bits. */

import * as mx from 'mxnet-ts'
import { describe, expect, it } from 'vitest'
import { deconvolution, residual, squeeze } from './networks/images.ts'
import { Attention, Reader } from './networks/sentences.ts'

const { autograd, gluon, nd, sym } = mx
const { nn, rnn } = gluon

function mlp() {
  const net = new nn.HybridSequential({ prefix: 'mlp_' })
  net.add(new nn.Dense(6, { activation: 'relu', prefix: 'a_' }), new nn.Dense(3, { prefix: 'b_' }))
  return net
}

/** Recurrent layers of a kind between other layers. */
const recurrent =
  (make: (options: { numLayers: number; prefix: string }) => mx.gluon.HybridBlock) => () => {
    const net = new nn.HybridSequential({ prefix: 'seq_' })
    net.add(
      make({ numLayers: 2, prefix: 'rnn_' }),
      new nn.Dense(3, { flatten: false, prefix: 'head_' }),
    )
    return net
  }

const image = () => [nd.random.normal(0, 1, { shape: [3, 2, 8, 8] })]
const steps = () => [nd.random.normal(0, 1, { shape: [4, 2, 5] })]
const sentences = () => [
  nd.array([
    [3, 1, 4, 1, 5],
    [9, 2, 6, 5, 3],
  ]),
  nd.array([5, 2], { dtype: 'int32' }),
]
const networks: readonly (readonly [string, () => mx.gluon.HybridBlock, () => mx.NDArray[]])[] = [
  ['dense layers', mlp, () => [nd.random.normal(0, 1, { shape: [4, 7] })]],
  ['residual', residual, image],
  ['squeeze', squeeze, image],
  ['deconvolution', deconvolution, () => [nd.random.normal(0, 1, { shape: [3, 7] })]],
  ['attention', () => new Attention(), sentences],
  ['LSTM in both directions', () => new Reader(), sentences],
  ['LSTM', recurrent((options) => new rnn.LSTM(4, options)), steps],
  ['GRU', recurrent((options) => new rnn.GRU(4, options)), steps],
  ['RNN', recurrent((options) => new rnn.RNN(4, options)), steps],
]

describe.each(networks)('%s', (_, make, data) => {
  it('compiles to the same kernels and gives the same bits in all three forms', async () => {
    const net = make()
    net.initialize(new mx.init.Uniform(0.5))
    const inputs = data()
    net.hybridize()
    net(...inputs)
    const parameters = net.collectParams()
    const symbol = sym.loadJSON(net.toSymbol().toJSON())
    const names = inputs.length === 1 ? ['data'] : inputs.map((__, i) => `data${i}`)
    const again = new gluon.SymbolBlock(
      symbol,
      names.map((name) => sym.var(name)),
      { params: parameters },
    )
    again.hybridize()
    const arrayOf = (name: string): mx.NDArray =>
      names.includes(name) ? inputs[names.indexOf(name)]! : parameters.get(name)!.data()
    const args = symbol.listArguments()
    const exec = symbol.bind(mx.cpu(), args.map(arrayOf), {
      auxStates: symbol.listAuxiliaryStates().map(arrayOf),
      gradReq: args.map((name) => (names.includes(name) ? 'null' : 'write')),
    })
    for (const half of ['fused', 'fusedBackward'] as const) {
      // Gradients come in the order in which parameters are met first, which is no part of the plan.
      const kernels = net
        .graph(...inputs)
        .kernels(half)
        .sort()
      expect(kernels.length).toBeGreaterThan(1)
      expect(
        again
          .graph(...inputs)
          .kernels(half)
          .sort(),
        half,
      ).toEqual(kernels)
      expect(exec.graph().kernels(half).sort(), half).toEqual(kernels)
    }
    const bits = async (x: mx.NDArray) => Array.from(await x.asTypedArray(), Number)
    const want = await bits(net(...inputs))
    expect(await bits(again(...inputs))).toEqual(want)
    expect(await bits(exec.forward()[0]!)).toEqual(want)
    const gradients = async (block: typeof net | typeof again) => {
      mx.random.seed(3)
      autograd.record(() => block(...inputs)).backward()
      return Promise.all(
        [...parameters.values()].flatMap((p) => (p.gradReq === 'null' ? [] : [bits(p.grad())])),
      )
    }
    const wanted = await gradients(net)
    expect(await gradients(again)).toEqual(wanted)
    mx.random.seed(3)
    exec.forward(true)
    exec.backward()
    const own = [...parameters].flatMap(([name, p]) =>
      p.gradReq === 'null' ? [] : [bits(exec.gradDict[name]!)],
    )
    expect(await Promise.all(own)).toEqual(wanted)
  })
})
