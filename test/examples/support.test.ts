// What the examples stand on: flags, the picture of a digit, the learning curve.
import { spawnSync } from 'node:child_process'
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { picture } from '../../examples/support/ascii.ts'
import { parseOptions } from '../../examples/support/options.ts'
import { curve } from '../../examples/support/plot.ts'
import { Progress } from '../../examples/support/progress.ts'
import { root } from '../../scripts/process.mjs'

describe('the flags', () => {
  it('are the tutorial’s unless said', () => {
    expect(parseOptions([])).toEqual({
      epochs: 10,
      batchSize: 64,
      learningRate: 0.01,
      seed: undefined,
      device: { type: 'cpu', id: 0 },
      devices: [{ type: 'cpu', id: 0 }],
    })
  })

  it('are read', () => {
    const args = ['--epochs', '2', '--batch-size', '32', '--lr', '0.1', '--seed', '7']
    const options = parseOptions([...args, '--ctx', 'gpu(1)'])
    expect(options).toEqual({
      epochs: 2,
      batchSize: 32,
      learningRate: 0.1,
      seed: 7,
      device: { type: 'gpu', id: 1 },
      devices: [{ type: 'gpu', id: 1 }],
    })
  })

  it('name several devices', () => {
    const both = [
      { type: 'cpu', id: 0 },
      { type: 'cpu', id: 1 },
    ]
    expect(parseOptions([], 'cpu:0,cpu:1')!.devices).toEqual(both)
    expect(parseOptions(['--ctx', 'cpu, cpu(1)'])!.devices).toEqual(both)
  })

  it.each([
    [['--epochs', 'many'], '--epochs many: a whole number is wanted'],
    [['--batch-size', '0'], '--batch-size 0: at least one image is wanted'],
    [['--lr', ''], '--lr : a number is wanted'],
    [['--ctx', 'tpu'], '--ctx tpu: cpu, gpu or gpu:1 is wanted'],
    [['--ctx', 'cpu,gpu,cpu(0)'], '--ctx names cpu:0 twice'],
    [['--ctx', 'cpu:0,cpu:1', '--batch-size', '1'], '--batch-size 1: an image for each device'],
  ])('%j is refused', (args, message) => {
    expect(() => parseOptions(args)).toThrow(message)
  })
})

const programs = join(root, 'build', 'examples', 'mnist')
const title = 'the programs (skipped until npm run build has been run)'
describe.skipIf(!existsSync(programs))(title, () => {
  const run = (program: string, ...args: string[]) =>
    spawnSync(process.execPath, [join(programs, `${program}.js`), ...args], {
      encoding: 'utf8',
      env: { ...process.env, VK_ICD_FILENAMES: '/nowhere', NO_COLOR: '1' },
    })

  it.each(['train', 'multiDevice'])('%s says what it is for, and what its flags are', (program) => {
    const { status, stdout, stderr } = run(program, '--help')
    expect([status, stderr]).toEqual([0, ''])
    expect(stdout).toMatch(/^Trains a network[\s\S]*--ctx <devices> {3}cpu/)
    expect(run(program, '--learning', '1')).toMatchObject({ status: 2, stdout: '' })
  })

  it('multiDevice ends with a sentence where a device is not there', () => {
    const { status, stdout, stderr } = run('multiDevice', '--ctx', 'gpu:7')
    expect([status, stdout]).toEqual([2, ''])
    expect(stderr).toMatch(/\[gpu\(7\)\] .+\n$/)
  })

  it('multiDevice prints what the tutorial prints', { timeout: 200_000 }, () => {
    const { status, stdout } = run(
      'multiDevice',
      '--epochs',
      '1',
      '--batch-size',
      '600',
      '--seed',
      '1',
    )
    expect(status).toBe(0)
    expect(stdout).toMatch(
      /Epoch 0, training time = \d+\.\d sec\n\tvalidation accuracy = 0\.\d{4}\n/,
    )
  })
})

describe('the picture of a digit', () => {
  it('has a character for two rows, darker for more', () => {
    expect(picture([0, 1, 0.5, 0, 1, 0.5], 3)).toBe(' @+')
  })
})

describe('the learning curve', () => {
  it('is SVG with a line for each figure', () => {
    const svg = curve([
      { loss: 1.2, trainAccuracy: 0.84, testAccuracy: 0.85 },
      { loss: 0.4, trainAccuracy: 0.88, testAccuracy: 0.89 },
    ])
    expect(svg).toMatch(/^<svg .*<\/svg>$/s)
    for (const name of ['loss', 'training accuracy', 'test accuracy']) expect(svg).toContain(name)
  })
})

describe('the progress bar', () => {
  it('prints nothing where there is no terminal, and still counts', () => {
    const wasTerminal = process.stdout.isTTY
    process.stdout.isTTY = false
    const written: unknown[] = []
    const write = process.stdout.write
    process.stdout.write = ((text: unknown) => written.push(text) > 0) as typeof write
    const progress = new Progress(10)
    try {
      progress.start('Epoch 0')
      progress.advance(10, 5)
      progress.stop()
    } finally {
      process.stdout.write = write
      process.stdout.isTTY = wasTerminal
    }
    expect(written).toEqual([])
    expect(progress.summary()).toMatch(/^10 images in /)
  })
})
