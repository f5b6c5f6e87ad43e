/** The composition root for browsers: WebAssembly on one shared memory. */

import { createReferenceBackend } from './backend/reference/reference.ts'
import { createWasmBackend } from './backend/wasm/backend.ts'
import { hasRelaxedSimd } from './backend/wasm/relaxed.ts'
import { frame } from './core/frame.ts'
import { runEager } from './exec/eager.ts'
import { Device, Pool, registerDevice, registryReaper } from './exec/storage.ts'
import { installRuntime } from './runtime/index.ts'

export * from './index.ts'

/** Browsers offer no collection on demand; a macrotask lets finalizers run that are due. */
const collect = (): Promise<void> => new Promise((resolve) => setTimeout(resolve, 0))

frame.eager = runEager
const wasm = createWasmBackend()
const pool = new Pool(wasm, registryReaper(), collect)
registerDevice('cpu', (context) => new Device(context, pool))
registerDevice('wasm', (context) => new Device(context, pool))
registerDevice(
  'reference',
  (context) => new Device(context, new Pool(createReferenceBackend(), registryReaper(), collect)),
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
