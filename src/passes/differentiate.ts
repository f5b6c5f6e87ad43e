/** Differentiation of a whole graph: one joint graph, cut where the backward half reads the forward half. */

import type { Aval } from '../core/aval.ts'
import { type Graph, type Node, placeholder, Sym, topological } from '../core/graph.ts'
import { pullBack } from '../core/reverse.ts'
import { trace } from '../core/trace.ts'
import { exprCost } from './fuse.ts'
import { kindOf, primitive } from './kind.ts'
import { lower } from './lower.ts'

/** A graph split into a forward half, which also gives what is kept, and a backward half, which reads it. */
export interface Joint {
  /** Outputs: the results, then the kept values. */
  readonly forward: Graph
  /** Inputs: those of the graph, the kept values, the gradients of the results. Outputs: gradients of `targets`. */
  readonly backward: Graph
  readonly kept: readonly Aval[]
  /** The inputs that have a gradient, in the order of backward's outputs. */
  readonly targets: readonly number[]
}

/** A map of no more than this cost is computed again from kept values rather than kept itself. */
const repeatable = 8

/** Splits a graph for the gradients of the inputs in `needs`. */
export function differentiate(graph: Graph, needs: readonly boolean[]): Joint {
  const dys = graph.outputs.map((s) => placeholder(s.aval))
  const targets: number[] = []
  const traced = trace([], [], () => {
    const grads = pullBack(graph, dys, needs)
    return grads.flatMap((g, i) => {
      if (g === null) return []
      targets.push(i)
      return [g]
    })
  })
  const whole = lower({
    inputs: [...graph.inputs, ...dys],
    params: graph.params,
    outputs: [...graph.outputs, ...traced.outputs],
  })
  const results = whole.outputs.slice(0, graph.outputs.length)
  const gradients = whole.outputs.slice(graph.outputs.length)
  const given = new Set(
    [...whole.inputs, ...whole.params].flatMap((s) => (s === null ? [] : [s.node])),
  )
  const forwardNodes = new Set(topological(results))
  const kept = chooseKept(topological(gradients), forwardNodes, given)
  const places = new Map(kept.map((node) => [node, placeholder(node.outs[0]!)]))
  // A gradient may itself be a value of the forward half.
  return {
    forward: {
      inputs: graph.inputs,
      params: graph.params,
      outputs: [...results, ...kept.map((n) => new Sym(n, 0))],
    },
    backward: {
      inputs: [...graph.inputs, ...kept.map((n) => places.get(n)!), ...dys],
      params: graph.params,
      outputs: replaceNodes(gradients, places),
    },
    kept: kept.map((n) => n.outs[0]!),
    targets,
  }
}

/** The forward values that the backward half reads and that are not cheap to have again. */
function chooseKept(
  backward: readonly Node[],
  forward: ReadonlySet<Node>,
  given: ReadonlySet<Node>,
): Node[] {
  const kept = new Set<Node>()
  const read = new Set<Node>()
  for (const node of backward) {
    if (forward.has(node)) continue
    for (const t of node.inputs) if (t instanceof Sym && forward.has(t.node)) read.add(t.node)
  }
  // The backward half's own outputs may be forward values too; those count as read.
  const last = backward.at(-1)
  if (last && forward.has(last)) read.add(last)
  const free = (node: Node): boolean => given.has(node) || kept.has(node)
  const settle = (node: Node, pending: Node[]): void => {
    if (free(node)) return
    const kind = kindOf(node)
    const sources = node.inputs.map((t) => (t as Sym).node)
    if (kind === 'view') return settle(sources[0]!, pending)
    if (
      kind === 'map' &&
      exprCost(primitive(node).map!.fn) <= repeatable &&
      sources.every((s) => free(through(s)))
    )
      return
    if (kind === 'map' && sources.length === 0) return
    pending.push(node)
  }
  // Costly nodes first: what they keep may make the cheap ones repeatable.
  const order = [...read].sort((a, b) => a.id - b.id)
  const costly = order.filter((n) => !['map', 'view'].includes(kindOf(through(n))))
  for (const group of [costly, order]) {
    for (const node of group) {
      const pending: Node[] = []
      settle(through(node), pending)
      for (const p of pending) kept.add(p)
    }
  }
  return [...kept]
}

/** The node that a chain of views looks at. */
function through(node: Node): Node {
  let source = node
  while (kindOf(source) === 'view') source = (source.inputs[0] as Sym).node
  return source
}

/** The same values with some nodes replaced by placeholders. */
function replaceNodes(outputs: readonly Sym[], places: ReadonlyMap<Node, Sym>): Sym[] {
  const images = new Map<Node, Node>()
  const image = (s: Sym): Sym => {
    const place = places.get(s.node)
    if (place !== undefined) return place
    return new Sym(images.get(s.node) ?? s.node, s.index)
  }
  for (const node of topological(outputs)) {
    if (node.instance === null || places.has(node)) continue
    images.set(node, node.moved(node.inputs.map((t) => image(t as Sym))))
  }
  return outputs.map(image)
}
