/** Rows: recurrent layers and the loss of label sequences. */

import { type Arr, build, get, points, sum } from './model.ts'
import { between, type Row, row, signed } from './row.ts'

interface Rnn {
  mode: 'rnn_relu' | 'rnn_tanh' | 'lstm' | 'gru'
  stateSize: number
  numLayers: number
  bidirectional?: boolean
  stateOutputs?: boolean
  projectionSize?: number
  lstmStateClipMin?: number
  lstmStateClipMax?: number
  useSequenceLength?: boolean
  training?: boolean
}

const gates = { rnn_relu: 1, rnn_tanh: 1, lstm: 4, gru: 3 }
const logistic = (x: number): number => 1 / (1 + Math.exp(-x))

/** How many parameters a network has. */
function parameters(inputs: number, attrs: Rnn): number {
  const { mode, stateSize: h, numLayers, bidirectional = false, projectionSize } = attrs
  const [d, rows, r] = [bidirectional ? 2 : 1, gates[mode] * h, projectionSize ?? h]
  let total = 0
  for (let layer = 0; layer < numLayers; layer++) {
    const inner = layer === 0 ? inputs : d * r
    total += d * (rows * inner + rows * r + (projectionSize ? r * h : 0) + 2 * rows)
  }
  return total
}

/** One number at a time: every layer, direction, step, sample and unit. */
function rnn(xs: readonly Arr[], attrs: Rnn): Arr[] {
  const { mode, stateSize: h, numLayers, bidirectional = false, projectionSize } = attrs
  const [data, params, state] = xs as readonly [Arr, Arr, Arr]
  const cells = mode === 'lstm' ? xs[3]! : null
  const lengths = attrs.useSequenceLength ? xs.at(-1)! : null
  const [T, N, I] = data.shape as [number, number, number]
  const [D, G, r] = [bidirectional ? 2 : 1, gates[mode], projectionSize ?? h]
  let at = 0
  const take = (rows: number, columns: number): number[][] =>
    Array.from({ length: rows }, () => {
      at += columns
      return params.data.slice(at - columns, at)
    })
  const matrices = Array.from({ length: numLayers * D }, (_, k) => {
    const inner = k < D ? I : D * r
    return {
      w: take(G * h, inner),
      u: take(G * h, r),
      p: projectionSize ? take(r, h) : null,
    }
  })
  const biases = matrices.map(() => ({ w: take(1, G * h)[0]!, u: take(1, G * h)[0]! }))
  const dot = (a: readonly number[], b: readonly number[]): number =>
    sum(a.map((v, i) => v * b[i]!))
  let inputs = Array.from({ length: T }, (_, t) =>
    Array.from({ length: N }, (_, n) => Array.from({ length: I }, (_, i) => get(data, [t, n, i]))),
  )
  const [hs, cs]: [number[][][], number[][][]] = [[], []]
  for (let layer = 0; layer < numLayers; layer++) {
    const outs: number[][][][] = []
    for (let d = 0; d < D; d++) {
      const k = layer * D + d
      const [m, b] = [matrices[k]!, biases[k]!]
      const out: number[][][] = Array.from({ length: T }, () => [])
      const [lastH, lastC]: [number[][], number[][]] = [[], []]
      for (let n = 0; n < N; n++) {
        let hidden = Array.from({ length: r }, (_, j) => get(state, [k, n, j]))
        let cell = Array.from({ length: h }, (_, j) => (cells ? get(cells, [k, n, j]) : 0))
        for (let s = 0; s < T; s++) {
          const t = d === 1 ? T - 1 - s : s
          if (lengths && t >= lengths.data[n]!) {
            out[t]![n] = hidden.map(() => 0)
            continue
          }
          const x = inputs[t]![n]!
          const wx = m.w.map((line, j) => dot(line, x) + b.w[j]!)
          const uh = m.u.map((line, j) => dot(line, hidden) + b.u[j]!)
          const unit = (j: number): number => {
            const a = (g: number): number => wx[g * h + j]! + uh[g * h + j]!
            if (mode === 'rnn_tanh') return Math.tanh(a(0))
            if (mode === 'rnn_relu') return Math.max(0, a(0))
            if (mode === 'gru') {
              const [reset, update] = [logistic(a(0)), logistic(a(1))]
              const fresh = Math.tanh(wx[2 * h + j]! + reset * uh[2 * h + j]!)
              return (1 - update) * fresh + update * hidden[j]!
            }
            let c = logistic(a(1)) * cell[j]! + logistic(a(0)) * Math.tanh(a(2))
            c = Math.max(attrs.lstmStateClipMin ?? c, c)
            nextCell[j] = Math.min(attrs.lstmStateClipMax ?? c, c)
            return logistic(a(3)) * Math.tanh(nextCell[j]!)
          }
          const nextCell: number[] = [...cell]
          const next = Array.from({ length: h }, (_, j) => unit(j))
          hidden = m.p ? m.p.map((line) => dot(line, next)) : next
          cell = nextCell
          out[t]![n] = hidden
        }
        lastH[n] = hidden
        lastC[n] = cell
      }
      outs.push(out)
      hs.push(lastH)
      cs.push(lastC)
    }
    inputs = inputs.map((_, t) =>
      Array.from({ length: N }, (_, n) => outs.flatMap((out) => out[t]![n]!)),
    )
  }
  const stack = (x: readonly (readonly (readonly number[])[])[]): Arr =>
    build([x.length, N, x[0]![0]!.length], ([i, n, j]) => x[i!]![n!]![j!]!)
  const results = [stack(inputs), ...(attrs.stateOutputs ? [stack(hs)] : [])]
  return attrs.stateOutputs && mode === 'lstm' ? [...results, stack(cs)] : results
}

/** A case of a network over T steps of N samples with I inputs. */
function network(T: number, N: number, I: number, attrs: Rnn, more: readonly object[] = []) {
  const { mode, stateSize, numLayers, bidirectional, projectionSize } = attrs
  const rows = numLayers * (bidirectional ? 2 : 1)
  const states = [[rows, N, projectionSize ?? stateSize]]
  if (mode === 'lstm') states.push([rows, N, stateSize])
  return {
    inputs: [[T, N, I], [parameters(I, attrs)], ...states, ...more] as never,
    attrs: { training: false, ...attrs },
  }
}

interface Ctc {
  useDataLengths?: boolean
  useLabelLengths?: boolean
  blankLabel?: 'first' | 'last'
}

/** The sum over every path, one by one. */
function ctc(xs: readonly Arr[], attrs: Ctc): Arr {
  const [x, label, ...lengths] = xs as readonly [Arr, Arr, ...Arr[]]
  const { useDataLengths = false, useLabelLengths = false, blankLabel = 'first' } = attrs
  const [T, N, C] = x.shape as [number, number, number]
  const L = label.shape[1]!
  const blank = blankLabel === 'first' ? 0 : C - 1
  const rest = [...lengths]
  const steps = useDataLengths ? rest.shift()! : null
  const counts = useLabelLengths ? rest.shift()! : null
  return build([N], ([n]) => {
    const row = Array.from({ length: L }, (_, k) => get(label, [n!, k]))
    const padding = row.indexOf(blankLabel === 'first' ? 0 : -1)
    const target = row.slice(0, counts ? counts.data[n!]! : padding < 0 ? L : padding)
    const frames = steps ? steps.data[n!]! : T
    const p = Array.from({ length: frames }, (_, t) => {
      const e = Array.from({ length: C }, (_, c) => Math.exp(get(x, [t, n!, c])))
      return e.map((v) => v / sum(e))
    })
    let total = 0
    for (const path of points(new Array<number>(frames).fill(C))) {
      const said = path.filter((c, t) => c !== path[t - 1]).filter((c) => c !== blank)
      if (said.join() === target.join()) total += path.reduce((q, c, t) => q * p[t]![c]!, 1)
    }
    return -Math.log(total)
  })
}

const fixed = (...values: number[]) => ({ shape: [values.length], values, fixed: true })
const labelled = (shape: readonly number[], ...values: number[]) => ({
  shape,
  values,
  fixed: true,
  dtype: 'int32' as const,
})

export const recurrentRows: readonly Row[] = [
  row<Rnn>({
    op: 'RNN',
    domain: between(-0.9, 1.1),
    cases: [
      network(3, 2, 3, { mode: 'rnn_tanh', stateSize: 2, numLayers: 2, stateOutputs: true }),
      network(2, 2, 3, { mode: 'rnn_relu', stateSize: 3, numLayers: 1, bidirectional: true }),
      network(3, 2, 2, { mode: 'lstm', stateSize: 2, numLayers: 1, stateOutputs: true }),
      network(2, 1, 3, {
        mode: 'lstm',
        stateSize: 2,
        numLayers: 2,
        bidirectional: true,
        stateOutputs: true,
      }),
      network(3, 2, 2, { mode: 'gru', stateSize: 2, numLayers: 2, stateOutputs: true }),
      network(2, 2, 3, { mode: 'gru', stateSize: 3, numLayers: 1, bidirectional: true }),
      network(3, 2, 2, {
        mode: 'lstm',
        stateSize: 3,
        numLayers: 1,
        projectionSize: 2,
        stateOutputs: true,
      }),
      network(3, 1, 2, {
        mode: 'lstm',
        stateSize: 2,
        numLayers: 1,
        lstmStateClipMin: -0.35,
        lstmStateClipMax: 0.3,
      }),
      network(
        3,
        2,
        2,
        {
          mode: 'lstm',
          stateSize: 2,
          numLayers: 1,
          bidirectional: true,
          useSequenceLength: true,
          stateOutputs: true,
        },
        [labelled([2], 2, 3)],
      ),
    ],
    formula: rnn,
  }),
  row<Ctc>({
    op: 'CTCLoss',
    domain: signed,
    order: 0,
    why: 'its gradient cannot be recorded for a second one, here as in MXNet; the recorded vectors check the first',
    cases: [
      { inputs: [[4, 2, 3], labelled([2, 2], 2, 0, 1, 0)] },
      { inputs: [[5, 1, 3], labelled([1, 3], 1, 1, 2)] },
      { inputs: [[4, 2, 3], labelled([2, 3], 0, 1, -1, 1, -1, -1)], attrs: { blankLabel: 'last' } },
      {
        inputs: [[4, 2, 3], labelled([2, 3], 1, 2, 1, 2, 1, 1), fixed(4, 3), fixed(2, 1)],
        attrs: { useDataLengths: true, useLabelLengths: true },
      },
    ],
    formula: ctc,
    tol32: 2e-5,
  }),
]
