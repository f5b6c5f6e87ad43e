/** Code for 16-bit floats: lanes of their bits to float32 and back, rounding to nearest, ties to even. */

import type { DType } from '../../base/dtype.ts'
import type { FunctionBuilder } from './assembler.ts'

/** Whether a dtype is stored in 16 bits and computed in float32. */
export const isHalf = (dtype: DType): boolean => dtype === 'float16' || dtype === 'bfloat16'

/** Turns four i32 lanes of 16 bits each on the stack into float32. */
export function decodeHalf(f: FunctionBuilder, dtype: DType): void {
  if (dtype === 'bfloat16') {
    f.i32(16).op('i32x4.shl')
    return
  }
  const [h, m] = [f.local('v128'), f.local('v128')]
  f.set(h).get(h).i32x4(0x7fff).op('v128.and').set(m)
  // Exponent and fraction in place, and the bias made up for by a factor, which subnormals need as well.
  f.get(m)
    .i32(13)
    .op('i32x4.shl')
    .f32x4(2 ** 112)
    .op('f32x4.mul')
  f.get(m).i32x4(0x7bff).op('i32x4.gt_s').i32x4(0x7f800000).op('v128.and').op('v128.or')
  f.get(h).i32x4(0x8000).op('v128.and').i32(16).op('i32x4.shl').op('v128.or')
  f.free(h).free(m)
}

/** Turns four float32 lanes on the stack into i32 lanes of 16 bits each. */
export function encodeHalf(f: FunctionBuilder, dtype: DType): void {
  const b = f.local('v128')
  f.set(b)
  if (dtype === 'bfloat16') {
    f.i32x4(0x7fc0)
    f.get(b).i32x4(0x7fff).op('i32x4.add')
    f.get(b).i32(16).op('i32x4.shr_u').i32x4(1).op('v128.and').op('i32x4.add')
    f.i32(16).op('i32x4.shr_u')
    f.get(b).get(b).op('f32x4.ne').op('v128.bitselect').free(b)
    return
  }
  const a = f.local('v128')
  f.get(b).i32x4(0x7fffffff).op('v128.and').set(a)
  // NaN or infinity; where smaller: rounded by adding to the bits; where smaller still: by adding 1/2.
  f.i32x4(0x7e00).i32x4(0x7c00).get(a).i32x4(0x7f800000).op('i32x4.gt_s').op('v128.bitselect')
  f.get(a).f32x4(0.5).op('f32x4.add').i32x4(0x3f000000).op('i32x4.sub')
  f.get(a)
    .i32x4((-112 << 23) + 0xfff)
    .op('i32x4.add')
  f.get(a).i32(13).op('i32x4.shr_u').i32x4(1).op('v128.and').op('i32x4.add')
  f.i32(13).op('i32x4.shr_u')
  f.get(a).i32x4(0x38800000).op('i32x4.lt_s').op('v128.bitselect')
  f.get(a).i32x4(0x477fffff).op('i32x4.gt_s').op('v128.bitselect')
  f.get(b).i32(16).op('i32x4.shr_u').i32x4(0x8000).op('v128.and').op('v128.or')
  f.free(a).free(b)
}

/** Rounds four float32 lanes on the stack to what the dtype can hold. */
export function roundHalf(f: FunctionBuilder, dtype: DType): void {
  encodeHalf(f, dtype)
  decodeHalf(f, dtype)
}
