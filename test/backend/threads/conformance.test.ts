/** The thread pool passes the suite of every backend, with all work handed over and cut. */

import { conformance } from '../conformance.ts'
import { makePool, nativeBridge, running } from './rig.ts'

const make = (native: boolean) => async () => {
  const { pool } = makePool(native)
  await running(pool)
  return pool.stream(0)
}

conformance('threads over wasm', make(false))
if (nativeBridge() !== null) conformance('threads over onednn', make(true))
