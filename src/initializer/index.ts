/** `mx.init`: how parameters are filled before training. */

export {
  Constant,
  MSRAPrelu,
  type MSRAPreluOptions,
  Normal,
  One,
  Uniform,
  Xavier,
  type XavierOptions,
  Zero,
} from './distributions.ts'
export { create, InitDesc, Initializer, type InitLike, register } from './initializer.ts'
export { Load, type LoadInitOptions, Mixed } from './selection.ts'
export {
  Bilinear,
  FusedRNN,
  type FusedRNNOptions,
  LSTMBias,
  Orthogonal,
  type OrthogonalOptions,
} from './structured.ts'
