// What the first program learnt: its parameters are loaded, and digits it never saw are read.
import { existsSync } from 'node:fs'
import { parseArgs } from 'node:util'
import { cpu, gluon, type NDArray, nd } from 'mxnet-ts'
import { picture } from '../support/ascii.ts'
import { output, where } from '../support/output.ts'

const { values } = parseArgs({ options: { count: { type: 'string', default: '5' } } })
const count = Number(values.count)
if (!existsSync(output('mlp.params'))) {
  console.error(`${where('mlp.params')} is not there yet: npm run example -- mnist/train`)
  process.exit(1)
}

const net = new gluon.nn.Sequential()
net.nameScope(() => {
  net.add(new gluon.nn.Dense(64, { activation: 'relu' }))
  net.add(new gluon.nn.Dense(64, { activation: 'relu' }))
  net.add(new gluon.nn.Dense(10))
})
await net.loadParameters(output('mlp.params'), { ctx: cpu() })

const transform = (data: NDArray, label: NDArray) =>
  [data.astype('float32').div(255), label.astype('float32')] as const
const testSet = new gluon.data.vision.MNIST({ train: false, transform })
const testData = new gluon.data.DataLoader(testSet, { batchSize: count })
for await (const [x, y] of testData) {
  const probabilities = nd.softmax(net(x.reshape([-1, 784])))
  const best = await nd.argmax(probabilities, { axis: 1 }).asTypedArray()
  const chances = await nd.max(probabilities, { axis: 1 }).asTypedArray()
  const labels = await y.asTypedArray()
  const pixels = await x.asTypedArray()
  for (let i = 0; i < labels.length; i++) {
    console.log(picture(pixels.subarray(i * 784, (i + 1) * 784) as Float32Array, 28))
    const verdict = best[i] === labels[i] ? 'right' : `wrong, it is ${labels[i]}`
    console.log(`prediction ${best[i]}, probability ${Number(chances[i]).toFixed(3)}: ${verdict}\n`)
  }
  break
}
