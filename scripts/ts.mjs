// @ts-check
// Runs one TypeScript file against the sources, without a build: `npm run ts -- scratch.ts`.
// For trying things out; programs that start worker threads need the build (`npm run example`).
import { join, resolve } from 'node:path'
import { runnerImport } from 'vite'
import { root } from './process.mjs'

const [file, ...args] = process.argv.slice(2)
if (file === undefined) {
  console.error('ts: which file?')
  process.exit(2)
}
process.argv = [process.execPath, resolve(file), ...args]
await runnerImport(resolve(file), {
  root,
  configFile: false,
  logLevel: 'warn',
  oxc: { target: 'es2022' },
  resolve: { alias: [{ find: /^mxnet-ts$/, replacement: join(root, 'src', 'node.ts') }] },
})
