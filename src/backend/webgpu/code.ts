/** Scalar programs as WGSL: a `let` for each node, on one lane or four. */

import type { DType } from '../../base/dtype.ts'
import { fail } from '../../base/error.ts'
import { type Expr, isConst, linearize } from '../../prim/expr.ts'
import {
  type BinaryName,
  type CompareName,
  compareNames,
  type UnaryName,
  unaryNames,
} from '../../prim/scalar.ts'
import { isReal, literal, type Shader, valueType, type Width } from './shader.ts'
import { checkShaderType } from './wide.ts'

/** How a place in a kernel reads the leaves of an expression; all give text of values. */
export interface Leaves {
  load(input: number): string
  loadAt(input: number, index: string, size: number, stride: number): string
  index(dim: number): string
  acc(slot: number): string
}

/** Appends the evaluation of expressions to `lines` and gives the texts of their values. */
export function emit(
  shader: Shader,
  lines: string[],
  roots: readonly Expr[],
  width: Width,
  leaves: Leaves,
  prefix = 'v',
): string[] {
  const program = linearize(roots)
  const texts: string[] = []
  program.nodes.forEach(({ expr, args }, at) => {
    const value = nodeText(
      shader,
      expr,
      args.map((a) => texts[a]!),
      args.map((a) => program.nodes[a]!.expr),
      width,
      leaves,
    )
    if (expr.kind === 'const' || expr.kind === 'param' || expr.kind === 'acc') {
      texts.push(value)
      return
    }
    lines.push(`let ${prefix}${at} = ${value};`)
    texts.push(`${prefix}${at}`)
  })
  return program.results.map((r) => texts[r]!)
}

function nodeText(
  shader: Shader,
  expr: Expr,
  args: readonly string[],
  from: readonly Expr[],
  width: Width,
  leaves: Leaves,
): string {
  checkShaderType(expr.dtype)
  switch (expr.kind) {
    case 'load':
      return leaves.load(expr.input)
    case 'loadAt':
      return leaves.loadAt(expr.input, args[0]!, expr.size, expr.stride)
    case 'const':
      return literal(shader, expr.value, expr.dtype, width)
    case 'param':
      return shader.param(expr.slot, expr.dtype, width)
    case 'index':
      return leaves.index(expr.dim)
    case 'acc':
      return leaves.acc(expr.slot)
    case 'cast':
      return castText(shader, args[0]!, from[0]!.dtype, expr.dtype, width)
    case 'op':
      break
    default:
      return expr satisfies never
  }
  const { op } = expr
  const type = from[0]!.dtype
  const [x, y, z] = args as [string, string, string]
  if (op === 'where') return `select(${z}, ${y}, ${x})`
  if (op === 'random') return `${shader.use('random', width)}(${x}, ${y}, ${z})`
  if ((compareNames as readonly string[]).includes(op))
    return comparison(shader, op as CompareName, x, y, from, width)
  if ((unaryNames as readonly string[]).includes(op)) {
    return isReal(type)
      ? realUnary(shader, op as UnaryName, x, width)
      : wholeUnary(op as UnaryName, x, type, width)
  }
  return isReal(type)
    ? realBinary(shader, op as BinaryName, x, y, from, width)
    : wholeBinary(shader, op as BinaryName, x, y, type, width)
}

/** An i32 wrapped to the width of its dtype. */
export function wrapped(x: string, dtype: DType, width: Width): string {
  const splat = (n: number): string => (width === 4 ? `vec4<u32>(${n}u)` : `${n}u`)
  if (dtype === 'uint8') return `((${x}) & ${width === 4 ? 'vec4<i32>(255i)' : '255i'})`
  if (dtype === 'int8') return `(((${x}) << ${splat(24)}) >> ${splat(24)})`
  return x
}

/** Conversions: floats truncate to integers, NaN gives 0, integers wrap; bool is whether a number is not 0. */
function castText(shader: Shader, x: string, from: DType, to: DType, width: Width): string {
  const [ints, floats] = [valueType('int32', width), valueType('float32', width)]
  if (isReal(to)) return isReal(from) ? x : `${floats}(${x})`
  if (to === 'bool') {
    return isReal(from) ? `!${shader.use('iszero', width)}(${x})` : `(${x} != ${ints}(0i))`
  }
  if (from === 'bool') return `${ints}(${x})`
  if (!isReal(from)) return wrapped(x, to, width)
  const whole = `select(${ints}(${x}), ${ints}(0i), ${shader.use('isnan', width)}(${x}))`
  return wrapped(whole, to, width)
}

/** Comparisons; those of floats are false for NaN, which needs no test where a side is a literal. */
function comparison(
  shader: Shader,
  op: CompareName,
  x: string,
  y: string,
  from: readonly Expr[],
  width: Width,
): string {
  const type = from[0]!.dtype
  if (isReal(type)) {
    const call = (name: string, a: string, b: string): string =>
      `${shader.use(name, width)}(${a}, ${b})`
    switch (op) {
      case 'eq':
        return call('eq', x, y)
      case 'ne':
        return `!${call('eq', x, y)}`
      case 'lt':
        return call('lt', x, y)
      case 'le':
        return call('le', x, y)
      case 'gt':
        return call('lt', y, x)
      case 'ge':
        return call('le', y, x)
      default:
        return op satisfies never
    }
  }
  const sign = { eq: '==', ne: '!=', lt: '<', le: '<=', gt: '>', ge: '>=' }[op]
  const ints = valueType('int32', width)
  return type === 'bool' ? `(${ints}(${x}) ${sign} ${ints}(${y}))` : `(${x} ${sign} ${y})`
}

/** WGSL's own functions that mean what ours do, NaN included. */
const builtin: readonly string[] = ['abs', 'floor', 'ceil', 'trunc']

function realUnary(shader: Shader, op: UnaryName, x: string, width: Width): string {
  const type = valueType('float32', width)
  if (op === 'neg') return `(-${x})`
  if (op === 'not')
    return `select(${type}(0.0), ${type}(1.0), ${shader.use('iszero', width)}(${x}))`
  if (builtin.includes(op)) return `${op}(${x})`
  return `${shader.use(op, width)}(${x})`
}

/** neg, abs, sign and not of integers; the roundings leave them as they are. */
function wholeUnary(op: UnaryName, x: string, dtype: DType, width: Width): string {
  const ints = valueType('int32', width)
  switch (op) {
    case 'neg':
      return wrapped(`-(${x})`, dtype, width)
    case 'abs':
      return wrapped(`abs(${x})`, dtype, width)
    case 'sign':
      return `sign(${x})`
    case 'not':
      return dtype === 'bool' ? `!(${x})` : `${ints}(${x} == ${ints}(0i))`
    case 'floor':
    case 'ceil':
    case 'round':
    case 'trunc':
      return x
    default:
      return fail('gpu', `instruction ${op} is for floats, not for ${dtype}`)
  }
}

/** A two-operand instruction on the texts of two values that are not literals. */
export function binaryText(
  shader: Shader,
  op: BinaryName,
  x: string,
  y: string,
  dtype: DType,
): string {
  const any: Expr = { kind: 'acc', slot: 0, dtype }
  return isReal(dtype)
    ? realBinary(shader, op, x, y, [any, any], 1)
    : wholeBinary(shader, op, x, y, dtype, 1)
}

/** Whether an operand is a literal for which max and min are WGSL's own: neither NaN nor a zero with its sign. */
const isNumber = (e: Expr): boolean => e.kind === 'const' && !Number.isNaN(e.value) && e.value !== 0

function realBinary(
  shader: Shader,
  op: BinaryName,
  x: string,
  y: string,
  from: readonly Expr[],
  width: Width,
): string {
  switch (op) {
    case 'add':
      return `(${x} + ${y})`
    case 'sub':
      return x === y ? `${shader.use('vanish', width)}(${x})` : `(${x} - ${y})`
    case 'mul':
      if (isConst(from[0]!, 0)) return `${shader.use('vanish', width)}(${y})`
      if (isConst(from[1]!, 0)) return `${shader.use('vanish', width)}(${x})`
      return `(${x} * ${y})`
    case 'div':
      return `(${x} / ${y})`
    case 'max':
    case 'min': {
      const isnan = shader.use('isnan', width)
      if (isNumber(from[1]!)) return `select(${op}(${x}, ${y}), ${x}, ${isnan}(${x}))`
      if (isNumber(from[0]!)) return `select(${op}(${x}, ${y}), ${y}, ${isnan}(${y}))`
      return `${shader.use(op, width)}(${x}, ${y})`
    }
    case 'mod':
    case 'pow':
      return `${shader.use(op, width)}(${x}, ${y})`
    case 'and':
    case 'or':
    case 'xor':
    case 'shl':
    case 'shr':
      return fail('gpu', `instruction ${op} is for integers, not for ${from[0]!.dtype}`)
    default:
      return op satisfies never
  }
}

const boolText: Partial<Record<BinaryName, string>> = {
  add: '|',
  mul: '&',
  max: '|',
  min: '&',
  and: '&',
  or: '|',
  xor: '!=',
}

function wholeBinary(
  shader: Shader,
  op: BinaryName,
  x: string,
  y: string,
  dtype: DType,
  width: Width,
): string {
  if (dtype === 'bool') {
    const sign = boolText[op] ?? fail('gpu', `instruction ${op} is not for bool`)
    return `(${x} ${sign} ${y})`
  }
  const wrap = (text: string): string => wrapped(text, dtype, width)
  const words = width === 4 ? 'vec4<u32>' : 'u32'
  const ints = valueType('int32', width)
  switch (op) {
    case 'add':
      return wrap(`(${x} + ${y})`)
    case 'sub':
      return wrap(`(${x} - ${y})`)
    case 'mul':
      return wrap(`(${x} * ${y})`)
    case 'div':
      return wrap(`select(${x} / ${y}, ${ints}(0i), ${y} == ${ints}(0i))`)
    case 'mod':
      return wrap(`${shader.use('wholemod', width)}(${x}, ${y})`)
    case 'pow':
      return wrap(`${shader.use('wholepow', width)}(${x}, ${y})`)
    case 'max':
    case 'min':
      return `${op}(${x}, ${y})`
    case 'and':
      return `(${x} & ${y})`
    case 'or':
      return `(${x} | ${y})`
    case 'xor':
      return `(${x} ^ ${y})`
    case 'shl':
      return wrap(`(${x} << (${words}(${y}) & ${words}(31u)))`)
    case 'shr':
      return wrap(`${ints}(${words}(${x}) >> (${words}(${y}) & ${words}(31u)))`)
    default:
      return op satisfies never
  }
}
