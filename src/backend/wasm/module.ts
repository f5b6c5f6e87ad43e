/** A writer of WebAssembly modules: functions, what they import, and the binary that holds them. */

import { type Callable, FunctionBuilder } from './assembler.ts'
import { TYPE_CODE, text, unsigned, type ValueType } from './simd.ts'

/** The memory a module imports: limits in pages of 64 KiB. */
export interface MemoryImport {
  readonly module?: string
  readonly name?: string
  readonly initial?: number
  readonly maximum?: number
  readonly shared?: boolean
}

const FUNCTION_TYPE = 0x60

/**
 * A module of functions over one imported memory, by default `env.memory`, shared, up to 65536 pages.
 * `memory: null` imports none.
 */
export class ModuleBuilder {
  readonly #memory: Required<MemoryImport> | null
  readonly #types = new Map<string, number>()
  readonly #typeBytes: number[] = []
  readonly #imports: { module: string; name: string; type: number }[] = []
  readonly #functions: { builder: FunctionBuilder; type: number }[] = []
  readonly #exports: { name: string; order: number }[] = []

  constructor(options: { memory?: MemoryImport | null } = {}) {
    const given = options.memory
    const standard = { module: 'env', name: 'memory', initial: 0, maximum: 65536, shared: true }
    this.#memory = given === null ? null : { ...standard, ...given }
  }

  /** A function from the importing object: `{ [module]: { [name]: … } }`. May come after functions that call it. */
  import(
    module: string,
    name: string,
    params: readonly ValueType[],
    results: readonly ValueType[],
  ): Callable {
    const order = this.#imports.length
    this.#imports.push({ module, name, type: this.#type(params, results) })
    return { imported: true, order }
  }

  /** A new function, exported where a name is given. Parameter i is local i. */
  func(
    params: readonly ValueType[],
    results: readonly ValueType[],
    exportName?: string,
  ): FunctionBuilder {
    const order = this.#functions.length
    const builder = new FunctionBuilder(order, params, results)
    this.#functions.push({ builder, type: this.#type(params, results) })
    if (exportName !== undefined) this.#exports.push({ name: exportName, order })
    return builder
  }

  /** The bytes of the module, for `new WebAssembly.Module`. */
  assemble(): Uint8Array<ArrayBuffer> {
    const out = [0x00, 0x61, 0x73, 0x6d, 0x01, 0x00, 0x00, 0x00]
    const section = (id: number, count: number, write: (out: number[]) => void) => {
      if (count === 0) return
      const body: number[] = []
      unsigned(body, count)
      write(body)
      out.push(id)
      unsigned(out, body.length)
      out.push(...body)
    }
    const store = this.#memory
    section(1, this.#types.size, (o) => o.push(...this.#typeBytes))
    section(2, this.#imports.length + (store ? 1 : 0), (o) => {
      for (const { module, name, type } of this.#imports) {
        text(o, module)
        text(o, name)
        o.push(0x00)
        unsigned(o, type)
      }
      if (store) {
        text(o, store.module)
        text(o, store.name)
        o.push(0x02, store.shared ? 0x03 : 0x01)
        unsigned(o, store.initial)
        unsigned(o, store.maximum)
      }
    })
    section(3, this.#functions.length, (o) => {
      for (const { type } of this.#functions) unsigned(o, type)
    })
    section(7, this.#exports.length, (o) => {
      for (const { name, order } of this.#exports) {
        text(o, name)
        o.push(0x00)
        unsigned(o, this.#imports.length + order)
      }
    })
    const entries = this.#functions.map(({ builder }) => builder.encode(this.#imports.length))
    const count: number[] = []
    unsigned(count, entries.length)
    let size = count.length
    for (const [head, code] of entries) size += head.length + code.length + 1
    out.push(10)
    unsigned(out, size)
    out.push(...count)
    const bytes = new Uint8Array(out.length + size - count.length)
    bytes.set(out)
    let at = out.length
    for (const [head, code] of entries) {
      bytes.set(head, at)
      bytes.set(code, at + head.length)
      at += head.length + code.length
      bytes[at++] = 0x0b
    }
    return bytes
  }

  #type(params: readonly ValueType[], results: readonly ValueType[]): number {
    const key = `${params.join()}:${results.join()}`
    const known = this.#types.get(key)
    if (known !== undefined) return known
    const bytes = this.#typeBytes
    bytes.push(FUNCTION_TYPE)
    unsigned(bytes, params.length)
    for (const p of params) bytes.push(TYPE_CODE[p])
    unsigned(bytes, results.length)
    for (const r of results) bytes.push(TYPE_CODE[r])
    this.#types.set(key, this.#types.size)
    return this.#types.size - 1
  }
}
