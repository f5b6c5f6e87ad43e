/** Sequences: each block of rows goes through all loops before the next one does. */

import { itemSize } from '../../base/dtype.ts'
import type { LoopKernel } from '../../prim/kernel.ts'
import { firstPlaces, type SequenceKernel } from '../../prim/sequence.ts'
import type { Compiled } from '../backend.ts'

/** One loop over a block of rows. */
interface Stage {
  readonly whole: Compiled
  /** Over the rows that are left when the blocks are through. */
  readonly rest: Compiled
  readonly operands: readonly number[]
  /** Bytes from one row to the next, by operand. */
  readonly steps: readonly number[]
  readonly addresses: number[]
}

/** Compiles a sequence of loops. */
export function compileSequence(
  compile: (kernel: LoopKernel) => Compiled,
  { outer, block, loops }: SequenceKernel,
): Compiled {
  const rest = outer % block
  const stages = loops.map(({ kernel, operands }): Stage => {
    const whole = compile(firstPlaces(kernel, Math.min(block, outer)))
    return {
      whole,
      rest: rest === 0 || outer < block ? whole : compile(firstPlaces(kernel, rest)),
      operands,
      steps: [...kernel.inputs, ...kernel.outputs].map((o) => o.strides[0]! * itemSize(o.dtype)),
      addresses: operands.map(() => 0),
    }
  })
  return {
    run(addresses, params) {
      for (let row = 0; row < outer; row += block) {
        for (const { whole, rest: last, operands, steps, addresses: own } of stages) {
          for (let i = 0; i < operands.length; i++)
            own[i] = addresses[operands[i]!]! + row * steps[i]!
          const compiled = row + block <= outer ? whole : last
          compiled.run(own, params)
        }
      }
    },
  }
}
