/** The part of the operator table that runs inside a page: values and fusion in float32, values in float64. */

import { rows } from '../cases/index.ts'
import { checkFusion, checkValues } from '../cases/runner.ts'
import { page } from './devices.ts'

/** What was checked, and what failed. */
export interface Outcome {
  readonly checks: number
  readonly failures: readonly string[]
}

export function runTable(): Outcome {
  let checks = 0
  const failures: string[] = []
  const check = (what: string, run: () => void): void => {
    checks++
    try {
      run()
    } catch (e) {
      failures.push(`${what}: ${(e as Error).message}`)
    }
  }
  for (const row of rows) {
    if (row.formula === undefined) continue
    check(`${row.op} float32`, () => checkValues(row, 'float32', page))
    check(`${row.op} float64`, () => checkValues(row, 'float64', page))
    if (row.cases.some((c) => c.inputs)) {
      check(`${row.op} fused`, () => checkFusion(row, 'float32', page))
    }
  }
  return { checks, failures }
}
Object.assign(globalThis, { runTable })
