/** The function that runs one nest: its arguments, and the loops that carry addresses along. */

import { dtypeInfo, itemSize } from '../../base/dtype.ts'
import { type Expr, linearize, type Program } from '../../prim/expr.ts'
import type { Callable, FunctionBuilder, Local, ValueType } from './assembler.ts'
import { importedType } from './imports.ts'
import type { ModuleBuilder } from './module.ts'
import type { Nest } from './nest.ts'
import type { Emit } from './scalarCode.ts'

/** A nest with its expressions as straight-line code. */
export interface Plan {
  readonly nest: Nest
  readonly body: Program
  readonly epilogue: Program
  /** Launch numbers that are used. */
  readonly slots: readonly number[]
  /** What kind of output a scatter writes: undefined elsewhere. */
  readonly scatter?: ScatterPlan
}

/** Where and how a scatter writes; the last `sizes.length` results of the body are its indices. */
export interface ScatterPlan {
  readonly op: 'set' | 'add' | 'max'
  readonly sizes: readonly number[]
  /** In bytes. */
  readonly strides: readonly number[]
}

const gathers = (plan: Plan): Extract<Expr, { kind: 'loadAt' }>[] => {
  const list: Extract<Expr, { kind: 'loadAt' }>[] = []
  for (const p of [plan.body, plan.epilogue]) {
    for (const { expr } of p.nodes) if (expr.kind === 'loadAt') list.push(expr)
  }
  return list
}

/** Linearizes a nest. */
export function planOf(nest: Nest, scatter?: ScatterPlan): Plan {
  const body = linearize(nest.body)
  const epilogue = linearize(nest.epilogue)
  const slots = new Set<number>()
  for (const p of [body, epilogue]) {
    for (const { expr } of p.nodes) if (expr.kind === 'param') slots.add(expr.slot)
  }
  const sorted = [...slots].sort((a, b) => a - b)
  return scatter
    ? { nest, body, epilogue, slots: sorted, scatter }
    : { nest, body, epilogue, slots: sorted }
}

/** How an operand moves along a level: not at all, from element to element in vectors, or by a stride. */
function moves(nest: Nest, operand: number, level: number): '0' | 'c' | 's' {
  const stride = nest.levels[level]!.strides[operand]!
  if (stride === 0) return '0'
  return level === nest.vector && stride === itemSize(nest.operands[operand]!.dtype) ? 'c' : 's'
}

function programKey(program: Program): string {
  let key = ''
  for (const { expr: e, args } of program.nodes) {
    const type = dtypeInfo(e.dtype).code
    if (e.kind === 'load') key += `l${e.input}`
    else if (e.kind === 'loadAt') key += `g${e.input}[${args[0]}]`
    else if (e.kind === 'const') key += `c${Object.is(e.value, -0) ? '-0' : e.value}:${type}`
    else if (e.kind === 'param') key += `p${e.slot}:${type}`
    else if (e.kind === 'index') key += `i${e.dim}`
    else if (e.kind === 'acc') key += `a${e.slot}`
    else if (e.kind === 'cast') key += `t${args[0]}:${type}`
    else key += `${e.op}(${args.join()}`
    key += ';'
  }
  return `${key}>${program.results.join()}`
}

/** A text that is equal exactly for plans that run the same code on other numbers. */
export function planKey(plan: Plan): string {
  const { nest } = plan
  let key = `${nest.form}${nest.width}${nest.wide ? 'w' : ''}${nest.beside || ''}${nest.tile ? `t${nest.tile.level}` : ''} ${nest.levels.length}/${nest.parallel}`
  nest.operands.forEach((o, i) => {
    key += `${i === nest.inputs ? '>' : ','}${dtypeInfo(o.dtype).code}:`
    for (let l = 0; l < nest.levels.length; l++) key += moves(nest, i, l)
    for (const g of o.guards) key += `g${g.level}`
  })
  key += ` ${programKey(plan.body)} ${nest.reduce.join()} ${programKey(plan.epilogue)}`
  if (plan.scatter) key += ` ${plan.scatter.op}${plan.scatter.sizes.length}`
  return key
}

/** The numbers between the addresses and the launch numbers, in the order in which `Frame` takes them. */
export function planNumbers(plan: Plan): number[] {
  const { nest } = plan
  const out = nest.levels.map((l) => l.size)
  nest.operands.forEach((_, o) => {
    nest.levels.forEach((level, l) => {
      if (moves(nest, o, l) === 's') out.push(level.strides[o]!)
    })
  })
  if (nest.tile) out.push(nest.tile.total)
  for (const o of nest.operands) for (const g of o.guards) out.push(g.lo, g.hi)
  for (const g of gathers(plan)) {
    out.push(g.size, g.stride * itemSize(nest.operands[g.input]!.dtype))
  }
  plan.scatter?.sizes.forEach((size, i) => {
    out.push(size, plan.scatter!.strides[i]!)
  })
  return out
}

/** Two i32 arguments of a gather: the number of places, and the bytes between them. */
export interface Places {
  readonly size: Local
  readonly stride: Local
}

interface GuardLimits {
  readonly level: number
  readonly lo: Local
  readonly hi: Local
}

/** What stands for a pointer's way along a level: `null` stays, a number of bytes, or a local. */
export type Stride = null | number | Local[]

/** The function being built for a plan. */
export class Frame implements Emit {
  readonly f: FunctionBuilder
  readonly plan: Plan
  readonly nest: Nest
  readonly base: readonly Local[]
  readonly size: readonly Local[]
  readonly places: ReadonlyMap<Expr, Places>
  readonly scatterPlaces: readonly Places[]
  /** Whether each operand may be touched here; undefined where it always may. */
  flags: (Local | undefined)[]
  /** The counters of the loops around. */
  readonly counters: Local[] = []
  readonly #module: ModuleBuilder
  readonly #imports = new Map<string, Callable>()
  /** By operand and level: bytes where known, a local where given. */
  readonly #stride: (null | { known: number } | { local: Local })[][]
  readonly #guards: GuardLimits[][]
  /** The number of elements of all pieces of a vector level that runs in pieces. */
  readonly #total: Local | undefined
  readonly #params = new Map<number, Local>()

  constructor(module: ModuleBuilder, plan: Plan, name: string) {
    const { nest } = plan
    const operands = nest.operands.length
    const integers = operands + planNumbers(plan).length
    const types: ValueType[] = [
      ...new Array<ValueType>(integers).fill('i32'),
      ...plan.slots.map((): ValueType => 'f64'),
    ]
    this.#module = module
    this.f = module.func(types, [], name)
    this.plan = plan
    this.nest = nest
    let at = 0
    this.base = nest.operands.map(() => at++)
    this.size = nest.levels.map(() => at++)
    this.#stride = nest.operands.map((o, i) =>
      nest.levels.map((_, l) => {
        const way = moves(nest, i, l)
        if (way === '0') return null
        return way === 'c' ? { known: itemSize(o.dtype) } : { local: at++ }
      }),
    )
    this.#total = nest.tile ? at++ : undefined
    this.#guards = nest.operands.map((o) =>
      o.guards.map((g) => ({ level: g.level, lo: at++, hi: at++ })),
    )
    this.places = new Map(gathers(plan).map((g) => [g, { size: at++, stride: at++ }]))
    this.scatterPlaces = (plan.scatter?.sizes ?? []).map(() => ({ size: at++, stride: at++ }))
    for (const slot of plan.slots) this.#params.set(slot, at++)
    this.flags = nest.operands.map(() => undefined)
  }

  import(name: string): Callable {
    let callee = this.#imports.get(name)
    if (!callee) {
      const { params, results } = importedType(name)
      callee = this.#module.import('env', name, params, results)
      this.#imports.set(name, callee)
    }
    return callee
  }

  /** The f64 argument of a launch number. */
  param(slot: number): Local {
    return this.#params.get(slot)!
  }

  /** Whether an operand moves along a level. */
  moves(operand: number, level: number): boolean {
    return level >= 0 && this.#stride[operand]![level] !== null
  }

  /** Whether an operand's elements are neighbours along the vector level. */
  contiguous(operand: number, level: number): boolean {
    const s = this.#stride[operand]![level]
    return s != null && 'known' in s
  }

  /** The levels an operand's element depends on, as bits. */
  levelsOf(operand: number): number {
    let mask = 0
    this.#stride[operand]!.forEach((s, l) => {
      if (s !== null) mask |= 1 << l
    })
    for (const g of this.#guards[operand]!) mask |= 1 << g.level
    return mask
  }

  /** Pushes the bytes an operand moves in `times` turns of a level. */
  pushWay(operand: number, level: number, times: number | { local: Local }): void {
    const { f } = this
    const s = this.#stride[operand]![level]
    if (s == null) f.i32(0)
    else if ('known' in s) {
      if (typeof times === 'number') f.i32(s.known * times)
      else f.get(times.local).i32(s.known).op('i32.mul')
    } else {
      f.get(s.local)
      if (typeof times !== 'number') f.get(times.local).op('i32.mul')
      else if (times !== 1) f.i32(times).op('i32.mul')
    }
  }

  /** Copies of the pointers that move along the levels [from, to); the others are shared. */
  copy(pointers: readonly Local[], from: number, to: number): Local[] {
    return pointers.map((p, o) => {
      let moving = false
      for (let l = from; l < to; l++) moving ||= this.moves(o, l)
      if (!moving) return p
      const own = this.f.local('i32')
      this.f.get(p).set(own)
      return own
    })
  }

  /** Runs `body` at every point of the levels [from, to), with the pointers there. */
  loops(
    from: number,
    to: number,
    pointers: readonly Local[],
    body: (pointers: readonly Local[]) => void,
    turn?: (counter: Local) => void,
  ): void {
    if (from >= to) return body(pointers)
    const { f } = this
    const own = this.copy(pointers, from, to)
    // The step of a level takes back what the levels inside it have added.
    const steps: (Local | undefined)[][] = []
    for (let l = from; l < to; l++) {
      steps[l] = own.map((_, o) => {
        const inner = l + 1 < to && this.moves(o, l + 1)
        if (!this.moves(o, l) && !inner) return undefined
        const step = f.local('i32')
        this.pushWay(o, l, 1)
        if (inner) {
          this.pushWay(o, l + 1, { local: this.size[l + 1]! })
          f.op('i32.sub')
        }
        f.set(step)
        return step
      })
    }
    const enter = (l: number): void => {
      if (l === to) return body(own)
      const counter = f.local('i32')
      this.counters[l] = counter
      f.i32(0).set(counter)
      f.loop((again) => {
        const before = this.flags
        this.flags = this.#flagsAt(l, counter)
        enter(l + 1)
        this.flags = before
        own.forEach((p, o) => {
          const step = steps[l]![o]
          if (step !== undefined) f.get(p).get(step).op('i32.add').set(p)
        })
        f.get(counter).i32(1).op('i32.add').set(counter)
        if (turn && l === to - 1) turn(counter)
        f.get(counter).get(this.size[l]!).op('i32.lt_s').brIf(again)
      })
    }
    enter(from)
  }

  /** The flags after checking the guards of a level against its counter. */
  #flagsAt(level: number, counter: Local): (Local | undefined)[] {
    const { f } = this
    return this.flags.map((flag, o) => {
      let now = flag
      for (const g of this.#guards[o]!) {
        if (g.level !== level) continue
        const next = f.local('i32')
        f.get(counter).get(g.lo).op('i32.sub').get(g.hi).get(g.lo).op('i32.sub').op('i32.lt_u')
        if (now !== undefined) f.get(now).op('i32.and')
        f.set(next)
        now = next
      }
      return now
    })
  }

  /** How often the vector level turns here: the last piece of one that runs in pieces is shorter. */
  #turns(): Local {
    const { f, nest } = this
    const size = this.size[nest.vector]!
    if (!nest.tile) return size
    const left = f.local('i32')
    f.get(this.#total!).get(this.counters[nest.tile.level]!).get(size).op('i32.mul').op('i32.sub')
    f.tee(left).get(size).get(left).get(size).op('i32.lt_s').select().set(left)
    return left
  }

  /**
   * Runs the vector level: `body` over `vectors` vectors at the pointers it is given, or over the first
   * `count` lanes of one. `flush` runs after every `chunk` elements and at the end.
   */
  vectors(
    pointers: readonly Local[],
    options: { unroll: number; chunk?: number; flush?: () => void },
    body: (pointers: readonly Local[], vectors: number, count?: Local) => void,
  ): void {
    const { f, nest } = this
    const level = nest.vector
    const { width } = nest
    const { chunk, flush } = options
    const own = this.copy(pointers, level, level + 1)
    const n = this.#turns()
    const i = f.local('i32')
    const end = f.local('i32')
    const last = f.local('i32')
    this.counters[level] = i
    const guards = this.#guards.flatMap((list) => list.filter((g) => g.level === level))
    const segmented = guards.length > 0 || chunk !== undefined
    const advance = (times: number | { local: Local }) => {
      own.forEach((p, o) => {
        if (!this.moves(o, level)) return
        f.get(p)
        this.pushWay(o, level, times)
        f.op('i32.add').set(p)
      })
    }
    const run = (vectors: number) => {
      const step = vectors * width
      f.get(end).i32(step).op('i32.sub').set(last)
      f.get(i).get(last).op('i32.le_s')
      f.if(() => {
        f.loop((again) => {
          body(own, vectors)
          advance(step)
          f.get(i).i32(step).op('i32.add').tee(i).get(last).op('i32.le_s').brIf(again)
        })
      })
    }
    const segment = () => {
      if (options.unroll > 1) run(options.unroll)
      run(1)
      if (width === 1) return
      f.get(i).get(end).op('i32.lt_s')
      f.if(() => {
        const count = f.local('i32')
        f.get(end).get(i).op('i32.sub').set(count)
        body(own, 1, count)
        if (segmented) {
          advance({ local: count })
          f.get(end).set(i)
        }
        f.free(count)
      })
    }
    f.i32(0).set(i)
    if (!segmented) {
      f.get(n).set(end)
      segment()
      flush?.()
    } else {
      f.loop((again) => {
        f.get(n).set(end)
        const lower = (push: () => void) => {
          push()
          f.tee(last).get(end).get(last).get(end).op('i32.lt_s').select().set(end)
        }
        if (chunk !== undefined) lower(() => f.get(i).i32(chunk).op('i32.add'))
        for (const g of guards) {
          lower(() => {
            f.get(g.lo).get(g.hi).get(n).get(i).get(g.hi).op('i32.lt_s').select()
            f.get(i).get(g.lo).op('i32.lt_s').select()
          })
        }
        const before = this.flags
        this.flags = this.#flagsAt(level, i)
        segment()
        this.flags = before
        flush?.()
        f.get(i).get(n).op('i32.lt_s').brIf(again)
      })
    }
    f.free(last).free(end)
  }
}
