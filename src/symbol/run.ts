/** Running a symbol: its operators applied to tensors, one after the other, whatever interpreter is in force. */

import { Cache } from '../base/cache.ts'
import { perform } from '../core/apply.ts'
import type { Tensor } from '../core/tensor.ts'
import { placesOf, runFlow } from './flow.ts'
import { infer, isOpen } from './infer.ts'
import { arrange, attrsOf, namesOf } from './listing.ts'
import { type Entry, nodesOf, type SymbolNode } from './node.ts'

const programs = new WeakMap<readonly Entry[], Program>()

/** The program of a graph inside of a node; made once. */
function programOf(heads: readonly Entry[]): Program {
  const found = programs.get(heads) ?? new Program(heads)
  programs.set(heads, found)
  return found
}

/** A graph ready to run: its nodes in order, and when each value is read for the last time. */
export class Program {
  readonly #heads: readonly Entry[]
  readonly #nodes: readonly SymbolNode[]
  readonly #open: readonly SymbolNode[]
  /** Nodes whose values are not read after the node of this place. */
  readonly #ends: readonly SymbolNode[][]
  readonly #told = new Cache<string, ReadonlyMap<SymbolNode, readonly number[]>>(16)

  constructor(heads: readonly Entry[]) {
    this.#heads = heads
    this.#nodes = nodesOf(heads)
    this.#open = this.#nodes.filter(isOpen)
    const last = new Map<SymbolNode, number>()
    this.#nodes.forEach((node, i) => {
      for (const entry of node.inputs) last.set(entry.node, i)
    })
    const kept = new Set(heads.map((head) => head.node))
    const ends: SymbolNode[][] = this.#nodes.map(() => [])
    for (const [node, i] of last) if (!kept.has(node)) ends[i]!.push(node)
    this.#ends = ends
  }

  /** The variables, in the order in which they are read. */
  get variables(): SymbolNode[] {
    return this.#nodes.filter((node) => node.op === null)
  }

  /** The outputs for values of the variables; `observe` is told every value on the way. */
  run(
    value: (variable: SymbolNode) => Tensor,
    observe?: (name: string, value: Tensor, isInput: boolean) => void,
  ): Tensor[] {
    const values = new Map<SymbolNode, readonly Tensor[]>()
    const read = ({ node, index }: Entry): Tensor => values.get(node)![index]!
    const sizes = this.#open.length === 0 ? null : this.#sizes(value)
    this.#nodes.forEach((node, i) => {
      if (node.op === null) values.set(node, [value(node)])
      else if (node.subgraphs.length > 0) values.set(node, this.#flow(node, node.inputs.map(read)))
      else {
        const inputs = arrange(node.op, attrsOf(node), node.inputs.map(read))
        const shape = sizes?.get(node)
        const given = shape === undefined ? node.values : { ...node.values, shape }
        values.set(node, perform(node.op, inputs, given))
      }
      if (observe !== undefined) {
        const names = namesOf(node)
        values.get(node)!.forEach((t, k) => observe(names[k] ?? node.name, t, node.op === null))
      }
      for (const dead of this.#ends[i]!) values.delete(dead)
    })
    return this.#heads.map(read)
  }

  /** The results of a loop or branch. */
  #flow(node: SymbolNode, inputs: readonly Tensor[]): readonly Tensor[] {
    const places = placesOf(node)
    return runFlow(node, inputs, (graph, given) => {
      const program = programOf(node.subgraphs[graph]!)
      const { variables } = program
      const at = new Map(variables.map((v, i) => [v, given[places[graph]![i]!]!]))
      return program.run((v) => at.get(v)!)
    })
  }

  /** Shapes of arrays that are made inside the graph and take their sizes from what reads them. */
  #sizes(value: (variable: SymbolNode) => Tensor): ReadonlyMap<SymbolNode, readonly number[]> {
    const given = this.variables.map((v) => [v.name, value(v).shape] as const)
    return this.#told.get(given.map(([, shape]) => shape.join()).join('|'), () => {
      const found = infer(this.#heads, Object.fromEntries(given), {})
      // What nothing tells is meant: an array of size 0.
      return new Map(
        this.#open.flatMap((node) => {
          const shape = found.shapes.get(node)?.[0]
          return shape && !shape.includes(-1) ? [[node, shape] as const] : []
        }),
      )
    })
  }
}
