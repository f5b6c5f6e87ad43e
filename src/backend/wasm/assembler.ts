/** A writer of WebAssembly functions for kernels generated at run time: instructions are appended in stack order. */

import {
  type AtomicOp,
  type LaneOp,
  lanes,
  type MemoryLaneOp,
  type MemoryOp,
  memory,
  opcode,
  type PlainOp,
  plain,
  signed32,
  signed64,
  TYPE_CODE,
  unsigned,
  type ValueType,
} from './simd.ts'

export type { AtomicOp, LaneOp, MemoryLaneOp, MemoryOp, PlainOp, ValueType } from './simd.ts'

/** The index of a parameter or local of one function; parameters come first, from 0. */
export type Local = number

/** The target of a branch: the end of a block or if, the start of a loop. */
export type Label = number

/** A function that can be called: imported, or built in the same module. */
export interface Callable {
  readonly imported: boolean
  /** Its place among the imports, or among the functions built here. */
  readonly order: number
}

const EMPTY_BLOCK = 0x40

const float64 = new Float64Array(1)
const float32 = new Float32Array(1)
const float64Bytes = new Uint8Array(float64.buffer)
const float32Bytes = new Uint8Array(float32.buffer)
/**
 * The body of one function. Every method appends to it and returns the builder, so that calls chain in stack
 * order: `f.get(x).f32(2).op('f32.mul').set(y)`. `ModuleBuilder.func` makes one; types are checked by the engine.
 */
export class FunctionBuilder implements Callable {
  readonly imported = false
  readonly order: number
  readonly params: readonly ValueType[]
  readonly results: readonly ValueType[]
  readonly #code: number[] = []
  readonly #types: ValueType[]
  /** Vector constants by their bytes, and the code that sets them. */
  readonly #constants = new Map<string, Local>()
  readonly #entry: number[] = []
  readonly #idle: Partial<Record<ValueType, Local[]>> = {}
  readonly #calls: number[] = []
  readonly #callees: Callable[] = []
  #depth = 0
  /** While pieces of code are laid abreast: where the statements of the piece at hand end, and locals to free afterwards. */
  #abreast: { readonly depth: number; cuts: number[]; readonly freed: Local[] } | null = null

  constructor(order: number, params: readonly ValueType[], results: readonly ValueType[]) {
    this.order = order
    this.params = params
    this.results = results
    this.#types = [...params]
  }

  /** A new local of a type, zero on entry; or one given back by `free`, which keeps its old value. */
  local(type: ValueType): Local {
    const idle = this.#idle[type]?.pop()
    return idle ?? this.#types.push(type) - 1
  }

  /** Gives a local back for reuse by a later `local` of the same type. */
  free(local: Local): this {
    if (this.#abreast !== null) {
      this.#abreast.freed.push(local)
      return this
    }
    const type = this.typeOf(local)
    const list = this.#idle[type]
    if (list) list.push(local)
    else this.#idle[type] = [local]
    return this
  }

  /**
   * Lays `count` pieces of code side by side, a statement of each in turn: a processor finds more to do at once. The pieces
   * are alike and use locals of their own; their statements end at `cut`.
   */
  abreast(count: number, piece: (at: number) => void): this {
    if (count === 1 || this.#abreast !== null) {
      for (let at = 0; at < count; at++) piece(at)
      return this
    }
    const lanes = { depth: this.#depth, cuts: [] as number[], freed: [] as Local[] }
    const pieces: { code: number[]; calls: number[]; callees: Callable[] }[][] = []
    const [start, calls] = [this.#code.length, this.#calls.length]
    this.#abreast = lanes
    for (let at = 0; at < count; at++) {
      lanes.cuts = [start]
      piece(at)
      const [own, callees] = [this.#calls.splice(calls), this.#callees.splice(calls)]
      const ends = [...lanes.cuts.slice(1), this.#code.length]
      pieces.push(
        ends.map((end, i) => {
          const from = lanes.cuts[i]!
          const within = (call: number): boolean => call >= from && call < end
          return {
            code: this.#code.slice(from, end),
            calls: own.filter(within).map((call) => call - from),
            callees: callees.filter((_, c) => within(own[c]!)),
          }
        }),
      )
      this.#code.length = start
    }
    this.#abreast = null
    const most = Math.max(...pieces.map((p) => p.length))
    for (let i = 0; i < most; i++) {
      for (const statement of pieces.flatMap((p) => p[i] ?? [])) {
        this.#calls.push(...statement.calls.map((call) => call + this.#code.length))
        this.#callees.push(...statement.callees)
        this.#code.push(...statement.code)
      }
    }
    for (const local of lanes.freed) this.free(local)
    return this
  }

  /** Ends a statement of a piece that lies abreast: the stack holds what it held when the piece began. */
  cut(): this {
    const lanes = this.#abreast
    if (lanes !== null && lanes.depth === this.#depth) lanes.cuts.push(this.#code.length)
    return this
  }

  /** The type of a parameter or local. */
  typeOf(local: Local): ValueType {
    const type = this.#types[local]
    if (!type) throw new Error(`[wasm] local ${local}: the function has ${this.#types.length}`)
    return type
  }

  /** Pushes a local. */
  get(local: Local): this {
    this.#code.push(0x20)
    unsigned(this.#code, local)
    return this
  }

  /** Pops into a local. */
  set(local: Local): this {
    this.#code.push(0x21)
    unsigned(this.#code, local)
    return this
  }

  /** Copies the top of the stack into a local and leaves it there. */
  tee(local: Local): this {
    this.#code.push(0x22)
    unsigned(this.#code, local)
    return this
  }

  /** Pushes an i32 constant; values from 2^31 to 2^32 - 1 wrap. */
  i32(value: number): this {
    this.#code.push(0x41)
    signed32(this.#code, value)
    return this
  }

  /** Pushes an i64 constant. */
  i64(value: bigint): this {
    this.#code.push(0x42)
    signed64(this.#code, value)
    return this
  }

  /** Pushes an f32 constant, rounded from float64. */
  f32(value: number): this {
    float32[0] = value
    this.#code.push(0x43)
    for (let i = 0; i < 4; i++) this.#code.push(float32Bytes[i]!)
    return this
  }

  /** Pushes an f64 constant. */
  f64(value: number): this {
    float64[0] = value
    this.#code.push(0x44)
    for (let i = 0; i < 8; i++) this.#code.push(float64Bytes[i]!)
    return this
  }

  /** Pushes a v128 constant of 16 bytes: a local set on entry, since engines make a constant anew in each turn of a loop. */
  v128(bytes: ArrayLike<number>): this {
    const own = Array.from({ length: 16 }, (_, i) => (bytes[i] ?? 0) & 0xff)
    const key = own.join()
    let local = this.#constants.get(key)
    if (local === undefined) {
      // Never one that was used before: it would lose the constant.
      local = this.#types.push('v128') - 1
      this.#constants.set(key, local)
      this.#entry.push(0xfd, 0x0c, ...own, 0x21)
      unsigned(this.#entry, local)
    }
    return this.get(local)
  }

  /** Pushes four float32 constants; one number fills all lanes. */
  f32x4(value: number | readonly [number, number, number, number]): this {
    const all = typeof value === 'number' ? [value, value, value, value] : value
    return this.v128(new Uint8Array(new Float32Array(all).buffer))
  }

  /** Pushes two float64 constants; one number fills both lanes. */
  f64x2(value: number | readonly [number, number]): this {
    const all = typeof value === 'number' ? [value, value] : value
    return this.v128(new Uint8Array(new Float64Array(all).buffer))
  }

  /** Pushes four i32 constants; one number fills all lanes. */
  i32x4(value: number | readonly [number, number, number, number]): this {
    const all = typeof value === 'number' ? [value, value, value, value] : value
    return this.v128(new Uint8Array(new Int32Array(all).buffer))
  }

  /** An instruction without immediates, by its text name: 'f32x4.add', 'i32.shl', 'v128.bitselect'. */
  op(name: PlainOp): this {
    opcode(this.#code, plain.get(name)!)
    return this
  }

  /**
   * A load or store: 'f32.load', 'v128.load32_splat', 'v128.store'. Stack: address, then the value of a store.
   * `offset` is added to the address (unsigned, bounds checked on the sum); `align` is log2 of bytes, a hint,
   * natural by default.
   */
  mem(name: MemoryOp | AtomicOp, offset = 0, align?: number): this {
    const [code, natural] = memory.get(name)!
    opcode(this.#code, code)
    unsigned(this.#code, align ?? natural)
    unsigned(this.#code, offset)
    return this
  }

  /** A load or store of one lane: 'v128.load32_lane'. Stack: address, vector. */
  memLane(name: MemoryLaneOp, lane: number, offset = 0, align?: number): this {
    const [code, natural] = memory.get(name)!
    opcode(this.#code, code)
    unsigned(this.#code, align ?? natural)
    unsigned(this.#code, offset)
    this.#code.push(lane)
    return this
  }

  /** Reads or replaces a lane: 'f32x4.extract_lane', 'i16x8.replace_lane'. */
  lane(name: LaneOp, lane: number): this {
    opcode(this.#code, lanes.get(name)!)
    this.#code.push(lane)
    return this
  }

  /** i8x16.shuffle: byte i of the result is byte `bytes[i]` of the two operands laid end to end. */
  shuffle(bytes: readonly number[]): this {
    this.#code.push(0xfd, 0x0d)
    for (let i = 0; i < 16; i++) this.#code.push(bytes[i]!)
    return this
  }

  /** A shuffle of 32-bit lanes: 0 to 3 from the first operand, 4 to 7 from the second. */
  shuffle32(a: number, b: number, c: number, d: number): this {
    this.#code.push(0xfd, 0x0d)
    for (const l of [a, b, c, d]) this.#code.push(4 * l, 4 * l + 1, 4 * l + 2, 4 * l + 3)
    return this
  }

  /** A shuffle of 64-bit lanes: 0 and 1 from the first operand, 2 and 3 from the second. */
  shuffle64(a: number, b: number): this {
    return this.shuffle32(2 * a, 2 * a + 1, 2 * b, 2 * b + 1)
  }

  /** A block; branching to its label leaves it. `result` is the type it leaves on the stack. */
  block(body: (label: Label) => void, result?: ValueType): this {
    return this.#nest(0x02, body, result)
  }

  /** A loop; branching to its label starts it again, falling through leaves it. */
  loop(body: (label: Label) => void, result?: ValueType): this {
    return this.#nest(0x03, body, result)
  }

  /** Pops a condition; branching to the label leaves the if. A `result` needs both arms. */
  if(
    then: (label: Label) => void,
    otherwise?: ((label: Label) => void) | null,
    result?: ValueType,
  ): this {
    this.#code.push(0x04, result ? TYPE_CODE[result] : EMPTY_BLOCK)
    this.#depth++
    then(this.#depth)
    if (otherwise) {
      this.#code.push(0x05)
      otherwise(this.#depth)
    }
    this.#depth--
    this.#code.push(0x0b)
    return this
  }

  /** Branches to a label of an enclosing block, loop or if. */
  br(label: Label): this {
    this.#code.push(0x0c)
    unsigned(this.#code, this.#depth - label)
    return this
  }

  /** Pops a condition and branches where it is not zero. */
  brIf(label: Label): this {
    this.#code.push(0x0d)
    unsigned(this.#code, this.#depth - label)
    return this
  }

  /**
   * `for (; i < end; i += step) body` over signed i32, the test at the bottom so that an iteration costs one
   * branch. `end` is read anew each time: a local, or a constant as `{ const: n }`.
   */
  range(i: Local, end: Local | { const: number }, step: number, body: () => void): this {
    const less = () => {
      this.get(i)
      if (typeof end === 'number') this.get(end)
      else this.i32(end.const)
      return this.op('i32.lt_s')
    }
    less()
    return this.if(() => {
      this.loop((again) => {
        body()
        this.get(i).i32(step).op('i32.add').set(i)
        less().brIf(again)
      })
    })
  }

  /** Calls a function of this module, built or imported, before or after. */
  call(callee: Callable): this {
    // The index is known once all imports are: a fixed width of three bytes is filled in by `assemble`.
    this.#code.push(0x10)
    this.#calls.push(this.#code.length)
    this.#callees.push(callee)
    this.#code.push(0x80, 0x80, 0x00)
    return this
  }

  /** Leaves the function with the results on the stack. */
  return(): this {
    this.#code.push(0x0f)
    return this
  }

  /** Pops a value and forgets it. */
  drop(): this {
    this.#code.push(0x1a)
    return this
  }

  /** Pops b, a and a condition: pushes a where it is not zero, else b. The type is v128-safe when given. */
  select(type?: ValueType): this {
    if (type) this.#code.push(0x1c, 1, TYPE_CODE[type])
    else this.#code.push(0x1b)
    return this
  }

  /** Traps. */
  unreachable(): this {
    this.#code.push(0x00)
    return this
  }

  /** memory.copy: pops destination, source, bytes; the ranges may overlap. */
  memoryCopy(): this {
    this.#code.push(0xfc, 0x0a, 0x00, 0x00)
    return this
  }

  /** memory.fill: pops destination, byte value, bytes. */
  memoryFill(): this {
    this.#code.push(0xfc, 0x0b, 0x00)
    return this
  }

  /** A fence between threads. */
  fence(): this {
    this.#code.push(0xfe, 0x03, 0x00)
    return this
  }

  /** The code entry without its end: size, locals and constants, then instructions; used by `ModuleBuilder.assemble`. */
  encode(imports: number): readonly [head: number[], code: readonly number[]] {
    const code = this.#code
    for (let i = 0; i < this.#calls.length; i++) {
      const callee = this.#callees[i]!
      const index = callee.imported ? callee.order : imports + callee.order
      const at = this.#calls[i]!
      code[at] = (index & 0x7f) | 0x80
      code[at + 1] = ((index >> 7) & 0x7f) | 0x80
      code[at + 2] = index >> 14
    }
    const locals: number[] = []
    let runs = 0
    const types = this.#types
    for (let i = this.params.length; i < types.length; ) {
      let end = i + 1
      while (end < types.length && types[end] === types[i]) end++
      unsigned(locals, end - i)
      locals.push(TYPE_CODE[types[i]!])
      runs++
      i = end
    }
    const count: number[] = []
    unsigned(count, runs)
    const head: number[] = []
    unsigned(head, count.length + locals.length + this.#entry.length + code.length + 1)
    head.push(...count, ...locals, ...this.#entry)
    return [head, code]
  }

  #nest(kind: number, body: (label: Label) => void, result?: ValueType): this {
    this.#code.push(kind, result ? TYPE_CODE[result] : EMPTY_BLOCK)
    this.#depth++
    body(this.#depth)
    this.#depth--
    this.#code.push(0x0b)
    return this
  }
}
