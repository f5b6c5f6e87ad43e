/** Sequential: blocks that run one after the other. */

import { fail } from '../../base/error.ts'
import { checkOptions } from '../../base/options.ts'
import type { Tensor } from '../../core/tensor.ts'
import { Block, type BlockOptions, blockOptions, HybridBlock } from '../block.ts'

/** The child at a position; negative positions count from the end. */
function childAt(where: string, layers: readonly Block[], index: number): Block {
  const found = layers.at(index)
  return found ?? fail(where, `there is no layer ${index}: there are ${layers.length}`)
}

/**
 * Blocks in a row: the output of one is the input of the next. Without blocks it gives back its input.
 * @example
 * const net = new gluon.nn.Sequential()
 * net.add(new gluon.nn.Dense(64, { activation: 'relu' }), new gluon.nn.Dense(10))
 * @see MXNet `gluon.nn.Sequential`
 */
export class Sequential extends Block {
  #layers: readonly Block[] | null = null

  constructor(options: BlockOptions = {}) {
    super(checkOptions('Sequential', options, blockOptions))
  }

  /** Appends blocks. */
  add(...blocks: Block[]): void {
    for (const block of blocks) this.registerChild(block)
  }

  override registerChild(block: Block, name?: string): void {
    super.registerChild(block, name)
    this.#layers = null
  }

  get #list(): readonly Block[] {
    this.#layers ??= [...this.children.values()]
    return this.#layers
  }

  /** The number of blocks. */
  override get length(): number {
    return this.#list.length
  }

  /**
   * The block at a position, from the end when negative.
   * @throws MXNetError when there is none.
   */
  at(index: number): Block {
    return childAt(this.constructor.name, this.#list, index)
  }

  /** A new Sequential with the same blocks from `start` up to `end`, shared. */
  slice(start?: number, end?: number): Sequential {
    const part = new Sequential({ prefix: this.prefix })
    part.add(...this.#list.slice(start, end))
    return part
  }

  [Symbol.iterator](): Iterator<Block> {
    return this.#list[Symbol.iterator]()
  }

  override get listsOnly(): boolean {
    return true
  }

  override forward(x: Tensor): Tensor {
    let y = x
    for (const layer of this.#list) y = layer(y)
    return y
  }
}

/**
 * HybridBlocks in a row, which can be compiled as one.
 * @example
 * const net = new gluon.nn.HybridSequential()
 * net.add(new gluon.nn.Dense(64, { activation: 'relu' }), new gluon.nn.Dense(10))
 * net.hybridize()
 * @see MXNet `gluon.nn.HybridSequential`
 */
export class HybridSequential extends HybridBlock {
  #layers: readonly HybridBlock[] | null = null

  constructor(options: BlockOptions = {}) {
    super(checkOptions('HybridSequential', options, blockOptions))
  }

  /**
   * Appends blocks.
   * @throws MXNetError for a block that is no HybridBlock.
   */
  add(...blocks: HybridBlock[]): void {
    for (const block of blocks) this.registerChild(block)
  }

  override registerChild(block: Block, name?: string): void {
    super.registerChild(block, name)
    this.#layers = null
  }

  get #list(): readonly HybridBlock[] {
    this.#layers ??= [...this.children.values()] as HybridBlock[]
    return this.#layers
  }

  /** The number of blocks. */
  override get length(): number {
    return this.#list.length
  }

  /**
   * The block at a position, from the end when negative.
   * @throws MXNetError when there is none.
   */
  at(index: number): HybridBlock {
    return childAt(this.constructor.name, this.#list, index) as HybridBlock
  }

  /** A new HybridSequential with the same blocks from `start` up to `end`, shared. */
  slice(start?: number, end?: number): HybridSequential {
    const part = new HybridSequential({ prefix: this.prefix })
    part.add(...this.#list.slice(start, end))
    return part
  }

  [Symbol.iterator](): Iterator<HybridBlock> {
    return this.#list[Symbol.iterator]()
  }

  override get listsOnly(): boolean {
    return true
  }

  override forward(x: Tensor): Tensor {
    let y = x
    for (const layer of this.#list) y = layer(y)
    return y
  }
}
