/** Random programs of primitives, and a machine that runs each primitive by itself. */

import fc from 'fast-check'
import { applyBound } from '../../src/core/apply.ts'
import { aval } from '../../src/core/aval.ts'
import { type Graph, type Node, type Sym, topological } from '../../src/core/graph.ts'
import type { Tensor } from '../../src/core/tensor.ts'
import { trace } from '../../src/core/trace.ts'
import type { NDArray } from '../../src/ndarray/ndarray.ts'
import * as nd from '../../src/ops/index.ts'
import { lower } from '../../src/passes/lower.ts'

/** One step: an operation, and which of the values so far it reads. */
export interface Move {
  readonly op: number
  readonly a: number
  readonly b: number
}

const broadcasts = (x: Tensor, y: Tensor): boolean =>
  x.shape.toReversed().every((d, i) => {
    const e = y.shape.toReversed()[i]
    return e === undefined || d === e || d === 1 || e === 1
  })

/** Operations on one or two values; those that do not fit answer with a map. */
const operations: readonly ((x: Tensor, y: Tensor) => Tensor)[] = [
  (x) => nd.tanh(x),
  (x) => nd.multiply(x, 0.5),
  (x) => nd.abs(x),
  (x, y) => (broadcasts(x, y) ? nd.add(x, y) : nd.negative(x)),
  (x, y) => (broadcasts(x, y) ? nd.multiply(nd.sin(x), y) : nd.cos(x)),
  (x, y) => (broadcasts(x, y) ? nd.maximum(x, y) : nd.relu(x)),
  (x) => nd.sum(x, { axis: 0, keepdims: true }),
  (x) => nd.max(x, { axis: -1, keepdims: true }),
  (x) => nd.mean(x),
  (x) => (x.ndim > 1 ? nd.sum(x, { axis: 1 }) : x),
  (x) => nd.softmax(x),
  (x) => nd.logSoftmax(x, { axis: 0 }),
  (x) => nd.transpose(x),
  (x) => nd.reshape(x, [-1]),
  (x) => nd.expandDims(x, 0),
  (x) => nd.flip(x, { axis: 0 }),
  (x) => nd.slice(x, { begin: [null], end: [null], step: [-2] }),
  (x) => nd.sliceAxis(x, { axis: -1, begin: 0, end: 2 }),
  (x) => nd.broadcastTo(nd.sum(x, { axis: 0, keepdims: true }), x.shape),
  (x) => nd.tile(x, { reps: 2 }),
  (x) => nd.concat(x, nd.exp(nd.negative(nd.abs(x))), { dim: 0 }),
  (x, y) =>
    x.ndim === 2 && y.ndim === 2 && x.shape[1] === y.shape[0] ? nd.dot(x, y) : nd.square(x),
  (x, y) =>
    x.ndim === 2 && y.ndim === 2 && x.shape[1] === y.shape[1]
      ? nd.relu(nd.dot(x, y, { transposeB: true }))
      : nd.sigmoid(x),
  (x, y) => nd.take(x, nd.multiply(y, 3)),
  (x) => (x.ndim > 0 ? nd.pick(x, nd.sum(x, { axis: -1 })) : x),
  (x) => nd.norm(x, { axis: 0, keepdims: true }),
  (x) => nd.argmax(x, { axis: 0, keepdims: true }),
  (x) => nd.greater(x, 0.1),
]

const largest = 400

/** Runs the moves on tensors; operations that a value is too small or too large for leave it alone. */
export function play(moves: readonly Move[], inputs: readonly Tensor[]): Tensor[] {
  const values: Tensor[] = [...inputs]
  for (const { op, a, b } of moves) {
    const [x, y] = [values[a % values.length]!, values[b % values.length]!]
    if (x.ndim === 0 || x.ndim > 3 || y.ndim > 3 || y.ndim === 0) continue
    const next = operations[op % operations.length]!(x, y)
    if (next.size <= largest) values.push(next)
  }
  return values
}

export const shapes = [[2, 3], [3, 2], [3], [4, 1, 3]] as const

const move = fc.record({ op: fc.nat(operations.length - 1), a: fc.nat(20), b: fc.nat(20) })
/** A program, and which of its values it returns. */
export const programs = fc.record({
  moves: fc.array(move, { minLength: 1, maxLength: 9 }),
  wanted: fc.array(fc.nat(12), { minLength: 1, maxLength: 3 }),
})

export function graphOf(
  moves: readonly Move[],
  wanted: readonly number[],
  dtype: 'float32' | 'float64' = 'float64',
): Graph {
  return lower(
    trace(
      shapes.map((s) => aval(s, dtype)),
      [],
      (inputs) => {
        const values = play(moves, inputs as Tensor[])
        return [values.at(-1)!, ...wanted.map((w) => values[w % values.length]!)]
      },
    ),
  )
}

/** Each primitive in a kernel of its own, one after another. */
export function stepwise(graph: Graph, inputs: readonly NDArray[]): NDArray[] {
  const values = new Map<Node, readonly Tensor[]>()
  graph.inputs.forEach((s, i) => values.set(s!.node, [inputs[i]!]))
  const valueAt = (s: Sym): Tensor => values.get(s.node)![s.index]!
  for (const node of topological(graph.outputs)) {
    if (node.bound === null) continue
    values.set(
      node,
      applyBound(
        node.bound,
        node.inputs.map((t) => valueAt(t as Sym)),
        [],
      ),
    )
  }
  return graph.outputs.map((s) => valueAt(s) as NDArray)
}
