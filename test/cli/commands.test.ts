/** The command line: commands in sequence on each other's output, exit codes, and errors in words. */

import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { encode } from 'fast-png'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { type NDArray, nd } from '../../src/node.ts'
import { goldenPath } from '../golden/npy.ts'
import { compile, mxnet, testImages } from './run.ts'

let folder: string
beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'mxnet-cli-'))
  await compile()
}, 200_000)
afterAll(() => rmSync(folder, { recursive: true }))

const cli = (...args: string[]) => mxnet(folder, ...args)
const read = (name: string): Buffer => readFileSync(join(folder, name))

describe('the way from training to prediction', { timeout: 120_000 }, () => {
  it('trains, and writes the model', async () => {
    const { code, out, err } = await cli(
      'train',
      'mnist',
      '--epochs',
      '2',
      '--hybridize',
      '--seed',
      '1',
      '--lr',
      '0.05',
    )
    expect({ code, err }).toEqual({ code: 0, err: '' })
    expect(out).toMatch(/^Epoch 0\. Loss: [\d.]+, Train_acc [\d.]+, Test_acc [\d.]+ \([\d.]+ s\)$/m)
    expect(out).toContain('wrote model-symbol.json\nwrote model-0002.params\n')
    expect(out).toContain('npx mxnet-ts plot model-symbol.json --output model.svg')
    expect(Number(/Epoch 1\..*Test_acc ([\d.]+)/.exec(out)![1])).toBeGreaterThan(0.9)
  })

  it('draws and prints the network', async () => {
    expect(
      await cli('plot', 'model-symbol.json', '-o', 'net.svg', '--shape', 'data=1,784'),
    ).toEqual({
      code: 0,
      out: 'wrote net.svg\n',
      err: '',
    })
    const svg = read('net.svg').toString()
    for (const label of ['data', 'FullyConnected', 'Activation', '784'])
      expect(svg).toContain(label)
    expect((await cli('plot', 'model-symbol.json', '-o', 'net.png')).code).toBe(0)
    expect(read('net.png').toString('latin1', 1, 4)).toBe('PNG')
    const { out } = await cli('summary', 'model-symbol.json', '--shape', 'data=1,784')
    expect(out).toContain('Total params: 55050')
    const unnamed = await cli('summary', 'model-symbol.json', '--shape', '1,784')
    expect(unnamed).toEqual({ code: 0, out, err: '' })
    const { err } = await cli('summary', 'model-symbol.json')
    expect(err).toContain('--shape data=')
  })

  it('converts there and back without a difference', async () => {
    const steps = [
      [
        'convert',
        'model-0002.params',
        'm.safetensors',
        '--symbol',
        'model-symbol.json',
        '--metadata',
        'format=mx',
      ],
      ['convert', 'm.safetensors', 'back-0002.params'],
      ['convert', 'model-0002.params', 'm.npz', '--compress'],
      ['convert', 'm.npz', 'zip.params'],
    ]
    for (const step of steps) expect(await cli(...step)).toMatchObject({ code: 0, err: '' })
    expect(read('back-0002.params').equals(read('model-0002.params'))).toBe(true)
    expect(read('zip.params').equals(read('model-0002.params'))).toBe(true)
    expect(read('back-symbol.json').equals(read('model-symbol.json'))).toBe(true)
  })

  it('names arrays as MXNet does where they come without its marks', async () => {
    await cli(
      'convert',
      'model-0002.params',
      'plain.safetensors',
      '--strip',
      '--symbol',
      'model-symbol.json',
    )
    const plain = JSON.parse((await cli('inspect', 'plain.safetensors', '--json')).out) as {
      arrays: { name: string }[]
    }
    expect(plain.arrays[0]!.name).not.toContain(':')
    await cli('convert', 'plain.safetensors', 'marked.params')
    const arrays = (await nd.load(join(folder, 'marked.params'))) as Record<string, NDArray>
    expect(Object.keys(arrays).every((name) => name.startsWith('arg:'))).toBe(true)
  })

  it('reads digits: of an IDX file, and of a PNG that is dark on light and large', async () => {
    const { out, code } = await cli('predict', `${testImages}:0`, `${testImages}:1`, '--json')
    expect(code).toBe(0)
    const lines = out
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line) as { digit: number; probabilities: number[] })
    expect(lines.map(({ digit }) => digit)).toEqual([7, 2])
    expect(lines[0]!.probabilities.reduce((a, b) => a + b)).toBeCloseTo(1)
    const image = readFileSync(testImages).subarray(16, 16 + 784)
    const [side, scale] = [140, 3]
    const data = new Uint8Array(side * side * 4).fill(255)
    image.forEach((v, i) => {
      for (let k = 0; k < scale * scale; k++) {
        const x = 20 + (i % 28) * scale + (k % scale)
        const y = 35 + Math.floor(i / 28) * scale + Math.floor(k / scale)
        data.fill(255 - v, 4 * (y * side + x), 4 * (y * side + x) + 3)
      }
    })
    writeFileSync(
      join(folder, 'seven.png'),
      encode({ width: side, height: side, data, channels: 4 }),
    )
    expect((await cli('predict', 'seven.png')).out).toMatch(/^seven\.png: 7 \(\d+\.\d %\)$/m)
  })
})

describe('inspect', { timeout: 120_000 }, () => {
  it('lists what MXNet and NumPy wrote', async () => {
    const { out } = await cli('inspect', goldenPath('mxnet-nd/sparse.params'), '--json')
    expect(JSON.parse(out)).toMatchObject({
      format: 'params',
      named: true,
      arrays: [{ storage: 'row_sparse' }, { storage: 'csr' }],
    })
    const numpy = await cli('inspect', goldenPath('numpy/packed.npz'), '--stats')
    expect(numpy.out).toContain('NumPy .npz, 10 arrays')
    expect(numpy.out).toMatch(/^fortran +float32 +\(2, 3, 4\) +96 B +0 +23 +11\.5 +0$/m)
    const symbol = await cli('inspect', goldenPath('mxnet-nets/mlp/net-symbol.json'))
    expect(symbol.out).toMatch(/^FullyConnected +3$/m)
  })
})

describe('help and errors', { timeout: 120_000 }, () => {
  it('explains itself', async () => {
    const { code, out } = await cli('--help')
    expect(code).toBe(0)
    for (const word of ['info', 'train', 'predict', 'plot', 'summary', 'convert', 'inspect']) {
      expect(out).toContain(`  ${word} `)
      const help = await cli(word, '--help')
      expect(help.code).toBe(0)
      expect(help.out).toContain(`Usage: mxnet-ts ${word}`)
    }
    expect((await cli('train', '--help')).out).toMatch(/default:\s+cpu\)/)
    expect((await cli('info')).out).toContain('mxnet-ts      0.1.0')
    expect(JSON.parse((await cli('info', '--json')).out)).toMatchObject({
      version: '0.1.0',
      simd: true,
    })
    expect((await cli('--version')).out).toBe('0.1.0\n')
  })

  it.each([
    [2, ['nope'], "mxnet-ts: unknown command 'nope'"],
    [2, ['trian'], '(Did you mean train?)'],
    [2, [], 'Usage: mxnet-ts'],
    [2, ['train', 'mnist', '--epochs', '0'], 'It must be a whole number from 1 on.'],
    [2, ['train', 'mnist', '--ctx', 'tpu'], 'It must be such as cpu, cpu:1 or gpu:0.'],
    [2, ['plot', 'x.json'], "required option '-o, --output <file>' not specified"],
    [2, ['plot', 'x.json', '-o', 'x.svg', '-s', 'data'], 'It must be such as data=1,784.'],
    [1, ['train', 'mnist', '--optimizer', 'none'], "[optimizer] no optimizer is called 'none'"],
    [1, ['inspect', 'missing'], "[inspect] cannot read 'missing': ENOENT"],
    [1, ['inspect', 'text.txt'], '[inspect text.txt] begins as no file of arrays does'],
    [1, ['plot', 'text.txt', '-o', 'x.svg'], 'text.txt'],
    [1, ['predict', 'text.txt', '--model', 'none-symbol.json'], 'there is no none-NNNN.params'],
    [
      1,
      ['convert', 'one.npy', 'x.npz', '--metadata', 'a=b'],
      '[x.npz] has no place for --metadata',
    ],
    [1, ['convert', 'one.npy', 'x.safetensors'], 'holds arrays by name'],
    [1, ['convert', 'one.npy', 'x.tiff'], 'let it end in .params, .npy, .npz or .safetensors'],
    [1, ['summary', 'one.params'], 'this is no text: give a symbol.json'],
  ] as const)('ends with %i for %j', async (code, args, message) => {
    writeFileSync(join(folder, 'text.txt'), 'no arrays')
    await nd.save(join(folder, 'one.npy'), nd.ones([2]))
    await nd.save(join(folder, 'one.params'), nd.ones([2]))
    const result = await cli(...args)
    expect(result.err).toContain(message)
    expect(result.err).not.toMatch(/^ {4}at /m)
    expect(result).toMatchObject({ code, out: '' })
  })
})
