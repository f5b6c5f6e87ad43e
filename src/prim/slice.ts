/** Slicing: a kernel cut along an outer dimension into kernels that write disjoint parts of its output. */

import { sizeOf } from '../base/shape.ts'
import { binary, constant, type Expr, index, rewrite, someNode } from './expr.ts'
import type { ContractKernel, Kernel, LoopKernel, Operand } from './kernel.ts'
import { firstPlaces, type SequenceKernel } from './sequence.ts'
import { type ConvKernel, convShape, type PoolKernel } from './window.ts'

/** A stretch of a dimension. */
interface Range {
  readonly begin: number
  readonly end: number
}

/** `size` in at most `parts` stretches of about the same length, cut at multiples of `grain`. */
export function stretches(size: number, parts: number, grain: number): Range[] {
  const units = Math.ceil(size / grain)
  const count = Math.max(1, Math.min(parts, units))
  return Array.from({ length: count }, (_, i) => ({
    begin: Math.min(size, Math.floor((units * i) / count) * grain),
    end: Math.min(size, Math.floor((units * (i + 1)) / count) * grain),
  }))
}

/** The operand as it lies for a kernel whose dimension `dim` begins at `begin`. */
function moved(o: Operand, dim: number, { begin, end }: Range): Operand {
  const at = { ...o, offset: o.offset + begin * (o.strides[dim] ?? 0) }
  if (!o.guards) return at
  const guards = o.guards.map((g) =>
    g.dim === dim
      ? { dim, lo: Math.max(0, g.lo - begin), hi: Math.min(end - begin, g.hi - begin) }
      : g,
  )
  return { ...at, guards }
}

const usesIndex = (e: Expr): boolean => someNode(e, (x) => x.kind === 'index')

/** The expression with coordinates along `dim` counted from `begin`. */
function shifted(e: Expr, dim: number, begin: number): Expr {
  if (begin === 0 || !usesIndex(e)) return e
  return rewrite(e, (x) =>
    x.kind === 'index' && x.dim === dim
      ? binary('add', index(dim), constant(begin, 'int32'))
      : undefined,
  )
}

/** Elements of a vector loop below which a cut costs more than it gives. */
const grainOf = (kernel: LoopKernel, dim: number): number => {
  const inner = kernel.dims.slice(dim + 1).reduce((n, d) => n * d, 1)
  return Math.max(1, Math.ceil(1024 / Math.max(1, inner)))
}

function sliceLoop(kernel: LoopKernel, parts: number): readonly LoopKernel[] {
  // The dimension along which the output is farthest apart: parts then write stretches of memory of their own.
  let dim = -1
  const reach = (d: number): number => Math.abs(kernel.outputs[0]!.strides[d]!)
  for (let d = 0; d < kernel.parallel; d++) {
    if (kernel.outputs.some((o) => o.strides[d] === 0) || kernel.dims[d]! < 2) continue
    const wide = kernel.dims[d]! >= parts
    if (dim < 0 || (wide && (kernel.dims[dim]! < parts || reach(d) > reach(dim)))) dim = d
  }
  if (dim < 0) return [kernel]
  const ranges = stretches(kernel.dims[dim]!, parts, grainOf(kernel, dim))
  if (ranges.length < 2) return [kernel]
  return ranges.map((range) => ({
    ...kernel,
    dims: kernel.dims.map((n, d) => (d === dim ? range.end - range.begin : n)),
    inputs: kernel.inputs.map((o) => moved(o, dim, range)),
    outputs: kernel.outputs.map((o) => moved(o, dim, range)),
    body: kernel.body.map((e) => shifted(e, dim, range.begin)),
    epilogue: kernel.epilogue.map((e) => shifted(e, dim, range.begin)),
  }))
}

/** Rows and columns of a part of a product are multiples of this: whole register tiles of every backend. */
const tile = 48

function sliceContract(kernel: ContractKernel, parts: number): readonly ContractKernel[] {
  const { b, m, n } = kernel
  if (b >= parts) {
    return stretches(b, parts, 1).map((range) => ({
      ...kernel,
      b: range.end - range.begin,
      lhs: moved(kernel.lhs, 0, range),
      rhs: moved(kernel.rhs, 0, range),
      inputs: kernel.inputs.map((o) => moved(o, 0, range)),
      output: moved(kernel.output, 0, range),
    }))
  }
  // The longer side is cut: the other one, read by every part, is the smaller.
  const rows = m >= n
  const ranges = stretches(rows ? m : n, parts, tile)
  if (ranges.length < 2) return [kernel]
  return ranges.map((range) => ({
    ...kernel,
    ...(rows ? { m: range.end - range.begin } : { n: range.end - range.begin }),
    lhs: rows ? moved(kernel.lhs, 1, range) : kernel.lhs,
    rhs: rows ? kernel.rhs : moved(kernel.rhs, 2, range),
    inputs: kernel.inputs.map((o) => moved(o, rows ? 1 : 2, range)),
    output: moved(kernel.output, rows ? 1 : 2, range),
  }))
}

/** A dimension of a convolution that can be cut: its size, and where it lies in lhs, rhs and the result (-1: nowhere). */
interface ConvCut {
  readonly size: 'batch' | 'outer' | 'inner'
  readonly dims: readonly [lhs: number, rhs: number, result: number]
}

const convCuts: Record<ConvKernel['result'], readonly ConvCut[]> = {
  y: [
    { size: 'batch', dims: [0, -1, 0] },
    { size: 'outer', dims: [-1, 1, 2] },
  ],
  x: [
    { size: 'batch', dims: [-1, 0, 0] },
    { size: 'inner', dims: [2, -1, 2] },
  ],
  w: [
    { size: 'outer', dims: [-1, 2, 1] },
    { size: 'inner', dims: [2, -1, 2] },
  ],
}

/** Channels of a part of a convolution are a multiple of this, where there are enough: whole vectors of every backend. */
const channelGrain = 16

/**
 * How a convolution is cut. Parts of the batch read all weights, parts of the channels all of x or y: where weights are
 * the larger array, and have to be packed or transformed by each part, channels are cut.
 */
function convCut({ result, sizes }: ConvKernel, parts: number): ConvCut & { grain: number } {
  const [first, second] = convCuts[result] as readonly [ConvCut, ConvCut]
  const counts = (cut: ConvCut): number => sizes[cut.size]
  const wide = sizes.groups === 1 && counts(second) >= parts * channelGrain
  const read = sizeOf(convShape(sizes, result === 'y' ? 'x' : 'y'))
  const heavy = result !== 'w' && wide && read < 2 * sizeOf(convShape(sizes, 'w'))
  const enough = counts(first) >= parts || counts(first) >= counts(second)
  const cut = enough && !heavy ? first : second
  const fine = cut.size === 'batch' || counts(cut) < parts * channelGrain
  return { ...cut, grain: fine ? 1 : channelGrain }
}

function sliceConv(kernel: ConvKernel, parts: number): readonly ConvKernel[] {
  const { sizes } = kernel
  const cut = convCut(kernel, parts)
  const ranges = stretches(sizes[cut.size], parts, cut.grain)
  if (ranges.length < 2) return [kernel]
  const part = (o: Operand, dim: number, range: Range): Operand =>
    dim < 0 ? o : moved(o, dim, range)
  const [l, r, out] = cut.dims
  return ranges.map((range) => ({
    ...kernel,
    sizes: { ...sizes, [cut.size]: range.end - range.begin },
    lhs: part(kernel.lhs, l, range),
    rhs: part(kernel.rhs, r, range),
    inputs: kernel.inputs.map((o) => part(o, out, range)),
    output: part(kernel.output, out, range),
  }))
}

function slicePool(kernel: PoolKernel, parts: number): readonly PoolKernel[] {
  const { sizes } = kernel
  const ranges = stretches(sizes.lines[0] ?? 1, parts, 1)
  if (ranges.length < 2) return [kernel]
  return ranges.map((range) => ({
    ...kernel,
    sizes: { ...sizes, lines: [range.end - range.begin, ...sizes.lines.slice(1)] },
    inputs: kernel.inputs.map((o) => moved(o, 0, range)),
    output: moved(kernel.output, 0, range),
  }))
}

function sliceSequence(kernel: SequenceKernel, parts: number): readonly SequenceKernel[] {
  const ranges = stretches(kernel.outer, parts, 1)
  if (ranges.length < 2) return [kernel]
  return ranges.map((range) => ({
    ...kernel,
    outer: range.end - range.begin,
    loops: kernel.loops.map(({ kernel: loop, operands }) => ({
      operands,
      kernel: {
        ...firstPlaces(loop, range.end - range.begin),
        inputs: loop.inputs.map((o) => moved(o, 0, range)),
        outputs: loop.outputs.map((o) => moved(o, 0, range)),
      },
    })),
  }))
}

/**
 * Kernels that together do what `kernel` does, in any order or at the same time: at most `parts`, fewer where there is
 * less to cut, the kernel alone where it cannot be cut. Every element is computed from the same operands; sums may be
 * added in another order, as backends choose by size.
 */
export function sliceKernel(kernel: Kernel, parts: number): readonly Kernel[] {
  switch (kernel.kind) {
    case 'loop':
      return kernel.dims.includes(0) ? [kernel] : sliceLoop(kernel, parts)
    case 'contract':
      return kernel.b * kernel.m * kernel.n === 0 ? [kernel] : sliceContract(kernel, parts)
    case 'conv':
      return sliceConv(kernel, parts)
    case 'pool':
      return slicePool(kernel, parts)
    case 'sequence':
      return sliceSequence(kernel, parts)
    case 'scatter':
    case 'call':
      return [kernel]
    default:
      return kernel satisfies never
  }
}
