/** A thread of the pool in Node: a worker that runs the module of threads. */

import { Worker } from 'node:worker_threads'
import type { Thread } from './backend.ts'

/** Starts a worker on `file`; it does not keep the program running by itself. */
export function startWorker(file: URL, data: object): { worker: Worker; thread: Thread } {
  const worker = new Worker(file, { workerData: data })
  worker.unref()
  let ended: string | null = null
  worker.on('error', (error) => {
    ended = error.message
  })
  worker.on('exit', (code) => {
    ended ??= `it ended with ${code}`
  })
  const thread: Thread = {
    get ended() {
      return ended
    },
    hold: (on) => (on ? worker.ref() : worker.unref()),
    stop: () => void worker.terminate(),
  }
  return { worker, thread }
}
