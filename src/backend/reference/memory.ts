/** Memory of the reference backend: every block is a buffer of its own, so that each access can be checked. */

import { type DType, dtypeInfo, itemSize } from '../../base/dtype.ts'
import { fail } from '../../base/error.ts'
import { Heap } from '../../base/heap.ts'
import type { MemoryUse } from '../backend.ts'

/** Addresses are numbers only: they may go far beyond what a machine has. */
const limit = 2 ** 40
/** Blocks up to this size start out filled with NaN patterns, so that reading what was never written shows. */
const poisoned = 1 << 20

/** The elements of a block seen as numbers of one dtype (all but int64). */
export type NumberArray = Exclude<InstanceType<(typeof arrays)[number]>, BigInt64Array>
const arrays = [
  Float32Array,
  Float64Array,
  Uint8Array,
  Int8Array,
  Int32Array,
  Uint16Array,
  BigInt64Array,
] as const

interface Block {
  readonly address: number
  readonly bytes: Uint8Array
}

/** An operand in memory: the elements of its block, and which of them its address names. */
export interface Bound {
  readonly data: NumberArray | BigInt64Array
  readonly position: number
}

/** Blocks by address; every access outside a block throws. */
export class Memory {
  readonly #heap = new Heap({ start: 64, limit, grow: () => true })
  readonly #blocks = new Map<number, Block>()
  /** Addresses of the blocks in ascending order. */
  readonly #sorted: number[] = []

  alloc(bytes: number): number {
    const address = this.#heap.alloc(bytes)
    if (address < 0) fail('reference', `memory is full: no room for ${bytes} bytes`)
    let content: Uint8Array
    try {
      content = new Uint8Array(bytes)
    } catch {
      this.#heap.free(address)
      fail('reference', `memory is full: the system gives no ${bytes} bytes`)
    }
    if (bytes <= poisoned) content.fill(0xff)
    this.#blocks.set(address, { address, bytes: content })
    this.#sorted.splice(this.#rank(address), 0, address)
    return address
  }

  free(address: number): void {
    this.#heap.free(address)
    this.#blocks.delete(address)
    this.#sorted.splice(this.#rank(address) - 1, 1)
  }

  /** The `count` bytes at `address`, which may lie within a block; not a copy. */
  bytes(address: number, count: number): Uint8Array {
    const block = this.#find(address)
    const start = block === undefined ? 0 : address - block.address
    if (block === undefined || start + count > block.bytes.length) {
      fail(
        'reference',
        `${count} bytes at address ${address} are not inside one block that is handed out`,
      )
    }
    return block.bytes.subarray(start, start + count)
  }

  /** The operand of dtype `dtype` at `address`; one that is in no block has no elements. */
  bind(address: number, dtype: DType): Bound {
    const make = dtypeInfo(dtype).array as new (
      b: ArrayBufferLike,
      o: number,
      n: number,
    ) => NumberArray
    const block = this.#find(address)
    if (block === undefined) return { data: new make(new ArrayBuffer(0), 0, 0), position: 0 }
    const size = itemSize(dtype)
    const position = (address - block.address) / size
    if (!Number.isInteger(position)) {
      fail('reference', `address ${address} is not a multiple of the ${size} bytes of ${dtype}`)
    }
    return {
      data: new make(block.bytes.buffer, 0, Math.floor(block.bytes.length / size)),
      position,
    }
  }

  get use(): MemoryUse {
    return { live: this.#heap.live, reserved: this.#heap.reserved }
  }

  /** The number of blocks at or below `address`. */
  #rank(address: number): number {
    let [low, high] = [0, this.#sorted.length]
    while (low < high) {
      const middle = (low + high) >>> 1
      if (this.#sorted[middle]! <= address) low = middle + 1
      else high = middle
    }
    return low
  }

  #find(address: number): Block | undefined {
    const known = this.#blocks.get(address)
    if (known !== undefined) return known
    const block = this.#blocks.get(this.#sorted[this.#rank(address) - 1] ?? -1)
    return block !== undefined && address <= block.address + block.bytes.length ? block : undefined
  }
}
