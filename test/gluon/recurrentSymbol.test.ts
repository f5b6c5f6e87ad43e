/** Recurrent layers as symbols: MXNet's operators in the file, the layer's numbers when it runs. */

import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import * as mx from 'mxnet-ts'
import { afterAll, describe, expect, it } from 'vitest'

const { autograd, gluon, nd, sym } = mx
const folder = mkdtempSync(join(tmpdir(), 'recurrent-'))
afterAll(() => rmSync(folder, { recursive: true }))

const close = async (got: mx.NDArray, want: mx.NDArray) => {
  const [a, b] = [await got.asTypedArray(), await want.asTypedArray()]
  expect(got.shape).toEqual(want.shape)
  b.forEach((v, i) => expect(Number(a[i])).toBeCloseTo(Number(v), 5))
}

const cases = [
  ['lstm', () => new gluon.rnn.LSTM(4, { prefix: 'lstm_' })],
  [
    'two-way lstm, batch first',
    () =>
      new gluon.rnn.LSTM(4, { numLayers: 2, bidirectional: true, layout: 'NTC', prefix: 'lstm_' }),
  ],
  ['gru', () => new gluon.rnn.GRU(4, { numLayers: 2, prefix: 'gru_' })],
  ['rnn', () => new gluon.rnn.RNN(4, { activation: 'tanh', prefix: 'rnn_' })],
] as const

describe.each(cases)('%s', (_, make) => {
  it('exports, loads, computes and trains as the layer does', async () => {
    const net = new gluon.nn.HybridSequential({ prefix: 'net_' })
    net.add(make(), new gluon.nn.Dense(3, { flatten: false, prefix: 'head_' }))
    net.initialize(new mx.init.Uniform(0.5))
    const x = nd.random.normal(0, 1, { shape: [5, 2, 6] })
    net(x)
    const [symbolFile, paramsFile] = await net.export(join(folder, 'net'))
    const text = readFileSync(symbolFile, 'utf8')
    for (const op of ['"_rnn_param_concat"', '"RNN"', '"_zeros"']) expect(text).toContain(op)
    expect(sym.loadJSON(text).inferShape({ data: [5, 2, 6] })[1]).toEqual([net(x).shape])
    const again = await gluon.SymbolBlock.imports(symbolFile, 'data', paramsFile)
    await close(again(x), net(x))
    again.hybridize()
    await close(again(x), net(x))
    const gradients = async (block: typeof net | typeof again) => {
      autograd.record(() => block(x).square().sum()).backward()
      return new Map([...block.collectParams()].map(([name, p]) => [name, p.grad()]))
    }
    const [want, got] = [await gradients(net), await gradients(again)]
    for (const [name, gradient] of want) await close(got.get(name)!, gradient)
  })
})

const cells = [
  ['rnn', () => new gluon.rnn.RNNCell(4, { prefix: 'c_' })],
  ['lstm', () => new gluon.rnn.LSTMCell(4, { prefix: 'c_' })],
  ['gru', () => new gluon.rnn.GRUCell(4, { prefix: 'c_' })],
  [
    'two of them in both directions',
    () =>
      new gluon.rnn.BidirectionalCell(
        new gluon.rnn.LSTMCell(3, { prefix: 'l_' }),
        new gluon.rnn.LSTMCell(3, { prefix: 'r_' }),
      ),
  ],
] as const

describe.each(cells)('a cell unrolled: %s', (_, make) => {
  it('exports after an eager run, for any batch, and every step has names of its own', async () => {
    class Unrolled extends gluon.HybridBlock {
      readonly cell = make()
      override forward(x: mx.Tensor): mx.Tensor {
        return this.cell.unroll(3, x, { layout: 'NTC', mergeOutputs: true })[0] as mx.Tensor
      }
    }
    const net = new Unrolled({ prefix: 'net_' })
    net.initialize(new mx.init.Uniform(0.5))
    net(nd.ones([2, 3, 5]))
    const [symbolFile, paramsFile] = await net.export(join(folder, 'cell'))
    const { nodes } = JSON.parse(readFileSync(symbolFile, 'utf8')) as {
      nodes: { op: string; name: string; attrs?: { [key: string]: string } }[]
    }
    expect(new Set(nodes.map((n) => n.name)).size).toBe(nodes.length)
    for (const zeros of nodes.filter((n) => n.op === '_zeros'))
      expect(zeros.attrs).toMatchObject({
        __layout__: 'NC',
        shape: expect.stringMatching(/^\(0, \d\)$/),
      })
    const again = await gluon.SymbolBlock.imports(symbolFile, 'data', paramsFile)
    const x = nd.random.normal(0, 1, { shape: [7, 3, 5] })
    for (const hybrid of [false, true]) {
      again.hybridize(hybrid)
      await close(again(x), net(x))
    }
  })
})
