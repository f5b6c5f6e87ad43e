/** Code for scalar instructions and casts on single elements. */

import type { DType } from '../../base/dtype.ts'
import { threefryParity, threefryRotations } from '../../base/random.ts'
import type { BinaryName, CompareName, ScalarName, UnaryName } from '../../prim/scalar.ts'
import type { Callable, FunctionBuilder, Local, PlainOp } from './assembler.ts'
import { isHalf, roundHalf } from './half.ts'
import { hasVectorMath, vectorMath } from './math.ts'
import { type Kind, kindOf } from './values.ts'

/** Where code goes: the function being built, and the functions it may import. */
export interface Emit {
  readonly f: FunctionBuilder
  /** An imported function by its name in `imports.ts`. */
  import(name: string): Callable
}

/** Cuts the i32 on the stack to the width of a narrow integer type. */
export function wrapScalar(f: FunctionBuilder, dtype: DType): void {
  if (dtype === 'uint8') f.i32(255).op('i32.and')
  else if (dtype === 'int8') f.op('i32.extend8_s')
  else if (dtype === 'bool') f.i32(0).op('i32.ne')
}

/** Pushes the value of `from` in a local converted to `to`. */
export function castScalar(f: FunctionBuilder, from: DType, to: DType, x: Local): void {
  f.get(x)
  const a = kindOf(from)
  const b = kindOf(to)
  if (b === 'bool') {
    if (a === 'f32') f.f32(0).op('f32.ne')
    else if (a === 'f64') f.f64(0).op('f64.ne')
    else if (a === 'i64') f.i64(0n).op('i64.ne')
    else f.i32(0).op('i32.ne')
  } else if (b === 'i32') {
    if (a === 'f32') f.op('i32.trunc_sat_f32_s')
    else if (a === 'f64') f.op('i32.trunc_sat_f64_s')
    else if (a === 'i64') f.op('i32.wrap_i64')
    if (to !== from) wrapScalar(f, to)
  } else if (b === 'i64') {
    if (a === 'f32') f.op('i64.trunc_sat_f32_s')
    else if (a === 'f64') f.op('i64.trunc_sat_f64_s')
    else if (a !== 'i64') f.op('i64.extend_i32_s')
  } else if (b === 'f32') {
    if (a === 'f64') f.op('f32.demote_f64')
    else if (a === 'i64') f.op('f32.convert_i64_s')
    else if (a !== 'f32') f.op('f32.convert_i32_s')
  } else {
    if (a === 'f32') f.op('f64.promote_f32')
    else if (a === 'i64') f.op('f64.convert_i64_s')
    else if (a !== 'f64') f.op('f64.convert_i32_s')
  }
  if (!isHalf(to) || from === to) return
  f.op('f32x4.splat')
  roundHalf(f, to)
  f.lane('f32x4.extract_lane', 0)
}

const ops = (kind: Kind, name: string): PlainOp =>
  `${kind === 'bool' ? 'i32' : kind}.${name}` as PlainOp

/** Pushes the result of an instruction on single elements; `type` is the dtype of the (last) operand. */
export function scalarOp(e: Emit, op: ScalarName, type: DType, args: readonly Local[]): void {
  const { f } = e
  const kind = kindOf(type)
  const [x, y, z] = args as [Local, Local, Local]
  if (op === 'where') f.get(y).get(z).get(x).select()
  else if (op === 'random') random(f, x, y, z)
  else if (op === 'eq' || op === 'ne' || op === 'lt' || op === 'le' || op === 'gt' || op === 'ge') {
    scalarCompare(f, op, kind, x, y)
  } else if (args.length === 1) {
    if (kind === 'f32' || kind === 'f64') floatUnary(e, op as UnaryName, kind, x)
    else {
      integerUnary(f, op as UnaryName, kind, x)
      wrapScalar(f, type)
    }
  } else if (kind === 'f32' || kind === 'f64') floatBinary(e, op as BinaryName, kind, x, y)
  else {
    integerBinary(e, op as BinaryName, kind, x, y)
    if (op !== 'and' && op !== 'or' && op !== 'xor') wrapScalar(f, type)
  }
}

function scalarCompare(f: FunctionBuilder, op: CompareName, kind: Kind, x: Local, y: Local): void {
  const signed = kind !== 'f32' && kind !== 'f64' && op !== 'eq' && op !== 'ne'
  f.get(x)
    .get(y)
    .op(ops(kind, signed ? `${op}_s` : op))
}

const direct = new Set(['neg', 'abs', 'floor', 'ceil', 'trunc', 'sqrt'])

function floatUnary(e: Emit, op: UnaryName, kind: 'f32' | 'f64', x: Local): void {
  const { f } = e
  const push = (value: number) => (kind === 'f32' ? f.f32(value) : f.f64(value))
  if (direct.has(op)) f.get(x).op(ops(kind, op))
  else if (op === 'sign') {
    push(1).get(x).op(ops(kind, 'copysign')).get(x)
    f.get(x).op(ops(kind, 'abs'))
    push(0).op(ops(kind, 'gt')).select()
  } else if (op === 'not') {
    push(1)
    push(0)
    f.get(x)
    push(0).op(ops(kind, 'eq')).select()
  } else if (op === 'round') {
    // |x - trunc x| is exact, unlike |x| + 0.5.
    const t = f.local(kind)
    f.get(x).op(ops(kind, 'trunc')).tee(t)
    push(1).get(x).op(ops(kind, 'copysign')).op(ops(kind, 'add')).get(t)
    f.get(x).get(t).op(ops(kind, 'sub')).op(ops(kind, 'abs'))
    push(0.5).op(ops(kind, 'ge')).select()
    f.free(t)
  } else if (kind === 'f32' && hasVectorMath(op)) {
    const v = f.local('v128')
    f.get(x).op('f32x4.splat').set(v)
    vectorMath(f, op, v)
    f.lane('f32x4.extract_lane', 0).free(v)
  } else {
    f.get(x)
    if (kind === 'f32') f.op('f64.promote_f32')
    f.call(e.import(op))
    if (kind === 'f32') f.op('f32.demote_f64')
  }
}

function floatBinary(e: Emit, op: BinaryName, kind: 'f32' | 'f64', x: Local, y: Local): void {
  const { f } = e
  if (
    op === 'add' ||
    op === 'sub' ||
    op === 'mul' ||
    op === 'div' ||
    op === 'max' ||
    op === 'min'
  ) {
    f.get(x).get(y).op(ops(kind, op))
    return
  }
  f.get(x)
  if (kind === 'f32') f.op('f64.promote_f32')
  f.get(y)
  if (kind === 'f32') f.op('f64.promote_f32')
  f.call(e.import(op))
  if (kind === 'f32') f.op('f32.demote_f64')
}

function integerUnary(f: FunctionBuilder, op: UnaryName, kind: Kind, x: Local): void {
  const push = (value: number) => (kind === 'i64' ? f.i64(BigInt(value)) : f.i32(value))
  const o = (name: string) => f.op(ops(kind, name))
  if (op === 'neg') {
    push(0).get(x)
    o('sub')
  } else if (op === 'abs') {
    push(0).get(x)
    o('sub').get(x).get(x)
    push(0)
    o('lt_s').select()
  } else if (op === 'sign') {
    f.get(x)
    push(0)
    o('gt_s').get(x)
    push(0)
    o('lt_s').op('i32.sub')
    if (kind === 'i64') f.op('i64.extend_i32_s')
  } else if (op === 'not') {
    f.get(x)
    o('eqz')
    if (kind === 'i64') f.op('i64.extend_i32_u')
  } else f.get(x) // floor, ceil, round, trunc of an integer
}

function integerBinary(e: Emit, op: BinaryName, kind: Kind, x: Local, y: Local): void {
  const { f } = e
  const wide = kind === 'i64'
  const type = wide ? 'i64' : 'i32'
  const push = (value: number) => (wide ? f.i64(BigInt(value)) : f.i32(value))
  const o = (name: string) => f.op(`${type}.${name}` as PlainOp)
  switch (op) {
    case 'add':
    case 'sub':
    case 'mul':
    case 'and':
    case 'or':
    case 'xor':
    case 'shl':
      f.get(x).get(y)
      o(op)
      return
    case 'shr':
      f.get(x).get(y)
      o('shr_u')
      return
    case 'max':
    case 'min':
      f.get(x).get(y).get(x).get(y)
      o(op === 'max' ? 'gt_s' : 'lt_s').select()
      return
    case 'div': {
      // Divisors 0 and -1 would trap; there x·y is the answer.
      const special = f.local('i32')
      f.get(x).get(y)
      o('mul')
      f.get(x)
      push(1).get(y).get(y)
      push(1)
      o('add')
      push(2)
      o('lt_u').tee(special).select()
      o('div_s').get(special).select().free(special)
      return
    }
    case 'mod': {
      const r = f.local(type)
      const adjust = f.local(type)
      f.get(x)
      push(1).get(y).get(y)
      o('eqz').select()
      o('rem_s').set(r)
      push(0).get(y).get(r)
      push(0)
      o('eq').get(r).get(y)
      o('xor')
      push(0)
      o('ge_s').op('i32.or').select().set(adjust)
      f.get(r).get(adjust)
      o('add').free(r).free(adjust)
      return
    }
    case 'pow':
      f.get(x)
      if (!wide) f.op('f64.convert_i32_s')
      f.get(y)
      if (!wide) f.op('f64.convert_i32_s')
      f.call(e.import(wide ? 'pow64' : 'pow32'))
      return
    default:
      op satisfies never
  }
}

/** Threefry-2x32 as `base/random.ts` has it, on i32. */
function random(f: FunctionBuilder, key0: Local, key1: Local, counter: Local): void {
  const x0 = f.local('i32')
  const x1 = f.local('i32')
  const key2 = f.local('i32')
  const keys = [key0, key1, key2]
  f.get(key0).get(key1).op('i32.xor').i32(threefryParity).op('i32.xor').set(key2)
  f.get(key0).set(x0).get(counter).get(key1).op('i32.add').set(x1)
  for (let round = 0; round < 20; round++) {
    f.get(x0).get(x1).op('i32.add').set(x0)
    f.get(x1)
      .i32(threefryRotations[round % 8]!)
      .op('i32.rotl')
      .get(x0)
      .op('i32.xor')
      .set(x1)
    if (round % 4 === 3) {
      const s = (round + 1) / 4
      f.get(x0)
        .get(keys[s % 3]!)
        .op('i32.add')
        .set(x0)
      f.get(x1)
        .get(keys[(s + 1) % 3]!)
        .op('i32.add')
        .i32(s)
        .op('i32.add')
        .set(x1)
    }
  }
  f.get(x0).get(x1).op('i32.xor').free(x0).free(x1).free(key2)
}
