// @ts-check
// One file for pages without a bundler: src/browser.ts -> dist/mxnet.browser.js, what draws networks beside it.
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { gzipSync } from 'node:zlib'
import { build } from 'vite'
import { isMain, report, root } from './process.mjs'

const dist = join(root, 'dist')
const name = 'mxnet.browser.js'

const classHead = /^(?:export )?(?:abstract )?class (\w+)[^{]*\{/gm

/**
 * Writes the name of every class into it, where minifiers leave it alone: blocks, optimizers and metrics are called by their class.
 * @type {import('vite').Plugin}
 */
const namedClasses = {
  name: 'named-classes',
  enforce: 'post',
  transform: {
    filter: { id: /\/src\/.*\.ts$/ },
    handler: (text) => {
      /** @param {string} head @param {string} name */
      const named = (head, name) =>
        `${head} static { Object.defineProperty(this, 'name', { value: '${name}', configurable: true }) }`
      // No line moves, so the source map stays as it is.
      return { code: text.replace(classHead, named), map: null }
    },
  },
}

/**
 * Builds the file for browsers.
 * @param {{ out?: string }} [options]  the folder, dist/ by default
 * @returns {Promise<{ file: string, bytes: number, zipped: number }>} the file, and its size plain and gzipped
 */
export async function buildBrowser({ out = dist } = {}) {
  await build({
    root,
    configFile: false,
    logLevel: 'warn',
    publicDir: false,
    plugins: [namedClasses],
    build: {
      outDir: out,
      emptyOutDir: false,
      target: 'es2022',
      minify: true,
      sourcemap: true,
      lib: { entry: join(root, 'src', 'browser.ts'), formats: ['es'] },
      rolldownOptions: {
        output: { entryFileNames: name, chunkFileNames: 'mxnet.[name].js', minify: true },
      },
    },
  })
  const file = join(out, name)
  const text = readFileSync(file)
  return { file, bytes: text.length, zipped: gzipSync(text, { level: 9 }).length }
}

if (isMain(import.meta.url)) {
  const start = performance.now()
  const { bytes, zipped } = await buildBrowser()
  const kilobytes = (/** @type {number} */ n) => `${(n / 1000).toFixed(0)} kB`
  const others = readdirSync(dist).filter((file) => /^mxnet\..*\.js$/.test(file) && file !== name)
  const beside = others.length === 0 ? '' : `, beside it ${others.join(', ')}`
  const size = `dist/${name}: ${kilobytes(bytes)}, ${kilobytes(zipped)} gzipped${beside}`
  report('ok', 'browser', size, (performance.now() - start) / 1000)
}
