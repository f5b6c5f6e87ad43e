/** Lowering: every operator is replaced by its body until only primitives are left; equal nodes become one. */

import { type Graph, Node, placeholder, Sym, topological } from '../core/graph.ts'
import type { Instance } from '../core/op.ts'
import type { Tensor } from '../core/tensor.ts'
import { constant } from '../prim/expr.ts'
import { mapOp } from '../prim/primitive.ts'

/** Builds primitive nodes, giving back an equal node that is already there. */
class Builder {
  #known = new Map<string, Node>()

  node(like: Node, inputs: readonly (Sym | null)[], scalars: readonly Sym[]): Node {
    const args = [...inputs, ...scalars].map((s) => (s === null ? '-' : `${s.node.id}.${s.index}`))
    const key = `${like.bound!.op.name} ${like.bound!.key} ${args.join()}`
    let node = this.#known.get(key)
    if (node === undefined) {
      node = new Node(like.instance, inputs, scalars, like.outs)
      this.#known.set(key, node)
    }
    return node
  }

  number(value: number): Sym {
    const key = `number ${Object.is(value, -0) ? '-0' : value}`
    let node = this.#known.get(key)
    if (node === undefined) {
      const { bound } = mapOp.bind({ fn: constant(value, 'float64'), shape: [], weak: true })
      const instance = bound.instance([])
      node = new Node(instance, [], [], instance.outs)
      this.#known.set(key, node)
    }
    return new Sym(node, 0)
  }
}

/** The graph in primitives only, without repeated or unused nodes. */
export function lower(graph: Graph): Graph {
  const builder = new Builder()
  const outputs = inline(graph, graph.inputs, graph.params, builder)
  return { inputs: graph.inputs, params: graph.params, outputs }
}

function inline(
  graph: Graph,
  inputs: readonly (Sym | null)[],
  params: readonly Sym[],
  builder: Builder,
): readonly Sym[] {
  const images = new Map<Node, readonly Sym[]>()
  const bind = (from: readonly (Sym | null)[], to: readonly (Sym | null)[]): void =>
    from.forEach((s, i) => {
      if (s !== null && to[i]) images.set(s.node, [to[i]!])
    })
  bind(graph.inputs, inputs)
  bind(graph.params, params)
  const image = (t: Tensor | null): Sym | null =>
    t instanceof Sym ? images.get(t.node)![t.index]! : null
  for (const node of topological(graph.outputs)) {
    const { instance } = node
    if (images.has(node) || instance === null) continue
    const args = node.inputs.map(image)
    const numbers = node.scalars.map((s) => (typeof s === 'number' ? builder.number(s) : image(s)!))
    if (instance.graph !== null) {
      const body = loweredBody(instance)
      images.set(node, inline(body, args, numbers, builder))
    } else {
      const made = builder.node(node, args, numbers)
      images.set(
        node,
        made.outs.map((_, i) => new Sym(made, i)),
      )
    }
  }
  return graph.outputs.map((s) => image(s)!)
}

function loweredBody(instance: Instance): Graph {
  if (instance.lowered === null) instance.lowered = lower(instance.graph!)
  return instance.lowered
}

/** The lowered graph of one operator instance, whether it has a body or is a primitive. */
export function lowerInstance(instance: Instance): Graph {
  if (instance.graph !== null) return loweredBody(instance)
  if (instance.lowered === null) {
    const inputs = instance.inputs.map((a) => (a === null ? null : placeholder(a)))
    const node = new Node(instance, inputs, [], instance.outs)
    instance.lowered = {
      inputs,
      params: [],
      outputs: instance.outs.map((_, i) => new Sym(node, i)),
    }
  }
  return instance.lowered
}
