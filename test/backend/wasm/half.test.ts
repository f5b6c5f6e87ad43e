/** 16-bit floats in WebAssembly: every pattern read, and numbers of all sizes written, in vectors and one by one. */

import { describe, expect, it } from 'vitest'
import { createWasmBackend } from '../../../src/backend/wasm/backend.ts'
import type { DType } from '../../../src/base/dtype.ts'
import { halfFormat } from '../../../src/base/half.ts'
import { binary, cast, constant, load } from '../../../src/prim/expr.ts'
import type { LoopKernel } from '../../../src/prim/kernel.ts'

const backend = createWasmBackend()

/** Runs a map over a line; `step` 2 leaves gaps, so that elements go one by one. */
function map(
  input: Uint8Array,
  from: DType,
  to: DType,
  count: number,
  step: number,
  wide: boolean,
) {
  const size = to === 'float32' ? 4 : 2
  const [a, b] = [backend.alloc(input.length), backend.alloc(count * size)]
  backend.write(a, input)
  const x = load(0, from)
  const body = wide
    ? cast(binary('add', cast(x, 'float64'), constant(0, 'float64')), to)
    : cast(x, to)
  const kernel: LoopKernel = {
    kind: 'loop',
    dims: [count],
    parallel: 1,
    inputs: [{ dtype: from, strides: [step], offset: 0 }],
    outputs: [{ dtype: to, strides: [1], offset: 0 }],
    body: [body],
    reduce: [],
    epilogue: [],
  }
  backend.compile(kernel).run([a, b], [])
  const out = backend.readSync(b, count * size)
  backend.free(a)
  backend.free(b)
  return out
}

const bytesOf = (x: Uint16Array | Float32Array): Uint8Array => new Uint8Array(x.buffer)
const ways = [
  ['in fours', 1, false],
  ['in twos', 1, true],
  ['one by one', 2, false],
] as const

describe.each(['float16', 'bfloat16'] as const)('%s', (dtype) => {
  const format = halfFormat(dtype)!
  it.each(ways)('reads every pattern %s', (_how, step, wide) => {
    const count = 65536 / step - 3
    const patterns = Uint16Array.from({ length: 65536 }, (_, i) => i)
    const got = new Float32Array(map(bytesOf(patterns), dtype, 'float32', count, step, wide).buffer)
    for (let i = 0; i < count; i++) {
      const want = format.decode(i * step)
      if (!Object.is(got[i], want)) expect.fail(`${i * step} is read as ${got[i]}, not ${want}`)
    }
  })
  it.each(ways)('writes numbers of all sizes %s', (_how, step, wide) => {
    const bits = new Int32Array(200_000)
    for (let i = 0; i < bits.length; i++) bits[i] = Math.imul(i, 0x9e3779b1)
    const values = new Float32Array(bits.buffer)
    // Ties and the limits of the format.
    values.set([1 + 2 ** -11, 1 + 2 ** -8, 65519, 65520, 2 ** -25, 3 * 2 ** -25, -0, Number.NaN])
    const count = values.length / step - 1
    const out = map(bytesOf(values), 'float32', dtype, count, step, wide)
    const got = new Uint16Array(out.buffer)
    for (let i = 0; i < count; i++) {
      const [have, want] = [format.decode(got[i]!), format.decode(format.encode(values[i * step]!))]
      if (!Object.is(have, want))
        expect.fail(`${values[i * step]} is written as ${have}, not ${want}`)
    }
  })
})
