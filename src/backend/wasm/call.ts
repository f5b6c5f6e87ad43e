/** Routines on the WebAssembly memory: plain JavaScript on views of it. */

import { type DType, dtypeInfo, itemSize } from '../../base/dtype.ts'
import type { CallKernel } from '../../prim/kernel.ts'
import { type RoutineName, runRoutine } from '../../prim/routines/index.ts'
import type { Code, Compiled } from '../backend.ts'
import type { ProductHost } from './contract.ts'

/** What a thread needs to know of a call besides where its blocks lie. */
interface CallFacts {
  readonly dtypes: readonly DType[]
  readonly sizes: readonly number[]
  readonly numbers: readonly (number | string)[]
}

/** Compiles a call. */
export function compileCall({ wasmMemory, recording }: ProductHost, kernel: CallKernel): Compiled {
  const { routine, numbers } = kernel
  const blocks = [...kernel.inputs, kernel.output]
  const facts: CallFacts = {
    dtypes: blocks.map((b) => b.dtype),
    sizes: blocks.map((b) => b.size),
    // JSON has no infinities.
    numbers: numbers.map((x) => (Number.isFinite(x) ? x : String(x))),
  }
  const bytes = new TextEncoder().encode(JSON.stringify(facts))
  const code: Code = { kind: 'routine', name: routine, bytes }
  const call = callRoutine(wasmMemory, bytes, routine)
  return {
    run(addresses) {
      const places = blocks.map(({ dtype, offset }, i) => addresses[i]! + offset * itemSize(dtype))
      if (recording.sink !== null) recording.sink.call(code, places)
      else call(...places)
    },
  }
}

/** The function of addresses that runs a routine on a memory; `bytes` hold its facts. */
export function callRoutine(
  memory: WebAssembly.Memory,
  bytes: Uint8Array,
  name: string,
): (...addresses: number[]) => void {
  const text = new TextDecoder().decode(bytes)
  const { dtypes, sizes, numbers } = JSON.parse(text) as CallFacts
  const settings = numbers.map(Number)
  return (...addresses) => {
    const stored = dtypes.map((dtype, i) => {
      const { array } = dtypeInfo(dtype)
      return sizes[i] === 0 ? new array(0) : new array(memory.buffer, addresses[i]!, sizes[i]!)
    })
    runRoutine(name as RoutineName, stored, dtypes, settings)
  }
}
