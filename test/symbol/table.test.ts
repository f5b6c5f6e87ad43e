/** Every operator as a symbol: composed, written, read and run again it gives what it gives on arrays. */

import { describe, expect, it } from 'vitest'
import { applyAll } from '../../src/core/apply.ts'
import { withFrame } from '../../src/core/frame.ts'
import { findOp } from '../../src/core/op.ts'
import type { NDArray } from '../../src/ndarray/ndarray.ts'
import { sym } from '../../src/symbol/index.ts'
import { arrange, fixesInputs } from '../../src/symbol/listing.ts'
import { Program } from '../../src/symbol/run.ts'
import type { Symbolic } from '../../src/symbol/symbol.ts'
import { reference } from '../cases/devices.ts'
import { rows } from '../cases/index.ts'
import { call, expectClose, inputsOf, put, take } from '../cases/runner.ts'

type Attrs = { readonly [name: string]: unknown } | undefined

describe.each(rows.filter((row) => row.formula).map((row) => [row.op, row] as const))(
  '%s',
  (name, row) => {
    it('keeps its meaning through symbol.json', () => {
      const op = findOp(name)!
      row.cases.forEach((c, at) => {
        const attrs = c.attrs as Attrs
        const arrays = inputsOf(row, c, 'float64', at).map((x) => put(x.value, x.dtype, reference))
        const wanted = call(op, arrays, attrs, reference)
        const variables = arrays.map((x, i) =>
          sym.var(`in${i}`, { shape: x.shape, dtype: x.dtype }),
        )
        // Rows leave out what the attributes exclude, as files do.
        const { bound } = op.bind({ ...attrs, training: undefined })
        const placed = fixesInputs(op) ? arrange(op, bound.attrs, variables) : variables
        const made = withFrame({ composing: true }, () => applyAll(op, placed, attrs)) as Symbolic[]
        const text = sym.Group(made).toJSON()
        const read = sym.loadJSON(text)
        expect(read.toJSON()).toBe(text)
        // Updates of optimizers show the weight alone, as in MXNet.
        const shown = /update|reset_arrays/.test(name) ? 1 : (op.spec.results ?? wanted.length)
        // Of operators of contrib that src/symbol/listing.ts does not know, files show the first result.
        if (name.startsWith('_contrib_')) expect(made.length).toBeLessThanOrEqual(shown)
        else expect(made.length, 'results: tell src/symbol/listing.ts how many').toBe(shown)
        const program = new Program(read.entries)
        const got = withFrame({ context: reference, training: attrs?.training === true }, () =>
          program.run((node) => arrays[Number(node.name.slice(2))]!),
        ) as NDArray[]
        got.forEach((y, i) => {
          expect(y.dtype).toBe(wanted[i]!.dtype)
          expectClose(take(y), take(wanted[i]!), 1e-12, `${name} ${JSON.stringify(attrs)}`)
        })
        const full =
          arrays.length > 0 && arrays.every((x) => !x.shape.includes(0) && x.shape.length > 0)
        if (full) expect(made.map((s) => s.shape)).toEqual(got.map((y) => y.shape))
      })
    })
  },
)
