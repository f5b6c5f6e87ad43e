/** The thread pool: who runs what and when, order between streams, failures, and threads that die. */

import { describe, expect, it } from 'vitest'
import type { Backend, Compiled } from '../../../src/backend/backend.ts'
import { ModuleBuilder } from '../../../src/backend/wasm/module.ts'
import { MXNetError } from '../../../src/base/error.ts'
import { binary, load, param } from '../../../src/prim/expr.ts'
import { bytesOf, data, elements, mapKernel } from '../kernels.ts'
import { makePool, running } from './rig.ts'

const size = 1 << 16
const plusParam = binary('add', load(0, 'float32'), param(0, 'float32'))
const kernel = mapKernel([size], ['float32'], [plusParam])

/** A block of float32 zeros. */
function zeros(backend: Backend): number {
  const address = backend.alloc(size * 4)
  backend.write(address, new Uint8Array(size * 4))
  return address
}

const first = async (backend: Backend, address: number): Promise<number> =>
  elements('float32', await backend.read(address, 4))[0] as number

async function pair() {
  const rig = makePool(false)
  await running(rig.pool)
  return { ...rig, a: rig.pool.stream(0), b: rig.pool.stream(1) }
}

describe('work', () => {
  it('is handed over where it is long and run here where it is short', async () => {
    const { pool } = makePool(false, { handOver: 250_000 })
    await running(pool)
    const backend = pool.stream(0)
    const x = zeros(backend)
    backend.compile(kernel).run([x, x], [1])
    expect(pool.submissions).toBe(0)
    const long = backend.compile(mapKernel([1 << 24], ['float32'], [plusParam]))
    const [from, to] = [backend.alloc(2 ** 26), backend.alloc(2 ** 26)]
    long.run([from, to], [1])
    expect(pool.submissions).toBe(1)
    // What follows keeps its place behind it, however short it is.
    backend.compile(kernel).run([to, x], [1])
    expect(pool.submissions).toBe(2)
    await backend.sync()
    pool.stop()
  })

  it('is laid out as the backend underneath wants it', () => {
    for (const channelsLast of [true, false]) {
      const { pool } = makePool(false, { wrap: (inner) => ({ ...inner, channelsLast }) })
      expect(pool.stream(0).channelsLast).toBe(channelsLast)
      pool.stop()
    }
  })

  it('of a chain runs in order, whatever is read or written meanwhile', async () => {
    const { pool, a } = await pair()
    const compiled = a.compile(kernel)
    const x = zeros(a)
    const reads: Promise<number>[] = []
    for (let i = 0; i < 300; i++) {
      compiled.run([x, x], [1])
      if (i % 7 === 0) reads.push(first(a, x))
    }
    const values = await Promise.all(reads)
    values.forEach((v, i) => {
      expect(v).toBe(i * 7 + 1)
    })
    expect(await first(a, x)).toBe(300)
    pool.stop()
  })

  it('of one stream waits for that of another where it is told to', async () => {
    const { pool, a, b } = await pair()
    const compiled = { a: a.compile(kernel), b: b.compile(kernel) }
    const x = zeros(a)
    for (let i = 0; i < 200; i++) {
      compiled.a.run([x, x], [1])
      b.waitFor!(a, a.mark!())
      compiled.b.run([x, x], [1])
      a.waitFor!(b, b.mark!())
    }
    await b.sync()
    expect(await first(b, x)).toBe(400)
    pool.stop()
  })

  it('goes on with another number of threads', async () => {
    const { pool, a } = await pair()
    const compiled = a.compile(kernel)
    const x = zeros(a)
    for (const threads of [1, 3, 2, 1]) {
      for (let i = 0; i < 10; i++) compiled.run([x, x], [1])
      pool.resize(threads)
      if (threads > 1) await running(pool)
    }
    expect(await first(a, x)).toBe(40)
    pool.stop()
  })

  it('gives blocks back only when nobody uses them any more', async () => {
    const { pool, a } = await pair()
    const compiled = a.compile(kernel)
    const sums: Promise<number>[] = []
    for (let i = 0; i < 100; i++) {
      const x = a.alloc(size * 4)
      a.write(x, bytesOf(data('float32', [i, ...new Array<number>(size - 1).fill(0)])))
      const y = a.alloc(size * 4)
      compiled.run([x, y], [0.5])
      a.free(x)
      sums.push(first(a, y))
      a.free(y)
    }
    expect(await Promise.all(sums)).toEqual(Array.from({ length: 100 }, (_, i) => i + 0.5))
    await a.sync()
    pool.stop()
  })

  it('is noted with its operator and time where somebody wants to know', async () => {
    const { pool } = makePool(false, { origin: () => () => ({ operator: 'exp', place: '' }) })
    await running(pool)
    const a = pool.stream(0)
    const x = zeros(a)
    const compiled = a.compile(kernel)
    compiled.run([x, x], [1])
    await a.sync()
    const before = performance.now()
    expect(a.trace!(true)).toEqual([])
    for (let i = 0; i < 3; i++) compiled.run([x, x], [1])
    await a.sync()
    const spans = a.trace!(false)
    expect(spans.length).toBeGreaterThanOrEqual(3)
    for (const { name, start, end, thread } of spans) {
      expect(name).toBe('exp')
      expect([0, 1]).toContain(thread)
      expect(end).toBeGreaterThanOrEqual(start)
      expect(start).toBeGreaterThan(before - 5)
      expect(end).toBeLessThan(performance.now() + 5)
    }
    compiled.run([x, x], [1])
    await a.sync()
    expect(a.trace!(false)).toEqual([])
    pool.stop()
  })

  it('of many calls is cut to fit the ring', async () => {
    const { pool, a } = await pair()
    const [batch, n] = [3000, 8]
    const operand = { dtype: 'float32' as const, strides: [n * n, n, 1], offset: 0 }
    const product = a.compile({
      kind: 'contract',
      dtype: 'float32',
      b: batch,
      m: n,
      n,
      k: n,
      lhs: operand,
      rhs: operand,
      inputs: [],
      output: operand,
      epilogue: { kind: 'acc', slot: 0, dtype: 'float32' },
    })
    const bytes = batch * n * n * 4
    const [x, y] = [a.alloc(bytes), a.alloc(bytes)]
    a.write(x, bytesOf(data('float32', new Array<number>(batch * n * n).fill(0.5))))
    for (let i = 0; i < 5; i++) product.run([x, x, y], [])
    const result = elements('float32', await a.read(y, bytes)) as Float32Array
    expect(result.every((v) => v === 2)).toBe(true)
    pool.stop()
  })
})

/** A pool over WebAssembly whose kernels of one element trap. */
function faulty() {
  const m = new ModuleBuilder({ memory: null })
  const f = m.func([], [], 'run')
  f.i32(1).i32(0).op('i32.div_s').set(f.local('i32'))
  const bytes = m.assemble()
  const trap: Compiled = {
    run: () => {},
    send: (sink) => sink.call({ kind: 'wasm', name: 'run', bytes }, []),
  }
  return makePool(false, {
    wrap: (inner) => ({
      ...inner,
      compile: (k) => (k.kind === 'loop' && k.dims[0] === 1 ? trap : inner.compile(k)),
    }),
    origin: () => () => ({ operator: 'exp', place: ' (in net0.dense1, at main.ts:3:7)' }),
  })
}

describe('failures', () => {
  it('show up at the next read, with operator, layers and line, once', async () => {
    const { pool } = faulty()
    await running(pool)
    const a = pool.stream(0)
    const x = zeros(a)
    const good = a.compile(kernel)
    good.run([x, x], [1])
    a.compile(mapKernel([1], ['float32'], [plusParam])).run([x, x], [1])
    good.run([x, x], [1])
    await expect(a.sync()).rejects.toThrow(
      /^\[exp\] divide by zero \(in net0\.dense1, at main\.ts:3:7\)$/,
    )
    await a.sync()
    expect(await first(a, x)).toBe(2)
    pool.stop()
  })

  it('of a thread that dies are errors, not hangs, and work goes on here', async () => {
    const { pool, workers } = makePool(false)
    await running(pool)
    const a = pool.stream(0)
    const x = zeros(a)
    const y = zeros(a)
    const compiled = a.compile(kernel)
    await workers[0]!.terminate()
    compiled.run([x, x], [1])
    await expect(a.read(x, 4)).rejects.toThrow(MXNetError)
    compiled.run([y, y], [1])
    expect(await first(a, y)).toBe(1)
    expect(() => pool.resize(2)).not.toThrow()
    await running(pool)
    compiled.run([y, y], [1])
    expect(await first(a, y)).toBe(2)
    pool.stop()
  })
})
