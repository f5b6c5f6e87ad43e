/** `gluon.nn`: layers. */

export { Block, HybridBlock } from '../block.ts'
export { ELU, GELU, LeakyReLU, PReLU, type PReLUOptions, SELU, Swish } from './activations.ts'
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
export {
  Conv1D,
  Conv1DTranspose,
  Conv2D,
  Conv2DTranspose,
  Conv3D,
  Conv3DTranspose,
  type ConvOptions,
  type ConvTransposeOptions,
  type Sizes,
} from './conv.ts'
export { Embedding, type EmbeddingOptions } from './embedding.ts'
export {
  type AxisNormOptions,
  BatchNorm,
  type BatchNormLayerOptions,
  BatchNormReLU,
  GroupNorm,
  type GroupNormLayerOptions,
  InstanceNorm,
  LayerNorm,
  type NormOptions,
} from './normalization.ts'
export { ReflectionPad2D } from './padding.ts'
export {
  AvgPool1D,
  AvgPool2D,
  AvgPool3D,
  type AvgPoolOptions,
  GlobalAvgPool1D,
  GlobalAvgPool2D,
  GlobalAvgPool3D,
  GlobalMaxPool1D,
  GlobalMaxPool2D,
  GlobalMaxPool3D,
  type GlobalPoolOptions,
  MaxPool1D,
  MaxPool2D,
  MaxPool3D,
  type MaxPoolOptions,
} from './pool.ts'
export { HybridSequential, Sequential } from './sequential.ts'
