/** Storage and devices: blocks of memory, who holds them, and how they come back. */

import type { Backend, Reaper } from '../backend/backend.ts'
import { type Context, Context as ContextClass } from '../base/context.ts'
import { fail } from '../base/error.ts'

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

  constructor(device: Device, address: number, bytes: number, slot: number) {
    this.device = device
    this.address = address
    this.bytes = bytes
    this.slot = slot
  }

  /** Fails where the block has been given back: reading or writing it would meet somebody else's elements. */
  check(where: string): void {
    if (this.address < 0)
      fail(where, 'the array has been freed: its scope has ended or it was disposed of')
  }

  /** One more holder. */
  retain(): void {
    this.shares++
  }

  /** One holder less; the last one gives the block back at once. */
  release(): void {
    if (--this.shares === 0) this.device.reclaim(this)
  }
}

/** Asks the host to look for garbage; what it finds shows up at the reaper a macrotask later. */
export type Collector = () => Promise<void>

/** Bytes handed out since the last pause after which a device wants the collector to have a turn. */
const pressureLimit = 192 * 1024 * 1024

/** One memory: a backend with its reaper, the blocks handed out, and the pressure on it. Contexts may share one. */
export class Pool {
  readonly backend: Backend
  readonly #reaper: Reaper
  readonly #collect: Collector
  #addresses: number[] = []
  #spare: number[] = []
  #pressure = 0
  /** Blocks handed out so far. */
  allocations = 0
  readonly #found = (slot: number): void => {
    const address = this.#addresses[slot]!
    if (address >= 0) this.backend.free(address)
    this.#addresses[slot] = -1
    this.#spare.push(slot)
  }

  constructor(backend: Backend, reaper: Reaper, collect: Collector) {
    this.backend = backend
    this.#reaper = reaper
    this.#collect = collect
  }

  allocate(device: Device, bytes: number): Storage {
    this.#reaper.drain(this.#found)
    const address = this.backend.alloc(bytes)
    const slot = this.#spare.pop() ?? this.#addresses.length
    this.#addresses[slot] = address
    this.#pressure += bytes
    this.allocations++
    const storage = new Storage(device, address, bytes, slot)
    this.#reaper.watch(storage, slot, bytes)
    return storage
  }

  reclaim(storage: Storage): void {
    if (storage.address < 0) return
    this.backend.free(storage.address)
    this.#addresses[storage.slot] = -1
    this.#pressure -= storage.bytes
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
  readonly backend: Backend
  readonly pool: Pool

  constructor(context: Context, pool: Pool, backend: Backend = pool.backend) {
    this.context = context
    this.pool = pool
    this.backend = backend
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
const devices = new Map<Context, Device>()

/** Tells how devices of one type are made; called by the composition roots. */
export function registerDevice(type: Context['deviceType'], make: Maker): void {
  makers.set(type, make)
}

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

/** A reaper on FinalizationRegistry: finds holders only when a macrotask has passed. */
export function registryReaper(): Reaper {
  let found: number[] = []
  const registry = new FinalizationRegistry<number>((slot) => found.push(slot))
  return {
    synchronous: false,
    watch: (holder, slot) => registry.register(holder, slot),
    forget: () => {},
    drain: (release) => {
      if (found.length === 0) return
      const slots = found
      found = []
      for (const slot of slots) release(slot)
    },
  }
}
