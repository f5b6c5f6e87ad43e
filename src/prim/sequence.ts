/** Sequences: loop nests over one outer dimension that may be run block by block, so that what they share stays in the cache. */

import type { LoopKernel, Operand } from './kernel.ts'

/** One loop nest of a sequence; `operands[i]` is the operand of the sequence that the nest's operand i is. */
export interface SequenceLoop {
  readonly kernel: LoopKernel
  readonly operands: readonly number[]
}

/**
 * Loop nests whose dimension 0 is the same one, of size `outer`; at each place along it, no nest touches what another one
 * writes for another place. They run in order, all of one at a time or all over `block` places at a time.
 * Of the operands only the dtypes count: the nests have layouts of their own. Dimension 0 is never guarded nor asked for.
 */
export interface SequenceKernel {
  readonly kind: 'sequence'
  readonly outer: number
  readonly block: number
  readonly inputs: readonly Operand[]
  readonly outputs: readonly Operand[]
  /** Operands, of those that are written, that nobody reads afterwards. */
  readonly spent: readonly number[]
  readonly loops: readonly SequenceLoop[]
}

/** The nest over `count` of the places of dimension 0, the first ones. */
export const firstPlaces = (kernel: LoopKernel, count: number): LoopKernel => ({
  ...kernel,
  dims: [count, ...kernel.dims.slice(1)],
})
