/** The fused RNN operator: layers, directions and packed parameters, as MXNet has them. */

import { isFloat } from '../base/dtype.ts'
import { fail } from '../base/error.ts'
import { formatShape } from '../base/shape.ts'
import { apply, applyAll } from '../core/apply.ts'
import { attr, type Given } from '../core/attrs.ts'
import { frame } from '../core/frame.ts'
import { arraysThenOptions } from '../core/given.ts'
import { Sym } from '../core/graph.ts'
import { defineOp, type Values } from '../core/op.ts'
import { type Tensor, Unbound } from '../core/tensor.ts'
import { add, mul } from '../prim/arithmetic.ts'
import { binary, cast, compare, constant, select, unary } from '../prim/expr.ts'
import { castTo, contract, pointwise, reshapeTo, sliceOf } from '../prim/primitive.ts'
import { reshape } from './movement.ts'
import { draws, dropout, unit } from './random.ts'
import { gatesOf, type Mode, modes, part, recurrence, sigmoid, step, steps } from './recurrence.ts'
import { concat } from './slicing.ts'

const rnnAttrs = {
  stateSize: attr.int<undefined>(undefined, { min: 1 }),
  numLayers: attr.int<undefined>(undefined, { min: 1 }),
  bidirectional: attr.bool(false),
  mode: attr.oneOf(modes),
  p: attr.float(0, { min: 0, max: 1 }),
  stateOutputs: attr.bool(false),
  projectionSize: attr.optional(attr.int<undefined>(undefined, { min: 1 })),
  lstmStateClipMin: attr.optional(attr.float()),
  lstmStateClipMax: attr.optional(attr.float()),
  lstmStateClipNan: attr.bool(false),
  useSequenceLength: attr.bool(false),
}
/** Options of `rnn`. */
export type RNNOptions = Given<typeof rnnAttrs>
type RNNValues = Values<typeof rnnAttrs>

/** The matrices and biases of one layer in one direction. */
export interface Weights {
  readonly i2h: Tensor
  readonly h2h: Tensor
  readonly h2r: Tensor | null
  readonly i2hBias: Tensor
  readonly h2hBias: Tensor
}

/** How many numbers the packed parameters hold. */
export function rnnParameterSize(inputSize: number, attrs: RNNOptions): number {
  const { stateSize, numLayers, mode } = attrs
  const directions = attrs.bidirectional ? 2 : 1
  const rows = gatesOf(mode) * stateSize
  const hidden = attrs.projectionSize ?? stateSize
  let size = 0
  for (let layer = 0; layer < numLayers; layer++) {
    const inner = layer === 0 ? inputSize : directions * hidden
    const projection = attrs.projectionSize ? hidden * stateSize : 0
    size += directions * (rows * (inner + hidden + 2) + projection)
  }
  return size
}

/** `concat` under a name of its own, for the parameters that `rnn` takes as one array. */
const packOp = defineOp({
  name: '_rnn_param_concat',
  inputs: ['...data'],
  attrs: { dim: attr.int(1) },
  body: (xs, { dim }) => concat(...xs, { dim }),
})

/** What was packed in the same graph, by where each piece begins: it need not be taken apart again. */
function piecesOf(packed: Tensor): ReadonlyMap<number, Tensor> {
  const pieces = new Map<number, Tensor>()
  const { node } = packed
  const op: unknown = node?.instance?.bound.op
  if (!(packed instanceof Sym) || node === null || op !== packOp) return pieces
  let at = 0
  for (const piece of node.inputs) {
    if (piece === null) continue
    pieces.set(at, piece)
    at += piece.size
  }
  return pieces
}

/** The packed parameters taken apart: all matrices, layer by layer and direction by direction, then all biases. */
function unpack(where: string, packed: Tensor, inputSize: number, attrs: RNNValues): Weights[] {
  const { stateSize, numLayers, mode, bidirectional, projectionSize } = attrs
  const want = rnnParameterSize(inputSize, attrs)
  if (packed.size !== want)
    fail(where, `parameters ${formatShape(packed.shape)} must hold ${want} numbers`)
  const flat = reshapeTo(packed, [want])
  const pieces = piecesOf(packed)
  let at = 0
  const take = (...shape: number[]): Tensor => {
    const size = shape.reduce((a, b) => a * b, 1)
    const whole = pieces.get(at)
    const piece = whole?.size === size ? whole : sliceOf(flat, [at], [1], [size])
    at += size
    return reshapeTo(piece, shape)
  }
  const directions = bidirectional ? 2 : 1
  const rows = gatesOf(mode) * stateSize
  const hidden = projectionSize ?? stateSize
  const matrices = Array.from({ length: numLayers * directions }, (_, k) => {
    const inner = k < directions ? inputSize : directions * hidden
    const [i2h, h2h] = [take(rows, inner), take(rows, hidden)]
    return { i2h, h2h, h2r: projectionSize ? take(projectionSize, stateSize) : null }
  })
  return matrices.map((m) => ({ ...m, i2hBias: take(rows), h2hBias: take(rows) }))
}

/** The weights of a layer side by side with what its steps need. */
interface LayerRun {
  readonly ys: Tensor
  readonly h: Tensor
  readonly c: Tensor | null
}

/** Steps written out one by one: with a projection, clipped cells or sequences of several lengths. */
function plainLayer(
  pre: Tensor,
  w: Weights,
  h0: Tensor,
  c0: Tensor | null,
  lengths: Tensor | null,
  reverse: boolean,
  attrs: RNNValues,
): LayerRun {
  const { mode, lstmStateClipMin, lstmStateClipMax } = attrs
  const count = pre.shape[0]!
  const ys: Tensor[] = []
  let [h, c] = [h0, c0]
  /** The new value where the sequence still runs at step t, else the other. */
  const running = (fresh: Tensor, other: Tensor | null, t: number): Tensor => {
    if (lengths === null) return fresh
    const rows = reshapeTo(lengths, [lengths.shape[0]!, 1])
    const inputs = other === null ? [fresh, rows] : [fresh, rows, other]
    return pointwise(inputs, ([f, n, o]) =>
      select(compare('gt', n!, constant(t, 'int32')), f!, o ?? constant(0, f!.dtype)),
    )
  }
  for (let k = 0; k < count; k++) {
    const t = reverse ? count - 1 - k : k
    const input = step(pre, t)
    const one = reshapeTo(input, [1, ...input.shape])
    let next: Tensor
    if (mode === 'lstm') {
      const sums = pointwise([contract(h, w.h2h, 'nh', 'gh', 'ng'), input], ([a, b]) => add(a!, b!))
      const [i, f, g, o] = [0, 1, 2, 3].map((m) => part(sums, m, 4)) as [
        Tensor,
        Tensor,
        Tensor,
        Tensor,
      ]
      const cell = pointwise([i, f, g, c!], ([a, b, d, e]) => {
        const v = add(mul(sigmoid(b!), e!), mul(sigmoid(a!), unary('tanh', d!)))
        const [low, high] = [lstmStateClipMin, lstmStateClipMax]
        const above = low === null ? v : binary('max', v, constant(low, v.dtype))
        return high === null ? above : binary('min', above, constant(high, v.dtype))
      })
      const out = pointwise([o, cell], ([a, b]) => mul(sigmoid(a!), unary('tanh', b!)))
      next = w.h2r === null ? out : contract(out, w.h2r, 'nh', 'rh', 'nr')
      c = running(cell, c, t)
    } else {
      next = step(recurrence(mode, false, one, w.h2h, biasInside(mode, w), h, null).ys, 0)
    }
    h = running(next, h, t)
    ys[t] = running(next, null, t)
  }
  return { ys: steps(ys), h, c }
}

/** The bias that stands inside of GRU's reset; those of the other kinds are added to the inputs. */
const biasInside = (mode: Mode, w: Weights): Tensor | null => (mode === 'gru' ? w.h2hBias : null)

/** Runs all layers; `between` drops parts of what goes from one to the next. */
function runLayers(
  where: string,
  inputs: readonly (Tensor | null | undefined)[],
  attrs: RNNValues,
  between: (x: Tensor, layer: number) => Tensor,
  given?: readonly Weights[],
): Tensor[] {
  const [data, parameters, state] = inputs as readonly [Tensor, Tensor | null, Tensor]
  const { mode, numLayers, bidirectional, stateSize, projectionSize, useSequenceLength } = attrs
  const lstm = mode === 'lstm'
  const cells = lstm ? inputs[3] : null
  const lengths = useSequenceLength ? (lstm ? inputs[4] : (inputs[3] ?? inputs[4])) : null
  if (!isFloat(data.dtype)) fail(where, `data is ${data.dtype}: it must be a float type`)
  if (data.shape.length !== 3)
    fail(where, `data ${formatShape(data.shape)} must be (T, N, I): time, batch, inputs`)
  if (projectionSize !== null && !lstm) fail(where, `projectionSize is for lstm, not for ${mode}`)
  const [count, batch, inputSize] = data.shape as [number, number, number]
  if (count === 0) fail(where, 'data has no steps: it needs at least one')
  const directions = bidirectional ? 2 : 1
  const check = (name: string, x: Tensor | null | undefined, size: number): Tensor => {
    const want = [numLayers * directions, batch, size]
    if (!x) return fail(where, `${name} is missing: it must be ${formatShape(want)}`)
    if (x.shape.length !== 3 || x.shape.some((d, i) => d !== want[i]))
      fail(where, `${name} ${formatShape(x.shape)} must be ${formatShape(want)}`)
    if (x.dtype !== data.dtype) fail(where, `${name} is ${x.dtype}: it must be ${data.dtype}`)
    return x
  }
  const { dtype } = given === undefined ? parameters! : given[0]!.i2h
  if (dtype !== data.dtype) fail(where, `parameters are ${dtype}: they must be ${data.dtype}`)
  check('state', state, projectionSize ?? stateSize)
  if (lstm) check('state_cell', cells, stateSize)
  if (useSequenceLength && (!lengths || lengths.size !== batch))
    fail(where, `sequence_length is needed: one number for each of ${batch} sequences`)
  const limits = lengths ? castTo(reshapeTo(lengths, [batch]), 'int32') : null
  const { lstmStateClipMin, lstmStateClipMax } = attrs
  const clipped = lstm && (lstmStateClipMin !== null || lstmStateClipMax !== null)
  const weights = given ?? unpack(where, parameters!, inputSize, attrs)
  let x = data
  const ends: LayerRun[] = []
  for (let layer = 0; layer < numLayers; layer++) {
    const outputs: Tensor[] = []
    for (let d = 0; d < directions; d++) {
      const at = layer * directions + d
      const w = weights[at]!
      const [h0, c0] = [step(state, at), lstm ? step(cells!, at) : null]
      const products = contract(x, w.i2h, 'tni', 'gi', 'tng')
      const biases = mode === 'gru' ? [w.i2hBias] : [w.i2hBias, w.h2hBias]
      const pre = pointwise([products, ...biases], (e) => e.reduce(add))
      const reverse = d === 1
      let run: LayerRun
      if (w.h2r !== null || clipped || limits !== null) {
        run = plainLayer(pre, w, h0, c0, limits, reverse, attrs)
      } else {
        const made = recurrence(mode, reverse, pre, w.h2h, biasInside(mode, w), h0, c0)
        const end = reverse ? 0 : count - 1
        const c = made.cells === null ? null : step(made.cells, end)
        run = { ys: made.ys, h: step(made.ys, end), c }
      }
      outputs.push(run.ys)
      ends.push(run)
    }
    x = outputs.length === 1 ? outputs[0]! : concat(...outputs, { dim: 2 })
    if (layer < numLayers - 1) x = between(x, layer)
  }
  if (!attrs.stateOutputs) return [x]
  const last = [x, steps(ends.map((e) => e.h))]
  return lstm ? [...last, steps(ends.map((e) => e.c!))] : last
}

const rnnOp = defineOp({
  name: 'RNN',
  inputs: ['data', 'parameters', 'state', 'state_cell?', 'sequence_length?'],
  attrs: { ...rnnAttrs, training: attr.bool(false) },
  traits: { random: true, trains: true },
  body: (inputs, attrs, keys) =>
    runLayers('RNN', inputs, attrs, (x, layer) => {
      const { p, training } = attrs
      if (p === 0 || !training) return x
      const mask = draws(x.shape, keys, attrs.numLayers, [], (bits) => {
        const kept = compare('ge', unit(bits(layer)), constant(p, 'float32'))
        return select(kept, constant(p === 1 ? 0 : 1 / (1 - p), 'float32'), constant(0, 'float32'))
      })
      return pointwise([x, mask], ([v, m]) => mul(v!, cast(m!, v!.dtype)))
    }),
  perform: ([data, parameters, state, cell, lengths], attrs) =>
    rnn(
      data!,
      parameters!,
      state!,
      cell,
      lengths,
      attrs as unknown as RNNOptions & { stateOutputs: boolean },
    ),
  complete: ([x], attrs) => {
    if (!x) return []
    const rows = attrs.numLayers * (attrs.bidirectional ? 2 : 1)
    const state = [rows, x.shape[1]!, attrs.projectionSize ?? attrs.stateSize]
    const size = [rnnParameterSize(x.shape[2]!, attrs)]
    return [null, size, state, [rows, x.shape[1]!, attrs.stateSize]]
  },
})

/** What follows the first state: the state of an LSTM's cells, lengths, options. */
type RNNRest<T extends Tensor, O> =
  | [attrs: O]
  | [stateCell: T | null | undefined, attrs: O]
  | [stateCell: T | null | undefined, sequenceLength: T | null | undefined, attrs: O]

/**
 * Recurrent layers over a sequence: `rnn_relu`, `rnn_tanh`, `lstm` or `gru`, in one or both directions.
 *
 * `(T, N, I), (P,), (L·D, N, H)[, (L·D, N, H)] -> (T, N, D·H)`, with `stateOutputs` also the last states, as an array of
 * results. P holds all matrices (input, then state; layer by layer, direction by direction), then all biases. LSTM's gates are
 * input, forget, cell, output; GRU's are reset, update, new. `p` drops outputs between layers while training;
 * `projectionSize` makes LSTM's state smaller; with `useSequenceLength`, steps from a sequence's length on give 0 and leave
 * its state as it is. Float dtypes, all the same.
 * @throws MXNetError when a shape does not fit.
 * @example
 * const size = 4 * 5 * (3 + 5 + 2)
 * const [x, h] = [nd.ones([7, 2, 3]), nd.zeros([1, 2, 5])]
 * nd.rnn(x, nd.zeros([size]), h, h, { mode: 'lstm', stateSize: 5, numLayers: 1 }).shape // => [7, 2, 5]
 * @see MXNet `RNN`
 */
export function rnn<T extends Tensor>(
  data: T,
  parameters: T,
  state: T,
  ...rest: RNNRest<T, RNNOptions & { readonly stateOutputs?: false | undefined }>
): T
export function rnn<T extends Tensor>(
  data: T,
  parameters: T,
  state: T,
  ...rest: RNNRest<T, RNNOptions & { readonly stateOutputs: boolean }>
): T | T[]
export function rnn<T extends Tensor>(
  data: T,
  parameters: T,
  state: T,
  ...rest: RNNRest<T, RNNOptions>
): T | T[] {
  const [inputs, attrs] = arraysThenOptions<T, RNNOptions>([data, parameters, state, ...rest])
  if (attrs === undefined)
    fail('RNN', 'no options are given: mode, stateSize and numLayers are needed')
  // A symbol gets one node; elsewhere each layer is an operator, whose steps are kept for its gradient.
  const results =
    data instanceof Unbound
      ? applyAll<Tensor>(rnnOp as never, inputs, attrs)
      : runLayers('RNN', inputs, checked(attrs), dropping(attrs))
  return (attrs.stateOutputs ? results : results[0]) as T | T[]
}

const checked = (attrs: RNNOptions): RNNValues =>
  rnnOp.bind({ ...attrs, training: frame.training }).bound.attrs as unknown as RNNValues

const dropping =
  ({ p }: RNNOptions) =>
  (x: Tensor): Tensor =>
    p ? dropout(x, { p }) : x

/** As `rnn` with the states as results, its parameters given apart: what the layers of Gluon hold. */
export function rnnOf(
  data: Tensor,
  weights: readonly Weights[],
  state: Tensor,
  stateCell: Tensor | null,
  attrs: RNNOptions,
): Tensor[] {
  const options = { ...attrs, stateOutputs: true }
  if (!(data instanceof Unbound)) {
    const inputs = [data, null, state, stateCell]
    return runLayers('RNN', inputs, checked(options), dropping(options), weights)
  }
  const flat = (t: Tensor): Tensor => reshape(t, -1)
  const matrices = weights.flatMap((w) => [w.i2h, w.h2h, ...(w.h2r ? [w.h2r] : [])])
  const biases = weights.flatMap((w) => [w.i2hBias, w.h2hBias])
  const packed = apply<Tensor>(packOp as never, [...matrices, ...biases].map(flat), { dim: 0 })
  const all = { ...options, useSequenceLength: false }
  return applyAll<Tensor>(rnnOp as never, [data, packed, state, stateCell], all)
}
