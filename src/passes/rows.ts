/** Row fusion: reductions and maps over the same rows run together, block of rows by block of rows. */

import { sameShape } from '../base/shape.ts'
import { type Expr, someNode } from '../prim/expr.ts'
import type { LoopKernel, Operand } from '../prim/kernel.ts'
import type { SequenceLoop } from '../prim/sequence.ts'
import type { Buffer, Fused, Step } from './fuse.ts'

/** What a block of rows may take: it is read several times, from the second level of caches. */
const blockBytes = 512 * 1024
/** Below this, everything stays in the caches as it is. */
const leastBytes = 1024 * 1024
/** More blocks than this cost more to start than they win. */
const mostBlocks = 128

interface LoopStep extends Step {
  readonly kernel: LoopKernel
}

/** How a step uses a buffer. */
interface Use {
  readonly operand: Operand
  readonly dims: readonly number[]
  readonly written: boolean
}

const usesOf = ({ kernel, buffers }: LoopStep): Map<number, Use[]> => {
  const uses = new Map<number, Use[]>()
  const note = (operand: Operand, i: number): void => {
    const written = i >= kernel.inputs.length
    const dims = written ? kernel.dims.slice(0, kernel.parallel) : kernel.dims
    const buffer = buffers[i]!
    uses.set(buffer, [...(uses.get(buffer) ?? []), { operand, dims, written }])
  }
  kernel.inputs.forEach(note)
  kernel.outputs.forEach((o, i) => note(o, kernel.inputs.length + i))
  return uses
}

/** Whether the elements used at a place of dimension 0 lie in a stretch of the buffer that is this place's own. */
function ownRows({ operand, dims }: Use, step: number): boolean {
  const { strides, offset, guards } = operand
  if (guards?.length || step <= 0 || strides[0] !== step || offset < 0) return false
  let end = offset
  for (let d = 1; d < dims.length; d++) {
    if (strides[d]! < 0) return false
    end += strides[d]! * (dims[d]! - 1)
  }
  return end < step
}

const asks = (roots: readonly Expr[]): boolean =>
  roots.some((root) => someNode(root, (e) => e.kind === 'index' && e.dim === 0))
const gathers = (roots: readonly Expr[]): boolean =>
  roots.some((root) => someNode(root, (e) => e.kind === 'loadAt'))

/** A loop nest that may take part in a sequence at all. */
function fits(step: Step): step is LoopStep {
  const { kernel } = step
  if (kernel.kind !== 'loop' || kernel.parallel < 1 || kernel.dims[0]! < 2) return false
  const bodies = [...kernel.body, ...kernel.epilogue]
  if (asks(bodies) || gathers(bodies)) return false
  return [...kernel.inputs, ...kernel.outputs].every((o) => !o.guards?.some((g) => g.dim === 0))
}

/** Loops one after the other that could be a sequence. */
class Run {
  readonly steps: LoopStep[] = []
  /** Uses of buffers that some step writes, by buffer; and of all others. */
  readonly #uses = new Map<number, Use[]>()

  get outer(): number {
    return this.steps[0]!.kernel.dims[0]!
  }

  /** Adds a step unless it would touch what another one writes for other rows. */
  take(step: LoopStep): boolean {
    if (this.steps.length > 0 && step.kernel.dims[0] !== this.outer) return false
    const own = usesOf(step)
    for (const [buffer, uses] of own) {
      const all = [...(this.#uses.get(buffer) ?? []), ...uses]
      const shared = this.#uses.has(buffer) && all.some((u) => u.written)
      if (!shared) continue
      const place = all[0]!.operand.strides[0] ?? 0
      if (!all.every((u) => ownRows(u, place))) return false
    }
    for (const [buffer, uses] of own)
      this.#uses.set(buffer, [...(this.#uses.get(buffer) ?? []), ...uses])
    this.steps.push(step)
    return true
  }

  /** Buffers in the order of their first use: those only read, then those written. */
  buffers(): { read: number[]; written: number[] } {
    const read: number[] = []
    const written: number[] = []
    for (const [buffer, uses] of this.#uses)
      (uses.some((u) => u.written) ? written : read).push(buffer)
    return { read, written }
  }

  /** Buffers that more than one step uses. */
  shared(): number[] {
    const counts = new Map<number, number>()
    for (const step of this.steps)
      for (const b of new Set(step.buffers)) counts.set(b, (counts.get(b) ?? 0) + 1)
    return [...counts].flatMap(([b, n]) => (n > 1 ? [b] : []))
  }
}

/** The same program with runs of loops over shared rows as sequences. */
export function fuseRows(fused: Fused): Fused {
  const steps: Step[] = []
  let run = new Run()
  const close = (): void => {
    steps.push(...sequenceOf(run, fused))
    run = new Run()
  }
  for (const step of fused.steps) {
    const loop = fits(step) ? step : null
    if (loop !== null && run.take(loop)) continue
    close()
    if (loop === null || !run.take(loop)) steps.push(step)
  }
  close()
  return { ...fused, steps }
}

function sequenceOf(run: Run, fused: Fused): readonly Step[] {
  const { steps } = run
  if (steps.length < 2 || !steps.some((s) => s.kernel.reduce.length > 0)) return steps
  const sizeOf = (b: number): number => fused.buffers[b]!.bytes
  const sharedBytes = run.shared().reduce((sum, b) => sum + sizeOf(b), 0)
  if (sharedBytes < leastBytes) return steps
  const { read, written } = run.buffers()
  const all = [...read, ...written]
  const rowBytes = all.reduce((sum, b) => sum + sizeOf(b), 0) / run.outer
  const block = Math.max(1, Math.floor(blockBytes / rowBytes), Math.ceil(run.outer / mostBlocks))
  if (block >= run.outer) return steps
  const names = intoResults(run, fused)
  const name = (b: number): number => names.get(b) ?? b
  const operands = [...new Set(all.map(name))]
  const loops = steps.map(
    ({ kernel, buffers }): SequenceLoop => ({
      kernel,
      operands: buffers.map((b) => operands.indexOf(name(b))),
    }),
  )
  const operandOf = (b: number): Operand => ({
    dtype: fused.buffers[b]!.dtype,
    strides: [],
    offset: 0,
  })
  const kernel = {
    kind: 'sequence' as const,
    outer: run.outer,
    block,
    inputs: operands.slice(0, read.length).map(operandOf),
    outputs: operands.slice(read.length).map(operandOf),
    spent: operands.flatMap((b, i) => (i >= read.length && onlyInside(run, fused, b) ? [i] : [])),
    loops,
  }
  return [{ kernel, buffers: operands }]
}

/** Whether a buffer is a temporary that only the steps of a run use. */
const onlyInside = ({ steps }: Run, { steps: all, buffers, outputs }: Fused, b: number): boolean =>
  buffers[b]!.input === null &&
  !outputs.some((o) => o.buffer === b) &&
  all.every((s) => !s.buffers.includes(b) || steps.includes(s as LoopStep))

/**
 * Temporaries that may lie where a later map of the run writes its result: it is the last to read them, element by
 * element, and nobody has touched the result before.
 */
function intoResults(run: Run, fused: Fused): Map<number, number> {
  const { steps } = run
  const { steps: all, buffers } = fused
  const names = new Map<number, number>()
  const taken = new Set<number>()
  const usedBy = (b: number): Step[] => all.filter((s) => s.buffers.includes(b))
  for (const step of steps) {
    const { kernel } = step
    if (kernel.reduce.length > 0 || kernel.outputs.length > 1) continue
    const target = step.buffers.at(-1)!
    const result = buffers[target]!
    if (result.input !== null || usedBy(target)[0] !== step || taken.has(target)) continue
    const place = kernel.outputs[0]!
    kernel.inputs.forEach((o, i) => {
      const b = step.buffers[i]!
      const temporary: Buffer = buffers[b]!
      const fitting =
        onlyInside(run, fused, b) &&
        !names.has(b) &&
        !taken.has(target) &&
        temporary.dtype === result.dtype &&
        temporary.bytes === result.bytes &&
        o.offset === place.offset &&
        sameShape(o.strides, place.strides) &&
        step.buffers.filter((x) => x === b).length === 1 &&
        usedBy(b).at(-1) === step
      if (!fitting) return
      names.set(b, target)
      taken.add(target)
    })
  }
  return names
}
