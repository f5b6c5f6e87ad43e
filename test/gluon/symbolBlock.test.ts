/** Blocks as symbols and symbols as blocks: files of MXNet, one plan for all three forms, training of imported networks. */

import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import * as mx from 'mxnet-ts'
import { afterAll, describe, expect, it } from 'vitest'
import { goldenPath, readNpy, readNpz } from '../golden/npy.ts'

const { autograd, gluon, nd, sym } = mx
const { nn } = gluon
const folder = mkdtempSync(join(tmpdir(), 'symbol-'))
afterAll(() => rmSync(folder, { recursive: true }))

const golden = (name: string, file: string) => goldenPath(`mxnet-nets/${name}/${file}`)
const arrayOf = ({ values, shape }: ReturnType<typeof readNpy>) =>
  nd.array(values as Float32Array).reshape(shape)

/** Largest difference, relative to the largest magnitude wanted. */
async function distance(got: mx.NDArray, want: ReturnType<typeof readNpy>): Promise<number> {
  expect(got.shape).toEqual(want.shape)
  const [a, b] = [Array.from(await got.asTypedArray(), Number), Array.from(want.values, Number)]
  const scale = Math.max(1e-12, ...b.map(Math.abs))
  return Math.max(0, ...a.map((v, i) => Math.abs(v - b[i]!))) / scale
}

/** The tutorial's network, as the golden files have it. */
function mlp(): InstanceType<typeof nn.HybridSequential> {
  const net = new nn.HybridSequential({ prefix: 'mlp_' })
  net.nameScope(() => {
    net.add(
      new nn.Dense(64, { activation: 'relu', prefix: 'dense0_' }),
      new nn.Dense(64, { activation: 'relu', prefix: 'dense1_' }),
      new nn.Dense(10, { prefix: 'dense2_' }),
    )
  })
  net.initialize({ init: new mx.init.Normal(0.1) })
  return net
}

/** LeNet with batch normalization, as the golden files have it. */
function lenet(): InstanceType<typeof nn.HybridSequential> {
  const net = new nn.HybridSequential({ prefix: 'lenet_' })
  net.nameScope(() => {
    net.add(
      new nn.Conv2D(6, 5, { padding: 2 }),
      new nn.BatchNorm(),
      new nn.Activation('relu'),
      new nn.MaxPool2D(2, 2),
      new nn.Conv2D(12, 5),
      new nn.BatchNorm({ epsilon: 0.001, momentum: 0.8 }),
      new nn.Activation('sigmoid'),
      new nn.AvgPool2D(2, 2),
      new nn.Flatten(),
      new nn.Dense(32, { activation: 'tanh' }),
      new nn.Dense(10),
    )
  })
  net.initialize()
  return net
}

const imports = (name: string) =>
  gluon.SymbolBlock.imports(
    golden(name, 'net-symbol.json'),
    'data',
    golden(name, 'net-0000.params'),
  )

describe('export', () => {
  it.each([
    ['mlp', mlp, [1, 784], 'arg:mlp_dense0_weight'],
    ['lenet_bn', lenet, [1, 1, 28, 28], 'aux:lenet_batchnorm0_running_mean'],
  ] as const)('writes the text that MXNet writes: %s', async (name, make, shape, parameter) => {
    const net = make()
    net.hybridize()
    net(nd.ones(shape))
    const [symbolFile, paramsFile] = await net.export(join(folder, name), 7)
    expect(paramsFile).toBe(join(folder, `${name}-0007.params`))
    expect(readFileSync(symbolFile, 'utf8')).toBe(
      readFileSync(golden(name, 'net-symbol.json'), 'utf8'),
    )
    expect(Object.keys(await nd.load(paramsFile))).toContain(parameter)
  })

  it('works before the network has run, and as a plain Sequential', () => {
    expect(mlp().toSymbol().listArguments()).toHaveLength(7)
    const plain = new nn.Sequential()
    plain.add(new nn.Dense(2, { prefix: 'a_' }), new nn.Dropout(0.5, { prefix: 'd_' }))
    const symbol = plain(sym.var('x'))
    expect(symbol.listArguments()).toEqual(['x', 'a_weight', 'a_bias'])
    expect(symbol.name).toBe('d_fwd')
  })

  it('composes losses too', () => {
    const [pred, label] = [sym.var('pred'), sym.var('label')]
    const crossEntropy = new gluon.loss.SoftmaxCrossEntropyLoss()(pred, label)
    expect(crossEntropy.inferShape({ pred: [4, 3], label: [4] })[1]).toEqual([[4]])
    const squares = new gluon.loss.L2Loss()(pred, label)
    expect(squares.inferShape({ pred: [4, 3], label: [4, 3] })[1]).toEqual([[4]])
  })

  it('lets forward read shapes that the last run has told', () => {
    class Rows extends gluon.HybridBlock {
      override forward(x: mx.Tensor): mx.Tensor {
        return x.reshape([x.shape[0]!, -1]).sum({ axis: 1 })
      }
    }
    const net = new Rows()
    expect(() => net.toSymbol()).toThrow('the shape of data is not known')
    net.hybridize()
    net(nd.ones([2, 3, 4]))
    const symbol = net.toSymbol()
    expect(symbol.toJSON()).not.toContain('__shape__')
    expect(symbol.inferShape({ data: [2, 3, 4] })[1]).toEqual([[2]])
  })

  it('names several inputs by number', () => {
    class Sum extends gluon.HybridBlock {
      override forward(a: mx.Tensor, b: mx.Tensor): mx.Tensor {
        return nd.add(a, b)
      }
    }
    const net = new Sum()
    expect(() => net.toSymbol()).toThrow('run the block once')
    net.hybridize()
    net(nd.ones([2]), nd.ones([2]))
    expect(net.toSymbol().listArguments()).toEqual(['data0', 'data1'])
  })
})

describe('SymbolBlock', () => {
  const cases = ['mlp', 'lenet_bn'].flatMap((name) => [
    [name, false] as const,
    [name, true] as const,
  ])

  it.each(cases)(
    'gives the outputs that MXNet recorded: %s (hybridized: %s)',
    async (name, hybrid) => {
      const net = await imports(name)
      if (hybrid) net.hybridize()
      const x = arrayOf(readNpy(`mxnet-nets/${name}/input.npy`))
      const want = readNpy(`mxnet-nets/${name}/output.npy`)
      expect(await distance(net(x), want)).toBeLessThan(1e-5)
    },
  )

  it.each(cases)(
    'makes the training step that MXNet made: %s (hybridized: %s)',
    async (name, hybrid) => {
      const net = await imports(name)
      if (hybrid) net.hybridize()
      const want = readNpz(`mxnet-nets/${name}/train.npz`)
      const x = arrayOf(readNpy(`mxnet-nets/${name}/input.npy`))
      const label = arrayOf(want.get('label')!)
      const criterion = new gluon.loss.SoftmaxCrossEntropyLoss()
      const trainer = new gluon.Trainer(net.collectParams(), 'sgd', {
        learningRate: 0.1,
        momentum: 0.9,
        wd: 0.001,
      })
      const loss = autograd.record(() => criterion(net(x), label))
      loss.backward()
      expect(await distance(loss, want.get('loss')!)).toBeLessThan(1e-5)
      for (const [parameter, { gradReq }] of net.collectParams()) {
        const gradient = want.get(`grad:${parameter}`)
        expect(gradient === undefined, parameter).toBe(gradReq === 'null')
        // The gradient of a bias before BatchNorm is 0 up to rounding.
        const zero = /conv\d_bias/.test(parameter) ? 1 : 0
        const got = net.collectParams().get(parameter)!
        if (gradient && !zero)
          expect(await distance(got.grad(), gradient), parameter).toBeLessThan(1e-5)
      }
      trainer.step(x.shape[0]!)
      for (const [parameter, p] of net.collectParams()) {
        const near = /conv\d_bias/.test(parameter) ? 1e-4 : 1e-5
        const after = want.get(`after:${parameter}`)!
        expect(await distance(p.data(), after), parameter).toBeLessThan(near)
      }
      expect(await distance(net(x), want.get('output_after')!)).toBeLessThan(1e-5)
    },
  )

  it('saves and loads by structure, without the common prefix', async () => {
    const net = await imports('mlp')
    const file = join(folder, 'structure.params')
    await net.saveParameters(file)
    expect(Object.keys(await nd.load(file))[0]).toBe('dense0_weight')
    const again = new gluon.SymbolBlock(mlp().toSymbol(), sym.var('data'))
    await again.loadParameters(file)
    const x = nd.ones([1, 784])
    expect(await again(x).asArray()).toEqual(await net(x).asArray())
  })

  it('learns the shapes of its parameters from the first input', () => {
    const x = sym.var('data')
    const fc = sym.fullyConnected(x, { numHidden: 3, name: 'fc' })
    const net = new gluon.SymbolBlock([fc, fc.relu()], x)
    net.initialize()
    const [a, b] = net(nd.ones([2, 5])) as unknown as mx.NDArray[]
    expect([a!.shape, b!.shape]).toEqual([
      [2, 3],
      [2, 3],
    ])
    expect(net.collectParams().get('fc_weight')!.shape).toEqual([3, 5])
  })

  it('is a part of other networks and of their symbols', async () => {
    const features = new gluon.SymbolBlock(
      sym
        .loadJSON(readFileSync(golden('mlp', 'net-symbol.json'), 'utf8'))
        .getInternals()
        .at('mlp_dense1_relu_fwd_output'),
      sym.var('data'),
    )
    const net = new nn.HybridSequential({ prefix: 'tuned_' })
    net.add(features, new nn.Dense(2, { prefix: 'head_' }))
    net.initialize()
    features.collectParams().setattr('gradReq', 'null')
    net.hybridize()
    const x = nd.ones([3, 784])
    const loss = autograd.record(() => net(x).sum())
    loss.backward()
    expect(net.collectParams().get('head_weight')!.grad().shape).toEqual([2, 64])
    const symbol = net.toSymbol()
    expect(symbol.listArguments().slice(0, 2)).toEqual(['data', 'mlp_dense0_weight'])
    expect(symbol.listArguments().at(-1)).toBe('head_bias')
  })

  it('refuses inputs that are none', () => {
    const x = sym.var('x')
    expect(() => new gluon.SymbolBlock(x.relu(), sym.var('y'))).toThrow('there is no variable y')
    expect(() => new gluon.SymbolBlock(x.relu(), x.relu())).toThrow('is not a variable')
    const net = new gluon.SymbolBlock(x.relu(), x)
    expect(() => net(nd.ones([1]), nd.ones([1]))).toThrow('2 inputs given: it takes x')
    expect(String(net)).toContain('x -> relu')
  })

  it('names a file that lacks parameters', async () => {
    const file = join(folder, 'few.params')
    await nd.save(file, { 'arg:mlp_dense0_weight': nd.ones([64, 784]) })
    await expect(
      gluon.SymbolBlock.imports(golden('mlp', 'net-symbol.json'), 'data', file),
    ).rejects.toThrow('lacks mlp_dense0_bias')
  })
})

describe('a graph', () => {
  it('can be looked at after every pass', () => {
    const net = new nn.Dense(2, { inUnits: 3, activation: 'relu' })
    net.initialize()
    expect(() => net.graph()).toThrow('there is no graph yet')
    net.hybridize()
    net(nd.ones([1, 3]))
    const graph = net.graph()
    expect(graph.text('traced')).toContain('FullyConnected(')
    expect(graph.text('lowered')).toContain('contract(')
    expect(graph.text('forward')).toContain('return')
    expect(graph.text('backward')).toContain('contract(')
    expect(graph.text('fused')).toMatchInlineSnapshot(`
      "contract in0:float32[3] in1:float32[6] in2:float32[2] b3:float32[2]
      return b3:float32[2] b3:float32[2]"
    `)
    expect(String(graph)).toContain('== fusedBackward')
    expect(() => graph.text('x' as 'fused')).toThrow('there is no pass x')
  })
})

describe('model', () => {
  it('loads what it saves, bit for bit', async () => {
    const [symbol, args, aux] = await mx.model.loadCheckpoint(golden('mlp', 'net'), 0)
    await mx.model.saveCheckpoint(join(folder, 'again'), 0, symbol, args, aux)
    for (const ending of ['-symbol.json', '-0000.params'])
      expect(
        readFileSync(join(folder, `again${ending}`)).equals(
          readFileSync(golden('mlp', `net${ending}`)),
        ),
      ).toBe(true)
    await expect(mx.model.loadParams('x', -1)).rejects.toThrow('epoch is -1')
  })
})
