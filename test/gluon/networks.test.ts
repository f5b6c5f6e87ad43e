/** Networks of each kind that people have in MXNet's files: written down as MXNet 1.9.1 exports them, they are what our blocks export, and run as these do. */

import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import * as mx from 'mxnet-ts'
import { afterAll, describe, expect, it } from 'vitest'
import { fileOf, textOf } from '../symbol/file.ts'
import {
  deconvolution,
  deconvolutionFile,
  residual,
  residualFile,
  squeeze,
  squeezeFile,
} from './networks/images.ts'
import { Attention, attentionFile, Reader, readerFile } from './networks/sentences.ts'

const { autograd, gluon, nd } = mx

const folder = mkdtempSync(join(tmpdir(), 'networks-'))
afterAll(() => rmSync(folder, { recursive: true }))

const image = () => [nd.random.normal(0, 1, { shape: [3, 2, 8, 8] })]
const sentences = () => [
  nd.array([
    [3, 1, 4, 1, 5],
    [9, 2, 6, 5, 3],
  ]),
  nd.array([5, 2], { dtype: 'int32' }),
]
const networks = [
  ['residual', residual, residualFile, image],
  ['squeeze', squeeze, squeezeFile, image],
  [
    'deconvolution',
    deconvolution,
    deconvolutionFile,
    () => [nd.random.normal(0, 1, { shape: [3, 7] })],
  ],
  ['LSTM', () => new Reader(), readerFile, sentences],
  ['attention', () => new Attention(), attentionFile, sentences],
] as const

/** Largest difference, relative to the largest magnitude wanted. */
async function distance(got: mx.NDArray, want: mx.NDArray): Promise<number> {
  expect(got.shape).toEqual(want.shape)
  const [a, b] = [
    Array.from(await got.asTypedArray(), Number),
    Array.from(await want.asTypedArray(), Number),
  ]
  const scale = Math.max(1e-6, ...b.map(Math.abs))
  return Math.max(...b.map((v, i) => Math.abs(v - a[i]!))) / scale
}

describe.each(networks)('%s', (name, make, lines, data) => {
  it('is exported as MXNet exports it', () => {
    const net = make()
    net.initialize()
    net.hybridize()
    net(...data())
    const { nodes, heads } = JSON.parse(net.toSymbol().toJSON()) as ReturnType<typeof fileOf>
    const want = fileOf(lines)
    expect(nodes.map((n) => JSON.stringify(n))).toEqual(want.nodes.map((n) => JSON.stringify(n)))
    expect(heads).toEqual(want.heads)
  })

  it.each([false, true])(
    'MXNet’s file runs and trains as the blocks do (hybridized: %s)',
    async (hybrid) => {
      const net = make()
      net.initialize(new mx.init.Xavier())
      const inputs = data()
      net.hybridize()
      net(...inputs)

      const [symbolFile, paramsFile] = [
        join(folder, `${name}-symbol.json`),
        join(folder, `${name}-0000.params`),
      ]
      writeFileSync(symbolFile, textOf(lines))
      await net.export(join(folder, `${name}-own`))
      const own = await nd.load(join(folder, `${name}-own-0000.params`))
      await nd.save(paramsFile, own)
      const variables = lines.flatMap(([op, variable]) =>
        op === 'null' && /^data\d?$/.test(variable) ? [variable] : [],
      )
      const again = await gluon.SymbolBlock.imports(symbolFile, variables, paramsFile)
      if (hybrid) {
        net.hybridize()
        again.hybridize()
      }
      expect(await distance(again(...inputs), net(...inputs))).toBeLessThan(1e-5)
      const steps = async (block: typeof net | typeof again) => {
        const trainer = new gluon.Trainer(block.collectParams(), 'sgd', {
          learningRate: 0.1,
          momentum: 0.9,
          wd: 0.001,
        })
        mx.random.seed(7)
        const loss = autograd.record(() =>
          block(...inputs)
            .square()
            .sum({ axis: 0, exclude: true }),
        )
        loss.backward()
        const gradients = [...block.collectParams()].flatMap(([key, p]) =>
          p.gradReq === 'null' ? [] : [[key, p.grad().copy()] as const],
        )
        trainer.step(inputs[0]!.shape[0]!)
        return new Map([
          ...gradients,
          ...[...block.collectParams()].map(([key, p]) => [`after ${key}`, p.data()] as const),
          ['loss', loss],
        ])
      }
      const [want, got] = [await steps(net), await steps(again)]
      expect([...got.keys()].sort()).toEqual([...want.keys()].sort())
      for (const [key, value] of want) {
        // What a convolution adds before BatchNorm has no gradient but rounding.
        expect(await distance(got.get(key)!, value), key).toBeLessThan(1e-5)
      }
    },
  )
})
