// The worker: trains the network and reads digits, so that the page never waits.
import { gluon, init, metric, type NDArray, nd, random, runtime, sym, viz } from 'mxnet-ts'
import type { Reply, Request } from './messages.ts'

const batchSize = 128
/** Batches between two looks at the page's messages. */
const stretch = 12

const send = (reply: Reply): void => self.postMessage(reply)
/** Lets messages in, and the browser collect arrays that nobody holds any more. */
const pause = (): Promise<void> => new Promise((resolve) => setTimeout(resolve, 0))

const { DataLoader, vision } = gluon.data
const transform = (data: NDArray, label: NDArray) =>
  [data.astype('float32').div(255).reshape([-1, 784]), label.astype('float32')] as const
const root = new URL('datasets/mnist', self.name).href
const trainSet = new vision.MNIST({ root, train: true, transform })
const trainData = new DataLoader(trainSet, { batchSize, shuffle: true, lastBatch: 'discard' })
const testData = new DataLoader(new vision.MNIST({ root, train: false, transform }), {
  batchSize: 1000,
})

random.seed(7)
const net = new gluon.nn.HybridSequential()
net.nameScope(() => {
  net.add(new gluon.nn.Dense(256, { activation: 'relu' }))
  net.add(new gluon.nn.Dense(64, { activation: 'relu' }))
  net.add(new gluon.nn.Dense(10))
})
net.initialize({ init: new init.Xavier() })
net.hybridize()
const loss = new gluon.loss.SoftmaxCrossEntropyLoss()
const trainer = new gluon.Trainer(net.collectParams(), 'adam', { learningRate: 0.001 })

let running = false
const losses: number[] = []
const accuracies: number[] = []
const size = { width: 420, height: 260 }

async function train(epochs: number): Promise<void> {
  running = true
  losses.length = 0
  accuracies.length = 0
  const step = gluon.fuseStep(net, loss, trainer)
  for (let epoch = 0; epoch < epochs && running; epoch++) {
    let [images, batches, since, start] = [0, 0, 0, performance.now()]
    let total: NDArray = nd.zeros([])
    for await (const [x, y] of trainData) {
      total = total.add(nd.sum(step(x, y)))
      images += batchSize
      since += batchSize
      if (++batches % stretch !== 0) continue
      const perSecond = (1000 * since) / (performance.now() - start)
      losses.push((await total.asScalar()) / since)
      const options = { ...size, title: 'Loss', xLabel: `steps of ${stretch * batchSize} images` }
      const { svg: picture } = viz.plotCurves({ loss: losses }, options)
      send({ type: 'progress', epoch, images, perSecond, loss: losses.at(-1)!, picture })
      total = nd.zeros([])
      await pause()
      if (!running) break
      since = 0
      start = performance.now()
    }
    accuracies.push(await evaluate())
    const options = { ...size, title: 'Accuracy on held-out digits' }
    const { svg: picture } = viz.plotCurves({ accuracy: accuracies }, options)
    send({ type: 'epoch', epoch, accuracy: accuracies.at(-1)!, picture })
  }
  running = false
  send({ type: 'stopped' })
}

async function evaluate(): Promise<number> {
  const accuracy = new metric.Accuracy()
  for await (const [x, y] of testData) {
    accuracy.update(y, net(x))
    await pause()
  }
  return (await accuracy.get())[1]
}

async function recognise(pixels: Float32Array): Promise<void> {
  const probabilities = nd.softmax(net(nd.array(pixels).reshape([1, 784])))
  send({ type: 'recognised', probabilities: [...(await probabilities.asTypedArray())].map(Number) })
}

async function answer(request: Request): Promise<void> {
  if (request.type === 'recognise') await recognise(request.pixels)
  else if (request.type === 'stop') running = false
  else if (!running) await train(request.epochs)
}

const failed = (e: unknown): void =>
  send({ type: 'failed', message: e instanceof Error ? e.message : String(e) })

self.addEventListener('message', ({ data }: MessageEvent<Request>) => {
  answer(data).catch(failed)
})

async function begin(): Promise<void> {
  const picture = viz.plotNetwork(net(sym.var('data')), {
    title: 'digits',
    shape: { data: [1, 784] },
  })
  send({
    type: 'ready',
    network: String(net),
    picture: await picture.svg(),
    about: runtime.describe(),
  })
}
begin().catch(failed)
