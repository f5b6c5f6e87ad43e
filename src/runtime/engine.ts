/** `mx.engine`: how many threads work, and the engine's settings that programs carry over. */

import { fail } from '../base/error.ts'

/** What the composition root lets the engine decide. */
export interface EngineHost {
  threads(): number
  setThreads(count: number): void
  /** Threads that can be had. */
  readonly most: number
}

let host: EngineHost = {
  threads: () => 1,
  setThreads: () => {},
  most: 1,
}

/** Installed by the composition roots. */
export function installEngine(engine: EngineHost): void {
  host = engine
}

/**
 * How many threads the CPU's work runs on; with one, calls return when their work is done.
 *
 * @example
 * mx.engine.numThreads() >= 1 // => true
 * @see MXNet environment variable `MXNET_CPU_WORKER_NTHREADS`
 */
export const numThreads = (): number => host.threads()

/**
 * Sets how many threads the CPU's work runs on, after finishing what is under way; the old number is returned.
 *
 * With more than one, long work is handed over and calls return before it is done: `await x.waitToRead()`,
 * `await nd.waitAll()` and reads are where the program waits. Each context `cpu(i)` works on a thread of its own.
 * @throws MXNetError for what is not a number of threads.
 * @example
 * mx.engine.setNumThreads(mx.engine.numThreads()) >= 1 // => true
 * @see MXNet environment variable `MXNET_CPU_WORKER_NTHREADS`
 */
export function setNumThreads(count: number): number {
  if (!Number.isInteger(count) || count < 1 || count > host.most)
    fail('engine', `${String(count)} threads: give a whole number from 1 to ${host.most}`)
  const before = host.threads()
  if (count !== before) host.setThreads(count)
  return before
}

let size = 15

/**
 * Sets how many operators MXNet's engine would join; it has no effect here and the old number is returned.
 *
 * @example
 * mx.engine.setBulkSize(30) // => 15
 * @see MXNet `mx.engine.set_bulk_size`
 */
export function setBulkSize(bulk: number): number {
  const before = size
  size = bulk
  return before
}

/**
 * Runs a body and gives its value; how many operators are joined is decided by `hybridize()`, not here.
 *
 * @example
 * mx.engine.bulk(10, () => 1 + 1) // => 2
 * @see MXNet `mx.engine.bulk`
 */
export function bulk<R>(bulkSize: number, body: () => R): R {
  const before = setBulkSize(bulkSize)
  try {
    return body()
  } finally {
    setBulkSize(before)
  }
}
