/** Partial reductions: what would cross memory again and again, or keep one thread busy, is reduced piece by piece. */

import { itemSize } from '../base/dtype.ts'
import { rowMajor, sizeOf } from '../base/shape.ts'
import { acc, type Expr, load, renameInputs, someNode } from '../prim/expr.ts'
import type { LoopKernel, Operand } from '../prim/kernel.ts'
import type { Buffer, Fused, Step } from './fuse.ts'
import { mergeLoops } from './merge.ts'

/** What a piece may read: it stays in the first cache while one block of columns after the other goes over it. */
const nearBytes = 32 * 1024
/** Rows of a piece at least, so that partial results are few; and of a reduction that is worth pieces. */
const leastRows = 64
const manyRows = 512
/** Pieces of a reduction along contiguous elements, and the bytes from which on it has some. */
const rowPieces = 64
const leastBytes = 2 ** 20
/** Rows that are threads' work enough as they are. */
const manyResults = 32

/** The reduction dimensions of a kernel, cut in two: those over pieces, and those within one. */
interface Cut {
  readonly outer: readonly number[]
  readonly inner: readonly number[]
  /** An operand's strides over them, from its strides over the reduction dimensions. */
  strides(over: readonly number[]): { outer: number[]; inner: number[] }
}

/** Cuts dimensions so that at most `most` points lie within a piece, at least half as many where divisors allow it. */
function cutAt(dims: readonly number[], most: number): Cut {
  let at = dims.length
  let left = most
  while (at > 0 && dims[at - 1]! <= left) left = Math.floor(left / dims[--at]!)
  let part = at > 0 ? left : 1
  while (at > 0 && dims[at - 1]! % part !== 0) part--
  // Dimension at - 1 is cut: `part` points of it lie within a piece.
  const cut = at > 0 ? at - 1 : 0
  const count = at > 0 ? [dims[cut]! / part] : []
  return {
    outer: [...dims.slice(0, cut), ...count],
    inner: [...(at > 0 ? [part] : []), ...dims.slice(at)],
    strides: (over) => ({
      outer: [...over.slice(0, cut), ...count.map(() => over[cut]! * part)],
      inner: [...(at > 0 ? [over[cut]!] : []), ...over.slice(at)],
    }),
  }
}

const used = (roots: readonly Expr[], input: number): boolean =>
  roots.some((root) =>
    someNode(root, (e) => (e.kind === 'load' || e.kind === 'loadAt') && e.input === input),
  )

/** How a reduction is cut, or null where it runs best in one go. */
function cutOf(kernel: LoopKernel): Cut | null {
  const { dims, parallel, reduce, body, inputs } = kernel
  const associative = reduce.every((op) => op !== 'argmax' && op !== 'argmin')
  const real = body.every((e) => e.dtype === 'float32' || e.dtype === 'float64')
  if (reduce.length === 0 || !associative || !real || dims.includes(0)) return null
  if (body.some((root) => someNode(root, (e) => e.kind === 'index'))) return null
  const reduced = dims.slice(parallel)
  const moving = inputs.filter((o) =>
    reduced.some((n, d) => n > 1 && o.strides[parallel + d] !== 0),
  )
  const rows = sizeOf(reduced)
  if (moving.length === 0 || inputs.some((o) => o.guards?.length)) return null
  const last = reduced.findLastIndex((n) => n > 1)
  if (moving.every((o) => Math.abs(o.strides[parallel + last]!) <= 1)) {
    const results = sizeOf(dims.slice(0, parallel))
    const bytes = results * rows * itemSize(body[0]!.dtype)
    if (results >= manyResults || bytes < leastBytes) return null
    return worthwhile(cutAt(reduced, Math.ceil(rows / rowPieces)))
  }
  // Columns: the parallel dimensions that lie within a row of the reduction.
  const across = (o: Operand): number =>
    Math.min(...reduced.flatMap((n, d) => (n > 1 ? [Math.abs(o.strides[parallel + d]!)] : [])))
  const width = Math.max(
    ...moving.map((o) =>
      sizeOf(
        dims.filter(
          (_, d) => d < parallel && o.strides[d] !== 0 && Math.abs(o.strides[d]!) < across(o),
        ),
      ),
    ),
  )
  if (rows < manyRows || width < 4) return null
  const rowBytes = moving.reduce((sum, o) => sum + width * itemSize(o.dtype), 0)
  return worthwhile(cutAt(reduced, Math.max(leastRows, Math.floor(nearBytes / rowBytes))))
}

/** A cut, if divisors allowed pieces of some length and there are several. */
const worthwhile = (cut: Cut): Cut | null =>
  sizeOf(cut.inner) >= leastRows / 4 && sizeOf(cut.outer) > 1 ? cut : null

/** The loads of expressions numbered anew, the operands they use, and the buffers of those. */
function narrowed(step: Step & { kernel: LoopKernel }, roots: readonly Expr[], first: number) {
  const taken = step.kernel.inputs.flatMap((_, i) => (used(roots, i) ? [i] : []))
  return {
    roots: roots.map((e) => renameInputs(e, (i) => first + taken.indexOf(i))),
    operands: taken.map((i) => step.kernel.inputs[i]!),
    buffers: taken.map((i) => step.buffers[i]!),
  }
}

/** The two steps of a reduction that is cut; `buffers` gets the memory of the partial results. */
function partialSteps(step: Step & { kernel: LoopKernel }, cut: Cut, buffers: Buffer[]): Step[] {
  const { dims, parallel, inputs, outputs, body, reduce, epilogue } = step.kernel
  const kept = dims.slice(0, parallel)
  const shape = [...cut.outer, ...kept]
  const strides = rowMajor(shape)
  const partial = body.map(({ dtype }): { operand: Operand; buffer: number } => {
    const size = sizeOf(shape)
    const buffer = buffers.push({ dtype, size, bytes: size * itemSize(dtype), input: null }) - 1
    return { operand: { dtype, strides, offset: 0 }, buffer }
  })
  const own = narrowed(step, body, 0)
  const pieces: LoopKernel = {
    kind: 'loop',
    dims: [...shape, ...cut.inner],
    parallel: shape.length,
    inputs: own.operands.map((o) => {
      const { outer, inner } = cut.strides(o.strides.slice(parallel))
      return { ...o, strides: [...outer, ...o.strides.slice(0, parallel), ...inner] }
    }),
    outputs: partial.map((p) => p.operand),
    body: own.roots,
    reduce,
    epilogue: body.map((e, s) => acc(s, e.dtype)),
  }
  const rest = narrowed(step, epilogue, partial.length)
  const places = cut.outer.length
  const sums: LoopKernel = {
    kind: 'loop',
    dims: [...kept, ...cut.outer],
    parallel,
    inputs: [
      ...partial.map(({ operand }) => ({
        ...operand,
        strides: [...strides.slice(places), ...strides.slice(0, places)],
      })),
      ...rest.operands.map((o) => ({
        ...o,
        strides: [...o.strides.slice(0, parallel), ...cut.outer.map(() => 0)],
      })),
    ],
    outputs,
    body: body.map((e, s) => load(s, e.dtype)),
    reduce,
    epilogue: rest.roots,
  }
  const partials = partial.map((p) => p.buffer)
  return [
    { kernel: pieces, buffers: [...own.buffers, ...partials] },
    { kernel: sums, buffers: [...partials, ...rest.buffers, ...step.buffers.slice(inputs.length)] },
  ]
}

const isLoop = (step: Step): step is Step & { kernel: LoopKernel } => step.kernel.kind === 'loop'

/** The same program with long reductions as reductions of pieces and then of the pieces' results. */
export function splitReductions(fused: Fused): Fused {
  const buffers = [...fused.buffers]
  const steps = fused.steps.flatMap((step) => {
    const cut = isLoop(step) ? cutOf(step.kernel) : null
    return isLoop(step) && cut !== null ? partialSteps(step, cut, buffers) : [step]
  })
  // Pieces of one reduction do not wait for what another one ends in.
  return { ...fused, buffers, steps: steps.length > fused.steps.length ? mergeLoops(steps) : steps }
}
