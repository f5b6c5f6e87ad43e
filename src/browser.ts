/** The composition root for browsers: WebAssembly on one shared memory, on threads where the page may have them. */

import { createReferenceBackend } from './backend/reference/reference.ts'
import { type ThreadHost, ThreadPool } from './backend/threads/backend.ts'
import { maxThreads } from './backend/threads/protocol.ts'
import { createWasmBackend } from './backend/wasm/backend.ts'
import { hasRelaxedSimd } from './backend/wasm/relaxed.ts'
import { Adapters, type GpuEntry } from './backend/webgpu/adapters.ts'
import { createWebGpuBackend } from './backend/webgpu/backend.ts'
import type { Context } from './base/context.ts'
import { frame } from './core/frame.ts'
import { runEager } from './exec/eager.ts'
import { noteOrigin } from './exec/origin.ts'
import { Device, Pool, registerDevice, registryReaper } from './exec/storage.ts'
import { installEngine } from './runtime/engine.ts'
import { installRuntime } from './runtime/index.ts'

export * from './index.ts'

/** Browsers offer no collection on demand; a macrotask lets finalizers run that are due. */
const collect = (): Promise<void> => new Promise((resolve) => setTimeout(resolve, 0))

const startThread: ThreadHost = (start) => {
  const worker = new Worker(new URL('./browserThread.js', import.meta.url), { type: 'module' })
  let ended: string | null = null
  worker.addEventListener('error', (event) => {
    ended = event.message || 'its script does not load'
  })
  worker.postMessage(start)
  return {
    get ended() {
      return ended
    },
    hold: () => {},
    stop: () => worker.terminate(),
  }
}

/** A page that is not isolated from others has no memory that threads could share. */
const most = globalThis.crossOriginIsolated
  ? Math.min(navigator.hardwareConcurrency, maxThreads)
  : 1
const options = {
  threads: most,
  speed: { product: 40 },
  origin: noteOrigin,
  maySleep: false,
}
const threads = new ThreadPool(createWasmBackend(), startThread, options)
const pool = new Pool(threads.stream(0), registryReaper(), collect)
const onStream = (context: Context): Device => {
  const { deviceId } = context
  return new Device(context, pool, deviceId === 0 ? pool.backend : threads.stream(deviceId))
}

frame.eager = runEager
registerDevice('cpu', onStream)
registerDevice('wasm', onStream)
registerDevice(
  'reference',
  (context) => new Device(context, new Pool(createReferenceBackend(), registryReaper(), collect)),
)
installEngine({
  threads: () => threads.threads,
  setThreads: (count) => threads.resize(count),
  most,
})
const gpus = new Adapters(
  async () => (navigator as { gpu?: GpuEntry }).gpu,
  'the browser has no WebGPU, or finds no adapter',
)
registerDevice(
  'gpu',
  (context) => {
    const backend = createWebGpuBackend(() => gpus.open(context.deviceId), String(context))
    return new Device(context, new Pool(backend, registryReaper(), collect))
  },
  () => gpus.count(),
)
installRuntime(() => ({
  version: '0.1.0',
  backend: 'wasm',
  reason: 'a browser has no native bridge',
  onednn: null,
  simd: true,
  relaxedSimd: hasRelaxedSimd(),
  host: navigator.userAgent,
  cores: navigator.hardwareConcurrency,
}))
