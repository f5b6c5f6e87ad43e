// Our library behind the protocol of serve.ts; MXNET_BACKEND decides what it runs on, the argument how a step is written.
import { autograd, cpu, engine, gluon, type NDArray, nd, runtime } from 'mxnet-ts'
import { kernels } from './kernels.ts'
import { large, networks } from './networks.ts'
import { checkSteps, corners, labels, numbers, type Served, serve, weights } from './serve.ts'

const ctx = cpu()
const mode = process.argv[2] ?? 'eager'
const { nn } = gluon

function matmul(m: number, k: number, n: number): Served {
  const a = nd.array(numbers(m * k, 1, -1, 1), { ctx }).reshape([m, k])
  const b = nd.array(numbers(k * n, 2, -1, 1), { ctx }).reshape([k, n])
  return {
    check: async () => corners(await nd.dot(a, b).asTypedArray()),
    run: async (reps) => {
      for (let i = 0; i < reps; i++) nd.dot(a, b)
      await nd.waitAll()
    },
  }
}

function add(): Served {
  const step = nd.array(numbers(64, 3, 0, 1), { ctx })
  const chain = (reps: number): NDArray => {
    let x = nd.array(numbers(64, 4, 0, 1), { ctx })
    for (let i = 0; i < reps; i++) x = x.add(step)
    return x
  }
  return {
    check: async () => corners(await chain(10).asTypedArray()),
    run: async (reps) => {
      chain(reps)
      await nd.waitAll()
    },
  }
}

function mlp(): Served {
  const sizes = [784, 64, 64, 10]
  const layers = [1, 2, 3].map(
    (i) =>
      new nn.Dense(sizes[i]!, {
        inUnits: sizes[i - 1]!,
        ...(i < 3 ? { activation: 'relu' as const } : {}),
      }),
  )
  const net = new nn.HybridSequential()
  net.add(...layers)
  net.collectParams().initialize({ ctx })
  const reset = (): void => {
    layers.forEach((layer, i) => {
      const [inputs, out] = [sizes[i]!, sizes[i + 1]!]
      layer.weight.setData(nd.array(weights(out, inputs, 11 + i), { ctx }).reshape([out, inputs]))
      layer.bias?.setData(nd.zeros([out], { ctx }))
    })
  }
  reset()
  const data = nd.array(numbers(64 * 784, 14, 0, 1), { ctx }).reshape([64, 784])
  const label = nd.array(Float32Array.from(labels(64, 15)), { ctx })
  const softmaxCrossEntropy = new gluon.loss.SoftmaxCrossEntropyLoss()
  const trainer = new gluon.Trainer(net.collectParams(), 'sgd', { learningRate: 0.01 })
  if (mode === 'hybrid') {
    net.hybridize()
    softmaxCrossEntropy.hybridize()
  }
  const fused = gluon.fuseStep(net, softmaxCrossEntropy, trainer)
  const once = (): NDArray => {
    if (mode === 'fused') return fused(data, label)
    const loss = autograd.record(() => softmaxCrossEntropy(net(data), label))
    loss.backward()
    trainer.step(64)
    return loss
  }
  return {
    check: async () => {
      reset()
      const losses: number[] = []
      for (let i = 0; i < checkSteps; i++) losses.push(await nd.mean(once()).asScalar())
      return [losses[0]!, losses.at(-1)!]
    },
    run: async (reps) => {
      for (let i = 0; i < reps; i++) once()
      await nd.waitAll()
    },
  }
}

// Only the step differs between the modes; on several threads only what is large enough for them is of interest.
const others = {
  matmul64: () => matmul(64, 784, 64),
  matmul64x64: () => matmul(64, 64, 64),
  matmul1024: () => matmul(1024, 1024, 1024),
  add64: add,
  ...kernels,
}
const { matmul1024 } = others
const byMode: { readonly [mode: string]: Parameters<typeof serve>[1] } = {
  eager: { mlp, ...others, ...networks },
  threads: { matmul1024, ...kernels, ...large },
}
const about = `${runtime.describe()}, ${engine.numThreads()} thread(s)`
await serve(about, byMode[mode] ?? { mlp })
