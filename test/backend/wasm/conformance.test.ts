/** The WebAssembly backend against the suite of every backend. */

import { createWasmBackend } from '../../../src/backend/wasm/backend.ts'
import { conformance } from '../conformance.ts'

conformance('wasm', () => createWasmBackend())
