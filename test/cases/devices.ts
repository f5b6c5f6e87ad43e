/** Devices for tests: the interpreter, the reference and wasm backends, and oneDNN where the bridge is built. */

import { createRequire } from 'node:module'
import type { Backend } from '../../src/backend/backend.ts'
import { createOneDnnBackend, type NativeBridge } from '../../src/backend/onednn/backend.ts'
import { createReferenceBackend } from '../../src/backend/reference/reference.ts'
import { createWasmBackend } from '../../src/backend/wasm/backend.ts'
import { Context, type DeviceType } from '../../src/base/context.ts'
import { frame } from '../../src/core/frame.ts'
import { runEager } from '../../src/exec/eager.ts'
import { Device, Pool, registerDevice, registryReaper } from '../../src/exec/storage.ts'
import '../../src/ndarray/index.ts'
import '../../src/ops/update.ts'

/** The native bridge, or the reason why there is none. */
function loadBridge(): NativeBridge | string {
  if (process.env.MXNET_BACKEND === 'wasm') return 'MXNET_BACKEND=wasm'
  try {
    return createRequire(import.meta.url)('../../native/build/bridge.node') as NativeBridge
  } catch (e) {
    return `the native bridge does not load: ${(e as Error).message.split('\n')[0]}`
  }
}

const register = (type: DeviceType, make: () => Backend): void => {
  let pool: Pool | undefined
  registerDevice(type, (context) => {
    pool ??= new Pool(make(), registryReaper(), async () => {})
    return new Device(context, pool)
  })
}

const bridge = loadBridge()
frame.eager = runEager
register('reference', createReferenceBackend)
register('wasm', createWasmBackend)
register('cpu', () =>
  typeof bridge === 'string'
    ? createWasmBackend()
    : createOneDnnBackend(createWasmBackend(), bridge),
)

export const reference = new Context('reference', 0)
frame.context = reference

/** The backends a test should run on, each with the reason to skip it (null: it is there). */
export const backends: readonly { readonly context: Context; readonly skip: string | null }[] = [
  { context: reference, skip: null },
  { context: new Context('wasm', 0), skip: null },
  { context: new Context('cpu', 0), skip: typeof bridge === 'string' ? bridge : null },
]
