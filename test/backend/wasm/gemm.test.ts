import { describe, expect, it } from 'vitest'
import {
  emitGemm,
  emitGemmCore,
  gemmCoreModule,
  gemmScratchBytes,
  importGemmCore,
  type Real,
} from '../../../src/backend/wasm/gemm.ts'
import { ModuleBuilder } from '../../../src/backend/wasm/module.ts'
import { hasRelaxedSimd } from '../../../src/backend/wasm/relaxed.ts'

type Gemm = (...args: number[]) => void

const memory = new WebAssembly.Memory({ initial: 512, maximum: 65536, shared: true })
const env = { memory }

function core(type: Real, relaxed: boolean): WebAssembly.Exports {
  const module = new WebAssembly.Module(gemmCoreModule(type, relaxed))
  return new WebAssembly.Instance(module, { env }).exports
}

/** A matrix by element strides, in a region of its own. */
interface Layout {
  readonly rows: number
  readonly columns: number
  readonly sr: number
  readonly sc: number
}

const rowMajor = (rows: number, columns: number, gap = 0): Layout => ({
  rows,
  columns,
  sr: columns + gap,
  sc: 1,
})
const columnMajor = (rows: number, columns: number, gap = 0): Layout => ({
  rows,
  columns,
  sr: 1,
  sc: rows + gap,
})
const sparse = (rows: number, columns: number): Layout => ({
  rows,
  columns,
  sr: 3 * columns + 2,
  sc: 3,
})
const extent = ({ rows, columns, sr, sc }: Layout) =>
  rows * columns === 0 ? 0 : (rows - 1) * sr + (columns - 1) * sc + 1

let seed = 1
function random(): number {
  seed = (Math.imul(seed, 1103515245) + 12345) & 0x7fffffff
  return (seed >> 8) / 0x800000 - 0.5
}

let aIsLast = false

const GUARD = 64
const SENTINEL = 123.25

interface Options {
  readonly type?: Real
  readonly accumulate?: boolean
  /** The expected change of an element of C after the product. */
  readonly after?: (value: number, row: number, column: number) => number
  readonly extra?: readonly number[]
}

/** Runs a product with guards around C and scratch, and compares it with three loops. */
function check(gemm: Gemm, a: Layout, b: Layout, c: Layout, options: Options = {}): void {
  const type = options.type ?? 'float32'
  const View = type === 'float32' ? Float32Array : Float64Array
  const size = View.BYTES_PER_ELEMENT
  const [m, n, k] = [a.rows, b.columns, a.columns]
  // A and B end where the memory ends in turn, so that a read past them traps.
  const top = memory.buffer.byteLength
  const last = aIsLast ? a : b
  const lastAt = top - extent(last) * size
  const first = last === a ? b : a
  const firstAt = lastAt - extent(first) * size
  const [aAt, bAt] = aIsLast ? [lastAt, firstAt] : [firstAt, lastAt]
  aIsLast = !aIsLast
  const cAt = 65536
  const scratchBytes = gemmScratchBytes(m, n, k, type)
  const scratch = (cAt + (extent(c) + 2 * GUARD) * size + 63) & -64
  const guardEnd = scratch + scratchBytes + GUARD * size
  expect(guardEnd).toBeLessThanOrEqual(firstAt)

  const all = new View(memory.buffer)
  const A = all.subarray(aAt / size, aAt / size + extent(a))
  const B = all.subarray(bAt / size, bAt / size + extent(b))
  for (const x of [A, B]) for (let i = 0; i < x.length; i++) x[i] = random()
  const guarded = all.subarray(cAt / size, guardEnd / size)
  guarded.fill(SENTINEL)
  const base = GUARD
  const at = (i: number, j: number) => base + i * c.sr + j * c.sc
  const want = new Map<number, number>()
  const accumulate = options.accumulate === true
  for (let i = 0; i < m; i++) {
    for (let j = 0; j < n; j++) {
      let sum = accumulate ? SENTINEL : 0
      for (let p = 0; p < k; p++) sum += A[i * a.sr + p * a.sc]! * B[p * b.sr + j * b.sc]!
      want.set(at(i, j), options.after ? options.after(sum, i, j) : sum)
    }
  }
  gemm(
    ...[m, n, k, aAt, a.sr, a.sc, bAt, b.sr, b.sc, cAt + base * size, c.sr, c.sc, scratch],
    ...[accumulate ? 1 : 0, ...(options.extra ?? [])],
  )
  const tolerance =
    (type === 'float32' ? 2e-6 : 1e-14) * (accumulate ? 200 : 1) * (8 + Math.sqrt(k))
  const scratchFrom = (scratch - cAt) / size
  const scratchTo = scratchFrom + scratchBytes / size
  const wrong: string[] = []
  for (let i = 0; i < guarded.length; i++) {
    if (i >= scratchFrom && i < scratchTo) continue
    const expected = want.get(i)
    if (expected === undefined) {
      if (guarded[i] !== SENTINEL) wrong.push(`guard ${i}: ${guarded[i]}`)
    } else if (!(Math.abs(guarded[i]! - expected) <= tolerance)) {
      wrong.push(`element ${i}: ${guarded[i]}, not ${expected}`)
    }
  }
  expect(wrong.slice(0, 4), `${m}x${n}x${k}`).toEqual([])
}

const SIZES = [0, 1, 2, 3, 5, 7, 17, 33]
const variants: [Real, boolean][] = [
  ['float32', false],
  ['float64', false],
]
if (hasRelaxedSimd()) variants.push(['float32', true], ['float64', true])

describe.each(variants)('gemm %s relaxed=%s', (type, relaxed) => {
  const gemm = core(type, relaxed)[`gemm_${type}`] as Gemm

  it('agrees with three loops for small sizes in every orientation', () => {
    for (const m of SIZES) {
      for (const n of SIZES) {
        for (const k of SIZES) {
          for (const left of [rowMajor, columnMajor]) {
            for (const right of [rowMajor, columnMajor]) {
              check(gemm, left(m, k), right(k, n), rowMajor(m, n), { type })
            }
          }
        }
      }
    }
  })

  it('takes strides with gaps, accumulates, and writes C in any layout', () => {
    for (const [m, n, k] of [
      [1, 1, 1],
      [1, 33, 17],
      [33, 1, 17],
      [2, 40, 9],
      [9, 2, 40],
      [17, 7, 33],
      [12, 24, 16],
      [131, 20, 5],
      [5, 131, 20],
    ] as const) {
      for (const left of [rowMajor(m, k, 3), columnMajor(m, k, 2), sparse(m, k)]) {
        for (const right of [rowMajor(k, n, 5), columnMajor(k, n, 1), sparse(k, n)]) {
          for (const out of [rowMajor(m, n, 4), columnMajor(m, n, 3), sparse(m, n)]) {
            check(gemm, left, right, out, { type })
            check(gemm, left, right, out, { type, accumulate: true })
          }
        }
      }
    }
  })

  it('takes strides of zero', () => {
    for (const [m, n, k] of [
      [9, 13, 11],
      [1, 20, 30],
      [20, 1, 30],
    ] as const) {
      const a = { rows: m, columns: k, sr: 0, sc: 1 }
      const b = { rows: k, columns: n, sr: 1, sc: 0 }
      const one = (rows: number, columns: number) => ({ rows, columns, sr: 0, sc: 0 })
      check(gemm, a, rowMajor(k, n), rowMajor(m, n), { type })
      check(gemm, rowMajor(m, k), b, rowMajor(m, n), { type })
      check(gemm, one(m, k), one(k, n), rowMajor(m, n), { type })
    }
  })

  it('crosses every block boundary', () => {
    for (const [m, n, k] of [
      [101, 130, 400],
      [200, 150, 30],
      [3, 1100, 7],
      [140, 1030, 3],
      [7, 9, 1000],
    ] as const) {
      check(gemm, rowMajor(m, k), rowMajor(k, n), rowMajor(m, n), { type })
      check(gemm, columnMajor(m, k), columnMajor(k, n), rowMajor(m, n, 1), { type })
      check(gemm, rowMajor(m, k), columnMajor(k, n), rowMajor(m, n), { type, accumulate: true })
    }
  })
})

describe('gemm with an epilogue', () => {
  const SLOPE = 0.25
  const BIAS = 4096
  /** leaky(C + bias[column]), the bias address passed at run time, through an imported core. */
  function build(type: Real): Gemm {
    const m = new ModuleBuilder()
    const scalar = type === 'float32' ? 'f32' : 'f64'
    const vector = type === 'float32' ? 'f32x4' : 'f64x2'
    const shift = type === 'float32' ? 2 : 3
    emitGemm(
      m,
      importGemmCore(m, type, false),
      {
        params: ['i32'],
        apply(f, { column, columns, params }) {
          const t = columns === 1 ? scalar : vector
          f.get(params[0]!).get(column).i32(shift).op('i32.shl').op('i32.add')
          f.mem(columns === 1 ? `${scalar}.load` : 'v128.load').op(`${t}.add`)
          const x = f.local(columns === 1 ? scalar : 'v128')
          f.tee(x)
          if (columns === 1) f[scalar](SLOPE)
          else f[vector](SLOPE)
          f.op(`${t}.mul`).get(x).op(`${t}.max`).free(x)
        },
      },
      'gemm',
    )
    const module = new WebAssembly.Module(m.assemble())
    return new WebAssembly.Instance(module, { env, gemm: core(type, false) }).exports.gemm as Gemm
  }

  it.each(['float32', 'float64'] as const)('sees each %s element once, when complete', (type) => {
    const gemm = build(type)
    const bias = new (type === 'float32' ? Float32Array : Float64Array)(memory.buffer, BIAS, 1200)
    for (let j = 0; j < bias.length; j++) bias[j] = Math.fround(random())
    const after = (x: number, _: number, j: number) =>
      Math.max(x + bias[j]!, SLOPE * (x + bias[j]!))
    for (const [m, n, k] of [
      [4, 4, 0],
      [7, 13, 5],
      [1, 33, 40],
      [33, 2, 40],
      [101, 21, 800],
      [20, 1100, 3],
    ] as const) {
      for (const out of [rowMajor(m, n), columnMajor(m, n)]) {
        for (const left of [rowMajor(m, k), columnMajor(m, k)]) {
          const options = { type, after, extra: [BIAS] }
          check(gemm, left, rowMajor(k, n), out, options)
          check(gemm, left, columnMajor(k, n), out, options)
        }
      }
    }
  })

  it('gives the row and column of each element', () => {
    const m = new ModuleBuilder()
    let base = 0
    emitGemm(
      m,
      emitGemmCore(m, 'float32', false),
      {
        row(f, { row }) {
          base = f.local('i32')
          f.get(row).i32(1000).op('i32.mul').set(base)
        },
        apply(f, { column, columns }) {
          f.get(base).get(column).op('i32.add').op('f32.convert_i32_s')
          if (columns > 1) f.op('f32x4.splat').op('f32x4.add')
          else f.op('f32.add')
        },
      },
      'gemm',
    )
    const module = new WebAssembly.Module(m.assemble())
    const gemm = new WebAssembly.Instance(module, { env }).exports.gemm as Gemm
    const [rows, columns] = [110, 1030]
    gemm(rows, columns, 0, 0, 0, 0, 0, 0, 0, 65536, columns, 1, 1 << 20, 0)
    const c = new Float32Array(memory.buffer, 65536, rows * columns)
    for (const i of [0, 50, 96, 109]) {
      for (const j of [0, 3, 4, 1023, 1024, 1027, 1028, 1029]) {
        const start = j < 1028 ? j & -4 : j
        expect(c[i * columns + j]).toBe(i * 1000 + start)
      }
    }
  })
})
