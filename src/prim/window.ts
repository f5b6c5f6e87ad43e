/** Windows sliding over axes: the geometry of convolutions and pooling, and the kernels that are made of it. */

import type { DType } from '../base/dtype.ts'
import type { Expr } from './expr.ts'
import type { Operand } from './kernel.ts'

/** How windows lie: element k of window i, along each axis, is element i·stride + k·dilate - pad of x; outside it is padding. */
export interface Windows {
  readonly stride: readonly number[]
  readonly dilate: readonly number[]
  readonly pad: readonly number[]
}

/** The sizes of a convolution: of x, of the window and of y along each axis; channels count within a group. */
export interface ConvSizes extends Windows {
  readonly batch: number
  readonly groups: number
  /** Channels of x in a group. */
  readonly inner: number
  /** Channels of y in a group. */
  readonly outer: number
  readonly x: readonly number[]
  readonly window: readonly number[]
  readonly y: readonly number[]
}

/** The three arrays of a convolution, of which two are given and one is wanted. */
export type ConvSide = 'x' | 'w' | 'y'

/** Their shapes: x over (batch, group, channel, …x), w over (group, outer, inner, …window), y over (batch, group, channel, …y). */
export function convShape(s: ConvSizes, side: ConvSide): number[] {
  switch (side) {
    case 'x':
      return [s.batch, s.groups, s.inner, ...s.x]
    case 'w':
      return [s.groups, s.outer, s.inner, ...s.window]
    case 'y':
      return [s.batch, s.groups, s.outer, ...s.y]
    default:
      return side satisfies never
  }
}

/** The two arrays that are given, in the order of a kernel's operands. */
export const convGiven = (result: ConvSide): readonly [ConvSide, ConvSide] =>
  result === 'y' ? ['x', 'w'] : result === 'x' ? ['w', 'y'] : ['x', 'y']

/**
 * A convolution or one of its transposes. Over all points where x, w and y meet, x at i·stride + k·dilate - pad,
 * the wanted array is the sum of products of the other two: y = Σ x·w, x = Σ w·y, w = Σ x·y, then
 * out = epilogue(acc(0)). lhs and rhs are the arrays given, by `convGiven`; loads of the epilogue number `inputs`, which
 * have strides over the shape of the result. Operands have no guards.
 * Buffers are given in the order lhs, rhs, inputs…, output.
 */
export interface ConvKernel {
  readonly kind: 'conv'
  readonly dtype: DType
  readonly result: ConvSide
  readonly sizes: ConvSizes
  readonly lhs: Operand
  readonly rhs: Operand
  readonly inputs: readonly Operand[]
  readonly output: Operand
  readonly epilogue: Expr
}

/** The sizes of pooling: x and y have `lines` (batch and channels) before the axes that windows slide over. */
export interface PoolSizes extends Windows {
  readonly lines: readonly number[]
  readonly x: readonly number[]
  readonly window: readonly number[]
  readonly y: readonly number[]
}

/** What is done with the first largest element of each window: give it, take another array there, or add to it. */
export type PoolMode = 'max' | 'pick' | 'spread'

/** The shape of pooled arrays and of their inputs. */
export const poolShape = (s: PoolSizes, side: 'x' | 'y'): number[] => [...s.lines, ...s[side]]

/**
 * Pooling by the largest element of each window; padding never wins. The largest is found as by argmax: the first by strict
 * comparison, except that the value given by `max` is NaN where the window holds one.
 * max: x -> y, the element; pick: x, v (x's shape) -> y, v at its place; spread: x, v (y's shape) -> x's shape, the sum
 * of v over the windows whose largest element stands there. A window of padding alone gives -inf for max, 0 for pick.
 * Buffers are given in the order x, v, output.
 */
export interface PoolKernel {
  readonly kind: 'pool'
  readonly dtype: DType
  readonly mode: PoolMode
  readonly sizes: PoolSizes
  readonly inputs: readonly Operand[]
  readonly output: Operand
}

/** The shape of a pool kernel's operand: input number `i`, or the output (-1). */
export function poolOperandShape({ mode, sizes }: PoolKernel, i: number): number[] {
  if (i === 0) return poolShape(sizes, 'x')
  if (i === 1) return poolShape(sizes, mode === 'pick' ? 'x' : 'y')
  return poolShape(sizes, mode === 'spread' ? 'x' : 'y')
}

/** Elements that windows reach over along each axis, counted from the first element of padding. */
export const reach = (s: Windows & { y: readonly number[]; window: readonly number[] }): number[] =>
  s.y.map((n, d) => (n === 0 ? 0 : (n - 1) * s.stride[d]! + (s.window[d]! - 1) * s.dilate[d]! + 1))
