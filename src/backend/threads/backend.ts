/** CPU streams on threads: long work is handed over and runs in order, short work runs where it is asked for. */

import { Cache } from '../../base/cache.ts'
import { fail, MXNetError } from '../../base/error.ts'
import { kernelCost, type Speed } from '../../prim/cost.ts'
import { load } from '../../prim/expr.ts'
import type { Kernel } from '../../prim/kernel.ts'
import { sliceKernel } from '../../prim/slice.ts'
import { type Backend, type Code, type Compiled, codeKinds, type Span } from '../backend.ts'
import { Draft } from './draft.ts'
import {
  type Board,
  boardAt,
  boardBytes,
  codeLimit,
  codeWords,
  field,
  maxParts,
  pool,
  ringWords,
  spanCount,
  spanWords,
  type ThreadStart,
  threadWords,
  work,
} from './protocol.ts'
import { type Origin, Stream } from './stream.ts'

/** A thread as its host sees it. */
export interface Thread {
  /** Why it is no longer there, or null. */
  readonly ended: string | null
  /** Whether the program must not end while the thread is waited for. */
  hold(on: boolean): void
  stop(): void
}

/** Starts threads: worker threads in Node, Web Workers in browsers. */
export type ThreadHost = (start: Omit<ThreadStart, 'bridge'>) => Thread

/** Notes where work comes from now; tells it when asked. */
export type OriginNote = () => () => Origin

/** How a pool decides. */
export interface PoolOptions {
  readonly threads: number
  readonly speed: Speed
  /** Nanoseconds from which on work is handed over rather than run at once, where nothing is under way. */
  readonly handOver?: number
  /** Nanoseconds from which on a kernel is cut for several threads. */
  readonly cut?: number
  /** Notes where work comes from; called at each handing over. */
  readonly origin?: OriginNote
  /** Whether this thread may sleep while it waits; where not, it looks again and again. */
  readonly maySleep?: boolean
}

/** A backend whose memory other threads can see. */
export interface SharedBackend extends Backend {
  readonly wasmMemory: WebAssembly.Memory
}

/** Waking a thread takes some 30 µs: less work than this is done sooner here. */
const handOverCost = 250_000
/** Below this, a second thread comes too late to help. */
const cutCost = 60_000
/**
 * Parts a loop is cut into for each thread, so that one that loses its core holds nobody up for long. Other kernels have
 * one part a thread: each part of a product packs its operands anew.
 */
const loopParts = 4
/** Bytes in use from which on an allocation waits for work that will give blocks back. */
const crowded = 2 ** 30
/** Turns of looking at work under way before waiting for it. */
const patience = 2000
/** Milliseconds that threads are given to end. */
const endWithin = 2000
/** A thread that has done nothing for so long is taken for lost, where no event can tell. */
const lostAfter = 120_000

interface Waiting {
  readonly address: number
  /** By stream: the work that may still use the block. */
  readonly marks: readonly number[]
}

/** Threads, a stream on each, over one memory. */
export class ThreadPool {
  readonly #inner: SharedBackend
  readonly #host: ThreadHost
  readonly #options: Required<PoolOptions>
  #address = -1
  #board!: Board
  #threads: Thread[] = []
  #streams: Stream[] = []
  /** The streams that have been handed out. */
  readonly #numbers = new WeakMap<Backend, number>()
  readonly #copies = new Cache<number, Compiled>(64)
  /** Addresses that work under way has been given: what is written there waits. */
  readonly #used = new Set<number>()
  #limbo: Waiting[] = []
  #codes = new Map<Code, number>()
  #codeBlocks: number[] = []
  /** Bytes of blocks that are the pool's own. */
  #own = 0
  #state: 'asleep' | 'starting' | 'running' | 'broken' = 'asleep'
  #holds = 0
  /** Notes of each thread that have been given out. */
  #traced: number[] = []
  /** Kernels handed over so far. */
  submissions = 0

  constructor(inner: SharedBackend, host: ThreadHost, options: PoolOptions) {
    this.#inner = inner
    this.#host = host
    this.#options = {
      handOver: handOverCost,
      cut: cutCost,
      origin: () => () => ({ operator: 'engine', place: '' }),
      maySleep: true,
      ...options,
    }
    this.resize(options.threads)
  }

  /** How many threads there are; with one, all work runs where it is asked for. */
  get threads(): number {
    return this.#streams.length
  }

  /** Finishes all work and goes on with another number of threads; they start when there is work for them. */
  resize(threads: number): void {
    const quiet = this.stop()
    // A thread that could not be seen to end may still look at the board: then it stays where it is.
    if (quiet && this.#address >= 0) this.#inner.free(this.#address)
    for (const address of this.#codeBlocks) this.#inner.free(address)
    this.#codes.clear()
    this.#codeBlocks = []
    this.#own = 0
    this.#address = this.#ownBlock(boardBytes(threads))
    this.#board = boardAt(this.#inner.wasmMemory.buffer, this.#address, threads)
    this.#board.control.fill(0)
    this.#board.shared.fill(0)
    for (let i = 0; i < threads; i++) this.#board.control[i * threadWords + field.part] = 255
    this.#threads = []
    this.#streams = Array.from({ length: threads }, (_, i) => new Stream(this.#board, i))
    this.#traced = []
    this.#state = 'asleep'
  }

  /** The backend whose work runs on one stream; streams beyond the number of threads share theirs. */
  stream(number: number): Backend {
    const inner = this.#inner
    const at = (): Stream => this.#streams[number % this.#streams.length]!
    const backend: Backend = {
      name: inner.name,
      canBlock: true,
      channelsLast: inner.channelsLast ?? false,
      alloc: (bytes) => this.#alloc(bytes),
      free: (address) => this.#free(address),
      write: (address, source) => {
        if (this.#used.has(address)) this.#rest(at(), at().submitted)
        inner.write(address, source)
      },
      read: (address, bytes, after = at().submitted) => this.#read(at(), address, bytes, after),
      readSync: (address, bytes, after = at().submitted) => {
        this.#rest(at(), after)
        at().raise()
        return inner.readSync(address, bytes)
      },
      mark: () => at().submitted,
      compile: (kernel) => this.#compile(at, kernel),
      sync: () => this.#arrive(at(), at().submitted),
      memory: () => {
        this.#sweep()
        const { live, reserved } = inner.memory()
        return { live: live - this.#own, reserved }
      },
      trace: (on) => this.#trace(on),
      waitFor: (other, mark) => {
        const known = this.#numbers.get(other)
        if (known !== undefined) this.#waitFor(at(), known % this.#streams.length, mark)
      },
    }
    this.#numbers.set(backend, number)
    return backend
  }

  /** Finishes all work and ends the threads; whether all have ended. */
  stop(): boolean {
    for (const stream of this.#streams) this.#rest(stream, stream.submitted)
    this.#sweep()
    if (this.#threads.length === 0) return true
    const { control, shared } = this.#board
    Atomics.store(shared, pool.stop, 1)
    for (const stream of this.#streams) stream.wake()
    const since = performance.now()
    const ended = (): boolean => this.#streams.every((s) => s.state === 2)
    while (!ended() && performance.now() - since < endWithin) {
      if (this.#options.maySleep) Atomics.wait(control, field.state, 1, 1)
    }
    const quiet = ended()
    this.#abandon()
    return quiet
  }

  /** Starts the threads, if they are not running yet; whether they are. */
  start(): boolean {
    if (this.#state === 'running') return true
    const threads = this.#streams.length
    if (this.#state === 'broken' || threads < 2) return false
    if (this.#state === 'asleep') {
      this.#state = 'starting'
      const { wasmMemory: memory } = this.#inner
      for (let thread = 0; thread < threads; thread++)
        this.#threads.push(this.#host({ memory, board: this.#address, thread, threads }))
    }
    if (this.#streams.some((s) => s.state !== 1)) return false
    this.#state = 'running'
    return true
  }

  /** Whether no stream has anything under way. */
  #allIdle(): boolean {
    for (const stream of this.#streams) if (!stream.idle) return false
    if (this.#used.size > 0) this.#used.clear()
    return true
  }

  #alloc(bytes: number): number {
    if (this.#limbo.length > 0) {
      this.#sweep()
      while (this.#limbo.length > 0 && this.#inner.memory().live + bytes > crowded) {
        this.#limbo[0]!.marks.forEach((mark, i) => this.#rest(this.#streams[i]!, mark))
        this.#sweep()
      }
    }
    return this.#inner.alloc(bytes)
  }

  /** Tells the threads whether to note what they run; the notes made since the last call. */
  #trace(on: boolean): Span[] {
    const { control, shared, spans } = this.#board
    Atomics.store(shared, pool.trace, on ? 1 : 0)
    return this.#streams.flatMap((_, thread) => {
      const count = Atomics.load(control, thread * threadWords + field.spans)
      const seen = this.#traced[thread] ?? 0
      this.#traced[thread] = count
      const fresh = Math.min(count - seen, spanCount)
      return Array.from({ length: fresh }, (_, i) => {
        const at = ((count - fresh + i) % spanCount) * spanWords
        const [stream, ticket, start, end] = spans[thread]!.subarray(at, at + spanWords)
        const { operator } = this.#streams[stream!]!.originOf(ticket!)
        const { timeOrigin } = performance
        return { thread, name: operator, start: start! - timeOrigin, end: end! - timeOrigin }
      })
    })
  }

  /** A block for the pool itself. */
  #ownBlock(bytes: number): number {
    const { live } = this.#inner.memory()
    const address = this.#inner.alloc(bytes)
    this.#own += this.#inner.memory().live - live
    return address
  }

  #free(address: number): void {
    if (this.#allIdle()) return this.#inner.free(address)
    this.#used.delete(address)
    this.#limbo.push({ address, marks: this.#streams.map((s) => s.submitted) })
  }

  /** Gives back the blocks that no work uses any more. */
  #sweep(): void {
    const { length } = this.#limbo
    let count = 0
    while (
      count < length &&
      this.#limbo[count]!.marks.every((mark, i) => this.#streams[i]!.has(mark))
    ) {
      this.#inner.free(this.#limbo[count++]!.address)
    }
    if (count === length) this.#limbo = []
    else if (count > 0) this.#limbo.splice(0, count)
  }

  #compile(at: () => Stream, kernel: Kernel): Compiled {
    const whole = this.#inner.compile(kernel)
    const cost = whole.cost ?? kernelCost(kernel, this.#options.speed)
    const long = cost >= this.#options.handOver
    let pieces: readonly Compiled[] = []
    let cutFor = 0
    const parts = (threads: number): readonly Compiled[] => {
      if (cost < this.#options.cut) return [whole]
      const count = (kernel.kind === 'loop' ? loopParts : 1) * threads
      const made = sliceKernel(kernel, Math.min(count, maxParts)).map((k) => this.#inner.compile(k))
      return made.every((c) => c.send) ? made : [whole]
    }
    return {
      run: (addresses, params) => {
        const stream = at()
        if (stream.idle && !(long && whole.send && this.start())) {
          whole.run(addresses, params)
        } else if (!whole.send) {
          this.#rest(stream, stream.submitted)
          whole.run(addresses, params)
        } else {
          const threads = this.#streams.length
          if (cutFor !== threads) pieces = parts(threads)
          cutFor = threads
          this.#submit(stream, pieces, addresses, params)
        }
      },
    }
  }

  #submit(
    stream: Stream,
    pieces: readonly Compiled[],
    addresses: readonly number[],
    params: readonly number[],
  ): void {
    const draft = new Draft({
      codeOf: (code) => this.#codeOf(code),
      alloc: (bytes) => this.#alloc(bytes),
    })
    for (const piece of pieces) {
      draft.part()
      piece.send!(draft, addresses, params)
    }
    for (const address of addresses) this.#used.add(address)
    this.submissions++
    for (const record of draft.records(ringWords / 4)) this.#publish(stream, record)
    for (const address of draft.temporaries) this.#free(address)
  }

  #publish(stream: Stream, record: number[]): void {
    stream.publish(record, this.#options.origin(), () => this.#pause(stream, stream.done))
  }

  /** Orders a stream's further work behind what another one has been given up to a mark. */
  #waitFor(stream: Stream, other: number, mark: number): void {
    const first = this.#streams[other]!
    if (stream === first || first.idle || first.has(mark) || stream.follows(other, mark)) return
    this.#publish(stream, [work.wait, 6, 0, other, mark, 0])
  }

  async #read(stream: Stream, address: number, bytes: number, after: number): Promise<Uint8Array> {
    if (bytes === 0) await this.#arrive(stream, after)
    if (bytes === 0 || stream.idle || stream.has(after)) {
      stream.raise()
      return this.#inner.readSync(address, bytes)
    }
    // Later work may write there before this is seen to have arrived: the copy is work in its turn.
    const copy = this.#alloc(bytes)
    this.#submit(stream, [this.#copies.get(bytes, () => this.#copier(bytes))], [address, copy], [])
    try {
      await this.#arrive(stream, stream.submitted)
      return this.#inner.readSync(copy, bytes)
    } finally {
      this.#free(copy)
    }
  }

  /** A kernel that copies so many bytes. */
  #copier(bytes: number): Compiled {
    const operand = { dtype: 'uint8' as const, strides: [1], offset: 0 }
    return this.#inner.compile({
      kind: 'loop',
      dims: [bytes],
      parallel: 1,
      inputs: [operand],
      outputs: [operand],
      body: [load(0, 'uint8')],
      reduce: [],
      epilogue: [],
    })
  }

  /** The number of a code in the table that all threads read. */
  #codeOf(code: Code): number {
    let id = this.#codes.get(code)
    if (id !== undefined) return id
    if (this.#codes.size >= codeLimit)
      fail('engine', `more than ${codeLimit} different kernels: set MXNET_ENGINE_TYPE=NaiveEngine`)
    id = this.#codes.size
    const { name, kind, bytes } = code
    const record = new Uint8Array(2 + name.length + bytes.length)
    record[0] = codeKinds.indexOf(kind)
    record[1] = name.length
    for (let i = 0; i < name.length; i++) record[2 + i] = name.charCodeAt(i)
    record.set(bytes, 2 + name.length)
    const address = this.#ownBlock(record.length)
    this.#codeBlocks.push(address)
    this.#inner.write(address, record)
    this.#board.table[id * codeWords] = address
    this.#board.table[id * codeWords + 1] = record.length
    this.#codes.set(code, id)
    return id
  }

  /** Waits, on this thread, for a stream to do more than `seen`; fails where its thread is gone. */
  #pause(stream: Stream, seen: number, since = performance.now()): void {
    if (this.#options.maySleep) Atomics.wait(this.#board.control, stream.doneAt, seen, 20)
    this.#checkThreads(performance.now() - since > lostAfter)
  }

  #checkThreads(lost: boolean): void {
    const gone = this.#threads.find((t) => t.ended !== null)
    if (gone === undefined && !lost) return
    const reason = gone?.ended ?? `it has done nothing for ${lostAfter / 1000} s`
    const pending = this.#streams.find((s) => !s.idle)
    const origin = pending?.originOf(pending.done + 1)
    this.#abandon()
    const what = `a thread of the CPU has ended, and its work with it: ${reason}`
    throw new MXNetError(origin?.operator ?? 'engine', what + (origin?.place ?? ''))
  }

  /** Gives the threads up: work goes on here, without them. */
  #abandon(): void {
    this.#state = 'broken'
    for (const stream of this.#streams) stream.busy = false
    for (const thread of this.#threads) thread.stop()
    for (const { address } of this.#limbo) this.#inner.free(address)
    this.#limbo = []
  }

  /** Waits on this thread until a stream has reached a mark. */
  #rest(stream: Stream, mark: number): void {
    for (let turn = 0; turn < patience; turn++) if (stream.has(mark)) return
    const since = performance.now()
    for (;;) {
      const { done } = stream
      if (stream.has(mark)) return
      this.#pause(stream, done, since)
    }
  }

  async #arrive(stream: Stream, mark: number): Promise<void> {
    if (!stream.has(mark)) await this.#later(stream, mark)
    stream.raise()
  }

  async #later(stream: Stream, mark: number): Promise<void> {
    this.#hold(1)
    try {
      for (;;) {
        const { done } = stream
        if (stream.has(mark)) return
        await changed(this.#board.control, stream.doneAt, done)
        this.#checkThreads(false)
      }
    } finally {
      this.#hold(-1)
    }
  }

  #hold(change: 1 | -1): void {
    this.#holds += change
    if (this.#holds === (change === 1 ? 1 : 0))
      for (const thread of this.#threads) thread.hold(change === 1)
  }
}

/** Resolves soon after a word has changed from `seen`, or a tenth of a second later. */
async function changed(words: Int32Array, at: number, seen: number): Promise<void> {
  if (typeof Atomics.waitAsync === 'function') {
    const waiting = Atomics.waitAsync(words, at, seen, 100)
    if (waiting.async) await waiting.value
    return
  }
  await new Promise((resolve) => setTimeout(resolve, 1))
}
