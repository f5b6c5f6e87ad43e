/** `mx.init`: how parameters are filled before training. */

export {
  Constant,
  Normal,
  One,
  Uniform,
  Xavier,
  type XavierOptions,
  Zero,
} from './distributions.ts'
export { create, type InitDesc, Initializer, type InitLike, register } from './initializer.ts'
