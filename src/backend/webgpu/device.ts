/** One started GPU: a queue of commands that is sent in batches, with the launch numbers and copies that go with them. */

import { Cache } from '../../base/cache.ts'
import { fail, MXNetError } from '../../base/error.ts'
import type { AddressSpace } from './memory.ts'
import { type LaunchWord, launchBytes } from './shader.ts'

// WebGPU's flags; Node has no globals for them.
const usage = { mapRead: 1, copySource: 4, copyTarget: 8, uniform: 64, storage: 128 } as const
const forCompute = 4
const toRead = 1

/** Bytes of the buffer of launch numbers: as many launches are sent together at most. */
const launchBufferBytes = 2 ** 17
/**
 * Launches after which a batch is sent although nobody waits: the GPU then works while the program goes on. A training step
 * of a network of fifty layers fits into two.
 */
const batchLimit = 512
/** Bytes of small writes that travel inside a batch; larger ones send the batch first. */
const uploadBytes = 1 << 20
/** First size of a heap's buffer. */
const firstBytes = 4 << 20
const pipelineLimit = 4096
/** Spare buffers for reading that are kept. */
const spareLimit = 8
const spareBytes = 16 << 20

/** What a device has done so far. */
export type Counters = {
  launches: number
  submits: number
  pipelines: number
  bindGroups: number
  buffers: number
}

/** A shader ready to be launched. */
export interface Program {
  readonly pipeline: GPUComputePipeline
  readonly words: readonly LaunchWord[]
  readonly grid: readonly [number, number, number]
}

interface PendingRead {
  readonly staging: GPUBuffer
  readonly bytes: number
  readonly resolve: (bytes: Uint8Array) => void
  readonly reject: (error: unknown) => void
}

/** A started device. Work runs in the order in which it is given. */
export class GpuDevice {
  readonly device: GPUDevice
  readonly name: string
  readonly counters: Counters = { launches: 0, submits: 0, pipelines: 0, bindGroups: 0, buffers: 0 }
  readonly #space: AddressSpace
  readonly #heaps: (GPUBuffer | undefined)[] = []
  readonly #heapLayouts = new Map<number, GPUBindGroupLayout>()
  readonly #layouts = new Map<number, GPUPipelineLayout>()
  readonly #launchLayout: GPUBindGroupLayout
  readonly #launchBuffer: GPUBuffer
  readonly #launchGroups = new Map<number, GPUBindGroup>()
  readonly #launchNumbers = new Uint32Array(launchBufferBytes / 4)
  readonly #pipelines = new Cache<string, GPUComputePipeline>(pipelineLimit)
  /** Bind groups of sets of heaps; forgotten when a heap's buffer is replaced. */
  readonly #heapGroups = new Map<string, GPUBindGroup>()
  readonly #upload: GPUBuffer
  #encoder: GPUCommandEncoder | null = null
  #pass: GPUComputePassEncoder | null = null
  #bound: GPUBindGroup | null = null
  #launchUsed = 0
  #uploadUsed = 0
  #batch = 0
  #reads: PendingRead[] = []
  #spare: GPUBuffer[] = []
  /** Buffers that a batch still uses, destroyed once it has been sent. */
  #retired: GPUBuffer[] = []
  #sending = false
  #error: MXNetError | null = null
  #lost: MXNetError | null = null

  constructor(device: GPUDevice, name: string, space: AddressSpace) {
    this.device = device
    this.name = name
    this.#space = space
    this.#launchLayout = device.createBindGroupLayout({
      entries: [
        { binding: 0, visibility: forCompute, buffer: { type: 'uniform', hasDynamicOffset: true } },
      ],
    })
    this.#launchBuffer = this.#buffer(launchBufferBytes, usage.uniform | usage.copyTarget)
    this.#upload = this.#buffer(uploadBytes, usage.copySource | usage.copyTarget)
    device.addEventListener('uncapturederror', (event) => {
      const { message } = (event as GPUUncapturedErrorEvent).error
      this.note(new MXNetError(name, `the GPU refused some work: ${message}`))
    })
    void device.lost.then(({ reason, message }) => {
      this.#lost = new MXNetError(
        name,
        `the device was lost (${reason}): ${message || 'no reason given'}. Its arrays are gone; other devices go on`,
      )
    })
  }

  #buffer(size: number, flags: number): GPUBuffer {
    this.counters.buffers++
    return this.device.createBuffer({ size, usage: flags })
  }

  /** The first error since the last call, or the loss of the device, which stays. */
  takeError(): MXNetError | null {
    const error = this.#lost ?? this.#error
    this.#error = null
    return error
  }

  /** Keeps an error that nobody could be told of, for the next read. */
  note(error: unknown): void {
    this.#error ??=
      error instanceof MXNetError
        ? error
        : new MXNetError(this.name, String(error), { cause: error })
  }

  /** The buffer of a heap, large enough for all that has been handed out of it. */
  #heap(number: number): GPUBuffer {
    const { end } = this.#space.regions[number]!
    const old = this.#heaps[number]
    if (old !== undefined && old.size >= end) return old
    // Doubling keeps growing rare; a device's limit is a multiple of 4.
    const wanted = Math.max(end, firstBytes, 2 * (old?.size ?? 0))
    const size = Math.ceil(Math.min(wanted, Math.max(end, this.#space.limit)) / 4) * 4
    const buffer = this.#buffer(size, usage.storage | usage.copySource | usage.copyTarget)
    if (old !== undefined) {
      this.#commands().copyBufferToBuffer(old, 0, buffer, 0, old.size)
      this.#retired.push(old)
    }
    this.#heaps[number] = buffer
    this.#heapGroups.clear()
    return buffer
  }

  #heapLayout(count: number): GPUBindGroupLayout {
    let layout = this.#heapLayouts.get(count)
    if (layout === undefined) {
      const most = this.device.limits.maxStorageBuffersPerShaderStage
      if (count > most)
        fail(
          this.name,
          `the arrays of one kernel lie in ${count} buffers, and a shader sees ${most}`,
        )
      layout = this.device.createBindGroupLayout({
        entries: Array.from({ length: count }, (_, binding) => ({
          binding,
          visibility: forCompute,
          buffer: { type: 'storage' as const },
        })),
      })
      this.#heapLayouts.set(count, layout)
    }
    return layout
  }

  /** Compiles a shader over `heaps` heaps; equal texts share one pipeline. */
  compile(text: string, heaps: number): GPUComputePipeline {
    return this.#pipelines.get(text, () => {
      let layout = this.#layouts.get(heaps)
      if (layout === undefined) {
        layout = this.device.createPipelineLayout({
          bindGroupLayouts: [this.#heapLayout(heaps), this.#launchLayout],
        })
        this.#layouts.set(heaps, layout)
      }
      this.counters.pipelines++
      const module = this.device.createShaderModule({ code: text })
      return this.device.createComputePipeline({ layout, compute: { module, entryPoint: 'main' } })
    })
  }

  #heapGroup(heaps: readonly number[]): GPUBindGroup {
    for (const h of heaps) this.#heap(h)
    const key = heaps.join()
    let group = this.#heapGroups.get(key)
    if (group === undefined) {
      this.counters.bindGroups++
      group = this.device.createBindGroup({
        layout: this.#heapLayout(heaps.length),
        entries: heaps.map((h, binding) => ({ binding, resource: { buffer: this.#heaps[h]! } })),
      })
      this.#heapGroups.set(key, group)
    }
    return group
  }

  #launchGroup(bytes: number): GPUBindGroup {
    let group = this.#launchGroups.get(bytes)
    if (group === undefined) {
      this.counters.bindGroups++
      group = this.device.createBindGroup({
        layout: this.#launchLayout,
        entries: [{ binding: 0, resource: { buffer: this.#launchBuffer, size: bytes } }],
      })
      this.#launchGroups.set(bytes, group)
    }
    return group
  }

  /** The encoder of the batch, outside of a compute pass. */
  #commands(): GPUCommandEncoder {
    this.#pass?.end()
    this.#pass = null
    this.#encoder ??= this.device.createCommandEncoder()
    return this.#encoder
  }

  /** Launches a shader; `numbers` are the bits of its launch numbers. */
  launch(program: Program, heaps: readonly number[], numbers: readonly number[]): void {
    const bytes = launchBytes(numbers.length)
    if (bytes > launchBufferBytes)
      fail(
        this.name,
        `a kernel has ${numbers.length} launch numbers, and ${launchBufferBytes / 4} are the limit`,
      )
    if (this.#launchUsed + bytes > launchBufferBytes || this.#batch >= batchLimit) this.send()
    const group = this.#heapGroup(heaps)
    if (this.#pass === null) {
      this.#encoder ??= this.device.createCommandEncoder()
      this.#pass = this.#encoder.beginComputePass()
      this.#bound = null
    }
    const pass = this.#pass
    this.#launchNumbers.set(numbers, this.#launchUsed / 4)
    pass.setPipeline(program.pipeline)
    if (this.#bound !== group) {
      pass.setBindGroup(0, group)
      this.#bound = group
    }
    pass.setBindGroup(1, this.#launchGroup(bytes), [this.#launchUsed])
    const [x, y, z] = program.grid
    pass.dispatchWorkgroups(x, y, z)
    this.#launchUsed += bytes
    this.#batch++
    this.counters.launches++
  }

  /** Fills a part of a heap with zeros; place and size are multiples of 4. */
  clear(heap: number, place: number, bytes: number): void {
    const buffer = this.#heap(heap)
    this.#commands().clearBuffer(buffer, place, bytes)
  }

  /** Writes into a heap; place and length are multiples of 4. */
  write(heap: number, place: number, source: Uint8Array): void {
    const buffer = this.#heap(heap)
    // lib.dom wants to know that the bytes are in an ArrayBuffer of their own; WebGPU does not care.
    const bytes = source as Uint8Array<ArrayBuffer>
    if (this.#encoder !== null && source.length <= uploadBytes - this.#uploadUsed) {
      this.device.queue.writeBuffer(this.#upload, this.#uploadUsed, bytes)
      this.#commands().copyBufferToBuffer(
        this.#upload,
        this.#uploadUsed,
        buffer,
        place,
        source.length,
      )
      this.#uploadUsed += source.length
      return
    }
    this.send()
    this.device.queue.writeBuffer(buffer, place, bytes)
  }

  /** Reads from a heap once all work given before is done; place and length are multiples of 4. */
  read(heap: number, place: number, bytes: number): Promise<Uint8Array> {
    return new Promise((resolve, reject) => {
      const buffer = this.#heap(heap)
      const staging = this.#staging(bytes)
      this.#commands().copyBufferToBuffer(buffer, place, staging, 0, bytes)
      this.#reads.push({ staging, bytes, resolve, reject })
      if (this.#sending) return
      // Reads that are asked for together travel together.
      this.#sending = true
      queueMicrotask(() => {
        this.#sending = false
        this.send()
      })
    })
  }

  #staging(bytes: number): GPUBuffer {
    const at = this.#spare.findIndex((b) => b.size >= bytes && b.size <= Math.max(4 * bytes, 65536))
    if (at >= 0) return this.#spare.splice(at, 1)[0]!
    const size = 2 ** Math.ceil(Math.log2(Math.max(bytes, 256)))
    return this.#buffer(size, usage.mapRead | usage.copyTarget)
  }

  /** Sends the batch. */
  send(): void {
    if (this.#encoder === null) return
    const { queue } = this.device
    const commands = this.#commands().finish()
    if (this.#launchUsed > 0)
      queue.writeBuffer(this.#launchBuffer, 0, this.#launchNumbers, 0, this.#launchUsed / 4)
    queue.submit([commands])
    this.counters.submits++
    for (const buffer of this.#retired) buffer.destroy()
    const reads = this.#reads
    this.#encoder = null
    this.#retired = []
    this.#reads = []
    this.#launchUsed = 0
    this.#uploadUsed = 0
    this.#batch = 0
    for (const read of reads) void this.#finish(read)
  }

  async #finish({ staging, bytes, resolve, reject }: PendingRead): Promise<void> {
    try {
      await staging.mapAsync(toRead, 0, bytes)
      const error = this.takeError()
      if (error !== null) throw error
      const copy = new Uint8Array(bytes)
      copy.set(new Uint8Array(staging.getMappedRange(0, bytes)))
      staging.unmap()
      if (this.#spare.length < spareLimit && staging.size <= spareBytes) this.#spare.push(staging)
      else staging.destroy()
      resolve(copy)
    } catch (cause) {
      staging.destroy()
      // A lost device says so a moment later than its reads fail.
      if (!(cause instanceof MXNetError)) await this.#moment()
      const error = cause instanceof MXNetError ? cause : this.takeError()
      reject(
        error ??
          new MXNetError(this.name, `reading failed: ${(cause as Error).message}`, { cause }),
      )
    }
  }

  #moment(): Promise<void> {
    return new Promise((resolve) => setTimeout(resolve, 0))
  }

  /** Resolves when all work given so far is done. */
  async done(): Promise<void> {
    this.send()
    await this.device.queue.onSubmittedWorkDone()
    const error = this.takeError()
    if (error !== null) throw error
  }

  /** Gives back buffers that are kept for later, and those of heaps that hold nothing. */
  trim(empty: readonly number[]): void {
    for (const buffer of this.#spare) buffer.destroy()
    this.#spare = []
    // What has been launched may still be at work in them.
    this.send()
    for (const heap of empty) {
      this.#heaps[heap]?.destroy()
      delete this.#heaps[heap]
    }
    this.#heapGroups.clear()
  }
}
