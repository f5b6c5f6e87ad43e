// The first program: a multilayer perceptron learns handwritten digits, as in MXNet's tutorial.
import {
  autograd,
  type Context,
  gluon,
  init,
  metric,
  type NDArray,
  nd,
  random,
  runtime,
} from 'mxnet-ts'
import { openContexts, readOptions } from '../support/options.ts'
import { output, saveText, where } from '../support/output.ts'
import { curve } from '../support/plot.ts'
import { Progress } from '../support/progress.ts'

const about =
  'Trains a network of three layers on 60,000 handwritten digits, and saves it with its learning curve.'
const { epochs, batchSize, learningRate, seed, device } = readOptions(about)
const [ctx] = (await openContexts([device])) as [Context]
if (seed !== undefined) random.seed(seed)

const transform = (data: NDArray, label: NDArray) =>
  [data.astype('float32').div(255), label.astype('float32')] as const
const { DataLoader, vision } = gluon.data
const trainSet = new vision.MNIST({ train: true, transform })
const trainData = new DataLoader(trainSet, { batchSize, shuffle: true })
const testData = new DataLoader(new vision.MNIST({ train: false, transform }), { batchSize })

const net = new gluon.nn.Sequential()
net.nameScope(() => {
  net.add(new gluon.nn.Dense(64, { activation: 'relu' }))
  net.add(new gluon.nn.Dense(64, { activation: 'relu' }))
  net.add(new gluon.nn.Dense(10))
})
net.collectParams().initialize({ init: new init.Normal(0.1), ctx })
console.log(net)
const softmaxCrossEntropy = new gluon.loss.SoftmaxCrossEntropyLoss()
const trainer = new gluon.Trainer(net.collectParams(), 'sgd', { learningRate })

async function evaluateAccuracy(batches: AsyncIterable<[NDArray, NDArray]>): Promise<number> {
  const acc = new metric.Accuracy()
  for await (const [x, y] of batches) {
    const output = net(x.asInContext(ctx).reshape([-1, 784]))
    acc.update(y.asInContext(ctx), nd.argmax(output, { axis: 1 }))
  }
  return (await acc.get())[1]
}

const numExamples = trainSet.length
const history = []
const progress = new Progress(numExamples)
for (let epoch = 0; epoch < epochs; epoch++) {
  let cumulativeLoss = 0
  progress.start(`Epoch ${epoch}`)
  for await (const [x, y] of trainData) {
    const data = x.asInContext(ctx).reshape([-1, 784])
    const label = y.asInContext(ctx)
    const loss = autograd.record(() => softmaxCrossEntropy(net(data), label))
    loss.backward()
    trainer.step(data.shape[0]!)
    cumulativeLoss += await nd.sum(loss).asScalar()
    progress.advance(data.shape[0]!, cumulativeLoss)
  }
  progress.stop()
  const loss = cumulativeLoss / numExamples
  const trainAccuracy = await evaluateAccuracy(trainData)
  const testAccuracy = await evaluateAccuracy(testData)
  history.push({ loss, trainAccuracy, testAccuracy })
  console.log(`Epoch ${epoch}. Loss: ${loss}, Train_acc ${trainAccuracy}, Test_acc ${testAccuracy}`)
}

await net.saveParameters(output('mlp.params'))
saveText('learning-curve.svg', curve(history))
console.log(`\nbackend     ${runtime.describe()}`)
console.log(`training    ${progress.summary()}`)
console.log(`parameters  ${where('mlp.params')}`)
console.log(`picture     ${where('learning-curve.svg')}`)
