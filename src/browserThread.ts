/** The composition root of a pool thread in a browser: a worker that runs WebAssembly on the pool's memory. */

import type { ThreadStart } from './backend/threads/protocol.ts'
import { type Ready, runThread } from './backend/threads/thread.ts'
import { instantiate } from './backend/wasm/instance.ts'

function serve(start: ThreadStart): void {
  runThread(start, (kind, name, bytes): Ready => {
    if (kind === 'native') throw new Error('a browser has no native bridge')
    return instantiate(start.memory, kind, name, bytes)
  })
}

addEventListener('message', ({ data }: MessageEvent<ThreadStart>) => serve(data), { once: true })
