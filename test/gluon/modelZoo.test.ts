/** The zoo: parameters by number and name as MXNet's, so that its files of weights load; small ones run and learn. */

import { rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { describe, expect, it } from 'vitest'
import * as mx from '../../src/node.ts'

const { nd, sym, gluon, autograd } = mx
const { vision } = gluon.modelZoo

/** Numbers of all parameters, running statistics included, as MXNet's files have them. */
const counts: { readonly [name: string]: number } = {
  alexnet: 61100840,
  densenet121: 8062504,
  densenet161: 28900936,
  densenet169: 14307880,
  densenet201: 20242984,
  inceptionv3: 23869000,
  'mobilenet0.25': 475544,
  'mobilenet0.5': 1342536,
  'mobilenet0.75': 2601976,
  'mobilenet1.0': 4253864,
  'mobilenetv2_1.0': 3539136,
  'mobilenetv2_0.75': 2653864,
  'mobilenetv2_0.5': 1983104,
  'mobilenetv2_0.25': 1526856,
  resnet18_v1: 11699112,
  resnet34_v1: 21814696,
  resnet50_v1: 25629032,
  resnet101_v1: 44695144,
  resnet152_v1: 60404072,
  resnet18_v2: 11695796,
  resnet34_v2: 21811380,
  resnet50_v2: 25595060,
  resnet101_v2: 44639412,
  resnet152_v2: 60329140,
  'squeezenet1.0': 1248424,
  'squeezenet1.1': 1235496,
  vgg11: 132863336,
  vgg11_bn: 132874344,
  vgg13: 133047848,
  vgg13_bn: 133059624,
  vgg16: 138357544,
  vgg16_bn: 138374440,
  vgg19: 143667240,
  vgg19_bn: 143689256,
}

describe('gluon.modelZoo.vision', () => {
  it.each(Object.entries(counts))('%s has %i parameters', (name, count) => {
    const net = vision.getModel(name)
    const size = name === 'inceptionv3' ? 299 : 224
    const out = net(sym.var('data') as never) as unknown as InstanceType<typeof mx.sym.Symbol>
    const [args, outs, aux] = out.inferShape({ data: [1, 3, size, size] })
    const names = out.listArguments()
    const sizes = [...args!.filter((_, i) => names[i] !== 'data'), ...aux!]
    const total = sizes.reduce((sum, s) => sum + s!.reduce((a, b) => a * b, 1), 0)
    expect(total).toBe(count)
    expect(outs).toEqual([[1, 1000]])
  })

  it('names parameters as MXNet does', () => {
    const names = (net: mx.gluon.Block, pattern: RegExp): string[] =>
      [...net.collectParams().keys()]
        .filter((n) => pattern.test(n))
        .map((n) => n.replace(/^[a-z0-9]+_/, ''))
    const first = names(vision.resnet18V1(), /conv|gamma|dense/)
    expect(first.slice(0, 8)).toEqual([
      'conv0_weight',
      'batchnorm0_gamma',
      'stage1_conv0_weight',
      'stage1_batchnorm0_gamma',
      'stage1_conv1_weight',
      'stage1_batchnorm1_gamma',
      'stage1_conv2_weight',
      'stage1_batchnorm2_gamma',
    ])
    expect(first.at(-2)).toBe('dense0_weight')
    expect(names(vision.mobilenetV210(), /weight/).slice(0, 3)).toEqual([
      'features_conv0_weight',
      'features_linearbottleneck0_conv0_weight',
      'features_linearbottleneck0_conv1_weight',
    ])
    expect(names(vision.mobilenetV210(), /output/)).toEqual(['output_pred_weight'])
    expect(names(vision.inceptionV3(), /A2.*weight/)[0]).toBe('A2_conv0_weight')
    const path = [...structure(vision.resnet50V2()).keys()]
    expect(path).toContain('features.5.0.downsample.weight')
    expect(path).toContain('features.5.2.bn3.running_var')
    expect([...structure(vision.squeezenet11()).keys()]).toContain('features.3.1.1.0.weight')
  })

  it('saves and loads weights by structure, and predicts the same', async () => {
    const options = { classes: 5, thumbnail: true }
    const make = (): mx.gluon.HybridBlock =>
      new vision.ResNetV1(vision.BottleneckV1, [1, 2], [8, 16, 32], options)
    const net = make()
    net.initialize(new mx.init.Xavier())
    const x = nd.random.uniform(-1, 1, { shape: [2, 3, 16, 16] })
    const want = await net(x).asArray()
    const file = `${tmpdir()}/zoo-${process.pid}.params`
    await net.saveParameters(file)
    const again = make()
    await again.loadParameters(file)
    rmSync(file)
    expect(await again(x).asArray()).toEqual(want)
    again.hybridize()
    const compiled = (await again(x).asArray()) as number[][]
    compiled.flat().forEach((v, i) => {
      expect(v).toBeCloseTo((want as number[][]).flat()[i]!, 4)
    })
  })

  const small: { readonly [name: string]: () => mx.gluon.HybridBlock } = {
    ResNetV2: () =>
      new vision.ResNetV2(vision.BasicBlockV2, [1, 1], [4, 4, 8], { classes: 2, thumbnail: true }),
    VGG: () => new vision.VGG([1, 1], [4, 8], { classes: 2, batchNorm: true }),
    DenseNet: () => new vision.DenseNet(4, 2, [2, 2], { classes: 2, dropout: 0.1 }),
    MobileNet: () => new vision.MobileNet(0.0625, { classes: 2 }),
    MobileNetV2: () => new vision.MobileNetV2(0.125, { classes: 2 }),
  }
  it.each(Object.entries(small))('%s learns from a batch', async (name, make) => {
    const size = name === 'DenseNet' ? 112 : 32
    mx.random.seed(1)
    const net = make()
    net.initialize(new mx.init.Xavier())
    net.hybridize()
    const x = nd.random.uniform(-1, 1, { shape: [8, 3, size, size] })
    const y = nd.array([0, 1, 0, 1, 1, 0, 1, 0])
    const loss = new gluon.loss.SoftmaxCrossEntropyLoss()
    const trainer = new gluon.Trainer(net.collectParams(), 'adam', { learningRate: 0.005 })
    const losses: number[] = []
    for (let i = 0; i < 12; i++) {
      const l = autograd.record(() => loss(net(x), y))
      l.backward()
      trainer.step(8)
      losses.push(await nd.mean(l).asScalar())
    }
    expect(Math.min(...losses.slice(8))).toBeLessThan(losses[0]!)
  })

  it('finds models by name, and says what it does not do', () => {
    expect(vision.getModel('ResNet18_V1', { classes: 3 })).toBeInstanceOf(vision.ResNetV1)
    expect(vision.getResnet(2, 34)).toBeInstanceOf(vision.ResNetV2)
    expect(() => vision.getModel('resnet19_v1')).toThrow(
      'there is no model resnet19_v1: use one of resnet18_v1',
    )
    expect(() => vision.resnet50V1({ pretrained: true })).toThrow('net.loadParameters(path)')
    expect(() => vision.getResnet(1, 19)).toThrow('one of 18, 34, 50, 101, 152')
    expect(() => vision.alexnet({ classes: 0 })).toThrow('an integer above 0')
    expect(() => vision.alexnet({ clases: 4 } as never)).toThrow('unknown option clases')
  })
})

/** Parameters by their path from the network, as files name them. */
function structure(block: mx.gluon.Block, path = ''): Map<string, unknown> {
  const found = new Map<string, unknown>()
  for (const [name, p] of block.regParams)
    found.set(`${path}${p.name.replace(block.prefix, '') || name}`, p)
  for (const [name, child] of block.children)
    for (const entry of structure(child, `${path}${name}.`)) found.set(...entry)
  return found
}
