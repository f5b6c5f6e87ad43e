/** Training steps on a GPU: what a step costs, memory over a thousand of them, and devices that are lost. */

import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import { afterEach, describe, expect, it } from 'vitest'
import { createWebGpuBackend, type WebGpuBackend } from '../../src/backend/webgpu/backend.ts'
import { binary, load } from '../../src/prim/expr.ts'
import { mapKernel } from '../backend/kernels.ts'
import { missingGpu, openAdapter } from '../backend/webgpu/adapters.ts'

const missing = await missingGpu()
const mx = await import('mxnet-ts')
const { autograd, gluon, gpu, nd } = mx
const { batch, makeNet } = await import('./net.ts')

const size = 16
const ctx = gpu(0)

setFlagsFromString('--expose-gc')
const collect = runInNewContext('gc') as () => void

/** Lets the collector find what nobody holds, and the library, which listens when it needs a block, hear of it. */
async function collectGarbage(): Promise<void> {
  for (let i = 0; i < 5; i++) {
    collect()
    await new Promise((resolve) => setTimeout(resolve, 20))
    nd.zeros([4321 + i], { ctx })[Symbol.dispose]()
  }
  ctx.emptyCache()
  await nd.waitAll()
}

/** A step of training; `fail` throws in the middle of it. */
function stepper(hybridize: boolean) {
  const net = makeNet([ctx], hybridize)
  const loss = new gluon.loss.SoftmaxCrossEntropyLoss()
  if (hybridize) loss.hybridize()
  const trainer = new gluon.Trainer(net.collectParams(), 'adam', { learningRate: 0.01 })
  const batches = Array.from({ length: 4 }, (_, i) => batch(i, size))
  return (step: number, fail = false) => {
    const [x, y] = batches[step % 4]!
    const l = autograd.record(() => {
      const out = net(x.asInContext(ctx))
      if (fail) nd.dot(out, nd.ones([7, 7], { ctx }))
      return loss(out, y.asInContext(ctx))
    })
    l.backward()
    trainer.step(size)
    return nd.sum(l)
  }
}

describe.skipIf(missing !== null)(
  `steps on a GPU (${missing ?? 'run'})`,
  { timeout: 240_000 },
  () => {
    afterEach(() => nd.waitAll())

    it('hybridized: two submits at most, and nothing new but launches', async () => {
      const step = stepper(true)
      for (let i = 0; i < 3; i++) await step(i).asScalar()
      const before = mx.profiler.deviceCounters()['gpu(0)']!
      const steps = 20
      for (let i = 0; i < steps; i++) await step(i).asScalar()
      const after = mx.profiler.deviceCounters()['gpu(0)']!
      const by = (name: string): number => (after[name]! - before[name]!) / steps
      expect(by('submits')).toBeLessThanOrEqual(2)
      expect(by('bindGroups')).toBe(0)
      expect(by('pipelines')).toBe(0)
      expect(by('buffers')).toBe(0)
      expect(by('launches')).toBeGreaterThan(1)
      expect(mx.profiler.dumps()).toContain('gpu(0): ')
    })

    it.each([
      [false, false],
      [false, true],
      [true, false],
      [true, true],
    ])(
      'leave nothing behind over 1000 of them (hybridized: %s, some fail: %s)',
      {
        timeout: 240_000,
      },
      async (hybridize, some) => {
        const step = stepper(hybridize)
        const live = async (): Promise<number> => {
          const [free, total] = await mx.gpuMemoryInfo(0)
          return total - free
        }
        for (let i = 0; i < 10; i++) await step(i).asScalar()
        await collectGarbage()
        const before = { live: await live(), counts: mx.profiler.deviceCounters()['gpu(0)']! }
        let last = 0
        for (let i = 0; i < 1000; i++) {
          // Every tenth step fails where it computes.
          if (some && i % 10 === 5) expect(() => step(i, true)).toThrow(/dot/)
          else if (i % 20 === 0) last = await step(i).asScalar()
          else step(i)
        }
        expect(Number.isFinite(last)).toBe(true)
        const counts = mx.profiler.deviceCounters()['gpu(0)']!
        expect(counts.buffers! - before.counts.buffers!).toBeLessThanOrEqual(2)
        await collectGarbage()
        // One number a step left behind would be more.
        expect((await live()) - before.live).toBeLessThan(4000)
      },
    )

    it('a lost device is an error that names it, and others go on', async () => {
      const [lost, other] = [0, 1].map((i) => createWebGpuBackend(openAdapter, `gpu(${i})`)) as [
        WebGpuBackend,
        WebGpuBackend,
      ]
      const kernel = mapKernel(
        [4],
        ['float32'],
        [binary('add', load(0, 'float32'), load(0, 'float32'))],
      )
      const run = (backend: WebGpuBackend): Promise<Uint8Array> => {
        const [x, y] = [backend.alloc(16), backend.alloc(16)]
        backend.write(x, new Uint8Array(Float32Array.of(1, 2, 3, 4).buffer))
        backend.compile(kernel).run([x, y], [])
        return backend.read(y, 16)
      }
      await run(lost)
      await run(other)
      lost.destroy()
      await expect(run(lost)).rejects.toThrow(/\[gpu\(0\)\] the device was lost/)
      await expect(lost.sync()).rejects.toThrow(/\[gpu\(0\)\] the device was lost/)
      expect([...new Float32Array((await run(other)).buffer)]).toEqual([2, 4, 6, 8])
      other.destroy()
    })

    it('emptyCache gives back what holds nothing', async () => {
      const backend = createWebGpuBackend(openAdapter)
      const write = async (value: number): Promise<number> => {
        const at = backend.alloc(2 ** 23)
        backend.write(at, new Uint8Array(Float32Array.of(value, 0, 0, 0).buffer))
        const [read] = new Float32Array((await backend.read(at, 16)).buffer)
        expect(read).toBe(value)
        return at
      }
      const first = await write(1)
      backend.emptyCache()
      expect(backend.memory().reserved).toBeGreaterThanOrEqual(2 ** 23)
      backend.free(first)
      backend.emptyCache()
      expect(backend.memory()).toEqual({ live: 0, reserved: 0 })
      await write(2)
      expect(backend.memory().reserved).toBeGreaterThanOrEqual(2 ** 23)
      backend.destroy()
    })

    it('arrays that do not fit are refused with what would', async () => {
      const small = createWebGpuBackend(openAdapter, 'gpu(0)', { limit: 2 ** 24 })
      await small.ready()
      expect(() => small.alloc(2 ** 25)).toThrow(
        /\[gpu\(0\)\] no room for 32.0 MiB: 0.0 MiB of 16.0 MiB are in use/,
      )
      const [x, y] = [small.alloc(2 ** 22), small.alloc(2 ** 22)]
      small.free(x)
      small.free(y)
      expect(() => small.alloc(2 ** 40)).toThrow(
        /an array of 1048576.0 MiB does not fit: one binding holds/,
      )
      small.destroy()
    })
  },
)
