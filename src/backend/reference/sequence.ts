/** Sequences: one loop after the other. */

import type { SequenceKernel } from '../../prim/sequence.ts'
import type { Compiled } from '../backend.ts'
import { compileLoop } from './loop.ts'
import type { Memory } from './memory.ts'

/** Compiles a sequence of loops. */
export function compileSequence(memory: Memory, { loops }: SequenceKernel): Compiled {
  const stages = loops.map(({ kernel, operands }) => ({
    compiled: compileLoop(memory, kernel),
    operands,
  }))
  return {
    run(addresses, params) {
      for (const { compiled, operands } of stages)
        compiled.run(
          operands.map((o) => addresses[o]!),
          params,
        )
    },
  }
}
