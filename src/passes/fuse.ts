/** Fusion: a graph of primitives becomes kernels; views turn into strides, maps into the bodies that use them. */

import { type DType, itemSize } from '../base/dtype.ts'
import { dense, type View } from '../base/view.ts'
import { type Graph, type Node, type Sym, topological } from '../core/graph.ts'
import { constant, type Expr } from '../prim/expr.ts'
import type { Kernel, LoopKernel } from '../prim/kernel.ts'
import { costly } from '../prim/scalar.ts'
import { emitNode } from './emit.ts'
import { kindOf, type PrimitiveKind, primitive } from './kind.ts'
import { arranged, chooseOrders, type Order } from './layout.ts'
import { mergeLoops } from './merge.ts'
import { splitReductions } from './partial.ts'
import { fuseRows } from './rows.ts'

/** A block of memory in a fused program. */
export interface Buffer {
  readonly dtype: DType
  readonly size: number
  readonly bytes: number
  /** The position of the program input it is, or null for memory of the program's own. */
  readonly input: number | null
}

/** One kernel and the buffers of its operands, by number. */
export interface Step {
  readonly kernel: Kernel
  readonly buffers: readonly number[]
}

/** A result: a view of a buffer (which may be an input's). */
export interface Result {
  readonly buffer: number
  readonly view: View
}

/** What fusion makes of a graph. */
export interface Fused {
  readonly buffers: readonly Buffer[]
  readonly steps: readonly Step[]
  readonly outputs: readonly Result[]
}

/** Thrown when a node cannot be folded into its consumers and needs memory of its own after all. */
export class NeedsMemory extends Error {
  readonly node: Node
  constructor(node: Node) {
    super('needs memory')
    this.node = node
  }
}

/** What is known of the graph before kernels are emitted. */
interface Facts {
  readonly uses: ReadonlyMap<Node, number>
  readonly costs: ReadonlyMap<Node, number>
  readonly orders: ReadonlyMap<Node, Order>
}

/** What fusion knows while it emits kernels. */
export class Fusion {
  readonly graph: Graph
  readonly params: Map<Node, number>
  readonly uses: ReadonlyMap<Node, number>
  readonly costs: ReadonlyMap<Node, number>
  readonly #orders: ReadonlyMap<Node, Order>
  /** Maps that finish a reduction or contraction: their value cannot be computed again point by point. */
  readonly finishing = new Set<Node>()
  readonly buffers: Buffer[] = []
  readonly steps: Step[] = []
  #bufferOf = new Map<Node, number>()
  #viewOf = new Map<Node, View>()

  constructor(graph: Graph, layouts: readonly (View | null)[], facts: Facts) {
    this.graph = graph
    this.uses = facts.uses
    this.costs = facts.costs
    this.#orders = facts.orders
    this.params = new Map(graph.params.map((s, i) => [s.node, i]))
    graph.inputs.forEach((s, i) => {
      const layout = layouts[i]
      const buffer = this.addBuffer(s?.dtype ?? 'float32', s?.size ?? 0, i)
      if (s !== null && layout) {
        this.#bufferOf.set(s.node, buffer)
        this.#viewOf.set(s.node, layout)
      }
    })
  }

  addBuffer(dtype: DType, size: number, input: number | null = null): number {
    return this.buffers.push({ dtype, size, bytes: size * itemSize(dtype), input }) - 1
  }

  /** Where a node's value lies, if it has memory. */
  memory(node: Node): { buffer: number; view: View } | null {
    const buffer = this.#bufferOf.get(node)
    return buffer === undefined ? null : { buffer, view: this.#viewOf.get(node)! }
  }

  /** Whether a stored map is so simple that a kernel over the same domain computes it again instead of reading it. */
  repeats(node: Node): boolean {
    return (
      kindOf(node) === 'map' && !this.finishing.has(node) && (this.costs.get(node) ?? 0) <= cheap
    )
  }

  /** How a node's value is best laid out in memory of its own. */
  preferred(node: Node): View {
    const { shape } = node.outs[0]!
    const order = this.#orders.get(node)
    return order === undefined ? dense(shape) : arranged(shape, order)
  }

  /** Gives a node memory of its own, laid out by `view`: row-major unless said otherwise. */
  allocate(node: Node, view: View = dense(node.outs[0]!.shape)): number {
    const { dtype, size } = node.outs[0]!
    const buffer = this.addBuffer(dtype, size)
    this.#bufferOf.set(node, buffer)
    this.#viewOf.set(node, view)
    return buffer
  }

  step(kernel: Kernel, buffers: readonly number[]): void {
    this.steps.push({ kernel, buffers })
  }

  /** Fills a buffer with zeros. */
  zero(buffer: number): void {
    const { dtype, size } = this.buffers[buffer]!
    const kernel: LoopKernel = {
      kind: 'loop',
      dims: [size],
      parallel: 1,
      inputs: [],
      outputs: [{ dtype, strides: [1], offset: 0 }],
      body: [constant(0, dtype)],
      reduce: [],
      epilogue: [],
    }
    this.step(kernel, [buffer])
  }
}

/** A rough count of what an expression costs at one point. */
export function exprCost(e: Expr): number {
  if (e.kind === 'cast') return 1 + exprCost(e.arg)
  if (e.kind !== 'op') return 0
  return e.args.reduce((sum, a) => sum + exprCost(a), costly.has(e.op) ? 40 : 1)
}

/** Work that is cheaper to repeat than to store and load. */
const cheap = 24

/** Kinds whose operands must lie in memory, and kinds that fill memory of their own. */
const readsStored: ReadonlySet<PrimitiveKind> = new Set(['contract', 'conv', 'pool', 'call'])
const writesWhole: ReadonlySet<PrimitiveKind> = new Set(['scatter', 'concat', 'pool', 'call'])

/** Nodes that must have memory whatever their consumers are; the rest may be folded in. */
function chooseStored(
  graph: Graph,
  order: readonly Node[],
): { stored: Set<Node>; costs: Map<Node, number> } {
  const stored = new Set<Node>()
  const consumers = new Map<Node, Set<Node>>()
  const costs = new Map<Node, number>()
  const store = (s: Sym): void => {
    let node = s.node
    while (kindOf(node) === 'view') node = (node.inputs[0] as Sym).node
    const kind = kindOf(node)
    if (kind !== 'input') stored.add(node)
    else if (graph.params.some((p) => p.node === node)) stored.add(node)
  }
  for (const node of order) {
    for (const t of node.inputs) {
      const source = (t as Sym).node
      const set = consumers.get(source) ?? new Set()
      consumers.set(source, set.add(node))
    }
  }
  for (const node of order) {
    const kind = kindOf(node)
    const inputs = node.inputs as readonly Sym[]
    const folded = inputs.reduce(
      (sum, s) => sum + (stored.has(s.node) ? 0 : (costs.get(s.node) ?? 0)),
      0,
    )
    let cost = folded
    if (kind === 'map') cost += exprCost(primitive(node).map!.fn)
    if (kind === 'gather') cost += 4
    costs.set(node, cost)
    if (readsStored.has(kind)) for (const s of inputs) store(s)
    if (kind === 'gather') store(inputs[0]!)
    if (writesWhole.has(kind)) stored.add(node)
    if ((kind === 'map' || kind === 'gather') && cost > 0) {
      const kernels = consumers.get(node)?.size ?? 0
      if (kernels > 1 && cost > cheap) stored.add(node)
    }
    if (kind === 'view') {
      const op = primitive(node).view!.op
      const source = inputs[0]!
      if (
        op.kind === 'broadcast' &&
        node.outs[0]!.size > source.size &&
        folded > 0 &&
        readsMemory(source)
      )
        store(source)
    }
  }
  for (const s of graph.outputs) store(s)
  return { stored, costs }
}

/** Whether a folded value depends on arrays at all (constants and numbers are free to repeat). */
function readsMemory(s: Sym): boolean {
  const kind = kindOf(s.node)
  if (kind === 'input') return s.aval.shape.length > 0
  return kind !== 'map' || s.node.inputs.some((t) => readsMemory(t as Sym))
}

/** How often each node is read (reads by views counted as reads of what they view). */
function countUses(graph: Graph, order: readonly Node[]): Map<Node, number> {
  const uses = new Map<Node, number>()
  const note = (node: Node): void => {
    uses.set(node, (uses.get(node) ?? 0) + 1)
  }
  for (const node of order) for (const t of node.inputs) note((t as Sym).node)
  for (const s of graph.outputs) note(s.node)
  return uses
}

/**
 * Turns a graph of primitives into kernels. `layouts[i]` says how input i lies in its memory (null: missing);
 * `channelsLast`, whether convolutions of the device want channels innermost in memory.
 */
export function fuse(graph: Graph, layouts: readonly (View | null)[], channelsLast = false): Fused {
  const order = topological(graph.outputs)
  const { stored, costs } = chooseStored(graph, order)
  const orders = channelsLast ? chooseOrders(graph, order, layouts) : new Map<Node, Order>()
  // What has none gets memory; memory that a view cannot see through is made row-major, which every view can.
  const settle = (node: Node): boolean => {
    if (stored.has(node)) return orders.delete(node)
    stored.add(node)
    return true
  }
  const facts = { uses: countUses(graph, order), costs, orders }
  for (;;) {
    const fusion = new Fusion(graph, layouts, facts)
    // What turns out to need memory has it at once, so that one round finds as much as it can; the next one emits it.
    let settled = true
    const attempt = <T>(emit: () => T): T => {
      for (;;) {
        try {
          return emit()
        } catch (e) {
          if (!(e instanceof NeedsMemory) || !settle(e.node)) throw e
          settled = false
          fusion.allocate(e.node, fusion.preferred(e.node))
        }
      }
    }
    for (const node of order) if (stored.has(node)) attempt(() => emitNode(fusion, node))
    const outputs = graph.outputs.map((s) => attempt(() => resultOf(fusion, s)))
    if (!settled) continue
    const steps = mergeLoops(fusion.steps)
    return splitReductions(fuseRows({ buffers: fusion.buffers, steps, outputs }))
  }
}

function resultOf(fusion: Fusion, s: Sym): Result {
  const chain: Node[] = []
  let node = s.node
  let place = fusion.memory(node)
  while (place === null && kindOf(node) === 'view') {
    chain.unshift(node)
    node = (node.inputs[0] as Sym).node
    place = fusion.memory(node)
  }
  if (place === null) throw new NeedsMemory(node)
  let { view } = place
  for (const step of chain) {
    const next = primitive(step).apply!(view)
    if (next === null) throw new NeedsMemory((step.inputs[0] as Sym).node)
    view = next
  }
  return { buffer: place.buffer, view }
}
