// mxnet-ts itself: with the native bridge, on WebAssembly alone, and in a page on WebGPU; its step eager, hybridized and fused,
// kernels on two threads, and data-parallel on two contexts.
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { inPage, root, type Start, type System } from './system.ts'

/**
 * How the training step is written, or 'threads': kernels on two threads, 'contexts': two contexts on two threads; all
 * else has one. See worker.ts.
 */
type Mode = 'eager' | 'hybrid' | 'fused' | 'threads' | 'contexts'
const twoThreads: readonly Mode[] = ['threads', 'contexts']

const start = (backend: string | undefined, mode: Mode): Start => ({
  command: process.execPath,
  args: [join(root, 'build', 'bench', 'worker.js'), mode],
  env: { MXNET_BACKEND: backend, MXNET_CPU_WORKER_NTHREADS: twoThreads.includes(mode) ? '2' : '1' },
})

const onNative = (name: string, mode: Mode): System => ({
  name,
  kind: 'ours',
  prepare: () =>
    existsSync(join(root, 'native', 'build', 'bridge.node'))
      ? start(undefined, mode)
      : 'the native bridge is not built',
})

const onWasm = (name: string, mode: Mode): System => ({
  name,
  kind: 'ours',
  prepare: () => start('wasm', mode),
})

const onPage = (name: string, mode: Mode): System => ({
  name,
  kind: 'ours',
  prepare: () => inPage('build/bench/browser/ours.js', mode),
})

export const ours: readonly System[] = [
  onNative('ours-native', 'eager'),
  onNative('ours-native-hybrid', 'hybrid'),
  onNative('ours-native-fused', 'fused'),
  onNative('ours-native-2', 'threads'),
  onNative('ours-native-contexts', 'contexts'),
  onWasm('ours-wasm', 'eager'),
  onWasm('ours-wasm-hybrid', 'hybrid'),
  onWasm('ours-wasm-fused', 'fused'),
  onWasm('ours-wasm-2', 'threads'),
  onWasm('ours-wasm-contexts', 'contexts'),
  onPage('ours-webgpu-hybrid', 'hybrid'),
  onPage('ours-webgpu-fused', 'fused'),
]
