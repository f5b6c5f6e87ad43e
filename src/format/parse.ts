/** Parsers that ask for bytes: one text serves bytes in memory, files read piece by piece, and blobs. */

import { fail } from '../base/error.ts'
import type { Member } from './zip.ts'

/** Bytes of a file that a parser wants to see; `length` has been checked against the file's size. */
export interface Range {
  readonly at: number
  readonly length: number
}

/** A packed member whose contents a parser wants to see: given to `sink` in pieces, until it returns false. */
export interface Unpack {
  readonly member: Member
  readonly sink: (piece: Uint8Array) => boolean
}

/** A parser: yields what it wants to read, gets the bytes (none for an `Unpack`), returns what it found. */
export type Parse<T> = Generator<Range | Unpack, T, Uint8Array>

/** Where a parser's bytes come from. */
export interface Source {
  readonly size: number
  /** The bytes of a range; the caller does not write into them. */
  read(at: number, length: number): Promise<Uint8Array>
}

/** Small reads are served from a window of this size. */
const windowBytes = 64 * 1024

/** Runs a parser over bytes in memory. @throws MXNetError when it wants to unpack, which takes time. */
export function parseBytes<T>(where: string, parser: Parse<T>, bytes: Uint8Array): T {
  let step = parser.next()
  while (!step.done) {
    const want = step.value
    if ('member' in want) {
      fail(where, `${want.member.name} is compressed: read it with await nd.load(bytes)`)
    }
    step = parser.next(bytes.subarray(want.at, want.at + want.length))
  }
  return step.value
}

/** Runs a parser over a source. */
export async function parseSource<T>(where: string, parser: Parse<T>, source: Source): Promise<T> {
  let begin = 0
  let window: Uint8Array = new Uint8Array(0)
  const read = async ({ at, length }: Range): Promise<Uint8Array> => {
    if (length >= windowBytes) return source.read(at, length)
    if (at < begin || at + length > begin + window.length) {
      window = await source.read(at, Math.min(windowBytes, source.size - at))
      begin = at
    }
    return window.subarray(at - begin, at - begin + length)
  }
  const none = new Uint8Array(0)
  let step = parser.next()
  while (!step.done) {
    const want = step.value
    let answer: Uint8Array = none
    try {
      if ('member' in want) await inflate(where, source, want)
      else answer = await read(want)
    } catch (e) {
      step = parser.throw(e)
      continue
    }
    step = parser.next(answer)
  }
  return step.value
}

/** How much of a packed member is read at a time. */
const packedPiece = 64 * 1024

const unshared = (bytes: Uint8Array): bytes is Uint8Array<ArrayBuffer> =>
  bytes.buffer instanceof ArrayBuffer

/** Feeds the unpacked contents of a member to its sink; what does not unpack is an error that names it. */
async function inflate(where: string, source: Source, { member, sink }: Unpack): Promise<void> {
  let at = member.at
  const end = member.at + member.packed
  const packed = new ReadableStream<Uint8Array<ArrayBuffer>>(
    {
      pull: async (controller) => {
        if (at >= end) return controller.close()
        const piece = await source.read(at, Math.min(packedPiece, end - at))
        at += piece.length
        // Streams take no views of shared memory.
        controller.enqueue(unshared(piece) ? piece : new Uint8Array(piece))
      },
    },
    { highWaterMark: 0 },
  )
  const reader = packed.pipeThrough(new DecompressionStream('deflate-raw')).getReader()
  const next = async (): Promise<Uint8Array | undefined> => {
    try {
      return (await reader.read()).value
    } catch (e) {
      return fail(where, `${member.name} does not unpack (${(e as Error).message}): it is damaged`)
    }
  }
  try {
    for (let piece = await next(); piece !== undefined; piece = await next()) {
      if (!sink(piece)) break
    }
  } finally {
    // What is left is not wanted; a stream that has failed has nothing to cancel.
    await reader.cancel().catch(() => {})
  }
}

/** Reads numbers in order; every length is checked against the bytes that are left. */
export class Cursor {
  readonly #where: string
  readonly #end: number
  /** The position of the next byte. */
  at: number

  constructor(where: string, end: number, at = 0) {
    this.#where = where
    this.#end = end
    this.at = at
  }

  /** Bytes not read yet. */
  get rest(): number {
    return this.#end - this.at
  }

  refuse(message: string): never {
    return fail(this.#where, message)
  }

  /** Passes over bytes; their range. */
  skip(length: number, what: string): Range {
    if (length > this.rest) {
      this.refuse(`ends in ${what}: ${length} bytes are needed and ${this.rest} are left`)
    }
    const { at } = this
    this.at += length
    return { at, length }
  }

  *take(length: number, what: string): Parse<Uint8Array> {
    return yield this.skip(length, what)
  }

  *view(length: number, what: string): Parse<DataView> {
    const bytes = yield this.skip(length, what)
    return new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  }

  *u32(what: string): Parse<number> {
    return (yield* this.view(4, what)).getUint32(0, true)
  }

  *i32(what: string): Parse<number> {
    return (yield* this.view(4, what)).getInt32(0, true)
  }

  *u64(what: string): Parse<number> {
    return Number((yield* this.view(8, what)).getBigUint64(0, true))
  }

  /** A number of things that take at least `least` bytes each. */
  *count(least: number, what: string): Parse<number> {
    const n = yield* this.u64(what)
    if (n > this.rest / least) {
      this.refuse(`${what} is ${n}: the ${this.rest} bytes that are left cannot hold so many`)
    }
    return n
  }

  *text(length: number, what: string): Parse<string> {
    return decodeText(this.#where, yield* this.take(length, what), what)
  }
}

/** UTF-8 bytes as text. */
export function decodeText(where: string, bytes: Uint8Array, what: string): string {
  try {
    // A view of shared memory cannot be decoded, so the bytes are copied.
    return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(new Uint8Array(bytes))
  } catch {
    return fail(where, `${what} is not UTF-8: the file is damaged`)
  }
}
