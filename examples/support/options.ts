// The flags of a training program.
import { parseArgs } from 'node:util'

export interface Options {
  readonly epochs: number
  readonly batchSize: number
  readonly learningRate: number
  readonly seed: number | undefined
  /** Where to train: the first of `devices`. */
  readonly device: Device
  readonly devices: readonly Device[]
}

export interface Device {
  readonly type: 'cpu' | 'gpu'
  readonly id: number
}

const usage = `  --epochs <n>      10
  --batch-size <n>  64
  --lr <number>     0.01, the learning rate
  --seed <n>        for the same numbers at each run
  --ctx <devices>   cpu, gpu, gpu(1); several as in 'cpu(0),cpu(1)'`

const options = {
  epochs: { type: 'string', default: '10' },
  'batch-size': { type: 'string', default: '64' },
  lr: { type: 'string', default: '0.01' },
  seed: { type: 'string' },
  ctx: { type: 'string' },
  help: { type: 'boolean', default: false },
} as const

function number(flag: string, text: string, whole: boolean): number {
  const value = Number(text)
  if (text === '' || !(value >= 0) || (whole && !Number.isInteger(value))) {
    throw new Error(`--${flag} ${text}: a ${whole ? 'whole ' : ''}number is wanted`)
  }
  return value
}

function device(text: string): Device {
  const match = /^(cpu|gpu)(?:\((\d+)\))?$/.exec(text)
  if (match === null) throw new Error(`--ctx ${text}: cpu, gpu or gpu(1) is wanted`)
  return { type: match[1] as 'cpu' | 'gpu', id: Number(match[2] ?? 0) }
}

/** Reads the flags; throws a sentence that says which one is wrong. `ctx` is what --ctx is unless said. */
export function parseOptions(args: readonly string[], ctx = 'cpu'): Options {
  const { values } = parseArgs({ args: [...args], options })
  if (values.help) throw new Error('the flags and what they are unless said:')
  const batchSize = number('batch-size', values['batch-size'], true)
  if (batchSize === 0) throw new Error('--batch-size 0: at least one image is wanted')
  const devices = (values.ctx ?? ctx).split(/,(?![^(]*\))/).map((text) => device(text.trim()))
  return {
    epochs: number('epochs', values.epochs, true),
    batchSize,
    learningRate: number('lr', values.lr, false),
    seed: values.seed === undefined ? undefined : number('seed', values.seed, true),
    device: devices[0]!,
    devices,
  }
}

/** The flags of this process; prints what is wrong with them and ends it. */
export function readOptions(ctx = 'cpu'): Options {
  try {
    return parseOptions(process.argv.slice(2), ctx)
  } catch (error) {
    console.error(`${(error as Error).message}\n${usage}`)
    return process.exit(process.argv.includes('--help') ? 0 : 2)
  }
}
