// The peers that come from npm, installed into bench/peers/ when first asked for.
import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { inPage, lastLine, root, runToEnd, type System } from './system.ts'

const folder = join(root, 'bench', 'peers')

interface Lock {
  readonly packages: Readonly<Record<string, { version?: string; optional?: boolean }>>
}

function current(): boolean {
  const installed = join(folder, 'node_modules', '.package-lock.json')
  if (!existsSync(installed)) return false
  const read = (file: string): Lock => JSON.parse(readFileSync(file, 'utf8')) as Lock
  const found = read(installed).packages
  return Object.entries(read(join(folder, 'package-lock.json')).packages).every(
    ([path, { version, optional }]) =>
      path === '' || optional === true || found[path]?.version === version,
  )
}

let problem: string | undefined | null = null
/** What went wrong, once a run. */
function installPeers(): string | undefined {
  if (problem !== null) return problem
  problem = undefined
  if (current()) return undefined
  console.log('installing the npm peers into bench/peers/node_modules')
  // No install scripts: nothing but the packages themselves may arrive.
  const args = ['ci', '--ignore-scripts', '--no-audit', '--no-fund', '--loglevel=error']
  const { code, output } = runToEnd('npm', args, folder)
  if (code !== 0) problem = `npm ci in bench/peers failed: ${lastLine(output)}`
  return problem
}

const npmPeer = (name: string, file: string, ...args: string[]): System => ({
  name,
  kind: 'peer',
  prepare: () =>
    installPeers() ?? { command: process.execPath, args: [join(folder, file), ...args] },
})

export const jaxJit: System = npmPeer('jax-js-jit', 'jax.mjs', 'jit')
export const jaxEager: System = npmPeer('jax-js-eager', 'jax.mjs', 'eager')
export const tfjs: System = npmPeer('tfjs-wasm', 'tfjs.mjs')

const onPage = (name: string, script: string): System => ({
  name,
  kind: 'peer',
  prepare: () => installPeers() ?? inPage(`bench/peers/${script}`),
})

export const jaxPage: System = onPage('jax-js-webgpu', 'jaxPage.mjs')
export const tfjsPage: System = onPage('tfjs-webgpu', 'tfjsPage.mjs')
