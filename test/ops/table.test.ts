/** Every operator against its row in the table. */

import { describe, expect, it } from 'vitest'
import { allOps } from '../../src/core/op.ts'
import { backends, reference } from '../cases/devices.ts'
import { rows } from '../cases/index.ts'
import {
  checkEdges,
  checkErrors,
  checkFusion,
  checkGradients,
  checkInference,
  checkInts,
  checkSpecial,
  checkStrides,
  checkValues,
} from '../cases/runner.ts'

describe('the operator table', () => {
  it('has one row for each registered operator', () => {
    const named = rows.map((r) => r.op)
    expect(new Set(named).size).toBe(named.length)
    expect(named.toSorted()).toEqual(
      allOps()
        .map((op) => op.name)
        .toSorted(),
    )
  })

  it('has three cases a row, and a reason where gradients are not checked', () => {
    for (const row of rows) {
      if (!row.statistics) expect(row.cases.length, row.op).toBeGreaterThanOrEqual(3)
      expect(row.formula ?? row.statistics, row.op).toBeDefined()
      const partial = (row.order ?? 2) < 2 || row.cases.some((c) => (c.order ?? 2) < 2)
      const ties = row.cases.some((c) => c.order === 0)
      if (partial && !ties) expect(row.why, row.op).toBeDefined()
    }
  })
})

describe.each(rows.map((row) => [row.op, row] as const))('%s', (_name, row) => {
  it.runIf(row.formula)('computes its formula in float64', () =>
    checkValues(row, 'float64', reference),
  )
  it.runIf(row.formula)('infers what it computes', () => checkInference(row))
  const order = row.order ?? 2
  it.runIf(row.formula && order > 0)(
    `has the gradients that differences show, to order ${order}`,
    () => checkGradients(row),
  )
  it.runIf(row.formula && row.cases.some((c) => c.inputs))('keeps its values when fused', () =>
    checkFusion(row, 'float64', reference),
  )
  it.runIf(row.formula && row.cases.some((c) => c.inputs))('reads strided inputs', () =>
    checkStrides(row, 'float64', reference),
  )
  it.runIf(row.cases.some((c) => c.inputs))('meets empty and scalar inputs', () =>
    checkEdges(row, reference),
  )
  it('refuses wrong calls in its own name', () => checkErrors(row))

  for (const { context, skip } of backends) {
    const kind = skip === null ? `on ${context}` : `on ${context} (skipped: ${skip})`
    describe.skipIf(skip !== null)(kind, () => {
      it.runIf(row.formula)('computes its formula in float32', () =>
        checkValues(row, 'float32', context),
      )
      it.runIf(row.formula)('computes its formula in 16-bit floats', async () => {
        await checkValues(row, 'float16', context)
        await checkValues(row, 'bfloat16', context)
      })
      it.runIf(row.ints)('computes in integers', () => checkInts(row, context))
      it.runIf(row.statistics)('draws what it should', () => row.statistics!(context))
      it.runIf(row.formula && row.cases.some((c) => c.inputs))('survives special values', () =>
        checkSpecial(row, context),
      )
      if (context === reference) return
      it.runIf(row.formula)('computes its formula in float64', () =>
        checkValues(row, 'float64', context),
      )
      it.runIf(row.formula)('keeps its values when fused', () =>
        checkFusion(row, 'float32', context),
      )
      it.runIf(row.formula)('reads strided inputs', () => checkStrides(row, 'float32', context))
      it.runIf(row.formula)('meets empty and scalar inputs', () => checkEdges(row, context))
    })
  }
})
