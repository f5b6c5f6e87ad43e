/** The one reverse sweep: gradients of heads with respect to nodes, for graphs and for the tape alike. */

import type { Context } from '../base/context.ts'
import { fail } from '../base/error.ts'
import { applyBound } from './apply.ts'
import type { Aval } from './aval.ts'
import { withFrame } from './frame.ts'
import { type Graph, type Node, Sym } from './graph.ts'
import type { Instance } from './op.ts'
import type { Tensor } from './tensor.ts'

/** What the sweep needs from the layer above: sums of gradients and zeros. */
export interface GradientAlgebra {
  add(a: Tensor, b: Tensor): Tensor
  /** Zeros of a shape and dtype, on the device of `like`. */
  zeros(value: Aval, like: Tensor): Tensor
}

/** Copies a gradient to another device. */
export type Mover = (value: Tensor, context: Context) => Tensor

let move: Mover = (value) => value

/** Installed by `ndarray/`, which knows devices. */
export function installMover(mover: Mover): void {
  move = mover
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

let sweeps = 0

/** The nodes behind `heads` through which gradients flow to `wanted`, in the order of their making. */
function relevantNodes(heads: readonly Tensor[], wanted: ReadonlySet<Node>, sweep: number): Node[] {
  const found: Node[] = []
  const stack: Node[] = []
  for (const h of heads) if (h.node) stack.push(h.node)
  while (stack.length > 0) {
    const node = stack[stack.length - 1]!
    if (node.sweep === sweep) {
      stack.pop()
      continue
    }
    let relevant = wanted.has(node)
    let open = false
    if (!relevant) {
      for (const t of node.inputs) {
        const source = t?.node
        if (!source) continue
        if (source.sweep !== sweep) {
          stack.push(source)
          open = true
        } else if (source.relevant) relevant = true
      }
    }
    if (open) continue
    stack.pop()
    node.sweep = sweep
    node.relevant = relevant
    node.sums = null
    if (relevant) found.push(node)
  }
  return found.sort((a, b) => a.id - b.id)
}

function accumulate(node: Node, index: number, value: Tensor): void {
  node.sums ??= []
  const sofar = node.sums[index]
  const { home } = node
  const here = home === undefined || value.context === home ? value : move(value, home)
  node.sums[index] = sofar === undefined ? here : algebra.add(sofar, here)
}

/**
 * Gradients of Σ heads·headGrads with respect to the outputs of the nodes in `wanted`.
 * Gradients are computed by operators through `apply`, so they are themselves differentiable. `spent` is told of
 * gradients that have been handed on and are in nobody's hands any more, `settled` of nodes of `wanted` as soon as nothing
 * more is added to their gradients, while those of earlier nodes are still to come.
 */
export function reverse(
  heads: readonly Tensor[],
  headGrads: readonly Tensor[],
  wanted: ReadonlySet<Node>,
  output: OutputReader,
  spent?: (value: Tensor) => void,
  settled?: (node: Node, sums: readonly (Tensor | undefined)[]) => void,
): Map<Node, readonly (Tensor | undefined)[]> {
  const sweep = ++sweeps
  const order = relevantNodes(heads, wanted, sweep)
  heads.forEach((h, i) => {
    if (h.node?.relevant) accumulate(h.node, h.index, headGrads[i]!)
  })
  // A function of the user's own may keep, or give twice, what passes through its hands.
  const byHand = order.some((node) => node.pull !== null)
  const results = new Map<Node, readonly (Tensor | undefined)[]>()
  const settle = (node: Node, sums: readonly (Tensor | undefined)[]): void => {
    node.sums = null
    results.set(node, sums)
    settled?.(node, sums)
  }
  const open = settled === undefined ? null : readers(order, wanted)
  for (let at = order.length - 1; at >= 0; at--) {
    const node = order[at]!
    const { sums, instance } = node
    if (wanted.has(node)) {
      if (sums !== null) settle(node, sums)
      continue
    }
    node.sums = null
    if (sums !== null && node.pull !== null) passBackByHand(node, node.pull, sums, sweep)
    else if (sums !== null && instance !== null) {
      passBack(node, instance, sums, sweep, output)
      if (spent !== undefined && !byHand)
        for (const t of sums) if (t !== undefined && !headGrads.includes(t)) spent(t)
    }
    if (open === null) continue
    for (const t of node.inputs) {
      const source = t?.node
      const left = source ? open.get(source) : undefined
      if (left === undefined) continue
      open.set(source!, left - 1)
      if (left === 1 && source!.sums !== null) settle(source!, source!.sums)
    }
  }
  return results
}

/** How many inputs of nodes in `order` are outputs of each node of `wanted` that hands nothing on itself. */
function readers(order: readonly Node[], wanted: ReadonlySet<Node>): Map<Node, number> {
  const counts = new Map<Node, number>()
  for (const node of order) {
    if (wanted.has(node)) continue
    for (const t of node.inputs) {
      const source = t?.node
      if (source && wanted.has(source)) counts.set(source, (counts.get(source) ?? 0) + 1)
    }
  }
  return counts
}

/** Adds to the gradients of a node's inputs what those of its outputs make of them. */
function passBack(
  node: Node,
  instance: Instance,
  dys: readonly (Tensor | undefined)[],
  sweep: number,
  output: OutputReader,
): void {
  const { inputs } = node
  const needs: boolean[] = new Array(inputs.length)
  for (let i = 0; i < inputs.length; i++) {
    const source = inputs[i]?.node
    needs[i] = source != null && source.sweep === sweep && source.relevant
  }
  const { results } = instance.bound.op.spec
  const higher = results !== undefined && dys.some((d, i) => i >= results && d !== undefined)
  const { bound, uses, targets } = instance.gradient(needs, higher)
  if (bound === null) return
  const values: Tensor[] = new Array(uses.length)
  for (let i = 0; i < uses.length; i++) {
    const { from, index } = uses[i]!
    if (from === 'input') values[i] = inputs[index]!
    else if (from === 'output') values[i] = output(node, index)
    else
      values[i] = dys[index] ?? algebra.zeros(node.outs[index]!, dys.find((d) => d !== undefined)!)
  }
  // A gradient that reads nothing (ones, zeros) is made on the device of the gradients it stands for.
  const context = values.length === 0 ? dys.find((d) => d !== undefined)?.context : undefined
  const run = (): readonly Tensor[] => applyBound(bound, values, node.scalars)
  const grads = context === undefined ? run() : withFrame({ context }, run)
  for (let j = 0; j < targets.length; j++) {
    const source = inputs[targets[j]!]!
    accumulate(source.node!, source.index, grads[j]!)
  }
}

/** The same for a node with a rule of its own. */
function passBackByHand(
  node: Node,
  pull: NonNullable<Node['pull']>,
  dys: readonly (Tensor | undefined)[],
  sweep: number,
): void {
  const like = dys.find((d) => d !== undefined)!
  const grads = pull(node.outs.map((out, i) => dys[i] ?? algebra.zeros(out, like)))
  node.inputs.forEach((t, i) => {
    const [source, g] = [t?.node, grads[i]]
    if (g && source?.sweep === sweep && source.relevant) accumulate(source, t!.index, g)
  })
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
  return graph.inputs.map((s, i) =>
    s !== null && needs[i] ? (sums.get(s.node)?.[s.index] ?? null) : null,
  )
}
