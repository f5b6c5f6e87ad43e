// The tutorial's second program: the same network trained on several devices at once, each with its share of every batch.
import { autograd, cpu, gluon, gpu, init, metric, type NDArray, nd, random } from 'mxnet-ts'
import { readOptions } from '../support/options.ts'

const { epochs, batchSize, learningRate, seed, devices } = readOptions('cpu(0),cpu(1)')
const ctx = devices.map(({ type, id }) => (type === 'gpu' ? gpu(id) : cpu(id)))
if (seed !== undefined) random.seed(seed)

const transform = (data: NDArray, label: NDArray) =>
  [data.astype('float32').div(255), label.astype('float32')] as const
const { DataLoader, vision } = gluon.data
const trainData = new DataLoader(new vision.MNIST({ train: true, transform }), {
  batchSize,
  shuffle: true,
})
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

for (let epoch = 0; epoch < epochs; epoch++) {
  const start = performance.now()
  for await (const [x, y] of trainData) trainBatch(x, y)
  await nd.waitAll()
  const seconds = (performance.now() - start) / 1000
  console.log(`Epoch ${epoch}, training time = ${seconds.toFixed(1)} sec`)
  const accuracy = new metric.Accuracy()
  for await (const [x, y] of validData) {
    const output = net(x.asInContext(ctx[0]!).reshape([-1, 784]))
    accuracy.update(y.asInContext(ctx[0]!), nd.argmax(output, { axis: 1 }))
  }
  console.log(`\tvalidation accuracy = ${(await accuracy.get())[1].toFixed(4)}`)
}
