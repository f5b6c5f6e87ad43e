/** Where to cut the range of a histogram before it is quantized: the cut that loses the least information. */

import { fail } from '../base/error.ts'
import { formatShape } from '../base/shape.ts'
import { applyAll } from '../core/apply.ts'
import { attr, type Given } from '../core/attrs.ts'
import { defineOp, type OpDef } from '../core/op.ts'
import type { Tensor } from '../core/tensor.ts'
import { add, div, int, mul, num, sub } from '../prim/arithmetic.ts'
import { scan } from '../prim/call.ts'
import { binary, cast, compare, type Expr, index, select, unary } from '../prim/expr.ts'
import {
  castTo,
  gather,
  iota,
  mapTensors,
  pointwise,
  reduce,
  reshapeTo,
} from '../prim/primitive.ts'

const isZero = (x: Expr): Expr => compare('eq', x, num(x, 0))

/** What a number that is 0 is taken for, so that logarithms are finite. */
const least = 1e-4
/** The largest float32: the divergence where none is finite. */
const most = 3.4028234663852886e38

/** The sums of what stands before each place: (n,) -> (n + 1,). */
function sumsBefore(x: Tensor): Tensor {
  const n = x.size
  const sums = scan(x, 'sum', { axis: 0 })
  const at = mapTensors(sub(index(0), int(1)), [n + 1], [])
  return pointwise([gather(sums, at, 0), iota([n + 1], 0)], ([s, i]) =>
    select(isZero(i!), int(0), s!),
  )
}

/** Distributions in the rows of `x`, over places that are `inside`: zeros get a little, taken evenly from the rest, and sums become 1. */
function smoothed(x: Tensor, inside: Tensor): { share: Tensor; valid: Tensor } {
  const count = (test: (v: Expr) => Expr): Tensor =>
    reshapeTo(
      reduce(
        pointwise([x, inside], ([v, i]) => cast(binary('and', i!, test(v!)), v!.dtype)),
        'sum',
        [1],
      ),
      [x.shape[0]!, 1],
    )
  const zeros = count(isZero)
  const others = count((v) => compare('ne', v, num(v, 0)))
  const given = pointwise([zeros, others], ([z, o]) =>
    div(mul(z!, num(z!, least)), binary('max', o!, num(o!, 1))),
  )
  const moved = pointwise([x, given, inside], ([v, g, i]) =>
    select(i!, select(isZero(v!), num(v!, least), sub(v!, g!)), num(v!, 0)),
  )
  const sum = reshapeTo(reduce(moved, 'sum', [1]), [x.shape[0]!, 1])
  return {
    share: pointwise([moved, sum], ([v, s]) => div(v!, s!)),
    valid: pointwise([given, others], ([g, o]) =>
      binary('and', compare('lt', g!, num(g!, 1)), compare('gt', o!, num(o!, 0))),
    ),
  }
}

const entropyAttrs = { numQuantizedBins: attr.int(255, { min: 3 }) }

const entropyOp = defineOp({
  name: '_contrib_calibrate_entropy',
  inputs: ['hist', 'hist_edges'],
  attrs: entropyAttrs,
  body: ([hist, edges], { numQuantizedBins: bins }) => {
    const n = hist!.size
    if (hist!.shape.length !== 1 || edges!.shape.length !== 1 || edges!.size !== n + 1 || n < bins)
      fail(
        '_contrib_calibrate_entropy',
        `hist ${formatShape(hist!.shape)} and hist_edges ${formatShape(edges!.shape)} must be (n,) and (n + 1,), n at least ${bins}`,
      )
    const half = Math.floor(bins / 2)
    const middle = Math.floor(n / 2)
    const counts = castTo(hist!, 'int32')
    const filledBins = pointwise([counts], ([c]) => cast(compare('ne', c!, int(0)), 'int32'))
    const [total, some] = [sumsBefore(counts), sumsBefore(filledBins)]
    // Cut t keeps the places from … to around the middle.
    const grid = [middle - half + 1, n]
    const from = mapTensors(sub(int(middle - half), index(0)), grid, [])
    const to = mapTensors(binary('min', add(int(middle + half), index(0)), int(n - 1)), grid, [])
    const place = iota(grid, 1)
    const inside = pointwise([place, from, to], ([i, a, b]) =>
      binary('and', compare('ge', i!, a!), compare('le', i!, b!)),
    )
    const at = (of: Tensor, where: Tensor): Tensor => gather(of, where, 0)
    const next = (x: Tensor): Tensor => pointwise([x], ([v]) => add(v!, int(1)))
    const everything = at(total, mapTensors(int(n), grid, []))
    // What lies outside of a cut counts to its ends.
    const p = pointwise(
      [place, from, to, at(counts, place), at(total, next(from)), at(total, to), everything],
      ([i, a, b, own, upTo, before, all]) => {
        const end = select(compare('eq', i!, b!), sub(all!, before!), own!)
        return cast(select(compare('eq', i!, a!), upTo!, end), 'float32')
      },
    )
    // Equal numbers of places make a bin, the rest the last one; the first place itself is left out.
    const ends = (which: 'start' | 'stop'): Tensor =>
      pointwise([place, from, to], ([i, a, b]) => {
        const length = add(sub(b!, a!), int(1))
        const width = div(length, int(bins))
        const bin = binary('min', div(binary('max', sub(i!, a!), int(0)), width), int(bins - 1))
        if (which === 'start') return add(a!, binary('max', mul(bin, width), int(1)))
        const whole = mul(add(bin, int(1)), width)
        return add(a!, select(compare('eq', bin, int(bins - 1)), length, whole))
      })
    const [start, stop] = [ends('start'), ends('stop')]
    const within = (sums: Tensor): Tensor =>
      pointwise([at(sums, stop), at(sums, start)], ([x, y]) => cast(sub(x!, y!), 'float32'))
    const q = pointwise([within(total), within(some), p, inside], ([sum, filled, v, i]) => {
      const mean = div(sum!, binary('max', filled!, num(filled!, 1)))
      const empty = binary('or', isZero(filled!), isZero(v!))
      return select(binary('and', i!, unary('not', empty)), mean, num(sum!, 0))
    })
    const [wanted, given] = [smoothed(p, inside), smoothed(q, inside)]
    const parts = pointwise([wanted.share, given.share, inside], ([x, y, i]) => {
      const [safe, other] = [select(i!, x!, num(x!, 1)), select(i!, y!, num(y!, 1))]
      return select(i!, mul(x!, unary('log', div(safe, other))), num(x!, 0))
    })
    const cuts = grid[0]!
    const divergence = pointwise(
      [reshapeTo(reduce(parts, 'sum', [1]), [cuts, 1]), given.valid],
      ([d, valid]) => {
        const good = binary('and', valid!, compare('lt', d!, num(d!, most)))
        return select(good, d!, num(d!, most))
      },
    )
    const best = reshapeTo(reduce(reshapeTo(divergence, [cuts]), 'argmin', [0]), [1])
    const edge = pointwise([best], ([t]) => add(t!, int(middle + half + 1)))
    return [
      gather(castTo(edges!, 'float32'), edge, 0),
      gather(reshapeTo(divergence, [cuts]), best, 0),
    ]
  },
  grad: () => [null, null],
})

/**
 * Where a histogram of activations is cut best before they are quantized, by the divergence of what is left (Kullback and Leibler), and
 * that divergence: two arrays.
 *
 * `(n,), (n + 1,) -> (1,), (1,)`: counts and edges of bins around 0; `numQuantizedBins` is how many values there will be. No gradient.
 * @throws MXNetError when there are fewer bins than values, or the edges do not fit.
 * @example
 * const [threshold] = nd.contrib.calibrateEntropy(nd.array([1, 2, 9, 2, 1]), nd.arange(-2, 4), { numQuantizedBins: 3 })
 * threshold.shape // => [1]
 * @see MXNet `_contrib_calibrate_entropy`
 */
export function calibrateEntropy<T extends Tensor>(
  hist: T,
  histEdges: T,
  attrs?: Given<typeof entropyAttrs>,
): T[] {
  return applyAll(entropyOp as unknown as OpDef, [hist, histEdges], attrs)
}
