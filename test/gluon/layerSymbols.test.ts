/** Every layer as a symbol without shapes: it composes, exports, and computes what the layer computes. */

import * as mx from 'mxnet-ts'
import { describe, expect, it } from 'vitest'

const { gluon, nd, sym } = mx
const { nn } = gluon

const image = [2, 4, 6, 6]
const layers: readonly (readonly [string, () => mx.gluon.HybridBlock, readonly number[]])[] = [
  ['Dense', () => new nn.Dense(3, { activation: 'tanh' }), image],
  ['Conv2D', () => new nn.Conv2D(3, 3, { strides: 2, groups: 1 }), image],
  ['Conv1D', () => new nn.Conv1D(3, 3, { activation: 'relu' }), [2, 4, 6]],
  ['Conv2DTranspose', () => new nn.Conv2DTranspose(3, 3, { strides: 2, outputPadding: 1 }), image],
  ['BatchNorm', () => new nn.BatchNorm(), image],
  ['LayerNorm', () => new nn.LayerNorm(), image],
  ['GroupNorm', () => new nn.GroupNorm({ numGroups: 2 }), image],
  ['InstanceNorm', () => new nn.InstanceNorm(), image],
  ['InstanceNorm, last axis', () => new nn.InstanceNorm({ axis: -1 }), image],
  ['LeakyReLU', () => new nn.LeakyReLU(0.1), image],
  ['PReLU', () => new nn.PReLU(), image],
  ['ELU', () => new nn.ELU(), image],
  ['SELU', () => new nn.SELU(), image],
  ['GELU', () => new nn.GELU(), image],
  ['Swish', () => new nn.Swish(2), image],
  ['ReflectionPad2D', () => new nn.ReflectionPad2D(2), image],
  ['MaxPool2D', () => new nn.MaxPool2D(3, 2, { padding: 1 }), image],
  ['AvgPool2D', () => new nn.AvgPool2D(3, 2, { countIncludePad: false, padding: 1 }), image],
  ['GlobalAvgPool2D', () => new nn.GlobalAvgPool2D(), image],
  ['Flatten', () => new nn.Flatten(), image],
  ['Dropout', () => new nn.Dropout(0.5), image],
  ['Embedding', () => new nn.Embedding(10, 4), [2, 3]],
]

describe.each(layers)('%s', (name, make, shape) => {
  it('is one graph, from files too', async () => {
    const layer = make()
    layer.initialize()
    const x =
      name === 'Embedding'
        ? nd.arange(0, 6).reshape(shape)
        : nd.random.uniform(-1, 1, { shape: [...shape] })
    const want = layer(x)
    const symbol = layer(sym.var('data'))
    expect(symbol.inferShape({ data: shape })[1]).toEqual([want.shape])
    const again = new gluon.SymbolBlock(sym.loadJSON(symbol.toJSON()), sym.var('data'))
    again.initialize()
    for (const [parameter, own] of layer.collectParams())
      again.collectParams().get(parameter)!.loadInit(own.data())
    const [a, b] = [await again(x).asTypedArray(), await want.asTypedArray()]
    b.forEach((v, i) => expect(Number(a[i])).toBeCloseTo(Number(v), 5))
  })
})
