/** LeNet and ResNet-18 trained on a GPU: the losses and weights of the same steps on the CPU. */

import type { Context, gluon as Gluon, NDArray, Tensor } from 'mxnet-ts'
import { describe, expect, it } from 'vitest'
import { missingGpu } from '../backend/webgpu/adapters.ts'
import { numbers } from './net.ts'

const missing = await missingGpu()
const { autograd, cpu, gluon, gpu, nd, profiler } = await import('mxnet-ts')
const { nn } = gluon

function lenet(): Gluon.HybridBlock {
  const net = new nn.HybridSequential()
  net.add(new nn.Conv2D(20, 5, { activation: 'relu', inChannels: 1 }), new nn.MaxPool2D(2, 2))
  net.add(new nn.Conv2D(50, 5, { activation: 'relu', inChannels: 20 }), new nn.MaxPool2D(2, 2))
  net.add(new nn.Flatten(), new nn.Dense(500, { activation: 'relu', inUnits: 800 }))
  net.add(new nn.Dense(10, { inUnits: 500 }))
  return net
}

/** Two convolutions beside a shortcut. */
class BasicBlock extends gluon.HybridBlock {
  readonly body = new nn.HybridSequential()
  readonly shortcut = new nn.HybridSequential()

  constructor(inChannels: number, channels: number, strides: number) {
    super()
    const conv = (inner: number, kernel: number, step: number) =>
      new nn.Conv2D(channels, kernel, {
        strides: step,
        padding: kernel >> 1,
        useBias: false,
        inChannels: inner,
      })
    const norm = () => new nn.BatchNorm({ inChannels: channels })
    this.body.add(conv(inChannels, 3, strides), norm(), new nn.Activation('relu'))
    this.body.add(conv(channels, 3, 1), norm())
    if (strides > 1) this.shortcut.add(conv(inChannels, 1, strides), norm())
  }

  override forward(x: Tensor): Tensor {
    return nd.relu(nd.add(this.body(x), this.shortcut(x)))
  }
}

function resnet18(): Gluon.HybridBlock {
  const net = new nn.HybridSequential()
  net.add(new nn.Conv2D(64, 7, { strides: 2, padding: 3, useBias: false, inChannels: 3 }))
  net.add(new nn.BatchNorm({ inChannels: 64 }), new nn.Activation('relu'))
  net.add(new nn.MaxPool2D(3, 2, { padding: 1 }))
  let inner = 64
  for (const channels of [64, 128, 256, 512]) {
    net.add(new BasicBlock(inner, channels, channels === 64 ? 1 : 2))
    net.add(new BasicBlock(channels, channels, 1))
    inner = channels
  }
  net.add(new nn.GlobalAvgPool2D(), new nn.Flatten(), new nn.Dense(10, { inUnits: 512 }))
  return net
}

/** Losses of some steps, and the weights after them. */
async function train(
  make: () => Gluon.HybridBlock,
  shape: number[],
  steps: number,
  ctx: Context,
): Promise<{ losses: number[]; weights: Float32Array[]; last: Record<string, number> }> {
  const net = make()
  net.initialize(undefined, { ctx })
  const params = [...net.collectParams().values()]
  params.forEach((p, seed) => {
    const [, ...inner] = p.shape as number[]
    if (inner.length === 0) return
    const size = (p.shape as number[]).reduce((a, b) => a * b, 1)
    const bound = Math.sqrt(3 / inner.reduce((a, b) => a * b, 1))
    const values = numbers(size, seed + 1).map((v) => v * bound)
    p.setData(nd.array(values, { ctx }).reshape(p.shape as number[]))
  })
  net.hybridize()
  const loss = new gluon.loss.SoftmaxCrossEntropyLoss()
  const trainer = new gluon.Trainer(net.collectParams(), 'sgd', { learningRate: 0.01 })
  const size = shape.reduce((a, b) => a * b, 1)
  const x = nd.array(numbers(size, 99), { ctx }).reshape(shape)
  const y = nd.array(
    Float32Array.from({ length: shape[0]! }, (_, i) => i % 10),
    { ctx },
  )
  const losses: number[] = []
  const counters = (): Record<string, number> => ({ ...profiler.deviceCounters()[String(ctx)] })
  let before = counters()
  for (let step = 0; step < steps; step++) {
    before = counters()
    const l: NDArray = autograd.record(() => loss(net(x), y))
    l.backward()
    trainer.step(shape[0]!)
    losses.push(await nd.mean(l).asScalar())
  }
  const after = counters()
  const last = Object.fromEntries(Object.keys(after).map((k) => [k, after[k]! - (before[k] ?? 0)]))
  const weights = params.map((p) => p.data(ctx).asTypedArray() as Promise<Float32Array>)
  return { losses, weights: await Promise.all(weights), last }
}

describe.skipIf(missing !== null)(
  `networks on a GPU (${missing ?? 'run'})`,
  { timeout: 240_000 },
  () => {
    // Alone on two cores, SwiftShader takes 0.2 s for a step of this LeNet and 3.5 s for one of this ResNet-18.
    it.each([
      ['LeNet', lenet, [8, 1, 28, 28], 3],
      ['ResNet-18', resnet18, [4, 3, 64, 64], 1],
    ] as const)('%s trains as on the CPU', async (_name, make, shape, steps) => {
      const here = await train(make, [...shape], steps, cpu())
      const there = await train(make, [...shape], steps, gpu(0))
      expect(there.last.submits).toBeLessThanOrEqual(2)
      if (steps > 1) expect(there.last).toMatchObject({ bindGroups: 0, pipelines: 0, buffers: 0 })
      here.losses.forEach((l, step) => {
        expect(Math.abs(there.losses[step]! / l - 1), `loss of step ${step}`).toBeLessThan(1e-4)
      })
      here.weights.forEach((w, i) => {
        const worst = w.reduce(
          (most, v, k) => Math.max(most, Math.abs(v - there.weights[i]![k]!)),
          0,
        )
        expect(worst, `parameter ${i}`).toBeLessThan(1e-3)
      })
    })
  },
)
