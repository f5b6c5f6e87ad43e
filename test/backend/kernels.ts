/** Building kernels and their data for tests, running them on a backend, and comparing what comes out. */

import type { Backend } from '../../src/backend/backend.ts'
import { type DType, dtypeInfo, isFloat, type TypedArray } from '../../src/base/dtype.ts'
import { rowMajor, type Shape, sizeOf } from '../../src/base/shape.ts'
import { type Expr, linearize, retype } from '../../src/prim/expr.ts'
import {
  type Kernel,
  kernelOperands,
  type LoopKernel,
  type Operand,
} from '../../src/prim/kernel.ts'

/** The dtypes that arrays can have. */
export const allTypes = ['float32', 'float64', 'uint8', 'int8', 'int32', 'int64', 'bool'] as const
/** The integer dtypes. */
export const intTypes = ['uint8', 'int8', 'int32', 'int64'] as const
/** The floating-point dtypes. */
export const floatTypes = ['float32', 'float64'] as const

/** Contents of one block of memory. */
export interface Data {
  readonly dtype: DType
  readonly array: TypedArray
}

/** Data from plain numbers; what an integer type cannot hold wraps. */
export function data(dtype: DType, values: readonly (number | bigint)[]): Data {
  if (dtype === 'int64') return { dtype, array: BigInt64Array.from(values, (v) => BigInt(v)) }
  const array = new (dtypeInfo(dtype).array)(values.length) as Float64Array
  values.forEach((v, i) => {
    array[i] = Number(v)
  })
  return { dtype, array }
}

/** `size` elements that no kernel writes by chance. */
export function untouched(dtype: DType, size: number): Data {
  return data(
    dtype,
    Array.from({ length: size }, (_, i) => (dtype === 'bool' ? i % 2 : (i * 7 + 3) % 101)),
  )
}

/** Pseudo-random numbers in [0, 1), always the same ones. */
export function randoms(count: number, seed = 1): number[] {
  let state = seed * 2654435761
  return Array.from({ length: count }, () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0
    return state / 4294967296
  })
}

/**
 * `size` values of small magnitude and few bits, so that short sums and products of them are exact in
 * float32 and every order of evaluation gives the same bits.
 */
export function smallValues(dtype: DType, size: number, seed = 1): Data {
  const values = randoms(size, seed).map((u) => {
    if (dtype === 'bool') return u < 0.5 ? 0 : 1
    if (dtype === 'uint8') return Math.floor(u * 12)
    return isFloat(dtype) ? Math.floor(u * 65 - 32) / 4 : Math.floor(u * 17 - 8)
  })
  return data(dtype, values)
}

/** An operand and the size of the smallest block that holds all it reaches. */
export interface Fitted {
  readonly operand: Operand
  readonly size: number
}

/** The operand over `dims` with these strides whose lowest element lies `slack` into its block. */
export function fitOperand(
  dtype: DType,
  dims: Shape,
  strides: readonly number[],
  slack = 0,
  guards?: Operand['guards'],
): Fitted {
  let [low, high] = [0, 0]
  strides.forEach((stride, d) => {
    const limits = (guards ?? []).filter((g) => g.dim === d)
    const first = Math.max(0, ...limits.map((g) => g.lo))
    const last = Math.min(dims[d]!, ...limits.map((g) => g.hi)) - 1
    const ends = last < first ? [0] : [first * stride, last * stride]
    low += Math.min(...ends)
    high += Math.max(...ends)
  })
  const offset = slack - low
  const operand = { dtype, strides, offset, ...(guards ? { guards } : {}) }
  return { operand, size: sizeOf(dims) === 0 ? slack : high + offset + 1 + slack }
}

/** The dense operand over `dims`. */
export const denseOperand = (dtype: DType, dims: Shape): Operand => ({
  dtype,
  strides: rowMajor(dims),
  offset: 0,
})

/** A map over dense operands of one shape. */
export function mapKernel(
  dims: Shape,
  inputs: readonly DType[],
  body: readonly Expr[],
): LoopKernel {
  return {
    kind: 'loop',
    dims,
    parallel: dims.length,
    inputs: inputs.map((dtype) => denseOperand(dtype, dims)),
    outputs: body.map((e) => denseOperand(e.dtype, dims)),
    body,
    reduce: [],
    epilogue: [],
  }
}

/** Operands of a kernel that are written. */
export function outputCount(kernel: Kernel): number {
  return kernel.kind === 'loop' ? kernel.outputs.length : 1
}

/** The expressions of a kernel. */
function kernelExprs(kernel: Kernel): readonly Expr[] {
  switch (kernel.kind) {
    case 'loop':
      return [...kernel.body, ...kernel.epilogue]
    case 'contract':
    case 'conv':
      return [kernel.epilogue]
    case 'call':
    case 'pool':
      return []
    case 'sequence':
      return kernel.loops.flatMap((loop) => kernelExprs(loop.kernel))
    case 'scatter':
      return [kernel.value, ...kernel.at.map((a) => a.index)]
    default:
      return kernel satisfies never
  }
}

/** Every dtype in a kernel: of operands and of the values it computes. */
export function kernelTypes(kernel: Kernel): DType[] {
  const values = linearize(kernelExprs(kernel)).nodes.map((n) => n.expr.dtype)
  const own = 'dtype' in kernel ? [kernel.dtype] : []
  return [...new Set([...kernelOperands(kernel).map((o) => o.dtype), ...values, ...own])]
}

const narrowType = (dtype: DType): DType =>
  dtype === 'float64' ? 'float32' : dtype === 'int64' ? 'int32' : dtype

/** The same loop nest with float64 as float32 and int64 as int32. */
export function narrowed(kernel: LoopKernel): LoopKernel {
  const operand = (o: Operand): Operand => ({ ...o, dtype: narrowType(o.dtype) })
  const expr = (root: Expr): Expr => retype(root, narrowType)
  return {
    ...kernel,
    inputs: kernel.inputs.map(operand),
    outputs: kernel.outputs.map(operand),
    body: kernel.body.map(expr),
    epilogue: kernel.epilogue.map(expr),
  }
}

/** Bytes of data. */
export function bytesOf({ array }: Data): Uint8Array {
  return new Uint8Array(array.buffer, array.byteOffset, array.byteLength)
}

/** The elements that bytes hold. */
export function elements(dtype: DType, bytes: Uint8Array): TypedArray {
  return new (dtypeInfo(dtype).array)(bytes.slice().buffer)
}

/**
 * Runs a kernel on blocks with the given contents, one an operand (the same object twice is one block), and
 * gives the contents of the output blocks afterwards.
 */
export async function execute(
  backend: Backend,
  kernel: Kernel,
  blocks: readonly Data[],
  params: readonly number[] = [],
): Promise<TypedArray[]> {
  const addresses = new Map<Data, number>()
  for (const block of blocks) {
    if (addresses.has(block)) continue
    const address = backend.alloc(block.array.byteLength)
    backend.write(address, bytesOf(block))
    addresses.set(block, address)
  }
  try {
    backend.compile(kernel).run(
      blocks.map((b) => addresses.get(b)!),
      params,
    )
    const outputs = blocks.slice(kernelOperands(kernel).length - outputCount(kernel))
    return await Promise.all(
      outputs.map(async (b) =>
        elements(b.dtype, await backend.read(addresses.get(b)!, b.array.byteLength)),
      ),
    )
  } finally {
    for (const address of addresses.values()) backend.free(address)
  }
}

/** How near results must be: bit for bit, but for the sign of zero, or by relative plus absolute error. */
export type Tolerance = 'exact' | 'value' | { readonly rel: number; readonly abs: number }

/** Throws unless `actual` is as near to `expected` as `tolerance` asks. NaN equals NaN. */
export function expectNear(
  actual: TypedArray,
  expected: TypedArray,
  tolerance: Tolerance,
  note: (i: number) => string = () => '',
): void {
  if (actual.length !== expected.length)
    throw new Error(`${actual.length} elements, not ${expected.length}`)
  for (let i = 0; i < expected.length; i++) {
    const [a, e] = [actual[i]!, expected[i]!]
    if (Object.is(a, e)) continue
    if (tolerance === 'value' && a === e) continue
    if (typeof tolerance === 'object') {
      const [x, y] = [Number(a), Number(e)]
      if (x === y || Math.abs(x - y) <= tolerance.abs + tolerance.rel * Math.abs(y)) continue
    }
    const show = (v: number | bigint): string => (Object.is(v, -0) ? '-0' : String(v))
    throw new Error(`element ${i} of ${expected.length} is ${show(a)}, not ${show(e)} ${note(i)}`)
  }
}
