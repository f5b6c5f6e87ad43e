/** The graph behind symbols: operators by name with their attributes, not yet bound to shapes. */

import { fail } from '../base/error.ts'
import type { OpDef } from '../core/op.ts'

/** One output of a node, as something reads it. */
export interface Entry {
  readonly node: SymbolNode
  readonly index: number
  /** How often the variable had been written when it was read; only files have it. */
  readonly version: number
}

/** An operator that will be applied, or a variable. */
export class SymbolNode {
  /** Null for a variable. */
  readonly op: OpDef | null
  readonly name: string
  /** Everything as text, as a file has it: the operator's attributes in MXNet's spelling, and annotations. */
  readonly attrs: Map<string, string>
  /** The operator's attributes as values, in our spelling; those not given are left out. */
  readonly values: { readonly [name: string]: unknown }
  /** What it reads, in the order of the file: missing inputs leave no gap. */
  readonly inputs: readonly Entry[]
  /** The outputs of each graph that a loop or a branch runs; empty for other operators. */
  readonly subgraphs: readonly (readonly Entry[])[]

  constructor(
    op: OpDef | null,
    name: string,
    attrs: Map<string, string>,
    values: { readonly [name: string]: unknown } = {},
    inputs: readonly Entry[] = [],
    subgraphs: readonly (readonly Entry[])[] = [],
  ) {
    this.op = op
    this.name = name
    this.attrs = attrs
    this.values = values
    this.inputs = inputs
    this.subgraphs = subgraphs
  }
}

/** The nodes that `heads` need, each after what it reads; what comes before a node that is `done` is left out with it. */
export function nodesOf(
  heads: readonly Entry[],
  done: (node: SymbolNode) => boolean = () => false,
): SymbolNode[] {
  const seen = new Set<SymbolNode>()
  const order: SymbolNode[] = []
  const stack: { node: SymbolNode; next: number }[] = []
  for (const head of heads) {
    if (seen.has(head.node) || done(head.node)) continue
    seen.add(head.node)
    stack.push({ node: head.node, next: 0 })
    while (stack.length > 0) {
      const top = stack[stack.length - 1]!
      const input = top.node.inputs[top.next++]
      if (input === undefined) {
        order.push(top.node)
        stack.pop()
      } else if (!seen.has(input.node) && !done(input.node)) {
        seen.add(input.node)
        stack.push({ node: input.node, next: 0 })
      }
    }
  }
  return order
}

/** The same graph with some variables replaced; nodes that no replacement reaches are shared. */
export const replaceVariables = (
  heads: readonly Entry[],
  image: ReadonlyMap<SymbolNode, Entry>,
): Entry[] => replaceEntries(heads, (entry) => image.get(entry.node) ?? null)

/** The same graph reading something else wherever `image` gives an entry, beyond which it is left out. */
export function replaceEntries(
  heads: readonly Entry[],
  image: (entry: Entry) => Entry | null,
  outside: (node: SymbolNode) => boolean = () => false,
): Entry[] {
  const moved = new Map<SymbolNode, SymbolNode>()
  const of = (entry: Entry): Entry => {
    const given = image(entry)
    if (given !== null) return given
    const node = moved.get(entry.node)
    return node === undefined ? entry : { ...entry, node }
  }
  for (const node of nodesOf(heads, outside)) {
    const inputs = node.inputs.map(of)
    if (inputs.every((entry, i) => entry === node.inputs[i])) continue
    moved.set(
      node,
      new SymbolNode(node.op, node.name, node.attrs, node.values, inputs, node.subgraphs),
    )
  }
  return heads.map(of)
}

/** The node's operator; a variable has none. */
export const opOf = (node: SymbolNode): OpDef =>
  node.op ?? fail('symbol', `${node.name} is a variable`)
