/** Code for nests with reductions: along rows in vectors, or over columns side by side. */

import { type DType, dtypeInfo, isFloat } from '../../base/dtype.ts'
import type { ReduceOp } from '../../prim/kernel.ts'
import type { ScalarName } from '../../prim/scalar.ts'
import type { Local } from './assembler.ts'
import { Body, type Place } from './body.ts'
import type { Frame } from './frame.ts'
import { unrollFor } from './map.ts'
import { columnChunk, type Nest } from './nest.ts'
import { castScalar } from './scalarCode.ts'
import { extract, kindOf, localType, pushConst, splat, type Width } from './values.ts'
import { castTo, emitOp } from './vectorCode.ts'

/** Elements after which the float32 sums of a row are added to a second sum. */
const rowChunk = 4096

/** What a reduction starts from and gives over nothing, for a body of this dtype. */
export function neutral(op: ReduceOp, dtype: DType): number {
  if (op === 'sum') return 0
  if (op === 'prod') return 1
  const { min, max } = dtypeInfo(dtype)
  if (op === 'max' || op === 'argmax') return isFloat(dtype) ? -Infinity : min
  return isFloat(dtype) ? Infinity : max
}

const combining: Record<ReduceOp, ScalarName> = {
  sum: 'add',
  prod: 'mul',
  max: 'max',
  min: 'min',
  argmax: 'gt',
  argmin: 'lt',
}

/** One reduction of a kernel. */
interface Slot {
  readonly op: ReduceOp
  /** dtype of the body. */
  readonly dtype: DType
  /** dtype that is accumulated: narrow integers add and multiply as int32 and wrap at the end. */
  readonly type: DType
  readonly positional: boolean
  /** By unrolled vector. */
  readonly best: Local[]
  readonly at: Local[]
  /** The second sum of float32 sums. */
  readonly total: Local | undefined
  /** Second sums by unrolled vector, for columns. */
  readonly totals: Local[]
  /** By unrolled vector: lanes that have met a NaN, where the comparison that is used passes over it. */
  readonly nans: Local[]
}

class Reducer {
  readonly frame: Frame
  readonly slots: Slot[]
  readonly width: Width
  readonly unroll: number

  constructor(frame: Frame, unroll: number) {
    const { f, nest } = frame
    this.frame = frame
    this.width = nest.width
    this.unroll = unroll
    const local = (dtype: DType) => f.local(localType(kindOf(dtype), this.width))
    const many = (dtype: DType) => Array.from({ length: unroll }, () => local(dtype))
    this.slots = nest.reduce.map((op, s) => {
      const { dtype } = nest.body[s]!
      const positional = op === 'argmax' || op === 'argmin'
      const narrow = (op === 'sum' || op === 'prod') && (dtype === 'uint8' || dtype === 'int8')
      const type = narrow ? 'int32' : dtype
      const second = op === 'sum' && kindOf(dtype) === 'f32' && nest.beside === 0
      const passing = (op === 'max' || op === 'min') && kindOf(dtype) === 'f32' && this.width === 4
      return {
        op,
        dtype,
        type,
        positional,
        best: many(type),
        at: positional ? many('int32') : [],
        total: second ? local(type) : undefined,
        totals: second && nest.form === 'columns' ? many(type) : [],
        nans: passing ? Array.from({ length: unroll }, () => f.local('v128')) : [],
      }
    })
  }

  get positional(): boolean {
    return this.slots.some((s) => s.positional)
  }

  get summing(): boolean {
    return this.slots.some((s) => s.total !== undefined)
  }

  /** Sets the accumulators of `vectors` vectors to the neutral elements. */
  start(vectors: number): void {
    const { f } = this.frame
    const set = (dtype: DType, value: number, local: Local) => {
      pushConst(f, kindOf(dtype), this.width, value)
      f.set(local)
    }
    for (const s of this.slots) {
      for (let u = 0; u < vectors; u++) {
        set(s.type, neutral(s.op, s.dtype), s.best[u]!)
        if (s.positional) set('int32', 0, s.at[u]!)
        if (s.totals[u] !== undefined) set(s.type, 0, s.totals[u]!)
        if (s.nans[u] !== undefined) set('int32', 0, s.nans[u]!)
      }
      if (s.total !== undefined) set(s.type, 0, s.total)
    }
  }

  /**
   * Takes the values of vector `u` in. `position` is the position of lane 0 of vector 0; `mask` (a bool) the
   * lanes that count.
   */
  take(body: Body, u: number, position: () => void, mask?: Local): void {
    const { f } = this.frame
    const e = this.frame
    const w = this.width
    this.slots.forEach((s, i) => {
      const kind = kindOf(s.type)
      const value = f.local(localType(kind, w))
      const given = body.result(i, u)
      const best = s.best[u]!
      f.get(given).set(value)
      if (!s.positional) {
        if (mask !== undefined) {
          const rest = f.local(localType(kind, w))
          pushConst(f, kind, w, neutral(s.op, s.dtype))
          f.set(rest)
          emitOp(e, w, 'where', s.type, [mask, value, rest])
          f.set(value).free(rest)
        }
        const nan = s.nans[u]
        if (nan !== undefined) {
          // Three instructions, where the comparison that keeps NaN takes seven.
          f.get(best)
            .get(value)
            .op(s.op === 'max' ? 'f32x4.pmax' : 'f32x4.pmin')
            .set(best)
          f.get(value).get(value).op('f32x4.ne').get(nan).op('v128.or').set(nan)
        } else {
          emitOp(e, w, combining[s.op], s.type, [best, value])
          f.set(best)
        }
        f.free(value)
        return
      }
      // The first element wins whatever it is, so that a NaN there stays.
      const bool = localType('bool', w)
      const [better, first, at, zero] = [
        f.local(bool),
        f.local(bool),
        f.local(localType('i32', w)),
        f.local(localType('i32', w)),
      ]
      position()
      f.set(at)
      pushConst(f, 'i32', w, 0)
      f.set(zero)
      emitOp(e, w, combining[s.op], s.type, [value, best])
      f.set(better)
      emitOp(e, w, 'eq', 'int32', [at, zero])
      f.set(first)
      emitOp(e, w, 'or', 'bool', [better, first])
      f.set(better)
      if (mask !== undefined) {
        emitOp(e, w, 'and', 'bool', [better, mask])
        f.set(better)
      }
      emitOp(e, w, 'where', s.type, [better, value, best])
      f.set(best)
      emitOp(e, w, 'where', 'int32', [better, at, s.at[u]!])
      f.set(s.at[u]!)
      for (const l of [value, better, first, at, zero]) f.free(l)
    })
  }

  /** Adds the float32 sums of all unrolled vectors to the second sums and starts them anew. */
  flushRow(): void {
    const { f } = this.frame
    for (const s of this.slots) {
      if (s.total === undefined) continue
      this.#fold(s)
      emitOp(this.frame, this.width, 'add', s.type, [s.total, s.best[0]!])
      f.set(s.total)
      for (const b of s.best) {
        pushConst(f, kindOf(s.type), this.width, 0)
        f.set(b)
      }
    }
  }

  /** As `flushRow`, each vector for itself. */
  flushColumns(vectors: number): void {
    const { f } = this.frame
    for (const s of this.slots) {
      for (let u = 0; u < vectors && s.totals.length > 0; u++) {
        emitOp(this.frame, this.width, 'add', s.type, [s.totals[u]!, s.best[u]!])
        f.set(s.totals[u]!)
        pushConst(f, kindOf(s.type), this.width, 0)
        f.set(s.best[u]!)
      }
    }
  }

  /** Brings back the NaNs that were met: all bits set is one. */
  settle(s: Slot): void {
    s.nans.forEach((nan, u) => {
      const best = s.best[u]!
      this.frame.f.get(best).get(nan).op('v128.or').set(best)
    })
  }

  /** Folds the unrolled vectors of a slot into vector 0, pairwise. */
  #fold(s: Slot): void {
    for (let step = 1; step < this.unroll; step *= 2) {
      for (let u = 0; u + step < this.unroll; u += 2 * step) {
        emitOp(this.frame, this.width, combining[s.op], s.type, [s.best[u]!, s.best[u + step]!])
        this.frame.f.set(s.best[u]!)
      }
    }
  }

  /** Folds everything of a slot into one element, in a local of width 1. */
  finishRow(s: Slot): Local {
    const { f } = this.frame
    const w = this.width
    const kind = kindOf(s.type)
    if (s.positional) return this.#finishPosition(s)
    this.settle(s)
    const v = s.total ?? s.best[0]!
    if (s.total === undefined) this.#fold(s)
    const other = f.local(localType(kind, w))
    for (let apart = w >> 1; apart > 0; apart >>= 1) {
      const wide = w === 2 && (kind === 'f64' || kind === 'bool')
      f.get(v).get(v)
      if (wide) f.shuffle64(1, 0)
      else if (apart === 2) f.shuffle32(2, 3, 0, 1)
      else f.shuffle32(1, 0, 3, 2)
      f.set(other)
      emitOp(this.frame, w, combining[s.op], s.type, [v, other])
      f.set(v)
    }
    const result = f.local(localType(kind, 1))
    f.get(v)
    extract(f, kind, w, 0)
    f.set(result).free(other)
    return this.wrapped(s, result, 1)
  }

  /** The accumulated value in the dtype of the body. */
  wrapped(s: Slot, value: Local, width: Width): Local {
    if (s.type === s.dtype) return value
    const { f } = this.frame
    const out = f.local(localType(kindOf(s.dtype), width))
    if (width === 1) castScalar(f, s.type, s.dtype, value)
    else castTo(this.frame, width, s.type, s.dtype, value)
    f.set(out)
    return out
  }

  #finishPosition(s: Slot): Local {
    const { f } = this.frame
    const w = this.width
    const kind = kindOf(s.type)
    const scalar = localType(kind, 1)
    const [best, value] = [f.local(scalar), f.local(scalar)]
    const [at, position, better] = [f.local('i32'), f.local('i32'), f.local('i32')]
    for (let u = 0; u < this.unroll; u++) {
      for (let j = 0; j < w; j++) {
        const first = u === 0 && j === 0
        f.get(s.best[u]!)
        extract(f, kind, w, j)
        f.set(first ? best : value).get(s.at[u]!)
        extract(f, 'i32', w, j)
        f.set(first ? at : position)
        if (first) continue
        emitOp(this.frame, 1, combining[s.op], s.type, [value, best])
        emitOp(this.frame, 1, 'eq', s.type, [value, best])
        f.get(position).get(at).op('i32.lt_s').op('i32.and').op('i32.or').set(better)
        f.get(value).get(best).get(better).select().set(best)
        f.get(position).get(at).get(better).select().set(at)
      }
    }
    for (const l of [best, value, position, better]) f.free(l)
    return at
  }
}

/** Emits a reduction whose innermost loop is a reduction loop. */
export function emitRows(frame: Frame): void {
  const { f, nest, plan } = frame
  const { vector, width, parallel } = nest
  const body = new Body(frame, plan.body, width, vector, [
    0,
    (1 << parallel) - 1,
    (1 << vector) - 1,
    -1,
  ])
  const positional = nest.reduce.some((r) => r === 'argmax' || r === 'argmin')
  const wanted = unrollFor([body], width)
  const reducer = new Reducer(
    frame,
    positional || nest.reduce.length > 2 ? Math.min(wanted, 2) : wanted,
  )
  const base = f.local('i32')
  body.emit(0, { pointers: frame.base, vectors: 1 })
  frame.loops(0, parallel, frame.base, (outer) => {
    body.emit(1, { pointers: outer, vectors: 1 })
    reducer.start(reducer.unroll)
    if (positional) f.i32(0).set(base)
    frame.loops(parallel, vector, outer, (row) => {
      body.emit(2, { pointers: row, vectors: 1 })
      const flush = () => reducer.flushRow()
      const options = reducer.summing
        ? { unroll: reducer.unroll, chunk: rowChunk, flush }
        : { unroll: reducer.unroll }
      frame.vectors(row, options, (pointers, vectors, count) => {
        body.emit(3, { pointers, vectors, count })
        const mask = count === undefined ? undefined : laneMask(frame, count)
        for (let u = 0; u < vectors; u++) {
          const position = () => {
            f.get(base).get(frame.counters[vector]!).op('i32.add')
            splat(f, 'i32', width)
            pushIota(frame, u)
          }
          reducer.take(body, u, position, mask)
        }
        if (mask !== undefined) f.free(mask)
      })
      if (positional) f.get(base).get(frame.size[vector]!).op('i32.add').set(base)
    })
    const epilogue = new Body(frame, plan.epilogue, 1, -1, [-1])
    reducer.slots.forEach((s, i) => {
      epilogue.setAcc(i, 0, reducer.finishRow(s))
    })
    finish(frame, epilogue, 0, { pointers: outer, vectors: 1 })
  })
}

/** How many vectors of columns run side by side. */
function columnsBeside({ reduce, beside, wide, width }: Nest, bodies: readonly Body[]): number {
  const wanted = unrollFor(bodies, width)
  if (reduce[0]!.startsWith('arg')) return Math.min(wanted, 2)
  // More sums than there are registers cost less than reading the same cache lines again.
  if (beside > 0 && wanted > 1 && !bodies.some((b) => b.heavy)) return beside
  if (reduce.length > 1) return Math.min(wanted, 2)
  return wide && wanted === 4 ? 8 : wanted
}

/** Emits a reduction whose lanes run along a parallel loop. */
export function emitColumns(frame: Frame): void {
  const { f, nest, plan } = frame
  const { vector, width } = nest
  const covers = [0, (1 << vector) - 1, (1 << (vector + 1)) - 1, -1]
  const body = new Body(frame, plan.body, width, vector, covers)
  const epilogue = new Body(frame, plan.epilogue, width, vector, [0, (1 << vector) - 1, -1])
  const reducer = new Reducer(frame, columnsBeside(nest, [body, epilogue]))
  const { positional } = reducer
  const base = f.local('i32')
  const start = { pointers: frame.base, vectors: 1 }
  body.emit(0, start)
  epilogue.emit(0, start)
  frame.loops(0, vector, frame.base, (outer) => {
    body.emit(1, { pointers: outer, vectors: 1 })
    epilogue.emit(1, { pointers: outer, vectors: 1 })
    frame.vectors(outer, { unroll: reducer.unroll }, (block, vectors, count) => {
      const place = { pointers: block, vectors, count }
      body.emit(2, place)
      reducer.start(vectors)
      if (positional) f.i32(0).set(base)
      const position = () => {
        f.get(base)
        splat(f, 'i32', width)
      }
      const flush = () => reducer.flushColumns(vectors)
      const turn = reducer.summing
        ? (counter: Local) => {
            f.get(counter)
              .i32(columnChunk - 1)
              .op('i32.and')
              .op('i32.eqz')
              .if(flush)
          }
        : undefined
      frame.loops(
        vector + 1,
        nest.levels.length,
        block,
        (pointers) => {
          body.emit(3, { pointers, vectors, count })
          for (let u = 0; u < vectors; u++) reducer.take(body, u, position)
          if (positional) f.get(base).i32(1).op('i32.add').set(base)
        },
        turn,
      )
      flush()
      for (const s of reducer.slots) reducer.settle(s)
      for (let u = 0; u < vectors; u++) {
        reducer.slots.forEach((s, i) => {
          const value = s.positional ? s.at[u]! : (s.totals[u] ?? s.best[u]!)
          epilogue.setAcc(i, u, s.positional ? value : reducer.wrapped(s, value, width))
        })
      }
      finish(frame, epilogue, 2, place)
    })
  })
}

/** Emits the last stage of an epilogue and stores the outputs. */
function finish(frame: Frame, epilogue: Body, stage: number, place: Place): void {
  const { nest } = frame
  epilogue.emit(stage, place)
  for (let u = 0; u < place.vectors; u++) {
    nest.epilogue.forEach((_, i) => {
      epilogue.store(nest.inputs + i, epilogue.result(i, u), u, place)
    })
  }
}

/** Adds 0, 1, 2 … to the lanes of vector `u`. */
function pushIota(frame: Frame, u: number): void {
  const { width } = frame.nest
  const first = u * width
  if (width > 1) frame.f.i32x4([first, first + 1, first + 2, first + 3]).op('i32x4.add')
}

/** A bool that holds in the first `count` lanes. */
function laneMask(frame: Frame, count: Local): Local {
  const { f, nest } = frame
  const mask = f.local('v128')
  f.get(count).op('i32x4.splat').i32x4([0, 1, 2, 3]).op('i32x4.gt_s')
  if (nest.width === 2) f.op('i64x2.extend_low_i32x4_s')
  f.set(mask)
  return mask
}
