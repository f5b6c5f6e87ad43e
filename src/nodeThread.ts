/** The composition root of a pool thread in Node: WebAssembly and the native bridge on the pool's memory. */

import { createRequire } from 'node:module'
import { workerData } from 'node:worker_threads'
import { maxBytes, type NativeBridge } from './backend/onednn/bridge.ts'
import type { ThreadStart } from './backend/threads/protocol.ts'
import { type Ready, runThread } from './backend/threads/thread.ts'
import { instantiate } from './backend/wasm/instance.ts'

const start = workerData as ThreadStart
type Calls = { readonly [name: string]: (...args: unknown[]) => number }

function loadBridge(path: string): Calls {
  const bridge = createRequire(import.meta.url)(path) as NativeBridge
  bridge.attach(new Uint8Array(start.memory.buffer), maxBytes)
  return bridge as unknown as Calls
}

const bridge = start.bridge === null ? null : loadBridge(start.bridge)

runThread(start, (kind, name, bytes): Ready => {
  if (kind !== 'native') return instantiate(start.memory, kind, name, bytes)
  // What takes all it needs as numbers of the call has nothing to prepare.
  const create = bridge![`${name}Create`]
  if (create === undefined) return bridge![`${name}Run`]!
  const handle = create(new Float64Array(bytes.buffer))
  if (handle < 0) throw new Error(`the bridge does not take this ${name} on a thread`)
  const run = bridge![`${name}Run`]!
  return (...args) => run(handle, ...args)
})
