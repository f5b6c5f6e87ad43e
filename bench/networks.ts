// Convolutional and recurrent networks behind the protocol of serve.ts, with the same weights as those of the peers.
import { autograd, cpu, gluon, type NDArray, nd, type Tensor } from 'mxnet-ts'
import { corners, labels, numbers, type Served } from './data.ts'

const ctx = cpu()
const { nn, rnn } = gluon

/** Gives each parameter that is drawn its numbers, by its place; others keep what they start with. */
function fill(net: gluon.Block): void {
  let seed = 40
  for (const parameter of net.collectParams().values()) {
    const shape = parameter.shape!
    seed++
    if (shape.length < 2) continue
    const inputs = shape.slice(1).reduce((a, b) => a * b, 1)
    const bound = Math.sqrt(3 / inputs)
    const values = numbers(shape[0]! * inputs, seed, -bound, bound)
    parameter.setData(nd.array(values, { ctx }).reshape([...shape]))
  }
}

const images = (n: number, c: number, size: number): NDArray =>
  nd.array(numbers(n * c * size * size, 31, 0, 1), { ctx }).reshape([n, c, size, size])

const classes = (n: number): NDArray => nd.array(Float32Array.from(labels(n, 32)), { ctx })

async function repeat(reps: number, once: () => unknown): Promise<void> {
  for (let i = 0; i < reps; i++) once()
  await nd.waitAll()
}

function lenet(): Served {
  const net = new nn.HybridSequential()
  net.add(new nn.Conv2D(20, 5, { activation: 'relu', inChannels: 1 }), new nn.MaxPool2D(2, 2))
  net.add(new nn.Conv2D(50, 5, { activation: 'relu', inChannels: 20 }), new nn.MaxPool2D(2, 2))
  net.add(new nn.Flatten(), new nn.Dense(500, { activation: 'relu', inUnits: 800 }))
  net.add(new nn.Dense(10, { inUnits: 500 }))
  net.initialize('zeros', { ctx })
  fill(net)
  const [data, label] = [images(64, 1, 28), classes(64)]
  const loss = new gluon.loss.SoftmaxCrossEntropyLoss()
  const trainer = new gluon.Trainer(net.collectParams(), 'sgd', { learningRate: 0.01 })
  net.hybridize()
  loss.hybridize()
  const once = (): NDArray => {
    const value = autograd.record(() => loss(net(data), label))
    value.backward()
    trainer.step(64)
    return value
  }
  return {
    check: async () => {
      fill(net)
      const first = await nd.mean(once()).asScalar()
      return [first, await nd.mean(once()).asScalar()]
    },
    run: (reps) => repeat(reps, once),
  }
}

/** Two convolutions beside a shortcut, as in the first networks of this kind. */
class BasicBlock extends gluon.HybridBlock {
  readonly body = new nn.HybridSequential()
  readonly shortcut: gluon.HybridBlock | null

  constructor(inChannels: number, channels: number, stride: number) {
    super()
    const conv = (inner: number, kernel: number, strides: number, padding: number) =>
      new nn.Conv2D(channels, kernel, { strides, padding, useBias: false, inChannels: inner })
    const norm = () => new nn.BatchNorm({ inChannels: channels })
    this.body.add(conv(inChannels, 3, stride, 1), norm(), new nn.Activation('relu'))
    this.body.add(conv(channels, 3, 1, 1), norm())
    this.shortcut = null
    if (stride === 1) return
    const down = new nn.HybridSequential()
    down.add(conv(inChannels, 1, stride, 0), norm())
    this.shortcut = down
  }

  override forward(x: Tensor): Tensor {
    return nd.relu(nd.add(this.body(x), this.shortcut === null ? x : this.shortcut(x)))
  }
}

function resnet(): gluon.HybridBlock {
  const net = new nn.HybridSequential()
  const stem = { strides: 2, padding: 3, useBias: false, inChannels: 3 }
  net.add(new nn.Conv2D(64, 7, stem), new nn.BatchNorm({ inChannels: 64 }))
  net.add(new nn.Activation('relu'), new nn.MaxPool2D(3, 2, { padding: 1 }))
  let inner = 64
  for (const channels of [64, 128, 256, 512]) {
    net.add(new BasicBlock(inner, channels, channels === 64 ? 1 : 2))
    net.add(new BasicBlock(channels, channels, 1))
    inner = channels
  }
  net.add(new nn.GlobalAvgPool2D(), new nn.Flatten(), new nn.Dense(1000, { inUnits: 512 }))
  net.initialize(undefined, { ctx })
  fill(net)
  net.hybridize()
  return net
}

function resnetForward(): Served {
  const net = resnet()
  const data = images(32, 3, 224)
  return {
    check: async () => corners(await net(data).asTypedArray()),
    run: (reps) => repeat(reps, () => net(data)),
  }
}

function resnetStep(): Served {
  const net = resnet()
  const [data, label] = [images(16, 3, 224), classes(16)]
  const loss = new gluon.loss.SoftmaxCrossEntropyLoss()
  loss.hybridize()
  const once = (): NDArray => {
    const value = autograd.record(() => loss(net(data), label))
    value.backward()
    return value
  }
  return {
    check: async () => [await nd.mean(once()).asScalar()],
    run: (reps) => repeat(reps, once),
  }
}

function lstm(): Served {
  const layer = new rnn.LSTM(256, { inputSize: 256 })
  layer.initialize(undefined, { ctx })
  fill(layer)
  layer.hybridize()
  const data = nd.array(numbers(35 * 32 * 256, 33, -1, 1), { ctx }).reshape([35, 32, 256])
  data.attachGrad()
  const once = (): NDArray => {
    const value = autograd.record(() => layer(data))
    value.backward()
    return value
  }
  return {
    check: async () => corners(await once().asTypedArray()),
    run: (reps) => repeat(reps, once),
  }
}

/** Networks by the names of their cases; those large enough for several threads apart. */
export const large = { resnetForward, resnetStep }
export const networks = { lenet, lstm, ...large }
