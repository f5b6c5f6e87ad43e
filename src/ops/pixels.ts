/** Pixels: where the axes of images lie, numbers by channel, and bytes that saturate. */

import { type DType, dtypeInfo, isFloat } from '../base/dtype.ts'
import { fail } from '../base/error.ts'
import { formatShape } from '../base/shape.ts'
import type { Tensor } from '../core/tensor.ts'
import { num } from '../prim/arithmetic.ts'
import { binary, cast, compare, constant, type Expr, index, select } from '../prim/expr.ts'

/** Checks for an image or a batch of images; gives the axis of the height. */
export function heightAxis(where: string, x: Tensor): number {
  const rank = x.shape.length
  if (rank !== 3 && rank !== 4)
    fail(where, `data has shape ${formatShape(x.shape)}: it must be (H, W, C) or (N, H, W, C)`)
  return rank - 3
}

/** A float value in the dtype of the image: bytes saturate and drop fractions. */
export function saturated(v: Expr, dtype: DType): Expr {
  if (isFloat(dtype)) return cast(v, dtype)
  const { min, max } = dtypeInfo(dtype)
  return cast(binary('min', binary('max', v, num(v, min)), num(v, max)), dtype)
}

/** A number for each channel along axis 0 of the domain's axes. */
export function channelTable(values: readonly number[], axis: number, like: Expr): Expr {
  return values.reduce<Expr>(
    (e, v, i) =>
      i === 0
        ? num(like, v)
        : select(compare('eq', index(axis), constant(i, 'int32')), num(like, v), e),
    num(like, 0),
  )
}
