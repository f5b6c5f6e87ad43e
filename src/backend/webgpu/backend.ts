/** The WebGPU backend: kernels as WGSL shaders over heaps in GPU buffers, launched in batches. */

import { Cache } from '../../base/cache.ts'
import { dtypeInfo, itemSize, type TypedArray } from '../../base/dtype.ts'
import { fail, MXNetError } from '../../base/error.ts'
import { Line } from '../../base/line.ts'
import { param } from '../../prim/expr.ts'
import {
  type CallKernel,
  contractAsLoop,
  type Kernel,
  kernelKey,
  kernelOperands,
  type LoopKernel,
} from '../../prim/kernel.ts'
import { runRoutine } from '../../prim/routines/index.ts'
import type { SequenceKernel } from '../../prim/sequence.ts'
import type { Backend, Compiled } from '../backend.ts'
import { type Counters, GpuDevice } from './device.ts'
import { Launcher } from './launcher.ts'
import { mapRoutine } from './map.ts'
import { AddressSpace, placeOf, regionOf } from './memory.ts'
import { smallestTeam } from './reduce.ts'
import { reductionRoutine } from './reduction.ts'
import { plainOptions, type Routine } from './routine.ts'
import { scanRoutine } from './scan.ts'
import { scatterRoutine } from './scatter.ts'
import { sortRoutine } from './sort.ts'
import { checkOperands } from './wide.ts'
import { convAsLoop, poolRoutine } from './window.ts'

/** Settings of the backend. */
export interface WebGpuOptions {
  /** Whether shaders are written for a processor that plays a GPU; by default where the adapter says that it is one. */
  readonly processor?: boolean
  /** Whether shaders use what the device has beyond the common ground: 16-bit floats, subgroups. By default they do. */
  readonly extensions?: boolean
  /** Bytes that all arrays together may take. */
  readonly limit?: number
}

/** The backend, and what is particular to a GPU. */
export interface WebGpuBackend extends Backend {
  ready(): Promise<void>
  counters(): Counters
  readonly total: number
  emptyCache(): void
  /** Gives the device back; everything that waits for it fails. */
  destroy(): void
}

const routineLimit = 4096
const extensions = ['shader-f16', 'subgroups'] as const
const noCounts: Counters = { launches: 0, submits: 0, pipelines: 0, bindGroups: 0, buffers: 0 }
const storeByte: LoopKernel = {
  kind: 'loop',
  dims: [],
  parallel: 0,
  inputs: [],
  outputs: [{ dtype: 'uint8', strides: [], offset: 0 }],
  body: [param(0, 'uint8')],
  reduce: [],
  epilogue: [],
}

/**
 * Makes a backend for the device that `open` finds. Work may be given at once and waits for the device; when there is
 * none, reads, `sync` and `ready` fail with the error of `open`. `name` is the context that errors name.
 */
export function createWebGpuBackend(
  open: () => Promise<GPUAdapter>,
  name = 'gpu(0)',
  options: WebGpuOptions = {},
): WebGpuBackend {
  return new WebGpu(open, name, options)
}

class WebGpu implements WebGpuBackend {
  readonly name = 'webgpu'
  readonly canBlock = false
  readonly #context: string
  readonly #options: WebGpuOptions
  readonly #space: AddressSpace
  readonly #routines = new Cache<string, Compiled>(routineLimit)
  readonly #line = new Line((error) => this.#gpu?.note(error))
  readonly #started: Promise<GpuDevice>
  #gpu: GpuDevice | null = null
  #shaders = plainOptions

  constructor(open: () => Promise<GPUAdapter>, name: string, options: WebGpuOptions) {
    this.#context = name
    this.#options = options
    this.#space = new AddressSpace(name, options.limit)
    this.#started = this.#start(open)
    this.#line.hold(async () => {
      this.#gpu = await this.#started
      return () => {}
    })
  }

  /** Does work in its turn, first of all when the device has started; never where it does not start. */
  #give(work: (gpu: GpuDevice) => void): void {
    this.#line.give(() => {
      if (this.#gpu !== null) work(this.#gpu)
    })
  }

  async #start(open: () => Promise<GPUAdapter>): Promise<GpuDevice> {
    try {
      const adapter = await open()
      const { maxBufferSize, maxStorageBufferBindingSize, maxStorageBuffersPerShaderStage } =
        adapter.limits
      const wanted = this.#options.extensions === false ? [] : extensions
      const features = wanted.filter((name) => adapter.features.has(name))
      const device = await adapter.requestDevice({
        requiredFeatures: features,
        requiredLimits: {
          maxBufferSize,
          maxStorageBufferBindingSize,
          maxStorageBuffersPerShaderStage,
        },
      })
      this.#space.start(Math.min(maxBufferSize, maxStorageBufferBindingSize))
      this.#shaders = {
        processor: this.#options.processor ?? adapter.info.isFallbackAdapter,
        halves: features.includes('shader-f16'),
        subgroups: features.includes('subgroups') && (await knowsSubgroups(device, adapter.info)),
      }
      return new GpuDevice(device, this.#context, this.#space)
    } catch (cause) {
      if (cause instanceof MXNetError) throw cause
      const reason = (cause as Error).message
      throw new MXNetError(this.#context, `the GPU does not start: ${reason}`, { cause })
    }
  }

  async ready(): Promise<void> {
    await this.#started
  }

  alloc(bytes: number): number {
    return this.#space.alloc(bytes)
  }

  free(address: number): void {
    this.#space.free(address)
  }

  memory() {
    return { live: this.#space.live, reserved: this.#space.reserved }
  }

  get total(): number {
    return this.#space.total
  }

  counters(): Counters {
    return { ...(this.#gpu?.counters ?? noCounts) }
  }

  emptyCache(): void {
    const empty = this.#space.trim()
    this.#give((gpu) => gpu.trim(empty))
  }

  destroy(): void {
    this.#give((gpu) => gpu.device.destroy())
  }

  write(address: number, source: Uint8Array): void {
    // Whole words go as they are; bytes beside them share words with others.
    const first = Math.min((4 - (address % 4)) % 4, source.length)
    const last = first + Math.floor((source.length - first) / 4) * 4
    if (last > first) {
      const start = address + first
      const words = source.subarray(first, last)
      const kept = this.#line.open ? words : words.slice()
      this.#give((gpu) => gpu.write(regionOf(start), placeOf(start), kept))
    }
    for (const [from, to] of [
      [0, first],
      [last, source.length],
    ] as const) {
      for (let i = from; i < to; i++) this.compile(storeByte).run([address + i], [source[i]!])
    }
  }

  read(address: number, bytes: number): Promise<Uint8Array> {
    return new Promise((resolve, reject) => {
      this.#started.catch(reject)
      this.#give((gpu) => readBytes(gpu, address, bytes).then(resolve, reject))
    })
  }

  readSync(): Uint8Array {
    return fail(this.#context, 'a GPU cannot be waited for in place: use await asTypedArray()')
  }

  async sync(): Promise<void> {
    await this.#started
    await new Promise<void>((resolve, reject) => {
      this.#give((gpu) => gpu.done().then(resolve, reject))
    })
  }

  compile(kernel: Kernel): Compiled {
    return this.#routines.get(kernelKey(kernel), () => {
      try {
        if (kernel.kind === 'call' && !hasShader(kernel)) return this.#call(kernel)
        return kernel.kind === 'sequence' ? this.#sequence(kernel) : this.#compiled(kernel)
      } catch (cause) {
        // What writes shaders does not know for whom.
        if (!(cause instanceof MXNetError) || cause.where !== 'gpu') throw cause
        throw new MXNetError(this.#context, cause.message.slice('[gpu] '.length), { cause })
      }
    })
  }

  /** Loops one after the other: blocks of rows would not stay in a cache here. */
  #sequence({ loops }: SequenceKernel): Compiled {
    const stages = loops.map(({ kernel, operands }) => ({
      compiled: this.compile(kernel),
      operands,
    }))
    return {
      run: (addresses, params) => {
        for (const { compiled, operands } of stages)
          compiled.run(
            operands.map((o) => addresses[o]!),
            params,
          )
      },
    }
  }

  #compiled(kernel: Exclude<Kernel, SequenceKernel>): Compiled {
    // What shaders to write is known once the device is; what cannot be compiled must be said at once.
    let routine = this.#routine(kernel)
    let shaders = this.#shaders
    let launchers = routine.stages.map((s) => new Launcher(s))
    return {
      run: (addresses, params) => {
        if (shaders !== this.#shaders) {
          shaders = this.#shaders
          routine = this.#routine(kernel)
          launchers = routine.stages.map((s) => new Launcher(s))
        }
        const temporaries = routine.temporaries.map(({ bytes, clear }) => {
          const at = this.alloc(bytes)
          if (clear) this.#give((gpu) => gpu.clear(regionOf(at), placeOf(at), bytes))
          return at
        })
        for (const launcher of launchers) {
          this.#give(launcher.bind(addresses, temporaries, params))
        }
        for (const address of temporaries) this.free(address)
      },
    }
  }

  #routine(kernel: Exclude<Kernel, SequenceKernel>): Routine {
    const options = this.#shaders
    switch (kernel.kind) {
      case 'loop':
        return kernel.reduce.length > 0
          ? reductionRoutine(kernel, options)
          : mapRoutine(kernel, options)
      case 'contract':
        checkOperands(kernelOperands(kernel))
        return reductionRoutine(contractAsLoop(kernel), options)
      case 'scatter':
        return scatterRoutine(kernel)
      case 'conv':
        checkOperands(kernelOperands(kernel))
        return reductionRoutine(convAsLoop(kernel), options)
      case 'pool':
        return poolRoutine(kernel, options)
      case 'call':
        return kernel.routine === 'argsort' ? sortRoutine(kernel) : scanRoutine(kernel, options)
      default:
        return kernel satisfies never
    }
  }

  /** Other routines run on the processor: the line is held until their inputs have come and their output has gone. */
  #call({ routine, numbers, inputs, output }: CallKernel): Compiled {
    const blocks = [...inputs, output]
    checkOperands(blocks)
    const dtypes = blocks.map((b) => b.dtype)
    return {
      run: (addresses) => {
        const places = blocks.map((b, i) => addresses[i]! + b.offset * itemSize(b.dtype))
        this.#line.hold(async () => {
          const gpu = this.#gpu ?? fail(this.#context, 'the GPU has not started')
          const given = await Promise.all(
            inputs.map(({ dtype, size }, i) => readElements(gpu, places[i]!, dtype, size)),
          )
          const result = new (dtypeInfo(output.dtype).array)(output.size)
          runRoutine(routine, [...given, result], dtypes, numbers)
          const { buffer, byteOffset, byteLength } = result
          return () => this.write(places.at(-1)!, new Uint8Array(buffer, byteOffset, byteLength))
        })
      },
    }
  }
}

/** Whether teams are made of whole subgroups, and shaders can tell them apart: WGSL could not at first. */
async function knowsSubgroups(device: GPUDevice, info: GPUAdapterInfo): Promise<boolean> {
  if (info.subgroupMaxSize > smallestTeam) return false
  device.pushErrorScope('validation')
  device.createShaderModule({
    code: `enable subgroups;
@compute @workgroup_size(1) fn main(@builtin(subgroup_id) subgroup: u32, @builtin(num_subgroups) count: u32) {}`,
  })
  return (await device.popErrorScope()) === null
}

/** Whether a routine is a shader. A running sum of bools is no bool. */
const hasShader = ({ routine, output }: CallKernel): boolean =>
  routine === 'argsort' || (routine === 'scan' && output.dtype !== 'bool')

/** Bytes from anywhere, read as the words around them. */
async function readBytes(gpu: GpuDevice, address: number, bytes: number): Promise<Uint8Array> {
  if (bytes === 0) return new Uint8Array(0)
  const start = address - (address % 4)
  const count = Math.ceil((address + bytes - start) / 4) * 4
  const words = await gpu.read(regionOf(start), placeOf(start), count)
  return words.length === bytes ? words : words.slice(address - start, address - start + bytes)
}

async function readElements(
  gpu: GpuDevice,
  address: number,
  dtype: CallKernel['output']['dtype'],
  size: number,
): Promise<TypedArray> {
  const { buffer } = await readBytes(gpu, address, size * itemSize(dtype))
  return new (dtypeInfo(dtype).array)(buffer, 0, size)
}
