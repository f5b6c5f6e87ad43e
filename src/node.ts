/** The composition root for Node: WebAssembly on one shared memory, oneDNN where the native bridge is built. */

import { readFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { availableParallelism } from 'node:os'
import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import type { Backend } from './backend/backend.ts'
import { createOneDnnBackend, type NativeBridge, nativeReaper } from './backend/onednn/backend.ts'
import { createReferenceBackend } from './backend/reference/reference.ts'
import { createWasmBackend } from './backend/wasm/backend.ts'
import { hasRelaxedSimd } from './backend/wasm/relaxed.ts'
import type { Context } from './base/context.ts'
import { frame } from './core/frame.ts'
import { runEager } from './exec/eager.ts'
import { Device, Pool, registerDevice, registryReaper } from './exec/storage.ts'
import { installRuntime } from './runtime/index.ts'

export * from './index.ts'

const require = createRequire(import.meta.url)
const wanted = process.env.MXNET_BACKEND ?? 'auto'

/** The native bridge, or the reason why there is none. */
function loadBridge(): NativeBridge | string {
  if (wanted === 'wasm' || wanted === 'reference') return `MXNET_BACKEND=${wanted}`
  try {
    return require('../native/build/bridge.node') as NativeBridge
  } catch (e) {
    const missing = (e as { code?: string }).code === 'MODULE_NOT_FOUND'
    return missing
      ? 'the native bridge is not built: npm run build'
      : `the native bridge does not load: ${(e as Error).message}`
  }
}

let collectGarbage: (() => void) | undefined

/** A full collection, then a macrotask in which finalizers run. */
async function collect(): Promise<void> {
  if (collectGarbage === undefined) {
    setFlagsFromString('--expose-gc')
    collectGarbage = runInNewContext('gc') as () => void
  }
  collectGarbage()
  await new Promise((resolve) => setImmediate(resolve))
}

let bridge: NativeBridge | string | undefined
const bridgeOnce = (): NativeBridge | string => {
  bridge ??= loadBridge()
  return bridge
}

const poolOf = (backend: Backend): Pool => new Pool(backend, registryReaper(), collect)

function cpuPool(): Pool {
  if (wanted === 'reference') return poolOf(createReferenceBackend())
  const wasm = createWasmBackend()
  const native = bridgeOnce()
  if (typeof native === 'string') return poolOf(wasm)
  return new Pool(createOneDnnBackend(wasm, native), nativeReaper(wasm, native), collect)
}

/** All contexts of one type work on one memory. */
function shared(make: () => Pool): (context: Context) => Device {
  let pool: Pool | undefined
  return (context) => {
    pool ??= make()
    return new Device(context, pool)
  }
}

frame.eager = runEager
registerDevice('cpu', shared(cpuPool))
registerDevice(
  'wasm',
  shared(() => poolOf(createWasmBackend())),
)
registerDevice(
  'reference',
  shared(() => poolOf(createReferenceBackend())),
)
installRuntime(() => {
  const native = bridgeOnce()
  const { version } = JSON.parse(
    readFileSync(new URL('../package.json', import.meta.url), 'utf8'),
  ) as { version: string }
  const facts = typeof native === 'string' ? null : native.versions()
  return {
    version,
    backend: wanted === 'reference' ? 'reference' : facts ? 'onednn + wasm' : 'wasm',
    reason: typeof native === 'string' ? native : 'the native bridge is built',
    onednn: facts ? `${facts.onednn}, ${facts.isa}` : null,
    simd: true,
    relaxedSimd: hasRelaxedSimd(),
    host: `Node ${process.versions.node}`,
    cores: availableParallelism(),
  }
})
