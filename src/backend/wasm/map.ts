/** Code for nests without reductions: maps, copies and scatters. */

import type { Local } from './assembler.ts'
import { Body, isZero, narrowIndex, plainCopy, pushPlace } from './body.ts'
import type { Frame } from './frame.ts'
import { kindOf, loadScalar, loadVector, localType, splat } from './values.ts'
import { emitOp } from './vectorCode.ts'

/** Rows of at least so many bytes are copied by memory.copy, which has a fixed cost. */
const copyBytes = 256

/** Code of more than so many instructions a vector is not laid out four times. */
const mostCode = 120

/** How many vectors a turn of the innermost loop handles: several, until code or registers run out. */
export function unrollFor(bodies: readonly Body[], width: number): number {
  if (width === 1) return 1
  const weight = bodies.reduce((sum, body) => sum + body.weight, 0)
  if (bodies.some((body) => body.heavy)) return weight <= mostCode ? 4 : 2
  return weight <= 10 ? 4 : weight <= 24 ? 2 : 1
}

/** Emits a map: outputs[j] = body[j] at every point. */
export function emitMap(frame: Frame): void {
  const { nest, plan } = frame
  const { width, vector } = nest
  const body = new Body(frame, plan.body, width, vector, [0, (1 << vector) - 1, -1])
  body.emit(0, { pointers: frame.base, vectors: 1 })
  frame.loops(0, vector, frame.base, (row) => {
    body.emit(1, { pointers: row, vectors: 1 })
    const loop = () =>
      frame.vectors(row, { unroll: unrollFor([body], width) }, (pointers, vectors, count) => {
        const place = { pointers, vectors, count }
        body.emit(2, place)
        for (let u = 0; u < vectors; u++) {
          nest.body.forEach((_, i) => {
            body.store(nest.inputs + i, body.result(i, u), u, place)
          })
        }
      })
    if (!emitBlockCopy(frame, row, loop)) loop()
  })
}

/** Runs long rows of plain copies and zeros by bulk instructions, others by `loop`. */
function emitBlockCopy(frame: Frame, row: readonly Local[], loop: () => void): boolean {
  const { f, nest, plan } = frame
  const level = nest.vector
  const out = nest.inputs
  const { dtype } = nest.operands[out]!
  const from = plainCopy(plan.body)
  const zero = isZero(plan.body)
  if (nest.tile || nest.body.length !== 1 || !frame.contiguous(out, level)) return false
  if (!zero) {
    if (from?.kind !== 'load' || from.dtype !== dtype || dtype === 'bool') return false
    const source = nest.operands[from.input]!
    if (!frame.contiguous(from.input, level) || source.guards.length > 0) return false
  }
  const bytes = f.local('i32')
  frame.pushWay(out, level, { local: frame.size[level]! })
  f.tee(bytes).i32(copyBytes).op('i32.ge_u')
  f.if(() => {
    f.get(row[out]!)
    if (zero) f.i32(0).get(bytes).memoryFill()
    else if (from) f.get(row[from.input]!).get(bytes).memoryCopy()
  }, loop)
  f.free(bytes)
  return true
}

/** Emits a scatter: the element at the indices ∘= value, in the order of the domain. */
export function emitScatter(frame: Frame): void {
  const { f, nest, plan } = frame
  const { width, vector } = nest
  const { op } = plan.scatter!
  const { dtype } = nest.operands[nest.inputs]!
  const kind = kindOf(dtype)
  const out = nest.inputs
  const body = new Body(frame, plan.body, width, vector, [0, (1 << vector) - 1, -1])
  const displacement = f.local('i32')
  const inner = frame.scatterPlaces.some((_, i) => width === 1 && body.resultVaries(i + 1, vector))
  const place = () => {
    const index = f.local('i32')
    f.i32(0).set(displacement)
    frame.scatterPlaces.forEach((places, i) => {
      f.get(body.result(i + 1))
      if (width > 1) f.lane('i32x4.extract_lane', 0)
      narrowIndex(f, nest.body[i + 1]!.dtype)
      f.set(index)
      pushPlace(frame, index, places)
      f.get(displacement).op('i32.add').set(displacement)
    })
    f.free(index)
  }
  body.emit(0, { pointers: frame.base, vectors: 1 })
  frame.loops(0, vector, frame.base, (row) => {
    body.emit(1, { pointers: row, vectors: 1 })
    if (!inner) place()
    const old = f.local(localType(kind, width))
    const next = f.local(localType(kind, width))
    frame.vectors(row, { unroll: 1 }, (pointers, vectors, count) => {
      body.emit(2, { pointers, vectors, count })
      if (inner) place()
      let value = body.result(0)
      if (op !== 'set') {
        f.get(pointers[out]!).get(displacement).op('i32.add')
        if (frame.contiguous(out, vector)) loadVector(f, dtype, width, 0)
        else {
          loadScalar(f, dtype)
          splat(f, kind, width)
        }
        f.set(old)
        emitOp(frame, width, op === 'add' ? 'add' : 'max', dtype, [old, value])
        f.set(next)
        value = next
      }
      body.store(out, value, 0, { pointers, vectors, count }, displacement)
    })
  })
}
