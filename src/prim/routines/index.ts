/** The routines by name, and how a backend runs one on its memory. */

import type { DType, TypedArray } from '../../base/dtype.ts'
import { decodeHalves, encodeHalves, halfFormat } from '../../base/half.ts'
import { bipartite, multiboxDetection, multiboxTarget, nms } from './boxes.ts'
import { inRange } from './check.ts'
import { ctc } from './ctc.ts'
import { geev } from './eigen.ts'
import { lcm } from './lcm.ts'
import { gelqf, inverse, potrf, slogdet, syevd, trsm } from './linalg.ts'
import { roiAlign, roiAlignBack } from './roi.ts'
import { roiPool } from './roiPool.ts'
import type { Elements, Routine } from './routine.ts'
import { categorical, sample } from './sample.ts'
import { scan } from './scan.ts'
import { argsort } from './sort.ts'

/** The routines, under the names that `call` kernels use. */
export const routines = {
  argsort,
  scan,
  potrf,
  trsm,
  gelqf,
  syevd,
  geev,
  inverse,
  slogdet,
  lcm,
  inRange,
  sample,
  categorical,
  ctc,
  nms,
  bipartite,
  multiboxTarget,
  multiboxDetection,
  roiAlign,
  roiAlignBack,
  roiPool,
} satisfies Record<string, Routine>

/** The name of a routine. */
export type RoutineName = keyof typeof routines

/** Runs a routine on the stored elements of its operands, the output last. */
export function runRoutine(
  name: RoutineName,
  stored: readonly TypedArray[],
  dtypes: readonly DType[],
  numbers: readonly number[],
): void {
  const elements = stored.map((x, i): Elements => {
    const half = halfFormat(dtypes[i]!)
    return half === undefined ? (x as Elements) : decodeHalves(x as Uint16Array, half)
  })
  const last = elements.length - 1
  const output = elements[last]!
  routines[name](elements.slice(0, last), output, numbers)
  const half = halfFormat(dtypes[last]!)
  if (half !== undefined) encodeHalves(output as Float32Array, half, stored[last] as Uint16Array)
}
