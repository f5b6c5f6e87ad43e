/** A Vite project with mxnet-ts among its dependencies: what `npm install` puts there, built and under development. */

import { cpSync, mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Browser } from 'playwright-core'
import { build, createServer, type InlineConfig } from 'vite'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { buildBrowser } from '../../scripts/buildBrowser.mjs'
import { launchChromium, noChromium } from '../../scripts/chromium.mjs'
import { root } from '../../scripts/process.mjs'
import { serveFolders } from '../../scripts/serve.mjs'

/** A page that computes, and a worker of its own that does so on threads where it may. */
const files = {
  'package.json': '{ "name": "project", "type": "module" }',
  'index.html':
    '<!doctype html><title>project</title><script type="module" src="/main.js"></script>',
  'main.js': `
    import { nd } from 'mxnet-ts'
    const worker = new Worker(new URL('./worker.js', import.meta.url), { type: 'module' })
    worker.onmessage = async ({ data }) => {
      globalThis.results = { ...data, page: await nd.array([1, 2]).add(1).asArray() }
    }
    worker.onerror = (e) => { globalThis.results = { error: e.message } }`,
  'worker.js': `
    import { engine, nd, optimizer } from 'mxnet-ts'
    if (self.crossOriginIsolated && engine.numThreads() < 2) engine.setNumThreads(2)
    const x = nd.ones([1024, 1024])
    const product = await nd.sum(nd.dot(x, x)).asScalar()
    postMessage({ product, threaded: engine.numThreads() > 1, name: new optimizer.Adam().constructor.name })`,
}
const isolation = {
  'Cross-Origin-Opener-Policy': 'same-origin',
  'Cross-Origin-Embedder-Policy': 'require-corp',
}

const patience = 120_000
const reason = noChromium ?? ''
const title = `a Vite project${reason && ` (skipped: ${reason})`}`
describe.skipIf(noChromium !== null)(title, { timeout: patience }, () => {
  let project: string
  let browser: Browser
  let config: InlineConfig

  beforeAll(async () => {
    project = mkdtempSync(join(tmpdir(), 'mxnet-vite-'))
    const installed = join(project, 'node_modules', 'mxnet-ts')
    const dist = join(installed, 'dist')
    mkdirSync(dist, { recursive: true })
    await buildBrowser({ out: dist })
    cpSync(join(root, 'package.json'), join(installed, 'package.json'))
    for (const [name, text] of Object.entries(files)) writeFileSync(join(project, name), text)
    config = {
      root: project,
      configFile: false,
      logLevel: 'error',
      worker: { format: 'es' },
      build: { target: 'es2022' },
    }
    browser = await launchChromium()
  }, patience)
  afterAll(async () => {
    await browser?.close()
    rmSync(project, { recursive: true, force: true })
  })

  /** What the page and its worker compute; where it is `threaded`, also that threads have been started. */
  async function results(url: string, threaded: boolean): Promise<unknown> {
    const page = await browser.newPage()
    page.on('pageerror', (e) => expect.unreachable(`error on the page: ${e.message}`))
    await page.goto(url)
    await page.waitForFunction(() => 'results' in globalThis, null, { timeout: patience })
    const value = await page.evaluate(() => (globalThis as unknown as { results: unknown }).results)
    // A thread may come up after the first result, which is then computed without it.
    const scripts = (): string =>
      page
        .workers()
        .map((worker) => worker.url())
        .join()
    if (threaded) await expect.poll(scripts, { timeout: patience / 4 }).toContain('mxnet.thread')
    await page.close()
    return value
  }
  const expected = (threaded: boolean) => ({
    product: 1024 ** 3,
    threaded,
    name: 'Adam',
    page: [2, 3],
  })

  it.each([true, false])('computes when it is built (isolated: %s)', async (isolated) => {
    await build(config)
    const out = join(project, 'dist')
    expect(readdirSync(join(out, 'assets')).some((f) => f.startsWith('mxnet.thread'))).toBe(true)
    const { url, close } = await serveFolders({ '/': out }, { isolated })
    const got = await results(url, isolated)
    close()
    expect(got).toEqual(expected(isolated))
  })

  it.each([true, false])('computes under development (isolated: %s)', async (isolated) => {
    const server = await createServer({
      ...config,
      server: { port: 0, headers: isolated ? isolation : {} },
    })
    await server.listen()
    const got = await results(server.resolvedUrls!.local[0]!, isolated)
    await server.close()
    expect(got).toEqual(expected(isolated))
  })
})
