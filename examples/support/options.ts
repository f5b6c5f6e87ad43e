// The flags of a training program.
import { parseArgs } from 'node:util'
import { type Context, cpu, gpu } from 'mxnet-ts'

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

/** The flags, and what they are unless said; devices unless said are those of the program. */
const usage = (ctx: string): string => `  --epochs <n>      10
  --batch-size <n>  64
  --lr <number>     0.01, the learning rate
  --seed <n>        for the same numbers at each run
  --ctx <devices>   ${ctx}; any of cpu, cpu:1, gpu, gpu:1, … with commas between them
  --help            this text
MXNET_GPU_VIRTUAL=4 in the environment makes four contexts of one GPU.`

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
  const match = /^(cpu|gpu)(?:\((\d+)\)|:(\d+))?$/.exec(text)
  if (match === null) throw new Error(`--ctx ${text}: cpu, gpu or gpu:1 is wanted`)
  return { type: match[1] as 'cpu' | 'gpu', id: Number(match[2] ?? match[3] ?? 0) }
}

/** Reads the flags; throws a sentence that says which one is wrong. `ctx` is what --ctx is unless said; null: help is wanted. */
export function parseOptions(args: readonly string[], ctx = 'cpu'): Options | null {
  const { values } = parseArgs({ args: [...args], options })
  if (values.help) return null
  const batchSize = number('batch-size', values['batch-size'], true)
  const devices = (values.ctx ?? ctx).split(',').map((text) => device(text.trim()))
  const names = devices.map(({ type, id }) => `${type}:${id}`)
  const twice = names.find((name, i) => names.indexOf(name) !== i)
  if (twice !== undefined) throw new Error(`--ctx names ${twice} twice`)
  if (batchSize < devices.length) {
    const wanted = devices.length === 1 ? 'at least one image' : 'an image for each device'
    throw new Error(`--batch-size ${batchSize}: ${wanted} is wanted`)
  }
  return {
    epochs: number('epochs', values.epochs, true),
    batchSize,
    learningRate: number('lr', values.lr, false),
    seed: values.seed === undefined ? undefined : number('seed', values.seed, true),
    device: devices[0]!,
    devices,
  }
}

/** The flags of this process; ends it with what is wrong with them, or with what the program is about where that is asked for. */
export function readOptions(about: string, ctx = 'cpu'): Options {
  try {
    const read = parseOptions(process.argv.slice(2), ctx)
    if (read !== null) return read
    console.log(`${about}\n\nIts flags, and what they are unless said:\n${usage(ctx)}`)
    return process.exit(0)
  } catch (error) {
    console.error(`${(error as Error).message}\n\nThe flags:\n${usage(ctx)}`)
    return process.exit(2)
  }
}

/** The contexts of devices, once they are there; ends the process where one is not. */
export async function openContexts(devices: readonly Device[]): Promise<Context[]> {
  const contexts = devices.map(({ type, id }) => (type === 'gpu' ? gpu(id) : cpu(id)))
  try {
    for (const context of contexts) await context.ready()
  } catch (error) {
    console.error((error as Error).message)
    process.exit(2)
  }
  return contexts
}
