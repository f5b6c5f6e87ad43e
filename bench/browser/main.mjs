// @ts-check
// A system inside headless Chromium behind the protocol of serve.ts: argument 1 is the script of its page, the others go to it.
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { build } from 'vite'
import { serve } from '../../build/bench/serve.js'
import { launchChromium, withSwiftShader } from '../../scripts/chromium.mjs'
import { root } from '../../scripts/process.mjs'
import { serveFolders } from '../../scripts/serve.mjs'

const [script = '', ...args] = process.argv.slice(2)
const folder = mkdtempSync(join(tmpdir(), 'mxnet-bench-'))
process.on('exit', () => rmSync(folder, { recursive: true, force: true }))

await build({
  root,
  configFile: false,
  logLevel: 'silent',
  publicDir: false,
  resolve: {
    alias: [{ find: /^mxnet-ts$/, replacement: join(root, 'dist', 'browser.js') }],
  },
  build: {
    outDir: folder,
    target: 'es2022',
    // Our blocks and optimizers are called by the names of their classes.
    minify: false,
    lib: { entry: join(root, script), formats: ['es'], fileName: () => 'page.js' },
  },
})
writeFileSync(
  join(folder, 'index.html'),
  '<!doctype html><title>bench</title><link rel="icon" href="data:,"><script type="module" src="page.js"></script>',
)

// Isolated pages have a clock of 5 µs.
const { url, close } = await serveFolders({ '/': folder }, { isolated: true })
const browser = await launchChromium(withSwiftShader)
const page = await browser.newPage()
page.setDefaultTimeout(120_000)
page.on('console', (message) => console.error(message.text()))
page.on('pageerror', (error) => console.error(error.message))
await page.goto(`${url}?${args.join('&')}`)
await page.waitForFunction(() => 'measured' in globalThis)

/** @param {string} which */
const remote = (which) => () => ({
  check: () => page.evaluate((c) => /** @type {any} */ (globalThis).measured.check(c), which),
  run: (/** @type {number} */ reps) =>
    page.evaluate(([c, n]) => /** @type {any} */ (globalThis).measured.run(c, n), [which, reps]),
})
const { about, names } = await page.evaluate(() => {
  const { about, cases } = /** @type {any} */ (globalThis).measured
  return { about, names: /** @type {string[]} */ (cases) }
})
await serve(about, Object.fromEntries(names.map((which) => [which, remote(which)])))
await browser.close()
close()
