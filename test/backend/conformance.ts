/** Conformance: the suite that every backend must pass, judged by the reference backend. */

import { afterAll, beforeAll, describe, test } from 'vitest'
import type { Backend } from '../../src/backend/backend.ts'
import { createReferenceBackend } from '../../src/backend/reference/reference.ts'
import { type Kernel, kernelKey } from '../../src/prim/kernel.ts'
import { type Data, execute, expectNear, type Tolerance } from './kernels.ts'
import { callSuite } from './suites/call.ts'
import { loopSuite } from './suites/loops.ts'
import { memorySuite } from './suites/memory.ts'
import { contractSuite, scatterSuite } from './suites/products.ts'
import { propertySuite } from './suites/property.ts'
import { reduceSuite } from './suites/reduce.ts'
import { castSuite, scalarSuite } from './suites/scalar.ts'

/** What a suite gets: the backend on trial and ways to judge it. */
export interface Rig {
  readonly backend: Backend
  readonly reference: Backend
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

/** Declares the suite for one backend. */
export function conformance(
  name: string,
  makeBackend: () => Backend | Promise<Backend>,
  skip: readonly Skip[] = [],
): void {
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
    test(title, body) {
      const reason = skip.find((s) => s.tests.some((t) => matches(t, title)))?.reason
      if (reason === undefined) test(title, body)
      else test.skip(`${title} (${reason})`, body)
    },
    async compare(kernel, blocks, { params = [], tolerance = 'exact', note } = {}) {
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
    describe('memory', () => memorySuite(rig))
    describe('scalar', () => scalarSuite(rig))
    describe('cast', () => castSuite(rig))
    describe('loop', () => loopSuite(rig))
    describe('reduce', () => reduceSuite(rig))
    describe('contract', () => contractSuite(rig))
    describe('scatter', () => scatterSuite(rig))
    describe('call', () => callSuite(rig))
    describe('property', () => propertySuite(rig))
    afterAll(async () => {
      await backend?.sync()
      const { live } = backend!.memory()
      if (live !== before) throw new Error(`${live - before} bytes were not given back`)
    })
  })
}
