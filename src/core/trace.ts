/** Tracing: a function of tensors becomes a graph by running it on placeholders. */

import { fail } from '../base/error.ts'
import type { Aval } from './aval.ts'
import { frame } from './frame.ts'
import { type Graph, Node, placeholder, Sym, topological } from './graph.ts'
import type { Tensor } from './tensor.ts'

/** Runs `body` on placeholders for arrays (null: a missing one) and for numbers; operators build a graph meanwhile. */
export function trace(
  inputs: readonly (Aval | null)[],
  params: readonly Aval[],
  body: (inputs: readonly (Tensor | null)[], params: readonly Tensor[]) => readonly Tensor[],
): Graph {
  const ins = inputs.map((a) => (a === null ? null : placeholder(a)))
  const nums = params.map(placeholder)
  const { tracing, composing } = frame
  frame.tracing = true
  frame.composing = false
  try {
    return { inputs: ins, params: nums, outputs: body(ins, nums).map(asSym) }
  } finally {
    frame.tracing = tracing
    frame.composing = composing
  }
}

function asSym(t: Tensor): Sym {
  return t instanceof Sym
    ? t
    : fail('trace', 'an array with data was returned where a graph is being traced')
}

/** The same graph on other inputs; null where the graph does not read the input. */
export function substitute(
  graph: Graph,
  inputs: readonly (Tensor | null)[],
  scalars: readonly Tensor[],
): Graph {
  const map = new Map<Node, Node | Sym>()
  const bindTo = (from: readonly (Sym | null)[], to: readonly (Tensor | null)[]): void =>
    from.forEach((s, i) => {
      const t = to[i]
      if (s !== null && t instanceof Sym) map.set(s.node, t)
    })
  bindTo(graph.inputs, inputs)
  bindTo(graph.params, scalars)
  const image = (t: Tensor | null): Sym | null => {
    if (!(t instanceof Sym)) return null
    const to = map.get(t.node)
    if (to === undefined) return fail('trace', 'an input that the graph reads was not given')
    return to instanceof Sym ? to : new Sym(to, t.index)
  }
  for (const node of topological(graph.outputs)) {
    if (map.has(node) || node.instance === null) continue
    const scalarsOf = node.scalars.map((s) => (typeof s === 'number' ? s : image(s)!))
    map.set(node, new Node(node.instance, node.inputs.map(image), scalarsOf, node.outs))
  }
  return {
    inputs: inputs.map((t) => (t instanceof Sym ? t : null)),
    params: scalars as readonly Sym[],
    outputs: graph.outputs.map((s) => image(s)!),
  }
}
