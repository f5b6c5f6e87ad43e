/** The near end of one stream: work written to its ring, what is known of its progress, and what went wrong. */

import { MXNetError } from '../../base/error.ts'
import { type Board, field, reached, ringWords, threadWords, work } from './protocol.ts'

/** Where work came from: the operator, and the layers and the line that called it. */
export interface Origin {
  readonly operator: string
  /** ` (in net0.dense1, at main.ts:3:7)`, or an empty text. */
  readonly place: string
}

/** Entries of the notes on where pending work came from. */
const notes = 4096
const nowhere: Origin = { operator: 'engine', place: '' }

/** One stream of a pool. */
export class Stream {
  /** The ticket of the last work given to it. */
  submitted = 0
  /** Whether work may be under way; put right by `idle`. */
  busy = false
  readonly #board: Board
  readonly #number: number
  readonly #base: number
  readonly #origins = new Array<(() => Origin) | undefined>(notes)
  /** By stream: the ticket behind which all further work here is ordered already. */
  readonly #followed: number[] = []
  #head = 0

  constructor(board: Board, number: number) {
    this.#board = board
    this.#number = number
    this.#base = number * threadWords
  }

  /** The ticket of the last work done. */
  get done(): number {
    return Atomics.load(this.#board.control, this.#base + field.done)
  }

  /** Whether its thread runs (1) or has ended (2). */
  get state(): number {
    return Atomics.load(this.#board.control, this.#base + field.state)
  }

  /** The word that changes when work is done, in the board's control words. */
  get doneAt(): number {
    return this.#base + field.done
  }

  /** Whether nothing is under way. */
  get idle(): boolean {
    if (this.busy && this.done === this.submitted) this.busy = false
    return !this.busy
  }

  /** Whether further work waits for a ticket of another stream by what was said before; from now on it does. */
  follows(other: number, ticket: number): boolean {
    const before = this.#followed[other]
    if (before !== undefined && reached(before, ticket)) return true
    this.#followed[other] = ticket
    return false
  }

  /** Whether everything up to a ticket is done. */
  has(ticket: number): boolean {
    return !this.busy || reached(this.done, ticket)
  }

  /** Writes a record to the ring and tells the thread; `pause` is called again and again while there is no room. */
  publish(record: number[], origin: () => Origin, pause: () => void): void {
    const { control, rings } = this.#board
    const ring = rings[this.#number]!
    let at = this.#head & (ringWords - 1)
    const skipped = at + record.length > ringWords ? ringWords - at : 0
    const needed = record.length + skipped
    const used = (): number => (this.#head - Atomics.load(control, this.#base + field.tail)) | 0
    while (used() + needed > ringWords) pause()
    if (skipped > 0) {
      ring[at] = work.skip
      ring[at + 1] = skipped
      at = 0
    }
    this.submitted = (this.submitted + 1) | 0
    record[2] = this.submitted
    ring.set(record, at)
    this.#origins[this.submitted & (notes - 1)] = origin
    this.busy = true
    this.#head = (this.#head + needed) | 0
    Atomics.store(control, this.#base + field.head, this.#head)
    this.wake()
  }

  /** Makes the thread look for something to do. */
  wake(): void {
    const { control } = this.#board
    Atomics.add(control, this.#base + field.bell, 1)
    if (Atomics.load(control, this.#base + field.asleep) === 1)
      Atomics.notify(control, this.#base + field.bell)
  }

  /** Where the work of a ticket came from. */
  originOf(ticket: number): Origin {
    return this.#origins[ticket & (notes - 1)]?.() ?? nowhere
  }

  /** Throws the first failure that nobody has been told of. */
  raise(): void {
    const { control, texts } = this.#board
    const ticket = Atomics.exchange(control, this.#base + field.failed, 0)
    if (ticket === 0) return
    const text = texts[this.#number]!
    const length = new Int32Array(text.buffer, text.byteOffset, 1)[0]!
    const message = new TextDecoder().decode(text.slice(4, 4 + length))
    const { operator, place } = this.originOf(ticket)
    throw new MXNetError(operator, message + place)
  }
}
