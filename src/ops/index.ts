/** MXNet's operators, as functions of tensors. */

import './methods.ts'

export * from './activation.ts'
export * from './aliases.ts'
export { type BatchNormOptions, batchNorm } from './batchNorm.ts'
export * from './binary.ts'
export * from './cast.ts'
export * from './compare.ts'
export * as contrib from './contrib.ts'
export {
  type ConvolutionOptions,
  convolution,
  type DeconvolutionOptions,
  deconvolution,
} from './convolution.ts'
export { type CTCLossOptions, ctcLoss } from './ctc.ts'
export { smoothL1 } from './curves.ts'
export * from './dense.ts'
export * from './density.ts'
export * from './elementary.ts'
export { ampCast, ampMulticast, shapeArray, sizeArray } from './facts.ts'
export { batchTake, embedding, oneHot, pick, take, where } from './indexing.ts'
export * from './layout.ts'
export { type LeakyReLUOptions, leakyReLU } from './leakyRelu.ts'
export {
  det as linalgDet,
  extractdiag as linalgExtractdiag,
  extracttrian as linalgExtracttrian,
  gelqf as linalgGelqf,
  gemm as linalgGemm,
  gemm2 as linalgGemm2,
  inverse as linalgInverse,
  makediag as linalgMakediag,
  maketrian as linalgMaketrian,
  potrf as linalgPotrf,
  potri as linalgPotri,
  slogdet as linalgSlogdet,
  sumlogdiag as linalgSumlogdiag,
  syevd as linalgSyevd,
  syrk as linalgSyrk,
  trmm as linalgTrmm,
  trsm as linalgTrsm,
} from './linalg.ts'
export {
  broadcastAxis,
  broadcastLike,
  broadcastTo,
  expandDims,
  flatten,
  reshape,
  reshapeLike,
  squeeze,
  swapaxes,
  transpose,
} from './movement.ts'
export {
  type GroupNormOptions,
  groupNorm,
  instanceNorm,
  type LayerNormOptions,
  l2Normalization,
  layerNorm,
  lrn,
} from './normalization.ts'
export {
  linearRegressionOutput,
  logisticRegressionOutput,
  maeRegressionOutput,
  type SoftmaxOutputOptions,
  softmaxActivation,
  softmaxOutput,
  svmOutput,
} from './outputs.ts'
export * from './padding.ts'
export {
  fillElement0index,
  gatherNd,
  ravelMultiIndex,
  scatterNd,
  unravelIndex,
} from './places.ts'
export { type PoolingOptions, pooling, poolingV1 } from './pooling.ts'
export { dropout } from './random.ts'
export * from './reduce.ts'
export { flip, repeat, tile } from './repetition.ts'
export { type RNNOptions, rnn, rnnParameterSize } from './rnn.ts'
export { roiPooling } from './roi.ts'
export {
  bilinearSampler,
  type CorrelationOptions,
  correlation,
  gridGenerator,
  spatialTransformer,
  type UpSamplingOptions,
  upSampling,
} from './sampling.ts'
export * from './sequence.ts'
export * from './slicing.ts'
export * from './softmax.ts'
export { argsort, sort, topk } from './sorting.ts'
export * from './statistics.ts'
export {
  abs,
  cbrt,
  ceil,
  degrees,
  fix,
  floor,
  logicalNot,
  negative,
  radians,
  rcbrt,
  reciprocal,
  rint,
  round,
  rsqrt,
  sign,
  sqrt,
  square,
  trunc,
} from './unary.ts'
export * from './updates.ts'
