/** Expressing a value at every point of a kernel's domain: loads with strides, and the maps in between. */

import { fail } from '../base/error.ts'
import type { Shape } from '../base/shape.ts'
import { dense, isDense, type View } from '../base/view.ts'
import type { Node, Sym } from '../core/graph.ts'
import {
  acc,
  binary,
  cast,
  constant,
  type Expr,
  index,
  load,
  param,
  rewrite,
} from '../prim/expr.ts'
import type { Operand } from '../prim/kernel.ts'
import type { ViewOp } from '../prim/primitive.ts'
import { type Fusion, NeedsMemory } from './fuse.ts'
import { applyView, kindOf, primitive } from './kind.ts'

/** A rearrangement on the way from a value to the domain; `of` is the node that is rearranged. */
export interface Link {
  readonly op: ViewOp
  readonly of: Node
}

/** Collects the operands of one kernel while its expressions are built. */
export class Scope {
  readonly operands: Operand[] = []
  readonly buffers: number[] = []
  readonly fusion: Fusion
  /** The reduction or contraction whose result the expression may read as an accumulator. */
  readonly accumulated: Node | null
  /** The node this kernel computes: its own memory is not read. */
  readonly root: Node | null
  #known = new Map<string, number>()
  /** Values already expressed, by node and by the chain they were asked under. */
  #done = new Map<Node, Map<readonly Link[], Expr>>()

  constructor(fusion: Fusion, root: Node | null, accumulated: Node | null = null) {
    this.fusion = fusion
    this.root = root
    this.accumulated = accumulated
  }

  operand(buffer: number, view: View): number {
    const { dtype } = this.fusion.buffers[buffer]!
    const key = `${buffer}@${view.offset}:${view.strides.join()}`
    let at = this.#known.get(key)
    if (at === undefined) {
      at = this.operands.push({ dtype, strides: view.strides, offset: view.offset }) - 1
      this.buffers.push(buffer)
      this.#known.set(key, at)
    }
    return at
  }

  /** The value of `s`, rearranged by `chain`, at each point of the domain; shared values are expressed once. */
  express(s: Sym, chain: readonly Link[]): Expr {
    let byChain = this.#done.get(s.node)
    if (byChain === undefined) {
      byChain = new Map()
      this.#done.set(s.node, byChain)
    }
    let e = byChain.get(chain)
    if (e === undefined) {
      e = this.#express(s, chain)
      byChain.set(chain, e)
    }
    return e
  }

  #express(s: Sym, chain: readonly Link[]): Expr {
    const { node } = s
    if (node === this.accumulated) return this.#accumulator(node, chain)
    if (node !== this.root) {
      const place = this.fusion.memory(node)
      const again = chain.length === 0 && this.root !== null && this.fusion.repeats(node)
      if (place !== null && !again)
        return load(this.operand(place.buffer, follow(place.view, chain)), s.dtype)
      const slot = this.fusion.params.get(node)
      if (slot !== undefined) return param(slot, s.dtype)
    }
    switch (kindOf(node)) {
      case 'view': {
        const input = node.inputs[0] as Sym
        return this.express(input, [{ op: primitive(node).view!.op, of: input.node }, ...chain])
      }
      case 'map':
        return this.#map(node, chain)
      case 'gather':
        return this.#gather(node, chain)
      case 'input': {
        const slot = this.fusion.params.get(node)
        return slot === undefined ? fail('fuse', 'an input has no layout') : param(slot, s.dtype)
      }
      default:
        throw new NeedsMemory(node)
    }
  }

  #accumulator(node: Node, chain: readonly Link[]): Expr {
    const own = dense(node.outs[0]!.shape)
    const seen = follow(own, chain)
    if (!isDense(seen) || seen.offset !== 0) throw new NeedsMemory(node)
    return acc(0, node.outs[0]!.dtype)
  }

  #map(node: Node, chain: readonly Link[]): Expr {
    const { fn, shape } = primitive(node).map!
    const inputs = node.inputs as readonly Sym[]
    return rewrite(fn, (e) => {
      if (e.kind === 'load') return this.express(inputs[e.input]!, chain)
      if (e.kind === 'index') return affine(follow(unit(shape, e.dim), chain))
      return undefined
    })
  }

  #gather(node: Node, chain: readonly Link[]): Expr {
    const { axis, batched } = primitive(node).gather!
    const [data, indices] = node.inputs as readonly [Sym, Sym]
    const place = storedView(this.fusion, data)
    const out = node.outs[0]!.shape
    const { shape, strides, offset } = place.view
    const fixed = indexedStrides(strides, axis, batched ? 0 : indices.shape.length)
    const spread = batched ? [] : spreadIndices(indices, shape.length - axis - 1, out)
    const at = cast(this.express(indices, [...spread, ...chain]), 'int32')
    const input = this.operand(place.buffer, follow({ shape: out, strides: fixed, offset }, chain))
    const [size, stride] = [shape[axis]!, strides[axis]!]
    return { kind: 'loadAt', input, index: at, size, stride, dtype: data.dtype }
  }
}

/**
 * Where the value of a stored node lies, seen through views; `of` is what needs memory of its own if the view will
 * not do.
 */
export function storedView(fusion: Fusion, s: Sym): { buffer: number; view: View; of: Node } {
  const place = fusion.memory(s.node)
  if (place !== null) return { ...place, of: s.node }
  if (kindOf(s.node) !== 'view') throw new NeedsMemory(s.node)
  const input = s.node.inputs[0] as Sym
  const inner = storedView(fusion, input)
  const view = applyView(inner.view, primitive(s.node).view!.op)
  if (view === null) throw new NeedsMemory(input.node)
  return { buffer: inner.buffer, view, of: s.node }
}

/** How gathered or scattered elements lie in data with these strides: fixed along all but the indexed axis. */
export function indexedStrides(strides: readonly number[], axis: number, rank: number): number[] {
  return [...strides.slice(0, axis), ...new Array<number>(rank).fill(0), ...strides.slice(axis + 1)]
}

/** Spreads plain indices over all elements that they take, of shape `out` with `after` axes behind the index's. */
export function spreadIndices(indices: Sym, after: number, out: Shape): Link[] {
  const shape = [...indices.shape, ...new Array<number>(after).fill(1)]
  return [
    { op: { kind: 'reshape', shape }, of: indices.node },
    { op: { kind: 'broadcast', shape: out }, of: indices.node },
  ]
}

/** A view seen through a chain of rearrangements. */
export function follow(view: View, chain: readonly Link[]): View {
  let seen = view
  for (const { op, of } of chain) {
    const next = applyView(seen, op)
    if (next === null) throw new NeedsMemory(of)
    seen = next
  }
  return seen
}

/** The coordinate along one axis, as a view of imaginary data. */
function unit(shape: readonly number[], axis: number): View {
  return { shape, strides: shape.map((_, i) => (i === axis ? 1 : 0)), offset: 0 }
}

function affine(view: View): Expr {
  let sum = constant(view.offset, 'int32')
  view.strides.forEach((stride, d) => {
    if (stride !== 0 && view.shape[d] !== 1) {
      sum = binary('add', sum, binary('mul', index(d), constant(stride, 'int32')))
    }
  })
  return sum
}
