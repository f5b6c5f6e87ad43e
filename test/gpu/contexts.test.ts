/** GPU contexts as programs use them, on four virtual GPUs. */

import type { Context, gluon as Gluon, NDArray } from 'mxnet-ts'
import { describe, expect, it } from 'vitest'
import { frame } from '../../src/core/frame.ts'
import { missingGpu } from '../backend/webgpu/adapters.ts'

process.env.MXNET_GPU_VIRTUAL = '4'
const missing = await missingGpu()
const mx = await import('mxnet-ts')
const { autograd, cpu, gluon, gpu, nd } = mx
const { batch, makeNet } = await import('./net.ts')

describe.skipIf(missing !== null)(
  `gpu contexts (${missing ?? 'run'})`,
  { timeout: 240_000 },
  () => {
    it('count, and tell their memory', async () => {
      expect(await mx.numGpus()).toBe(4)
      await gpu(0).ready()
      const [free, total] = await mx.gpuMemoryInfo(0)
      const held = nd.zeros([1024, 1024], { ctx: gpu(0) })
      await held.waitToRead()
      expect((await mx.gpuMemoryInfo(0))[0]).toBe(free - 4 * 2 ** 20)
      expect(total).toBeGreaterThanOrEqual(128 * 2 ** 20)
      held[Symbol.dispose]()
      gpu(0).emptyCache()
      expect((await mx.gpuMemoryInfo(0))[0]).toBe(free)
    })

    it('compute what was asked for before the GPU had started', async () => {
      // Nothing has used gpu(3) so far.
      const x = nd.array([1, 2, 3], { ctx: gpu(3) })
      const y = x.mul(x).add(1)
      expect(y.context).toBe(gpu(3))
      expect(await y.asArray()).toEqual([2, 5, 10])
    })

    it('are current inside use', async () => {
      const x = gpu(1).use(() => nd.ones([2, 3]))
      expect(x.context).toBe(gpu(1))
      expect(await nd.sum(x).asScalar()).toBe(6)
    })

    it('cannot be waited for in place', () => {
      const x = nd.ones([2], { ctx: gpu(0) })
      expect(() => x.asTypedArraySync()).toThrow(/gpu\(0\) cannot wait in place: use await/)
      expect(String(x)).toContain('<NDArray 2 @gpu(0), not read>')
    })

    it('refuse arrays of other contexts', () => {
      const x = nd.ones([2], { ctx: gpu(0) })
      expect(() => x.add(nd.ones([2]))).toThrow(/gpu\(0\) and cpu\(0\)/)
    })

    it.each<[string, string, (ctx: Context) => NDArray]>([
      ['_ones', 'float64', (ctx) => nd.ones([2], { ctx, dtype: 'float64' })],
      ['_arange', 'int64', (ctx) => nd.arange(0, 3, 1, { ctx, dtype: 'int64' })],
      ['Cast', 'float64', (ctx) => nd.ones([2], { ctx }).astype('float64')],
      ['Cast', 'int64', (ctx) => nd.ones([2], { ctx }).mul(0.5).astype('int64')],
      ['_mul_scalar', 'int64', (ctx) => nd.array([1, 2], { ctx, dtype: 'int64' }).mul(2)],
      ['_random_uniform', 'float64', (ctx) => nd.random.uniform(0, 1, { ctx, dtype: 'float64' })],
      ['_random_gamma', 'float64', (ctx) => nd.random.gamma(2, 1, { ctx, dtype: 'float64' })],
      ['sum', 'int64', (ctx) => nd.sum(nd.zeros([3], { ctx, dtype: 'int64' }))],
      ['cumsum', 'int64', (ctx) => nd.cumsum(nd.ones([3], { ctx }), { dtype: 'int64' })],
    ])('refuse what a GPU lacks by name: %s in %s', async (operator, dtype, work) => {
      await gpu(0).ready()
      const narrow = dtype === 'float64' ? 'float32' : 'int32'
      expect(() => work(gpu(0))).toThrow(
        `[${operator}] on gpu(0): ${dtype} does not exist on a GPU: cast on the CPU before it goes there, ` +
          `x.astype('${narrow}').asInContext(gpu(0)), or compute on cpu()`,
      )
    })

    it('meet int64 at the edges: as indices, from and to shorter integers', async () => {
      const ctx = gpu(0)
      const at = nd.array([2n, -1n, 2n ** 40n + 1n], { ctx, dtype: 'int64' })
      expect(await at.astype('int32').asArray()).toEqual([2, -1, 1])
      expect(await at.astype('uint8').astype('int32').asArray()).toEqual([2, 255, 1])
      const short = nd.array([7, -7, 2 ** 31 - 1, -(2 ** 31)], { ctx, dtype: 'int32' })
      expect(await short.astype('int64').asArray()).toEqual([7n, -7n, 2n ** 31n - 1n, -(2n ** 31n)])
      const rows = nd.array(
        [
          [1, 2],
          [3, 4],
          [5, 6],
        ],
        { ctx },
      )
      const picked = nd.take(rows, nd.array([2, 0], { ctx, dtype: 'int64' }))
      expect(await picked.asArray()).toEqual([
        [5, 6],
        [1, 2],
      ])
      const order = nd.argsort(nd.array([3, 1, 2], { ctx }), { dtype: 'int64' })
      expect(await order.asArray()).toEqual([1n, 2n, 0n])
      expect(await nd.shapeArray(rows).asArray()).toEqual([3n, 2n])
      const flags = nd.array(
        [
          [1, 0, 1],
          [1, 1, 1],
        ],
        { ctx, dtype: 'bool' },
      )
      expect(await nd.sum(flags, { axis: 1 }).asArray()).toEqual([2n, 3n])
      const [counts] = nd.histogram(rows, { bins: 3, range: [0, 6] })
      expect(await counts!.asArray()).toEqual([1n, 2n, 3n])
    })

    it('refuse arrays that no binding holds, with operator, size and limit', async () => {
      await gpu(0).ready()
      expect(() => nd.zeros([2 ** 30], { ctx: gpu(0) })).toThrow(
        /^\[_zeros\] on gpu\(0\): an array of 4096.0 MiB does not fit: one binding holds \d+.\d MiB here/,
      )
      expect(await nd.ones([2], { ctx: gpu(0) }).asArray()).toEqual([1, 1])
    })

    it('that are missing say so at the first read and at ready', async () => {
      await expect(gpu(7).ready()).rejects.toThrow(/\[gpu\(7\)\] there are 4 GPUs, numbered from 0/)
      const x = nd.ones([2], { ctx: gpu(8) }).mul(2)
      await expect(x.asArray()).rejects.toThrow(/\[gpu\(8\)\] there are 4 GPUs/)
    })

    it('copy both ways, in order', async () => {
      const x = nd.array([1, 2, 3, 4])
      const there = x.asInContext(gpu(0)).mul(10)
      const back = there.asInContext(cpu())
      // Work on the copy, and on its source, while it is under way.
      const sum = back.add(x)
      there.addAssign(1)
      x.mulAssign(0)
      expect(back.context).toBe(cpu())
      const again = sum.asInContext(gpu(1)).add(0.5).asInContext(gpu(2))
      expect(await sum.asArray()).toEqual([11, 22, 33, 44])
      expect(await again.asArray()).toEqual([11.5, 22.5, 33.5, 44.5])
      expect(await there.asArray()).toEqual([11, 21, 31, 41])
      expect(await back.asArray()).toEqual([10, 20, 30, 40])
      const target = nd.zeros([4])
      again.asInContext(cpu()).copyTo(target)
      expect(await target.asArray()).toEqual([11.5, 22.5, 33.5, 44.5])
      expect(target.asArraySync()).toEqual([11.5, 22.5, 33.5, 44.5])
    })

    it('copies under way cannot be read at once', async () => {
      const back = nd.ones([3], { ctx: gpu(0) }).asInContext(cpu())
      expect(() => back.asArraySync()).toThrow(/use await/)
      expect(await back.asArray()).toEqual([1, 1, 1])
    })

    it('carry bytes, 16-bit floats and pieces of arrays', async () => {
      for (const dtype of ['uint8', 'int8', 'bool', 'float16', 'bfloat16', 'int32'] as const) {
        const x = nd.array([1, 0, 1, 1, 0, 1, 1], { dtype })
        const there = x.asInContext(gpu(0))
        expect(
          (await there.at('1:4').asInContext(cpu()).astype('int32').asArray()) as number[],
        ).toEqual([0, 1, 1])
        expect(await there.at('::-2').astype('float32').asArray()).toEqual([1, 0, 1, 1])
      }
    })

    it('hand gradients back', async () => {
      const x = nd.array([1, 2, 3])
      x.attachGrad()
      const y = autograd.record(() => {
        const moved = x.asInContext(gpu(0))
        return moved.mul(moved).sum().asInContext(cpu()).add(x.mul(5).sum())
      })
      y.backward()
      expect(x.grad!.context).toBe(cpu())
      expect(await x.grad!.asArray()).toEqual([7, 9, 11])
    })

    it.each<[string, (ctx: Context) => NDArray]>([
      ['uniform', (ctx) => nd.random.uniform(-1, 1, { shape: [1000], ctx })],
      ['exponential', (ctx) => nd.random.exponential(0.7, { shape: [1000], ctx })],
      ['gamma', (ctx) => nd.random.gamma(0.3, 2.1, { shape: [1000], ctx })],
      ['poisson', (ctx) => nd.random.poisson(17.3, { shape: [1000], ctx })],
      ['negativeBinomial', (ctx) => nd.random.negativeBinomial(3, 0.3, { shape: [1000], ctx })],
      [
        'generalizedNegativeBinomial',
        (ctx) => nd.random.generalizedNegativeBinomial(2.5, 0.4, { shape: [1000], ctx }),
      ],
      [
        'gamma of arrays',
        (ctx) =>
          nd.random.gamma(nd.array([0.3, 7.7], { ctx }), nd.array([1, 3], { ctx }), {
            shape: [500],
          }),
      ],
      [
        'multinomial',
        (ctx) => nd.random.multinomial(nd.array([0.1, 0.2, 0.7], { ctx }), { shape: [1000] }),
      ],
      ['randint', (ctx) => nd.random.randint(-5, 70, { shape: [1000], ctx })],
      ['shuffle', (ctx) => nd.random.shuffle(nd.arange(0, 1000, 1, { ctx }))],
    ])('draw the numbers that a CPU draws: %s', async (_name, draw) => {
      const on = (ctx: Context) => {
        mx.random.seed(5)
        return draw(ctx).asTypedArray()
      }
      expect(await on(gpu(0))).toEqual(await on(cpu()))
    })

    it('train data-parallel as one context does', { timeout: 480_000 }, async () => {
      const size = 32
      const run = async (ctx: Context[], options: Gluon.TrainerOptions): Promise<number[]> => {
        const net = makeNet(ctx)
        const loss = new gluon.loss.SoftmaxCrossEntropyLoss()
        const trainer = new gluon.Trainer(
          net.collectParams(),
          'sgd',
          { learningRate: 0.05 },
          options,
        )
        const losses: number[] = []
        for (let step = 0; step < 100; step++) {
          const [x, y] = batch(step, size)
          const data = gluon.utils.splitAndLoad(x, ctx)
          const label = gluon.utils.splitAndLoad(y, ctx)
          const each = autograd.record(() => data.map((part, i) => loss(net(part), label[i]!)))
          for (const l of each) l.backward()
          trainer.step(size)
          const sums = await Promise.all(each.map((l) => nd.sum(l).asScalar()))
          losses.push(sums.reduce((a, b) => a + b, 0))
        }
        return losses
      }
      const alone = await run([cpu()], {})
      expect(alone[99]!).toBeLessThan(alone[0]!)
      for (const updateOnKvstore of [true, false]) {
        const four = await run(
          [0, 1, 2, 3].map((i) => gpu(i)),
          { updateOnKvstore },
        )
        four.forEach((l, step) =>
          expect(Math.abs(l / alone[step]! - 1), `step ${step}`).toBeLessThan(1e-5),
        )
      }
    })

    it('add up gradients while backward is at work on earlier layers', async () => {
      const ctx = [0, 1, 2, 3].map((i) => gpu(i))
      const net = new gluon.nn.Sequential()
      for (const units of [1024, 1024, 2])
        net.add(new gluon.nn.Dense(units, { inUnits: 1024, useBias: false }))
      net.initialize({ init: 'ones', ctx })
      const trainer = new gluon.Trainer(net.collectParams(), 'sgd', { learningRate: 2 ** -30 })
      const ran: string[] = []
      const step = (): void => {
        ran.length = 0
        const outs = autograd.record(() => ctx.map((c) => net(nd.ones([1, 1024], { ctx: c }))))
        for (const out of outs) out.backward()
        ran.push('step')
        trainer.step(1)
      }
      step()
      frame.probe = (kind, name) => {
        if (kind === 'operator') ran.push(name)
      }
      step()
      frame.probe = null
      const sums = ran.flatMap((name, at) => (name === 'add_n' ? [at] : []))
      expect(sums.length).toBe(3)
      expect(sums.at(-1)!).toBeLessThan(ran.indexOf('step'))
      expect(ran.slice(sums[0]!, sums[2]!).some((name) => name.includes('FullyConnected'))).toBe(
        true,
      )
      const weights = [...net.collectParams().values()].map((p) => p.listData())
      for (const list of weights) {
        const values = await Promise.all(list.map((w) => w.reshape([-1]).at(0).asScalar()))
        expect(new Set(values).size).toBe(1)
        expect(values[0]).toBeLessThan(1)
      }
    })
  },
)
