/** Scalar programs as JavaScript closures: floats in float64 without rounding, integers wrapped to their width. */

import { type DType, isFloat } from '../../base/dtype.ts'
import { fail } from '../../base/error.ts'
import { type HalfFormat, halfFormat } from '../../base/half.ts'
import { cast, type Expr, linearize, toDType } from '../../prim/expr.ts'
import type { Operand } from '../../prim/kernel.ts'
import {
  type BinaryName,
  binaryMeaning,
  type CompareName,
  compareMeaning,
  integerMeaning,
  randomMeaning,
  type UnaryName,
  unaryMeaning,
} from '../../prim/scalar.ts'
import { bigBinary, bigCompare, bigUnary, toBig } from './integer64.ts'
import type { Memory, NumberArray } from './memory.ts'

/** Where a running kernel stands: the point of the domain, and each operand's element there. */
export class Place {
  readonly coords: number[]
  readonly positions: number[]
  readonly data: (NumberArray | BigInt64Array)[]
  params: readonly number[] = []
  /** Accumulators, by slot: those of int64 in `bigSums`. */
  readonly sums: number[] = []
  readonly bigSums: bigint[] = []
  readonly #operands: readonly Operand[]
  readonly #dims: readonly number[]
  /** How operands of 16-bit floats are stored. */
  readonly #halves: readonly (HalfFormat | undefined)[]

  constructor(dims: readonly number[], operands: readonly Operand[]) {
    this.#dims = dims
    this.#operands = operands
    this.#halves = operands.map((o) => halfFormat(o.dtype))
    this.coords = dims.map(() => 0)
    this.positions = operands.map(() => 0)
    this.data = operands.map(() => new Float64Array(0))
  }

  /** Goes to the first point of the domain with operands at `addresses`. */
  start(memory: Memory, addresses: readonly number[], params: readonly number[]): void {
    this.params = params
    this.coords.fill(0)
    this.#operands.forEach((operand, i) => {
      const bound = memory.bind(addresses[i]!, operand.dtype)
      this.data[i] = bound.data
      this.positions[i] = bound.position + operand.offset
    })
  }

  /** Calls `visit` at every point over the dimensions from … to - 1, row-major, starting at this one. */
  walk(from: number, to: number, visit: () => void): void {
    if (from === to) return visit()
    const size = this.#dims[from]!
    for (let i = 0; i < size; i++) {
      this.coords[from] = i
      this.walk(from + 1, to, visit)
      this.#move(from, 1)
    }
    this.#move(from, -size)
    this.coords[from] = 0
  }

  #move(dim: number, steps: number): void {
    for (let i = 0; i < this.positions.length; i++) {
      this.positions[i]! += (this.#operands[i]!.strides[dim] ?? 0) * steps
    }
  }

  /** The position of operand `i`'s element, `by` elements further; throws when that is outside its block. */
  check(i: number, by: number): number {
    const at = this.positions[i]! + by
    const { length } = this.data[i]!
    if (at >= 0 && at < length) return at
    const where = this.coords.join(', ')
    fail(
      'reference',
      `operand ${i} (${this.#operands[i]!.dtype}) at point (${where}): element ${at} is outside its block of ${length}`,
    )
  }

  /** The element of operand `i` at a position, for dtypes other than int64. */
  number(i: number, position: number): number {
    const stored = this.data[i]![position] as number
    return this.#halves[i]?.decode(stored) ?? stored
  }

  /** Writes an element of operand `i`, for dtypes other than int64. */
  setNumber(i: number, position: number, value: number): void {
    this.data[i]![position] = this.#halves[i]?.encode(value) ?? value
  }

  /** Whether operand `i` may be read at this point. */
  inside(i: number): boolean {
    const { guards } = this.#operands[i]!
    return (
      guards === undefined ||
      guards.every((g) => this.coords[g.dim]! >= g.lo && this.coords[g.dim]! < g.hi)
    )
  }
}

/** Expressions that are evaluated together at a place. */
export class Evaluator {
  readonly #place: Place
  readonly #numbers: number[]
  readonly #bigs: BigInt64Array
  readonly #steps: (() => void)[]
  readonly #results: readonly number[]

  /** Result j is `roots[j]` converted to `dtypes[j]`. */
  constructor(place: Place, roots: readonly Expr[], dtypes: readonly DType[]) {
    const program = linearize(roots.map((e, j) => cast(e, dtypes[j]!)))
    this.#place = place
    this.#numbers = program.nodes.map(() => 0)
    this.#bigs = new BigInt64Array(program.nodes.length)
    this.#results = program.results
    this.#steps = program.nodes.map(({ expr, args }, at) => {
      const types = args.map((a) => program.nodes[a]!.expr.dtype)
      return expr.dtype === 'int64'
        ? this.#bigStep(expr, args, types, at)
        : this.#step(expr, args, types, at)
    })
  }

  /** Evaluates at the place as it stands. */
  run(): void {
    for (const step of this.#steps) step()
  }

  /** Result j, for dtypes other than int64. */
  number(j: number): number {
    return this.#numbers[this.#results[j]!]!
  }

  /** Result j, for int64. */
  big(j: number): bigint {
    return this.#bigs[this.#results[j]!]!
  }

  #step(expr: Expr, args: readonly number[], types: readonly DType[], at: number): () => void {
    const place = this.#place
    const r = this.#numbers
    const b = this.#bigs
    const { dtype } = expr
    const [x, y, z] = args as [number, number, number]
    switch (expr.kind) {
      case 'load':
      case 'loadAt': {
        const find = this.#finder(expr, args, types)
        return () => {
          const position = find()
          r[at] = position < 0 ? 0 : place.number(expr.input, position)
        }
      }
      case 'const': {
        r[at] = toDType(expr.value, dtype)
        return () => {}
      }
      case 'param':
        return () => {
          r[at] = toDType(this.#param(expr.slot), dtype)
        }
      case 'index':
        return () => {
          r[at] = place.coords[expr.dim]!
        }
      case 'acc':
        return () => {
          r[at] = place.sums[expr.slot]!
        }
      case 'cast':
        if (types[0] === 'int64') {
          if (isFloat(dtype)) {
            return () => {
              r[at] = toDType(Number(b[x]!), dtype)
            }
          }
          return () => {
            r[at] =
              dtype === 'bool'
                ? b[x] === 0n
                  ? 0
                  : 1
                : toDType(Number(BigInt.asIntN(32, b[x]!)), dtype)
          }
        }
        return () => {
          r[at] = toDType(r[x]!, dtype)
        }
      case 'op': {
        if (expr.op === 'where') {
          return () => {
            r[at] = r[x] !== 0 ? r[y]! : r[z]!
          }
        }
        if (expr.op === 'random') {
          return () => {
            r[at] = randomMeaning(r[x]!, r[y]!, r[z]!)
          }
        }
        if (Object.hasOwn(compareMeaning, expr.op)) {
          if (types[0] === 'int64') {
            const meaning = bigCompare[expr.op as CompareName]
            return () => {
              r[at] = meaning(b[x]!, b[y]!) ? 1 : 0
            }
          }
          const meaning = compareMeaning[expr.op as CompareName]
          return () => {
            r[at] = meaning(r[x]!, r[y]!) ? 1 : 0
          }
        }
        const wrap = isFloat(dtype)
          ? (v: number): number => v
          : (v: number): number => toDType(v, dtype)
        if (args.length === 1) {
          const meaning = unaryMeaning[expr.op as UnaryName]
          return () => {
            r[at] = wrap(meaning(r[x]!))
          }
        }
        const meaning = (isFloat(dtype) ? binaryMeaning : integerMeaning)[expr.op as BinaryName]
        return () => {
          r[at] = wrap(meaning(r[x]!, r[y]!))
        }
      }
      default:
        return expr satisfies never
    }
  }

  #bigStep(expr: Expr, args: readonly number[], types: readonly DType[], at: number): () => void {
    const place = this.#place
    const r = this.#numbers
    const b = this.#bigs
    const [x, y, z] = args as [number, number, number]
    switch (expr.kind) {
      case 'load':
      case 'loadAt': {
        const find = this.#finder(expr, args, types)
        return () => {
          const position = find()
          b[at] = position < 0 ? 0n : (place.data[expr.input]![position] as bigint)
        }
      }
      case 'const': {
        b[at] = toBig(expr.value)
        return () => {}
      }
      case 'param':
        return () => {
          b[at] = toBig(this.#param(expr.slot))
        }
      case 'acc':
        return () => {
          b[at] = place.bigSums[expr.slot]!
        }
      case 'cast':
        return () => {
          b[at] = toBig(r[x]!)
        }
      case 'op': {
        if (expr.op === 'where') {
          return () => {
            b[at] = r[x] !== 0 ? b[y]! : b[z]!
          }
        }
        if (args.length === 1) {
          const meaning = bigUnary(expr.op as UnaryName)
          return () => {
            b[at] = meaning(b[x]!)
          }
        }
        const meaning = bigBinary[expr.op as BinaryName]
        return () => {
          b[at] = meaning(b[x]!, b[y]!)
        }
      }
      case 'index':
        return fail('reference', 'an index is int32, not int64')
      default:
        return expr satisfies never
    }
  }

  /** Finds the position of a load's element; -1 where a guard gives 0 instead. */
  #finder(
    expr: Expr & { readonly kind: 'load' | 'loadAt' },
    args: readonly number[],
    types: readonly DType[],
  ): () => number {
    const place = this.#place
    const { input } = expr
    if (expr.kind === 'load') return () => (place.inside(input) ? place.check(input, 0) : -1)
    const { size, stride } = expr
    const index = this.#index(args[0]!, types[0]!)
    return () => (place.inside(input) ? place.check(input, clampIndex(index(), size) * stride) : -1)
  }

  #index(at: number, dtype: DType): () => number {
    return dtype === 'int64' ? () => Number(this.#bigs[at]!) : () => this.#numbers[at]!
  }

  #param(slot: number): number {
    return this.#place.params[slot] ?? fail('reference', `launch number ${slot} was not given`)
  }
}

/** An index moved into 0 … size - 1. */
export function clampIndex(index: number, size: number): number {
  return Math.max(0, Math.min(index, size - 1))
}
