/** Convolutions and pooling: every meeting of a window with an element, one after the other. */

import { rowMajor, sizeOf } from '../../base/shape.ts'
import type { Operand } from '../../prim/kernel.ts'
import {
  type ConvKernel,
  type ConvSide,
  convGiven,
  convShape,
  type PoolKernel,
  poolOperandShape,
  poolShape,
  type Windows,
} from '../../prim/window.ts'
import type { Compiled } from '../backend.ts'
import { Evaluator, Place } from './evaluate.ts'
import { storeResult } from './loop.ts'
import type { Memory } from './memory.ts'

/** The elements of an operand in row-major order. */
function elements(
  memory: Memory,
  address: number,
  shape: readonly number[],
  operand: Operand,
): Float64Array {
  const place = new Place(shape, [operand])
  const out = new Float64Array(sizeOf(shape))
  let at = 0
  place.start(memory, [address], [])
  place.walk(0, shape.length, () => {
    out[at++] = place.number(0, place.check(0, 0))
  })
  return out
}

/** Calls `visit` with the row-major positions (y, window, x) of every element of a window that is not padding. */
function meetings(
  s: Windows & {
    readonly x: readonly number[]
    readonly window: readonly number[]
    readonly y: readonly number[]
  },
  visit: (y: number, window: number, x: number) => void,
): void {
  const go = (d: number, y: number, window: number, x: number): void => {
    if (d === s.y.length) return visit(y, window, x)
    for (let i = 0; i < s.y[d]!; i++) {
      for (let k = 0; k < s.window[d]!; k++) {
        const at = i * s.stride[d]! + k * s.dilate[d]! - s.pad[d]!
        if (at < 0 || at >= s.x[d]!) continue
        go(d + 1, y * s.y[d]! + i, window * s.window[d]! + k, x * s.x[d]! + at)
      }
    }
  }
  go(0, 0, 0, 0)
}

/** Compiles a convolution. */
export function compileConv(memory: Memory, kernel: ConvKernel): Compiled {
  const { result, sizes, lhs, rhs, inputs, output, epilogue } = kernel
  const [first, second] = convGiven(result)
  const shape = convShape(sizes, result)
  const place = new Place(shape, [...inputs, output])
  const finish = new Evaluator(place, [epilogue], [output.dtype])
  return {
    run(addresses, params) {
      const none = new Float64Array(0)
      const all: Record<ConvSide, Float64Array> = { x: none, w: none, y: none }
      all[first] = elements(memory, addresses[0]!, convShape(sizes, first), lhs)
      all[second] = elements(memory, addresses[1]!, convShape(sizes, second), rhs)
      all[result] = new Float64Array(sizeOf(shape))
      const { batch, groups, inner, outer } = sizes
      const [nx, nw, ny] = [sizeOf(sizes.x), sizeOf(sizes.window), sizeOf(sizes.y)]
      const { x, w, y } = all
      const sum = (i: number, j: number, k: number): void => {
        if (result === 'x') x[i]! += w[j]! * y[k]!
        else if (result === 'w') w[j]! += x[i]! * y[k]!
        else y[k]! += x[i]! * w[j]!
      }
      meetings(sizes, (ay, aw, ax) => {
        for (let n = 0; n < batch; n++) {
          for (let g = 0; g < groups; g++) {
            for (let o = 0; o < outer; o++) {
              for (let c = 0; c < inner; c++) {
                sum(
                  ((n * groups + g) * inner + c) * nx + ax,
                  ((g * outer + o) * inner + c) * nw + aw,
                  ((n * groups + g) * outer + o) * ny + ay,
                )
              }
            }
          }
        }
      })
      let at = 0
      place.start(memory, addresses.slice(2), params)
      place.walk(0, shape.length, () => {
        place.sums[0] = all[result][at++]!
        finish.run()
        storeResult(place, inputs.length, finish, 0)
      })
    },
  }
}

/** Compiles pooling. */
export function compilePool(memory: Memory, kernel: PoolKernel): Compiled {
  const { mode, sizes, inputs, output } = kernel
  const shape = poolOperandShape(kernel, -1)
  const strides = rowMajor(shape)
  return {
    run(addresses) {
      const [x, v] = inputs.map((o, i) =>
        elements(memory, addresses[i]!, poolOperandShape(kernel, i), o),
      )
      const [nx, ny] = [sizeOf(sizes.x), sizeOf(sizes.y)]
      const lines = sizeOf(sizes.lines)
      const best = new Float64Array(sizeOf(poolShape(sizes, 'y'))).fill(Number.NEGATIVE_INFINITY)
      const where = new Int32Array(best.length).fill(-1)
      const values = Float64Array.from(best)
      meetings(sizes, (ay, _window, ax) => {
        for (let l = 0; l < lines; l++) {
          const [to, from] = [l * ny + ay, l * nx + ax]
          const value = x![from]!
          values[to] = Math.max(values[to]!, value)
          if (where[to]! >= 0 && !(value > best[to]!)) continue
          best[to] = value
          where[to] = from
        }
      })
      const out = new Float64Array(sizeOf(shape))
      if (mode === 'max') out.set(values)
      else {
        where.forEach((at, i) => {
          if (mode === 'pick') out[i] = at < 0 ? 0 : v![at]!
          else if (at >= 0) out[at]! += v![i]!
        })
      }
      const place = new Place(shape, [output])
      place.start(memory, [addresses[inputs.length]!], [])
      place.walk(0, shape.length, () => {
        const at = place.coords.reduce((sum, c, d) => sum + c * strides[d]!, 0)
        place.setNumber(0, place.check(0, 0), out[at]!)
      })
    },
  }
}
