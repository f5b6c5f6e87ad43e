// A network large enough for two cores, trained data-parallel: one context, or two that share each batch.
import { autograd, type Context, gluon, type NDArray, nd } from 'mxnet-ts'
import { checkSteps, labels, numbers, type Served, weights } from './data.ts'

const sizes = [784, 2048, 2048, 10]

/** Steps of sgd on 784-2048-2048-10, hybridized, each batch cut for the contexts. */
export function wide(ctx: readonly Context[], batch: number): Served {
  const { nn, utils } = gluon
  const layers = sizes.slice(1).map((units, i) => {
    const activation = i < 2 ? { activation: 'relu' as const } : {}
    return new nn.Dense(units, { inUnits: sizes[i]!, ...activation })
  })
  const net = new nn.HybridSequential()
  net.add(...layers)
  net.collectParams().initialize({ init: 'zeros', ctx })
  const reset = (): void => {
    layers.forEach(({ weight, bias }, i) => {
      const [inputs, units] = [sizes[i]!, sizes[i + 1]!]
      const narrow = weights(units, inputs, 51 + i).map((w) => w * 0.2)
      weight.setData(nd.array(narrow).reshape([units, inputs]))
      bias?.setData(nd.zeros([units]))
    })
  }
  reset()
  const softmaxCrossEntropy = new gluon.loss.SoftmaxCrossEntropyLoss()
  net.hybridize()
  softmaxCrossEntropy.hybridize()
  const trainer = new gluon.Trainer(net.collectParams(), 'sgd', { learningRate: 0.01 })
  const images = nd.array(numbers(batch * 784, 54, 0, 1)).reshape([batch, 784])
  const data = utils.splitAndLoad(images, ctx)
  const label = utils.splitAndLoad(nd.array(Float32Array.from(labels(batch, 55))), ctx)
  const once = (): readonly NDArray[] => {
    const losses = autograd.record(() =>
      data.map((part, i) => softmaxCrossEntropy(net(part), label[i]!)),
    )
    for (const loss of losses) loss.backward()
    trainer.step(batch)
    return losses
  }
  const total = async (): Promise<number> => {
    let sum = 0
    for (const loss of once()) sum += await loss.sum().asScalar()
    return sum
  }
  return {
    check: async () => {
      reset()
      const losses: number[] = []
      for (let i = 0; i < checkSteps; i++) losses.push((await total()) / batch)
      return [losses[0]!, losses.at(-1)!]
    },
    run: async (reps) => {
      for (let i = 0; i < reps; i++) once()
      await nd.waitAll()
    },
  }
}
