/** Row programs: a function of one sample becomes one operator over many samples of columns of data. */

import { isFloat } from '../base/dtype.ts'
import type { Shape } from '../base/shape.ts'
import { apply, applyAll } from '../core/apply.ts'
import { type Aval, aval } from '../core/aval.ts'
import { frame } from '../core/frame.ts'
import { type Graph, Node, placeholder, printGraph, Sym, topological } from '../core/graph.ts'
import { OpDef } from '../core/op.ts'
import type { Tensor } from '../core/tensor.ts'
import { trace } from '../core/trace.ts'
import { kindOf, primitive } from '../passes/kind.ts'
import { lower, lowerInstance } from '../passes/lower.ts'
import { type Expr, index, rewrite, someNode } from '../prim/expr.ts'
import {
  assemble,
  broadcastTo,
  gather,
  mapOp,
  permuteAxes,
  reduce,
  reshapeTo,
  sliceOf,
  type ViewOp,
} from '../prim/primitive.ts'
import { fromBytes } from './creation.ts'
import type { NDArray } from './ndarray.ts'

/** What a sample function gives: an array, or a tuple of such. */
type Nest = Tensor | readonly Nest[]

/** The user's function, of the elements of one sample. */
export type SampleFunction = (...sample: NDArray[]) => unknown

/** How often a function is traced before it is believed to give the same graph every time. */
const trials = 16

interface Traced {
  readonly graph: Graph
  /** The result with the number of an output for each array. */
  readonly form: string
  readonly key: string
}

/** Values of one sample by the places that made them. */
type Key = string
const keyOf = (s: Sym): Key => `${s.node.id}.${s.index}`

/** A part of the function that runs as one operator. */
interface Stage {
  readonly op: OpDef
  /** The columns it takes rows of, then the results of earlier stages. */
  readonly columns: readonly number[]
  readonly reads: readonly Key[]
  readonly gives: readonly Key[]
}

/** A sample function that runs over whole batches. */
export class RowProgram {
  readonly #columns: readonly NDArray[]
  readonly #fn: SampleFunction | null
  readonly #stages: readonly Stage[]
  readonly #outputs: readonly Key[]
  readonly #key: string
  readonly #form: unknown

  private constructor(columns: readonly NDArray[], fn: SampleFunction | null, traced: Traced) {
    this.#columns = columns
    this.#fn = fn
    this.#key = traced.key
    this.#form = JSON.parse(traced.form)
    this.#stages = cut(traced.graph)
    this.#outputs = traced.graph.outputs.map(keyOf)
  }

  /**
   * The program of `fn` (null: the sample itself) over rows of `columns`, or null where it cannot be said in
   * operators that treat each row by itself: it reads values, is random, mixes rows, or differs from call to call.
   */
  static of(columns: readonly NDArray[], fn: SampleFunction | null): RowProgram | null {
    const traced = traceSample(columns, fn)
    if (traced === null || !perRow(traced.graph)) return null
    for (let i = 1; fn !== null && i < trials; i++) {
      if (traceSample(columns, fn)?.key !== traced.key) return null
    }
    return new RowProgram(columns, fn, traced)
  }

  /** The number of operators a batch takes. */
  get length(): number {
    return this.#stages.length
  }

  /** Whether the function still does what was compiled; asked before every batch. */
  holds(): boolean {
    return this.#fn === null || traceSample(this.#columns, this.#fn)?.key === this.#key
  }

  /** The batch of these rows: what stacking the function's results would give. */
  run(rows: Int32Array): unknown {
    const { context } = this.#columns[0]!
    const bytes = new Uint8Array(rows.buffer, rows.byteOffset, rows.byteLength)
    const indices = fromBytes(bytes, [rows.length], 'int32', context)
    const values = new Map<Key, NDArray>()
    for (const { op, columns, reads, gives } of this.#stages) {
      const inputs = [
        ...columns.map((i) => this.#columns[i]!),
        ...reads.map((key) => values.get(key)!),
      ]
      const results = applyAll<NDArray>(op, [indices, ...inputs])
      gives.forEach((key, i) => {
        values.set(key, results[i]!)
      })
    }
    const rebuild = (form: unknown): unknown =>
      Array.isArray(form) ? form.map(rebuild) : values.get(this.#outputs[form as number]!)
    return rebuild(this.#form)
  }
}

/**
 * Cuts a graph so that no operator that rounds reads the result of another one in its stage: fused, the two
 * could round once, and a batch would differ in its last bits from samples computed one by one.
 */
function cut(graph: Graph): Stage[] {
  const order = topological(graph.outputs)
  const roundings = new Map<Node, number>()
  for (const node of order) {
    const before = node.inputs.map((t) => roundings.get((t as Sym).node)!)
    roundings.set(node, Math.max(0, ...before) + (rounds(node) ? 1 : 0))
  }
  const count = Math.max(1, ...roundings.values())
  const stageOf = (node: Node): number => Math.max(1, roundings.get(node)!)
  return Array.from({ length: count }, (_, i) => stage(graph, order, stageOf, i + 1))
}

function stage(
  graph: Graph,
  order: readonly Node[],
  stageOf: (node: Node) => number,
  number: number,
): Stage {
  const here = (node: Node): boolean => node.instance !== null && stageOf(node) === number
  const columnOf = new Map(graph.inputs.map((s, i) => [s!.node, i]))
  const columns = new Map<Node, Sym>()
  const reads = new Map<Key, Sym>()
  const made = new Map<Node, Node>()
  const image = (t: Tensor | null): Sym => {
    const s = t as Sym
    const node = made.get(s.node)
    if (node !== undefined) return new Sym(node, s.index)
    const column = columnOf.has(s.node)
    const known = column ? columns.get(s.node) : reads.get(keyOf(s))
    const place = known ?? placeholder(s.aval)
    if (column) columns.set(s.node, place)
    else reads.set(keyOf(s), place)
    return place
  }
  const gives = new Map<Key, Sym>()
  const give = (s: Sym): void => {
    const first = columnOf.has(s.node) && number === 1
    if (first || here(s.node)) gives.set(keyOf(s), s)
  }
  for (const node of order) {
    if (here(node)) {
      made.set(node, new Node(node.instance, node.inputs.map(image), node.scalars, node.outs))
    } else for (const t of node.inputs) if (!columnOf.has((t as Sym).node)) give(t as Sym)
  }
  graph.outputs.forEach(give)
  const outputs = [...gives.values()].map(image)
  const taken = [...columns.keys()].map((node) => columnOf.get(node)!)
  const inputs = [...columns.values(), ...reads.values()]
  const lowered = lower({ inputs, params: [], outputs })
  const op = new OpDef({
    name: 'rows',
    inputs: ['indices', '...values'],
    body: ([indices, ...values]) => overRows(lowered, indices!, values, taken.length),
  })
  return { op, columns: taken, reads: [...reads.keys()], gives: [...gives.keys()] }
}

/** Operations on floats whose result is one of their operands, or a whole number of its size. */
const exactOps = new Set('neg abs max min where sign floor ceil trunc round rint'.split(' '))

const roundsExpr = (root: Expr): boolean =>
  someNode(root, (e) => e.kind === 'op' && isFloat(e.dtype) && !exactOps.has(e.op))

/** Whether an operator computes floats that may have been rounded. */
function rounds(node: Node): boolean {
  if (node.instance === null) return false
  return topological(lowerInstance(node.instance).outputs).some((n) => {
    const { map, reduce: reduction } = n.bound === null ? {} : primitive(n)
    if (map) return roundsExpr(map.fn)
    return reduction !== undefined && !exact(n)
  })
}

const rowAval = (column: NDArray): Aval => aval(column.shape.slice(1), column.dtype)

/** Runs the function on placeholders; null when it does more than apply operators to them. */
function traceSample(columns: readonly NDArray[], fn: SampleFunction | null): Traced | null {
  const { random } = Math
  let drawn = false
  Math.random = () => {
    drawn = true
    return random()
  }
  const { keys } = frame
  frame.keys = () => {
    drawn = true
    return [0, 0]
  }
  let form = ''
  try {
    const graph = trace(columns.map(rowAval), [], (inputs) => {
      const sample = inputs as readonly Tensor[]
      const result = (fn === null ? sample : fn(...(sample as NDArray[]))) as Nest
      const found: Tensor[] = []
      const shapeOf = (x: Nest): unknown => {
        if (Array.isArray(x)) return x.map(shapeOf)
        if (!(x instanceof Sym)) throw new Error('not a place in the graph')
        return found.push(x) - 1
      }
      form = JSON.stringify(shapeOf(result))
      return found
    })
    return drawn || graph.outputs.length === 0
      ? null
      : { graph, form, key: form + printGraph(graph) }
  } catch {
    return null
  } finally {
    Math.random = random
    frame.keys = keys
  }
}

const draws = (root: Expr): boolean => someNode(root, (e) => e.kind === 'op' && e.op === 'random')

/** Whether every primitive has a rule below under which rows stay apart and results keep their bits. */
function perRow(graph: Graph): boolean {
  const dependent = new Set<Node>(graph.inputs.flatMap((s) => (s === null ? [] : [s.node])))
  if (topological(graph.outputs).some((node) => node.scalars.some((s) => typeof s !== 'number')))
    return false
  return topological(lower(graph).outputs).every((node) => {
    const depends = node.inputs.some((t) => t instanceof Sym && dependent.has(t.node))
    if (depends) dependent.add(node)
    const kind = kindOf(node)
    if (kind === 'map') return !draws(primitive(node).map!.fn)
    if (kind === 'input' || !depends) return true
    if (kind === 'reduce') return exact(node)
    return kind === 'view' || kind === 'concat'
  })
}

/** Reductions whose result does not hang on the order of the elements. */
function exact(node: Node): boolean {
  const { op } = primitive(node).reduce!
  return (op !== 'sum' && op !== 'prod') || !isFloat(node.outs[0]!.dtype)
}

/** The graph of one sample over the rows of the first `columns` values that `indices` names, and over the others. */
function overRows(
  graph: Graph,
  indices: Tensor,
  values: readonly Tensor[],
  columns: number,
): Tensor[] {
  const n = indices.shape[0]!
  const images = new Map<Node, Tensor>()
  const batched = new Set<Node>()
  graph.inputs.forEach((s, i) => {
    if (s === null) return
    images.set(s.node, i < columns ? gather(values[i]!, indices, 0) : values[i]!)
    batched.add(s.node)
  })
  const rowsOf = (s: Sym): Tensor => {
    const x = images.get(s.node)!
    if (batched.has(s.node)) return x
    return broadcastTo(reshapeTo(x, [1, ...x.shape]), [n, ...x.shape])
  }
  for (const node of topological(graph.outputs)) {
    if (images.has(node)) continue
    const inputs = node.inputs as readonly Sym[]
    if (inputs.some((s) => batched.has(s.node))) {
      images.set(node, ruleOf(node, inputs.map(rowsOf), n))
      batched.add(node)
    } else {
      const plain = inputs.map((s) => images.get(s.node)!)
      images.set(node, apply(node.bound!.op, plain, node.bound!.attrs))
    }
  }
  return graph.outputs.map(rowsOf)
}

/** One primitive with a leading axis of n rows. */
function ruleOf(node: Node, inputs: readonly Tensor[], n: number): Tensor {
  const lead = (shape: Shape): number[] => [n, ...shape]
  const { map, view, reduce: reduction, concat } = primitive(node)
  if (map) {
    const fn = rewrite(map.fn, (e) => (e.kind === 'index' ? index(e.dim + 1) : undefined))
    const { weak } = node.outs[0]!
    return apply(mapOp, inputs, { fn, shape: lead(map.shape), weak })
  }
  const x = inputs[0]!
  if (view) return viewRows(x, view.op, n)
  if (reduction)
    return reduce(
      x,
      reduction.op,
      reduction.axes.map((a) => a + 1),
    )
  const { shape, placings } = concat!
  const moved = placings.map(({ begin, step }) => ({ begin: [0, ...begin], step: [1, ...step] }))
  return assemble(lead(shape), inputs, moved)
}

function viewRows(x: Tensor, op: ViewOp, n: number): Tensor {
  switch (op.kind) {
    case 'reshape':
      return reshapeTo(x, [n, ...op.shape])
    case 'permute':
      return permuteAxes(x, [0, ...op.axes.map((a) => a + 1)])
    case 'broadcast': {
      const row = x.shape.slice(1)
      const ones = op.shape.slice(row.length).map(() => 1)
      return broadcastTo(reshapeTo(x, [n, ...ones, ...row]), [n, ...op.shape])
    }
    case 'slice':
      return sliceOf(x, [0, ...op.begin], [1, ...op.step], [n, ...op.size])
    default:
      return op satisfies never
  }
}
