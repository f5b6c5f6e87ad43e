/** The scalar functions that generated modules import, for instructions without code of their own. */

import { binaryMeaning, integerMeaning, unaryMeaning } from '../../prim/scalar.ts'
import type { ValueType } from './assembler.ts'

/** x^y on wrapping 64-bit integers; a negative y gives the truncated quotient. */
function pow64(x: bigint, y: bigint): bigint {
  if (y < 0n) return x === 1n ? 1n : x === -1n ? (y & 1n ? -1n : 1n) : 0n
  let result = 1n
  let base = x
  for (let n = y; n > 0n; n >>= 1n) {
    if (n & 1n) result = BigInt.asIntN(64, result * base)
    base = BigInt.asIntN(64, base * base)
  }
  return result
}

/** The functions, by the name under `env`. */
export const importedFunctions: Record<string, unknown> = {
  ...unaryMeaning,
  mod: binaryMeaning.mod,
  pow: binaryMeaning.pow,
  pow32: integerMeaning.pow,
  pow64,
}

/** Parameter and result types of an imported function. */
export function importedType(name: string): { params: ValueType[]; results: ValueType[] } {
  if (name === 'pow64') return { params: ['i64', 'i64'], results: ['i64'] }
  if (name === 'pow32') return { params: ['f64', 'f64'], results: ['i32'] }
  if (name === 'mod' || name === 'pow') return { params: ['f64', 'f64'], results: ['f64'] }
  return { params: ['f64'], results: ['f64'] }
}
