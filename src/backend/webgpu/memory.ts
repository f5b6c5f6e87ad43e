/** Addresses of GPU memory: a few large heaps, each one buffer that grows; an address is a heap and a place in it. */

import { fail } from '../../base/error.ts'
import { Heap } from '../../base/heap.ts'

/** Addresses from one heap to the next; more than any buffer holds. */
const span = 2 ** 33
/** Places of a heap that are not handed out. */
const reserved = 256
/** What a buffer holds on every device; heaps made before the device is known keep to it. */
const commonLimit = 128 * 1024 * 1024
/** What indices of 32 bits reach. */
const reach = 2 ** 32
/** Heaps a device may have; shaders of one launch can see fewer. */
const mostHeaps = 64

/** One heap. */
export interface Region {
  /** Bytes that its buffer must hold. */
  end: number
  heap: Heap
}

/** The heap of an address. */
export const regionOf = (address: number): number => Math.floor(address / span)
/** The place of an address in its heap, in bytes. */
export const placeOf = (address: number): number => address % span

/** Hands out addresses; it needs no device, so work can be prepared for one that is still starting. */
export class AddressSpace {
  readonly regions: Region[] = []
  readonly #name: string
  readonly #total: number
  #limit = commonLimit

  /** `name` is the context, for errors; `total` bounds the bytes of all heaps. */
  constructor(name: string, total = Infinity) {
    this.#name = name
    this.#total = total
  }

  /** The device is known: a buffer may hold this much. Fails where more was asked for. */
  start(limit: number): void {
    this.#limit = Math.min(limit, reach)
    const most = Math.max(0, ...this.regions.map((r) => r.end))
    if (most > this.#limit) {
      fail(
        this.#name,
        `an array of ${mib(most)} was made before the GPU had started, and its buffers hold ${mib(this.#limit)}: ` +
          `await ${this.#name}.ready() first, or use smaller arrays`,
      )
    }
  }

  /** The bytes that one array may have. */
  get limit(): number {
    return this.#limit - reserved
  }

  /** The bytes that all arrays may have. */
  get total(): number {
    return Math.min(this.#total, this.#limit * mostHeaps)
  }

  get live(): number {
    return this.regions.reduce((sum, r) => sum + r.heap.live, 0)
  }

  get reserved(): number {
    return this.regions.reduce((sum, r) => sum + r.end, 0)
  }

  alloc(bytes: number): number {
    for (const { heap } of this.regions) {
      const address = heap.alloc(bytes)
      if (address >= 0) return address
    }
    const address = this.#newRegion(bytes)?.alloc(bytes) ?? -1
    if (address >= 0) return address
    return fail(
      this.#name,
      bytes > this.limit
        ? `an array of ${mib(bytes)} does not fit: one binding holds ${mib(this.limit)} here. ` +
            'Work in parts (smaller batches, nd.split before the copy), or on cpu()'
        : `no room for ${mib(bytes)}: ${mib(this.live)} of ${mib(this.total)} are in use. ` +
            'Drop what is no longer needed (x[Symbol.dispose]()), or use smaller batches',
    )
  }

  free(address: number): void {
    const region = this.regions[regionOf(address)]
    if (region === undefined) fail(this.#name, `no block is handed out at address ${address}`)
    region.heap.free(address)
  }

  /** A heap of the usual size, or one for a single large array of a device that is not known yet. */
  #newRegion(bytes: number): Heap | undefined {
    const number = this.regions.length
    if (number >= mostHeaps || !(bytes <= reach - 2 * reserved)) return undefined
    const started = this.#limit !== commonLimit
    if (started && bytes > this.limit) return undefined
    const heap = this.#heapOf(number)
    this.regions.push({ end: 0, heap })
    return heap
  }

  #heapOf(number: number): Heap {
    return new Heap({
      start: number * span + reserved,
      limit: number * span + reach,
      grow: (end) => {
        const region = this.regions[number]!
        const size = end - number * span
        const others = this.reserved - region.end
        const alone = region.end === 0 && this.#limit === commonLimit
        if (size > this.#limit && !alone) return false
        if (others + size > this.#total) return false
        region.end = Math.max(region.end, size)
        return true
      },
    })
  }

  /** Begins anew with the heaps that hold nothing, and gives their numbers. */
  trim(): number[] {
    const empty = [...this.regions.keys()].filter((n) => this.regions[n]!.heap.live === 0)
    for (const n of empty) Object.assign(this.regions[n]!, { end: 0, heap: this.#heapOf(n) })
    return empty
  }
}

const mib = (n: number): string => `${(n / 2 ** 20).toFixed(1)} MiB`
