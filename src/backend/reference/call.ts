/** Routines on the memory of the reference backend: the same functions as everywhere, on checked blocks. */

import { type DType, dtypeInfo, itemSize, type TypedArray } from '../../base/dtype.ts'
import { type CallKernel, kernelOperands } from '../../prim/kernel.ts'
import { runRoutine } from '../../prim/routines/index.ts'
import type { Compiled } from '../backend.ts'
import type { Memory } from './memory.ts'

/** Compiles a call: every operand must lie inside its block. */
export function compileCall(memory: Memory, kernel: CallKernel): Compiled {
  const blocks = [...kernel.inputs, kernel.output]
  const dtypes = kernelOperands(kernel).map((o) => o.dtype)
  const at = (dtype: DType, address: number, size: number): TypedArray => {
    const { array } = dtypeInfo(dtype)
    if (size === 0) return new array(0)
    const bytes = memory.bytes(address, size * itemSize(dtype))
    return new array(bytes.buffer, bytes.byteOffset, size)
  }
  return {
    run(addresses) {
      const stored = blocks.map(({ dtype, offset, size }, i) =>
        at(dtype, addresses[i]! + offset * itemSize(dtype), size),
      )
      runRoutine(kernel.routine, stored, dtypes, kernel.numbers)
    },
  }
}
