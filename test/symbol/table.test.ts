/** Every operator as a symbol: composed, written, read and run again it gives what it gives on arrays. */

import { describe, expect, it } from 'vitest'
import { applyAll } from '../../src/core/apply.ts'
import { withFrame } from '../../src/core/frame.ts'
import { findOp } from '../../src/core/op.ts'
import type { NDArray } from '../../src/ndarray/ndarray.ts'
import { sym } from '../../src/symbol/index.ts'
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
        const made = withFrame({ composing: true }, () =>
          applyAll(op, variables, attrs),
        ) as Symbolic[]
        const text = sym.Group(made).toJSON()
        const read = sym.loadJSON(text)
        expect(read.toJSON()).toBe(text)
        expect(made.length).toBeLessThanOrEqual(wanted.length)
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
