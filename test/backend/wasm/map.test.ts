/** Maps on the WebAssembly backend: accuracy, special values, gathers, in-place work, and random programs. */

import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { createReferenceBackend } from '../../../src/backend/reference/reference.ts'
import { createWasmBackend } from '../../../src/backend/wasm/backend.ts'
import type { DType } from '../../../src/base/dtype.ts'
import {
  binary,
  cast,
  compare,
  constant,
  type Expr,
  index,
  load,
  param,
  randomBits,
  select,
  unary,
} from '../../../src/prim/expr.ts'
import type { LoopKernel } from '../../../src/prim/kernel.ts'
import { type UnaryName, unaryMeaning } from '../../../src/prim/scalar.ts'
import {
  type Data,
  data,
  denseOperand,
  execute,
  expectNear,
  mapKernel,
  smallValues,
  untouched,
} from '../kernels.ts'

const backend = createWasmBackend()
const reference = createReferenceBackend()

async function agree(kernel: LoopKernel, blocks: readonly Data[], params: number[] = []) {
  const expected = await execute(reference, kernel, blocks, params)
  const actual = await execute(backend, kernel, blocks, params)
  expected.forEach((e, j) => {
    expectNear(actual[j]!, e, 'value')
  })
}

/** The function on every element, by the backend. */
async function apply(op: UnaryName, values: readonly number[]): Promise<number[]> {
  const n = values.length
  const kernel = mapKernel([n], ['float32'], [unary(op, load(0, 'float32'))])
  const [out] = await execute(backend, kernel, [data('float32', values), untouched('float32', n)])
  return [...(out as Float32Array)]
}

/** The distance of neighbouring float32 at `x`. */
function ulp(x: number): number {
  const exponent = Math.max(Math.floor(Math.log2(Math.abs(x))), -126)
  return 2 ** (exponent - 23)
}

/** `count` float32 numbers between two positive ones, evenly spread over the exponents, of both signs. */
function logarithmic(low: number, high: number, count = 20000): number[] {
  const [a, b] = [Math.log(low), Math.log(high)]
  return Array.from({ length: count }, (_, i) => {
    const x = Math.fround(Math.exp(a + ((b - a) * (i >> 1)) / (count >> 1)))
    return i % 2 === 0 ? x : -x
  })
}

describe('transcendental functions of float32', () => {
  const cases: [UnaryName, number[], number][] = [
    ['exp', logarithmic(1e-6, 103), 1],
    ['expm1', logarithmic(1e-30, 88), 2],
    ['log', logarithmic(1e-44, 3e38).map(Math.abs), 1],
    ['log', logarithmic(0.5, 2).map(Math.abs), 1],
    ['log1p', logarithmic(1e-30, 3e38).map(Math.abs), 2],
    ['log1p', logarithmic(1e-30, 0.999), 2],
    ['tanh', logarithmic(1e-30, 12), 2],
    ['erf', logarithmic(1e-30, 6), 2],
  ]
  for (const [op, inputs, bound] of cases) {
    test(`${op} is within ${bound} ulp from ${inputs[0]} to ${inputs.at(-1)}`, async () => {
      const results = await apply(op, inputs)
      let worst = 0
      let at = 0
      inputs.forEach((x, i) => {
        const exact = unaryMeaning[op](x)
        if (Number.isNaN(exact)) return
        if (Math.abs(exact) > 3.4028235e38) return
        const error = Math.abs(results[i]! - exact) / ulp(exact)
        if (error > worst) [worst, at] = [error, x]
      })
      expect(worst, `${op}(${at})`).toBeLessThan(bound)
    })
  }

  test('sin and cos are within 1.2e-7, and right for large and special values', async () => {
    const inputs = [...logarithmic(1e-30, 8191), ...logarithmic(8192, 1e9, 100), 0, -0]
    for (const op of ['sin', 'cos'] as const) {
      const results = await apply(op, inputs)
      const errors = inputs.map((x, i) => Math.abs(results[i]! - unaryMeaning[op](x)))
      expect(Math.max(...errors)).toBeLessThan(1.2e-7)
      const special = await apply(op, [Number.NaN, Infinity, 1, -Infinity, 0.5, 0.25, 0.125])
      expect(special.map(Number.isNaN)).toEqual([true, true, false, true, false, false, false])
    }
    expect((await apply('sin', [-0]))[0]).toBe(-0)
  })

  test('special values', async () => {
    const inputs = [Number.NaN, Infinity, -Infinity, 0, -0, 1e-42, -1e-42, 3.4e38, -3.4e38, -1, 1]
    for (const op of ['exp', 'expm1', 'log', 'log1p', 'tanh', 'erf'] as const) {
      const results = await apply(op, inputs)
      inputs.forEach((x, i) => {
        const exact = Math.fround(unaryMeaning[op](Math.fround(x)))
        const near = Math.abs(results[i]! - exact) <= 2 * ulp(exact)
        expect(near || Object.is(results[i], exact), `${op}(${x}) is ${results[i]}`).toBe(true)
      })
    }
  })

  test('exp overflows, and its results may be subnormal', async () => {
    const [a, b, c, d] = await apply('exp', [88.72283, 88.72284, -103, -104.5])
    expect(a).toBeGreaterThan(3.4e38)
    expect(b).toBe(Infinity)
    expect(c).toBe(2 ** -149)
    expect(d).toBe(0)
  })

  test('an element has the same value wherever it stands', async () => {
    for (const op of ['exp', 'tanh', 'log'] as const) {
      const results = await apply(op, new Array(23).fill(0.7))
      expect(new Set(results).size).toBe(1)
    }
  })
})

describe('layout', () => {
  test('every length, and nothing beyond the end is written', async () => {
    for (let n = 1; n <= 70; n++) {
      for (const dtype of ['float32', 'float64', 'uint8', 'int32', 'bool', 'int64'] as const) {
        const kernel = mapKernel([n], [dtype], [binary('max', load(0, dtype), constant(1, dtype))])
        await agree(kernel, [smallValues(dtype, n), untouched(dtype, n + 9)])
      }
    }
  })

  test('output in the place of an input', async () => {
    for (const n of [1, 3, 4, 17, 64, 1001]) {
      const block = smallValues('float32', n)
      const other = smallValues('float32', n, 2)
      const step = binary('mul', param(0, 'float32'), load(1, 'float32'))
      const body = binary('sub', load(0, 'float32'), step)
      await agree(mapKernel([n], ['float32', 'float32'], [body]), [block, other, block], [0.5])
    }
  })

  test('several outputs, one in the place of an input', async () => {
    const n = 77
    const w = smallValues('float32', n)
    const sum = binary('add', load(0, 'float32'), load(1, 'float32'))
    const kernel = mapKernel(
      [n],
      ['float32', 'float32'],
      [binary('mul', sum, constant(2, 'float32')), compare('gt', sum, load(0, 'float32'))],
    )
    await agree(kernel, [w, smallValues('float32', n, 3), w, untouched('bool', n)])
  })

  test('long rows are copied and cleared in bulk', async () => {
    for (const dtype of ['float32', 'uint8', 'float64', 'int64'] as const) {
      const dims = [3, 300]
      const shape = { ...denseOperand(dtype, dims), strides: [320, 1], offset: 5 }
      const copy = { ...mapKernel(dims, [dtype], [load(0, dtype)]), inputs: [shape] }
      await agree(copy, [smallValues(dtype, 960), untouched(dtype, 900)])
      const zero = { ...mapKernel(dims, [], [constant(0, dtype)]), outputs: [shape] }
      await agree(zero, [untouched(dtype, 960)])
    }
  })

  test('transpositions, in pieces of the longer loops', async () => {
    for (const [m, n] of [
      [40, 37],
      [64, 33],
      [5, 100],
      [33, 4],
    ] as const) {
      for (const dtype of ['float32', 'uint8', 'float64'] as const) {
        const dims = [2, m, n]
        const across = { dtype, strides: [m * n, 1, m], offset: 0 }
        const sum = binary('add', load(0, dtype), load(1, dtype))
        const kernel = {
          ...mapKernel(dims, [dtype, dtype], [sum]),
          inputs: [across, denseOperand(dtype, dims)],
        }
        const blocks = [smallValues(dtype, 2 * m * n), smallValues(dtype, 2 * m * n, 2)]
        await agree(kernel, [...blocks, untouched(dtype, 2 * m * n + 4)])
      }
    }
  })

  test('a fill of -0 keeps the sign', async () => {
    const kernel = mapKernel([100], [], [constant(-0, 'float32')])
    const [out] = await execute(backend, kernel, [untouched('float32', 100)])
    expect([...out!].every((v) => Object.is(v, -0))).toBe(true)
  })

  test('guards on several dimensions', async () => {
    const dims = [4, 5, 21]
    for (const guards of [
      [{ dim: 2, lo: 3, hi: 19 }],
      [
        { dim: 0, lo: 1, hi: 3 },
        { dim: 1, lo: 0, hi: 4 },
        { dim: 2, lo: 2, hi: 40 },
      ],
      [{ dim: 1, lo: 4, hi: 2 }],
      [
        { dim: 2, lo: -2, hi: 1 },
        { dim: 1, lo: 1, hi: 9 },
      ],
    ]) {
      const sum = binary('add', load(0, 'float32'), load(1, 'float32'))
      const kernel = mapKernel(dims, ['float32', 'float32'], [sum])
      const guarded = { ...kernel.inputs[0]!, guards }
      await agree({ ...kernel, inputs: [guarded, kernel.inputs[1]!] }, [
        smallValues('float32', 420),
        smallValues('float32', 420, 2),
        untouched('float32', 420),
      ])
    }
  })
})

describe('gathers', () => {
  const gather = (dims: number[], table: number[], indices: number[], at: DType): LoopKernel => ({
    kind: 'loop',
    dims,
    parallel: dims.length,
    inputs: [
      { dtype: 'float32', strides: table, offset: 0 },
      { dtype: at, strides: indices, offset: 0 },
    ],
    outputs: [denseOperand('float32', dims)],
    body: [{ kind: 'loadAt', input: 0, index: load(1, at), size: 7, stride: 20, dtype: 'float32' }],
    reduce: [],
    epilogue: [],
  })
  const table = smallValues('float32', 140)

  for (const at of ['int32', 'int64', 'uint8'] as const) {
    test(`rows by ${at}, clamped`, async () => {
      const values = at === 'uint8' ? [3, 200, 0, 6, 7] : [3, -1, 6, 7, -2147483648]
      await agree(gather([5, 20], [0, 1], [1, 0], at), [
        table,
        data(at, values),
        untouched('float32', 100),
      ])
    })
    test(`elements by ${at}, clamped`, async () => {
      const values = Array.from({ length: 19 }, (_, i) => (at === 'uint8' ? i : (i - 5) * 2))
      await agree(gather([19], [1], [1], at), [table, data(at, values), untouched('float32', 19)])
      await agree(gather([3, 19], [0, 0], [0, 1], at), [
        table,
        data(at, values),
        untouched('float32', 57),
      ])
    })
  }

  test('int64 indices beyond 32 bits', async () => {
    const far = data('int64', [2n ** 40n, -(2n ** 40n), 2n ** 32n])
    await agree(gather([3], [0], [1], 'int64'), [table, far, untouched('float32', 3)])
  })
})

test('random bits are those of the generator, in vectors and out', async () => {
  for (const n of [3, 16, 37]) {
    const bits = randomBits(param(0, 'int32'), constant(7, 'int32'), index(0))
    await agree(mapKernel([n], [], [bits]), [untouched('int32', n)], [4294967295])
    const mixed = binary('mul', cast(bits, 'float64'), constant(2 ** -32, 'float64'))
    await agree(mapKernel([n], [], [mixed]), [untouched('float64', n)], [-5])
  }
})

/** Programs over all dtypes whose values are exact in every dtype they pass. */
describe('random programs', () => {
  const types: readonly DType[] = ['float32', 'float64', 'int32', 'uint8', 'int8', 'int64', 'bool']
  const grow = (inputs: readonly DType[], depth: number): fc.Arbitrary<Expr> => {
    const leaf = fc.oneof(
      fc.nat(inputs.length - 1).map((i) => load(i, inputs[i]!)),
      fc.constant(index(0)),
      fc
        .tuple(fc.integer({ min: 0, max: 5 }), fc.constantFrom(...types))
        .map(([v, t]) => constant(t === 'bool' ? v % 2 : v, t)),
    )
    if (depth === 0) return leaf
    const part = grow(inputs, depth - 1)
    const type = fc.constantFrom(...types)
    const two = fc.tuple(part, part, type).map(([x, y, t]) => [cast(x, t), cast(y, t)] as const)
    const integer = fc.constantFrom<DType>('int32', 'uint8', 'int8', 'int64')
    return fc.oneof(
      leaf,
      fc
        .tuple(fc.constantFrom('add', 'sub', 'max', 'min'), two)
        .map(([op, [x, y]]) => binary(op as 'add', x, y)),
      fc
        .tuple(fc.constantFrom('and', 'or', 'xor', 'div', 'mod', 'mul'), part, part, integer)
        .map(([op, x, y, t]) => binary(op as 'and', cast(x, t), cast(y, t))),
      fc
        .tuple(fc.constantFrom('lt', 'ge', 'eq', 'ne'), two)
        .map(([op, [x, y]]) => compare(op as 'lt', x, y)),
      fc.tuple(part, two).map(([c, [x, y]]) => select(cast(c, 'bool'), x, y)),
      fc
        .tuple(fc.constantFrom('not', 'neg', 'abs', 'sign'), part)
        .map(([op, x]) =>
          unary(op as 'not', x.dtype === 'bool' && op !== 'not' ? cast(x, 'int32') : x),
        ),
    )
  }
  const anyCase = fc
    .array(fc.constantFrom(...types), { minLength: 1, maxLength: 3 })
    .chain((inputs) =>
      fc.record({
        inputs: fc.constant(inputs),
        bodies: fc.array(grow(inputs, 3), { minLength: 1, maxLength: 2 }),
        n: fc.constantFrom(1, 2, 3, 5, 8, 13, 18, 35),
        seed: fc.nat(100),
      }),
    )
  test('agree with the reference', async () => {
    await fc.assert(
      fc.asyncProperty(anyCase, async ({ inputs, bodies, n, seed }) => {
        await agree(mapKernel([n], inputs, bodies), [
          ...inputs.map((t, i) => smallValues(t, n, seed + i)),
          ...bodies.map((e) => untouched(e.dtype, n + 3)),
        ])
      }),
      { numRuns: Number(process.env.WASM_RUNS ?? 200), seed: 77 },
    )
  })
})
