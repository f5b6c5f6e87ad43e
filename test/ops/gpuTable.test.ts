/**
 * Every operator against its row in the table, on a GPU: what `table.test.ts` does on the other devices, but for strides,
 * which are the same code for every operator (conformance has them all).
 */

import { afterAll, describe, it } from 'vitest'
import { Context } from '../../src/base/context.ts'
import { missingGpu } from '../backend/webgpu/adapters.ts'
import '../cases/devices.ts'
import { rows } from '../cases/index.ts'
import { checkEdges, checkFusion, checkInts, checkValues, refused } from '../cases/runner.ts'

const missing = await missingGpu()
const gpu = new Context('gpu', 0)

// A machine that plays the GPU beside other work takes its time.
describe.skipIf(missing !== null)(`on gpu(0) (${missing ?? 'run'})`, { timeout: 240_000 }, () => {
  describe.each(rows.map((row) => [row.op, row] as const))('%s', (_name, row) => {
    it.runIf(row.formula)('computes its formula', async () => {
      await checkValues(row, 'float32', gpu)
      await checkValues(row, 'float16', gpu)
    })
    it.runIf(row.ints)('computes in integers', () => checkInts(row, gpu))
    it.runIf(row.statistics)('draws what it should', () => row.statistics!(gpu))
    it.runIf(row.formula)('keeps its values when fused', () => checkFusion(row, 'float32', gpu))
    it.runIf(row.formula)('meets empty and scalar inputs', () => checkEdges(row, gpu))
  })
  afterAll(() => {
    for (const [dtype, operators] of Object.entries(refused)) {
      if (operators.size === 0) continue
      console.log(`refused where ${dtype} is given or asked for: ${[...operators].join(' ')}`)
    }
  })
})
