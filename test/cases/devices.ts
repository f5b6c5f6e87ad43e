/** Devices for tests: the interpreter, WebAssembly here, and WebAssembly or oneDNN on threads that are given everything. */

import type { Backend } from '../../src/backend/backend.ts'
import { createReferenceBackend } from '../../src/backend/reference/reference.ts'
import { createWasmBackend } from '../../src/backend/wasm/backend.ts'
import { createWebGpuBackend } from '../../src/backend/webgpu/backend.ts'
import { Context, type DeviceType } from '../../src/base/context.ts'
import { frame } from '../../src/core/frame.ts'
import { runEager } from '../../src/exec/eager.ts'
import { Device, Pool, registerDevice, registryReaper } from '../../src/exec/storage.ts'
import { makePool } from '../backend/threads/rig.ts'
import { openAdapter } from '../backend/webgpu/adapters.ts'
import '../../src/ndarray/index.ts'
import '../../src/ops/update.ts'

const register = (type: DeviceType, make: () => Backend): void => {
  let pool: Pool | undefined
  registerDevice(type, (context) => {
    pool ??= new Pool(make(), registryReaper(), async () => {})
    return new Device(context, pool)
  })
}

frame.eager = runEager
register('reference', createReferenceBackend)
register('wasm', createWasmBackend)
// With the native bridge where it is built. All work is handed over and cut, however small.
register('cpu', () => makePool(true).pool.stream(0))

register('gpu', () => createWebGpuBackend(openAdapter))

export const reference = new Context('reference', 0)
frame.context = reference

/** The backends a test should run on, each with the reason to skip it (null: it is there). */
export const backends: readonly { readonly context: Context; readonly skip: string | null }[] = [
  { context: reference, skip: null },
  { context: new Context('wasm', 0), skip: null },
  { context: new Context('cpu', 0), skip: null },
]
