/** Reductions in two passes: shares of the terms are reduced into temporary memory, then the shares. */

import { itemSize } from '../../base/dtype.ts'
import { rowMajor, sizeOf } from '../../base/shape.ts'
import {
  acc,
  binary,
  constant,
  type Expr,
  index,
  load,
  renameInputs,
  rewrite,
  someNode,
} from '../../prim/expr.ts'
import type { LoopKernel, Operand } from '../../prim/kernel.ts'
import { reduceAtOnce } from './reduce.ts'
import type { Routine, ShaderOptions, Stage } from './routine.ts'
import { isReal } from './shader.ts'

/** Terms from which on, with few results, workgroups share a result. */
const splitFrom = 16384
/** Terms that a share has at least. */
const shareSize = 2048

/** How the terms are shared: the longest dimension in so many equal pieces. */
export interface Pieces {
  readonly cut: number
  readonly count: number
}

/** A long reduction with few results in two passes. Null where it does not pay, or something stands against it. */
export function splitReduction(kernel: LoopKernel, options: ShaderOptions): Routine | null {
  const { dims, parallel } = kernel
  const terms = sizeOf(dims.slice(parallel))
  if (terms < splitFrom || sizeOf(dims.slice(0, parallel)) > 64) return null
  const pieces = piecesOf(kernel, Math.min(256, Math.ceil(terms / shareSize)))
  return pieces && inTwoPasses(kernel, pieces, options, (part) => reduceAtOnce(part, options))
}

/** About as many pieces as wanted. Null where positions or guards stand against it, or no number divides the terms. */
export function piecesOf(
  { dims, parallel, inputs, reduce }: LoopKernel,
  wanted: number,
): Pieces | null {
  if (reduce.some((op) => op === 'argmax' || op === 'argmin')) return null
  const cut = dims.reduce(
    (best, size, d) => (d >= parallel && size > dims[best]! ? d : best),
    parallel,
  )
  if (inputs.some((o) => o.guards?.some((g) => g.dim === cut))) return null
  const count = divisorNear(dims[cut]!, wanted)
  return count < 2 ? null : { cut, count }
}

/** A reduction whose shares are computed by what `compile` makes of them: a routine of one launch. */
export function inTwoPasses(
  kernel: LoopKernel,
  { cut, count }: Pieces,
  options: ShaderOptions,
  compile: (part: LoopKernel) => Routine,
): Routine {
  const { dims, parallel, inputs, outputs, reduce, body, epilogue } = kernel
  const length = dims[cut]! / count
  const kept = [...dims.slice(0, parallel), count]
  const moved = (d: number): number => (d < parallel ? d : d + 1)
  const renumbered = (e: Expr): Expr =>
    rewrite(e, (n) => {
      if (n.kind !== 'index') return undefined
      const at = index(moved(n.dim))
      if (n.dim !== cut) return moved(n.dim) === n.dim ? undefined : at
      return binary('add', binary('mul', index(parallel), constant(length, 'int32')), at)
    })
  const inserted = (o: Operand): Operand => ({
    ...o,
    strides: [
      ...o.strides.slice(0, parallel),
      (o.strides[cut] ?? 0) * length,
      ...o.strides.slice(parallel),
    ],
    ...(o.guards ? { guards: o.guards.map((g) => ({ ...g, dim: moved(g.dim) })) } : {}),
  })
  // Narrow floats are summed in float32, and shares keep what that brings.
  const shares: Operand[] = body.map(({ dtype }) => ({
    dtype: isReal(dtype) ? 'float32' : dtype,
    strides: rowMajor(kept),
    offset: 0,
  }))
  const first = compile({
    kind: 'loop',
    dims: [...kept, ...dims.slice(parallel).with(cut - parallel, length)],
    parallel: parallel + 1,
    inputs: inputs.map(inserted),
    outputs: shares,
    body: body.map(renumbered),
    reduce,
    epilogue: body.map((e, slot) => acc(slot, e.dtype)),
  })
  const read = (i: number): boolean =>
    epilogue.some((e) =>
      someNode(e, (n) => (n.kind === 'load' || n.kind === 'loadAt') && n.input === i),
    )
  const used = inputs.flatMap((_, i) => (read(i) ? [i] : []))
  const whole: LoopKernel = {
    kind: 'loop',
    dims: kept,
    parallel,
    inputs: [
      ...shares,
      ...used.map((i) => ({
        ...inputs[i]!,
        strides: [...inputs[i]!.strides.slice(0, parallel), 0],
        guards: (inputs[i]!.guards ?? []).filter((g) => g.dim < parallel),
      })),
    ],
    outputs,
    body: shares.map((o, i) => load(i, o.dtype)),
    reduce,
    epilogue: epilogue.map((e) => renameInputs(e, (i) => shares.length + used.indexOf(i))),
  }
  const second = reduceAtOnce(whole, options)
  const temporary = shares.map((_, i) => -1 - i)
  const over = ({ stages }: Routine, buffers: readonly number[]): Stage[] =>
    stages.map((stage) => ({ ...stage, buffers: stage.buffers.map((b) => buffers[b]!) }))
  const results = outputs.map((_, j) => inputs.length + j)
  return {
    stages: [
      ...over(first, [...inputs.keys(), ...temporary]),
      ...over(second, [...temporary, ...used, ...results]),
    ],
    temporaries: shares.map((o) => ({ bytes: sizeOf(kept) * itemSize(o.dtype), clear: false })),
  }
}

/** The divisor of n that is nearest to `wanted` from below, or the least above it; 1 where n is prime. */
function divisorNear(n: number, wanted: number): number {
  for (let d = wanted; d >= Math.max(2, wanted / 8); d--) if (n % d === 0) return d
  for (let d = wanted + 1; d <= Math.min(n, 1024); d++) if (n % d === 0) return d
  return 1
}
