/** Contract kernels: matrix products by `gemm.ts`, and their epilogues as maps over the output. */

import { type DType, itemSize } from '../../base/dtype.ts'
import { rowMajor, sizeOf } from '../../base/shape.ts'
import { type Expr, load, rewrite } from '../../prim/expr.ts'
import type { ContractKernel, Kernel, Operand } from '../../prim/kernel.ts'
import type { Code, Compiled } from '../backend.ts'
import { gemmCoreModule, gemmScratchBytes, type Real } from './gemm.ts'
import type { Recording } from './recording.ts'

/** What products need of the device. */
export interface ProductHost {
  readonly wasmMemory: WebAssembly.Memory
  readonly recording: Recording
  /** A block that any kernel may use while it runs, of at least so many bytes. */
  scratch(bytes: number): number
  alloc(bytes: number): number
  free(address: number): void
  compile(kernel: Kernel): Compiled
}

/** A product: the numbers of `GEMM_PARAMS`. */
export type Gemm = (...numbers: number[]) => void

/** Bytes that an operand spans over `dims`, as [from, to) relative to its buffer. */
function span(operand: Operand, dims: readonly number[]): [number, number] {
  let [low, high] = [operand.offset, operand.offset]
  operand.strides.forEach((s, d) => {
    const way = s * (dims[d]! - 1)
    if (way < 0) low += way
    else high += way
  })
  const bytes = itemSize(operand.dtype)
  return [low * bytes, (high + 1) * bytes]
}

/** Matrix products on one memory. */
export class Products {
  readonly #host: ProductHost
  readonly #gemm: Partial<Record<DType, Gemm>> = {}

  constructor(host: ProductHost) {
    this.#host = host
  }

  /** The product of matrices of one type. */
  product(type: Real): Gemm {
    let gemm = this.#gemm[type]
    if (!gemm) {
      const { recording, wasmMemory: memory } = this.#host
      const name = `gemm_${type}`
      const bytes = gemmCoreModule(type)
      const code: Code = { kind: 'wasm', name, bytes }
      const imports = { env: { memory } as WebAssembly.ModuleImports }
      const { exports } = new WebAssembly.Instance(new WebAssembly.Module(bytes), imports)
      const here = exports[name] as Gemm
      gemm = (...numbers) =>
        recording.sink === null ? here(...numbers) : recording.sink.call(code, numbers)
      this.#gemm[type] = gemm
    }
    return gemm
  }

  /** Compiles a product, or answers undefined where a plain loop nest must do. */
  compile(kernel: ContractKernel): Compiled | undefined {
    const { dtype, b, m, n, k, lhs, rhs } = kernel
    if ((dtype !== 'float32' && dtype !== 'float64') || k === 0) return undefined
    if (lhs.dtype !== dtype || rhs.dtype !== dtype) return undefined
    if (lhs.guards?.length || rhs.guards?.length) return undefined
    const host = this.#host
    const gemm = this.product(dtype)
    const bytes = itemSize(dtype)
    const scratchBytes = gemmScratchBytes(m, n, k, dtype)
    const [lb, lm, lk] = lhs.strides as [number, number, number]
    const [rb, rk, rn] = rhs.strides as [number, number, number]
    /** Multiplies into `target`, laid out by element strides. */
    const multiply = (
      addresses: readonly number[],
      target: number,
      [tb, tm, tn]: readonly number[],
    ): void => {
      const scratch = host.scratch(scratchBytes)
      let a = addresses[0]! + lhs.offset * bytes
      let r = addresses[1]! + rhs.offset * bytes
      let c = target
      for (let i = 0; i < b; i++) {
        gemm(m, n, k, a | 0, lm, lk, r | 0, rk, rn, c | 0, tm!, tn!, scratch | 0, 0)
        a += lb * bytes
        r += rb * bytes
        c += tb! * bytes
      }
    }
    return withEpilogue(host, { ...kernel, dims: [b, m, n] }, multiply)
  }
}

/** A kernel that first stores sums and then finishes them: the shape of its output, and what `epilogue` reads. */
interface Finished {
  readonly dtype: DType
  readonly dims: readonly number[]
  readonly inputs: readonly Operand[]
  readonly output: Operand
  readonly epilogue: Expr
}

/**
 * Runs `compute`, which stores sums at an address with element strides over `dims`, and the epilogue after it: in place
 * where the output has the dtype of the sums and does not hold what the epilogue reads. Two operands come before `inputs`.
 */
export function withEpilogue(
  host: ProductHost,
  { dtype, dims, inputs, output, epilogue }: Finished,
  compute: (addresses: readonly number[], target: number, strides: readonly number[]) => void,
): Compiled {
  const bytes = itemSize(dtype)
  const last = 2 + inputs.length
  const offset = output.offset * bytes
  if (epilogue.kind === 'acc' && output.dtype === dtype) {
    return { run: (addresses) => compute(addresses, addresses[last]! + offset, output.strides) }
  }
  const finish = (sums: Operand): Compiled =>
    host.compile({
      kind: 'loop',
      dims,
      parallel: dims.length,
      inputs: [...inputs, sums],
      outputs: [output],
      body: [
        rewrite(epilogue, (e: Expr) => (e.kind === 'acc' ? load(inputs.length, dtype) : undefined)),
      ],
      reduce: [],
      epilogue: [],
    })
  const inPlace = output.dtype === dtype ? finish({ ...output, dtype }) : undefined
  const strides = rowMajor(dims)
  let apart: Compiled | undefined
  const [from, to] = span(output, dims)
  const spans = inputs.map((o) => span(o, dims))
  const overlaps = (addresses: readonly number[]): boolean =>
    spans.some(
      ([low, high], i) =>
        addresses[2 + i]! + low < addresses[last]! + to &&
        addresses[last]! + from < addresses[2 + i]! + high,
    )
  return {
    run(addresses, params) {
      const rest = addresses.slice(2, last)
      const out = addresses[last]!
      if (inPlace && !overlaps(addresses)) {
        compute(addresses, out + offset, output.strides)
        inPlace.run([...rest, out, out], params)
        return
      }
      // The output holds an input of the epilogue, or is of another dtype: sums go to a block of their own.
      apart ??= finish({ dtype, strides, offset: 0 })
      const sums = host.alloc(sizeOf(dims) * bytes)
      try {
        compute(addresses, sums, strides)
        apart.run([...rest, sums, out], params)
      } finally {
        host.free(sums)
      }
    },
  }
}
