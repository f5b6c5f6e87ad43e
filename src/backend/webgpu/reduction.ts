/** The way a reduction goes: sums of products by tiles, long ones in two passes, all others at once. */

import type { LoopKernel } from '../../prim/kernel.ts'
import { productRoutine } from './product.ts'
import { reduceAtOnce } from './reduce.ts'
import { idle, type Routine, type ShaderOptions } from './routine.ts'
import { splitReduction } from './split.ts'
import { withoutWide } from './wide.ts'

/** Compiles a loop nest with reductions. */
export function reductionRoutine(given: LoopKernel, options: ShaderOptions): Routine {
  const kernel = withoutWide(given)
  if (kernel.dims.slice(0, kernel.parallel).includes(0)) return idle
  return (
    productRoutine(kernel, options) ??
    splitReduction(kernel, options) ??
    reduceAtOnce(kernel, options)
  )
}
