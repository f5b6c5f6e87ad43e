/** Making arrays: from values, and filled. */

import { type Context, Context as ContextClass } from '../base/context.ts'
import {
  checkDType,
  type DType,
  dtypeInfo,
  dtypeOfTypedArray,
  holdsNumber,
  itemSize,
  type TypedArray,
} from '../base/dtype.ts'
import { fail } from '../base/error.ts'
import { halfFormat } from '../base/half.ts'
import { checkShape, formatShape, rowMajor, type Shape, sizeOf } from '../base/shape.ts'
import { aval } from '../core/aval.ts'
import { frame, withFrame } from '../core/frame.ts'
import { Layout, share } from '../exec/array.ts'
import { deviceOf } from '../exec/storage.ts'
import { arangeOf, eyeOf, fullOf, linspaceOf, onesOf, zerosOf } from '../ops/creation.ts'
import { NDArray } from './ndarray.ts'

/** Where and in which dtype an array is made. */
export interface ArrayOptions {
  /** Device; the current context by default. */
  readonly ctx?: Context | undefined
  readonly dtype?: DType | undefined
}

/** Values an array can be made from: numbers, nested plain arrays, a typed array, or another array. */
export type ArraySource =
  | number
  | bigint
  | boolean
  | TypedArray
  | Uint8ClampedArray
  | NDArray
  | readonly ArraySource[]

/** The device asked for, or the current one. */
function contextOf(where: string, options: ArrayOptions | undefined): Context {
  const context = options?.ctx ?? frame.context
  if (!(context instanceof ContextClass))
    fail(where, `ctx ${String(context)} is not a context: use cpu() or gpu(0)`)
  return context
}

/** Runs a creation operator on a device. */
function on(
  where: string,
  options: ArrayOptions | undefined,
  make: (dtype: DType) => unknown,
): NDArray {
  const context = contextOf(where, options)
  const dtype = checkDType(where, options?.dtype ?? 'float32')
  return withFrame({ context }, () => make(dtype)) as NDArray
}

const listOf = (where: string, shape: Shape | number): Shape =>
  checkShape(where, typeof shape === 'number' ? [shape] : shape)

/** An array over bytes in row-major order. */
export function fromBytes(
  bytes: Uint8Array,
  shape: Shape,
  dtype: DType,
  ctx: Context = frame.context,
): NDArray {
  const storage = deviceOf(ctx).allocate(bytes.byteLength)
  storage.device.backend.write(storage.address, bytes)
  return new NDArray(
    aval(shape, dtype),
    storage,
    new Layout({ shape, strides: rowMajor(shape), offset: 0 }),
  )
}

function shapeOfNested(source: unknown): number[] {
  const shape: number[] = []
  let level = source
  while (Array.isArray(level)) {
    shape.push(level.length)
    level = level[0]
  }
  return shape
}

function flatten(source: unknown, shape: readonly number[], axis: number, out: unknown[]): void {
  if (axis === shape.length) {
    if (Array.isArray(source))
      fail('array', 'the nested arrays are ragged: all rows must have one length')
    out.push(source)
    return
  }
  if (!Array.isArray(source) || source.length !== shape[axis]) {
    fail(
      'array',
      `the nested arrays are ragged: a row of ${shape[axis]} was expected at depth ${axis}`,
    )
  }
  for (const row of source) flatten(row, shape, axis + 1, out)
}

/** The values in the typed array of a dtype; fractions for integers and wrong kinds of values are errors. */
function encode(values: ArrayLike<unknown>, dtype: DType): TypedArray {
  const { array, kind, min, max } = dtypeInfo(dtype)
  const out = new array(values.length)
  const half = halfFormat(dtype)
  for (let i = 0; i < values.length; i++) {
    const v = values[i]
    if (typeof v !== 'number' && typeof v !== 'bigint' && typeof v !== 'boolean') {
      fail('array', `${String(v)} (${typeof v}) is not a number: arrays hold numbers and booleans`)
    }
    if (dtype === 'int64') out[i] = wholeBigInt(v)
    else if (dtype === 'bool') out[i] = Number(v) === 0 ? 0 : 1
    else {
      const x = Number(v)
      if (kind === 'int' && (!Number.isInteger(x) || x < min || x > max)) {
        fail(
          'array',
          `${x} does not fit ${dtype}: use integers from ${min} to ${max}, or a float dtype`,
        )
      }
      out[i] = half?.encode(x) ?? x
    }
  }
  return out
}

function wholeBigInt(v: number | bigint | boolean): bigint {
  if (typeof v === 'number' && !Number.isInteger(v))
    fail('array', `${v} does not fit int64: use an integer`)
  return BigInt(v)
}

/**
 * An array from numbers, nested plain arrays, a typed array or another array.
 *
 * Plain numbers give float32, booleans bool, a typed array and an NDArray keep their dtype, unless `dtype` says otherwise.
 * @throws MXNetError when rows differ in length, or a value does not fit the dtype.
 * @example
 * await nd.array([[1, 2], [3, 4]]).asArray() // => [[1, 2], [3, 4]]
 * @see MXNet `mx.nd.array`
 */
export function array(source: ArraySource, options: ArrayOptions = {}): NDArray {
  const ctx = contextOf('array', options)
  if (options.dtype !== undefined) checkDType('array', options.dtype)
  if (source instanceof NDArray) {
    const { dtype } = options
    const there = source.context === ctx ? source : source.asInContext(ctx)
    const cast = dtype === undefined || dtype === source.dtype ? there : there.astype(dtype)
    return (cast === source ? source.copy() : share(cast)) as NDArray
  }
  const own = dtypeOfTypedArray(source)
  if (own !== undefined) {
    const typed = source as TypedArray
    const dtype = options.dtype ?? own
    const values = dtype === own ? typed : encode(typed, dtype)
    return fromBytes(bytesOf(values), [typed.length], dtype, ctx)
  }
  if (ArrayBuffer.isView(source)) {
    fail(
      'array',
      `${(source as object).constructor.name} has no dtype here: use Float32Array, Float64Array, Int32Array, Uint8Array, Int8Array or BigInt64Array`,
    )
  }
  if (Array.isArray(source) && source.some((x) => x instanceof NDArray))
    return stackRows(source as ArraySource[], options)
  const shape = shapeOfNested(source)
  const values: unknown[] = []
  flatten(source, shape, 0, values)
  const guess: DType =
    values.length > 0 && values.every((v) => typeof v === 'boolean') ? 'bool' : 'float32'
  const dtype = options.dtype ?? guess
  return fromBytes(bytesOf(encode(values, dtype)), shape, dtype, ctx)
}

function stackRows(rows: readonly ArraySource[], options: ArrayOptions): NDArray {
  const arrays = rows.map((r) => array(r, options))
  const first = arrays[0]!
  const out = zeros([arrays.length, ...first.shape], {
    ctx: options.ctx,
    dtype: options.dtype ?? first.dtype,
  })
  arrays.forEach((a, i) => {
    if (formatShape(a.shape) !== formatShape(first.shape))
      fail('array', 'the rows have different shapes')
    out.set(a, i)
  })
  return out
}

const bytesOf = (values: TypedArray | Uint8ClampedArray): Uint8Array =>
  new Uint8Array(values.buffer, values.byteOffset, values.byteLength)

/**
 * An array of zeros.
 *
 * @throws MXNetError for a negative size.
 * @example
 * await nd.zeros([2]).asArray() // => [0, 0]
 * @see MXNet `mx.nd.zeros`
 */
export function zeros(shape: Shape | number, options?: ArrayOptions): NDArray {
  return on('zeros', options, (dtype) => zerosOf(listOf('zeros', shape), dtype))
}

/**
 * An array of ones.
 *
 * @throws MXNetError for a negative size.
 * @example
 * await nd.ones([2]).asArray() // => [1, 1]
 * @see MXNet `mx.nd.ones`
 */
export function ones(shape: Shape | number, options?: ArrayOptions): NDArray {
  return on('ones', options, (dtype) => onesOf(listOf('ones', shape), dtype))
}

/**
 * An array of one value.
 *
 * @throws MXNetError for a negative size, or a fraction in an integer array.
 * @example
 * await nd.full([2], 7).asArray() // => [7, 7]
 * @see MXNet `mx.nd.full`
 */
export function full(shape: Shape | number, value: number, options?: ArrayOptions): NDArray {
  return on('full', options, (dtype) => {
    if (!holdsNumber(dtype, value)) fail('full', `${value} does not fit ${dtype}: use an integer`)
    return fullOf(listOf('full', shape), value, dtype)
  })
}

/**
 * An array whose elements have no defined value until they are written.
 *
 * @throws MXNetError for a negative size.
 * @example
 * nd.empty([2, 3]).shape // => [2, 3]
 * @see MXNet `mx.nd.empty`
 */
export function empty(shape: Shape | number, options: ArrayOptions = {}): NDArray {
  const sizes = listOf('empty', shape)
  const dtype = checkDType('empty', options.dtype ?? 'float32')
  const storage = deviceOf(contextOf('empty', options)).allocate(sizeOf(sizes) * itemSize(dtype))
  return new NDArray(
    aval(sizes, dtype),
    storage,
    new Layout({ shape: sizes, strides: rowMajor(sizes), offset: 0 }),
  )
}

/**
 * Numbers from start to before stop; with one number, from 0 to before it.
 *
 * `out[i] = start + ⌊i / repeat⌋·step`; length ⌈(stop - start) / step⌉·repeat.
 * @throws MXNetError when the step is 0.
 * @example
 * await nd.arange(0, 6, 2).asArray() // => [0, 2, 4]
 * @see MXNet `mx.nd.arange`
 */
export function arange(
  start: number,
  stop: number | null = null,
  step = 1,
  options?: ArrayOptions & { readonly repeat?: number },
): NDArray {
  return on('arange', options, (dtype) =>
    arangeOf({ start, stop, step, repeat: options?.repeat ?? 1, dtype }),
  )
}

/**
 * `num` numbers evenly spaced from start to stop.
 *
 * @example
 * await nd.linspace(0, 1, 3).asArray() // => [0, 0.5, 1]
 * @see MXNet `mx.nd.linspace`
 */
export function linspace(
  start: number,
  stop: number,
  num: number,
  options?: ArrayOptions & { readonly endpoint?: boolean },
): NDArray {
  return on('linspace', options, (dtype) =>
    linspaceOf({ start, stop, num, endpoint: options?.endpoint ?? true, dtype }),
  )
}

/**
 * A matrix with ones on a diagonal: N rows, M columns (N by default), k above the main one.
 *
 * @example
 * await nd.eye(2).asArray() // => [[1, 0], [0, 1]]
 * @see MXNet `mx.nd.eye`
 */
export function eye(N: number, M = 0, k = 0, options?: ArrayOptions): NDArray {
  return on('eye', options, (dtype) => eyeOf({ N, M, k, dtype }))
}
