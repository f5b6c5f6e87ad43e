/** Parsers that ask for bytes: one text serves bytes in memory, files read piece by piece, and blobs. */

import { fail } from '../base/error.ts'

/** Bytes of a file that a parser wants to see; `length` has been checked against the file's size. */
export interface Range {
  readonly at: number
  readonly length: number
}

/** A parser: yields what it wants to read, gets the bytes, returns what it found. */
export type Parse<T> = Generator<Range, T, Uint8Array>

/** Where a parser's bytes come from. */
export interface Source {
  readonly size: number
  /** The bytes of a range; the caller does not write into them. */
  read(at: number, length: number): Promise<Uint8Array>
}

/** Small reads are served from a window of this size. */
const windowBytes = 64 * 1024

/** Runs a parser over bytes in memory. */
export function parseBytes<T>(parser: Parse<T>, bytes: Uint8Array): T {
  let step = parser.next()
  while (!step.done) {
    const { at, length } = step.value
    step = parser.next(bytes.subarray(at, at + length))
  }
  return step.value
}

/** Runs a parser over a source. */
export async function parseSource<T>(parser: Parse<T>, source: Source): Promise<T> {
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
  let step = parser.next()
  while (!step.done) {
    let answer: Uint8Array
    try {
      answer = await read(step.value)
    } catch (e) {
      step = parser.throw(e)
      continue
    }
    step = parser.next(answer)
  }
  return step.value
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
