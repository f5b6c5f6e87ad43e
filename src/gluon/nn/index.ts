/** `gluon.nn`: layers. */

export { Block, HybridBlock } from '../block.ts'
export {
  Activation,
  type ActivationName,
  Dense,
  type DenseOptions,
  Dropout,
  type DropoutOptions,
  Flatten,
  HybridLambda,
  Lambda,
} from './basic.ts'
export { HybridSequential, Sequential } from './sequential.ts'
