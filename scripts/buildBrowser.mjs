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

/** The library's own name for the script of its threads, and the name it has beside the built file. */
const threadScript = './browserThread.js'
const threadName = 'mxnet.thread.js'
/** Keeps Vite from bundling the script at the place where it is started: it is built by itself. */
const leaveAlone = '/* @vite-ignore */'

/** @type {import('vite').Plugin} */
const namedThread = {
  name: 'named-thread',
  enforce: 'pre',
  transform: {
    filter: { id: /\/src\/browser\.ts$/ },
    handler: (text) => {
      if (!text.includes(threadScript)) throw new Error(`src/browser.ts starts no ${threadScript}`)
      return {
        code: text.replace(`'${threadScript}'`, `${leaveAlone} './${threadName}'`),
        map: null,
      }
    },
  },
  // A user's Vite is to see the address and bundle what lies there.
  generateBundle: (_options, files) => {
    for (const file of Object.values(files)) {
      if (file.type === 'chunk') file.code = file.code.replace(leaveAlone, '')
    }
  },
}

/**
 * Builds one self-contained script.
 * @param {string} entry  below src/
 * @param {string} file
 * @param {string} outDir
 */
async function bundle(entry, file, outDir) {
  await build({
    root,
    configFile: false,
    logLevel: 'warn',
    publicDir: false,
    plugins: [namedThread, namedClasses],
    build: {
      outDir,
      emptyOutDir: false,
      target: 'es2022',
      sourcemap: true,
      lib: { entry: join(root, 'src', entry), formats: ['es'] },
      rolldownOptions: {
        output: { entryFileNames: file, chunkFileNames: 'mxnet.[name].js', minify: true },
      },
    },
  })
}

/**
 * Builds the file for browsers, and beside it the script that its threads run.
 * @param {{ out?: string }} [options]  the folder, dist/ by default
 * @returns {Promise<{ file: string, bytes: number, zipped: number }>} the file, and its size plain and gzipped
 */
export async function buildBrowser({ out = dist } = {}) {
  await bundle('browserThread.ts', threadName, out)
  await bundle('browser.ts', name, out)
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
