/** The WebAssembly backend: one shared memory, and kernels generated for it at run time. */

import { itemSize } from '../../base/dtype.ts'
import { fail } from '../../base/error.ts'
import { Heap } from '../../base/heap.ts'
import { constant, type Expr, rewrite } from '../../prim/expr.ts'
import {
  type ContractKernel,
  contractAsLoop,
  type Kernel,
  type LoopKernel,
  type ScatterKernel,
} from '../../prim/kernel.ts'
import type { Backend, Compiled } from '../backend.ts'
import { compileCall } from './call.ts'
import { type ProductHost, Products } from './contract.ts'
import { compileConv } from './conv.ts'
import { planOf } from './frame.ts'
import { idle, Structures } from './launch.ts'
import { type Nest, nodesOf, normalize } from './nest.ts'
import { compilePool } from './pool.ts'
import { Recording } from './recording.ts'
import { neutral } from './reduce.ts'
import { compileSequence } from './sequence.ts'

/** Settings of the backend. */
export interface WasmOptions {
  /** Structures of kernels that stay compiled; 4096 by default. */
  readonly structures?: number
  /** Bytes the memory may take; 4 GiB by default, which is all that one memory can hold. */
  readonly limit?: number
}

/** The backend with its memory, which the native bridge shares. */
export interface WasmBackend extends Backend {
  readonly wasmMemory: WebAssembly.Memory
}

const pageBytes = 65536
/** Kernels may read up to 15 bytes past an operand: the last page is never handed out. */
const slackBytes = pageBytes

/** Makes a WebAssembly backend with a memory of its own. */
export function createWasmBackend(options: WasmOptions = {}): WasmBackend {
  const maximum = 65536
  const memory = new WebAssembly.Memory({ initial: 32, maximum, shared: true })
  return new Device(memory, options)
}

class Device implements WasmBackend {
  readonly name = 'wasm'
  readonly canBlock = true
  readonly wasmMemory: WebAssembly.Memory
  readonly #heap: Heap
  readonly #limit: number
  readonly #recording = new Recording()
  /** What kernels see: while their calls are recorded, memory that lasts until those have been made. */
  readonly #host: ProductHost
  readonly #structures: Structures
  readonly #products: Products
  #scratch = { address: 0, bytes: 0, live: 0 }
  /** The whole memory; made anew when it has grown. */
  #bytes: Uint8Array

  constructor(memory: WebAssembly.Memory, options: WasmOptions) {
    this.wasmMemory = memory
    this.#bytes = new Uint8Array(memory.buffer)
    const recording = this.#recording
    this.#host = {
      wasmMemory: memory,
      recording,
      scratch: (bytes) => recording.sink?.temporary(bytes) ?? this.#scratchBlock(bytes),
      alloc: (bytes) => recording.sink?.temporary(bytes) ?? this.alloc(bytes),
      free: (address) => {
        if (recording.sink === null) this.free(address)
      },
      compile: (kernel) => this.compile(kernel),
    }
    this.#limit = Math.min(options.limit ?? 2 ** 32, 2 ** 32)
    this.#structures = new Structures(memory, this.#recording, options.structures ?? 4096)
    this.#products = new Products(this.#host)
    this.#heap = new Heap({
      start: 1024,
      limit: this.#limit - slackBytes,
      grow: (end) => this.#grow(end + slackBytes),
    })
  }

  #grow(end: number): boolean {
    const have = this.wasmMemory.buffer.byteLength
    if (end <= have) return true
    try {
      this.wasmMemory.grow(Math.ceil((end - have) / pageBytes))
    } catch {
      return false
    }
    return true
  }

  #view(): Uint8Array {
    if (this.#bytes.byteLength !== this.wasmMemory.buffer.byteLength) {
      this.#bytes = new Uint8Array(this.wasmMemory.buffer)
    }
    return this.#bytes
  }

  alloc(bytes: number): number {
    const address = this.#heap.alloc(bytes)
    if (address >= 0) return address
    const mib = (n: number) => `${(n / 2 ** 20).toFixed(1)} MiB`
    return fail(
      'wasm',
      `no room for ${mib(bytes)}: ${mib(this.#heap.live)} of ${mib(this.#limit)} are in use. ` +
        'Drop arrays that are no longer needed (nd.scope, using), or use smaller batches',
    )
  }

  free(address: number): void {
    this.#heap.free(address)
  }

  write(address: number, source: Uint8Array): void {
    this.#view().set(source, address)
  }

  readSync(address: number, bytes: number): Uint8Array {
    const copy = new Uint8Array(bytes)
    copy.set(this.#view().subarray(address, address + bytes))
    return copy
  }

  async read(address: number, bytes: number): Promise<Uint8Array> {
    return this.readSync(address, bytes)
  }

  async sync(): Promise<void> {}

  #scratchBlock(bytes: number): number {
    const held = this.#scratch
    if (bytes <= held.bytes) return held.address
    if (held.bytes > 0) this.#heap.free(held.address)
    this.#scratch = { address: 0, bytes: 0, live: 0 }
    const before = this.#heap.live
    const address = this.alloc(bytes)
    this.#scratch = { address, bytes, live: this.#heap.live - before }
    return address
  }

  memory() {
    return {
      live: this.#heap.live - this.#scratch.live,
      reserved: this.wasmMemory.buffer.byteLength,
    }
  }

  compile(kernel: Kernel): Compiled {
    return this.#recording.portable(this.#compile(kernel))
  }

  #compile(kernel: Kernel): Compiled {
    switch (kernel.kind) {
      case 'loop':
        return this.#loop(kernel)
      case 'contract':
        return this.#contract(kernel)
      case 'scatter':
        return this.#scatter(kernel)
      case 'call':
        return compileCall(this.#host, kernel)
      case 'conv':
        return compileConv(this.#host, this.#products, kernel)
      case 'sequence':
        return compileSequence((loop) => this.#loop(loop), kernel)
      case 'pool':
        return compilePool(this.#host, kernel)
      default:
        return kernel satisfies never
    }
  }

  #contract(kernel: ContractKernel): Compiled {
    if (kernel.b === 0 || kernel.m === 0 || kernel.n === 0) return idle
    return this.#products.compile(kernel) ?? this.#loop(contractAsLoop(kernel))
  }

  #loop(kernel: LoopKernel): Compiled {
    const { dims, parallel, reduce } = kernel
    if (dims.slice(0, parallel).includes(0)) return idle
    if (reduce.length > 0 && dims.includes(0)) return this.#loop(reductionOverNothing(kernel))
    return this.#structures.bind(planOf(normalize({ ...kernel, ordered: false })))
  }

  #scatter(kernel: ScatterKernel): Compiled {
    if (kernel.dims.includes(0)) return idle
    const { dims, inputs, output, at, value, op } = kernel
    const nest = normalize({
      dims,
      parallel: dims.length,
      inputs,
      outputs: [output],
      body: [value, ...at.map((a) => a.index)],
      reduce: [],
      epilogue: [],
      ordered: true,
    })
    const bytes = itemSize(output.dtype)
    return this.#structures.bind(
      planOf(rowWise(nest) ? nest : { ...nest, width: 1 }, {
        op,
        sizes: at.map((a) => a.size),
        strides: at.map((a) => a.stride * bytes),
      }),
    )
  }
}

/** Whether the innermost loop of a scatter writes neighbouring elements, its indices fixed. */
function rowWise(nest: Nest): boolean {
  const inner = nest.levels[nest.vector]!
  const { dtype } = nest.operands[nest.inputs]!
  if (inner.strides[nest.inputs] !== itemSize(dtype)) return false
  for (const e of nodesOf(nest.body.slice(1))) {
    if (e.kind === 'index' && e.dim === nest.vector) return false
    if ((e.kind === 'load' || e.kind === 'loadAt') && variesInside(nest, e.input)) return false
  }
  return true
}

function variesInside(nest: Nest, input: number): boolean {
  return (
    nest.levels[nest.vector]!.strides[input] !== 0 ||
    nest.operands[input]!.guards.some((g) => g.level === nest.vector)
  )
}

/** A reduction with an empty reduction dimension as a map: its epilogue on the neutral elements. */
function reductionOverNothing(kernel: LoopKernel): LoopKernel {
  const { dims, parallel, reduce, inputs } = kernel
  const replace = (e: Expr): Expr | undefined => {
    if (e.kind !== 'acc') return undefined
    const op = reduce[e.slot]!
    const positional = op === 'argmax' || op === 'argmin'
    return constant(positional ? 0 : neutral(op, kernel.body[e.slot]!.dtype), e.dtype)
  }
  return {
    ...kernel,
    dims: dims.slice(0, parallel),
    inputs: inputs.map((o) => ({
      ...o,
      strides: o.strides.slice(0, parallel),
      guards: (o.guards ?? []).filter((g) => g.dim < parallel),
    })),
    body: kernel.epilogue.map((e) => rewrite(e, replace)),
    reduce: [],
    epilogue: [],
  }
}
