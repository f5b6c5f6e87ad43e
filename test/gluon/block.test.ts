/** Blocks: calling, registering, naming, printing, saving. */

import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { inspect } from 'node:util'
import { type Context, cpu, gluon, MXNetError, nd, type Tensor } from 'mxnet-ts'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'

const { Block, HybridBlock, Parameter, nn } = gluon
let folder = ''
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'block-'))
})
afterAll(() => rm(folder, { recursive: true }))

const mlp = (): gluon.nn.Sequential => {
  const net = new nn.Sequential()
  net.nameScope(() => {
    net.add(new nn.Dense(4, { activation: 'relu' }), new nn.Dropout(0.5), new nn.Dense(2))
  })
  return net
}

describe('calling', () => {
  test('a block is a function and an instance', () => {
    class Twice extends HybridBlock {
      readonly #factor = 2
      override forward(x: Tensor): Tensor {
        return x.mul(this.#factor)
      }
    }
    const twice = new Twice()
    expect(typeof twice).toBe('function')
    expect(twice).toBeInstanceOf(Twice)
    expect(twice).toBeInstanceOf(Block)
    expect(twice(nd.array([1, 2])).asArraySync()).toEqual([2, 4])
  })

  test('hooks see inputs and output, and come off', () => {
    const seen: string[] = []
    const layer = new nn.Lambda((x) => x.add(1))
    const before = layer.registerForwardPreHook((_b, inputs) => seen.push(`in ${inputs[0]!.shape}`))
    const after = layer.registerForwardHook((_b, _i, y) => seen.push(`out ${y.shape}`))
    layer(nd.zeros([3]))
    before.detach()
    after.detach()
    layer(nd.zeros([3]))
    expect(seen).toEqual(['in 3', 'out 3'])
  })

  test('forward must be there, and children of a HybridBlock hybrid', () => {
    class Empty extends Block {}
    expect(() => new Empty()(nd.zeros([1]))).toThrow(/\[Empty\] forward is not implemented/)
    class Mixed extends HybridBlock {
      readonly child = new nn.Lambda((x) => x)
    }
    expect(() => new Mixed().collectParams()).toThrow(
      /children of a HybridBlock must be HybridBlocks/,
    )
  })

  test('layers compute', () => {
    const dense = new nn.Dense(2, { inUnits: 3 })
    dense.initialize('ones')
    dense.bias!.setData(nd.array([0, 1]))
    expect(dense(nd.array([[1, 2, 3]])).asArraySync()).toEqual([[6, 7]])
    expect(new nn.Flatten()(nd.zeros([2, 3, 4])).shape).toEqual([2, 12])
    expect(new nn.Activation('relu')(nd.array([-1, 1])).asArraySync()).toEqual([0, 1])
    expect(new nn.Dropout(0.5)(nd.ones([4])).asArraySync()).toEqual([1, 1, 1, 1])
    const wide = new nn.Dense(2, { flatten: false, useBias: false })
    wide.initialize()
    expect(wide(nd.zeros([5, 4, 3])).shape).toEqual([5, 4, 2])
    expect(wide.weight.shape).toEqual([2, 3])
    expect(() => new nn.Dense(0)).toThrow(/\[Dense\] units is 0/)
  })
})

describe('registering', () => {
  test('fields register in their order, reassigned ones take their place', () => {
    class Net extends Block {
      first: gluon.Block = new nn.Dense(2, { prefix: 'a_' })
      readonly scale = new Parameter('scale', { shape: [1] })
      readonly second = new nn.Dense(2, { prefix: 'b_' })
    }
    const net = new Net({ prefix: 'net_' })
    const names = ['net_scale', 'a_weight', 'a_bias', 'b_weight', 'b_bias']
    expect([...net.collectParams().keys()]).toEqual(names)
    net.first = new nn.Dense(3, { prefix: 'c_' })
    expect([...net.children.keys()]).toEqual(['first', 'second'])
    expect([...net.collectParams('.*weight').keys()]).toEqual(['c_weight', 'b_weight'])
    expect([...net.collectParams('weight').keys()]).toEqual([])
  })

  test('apply visits children first; cast reaches all parameters', () => {
    const net = mlp()
    const seen: string[] = []
    net.apply((b) => seen.push(b.constructor.name))
    expect(seen).toEqual(['Activation', 'Dense', 'Dropout', 'Dense', 'Sequential'])
    net.initialize()
    net(nd.zeros([1, 3]))
    net.cast('float64')
    expect(net(nd.zeros([1, 3], { dtype: 'float64' })).dtype).toBe('float64')
  })

  test('two parameters of one name are an error', () => {
    const net = new nn.Sequential()
    net.add(new nn.Dense(1, { prefix: 'x_' }), new nn.Dense(1, { prefix: 'x_' }))
    expect(() => net.collectParams()).toThrow(/two different parameters are called x_weight/)
  })

  test('params shares parameters', () => {
    const a = new nn.Dense(2, { inUnits: 2, prefix: 'shared_' })
    const b = new nn.Dense(2, { inUnits: 2, params: a.params })
    expect(b.weight).toBe(a.weight)
    expect(() => new nn.Dense(3, { params: a.params })).toThrow(/shared_weight exists with shape/)
  })
})

describe('naming', () => {
  test('counters, scopes and prefixes', () => {
    class Fresh extends Block {}
    const [a, b] = [new Fresh(), new Fresh()]
    expect([a.prefix, b.prefix, b.name]).toEqual(['fresh0_', 'fresh1_', 'fresh1'])
    const inner = a.nameScope(() => [
      new nn.Dense(1),
      new nn.Dense(1),
      new nn.Dense(1, { prefix: 'x_' }),
    ])
    expect(inner.map((d) => d.prefix)).toEqual(['fresh0_dense0_', 'fresh0_dense1_', 'fresh0_x_'])
    expect(inner[0]!.weight.name).toBe('fresh0_dense0_weight')
    const deep = a.nameScope(() => inner[0]!.nameScope(() => new nn.Dense(1)))
    expect(deep.prefix).toBe('fresh0_dense0_dense0_')
    const clear = new Fresh({ prefix: '' })
    expect(b.nameScope(() => clear.nameScope(() => new nn.Dense(1))).prefix).toBe('fresh1_dense0_')
  })
})

describe('printing', () => {
  test('networks print as MXNet prints them', () => {
    const net = mlp()
    const text = [
      'Sequential(',
      '  (0): Dense(None -> 4, Activation(relu))',
      '  (1): Dropout(p = 0.5, axes=())',
      '  (2): Dense(None -> 2, linear)',
      ')',
    ].join('\n')
    expect(`${net}`).toBe(text)
    expect(inspect(net)).toBe(text)
    const outer = new nn.HybridSequential()
    outer.add(new nn.HybridSequential(), new nn.Flatten())
    expect(`${outer}`).toBe(
      'HybridSequential(\n  (0): HybridSequential(\n  \n  )\n  (1): Flatten\n)',
    )
  })

  test('parameters print as MXNet prints them', () => {
    const dense = new nn.Dense(10, { prefix: 'd_' })
    expect(`${dense.weight}`).toBe('Parameter d_weight (shape=(10, 0), dtype=float32)')
    expect(`${dense.collectParams()}`).toBe(
      'd_ (\n  Parameter d_weight (shape=(10, 0), dtype=float32)\n  Parameter d_bias (shape=(10,), dtype=float32)\n)',
    )
  })

  test('summary counts', () => {
    const lines: string[] = []
    const log = console.log
    console.log = (text: string) => lines.push(text)
    try {
      const net = mlp()
      net.initialize()
      net.summary(nd.zeros([2, 3]))
    } finally {
      console.log = log
    }
    const row = (a: string, b: string, c: string): string =>
      `${a.padStart(20)}  ${b.padStart(42)} ${c.padStart(15)}`
    expect(lines[0]).toContain(`\n${row('Dense-2', '(2, 4)', '16')}\n`)
    expect(lines[0]).toContain('   Total params: 26\n')
  })
})

describe('files', () => {
  test('parameters survive by structure, whatever the prefixes', async () => {
    const [a, b] = [mlp(), mlp()]
    a.initialize()
    const x = nd.array([[1, 2, 3]])
    const want = a(x).asArraySync()
    const file = join(folder, 'mlp.params')
    await a.saveParameters(file)
    expect(Object.keys(await nd.load(file))).toEqual(['0.weight', '0.bias', '2.weight', '2.bias'])
    await b.loadParameters(file, { ctx: cpu() })
    expect(b(x).asArraySync()).toEqual(want)
  })

  test('missing, extra and misshapen arrays are errors', async () => {
    const net = new nn.Sequential()
    net.add(new nn.Dense(2, { inUnits: 2 }))
    net.initialize()
    const file = join(folder, 'odd.params')
    const weight = nd.ones([2, 2])
    await nd.save(file, { '0.weight': weight })
    await expect(net.loadParameters(file)).rejects.toThrow(/lacks 0.bias/)
    await net.loadParameters(file, { allowMissing: true })
    await nd.save(file, { '0.weight': weight, '0.bias': nd.ones([2]), '1.weight': weight })
    await expect(net.loadParameters(file)).rejects.toThrow(/has 1.weight/)
    await net.loadParameters(file, { ignoreExtra: true })
    await nd.save(file, { '0.weight': nd.ones([2, 3]), '0.bias': nd.ones([2]) })
    await expect(net.loadParameters(file)).rejects.toThrow(/the file has shape \(2, 3\)/)
  })

  test('a bare layer, and files by prefix', async () => {
    const dense = new nn.Dense(1, { inUnits: 1, prefix: 'old_' })
    dense.initialize('ones')
    const file = join(folder, 'bare.params')
    await dense.saveParameters(file)
    const other = new nn.Dense(1, { inUnits: 1 })
    await other.loadParameters(file)
    expect(other.weight.data().asArraySync()).toEqual([[1]])
    await dense.collectParams().save(file, { stripPrefix: 'old_' })
    const third = new nn.Dense(1, { inUnits: 1 })
    await third.collectParams().load(file, { restorePrefix: third.prefix })
    expect(third.weight.data().asArraySync()).toEqual([[1]])
    await expect(dense.collectParams().save(file, { stripPrefix: 'new_' })).rejects.toThrow(
      MXNetError,
    )
  })
})

test('the context of the input picks the copy of a parameter', () => {
  const contexts: Context[] = [cpu(0), cpu(1)]
  const dense = new nn.Dense(1, { inUnits: 1, useBias: false })
  dense.initialize({ init: 'ones', ctx: contexts })
  dense.weight.data(cpu(1)).assign(3)
  for (const [i, ctx] of contexts.entries()) {
    const y = dense(nd.array([[2]], { ctx }))
    expect(y.context).toBe(ctx)
    expect(y.asArraySync()).toEqual([[[2, 6][i]]])
  }
})
