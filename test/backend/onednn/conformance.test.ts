/** The native backend against the suite of every backend. */

import { createRequire } from 'node:module'
import { describe, test } from 'vitest'
import { createOneDnnBackend, type NativeBridge } from '../../../src/backend/onednn/backend.ts'
import { createWasmBackend } from '../../../src/backend/wasm/backend.ts'
import { conformance } from '../conformance.ts'

/** The native bridge, or the reason why there is none. */
function loadBridge(): NativeBridge | string {
  if (process.env.MXNET_BACKEND === 'wasm') return 'MXNET_BACKEND=wasm'
  try {
    return createRequire(import.meta.url)('../../../native/build/bridge.node') as NativeBridge
  } catch (e) {
    return `the native bridge does not load: ${(e as Error).message.split('\n')[0]}`
  }
}

const bridge = loadBridge()
if (typeof bridge === 'string')
  describe('conformance of onednn', () => test.skip(`skipped: ${bridge}`, () => {}))
else conformance('onednn', () => createOneDnnBackend(createWasmBackend(), bridge))
