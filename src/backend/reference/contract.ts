/** Batched matrix products: three plain loops over float64 copies of the operands. */

import { isFloat } from '../../base/dtype.ts'
import { type ContractKernel, contractAsLoop, type Operand } from '../../prim/kernel.ts'
import type { Compiled } from '../backend.ts'
import { Evaluator, Place } from './evaluate.ts'
import { compileLoop, storeResult } from './loop.ts'
import type { Memory } from './memory.ts'

/** Compiles a product; integers, which must wrap, take the way of the plain loop nest. */
export function compileContract(memory: Memory, kernel: ContractKernel): Compiled {
  const { b, m, n, k, lhs, rhs, inputs, output, epilogue, dtype } = kernel
  if (!isFloat(dtype)) return compileLoop(memory, contractAsLoop(kernel))
  const left = new Copier([b, m, k], lhs)
  const right = new Copier([b, k, n], rhs)
  const place = new Place([b, m, n], [...inputs, output])
  const finish = new Evaluator(place, [epilogue], [output.dtype])
  return {
    run(addresses, params) {
      if (b * m * n === 0) return
      const x = left.copy(memory, addresses[0]!)
      const y = right.copy(memory, addresses[1]!)
      const sums = new Float64Array(b * m * n)
      for (let i = 0; i < b * m; i++) {
        const batch = Math.floor(i / m)
        const row = sums.subarray(i * n, (i + 1) * n)
        for (let p = 0; p < k; p++) {
          const a = x[i * k + p]!
          const from = (batch * k + p) * n
          for (let j = 0; j < n; j++) row[j]! += a * y[from + j]!
        }
      }
      place.start(memory, addresses.slice(2), params)
      let at = 0
      place.walk(0, 3, () => {
        place.sums[0] = sums[at++]!
        finish.run()
        storeResult(place, inputs.length, finish, 0)
      })
    },
  }
}

/** Copies an operand to a dense row-major array, reading 0 outside its guards. */
class Copier {
  readonly #dims: readonly [number, number, number]
  readonly #operand: Operand
  readonly #place: Place

  constructor(dims: readonly [number, number, number], operand: Operand) {
    this.#dims = dims
    this.#operand = operand
    this.#place = new Place(dims, [operand])
  }

  copy(memory: Memory, address: number): Float64Array {
    const place = this.#place
    const { guards } = this.#operand
    const [d0, d1, d2] = this.#dims
    const [s0, s1, s2] = this.#operand.strides as [number, number, number]
    const out = new Float64Array(d0 * d1 * d2)
    place.start(memory, [address], [])
    const data = place.data[0]!
    const first = place.positions[0]!
    let to = 0
    for (let i = 0; i < d0; i++) {
      for (let j = 0; j < d1; j++) {
        for (let k = 0; k < d2; k++, to++) {
          const by = i * s0 + j * s1 + k * s2
          const at = first + by
          if (guards === undefined && at >= 0 && at < data.length) {
            out[to] = place.number(0, at)
            continue
          }
          place.coords[0] = i
          place.coords[1] = j
          place.coords[2] = k
          if (place.inside(0)) out[to] = place.number(0, place.check(0, by))
        }
      }
    }
    return out
  }
}
