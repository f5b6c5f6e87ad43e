/** A thread pool for tests: everything is handed over and cut, however small, over WebAssembly or oneDNN. */

import { createRequire } from 'node:module'
import { fileURLToPath } from 'node:url'
import type { Worker } from 'node:worker_threads'
import { createOneDnnBackend, type NativeBridge } from '../../../src/backend/onednn/backend.ts'
import {
  type PoolOptions,
  type SharedBackend,
  type Thread,
  ThreadPool,
} from '../../../src/backend/threads/backend.ts'
import { startWorker } from '../../../src/backend/threads/nodeWorker.ts'
import { createWasmBackend } from '../../../src/backend/wasm/backend.ts'

const bridgePath = fileURLToPath(new URL('../../../native/build/bridge.node', import.meta.url))

/** The native bridge, or null where it is not asked for or not built. */
export function nativeBridge(): NativeBridge | null {
  if (process.env.MXNET_BACKEND === 'wasm') return null
  try {
    return createRequire(import.meta.url)(bridgePath) as NativeBridge
  } catch {
    return null
  }
}

/** A pool, and the workers it has started. */
export interface Rig {
  readonly pool: ThreadPool
  readonly workers: Worker[]
}

interface Wrapping {
  /** Puts something between the pool and its backend. */
  readonly wrap?: (inner: SharedBackend) => SharedBackend
}

/** A backend of a class as a plain object, which can be spread. */
const shown = (backend: SharedBackend): SharedBackend => ({
  name: backend.name,
  canBlock: true,
  wasmMemory: backend.wasmMemory,
  alloc: (bytes) => backend.alloc(bytes),
  free: (address) => backend.free(address),
  write: (address, source) => backend.write(address, source),
  read: (address, bytes) => backend.read(address, bytes),
  readSync: (address, bytes) => backend.readSync(address, bytes),
  compile: (kernel) => backend.compile(kernel),
  sync: () => backend.sync(),
  memory: () => backend.memory(),
})

/** A pool of two threads whose workers are at hand. */
export function makePool(
  native: boolean,
  { wrap = (inner) => inner, ...options }: Partial<PoolOptions> & Wrapping = {},
): Rig {
  const workers: Worker[] = []
  const wasm = createWasmBackend()
  const bridge = native ? nativeBridge() : null
  const inner = wrap(bridge === null ? shown(wasm) : createOneDnnBackend(wasm, bridge))
  const start = (data: object): Thread => {
    const file = new URL('../../../dist/nodeThread.js', import.meta.url)
    const native = bridge === null ? null : bridgePath
    const { worker, thread } = startWorker(file, { ...data, bridge: native })
    workers.push(worker)
    return thread
  }
  const pool = new ThreadPool(inner, start, {
    threads: 2,
    speed: { product: 40 },
    handOver: 0,
    cut: 0,
    ...options,
  })
  return { pool, workers }
}

/** Starts the threads and waits until they run. */
export async function running(pool: ThreadPool): Promise<void> {
  while (!pool.start()) await new Promise((resolve) => setTimeout(resolve, 5))
}
