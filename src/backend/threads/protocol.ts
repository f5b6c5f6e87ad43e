/** What the threads of the pool share: where words lie in the control block, and how work is written down. */

/** Threads that a pool can have; each has a stream of its own. */
export const maxThreads = 16

/** 64-bit words of a stream's ring. */
export const ringWords = 1 << 15

/** Places in the table of code. */
export const codeLimit = 1 << 14

/** Int32 words of one thread in the control block: its stream and its state. */
export const threadWords = 64
/** Fields of a thread's words; fields of different writers lie on different cache lines. */
export const field = {
  /** Ring position (in words, wrapping) up to which work has been written. */
  head: 0,
  /** Counts up whenever there may be something to do. */
  bell: 1,
  /** Ring position up to which work is done. */
  tail: 16,
  /** The ticket of the last work done. */
  done: 17,
  /** 1 once the thread runs; 2 when it has ended. */
  state: 18,
  /** 1 while the thread sleeps on its bell. */
  asleep: 19,
  /** The ticket of the first work that failed, or 0; its message lies in the thread's text. */
  failed: 20,
  /** The stream that the thread waits for, plus 1; 0 while it waits for none. */
  awaited: 21,
  /** Cut work: epoch · 256 + next part; part 255: none is open. */
  part: 32,
  /** Ring word at which the cut work lies. */
  partAt: 33,
  /** Parts done. */
  partsDone: 48,
  /** Spans noted since the threads began; the last ones lie in the thread's notes. */
  spans: 49,
} as const

/** Int32 words behind those of the threads. */
export const pool = {
  /** The number of threads. */
  count: 0,
  /** 1: the threads end. */
  stop: 1,
  /** 1: the threads note what they run and when. */
  trace: 2,
  words: 16,
} as const

/** Spans a thread's notes hold, and the numbers of each: stream, ticket, start and end in milliseconds since 1970. */
export const spanCount = 1024
export const spanWords = 4

/** Bytes of a thread's error text: an Int32 length, then UTF-8. */
export const textBytes = 512

/** Int32 words of one entry in the table of code: address and bytes of its record. */
export const codeWords = 2

/** Kinds of work in a ring. The first words of each: kind, words in all, ticket. */
export const work = {
  /** Nothing: the rest of the ring is left out. */
  skip: 0,
  /** Calls in order: count, then for each: code, number of arguments, arguments. */
  calls: 1,
  /** Parts for any thread: count, then word offsets of each part, then calls of each as above. */
  parts: 2,
  /** Waits for another stream: thread, ticket. */
  wait: 3,
} as const

/** Parts that one piece of work can have. */
export const maxParts = 64

/** Whether ticket `a` has been reached where `b` is done; tickets wrap around. */
export const reached = (b: number, a: number): boolean => ((b - a) | 0) >= 0

/** Byte offsets in the shared block, from its start; the rings come last. */
const offsets = (() => {
  const shared = maxThreads * threadWords * 4
  const texts = shared + pool.words * 4
  const table = texts + maxThreads * textBytes
  return { shared, texts, table, rings: table + codeLimit * codeWords * 4 }
})()
const spanBytes = spanCount * spanWords * 8

/** Bytes of the shared block of so many threads. */
export const boardBytes = (threads: number): number =>
  offsets.rings + threads * (ringWords * 8 + spanBytes)

/** The shared block seen through typed arrays. */
export interface Board {
  /** Words of the threads. */
  readonly control: Int32Array
  readonly shared: Int32Array
  readonly table: Int32Array
  readonly rings: readonly Float64Array[]
  readonly texts: readonly Uint8Array[]
  readonly spans: readonly Float64Array[]
}

/** Views of the shared block at `address` of a memory. */
export function boardAt(buffer: ArrayBufferLike, address: number, threads: number): Board {
  const each = Array.from({ length: threads }, (_, i) => i)
  const { shared, texts, table, rings } = offsets
  return {
    control: new Int32Array(buffer, address, threads * threadWords),
    shared: new Int32Array(buffer, address + shared, pool.words),
    table: new Int32Array(buffer, address + table, codeLimit * codeWords),
    rings: each.map(
      (i) => new Float64Array(buffer, address + rings + i * ringWords * 8, ringWords),
    ),
    texts: each.map((i) => new Uint8Array(buffer, address + texts + i * textBytes, textBytes)),
    spans: each.map((i) => {
      const at = address + rings + threads * ringWords * 8 + i * spanBytes
      return new Float64Array(buffer, at, spanCount * spanWords)
    }),
  }
}

/** What a thread is started with. */
export interface ThreadStart {
  readonly memory: WebAssembly.Memory
  /** Address of the shared block. */
  readonly board: number
  /** The thread's number, and how many there are. */
  readonly thread: number
  readonly threads: number
  /** Where the native bridge is, or null. */
  readonly bridge: string | null
}
