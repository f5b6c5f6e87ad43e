/** `nd.contrib`: operators that MXNet keeps apart. */

export {
  interleavedMatmulEncdecQk,
  interleavedMatmulEncdecValatt,
  interleavedMatmulSelfattQk,
  interleavedMatmulSelfattValatt,
} from './attention.ts'
export { batchNormWithReLU, syncBatchNorm } from './batchNorm.ts'
export {
  bipartiteMatching,
  boxDecode,
  boxEncode,
  boxIou,
  boxNms,
  boxNonMaximumSuppression,
} from './boxes.ts'
export { calibrateEntropy } from './calibrate.ts'
export { divSqrtDim, gradientmultiplier, quadratic, roundSte, signSte } from './curves.ts'
export {
  type DeformableConvolutionOptions,
  type DeformablePSROIPoolingOptions,
  deformableConvolution,
  deformablePSROIPooling,
  type ModulatedDeformableConvolutionOptions,
  modulatedDeformableConvolution,
} from './deformable.ts'
export { allclose, isfinite, isinf, isnan } from './facts.ts'
export { hawkesll } from './hawkes.ts'
export { adamwUpdate, groupAdagradUpdate, mpAdamwUpdate } from './layerUpdate.ts'
export { multiBoxDetection, multiBoxPrior, multiBoxTarget } from './multibox.ts'
export {
  multiAdamwUpdate,
  multiLambUpdate,
  multiMpAdamwUpdate,
  multiMpLambUpdate,
} from './multiUpdate.ts'
export { arangeLike, indexArray, indexCopy } from './places.ts'
export { multiProposal, type ProposalOptions, proposal } from './proposal.ts'
export { dequantize, quantize, quantizeV2, requantize } from './quantize.ts'
export {
  quantizedAct,
  quantizedConcat,
  quantizedConv,
  quantizedFlatten,
  quantizedFullyConnected,
  quantizedPooling,
} from './quantized.ts'
export {
  quantizedBatchNorm,
  quantizedElemwiseAdd,
  quantizedElemwiseMul,
  quantizedEmbedding,
} from './quantizedElementwise.ts'
export { psroiPooling, roiAlign, rroiAlign } from './roiAlign.ts'
export { adaptiveAvgPooling2D, bilinearResize2D } from './spatial.ts'
export { sampleUniqueZipfian, type ZipfianOptions } from './zipfian.ts'
