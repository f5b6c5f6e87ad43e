/** Storage and devices: blocks of memory, who holds them, and how they come back. */

import type { Backend, Reaper } from '../backend/backend.ts'
import { type Context, Context as ContextClass } from '../base/context.ts'
import { fail } from '../base/error.ts'
import { Gate, type GatedBackend } from './gate.ts'

/** A block of device memory. It is given back when nothing refers to the object any more, or earlier by `release`. */
export class Storage {
  readonly device: Device
  /** Byte address; -1 once the block has been given back. */
  address: number
  readonly bytes: number
  /** How many handles and tape entries share the block; a writer with company takes a block of its own. */
  shares = 1
  readonly slot: number
  /** The backend's mark after the last work that writes the block: how far a read has to wait. */
  written = 0
  /** Whose block it is, where it has only been lent, from another device of the memory. */
  readonly lender: Storage | null

  constructor(
    device: Device,
    address: number,
    bytes: number,
    slot: number,
    lender: Storage | null = null,
  ) {
    this.device = device
    this.address = address
    this.bytes = bytes
    this.slot = slot
    this.lender = lender
  }

  /** Fails where the block has been given back: reading or writing it would meet somebody else's elements. */
  check(where: string): void {
    if (this.address < 0)
      fail(where, 'the array has been freed: its scope has ended or it was disposed of')
  }

  /** Whether one holder alone has the block, and may write over it. */
  get alone(): boolean {
    return this.shares === 1 && this.lender === null
  }

  /** One more holder. */
  retain(): void {
    this.shares++
  }

  /** The block as one of another device of the memory: a holder of it, which reads what has been written so far. */
  lend(device: Device): Storage {
    const owner = this.lender ?? this
    owner.retain()
    owner.device.pool.lent(owner)
    device.backend.waitFor?.(this.device.backend, this.written)
    const lent = new Storage(device, this.address, this.bytes, -1, owner)
    lent.written = device.backend.mark?.() ?? 0
    return lent
  }

  /** One holder less, which must not use the object afterwards; the last one gives the block back at once. */
  release(): void {
    if (--this.shares === 0) this.device.reclaim(this)
  }
}

/** What a handle that has been freed refers to. */
export const freed = (device: Device): Storage => new Storage(device, -1, 0, -1)

/** Asks the host to look for garbage; what it finds shows up at the reaper a macrotask later. */
export type Collector = () => Promise<void>

/** Bytes handed out since the last pause after which a device wants the collector to have a turn. */
const pressureLimit = 192 * 1024 * 1024

/** A look for garbage that found little is put off twice as long as the one before, up to so many steps. */
const mostPatience = 16

/** Bytes of blocks that a device keeps at hand for results of the same size, in all and in one block. */
const keptBytes = 64 * 1024 * 1024
const keptBlock = keptBytes / 4

/** Blocks given back that wait, by size, for the next result of their size on the same device. */
class Kept {
  readonly #bySize = new Map<number, Storage[]>()
  #bytes = 0

  take(bytes: number): Storage | undefined {
    const storage = this.#bySize.get(bytes)?.pop()
    if (storage !== undefined) this.#bytes -= bytes
    return storage
  }

  /** Whether there was room for one more. */
  put(storage: Storage): boolean {
    const { bytes } = storage
    if (bytes > keptBlock || this.#bytes + bytes > keptBytes) return false
    const list = this.#bySize.get(bytes)
    if (list === undefined) this.#bySize.set(bytes, [storage])
    else list.push(storage)
    this.#bytes += bytes
    return true
  }

  /** Everything kept, kept no longer. */
  drain(): Storage[] {
    const all = [...this.#bySize.values()].flat()
    this.#bySize.clear()
    this.#bytes = 0
    return all
  }
}

interface Block {
  readonly device: Device
  readonly address: number
  readonly bytes: number
  /** Whether other devices may still read it when its holder is collected. */
  lent: boolean
}

/** One memory: a backend with its reaper, the blocks handed out, and the pressure on it. Contexts may share one. */
export class Pool {
  readonly backend: GatedBackend
  /** Shut while the memory waits for a copy from another device. */
  readonly gate = new Gate()
  readonly #reaper: Reaper
  readonly #collect: Collector
  /** Blocks by slot; null where the block has been given back but its holder not been found yet. */
  readonly #blocks: (Block | null)[] = []
  readonly #devices = new Set<Device>()
  #spare: number[] = []
  #pressure = 0
  /** Bytes handed out since the last look for garbage, and how many steps later than at first the next one is due. */
  #sinceLook = 0
  #patience = 1
  /** Blocks taken from the backend so far; one that was kept at hand is not taken again. */
  allocations = 0
  /** Bytes of the blocks that somebody holds. */
  live = 0
  readonly #found = (slot: number): void => {
    const block = this.#blocks[slot]
    if (block !== null && block !== undefined) {
      const { device, address, bytes, lent } = block
      this.live -= bytes
      const storage = new Storage(device, address, bytes, slot)
      if (!lent && device.kept.put(storage)) {
        this.#reaper.watch(storage, slot, bytes)
        return
      }
      this.backend.free(address)
      this.#blocks[slot] = null
    }
    this.#spare.push(slot)
  }

  constructor(backend: Backend, reaper: Reaper, collect: Collector) {
    this.backend = this.gate.around(backend)
    this.#reaper = reaper
    this.#collect = collect
  }

  allocate(device: Device, bytes: number): Storage {
    this.#pressure += bytes
    this.live += bytes
    this.#sinceLook += bytes
    const kept = device.kept.take(bytes) ?? this.#search(device, bytes)
    if (kept !== undefined) {
      kept.shares = 1
      return kept
    }
    const address = this.#take(bytes)
    this.#devices.add(device)
    const slot = this.#spare.pop() ?? this.#blocks.length
    this.#blocks[slot] = { device, address, bytes, lent: false }
    this.allocations++
    const storage = new Storage(device, address, bytes, slot)
    this.#reaper.watch(storage, slot, bytes)
    return storage
  }

  /** A block of this size among those whose holders turn out to be garbage. */
  #search(device: Device, bytes: number): Storage | undefined {
    this.#reaper.drain(this.#found)
    const look = this.#reaper.look
    if (look !== null && this.#sinceLook >= look.step * this.#patience) {
      const before = this.live
      look.collect()
      this.#reaper.drain(this.#found)
      const worthIt = before - this.live >= this.#sinceLook / 4
      this.#patience = worthIt ? 1 : Math.min(2 * this.#patience, mostPatience)
      this.#sinceLook = 0
    }
    return device.kept.take(bytes)
  }

  /** A block of the backend; when there is no room, blocks kept at hand make some. */
  #take(bytes: number): number {
    try {
      return this.backend.alloc(bytes)
    } catch (e) {
      const kept = [...this.#devices].flatMap((device) => device.kept.drain())
      if (kept.length === 0) {
        this.live -= bytes
        throw e
      }
      for (const storage of kept) this.#giveBack(storage)
      return this.#take(bytes)
    }
  }

  /** Notes that other devices read a block: the collector must not hand it to the next result of its own device. */
  lent(storage: Storage): void {
    this.#blocks[storage.slot]!.lent = true
  }

  reclaim(storage: Storage): void {
    if (storage.address < 0) return
    if (storage.lender !== null) return this.#comeBack(storage, storage.lender)
    this.#pressure -= storage.bytes
    this.live -= storage.bytes
    if (!storage.device.kept.put(storage)) this.#giveBack(storage)
  }

  /** What a device was lent comes back: whatever the owner does with the block, it does behind the other's work. */
  #comeBack(storage: Storage, owner: Storage): void {
    const { backend } = storage.device
    owner.device.backend.waitFor?.(backend, backend.mark?.() ?? 0)
    storage.address = -1
    owner.release()
  }

  /** Gives back the blocks that a device keeps at hand. */
  emptyCache(device: Device): void {
    for (const storage of device.kept.drain()) this.#giveBack(storage)
    device.backend.emptyCache?.()
  }

  #giveBack(storage: Storage): void {
    this.backend.free(storage.address)
    this.#blocks[storage.slot] = null
    this.#reaper.forget(storage.slot)
    storage.address = -1
  }

  async breathe(): Promise<void> {
    if (this.#pressure < pressureLimit || this.#reaper.synchronous) return
    this.#pressure = 0
    await this.#collect()
    this.#reaper.drain(this.#found)
  }
}

/** One device: a context, the memory it works on, and the backend that does its work there. */
export class Device {
  readonly context: Context
  /** Where its work runs: the memory's own backend, or one of several streams over that memory. */
  readonly backend: GatedBackend
  readonly pool: Pool
  /** Blocks for results to come: work of a device runs in order, so they can be used again at once. */
  readonly kept = new Kept()

  constructor(context: Context, pool: Pool, backend: Backend = pool.backend) {
    this.context = context
    this.pool = pool
    this.backend = pool.gate.around(backend)
  }

  /** Blocks handed out so far by the memory it works on. */
  get allocations(): number {
    return this.pool.allocations
  }

  /** A block of memory with undefined contents. */
  allocate(bytes: number): Storage {
    return this.pool.allocate(this, bytes)
  }

  /** Gives a block back before its object is collected. */
  reclaim(storage: Storage): void {
    this.pool.reclaim(storage)
  }

  /** Gives the collector a turn when much has been handed out; awaited by reads and the DataLoader. */
  breathe(): Promise<void> {
    return this.pool.breathe()
  }
}

type Maker = (context: Context) => Device

const makers = new Map<string, Maker>()
const counts = new Map<string, () => Promise<number>>()
const devices = new Map<Context, Device>()

/** Tells how devices of one type are made, and how many there are; called by the composition roots. */
export function registerDevice(
  type: Context['deviceType'],
  make: Maker,
  count?: () => Promise<number>,
): void {
  makers.set(type, make)
  if (count !== undefined) counts.set(type, count)
}

/** How many devices of a type there are; 0 where they cannot be counted. */
export const countDevices = async (type: Context['deviceType']): Promise<number> =>
  (await counts.get(type)?.()) ?? 0

/** Whether devices of a type exist here. */
export function hasDevice(type: Context['deviceType']): boolean {
  return makers.has(type)
}

/** The device of a context, made at its first use. */
export function deviceOf(context: Context): Device {
  if (!(context instanceof ContextClass))
    fail('Context', `${String(context)} is not a context: use cpu() or gpu(0)`)
  let device = devices.get(context)
  if (device === undefined) {
    const make = makers.get(context.deviceType)
    if (make === undefined)
      fail(
        'Context',
        `there is no device ${context} here: use ${[...makers.keys()].map((k) => `${k}(0)`).join(', ')}`,
      )
    device = make(context)
    devices.set(context, device)
  }
  return device
}

/** The devices in use. */
export const activeDevices = (): Device[] => [...devices.values()]

/** The memories in use, one device of each. */
export function activeMemories(): Device[] {
  const seen = new Set<Pool>()
  return activeDevices().filter((d) => !seen.has(d.pool) && seen.add(d.pool))
}

/** Blocks of so many bytes are found by a look: what makes a holder of their own worth its time. */
const lookedFor = 64 * 1024
/** A look over everything takes milliseconds. */
const wholeStep = 192 * 1024 * 1024

/**
 * A reaper on FinalizationRegistry: finds holders when a macrotask has passed; with a collection that may end the life of
 * what this job has referred to weakly, large blocks inside synchronous code too.
 */
export function registryReaper(collect?: () => void): Reaper {
  let found: number[] = []
  const registry = new FinalizationRegistry<Watched>((watched) => {
    if (!watched.found) found.push(watched.slot)
    large.delete(watched)
  })
  const large = new Map<Watched, WeakRef<object>>()
  const look = (): void => {
    collect!()
    for (const [watched, holder] of large) {
      if (holder.deref() !== undefined) continue
      watched.found = true
      found.push(watched.slot)
      large.delete(watched)
    }
  }
  return {
    synchronous: false,
    look: collect === undefined ? null : { collect: look, step: wholeStep },
    watch: (holder, slot, bytes) => {
      const watched = { slot, found: false }
      registry.register(holder, watched)
      if (collect !== undefined && bytes >= lookedFor) large.set(watched, new WeakRef(holder))
    },
    forget: () => {},
    drain: (release) => {
      if (found.length === 0) return
      const slots = found
      found = []
      for (const slot of slots) release(slot)
    },
  }
}

interface Watched {
  readonly slot: number
  found: boolean
}
