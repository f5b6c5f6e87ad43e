/** MXNet's operators, as functions of tensors. */

import './methods.ts'

export * from './activation.ts'
export * from './aliases.ts'
export * from './binary.ts'
export * from './cast.ts'
export * from './dense.ts'
export * from './elementary.ts'
export { batchTake, embedding, oneHot, pick, take, where } from './indexing.ts'
export {
  broadcastAxis,
  broadcastLike,
  broadcastTo,
  expandDims,
  flatten,
  flip,
  repeat,
  reshape,
  reshapeLike,
  squeeze,
  swapaxes,
  tile,
  transpose,
} from './movement.ts'
export { dropout } from './random.ts'
export * from './reduce.ts'
export * from './slicing.ts'
export * from './softmax.ts'
export { adamUpdate, sgdMomUpdate, sgdUpdate } from './update.ts'
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
