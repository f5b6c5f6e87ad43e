/** Code for scalar instructions and casts on two or four lanes; what has no lane form runs lane by lane. */

import type { DType } from '../../base/dtype.ts'
import { threefryParity, threefryRotations } from '../../base/random.ts'
import { type CompareName, compareNames, type ScalarName } from '../../prim/scalar.ts'
import type { FunctionBuilder, Local, PlainOp } from './assembler.ts'
import { isHalf, roundHalf } from './half.ts'
import { hasVectorMath, sineLimit, vectorMath, vectorRound, vectorSine } from './math.ts'
import { castScalar, type Emit, scalarOp } from './scalarCode.ts'
import { extract, type Kind, kindOf, localType, replace, splat, type Width } from './values.ts'

const comparisons: readonly string[] = compareNames
const isCompare = (op: ScalarName): op is CompareName => comparisons.includes(op)

/** Cuts i32 lanes to the width of a narrow integer type. */
function wrapVector(f: FunctionBuilder, dtype: DType): void {
  if (dtype === 'uint8') f.i32x4(255).op('v128.and')
  else if (dtype === 'int8') f.i32(24).op('i32x4.shl').i32(24).op('i32x4.shr_s')
}

/** Turns the bool mask on the stack into one that fits lanes of `kind`. */
function maskFor(f: FunctionBuilder, kind: Kind, width: Width): void {
  if (width === 4 || kind === 'f64' || kind === 'bool') return
  const m = f.local('v128')
  f.tee(m).get(m).shuffle32(0, 2, 0, 2).free(m)
}

/** Turns a mask of lanes of `kind` into a bool mask. */
function boolMask(f: FunctionBuilder, kind: Kind, width: Width): void {
  if (width === 2 && kind !== 'f64' && kind !== 'bool') f.op('i64x2.extend_low_i32x4_s')
}

/** Pushes the value of `from` in a local converted to `to`. */
export function castTo(e: Emit, width: Width, from: DType, to: DType, x: Local): void {
  const { f } = e
  if (width === 1) return castScalar(f, from, to, x)
  const a = kindOf(from)
  const b = kindOf(to)
  f.get(x)
  if (a === b) {
    if (b === 'i32' && from !== to) wrapVector(f, to)
  } else if (a === 'bool') {
    maskFor(f, b, width)
    if (b === 'f32') f.f32x4(1)
    else if (b === 'f64') f.f64x2(1)
    else f.i32x4(1)
    f.op('v128.and')
  } else if (b === 'bool') {
    if (a === 'f32') f.f32x4(0).op('f32x4.ne')
    else if (a === 'f64') f.f64x2(0).op('f64x2.ne')
    else f.i32x4(0).op('i32x4.ne')
    boolMask(f, a, width)
  } else if (b === 'i32') {
    f.op(a === 'f64' ? 'i32x4.trunc_sat_f64x2_s_zero' : 'i32x4.trunc_sat_f32x4_s')
    wrapVector(f, to)
  } else if (b === 'f32') {
    f.op(a === 'f64' ? 'f32x4.demote_f64x2_zero' : 'f32x4.convert_i32x4_s')
  } else f.op(a === 'f32' ? 'f64x2.promote_low_f32x4' : 'f64x2.convert_low_i32x4_s')
  if (isHalf(to) && from !== to) roundHalf(f, to)
}

/**
 * Pushes the result of an instruction; `type` is the dtype of its operands (of the last for `where`).
 * `constants[i]` is the value of operand i where it is known when the code is made.
 */
export function emitOp(
  e: Emit,
  width: Width,
  op: ScalarName,
  type: DType,
  args: readonly Local[],
  constants: readonly (number | undefined)[] = [],
): void {
  const { f } = e
  const kind = kindOf(type)
  const float = kind === 'f32' || kind === 'f64'
  if (float && op === 'pow' && constants[1] === 2)
    return emitOp(e, width, 'mul', type, [args[0]!, args[0]!])
  if (width === 1) return scalarOp(e, op, type, args)
  const [x, y, z] = args as [Local, Local, Local]
  if (op === 'where') {
    f.get(y).get(z).get(x)
    maskFor(f, kind, width)
    f.op('v128.bitselect')
  } else if (op === 'random') random(f, x, y, z)
  else if (kind === 'bool') boolOp(e, width, op, args)
  else if (isCompare(op)) {
    const shape = kind === 'f32' ? 'f32x4' : kind === 'f64' ? 'f64x2' : 'i32x4'
    const name = float || op === 'eq' || op === 'ne' ? op : `${op}_s`
    f.get(x)
      .get(y)
      .op(`${shape}.${name}` as PlainOp)
    boolMask(f, kind, width)
  } else if (float) {
    if (kind === 'f32' && (op === 'sin' || op === 'cos')) sine(e, width, op, x)
    else if (!floatOp(f, kind, op, args, constants)) byLane(e, width, op, type, args)
  } else if (integerOp(f, op, args, constants)) {
    if (op !== 'and' && op !== 'or' && op !== 'xor' && op !== 'max' && op !== 'min') {
      wrapVector(f, type)
    }
  } else byLane(e, width, op, type, args)
}

/** sin and cos by polynomials where all lanes are small enough, else lane by lane. */
function sine(e: Emit, width: Width, op: 'sin' | 'cos', x: Local): void {
  const { f } = e
  f.get(x).op('f32x4.abs').f32x4(sineLimit).op('f32x4.lt').op('i32x4.all_true')
  f.if(
    () => vectorSine(f, op, x),
    () => byLane(e, width, op, 'float32', [x]),
    'v128',
  )
}

const directUnary = new Set(['neg', 'abs', 'floor', 'ceil', 'trunc', 'sqrt'])
const directBinary = new Set(['add', 'sub', 'mul', 'div'])

function floatOp(
  f: FunctionBuilder,
  kind: 'f32' | 'f64',
  op: ScalarName,
  args: readonly Local[],
  constants: readonly (number | undefined)[],
): boolean {
  const shape = kind === 'f32' ? 'f32x4' : 'f64x2'
  const o = (name: string) => f.op(`${shape}.${name}` as PlainOp)
  const push = (value: number) => (kind === 'f32' ? f.f32x4(value) : f.f64x2(value))
  const [x, y] = args as [Local, Local]
  if (directUnary.has(op)) {
    f.get(x)
    o(op)
  } else if (directBinary.has(op)) {
    f.get(x).get(y)
    o(op)
  } else if (op === 'max' || op === 'min') {
    // pmax(x, c) is x < c ? c : x: exact for a literal c, but for max(-0, +0), which adding 0 mends.
    const at = constants[1] !== undefined ? 1 : constants[0] !== undefined ? 0 : -1
    const c = at < 0 ? Number.NaN : constants[at]!
    if (Number.isNaN(c) || Object.is(c, -0)) {
      f.get(x).get(y)
      o(op)
    } else {
      f.get(args[1 - at]!).get(args[at]!)
      o(`p${op}`)
      if (c === 0 && op === 'max') {
        push(0)
        o('add')
      }
    }
  } else if (op === 'sign') {
    push(1).get(x)
    push(-0).op('v128.and').op('v128.or').get(x).get(x)
    o('abs')
    push(0)
    o('gt').op('v128.bitselect')
  } else if (op === 'not') {
    f.get(x)
    push(0)
    o('eq')
    push(1).op('v128.and')
  } else if (op === 'round') vectorRound(f, shape, x)
  else if (kind === 'f32' && hasVectorMath(op)) vectorMath(f, op, x)
  else return false
  return true
}

function integerOp(
  f: FunctionBuilder,
  op: ScalarName,
  args: readonly Local[],
  constants: readonly (number | undefined)[],
): boolean {
  const [x, y] = args as [Local, Local]
  switch (op) {
    case 'add':
    case 'sub':
    case 'mul':
      f.get(x).get(y).op(`i32x4.${op}`)
      return true
    case 'max':
    case 'min':
      f.get(x).get(y).op(`i32x4.${op}_s`)
      return true
    case 'and':
    case 'or':
    case 'xor':
      f.get(x).get(y).op(`v128.${op}`)
      return true
    case 'shl':
    case 'shr':
      if (constants[1] === undefined) return false
      f.get(x)
        .i32(constants[1])
        .op(op === 'shl' ? 'i32x4.shl' : 'i32x4.shr_u')
      return true
    case 'neg':
    case 'abs':
      f.get(x).op(`i32x4.${op}`)
      return true
    case 'sign':
      f.get(x).i32(31).op('i32x4.shr_s').get(x).i32x4(0).op('i32x4.gt_s').op('i32x4.sub')
      return true
    case 'not':
      f.get(x).i32x4(0).op('i32x4.eq').i32x4(1).op('v128.and')
      return true
    case 'floor':
    case 'ceil':
    case 'round':
    case 'trunc':
      f.get(x)
      return true
    default:
      return false
  }
}

const boolWords: Partial<Record<ScalarName, PlainOp>> = {
  and: 'v128.and',
  mul: 'v128.and',
  min: 'v128.and',
  or: 'v128.or',
  add: 'v128.or',
  max: 'v128.or',
  xor: 'v128.xor',
  sub: 'v128.xor',
  ne: 'v128.xor',
}

/** Instructions on masks, which are the same at every width. */
function boolOp(e: Emit, width: Width, op: ScalarName, args: readonly Local[]): void {
  const { f } = e
  const [x, y] = args as [Local, Local]
  const word = boolWords[op]
  if (word) f.get(x).get(y).op(word)
  else if (op === 'not') f.get(x).op('v128.not')
  else if (op === 'eq') f.get(x).get(y).op('v128.xor').op('v128.not')
  else if (op === 'gt') f.get(x).get(y).op('v128.andnot')
  else if (op === 'lt') f.get(y).get(x).op('v128.andnot')
  else if (op === 'ge') f.get(x).get(y).op('v128.not').op('v128.or')
  else if (op === 'le') f.get(y).get(x).op('v128.not').op('v128.or')
  else if (args.length === 1) f.get(x)
  else byLane(e, width, op, 'bool', args)
}

/** Runs the single-element code on each lane in turn. */
function byLane(e: Emit, width: Width, op: ScalarName, type: DType, args: readonly Local[]): void {
  const { f } = e
  const kind = kindOf(type)
  const scalars = args.map(() => f.local(localType(kind, 1)))
  const lane = f.local(localType(kind, 1))
  const out = f.local('v128')
  for (let j = 0; j < width; j++) {
    args.forEach((a, i) => {
      f.get(a)
      extract(f, kind, width, j)
      f.set(scalars[i]!)
    })
    scalarOp(e, op, type, scalars)
    f.set(lane)
    if (kind === 'bool') {
      // Lane j of a mask: set by and with the lanes of one mask per position.
      f.get(lane)
      splat(f, kind, width)
      if (j > 0) {
        const bytes = 16 / width
        const here = Array.from({ length: 16 }, (_, i) => (Math.floor(i / bytes) === j ? 255 : 0))
        f.get(out).v128(here).op('v128.bitselect')
      }
      f.set(out)
    } else {
      if (j > 0) f.get(out)
      f.get(lane)
      if (j > 0) replace(f, kind, j)
      else splat(f, kind, width)
      f.set(out)
    }
  }
  f.get(out).free(out).free(lane)
  for (const s of scalars) f.free(s)
}

/** Threefry-2x32 as `base/random.ts` has it, on i32 lanes. */
function random(f: FunctionBuilder, key0: Local, key1: Local, counter: Local): void {
  const [x0, x1, key2] = [f.local('v128'), f.local('v128'), f.local('v128')]
  const keys = [key0, key1, key2]
  f.get(key0).get(key1).op('v128.xor').i32x4(threefryParity).op('v128.xor').set(key2)
  f.get(key0).set(x0).get(counter).get(key1).op('i32x4.add').set(x1)
  for (let round = 0; round < 20; round++) {
    const r = threefryRotations[round % 8]!
    f.get(x0).get(x1).op('i32x4.add').set(x0)
    f.get(x1)
      .i32(r)
      .op('i32x4.shl')
      .get(x1)
      .i32(32 - r)
    f.op('i32x4.shr_u').op('v128.or').get(x0).op('v128.xor').set(x1)
    if (round % 4 === 3) {
      const s = (round + 1) / 4
      const next = (at: number) => f.get(keys[at % 3]!).op('i32x4.add')
      f.get(x0)
      next(s).set(x0).get(x1)
      next(s + 1)
        .i32x4(s)
        .op('i32x4.add')
        .set(x1)
    }
  }
  f.get(x0).get(x1).op('v128.xor').free(x0).free(x1).free(key2)
}
