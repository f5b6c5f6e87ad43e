/** A scalar program as code: each node computed where its operands stop changing, over one or more vectors. */

import { type DType, itemSize } from '../../base/dtype.ts'
import type { Expr, Program } from '../../prim/expr.ts'
import type { FunctionBuilder, Local } from './assembler.ts'
import type { Frame, Places } from './frame.ts'
import { wrapScalar } from './scalarCode.ts'
import {
  extract,
  kindOf,
  loadLanes,
  loadSplat,
  loadVector,
  localType,
  pushConst,
  splat,
  storeLanes,
  storeVector,
  type Width,
} from './values.ts'
import { castTo, emitOp } from './vectorCode.ts'

/** Where code is placed: the pointers there, how many vectors, and of a partial one how many lanes. */
export interface Place {
  readonly pointers: readonly Local[]
  readonly vectors: number
  readonly count?: Local | undefined
}

const accumulators = 1 << 30

/** Emits a program in stages: stage s holds what depends on the levels of `covers[s]` and not fewer. */
export class Body {
  readonly #frame: Frame
  readonly #program: Program
  readonly #width: Width
  /** The level that lanes run along, -1 for none. */
  readonly #vector: number
  readonly #levels: number[]
  readonly #stages: number[]
  /** By unrolled vector and node. */
  readonly #values: Local[][] = []
  /** Byte offsets of gathers whose index is the same in all lanes. */
  readonly #rows = new Map<number, Local>()
  readonly #acc: Local[][] = []

  constructor(
    frame: Frame,
    program: Program,
    width: Width,
    vector: number,
    covers: readonly number[],
  ) {
    this.#frame = frame
    this.#program = program
    this.#width = width
    this.#vector = vector
    this.#levels = []
    for (const { expr, args } of program.nodes) {
      let mask = 0
      for (const a of args) mask |= this.#levels[a]!
      if (expr.kind === 'load' || expr.kind === 'loadAt') mask |= frame.levelsOf(expr.input)
      else if (expr.kind === 'index') mask |= 1 << expr.dim
      else if (expr.kind === 'acc') mask |= accumulators | (vector >= 0 ? 1 << vector : 0)
      this.#levels.push(mask)
    }
    this.#stages = this.#levels.map((mask) => covers.findIndex((c) => (mask & ~c) === 0))
  }

  /** A rough number of instructions in a turn of the innermost loop. */
  get weight(): number {
    let weight = 0
    for (const { expr } of this.#program.nodes) {
      if (expr.kind === 'const' || expr.kind === 'param') continue
      weight += expr.kind === 'loadAt' || isHeavy(expr) ? 24 : 1
    }
    return weight
  }

  /** Whether some instruction is a long chain of machine instructions, which wait for one another. */
  get heavy(): boolean {
    return this.#program.nodes.some(({ expr }) => isHeavy(expr))
  }

  /** Names the local that holds accumulator `slot` of unrolled vector `u`. */
  setAcc(slot: number, u: number, local: Local): void {
    this.#acc[u] ??= []
    this.#acc[u]![slot] = local
  }

  /** The local that holds a node's value. */
  node(at: number, u = 0): Local {
    return this.#values[this.#varies(at) ? u : 0]![at]!
  }

  /** The local that holds result `i`. */
  result(i: number, u = 0): Local {
    return this.node(this.#program.results[i]!, u)
  }

  /** Whether result `i` depends on level `level`. */
  resultVaries(i: number, level: number): boolean {
    return (this.#levels[this.#program.results[i]!]! & (1 << level)) !== 0
  }

  /** Emits a stage. */
  emit(stage: number, place: Place): void {
    this.#program.nodes.forEach(({ expr }, at) => {
      if (this.#stages[at] !== stage) return
      if (expr.kind === 'loadAt') this.#row(expr, at, place)
      const copies = this.#varies(at) ? place.vectors : 1
      this.#frame.f.abreast(copies, (u) => {
        this.#values[u] ??= []
        if (expr.kind === 'acc') {
          this.#values[u]![at] = this.#acc[u]![expr.slot]!
          return
        }
        this.#push(expr, at, u, place)
        const local = this.#frame.f.local(localType(kindOf(expr.dtype), this.#width))
        this.#frame.f.set(local)
        this.#values[u]![at] = local
      })
    })
  }

  #varies(at: number): boolean {
    return this.#vector >= 0 && (this.#levels[at]! & (1 << this.#vector)) !== 0
  }

  #push(e: Expr, at: number, u: number, place: Place): void {
    const frame = this.#frame
    const { f } = frame
    const width = this.#width
    const kind = kindOf(e.dtype)
    const { args } = this.#program.nodes[at]!
    switch (e.kind) {
      case 'const':
        pushConst(f, kind, width, e.value)
        return
      case 'param':
        f.get(frame.param(e.slot))
        if (kind === 'f32') f.op('f32.demote_f64')
        else if (kind === 'bool') f.f64(0).op('f64.ne')
        else if (kind !== 'f64') {
          f.op('i64.trunc_sat_f64_s')
          if (kind === 'i32') wrapScalar(f.op('i32.wrap_i64'), e.dtype)
        }
        splat(f, kind, width)
        return
      case 'index': {
        f.get(frame.counters[e.dim]!)
        if (e.dim !== this.#vector) return splat(f, 'i32', width)
        if (width === 1) {
          if (u > 0) f.i32(u).op('i32.add')
          return
        }
        const first = u * width
        f.op('i32x4.splat')
          .i32x4([first, first + 1, first + 2, first + 3])
          .op('i32x4.add')
        return
      }
      case 'load':
      case 'loadAt': {
        const flag = frame.flags[e.input]
        const read = () => this.#read(e, at, u, place)
        if (flag === undefined) read()
        else f.get(flag).if(read, () => pushConst(f, kind, width, 0), localType(kind, width))
        return
      }
      case 'cast':
        castTo(frame, width, e.arg.dtype, e.dtype, this.node(args[0]!, u))
        return
      case 'op': {
        const operands = args.map((a) => this.node(a, u))
        const constants = e.args.map((a) => (a.kind === 'const' ? a.value : undefined))
        const type = e.args[e.args.length - 1]!.dtype
        emitOp(frame, width, e.op, type, operands, constants)
        return
      }
      case 'acc':
        return
      default:
        e satisfies never
    }
  }

  /** Whether the lanes of a gather read at one index. */
  #uniform(at: number): boolean {
    return this.#width === 1 || !this.#varies(this.#program.nodes[at]!.args[0]!)
  }

  /** Computes the byte offset of a gather whose index all lanes share. */
  #row(e: Extract<Expr, { kind: 'loadAt' }>, at: number, place: Place): void {
    if (!this.#uniform(at) || (this.#width === 1 && place.vectors > 1)) return
    const { f } = this.#frame
    const index = f.local('i32')
    f.get(this.node(this.#program.nodes[at]!.args[0]!))
    extract(f, kindOf(e.index.dtype), this.#width, 0)
    narrowIndex(f, e.index.dtype)
    f.set(index)
    pushPlace(this.#frame, index, this.#frame.places.get(e)!)
    f.set(index)
    this.#rows.set(at, index)
  }

  #read(e: Extract<Expr, { kind: 'load' | 'loadAt' }>, at: number, u: number, place: Place): void {
    const frame = this.#frame
    const { f } = frame
    const width = this.#width
    const pointer = place.pointers[e.input]!
    const along = this.#vector >= 0 && frame.moves(e.input, this.#vector)
    const row = e.kind === 'loadAt' ? this.#rows.get(at) : undefined
    const pushRow = () => {
      if (row !== undefined) f.get(row).op('i32.add')
    }
    if (e.kind === 'loadAt' && !this.#uniform(at)) {
      const places = frame.places.get(e)!
      const index = f.local('i32')
      loadLanes(f, e.dtype, width, (j) => {
        f.get(this.node(this.#program.nodes[at]!.args[0]!, u))
        extract(f, 'i32', width, j)
        f.set(index).get(pointer)
        if (along) this.#pushLane(e.input, u, j, place.count)
        pushPlace(frame, index, places)
        f.op('i32.add')
      })
      f.free(index)
    } else if (!along) {
      f.get(pointer)
      pushRow()
      loadSplat(f, e.dtype, width)
    } else if (frame.contiguous(e.input, this.#vector)) {
      f.get(pointer)
      pushRow()
      loadVector(f, e.dtype, width, u * width * bytesOf(frame, e.input))
    } else {
      loadLanes(f, e.dtype, width, (j) => {
        f.get(pointer)
        pushRow()
        this.#pushLane(e.input, u, j, place.count)
      })
    }
  }

  /** Adds the way to lane `j` of vector `u` to the pointer on the stack; lanes beyond `count` read the last. */
  #pushLane(operand: number, u: number, j: number, count: Local | undefined): void {
    const frame = this.#frame
    const { f } = frame
    const lane = u * this.#width + j
    if (lane === 0) return
    if (count === undefined) frame.pushWay(operand, this.#vector, lane)
    else {
      const at = f.local('i32')
      f.i32(lane).get(count).i32(1).op('i32.sub').i32(lane).get(count).op('i32.lt_s').select()
      f.set(at)
      frame.pushWay(operand, this.#vector, { local: at })
      f.free(at)
    }
    f.op('i32.add')
  }

  /** Writes the value in a local to output `output` (counted among all operands), displaced by `row` bytes. */
  store(output: number, value: Local, u: number, place: Place, row?: Local): void {
    const frame = this.#frame
    const { f } = frame
    const { dtype } = frame.nest.operands[output]!
    let pointer = place.pointers[output]!
    if (row !== undefined) {
      const moved = f.local('i32')
      f.get(pointer).get(row).op('i32.add').set(moved)
      pointer = moved
    }
    const bytes = bytesOf(frame, output)
    if (this.#vector >= 0 && frame.contiguous(output, this.#vector)) {
      storeVector(f, dtype, this.#width, pointer, u * this.#width * bytes, value, place.count)
    } else {
      const lane = (j: number) => {
        f.get(pointer)
        const at = u * this.#width + j
        if (at === 0 || !frame.moves(output, this.#vector)) return
        frame.pushWay(output, this.#vector, at)
        f.op('i32.add')
      }
      storeLanes(f, dtype, this.#width, lane, value, place.count)
    }
    if (row !== undefined) f.free(pointer)
  }
}

const heavyOps: ReadonlySet<string> = new Set([
  'exp',
  'expm1',
  'log',
  'log1p',
  'tanh',
  'erf',
  'random',
  'pow',
  'mod',
  'sin',
  'cos',
])

const isHeavy = (e: Expr): boolean => e.kind === 'op' && heavyOps.has(e.op)

const bytesOf = (frame: Frame, operand: number): number =>
  itemSize(frame.nest.operands[operand]!.dtype)

/** Turns an index of any integer dtype on the stack into an i32 that clamps alike. */
export function narrowIndex(f: FunctionBuilder, dtype: DType): void {
  if (dtype !== 'int64') return
  const x = f.local('i64')
  const top = f.local('i64')
  f.set(x).i64(0x7fffffffn).get(x).get(x).i64(0x7fffffffn).op('i64.gt_s').select().set(top)
  f.i32(0).get(top).op('i32.wrap_i64').get(top).i64(0n).op('i64.lt_s').select().free(x).free(top)
}

/** Pushes clamp(index, 0, size - 1)·stride. */
export function pushPlace(frame: Frame, index: Local, places: Places): void {
  const { f } = frame
  const top = f.local('i32')
  const low = f.local('i32')
  f.get(places.size).i32(1).op('i32.sub').set(top)
  f.get(index).get(top).get(index).get(top).op('i32.lt_s').select().set(low)
  f.get(low).i32(0).get(low).i32(0).op('i32.gt_s').select()
  f.get(places.stride).op('i32.mul').free(top).free(low)
}

/** Whether a program does nothing but copy an operand, and which node it is. */
export function plainCopy(
  program: Program,
): Extract<Expr, { kind: 'load' | 'loadAt' }> | undefined {
  if (program.results.length !== 1) return undefined
  const e = program.nodes[program.results[0]!]!.expr
  return e.kind === 'load' || e.kind === 'loadAt' ? e : undefined
}

/** Whether a program writes one literal zero, all of whose bits are 0. */
export function isZero(program: Program): boolean {
  if (program.results.length !== 1) return false
  const e = program.nodes[program.results[0]!]!.expr
  return e.kind === 'const' && Object.is(e.value, 0)
}
