// The tutorial's second program: the same network trained on several devices at once, each with its share of every batch.
// This network is so small that one core has done a step before a second one is awake; a wide one gains by the second
// core what it is worth (npm run bench -- --only wide).
import { autograd, gluon, init, metric, type NDArray, nd, random } from 'mxnet-ts'
import { openContexts, readOptions } from '../support/options.ts'

const about =
  'Trains a network of three layers on several devices: each takes its share of every batch.'
const { epochs, batchSize, learningRate, seed, devices } = readOptions(about, 'cpu:0,cpu:1')
const ctx = await openContexts(devices)
console.log(`Training on ${ctx.join(', ')}: ${batchSize} images a step, shared among them`)
if (seed !== undefined) random.seed(seed)

const transform = (data: NDArray, label: NDArray) =>
  [data.astype('float32').div(255), label.astype('float32')] as const
const { DataLoader, vision } = gluon.data
const trainSet = new vision.MNIST({ train: true, transform })
const trainData = new DataLoader(trainSet, { batchSize, shuffle: true })
const validData = new DataLoader(new vision.MNIST({ train: false, transform }), { batchSize })

const net = new gluon.nn.Sequential()
net.nameScope(() => {
  net.add(new gluon.nn.Dense(64, { activation: 'relu' }))
  net.add(new gluon.nn.Dense(64, { activation: 'relu' }))
  net.add(new gluon.nn.Dense(10))
})
net.collectParams().initialize({ init: new init.Normal(0.1), ctx })
const softmaxCrossEntropy = new gluon.loss.SoftmaxCrossEntropyLoss()
const trainer = new gluon.Trainer(net.collectParams(), 'sgd', { learningRate })

/** One step: every device computes the gradients of its part, and the trainer adds them up. */
function trainBatch(x: NDArray, y: NDArray): void {
  const data = gluon.utils.splitAndLoad(x.reshape([-1, 784]), ctx, { evenSplit: false })
  const label = gluon.utils.splitAndLoad(y, ctx, { evenSplit: false })
  const losses = autograd.record(() =>
    data.map((part, i) => softmaxCrossEntropy(net(part), label[i]!)),
  )
  for (const loss of losses) loss.backward()
  trainer.step(x.shape[0]!)
}

/** The part of the unseen digits that the first device reads right. */
async function validate(): Promise<number> {
  const accuracy = new metric.Accuracy()
  for await (const [x, y] of validData) {
    const output = net(x.asInContext(ctx[0]!).reshape([-1, 784]))
    accuracy.update(y.asInContext(ctx[0]!), nd.argmax(output, { axis: 1 }))
  }
  return (await accuracy.get())[1]
}

let seconds = 0
for (let epoch = 0; epoch < epochs; epoch++) {
  const start = performance.now()
  for await (const [x, y] of trainData) trainBatch(x, y)
  await nd.waitAll()
  const took = (performance.now() - start) / 1000
  console.log(`Epoch ${epoch}, training time = ${took.toFixed(1)} sec`)
  console.log(`\tvalidation accuracy = ${(await validate()).toFixed(4)}`)
  seconds += took
}

if (epochs > 0)
  console.log(`\n${Math.round((epochs * trainSet.length) / seconds)} images/s in training`)
