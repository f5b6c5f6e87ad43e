/** The scalar instructions on int64, exactly, as bigints; what stores a result wraps it to 64 bits. */

import { fail } from '../../base/error.ts'
import type { BinaryName, CompareName, UnaryName } from '../../prim/scalar.ts'

type Fn1 = (x: bigint) => bigint
type Fn2 = (x: bigint, y: bigint) => bigint

/** Smallest int64. */
export const int64Min = -(2n ** 63n)
/** Largest int64. */
export const int64Max = 2n ** 63n - 1n

const unaryTable: Partial<Record<UnaryName, Fn1>> = {
  neg: (x) => -x,
  abs: (x) => (x < 0n ? -x : x),
  sign: (x) => (x > 0n ? 1n : x < 0n ? -1n : 0n),
  not: (x) => (x === 0n ? 1n : 0n),
  floor: (x) => x,
  ceil: (x) => x,
  round: (x) => x,
  trunc: (x) => x,
}

function floorMod(x: bigint, y: bigint): bigint {
  if (y === 0n) return 0n
  const r = x % y
  return r !== 0n && r < 0n !== y < 0n ? r + y : r
}

function power(x: bigint, y: bigint): bigint {
  if (y < 0n) return x === 1n ? 1n : x === -1n ? (y % 2n === 0n ? 1n : -1n) : 0n
  let result = 1n
  for (let square = x, rest = y; rest > 0n; rest >>= 1n) {
    if (rest & 1n) result = BigInt.asIntN(64, result * square)
    square = BigInt.asIntN(64, square * square)
  }
  return result
}

/** Meaning of the two-operand instructions. */
export const bigBinary: Record<BinaryName, Fn2> = {
  add: (x, y) => x + y,
  sub: (x, y) => x - y,
  mul: (x, y) => x * y,
  div: (x, y) => (y === 0n ? 0n : x / y),
  mod: floorMod,
  pow: power,
  max: (x, y) => (x > y ? x : y),
  min: (x, y) => (x < y ? x : y),
  and: (x, y) => x & y,
  or: (x, y) => x | y,
  xor: (x, y) => x ^ y,
  shl: (x, y) => x << (y & 63n),
  shr: (x, y) => BigInt.asUintN(64, x) >> (y & 63n),
}

/** Meaning of the comparisons. */
export const bigCompare: Record<CompareName, (x: bigint, y: bigint) => boolean> = {
  eq: (x, y) => x === y,
  ne: (x, y) => x !== y,
  lt: (x, y) => x < y,
  le: (x, y) => x <= y,
  gt: (x, y) => x > y,
  ge: (x, y) => x >= y,
}

/** Meaning of a one-operand instruction. */
export function bigUnary(op: UnaryName): Fn1 {
  return unaryTable[op] ?? fail('reference', `instruction ${op} is for floats, not for int64`)
}

/** The integer nearest to zero from a number; 0 for NaN, the ends of int64 beyond them. */
export function toBig(value: number): bigint {
  if (Number.isNaN(value)) return 0n
  if (value >= 2 ** 63) return int64Max
  if (value <= -(2 ** 63)) return int64Min
  return BigInt(Math.trunc(value))
}
