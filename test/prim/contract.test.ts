/** Products named by letters: any order of axes gives what the letters say. */

import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { withFrame } from '../../src/core/frame.ts'
import { OpDef } from '../../src/core/op.ts'
import { contract } from '../../src/prim/primitive.ts'
import { backends } from '../cases/devices.ts'
import { build, points, sum } from '../cases/model.ts'
import { call, put, take } from '../cases/runner.ts'

const sizes: { readonly [letter: string]: number } = { b: 2, c: 3, m: 2, n: 4, p: 3, k: 2, l: 3 }
const at = (letters: string, values: { readonly [letter: string]: number }): number[] =>
  [...letters].map((c) => values[c]!)
const shapeOf = (letters: string): number[] => at(letters, sizes)

/** Both sides' letters: some in both (batches and sums), some in one (rows and columns). */
const letters = fc
  .record({
    batch: fc.subarray([...'bc']),
    rows: fc.subarray([...'mn']),
    columns: fc.subarray([...'p']),
    sums: fc.subarray([...'kl']),
  })
  .chain(({ batch, rows, columns, sums }) => {
    const any = (list: readonly string[]) =>
      fc.shuffledSubarray([...list], { minLength: list.length }).map((l) => l.join(''))
    return fc.tuple(
      any([...batch, ...rows, ...sums]),
      any([...batch, ...columns, ...sums]),
      any([...batch, ...rows, ...columns]),
    )
  })

describe.each(backends.filter((b) => b.skip === null))('contract on $context', ({ context }) => {
  it('sums over the letters that the result lacks, wherever letters stand', () => {
    fc.assert(
      fc.property(letters, ([lhs, rhs, out]) => {
        const number = (place: readonly number[]): number =>
          ((place.reduce((h, v) => 5 * h + v, 1) * 7) % 11) - 5
        const [a, b] = [lhs, rhs].map((l) => build(shapeOf(l), number))
        const inner = [...lhs].filter((c) => rhs.includes(c) && !out.includes(c)).join('')
        const element = (x: typeof a, own: string, values: { readonly [c: string]: number }) =>
          x!.data[at(own, values).reduce((flat, v, i) => flat * x!.shape[i]! + v, 0)]!
        const want = build(shapeOf(out), (place) =>
          sum(
            [...points(shapeOf(inner))].map((rest) => {
              const values = Object.fromEntries([
                ...[...out].map((c, i) => [c, place[i]!] as const),
                ...[...inner].map((c, i) => [c, rest[i]!] as const),
              ])
              return element(a, lhs, values) * element(b, rhs, values)
            }),
          ),
        )
        const op = new OpDef({
          name: 'product',
          inputs: ['lhs', 'rhs'],
          body: ([x, y]) => contract(x!, y!, lhs, rhs, out),
        })
        const [got] = withFrame({ context }, () =>
          call(op, [put(a!, 'float32', context), put(b!, 'float32', context)], {}, context),
        )
        expect(take(got!)).toEqual({ shape: want.shape, data: want.data.map((v) => v + 0) })
      }),
      { numRuns: 150, seed: 4 },
    )
  })
})
