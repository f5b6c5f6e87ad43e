/** Functions of the bits of integers and of truths. */

import { isFloat, promote } from '../base/dtype.ts'
import { fail } from '../base/error.ts'
import { apply } from '../core/apply.ts'
import { OpDef } from '../core/op.ts'
import type { Tensor } from '../core/tensor.ts'
import { binary, constant, type Expr, unary } from '../prim/expr.ts'
import { castTo, pointwise } from '../prim/primitive.ts'

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
