/** What stands between two symbols, `a + b`: MXNet composes operators that do not broadcast. */

import { sameShape } from '../base/shape.ts'
import { findOp, type OpDef } from '../core/op.ts'
import '../ops/methods.ts'
import { Tensor } from '../core/tensor.ts'
import { compose } from './compose.ts'
import { Symbolic } from './symbol.ts'

/** By method: the operator for equal shapes, the one that broadcasts, and the beginning of names. */
const between: { readonly [method: string]: readonly [string, string, string] } = {
  add: ['elemwise_add', 'broadcast_add', '_plus'],
  sub: ['elemwise_sub', 'broadcast_sub', '_minus'],
  subtract: ['elemwise_sub', 'broadcast_sub', '_minus'],
  mul: ['elemwise_mul', 'broadcast_mul', '_mul'],
  multiply: ['elemwise_mul', 'broadcast_mul', '_mul'],
  div: ['elemwise_div', 'broadcast_div', '_div'],
  divide: ['elemwise_div', 'broadcast_div', '_div'],
  mod: ['_mod', 'broadcast_mod', '_mod'],
  modulo: ['_mod', 'broadcast_mod', '_mod'],
  pow: ['_power', 'broadcast_power', '_power'],
  power: ['_power', 'broadcast_power', '_power'],
  maximum: ['_maximum', 'broadcast_maximum', '_maximum'],
  minimum: ['_minimum', 'broadcast_minimum', '_minimum'],
  hypot: ['_hypot', 'broadcast_hypot', '_hypot'],
  equal: ['_equal', 'broadcast_equal', '_equal'],
  notEqual: ['_not_equal', 'broadcast_not_equal', '_not_equal'],
  greater: ['_greater', 'broadcast_greater', '_greater'],
  greaterEqual: ['_greater_equal', 'broadcast_greater_equal', '_greater_equal'],
  lesser: ['_lesser', 'broadcast_lesser', '_lesser'],
  lesserEqual: ['_lesser_equal', 'broadcast_lesser_equal', '_lesser_equal'],
  logicalAnd: ['_logical_and', 'broadcast_logical_and', '_logical_and'],
  logicalOr: ['_logical_or', 'broadcast_logical_or', '_logical_or'],
  logicalXor: ['_logical_xor', 'broadcast_logical_xor', '_logical_xor'],
}

/** The same with the operands the other way round. */
const reversed = { rsub: 'sub', rdiv: 'div', rmod: 'mod', rpow: 'pow' } as const

const record = (name: string): OpDef => findOp(name)!

/** Whether both shapes are known already, and differ: then only broadcasting can be meant. */
function differ(a: Symbolic, b: Symbolic): boolean {
  const [x, y] = [a.foreseen, b.foreseen]
  return x !== null && y !== null && !sameShape(x.shape, y.shape)
}

/** What a function named `method` makes of two symbols. */
export function combined(method: string, lhs: Symbolic, rhs: Symbolic): Symbolic {
  const [plain, broadcast, hint] = between[method]!
  return differ(lhs, rhs)
    ? compose(record(broadcast), [lhs, rhs])[0]!
    : compose(record(plain), [lhs, rhs], {}, hint)[0]!
}

for (const method of Object.keys(between)) {
  const withOthers: unknown = Reflect.get(Tensor.prototype, method)
  if (typeof withOthers !== 'function') continue
  Object.defineProperty(Symbolic.prototype, method, {
    value(this: Symbolic, rhs: unknown): Symbolic {
      return rhs instanceof Symbolic ? combined(method, this, rhs) : withOthers.call(this, rhs)
    },
  })
}
for (const [method, straight] of Object.entries(reversed)) {
  const withOthers = Reflect.get(Tensor.prototype, method) as (lhs: unknown) => Symbolic
  Object.defineProperty(Symbolic.prototype, method, {
    value(this: Symbolic, lhs: unknown): Symbolic {
      return lhs instanceof Symbolic ? lhs[straight as 'sub'](this) : withOthers.call(this, lhs)
    },
  })
}
// MXNet writes -x as a multiplication.
Object.defineProperty(Symbolic.prototype, 'neg', {
  value(this: Symbolic): Symbolic {
    return this.mul(-1)
  },
})
