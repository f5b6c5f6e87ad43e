/** The methods that every tensor has, in one interface; `ops/methods.ts` fills them in from one typed table. */

import type { DType } from '../base/dtype.ts'
import type { Shape } from '../base/shape.ts'
import type { Tensor } from './tensor.ts'

/** Options of reductions. */
export interface ReduceOptions {
  /** Axis or axes to reduce; all when left out. */
  readonly axis?: number | readonly number[] | null
  /** Keeps reduced axes with size 1. */
  readonly keepdims?: boolean
  /** Reduces over the axes that are not listed. */
  readonly exclude?: boolean
}

/** Options of `oneHot`. */
export interface OneHotOptions {
  readonly onValue?: number
  readonly offValue?: number
  readonly dtype?: DType
}

/** Options of `split`. */
export interface SplitOptions {
  readonly axis?: number
  readonly squeezeAxis?: boolean
}

type Axes = number | readonly number[]
/** Where slices begin or end, by axis. */
type Ends = readonly (number | null)[]

/** Options of argmax and argmin. */
export interface ArgOptions {
  readonly axis?: number | null
  readonly keepdims?: boolean
}

/**
 * One index: a position, a slice `'start:stop:step'`, `'...'` for the axes not named, null for a new axis, an array of
 * positions (negative ones count from the end, those outside clip), or a bool array that stands for the axes of its shape.
 */
export type IndexKey = number | string | null | Tensor

/** Methods shared by NDArray and Sym. Each is the operator function of the same name with `this` as first input. */
export interface TensorMethods {
  add(rhs: this | number): this
  sub(rhs: this | number): this
  subtract(rhs: this | number): this
  mul(rhs: this | number): this
  multiply(rhs: this | number): this
  div(rhs: this | number): this
  divide(rhs: this | number): this
  mod(rhs: this | number): this
  modulo(rhs: this | number): this
  pow(rhs: this | number): this
  power(rhs: this | number): this
  /** `lhs - this`. */
  rsub(lhs: this | number): this
  /** `lhs / this`. */
  rdiv(lhs: this | number): this
  /** `lhs % this`. */
  rmod(lhs: this | number): this
  /** `lhs ** this`. */
  rpow(lhs: this | number): this
  neg(): this
  negative(): this
  maximum(rhs: this | number): this
  minimum(rhs: this | number): this
  equal(rhs: this | number): this
  notEqual(rhs: this | number): this
  greater(rhs: this | number): this
  greaterEqual(rhs: this | number): this
  lesser(rhs: this | number): this
  lesserEqual(rhs: this | number): this
  logicalAnd(rhs: this | number): this
  logicalOr(rhs: this | number): this
  logicalXor(rhs: this | number): this
  logicalNot(): this

  abs(): this
  sign(): this
  round(): this
  rint(): this
  fix(): this
  floor(): this
  ceil(): this
  trunc(): this
  square(): this
  sqrt(): this
  rsqrt(): this
  cbrt(): this
  rcbrt(): this
  reciprocal(): this
  exp(): this
  expm1(): this
  log(): this
  log10(): this
  log2(): this
  log1p(): this
  sin(): this
  cos(): this
  tan(): this
  arcsin(): this
  arccos(): this
  arctan(): this
  sinh(): this
  cosh(): this
  tanh(): this
  arcsinh(): this
  arccosh(): this
  arctanh(): this
  degrees(): this
  radians(): this
  relu(): this
  sigmoid(): this
  softmax(attrs?: { readonly axis?: number; readonly temperature?: number }): this
  logSoftmax(attrs?: { readonly axis?: number; readonly temperature?: number }): this
  softmin(attrs?: { readonly axis?: number; readonly temperature?: number }): this
  clip(
    ...range: [min: number, max: number] | [{ readonly aMin: number; readonly aMax: number }]
  ): this

  sum(options?: ReduceOptions): this
  nansum(options?: ReduceOptions): this
  mean(options?: ReduceOptions): this
  prod(options?: ReduceOptions): this
  nanprod(options?: ReduceOptions): this
  max(options?: ReduceOptions): this
  min(options?: ReduceOptions): this
  norm(options?: {
    readonly ord?: 1 | 2
    readonly axis?: number | readonly number[] | null
    readonly keepdims?: boolean
  }): this
  argmax(options?: ArgOptions): this
  argmin(options?: ArgOptions): this
  argmaxChannel(): this

  /** Elements by index: numbers, slice strings (`'1:3'`, `'::2'`, `':'`), `'...'`, `null` for a new axis, arrays. */
  at(...key: IndexKey[]): this
  astype(dtype: DType): this
  reshape(
    shape: Shape | number | { readonly shape: Shape | number; readonly reverse?: boolean },
    options?: { readonly reverse?: boolean },
  ): this
  reshapeLike(rhs: this): this
  flatten(): this
  expandDims(axis: number | { readonly axis: number }): this
  squeeze(axis?: Axes | null | { readonly axis?: Axes | null }): this
  transpose(axes?: readonly number[] | { readonly axes?: readonly number[] }): this
  swapaxes(
    ...axes: [dim1: number, dim2: number] | [{ readonly dim1?: number; readonly dim2?: number }]
  ): this
  flip(axis: Axes | { readonly axis: Axes }): this
  tile(reps: Axes | { readonly reps: Axes }): this
  repeat(
    repeats: number | { readonly repeats: number; readonly axis?: number | null },
    options?: { readonly axis?: number | null },
  ): this
  broadcastTo(shape: Shape | { readonly shape: Shape }): this
  broadcastLike(rhs: this): this
  broadcastAxes(
    ...axes: [axis: Axes, size: Axes] | [{ readonly axis: Axes; readonly size: Axes }]
  ): this
  slice(
    ...range:
      | [begin: Ends, end: Ends, step?: Ends]
      | [{ readonly begin: Ends; readonly end: Ends; readonly step?: Ends }]
  ): this
  sliceAxis(
    ...range:
      | [axis: number, begin: number, end: number | null]
      | [{ readonly axis: number; readonly begin: number; readonly end: number | null }]
  ): this
  sliceLike(rhs: this, options?: { readonly axes?: readonly number[] }): this
  split(
    numOutputs: number | (SplitOptions & { readonly numOutputs: number }),
    options?: SplitOptions,
  ): this[]
  take(
    indices: this,
    options?: { readonly axis?: number; readonly mode?: 'clip' | 'wrap' | 'raise' },
  ): this
  pick(
    index: this,
    options?: {
      readonly axis?: number | null
      readonly keepdims?: boolean
      readonly mode?: 'clip' | 'wrap'
    },
  ): this
  oneHot(
    depth: number | (OneHotOptions & { readonly depth: number }),
    options?: OneHotOptions,
  ): this
  sort(options?: { readonly axis?: number | null; readonly isAscend?: boolean }): this
  argsort(options?: {
    readonly axis?: number | null
    readonly isAscend?: boolean
    readonly dtype?: DType
  }): this
  /** The positions, values or mask of the k largest; `nd.topk` gives both. */
  topk(options?: {
    readonly axis?: number | null
    readonly k?: number
    readonly retTyp?: 'value' | 'indices' | 'mask'
    readonly isAscend?: boolean
    readonly dtype?: DType
  }): this
  pad(options: {
    readonly mode: 'constant' | 'edge' | 'reflect'
    readonly padWidth: readonly number[]
    readonly constantValue?: number
  }): this
  diag(options?: { readonly k?: number; readonly axis1?: number; readonly axis2?: number }): this
  depthToSpace(blockSize: number | { readonly blockSize: number }): this
  spaceToDepth(blockSize: number | { readonly blockSize: number }): this
  splitV2(indicesOrSections: number | readonly number[], options?: SplitOptions): this[]
  shapeArray(): this
  sizeArray(): this
  zerosLike(): this
  onesLike(): this
}
