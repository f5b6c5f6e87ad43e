/** Candidates without repetition from the log-uniform distribution, which word frequencies resemble. */

import { fail } from '../base/error.ts'
import { applyAll } from '../core/apply.ts'
import { attr, type Given } from '../core/attrs.ts'
import { defineOp, type OpDef } from '../core/op.ts'
import type { Tensor } from '../core/tensor.ts'
import { add } from '../prim/arithmetic.ts'
import { scan, sortPositions } from '../prim/call.ts'
import { binary, cast, compare, constant, type Expr, index, select, unary } from '../prim/expr.ts'
import { castTo, mapTensors, pointwise, reduce, reshapeTo, sliceOf } from '../prim/primitive.ts'
import { draws, unit } from './random.ts'

const num = (value: number): Expr => constant(value, 'float32')
const log = (x: Expr): Expr => unary('log', x)
/** A uniform number above 0. */
const above0 = (bits: Expr): Expr => add(unit(bits), num(2 ** -25))

const zipfianAttrs = {
  rangeMax: attr.int(undefined, { above: 0 }),
  shape: attr.ints([], { min: 0 }),
}

const zipfianOp = defineOp({
  name: '_sample_unique_zipfian',
  inputs: [],
  attrs: zipfianAttrs,
  traits: { random: true },
  body: (_xs, { rangeMax, shape }, keys) => {
    const [rows = 1, count = 1] = shape.length === 1 ? [1, shape[0]!] : shape
    if (shape.length > 2 || count > rangeMax)
      fail(
        '_sample_unique_zipfian',
        `shape (${shape}) must have at most two axes and no more than ${rangeMax} candidates in a row`,
      )
    const probability = (k: Expr): Expr => {
      const class0 = cast(k, 'float32')
      const ratio = binary('div', num(1), add(class0, num(1)))
      return binary('mul', unary('log1p', ratio), num(1 / Math.log(rangeMax + 1)))
    }
    // The order of ln p - ln(-ln u) is that in which classes first appear among draws with repetition.
    const grid = [rows, rangeMax]
    const scores = pointwise(
      [
        draws(grid, keys, 1, [], (bits) => unary('neg', log(unary('neg', log(above0(bits(0))))))),
        mapTensors(log(probability(index(1))), grid, []),
      ],
      ([g, p]) => add(g!, p!),
    )
    const picked = sliceOf(sortPositions(scores, true), [0, 0], [1, 1], [rows, count])
    // Between two new classes come repetitions of those there are: geometrically many.
    const share = pointwise([picked], ([k]) => probability(k!))
    const known = scan(share, 'sum', { axis: 1, exclusive: true })
    const others = keys.map((k) =>
      pointwise([castTo(k, 'int32')], ([w]) => binary('xor', w!, constant(0x5bd1e995, 'int32'))),
    )
    const tries = draws([rows, count], others, 1, [], (bits) => log(above0(bits(0))))
    const waits = pointwise([tries, known], ([t, p]) => {
      const some = compare('gt', p!, num(0))
      const safe = binary('min', select(some, p!, num(0.5)), num(1 - 2 ** -20))
      const extra = unary('floor', binary('div', t!, log(safe)))
      return add(num(1), select(some, extra, num(0)))
    })
    return [
      reshapeTo(castTo(picked, 'int64'), shape.length === 0 ? [1] : shape),
      castTo(reduce(waits, 'sum', [1]), 'int64'),
    ]
  },
})

/** Options of `sampleUniqueZipfian`. */
export type ZipfianOptions = Given<typeof zipfianAttrs>

/**
 * Classes 0 … rangeMax - 1 drawn without repetition from a log-uniform distribution, and how many draws it took: two arrays.
 *
 * `P(k) = ln((k + 2)/(k + 1)) / ln(rangeMax + 1)`; `() -> (N, n) int64, (N,) int64`: each row of `shape` has n different classes.
 * @throws MXNetError when a row is longer than there are classes.
 * @example
 * nd.contrib.sampleUniqueZipfian({ rangeMax: 100, shape: [2, 8] }).map((x) => x.shape) // => [[2, 8], [2]]
 * @see MXNet `_sample_unique_zipfian`
 */
export function sampleUniqueZipfian(attrs: ZipfianOptions): Tensor[] {
  return applyAll(zipfianOp as unknown as OpDef, [], attrs) as Tensor[]
}
