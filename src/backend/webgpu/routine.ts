/** What a kernel becomes: a sequence of shader launches over its operands and some temporary memory. */

import type { Operand } from '../../prim/kernel.ts'
import type { LaunchWord, Situation } from './shader.ts'

/** A shader for one situation. */
export interface Source {
  readonly text: string
  /** The launch numbers that it reads, in order. */
  readonly words: readonly LaunchWord[]
  /** Workgroups along x, y and z. */
  readonly grid: readonly [number, number, number]
}

/** One launch of a kernel. */
export interface Stage {
  readonly operands: readonly Operand[]
  /** Where each operand lies: the kernel's buffer of that number, or temporary -1 - n. */
  readonly buffers: readonly number[]
  source(situation: Situation): Source
}

/** A kernel ready to be launched. */
export interface Routine {
  readonly stages: readonly Stage[]
  /** Temporary memory in bytes; `clear` asks for zeros. */
  readonly temporaries: readonly { readonly bytes: number; readonly clear: boolean }[]
}

/** What shaders are written for. */
export interface ShaderOptions {
  /** Whether a processor plays the GPU: then four elements at once and barriers cost more than they bring. */
  readonly processor: boolean
  /** Whether memory may be seen as 16-bit floats. */
  readonly halves: boolean
  /** Whether invocations of a workgroup exchange values without its memory. */
  readonly subgroups: boolean
}

/** What every device does. */
export const plainOptions: ShaderOptions = { processor: false, halves: false, subgroups: false }

/** A kernel of one launch over its own operands. */
export function single(
  operands: readonly Operand[],
  source: (situation: Situation) => Source,
): Routine {
  return {
    stages: [{ operands, buffers: operands.map((_, i) => i), source }],
    temporaries: [],
  }
}

/** A kernel that does nothing. */
export const idle: Routine = { stages: [], temporaries: [] }

/** Workgroups that one dimension of a grid may have on every device. */
const gridLimit = 65535

/** A grid of `groups` workgroups, spread over two dimensions where one does not hold them. */
export function gridOf(groups: number): readonly [number, number, number] {
  if (groups <= gridLimit) return [groups, 1, 1]
  const y = Math.ceil(groups / gridLimit)
  return [Math.ceil(groups / y), y, 1]
}
