/** `nd.contrib`: operators that MXNet keeps apart. */

export { divSqrtDim, gradientmultiplier, quadratic, roundSte, signSte } from './curves.ts'
export { allclose, isfinite, isinf, isnan } from './facts.ts'
export { adamwUpdate, mpAdamwUpdate } from './layerUpdate.ts'
export {
  multiAdamwUpdate,
  multiLambUpdate,
  multiMpAdamwUpdate,
  multiMpLambUpdate,
} from './multiUpdate.ts'
export { arangeLike, indexArray, indexCopy } from './places.ts'
