/** Kernels: what a backend is asked to compile — loop nests over strided operands with a scalar body. */

import type { DType } from '../base/dtype.ts'
import { binary, type Expr, linearize, load, renameInputs, rewrite } from './expr.ts'
import type { RoutineName } from './routines/index.ts'
import type { SequenceKernel } from './sequence.ts'
import { type ConvKernel, convShape, type PoolKernel } from './window.ts'

/** A limit on where an operand may be read: outside lo ≤ coordinate of `dim` < hi the value is 0. */
export interface Guard {
  readonly dim: number
  readonly lo: number
  readonly hi: number
}

/** An operand: the element for a point of the domain lies at offset + Σ coordinate·stride (in elements). */
export interface Operand {
  readonly dtype: DType
  readonly strides: readonly number[]
  readonly offset: number
  /** Only on inputs. A guarded element outside its limits reads as 0 and its memory is not touched. */
  readonly guards?: readonly Guard[]
}

/**
 * How a reduction combines. max, min propagate NaN; argmax, argmin give the first position, as int32, by strict
 * comparison: a NaN wins only from the first place, and then stays.
 */
export type ReduceOp = 'sum' | 'prod' | 'max' | 'min' | 'argmax' | 'argmin'

/**
 * A loop nest. For every point of dims[0 … parallel):
 *   without reductions, output j = body[j];
 *   with reductions, accumulator s = reduce[s] of body[s] over the points of dims[parallel …), and
 *   output j = epilogue[j], whose loads see only operands that do not move along reduction dimensions.
 * The accumulator has body[s]'s dtype (int32 for argmax, argmin, whose position counts row-major over
 * the reduction dimensions). Outputs have strides over the parallel dimensions. Outputs do not overlap
 * inputs unless the element read and the element written at each point are the same.
 * Sizes may be 0; a reduction over nothing gives the neutral element.
 */
export interface LoopKernel {
  readonly kind: 'loop'
  readonly dims: readonly number[]
  readonly parallel: number
  readonly inputs: readonly Operand[]
  readonly outputs: readonly Operand[]
  readonly body: readonly Expr[]
  readonly reduce: readonly ReduceOp[]
  /** Present exactly when `reduce` is not empty. */
  readonly epilogue: readonly Expr[]
}

/**
 * A batched matrix product: out[b, m, n] = epilogue(Σ_k lhs[b, m, k]·rhs[b, k, n]).
 * Strides: lhs over (b, m, k), rhs over (b, k, n), output and extra inputs over (b, m, n); in the
 * epilogue `acc(0)` is the sum, loads number `inputs` (which do not count lhs and rhs).
 * Buffers are given in the order lhs, rhs, inputs…, output.
 */
export interface ContractKernel {
  readonly kind: 'contract'
  readonly dtype: DType
  readonly b: number
  readonly m: number
  readonly n: number
  readonly k: number
  readonly lhs: Operand
  readonly rhs: Operand
  readonly inputs: readonly Operand[]
  readonly output: Operand
  readonly epilogue: Expr
}

/**
 * Writes into an output that already has contents, points in row-major order of the domain:
 * output[Σ coordinate·stride + Σ_j clamp(index_j)·stride_j] ∘= value, where ∘ is `op`.
 */
export interface ScatterKernel {
  readonly kind: 'scatter'
  readonly dims: readonly number[]
  readonly inputs: readonly Operand[]
  readonly output: Operand
  readonly at: readonly { readonly index: Expr; readonly size: number; readonly stride: number }[]
  readonly value: Expr
  readonly op: 'set' | 'add' | 'max'
}

/** A whole array without gaps, as a routine sees it: `size` elements from `offset`. */
export interface Block extends Operand {
  readonly size: number
}

/**
 * A routine of `routines/` on whole arrays: output = routine(inputs…, numbers). The inputs do not overlap the output.
 * A backend that computes beside JavaScript may have a version of its own; it gives the same values.
 */
export interface CallKernel {
  readonly kind: 'call'
  readonly routine: RoutineName
  readonly numbers: readonly number[]
  readonly inputs: readonly Block[]
  readonly output: Block
}

/** What a backend compiles. */
export type Kernel =
  | LoopKernel
  | ContractKernel
  | ScatterKernel
  | CallKernel
  | ConvKernel
  | PoolKernel
  | SequenceKernel

/** The operands of a kernel in the order in which their buffers are given at launch, the outputs last. */
export function kernelOperands(kernel: Kernel): readonly Operand[] {
  switch (kernel.kind) {
    case 'loop':
    case 'sequence':
      return [...kernel.inputs, ...kernel.outputs]
    case 'contract':
    case 'conv':
      return [kernel.lhs, kernel.rhs, ...kernel.inputs, kernel.output]
    case 'scatter':
    case 'call':
    case 'pool':
      return [...kernel.inputs, kernel.output]
    default:
      return kernel satisfies never
  }
}

const operandKey = (o: Operand): string =>
  `${o.dtype}@${o.offset}[${o.strides.join()}]${(o.guards ?? []).map((g) => `${g.dim}:${g.lo}-${g.hi}`).join('&')}`

/** A text that is equal exactly for equal kernels. */
export function kernelKey(kernel: Kernel): string {
  const operands = kernelOperands(kernel).map(operandKey).join('|')
  switch (kernel.kind) {
    case 'loop': {
      const body = linearize(kernel.body).key
      const epilogue = kernel.reduce.length > 0 ? linearize(kernel.epilogue).key : ''
      return `loop ${kernel.dims.join()}/${kernel.parallel} ${operands} ${body} ${kernel.reduce.join()} ${epilogue}`
    }
    case 'contract': {
      const { dtype, b, m, n, k, epilogue } = kernel
      return `contract ${dtype} ${b},${m},${n},${k} ${operands} ${linearize([epilogue]).key}`
    }
    case 'scatter': {
      const at = kernel.at.map((a) => `${a.size}*${a.stride}`).join()
      const key = linearize([kernel.value, ...kernel.at.map((a) => a.index)]).key
      return `scatter ${kernel.op} ${kernel.dims.join()} ${operands} ${at} ${key}`
    }
    case 'call': {
      const sizes = [...kernel.inputs, kernel.output].map((b) => b.size).join()
      return `call ${kernel.routine} ${kernel.numbers.join()} ${operands} ${sizes}`
    }
    case 'conv': {
      const { dtype, result, sizes, epilogue } = kernel
      return `conv ${result} ${dtype} ${JSON.stringify(sizes)} ${operands} ${linearize([epilogue]).key}`
    }
    case 'sequence': {
      const loops = kernel.loops.map((l) => `${l.operands.join()}:${kernelKey(l.kernel)}`)
      return `sequence ${kernel.outer}/${kernel.block} ${operands} ${loops.join(' then ')}`
    }
    case 'pool':
      return `pool ${kernel.mode} ${kernel.dtype} ${JSON.stringify(kernel.sizes)} ${operands}`
    default:
      return kernel satisfies never
  }
}

/** A product as a plain loop nest, for dtypes and backends without a matrix product of their own. */
export function contractAsLoop(kernel: ContractKernel): LoopKernel {
  const { b, m, n, k, lhs, rhs, output, inputs, epilogue, dtype } = kernel
  const [lb, lm, lk] = lhs.strides as [number, number, number]
  const [rb, rk, rn] = rhs.strides as [number, number, number]
  return {
    kind: 'loop',
    dims: [b, m, n, k],
    parallel: 3,
    inputs: [
      { ...moveGuards(lhs, [0, 1, 3]), strides: [lb, lm, 0, lk] },
      { ...moveGuards(rhs, [0, 3, 2]), strides: [rb, 0, rn, rk] },
      ...inputs.map((o) => ({ ...o, strides: [...o.strides, 0] })),
    ],
    outputs: [output],
    body: [binary('mul', load(0, dtype), load(1, dtype))],
    reduce: ['sum'],
    epilogue: [renameInputs(epilogue, (i) => i + 2)],
  }
}

/** The operand with guards on dimension d moved to dimension `dims[d]`. */
function moveGuards(o: Operand, dims: readonly number[]): Operand {
  return o.guards ? { ...o, guards: o.guards.map((g) => ({ ...g, dim: dims[g.dim]! })) } : o
}

/** The epilogue alone, in place over sums that have been stored; buffers: output, extra inputs, output. */
export function epilogueInPlace(kernel: ContractKernel | ConvKernel): LoopKernel {
  const { output, inputs } = kernel
  const dims =
    kernel.kind === 'conv' ? convShape(kernel.sizes, kernel.result) : [kernel.b, kernel.m, kernel.n]
  const shifted = renameInputs(kernel.epilogue, (i) => i + 1)
  return {
    kind: 'loop',
    dims,
    parallel: dims.length,
    inputs: [output, ...inputs],
    outputs: [output],
    body: [rewrite(shifted, (e) => (e.kind === 'acc' ? load(0, e.dtype) : undefined))],
    reduce: [],
    epilogue: [],
  }
}
