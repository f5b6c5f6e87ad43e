/** MXNet's exported LeNet with batch normalization, rebuilt with our layers: names, prediction, one training step. */

import { readFileSync } from 'node:fs'
import { autograd, Context, gluon, type NDArray, nd } from 'mxnet-ts'
import { describe, expect, it } from 'vitest'
import { goldenPath, type NpyArray, readNpy, readNpz } from './npy.ts'

const { nn } = gluon
const folder = 'mxnet-nets/lenet_bn'
const meta = JSON.parse(readFileSync(goldenPath(`${folder}/meta.json`), 'utf8')) as {
  readonly parameters: { readonly [name: string]: { readonly shape: number[]; grad_req: string } }
}
const train = readNpz(`${folder}/train.npz`)
const recorded = (name: string): NpyArray => train.get(name)!

function lenet() {
  const net = new nn.HybridSequential({ prefix: 'lenet_' })
  net.nameScope(() => {
    net.add(new nn.Conv2D(6, 5, { padding: 2 }))
    net.add(new nn.BatchNorm())
    net.add(new nn.Activation('relu'))
    net.add(new nn.MaxPool2D(2, 2))
    net.add(new nn.Conv2D(12, 5))
    net.add(new nn.BatchNorm({ momentum: 0.8, epsilon: 1e-3 }))
    net.add(new nn.Activation('sigmoid'))
    net.add(new nn.AvgPool2D(2, 2))
    net.add(new nn.Flatten())
    net.add(new nn.Dense(32, { activation: 'tanh' }))
    net.add(new nn.Dense(10))
  })
  return net
}

async function expectNear(got: NDArray, want: NpyArray, tolerance: number, what: string) {
  const values = await got.asTypedArray()
  const numbers = Array.from(want.values, Number)
  expect(got.shape, what).toEqual(want.shape)
  const largest = numbers.reduce((m, v) => Math.max(m, Math.abs(v)), 0)
  const bound = Math.max(tolerance * largest, 1e-6)
  numbers.forEach((w, i) => {
    if (!(Math.abs(Number(values[i]) - w) <= bound))
      expect.fail(`${what}: element ${i} is ${values[i]}, MXNet has ${w} (bound ${bound})`)
  })
}

const array = (x: NpyArray, ctx: Context): NDArray =>
  nd.array(x.values as Float32Array, { ctx }).reshape(x.shape)

describe('lenet_bn as MXNet exported it', () => {
  it('prints as in MXNet', () => {
    const net = lenet()
    expect(String(net)).toBe(
      [
        'HybridSequential(',
        '  (0): Conv2D(None -> 6, kernel_size=(5, 5), stride=(1, 1), padding=(2, 2))',
        '  (1): BatchNorm(axis=1, eps=1e-05, momentum=0.9, fix_gamma=False, use_global_stats=False, in_channels=None)',
        '  (2): Activation(relu)',
        '  (3): MaxPool2D(size=(2, 2), stride=(2, 2), padding=(0, 0), ceil_mode=False, global_pool=False, pool_type=max, layout=NCHW)',
        '  (4): Conv2D(None -> 12, kernel_size=(5, 5), stride=(1, 1))',
        '  (5): BatchNorm(axis=1, eps=0.001, momentum=0.8, fix_gamma=False, use_global_stats=False, in_channels=None)',
        '  (6): Activation(sigmoid)',
        '  (7): AvgPool2D(size=(2, 2), stride=(2, 2), padding=(0, 0), ceil_mode=False, global_pool=False, pool_type=avg, layout=NCHW)',
        '  (8): Flatten',
        '  (9): Dense(None -> 32, Activation(tanh))',
        '  (10): Dense(None -> 10, linear)',
        ')',
      ].join('\n'),
    )
  })

  for (const device of ['cpu', 'wasm'] as const) {
    for (const mode of ['eager', 'hybridized', 'fused'] as const) {
      it(`gives the recorded numbers on ${device}, ${mode}`, async () => {
        const ctx = new Context(device, 0)
        const net = lenet()
        await net.loadParameters(goldenPath(`${folder}/net.params`), { ctx })
        if (mode === 'hybridized') net.hybridize()
        const params = net.collectParams()
        expect([...params.keys()]).toEqual(Object.keys(meta.parameters))
        for (const [name, p] of params.entries()) {
          expect(p.shape, name).toEqual(meta.parameters[name]!.shape)
          expect(p.gradReq, name).toBe(meta.parameters[name]!.grad_req)
        }
        const x = array(readNpy(`${folder}/input.npy`), ctx)
        await expectNear(net(x), readNpy(`${folder}/output.npy`), 1e-5, 'prediction')

        const label = array(recorded('label'), ctx)
        const loss = new gluon.loss.SoftmaxCrossEntropyLoss()
        if (mode === 'hybridized') loss.hybridize()
        const options = { learningRate: 0.1, momentum: 0.9, wd: 0.001 }
        const trainer = new gluon.Trainer(params, 'sgd', options)
        if (mode === 'fused') {
          const step = gluon.fuseStep(net, loss, trainer)
          await expectNear(step(x, label, 2), recorded('loss'), 1e-5, 'loss')
        } else {
          const losses = autograd.record(() => {
            const output = net(x)
            return [output, loss(output, label)] as const
          })
          await expectNear(losses[0], recorded('output'), 1e-5, 'output')
          await expectNear(losses[1], recorded('loss'), 1e-5, 'loss')
          losses[1].backward()
          for (const [name, p] of params.entries()) {
            const want = train.get(`grad:${name}`)
            if (want !== undefined) await expectNear(p.grad(), want, 1e-4, `gradient of ${name}`)
          }
          trainer.step(2)
        }
        for (const [name, p] of params.entries())
          await expectNear(p.data(), recorded(`after:${name}`), 1e-4, `${name} after the step`)
        await expectNear(net(x), recorded('output_after'), 1e-4, 'prediction after the step')
      })
    }
  }
})
