/** The one reverse sweep: gradients of heads with respect to nodes, for graphs and for the tape alike. */

import { fail } from '../base/error.ts'
import { applyBound } from './apply.ts'
import type { Aval } from './aval.ts'
import { type Graph, type Node, Sym } from './graph.ts'
import type { Use } from './op.ts'
import type { Tensor } from './tensor.ts'

/** What the sweep needs from the layer above: sums of gradients and zeros. */
export interface GradientAlgebra {
  add(a: Tensor, b: Tensor): Tensor
  /** Zeros of a shape and dtype, on the device of `like`. */
  zeros(value: Aval, like: Tensor): Tensor
}

let algebra: GradientAlgebra = {
  add: () => fail('core', 'no gradient algebra is installed'),
  zeros: () => fail('core', 'no gradient algebra is installed'),
}

/** Installed once by `prim/`, so that core stays below the primitives. */
export function installAlgebra(a: GradientAlgebra): void {
  algebra = a
}

/** How the sweep reads a node's outputs: places in a graph, or values kept on the tape. */
export type OutputReader = (node: Node, index: number) => Tensor

/** For each node behind `heads`: whether gradients flow through it to `wanted`. */
function relevance(heads: readonly Tensor[], wanted: ReadonlySet<Node>): Map<Node, boolean> {
  const needed = new Map<Node, boolean>()
  const stack: Node[] = []
  for (const h of heads) if (h.node) stack.push(h.node)
  while (stack.length > 0) {
    const node = stack[stack.length - 1]!
    if (needed.has(node)) {
      stack.pop()
      continue
    }
    const open: Node[] = []
    let need = wanted.has(node)
    if (!need) {
      for (const t of node.inputs) {
        if (!t?.node) continue
        const known = needed.get(t.node)
        if (known === undefined) open.push(t.node)
        else if (known) need = true
      }
    }
    if (open.length > 0) {
      stack.push(...open)
    } else {
      needed.set(node, need)
      stack.pop()
    }
  }
  return needed
}

/**
 * Gradients of Σ heads·headGrads with respect to the outputs of the nodes in `wanted`.
 * Gradients are computed by operators through `apply`, so they are themselves differentiable.
 */
export function reverse(
  heads: readonly Tensor[],
  headGrads: readonly Tensor[],
  wanted: ReadonlySet<Node>,
  output: OutputReader,
): Map<Node, (Tensor | undefined)[]> {
  const sums = new Map<Node, (Tensor | undefined)[]>()
  const accumulate = (node: Node, index: number, value: Tensor): void => {
    let list = sums.get(node)
    if (list === undefined) {
      list = []
      sums.set(node, list)
    }
    const sofar = list[index]
    list[index] = sofar === undefined ? value : algebra.add(sofar, value)
  }
  heads.forEach((h, i) => {
    if (h.node) accumulate(h.node, h.index, headGrads[i]!)
  })
  const relevant = relevance(heads, wanted)
  const order = [...relevant].flatMap(([node, need]) => (need ? [node] : []))
  for (const node of order.sort((a, b) => b.id - a.id)) {
    const dys = sums.get(node)
    if (dys === undefined || wanted.has(node)) continue
    sums.delete(node)
    const { instance } = node
    if (instance === null) continue
    const needs = node.inputs.map((t) => t?.node != null && relevant.get(t.node) === true)
    const gradient = instance.gradient(needs)
    if (gradient.bound === null) continue
    const like = dys.find((d) => d !== undefined)!
    const valueOf = (use: Use): Tensor => {
      if (use.from === 'dy') return dys[use.index] ?? algebra.zeros(node.outs[use.index]!, like)
      if (use.from === 'output') return output(node, use.index)
      return node.inputs[use.index]!
    }
    const results = applyBound(gradient.bound, gradient.uses.map(valueOf), node.scalars)
    gradient.targets.forEach((target, j) => {
      const source = node.inputs[target]!
      accumulate(source.node!, source.index, results[j]!)
    })
  }
  return sums
}

/** The gradient of a traced graph: gradients of its inputs (those in `needs`), given those of its outputs. */
export function pullBack(
  graph: Graph,
  dys: readonly Tensor[],
  needs: readonly boolean[],
): readonly (Tensor | null)[] {
  const wanted = new Set<Node>()
  graph.inputs.forEach((s, i) => {
    if (s !== null && needs[i]) wanted.add(s.node)
  })
  const sums = reverse(graph.outputs, dys, wanted, (node, index) => new Sym(node, index))
  return graph.inputs.map((s, i) => (s !== null && needs[i] ? (sums.get(s.node)?.[s.index] ?? null) : null))
}
