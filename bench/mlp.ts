// The training step of the tutorial's network behind the protocol of serve.ts, on any context.
import { autograd, type Context, gluon, type NDArray, nd } from 'mxnet-ts'
import { checkSteps, labels, numbers, type Served, weights } from './data.ts'

/** How a step is written: operator by operator, network and loss hybridized, or all of it as one program. */
export type Mode = 'eager' | 'hybrid' | 'fused'

const { nn } = gluon

/** A step on a context, as `mode` says. */
export function mlp(ctx: Context, mode: Mode): Served {
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
