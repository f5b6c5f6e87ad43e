/** What runs here: which backend computes, why that one, and what it can do. */

import { activeMemories } from '../exec/storage.ts'

/** Facts about the library where it runs. */
export interface FeatureTable {
  /** Version of the package. */
  readonly version: string
  /** What computes on `cpu()`: 'onednn + wasm', 'wasm' or 'reference'. */
  readonly backend: string
  /** Why that one, in one line. */
  readonly reason: string
  /** Version of oneDNN and the instruction set it uses, or null without the native bridge. */
  readonly onednn: string | null
  /** Whether WebAssembly SIMD is there; without it nothing runs. */
  readonly simd: boolean
  /** Whether relaxed SIMD (fused multiply-add) is there: Node 22 and later, current browsers. */
  readonly relaxedSimd: boolean
  /** Host: Node and its version, or the browser. */
  readonly host: string
  /** Logical processors. */
  readonly cores: number
}

/** The feature table, printed as one fact a line. */
export class Features {
  readonly table: FeatureTable

  constructor(table: FeatureTable) {
    this.table = table
  }

  /** Whether a feature is on: 'ONEDNN', 'WASM_SIMD', 'RELAXED_SIMD'. @see MXNet `mx.runtime.Features.is_enabled` */
  isEnabled(name: 'ONEDNN' | 'WASM_SIMD' | 'RELAXED_SIMD'): boolean {
    const { onednn, simd, relaxedSimd } = this.table
    return { ONEDNN: onednn !== null, WASM_SIMD: simd, RELAXED_SIMD: relaxedSimd }[name]
  }

  toString(): string {
    const t = this.table
    const yes = (v: boolean): string => (v ? 'yes' : 'no')
    const rows = [
      ['mxnet-ts', t.version],
      ['backend', `${t.backend} (${t.reason})`],
      ['oneDNN', t.onednn ?? 'no'],
      ['WASM SIMD', yes(t.simd)],
      ['relaxed SIMD', yes(t.relaxedSimd)],
      ['host', `${t.host}, ${t.cores} cores`],
    ]
    return rows.map(([k, v]) => `${k!.padEnd(14)}${v}`).join('\n')
  }

  [Symbol.for('nodejs.util.inspect.custom')](): string {
    return this.toString()
  }
}

let read: () => FeatureTable = () => {
  throw new Error('the runtime has not been set up')
}

/** Installed by the composition roots. */
export function installRuntime(reader: () => FeatureTable): void {
  read = reader
}

/**
 * What runs here.
 *
 * @example
 * console.log(mx.runtime.features())
 * @see MXNet `mx.runtime.Features`
 */
export function features(): Features {
  return new Features(read())
}

/** The backend and the reason for it, in one line. */
export function describe(): string {
  const { backend, reason } = read()
  return `${backend} (${reason})`
}

/** Memory of all devices: bytes in use and reserved, and how many blocks have been handed out so far. */
export function memory(): {
  readonly live: number
  readonly reserved: number
  readonly allocations: number
} {
  return activeMemories().reduce(
    (sum, d) => {
      const m = d.backend.memory()
      return {
        live: sum.live + d.pool.live,
        reserved: sum.reserved + m.reserved,
        allocations: sum.allocations + d.allocations,
      }
    },
    { live: 0, reserved: 0, allocations: 0 },
  )
}
