/** Blocks that MXNet keeps apart: deformable convolutions, further cells, statistics of all devices, samplers. */

import { describe, expect, it } from 'vitest'
import * as mx from '../../src/node.ts'

const { nd, gluon, autograd } = mx
const { cnn, rnn } = gluon.contrib
type Nested = number | Nested[]
const flat = async (x: mx.NDArray): Promise<number[]> =>
  [(await x.asArray()) as Nested].flat(9) as number[]
const near = (got: readonly number[], want: readonly number[], digits = 5): void => {
  expect(got.length).toBe(want.length)
  got.forEach((g, i) => {
    expect(g).toBeCloseTo(want[i]!, digits)
  })
}
const drawn = (...shape: number[]) => nd.random.uniform(-1, 1, { shape })
/** Names of parameters without the block's own. */
const names = (block: mx.gluon.Block): string[] =>
  [...block.collectParams().keys()].map((n) => n.slice(block.prefix.length))

describe.each([
  ['DeformableConvolution', cnn.DeformableConvolution, 18, 'deformable_conv'],
  [
    'ModulatedDeformableConvolution',
    cnn.ModulatedDeformableConvolution,
    27,
    'modulated_deformable_conv',
  ],
] as const)('%s', (_name, Layer, learned, hint) => {
  const options = { padding: 1, groups: 2, activation: 'relu' } as const

  it('starts as a convolution', async () => {
    const layer = new Layer(6, 3, { ...options, numDeformableGroup: 2 })
    const plain = new gluon.nn.Conv2D(6, 3, options)
    for (const net of [layer, plain]) net.initialize(new mx.init.Uniform(0.5))
    const x = drawn(2, 4, 5, 6)
    plain(x)
    layer(x)
    plain.weight.setData(layer.deformableConvWeight.data())
    near(await flat(layer(x)), await flat(plain(x)))
    layer.hybridize()
    near(await flat(layer(x)), await flat(plain(x)))
    expect(layer.prefix).toMatch(new RegExp(`^${hint}\\d+_$`))
    expect(names(layer)).toEqual([
      'offset_weight',
      'offset_bias',
      'deformable_conv_weight',
      'deformable_conv_bias',
    ])
    expect(layer.offsetWeight.shape).toEqual([2 * learned, 2, 3, 3])
    expect(String(layer)).toContain('2 -> 6, kernel_size=(3, 3), stride=(1, 1), padding=(1, 1)')
  })

  it('learns where to read', async () => {
    const layer = new Layer(3, 3, { inChannels: 2 })
    layer.initialize(new mx.init.Uniform(0.5))
    const x = drawn(1, 2, 6, 6)
    autograd.record(() => layer(x).square().sum()).backward()
    const grads = await flat(layer.offsetWeight.grad())
    expect(grads.some((g) => Math.abs(g) > 1e-4)).toBe(true)
    // Offsets of one column: what the window reads next to where it stands.
    const offsets = Array.from({ length: learned }, (_, i) => (i < 18 && i % 2 === 1 ? 1 : 0))
    layer.offsetBias!.setData(nd.array(offsets))
    const moved = layer(x).at(':', ':', ':', '0:3')
    layer.offsetBias!.setData(nd.zeros([learned]))
    near(await flat(moved), await flat(layer(x).at(':', ':', ':', '1:4')))
  })

  it('says what does not fit', () => {
    expect(() => new Layer(0, 3)).toThrow('channels is 0')
    expect(() => new Layer(2, [3] as number[])).toThrow('kernelSize')
    expect(() => new Layer(2, 3, { layout: 'NHWC' as 'NCHW' })).toThrow('must be NCHW')
  })
})

describe('SyncBatchNorm', () => {
  it('is BatchNorm on one device', async () => {
    const layer = new gluon.contrib.nn.SyncBatchNorm({ numDevices: 1 })
    const plain = new gluon.nn.BatchNorm()
    for (const net of [layer, plain]) net.initialize()
    const x = drawn(4, 3, 5)
    const train = (net: mx.gluon.HybridBlock) => autograd.record(() => net(x))
    near(await flat(train(layer)), await flat(train(plain)))
    near(await flat(layer.runningVar.data()), await flat(plain.runningVar.data()))
    layer.hybridize()
    near(await flat(layer(x)), await flat(plain(x)))
    expect(layer.prefix).toMatch(/^syncbatchnorm\d+_$/)
    expect(() => new gluon.contrib.nn.SyncBatchNorm({ numDevices: 2 })).toThrow('one device')
  })
})

describe('BatchNormReLU', () => {
  it('is BatchNorm and relu, under its own name', async () => {
    const layer = new gluon.nn.BatchNormReLU()
    const plain = new gluon.nn.BatchNorm()
    for (const net of [layer, plain]) net.initialize()
    const x = drawn(4, 3, 5)
    const got = autograd.record(() => layer(x))
    near(await flat(got), await flat(autograd.record(() => plain(x)).relu()))
    expect(layer.prefix).toMatch(/^batchnormrelu\d+_$/)
  })
})

describe('symbols', () => {
  it.each([
    [new cnn.DeformableConvolution(4, 3), '_contrib_DeformableConvolution'],
    [new cnn.ModulatedDeformableConvolution(4, 3), '_contrib_ModulatedDeformableConvolution'],
    [new gluon.contrib.nn.SyncBatchNorm(), '_contrib_SyncBatchNorm'],
    [new gluon.nn.BatchNormReLU(), '_contrib_BatchNormWithReLU'],
  ] as const)('%s is written in MXNet operators', async (net, op) => {
    const x = drawn(1, 2, 5, 5)
    net.initialize()
    const want = net(x)
    const symbol = net(mx.sym.var('data'))
    const nodes = JSON.parse(symbol.toJSON()).nodes as { op: string; name: string }[]
    expect(nodes.at(-1)).toMatchObject({ op, name: `${net.prefix}fwd` })
    const params = net.collectParams()
    const loaded = new gluon.SymbolBlock(symbol, [mx.sym.var('data')], { params })
    near(await flat(loaded(x) as mx.NDArray), await flat(want))
  })
})

describe('VariationalDropoutCell', () => {
  it('keeps its masks for a sequence', async () => {
    // The cell hands on its input: outputs show the masks.
    const base = new gluon.rnn.RNNCell(64, { activation: 'relu' })
    const cell = new rnn.VariationalDropoutCell(base, 0, 0.5, 0.5)
    base.initialize()
    const steps = [nd.ones([2, 3]), nd.ones([2, 3]), nd.ones([2, 3])]
    base(steps[0]!, base.beginState(2))
    base.i2hWeight.setData(nd.ones([64, 3]))
    base.h2hWeight.setData(nd.eye(64))
    const [outputs, states] = autograd.record(() => cell.unroll(3, steps)) as unknown as [
      mx.NDArray[],
      mx.NDArray[],
    ]
    const [first, second, third] = await Promise.all(outputs.map(flat))
    const dropped = first!.map((v) => v === 0)
    expect(new Set(dropped)).toEqual(new Set([true, false]))
    expect(second!.map((v) => v === 0)).toEqual(dropped)
    expect(third!.map((v) => v === 0)).toEqual(dropped)
    // h = 3, 3 + 2·3 or 3, then 3 + 2·9 or 3: the same states are dropped at all steps.
    expect(new Set(await flat(states[0]!))).toEqual(new Set([3, 21]))
    const [again] = autograd.record(() => cell.unroll(3, steps)) as unknown as [mx.NDArray[]]
    expect((await flat(again[0]!)).map((v) => v === 0)).not.toEqual(dropped)
    const x = nd.stack(...steps, { axis: 1 })
    near(
      await flat(cell.unroll(3, x)[0] as mx.NDArray),
      await flat(base.unroll(3, x)[0] as mx.NDArray),
    )
    expect(cell.prefix).toBe(`${base.prefix}vardrop_`)
  })

  it('goes around cells of whole sequences, and into compiled networks', async () => {
    const both = new gluon.rnn.BidirectionalCell(new gluon.rnn.GRUCell(2), new gluon.rnn.GRUCell(2))
    const cell = new rnn.VariationalDropoutCell(both, 0.5, 0, 0.5)
    cell.initialize()
    const x = drawn(3, 4, 2)
    const [out] = autograd.record(() => cell.unroll(4, x)) as unknown as [mx.NDArray]
    expect(out.shape).toEqual([3, 4, 4])
    const zeros = (await out.asArray()) as number[][][]
    for (const sample of zeros)
      for (let c = 0; c < 4; c++) expect(new Set(sample.map((step) => step[c] === 0)).size).toBe(1)
    expect(() => new rnn.VariationalDropoutCell(both, 0, 0.1)).toThrow('around the cells inside')
    expect(() => new rnn.VariationalDropoutCell(both, 1)).toThrow('dropInputs is 1')

    class Net extends gluon.HybridBlock {
      readonly cell = this.nameScope(
        () => new rnn.VariationalDropoutCell(new gluon.rnn.LSTMCell(3), 0.3, 0.3, 0.3),
      )
      override forward(x: mx.Tensor): mx.Tensor {
        return this.cell.unroll(4, x)[0] as mx.Tensor
      }
    }
    const net = new Net()
    net.initialize()
    const want = await flat(net(x))
    net.hybridize()
    near(await flat(net(x)), want)
    const [one, two] = [autograd.record(() => net(x)), autograd.record(() => net(x))]
    expect(await flat(one)).not.toEqual(await flat(two))
    near(await flat(net(x)), want)
    // Compiled by itself, the cell is traced anew for training.
    const alone = new rnn.VariationalDropoutCell(new gluon.rnn.RNNCell(3), 0.3, 0.3, 0.3)
    alone.initialize()
    alone.hybridize()
    const step = drawn(2, 5)
    for (const train of [false, true, false]) {
      const run = () => alone(step, alone.beginState(2))[0]
      expect((train ? autograd.record(run) : run()).shape).toEqual([2, 3])
    }
  })
})

describe('LSTMPCell', () => {
  it('is LSTMCell where nothing is projected', async () => {
    const cell = new rnn.LSTMPCell(4, 4)
    const plain = new gluon.rnn.LSTMCell(4)
    const x = drawn(2, 5, 3)
    for (const net of [cell, plain]) {
      net.initialize(new mx.init.Uniform(0.5))
      net.unroll(5, x)
    }
    cell.h2rWeight.setData(nd.eye(4))
    cell.i2hWeight.setData(plain.i2hWeight.data())
    cell.h2hWeight.setData(plain.h2hWeight.data())
    const [[got, state], [want, last]] = [cell.unroll(5, x), plain.unroll(5, x)]
    near(await flat(got as mx.NDArray), await flat(want as mx.NDArray))
    near(await flat(state[1]!), await flat(last[1]!))
  })

  it('has states of two sizes', () => {
    const cell = new rnn.LSTMPCell(6, 2)
    cell.initialize()
    cell.hybridize()
    const [out, states] = cell(nd.ones([3, 5]), cell.beginState(3))
    expect([out, ...states].map((t) => t.shape)).toEqual([
      [3, 2],
      [3, 2],
      [3, 6],
    ])
    expect(names(cell)).toEqual(['i2h_weight', 'h2h_weight', 'h2r_weight', 'i2h_bias', 'h2h_bias'])
    expect(String(cell)).toBe('LSTMPCell(5 -> 24 -> 2)')
    expect(cell.prefix).toMatch(/^lstmp\d+_$/)
    expect(() => new rnn.LSTMPCell(4, 0)).toThrow('projectionSize is 0')
  })
})

describe('convolutional cells', () => {
  it.each([
    ['RNN', () => new gluon.rnn.RNNCell(4), rnn.Conv1DRNNCell],
    ['LSTM', () => new gluon.rnn.LSTMCell(4), rnn.Conv1DLSTMCell],
    ['GRU', () => new gluon.rnn.GRUCell(4), rnn.Conv1DGRUCell],
  ] as const)(
    'Conv1D%sCell is a cell at each place where windows have one',
    async (_kind, make, Cell) => {
      const plain = make()
      const cell = new Cell([3, 1], 4, 1, 1)
      for (const net of [plain, cell]) net.initialize(new mx.init.Uniform(0.5))
      const x = drawn(2, 5, 3)
      plain.unroll(5, x)
      cell.i2hWeight.setData(plain.i2hWeight.data().expandDims(2))
      cell.h2hWeight.setData(plain.h2hWeight.data().expandDims(2))
      const got = cell.unroll(5, x.expandDims(3))[0] as mx.NDArray
      near(await flat(got), await flat(plain.unroll(5, x)[0] as mx.NDArray))
    },
  )

  it.each([
    [rnn.Conv1DRNNCell, 'conv_rnn', [6]],
    [rnn.Conv1DLSTMCell, 'conv_lstm', [6]],
    [rnn.Conv1DGRUCell, 'conv_gru', [6]],
    [rnn.Conv2DRNNCell, 'conv_rnn', [6, 5]],
    [rnn.Conv2DLSTMCell, 'conv_lstm', [6, 5]],
    [rnn.Conv2DGRUCell, 'conv_gru', [6, 5]],
    [rnn.Conv3DRNNCell, 'conv_rnn', [4, 6, 5]],
    [rnn.Conv3DLSTMCell, 'conv_lstm', [4, 6, 5]],
    [rnn.Conv3DGRUCell, 'conv_gru', [4, 6, 5]],
  ] as const)('%o runs over maps', async (Cell, hint, room) => {
    const options = { i2hPad: 1, i2hDilate: 2, h2hDilate: 2, activation: 'softsign' } as const
    const cell = new Cell([2, ...room], 3, 3, 3, options)
    cell.initialize()
    expect(cell.prefix).toMatch(new RegExp(`^${hint}\\d+_$`))
    const maps = [2, 3, ...room.map((d) => d - 2)]
    expect(cell.stateInfo(2)[0]!.shape).toEqual(maps)
    const x = drawn(2, 2, 2, ...room)
    const [out, states] = autograd.record(() => cell.unroll(2, x)) as unknown as [
      mx.NDArray,
      mx.NDArray[],
    ]
    expect(out.shape).toEqual([2, 2, ...maps.slice(1)])
    for (const state of states) expect(state.shape).toEqual(maps)
    autograd.record(() => (cell.unroll(2, x)[0] as mx.NDArray).sum()).backward()
    expect((await flat(cell.h2hWeight.grad())).some((g) => g !== 0)).toBe(true)
    const eager = await flat(out)
    cell.hybridize()
    near(await flat(cell.unroll(2, x)[0] as mx.NDArray), eager)
  })

  it('takes channels last, and channels from the first input', async () => {
    const cell = new rnn.Conv2DLSTMCell([2, 4, 5], 3, 3, 3, { i2hPad: 1 })
    const last = new rnn.Conv2DLSTMCell([4, 5, 0], 3, 3, 3, { i2hPad: 1, convLayout: 'NHWC' })
    for (const net of [cell, last]) net.initialize(new mx.init.Uniform(0.5))
    const x = drawn(1, 2, 4, 5)
    const turned = (t: mx.NDArray) => t.transpose([0, 2, 3, 1])
    const step = () => last(turned(x), last.beginState(1))[0]
    expect(step().shape).toEqual([1, 4, 5, 3])
    expect(last.i2hWeight.shape).toEqual([12, 3, 3, 2])
    last.i2hWeight.setData(turned(cell.i2hWeight.data()))
    last.h2hWeight.setData(turned(cell.h2hWeight.data()))
    near(await flat(step()), await flat(turned(cell(x, cell.beginState(1))[0])))
    expect(String(cell)).toBe('Conv2DLSTMCell(2 -> 12, tanh, NCHW)')
  })

  it('says what does not fit', () => {
    expect(() => new rnn.Conv1DRNNCell([2, 5], 3, 3, 2)).toThrow('must be odd')
    expect(() => new rnn.Conv1DRNNCell([2, 5, 5], 3, 3, 3)).toThrow('2 sizes')
    expect(() => new rnn.Conv1DRNNCell([2, 5], 0, 3, 3)).toThrow('hiddenChannels is 0')
    expect(() => new rnn.Conv1DRNNCell([2, 5], 3, 9, 3)).toThrow('does not fit')
  })
})

describe('IntervalSampler', () => {
  it('takes every so-manieth index', () => {
    const { IntervalSampler } = gluon.contrib.data
    const all = new IntervalSampler(7, 3)
    expect([[...all], all.length]).toEqual([[0, 3, 6, 1, 4, 2, 5], 7])
    const some = new IntervalSampler(7, 3, false)
    expect([[...some], some.length]).toEqual([[0, 3, 6], 3])
    expect(() => new IntervalSampler(3, 4)).toThrow('from 1 to length')
  })
})
