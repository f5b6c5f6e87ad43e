/** Kernels made ready to run: structures compiled once, and launches with their numbers filled in. */

import type { Code, Compiled } from '../backend.ts'
import { Frame, type Plan, planKey, planNumbers } from './frame.ts'
import { importedFunctions } from './imports.ts'
import { emitMap, emitScatter } from './map.ts'
import { ModuleBuilder } from './module.ts'
import type { Recording } from './recording.ts'
import { emitColumns, emitRows } from './reduce.ts'

/** A compiled structure: addresses, the numbers of a plan, and launch numbers, in this order. */
export type Entry = (...numbers: number[]) => void

/** A kernel with nothing to do. */
export const idle: Compiled = { run() {} }

/** A structure ready on this thread, and what other threads make of it. */
interface Structure {
  readonly entry: Entry
  readonly code: Code
}

function emitPlan(plan: Plan): Uint8Array<ArrayBuffer> {
  const module = new ModuleBuilder()
  const frame = new Frame(module, plan, 'run')
  if (plan.scatter) emitScatter(frame)
  else if (plan.nest.form === 'rows') emitRows(frame)
  else if (plan.nest.form === 'columns') emitColumns(frame)
  else emitMap(frame)
  return module.assemble()
}

/** Structures by key; the least recently used goes when there are too many. */
export class Structures {
  readonly #entries = new Map<string, Structure>()
  readonly #limit: number
  readonly #imports: WebAssembly.Imports
  readonly #recording: Recording

  constructor(memory: WebAssembly.Memory, recording: Recording, limit: number) {
    this.#recording = recording
    this.#limit = limit
    this.#imports = { env: { ...importedFunctions, memory } as WebAssembly.ModuleImports }
  }

  /** How many structures are kept. */
  get size(): number {
    return this.#entries.size
  }

  /** The structure that runs plans like this one. */
  get(plan: Plan): Structure {
    const key = planKey(plan)
    let structure = this.#entries.get(key)
    if (structure) this.#entries.delete(key)
    else {
      const bytes = emitPlan(plan)
      const instance = new WebAssembly.Instance(new WebAssembly.Module(bytes), this.#imports)
      structure = {
        entry: instance.exports.run as Entry,
        code: { kind: 'wasm', name: 'run', bytes },
      }
      if (this.#entries.size >= this.#limit) {
        this.#entries.delete(this.#entries.keys().next().value!)
      }
    }
    this.#entries.set(key, structure)
    return structure
  }

  /** A plan ready to run. */
  bind(plan: Plan): Compiled {
    const offsets = plan.nest.operands.map((o) => o.offset)
    return launch(this.#recording, this.get(plan), offsets, planNumbers(plan), plan.slots)
  }
}

/** Closures of fixed arity for the common small kernels; others overwrite and spread one array. */
function launch(
  recording: Recording,
  { entry, code }: Structure,
  offsets: readonly number[],
  numbers: readonly number[],
  slots: readonly number[],
): Compiled {
  const count = offsets.length
  const values = [...offsets, ...numbers, ...slots.map(() => 0)]
  const first = count + numbers.length
  const general = (addresses: readonly number[], params: readonly number[]): void => {
    for (let i = 0; i < count; i++) values[i] = (addresses[i]! + offsets[i]!) | 0
    for (let i = 0; i < slots.length; i++) values[first + i] = params[slots[i]!]!
    if (recording.sink !== null) recording.sink.call(code, values)
    else entry(...values)
  }
  if (slots.length > 0 || numbers.length !== 1) return { run: general }
  const n = numbers[0]!
  const [p = 0, q = 0, r = 0] = offsets
  if (count === 1) {
    return {
      run: (a, params) =>
        recording.sink === null ? entry((a[0]! + p) | 0, n) : general(a, params),
    }
  }
  if (count === 2) {
    return {
      run: (a, params) =>
        recording.sink === null ? entry((a[0]! + p) | 0, (a[1]! + q) | 0, n) : general(a, params),
    }
  }
  if (count === 3) {
    return {
      run: (a, params) =>
        recording.sink === null
          ? entry((a[0]! + p) | 0, (a[1]! + q) | 0, (a[2]! + r) | 0, n)
          : general(a, params),
    }
  }
  return { run: general }
}
