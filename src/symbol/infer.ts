/** Shapes and dtypes in a symbol's graph: forward through the records, backward to what is not given. */

import { type DType, dtypeInfo, dtypes } from '../base/dtype.ts'
import { fail, MXNetError } from '../base/error.ts'
import { formatShape } from '../base/shape.ts'
import { type Aval, aval } from '../core/aval.ts'
import { placeholder } from '../core/graph.ts'
import { flowValues, placesOf } from './flow.ts'
import { arrange, outputCount } from './listing.ts'
import { type Entry, nodesOf, opOf, type SymbolNode } from './node.ts'
import { parseShape } from './wire.ts'

/** A shape in which -1 stands for a size not known. */
export type PartialShape = readonly number[]

/** Dtypes by argument name. */
export type TypesByName = { readonly [argument: string]: DType }

/** What is known of every node's outputs; null where nothing is. */
export interface Inferred {
  readonly shapes: ReadonlyMap<SymbolNode, readonly (PartialShape | null)[]>
  readonly dtypes: ReadonlyMap<SymbolNode, readonly (DType | null)[]>
}

/** Sweeps over the graph; each brings at least one size, and few networks need more than three. */
const sweepLimit = 50

/** Operators whose inputs and results all have one shape. */
const alike =
  /^(elemwise_\w+|_(mod|power|maximum|minimum|hypot|equal|not_equal|greater|greater_equal|lesser|lesser_equal)|_logical_(and|or|xor)|add_n|Activation|relu|sigmoid|tanh|softsign|softrelu|_copy|BlockGrad|Dropout|Cast|amp_cast|LeakyReLU|_\w+_scalar|clip|exp|log|sqrt|square|negative|abs|softmax|log_softmax|LayerNorm)$/

/** Operators that fill an array of a shape attribute, in which files write 0 for a size to be told. */
const creates = /^_(zeros|ones|full|random_\w+)$/

/** Whether a node makes an array of which some sizes are left to be told. */
export const isOpen = (node: SymbolNode): boolean =>
  node.op !== null &&
  creates.test(node.op.name) &&
  Array.isArray(node.values.shape) &&
  node.values.shape.includes(0)

const known = (shape: PartialShape | null | undefined): shape is readonly number[] =>
  shape !== null && shape !== undefined && !shape.includes(-1)

/** The shape and dtype that a variable's annotations give. */
export function hints(node: SymbolNode): { shape: PartialShape | null; dtype: DType | null } {
  const text = node.attrs.get('__shape__')
  const shape = text === undefined ? null : parseShape(text)
  const code = node.attrs.get('__dtype__')
  return {
    shape: shape === null || shape.length === 0 ? null : shape.map((d) => (d > 0 ? d : -1)),
    dtype:
      code === undefined ? null : (dtypes.find((d) => String(dtypeInfo(d).code) === code) ?? null),
  }
}

/** What stands under a name, which may be any text. */
const own = <V>(table: { readonly [name: string]: V }, name: string): V | undefined =>
  Object.hasOwn(table, name) ? table[name] : undefined

type GivenShapes = { readonly [name: string]: readonly (number | null)[] }

/** Two sizes that no network has: what follows alike from both does not depend on the size that they stand for. */
const standIns = [7919, 7907] as const

/** Infers from shapes (null or 0 where a size is not known) and dtypes by argument name. */
export function infer(heads: readonly Entry[], shapes: GivenShapes, types: TypesByName): Inferred {
  if (!Object.values(shapes).some((shape) => shape.some((d) => !d)))
    return sweep(heads, shapes, types)
  const filled = (size: number): GivenShapes =>
    Object.fromEntries(
      Object.entries(shapes).map(([name, shape]) => [name, shape.map((d) => d || size)]),
    )
  try {
    const [a, b] = standIns.map((size) => sweep(heads, filled(size), types))
    return common(a!, b!)
  } catch (e) {
    if (!(e instanceof MXNetError)) throw e
    return sweep(heads, shapes, types)
  }
}

/** What two inferences have in common. */
function common(a: Inferred, b: Inferred): Inferred {
  const shapes = new Map(
    [...a.shapes].map(([node, list]) => [
      node,
      list.map((shape, i) => {
        const other = b.shapes.get(node)?.[i]
        if (!shape || other?.length !== shape.length) return null
        return shape.map((d, k) => (d === other[k] ? d : -1))
      }),
    ]),
  )
  return { shapes, dtypes: a.dtypes }
}

function sweep(heads: readonly Entry[], shapes: GivenShapes, types: TypesByName): Inferred {
  const state = new State()
  const nodes = nodesOf(heads)
  for (const node of nodes) {
    if (node.op !== null) {
      if (isOpen(node))
        state.shape(
          node,
          0,
          (node.values.shape as number[]).map((d) => (d === 0 ? -1 : d)),
        )
      continue
    }
    const hint = hints(node)
    const given = own(shapes, node.name)
    if (given !== undefined)
      state.shape(
        node,
        0,
        given.map((d) => d || -1),
      )
    if (hint.shape !== null && !(given?.length === 0)) state.shape(node, 0, hint.shape)
    state.dtype(node, 0, own(types, node.name) ?? hint.dtype)
  }
  const operators = nodes.filter((node) => node.op !== null)
  for (let sweep = 0; sweep < sweepLimit; sweep++) {
    state.changed = false
    for (const node of operators) forward(node, state)
    for (let i = operators.length - 1; i >= 0; i--) backward(operators[i]!, state)
    if (!state.changed) break
  }
  for (const node of operators) if (!state.done.has(node)) guessType(node, state)
  return state
}

/** Where shapes do not suffice for the record to tell: results have the dtype asked for, or that of the inputs. */
function guessType(node: SymbolNode, state: State): void {
  const type = node.inputs.map((e) => state.dtypeOf(e)).find((d) => d !== null) ?? null
  for (const { node: source, index } of node.inputs) state.dtype(source, index, type)
  const named = dtypes.find((d) => d === node.values.dtype)
  const op = opOf(node)
  const count = outputCount(op, op.bind(node.values).bound.attrs, node.inputs.length)
  for (let i = 0; i < count; i++) state.dtype(node, i, named ?? type)
}

/** What is known so far; every addition is checked against what was known. */
class State implements Inferred {
  readonly shapes = new Map<SymbolNode, (PartialShape | null)[]>()
  readonly dtypes = new Map<SymbolNode, (DType | null)[]>()
  readonly done = new Set<SymbolNode>()
  changed = false

  shapeOf({ node, index }: Entry): PartialShape | null {
    return this.shapes.get(node)?.[index] ?? null
  }

  dtypeOf({ node, index }: Entry): DType | null {
    return this.dtypes.get(node)?.[index] ?? null
  }

  /** Adds what is known of an output's shape. */
  shape(node: SymbolNode, index: number, shape: PartialShape | null): void {
    if (shape === null) return
    const list = this.shapes.get(node) ?? []
    this.shapes.set(node, list)
    const before = list[index] ?? null
    if (before === null) {
      list[index] = shape
      this.changed = true
      return
    }
    const clash = (): never =>
      fail(
        'inferShape',
        `${node.name} has shape ${formatShape(before)} and cannot have ${formatShape(shape)}`,
      )
    if (before.length !== shape.length) clash()
    const merged = before.map((d, i) => {
      const other = shape[i]!
      if (d >= 0 && other >= 0 && d !== other) clash()
      return Math.max(d, other)
    })
    if (merged.every((d, i) => d === before[i])) return
    list[index] = merged
    this.changed = true
  }

  dtype(node: SymbolNode, index: number, dtype: DType | null): void {
    if (dtype === null) return
    const list = this.dtypes.get(node) ?? []
    this.dtypes.set(node, list)
    if (list[index] !== undefined && list[index] !== null) return
    list[index] = dtype
    this.changed = true
  }
}

/** The results of a node whose inputs are known; before that, the inputs that its record can tell. */
function forward(node: SymbolNode, state: State): void {
  if (state.done.has(node) || isOpen(node)) return
  if (node.subgraphs.length > 0) return through(node, state)
  const op = opOf(node)
  const { bound } = op.bind(node.values)
  const entries = arrange(op, bound.attrs, node.inputs)
  const type = node.inputs.map((e) => state.dtypeOf(e)).find((d) => d !== null) ?? null
  const inputs = (): (Aval | null)[] =>
    entries.map((entry) => {
      const shape = entry && state.shapeOf(entry)
      return known(shape) ? aval(shape, state.dtypeOf(entry!) ?? type ?? 'float32') : null
    })
  const complete = (): boolean => node.inputs.every((entry) => known(state.shapeOf(entry)))
  if (!complete()) {
    const missing = naming(node, () => op.spec.complete?.(inputs(), bound.attrs) ?? [])
    missing.forEach((shape, i) => {
      const entry = entries[i]
      if (entry && shape) state.shape(entry.node, entry.index, shape)
    })
  }
  for (const { node: source, index } of node.inputs)
    if (source.op === null || complete()) state.dtype(source, index, type)
  if (complete()) {
    const given = inputs().map((a) => (a === null ? null : placeholder(a)))
    const { outs } = naming(node, () => bound.instance(given))
    outs.forEach((out, i) => {
      state.shape(node, i, out.shape)
      state.dtype(node, i, out.dtype)
    })
    state.done.add(node)
  } else if (alike.test(op.name)) alikeForward(node, state)
}

/** What a loop or branch tells: its graphs are inferred from the node's inputs, and tell of inputs and results. */
function through(node: SymbolNode, state: State): void {
  const { numOutData = 0, maxIterations, inDataLocs = [] } = flowValues(node)
  const places = placesOf(node)
  const loop = node.op!.name !== '_cond'
  const sliced = node.op!.name === '_foreach' ? inDataLocs.length : 0
  const rounds = sliced > 0 ? (state.shapeOf(node.inputs[0]!)?.[0] ?? -1) : maxIterations
  const last = node.subgraphs.length - 1
  node.subgraphs.forEach((heads, graph) => {
    const variables = nodesOf(heads).filter((n) => n.op === null)
    const inputOf = variables.map((_, i) => places[graph]![i]!)
    const shapes: { [name: string]: readonly number[] } = {}
    const types: { [name: string]: DType } = {}
    variables.forEach((v, i) => {
      const entry = node.inputs[inputOf[i]!]!
      const shape = state.shapeOf(entry)
      const type = state.dtypeOf(entry)
      const seen = shape?.slice(inputOf[i]! < sliced ? 1 : 0)
      if (seen !== undefined) shapes[v.name] = seen.map((d) => Math.max(d, 0))
      if (type !== null) types[v.name] = type
    })
    const found = naming(node, () => infer(heads, shapes, types))
    variables.forEach((v, i) => {
      const entry = node.inputs[inputOf[i]!]!
      const shape = found.shapes.get(v)?.[0] ?? null
      state.dtype(entry.node, entry.index, found.dtypes.get(v)?.[0] ?? null)
      if (inputOf[i]! >= sliced) state.shape(entry.node, entry.index, shape)
    })
    if (graph !== last) return
    heads.forEach((head, i) => {
      const shape = found.shapes.get(head.node)?.[head.index] ?? null
      state.shape(node, i, shape && loop && i < numOutData ? [rounds, ...shape] : shape)
      state.dtype(node, i, found.dtypes.get(head.node)?.[head.index] ?? null)
    })
  })
}

/** A partly known shape goes on through an operator that keeps it. */
function alikeForward(node: SymbolNode, state: State): void {
  const first = node.inputs[0]
  if (first !== undefined) state.shape(node, 0, state.shapeOf(first))
}

/** What the results of a node, or its other inputs, tell of an input that is not known. */
function backward(node: SymbolNode, state: State): void {
  const op = opOf(node)
  const out = state.shapes.get(node)?.[0] ?? null
  if (op.name === 'FullyConnected') {
    const data = node.inputs[0]
    const shape = data === undefined ? null : state.shapeOf(data)
    if (data !== undefined && shape !== null && out !== null)
      state.shape(data.node, data.index, shape.with(0, out[0]!))
    return
  }
  if (op.name === '_rnn_param_concat') return packed(node, out, state)
  if (!alike.test(op.name)) return
  const operands = /^(LeakyReLU|LayerNorm|softmax|log_softmax)$/.test(op.name)
    ? node.inputs.slice(0, 1)
    : node.inputs
  const shapes = [out, ...operands.map((entry) => state.shapeOf(entry))]
  for (const entry of operands)
    for (const shape of shapes) state.shape(entry.node, entry.index, shape)
}

/** The one size that is missing from the matrices of a recurrent layer (its input's), by the length of all together. */
function packed(node: SymbolNode, out: PartialShape | null, state: State): void {
  if (out === null || out.length !== 1 || out[0]! < 0) return
  let rest = out[0]!
  let rows = 0
  const open: { readonly entry: Entry; readonly shape: PartialShape }[] = []
  for (const entry of node.inputs) {
    const length = state.shapeOf(entry)?.[0] ?? -1
    const source = length < 0 ? entry.node.inputs[0] : undefined
    const shape = source && state.shapeOf(source)
    if (length >= 0) rest -= length
    else if (!source || !shape || shape.filter((d) => d < 0).length !== 1) return
    else {
      rows += shape.reduce((n, d) => (d < 0 ? n : n * d), 1)
      open.push({ entry: source, shape })
    }
  }
  const size = rest / rows
  if (!Number.isInteger(size)) return
  for (const { entry, shape } of open)
    state.shape(
      entry.node,
      entry.index,
      shape.map((d) => (d < 0 ? size : d)),
    )
}

/** Shapes and dtypes as far as a node's own inputs tell them; every node is asked once. */
export class Foresight {
  readonly #variables: { readonly [variable: string]: Aval }
  readonly #known = new WeakMap<SymbolNode, readonly (Aval | null)[]>()

  constructor(variables: { readonly [variable: string]: Aval }) {
    this.#variables = variables
  }

  /** What is known of an output, or null. */
  of(entry: Entry): Aval | null {
    for (const node of nodesOf([entry], (n) => this.#known.has(n)))
      this.#known.set(node, this.#outs(node))
    return this.#known.get(entry.node)?.[entry.index] ?? null
  }

  #outs(node: SymbolNode): readonly (Aval | null)[] {
    if (node.op === null) {
      const { shape, dtype } = hints(node)
      return [
        own(this.#variables, node.name) ?? (known(shape) ? aval(shape, dtype ?? 'float32') : null),
      ]
    }
    if (isOpen(node) || node.subgraphs.length > 0) return []
    const { bound } = node.op.bind(node.values)
    const entries = arrange(node.op, bound.attrs, node.inputs)
    const inputs = entries.map((e) => e && (this.#known.get(e.node)?.[e.index] ?? null))
    const type = inputs.find((a) => a !== null)?.dtype ?? 'float32'
    try {
      const completed = node.op.spec.complete?.(inputs, bound.attrs) ?? []
      const all = inputs.map(
        (a, i) => a ?? (entries[i] && completed[i] ? aval(completed[i], type) : null),
      )
      if (all.some((a, i) => a === null && entries[i] !== null)) return []
      return bound.instance(all.map((a) => a && placeholder(a))).outs
    } catch (e) {
      if (!(e instanceof MXNetError)) throw e
      // Whoever asks for shapes is told; composing goes on.
      return []
    }
  }
}

/** Runs `body`; an error of an operator says at which node. */
function naming<R>(node: SymbolNode, body: () => R): R {
  try {
    return body()
  } catch (e) {
    if (!(e instanceof MXNetError)) throw e
    const message = e.message.replace(`[${e.where}] `, '')
    throw new MXNetError(e.where, `at ${node.name}: ${message}`, { cause: e })
  }
}
