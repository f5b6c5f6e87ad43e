/** `mx.image`: pictures from files, in other sizes, cut and turned. */

export { type DecodeOptions, imdecode, imread } from './decode.ts'
export { type ImrotateOptions, imrotate, randomRotate } from './rotate.ts'
export {
  type Box,
  centerCrop,
  colorNormalize,
  fixedCrop,
  imresize,
  randomCrop,
  resizeShort,
  scaleDown,
} from './size.ts'
