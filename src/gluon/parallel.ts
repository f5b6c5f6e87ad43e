/** `gluon.utils`: sharing a batch among contexts, limiting gradients, and files from the network. */

import type { Context } from '../base/context.ts'
import { fail } from '../base/error.ts'
import { formatShape } from '../base/shape.ts'
import { withFrame } from '../core/frame.ts'
import { type ArraySource, array } from '../ndarray/creation.ts'
import { NDArray } from '../ndarray/ndarray.ts'
import { add, divide, minimum } from '../ops/binary.ts'
import { sum } from '../ops/reduce.ts'
import { sliceAxis } from '../ops/slicing.ts'
import { sqrt, square } from '../ops/unary.ts'

export { checkSha1, type DownloadOptions, download } from './download.ts'

/** Options of `splitData` and `splitAndLoad`. */
export interface SplitOptions {
  /** The axis to cut; 0 by default. */
  readonly batchAxis?: number
  /** Whether all parts must have one size (the default); otherwise the first parts get one more. */
  readonly evenSplit?: boolean
}

/**
 * Cuts an array into parts along the batch axis.
 * @throws MXNetError when the size is not a multiple of the number of parts and `evenSplit` is on.
 * @example
 * gluon.utils.splitData(nd.zeros([4, 2]), 2).length // => 2
 * @see MXNet `gluon.utils.split_data`
 */
export function splitData(data: NDArray, numSlice: number, options: SplitOptions = {}): NDArray[] {
  const { batchAxis = 0, evenSplit = true } = options
  const size = data.shape[batchAxis]
  if (size === undefined)
    fail('splitData', `shape ${formatShape(data.shape)} has no axis ${batchAxis}`)
  if (!Number.isInteger(numSlice) || numSlice < 1 || size < numSlice) {
    fail(
      'splitData',
      `${size} samples cannot make ${String(numSlice)} parts: give at least one sample a part`,
    )
  }
  if (evenSplit && size % numSlice !== 0) {
    fail(
      'splitData',
      `${size} samples do not make ${numSlice} equal parts: change the batch size, or set evenSplit to false`,
    )
  }
  if (numSlice === 1) return [data]
  const [step, extra] = [Math.floor(size / numSlice), size % numSlice]
  return Array.from({ length: numSlice }, (_, i) => {
    const begin = i * step + Math.min(i, extra)
    const end = begin + step + (i < extra ? 1 : 0)
    return batchAxis === 0
      ? data.at(`${begin}:${end}`)
      : sliceAxis(data, { axis: batchAxis, begin, end })
  })
}

/**
 * Cuts a batch into as many parts as there are contexts and moves each to its own.
 * @throws MXNetError as `splitData`.
 * @example
 * gluon.utils.splitAndLoad(nd.zeros([4, 2]), [cpu(0), cpu(1)])[1].context // => cpu(1)
 * @see MXNet `gluon.utils.split_and_load`
 */
export function splitAndLoad(
  data: NDArray | ArraySource,
  ctxList: readonly Context[],
  options: SplitOptions = {},
): NDArray[] {
  const whole = data instanceof NDArray ? data : array(data, { ctx: ctxList[0] })
  const parts = splitData(whole, ctxList.length, options)
  return parts.map((part, i) => part.asInContext(ctxList[i]!))
}

/**
 * Scales arrays in place so that their common 2-norm is at most `maxNorm`; a promise of the norm before.
 *
 * `scale = min(1, maxNorm / (norm + 1e-8))`. The arrays are scaled at once; with
 * `checkIsfinite: false` the norm comes back as an array of rank 0 and nothing is read.
 * @throws MXNetError for an empty list.
 * @example
 * await gluon.utils.clipGlobalNorm([nd.array([3]), nd.array([4])], 1) // => 5
 * @see MXNet `gluon.utils.clip_global_norm`
 */
export function clipGlobalNorm(
  arrays: readonly NDArray[],
  maxNorm: number,
  options?: { readonly checkIsfinite?: true },
): Promise<number>
export function clipGlobalNorm(
  arrays: readonly NDArray[],
  maxNorm: number,
  options: { readonly checkIsfinite: false },
): NDArray
export function clipGlobalNorm(
  arrays: readonly NDArray[],
  maxNorm: number,
  options: { readonly checkIsfinite?: boolean } = {},
): Promise<number> | NDArray {
  const first = arrays[0]
  if (first === undefined) fail('clipGlobalNorm', 'there are no arrays: give at least one')
  const norm = withFrame({ recording: false }, () => {
    const squares = arrays.map((x) => sum(square(x)).asInContext(first.context))
    const total = sqrt(squares.reduce((a, b) => add(a, b)))
    const scale = minimum(divide(maxNorm, add(total, 1e-8)), 1) as NDArray
    for (const x of arrays) x.mulAssign(scale.asInContext(x.context))
    return total
  })
  return options.checkIsfinite === false ? norm : checked(norm)
}

async function checked(norm: NDArray): Promise<number> {
  const value = await norm.asScalar()
  if (!Number.isFinite(value))
    console.warn(`clipGlobalNorm: the norm is ${value}: the arrays are not finite`)
  return value
}
