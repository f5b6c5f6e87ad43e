/** A device that is lost in the middle of a program: an error at the next read that names it, and the others go on. */

import { describe, expect, it } from 'vitest'
import { missingGpu, openAdapter } from '../backend/webgpu/adapters.ts'

process.env.MXNET_GPU_VIRTUAL = '2'
const missing = await missingGpu()
const { autograd, gluon, gpu, nd } = await import('mxnet-ts')
const { batch, makeNet } = await import('./net.ts')

/** Starts a context, and gives its device, which the library keeps to itself. */
async function deviceOf(context: ReturnType<typeof gpu>): Promise<GPUDevice> {
  const adapters = Object.getPrototypeOf(await openAdapter()) as GPUAdapter
  const { requestDevice } = adapters
  const made: GPUDevice[] = []
  adapters.requestDevice = async function (descriptor) {
    const device = await requestDevice.call(this, descriptor)
    made.push(device)
    return device
  }
  await context.ready()
  adapters.requestDevice = requestDevice
  expect(made).toHaveLength(1)
  return made[0]!
}

describe.skipIf(missing !== null)(`a lost GPU (${missing ?? 'run'})`, { timeout: 60_000 }, () => {
  it('is an error at the next read that names it, and the other one trains on', async () => {
    const device = await deviceOf(gpu(1))
    const stepOn = (ctx: ReturnType<typeof gpu>) => {
      const net = makeNet([ctx], true)
      const loss = new gluon.loss.SoftmaxCrossEntropyLoss()
      const trainer = new gluon.Trainer(net.collectParams(), 'sgd', { learningRate: 0.1 })
      return async (step: number): Promise<number> => {
        const [x, y] = batch(step % 2, 16)
        const l = autograd.record(() => loss(net(x.asInContext(ctx)), y.asInContext(ctx)))
        l.backward()
        trainer.step(16)
        return nd.sum(l).asScalar()
      }
    }
    const [here, there] = [stepOn(gpu(0)), stepOn(gpu(1))]
    const first = await here(0)
    expect(await there(0)).toBeCloseTo(first, 4)
    const held = nd.ones([3], { ctx: gpu(1) })
    await held.waitToRead()
    device.destroy()
    const lost =
      /^\[gpu\(1\)\] the device was lost \(destroyed\): .*Its arrays are gone; other devices go on$/
    await expect(there(1)).rejects.toThrow(lost)
    await expect(held.asArray()).rejects.toThrow(lost)
    await expect(held.asInContext(gpu(0)).asArray()).rejects.toThrow(/gpu\(1\)/)
    let last = first
    for (let step = 1; step <= 20; step++) last = await here(step)
    expect(last).toBeLessThan(first)
  })
})
