// The worker: trains the network and reads digits, so that the page never waits.
import { cpu, engine, gluon, gpu, init, metric, type NDArray, nd, random, sym, viz } from 'mxnet-ts'
import type { Device, Reply, Request } from './messages.ts'

const batchSize = 100
/** Batches of one point of the loss's curve: a thousand images. */
const stretch = 10
/** Images between two tests on unseen digits. */
const untilTest = 15_000
/** Units of the first layer whose weights the page shows. */
const shown = 32
/** Milliseconds between two turns of the page's messages, and between two reports to it. */
const [turn, report] = [12, 90]

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

// Small weights at first, so that the page can show what training makes of them.
const weightInitializer = new init.Normal(0.01)
const first = new gluon.nn.Dense(256, { activation: 'relu', inUnits: 784, weightInitializer })
const net = new gluon.nn.HybridSequential()
net.add(first, new gluon.nn.Dense(64, { activation: 'relu' }), new gluon.nn.Dense(10))
net.hybridize()
const loss = new gluon.loss.SoftmaxCrossEntropyLoss()
let ctx = cpu()

/** Makes the network know nothing, on a device. */
function begin(device: Device): void {
  ctx = device === 'gpu' ? gpu(0) : cpu()
  random.seed(7)
  net.initialize({ init: new init.Xavier(), ctx, forceReinit: true })
}

const weights = async (): Promise<Float32Array> =>
  Float32Array.from(await first.weight.data(ctx).at(`:${shown}`).asTypedArray(), Number)

let running = false
const curve = (name: string, values: readonly number[], xLabel: string): string =>
  viz.plotCurves({ [name]: values }, { width: 420, height: 260, xLabel }).svg

async function train(device: Device, epochs: number): Promise<void> {
  running = true
  begin(device)
  const trainer = new gluon.Trainer(net.collectParams(), 'adam', { learningRate: 0.001 })
  const step = gluon.fuseStep(net, loss, trainer)
  const losses: number[] = []
  const accuracies: number[] = []
  const start = performance.now()
  const look = async (): Promise<void> => {
    accuracies.push(await test())
    const xLabel = `tests, one every ${untilTest.toLocaleString('en')} images`
    const picture = curve('part of unseen digits read right', accuracies, xLabel)
    send({ type: 'tested', accuracy: accuracies.at(-1)!, picture })
  }
  for (let epoch = 0; epoch < epochs && running; epoch++) {
    let [images, since, began, told, paused] = [0, 0, performance.now(), 0, 0]
    let total: NDArray = nd.zeros([], { ctx })
    for await (const [x, y] of trainData) {
      total = total.add(nd.sum(step(x.asInContext(ctx), y.asInContext(ctx))))
      images += batchSize
      since += batchSize
      if (images % (stretch * batchSize) !== 0) continue
      losses.push((await total.asScalar()) / (stretch * batchSize))
      total = nd.zeros([], { ctx })
      const now = performance.now()
      if (now - told > report) {
        const perSecond = (1000 * since) / (now - began)
        const picture = curve('loss of a training image', losses, 'thousands of images')
        const latest = { loss: losses.at(-1)!, picture, weights: await weights() }
        send({ type: 'progress', epoch, images, perSecond, ...latest })
        told = performance.now()
        ;[since, began] = [0, told]
      }
      if (now - paused > turn) {
        await pause()
        paused = performance.now()
      }
      if (!running) break
      if (images % untilTest !== 0) continue
      await look()
      ;[since, began] = [0, performance.now()]
    }
  }
  if (!running) await look()
  const finished = running
  running = false
  send({ type: 'stopped', seconds: (performance.now() - start) / 1000, finished })
}

/** The part of digits it has not seen that it reads right. */
async function test(): Promise<number> {
  const accuracy = new metric.Accuracy()
  for await (const [x, y] of testData) {
    accuracy.update(y.asInContext(ctx), net(x.asInContext(ctx)))
    await pause()
  }
  return (await accuracy.get())[1]
}

async function recognise(pixels: Float32Array): Promise<void> {
  const probabilities = nd.softmax(net(nd.array(pixels, { ctx }).reshape([1, 784])))
  send({ type: 'recognised', probabilities: [...(await probabilities.asTypedArray())].map(Number) })
}

async function answer(request: Request): Promise<void> {
  if (request.type === 'recognise') await recognise(request.pixels)
  else if (request.type === 'stop') running = false
  else if (!running) await train(request.device, request.epochs)
}

const failed = (e: unknown): void => {
  running = false
  send({ type: 'failed', message: e instanceof Error ? e.message : String(e) })
}

self.addEventListener('message', ({ data }: MessageEvent<Request>) => {
  answer(data).catch(failed)
})

function aboutCpu(): string {
  const threads = engine.numThreads()
  if (threads > 1) return `WebAssembly, ${threads} threads`
  return self.crossOriginIsolated
    ? 'WebAssembly, one thread'
    : 'WebAssembly, one thread: the page is not cross-origin isolated'
}

/** What of WebGPU is needed to say which GPU there is. */
interface Gpu {
  requestAdapter(): Promise<{
    info?: { vendor?: string; architecture?: string; description?: string }
  } | null>
}

async function findGpu(): Promise<{ usable: boolean; about: string }> {
  const no = (about: string) => ({ usable: false, about })
  const webgpu = (navigator as { gpu?: Gpu }).gpu
  if (webgpu === undefined) {
    return no(
      self.isSecureContext
        ? 'not here: this browser has no WebGPU'
        : 'not here: browsers offer WebGPU over https and on localhost only',
    )
  }
  try {
    const adapter = await webgpu.requestAdapter()
    if (adapter === null) return no('not here: WebGPU finds no graphics card it may use')
    await gpu(0).ready()
    const { description, vendor, architecture } = adapter.info ?? {}
    const name = description || [vendor, architecture].filter(Boolean).join(' ')
    return { usable: true, about: `WebGPU, ${name || 'a graphics card'}` }
  } catch (e) {
    return no(`not here: WebGPU does not start (${e instanceof Error ? e.message : String(e)})`)
  }
}

async function open(): Promise<void> {
  begin('cpu')
  const graph = viz.plotNetwork(net(sym.var('data')), {
    title: 'digits',
    shape: { data: [1, 784] },
  })
  const [picture, device, now] = await Promise.all([graph.svg(), findGpu(), weights()])
  send({
    type: 'ready',
    network: String(net),
    picture,
    weights: now,
    cpu: aboutCpu(),
    gpu: device,
  })
}
open().catch(failed)
