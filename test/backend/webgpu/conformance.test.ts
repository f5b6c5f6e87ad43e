/** The WebGPU backend against the suite of every backend, with one element an invocation and with four. */

import { describe } from 'vitest'
import { createWebGpuBackend } from '../../../src/backend/webgpu/backend.ts'
import { conformance } from '../conformance.ts'
import { missingGpu, openAdapter } from './adapters.ts'

const missing = await missingGpu()

describe.skipIf(missing !== null)(
  `a GPU${missing === null ? '' : ` (skipped: ${missing})`}`,
  () => {
    const make = (vectors: boolean) => () => createWebGpuBackend(openAdapter, 'gpu(0)', { vectors })
    const lacks = ['float64', 'int64'] as const
    conformance('webgpu', make(false), { lacks })
    // Only maps have a second form.
    conformance('webgpu in fours', make(true), {
      lacks,
      parts: ['memory', 'scalar', 'cast', 'loop', 'property'],
    })
  },
)
