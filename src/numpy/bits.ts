/** Functions of integers as such: their bits, those of truths too, and what they divide. */

import { isFloat, promote } from '../base/dtype.ts'
import { fail } from '../base/error.ts'
import { broadcastShapes } from '../base/shape.ts'
import { apply } from '../core/apply.ts'
import { OpDef } from '../core/op.ts'
import type { Tensor } from '../core/tensor.ts'
import { callRoutine } from '../prim/call.ts'
import { binary, constant, type Expr, unary } from '../prim/expr.ts'
import { broadcastTo, castTo, pointwise } from '../prim/primitive.ts'

function checkWhole(where: string, x: Tensor): void {
  if (isFloat(x.dtype)) fail(where, `${x.dtype} has no bits to combine: integers and truths have`)
}

const operatorOf = (name: string, op: 'and' | 'or' | 'xor'): OpDef =>
  new OpDef({
    name,
    inputs: ['x1', 'x2'],
    body: ([a, b]) => {
      for (const x of [a!, b!]) checkWhole(name, x)
      const dtype = promote(a!.dtype, b!.dtype)
      return pointwise([castTo(a!, dtype), castTo(b!, dtype)], ([x, y]) => binary(op, x!, y!), name)
    },
  }) as unknown as OpDef

type Binary = <T extends Tensor>(x1: T, x2: T) => T
const together =
  (op: OpDef): Binary =>
  (x1, x2) =>
    apply(op, [x1, x2])

/**
 * Bits that both have.
 * @throws MXNetError for floats.
 * @example
 * await np.bitwiseAnd(np.array([6], { dtype: 'int32' }), np.array([3], { dtype: 'int32' })).asArray() // => [2]
 * @see MXNet `np.bitwise_and`
 */
export const bitwiseAnd: Binary = together(operatorOf('bitwise_and', 'and'))
/** Bits that one of both has. @see MXNet `np.bitwise_or` */
export const bitwiseOr: Binary = together(operatorOf('bitwise_or', 'or'))
/** Bits that one of both alone has. @see MXNet `np.bitwise_xor` */
export const bitwiseXor: Binary = together(operatorOf('bitwise_xor', 'xor'))

const notOp = new OpDef({
  name: 'bitwise_not',
  inputs: ['x'],
  body: ([x]) => {
    checkWhole('bitwise_not', x!)
    const all = (v: Expr): Expr => constant(x!.dtype === 'uint8' ? 255 : -1, v.dtype)
    return pointwise([x!], ([v]) =>
      x!.dtype === 'bool' ? unary('not', v!) : binary('xor', v!, all(v!)),
    )
  },
}) as unknown as OpDef

/** Bits turned over: `-x - 1` for signed integers. @see MXNet `np.bitwise_not` */
export const bitwiseNot = <T extends Tensor>(x: T): T => apply(notOp, [x])
/** `bitwiseNot`. @see MXNet `np.invert` */
export const invert = bitwiseNot

const lcmOp = new OpDef({
  name: 'lcm',
  inputs: ['x1', 'x2'],
  body: ([a, b]) => {
    const dtype = promote(a!.dtype, b!.dtype)
    if (dtype !== 'int32' && dtype !== 'int64' && dtype !== 'int8' && dtype !== 'uint8')
      fail('lcm', `${a!.dtype} and ${b!.dtype}: integers have common multiples`)
    const shape = broadcastShapes('lcm', a!.shape, b!.shape)
    const both = [a!, b!].map((x) => broadcastTo(castTo(x, dtype), shape))
    return callRoutine('lcm', both, [], shape, dtype)
  },
}) as unknown as OpDef

/**
 * The least common multiple, at least 0; 0 where one of both is 0.
 *
 * `(A…), (B…) -> (C…)`, broadcast; integers only; wraps around where the dtype does not hold it.
 * @throws MXNetError for floats and truths.
 * @example
 * await np.lcm(np.array([4, 0], { dtype: 'int32' }), np.array([6], { dtype: 'int32' })).asArray() // => [12, 0]
 * @see MXNet `np.lcm`
 */
export const lcm: Binary = together(lcmOp)
