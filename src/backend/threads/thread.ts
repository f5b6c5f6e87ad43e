/** A thread of the pool: runs its own stream, and parts of other streams' cut work when it has nothing to do. */

import { type Code, codeKinds } from '../backend.ts'
import {
  boardAt,
  codeWords,
  field,
  pool,
  reached,
  ringWords,
  spanCount,
  spanWords,
  type ThreadStart,
  textBytes,
  threadWords,
  work,
} from './protocol.ts'

/** A call made ready on this thread. */
export type Ready = (...args: number[]) => unknown

/** Makes code ready: an instance of a module, or a handle of the native bridge. */
export type Prepare = (kind: Code['kind'], name: string, bytes: Uint8Array<ArrayBuffer>) => Ready

/** Turns of looking for work before the thread sleeps: some twenty microseconds. */
const patience = 400
/** Turns of looking at a partner's last part before sleeping on it. */
const joinPatience = 4000

/** Runs until the pool stops; never gives the event loop a turn. */
export function runThread(start: ThreadStart, prepare: Prepare): void {
  const { memory, thread, threads } = start
  const { control, shared, table, rings, texts, spans } = boardAt(
    memory.buffer,
    start.board,
    threads,
  )
  const own = thread * threadWords
  const ready: Ready[] = []
  const argumentsOf: number[][] = []
  const room = (n: number): number[] => {
    argumentsOf[n] = new Array<number>(n).fill(0)
    return argumentsOf[n]
  }

  function codeOf(id: number): Ready {
    const known = ready[id]
    if (known !== undefined) return known
    const at = table[id * codeWords]! >>> 0
    const record = new Uint8Array(memory.buffer, at, table[id * codeWords + 1]!).slice()
    const [kind, length] = [codeKinds[record[0]!]!, record[1]!]
    const name = String.fromCharCode(...record.subarray(2, 2 + length))
    const made = prepare(kind, name, record.slice(2 + length))
    ready[id] = made
    return made
  }

  /** Makes the calls written at `at`; where they end. */
  function calls(ring: Float64Array, at: number): number {
    let p = at + 1
    for (let left = ring[at]!; left > 0; left--) {
      const call = codeOf(ring[p]!)
      const n = ring[p + 1]!
      p += 2
      const args = argumentsOf[n] ?? room(n)
      for (let i = 0; i < n; i++) args[i] = ring[p + i]!
      call.apply(undefined, args)
      p += n
    }
    return p
  }

  /** Notes the first failure of a stream, for whoever waits for it. */
  function failed(stream: number, ticket: number, error: unknown): void {
    const text = new TextEncoder().encode((error as Error)?.message ?? String(error))
    const into = texts[stream]!
    const length = Math.min(text.length, textBytes - 4)
    if (Atomics.load(control, stream * threadWords + field.failed) !== 0) return
    into.set(text.subarray(0, length), 4)
    new Int32Array(into.buffer, into.byteOffset, 1)[0] = length
    Atomics.store(control, stream * threadWords + field.failed, ticket)
  }

  const now = (): number => performance.timeOrigin + performance.now()
  /** When something begins; 0 where nobody wants to know. */
  const begin = (): number => (Atomics.load(shared, pool.trace) === 1 ? now() : 0)

  /** Notes what has run since `start`. */
  function note(stream: number, ticket: number, start: number): void {
    if (start === 0) return
    const count = Atomics.load(control, own + field.spans)
    const at = (count % spanCount) * spanWords
    spans[thread]!.set([stream, ticket, start, now()], at)
    Atomics.store(control, own + field.spans, count + 1)
  }

  /** Takes one part of a stream's cut work, if there is one. */
  function takePart(stream: number): boolean {
    const base = stream * threadWords
    const open = Atomics.load(control, base + field.part)
    const part = open & 255
    if (part === 255) return false
    const ring = rings[stream]!
    const at = control[base + field.partAt]!
    if (part >= ring[at + 3]!) return false
    if (Atomics.compareExchange(control, base + field.part, open, open + 1) !== open) return true
    const start = begin()
    try {
      calls(ring, at + ring[at + 4 + part]!)
    } catch (e) {
      failed(stream, ring[at + 2]!, e)
    }
    note(stream, ring[at + 2]!, start)
    Atomics.add(control, base + field.partsDone, 1)
    if (stream !== thread) Atomics.notify(control, base + field.partsDone)
    return true
  }

  function wake(other: number): void {
    const base = other * threadWords
    Atomics.add(control, base + field.bell, 1)
    if (Atomics.load(control, base + field.asleep) === 1) Atomics.notify(control, base + field.bell)
  }

  let epoch = 0

  /** Opens cut work to all threads, takes parts of it, and waits for those that others have taken. */
  function parts(at: number): void {
    const count = rings[thread]![at + 3]!
    epoch = (epoch + 1) & 0x3fffff
    Atomics.store(control, own + field.partsDone, 0)
    control[own + field.partAt] = at
    Atomics.store(control, own + field.part, epoch << 8)
    for (let other = 0, asked = 1; other < threads && asked < count; other++) {
      if (other === thread) continue
      wake(other)
      asked++
    }
    while (takePart(thread));
    Atomics.store(control, own + field.part, (epoch << 8) | 255)
    for (let turn = 0; ; turn++) {
      const done = Atomics.load(control, own + field.partsDone)
      if (done === count) return
      if (turn > joinPatience) Atomics.wait(control, own + field.partsDone, done, 1)
    }
  }

  /** Listens for the bell for a while, then sleeps until it rings. */
  function rest(bell: number): void {
    for (let turn = 0; turn < patience; turn++)
      if (Atomics.load(control, own + field.bell) !== bell) return
    Atomics.store(control, own + field.asleep, 1)
    Atomics.wait(control, own + field.bell, bell)
    Atomics.store(control, own + field.asleep, 0)
  }

  /** Waits until a stream has reached a ticket, and takes parts of cut work meanwhile. */
  function waitFor(stream: number, ticket: number): void {
    Atomics.store(control, own + field.awaited, stream + 1)
    for (;;) {
      const bell = Atomics.load(control, own + field.bell)
      if (reached(Atomics.load(control, stream * threadWords + field.done), ticket)) break
      if (!help()) rest(bell)
    }
    Atomics.store(control, own + field.awaited, 0)
  }

  /** Rings for the threads that wait for this one's stream. */
  function tell(): void {
    for (let other = 0; other < threads; other++)
      if (Atomics.load(control, other * threadWords + field.awaited) === thread + 1) wake(other)
  }

  /** Does the next work of the own stream, if there is any. */
  function next(): boolean {
    const tail = control[own + field.tail]!
    if (tail === Atomics.load(control, own + field.head)) return false
    const ring = rings[thread]!
    const at = tail & (ringWords - 1)
    const kind = ring[at]
    const ticket = ring[at + 2]!
    try {
      if (kind === work.calls) {
        const start = begin()
        calls(ring, at + 3)
        note(thread, ticket, start)
      }
      if (kind === work.parts) parts(at)
      else if (kind === work.wait) waitFor(ring[at + 3]!, ring[at + 4]!)
    } catch (e) {
      failed(thread, ticket, e)
    }
    // What failed names the ticket before the ticket counts as done.
    if (kind !== work.skip) Atomics.store(control, own + field.done, ticket)
    Atomics.store(control, own + field.tail, (tail + ring[at + 1]!) | 0)
    if (kind !== work.skip) {
      Atomics.notify(control, own + field.done)
      tell()
    }
    return true
  }

  function help(): boolean {
    for (let other = 0; other < threads; other++)
      if (other !== thread && takePart(other)) return true
    return false
  }

  Atomics.store(control, own + field.state, 1)
  Atomics.notify(control, own + field.state)
  while (Atomics.load(shared, pool.stop) === 0) {
    const bell = Atomics.load(control, own + field.bell)
    if (!next() && !help()) rest(bell)
  }
  Atomics.store(control, own + field.state, 2)
}
