/** The GPUs of a machine: the adapters that WebGPU gives, each once, and several contexts on one for tests. */

import { fail } from '../../base/error.ts'

/** WebGPU's entry: `navigator.gpu`, or what npm `webgpu` makes in Node. */
export type GpuEntry = Pick<GPU, 'requestAdapter'>

/** Finds adapters by number. Looking starts at the first question, and its answer is kept. */
export class Adapters {
  readonly #entry: () => Promise<GpuEntry | undefined>
  readonly #virtual: number
  readonly #missing: string
  #found: Promise<readonly GPURequestAdapterOptions[]> | undefined

  /**
   * `entry` gives WebGPU's entry or undefined; `missing` says what to do where it or every adapter is missing;
   * with `virtual` > 0 the first adapter counts as that many GPUs.
   */
  constructor(entry: () => Promise<GpuEntry | undefined>, missing: string, virtual = 0) {
    this.#entry = entry
    this.#missing = missing
    this.#virtual = virtual
  }

  /** How many contexts have a GPU. */
  async count(): Promise<number> {
    const { length } = await this.#look()
    return length > 0 && this.#virtual > 0 ? this.#virtual : length
  }

  /** An adapter for context number `id`, a new object each time: an adapter makes one device only. */
  async open(id: number): Promise<GPUAdapter> {
    const count = await this.count()
    if (id >= count) {
      const have =
        count === 0 ? `there is no GPU here: ${this.#missing}` : `there are ${count} GPUs`
      fail(`gpu(${id})`, count === 0 ? have : `${have}, numbered from 0`)
    }
    const options = (await this.#look())[this.#virtual > 0 ? 0 : id]!
    const adapter = await (await this.#entry())?.requestAdapter(options)
    return adapter ?? fail(`gpu(${id})`, 'the adapter has gone since it was found')
  }

  #look(): Promise<readonly GPURequestAdapterOptions[]> {
    this.#found ??= this.#ask()
    return this.#found
  }

  /** WebGPU has no list of adapters; what the two preferences give is all that a program can reach. */
  async #ask(): Promise<readonly GPURequestAdapterOptions[]> {
    const entry = await this.#entry()
    if (entry === undefined) return []
    const seen = new Set<string>()
    const found: GPURequestAdapterOptions[] = []
    for (const powerPreference of ['high-performance', 'low-power'] as const) {
      const adapter = await entry.requestAdapter({ powerPreference })
      if (!adapter) continue
      const { vendor, architecture, device, description } = adapter.info
      const name = [vendor, architecture, device, description].join('|')
      if (seen.has(name)) continue
      seen.add(name)
      found.push({ powerPreference })
    }
    return found
  }
}
