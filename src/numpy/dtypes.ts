/** NumPy's rules of dtypes, on top of operators that keep them: what turns integers into floats, and what is a truth. */

import { holdsNumber, isFloat } from '../base/dtype.ts'
import type { Tensor } from '../core/tensor.ts'
import { cast } from '../ops/cast.ts'

/** The tensor in a floating dtype: float32 for integers and truths. */
export const asFloat = <T extends Tensor>(x: T): T =>
  isFloat(x.dtype) ? x : cast(x, { dtype: 'float32' })

/** The tensor as truths. */
export const asBool = <T extends Tensor>(x: T): T => cast(x, { dtype: 'bool' })

/** An operand and a number that it must hold: integers become float32 for a fraction, int64 for a number too large. */
function beside<T extends Tensor>(x: T, value: number): T {
  if (isFloat(x.dtype)) return x
  if (!Number.isInteger(value)) return cast(x, { dtype: 'float32' })
  return x.dtype !== 'bool' && holdsNumber(x.dtype, value) ? x : cast(x, { dtype: 'int64' })
}

/** Two operands of which a number never fails for the array's dtype. */
export function together<T extends Tensor>(a: T | number, b: T | number): [T | number, T | number] {
  if (typeof a === 'number' && typeof b !== 'number') return [a, beside(b, a)]
  if (typeof b === 'number' && typeof a !== 'number') return [beside(a, b), b]
  return [a, b]
}

/** Two operands in floating dtypes. */
export const floats = <T extends Tensor>(
  a: T | number,
  b: T | number,
): [T | number, T | number] => [
  typeof a === 'number' ? a : asFloat(a),
  typeof b === 'number' ? b : asFloat(b),
]
