/** One layer of a recurrent network in one direction: steps over time, and their gradient as one sweep back. */

import { applyAll } from '../core/apply.ts'
import { attr } from '../core/attrs.ts'
import { OpDef } from '../core/op.ts'
import { pullBack } from '../core/reverse.ts'
import type { Tensor } from '../core/tensor.ts'
import { substitute, trace } from '../core/trace.ts'
import { add, mul, num, sub } from '../prim/arithmetic.ts'
import { binary, compare, constant, type Expr, select, unary } from '../prim/expr.ts'
import {
  assemble,
  contract,
  iota,
  pointwise,
  reduce,
  reshapeTo,
  sliceOf,
} from '../prim/primitive.ts'

/** The kinds of recurrent layers. */
export const modes = ['rnn_relu', 'rnn_tanh', 'lstm', 'gru'] as const
/** A kind of recurrent layer. */
export type Mode = (typeof modes)[number]

/** Matrices of a layer that stand above each other: gates. */
export const gatesOf = (mode: Mode): number => ({ rnn_relu: 1, rnn_tanh: 1, lstm: 4, gru: 3 })[mode]

/** 1/(1 + e⁻ˣ). */
export const sigmoid = (x: Expr): Expr =>
  binary('div', num(x, 1), add(num(x, 1), unary('exp', unary('neg', x))))

/** Part `k` of `count` along the last axis. */
export function part(x: Tensor, k: number, count: number): Tensor {
  const last = x.shape.length - 1
  const size = x.shape[last]! / count
  const begin = x.shape.map((_, i) => (i === last ? k * size : 0))
  return sliceOf(
    x,
    begin,
    x.shape.map(() => 1),
    x.shape.map((d, i) => (i === last ? size : d)),
  )
}

/** Step `t` of (T, …). */
export function step(x: Tensor, t: number): Tensor {
  const shape = x.shape.slice(1)
  const taken = sliceOf(
    x,
    x.shape.map((_, i) => (i === 0 ? t : 0)),
    x.shape.map(() => 1),
    [1, ...shape],
  )
  return reshapeTo(taken, shape)
}

/** Steps side by side: (T, …). */
export function steps(parts: readonly Tensor[]): Tensor {
  const { shape } = parts[0]!
  return assemble(
    [parts.length, ...shape],
    parts.map((p) => reshapeTo(p, [1, ...shape])),
    parts.map((_, t) => ({
      begin: [t, ...shape.map(() => 0)],
      step: [1, ...shape.map(() => 1)],
    })),
  )
}

/** Parts side by side along the last axis. */
function beside(parts: readonly Tensor[]): Tensor {
  const { shape } = parts[0]!
  const [rows, size] = shape as [number, number]
  return assemble(
    [rows, size * parts.length],
    parts,
    parts.map((_, k) => ({ begin: [0, k * size], step: [1, 1] })),
  )
}

const times = (h: Tensor, weight: Tensor): Tensor => contract(h, weight, 'nh', 'gh', 'ng')

/**
 * The gates of LSTM: logistic functions but for the third, tanh x = 2·sigmoid(2·x) - 1, so that all take one
 * exponential.
 */
function lstmGates(sums: Tensor): Tensor {
  const size = sums.shape[1]! / 4
  const two = pointwise([iota([4 * size], 0)], ([i]) => {
    const third = binary(
      'and',
      compare('ge', i!, constant(2 * size, 'int32')),
      compare('lt', i!, constant(3 * size, 'int32')),
    )
    return select(third, constant(2, sums.dtype), constant(1, sums.dtype))
  })
  return pointwise([sums, two], ([v, k]) => sub(mul(k!, sigmoid(mul(k!, v!))), sub(k!, num(v!, 1))))
}

/** What a layer computes: outputs (T, N, H), cells of LSTM, and what its gradient reads besides. */
interface Run {
  readonly ys: Tensor
  readonly cells: Tensor | null
  readonly kept: readonly Tensor[]
}

const order = (count: number, reverse: boolean): number[] =>
  Array.from({ length: count }, (_, i) => (reverse ? count - 1 - i : i))

const sum2 = (a: Tensor, b: Tensor): Tensor => pointwise([a, b], ([x, y]) => add(x!, y!))

function runSteps(
  mode: Mode,
  reverse: boolean,
  pre: Tensor,
  weight: Tensor,
  bias: Tensor | null,
  h0: Tensor,
  c0: Tensor | null,
): Run {
  const count = pre.shape[0]!
  let [h, c] = [h0, c0]
  const ys: Tensor[] = []
  const cells: Tensor[] = []
  const kept: Tensor[] = []
  for (const t of order(count, reverse)) {
    const sums = times(h, weight)
    const input = step(pre, t)
    if (mode === 'lstm') {
      const gates = lstmGates(sum2(sums, input))
      const [i, f, g, o] = [0, 1, 2, 3].map((k) => part(gates, k, 4)) as [
        Tensor,
        Tensor,
        Tensor,
        Tensor,
      ]
      c = pointwise([i, f, g, c!], ([a, b, d, e]) => add(mul(b!, e!), mul(a!, d!)))
      h = pointwise([o, c], ([a, b]) => mul(a!, unary('tanh', b!)))
      cells[t] = c
      kept[t] = gates
    } else if (mode === 'gru') {
      const own = bias === null ? sums : sum2(sums, bias)
      const gates = [0, 1].map((k) =>
        pointwise([part(own, k, 3), part(input, k, 3)], ([a, b]) => sigmoid(add(a!, b!))),
      ) as [Tensor, Tensor]
      const inner = part(own, 2, 3)
      const fresh = pointwise([gates[0], inner, part(input, 2, 3)], ([r, a, b]) =>
        unary('tanh', add(mul(r!, a!), b!)),
      )
      h = pointwise([gates[1], fresh, h], ([z, n, p]) =>
        add(mul(sub(num(z!, 1), z!), n!), mul(z!, p!)),
      )
      kept[t] = beside([...gates, fresh, inner])
    } else {
      h = pointwise([sums, input], ([a, b]) => {
        const v = add(a!, b!)
        return mode === 'rnn_tanh' ? unary('tanh', v) : binary('max', v, num(v, 0))
      })
    }
    ys[t] = h
  }
  return { ys: steps(ys), cells: mode === 'lstm' ? steps(cells) : null, kept }
}

/** Gradients of a layer, step by step from the last one back. */
function sweepBack(
  mode: Mode,
  reverse: boolean,
  inputs: readonly (Tensor | null)[],
  { ys, cells, kept }: Run,
  dys: Tensor,
  dcells: Tensor | null,
): (Tensor | null)[] {
  const [pre, weight, bias, h0, c0] = inputs as readonly [
    Tensor,
    Tensor,
    Tensor | null,
    Tensor,
    Tensor | null,
  ]
  const count = pre.shape[0]!
  const path = order(count, reverse)
  const dsums: Tensor[] = []
  const dinputs: Tensor[] = []
  let dh: Tensor | null = null
  let dc: Tensor | null = null
  for (let k = count - 1; k >= 0; k--) {
    const t = path[k]!
    const before = k === 0 ? null : path[k - 1]!
    const previous = before === null ? h0 : step(ys, before)
    const dy: Tensor = dh === null ? step(dys, t) : sum2(dh, step(dys, t))
    let direct: Tensor | null = null
    if (mode === 'lstm') {
      const [i, f, g, o] = [0, 1, 2, 3].map((n) => part(kept[t]!, n, 4)) as [
        Tensor,
        Tensor,
        Tensor,
        Tensor,
      ]
      const cell = step(cells!, t)
      const older = before === null ? c0! : step(cells!, before)
      const along = dcells === null ? [] : [step(dcells, t)]
      const total = pointwise(
        [dy, o, cell, ...(dc === null ? [] : [dc]), ...along],
        ([d, a, c, ...rest]) => {
          const s = unary('tanh', c!)
          return rest.reduce(add, mul(mul(d!, a!), sub(num(s, 1), mul(s, s))))
        },
      )
      const slope = (v: Expr): Expr => mul(v, sub(num(v, 1), v))
      dsums[t] = beside([
        pointwise([total, g, i], ([d, a, b]) => mul(mul(d!, a!), slope(b!))),
        pointwise([total, older, f], ([d, a, b]) => mul(mul(d!, a!), slope(b!))),
        pointwise([total, i, g], ([d, a, b]) => mul(mul(d!, a!), sub(num(b!, 1), mul(b!, b!)))),
        pointwise([dy, cell, o], ([d, c, b]) => mul(mul(d!, unary('tanh', c!)), slope(b!))),
      ])
      dc = pointwise([total, f], ([d, a]) => mul(d!, a!))
    } else if (mode === 'gru') {
      const [r, z, n, inner] = [0, 1, 2, 3].map((m) => part(kept[t]!, m, 4)) as [
        Tensor,
        Tensor,
        Tensor,
        Tensor,
      ]
      const dn = pointwise([dy, z, n], ([d, a, b]) =>
        mul(mul(d!, sub(num(a!, 1), a!)), sub(num(b!, 1), mul(b!, b!))),
      )
      const dr = pointwise([dn, inner, r], ([d, a, b]) =>
        mul(mul(d!, a!), mul(b!, sub(num(b!, 1), b!))),
      )
      const dz = pointwise([dy, previous, n, z], ([d, p, a, b]) =>
        mul(mul(d!, sub(p!, a!)), mul(b!, sub(num(b!, 1), b!))),
      )
      const own = pointwise([dn, r], ([d, a]) => mul(d!, a!))
      dsums[t] = beside([dr, dz, own])
      dinputs[t] = beside([dr, dz, dn])
      direct = pointwise([dy, z], ([d, a]) => mul(d!, a!))
    } else {
      dsums[t] = pointwise([dy, step(ys, t)], ([d, y]) =>
        mode === 'rnn_tanh'
          ? mul(d!, sub(num(y!, 1), mul(y!, y!)))
          : select(compare('gt', y!, num(y!, 0)), d!, num(d!, 0)),
      )
    }
    const through = contract(dsums[t]!, weight, 'ng', 'gh', 'nh')
    dh = direct === null ? through : sum2(through, direct)
  }
  const all = steps(dsums)
  const previous = steps(
    Array.from({ length: count }, (_, t) => {
      const k = path.indexOf(t)
      return k === 0 ? h0 : step(ys, path[k - 1]!)
    }),
  )
  return [
    mode === 'gru' ? steps(dinputs) : all,
    contract(all, previous, 'tng', 'tnh', 'gh'),
    bias === null ? null : reduce(all, 'sum', [0, 1]),
    dh,
    c0 === null ? null : dc,
  ]
}

/** Results of a run in a row: outputs, cells, what is kept. */
const inRow = ({ ys, cells, kept }: Run): Tensor[] => [ys, ...(cells ? [cells] : []), ...kept]

const define = (mode: Mode): OpDef => {
  const results = mode === 'lstm' ? 2 : 1
  const attrs = { reverse: attr.bool(false) }
  const body = (inputs: readonly (Tensor | null)[], reverse: boolean): Tensor[] => {
    const [pre, weight, bias, h0, c0] = inputs
    return inRow(runSteps(mode, reverse, pre!, weight!, bias ?? null, h0!, c0 ?? null))
  }
  return new OpDef({
    name: `recurrence of ${mode}`,
    inputs: ['pre', 'weight', 'bias?', 'h0', 'c0?'],
    attrs,
    results,
    body: (inputs, { reverse }) => body(inputs, reverse),
    grad: ({ inputs, outputs, dys, attrs: { reverse }, needs }) => {
      if (dys.length > results) {
        const avals = inputs.map((t) => t?.aval ?? null)
        const graph = trace(avals, [], (xs) => body(xs, reverse))
        return pullBack(substitute(graph, inputs, []), dys, needs)
      }
      const run: Run = {
        ys: outputs[0]!,
        cells: mode === 'lstm' ? outputs[1]! : null,
        kept: outputs.slice(results),
      }
      return sweepBack(mode, reverse, inputs, run, dys[0]!, dys[1] ?? null)
    },
  }) as unknown as OpDef
}

const recurrences = Object.fromEntries(modes.map((mode) => [mode, define(mode)])) as Record<
  Mode,
  OpDef
>

/**
 * Runs one layer in one direction over time: outputs (T, N, H), and the cells (T, N, H) of LSTM.
 * `pre` (T, N, G·H) holds what the inputs contribute, biases included but for the one inside GRU's reset.
 */
export function recurrence(
  mode: Mode,
  reverse: boolean,
  pre: Tensor,
  weight: Tensor,
  bias: Tensor | null,
  h0: Tensor,
  c0: Tensor | null,
): { readonly ys: Tensor; readonly cells: Tensor | null } {
  const [ys, cells] = applyAll(recurrences[mode], [pre, weight, bias, h0, c0], { reverse })
  return { ys: ys!, cells: mode === 'lstm' ? cells! : null }
}
