/** An allocator of an address space: it knows which addresses are taken, and touches no data. */

import { fail } from './error.ts'

/** The address space that a heap hands out. */
export interface HeapSpace {
  /** First address of the space. */
  readonly start: number
  /** End of the space; nothing is handed out beyond. */
  readonly limit: number
  /** Makes the addresses below `end` usable (they may already be); false when it cannot. */
  grow(end: number): boolean
}

const pageBytes = 4096
const unitBytes = 64
const unitsPerPage = pageBytes / unitBytes
/** Largest block that is cut from a slab. */
const smallLimit = 256 * 1024
const classCount = 44
const binCount = 256
/** Marks a block that is handed out, in the table of links of free blocks. */
const taken = -2

/** The class of a block of 1 to `smallLimit` bytes: steps of 64 up to 512, then four to a doubling. */
function classOf(bytes: number): number {
  if (bytes <= 512) return (bytes - 1) >>> 6
  const last = bytes - 1
  const e = 31 - Math.clz32(last)
  return 8 + (e - 9) * 4 + ((last >>> (e - 2)) & 3)
}

const classBytes = new Float64Array(classCount)
const classPages = new Int32Array(classCount)
const classBlocks = new Int32Array(classCount)
for (let c = 0; c < classCount; c++) {
  const bytes = c < 8 ? (c + 1) * 64 : (5 + ((c - 8) & 3)) * 128 * 2 ** ((c - 8) >> 2)
  const wanted = bytes <= pageBytes ? 32768 : bytes * (bytes <= 32768 ? 8 : 4)
  classBytes[c] = bytes
  classPages[c] = Math.ceil(wanted / pageBytes)
  classBlocks[c] = Math.floor((classPages[c]! * pageBytes) / bytes)
}

/** The bin of a free span of `pages` pages: exact below 16, then eight to a doubling. */
function binOf(pages: number): number {
  if (pages < 16) return pages
  const e = 31 - Math.clz32(pages)
  return 16 + (e - 4) * 8 + ((pages >>> (e - 3)) & 7)
}

function grown<T extends Int32Array | Uint32Array>(table: T, length: number): T {
  const next = new (table.constructor as new (n: number) => T)(length)
  next.set(table)
  return next
}

/**
 * An allocator of addresses: blocks up to 256 KiB come from slabs of one size class (last freed, first reused),
 * larger ones from the pages between them (smallest span that fits; neighbours merge when freed).
 * Slabs that are wholly free return to the pages when an allocation needs them.
 *
 * @example
 * const heap = new Heap({ start: 1024, limit: 2 ** 32, grow: () => true })
 * heap.free(heap.alloc(100))
 */
export class Heap {
  readonly #space: HeapSpace
  readonly #base: number
  readonly #maxPages: number
  /** Pages that the space has made usable. */
  #end = 0
  #live = 0
  /** Pages in slabs without a block handed out. */
  #idle = 0

  // By page. A span holds its length in pages: positive at the head of a taken one, negative at head and
  // tail of a free one, 0 everywhere else. `#slabAt` is 1 + the slab that a page belongs to.
  #span: Int32Array = new Int32Array(256)
  #slabAt: Int32Array = new Int32Array(256)
  #next: Int32Array = new Int32Array(256)
  #prev: Int32Array = new Int32Array(256)
  readonly #bins = new Int32Array(binCount).fill(-1)

  // By slab.
  #slabs = 0
  #slabPage: Int32Array = new Int32Array(64)
  #slabClass: Int32Array = new Int32Array(64)
  #slabLive: Int32Array = new Int32Array(64)
  #slabBlock: Int32Array = new Int32Array(64)

  // By block of a slab: the next free block of the class (-1 none), and the place in units of 64 bytes.
  #blocks = 0
  #link: Int32Array = new Int32Array(1024)
  #unit: Uint32Array = new Uint32Array(1024)
  readonly #heads = new Int32Array(classCount).fill(-1)
  /** Numbers of dissolved slabs, to be used again. */
  readonly #spare: number[][] = Array.from({ length: classCount }, () => [])

  constructor(space: HeapSpace) {
    this.#space = space
    this.#base = Math.ceil(space.start / unitBytes) * unitBytes
    this.#maxPages = Math.max(0, Math.floor((space.limit - this.#base) / pageBytes))
  }

  /** Bytes in blocks that are handed out, rounded up to the sizes of blocks. */
  get live(): number {
    return this.#live
  }

  /** Bytes from the first address to the end of what the space has made usable. */
  get reserved(): number {
    return this.#end * pageBytes
  }

  /** The address of a block of at least `bytes` bytes, a multiple of 64; -1 when there is no room. */
  alloc(bytes: number): number {
    if (bytes > smallLimit) return this.#allocLarge(bytes)
    const c = bytes > 1 ? classOf(bytes) : 0
    let block = this.#heads[c]!
    if (block < 0) {
      if (!this.#carve(c)) return this.#allocLarge(Math.max(bytes, 1))
      block = this.#heads[c]!
    }
    this.#heads[c] = this.#link[block]!
    this.#link[block] = taken
    const unit = this.#unit[block]!
    const slab = this.#slabAt[Math.floor(unit / unitsPerPage)]! - 1
    if (this.#slabLive[slab]!++ === 0) this.#idle -= classPages[c]!
    this.#live += classBytes[c]!
    return this.#base + unit * unitBytes
  }

  /** Gives back the block at `address`; throws MXNetError unless a block is handed out there. */
  free(address: number): void {
    const offset = address - this.#base
    const page = Math.floor(offset / pageBytes)
    const slab = (this.#slabAt[page] ?? 0) - 1
    if (slab < 0) return this.#freeLarge(address, page)
    const c = this.#slabClass[slab]!
    const at = (offset - this.#slabPage[slab]! * pageBytes) / classBytes[c]!
    const block = this.#slabBlock[slab]! + at
    // A slab may end in a gap that belongs to no block.
    if (at >= classBlocks[c]! || this.#link[block] !== taken) this.#unknown(address)
    this.#link[block] = this.#heads[c]!
    this.#heads[c] = block
    if (--this.#slabLive[slab]! === 0) this.#idle += classPages[c]!
    this.#live -= classBytes[c]!
  }

  #unknown(address: number): never {
    return fail(
      'heap',
      `no block is handed out at address ${address}: it was freed before or never allocated`,
    )
  }

  #allocLarge(bytes: number): number {
    const pages = Math.ceil(bytes / pageBytes)
    if (!(pages <= this.#maxPages)) return -1
    const page = this.#take(pages)
    if (page < 0) return -1
    this.#live += pages * pageBytes
    return this.#base + page * pageBytes
  }

  #freeLarge(address: number, page: number): void {
    const pages = this.#span[page] ?? 0
    if (pages <= 0 || this.#base + page * pageBytes !== address) this.#unknown(address)
    this.#live -= pages * pageBytes
    this.#release(page, pages)
  }

  /** The first page of a span of exactly `pages` pages, marked as taken; -1 when there is none. */
  #take(pages: number): number {
    let page = this.#fit(pages)
    if (page < 0 && this.#idle >= Math.max(pages, this.#end >>> 3)) {
      this.#dissolve()
      page = this.#fit(pages)
    }
    if (page < 0 && this.#grow(pages)) page = this.#fit(pages)
    if (page < 0 && this.#idle > 0) {
      this.#dissolve()
      page = this.#fit(pages)
      if (page < 0 && this.#grow(pages)) page = this.#fit(pages)
    }
    if (page < 0) return -1
    const whole = -this.#span[page]!
    this.#unlist(page, whole)
    this.#span[page + whole - 1] = 0
    if (whole > pages) this.#list(page + pages, whole - pages)
    this.#span[page] = pages
    return page
  }

  /** The smallest free span of at least `pages` pages, the first of these in address. */
  #fit(pages: number): number {
    for (let bin = binOf(pages); bin < binCount; bin++) {
      let best = -1
      let bestPages = 0x7fffffff
      for (let page = this.#bins[bin]!; page >= 0; page = this.#next[page]!) {
        const have = -this.#span[page]!
        if (have === pages) return page
        if (have < pages || have > bestPages) continue
        if (have < bestPages || page < best) {
          best = page
          bestPages = have
        }
      }
      if (best >= 0) return best
    }
    return -1
  }

  /** Frees a taken span, merging it with free neighbours. */
  #release(first: number, count: number): void {
    let page = first
    let pages = count
    this.#span[page] = 0
    const after = page + pages < this.#end ? -this.#span[page + pages]! : 0
    if (after > 0) {
      this.#unlist(page + pages, after)
      this.#span[page + pages] = 0
      pages += after
    }
    const before = page > 0 ? -this.#span[page - 1]! : 0
    if (before > 0) {
      this.#unlist(page - before, before)
      this.#span[page - 1] = 0
      page -= before
      pages += before
    }
    this.#list(page, pages)
  }

  #list(page: number, pages: number): void {
    const bin = binOf(pages)
    const head = this.#bins[bin]!
    this.#span[page + pages - 1] = -pages
    this.#span[page] = -pages
    this.#next[page] = head
    this.#prev[page] = -1
    if (head >= 0) this.#prev[head] = page
    this.#bins[bin] = page
  }

  #unlist(page: number, pages: number): void {
    const next = this.#next[page]!
    const prev = this.#prev[page]!
    if (next >= 0) this.#prev[next] = prev
    if (prev >= 0) this.#next[prev] = next
    else this.#bins[binOf(pages)] = next
  }

  /** Makes room at the end for a span of `pages` pages, more than that where the space allows. */
  #grow(pages: number): boolean {
    const end = this.#end
    const tail = end > 0 ? Math.max(0, -this.#span[end - 1]!) : 0
    const need = pages - tail
    const room = this.#maxPages - end
    if (need > room) return false
    // An eighth more than there is, from 256 KiB to 64 MiB, so that growing stays rare.
    const ample = Math.min(room, Math.max(need, Math.min(Math.max(end >>> 3, 64), 16384)))
    for (const more of ample > need ? [ample, need] : [need]) {
      if (!this.#space.grow(this.#base + (end + more) * pageBytes)) continue
      this.#reservePages(end + more)
      this.#end = end + more
      this.#release(end, more)
      return true
    }
    return false
  }

  #reservePages(count: number): void {
    if (count <= this.#span.length) return
    const length = Math.max(count, this.#span.length * 2)
    this.#span = grown(this.#span, length)
    this.#slabAt = grown(this.#slabAt, length)
    this.#next = grown(this.#next, length)
    this.#prev = grown(this.#prev, length)
  }

  /** Cuts a new slab of class `c` into free blocks. */
  #carve(c: number): boolean {
    const page = this.#take(classPages[c]!)
    if (page < 0) return false
    const count = classBlocks[c]!
    const slab = this.#spare[c]!.pop() ?? this.#newSlab(c)
    this.#slabPage[slab] = page
    this.#slabLive[slab] = 0
    this.#slabAt.fill(slab + 1, page, page + classPages[c]!)
    const first = this.#slabBlock[slab]!
    const step = classBytes[c]! / unitBytes
    for (let i = 0; i < count; i++) {
      this.#unit[first + i] = page * unitsPerPage + i * step
      this.#link[first + i] = i + 1 < count ? first + i + 1 : this.#heads[c]!
    }
    this.#heads[c] = first
    this.#idle += classPages[c]!
    return true
  }

  #newSlab(c: number): number {
    const slab = this.#slabs++
    if (slab >= this.#slabPage.length) {
      const length = slab * 2
      this.#slabPage = grown(this.#slabPage, length)
      this.#slabClass = grown(this.#slabClass, length)
      this.#slabLive = grown(this.#slabLive, length)
      this.#slabBlock = grown(this.#slabBlock, length)
    }
    this.#slabClass[slab] = c
    this.#slabBlock[slab] = this.#blocks
    this.#blocks += classBlocks[c]!
    if (this.#blocks > this.#link.length) {
      const length = Math.max(this.#blocks, this.#link.length * 2)
      this.#link = grown(this.#link, length)
      this.#unit = grown(this.#unit, length)
    }
    return slab
  }

  /** Returns every wholly free slab to the pages. */
  #dissolve(): void {
    const slabOf = (block: number): number =>
      this.#slabAt[Math.floor(this.#unit[block]! / unitsPerPage)]! - 1
    for (let c = 0; c < classCount; c++) {
      let last = -1
      for (let block = this.#heads[c]!; block >= 0; block = this.#link[block]!) {
        if (this.#slabLive[slabOf(block)] === 0) continue
        if (last < 0) this.#heads[c] = block
        else this.#link[last] = block
        last = block
      }
      if (last < 0) this.#heads[c] = -1
      else this.#link[last] = -1
    }
    for (let slab = 0; slab < this.#slabs; slab++) {
      const page = this.#slabPage[slab]!
      if (page < 0 || this.#slabLive[slab] !== 0) continue
      const c = this.#slabClass[slab]!
      this.#slabAt.fill(0, page, page + classPages[c]!)
      this.#slabPage[slab] = -1
      this.#spare[c]!.push(slab)
      this.#release(page, classPages[c]!)
    }
    this.#idle = 0
  }
}
