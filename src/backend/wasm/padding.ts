/** Padded copies: an array with room around (and between) its elements, so that windows over it need no tests. */

import { type DType, itemSize } from '../../base/dtype.ts'
import { rowMajor, sizeOf } from '../../base/shape.ts'
import { constant, load } from '../../prim/expr.ts'
import type { LoopKernel, Operand } from '../../prim/kernel.ts'
import type { Compiled } from '../backend.ts'

/** Where the elements of one axis go: element j to `begin + j·step` of `size`, those that fall outside left out. */
export interface Spread {
  readonly count: number
  readonly size: number
  readonly begin: number
  readonly step: number
}

/** Compiles the loops that padding is made of. */
export type LoopCompiler = (kernel: LoopKernel) => Compiled

const copyKernel = (dims: readonly number[], from: Operand, to: Operand): LoopKernel => ({
  kind: 'loop',
  dims,
  parallel: dims.length,
  inputs: [from],
  outputs: [to],
  body: [load(0, from.dtype)],
  reduce: [],
  epilogue: [],
})

/** Copies an operand of shape `dims` to another place. */
export const copyLoop = (
  compile: LoopCompiler,
  dims: readonly number[],
  from: Operand,
  to: Operand,
): Compiled => compile(copyKernel(dims, from, to))

/** An operand over (…lead, …axes) with its axes spread; where nothing needs to move, the operand itself. */
export class Padded {
  readonly dtype: DType
  /** Strides over (…lead, …axes) of the padded array, in elements. */
  readonly strides: readonly number[]
  readonly offset: number
  /** Bytes of memory it needs; 0 where the operand serves as it is. */
  readonly bytes: number
  readonly #fill: Compiled | null = null
  readonly #copy: Compiled | null = null

  constructor(
    compile: LoopCompiler,
    operand: Operand,
    lead: readonly number[],
    spreads: readonly Spread[],
    padding: number,
  ) {
    this.dtype = operand.dtype
    const plain = spreads.every((s) => s.begin === 0 && s.step === 1 && s.size <= s.count)
    if (plain) {
      this.strides = operand.strides
      this.offset = operand.offset
      this.bytes = 0
      return
    }
    const shape = [...lead, ...spreads.map((s) => s.size)]
    const size = sizeOf(shape)
    this.strides = rowMajor(shape)
    this.offset = 0
    this.bytes = size * itemSize(operand.dtype)
    const flat = { dtype: operand.dtype, strides: [1], offset: 0 }
    this.#fill = compile({
      kind: 'loop',
      dims: [size],
      parallel: 1,
      inputs: [],
      outputs: [flat],
      body: [constant(padding, operand.dtype)],
      reduce: [],
      epilogue: [],
    })
    const rank = lead.length
    const first = spreads.map((s) => Math.max(0, Math.ceil(-s.begin / s.step)))
    const counts = spreads.map((s, d) =>
      Math.max(0, Math.min(s.count, Math.ceil((s.size - s.begin) / s.step)) - first[d]!),
    )
    if (counts.includes(0)) return
    const shift = (strides: readonly number[], by: (d: number) => number): number =>
      spreads.reduce((sum, _, d) => sum + strides[rank + d]! * by(d), 0)
    this.#copy = copyLoop(
      compile,
      [...lead, ...counts],
      { ...operand, offset: operand.offset + shift(operand.strides, (d) => first[d]!) },
      {
        dtype: operand.dtype,
        strides: this.strides.map((s, i) => (i < rank ? s : s * spreads[i - rank]!.step)),
        offset: shift(this.strides, (d) => spreads[d]!.begin + first[d]! * spreads[d]!.step),
      },
    )
  }

  /** Makes the copy at `scratch`; gives the address of the array to read. */
  prepare(source: number, scratch: number): number {
    if (this.bytes === 0) return source
    this.#fill!.run([scratch], [])
    this.#copy?.run([source, scratch], [])
    return scratch
  }
}
