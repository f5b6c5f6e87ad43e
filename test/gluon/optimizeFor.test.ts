/** optimizeFor: a block is compiled before its first call, for the backend that computes where its inputs are. */

import { autograd, Context, gluon, MXNetError, nd, type Tensor } from 'mxnet-ts'
import { describe, expect, it } from 'vitest'

let forwards = 0
class Counted extends gluon.HybridBlock {
  readonly dense = new gluon.nn.Dense(3)
  readonly norm = new gluon.nn.BatchNorm()
  override forward(x: Tensor): Tensor {
    forwards++
    return this.norm(this.dense(x))
  }
}

const contexts = [
  ['wasm', new Context('wasm', 0)],
  ['reference', new Context('reference', 0)],
] as const

describe.each(contexts)('%s', (backend, ctx) => {
  it('traces once, makes parameters, and leaves statistics and the tape alone', async () => {
    const net = new Counted()
    net.initialize({ ctx })
    const x = nd.random.normal(0, 1, { shape: [4, 5], ctx })
    forwards = 0
    autograd.record(() => net.optimizeFor(x, { backend, staticAlloc: true }))
    expect(net.hybridized).toBe(true)
    expect(net.dense.weight.shape).toEqual([3, 5])
    expect(await net.norm.runningMean.data().asArray()).toEqual([0, 0, 0])
    expect(forwards).toBe(1)
    const traced = await net(x).asArray()
    expect(forwards).toBe(1)
    net.optimizeFor(x, { backend })
    expect(forwards).toBe(1)
    net.optimizeFor(x, { backend, clear: true })
    expect(forwards).toBe(2)
    net.hybridize(false)
    const eager = (await net(x).asArray()) as number[][]
    eager.flat().forEach((v, i) => expect(v).toBeCloseTo((traced as number[][]).flat()[i]!, 5))
  })
})

describe('what it refuses', () => {
  const net = new gluon.nn.Dense(2, { inUnits: 3 })
  net.initialize({ ctx: new Context('wasm', 0) })
  const x = nd.ones([1, 3], { ctx: new Context('wasm', 0) })

  it.each([
    [
      'a backend that is not known',
      () => net.optimizeFor(x, { backend: 'TensorRT' as 'wasm' }),
      'there is no backend TensorRT: give one of onednn, wasm, webgpu, reference',
    ],
    [
      'no backend',
      () => net.optimizeFor(x, {} as { backend: 'wasm' }),
      'there is no backend undefined',
    ],
    [
      'inputs alone',
      () => net.optimizeFor(...([x] as unknown as [typeof x, { backend: 'wasm' }])),
      'there is no backend undefined',
    ],
    [
      'a backend of another device',
      () => net.optimizeFor(x, { backend: 'webgpu' }),
      'the inputs are on wasm(0), where wasm computes: webgpu does not',
    ],
    ['no inputs', () => net.optimizeFor({ backend: 'wasm' }), 'inputs are needed'],
    [
      'options that are none',
      () => net.optimizeFor(x, { backend: 'wasm', fast: true } as { backend: 'wasm' }),
      'fast',
    ],
  ])('%s', (_, run, message) => {
    expect(run).toThrow(MXNetError)
    expect(run).toThrow(message)
    expect(net.hybridized).toBe(false)
  })
})
