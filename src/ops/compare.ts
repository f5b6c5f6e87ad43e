/** Comparisons and logical operators, which give 0 and 1 in the dtype of their operands. */

import type { Tensor } from '../core/tensor.ts'
import { binary, cast, compare, constant, type Expr } from '../prim/expr.ts'
import { type Combine, call, family } from './binary.ts'

const comparison =
  (op: 'eq' | 'ne' | 'lt' | 'le' | 'gt' | 'ge'): Combine =>
  (x, y) =>
    cast(compare(op, x, y), x.dtype)

const equalFamily = family('equal', comparison('eq'), { scalar: '_equal_scalar' }, true)

/**
 * 1 where the elements are equal, else 0; no gradient.
 *
 * `out = (lhs = rhs)`; `(A…), (B…) -> (A… and B… broadcast)`. The result has the common dtype of the operands.
 * @throws MXNetError when the shapes do not broadcast.
 * @example
 * await nd.equal(nd.array([1, 2]), 2).asArray() // => [0, 1]
 * @see MXNet `broadcast_equal`
 */
export function equal<T extends Tensor>(lhs: T | number, rhs: T | number): T {
  return call(equalFamily, lhs, rhs)
}

const notEqualFamily = family('not_equal', comparison('ne'), { scalar: '_not_equal_scalar' }, true)

/**
 * 1 where the elements differ, else 0; no gradient.
 *
 * `out = (lhs ≠ rhs)`; `(A…), (B…) -> (A… and B… broadcast)`. The result has the common dtype of the operands.
 * @throws MXNetError when the shapes do not broadcast.
 * @example
 * await nd.notEqual(nd.array([1, 2]), 2).asArray() // => [1, 0]
 * @see MXNet `broadcast_not_equal`
 */
export function notEqual<T extends Tensor>(lhs: T | number, rhs: T | number): T {
  return call(notEqualFamily, lhs, rhs)
}

const greaterFamily = family('greater', comparison('gt'), { scalar: '_greater_scalar' }, true)

/**
 * 1 where the elements are greater on the left, else 0; no gradient.
 *
 * `out = (lhs > rhs)`; `(A…), (B…) -> (A… and B… broadcast)`. The result has the common dtype of the operands.
 * @throws MXNetError when the shapes do not broadcast.
 * @example
 * await nd.greater(nd.array([1, 2]), 2).asArray() // => [0, 0]
 * @see MXNet `broadcast_greater`
 */
export function greater<T extends Tensor>(lhs: T | number, rhs: T | number): T {
  if (typeof lhs === 'number' && typeof rhs !== 'number') return call(lesserFamily, rhs, lhs)
  return call(greaterFamily, lhs, rhs)
}

const greaterEqualFamily = family(
  'greater_equal',
  comparison('ge'),
  { scalar: '_greater_equal_scalar' },
  true,
)

/**
 * 1 where the elements are greater or equal on the left, else 0; no gradient.
 *
 * `out = (lhs ≥ rhs)`; `(A…), (B…) -> (A… and B… broadcast)`. The result has the common dtype of the operands.
 * @throws MXNetError when the shapes do not broadcast.
 * @example
 * await nd.greaterEqual(nd.array([1, 2]), 2).asArray() // => [0, 1]
 * @see MXNet `broadcast_greater_equal`
 */
export function greaterEqual<T extends Tensor>(lhs: T | number, rhs: T | number): T {
  if (typeof lhs === 'number' && typeof rhs !== 'number') return call(lesserEqualFamily, rhs, lhs)
  return call(greaterEqualFamily, lhs, rhs)
}

const lesserFamily = family('lesser', comparison('lt'), { scalar: '_lesser_scalar' }, true)

/**
 * 1 where the elements are less on the left, else 0; no gradient.
 *
 * `out = (lhs < rhs)`; `(A…), (B…) -> (A… and B… broadcast)`. The result has the common dtype of the operands.
 * @throws MXNetError when the shapes do not broadcast.
 * @example
 * await nd.lesser(nd.array([1, 2]), 2).asArray() // => [1, 0]
 * @see MXNet `broadcast_lesser`
 */
export function lesser<T extends Tensor>(lhs: T | number, rhs: T | number): T {
  if (typeof lhs === 'number' && typeof rhs !== 'number') return call(greaterFamily, rhs, lhs)
  return call(lesserFamily, lhs, rhs)
}

const lesserEqualFamily = family(
  'lesser_equal',
  comparison('le'),
  { scalar: '_lesser_equal_scalar' },
  true,
)

/**
 * 1 where the elements are less or equal on the left, else 0; no gradient.
 *
 * `out = (lhs ≤ rhs)`; `(A…), (B…) -> (A… and B… broadcast)`. The result has the common dtype of the operands.
 * @throws MXNetError when the shapes do not broadcast.
 * @example
 * await nd.lesserEqual(nd.array([1, 2]), 2).asArray() // => [1, 1]
 * @see MXNet `broadcast_lesser_equal`
 */
export function lesserEqual<T extends Tensor>(lhs: T | number, rhs: T | number): T {
  if (typeof lhs === 'number' && typeof rhs !== 'number') return call(greaterEqualFamily, rhs, lhs)
  return call(lesserEqualFamily, lhs, rhs)
}

const truth = (x: Expr): Expr => compare('ne', x, constant(0, x.dtype))
const logical =
  (op: 'and' | 'or' | 'xor'): Combine =>
  (x, y) =>
    cast(binary(op, truth(x), truth(y)), x.dtype)

const logicalAndFamily = family(
  'logical_and',
  logical('and'),
  { scalar: '_logical_and_scalar' },
  true,
)

/**
 * 1 where both elements are not 0, else 0; no gradient.
 *
 * `out = (lhs and rhs)`; `(A…), (B…) -> (A… and B… broadcast)`. The result has the common dtype of the operands.
 * @throws MXNetError when the shapes do not broadcast.
 * @example
 * await nd.logicalAnd(nd.array([0, 2]), 1).asArray() // => [0, 1]
 * @see MXNet `broadcast_logical_and`
 */
export function logicalAnd<T extends Tensor>(lhs: T | number, rhs: T | number): T {
  return call(logicalAndFamily, lhs, rhs)
}

const logicalOrFamily = family('logical_or', logical('or'), { scalar: '_logical_or_scalar' }, true)

/**
 * 1 where an element is not 0, else 0; no gradient.
 *
 * `out = (lhs or rhs)`; `(A…), (B…) -> (A… and B… broadcast)`. The result has the common dtype of the operands.
 * @throws MXNetError when the shapes do not broadcast.
 * @example
 * await nd.logicalOr(nd.array([0, 2]), 1).asArray() // => [1, 1]
 * @see MXNet `broadcast_logical_or`
 */
export function logicalOr<T extends Tensor>(lhs: T | number, rhs: T | number): T {
  return call(logicalOrFamily, lhs, rhs)
}

const logicalXorFamily = family(
  'logical_xor',
  logical('xor'),
  { scalar: '_logical_xor_scalar' },
  true,
)

/**
 * 1 where exactly one element is not 0, else 0; no gradient.
 *
 * `out = (lhs xor rhs)`; `(A…), (B…) -> (A… and B… broadcast)`. The result has the common dtype of the operands.
 * @throws MXNetError when the shapes do not broadcast.
 * @example
 * await nd.logicalXor(nd.array([0, 2]), 1).asArray() // => [1, 0]
 * @see MXNet `broadcast_logical_xor`
 */
export function logicalXor<T extends Tensor>(lhs: T | number, rhs: T | number): T {
  return call(logicalXorFamily, lhs, rhs)
}
