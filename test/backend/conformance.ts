/** Conformance: the suite that every backend must pass, judged by the reference backend. */

import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import type { Backend } from '../../src/backend/backend.ts'
import { createReferenceBackend } from '../../src/backend/reference/reference.ts'
import type { DType } from '../../src/base/dtype.ts'
import { MXNetError } from '../../src/base/error.ts'
import { type Kernel, kernelKey } from '../../src/prim/kernel.ts'
import { type Data, execute, expectNear, kernelTypes, type Tolerance } from './kernels.ts'
import { callSuite } from './suites/call.ts'
import { loopSuite } from './suites/loops.ts'
import { memorySuite } from './suites/memory.ts'
import { contractSuite, scatterSuite } from './suites/products.ts'
import { propertySuite } from './suites/property.ts'
import { reduceSuite } from './suites/reduce.ts'
import { castSuite, scalarSuite } from './suites/scalar.ts'
import { convSuite, poolSuite } from './suites/windows.ts'

/** What a suite gets: the backend on trial and ways to judge it. */
export interface Rig {
  readonly backend: Backend
  readonly reference: Backend
  /** Dtypes that the backend may refuse: its error must name them. */
  readonly lacks: readonly DType[]
  /** A test, unless the backend's list of skips names it. */
  test(name: string, body: () => void | Promise<void>): void
  /** Runs a kernel on both backends; outputs must agree, what is between their elements included. */
  compare(
    kernel: Kernel,
    blocks: readonly Data[],
    options?: {
      readonly params?: readonly number[]
      readonly tolerance?: Tolerance
      readonly note?: (i: number) => string
    },
  ): Promise<void>
}

/** Tests that a backend does not pass, and why. A name that ends in `*` stands for all that begin so. */
export interface Skip {
  readonly reason: string
  readonly tests: readonly string[]
}

const suites = {
  memory: memorySuite,
  scalar: scalarSuite,
  cast: castSuite,
  loop: loopSuite,
  reduce: reduceSuite,
  contract: contractSuite,
  scatter: scatterSuite,
  call: callSuite,
  conv: convSuite,
  pool: poolSuite,
  property: propertySuite,
}

/** Declares the suite for one backend. */
export function conformance(
  name: string,
  makeBackend: () => Backend | Promise<Backend>,
  options: {
    readonly skip?: readonly Skip[]
    /** Dtypes that the backend refuses. */
    readonly lacks?: readonly DType[]
    /** Parts of the suite that are run; all by default. */
    readonly parts?: readonly (keyof typeof suites)[]
  } = {},
): void {
  const { skip = [], lacks = [], parts = Object.keys(suites) as (keyof typeof suites)[] } = options
  const matches = (pattern: string, title: string): boolean =>
    pattern.endsWith('*') ? title.startsWith(pattern.slice(0, -1)) : title === pattern
  let backend: Backend | undefined
  const reference = createReferenceBackend()
  let before = 0
  const rig: Rig = {
    get backend() {
      return backend!
    },
    reference,
    lacks,
    test(title, body) {
      const reason = skip.find((s) => s.tests.some((t) => matches(t, title)))?.reason
      if (reason === undefined) test(title, body)
      else test.skip(`${title} (${reason})`, body)
    },
    async compare(kernel, blocks, { params = [], tolerance = 'exact', note } = {}) {
      const lacking = kernelTypes(kernel).filter((t) => lacks.includes(t))
      if (lacking.length > 0) {
        try {
          backend!.compile(kernel)
        } catch (e) {
          expect(e).toBeInstanceOf(MXNetError)
          expect((e as MXNetError).message).toMatch(new RegExp(lacking.join('|')))
          return
        }
      }
      const expected = await execute(reference, kernel, blocks, params)
      const actual = await execute(backend!, kernel, blocks, params)
      expected.forEach((e, j) => {
        try {
          expectNear(actual[j]!, e, tolerance, note)
        } catch (error) {
          const text = kernelKey(kernel)
          throw new Error(`output ${j}: ${(error as Error).message}\nkernel: ${text}`, {
            cause: error,
          })
        }
      })
    },
  }
  describe(`conformance of ${name}`, () => {
    beforeAll(async () => {
      backend = await makeBackend()
      before = backend.memory().live
    })
    for (const part of parts) describe(part, () => suites[part](rig))
    afterAll(async () => {
      await backend?.sync()
      const { live } = backend!.memory()
      if (live !== before) throw new Error(`${live - before} bytes were not given back`)
    })
  })
}
