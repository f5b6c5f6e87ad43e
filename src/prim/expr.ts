/** Scalar expressions: what a kernel computes at one point of its domain, as a small immutable DAG. */

import { type DType, dtypeInfo, isFloat } from '../base/dtype.ts'
import { fromBfloat16, fromFloat16, toBfloat16, toFloat16 } from '../base/half.ts'
import {
  type BinaryName,
  binaryMeaning,
  type CompareName,
  compareMeaning,
  integerMeaning,
  type ScalarName,
  type UnaryName,
  unaryMeaning,
} from './scalar.ts'

/** One node of a scalar expression. */
export type Expr =
  /** The element of operand `input` at the current point. */
  | { readonly kind: 'load'; readonly input: number; readonly dtype: DType }
  /**
   * The element of operand `input` displaced by `index` (int32, clamped to 0 … size - 1) times
   * `stride` elements; how gathers read.
   */
  | {
      readonly kind: 'loadAt'
      readonly input: number
      readonly index: Expr
      readonly size: number
      readonly stride: number
      readonly dtype: DType
    }
  | { readonly kind: 'const'; readonly value: number; readonly dtype: DType }
  /** A number given at launch, converted to `dtype`. */
  | { readonly kind: 'param'; readonly slot: number; readonly dtype: DType }
  /** The coordinate along dimension `dim` of the domain, int32. */
  | { readonly kind: 'index'; readonly dim: number; readonly dtype: 'int32' }
  /** The value of accumulator `slot`, in an epilogue. */
  | { readonly kind: 'acc'; readonly slot: number; readonly dtype: DType }
  | { readonly kind: 'cast'; readonly arg: Expr; readonly dtype: DType }
  | {
      readonly kind: 'op'
      readonly op: ScalarName
      readonly args: readonly Expr[]
      readonly dtype: DType
    }

/** The element of operand `input`. */
export const load = (input: number, dtype: DType): Expr => ({ kind: 'load', input, dtype })
/** A literal. */
export const constant = (value: number, dtype: DType): Expr => ({ kind: 'const', value, dtype })
/** A number given at launch. */
export const param = (slot: number, dtype: DType): Expr => ({ kind: 'param', slot, dtype })
/** The coordinate along dimension `dim`. */
export const index = (dim: number): Expr => ({ kind: 'index', dim, dtype: 'int32' })
/** The value of an accumulator. */
export const acc = (slot: number, dtype: DType): Expr => ({ kind: 'acc', slot, dtype })

/** Whether `e` is the literal `value`. */
export const isConst = (e: Expr, value: number): boolean => e.kind === 'const' && e.value === value

/** Rounds or wraps a number to what `dtype` can hold; floats to integers truncate towards zero. */
export function toDType(value: number, dtype: DType): number {
  switch (dtype) {
    case 'float32':
      return Math.fround(value)
    case 'float64':
      return value
    case 'float16':
      return fromFloat16(toFloat16(value))
    case 'bfloat16':
      return fromBfloat16(toBfloat16(value))
    case 'bool':
      return value !== 0 ? 1 : 0
    case 'int32':
      return value | 0
    case 'uint8':
      return value & 255
    case 'int8':
      return (value << 24) >> 24
    case 'int64':
      return Math.trunc(value)
    default:
      return dtype satisfies never
  }
}

/** Converts to `dtype`; folds literals and casts to the same type. */
export function cast(arg: Expr, dtype: DType): Expr {
  if (arg.dtype === dtype) return arg
  if (arg.kind === 'const') return constant(toDType(arg.value, dtype), dtype)
  if (arg.kind === 'param' && arg.dtype === 'float64') return param(arg.slot, dtype)
  return { kind: 'cast', arg, dtype }
}

/** A one-operand instruction. */
export function unary(op: UnaryName, x: Expr): Expr {
  if (x.kind === 'const') return constant(toDType(unaryMeaning[op](x.value), x.dtype), x.dtype)
  if (op === 'neg' && x.kind === 'op' && x.op === 'neg') return x.args[0]!
  return { kind: 'op', op, args: [x], dtype: x.dtype }
}

/** A two-operand instruction on operands of one dtype; folds literals and neutral elements. */
export function binary(op: BinaryName, x: Expr, y: Expr): Expr {
  if (x.kind === 'const' && y.kind === 'const' && x.dtype !== 'int64') {
    const meaning = isFloat(x.dtype) ? binaryMeaning : integerMeaning
    return constant(toDType(meaning[op](x.value, y.value), x.dtype), x.dtype)
  }
  if (op === 'add') {
    if (isConst(x, 0)) return y
    if (isConst(y, 0)) return x
  } else if (op === 'sub') {
    if (isConst(y, 0)) return x
  } else if (op === 'mul') {
    if (isConst(x, 1)) return y
    if (isConst(y, 1)) return x
    if (isConst(x, -1)) return unary('neg', y)
    if (isConst(y, -1)) return unary('neg', x)
  } else if (op === 'div') {
    if (isConst(y, 1)) return x
  }
  return { kind: 'op', op, args: [x, y], dtype: x.dtype }
}

/** A comparison, giving bool. */
export function compare(op: CompareName, x: Expr, y: Expr): Expr {
  if (x.kind === 'const' && y.kind === 'const') {
    return constant(compareMeaning[op](x.value, y.value) ? 1 : 0, 'bool')
  }
  return { kind: 'op', op, args: [x, y], dtype: 'bool' }
}

/** `x` where `condition` (bool) holds, else `y`. */
export function select(condition: Expr, x: Expr, y: Expr): Expr {
  if (condition.kind === 'const') return condition.value !== 0 ? x : y
  return { kind: 'op', op: 'where', args: [condition, x, y], dtype: x.dtype }
}

/** 32 random bits (int32) from two key words and a counter, all int32. */
export function randomBits(key0: Expr, key1: Expr, counter: Expr): Expr {
  return { kind: 'op', op: 'random', args: [key0, key1, counter], dtype: 'int32' }
}

/** The operands of a node. */
export function operands(e: Expr): readonly Expr[] {
  switch (e.kind) {
    case 'op':
      return e.args
    case 'cast':
      return [e.arg]
    case 'loadAt':
      return [e.index]
    case 'load':
    case 'const':
    case 'param':
    case 'index':
    case 'acc':
      return []
    default:
      return e satisfies never
  }
}

/** Whether a node of an expression passes a test; shared parts are looked at once. */
export function someNode(root: Expr, test: (e: Expr) => boolean): boolean {
  const seen = new Set<Expr>()
  const visit = (e: Expr): boolean => {
    if (seen.has(e)) return false
    seen.add(e)
    return test(e) || operands(e).some(visit)
  }
  return visit(root)
}

/** Rebuilds an expression bottom-up; `replace` may answer with a new node for any node (its operands done). */
export function rewrite(root: Expr, replace: (e: Expr) => Expr | undefined): Expr {
  const done = new Map<Expr, Expr>()
  const visit = (e: Expr): Expr => {
    const known = done.get(e)
    if (known) return known
    let next: Expr = e
    if (e.kind === 'op') {
      const args = e.args.map(visit)
      if (args.some((a, i) => a !== e.args[i])) next = rebuild(e.op, args, e.dtype)
    } else if (e.kind === 'cast') {
      const arg = visit(e.arg)
      if (arg !== e.arg) next = cast(arg, e.dtype)
    } else if (e.kind === 'loadAt') {
      const at = visit(e.index)
      if (at !== e.index) next = { ...e, index: at }
    }
    // A node that folded into one of its operands has been replaced already: twice would be once too often.
    const result = next.kind === e.kind ? (replace(next) ?? next) : next
    done.set(e, result)
    return result
  }
  return visit(root)
}

/** The same expression computed in other dtypes. */
export function retype(root: Expr, to: (dtype: DType) => DType): Expr {
  const done = new Map<Expr, Expr>()
  const visit = (e: Expr): Expr => {
    const known = done.get(e)
    if (known) return known
    let next: Expr
    if (e.kind === 'op') next = { ...e, args: e.args.map(visit), dtype: to(e.dtype) }
    else if (e.kind === 'cast') next = cast(visit(e.arg), to(e.dtype))
    else if (e.kind === 'loadAt') next = { ...e, index: visit(e.index), dtype: to(e.dtype) }
    else next = e.kind === 'index' ? e : { ...e, dtype: to(e.dtype) }
    done.set(e, next)
    return next
  }
  return visit(root)
}

/** The same expression with its operands numbered anew. */
export function renameInputs(root: Expr, name: (input: number) => number): Expr {
  return rewrite(root, (e) => {
    if (e.kind !== 'load' && e.kind !== 'loadAt') return undefined
    const input = name(e.input)
    return input === e.input ? undefined : { ...e, input }
  })
}

function rebuild(op: ScalarName, args: readonly Expr[], dtype: DType): Expr {
  const [x, y, z] = args as [Expr, Expr, Expr]
  if (op === 'where') return select(x, y, z)
  if (op === 'random') return randomBits(x, y, z)
  if (args.length === 1) return unary(op as UnaryName, x)
  if (Object.hasOwn(compareMeaning, op)) return compare(op as CompareName, x, y)
  const e = binary(op as BinaryName, x, y)
  return e.dtype === dtype ? e : cast(e, dtype)
}

/** An expression as straight-line code: nodes in order of evaluation, operands by position, no repeats. */
export interface Program {
  readonly nodes: readonly { readonly expr: Expr; readonly args: readonly number[] }[]
  /** Positions of the results. */
  readonly results: readonly number[]
  /** A text that is equal exactly for equal programs. */
  readonly key: string
}

/** Numbers the nodes of several expressions, merging equal ones. */
export function linearize(roots: readonly Expr[]): Program {
  const nodes: { expr: Expr; args: number[] }[] = []
  const byText = new Map<string, number>()
  const seen = new Map<Expr, number>()
  const texts: string[] = []
  const visit = (e: Expr): number => {
    const known = seen.get(e)
    if (known !== undefined) return known
    const args = operands(e).map(visit)
    const text = nodeText(e, args)
    let at = byText.get(text)
    if (at === undefined) {
      at = nodes.push({ expr: e, args }) - 1
      byText.set(text, at)
      texts.push(text)
    }
    seen.set(e, at)
    return at
  }
  const results = roots.map(visit)
  return { nodes, results, key: `${texts.join(';')}>${results.join(',')}` }
}

function nodeText(e: Expr, args: readonly number[]): string {
  const type = dtypeInfo(e.dtype).code
  switch (e.kind) {
    case 'load':
      return `l${e.input}:${type}`
    case 'loadAt':
      return `g${e.input}[${args[0]}<${e.size}*${e.stride}]:${type}`
    case 'const':
      return `c${Object.is(e.value, -0) ? '-0' : e.value}:${type}`
    case 'param':
      return `p${e.slot}:${type}`
    case 'index':
      return `i${e.dim}`
    case 'acc':
      return `a${e.slot}:${type}`
    case 'cast':
      return `t${args[0]}:${type}`
    case 'op':
      return `${e.op}(${args.join(',')}):${type}`
    default:
      return e satisfies never
  }
}

const keys = new WeakMap<Expr, string>()

/** A text that is equal exactly for equal expressions. */
export function exprKey(e: Expr): string {
  let key = keys.get(e)
  if (key === undefined) {
    key = linearize([e]).key
    keys.set(e, key)
  }
  return key
}
