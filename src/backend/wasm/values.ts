/** How values of each dtype live in registers: one element, or two or four lanes of a vector. */

import { type DType, itemSize } from '../../base/dtype.ts'
import type { FunctionBuilder, Local, MemoryLaneOp, MemoryOp, ValueType } from './assembler.ts'
import { decodeHalf, encodeHalf, isHalf } from './half.ts'

/** Elements handled at once: 1 (plain instructions), 2 (programs with float64) or 4. */
export type Width = 1 | 2 | 4

/**
 * Register kinds. Integers of 8 bits live sign- or zero-extended in `i32`. `bool` is 0 or 1 at width 1
 * and a full mask in vectors, 64 bits wide at width 2. 32-bit kinds use the low lanes at width 2.
 */
export type Kind = 'f32' | 'f64' | 'i32' | 'i64' | 'bool'

const kinds: Record<DType, Kind> = {
  float32: 'f32',
  float16: 'f32',
  bfloat16: 'f32',
  float64: 'f64',
  int32: 'i32',
  uint8: 'i32',
  int8: 'i32',
  int64: 'i64',
  bool: 'bool',
}

/** The register kind of a dtype; 16-bit floats are computed in float32. */
export function kindOf(dtype: DType): Kind {
  return kinds[dtype]
}

/** The type of a local that holds a value. */
export function localType(kind: Kind, width: Width): ValueType {
  if (width > 1) return 'v128'
  return kind === 'bool' ? 'i32' : kind
}

/** The widest vectors that can hold every one of these dtypes. */
export function widthFor(dtypes: Iterable<DType>): Width {
  let width: Width = 4
  for (const dtype of dtypes) {
    const kind = kindOf(dtype)
    if (kind === 'i64') return 1
    if (kind === 'f64') width = 2
  }
  return width
}

/** Pushes a literal. */
export function pushConst(f: FunctionBuilder, kind: Kind, width: Width, value: number): void {
  if (width === 1) {
    if (kind === 'f32') f.f32(value)
    else if (kind === 'f64') f.f64(value)
    else if (kind === 'i64') f.i64(bigOf(value))
    else f.i32(value)
  } else if (kind === 'f32') f.f32x4(value)
  else if (kind === 'f64') f.f64x2(value)
  else f.i32x4(kind === 'bool' ? (value !== 0 ? -1 : 0) : value)
}

function bigOf(value: number): bigint {
  if (Number.isNaN(value)) return 0n
  if (value >= 2 ** 63) return 2n ** 63n - 1n
  return value <= -(2 ** 63) ? -(2n ** 63n) : BigInt(Math.trunc(value))
}

/** Turns the scalar on the stack into a vector with that value in every lane. */
export function splat(f: FunctionBuilder, kind: Kind, width: Width): void {
  if (width === 1) return
  if (kind === 'f32') f.op('f32x4.splat')
  else if (kind === 'f64') f.op('f64x2.splat')
  else if (kind === 'bool') f.op('i32x4.splat').i32x4(0).op('i32x4.ne')
  else f.op('i32x4.splat')
}

/** Turns the vector on the stack into the scalar in lane `lane`. */
export function extract(f: FunctionBuilder, kind: Kind, width: Width, lane: number): void {
  if (width === 1) return
  if (kind === 'f32') f.lane('f32x4.extract_lane', lane)
  else if (kind === 'f64') f.lane('f64x2.extract_lane', lane)
  else if (kind === 'i32') f.lane('i32x4.extract_lane', lane)
  else
    f.lane('i32x4.extract_lane', width === 2 ? 2 * lane : lane)
      .i32(1)
      .op('i32.and')
}

/** Replaces lane `lane` of the vector below by the scalar on the stack (not for bool). */
export function replace(f: FunctionBuilder, kind: Kind, lane: number): void {
  if (kind === 'f32') f.lane('f32x4.replace_lane', lane)
  else if (kind === 'f64') f.lane('f64x2.replace_lane', lane)
  else f.lane('i32x4.replace_lane', lane)
}

const scalarLoads: Record<DType, MemoryOp> = {
  float32: 'f32.load',
  float16: 'i32.load16_u',
  bfloat16: 'i32.load16_u',
  float64: 'f64.load',
  int32: 'i32.load',
  uint8: 'i32.load8_u',
  int8: 'i32.load8_s',
  int64: 'i64.load',
  bool: 'i32.load8_u',
}
const scalarStores: Record<DType, MemoryOp> = {
  float32: 'f32.store',
  float16: 'i32.store16',
  bfloat16: 'i32.store16',
  float64: 'f64.store',
  int32: 'i32.store',
  uint8: 'i32.store8',
  int8: 'i32.store8',
  int64: 'i64.store',
  bool: 'i32.store8',
}

/** Loads one element: address on the stack. */
export function loadScalar(f: FunctionBuilder, dtype: DType, offset = 0): void {
  f.mem(scalarLoads[dtype], offset, 0)
  if (dtype === 'bool') f.i32(0).op('i32.ne')
  if (!isHalf(dtype)) return
  f.op('i32x4.splat')
  decodeHalf(f, dtype)
  f.lane('f32x4.extract_lane', 0)
}

/** Stores one element: address and value on the stack. */
export function storeScalar(f: FunctionBuilder, dtype: DType, offset = 0): void {
  if (isHalf(dtype)) {
    f.op('f32x4.splat')
    encodeHalf(f, dtype)
    f.lane('i32x4.extract_lane', 0)
  }
  f.mem(scalarStores[dtype], offset, 0)
}

/** Widens narrow elements in the low lanes of the vector on the stack to what `kindOf(dtype)` says. */
function widen(f: FunctionBuilder, dtype: DType, width: Width): void {
  if (isHalf(dtype)) {
    decodeHalf(f.op('i32x4.extend_low_i16x8_u'), dtype)
    return
  }
  if (dtype === 'int8') f.op('i16x8.extend_low_i8x16_s').op('i32x4.extend_low_i16x8_s')
  else f.op('i16x8.extend_low_i8x16_u').op('i32x4.extend_low_i16x8_u')
  if (dtype === 'bool') {
    f.i32x4(0).op('i32x4.gt_s')
    if (width === 2) f.op('i64x2.extend_low_i32x4_s')
  }
}

const isByte = (dtype: DType): boolean => dtype === 'uint8' || dtype === 'int8' || dtype === 'bool'

/** Loads neighbouring elements: address on the stack. May read up to 15 bytes past the last one. */
export function loadVector(f: FunctionBuilder, dtype: DType, width: Width, offset: number): void {
  if (width === 1) {
    loadScalar(f, dtype, offset)
  } else if (isByte(dtype)) {
    if (width === 4) f.mem('v128.load32_zero', offset, 0)
    else f.mem('v128.load16_splat', offset, 0)
    widen(f, dtype, width)
  } else if (isHalf(dtype)) {
    f.mem(width === 4 ? 'v128.load64_zero' : 'v128.load32_zero', offset, 0)
    widen(f, dtype, width)
  } else if (width === 2 && dtype !== 'float64') f.mem('v128.load64_zero', offset, 0)
  else f.mem('v128.load', offset, 0)
}

/** Loads one element into every lane: address on the stack. */
export function loadSplat(f: FunctionBuilder, dtype: DType, width: Width): void {
  if (width === 1 || isByte(dtype) || isHalf(dtype)) {
    loadScalar(f, dtype)
    splat(f, kindOf(dtype), width)
  } else f.mem(dtype === 'float64' ? 'v128.load64_splat' : 'v128.load32_splat', 0, 0)
}

/** The number of bytes one lane takes in memory. */
const laneBytes = (dtype: DType): 1 | 2 | 4 | 8 => itemSize(dtype) as 1 | 2 | 4 | 8

const firstLane: Record<1 | 2 | 4 | 8, MemoryOp> = {
  1: 'v128.load8_splat',
  2: 'v128.load16_splat',
  4: 'v128.load32_zero',
  8: 'v128.load64_zero',
}
const laneLoads: Record<1 | 2 | 4 | 8, MemoryLaneOp> = {
  1: 'v128.load8_lane',
  2: 'v128.load16_lane',
  4: 'v128.load32_lane',
  8: 'v128.load64_lane',
}

/** Loads scattered elements; `address(j)` pushes the address of lane j. */
export function loadLanes(
  f: FunctionBuilder,
  dtype: DType,
  width: Width,
  address: (lane: number) => void,
): void {
  if (width === 1) {
    address(0)
    return loadScalar(f, dtype)
  }
  const v = f.local('v128')
  const bytes = laneBytes(dtype)
  address(0)
  f.mem(firstLane[bytes], 0, 0).set(v)
  for (let j = 1; j < width; j++) {
    address(j)
    f.get(v).memLane(laneLoads[bytes], j, 0, 0).set(v)
  }
  f.get(v).free(v)
  if (bytes < 4) widen(f, dtype, width)
}

/** Brings the value in a local into the layout of memory, in the low bytes of a vector. */
function packed(f: FunctionBuilder, dtype: DType, width: Width, value: Local): void {
  f.get(value)
  if (dtype === 'bool') f.i32x4(1).op('v128.and')
  if (isHalf(dtype)) {
    const v = f.local('v128')
    encodeHalf(f, dtype)
    f.tee(v).get(v)
    f.shuffle(Array.from({ length: 16 }, (_, i) => (i < 8 ? (i >> 1) * 4 + (i & 1) : 0))).free(v)
  }
  if (!isByte(dtype)) return
  const step = dtype === 'bool' && width === 2 ? 8 : 4
  f.get(value).shuffle(Array.from({ length: 16 }, (_, i) => (i < width ? i * step : 1)))
}

const laneStores: Record<1 | 2 | 4 | 8, MemoryLaneOp> = {
  1: 'v128.store8_lane',
  2: 'v128.store16_lane',
  4: 'v128.store32_lane',
  8: 'v128.store64_lane',
}

/** Stores neighbouring elements; with `count`, only the first `count` (1 … width - 1) of them. */
export function storeVector(
  f: FunctionBuilder,
  dtype: DType,
  width: Width,
  address: Local,
  offset: number,
  value: Local,
  count?: Local,
): void {
  if (width === 1) {
    f.get(address).get(value)
    storeScalar(f, dtype, offset)
    return
  }
  const bytes = laneBytes(dtype)
  const whole = bytes * width
  if (whole === 16 && count === undefined) {
    f.get(address).get(value).mem('v128.store', offset, 0)
    return
  }
  const v = f.local('v128')
  packed(f, dtype, width, value)
  f.set(v)
  const part = (size: 1 | 2 | 4 | 8, lane: number, at: number) =>
    f
      .get(address)
      .get(v)
      .memLane(laneStores[size], lane, offset + at, 0)
  if (count === undefined) part(whole as 2 | 4 | 8, 0, 0)
  else if (width === 2) part(bytes, 0, 0)
  else {
    const two = (2 * bytes) as 2 | 4 | 8
    f.get(count)
      .i32(2)
      .op('i32.and')
      .if(
        () => {
          part(two, 0, 0)
          f.get(count)
            .i32(1)
            .op('i32.and')
            .if(() => part(bytes, 2, two))
        },
        () => part(bytes, 0, 0),
      )
  }
  f.free(v)
}

/** Stores scattered elements; `address(j)` pushes the address of lane j. Of a part, only the first `count`. */
export function storeLanes(
  f: FunctionBuilder,
  dtype: DType,
  width: Width,
  address: (lane: number) => void,
  value: Local,
  count?: Local,
): void {
  if (width === 1) {
    address(0)
    f.get(value)
    return storeScalar(f, dtype)
  }
  const v = f.local('v128')
  packed(f, dtype, width, value)
  f.set(v)
  for (let j = 0; j < width; j++) {
    const one = () => {
      address(j)
      f.get(v).memLane(laneStores[laneBytes(dtype)], j, 0, 0)
    }
    if (count === undefined || j === 0) one()
    else f.get(count).i32(j).op('i32.gt_s').if(one)
  }
  f.free(v)
}
