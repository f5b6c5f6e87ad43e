/** Plans: a compiled graph as a flat list of kernel launches over inputs, results and one arena. */

import type { Compiled } from '../backend/backend.ts'
import { itemSize } from '../base/dtype.ts'
import { fail } from '../base/error.ts'
import { sameShape } from '../base/shape.ts'
import type { View } from '../base/view.ts'
import type { Aval } from '../core/aval.ts'
import { frame } from '../core/frame.ts'
import type { Graph } from '../core/graph.ts'
import { type Fused, fuse, type Step } from '../passes/fuse.ts'
import { planMemory } from '../passes/memory.ts'
import { type Expr, someNode } from '../prim/expr.ts'
import type { Kernel } from '../prim/kernel.ts'
import { poolShape } from '../prim/window.ts'
import { type DeviceArray, Layout, makeArray } from './array.ts'
import type { Device, Storage } from './storage.ts'

interface Launch {
  readonly compiled: Compiled
  /** What the profiler calls it: `loop 64x10 sum`. */
  readonly name: string
  readonly buffers: readonly number[]
  readonly addresses: number[]
}

interface Output {
  readonly aval: Aval
  readonly layout: Layout
  readonly buffer: number
  /** Position of the input whose block the result shares, or -1. */
  readonly input: number
}

/** A compiled graph for one device and one layout of its inputs. */
export class Plan {
  readonly device: Device
  readonly #launches: readonly Launch[]
  readonly #outputs: readonly Output[]
  /** Blocks to take for results: buffer number and bytes. */
  readonly #fresh: readonly { readonly buffer: number; readonly bytes: number }[]
  readonly #temporaries: readonly { readonly buffer: number; readonly offset: number }[]
  readonly #arenaBytes: number
  readonly #itemSizes: readonly number[]
  readonly #addresses: number[]
  readonly #inPlace: ReadonlySet<string>

  constructor(device: Device, graph: Graph, layouts: readonly (View | null)[]) {
    this.device = device
    const fused = fuse(graph, layouts, device.backend.channelsLast)
    const arena = planMemory(fused)
    this.#launches = fused.steps.map((step) => ({
      compiled: device.backend.compile(step.kernel),
      name: kernelName(step.kernel),
      buffers: step.buffers,
      addresses: new Array<number>(step.buffers.length).fill(0),
    }))
    this.#outputs = fused.outputs.map((o, i) => ({
      aval: graph.outputs[i]!.aval,
      layout: new Layout(o.view),
      buffer: o.buffer,
      input: fused.buffers[o.buffer]!.input ?? -1,
    }))
    const results = new Set(fused.outputs.map((o) => o.buffer))
    this.#fresh = [...results].flatMap((buffer) => {
      const { bytes, input } = fused.buffers[buffer]!
      return input === null ? [{ buffer, bytes }] : []
    })
    this.#temporaries = arena.offsets.flatMap((offset, buffer) =>
      offset < 0 ? [] : [{ buffer, offset }],
    )
    this.#arenaBytes = arena.bytes
    this.#itemSizes = graph.inputs.map((s) => (s === null ? 0 : itemSize(s.dtype)))
    this.#addresses = new Array<number>(fused.buffers.length).fill(0)
    this.#inPlace = inPlacePairs(fused)
  }

  /** The number of kernels. */
  get length(): number {
    return this.#launches.length
  }

  /** Runs the plan; results are new arrays, or views of inputs, or are written into `targets`. */
  run(
    inputs: readonly (DeviceArray | null)[],
    scalars: readonly number[],
    targets?: readonly (DeviceArray | null)[],
  ): DeviceArray[] {
    const addresses = this.#addresses
    for (let i = 0; i < inputs.length; i++) {
      const x = inputs[i]
      if (!x) continue
      if (x.storage.address < 0)
        fail('NDArray', `input ${i} has been freed: its scope has ended or it was disposed of`)
      addresses[i] = x.storage.address + x.layout.offset * this.#itemSizes[i]!
    }
    const blocks: Storage[] = []
    for (const { buffer, bytes } of this.#fresh) {
      const reused = targets && this.#reusable(buffer, bytes, inputs, targets)
      const storage = reused ?? this.device.allocate(bytes)
      blocks.push(storage)
      addresses[buffer] = storage.address
    }
    this.#launch(addresses, scalars)
    const mark = this.device.backend.mark?.() ?? 0
    for (const block of blocks) block.written = mark
    const fresh = this.#fresh
    const taken = new Set<Storage>()
    // All places are found, and counted, before any target moves: a target may be an input that a result views.
    const places = this.#outputs.map((o) => {
      let storage: Storage
      let { layout } = o
      if (o.input >= 0) {
        const x = inputs[o.input]!
        storage = x.storage
        if (x.layout.offset !== 0)
          layout = new Layout({ ...layout, offset: layout.offset + x.layout.offset })
        storage.retain()
      } else {
        storage = blocks[fresh.findIndex((f) => f.buffer === o.buffer)]!
        if (taken.has(storage)) storage.retain()
        taken.add(storage)
      }
      return { storage, layout }
    })
    return places.map(({ storage, layout }, i) => {
      const target = targets?.[i]
      if (!target) return makeArray(this.#outputs[i]!.aval, storage, layout)
      // A result written over its target is not one more holder of the block; a view of it is, and the target one less.
      const written = target.storage === storage && this.#outputs[i]!.input < 0
      if (!written) target.storage.release()
      target.storage = storage
      target.layout = layout
      return target
    })
  }

  #launch(addresses: number[], scalars: readonly number[]): void {
    const { backend } = this.device
    const arena = this.#arenaBytes > 0 ? backend.alloc(this.#arenaBytes) : -1
    try {
      for (const { buffer, offset } of this.#temporaries) addresses[buffer] = arena + offset
      for (const launch of this.#launches) {
        const { buffers, addresses: own } = launch
        for (let j = 0; j < buffers.length; j++) own[j] = addresses[buffers[j]!]!
        const { probe } = frame
        const start = probe === null ? 0 : performance.now()
        launch.compiled.run(own, scalars)
        if (probe !== null) probe('kernel', launch.name, start, performance.now())
      }
    } finally {
      if (arena >= 0) backend.free(arena)
    }
  }

  /** The block of a target, where a result may be written over it without harm. */
  #reusable(
    buffer: number,
    bytes: number,
    inputs: readonly (DeviceArray | null)[],
    targets: readonly (DeviceArray | null)[],
  ): Storage | undefined {
    const at = this.#outputs.findIndex((o) => o.buffer === buffer)
    if (at < 0 || this.#outputs.some((o, i) => i !== at && o.buffer === buffer)) return undefined
    const target = targets[at]
    if (!target) return undefined
    const { storage, layout } = target
    if (!storage.alone || storage.bytes !== bytes || !layout.dense || layout.offset !== 0)
      return undefined
    if (!this.#outputs[at]!.layout.dense) return undefined
    for (let i = 0; i < inputs.length; i++) {
      if (inputs[i]?.storage === storage && !this.#inPlace.has(`${i}>${buffer}`)) return undefined
    }
    return storage
  }
}

/**
 * Pairs "input > buffer" where a result may be written over the input: its kernel reads and writes each element
 * at the same place, and no other kernel reads the input afterwards.
 */
function inPlacePairs(fused: Fused): Set<string> {
  const pairs = new Set<string>()
  const { steps, buffers } = fused
  const results = new Set(fused.outputs.map((o) => o.buffer))
  const lastRead = new Map<number, number>()
  const writers = new Map<number, number[]>()
  steps.forEach((step, at) => {
    const count = outputCount(step)
    step.buffers.forEach((b, i) => {
      if (i < step.buffers.length - count) lastRead.set(b, at)
      else writers.set(b, [...(writers.get(b) ?? []), at])
    })
  })
  for (const [target, at] of writers) {
    if (!results.has(target) || at.length !== 1) continue
    const step = steps[at[0]!]!
    buffers.forEach((b, number) => {
      if (b.input === null || fused.outputs.some((o) => o.buffer === number)) return
      const last = lastRead.get(number) ?? -1
      if (last < at[0]! || (last === at[0]! && samePlaces(step, number, target)))
        pairs.add(`${b.input}>${target}`)
    })
  }
  return pairs
}

const outputCount = ({ kernel }: Step): number =>
  kernel.kind === 'loop' || kernel.kind === 'sequence' ? kernel.outputs.length : 1

/** Whether a map reads one buffer exactly where it writes another. */
function samePlaces({ kernel, buffers }: Step, read: number, written: number): boolean {
  if (kernel.kind !== 'loop' || kernel.reduce.length > 0 || kernel.body.some(displaced))
    return false
  const { inputs, outputs } = kernel
  const o = outputs[buffers.indexOf(written, inputs.length) - inputs.length]!
  return inputs.every(
    (x, i) => buffers[i] !== read || (x.offset === o.offset && sameShape(x.strides, o.strides)),
  )
}

const displaced = (root: Expr): boolean => someNode(root, (e) => e.kind === 'loadAt')

function kernelName(kernel: Kernel): string {
  if (kernel.kind === 'contract') return `contract ${kernel.b}x${kernel.m}x${kernel.n}x${kernel.k}`
  if (kernel.kind === 'sequence') {
    const loops = kernel.loops.map(({ kernel: k }) => k.reduce.join() || 'map')
    return `rows ${kernel.outer} ${loops.join(' ')}`
  }
  if (kernel.kind === 'call') return `call ${kernel.routine}`
  if (kernel.kind === 'conv') {
    const { batch, groups, inner, outer, window, y } = kernel.sizes
    return `conv ${kernel.result} ${batch}x${groups}x${inner}x${outer} ${window.join('x')} ${y.join('x')}`
  }
  if (kernel.kind === 'pool')
    return `pool ${kernel.mode} ${kernel.sizes.window.join('x')} ${poolShape(kernel.sizes, 'y').join('x')}`
  const reduces =
    kernel.kind === 'loop' && kernel.reduce.length > 0 ? ` ${kernel.reduce.join()}` : ''
  return `${kernel.kind} ${kernel.dims.join('x') || '1'}${reduces}`
}
