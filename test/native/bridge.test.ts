/** The native bridge by itself: products against plain loops, refusals, copies, and holders found by the collector. */

import { spawnSync } from 'node:child_process'
import { existsSync, mkdtempSync, rmSync } from 'node:fs'
import { createRequire } from 'node:module'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { Worker } from 'node:worker_threads'
import { describe, expect, test } from 'vitest'
import type { NativeBridge } from '../../src/backend/onednn/bridge.ts'

const file = fileURLToPath(new URL('../../native/build/bridge.node', import.meta.url))
const reason =
  process.env.MXNET_BACKEND === 'wasm'
    ? 'MXNET_BACKEND=wasm'
    : existsSync(file)
      ? undefined
      : 'native/build/bridge.node is not built'

const pages = 256
const maxPages = 1024
const memory = new WebAssembly.Memory({ initial: pages, maximum: maxPages, shared: true })
const floats = new Float32Array(memory.buffer)
const bytes = new Uint8Array(memory.buffer)

// Where the operands lie, in elements.
const lhsAt = 1 << 10
const rhsAt = 1 << 18
const outAt = 1 << 20
const biasAt = (1 << 20) + (1 << 19)
const counterAt = 64

function load(): NativeBridge {
  const bridge: NativeBridge = createRequire(import.meta.url)(file)
  bridge.attach(bytes, maxPages * 65536)
  bridge.setPendingCounter(counterAt)
  return bridge
}

type Strides = readonly [number, number, number]

interface Product {
  batch?: number
  m: number
  n: number
  k: number
  lhs?: Strides
  rhs?: Strides
  out?: Strides
  biasMode?: 0 | 1 | 2 | 3
  bias?: Strides
  activation?: number
  accumulate?: boolean
  dtype?: number
}

function complete(p: Product) {
  const { batch = 1, m, n, k, biasMode = 0, activation = 0, accumulate = false, dtype = 0 } = p
  const rows = (r: number, c: number): Strides => [r * c, c, 1]
  const { lhs = rows(m, k), rhs = rows(k, n), out = rows(m, n), bias = [0, 0, 0] } = p
  return { batch, m, n, k, lhs, rhs, out, biasMode, bias, activation, accumulate, dtype }
}

function describeProduct(p: Product): Float64Array {
  const { batch, m, n, k, lhs, rhs, out, biasMode, bias, activation, accumulate, dtype } =
    complete(p)
  return Float64Array.of(
    ...[dtype, batch, m, n, k],
    ...lhs,
    ...rhs,
    ...out,
    ...[biasMode, ...bias, activation, accumulate ? 1 : 0],
  )
}

let seed = 1
/** Numbers in [-0.5, 0.5), the same in every run. */
function random(): number {
  seed = (Math.imul(seed, 1664525) + 1013904223) >>> 0
  return seed / 2 ** 32 - 0.5
}

const activations: readonly ((x: number) => number)[] = [
  (x) => x,
  (x) => Math.max(x, 0),
  (x) => 1 / (1 + Math.exp(-x)),
  Math.tanh,
  (x) => Math.max(x, 0) + Math.log1p(Math.exp(-Math.abs(x))),
]

/** Runs a product and plain loops beside it; returns the largest difference, Infinity where it wrote outside `out`. */
function difference(bridge: NativeBridge, product: Product): number {
  const p = complete(product)
  const biasStrides: Strides = p.biasMode === 1 ? [0, 0, 1] : p.biasMode === 2 ? [0, 1, 0] : p.bias
  const extent = ([b, r, c]: Strides, rows: number, cols: number) =>
    1 + (p.batch - 1) * b + (rows - 1) * r + (cols - 1) * c
  const scatter = (start: number, length: number) => {
    for (let i = 0; i < length; i++) floats[start + i] = random()
  }
  scatter(lhsAt, extent(p.lhs, p.m, p.k))
  scatter(rhsAt, extent(p.rhs, p.k, p.n))
  scatter(biasAt, extent(biasStrides, p.m, p.n))
  const outLength = extent(p.out, p.m, p.n) + 8
  scatter(outAt, outLength)
  const want = Float64Array.from(floats.subarray(outAt, outAt + outLength))
  const place = (s: Strides, b: number, i: number, j: number) => b * s[0] + i * s[1] + j * s[2]
  for (let b = 0; b < p.batch; b++) {
    for (let i = 0; i < p.m; i++) {
      for (let j = 0; j < p.n; j++) {
        const at = place(p.out, b, i, j)
        let sum = p.accumulate ? want[at]! : 0
        if (p.biasMode !== 0) sum += floats[biasAt + place(biasStrides, b, i, j)]!
        for (let q = 0; q < p.k; q++) {
          sum += floats[lhsAt + place(p.lhs, b, i, q)]! * floats[rhsAt + place(p.rhs, b, q, j)]!
        }
        want[at] = activations[p.activation]!(sum)
      }
    }
  }
  const handle = bridge.matmulCreate(describeProduct(product))
  expect(handle).toBeGreaterThanOrEqual(0)
  expect(bridge.matmulRun(handle, lhsAt * 4, rhsAt * 4, outAt * 4, biasAt * 4)).toBe(0)
  bridge.matmulFree(handle)
  let worst = 0
  want.forEach((value, i) => {
    worst = Math.max(worst, Math.abs(value - floats[outAt + i]!) / (1 + Math.abs(value)))
  })
  return worst
}

/** Rounding of a float32 sum of k products below 1/4 grows like the square root of k. */
const tolerance = (k: number) => 2 ** -21 * (4 + Math.sqrt(k))
const layouts = ['rows', 'columns', 'padded rows', 'padded columns'] as const
function strides(layout: (typeof layouts)[number], rows: number, cols: number): Strides {
  const pad = layout.startsWith('padded') ? 3 : 0
  if (layout.endsWith('rows')) return [rows * (cols + pad), cols + pad, 1]
  return [cols * (rows + pad), 1, rows + pad]
}

describe.skipIf(reason !== undefined)(`native bridge${reason ? ` (${reason})` : ''}`, () => {
  test('says what it is', () => {
    const { bridge, onednn, isa } = load().versions()
    expect(bridge).toBe(1)
    expect(onednn).toMatch(/^2\.\d+\.\d+$/)
    expect(isa).toMatch(/^\w+$/)
  })

  test.each([
    [64, 64, 784],
    [64, 10, 64],
    [10, 64, 64],
    [1, 64, 70],
    [64, 1, 70],
    [3, 5, 7],
    [200, 16, 33],
    [1, 1, 1],
    [2, 512, 512],
  ])('%d x %d x %d in every layout', (m, n, k) => {
    const bridge = load()
    for (const lhs of layouts) {
      for (const rhs of layouts) {
        for (const out of ['rows', 'columns', 'padded columns'] as const) {
          const product = {
            ...{ m, n, k },
            lhs: strides(lhs, m, k),
            rhs: strides(rhs, k, n),
            out: strides(out, m, n),
          }
          expect(difference(bridge, product), `${lhs} ${rhs} ${out}`).toBeLessThan(tolerance(k))
        }
      }
    }
  })

  test('bias, activation, accumulate, alone and together', () => {
    const bridge = load()
    const biases: Pick<Product, 'biasMode' | 'bias'>[] = [
      { biasMode: 0 },
      { biasMode: 1 },
      { biasMode: 2 },
      { biasMode: 3, bias: [0, 20, 1] },
      { biasMode: 3, bias: [0, 1, 40] },
      { biasMode: 3, bias: [0, 0, 2] },
      { biasMode: 3, bias: [0, 0, 0] },
    ]
    for (const [m, n, k] of [
      [33, 18, 20],
      [1, 18, 20],
      [40, 1, 20],
      [40, 300, 20],
    ] as const) {
      for (const bias of biases) {
        for (let activation = 0; activation < 5; activation++) {
          for (const accumulate of [false, true]) {
            for (const layout of ['rows', 'columns'] as const) {
              const out = strides(layout, m, n)
              const product = { m, n, k, out, ...bias, activation, accumulate }
              expect(difference(bridge, product), JSON.stringify(product)).toBeLessThan(
                tolerance(k),
              )
            }
          }
        }
      }
    }
  })

  test('batches, shared operands, stacks that are one matrix', () => {
    const bridge = load()
    const [batch, m, n, k] = [4, 6, 9, 12]
    const base = { batch, m, n, k }
    const cases: Product[] = [
      base,
      { ...base, lhs: [0, k, 1] },
      { ...base, rhs: [0, n, 1], biasMode: 1, activation: 1 },
      { ...base, rhs: [0, 1, k], biasMode: 3, bias: [m * n, n, 1] },
      { ...base, rhs: [0, n, 1], biasMode: 3, bias: [1, 0, 0] },
      { ...base, lhs: [0, k, 1], rhs: [0, n, 1] },
      { ...base, lhs: [m * k, 1, m], rhs: [k * n, 1, k], out: [m * n, 1, m], biasMode: 2 },
      { ...base, lhs: [k, batch * k, 1], rhs: [k, 1, batch * k], activation: 2 },
      { ...base, out: [n, batch * n, 1], accumulate: true },
      { ...base, m: 1, lhs: [k, k, 1], out: [n, n, 1] },
      { ...base, n: 1, rhs: [k, 1, 1], out: [m, 1, 1] },
    ]
    for (const product of cases) {
      expect(difference(bridge, product), JSON.stringify(product)).toBeLessThan(tolerance(k))
    }
  })

  test('the bias may be the output itself', () => {
    const bridge = load()
    floats.fill(1, lhsAt, lhsAt + 6)
    floats.fill(1, rhsAt, rhsAt + 6)
    floats.set([1, 2, 3, 4], outAt)
    const handle = bridge.matmulCreate(
      describeProduct({ m: 2, n: 2, k: 3, biasMode: 3, bias: [0, 2, 1] }),
    )
    bridge.matmulRun(handle, lhsAt * 4, rhsAt * 4, outAt * 4, outAt * 4)
    expect([...floats.subarray(outAt, outAt + 4)]).toEqual([4, 5, 6, 7])
    bridge.matmulFree(handle)
  })

  test.each([0, 1, 2, 3, 4])('activation %d keeps NaN', (activation) => {
    const bridge = load()
    for (const [m, n, k] of [
      [1, 8, 8],
      [32, 32, 32],
      [20, 600, 600],
    ] as const) {
      const handle = bridge.matmulCreate(describeProduct({ m, n, k, biasMode: 1, activation }))
      floats.fill(1, rhsAt, rhsAt + k * n)
      floats.fill(1, lhsAt, lhsAt + m * k)
      floats.fill(1, biasAt, biasAt + n)
      floats[lhsAt] = Number.NaN
      bridge.matmulRun(handle, lhsAt * 4, rhsAt * 4, outAt * 4, biasAt * 4)
      expect(floats[outAt]).toBeNaN()
      expect(floats[outAt + n - 1]).toBeNaN()
      bridge.matmulFree(handle)
    }
  })

  test('pooling refuses sizes that are none, bad handles, and arrays outside of the memory', () => {
    const bridge = load()
    const axis = [8, 2, 4, 2, 1, 0]
    const strides = [512, 64, 8, 128, 32, 8, 512, 64, 8]
    const spec = (mode: number, ...sizes: number[]) =>
      Float64Array.of(mode, ...sizes, ...axis, ...axis, ...strides)
    for (const bad of [spec(2, 1, 8), spec(0, 0, 8), spec(1, 1, 0.5), spec(1, -1, 8)])
      expect(bridge.poolCreate(bad)).toBe(-1)
    expect(() => bridge.poolCreate(Float64Array.of(1, 2))).toThrow('[poolCreate]')
    const handle = bridge.poolCreate(spec(1, 1, 8))
    expect(() => bridge.poolRun(handle + 1, 0, 4096, 8192)).toThrow('is no handle')
    const end = maxPages * 65536
    expect(() => bridge.poolRun(handle, 0, 4096, end - 4)).toThrow('leave the attached memory')
    bridge.poolFree(handle)
    expect(() => bridge.poolFree(handle)).toThrow('is no handle')
  })

  test('refuses with -1 what oneDNN should not run', () => {
    const bridge = load()
    const base = { m: 4, n: 4, k: 4 }
    const refused: Product[] = [
      { ...base, dtype: 1 },
      { ...base, lhs: [16, 8, 2] },
      { ...base, rhs: [16, 0, 1] },
      { ...base, out: [16, 8, 2] },
      { ...base, batch: 2, out: [0, 4, 1] },
      { ...base, activation: 5 },
      { ...base, k: 0 },
      { ...base, m: 2.5 },
      { ...base, lhs: [16, -4, 1] },
      { ...base, n: Number.NaN },
    ]
    for (const product of refused) {
      expect(bridge.matmulCreate(describeProduct(product)), JSON.stringify(product)).toBe(-1)
    }
    expect(() => bridge.matmulCreate(new Float64Array(3))).toThrow('20 numbers')
  })

  test('handles: thrown out when bad, used again when freed', () => {
    const bridge = load()
    const spec = describeProduct({ m: 2, n: 2, k: 2, biasMode: 1 })
    const handle = bridge.matmulCreate(spec)
    const limit = maxPages * 65536
    expect(() => bridge.matmulRun(-1, 0, 0, 0, 0)).toThrow('-1 is no handle')
    expect(() => bridge.matmulRun(9999, 0, 0, 0, 0)).toThrow('9999 is no handle')
    expect(() => bridge.matmulRun(handle, -4, 0, 0, 0)).toThrow('lhs')
    expect(() => bridge.matmulRun(handle, 0, limit - 12, 0, 0)).toThrow('rhs')
    expect(() => bridge.matmulRun(handle, 0, 0, Number.NaN, 0)).toThrow('out')
    expect(() => bridge.matmulRun(handle, 0, 0, 0, limit)).toThrow('bias')
    bridge.matmulFree(handle)
    expect(() => bridge.matmulRun(handle, 0, 0, 0, 0)).toThrow('no handle')
    expect(() => bridge.matmulFree(handle)).toThrow('no handle')
    expect(bridge.matmulCreate(spec)).toBe(handle)
    bridge.matmulFree(handle)
  })

  test('copy and fill, also in memory that has grown', () => {
    const bridge = load()
    const start = memory.grow(1) * 65536
    const view = new Uint8Array(memory.buffer)
    bridge.fill(start, 7, 100)
    bridge.copy(start + 50, start, 100)
    expect([...view.subarray(start + 148, start + 152)]).toEqual([7, 7, 0, 0])
    bridge.copy(start + 1, start, 200)
    expect([...view.subarray(start + 150, start + 152)]).toEqual([7, 0])
    expect(() => bridge.copy(0, maxPages * 65536, 1)).toThrow('leave the memory')
    expect(() => bridge.fill(0, 0, -1)).toThrow('leave the memory')
  })

  test('slots of garbage come back inside a synchronous loop', () => {
    const bridge = load()
    const counter = new Uint32Array(memory.buffer, counterAt, 1)
    const out = new Int32Array(16)
    const state = new Map<number, 'held' | 'free'>()
    let back = 0
    // When the collector runs is its own affair; that it runs again and again is ours.
    for (let slot = 0; back < 3000; slot++) {
      if (slot === 30_000) expect.fail(`${back} of ${slot} slots came back`)
      bridge.watch({ slot }, slot, 1 << 20)
      state.set(slot, 'held')
      while (counter[0]! > 0) {
        const before = counter[0]!
        const count = bridge.drain(out)
        expect(count).toBe(Math.min(before, out.length))
        expect(counter[0]).toBe(before - count)
        for (const freed of out.subarray(0, count)) {
          if (state.get(freed) !== 'held') throw new Error(`slot ${freed} came back twice`)
          state.set(freed, 'free')
          back++
        }
      }
    }
    expect(bridge.drain(out)).toBe(0)
  })

  test('forgotten bytes weigh no more; holders that live stay', () => {
    const bridge = load()
    const counter = new Uint32Array(memory.buffer, counterAt, 1)
    const out = new Int32Array(4096)
    while (bridge.drain(out) > 0);
    const held = Array.from({ length: 2000 }, (_, i) => ({ i }))
    held.forEach((holder, i) => {
      bridge.watch(holder, 10_000 + i, 1 << 20)
      bridge.forget(10_000 + i)
      bridge.forget(10_000 + i)
    })
    while (counter[0]! > 0) {
      const count = bridge.drain(out)
      expect(out.subarray(0, count).every((slot) => slot < 10_000)).toBe(true)
    }
    expect(held.length).toBe(2000)
    expect(() => bridge.forget(1 << 27)).toThrow('never watched')
    expect(() => bridge.watch({}, -1, 8)).toThrow('slot -1')
    expect(() => bridge.watch(5 as unknown as object, 1, 8)).toThrow('no object')
    expect(() => bridge.drain(new Uint8Array(4) as unknown as Int32Array)).toThrow('Int32Array')
  })

  test('workers have bridges of their own and end without a crash', async () => {
    const program = `
      const { parentPort, workerData } = require('node:worker_threads')
      const bridge = require(workerData.file)
      bridge.attach(new Uint8Array(workerData.memory.buffer), ${maxPages * 65536})
      const handle = bridge.matmulCreate(Float64Array.of(0,1,2,2,2, 4,2,1, 4,2,1, 4,2,1, 0,0,0,0, 0,0))
      const { at } = workerData
      bridge.matmulRun(handle, at, at + 16, at + 32, 0)
      for (let i = 0; i < 200; i++) bridge.watch({}, i, 1 << 20)
      parentPort.postMessage(handle)`
    const codes = await Promise.all(
      [0, 1].map((i) => {
        const at = (lhsAt + i * 64) * 4
        floats.set([1, 2, 3, 4, 1, 0, 0, 1], at / 4)
        const worker = new Worker(program, { eval: true, workerData: { file, memory, at } })
        return new Promise<number>((resolve, reject) => {
          worker.once('error', reject)
          worker.once('exit', resolve)
        })
      }),
    )
    expect(codes).toEqual([0, 0])
    for (const i of [0, 1]) {
      const at = lhsAt + i * 64 + 8
      expect([...floats.subarray(at, at + 4)]).toEqual([1, 2, 3, 4])
    }
  })

  test('signals do not disturb a product: a profiler may look on', () => {
    const folder = mkdtempSync(join(tmpdir(), 'bridge-'))
    const product = `
      const bridge = require(${JSON.stringify(file)})
      const memory = new WebAssembly.Memory({ initial: 512, maximum: 512, shared: true })
      bridge.attach(new Uint8Array(memory.buffer), memory.buffer.byteLength)
      const spec = [0, 1, 256, 512, 512, 0, 512, 1, 0, 512, 1, 0, 512, 1, 0, 0, 0, 0, 0, 0]
      const handle = bridge.matmulCreate(Float64Array.from(spec))
      const end = Date.now() + 500
      while (Date.now() < end) bridge.matmulRun(handle, 0, 1 << 20, 1 << 22, 0)`
    const args = [
      '--cpu-prof',
      '--cpu-prof-interval',
      '100',
      '--cpu-prof-dir',
      folder,
      '-e',
      product,
    ]
    const { status, signal, stderr } = spawnSync(process.execPath, args, { encoding: 'utf8' })
    rmSync(folder, { recursive: true })
    expect([status, signal, stderr]).toEqual([0, null, ''])
  })
})
