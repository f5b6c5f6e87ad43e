/** Every scalar instruction on every dtype it is for, and casts between all dtypes. */

import { type DType, dtypeInfo, isFloat } from '../../../src/base/dtype.ts'
import {
  binary,
  cast,
  compare,
  constant,
  index,
  load,
  param,
  randomBits,
  select,
  toDType,
  unary,
} from '../../../src/prim/expr.ts'
import {
  type BinaryName,
  binaryNames,
  compareNames,
  type UnaryName,
  unaryNames,
} from '../../../src/prim/scalar.ts'
import type { Rig } from '../conformance.ts'
import {
  allTypes,
  data,
  floatTypes,
  intTypes,
  mapKernel,
  randoms,
  type Tolerance,
  untouched,
} from '../kernels.ts'

const specials = [Number.NaN, Infinity, -Infinity, 0, -0, 1, -1, 0.5, -0.5, 2, -2]
const halves = [1.5, 2.5, -1.5, -2.5, 0.49, -0.49, 3.0000002, 7.9, -7.9, 1e7, -1e7]

/** Finite inputs worth trying: `count` numbers from `low` to `high`. */
const spread = (low: number, high: number, count = 90): number[] =>
  randoms(count, 11).map((u) => low + (high - low) * u)

/** Inputs of the functions whose domain is not the line from -20 to 20. */
const domains: Partial<Record<UnaryName, readonly number[]>> = {
  floor: halves,
  ceil: halves,
  round: halves,
  trunc: halves,
  sqrt: [...spread(0, 100), 1e-30, 1e30, -3],
  cbrt: [...spread(-100, 100), 1e-30, 1e30],
  exp: [...spread(-80, 80), 1e-20, 200, -200],
  expm1: [...spread(-30, 30), ...spread(-1e-3, 1e-3), 1e-10, 200],
  log: [...spread(0, 10), ...spread(0.99, 1.01), 1e-30, 1e30, -3],
  log1p: [...spread(-0.99, 10), ...spread(-1e-3, 1e-3), 1e-10, -3],
  log2: [...spread(0, 10), 1e-30, 1e30, 8, 1024],
  log10: [...spread(0, 10), 1e-30, 1e30, 1000],
  sin: spread(-100, 100),
  cos: spread(-100, 100),
  tan: spread(-1.5, 1.5),
  asin: [...spread(-1, 1), 3],
  acos: [...spread(-1, 1), 3],
  sinh: [...spread(-30, 30), 1e-5, 200],
  cosh: [...spread(-30, 30), 200],
  tanh: [...spread(-10, 10), 1e-5, 100],
  asinh: [...spread(-100, 100), 1e-5],
  acosh: [...spread(1, 100), 0.5],
  atanh: [...spread(-0.99, 0.99), 1e-5, 3],
  erf: [...spread(-4, 4), 1e-5, 10],
  erfinv: [...spread(-0.999, 0.999), 1e-5, 3],
  gamma: [...spread(0.1, 30), ...spread(-4.9, -0.1, 40), 5, -3],
  gammaln: [...spread(0.1, 300), 1, 2, -3],
  digamma: [...spread(0.1, 100), ...spread(-4.9, -0.1, 40), -3],
  trigamma: [...spread(0.1, 100), ...spread(-4.9, -0.1, 40), -3],
}

const exactNames: readonly string[] = ['neg', 'abs', 'sqrt', 'add', 'sub', 'mul', 'div']
const valueNames: readonly string[] = [
  'sign',
  'not',
  'floor',
  'ceil',
  'round',
  'trunc',
  'mod',
  'max',
  'min',
]
/** Functions with zeros away from 0, where a relative error means nothing. */
const absolute: readonly string[] = [
  'sin',
  'cos',
  'tan',
  'gammaln',
  'digamma',
  'log',
  'log2',
  'log10',
  'acos',
  'acosh',
]

function toleranceOf(op: string, dtype: DType): Tolerance {
  if (!isFloat(dtype) || exactNames.includes(op)) return 'exact'
  if (valueNames.includes(op)) return 'value'
  const rel = dtype === 'float32' ? 2e-6 : 1e-12
  const tiny = dtype === 'float32' ? 1e-37 : 1e-300
  return { rel, abs: absolute.includes(op) ? rel / 5 : tiny }
}

/** Inputs of an integer dtype: ends, small numbers, and a spread. */
function integers(dtype: DType, reach = 1e9): number[] {
  const { min, max } = dtypeInfo(dtype)
  const [low, high] = [Math.max(min, -reach), Math.min(max, reach)]
  const ends = dtype === 'int64' ? [low, high] : [min, max, min + 1, max - 1]
  const small = [0, 1, 2, 3, 7, ...(min < 0 ? [-1, -2, -3, -7] : [])]
  return [...ends, ...small, ...spread(low, high, 30).map(Math.trunc)]
}

const boolInputs = [0, 1, 1, 0, 1]

function unaryInputs(op: UnaryName, dtype: DType): readonly number[] {
  if (dtype === 'bool') return boolInputs
  if (!isFloat(dtype)) return integers(dtype)
  return [...(domains[op] ?? spread(-20, 20)), ...specials]
}

/** Pairs of inputs of a two-operand instruction. */
function pairs(op: BinaryName | 'compare', dtype: DType): (readonly [number, number])[] {
  const cross = (xs: readonly number[], ys: readonly number[]): (readonly [number, number])[] =>
    xs.flatMap((x) => ys.map((y) => [x, y] as const))
  if (dtype === 'bool') return cross([0, 1], [0, 1])
  if (isFloat(dtype)) {
    const finite = spread(-20, 20, 40).map((x, i) => [x, spread(-3, 3, 41)[i]!] as const)
    if (op === 'pow') {
      const bases = [0, 0.5, 1, 2, 10, Infinity, Number.NaN]
      const special = cross([...bases, -2, -0.5], [0, 1, 2, 3, -1, -2, 0.5, Number.NaN]).filter(
        ([x, y]) => x >= 0 || Number.isNaN(x) || y !== 0.5,
      )
      return [
        ...special,
        ...finite.map(([x, y]) => [Math.abs(x), y] as const),
        [-2, 0.5],
        [1, Infinity],
      ]
    }
    if (op === 'mod') {
      const quarters = spread(-40, 40, 30).map((x) => Math.round(x * 4) / 4)
      return cross([...quarters, 0], [0.25, 3, -3, 1.5, -2, 0, 7]).concat([
        [Number.NaN, 2],
        [2, Number.NaN],
      ])
    }
    return [...finite, ...cross(specials, specials)]
  }
  const bits = dtypeInfo(dtype).bytes * 8
  const counts = [0, 1, 2, bits / 2, bits - 2, bits - 1]
  if (op === 'pow')
    return cross(
      [0, 1, 2, 3, 5, ...(dtype === 'uint8' ? [] : [-1, -2, -3])],
      dtype === 'uint8' ? [0, 1, 2, 3] : [0, 1, 2, 3, 4, -1, -2],
    )
  // int64 beyond 2^53 may be inexact, so results stay below.
  if (dtype === 'int64') {
    if (op === 'shl') return cross([0, 1, -1, 5, 1000], [0, 1, 10, 40])
    if (op === 'shr') return cross([0, 1, 5, 2 ** 40], [0, 1, 10, 40])
    const values = integers(dtype, op === 'mul' ? 5e7 : 2 ** 45)
    return cross(values, values.slice(0, 12))
  }
  const values = integers(dtype)
  return cross(values, op === 'shl' || op === 'shr' ? counts : values.slice(0, 14))
}

/** Tests of the scalar instructions. */
export function scalarSuite(rig: Rig): void {
  const { test } = rig

  for (const op of unaryNames) {
    const types: readonly DType[] =
      op === 'not'
        ? allTypes
        : ['neg', 'abs', 'sign'].includes(op)
          ? [...floatTypes, ...intTypes]
          : floatTypes
    for (const dtype of types) {
      test(`${op} ${dtype}`, async () => {
        const x = data(dtype, unaryInputs(op, dtype))
        const n = x.array.length
        await rig.compare(
          mapKernel([n], [dtype], [unary(op, load(0, dtype))]),
          [x, untouched(dtype, n)],
          {
            tolerance: toleranceOf(op, dtype),
            note: (i) => `for ${op}(${x.array[i]})`,
          },
        )
      })
    }
  }

  const compareTwo = async (
    op: BinaryName | 'compare',
    dtype: DType,
    build: (
      x: ReturnType<typeof load>,
      y: ReturnType<typeof load>,
    ) => ReturnType<typeof load>[] | ReturnType<typeof binary>[],
  ): Promise<void> => {
    const list = pairs(op, dtype)
    const [x, y] = [
      data(
        dtype,
        list.map((p) => p[0]),
      ),
      data(
        dtype,
        list.map((p) => p[1]),
      ),
    ]
    const body = build(load(0, dtype), load(1, dtype))
    await rig.compare(
      mapKernel([list.length], [dtype, dtype], body),
      [x, y, ...body.map((e) => untouched(e.dtype, list.length))],
      { tolerance: toleranceOf(op, dtype), note: (i) => `for ${op}(${x.array[i]}, ${y.array[i]})` },
    )
  }

  for (const op of binaryNames) {
    const bitwise = ['and', 'or', 'xor'].includes(op)
    const shift = op === 'shl' || op === 'shr'
    const forBool = bitwise || ['add', 'mul', 'max', 'min'].includes(op)
    for (const dtype of allTypes) {
      if (isFloat(dtype) && (bitwise || shift)) continue
      if (dtype === 'bool' && !forBool) continue
      test(`${op} ${dtype}`, () => compareTwo(op, dtype, (x, y) => [binary(op, x, y)]))
    }
  }

  for (const dtype of allTypes) {
    test(`comparisons ${dtype}`, () =>
      compareTwo('compare', dtype, (x, y) => compareNames.map((op) => compare(op, x, y))))

    test(`where ${dtype}`, async () => {
      const n = 21
      const [x, y] = [1, 2].map((k) =>
        data(
          dtype,
          Array.from({ length: n }, (_, i) =>
            dtype === 'bool' ? (i >> k) & 1 : i * k + (isFloat(dtype) ? 0.5 : 0),
          ),
        ),
      )
      const condition = data(
        'bool',
        Array.from({ length: n }, (_, i) => ((i * 5) >> 1) & 1),
      )
      const body = select(load(0, 'bool'), load(1, dtype), load(2, dtype))
      await rig.compare(mapKernel([n], ['bool', dtype, dtype], [body]), [
        condition,
        x!,
        y!,
        untouched(dtype, n),
      ])
    })
  }

  test('where keeps what it selects, NaN, -0 and large int64 included', async () => {
    const condition = data('bool', [1, 0, 1, 0])
    const x = data('float32', [Number.NaN, Number.NaN, -0, 5])
    const y = data('float32', [1, -0, Number.NaN, Infinity])
    const pick = (dtype: DType) => select(load(0, 'bool'), load(1, dtype), load(2, dtype))
    await rig.compare(mapKernel([4], ['bool', 'float32', 'float32'], [pick('float32')]), [
      condition,
      x,
      y,
      untouched('float32', 4),
    ])
    const [p, q] = [
      data('int64', [2n ** 62n + 1n, 1, 2n ** 53n + 1n, 2]),
      data('int64', [0, -(2n ** 63n), 0, -(2n ** 53n) - 1n]),
    ]
    await rig.compare(mapKernel([4], ['bool', 'int64', 'int64'], [pick('int64')]), [
      condition,
      p,
      q,
      untouched('int64', 4),
    ])
  })

  test('what is 0 for finite numbers is NaN for the others', async () => {
    const values = data('float32', [...specials, 3e38, 1e-30])
    const x = load(0, 'float32')
    const zero = constant(0, 'float32')
    const body = [
      binary('mul', x, zero),
      binary('mul', zero, x),
      binary('sub', x, x),
      compare('eq', binary('mul', x, zero), zero),
      compare('eq', x, x),
    ]
    const outputs = body.map((e) => untouched(e.dtype, values.array.length))
    await rig.compare(
      mapKernel([values.array.length], ['float32'], body),
      [values, ...outputs],
      // Zeros may have either sign.
      { tolerance: 'value' },
    )
  })

  test('random gives the same bits', async () => {
    const n = 133
    const body = randomBits(param(0, 'int32'), param(1, 'int32'), index(0))
    for (const params of [
      [0, 0],
      [1, 2],
      [-1, 2147483647],
      [-2147483648, 12345],
    ]) {
      await rig.compare(mapKernel([n], [], [body]), [untouched('int32', n)], { params })
    }
    const counter = data('int32', integers('int32'))
    const loaded = randomBits(load(0, 'int32'), param(0, 'int32'), load(1, 'int32'))
    await rig.compare(
      mapKernel([counter.array.length], ['int32', 'int32'], [loaded]),
      [
        counter,
        data('int32', [...integers('int32')].reverse()),
        untouched('int32', counter.array.length),
      ],
      { params: [77] },
    )
  })
}

/** Values of `from` whose cast to `to` is specified. */
function castable(from: DType, to: DType): number[] {
  if (from === 'bool') return boolInputs
  const target = dtypeInfo(to)
  if (!isFloat(from)) return integers(from, 2 ** 45)
  const values = [...specials, ...halves, ...spread(-300, 300), 0.1, 1e-30]
  if (isFloat(to)) return [...values, 1e30, 1e-40, 16777217, 3.4e38]
  if (to === 'bool') return values
  return values.filter(
    (v) => Number.isNaN(v) || (Math.trunc(v) >= target.min && Math.trunc(v) <= target.max),
  )
}

/** Tests of casts between all dtypes, and of launch numbers. */
export function castSuite(rig: Rig): void {
  const { test } = rig
  for (const from of allTypes) {
    for (const to of allTypes) {
      if (from === to) continue
      test(`cast ${from} to ${to}`, async () => {
        const x = data(from, castable(from, to))
        const n = x.array.length
        await rig.compare(
          mapKernel([n], [from], [cast(load(0, from), to)]),
          [x, untouched(to, n)],
          {
            tolerance: isFloat(from) && isFloat(to) ? { rel: 0, abs: 1e-37 } : 'exact',
            note: (i) => `for ${x.array[i]}`,
          },
        )
      })
    }
  }

  for (const dtype of allTypes) {
    test(`param ${dtype}`, async () => {
      const params = [5, 1, 0.1, 100].map((v) => toDType(v, dtype))
      const body = params.map((_, slot) => param(slot, dtype))
      await rig.compare(
        mapKernel([3], [], body),
        body.map(() => untouched(dtype, 3)),
        { params },
      )
    })
  }

  test('param converts to its dtype', async () => {
    const body = [param(0, 'int32'), param(0, 'float32'), param(0, 'float64'), param(0, 'bool')]
    for (const value of [2.75, -3.5, 0.1, 0]) {
      await rig.compare(
        mapKernel([2], [], body),
        body.map((e) => untouched(e.dtype, 2)),
        { params: [value] },
      )
    }
  })
}
