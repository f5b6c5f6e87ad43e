/** `predict`: a trained network reads digits from pictures. */

import { readdir } from 'node:fs/promises'
import { basename, dirname, join } from 'node:path'
import type { Command } from 'commander'
import { fail } from '../base/error.ts'
import { fileError } from '../ndarray/nodeFiles.ts'
import { gluon, type NDArray, nd } from '../node.ts'
import { side, toDigit } from './digit.ts'
import { readPicture } from './pictures.ts'
import { bold, dim, printJson } from './terminal.ts'

interface Options {
  readonly model: string
  readonly params?: string
  readonly json?: boolean
}

/** Adds the command to the program. */
export function addPredict(program: Command): void {
  program
    .command('predict')
    .summary('read digits from pictures with a trained network')
    .description(
      'Prints the digit that a network sees in each picture, and its probability. Pictures are PNG files of any size, dark on light or light on dark, or images of an IDX file by number: t10k-images-idx3-ubyte:7.',
    )
    .argument('<picture...>', 'PNG files, or IDX files with the number of an image')
    .option('-m, --model <file>', 'the symbol.json of the network', 'model-symbol.json')
    .option('-p, --params <file>', 'its parameters (default: the newest beside the model)')
    .option('--json', 'print one JSON object a picture')
    .action(predict)
}

async function predict(pictures: readonly string[], options: Options): Promise<void> {
  const params = options.params ?? (await newestParams(options.model))
  const net = await gluon.SymbolBlock.imports(options.model, ['data'], params)
  for (const picture of pictures) {
    const pixels = nd.array(toDigit(readPicture(picture))).reshape([1, 1, side, side])
    const probabilities = await probabilitiesOf(net(pixels))
    const digit = probabilities.indexOf(Math.max(...probabilities))
    if (options.json) {
      printJson({ picture, digit, probabilities })
      continue
    }
    console.log(`${picture}: ${bold(String(digit))} (${percent(probabilities[digit]!)})`)
    const others = probabilities
      .map((p, k) => [k, p] as const)
      .filter(([k, p]) => k !== digit && p >= 0.001)
      .sort((a, b) => b[1] - a[1])
    if (others.length > 0) {
      console.log(dim(`  else ${others.map(([k, p]) => `${k} (${percent(p)})`).join(', ')}`))
    }
  }
}

const percent = (part: number): string => `${(100 * part).toFixed(1)} %`

/** The parameters of the latest epoch beside a symbol: model-0010.params beside model-symbol.json. */
async function newestParams(model: string): Promise<string> {
  const prefix = basename(model).replace(/-symbol\.json$/, '')
  const names = await readdir(dirname(model)).catch((e: unknown) => {
    throw fileError('predict', 'read', model, e)
  })
  const newest = names
    .filter(
      (name) =>
        name.startsWith(`${prefix}-`) && /^\d{4}\.params$/.test(name.slice(prefix.length + 1)),
    )
    .sort()
    .at(-1)
  return newest === undefined
    ? fail('predict', `there is no ${prefix}-NNNN.params beside ${model}: name it with --params`)
    : join(dirname(model), newest)
}

/** What a network says as ten probabilities: its own, or the softmax of its scores. */
async function probabilitiesOf(output: NDArray): Promise<number[]> {
  const scores = [...(await output.asTypedArray())].map(Number)
  if (scores.length !== 10) fail('predict', `the network has ${scores.length} outputs, not ten`)
  const sum = scores.reduce((a, b) => a + b, 0)
  const own = scores.every((p) => p >= 0) && Math.abs(sum - 1) < 1e-3
  return own ? scores : [...(await nd.softmax(output).asTypedArray())].map(Number)
}
