/** Kernels made ready to run: structures compiled once, and launches with their numbers filled in. */

import type { Compiled } from '../backend.ts'
import { ModuleBuilder } from './assembler.ts'
import { Frame, type Plan, planKey, planNumbers } from './frame.ts'
import { importedFunctions } from './imports.ts'
import { emitMap, emitScatter } from './map.ts'
import { emitColumns, emitRows } from './reduce.ts'

/** A compiled structure: addresses, the numbers of a plan, and launch numbers, in this order. */
export type Entry = (...numbers: number[]) => void

/** A kernel with nothing to do. */
export const idle: Compiled = { run() {} }

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
  readonly #entries = new Map<string, Entry>()
  readonly #limit: number
  readonly #imports: WebAssembly.Imports

  constructor(memory: WebAssembly.Memory, limit: number) {
    this.#limit = limit
    this.#imports = { env: { ...importedFunctions, memory } as WebAssembly.ModuleImports }
  }

  /** How many structures are kept. */
  get size(): number {
    return this.#entries.size
  }

  /** The entry that runs plans like this one. */
  get(plan: Plan): Entry {
    const key = planKey(plan)
    let entry = this.#entries.get(key)
    if (entry) this.#entries.delete(key)
    else {
      const module = new WebAssembly.Module(emitPlan(plan))
      const instance = new WebAssembly.Instance(module, this.#imports)
      entry = instance.exports.run as Entry
      if (this.#entries.size >= this.#limit) {
        this.#entries.delete(this.#entries.keys().next().value!)
      }
    }
    this.#entries.set(key, entry)
    return entry
  }

  /** A plan ready to run. */
  bind(plan: Plan): Compiled {
    const offsets = plan.nest.operands.map((o) => o.offset)
    return launch(this.get(plan), offsets, planNumbers(plan), plan.slots)
  }
}

/** Closures of fixed arity for the common small kernels; others overwrite and spread one array. */
function launch(
  entry: Entry,
  offsets: readonly number[],
  numbers: readonly number[],
  slots: readonly number[],
): Compiled {
  const count = offsets.length
  if (slots.length === 0 && numbers.length === 1) {
    const n = numbers[0]!
    const [p = 0, q = 0, r = 0] = offsets
    if (count === 1) return { run: (a) => entry((a[0]! + p) | 0, n) }
    if (count === 2) return { run: (a) => entry((a[0]! + p) | 0, (a[1]! + q) | 0, n) }
    if (count === 3) {
      return { run: (a) => entry((a[0]! + p) | 0, (a[1]! + q) | 0, (a[2]! + r) | 0, n) }
    }
  }
  const values = [...offsets, ...numbers, ...slots.map(() => 0)]
  const first = count + numbers.length
  return {
    run(addresses, params) {
      for (let i = 0; i < count; i++) values[i] = (addresses[i]! + offsets[i]!) | 0
      for (let i = 0; i < slots.length; i++) values[first + i] = params[slots[i]!]!
      entry(...values)
    },
  }
}
