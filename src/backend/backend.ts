/** The contract between the executor and a device: memory by address, compiled kernels, and waiting. */

import type { Kernel } from '../prim/kernel.ts'

/** Kinds of code, in the order of their numbers on the board that threads share. */
export const codeKinds = ['wasm', 'native', 'routine'] as const

/** Code that a thread makes ready for itself, once, before its first call. */
export interface Code {
  /**
   * wasm: `bytes` is a module that imports the memory; native: the bridge prepares a call from the numbers in `bytes`;
   * routine: `bytes` are the facts of a call kernel.
   */
  readonly kind: (typeof codeKinds)[number]
  /** The export of the module, what the bridge calls it, or the routine's name. */
  readonly name: string
  readonly bytes: Uint8Array<ArrayBuffer>
}

/** Takes the calls a kernel consists of, for another thread to make in this order. */
export interface Sink {
  /** One call; the numbers are copied at once. */
  call(code: Code, args: readonly number[]): void
  /** A block that may be used until the calls have been made. */
  temporary(bytes: number): number
}

/** A kernel ready to run. */
export interface Compiled {
  /**
   * Starts the kernel. `addresses[i]` is the byte address of the buffer of operand i (in the order of
   * `kernelOperands`; the operand's own offset is added by the kernel); `params` are the launch numbers.
   * The arrays are read before `run` returns and may be reused by the caller.
   */
  run(addresses: readonly number[], params: readonly number[]): void
  /** As `run`, but by calls that another thread makes; absent where only this thread can run the kernel. */
  send?(sink: Sink, addresses: readonly number[], params: readonly number[]): void
  /** Nanoseconds that it takes on one thread, where the backend knows better than `prim/cost.ts`. */
  readonly cost?: number
}

/** Bytes held by a backend. */
export interface MemoryUse {
  /** Bytes in blocks that are handed out. */
  readonly live: number
  /** Bytes the backend has taken from the system. */
  readonly reserved: number
}

/** A device that knows the kernels of `prim/kernel.ts`. Work runs in the order in which it is given. */
export interface Backend {
  /** Its name in `runtime.features()`: 'reference', 'wasm', 'onednn', 'webgpu'. */
  readonly name: string
  /** Whether `readSync` works: false where waiting would block a page or needs a device's callback. */
  readonly canBlock: boolean
  /** Whether convolutions are fastest where channels are innermost in memory; false if it is not said. */
  readonly channelsLast?: boolean
  /** Takes a block of at least `bytes` bytes, aligned to 64; contents are undefined. Throws MXNetError when full. */
  alloc(bytes: number): number
  /** Gives a block back; work already submitted that uses it still completes. */
  free(address: number): void
  /** Writes bytes into memory, ordered after work submitted before. */
  write(address: number, source: Uint8Array): void
  /**
   * The bytes as work submitted before leaves them, whatever comes later; a fresh copy. `after`: the mark of the last
   * work that writes them, where the caller knows it.
   */
  read(address: number, bytes: number, after?: number): Promise<Uint8Array>
  /** As `read`, blocking; throws MXNetError where `canBlock` is false. */
  readSync(address: number, bytes: number, after?: number): Uint8Array
  /** Names the point that the work submitted so far will have reached; absent where reads wait for all of it. */
  mark?(): number
  /** Orders later work behind what another stream over the same memory has been given up to a mark of its own. */
  waitFor?(other: Backend, mark: number): void
  /** Compiles a kernel; equal kernels may share one result. */
  compile(kernel: Kernel): Compiled
  /** Resolves when all submitted work is done; rejects with the first error since the last call. */
  sync(): Promise<void>
  memory(): MemoryUse
  /** Turns notes on what other threads run on or off; gives those made since the last call. Absent: there are no others. */
  trace?(on: boolean): readonly Span[]
  /** Resolves when the device has started, rejects where there is none; absent where it is always there. */
  ready?(): Promise<void>
  /** Bytes that all arrays together may take; absent where it is not known. */
  readonly total?: number | undefined
  /** Gives memory that is kept for later back to the system; absent where none is kept. */
  emptyCache?(): void
  /** What the device has done so far, by name, for the profiler. */
  counters?(): Readonly<Record<string, number>>
}

/** What a thread has run. */
export interface Span {
  readonly thread: number
  /** The operator it was part of. */
  readonly name: string
  /** Milliseconds of `performance.now` on this thread. */
  readonly start: number
  readonly end: number
}

/** A collection on demand, after which `drain` finds what was garbage. */
export interface Look {
  collect(): void
  /** Bytes handed out from one look to the next, at least: what makes it worth its time. */
  readonly step: number
}

/** Tells when holders of memory have been collected, so that their blocks can be given back. */
export interface Reaper {
  /** Watches `holder`; once it is garbage, `drain` reports `slot`. `bytes` tells the collector what it holds. */
  watch(holder: object, slot: number, bytes: number): void
  /** The block of `slot` was given back early: it no longer weighs on the collector. */
  forget(slot: number): void
  /** Calls `release` for every slot whose holder has been collected. Cheap when there is none. */
  drain(release: (slot: number) => void): void
  /** Whether all holders are found in the end inside synchronous code, without a macrotask between. */
  readonly synchronous: boolean
  /** How holders can be looked for inside synchronous code, if they can. */
  readonly look: Look | null
}
