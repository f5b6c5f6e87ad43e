/** `mx.npx`: what networks need beyond NumPy, and the switches of MXNet's NumPy mode. */

import { Context, cpu, gpu } from '../base/context.ts'
import { checkOptions } from '../base/options.ts'
import type { Tensor } from '../core/tensor.ts'
import { array } from '../ndarray/creation.ts'
import { load as loadFile, save as saveFile } from '../ndarray/files.ts'
import type { NDArray } from '../ndarray/ndarray.ts'
import { normal, seed, uniform } from '../ndarray/random.ts'
import * as ops from '../ops/index.ts'
import { nonzero as places } from './shape.ts'

export { currentContext, gpuMemoryInfo, numGpus } from '../ndarray/context.ts'
export { waitAll as waitall } from '../ndarray/wait.ts'
export {
  arangeLike,
  boxNms,
  multiBoxDetection,
  multiBoxDetection as multiboxDetection,
  multiBoxPrior,
  multiBoxPrior as multiboxPrior,
  multiBoxTarget,
  multiBoxTarget as multiboxTarget,
  roiAlign,
} from '../ops/contrib.ts'
export * as image from '../ops/image.ts'
export {
  activation,
  batchDot,
  batchNorm,
  cast,
  convolution,
  ctcLoss,
  deconvolution,
  dropout,
  embedding,
  erf,
  erfinv,
  fullyConnected,
  gamma,
  gammaln,
  gatherNd,
  groupNorm,
  instanceNorm,
  l2Normalization,
  layerNorm,
  leakyReLU,
  leakyReLU as leakyRelu,
  logSoftmax,
  oneHot,
  pick,
  pooling,
  relu,
  reshapeLike,
  rnn,
  roiPooling,
  sequenceLast,
  sequenceMask,
  sequenceReverse,
  sigmoid,
  slice,
  smoothL1,
  softmax,
  topk,
} from '../ops/index.ts'
export { reshape } from './reshapeCodes.ts'
export { Context, cpu, gpu }

/** Everything but the first axis as one. @see MXNet `npx.batch_flatten` */
export const batchFlatten = <T extends Tensor>(data: T): T => ops.flatten(data)

let mode = { shape: true, array: true }

/**
 * Switches MXNet's NumPy mode. Arrays are of one kind here and have scalars and empty shapes always, so programs need it no
 * more; the switches are kept for those that ask (`isNpArray`, `isNpShape`).
 * @throws MXNetError for unknown options.
 * @example
 * npx.setNp()
 * @see MXNet `npx.set_np`
 */
export function setNp(options: { readonly shape?: boolean; readonly array?: boolean } = {}): void {
  const { shape = true, array: arrays = true } = checkOptions('setNp', options, ['shape', 'array'])
  mode = { shape, array: arrays }
}
/** Switches MXNet's NumPy mode off; see `setNp`. @see MXNet `npx.reset_np` */
export function resetNp(): void {
  mode = { shape: false, array: false }
}
/** What `setNp` was told of arrays. @see MXNet `npx.is_np_array` */
export const isNpArray = (): boolean => mode.array
/** What `setNp` was told of shapes. @see MXNet `npx.is_np_shape` */
export const isNpShape = (): boolean => mode.shape

/**
 * Writes an array, a list of arrays or an object of them to a file.
 * @see MXNet `npx.save`
 */
export const save = saveFile
/**
 * Reads what `save` wrote.
 * @see MXNet `npx.load`
 */
export const load = loadFile

/**
 * The positions of elements that are not 0 as rows of an int64 matrix (K, rank). It reads the array, so it is awaited.
 * @example
 * await (await npx.nonzero(np.array([0, 5]))).asArray() // => [[1n]]
 * @see MXNet `npx.nonzero`
 */
export async function nonzero(a: NDArray): Promise<NDArray> {
  return ops.stack(...(await places(a)), { axis: 1 })
}

/** Draws of a batch for each pair of parameters, as an array of the batch's axes and then theirs. */
const spread = (
  draw: (shape: readonly number[]) => NDArray,
  low: NDArray | number,
  width: (low: NDArray) => NDArray,
  batchShape: readonly number[] | number,
): NDArray => {
  const first = typeof low === 'number' ? array(low) : low
  const factor = width(first)
  const front = typeof batchShape === 'number' ? [batchShape] : batchShape
  const { shape } = ops.add(first, factor)
  return ops.add(ops.multiply(draw([...front, ...shape]), factor), first)
}

/** Random switches and draws beyond NumPy. */
export const random = {
  /** Starts the random numbers anew. */
  seed,
  /**
   * Truths that come with a probability: 1 with `prob`, else 0, float32.
   * @see MXNet `npx.random.bernoulli`
   */
  bernoulli: (prob: number, size: readonly number[] = []): NDArray =>
    ops.lesser(uniform(0, 1, { shape: size }), prob),
  /**
   * A batch of normal numbers for each mean and deviation.
   * @see MXNet `npx.random.normal_n`
   */
  normalN: (
    loc: NDArray | number = 0,
    scale: NDArray | number = 1,
    batchShape: readonly number[] | number = [],
  ): NDArray =>
    spread(
      (shape) => normal(0, 1, { shape }),
      loc,
      () => (typeof scale === 'number' ? array(scale) : scale),
      batchShape,
    ),
  /**
   * A batch of uniform numbers for each pair of limits.
   * @see MXNet `npx.random.uniform_n`
   */
  uniformN: (
    low: NDArray | number = 0,
    high: NDArray | number = 1,
    batchShape: readonly number[] | number = [],
  ): NDArray =>
    spread(
      (shape) => uniform(0, 1, { shape }),
      low,
      (from) => ops.subtract(high, from),
      batchShape,
    ),
}

/** The shape as an int64 vector. @see MXNet `npx.shape_array` */
export const shapeArray = (x: Tensor): NDArray =>
  array(BigInt64Array.from(x.shape, BigInt), { ctx: x.context })
