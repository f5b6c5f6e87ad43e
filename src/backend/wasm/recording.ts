/** Recording: while it is on, calls of generated code are taken down for another thread instead of being made. */

import type { Compiled, Sink } from '../backend.ts'

/** Where the calls of one backend go. */
export class Recording {
  /** What takes the calls, or null: they are made here. */
  sink: Sink | null = null

  /** A kernel that other threads can run as well: made of generated code, and of memory it asks the backend for. */
  portable({ run }: Compiled): Compiled {
    return {
      run,
      send: (sink, addresses, params) => {
        this.sink = sink
        try {
          run(addresses, params)
        } finally {
          this.sink = null
        }
      },
    }
  }
}
