/** Differentiation of a whole graph: one joint graph, cut where the backward half reads the forward half. */

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
  const kept = chooseKept(gradients, forwardNodes, given)
  const places = new Map(kept.map((node) => [node, placeholder(node.outs[0]!)]))
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
    targets,
  }
}

/** The forward values that the backward half reads and that are not cheap to have again. */
function chooseKept(
  gradients: readonly Sym[],
  forward: ReadonlySet<Node>,
  given: ReadonlySet<Node>,
): Node[] {
  const read = new Set<Node>()
  const note = (s: Sym): void => {
    if (forward.has(s.node)) read.add(through(s.node))
  }
  gradients.forEach(note)
  for (const node of topological(gradients)) {
    if (!forward.has(node)) for (const t of node.inputs) note(t as Sym)
  }
  const kept = new Set<Node>()
  const free = (node: Node): boolean => given.has(node) || kept.has(node)
  const repeats = (node: Node): boolean =>
    kindOf(node) === 'map' &&
    exprCost(primitive(node).map!.fn) <= repeatable &&
    node.inputs.every((t) => free(through((t as Sym).node)))
  // Costly nodes first: what they keep may make the cheap ones repeatable.
  const order = [...read].sort((a, b) => a.id - b.id)
  const costly = order.filter((n) => kindOf(n) !== 'map')
  for (const node of [...costly, ...order]) if (!free(node) && !repeats(node)) kept.add(node)
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
