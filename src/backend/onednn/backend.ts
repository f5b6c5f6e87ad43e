/** The native CPU backend: WebAssembly kernels, with products, convolutions and pooling claimed by oneDNN on the same memory. */

import { Cache } from '../../base/cache.ts'
import { type Expr, isConst } from '../../prim/expr.ts'
import { type ContractKernel, epilogueInPlace, type Kernel, kernelKey } from '../../prim/kernel.ts'
import type { SequenceKernel } from '../../prim/sequence.ts'
import type { Backend, Code, Compiled, Reaper } from '../backend.ts'
import { maxBytes, type NativeBridge } from './bridge.ts'
import { claimConv } from './conv.ts'
import { claimPool } from './pool.ts'
import { matchRows } from './rows.ts'

export type { NativeBridge }

/** What the claims need of the WebAssembly backend: its memory is handed in, never imported. */
export interface SharedMemoryBackend extends Backend {
  readonly memory: () => { readonly live: number; readonly reserved: number }
  readonly wasmMemory: WebAssembly.Memory
}

/** Products of fewer multiplications run faster without the way into native code. */
const leastWork = 2048
const cacheLimit = 1024

/** What oneDNN does to a product before storing it. */
interface PostOps {
  /** Which extra operand is added, or -1. */
  readonly bias: number
  readonly activation: 0 | 1 | 2 | 3
}

/** Where oneDNN does all of a product itself. */
const idle: Compiled = { run() {}, send() {} }

/** Splits `f(acc + load)` into the parts that oneDNN has post-ops for; null if there are others. */
export function matchPostOps(e: Expr): PostOps | null {
  const relu = e.kind === 'op' && e.op === 'max' ? argumentBeside(e, (x) => isConst(x, 0)) : null
  if (relu !== null) return withActivation(relu, 1)
  if (e.kind === 'op' && e.op === 'tanh') return withActivation(e.args[0]!, 3)
  const logistic = matchSigmoid(e)
  return logistic === null ? withActivation(e, 0) : withActivation(logistic, 2)
}

function withActivation(e: Expr, activation: PostOps['activation']): PostOps | null {
  if (e.kind === 'acc') return { bias: -1, activation }
  if (e.kind !== 'op' || e.op !== 'add') return null
  const other = argumentBeside(e, (x) => x.kind === 'acc')
  return other?.kind === 'load' ? { bias: other.input, activation } : null
}

/** The other argument of a two-operand instruction, where one of them passes the test. */
function argumentBeside(e: Expr & { kind: 'op' }, test: (x: Expr) => boolean): Expr | null {
  const [x, y] = e.args as [Expr, Expr]
  return test(x) ? y : test(y) ? x : null
}

/** x of 1 / (1 + e⁻ˣ). */
function matchSigmoid(e: Expr): Expr | null {
  if (e.kind !== 'op' || e.op !== 'div' || !isConst(e.args[0]!, 1)) return null
  const sum = e.args[1]!
  if (sum.kind !== 'op' || sum.op !== 'add') return null
  const power = argumentBeside(sum, (x) => isConst(x, 1))
  const minus = power?.kind === 'op' && power.op === 'exp' ? power.args[0]! : null
  return minus?.kind === 'op' && minus.op === 'neg' ? minus.args[0]! : null
}

/** The description of a product for the bridge; see `MatmulField`. */
function describe(kernel: ContractKernel, post: PostOps): Float64Array<ArrayBuffer> {
  const { b, m, n, k, lhs, rhs, output, inputs } = kernel
  const bias = post.bias < 0 ? [0, 0, 0] : inputs[post.bias]!.strides
  const [sb, sm, sn] = bias as [number, number, number]
  const row = sb === 0 && sm === 0 && sn === 1
  const column = sb === 0 && sm === 1 && sn === 0
  const mode = post.bias < 0 ? 0 : row ? 1 : column ? 2 : 3
  return Float64Array.from([
    ...[0, b, m, n, k, ...lhs.strides, ...rhs.strides, ...output.strides],
    ...[mode, ...bias, post.activation, 0],
  ])
}

/** The backend for Node with the native bridge. */
export function createOneDnnBackend(
  wasm: SharedMemoryBackend,
  bridge: NativeBridge,
): SharedMemoryBackend {
  bridge.attach(new Uint8Array(wasm.wasmMemory.buffer), maxBytes)
  const cache = new Cache<string, Compiled>(cacheLimit)
  const convs = new FinalizationRegistry<number>((handle) => bridge.convFree(handle))
  const pools = new FinalizationRegistry<number>((handle) => bridge.poolFree(handle))
  const handles = new FinalizationRegistry<number>((handle) => bridge.matmulFree(handle))

  function claim(kernel: ContractKernel): Compiled | null {
    if (kernel.dtype !== 'float32' || kernel.output.dtype !== 'float32') return null
    if (kernel.b * kernel.m * kernel.n * kernel.k < leastWork) return null
    if (
      [kernel.lhs, kernel.rhs, ...kernel.inputs].some(
        (o) => o.guards?.length || o.dtype !== 'float32',
      )
    )
      return null
    const post = matchPostOps(kernel.epilogue)
    const spec = describe(kernel, post ?? { bias: -1, activation: 0 })
    const handle = bridge.matmulCreate(spec)
    if (handle < 0) return null
    const [ol, or, oo] = [kernel.lhs.offset * 4, kernel.rhs.offset * 4, kernel.output.offset * 4]
    const at = kernel.inputs.length + 2
    const bias = post === null || post.bias < 0 ? -1 : post.bias + 2
    const ob = bias < 0 ? 0 : kernel.inputs[post!.bias]!.offset * 4
    const after = post === null ? wasm.compile(epilogueInPlace(kernel)) : idle
    const code: Code = { kind: 'native', name: 'matmul', bytes: new Uint8Array(spec.buffer) }
    const places = (addresses: readonly number[]): [number, number, number, number] => [
      addresses[0]! + ol,
      addresses[1]! + or,
      addresses[at]! + oo,
      bias < 0 ? 0 : addresses[bias]! + ob,
    ]
    const compiled: Compiled = {
      run(addresses, params) {
        const [lhs, rhs, out, extra] = places(addresses)
        bridge.matmulRun(handle, lhs, rhs, out, extra)
        after.run([addresses[at]!, ...addresses.slice(2)], params)
      },
      send(sink, addresses, params) {
        sink.call(code, places(addresses))
        after.send?.(sink, [addresses[at]!, ...addresses.slice(2)], params)
      },
    }
    handles.register(compiled, handle)
    return compiled
  }

  function claimRows(kernel: SequenceKernel): Compiled | null {
    const found = matchRows(kernel)
    if (found === null) return null
    const { name, args, elements } = found
    const code: Code = { kind: 'native', name, bytes: new Uint8Array(0) }
    const run = bridge[`${name}Run`] as (...args: number[]) => number
    return {
      cost: elements * rowCost,
      run: (addresses) => void run(...args(addresses)),
      send: (sink, addresses) => sink.call(code, args(addresses)),
    }
  }

  return {
    name: 'onednn',
    wasmMemory: wasm.wasmMemory,
    canBlock: true,
    channelsLast: true,
    alloc: (bytes) => wasm.alloc(bytes),
    free: (address) => wasm.free(address),
    write: (address, source) => wasm.write(address, source),
    read: (address, bytes) => wasm.read(address, bytes),
    readSync: (address, bytes) => wasm.readSync(address, bytes),
    sync: () => wasm.sync(),
    memory: () => wasm.memory(),
    compile(kernel: Kernel): Compiled {
      if (kernel.kind === 'contract')
        return cache.get(kernelKey(kernel), () => claim(kernel) ?? wasm.compile(kernel))
      if (kernel.kind === 'conv') {
        const make = () => claimConv(kernel, wasm, bridge, convs) ?? wasm.compile(kernel)
        return cache.get(kernelKey(kernel), make)
      }
      if (kernel.kind === 'pool') {
        const make = () => claimPool(kernel, bridge, pools) ?? wasm.compile(kernel)
        return cache.get(kernelKey(kernel), make)
      }
      if (kernel.kind === 'sequence')
        return cache.get(kernelKey(kernel), () => claimRows(kernel) ?? wasm.compile(kernel))
      return wasm.compile(kernel)
    },
  }
}

/**
 * The collector runs each 64 MB it is told of: told of everything it costs more than the kernels, told of a
 * quarter it still keeps garbage under about 250 MB.
 */
const weightShare = 4

/** Nanoseconds an element of rows takes in the bridge's vectors. */
const rowCost = 0.2

/** A look at what was made lately takes 0.2 ms, which is what work on so many bytes takes at least. */
const youngStep = 16 * 1024 * 1024

/** A reaper on the bridge's finalizers: holders are found inside synchronous code. */
export function nativeReaper(
  wasm: SharedMemoryBackend,
  bridge: NativeBridge,
  collectYoung: () => void,
): Reaper {
  const address = wasm.alloc(64)
  const pending = new Uint32Array(wasm.wasmMemory.buffer, address, 1)
  pending[0] = 0
  bridge.setPendingCounter(address)
  const slots = new Int32Array(1024)
  return {
    synchronous: true,
    look: { collect: collectYoung, step: youngStep },
    watch: (holder, slot, bytes) => bridge.watch(holder, slot, bytes / weightShare),
    forget: (slot) => bridge.forget(slot),
    drain(release) {
      while (pending[0] !== 0) {
        const count = bridge.drain(slots)
        if (count === 0) return
        for (let i = 0; i < count; i++) release(slots[i]!)
      }
    },
  }
}
