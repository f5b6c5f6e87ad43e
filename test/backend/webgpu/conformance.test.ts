/** The WebGPU backend against the suite of every backend, with shaders for a GPU and for a processor that plays one. */

import { describe } from 'vitest'
import { createWebGpuBackend } from '../../../src/backend/webgpu/backend.ts'
import { conformance } from '../conformance.ts'
import { missingGpu, openAdapter } from './adapters.ts'

const missing = await missingGpu()

describe.skipIf(missing !== null)(
  `a GPU (${missing ?? 'run'})`,
  // A machine that plays the GPU beside other work takes its time.
  { timeout: 240_000 },
  () => {
    const make = (processor: boolean) => () =>
      createWebGpuBackend(openAdapter, 'gpu(0)', { processor, extensions: processor })
    const lacks = ['float64', 'int64'] as const
    conformance('webgpu for a processor', make(true), { lacks })
    // What differs on a GPU: maps of four elements, products and convolutions by tiles. It does without extensions.
    const parts = ['scalar', 'loop', 'reduce', 'contract', 'conv', 'property'] as const
    conformance('webgpu', make(false), { lacks, parts })
  },
)
