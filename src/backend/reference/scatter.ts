/** Scatters: updates written one after the other, in row-major order of the domain. */

import { isFloat } from '../../base/dtype.ts'
import { toDType } from '../../prim/expr.ts'
import { kernelOperands, type ScatterKernel } from '../../prim/kernel.ts'
import type { Compiled } from '../backend.ts'
import { clampIndex, Evaluator, Place } from './evaluate.ts'
import { bigBinary } from './integer64.ts'
import type { Memory } from './memory.ts'

/** Compiles a scatter. */
export function compileScatter(memory: Memory, kernel: ScatterKernel): Compiled {
  const { dims, inputs, output, at, value, op } = kernel
  const place = new Place(dims, kernelOperands(kernel))
  const target = inputs.length
  const evaluator = new Evaluator(
    place,
    [value, ...at.map((a) => a.index)],
    [output.dtype, ...at.map(() => 'int32' as const)],
  )
  const visit = (): void => {
    evaluator.run()
    const by = at.reduce(
      (sum, { size, stride }, j) => sum + clampIndex(evaluator.number(j + 1), size) * stride,
      0,
    )
    const position = place.check(target, by)
    const data = place.data[target]!
    if (data instanceof BigInt64Array) {
      const x = evaluator.big(0)
      const old = data[position]!
      data[position] = op === 'set' ? x : op === 'add' ? old + x : bigBinary.max(old, x)
    } else {
      const x = evaluator.number(0)
      const old = place.number(target, position)
      const next = op === 'set' ? x : op === 'add' ? old + x : Math.max(old, x)
      place.setNumber(target, position, isFloat(output.dtype) ? next : toDType(next, output.dtype))
    }
  }
  return {
    run(addresses, params) {
      place.start(memory, addresses, params)
      place.walk(0, dims.length, visit)
    },
  }
}
