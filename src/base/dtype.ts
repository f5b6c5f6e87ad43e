/** Element types: width, kind, typed array, MXNet's wire code, and the promotion lattice. */

import { fail } from './error.ts'

/** The element types that an array can have. */
export type DType =
  | 'float32'
  | 'float64'
  | 'float16'
  | 'bfloat16'
  | 'uint8'
  | 'int8'
  | 'int32'
  | 'int64'
  | 'bool'

/** The typed array that holds elements of one dtype; 16-bit floats are stored in a Uint16Array. */
export type TypedArray =
  | Float32Array
  | Float64Array
  | Uint8Array
  | Int8Array
  | Int32Array
  | BigInt64Array
  | Uint16Array

type TypedArrayConstructor = {
  new (length: number): TypedArray
  new (buffer: ArrayBufferLike, byteOffset?: number, length?: number): TypedArray
  readonly BYTES_PER_ELEMENT: number
}

/** What a dtype is: size in bytes, kind, MXNet's wire code and the typed array that stores it. */
export interface DTypeInfo {
  readonly name: DType
  readonly bytes: number
  readonly kind: 'float' | 'int' | 'bool'
  /** Code in `.params` files and in C++ (`mshadow/base.h`). */
  readonly code: number
  readonly array: TypedArrayConstructor
  /** Smallest and largest value of an integer type; for floats the largest finite magnitude. */
  readonly min: number
  readonly max: number
}

const info = (
  name: DType,
  kind: DTypeInfo['kind'],
  code: number,
  array: unknown,
  min: number,
  max: number,
): DTypeInfo => {
  const holder = array as TypedArrayConstructor
  return {
    name,
    kind,
    code,
    array: holder,
    bytes: holder.BYTES_PER_ELEMENT,
    min,
    max,
  }
}

const f32Max = 3.4028234663852886e38
const table: Record<DType, DTypeInfo> = {
  float32: info('float32', 'float', 0, Float32Array, -f32Max, f32Max),
  float64: info('float64', 'float', 1, Float64Array, -Number.MAX_VALUE, Number.MAX_VALUE),
  float16: info('float16', 'float', 2, Uint16Array, -65504, 65504),
  uint8: info('uint8', 'int', 3, Uint8Array, 0, 255),
  int32: info('int32', 'int', 4, Int32Array, -2147483648, 2147483647),
  int8: info('int8', 'int', 5, Int8Array, -128, 127),
  int64: info('int64', 'int', 6, BigInt64Array, -(2 ** 63), 2 ** 63),
  bool: info('bool', 'bool', 7, Uint8Array, 0, 1),
  bfloat16: info(
    'bfloat16',
    'float',
    12,
    Uint16Array,
    -3.3895313892515355e38,
    3.3895313892515355e38,
  ),
}

/** All dtype names, in the order of their wire codes. */
export const dtypes = Object.keys(table) as DType[]

/** The facts about one dtype. */
export function dtypeInfo(dtype: DType): DTypeInfo {
  return table[dtype]
}

/** Bytes of one element. */
export function itemSize(dtype: DType): number {
  return table[dtype].bytes
}

/** Facts about a floating-point dtype, as NumPy's `finfo` gives them. */
export interface FloatFacts {
  /** Bits of storage. */
  readonly bits: number
  /** The distance from 1 to the next larger number. */
  readonly eps: number
  /** The largest finite number, and its negative. */
  readonly max: number
  readonly min: number
  /** The smallest positive number of full precision, and the smallest of all. */
  readonly tiny: number
  readonly smallestSubnormal: number
}

const floatFacts = (bits: number, max: number, mantissa: number, exponent: number): FloatFacts => ({
  bits,
  eps: 2 ** -mantissa,
  max,
  min: -max,
  tiny: 2 ** exponent,
  smallestSubnormal: 2 ** (exponent - mantissa),
})

/**
 * Facts about a floating-point dtype: width, precision and limits.
 *
 * @throws MXNetError for a dtype that is not a float.
 * @example
 * mx.finfo('float16').max // => 65504
 * @see NumPy `finfo`
 */
export function finfo(dtype: DType): FloatFacts {
  switch (dtype) {
    case 'float16':
      return floatFacts(16, table.float16.max, 10, -14)
    case 'bfloat16':
      return floatFacts(16, table.bfloat16.max, 7, -126)
    case 'float32':
      return floatFacts(32, f32Max, 23, -126)
    case 'float64':
      return floatFacts(64, Number.MAX_VALUE, 52, -1022)
    default:
      return fail('finfo', `dtype ${String(dtype)} is not a float: use iinfo for integers`)
  }
}

/** Facts about an integer dtype, as NumPy's `iinfo` gives them; exact, so bigints for int64. */
export interface IntegerFacts {
  readonly bits: number
  readonly min: number | bigint
  readonly max: number | bigint
}

/**
 * Facts about an integer dtype: width and limits.
 *
 * @throws MXNetError for a dtype that is not an integer.
 * @example
 * mx.iinfo('uint8').max // => 255
 * @see NumPy `iinfo`
 */
export function iinfo(dtype: DType): IntegerFacts {
  const facts = Object.hasOwn(table, dtype) ? table[dtype] : null
  if (facts?.kind !== 'int') fail('iinfo', `dtype ${String(dtype)} is not an integer: use finfo`)
  if (dtype === 'int64') return { bits: 64, min: -(2n ** 63n), max: 2n ** 63n - 1n }
  return { bits: 8 * facts.bytes, min: facts.min, max: facts.max }
}

/** Whether `dtype` is a floating-point type. */
export function isFloat(dtype: DType): boolean {
  return table[dtype].kind === 'float'
}

/** The dtype with MXNet's wire code `code`, or undefined. */
export function dtypeOfCode(code: number): DType | undefined {
  return dtypes.find((name) => table[name].code === code)
}

/** Checks that a value names a dtype that arrays can have. */
export function checkDType(where: string, value: unknown): DType {
  if (typeof value !== 'string' || !Object.hasOwn(table, value)) {
    fail(where, `dtype ${String(value)} is unknown: use one of ${dtypes.join(', ')}`)
  }
  return value as DType
}

const floatOrder: readonly DType[] = ['float16', 'bfloat16', 'float32', 'float64']

/**
 * The dtype that holds both operands: bool < uint8/int8 < int32 < int64 < floats.
 *
 * uint8 with int8 gives int32; an integer with a float takes the float; float16 with bfloat16 gives float32.
 */
export function promote(a: DType, b: DType): DType {
  if (a === b) return a
  const [ka, kb] = [table[a].kind, table[b].kind]
  if (ka === 'float' || kb === 'float') {
    if (ka !== 'float') return b
    if (kb !== 'float') return a
    if (itemSize(a) === 2 && itemSize(b) === 2) return 'float32'
    return floatOrder.indexOf(a) > floatOrder.indexOf(b) ? a : b
  }
  if (ka === 'bool') return b
  if (kb === 'bool') return a
  if (itemSize(a) === 1 && itemSize(b) === 1) return 'int32'
  return itemSize(a) > itemSize(b) ? a : b
}

/** The dtype that a plain typed array holds, or undefined for kinds that arrays cannot keep. */
export function dtypeOfTypedArray(value: unknown): DType | undefined {
  if (value instanceof Float32Array) return 'float32'
  if (value instanceof Float64Array) return 'float64'
  if (value instanceof Uint8Array || value instanceof Uint8ClampedArray) return 'uint8'
  if (value instanceof Int8Array) return 'int8'
  if (value instanceof Int32Array) return 'int32'
  if (value instanceof BigInt64Array) return 'int64'
  // Float16Array came with Node 24; its bits are those that arrays store.
  if (Object.prototype.toString.call(value) === '[object Float16Array]') return 'float16'
  return undefined
}

/** Whether a number can be an element of a dtype: whole and in range for integers, anything for floats and bool. */
export function holdsNumber(dtype: DType, value: number): boolean {
  const { kind, min, max } = table[dtype]
  return kind !== 'int' || (Number.isInteger(value) && value >= min && value <= max)
}
