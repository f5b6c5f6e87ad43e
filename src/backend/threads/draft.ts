/** Work being written down: the calls of a kernel, or of the parts it is cut into, as records for a ring. */

import type { Code, Sink } from '../backend.ts'
import { work } from './protocol.ts'

/** Gives codes their numbers, and blocks for as long as work may use them. */
export interface DraftHost {
  codeOf(code: Code): number
  alloc(bytes: number): number
}

const header = 4

/** The calls of one piece of work. */
export class Draft implements Sink {
  /** Blocks handed out for this work. */
  readonly temporaries: number[] = []
  readonly #host: DraftHost
  readonly #words: number[] = []
  /** Where each call begins. */
  readonly #calls: number[] = []
  /** The first call of each part. */
  readonly #parts: number[] = []

  constructor(host: DraftHost) {
    this.#host = host
  }

  /** What follows may run beside what came before. */
  part(): void {
    this.#parts.push(this.#calls.length)
  }

  call(code: Code, args: readonly number[]): void {
    this.#calls.push(this.#words.length)
    this.#words.push(this.#host.codeOf(code), args.length)
    for (let i = 0; i < args.length; i++) this.#words.push(args[i]!)
  }

  temporary(bytes: number): number {
    const address = this.#host.alloc(bytes)
    this.temporaries.push(address)
    return address
  }

  /** The records, each of at most `limit` words: one with all parts if it fits, else calls in order. */
  records(limit: number): number[][] {
    const parts = this.#parts.length
    const room = this.#words.length + header + 2 * parts + 1
    if (parts > 1 && room <= limit) return [this.#cut()]
    const records: number[][] = []
    let from = 0
    while (from < this.#calls.length) {
      let to = from + 1
      while (to < this.#calls.length && this.#end(to) - this.#calls[from]! + header < limit) to++
      records.push(
        even([
          work.calls,
          0,
          0,
          to - from,
          ...this.#words.slice(this.#calls[from], this.#end(to - 1)),
        ]),
      )
      from = to
    }
    return records
  }

  #cut(): number[] {
    const count = this.#parts.length
    const record = [work.parts, 0, 0, count, ...new Array<number>(count).fill(0)]
    this.#parts.forEach((first, i) => {
      const end = this.#parts[i + 1] ?? this.#calls.length
      record[header + i] = record.length
      record.push(end - first)
      if (end > first)
        for (let w = this.#calls[first]!; w < this.#end(end - 1); w++) record.push(this.#words[w]!)
    })
    return even(record)
  }

  #end(call: number): number {
    return this.#calls[call + 1] ?? this.#words.length
  }
}

/** Rounds a record up to an even number of words, and notes its length. */
function even(record: number[]): number[] {
  if (record.length % 2 === 1) record.push(0)
  record[1] = record.length
  return record
}
