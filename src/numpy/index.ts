/** `mx.np`: the operators under NumPy's names, with NumPy's rules of dtypes, axes and shapes. */

export { finfo, iinfo } from '../base/dtype.ts'
export { bitwiseAnd, bitwiseNot, bitwiseOr, bitwiseXor, invert, lcm } from './bits.ts'
export { bincount, histogram } from './counting.ts'
export {
  type ArrayOptions,
  arange,
  array,
  diag,
  diagonal,
  empty,
  emptyLike,
  eye,
  full,
  fullLike,
  identity,
  indices,
  type LinspaceOptions,
  linspace,
  logspace,
  meshgrid,
  type ndarray,
  ones,
  onesLike,
  tril,
  triu,
  zeros,
  zerosLike,
} from './creation.ts'
export {
  delete,
  diagflat,
  diagIndicesFrom,
  ediff1d,
  insert,
  resize,
  unravelIndex,
} from './editing.ts'
export * from './elementwise.ts'
export { round as round_ } from './elementwise.ts'
export * as linalg from './linalg.ts'
export {
  allclose,
  blackman,
  type CloseOptions,
  hamming,
  hanning,
  isclose,
  type PadOptions,
  type PadWidth,
  pad,
} from './padding.ts'
export {
  dot,
  einsum,
  inner,
  kron,
  matmul,
  outer,
  polyval,
  tensordot,
  trace,
  vdot,
} from './products.ts'
export * as random from './random.ts'
export {
  type AxisOptions,
  all,
  amax,
  amin,
  any,
  any as sometrue,
  argmax,
  argmin,
  argsort,
  average,
  cumsum,
  diff,
  max,
  mean,
  median,
  min,
  percentile,
  prod,
  prod as product,
  type QuantileOptions,
  quantile,
  type SpreadOptions,
  sort,
  std,
  sum,
  variance as var,
} from './reduce.ts'
export {
  append,
  arraySplit,
  atleast1d,
  atleast2d,
  atleast3d,
  broadcastArrays,
  broadcastTo,
  columnStack,
  concatenate,
  dsplit,
  dstack,
  expandDims,
  flip,
  fliplr,
  flipud,
  hsplit,
  hstack,
  moveaxis,
  nonzero,
  ravel,
  repeat,
  reshape,
  roll,
  rot90,
  rowStack,
  split,
  squeeze,
  stack,
  swapaxes,
  take,
  tile,
  transpose,
  unique,
  vsplit,
  vstack,
} from './shape.ts'

/** The ratio of a circle's circumference to its diameter. */
export const pi = Math.PI
/** Euler's number. */
export const e = Math.E
/** Infinity. */
export const inf = Number.POSITIVE_INFINITY
/** Infinity, under MXNet's other names. */
export const [PINF, NINF] = [Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY]
/** Zero, and zero below it. */
export const [PZERO, NZERO] = [0, -0]
/** Not a number. */
export const nan = Number.NaN
/** A new axis of size 1, in an index. */
export const newaxis = null
/** Dtypes, as options take them. */
export const [float16, float32, float64, uint8, int8, int32, int64, bool_] = [
  'float16',
  'float32',
  'float64',
  'uint8',
  'int8',
  'int32',
  'int64',
  'bool',
] as const
