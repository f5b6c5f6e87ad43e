/** Layers of networks: names, printing, shapes told by the first input, eager as hybridized. */

import { autograd, gluon, init, type NDArray, nd } from 'mxnet-ts'
import { beforeEach, describe, expect, it } from 'vitest'

const { nn, rnn } = gluon

const near = (got: NDArray, want: NDArray, bound = 1e-5): void => {
  expect(got.shape).toEqual(want.shape)
  const [a, b] = [got.asTypedArraySync(), want.asTypedArraySync()]
  a.forEach((v, i) => {
    if (!(Math.abs(Number(v) - Number(b[i])) <= bound))
      expect.fail(`element ${i} is ${v}, not ${b[i]}`)
  })
}

const input = (...shape: number[]): NDArray => nd.random.uniform(-1, 1, { shape })

/** A layer, an input of it, the shape of its output and what it prints. */
const layers: readonly [() => gluon.HybridBlock, number[], number[], string][] = [
  [
    () => new nn.Conv1D(4, 3, { padding: 1, strides: 2 }),
    [2, 3, 7],
    [2, 4, 4],
    'Conv1D(3 -> 4, kernel_size=(3,), stride=(2,), padding=(1,))',
  ],
  [
    () => new nn.Conv2D(4, [3, 2], { activation: 'relu', useBias: false }),
    [1, 3, 5, 5],
    [1, 4, 3, 4],
    'Conv2D(3 -> 4, kernel_size=(3, 2), stride=(1, 1), bias=False, Activation(relu))',
  ],
  [
    () => new nn.Conv2D(6, 3, { groups: 3, dilation: 2, layout: 'NHWC' }),
    [1, 7, 7, 3],
    [1, 3, 3, 6],
    'Conv2D(1 -> 6, kernel_size=(3, 3), stride=(1, 1), dilation=(2, 2), groups=3)',
  ],
  [
    () => new nn.Conv3D(2, 2),
    [1, 1, 3, 3, 3],
    [1, 2, 2, 2, 2],
    'Conv3D(1 -> 2, kernel_size=(2, 2, 2), stride=(1, 1, 1))',
  ],
  [
    () => new nn.Conv1DTranspose(2, 3, { strides: 2, outputPadding: 1 }),
    [1, 3, 4],
    [1, 2, 10],
    'Conv1DTranspose(3 -> 2, kernel_size=(3,), stride=(2,), output_padding=(1,))',
  ],
  [
    () => new nn.Conv2DTranspose(2, 4, { strides: 2, padding: 1 }),
    [1, 3, 4, 4],
    [1, 2, 8, 8],
    'Conv2DTranspose(3 -> 2, kernel_size=(4, 4), stride=(2, 2), padding=(1, 1))',
  ],
  [
    () => new nn.Conv3DTranspose(2, 2),
    [1, 1, 2, 2, 2],
    [1, 2, 3, 3, 3],
    'Conv3DTranspose(1 -> 2, kernel_size=(2, 2, 2), stride=(1, 1, 1))',
  ],
  [
    () => new nn.MaxPool1D(),
    [1, 2, 6],
    [1, 2, 3],
    'MaxPool1D(size=(2,), stride=(2,), padding=(0,), ceil_mode=False, global_pool=False, pool_type=max, layout=NCW)',
  ],
  [
    () => new nn.AvgPool2D(3, 2, { padding: 1, ceilMode: true, countIncludePad: false }),
    [1, 2, 6, 6],
    [1, 2, 4, 4],
    'AvgPool2D(size=(3, 3), stride=(2, 2), padding=(1, 1), ceil_mode=True, global_pool=False, pool_type=avg, layout=NCHW)',
  ],
  [
    () => new nn.MaxPool3D(2),
    [1, 1, 4, 4, 4],
    [1, 1, 2, 2, 2],
    'MaxPool3D(size=(2, 2, 2), stride=(2, 2, 2), padding=(0, 0, 0), ceil_mode=False, global_pool=False, pool_type=max, layout=NCDHW)',
  ],
  [
    () => new nn.GlobalAvgPool2D(),
    [2, 3, 4, 5],
    [2, 3, 1, 1],
    'GlobalAvgPool2D(size=(1, 1), stride=(1, 1), padding=(0, 0), ceil_mode=True, global_pool=True, pool_type=avg, layout=NCHW)',
  ],
  [
    () => new nn.GlobalMaxPool1D(),
    [2, 3, 4],
    [2, 3, 1],
    'GlobalMaxPool1D(size=(1,), stride=(1,), padding=(0,), ceil_mode=True, global_pool=True, pool_type=max, layout=NCW)',
  ],
  [
    () => new nn.BatchNorm({ scale: false }),
    [2, 3, 4],
    [2, 3, 4],
    'BatchNorm(axis=1, eps=1e-05, momentum=0.9, fix_gamma=True, use_global_stats=False, in_channels=3)',
  ],
  [
    () => new nn.LayerNorm(),
    [2, 3, 4],
    [2, 3, 4],
    'LayerNorm(eps=1e-05, axis=-1, center=True, scale=True, in_channels=4)',
  ],
  [
    () => new nn.InstanceNorm(),
    [2, 3, 4],
    [2, 3, 4],
    'InstanceNorm(eps=1e-05, axis=1, center=True, scale=False, in_channels=3)',
  ],
  [
    () => new nn.GroupNorm({ numGroups: 2 }),
    [2, 4, 3],
    [2, 4, 3],
    'GroupNorm(eps=1e-05, num_groups=2, center=True, scale=True)',
  ],
  [() => new nn.LeakyReLU(0.1), [2, 3], [2, 3], 'LeakyReLU(0.1)'],
  [() => new nn.PReLU(), [2, 3], [2, 3], 'PReLU(\n\n)'],
  [() => new nn.ELU(), [2, 3], [2, 3], 'ELU(\n\n)'],
  [() => new nn.SELU(), [2, 3], [2, 3], 'SELU(\n\n)'],
  [() => new nn.GELU(), [2, 3], [2, 3], 'GELU(\n\n)'],
  [() => new nn.Swish(2), [2, 3], [2, 3], 'Swish(\n\n)'],
  [() => new nn.ReflectionPad2D(1), [1, 2, 3, 3], [1, 2, 5, 5], 'ReflectionPad2D(\n\n)'],
  [() => new rnn.RNN(5), [4, 2, 3], [4, 2, 5], 'RNN(3 -> 5, TNC)'],
  [
    () => new rnn.LSTM(5, { numLayers: 2, bidirectional: true }),
    [4, 2, 3],
    [4, 2, 10],
    'LSTM(3 -> 5, TNC, num_layers=2, bidirectional)',
  ],
  [() => new rnn.GRU(5, { layout: 'NTC' }), [2, 4, 3], [2, 4, 5], 'GRU(3 -> 5, NTC)'],
]

describe('layers', () => {
  beforeEach(() => {
    nd.random.uniform(0, 1, { shape: [1] })
  })

  for (const [make, shape, out, text] of layers) {
    it(text.split('\n')[0]!, () => {
      const layer = make()
      layer.initialize(new init.Uniform(0.5))
      const x = input(...shape)
      x.attachGrad()
      const run = (): NDArray[] => {
        const [y, square] = autograd.record(() => {
          const result = layer(x)
          return [result, result.mul(result)] as const
        })
        square.backward()
        const params = [...layer.collectParams().values()].filter((p) => p.gradReq !== 'null')
        return [y, x.grad!.copy(), ...params.map((p) => p.grad().copy())]
      }
      const eager = run()
      expect(eager[0]!.shape).toEqual(out)
      expect(String(layer)).toBe(text)
      layer.hybridize()
      run().forEach((got, i) => near(got, eager[i]!, 1e-4))
      near(layer(x), layer(x))
    })
  }

  it('have the names of MXNet', () => {
    const net = new nn.HybridSequential({ prefix: 'net_' })
    net.nameScope(() => {
      net.add(new nn.Conv2D(2, 3), new nn.Conv2DTranspose(2, 3), new nn.MaxPool2D())
      net.add(new nn.BatchNorm(), new nn.Embedding(4, 2), new nn.PReLU())
    })
    expect([...net.collectParams().keys()]).toEqual([
      'net_conv0_weight',
      'net_conv0_bias',
      'net_conv1_weight',
      'net_conv1_bias',
      'net_batchnorm0_gamma',
      'net_batchnorm0_beta',
      'net_batchnorm0_running_mean',
      'net_batchnorm0_running_var',
      'net_embedding0_weight',
      'net_prelu0_alpha',
    ])
    expect([...new rnn.GRU(2, { prefix: 'gru_', bidirectional: true }).params.keys()]).toEqual([
      'gru_l0_i2h_weight',
      'gru_l0_h2h_weight',
      'gru_l0_i2h_bias',
      'gru_l0_h2h_bias',
      'gru_r0_i2h_weight',
      'gru_r0_h2h_weight',
      'gru_r0_i2h_bias',
      'gru_r0_h2h_bias',
    ])
  })

  it('BatchNorm moves its statistics while training only', () => {
    const layer = new nn.BatchNorm({ momentum: 0.5 })
    layer.initialize()
    const x = nd.array([[1], [3]])
    layer(x)
    expect(layer.runningMean.data().asArraySync()).toEqual([0])
    autograd.record(() => layer(x))
    expect(layer.runningMean.data().asArraySync()).toEqual([1])
    expect(layer.runningVar.data().asArraySync()).toEqual([1])
    layer.hybridize()
    autograd.record(() => layer(x))
    expect(layer.runningMean.data().asArraySync()).toEqual([1.5])
  })

  it('Embedding takes rows', () => {
    const layer = new nn.Embedding(4, 2)
    layer.initialize()
    layer.weight.setData(nd.arange(8).reshape([4, 2]))
    expect(layer(nd.array([3, 0])).asArraySync()).toEqual([
      [6, 7],
      [0, 1],
    ])
    expect(String(layer)).toBe('Embedding(4 -> 2, float32)')
  })

  it('wrong sizes are errors in the name of the layer', () => {
    expect(() => new nn.Conv2D(0, 3)).toThrow(/^\[Conv2D\] channels/)
    expect(() => new nn.Conv2D(2, [3])).toThrow(/^\[Conv2D\] kernelSize/)
    expect(() => new nn.LeakyReLU(-1)).toThrow(/^\[LeakyReLU\] alpha/)
    expect(() => new nn.Embedding(0, 2)).toThrow(/^\[Embedding\] inputDim/)
    expect(() => new rnn.LSTM(0)).toThrow(/^\[LSTM\] hiddenSize/)
    expect(() => new nn.MaxPool2D(2, 2, { nonsense: 1 } as never)).toThrow(/^\[MaxPool2D\]/)
  })
})

describe('recurrent layers', () => {
  it('give their states where they are given some', () => {
    const layer = new rnn.LSTM(3, { numLayers: 2 })
    layer.initialize(new init.Uniform(0.5))
    const x = input(4, 2, 5)
    const begin = layer.beginState(2)
    expect(begin.map((s) => s.shape)).toEqual([
      [2, 2, 3],
      [2, 2, 3],
    ])
    const [whole, [h, c]] = layer(x, begin)
    near(whole, layer(x))
    expect([h!.shape, c!.shape]).toEqual([
      [2, 2, 3],
      [2, 2, 3],
    ])
    // Two halves, the second from the states of the first, are the whole.
    const [first, states] = layer(x.at('0:2'), begin)
    const [second, last] = layer(x.at('2:4'), states)
    near(nd.concat(first, second, { dim: 0 }), whole)
    near(last[0]!, h!)
    layer.hybridize()
    const [again, [h2]] = layer(x, begin)
    near(again, whole)
    near(h2!, h!)
  })

  it('a single state may come without a list', () => {
    const layer = new rnn.GRU(3)
    layer.initialize()
    const [out, [state]] = layer(input(2, 1, 4), nd.zeros([1, 1, 3]))
    near(out.at('1:2'), state!)
  })

  it('are written to files as MXNet names them', async () => {
    const layer = new rnn.LSTM(2, { bidirectional: true, inputSize: 3 })
    layer.initialize()
    const file = `/tmp/mxnet-ts-lstm-${process.pid}.params`
    await layer.saveParameters(file)
    const names = Object.keys((await nd.load(file)) as Record<string, NDArray>)
    expect(names.slice(0, 2)).toEqual([
      '_unfused.0.l_cell.i2h_weight',
      '_unfused.0.l_cell.h2h_weight',
    ])
    const other = new rnn.LSTM(2, { bidirectional: true, inputSize: 3 })
    await other.loadParameters(file)
    const x = input(3, 1, 3)
    near(other(x), layer(x))
  })

  it('drops outputs between layers while training', () => {
    const layer = new rnn.RNN(8, { numLayers: 2, dropout: 0.5, activation: 'tanh' })
    layer.initialize(new init.Uniform(0.5))
    const x = input(2, 2, 4)
    near(layer(x), layer(x))
    const [a, b] = autograd.record(() => [layer(x), layer(x)] as const)
    expect(a.asArraySync()).not.toEqual(b.asArraySync())
  })
})

describe('cells', () => {
  const shared = {
    i2hWeightInitializer: new init.Uniform(0.5),
    h2hWeightInitializer: new init.Uniform(0.5),
  }
  const pairs = [
    [() => new rnn.RNNCell(3, shared), () => new rnn.RNN(3, { activation: 'tanh', layout: 'NTC' })],
    [() => new rnn.LSTMCell(3, shared), () => new rnn.LSTM(3, { layout: 'NTC' })],
    [() => new rnn.GRUCell(3, shared), () => new rnn.GRU(3, { layout: 'NTC' })],
  ] as const

  it.each(pairs.map((p) => [p[0]().constructor.name, ...p] as const))(
    '%s unrolled is the layer',
    (_name, makeCell, makeLayer) => {
      const [cell, layer] = [makeCell(), makeLayer()]
      cell.initialize()
      layer.initialize()
      const x = input(2, 4, 5)
      const [outputs, states] = cell.unroll(4, x)
      layer(x)
      const [own, given] = [layer.collectParams(), [...cell.collectParams().values()]]
      ;[...own.values()].forEach((p, i) => {
        p.setData(given[i]!.data())
      })
      const [whole, last] = layer(x, layer.beginState(2))
      near(outputs as NDArray, whole)
      near(states[0]!, last[0]!.at(0))
    },
  )

  it('stand on each other and read from both ends', () => {
    const both = new rnn.BidirectionalCell(new rnn.LSTMCell(3), new rnn.GRUCell(2))
    both.initialize()
    const [outputs, states] = both.unroll(4, input(2, 4, 5))
    expect((outputs as NDArray).shape).toEqual([2, 4, 5])
    expect(states.map((s) => s.shape)).toEqual([
      [2, 3],
      [2, 3],
      [2, 2],
    ])
    const tower = new rnn.SequentialRNNCell()
    tower.add(new rnn.LSTMCell(3), new rnn.GRUCell(2))
    tower.initialize()
    const [output, next] = tower(input(2, 5), tower.beginState(2))
    expect([output.shape, next.length]).toEqual([[2, 2], 3])
  })
})
