/** The tutorial's network follows the trajectory that the real MXNet 1.9.1 recorded, on every backend. */

import { readFileSync } from 'node:fs'
import { autograd, Context, engine, gluon, type NDArray, nd, runtime } from 'mxnet-ts'
import { describe, expect, it } from 'vitest'
import { missingGpu } from '../backend/webgpu/adapters.ts'
import { readNpy } from '../golden/npy.ts'

const golden = new URL('../golden/mlp-trajectory/', import.meta.url)
const trajectory = JSON.parse(readFileSync(new URL('trajectory.json', golden), 'utf8')) as {
  loss_sum_per_step: number[]
}
const names = [
  'dense0_weight',
  'dense0_bias',
  'dense1_weight',
  'dense1_bias',
  'dense2_weight',
  'dense2_bias',
]
const load = (kind: string, name: string) => readNpy(`mlp-trajectory/${kind}_${name}.npy`)

const relativeNorm = (
  got: ArrayLike<number | bigint>,
  want: ArrayLike<number | bigint>,
): number => {
  let [error, total] = [0, 0]
  for (let i = 0; i < want.length; i++) {
    error += (Number(got[i]) - Number(want[i])) ** 2
    total += Number(want[i]) ** 2
  }
  return Math.sqrt(error / total)
}

const modes = ['eager', 'hybridized', 'fused', 'fused on one thread'] as const

async function train(
  ctx: Context,
  mode: (typeof modes)[number],
): Promise<{ losses: number[]; params: NDArray[]; grads: NDArray[] }> {
  const net = new gluon.nn.HybridSequential()
  net.add(new gluon.nn.Dense(64, { activation: 'relu', inUnits: 784 }))
  net.add(new gluon.nn.Dense(64, { activation: 'relu', inUnits: 64 }))
  net.add(new gluon.nn.Dense(10, { inUnits: 64 }))
  net.initialize(undefined, { ctx })
  const params = [...net.collectParams().values()]
  params.forEach((p, i) => {
    const init = load('init', names[i]!)
    const values = Float32Array.from(init.values as Float64Array)
    p.setData(nd.array(values, { ctx }).reshape(init.shape))
  })
  const trainer = new gluon.Trainer(net.collectParams(), 'sgd', { learningRate: 0.01 })
  const softmaxCrossEntropy = new gluon.loss.SoftmaxCrossEntropyLoss()
  if (mode !== 'eager') {
    net.hybridize()
    softmaxCrossEntropy.hybridize()
  }
  const stepFused = gluon.fuseStep(net, softmaxCrossEntropy, trainer)
  const images = new gluon.data.vision.MNIST({ train: true })
  const losses: number[] = []
  let grads: NDArray[] = []
  for (let step = 0; step < 50; step++) {
    const samples = Array.from(
      { length: 64 },
      (_, i) => images.at(step * 64 + i) as [NDArray, NDArray],
    )
    const x = nd
      .stack(...samples.map(([image]) => image))
      .asInContext(ctx)
      .reshape([-1, 784])
      .astype('float32')
      .div(255)
    const y = nd
      .stack(...samples.map(([, label]) => label))
      .asInContext(ctx)
      .astype('float32')
    const fused = mode.startsWith('fused')
    const loss = fused ? stepFused(x, y) : autograd.record(() => softmaxCrossEntropy(net(x), y))
    if (!fused) loss.backward()
    losses.push(await nd.sum(loss).asScalar())
    // A fused step keeps its gradients to itself.
    if (step === 0 && !fused) grads = params.map((p) => p.grad().copy())
    if (!fused) trainer.step(64)
  }
  return { losses, params: params.map((p) => p.data() as NDArray), grads }
}

const missing = await missingGpu()
const devices = [
  { type: 'reference', near: 1e-5, skip: null },
  { type: 'wasm', near: 1e-5, skip: null },
  { type: 'cpu', near: 1e-5, skip: null },
  { type: 'gpu', near: 1e-4, skip: missing },
] as const

describe.each(devices)('fifty steps on $type', ({ type, near, skip }) => {
  it.skipIf(skip !== null).each(modes)(
    `meet every loss, gradient and weight within ${near}, %s (${skip ?? 'run'})`,
    { timeout: 120_000 },
    async (mode) => {
      const threads = engine.numThreads()
      if (mode === 'fused on one thread') engine.setNumThreads(1)
      const { losses, params, grads } = await train(new Context(type, 0), mode)
      engine.setNumThreads(threads)
      losses.forEach((loss, step) => {
        expect(
          Math.abs(loss / trajectory.loss_sum_per_step[step]! - 1),
          `loss of step ${step}`,
        ).toBeLessThan(near)
      })
      for (const [i, name] of names.entries()) {
        const final = await params[i]!.asTypedArray()
        expect(
          relativeNorm(final as Float32Array, load('final', name).values),
          `final ${name}`,
        ).toBeLessThan(near)
        if (mode.startsWith('fused')) continue
        const grad = await grads[i]!.asTypedArray()
        expect(
          relativeNorm(grad as Float32Array, load('grad0', name).values),
          `gradient ${name}`,
        ).toBeLessThan(near)
      }
    },
  )
})

it('says which backend ran', () => {
  expect(runtime.describe()).toMatch(/wasm|onednn|reference/)
})
