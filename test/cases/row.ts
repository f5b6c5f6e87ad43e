/** What a row of the operator table says about an operator. */

import type { Context } from '../../src/base/context.ts'
import type { DType } from '../../src/base/dtype.ts'
import type { Arr } from './model.ts'

/** How a number in (0, 1) becomes an element. */
export type Domain = (u: number) => number

/** One input: a shape drawn from the row's domain, or one with a domain of its own. */
export type InputSpec =
  | readonly number[]
  | {
      readonly shape: readonly number[]
      readonly from?: Domain
      /** Given values instead of drawn ones. */
      readonly values?: readonly number[]
      /** Not differentiated (indices, labels, conditions). */
      readonly fixed?: boolean
      readonly dtype?: DType
    }

export interface Case<A> {
  readonly inputs?: readonly InputSpec[]
  readonly attrs?: A
  /** The shape of the result, where the formula asks for it. */
  readonly want?: readonly number[]
  /** Highest order of the gradient check in this case. */
  readonly order?: 0 | 1 | 2
}

/** One operator: its cases, and what it should compute. */
export interface RowOf<A> {
  readonly op: string
  readonly cases: readonly Case<A>[]
  readonly domain?: Domain
  /** The result in plain float64 numbers. */
  readonly formula?: (xs: readonly Arr[], attrs: A, want: readonly number[]) => Arr | readonly Arr[]
  /** Relative tolerances in float64 and float32. */
  readonly tol64?: number
  readonly tol32?: number
  /** Units in the last place of 16-bit floats; 4 unless the formula magnifies the rounding of its steps. */
  readonly halfUnits?: number
  /** Order to which the gradient is checked: 2 unless a reason is given. */
  readonly order?: 0 | 1 | 2
  readonly why?: string
  /** dtype of the results for inputs of a dtype; the same by default. */
  readonly result?: (dtype: DType, attrs: A) => DType
  /** dtypes of several results where they differ; null for that of the inputs. */
  readonly results?: readonly (DType | null)[]
  /** Other dtypes the operator is defined for, and their formula where it is not the cast float one. */
  readonly ints?: {
    readonly dtypes: readonly DType[]
    readonly domain?: Domain
    readonly formula?: (xs: readonly Arr[], attrs: A, dtype: DType) => Arr | readonly Arr[]
    /** Attributes that are integers where the cases have fractions. */
    readonly attrs?: (attrs: A) => A
  }
  /** Operators without a formula: random ones. */
  readonly statistics?: (context: Context) => Promise<void>
}

// biome-ignore lint/suspicious/noExplicitAny: rows of different attributes stand in one table
export type Row = RowOf<any>

/** Writes a row with its attributes typed. */
export const row = <A = object>(r: RowOf<A>): Row => r

export const between =
  (lo: number, hi: number): Domain =>
  (u) =>
    lo + (hi - lo) * u
/** Both signs, away from 0. */
export const signed: Domain = (u) => (u < 0.5 ? -2 + 3.6 * u : 0.2 + 3.6 * (u - 0.5))
export const positive = between(0.3, 3)
/** Integers from lo to hi. */
export const whole =
  (lo: number, hi: number): Domain =>
  (u) =>
    lo + Math.floor(u * (hi - lo + 1))
/** Both signs, away from integers and from halves. */
export const fractional: Domain = (u) => {
  const k = Math.floor(u * 8)
  const part = u * 8 - k
  return k - 4 + (part < 0.5 ? 0.1 + 0.6 * part : 0.6 + 0.6 * (part - 0.5))
}
/** Indices below n, some of them outside on either side. */
export const loose = (n: number): Domain => whole(-1, n)

export const allInts: readonly DType[] = ['int32', 'int64', 'uint8', 'int8']
