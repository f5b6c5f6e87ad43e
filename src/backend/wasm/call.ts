/** Routines on the WebAssembly memory: plain JavaScript on views of it. */

import { dtypeInfo, itemSize } from '../../base/dtype.ts'
import type { CallKernel } from '../../prim/kernel.ts'
import { runRoutine } from '../../prim/routines/index.ts'
import type { Compiled } from '../backend.ts'

/** Compiles a call. */
export function compileCall(memory: WebAssembly.Memory, kernel: CallKernel): Compiled {
  const blocks = [...kernel.inputs, kernel.output]
  const dtypes = blocks.map((b) => b.dtype)
  return {
    run(addresses) {
      const stored = blocks.map(({ dtype, offset, size }, i) => {
        const { array } = dtypeInfo(dtype)
        if (size === 0) return new array(0)
        return new array(memory.buffer, addresses[i]! + offset * itemSize(dtype), size)
      })
      runRoutine(kernel.routine, stored, dtypes, kernel.numbers)
    },
  }
}
