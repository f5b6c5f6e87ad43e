/** Elementwise operators of two tensors that broadcast, and of a tensor and a number. */

import { holdsNumber, isFloat } from '../base/dtype.ts'
import { fail } from '../base/error.ts'
import { formatShape, sameShape } from '../base/shape.ts'
import { apply, applyInto } from '../core/apply.ts'
import { attr } from '../core/attrs.ts'
import type { Aval } from '../core/aval.ts'
import { defineOp, type OpDef } from '../core/op.ts'
import type { Tensor } from '../core/tensor.ts'
import { binary, cast, type Expr, unary } from '../prim/expr.ts'
import { castTo, commonDType, pointwise } from '../prim/primitive.ts'

/** A function of two scalars. */
export type Combine = (x: Expr, y: Expr) => Expr

/** Brings both sides to their common dtype and combines them point by point. */
function combine(where: string, a: Tensor, b: Tensor, f: Combine, keepDType = false): Tensor {
  const dtype = commonDType(a, b)
  // MXNet computes with bool arrays as numbers: 1 + 1 is 2, in int64.
  const type = dtype === 'bool' && !keepDType ? 'int64' : dtype
  return pointwise([castTo(a, type), castTo(b, type)], ([x, y]) => f(x!, y!), where)
}

/** A fraction meeting an integer array, or a number out of its range, would have to be changed silently. */
function checkNumber(where: string) {
  return ([x]: readonly Aval[], [scalar]: readonly number[]): void => {
    if (!isFloat(x!.dtype) && !(Number.isInteger(scalar) && holdsNumber(x!.dtype, scalar!))) {
      fail(
        where,
        `the number ${scalar} does not fit an array of ${x!.dtype}: use an integer in its range, or astype('float32') first`,
      )
    }
  }
}

/** The records of one function of two operands: elementwise, broadcasting, and with a number on either side. */
export interface Family {
  readonly broadcast: OpDef
  /** The record that refuses to broadcast: what stands between symbols. */
  readonly elementwise: OpDef
  readonly scalar: OpDef
  readonly reversed: OpDef
}

const capital = (word: string): string => word.charAt(0).toUpperCase() + word.slice(1)

/** The names of a record without broadcasting, where it has no word of its own: `_not_equal`, `_Not_Equal`. */
const plainNames = (name: string): [string, ...string[]] => [
  `_${name}`,
  `_${name.split('_').map(capital).join('_')}`,
]

/** The name that graphs of old versions have for a record with a number: `_RMinusScalar` for `_rminus_scalar`. */
function capitals(record: string): string {
  const words = record.slice(1).split('_')
  const [first = '', ...rest] = words
  const reversed = /^r(minus|div|mod|power)$/.exec(first)
  const head = reversed ? `R${capital(reversed[1]!)}` : capital(first)
  return `_${[head, ...rest.map(capital)].join('')}`
}

/** Records that MXNet has another name for, where the array is sparse. */
const scattered: readonly string[] = ['_plus_scalar', '_minus_scalar']

/** Declares the records of one function of two operands. */
export function family(
  name: string,
  f: Combine,
  names: {
    readonly broadcast?: readonly string[]
    readonly scalar: string
    readonly reversed?: string
    readonly elementwise?: readonly [string, ...string[]]
  },
  keepDType = false,
): Family {
  const [strict, ...others] = names.elementwise ?? plainNames(name)
  const wire = `broadcast_${name}`
  const elementwise = defineOp({
    name: strict,
    aliases: others,
    inputs: ['lhs', 'rhs'],
    body: ([a, b]) => {
      if (!sameShape(a!.shape, b!.shape)) {
        fail(
          strict,
          `shapes ${formatShape(a!.shape)} and ${formatShape(b!.shape)} differ: use ${wire}`,
        )
      }
      return combine(strict, a!, b!, f, keepDType)
    },
  })
  const broadcast = defineOp({
    name: wire,
    aliases: names.broadcast ?? [],
    inputs: ['lhs', 'rhs'],
    body: ([a, b]) => combine(wire, a!, b!, f, keepDType),
  })
  const withNumber = (record: string, g: Combine): OpDef =>
    defineOp({
      name: record,
      aliases: [capitals(record), ...(scattered.includes(record) ? [`_scatter${record}`] : [])],
      inputs: ['data'],
      attrs: { scalar: attr.scalar() },
      check: checkNumber(record),
      body: ([x], _attrs, [scalar]) => combine(record, x!, scalar!, g, keepDType),
    }) as unknown as OpDef
  const scalar = withNumber(names.scalar, f)
  const reversed = names.reversed ? withNumber(names.reversed, (x, y) => f(y, x)) : scalar
  return {
    broadcast: broadcast as unknown as OpDef,
    elementwise: elementwise as unknown as OpDef,
    scalar,
    reversed,
  }
}

/** The operand kinds of a function of two: tensors, or a tensor and a number. */
export function call<T extends Tensor>(f: Family, lhs: T | number, rhs: T | number): T {
  if (typeof rhs === 'number') {
    if (typeof lhs === 'number')
      fail(f.broadcast.name, 'both operands are numbers: one must be an array')
    return apply(f.scalar, [lhs], { scalar: rhs })
  }
  if (typeof lhs === 'number') return apply(f.reversed, [rhs], { scalar: lhs })
  return apply(f.broadcast, [lhs, rhs])
}

const arithmetic =
  (op: 'add' | 'sub' | 'mul' | 'div' | 'mod' | 'pow' | 'max' | 'min'): Combine =>
  (x, y) =>
    binary(op, x, y)

const addFamily = family('add', arithmetic('add'), {
  broadcast: ['broadcast_plus'],
  scalar: '_plus_scalar',
  elementwise: ['elemwise_add', '_add', '_plus', '_Plus', '_grad_add'],
})

/**
 * The sum of two arrays, or of an array and a number.
 *
 * `out = lhs + rhs`; `(A…), (B…) -> (A… and B… broadcast)`. Dtypes promote; a number takes the array's dtype.
 * @throws MXNetError when the shapes do not broadcast, or a fraction meets an integer array.
 * @example
 * await nd.add(nd.array([1, 2]), 1).asArray() // => [2, 3]
 * @see MXNet `broadcast_add`
 */
export function add<T extends Tensor>(lhs: T | number, rhs: T | number): T {
  return call(addFamily, lhs, rhs)
}

const subtractFamily = family('sub', arithmetic('sub'), {
  broadcast: ['broadcast_minus'],
  scalar: '_minus_scalar',
  reversed: '_rminus_scalar',
  elementwise: ['elemwise_sub', '_sub', '_minus', '_Minus'],
})

/**
 * The difference of two arrays, or of an array and a number.
 *
 * `out = lhs - rhs`; `(A…), (B…) -> (A… and B… broadcast)`. Dtypes promote; a number takes the array's dtype.
 * @throws MXNetError when the shapes do not broadcast, or a fraction meets an integer array.
 * @example
 * await nd.subtract(3, nd.array([1, 2])).asArray() // => [2, 1]
 * @see MXNet `broadcast_sub`
 */
export function subtract<T extends Tensor>(lhs: T | number, rhs: T | number): T {
  return call(subtractFamily, lhs, rhs)
}

const multiplyFamily = family('mul', arithmetic('mul'), {
  scalar: '_mul_scalar',
  elementwise: ['elemwise_mul', '_mul', '_Mul'],
})

/**
 * The product of two arrays, element by element, or of an array and a number.
 *
 * `out = lhs·rhs`; `(A…), (B…) -> (A… and B… broadcast)`. Dtypes promote; a number takes the array's dtype.
 * @throws MXNetError when the shapes do not broadcast, or a fraction meets an integer array.
 * @example
 * await nd.multiply(nd.array([1, 2]), 3).asArray() // => [3, 6]
 * @see MXNet `broadcast_mul`
 */
export function multiply<T extends Tensor>(lhs: T | number, rhs: T | number): T {
  return call(multiplyFamily, lhs, rhs)
}

const divideFamily = family('div', arithmetic('div'), {
  scalar: '_div_scalar',
  reversed: '_rdiv_scalar',
  elementwise: ['elemwise_div', '_div', '_Div', '_scatter_elemwise_div'],
})

/**
 * The quotient of two arrays, or of an array and a number; integers truncate.
 *
 * `out = lhs / rhs`; `(A…), (B…) -> (A… and B… broadcast)`. Dtypes promote; a number takes the array's dtype.
 * @throws MXNetError when the shapes do not broadcast, or a fraction meets an integer array.
 * @example
 * await nd.divide(nd.array([1, 2]), 2).asArray() // => [0.5, 1]
 * @see MXNet `broadcast_div`
 */
export function divide<T extends Tensor>(lhs: T | number, rhs: T | number): T {
  return call(divideFamily, lhs, rhs)
}

const moduloFamily = family('mod', arithmetic('mod'), {
  scalar: '_mod_scalar',
  reversed: '_rmod_scalar',
})

/**
 * The remainder with the sign of the divisor; 0 where the divisor is 0.
 *
 * `out = lhs - ⌊lhs / rhs⌋·rhs`; `(A…), (B…) -> (A… and B… broadcast)`. Dtypes promote; a number takes the array's dtype.
 * @throws MXNetError when the shapes do not broadcast, or a fraction meets an integer array.
 * @example
 * await nd.modulo(nd.array([5, -5]), 3).asArray() // => [2, 1]
 * @see MXNet `broadcast_mod`
 */
export function modulo<T extends Tensor>(lhs: T | number, rhs: T | number): T {
  return call(moduloFamily, lhs, rhs)
}

const powerFamily = family('power', arithmetic('pow'), {
  scalar: '_power_scalar',
  reversed: '_rpower_scalar',
})

/**
 * One array to the power of another, or of a number.
 *
 * `out = lhs ^ rhs`; `(A…), (B…) -> (A… and B… broadcast)`. Dtypes promote; a number takes the array's dtype.
 * @throws MXNetError when the shapes do not broadcast, or a fraction meets an integer array.
 * @example
 * await nd.power(nd.array([2, 3]), 2).asArray() // => [4, 9]
 * @see MXNet `broadcast_power`
 */
export function power<T extends Tensor>(lhs: T | number, rhs: T | number): T {
  return call(powerFamily, lhs, rhs)
}

const maximumFamily = family('maximum', arithmetic('max'), { scalar: '_maximum_scalar' }, true)

/**
 * The larger of two arrays, element by element; NaN propagates, ties give their gradient to lhs.
 *
 * `out = max(lhs, rhs)`; `(A…), (B…) -> (A… and B… broadcast)`. Dtypes promote; a number takes the array's dtype.
 * @throws MXNetError when the shapes do not broadcast, or a fraction meets an integer array.
 * @example
 * await nd.maximum(nd.array([1, 3]), 2).asArray() // => [2, 3]
 * @see MXNet `broadcast_maximum`
 */
export function maximum<T extends Tensor>(lhs: T | number, rhs: T | number): T {
  return call(maximumFamily, lhs, rhs)
}

const minimumFamily = family('minimum', arithmetic('min'), { scalar: '_minimum_scalar' }, true)

/**
 * The smaller of two arrays, element by element; NaN propagates, ties give their gradient to lhs.
 *
 * `out = min(lhs, rhs)`; `(A…), (B…) -> (A… and B… broadcast)`. Dtypes promote; a number takes the array's dtype.
 * @throws MXNetError when the shapes do not broadcast, or a fraction meets an integer array.
 * @example
 * await nd.minimum(nd.array([1, 3]), 2).asArray() // => [1, 2]
 * @see MXNet `broadcast_minimum`
 */
export function minimum<T extends Tensor>(lhs: T | number, rhs: T | number): T {
  return call(minimumFamily, lhs, rhs)
}

const hypotFamily = family(
  'hypot',
  (x, y) => {
    // Integers are computed in float32 and truncated, as in MXNet.
    const [a, b] = isFloat(x.dtype) ? [x, y] : [cast(x, 'float32'), cast(y, 'float32')]
    return cast(unary('sqrt', binary('add', binary('mul', a, a), binary('mul', b, b))), x.dtype)
  },
  { scalar: '_hypot_scalar' },
)

/**
 * The length of the hypotenuse.
 *
 * `out = √(lhs² + rhs²)`; `(A…), (B…) -> (A… and B… broadcast)`. Dtypes promote; a number takes the array's dtype.
 * @throws MXNetError when the shapes do not broadcast, or a fraction meets an integer array.
 * @example
 * await nd.hypot(nd.array([3]), 4).asArray() // => [5]
 * @see MXNet `broadcast_hypot`
 */
export function hypot<T extends Tensor>(lhs: T | number, rhs: T | number): T {
  return call(hypotFamily, lhs, rhs)
}

const addNOp = defineOp({
  name: 'add_n',
  aliases: ['ElementWiseSum'],
  inputs: ['...args'],
  body: (xs) => {
    const [first, ...rest] = xs
    if (first === undefined) fail('add_n', 'no arrays given: it takes at least one')
    for (const x of rest) {
      if (!sameShape(x.shape, first.shape)) {
        fail(
          'add_n',
          `shapes ${formatShape(first.shape)} and ${formatShape(x.shape)} differ: all must be the same`,
        )
      }
    }
    return rest.reduce((sum, x) => combine('add_n', sum, x, arithmetic('add')), first)
  },
})

/**
 * The sum of any number of arrays of one shape.
 *
 * `out = Σ args`; `(A…), (A…), … -> (A…)`. Dtypes promote.
 * @throws MXNetError when the shapes differ or no array is given.
 * @example
 * await nd.addN(nd.ones([2]), nd.ones([2]), nd.ones([2])).asArray() // => [3, 3]
 * @see MXNet `add_n`
 */
export function addN<T extends Tensor>(...args: T[]): T {
  return apply(addNOp, args)
}

/** Adds arrays to `target`, in place. */
export function addInto<T extends Tensor>(target: T, others: readonly T[]): void {
  applyInto(addNOp as unknown as OpDef, [target, ...others], undefined, [target])
}

/**
 * The sum of two arrays of one shape; it does not broadcast.
 *
 * `out = lhs + rhs`; `(A…), (A…) -> (A…)`; dtypes promote.
 * @throws MXNetError when the shapes differ.
 * @example
 * await nd.elemwiseAdd(nd.array([1]), nd.array([2])).asArray() // => [3]
 * @see MXNet `elemwise_add`
 */
export function elemwiseAdd<T extends Tensor>(lhs: T, rhs: T): T {
  return apply(addFamily.elementwise, [lhs, rhs])
}

/**
 * The difference of two arrays of one shape; it does not broadcast.
 *
 * `out = lhs - rhs`; `(A…), (A…) -> (A…)`; dtypes promote.
 * @throws MXNetError when the shapes differ.
 * @example
 * await nd.elemwiseSub(nd.array([3]), nd.array([2])).asArray() // => [1]
 * @see MXNet `elemwise_sub`
 */
export function elemwiseSub<T extends Tensor>(lhs: T, rhs: T): T {
  return apply(subtractFamily.elementwise, [lhs, rhs])
}

/**
 * The product of two arrays of one shape; it does not broadcast.
 *
 * `out = lhs·rhs`; `(A…), (A…) -> (A…)`; dtypes promote.
 * @throws MXNetError when the shapes differ.
 * @example
 * await nd.elemwiseMul(nd.array([3]), nd.array([2])).asArray() // => [6]
 * @see MXNet `elemwise_mul`
 */
export function elemwiseMul<T extends Tensor>(lhs: T, rhs: T): T {
  return apply(multiplyFamily.elementwise, [lhs, rhs])
}

/**
 * The quotient of two arrays of one shape; it does not broadcast.
 *
 * `out = lhs / rhs`; `(A…), (A…) -> (A…)`; dtypes promote.
 * @throws MXNetError when the shapes differ.
 * @example
 * await nd.elemwiseDiv(nd.array([4]), nd.array([2])).asArray() // => [2]
 * @see MXNet `elemwise_div`
 */
export function elemwiseDiv<T extends Tensor>(lhs: T, rhs: T): T {
  return apply(divideFamily.elementwise, [lhs, rhs])
}
