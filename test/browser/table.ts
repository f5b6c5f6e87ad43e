/** The part of the operator table that runs inside a page: values and fusion in float32, values in float64. */

import { Context } from '../../src/base/context.ts'
import { rows } from '../cases/index.ts'
import { checkFusion, checkValues } from '../cases/runner.ts'
import { page } from './devices.ts'

/** What was checked, and what failed. */
export interface Outcome {
  readonly checks: number
  readonly failures: readonly string[]
}

/** Runs it on `cpu` or `gpu`; a GPU has no float64, and the same shaders are fused in Node's tests. */
export async function runTable(type: 'cpu' | 'gpu'): Promise<Outcome> {
  const context = type === 'cpu' ? page : new Context('gpu', 0)
  let checks = 0
  const failures: string[] = []
  const check = async (what: string, run: () => Promise<void>): Promise<void> => {
    checks++
    try {
      await run()
    } catch (e) {
      failures.push(`${what}: ${(e as Error).message}`)
    }
  }
  for (const row of rows) {
    if (row.formula === undefined) continue
    await check(`${row.op} float32`, () => checkValues(row, 'float32', context))
    if (type === 'cpu') await check(`${row.op} float64`, () => checkValues(row, 'float64', context))
    if (type === 'cpu' && row.cases.some((c) => c.inputs)) {
      await check(`${row.op} fused`, () => checkFusion(row, 'float32', context))
    }
  }
  return { checks, failures }
}
Object.assign(globalThis, { runTable })
