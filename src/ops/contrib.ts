/** `nd.contrib`: operators that MXNet keeps apart. */

export {
  interleavedMatmulEncdecQk,
  interleavedMatmulEncdecValatt,
  interleavedMatmulSelfattQk,
  interleavedMatmulSelfattValatt,
} from './attention.ts'
export {
  bipartiteMatching,
  boxDecode,
  boxEncode,
  boxIou,
  boxNms,
  boxNonMaximumSuppression,
} from './boxes.ts'
export { divSqrtDim, gradientmultiplier, quadratic, roundSte, signSte } from './curves.ts'
export { allclose, isfinite, isinf, isnan } from './facts.ts'
export { adamwUpdate, mpAdamwUpdate } from './layerUpdate.ts'
export { multiBoxDetection, multiBoxPrior, multiBoxTarget } from './multibox.ts'
export {
  multiAdamwUpdate,
  multiLambUpdate,
  multiMpAdamwUpdate,
  multiMpLambUpdate,
} from './multiUpdate.ts'
export { arangeLike, indexArray, indexCopy } from './places.ts'
export { adaptiveAvgPooling2D, bilinearResize2D, roiAlign } from './spatial.ts'
