/** The composition root for Node: WebAssembly on one shared memory, oneDNN where the native bridge is built. */

import { readFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { availableParallelism } from 'node:os'
import { fileURLToPath } from 'node:url'
import { setFlagsFromString } from 'node:v8'
import { createContext, runInContext, runInNewContext } from 'node:vm'
import type { Backend, Reaper } from './backend/backend.ts'
import { createOneDnnBackend, type NativeBridge, nativeReaper } from './backend/onednn/backend.ts'
import { createReferenceBackend } from './backend/reference/reference.ts'
import { type SharedBackend, type ThreadHost, ThreadPool } from './backend/threads/backend.ts'
import { startWorker } from './backend/threads/nodeWorker.ts'
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
import { setStoresUpdate } from './gluon/trainer.ts'
import { installEngine } from './runtime/engine.ts'
import { installRuntime } from './runtime/index.ts'

export * from './index.ts'

const require = createRequire(import.meta.url)
const wanted = process.env.MXNET_BACKEND ?? 'auto'
const bridgePath = fileURLToPath(new URL('../native/build/bridge.node', import.meta.url))

/** The native bridge, or the reason why there is none. */
function loadBridge(): NativeBridge | string {
  if (wanted === 'wasm' || wanted === 'reference') return `MXNET_BACKEND=${wanted}`
  try {
    return require(bridgePath) as NativeBridge
  } catch (e) {
    const missing = (e as { code?: string }).code === 'MODULE_NOT_FOUND'
    return missing
      ? 'the native bridge is not built: npx mxnet-ts build'
      : `the native bridge does not load: ${(e as Error).message}`
  }
}

type Collection = (options?: { type: 'minor' }) => void

let collection: Collection | undefined

/** The collector of the host, over everything or, with `{ type: 'minor' }`, over what was made lately. */
const collectGarbage: Collection = (options) => {
  if (collection === undefined) {
    setFlagsFromString('--expose-gc')
    collection = runInNewContext('gc') as Collection
  }
  // An argument, whatever it is, is taken for a wish for less than everything.
  if (options === undefined) collection()
  else collection(options)
}

let idleContext: object | undefined

/**
 * A full collection in the middle of a job. An engine keeps what a job has referred to weakly until microtasks have run; a
 * context with a queue of its own, empty, has run them at once. So a WeakRef read before may be empty when read again.
 */
function collectAll(): void {
  idleContext ??= createContext({}, { microtaskMode: 'afterEvaluate' })
  runInContext('', idleContext)
  collectGarbage()
}

/** A full collection, then a macrotask in which finalizers run. */
async function collect(): Promise<void> {
  collectGarbage()
  await new Promise((resolve) => setImmediate(resolve))
}

let bridge: NativeBridge | string | undefined
const bridgeOnce = (): NativeBridge | string => {
  bridge ??= loadBridge()
  return bridge
}

const poolOf = (backend: Backend): Pool => new Pool(backend, registryReaper(collectAll), collect)

/** Run from the sources, a thread still needs JavaScript: that of the build. */
const threadFile = new URL(
  import.meta.url.endsWith('.ts') ? '../dist/nodeThread.js' : './nodeThread.js',
  import.meta.url,
)

const startThread: ThreadHost = (start) => {
  const native = typeof bridgeOnce() === 'string' ? null : bridgePath
  return startWorker(threadFile, { ...start, bridge: native }).thread
}

/** As many threads as MXNET_CPU_WORKER_NTHREADS or the machine says; one for the naive engine. */
function threadCount(): number {
  if (process.env.MXNET_ENGINE_TYPE === 'NaiveEngine') return 1
  const said = Number(process.env.MXNET_CPU_WORKER_NTHREADS)
  const count = Number.isInteger(said) && said >= 1 ? said : availableParallelism()
  return Math.min(count, maxThreads)
}

let threads = threadCount()
let cpus: ThreadPool | undefined

/** Streams of one thread pool over one memory: a context works on the stream of its number. */
function streams(make: () => { backend: SharedBackend; product: number; reaper: Reaper }) {
  let parts: { threadPool: ThreadPool; pool: Pool } | undefined
  return (context: Context): Device => {
    if (parts === undefined) {
      const { backend, product, reaper } = make()
      const options = { threads, speed: { product }, origin: noteOrigin }
      const threadPool = new ThreadPool(backend, startThread, options)
      parts = { threadPool, pool: new Pool(threadPool.stream(0), reaper, collect) }
      if (context.deviceType === 'cpu') cpus = threadPool
    }
    const { threadPool, pool } = parts
    const { deviceId } = context
    return new Device(context, pool, deviceId === 0 ? pool.backend : threadPool.stream(deviceId))
  }
}

/** Multiplications and additions that WebAssembly, and oneDNN, do in a nanosecond on one thread. */
const speeds = { wasm: 40, onednn: 200 }

const wasmStreams = () =>
  streams(() => ({
    backend: createWasmBackend(),
    product: speeds.wasm,
    reaper: registryReaper(collectAll),
  }))

function cpuDevices(): (context: Context) => Device {
  if (wanted === 'reference') return shared(() => poolOf(createReferenceBackend()))
  const native = bridgeOnce()
  if (typeof native === 'string') return wasmStreams()
  return streams(() => {
    const wasm = createWasmBackend()
    const backend = createOneDnnBackend(wasm, native)
    return {
      backend,
      product: speeds.onednn,
      reaper: nativeReaper(wasm, native, () => collectGarbage({ type: 'minor' })),
    }
  })
}

/** All contexts of one type work on one memory. */
function shared(make: () => Pool): (context: Context) => Device {
  let pool: Pool | undefined
  return (context) => {
    pool ??= make()
    return new Device(context, pool)
  }
}

/** Decided at the first use, because it loads the bridge. */
function lazily(choose: () => (context: Context) => Device): (context: Context) => Device {
  let make: ((context: Context) => Device) | undefined
  return (context) => {
    make ??= choose()
    return make(context)
  }
}

/** Dawn, WebGPU for Node, loaded at the first use of a GPU: an optional package. */
async function loadDawn(): Promise<GpuEntry | undefined> {
  try {
    const { create } = require('webgpu') as { create(options: string[]): GpuEntry }
    return create([])
  } catch {
    return undefined
  }
}

let dawn: Promise<GpuEntry | undefined> | undefined
const gpus = new Adapters(
  () => {
    dawn ??= loadDawn()
    return dawn
  },
  'npm install webgpu brings WebGPU to Node, which needs a Vulkan, Metal or Direct3D 12 driver',
  Number(process.env.MXNET_GPU_VIRTUAL ?? 0),
)

frame.eager = runEager
setStoresUpdate(process.env.MXNET_UPDATE_ON_KVSTORE !== '0')
registerDevice('cpu', lazily(cpuDevices))
registerDevice('wasm', wasmStreams())
registerDevice(
  'reference',
  shared(() => poolOf(createReferenceBackend())),
)
installEngine({
  threads: () => threads,
  setThreads: (count) => {
    threads = count
    cpus?.resize(count)
  },
  most: maxThreads,
})
registerDevice(
  'gpu',
  (context) =>
    new Device(
      context,
      poolOf(createWebGpuBackend(() => gpus.open(context.deviceId), String(context))),
    ),
  () => gpus.count(),
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
