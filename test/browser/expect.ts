/** Vitest's `expect` without Vitest's runner, for checks that run inside a page. */

import {
  GLOBAL_EXPECT,
  JestAsymmetricMatchers,
  JestChaiExpect,
  JestExtend,
  setState,
} from '@vitest/expect'
import * as chai from 'chai'

chai.use(JestExtend)
chai.use(JestChaiExpect)
chai.use(JestAsymmetricMatchers)

const make = (value: unknown, message?: string): unknown => chai.expect(value, message)
export const expect = Object.assign(make, chai.expect)
Object.defineProperty(globalThis, GLOBAL_EXPECT, { value: expect, configurable: true })
setState({ assertionCalls: 0, isExpectingAssertions: false }, expect as never)
