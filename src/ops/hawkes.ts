/** The likelihood of events that make further events of their kind more likely: self-exciting (Hawkes) processes. */

import { isFloat } from '../base/dtype.ts'
import { fail } from '../base/error.ts'
import { formatShape, type Shape, sameShape } from '../base/shape.ts'
import { applyAll } from '../core/apply.ts'
import { defineOp, type OpDef } from '../core/op.ts'
import type { Tensor } from '../core/tensor.ts'
import { add, both, mul, num, sub } from '../prim/arithmetic.ts'
import { scan } from '../prim/call.ts'
import { cast, compare, constant, type Expr, index, select, unary } from '../prim/expr.ts'
import { castTo, gather, mapTensors, pointwise, reduce, reshapeTo } from '../prim/primitive.ts'

/** What is left after a time: e^(-rate·time). */
const left = (rate: Expr, time: Expr): Expr => unary('exp', unary('neg', mul(rate, time)))

const names = ['lda', 'alpha', 'beta', 'state', 'lags', 'marks', 'valid_length', 'max_time']

const hawkesOp = defineOp({
  name: '_contrib_hawkesll',
  inputs: names,
  body: (inputs) => {
    const where = '_contrib_hawkesll'
    const [lda] = inputs as readonly [Tensor]
    const [n, k] = lda.shape as [number, number]
    const t = inputs[4]!.shape[1] ?? 0
    const shapes: Shape[] = [[n, k], [k], [k], [n, k], [n, t], [n, t], [n], [n]]
    inputs.forEach((x, i) => {
      if (lda.shape.length !== 2 || !sameShape(x.shape, shapes[i]!))
        fail(
          where,
          `${names[i]} ${formatShape(x.shape)} does not fit lda ${formatShape(lda.shape)}: it must be ${formatShape(shapes[i]!)}`,
        )
    })
    if (!isFloat(lda.dtype)) fail(where, `lda is ${lda.dtype}: it must be a float type`)
    const own = (x: Tensor): Tensor => castTo(x, lda.dtype)
    const [mu, alpha, beta, state] = inputs.slice(0, 4).map(own) as [Tensor, Tensor, Tensor, Tensor]
    const [lags, , length, end] = inputs.slice(4).map(own) as [Tensor, Tensor, Tensor, Tensor]
    const marks = castTo(inputs[5]!, 'int32')
    const times = scan(lags, 'sum', { axis: 1 })
    const counts = pointwise(
      [mapTensors(cast(index(1), lda.dtype), [n, t], []), reshapeTo(length, [n, 1])],
      ([j, m]) => compare('lt', j!, m!),
    )
    // Of each event: what belongs to its kind.
    const kind = (x: Tensor): Tensor => gather(x, marks, 0)
    const places = pointwise(
      [mapTensors(mul(index(0), constant(k, 'int32')), [n, t], []), marks],
      ([b, c]) => add(b!, c!),
    )
    const kindOf = (x: Tensor): Tensor => gather(reshapeTo(x, [n * k]), places, 0)
    // The excitement an event meets: what earlier ones of its kind have left, and what was there at the start.
    const later = (x: Tensor): Tensor => reshapeTo(x, [n, t, 1])
    const earlier = (x: Tensor): Tensor => reshapeTo(x, [n, 1, t])
    const before = mapTensors(compare('lt', index(2), index(1)), [n, t, t], [])
    const rate = kind(beta)
    const left0 = pointwise([kindOf(state), rate, times], ([s, b, at]) => mul(s!, left(b!, at!)))
    const rest = pointwise(
      [
        later(times),
        earlier(times),
        later(marks),
        earlier(marks),
        later(rate),
        earlier(counts),
        before,
      ],
      ([at, then, c, d, b, counted, ahead]) => {
        const linked = both(both(compare('eq', c!, d!), counted!), ahead!)
        return select(linked, left(b!, select(linked, sub(at!, then!), num(at!, 0))), num(at!, 0))
      },
    )
    const met = pointwise([reduce(rest, 'sum', [2]), left0], ([x, y]) => add(x!, y!))
    const logs = pointwise(
      [kindOf(mu), kind(alpha), rate, met, counts],
      ([m, a, b, s, counted]) => {
        const intensity = add(m!, mul(mul(a!, b!), s!))
        return select(counted!, unary('log', select(counted!, intensity, num(m!, 1))), num(m!, 0))
      },
    )
    // What is left of all at the end, kind by kind.
    const perKind = (x: Tensor): Tensor => reshapeTo(x, [n, t, 1])
    const isKind = pointwise(
      [mapTensors(index(2), [n, t, k], []), perKind(marks), perKind(counts)],
      ([c, d, counted]) => both(compare('eq', c!, d!), counted!),
    )
    const limit = reshapeTo(end, [n, 1])
    const kept = pointwise(
      [isKind, reshapeTo(beta, [1, 1, k]), reshapeTo(end, [n, 1, 1]), perKind(times)],
      ([is, b, last, at]) =>
        select(is!, left(b!, select(is!, sub(last!, at!), num(at!, 0))), num(at!, 0)),
    )
    const next = pointwise([reduce(kept, 'sum', [1]), state, beta, limit], ([x, s, b, last]) =>
      add(x!, mul(s!, left(b!, last!))),
    )
    const events = reduce(castTo(isKind, lda.dtype), 'sum', [1])
    const expected = pointwise([mu, limit, alpha, state, events, next], ([m, last, a, s, e, x]) =>
      add(mul(m!, last!), mul(a!, sub(add(s!, e!), x!))),
    )
    const likelihood = pointwise(
      [reduce(logs, 'sum', [1]), reduce(expected, 'sum', [1])],
      ([x, y]) => sub(x!, y!),
    )
    return [likelihood, next]
  },
})

/**
 * The log-likelihood of marked events under self-exciting processes, and their excitement at the end: two arrays.
 *
 * Events of kind k come at the rate `λ_k(t) = lda_k + alpha_k·beta_k·s_k(t)`, where s grows by 1 at each event of the kind and decays
 * as `e^(-beta_k·t)`; the result is `Σ ln λ(t_i) - Σ_k ∫ λ_k` up to `maxTime`. `lags` are the times between events, `marks` their kinds,
 * of which `validLength` count. `lda, state (N, K), alpha, beta (K,), lags, marks (N, T), validLength, maxTime (N,) -> (N,), (N, K)`.
 * @throws MXNetError when the shapes do not fit.
 * @example
 * const one = nd.ones([1])
 * nd.contrib.hawkesll(nd.ones([1, 1]), one, one, nd.zeros([1, 1]), nd.ones([1, 2]), nd.zeros([1, 2]), nd.array([2]), nd.array([3]))[0].shape // => [1]
 * @see MXNet `_contrib_hawkesll`
 */
export function hawkesll<T extends Tensor>(
  lda: T,
  alpha: T,
  beta: T,
  state: T,
  lags: T,
  marks: T,
  validLength: T,
  maxTime: T,
): T[] {
  const inputs = [lda, alpha, beta, state, lags, marks, validLength, maxTime]
  return applyAll(hawkesOp as unknown as OpDef, inputs)
}
