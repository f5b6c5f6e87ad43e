/** Routines: named functions on whole dense arrays, for what is no loop nest. They import only `base`, so workers load them too. */

import type { TypedArray } from '../../base/dtype.ts'

/** The elements of one operand in row-major order; 16-bit floats arrive as float32. */
export type Elements = Exclude<TypedArray, Uint16Array>
/** The elements of a floating-point operand. */
export type Floats = Float32Array | Float64Array

/**
 * Computes `output`, every element of it, from `inputs`; `numbers` are sizes and settings, whose order each routine
 * states. May throw MXNetError where the values have no answer.
 */
export type Routine = (
  inputs: readonly Elements[],
  output: Elements,
  numbers: readonly number[],
) => void
