/** Prefix scans: running sums, products and maxima along an axis. */

import { dtypeInfo, dtypeOfTypedArray } from '../../base/dtype.ts'
import type { Elements, Routine } from './routine.ts'

/** What a scan combines with; the place in this list is the number of the operation. */
export const scanOps = ['sum', 'prod', 'max'] as const
/** An operation of a scan. */
export type ScanOp = (typeof scanOps)[number]

type Combine = (x: number, y: number) => number
type CombineBig = (x: bigint, y: bigint) => bigint

const combine: Record<ScanOp, Combine> = {
  sum: (x, y) => x + y,
  prod: (x, y) => x * y,
  max: Math.max,
}
const combineInt32: Record<ScanOp, Combine> = {
  sum: (x, y) => (x + y) | 0,
  prod: Math.imul,
  max: Math.max,
}
const combineBig: Record<ScanOp, CombineBig> = {
  sum: (x, y) => BigInt.asIntN(64, x + y),
  prod: (x, y) => BigInt.asIntN(64, x * y),
  max: (x, y) => (x > y ? x : y),
}

function first(op: ScanOp, data: Elements): number {
  if (op !== 'max') return op === 'sum' ? 0 : 1
  const floats = data instanceof Float32Array || data instanceof Float64Array
  return floats ? Number.NEGATIVE_INFINITY : dtypeInfo(dtypeOfTypedArray(data)!).min
}

/** Numbers: lines before the axis, its length, elements behind it, operation, 1 for exclusive, 1 for reverse. */
export const scan: Routine = ([data], output, numbers) => {
  const [before, n, after, code, exclusive, reverse] = numbers as [
    number,
    number,
    number,
    number,
    number,
    number,
  ]
  const op = scanOps[code]!
  const start = first(op, data!)
  const step = reverse === 1 ? -after : after
  for (let line = 0; line < before * after; line++) {
    const block = Math.floor(line / after) * n * after + (line % after)
    const at = reverse === 1 ? block + (n - 1) * after : block
    if (data instanceof BigInt64Array) {
      alongBig(data, output as BigInt64Array, at, step, n, combineBig[op], BigInt(start), exclusive)
    } else {
      const floats = data instanceof Float32Array || data instanceof Float64Array
      const f = floats ? combine[op] : combineInt32[op]
      along(data as Float64Array, output as Float64Array, at, step, n, f, start, exclusive)
    }
  }
}

function along(
  data: Float64Array,
  output: Float64Array,
  from: number,
  step: number,
  n: number,
  f: Combine,
  start: number,
  exclusive: number,
): void {
  let sofar = start
  for (let i = 0, at = from; i < n; i++, at += step) {
    const before = sofar
    sofar = f(sofar, data[at]!)
    output[at] = exclusive === 1 ? before : sofar
  }
}

function alongBig(
  data: BigInt64Array,
  output: BigInt64Array,
  from: number,
  step: number,
  n: number,
  f: CombineBig,
  start: bigint,
  exclusive: number,
): void {
  let sofar = start
  for (let i = 0, at = from; i < n; i++, at += step) {
    const before = sofar
    sofar = f(sofar, data[at]!)
    output[at] = exclusive === 1 ? before : sofar
  }
}
