/** Emitting kernels: one node that needs memory, with everything folded into it, becomes one or a few steps. */

import { rowMajor, type Shape, sameShape, sizeOf } from '../base/shape.ts'
import { dense, isDense, permute, reshape, slice, type View } from '../base/view.ts'
import type { Aval } from '../core/aval.ts'
import { type Node, Sym } from '../core/graph.ts'
import { acc, cast, type Expr, renameInputs, someNode } from '../prim/expr.ts'
import type { Block, LoopKernel, Operand } from '../prim/kernel.ts'
import { indexedStrides, type Link, Scope, spreadIndices, storedView } from './express.ts'
import { type Fusion, NeedsMemory } from './fuse.ts'
import { kindOf, primitive } from './kind.ts'

/** Emits the steps that compute a node into memory of its own. */
export function emitNode(fusion: Fusion, node: Node): void {
  const kind = kindOf(node)
  switch (kind) {
    case 'reduce':
      return emitReduce(fusion, node, node)
    case 'contract':
      return emitContract(fusion, node, node)
    case 'scatter':
      return emitScatter(fusion, node)
    case 'concat':
      return emitConcat(fusion, node)
    case 'call':
      return emitCall(fusion, node)
    case 'conv':
      return emitConv(fusion, node, node)
    case 'pool':
      return emitPool(fusion, node)
    case 'map':
    case 'gather':
    case 'view':
    case 'input': {
      const source = kind === 'map' ? findAccumulator(fusion, node) : null
      if (source === null) return emitMap(fusion, node)
      fusion.finishing.add(node)
      const accumulates = kindOf(source)
      if (accumulates === 'reduce') return emitReduce(fusion, source, node)
      return accumulates === 'conv'
        ? emitConv(fusion, source, node)
        : emitContract(fusion, source, node)
    }
    default:
      return kind satisfies never
  }
}

const operandAt = (dtype: Operand['dtype'], { strides, offset }: View): Operand => ({
  dtype,
  strides,
  offset,
})

/** The value of a node itself, ignoring that it has memory. */
const symOf = (node: Node): Sym => new Sym(node, 0)

function emitMap(fusion: Fusion, node: Node): void {
  const isInput = kindOf(node) === 'input' && fusion.memory(node) !== null
  const scope = new Scope(fusion, isInput ? null : node)
  const body = scope.express(symOf(node), [])
  const { shape, dtype } = node.outs[0]!
  const view = fusion.preferred(node)
  const kernel = mapKernel(shape, scope, operandAt(dtype, view), body)
  fusion.step(kernel, [...scope.buffers, fusion.allocate(node, view)])
}

/** The kernel that writes one expression at every point of a shape. */
function mapKernel(dims: Shape, scope: Scope, output: Operand, body: Expr): LoopKernel {
  return {
    kind: 'loop',
    dims,
    parallel: dims.length,
    inputs: scope.operands,
    outputs: [output],
    body: [body],
    reduce: [],
    epilogue: [],
  }
}

/**
 * The one reduction, contraction or convolution whose results a map finishes: read only here, element by element,
 * and not in need of memory for another reason.
 */
function findAccumulator(fusion: Fusion, root: Node): Node | null {
  const found = new Set<Node>()
  const seen = new Set<Node>()
  let open = true
  const visit = (s: Sym, reads: number): void => {
    const { node } = s
    if (seen.has(node)) return
    seen.add(node)
    if (fusion.memory(node) !== null || fusion.params.has(node)) return
    const kind = kindOf(node)
    if (kind === 'reduce' || kind === 'contract' || kind === 'conv') {
      if (reads > 1 || s.size !== root.outs[0]!.size) open = false
      found.add(node)
      return
    }
    if (kind === 'map' || kind === 'view') {
      const many = reads > 1 || (fusion.uses.get(node) ?? 0) > 1
      for (const t of node.inputs) {
        const source = t as Sym
        visit(source, many ? 2 : (fusion.uses.get(source.node) ?? 0))
      }
    }
  }
  for (const t of root.inputs) visit(t as Sym, fusion.uses.get((t as Sym).node) ?? 0)
  if (found.size === 0) return null
  const [node] = found
  if (!open || found.size > 1) throw new NeedsMemory(node!)
  return node!
}

/** The rearrangement that makes a value of `from`'s shape range over `shape`. */
function reshapeLink(from: Node, shape: Shape): Link[] {
  return sameShape(from.outs[0]!.shape, shape) ? [] : [{ op: { kind: 'reshape', shape }, of: from }]
}

/** The finishing expression of `root` over the results of `source`; failing that, `source` needs memory. */
function finish(scope: Scope, root: Node, source: Node, links: readonly Link[]): Expr {
  if (root === source) return acc(0, source.outs[0]!.dtype)
  try {
    return scope.express(symOf(root), links)
  } catch (e) {
    if (e instanceof NeedsMemory && e.node === root) throw new NeedsMemory(source)
    throw e
  }
}

function emitReduce(fusion: Fusion, node: Node, root: Node): void {
  const { op, axes } = primitive(node).reduce!
  const input = node.inputs[0] as Sym
  const kept = input.shape.map((_, i) => i).filter((i) => !axes.includes(i))
  const sizes = (list: readonly number[]): number[] => list.map((i) => input.shape[i]!)
  const outer = new Scope(fusion, root, node)
  const order = [...kept, ...axes]
  const link: Link[] = order.every((a, i) => a === i)
    ? []
    : [{ op: { kind: 'permute', axes: order }, of: input.node }]
  const body = outer.express(input, link)
  const count = outer.operands.length
  const inner = new Scope(fusion, root, node)
  const epilogue = finish(inner, root, node, reshapeLink(root, sizes(kept)))
  const flat = axes.map(() => 0)
  fusion.step(
    {
      kind: 'loop',
      dims: [...sizes(kept), ...sizes(axes)],
      parallel: kept.length,
      inputs: [
        ...outer.operands,
        ...inner.operands.map((o) => ({ ...o, strides: [...o.strides, ...flat] })),
      ],
      outputs: [{ dtype: root.outs[0]!.dtype, strides: rowMajor(sizes(kept)), offset: 0 }],
      body: [body],
      reduce: [op],
      epilogue: [renameInputs(epilogue, (i) => i + count)],
    },
    [...outer.buffers, ...inner.buffers, fusion.allocate(root)],
  )
}

function emitContract(fusion: Fusion, node: Node, root: Node): void {
  const { out, ...sides } = primitive(node).contract!
  const [first, second] = node.inputs as readonly [Sym, Sym]
  // Results are written along the last axis, so its letter should belong to the columns: else the sides change places.
  const swapped = !sides.rhs.includes(out.at(-1) ?? '')
  const [lhs, rhs] = swapped ? [sides.rhs, sides.lhs] : [sides.lhs, sides.rhs]
  const [a, b] = swapped ? [second, first] : [first, second]
  const outLetters = [...out]
  const batch = outLetters.filter((c) => lhs.includes(c) && rhs.includes(c))
  const rows = outLetters.filter((c) => !rhs.includes(c))
  const columns = outLetters.filter((c) => !lhs.includes(c))
  const inner = [...lhs].filter((c) => rhs.includes(c) && !out.includes(c))
  const sizeOfLetter = (c: string): number =>
    lhs.includes(c) ? a.shape[lhs.indexOf(c)]! : b.shape[rhs.indexOf(c)]!
  const size = (letters: readonly string[]): number => sizeOf(letters.map(sizeOfLetter))
  const arrange = (
    view: View,
    letters: string,
    groups: readonly (readonly string[])[],
    of: Node,
  ): View => {
    const axes = groups.flat().map((c) => letters.indexOf(c))
    const flat = reshape(permute(view, axes), groups.map(size))
    if (flat === null) throw new NeedsMemory(of)
    return flat
  }
  const operandOf = (
    s: Sym,
    letters: string,
    groups: readonly (readonly string[])[],
  ): { operand: Operand; buffer: number } => {
    const { buffer, view, of } = storedView(fusion, s)
    // A view whose axes do not join gets memory itself: in the order in which they do.
    const v = arrange(view, letters, groups, kindOf(s.node) === 'view' ? s.node : of)
    return { operand: { dtype: s.dtype, strides: v.strides, offset: v.offset }, buffer }
  }
  const left = operandOf(a, lhs, [batch, rows, inner])
  const right = operandOf(b, rhs, [batch, inner, columns])
  const outGroups = [batch, rows, columns]
  const target = arrange(dense(node.outs[0]!.shape), out, outGroups, node)
  const scope = new Scope(fusion, root, node)
  const epilogue = finish(scope, root, node, reshapeLink(root, node.outs[0]!.shape))
  // Rows and columns may be merged axes, where a coordinate has no meaning.
  if (usesIndex(epilogue)) throw new NeedsMemory(node)
  fusion.step(
    {
      kind: 'contract',
      dtype: node.outs[0]!.dtype,
      b: size(batch),
      m: size(rows),
      n: size(columns),
      k: size(inner),
      lhs: left.operand,
      rhs: right.operand,
      inputs: scope.operands.map((o) => {
        const v = arrange(
          { shape: node.outs[0]!.shape, strides: o.strides, offset: o.offset },
          out,
          outGroups,
          node,
        )
        return { dtype: o.dtype, strides: v.strides, offset: v.offset }
      }),
      output: { dtype: root.outs[0]!.dtype, strides: target.strides, offset: 0 },
      epilogue,
    },
    [left.buffer, right.buffer, ...scope.buffers, fusion.allocate(root)],
  )
}

/** Where a stored value lies, as an operand. */
function storedOperand(fusion: Fusion, s: Sym): { operand: Operand; buffer: number } {
  const { buffer, view } = storedView(fusion, s)
  return { operand: operandAt(s.dtype, view), buffer }
}

function emitConv(fusion: Fusion, node: Node, root: Node): void {
  const { result, sizes } = primitive(node).conv!
  const { shape, dtype } = node.outs[0]!
  const [left, right] = (node.inputs as readonly Sym[]).map((s) => storedOperand(fusion, s))
  const scope = new Scope(fusion, root, node)
  const epilogue = finish(scope, root, node, reshapeLink(root, shape))
  let view = fusion.preferred(root)
  let target = reshape(view, shape)
  if (target === null) {
    view = dense(root.outs[0]!.shape)
    target = dense(shape)
  }
  fusion.step(
    {
      kind: 'conv',
      dtype,
      result,
      sizes,
      lhs: left!.operand,
      rhs: right!.operand,
      inputs: scope.operands,
      output: operandAt(root.outs[0]!.dtype, target),
      epilogue,
    },
    [left!.buffer, right!.buffer, ...scope.buffers, fusion.allocate(root, view)],
  )
}

function emitPool(fusion: Fusion, node: Node): void {
  const { mode, sizes } = primitive(node).pool!
  const { dtype } = node.outs[0]!
  const given = (node.inputs as readonly (Sym | null)[]).flatMap((s) =>
    s === null ? [] : [storedOperand(fusion, s)],
  )
  const view = fusion.preferred(node)
  fusion.step(
    {
      kind: 'pool',
      dtype,
      mode,
      sizes,
      inputs: given.map((g) => g.operand),
      output: operandAt(dtype, view),
    },
    [...given.map((g) => g.buffer), fusion.allocate(node, view)],
  )
}

const usesIndex = (root: Expr): boolean =>
  someNode(root, (e) => e.kind === 'index' || e.kind === 'loadAt')

function emitScatter(fusion: Fusion, node: Node): void {
  const { shape, axis, batched, op } = primitive(node).scatter!
  const [indices, updates, base] = node.inputs as readonly [Sym, Sym, Sym?]
  const scope = new Scope(fusion, node)
  const full = rowMajor(shape)
  const strides = indexedStrides(full, axis, batched ? 0 : indices.shape.length)
  const spread = batched ? [] : spreadIndices(indices, shape.length - axis - 1, updates.shape)
  const value = scope.express(updates, [])
  const at = cast(scope.express(indices, spread), 'int32')
  const under = new Scope(fusion, node)
  const copied = base === undefined ? null : under.express(base, [])
  const buffer = fusion.allocate(node)
  if (copied === null) fusion.zero(buffer)
  else
    fusion.step(mapKernel(shape, under, operandAt(node.outs[0]!.dtype, dense(shape)), copied), [
      ...under.buffers,
      buffer,
    ])
  fusion.step(
    {
      kind: 'scatter',
      dims: updates.shape,
      inputs: scope.operands,
      output: { dtype: node.outs[0]!.dtype, strides, offset: 0 },
      at: [{ index: at, size: shape[axis]!, stride: full[axis]! }],
      value,
      op,
    },
    [...scope.buffers, buffer],
  )
}

function emitConcat(fusion: Fusion, node: Node): void {
  const { shape, placings } = primitive(node).concat!
  const pieces = node.inputs as readonly Sym[]
  const scopes = pieces.map((piece) => {
    const scope = new Scope(fusion, node)
    return { scope, body: scope.express(piece, []), piece }
  })
  const view = fusion.preferred(node)
  const buffer = fusion.allocate(node, view)
  const covered = pieces.reduce((sum, piece) => sum + piece.size, 0)
  if (covered < sizeOf(shape)) fusion.zero(buffer)
  scopes.forEach(({ scope, body, piece }, i) => {
    const { begin, step } = placings[i]!
    const target = slice(view, begin, step, piece.shape)
    const output = { dtype: piece.dtype, strides: target.strides, offset: target.offset }
    fusion.step(mapKernel(piece.shape, scope, output, body), [...scope.buffers, buffer])
  })
}

function emitCall(fusion: Fusion, node: Node): void {
  const { routine, numbers } = primitive(node).call!
  const blockOf = ({ dtype, size }: Sym | Aval, offset: number): Block => ({
    dtype,
    strides: [1],
    offset,
    size,
  })
  const inputs = (node.inputs as readonly Sym[]).map((s) => {
    const { buffer, view, of } = storedView(fusion, s)
    if (!isDense(view)) throw new NeedsMemory(of)
    return { buffer, block: blockOf(s, view.offset) }
  })
  const buffer = fusion.allocate(node)
  fusion.step(
    {
      kind: 'call',
      routine,
      numbers,
      inputs: inputs.map((x) => x.block),
      output: blockOf(node.outs[0]!, 0),
    },
    [...inputs.map((x) => x.buffer), buffer],
  )
}
