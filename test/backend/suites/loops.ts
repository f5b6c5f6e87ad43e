/** Maps: layouts of operands, several outputs, in place, indices, gathers and guards. */

import type { DType } from '../../../src/base/dtype.ts'
import { sizeOf } from '../../../src/base/shape.ts'
import {
  binary,
  cast,
  compare,
  constant,
  type Expr,
  index,
  load,
  param,
  select,
  unary,
} from '../../../src/prim/expr.ts'
import type { LoopKernel } from '../../../src/prim/kernel.ts'
import type { Rig } from '../conformance.ts'
import {
  type Data,
  data,
  type Fitted,
  fitOperand,
  mapKernel,
  smallValues,
  untouched,
} from '../kernels.ts'

const add = (x: Expr, y: Expr): Expr => binary('add', x, y)
const mul = (x: Expr, y: Expr): Expr => binary('mul', x, y)
const x = load(0, 'float32')
const y = load(1, 'float32')

function loop(
  dims: readonly number[],
  inputs: readonly Fitted[],
  outputs: readonly Fitted[],
  body: readonly Expr[],
): LoopKernel {
  return {
    kind: 'loop',
    dims,
    parallel: dims.length,
    inputs: inputs.map((f) => f.operand),
    outputs: outputs.map((f) => f.operand),
    body,
    reduce: [],
    epilogue: [],
  }
}

const inputsOf = (fitted: readonly Fitted[]): Data[] =>
  fitted.map(({ operand, size }, i) => smallValues(operand.dtype, size, i + 5))
const outputsOf = (fitted: readonly Fitted[]): Data[] =>
  fitted.map(({ operand, size }) => untouched(operand.dtype, size))

/** Layouts by name: dims, strides of the two inputs, strides of the output. */
const layouts: Record<string, readonly [number[], number[], number[], number[]]> = {
  dense: [
    [3, 5],
    [5, 1],
    [5, 1],
    [5, 1],
  ],
  'a scalar domain': [[], [], [], []],
  'transposed input': [
    [7, 9],
    [1, 7],
    [9, 1],
    [9, 1],
  ],
  'transposed output': [
    [7, 9],
    [9, 1],
    [9, 1],
    [1, 7],
  ],
  'row and column broadcast': [
    [6, 11],
    [0, 1],
    [1, 0],
    [11, 1],
  ],
  'scalar broadcast': [
    [4, 3, 5],
    [0, 0, 0],
    [15, 5, 1],
    [15, 5, 1],
  ],
  'negative strides': [
    [5, 9],
    [9, -1],
    [-9, 1],
    [9, 1],
  ],
  gaps: [
    [5, 9],
    [40, 3],
    [20, 2],
    [50, 2],
  ],
  'negative gapped output': [
    [5, 9],
    [9, 1],
    [9, 1],
    [-30, -3],
  ],
  'permuted rank 4': [
    [2, 3, 4, 5],
    [1, 2, 6, 24],
    [60, 5, 15, 1],
    [20, 40, 5, 1],
  ],
  'rank 6': [
    [2, 1, 3, 2, 2, 3],
    [36, 36, 12, 6, 3, 1],
    [0, 7, 1, 0, 3, 6],
    [36, 36, 12, 6, 3, 1],
  ],
  'inner size 1': [
    [33, 1],
    [1, 1],
    [2, 0],
    [1, 1],
  ],
  'overlapping windows': [
    [8, 5],
    [1, 1],
    [2, 1],
    [5, 1],
  ],
}

/** Tests of maps. */
export function loopSuite(rig: Rig): void {
  const { test } = rig

  for (const [name, [dims, a, b, out]] of Object.entries(layouts)) {
    for (const dtype of ['float32', 'float64', 'int32', 'uint8', 'int64'] as const) {
      test(`map ${name} ${dtype}`, async () => {
        const inputs = [fitOperand(dtype, dims, a, 3), fitOperand(dtype, dims, b)]
        const outputs = [fitOperand(dtype, dims, out, 2)]
        const body = [add(mul(load(0, dtype), load(1, dtype)), load(1, dtype))]
        await rig.compare(loop(dims, inputs, outputs, body), [
          ...inputsOf(inputs),
          ...outputsOf(outputs),
        ])
      })
    }
  }

  test('map of every short length', async () => {
    for (let n = 0; n < 20; n++) {
      for (const dtype of ['float32', 'int8', 'float64'] as const) {
        const kernel = mapKernel([n], [dtype, dtype], [add(load(0, dtype), load(1, dtype))])
        await rig.compare(kernel, [
          smallValues(dtype, n),
          smallValues(dtype, n, 2),
          untouched(dtype, n),
        ])
      }
    }
  })

  test('map writes nothing beside its elements', async () => {
    for (let n = 1; n < 20; n++) {
      const output = fitOperand('float32', [n], [1], 5)
      const kernel = loop([n], [fitOperand('float32', [n], [1])], [output], [mul(x, x)])
      await rig.compare(kernel, [smallValues('float32', n), untouched('float32', output.size)])
    }
  })

  test('map with several outputs of several dtypes', async () => {
    const body = [
      add(x, y),
      cast(mul(x, y), 'int32'),
      compare('lt', x, y),
      cast(x, 'float64'),
      cast(unary('floor', y), 'int64'),
    ]
    const dims = [3, 13]
    await rig.compare(mapKernel(dims, ['float32', 'float32'], body), [
      smallValues('float32', 39),
      smallValues('float32', 39, 2),
      ...body.map((e) => untouched(e.dtype, 39)),
    ])
  })

  test('map mixes dtypes of different widths', async () => {
    const wide = add(cast(load(0, 'uint8'), 'float32'), cast(load(1, 'int64'), 'float32'))
    const body = [mul(wide, cast(load(2, 'float64'), 'float32')), cast(load(0, 'uint8'), 'int8')]
    await rig.compare(mapKernel([37], ['uint8', 'int64', 'float64'], body), [
      smallValues('uint8', 37),
      smallValues('int64', 37),
      smallValues('float64', 37),
      untouched('float32', 37),
      untouched('int8', 37),
    ])
  })

  test('map in place', async () => {
    for (const n of [1, 5, 64, 1001]) {
      const block = smallValues('float32', n)
      await rig.compare(mapKernel([n], ['float32'], [add(mul(x, x), x)]), [block, block])
    }
    const [a, b] = [smallValues('float32', 50), smallValues('float32', 50, 2)]
    await rig.compare(mapKernel([50], ['float32', 'float32'], [add(x, y), mul(x, y)]), [a, b, a, b])
    const block = smallValues('float32', 40)
    const strided = fitOperand('float32', [5, 4], [8, -2])
    await rig.compare(loop([5, 4], [strided], [strided], [mul(x, constant(2, 'float32'))]), [
      block,
      block,
    ])
  })

  test('map uses one operand twice and not another', async () => {
    const kernel = mapKernel(
      [19],
      ['float32', 'float32', 'float32'],
      [add(mul(x, x), load(2, 'float32'))],
    )
    const blocks = [1, 2, 3].map((s) => smallValues('float32', 19, s))
    await rig.compare(kernel, [...blocks, untouched('float32', 19)])
  })

  test('map of indices', async () => {
    const dims = [3, 4, 5]
    const flat = add(
      mul(add(mul(index(0), constant(4, 'int32')), index(1)), constant(5, 'int32')),
      index(2),
    )
    const body = [
      index(0),
      index(1),
      index(2),
      flat,
      cast(index(2), 'float32'),
      compare('le', index(1), index(2)),
    ]
    await rig.compare(
      mapKernel(dims, [], body),
      body.map((e) => untouched(e.dtype, 60)),
    )
    const transposed = fitOperand('int32', [6, 7], [1, 6])
    await rig.compare(
      loop([6, 7], [], [transposed], [add(mul(index(0), constant(10, 'int32')), index(1))]),
      [untouched('int32', 42)],
    )
  })

  test('map of constants and launch numbers', async () => {
    const body = [
      constant(0.1, 'float32'),
      constant(-7, 'int32'),
      mul(param(0, 'float32'), param(1, 'float32')),
      constant(1, 'bool'),
    ]
    const blocks = body.map((e) => untouched(e.dtype, 23))
    await rig.compare(mapKernel([23], [], body), blocks, { params: [0.5, 3] })
    const specials = [Number.NaN, Infinity, -Infinity, -0].map((v) => constant(v, 'float32'))
    await rig.compare(
      mapKernel([5], [], specials),
      specials.map(() => untouched('float32', 5)),
    )
  })

  test('map of shared and deep expressions', async () => {
    let e: Expr = x
    for (let i = 0; i < 40; i++)
      e = binary('max', unary('neg', e), binary('sub', e, constant(i % 3, 'float32')))
    await rig.compare(mapKernel([29], ['float32'], [e]), [
      smallValues('float32', 29),
      untouched('float32', 29),
    ])
  })

  test('map of eight operands', async () => {
    const sum = Array.from({ length: 8 }, (_, i) => load(i, 'float32') as Expr).reduce(add)
    const blocks = Array.from({ length: 8 }, (_, i) => smallValues('float32', 31, i + 1))
    await rig.compare(
      mapKernel(
        [31],
        blocks.map((b) => b.dtype),
        [sum],
      ),
      [...blocks, untouched('float32', 31)],
    )
  })

  test('map of many elements', async () => {
    const dims = [500, 400]
    const n = sizeOf(dims)
    const inputs = [fitOperand('float32', dims, [400, 1]), fitOperand('float32', dims, [1, 500])]
    const outputs = [fitOperand('float32', dims, [400, 1])]
    await rig.compare(loop(dims, inputs, outputs, [add(mul(x, x), y)]), [
      smallValues('float32', n),
      smallValues('float32', n, 2),
      untouched('float32', n),
    ])
  })

  test('map over nothing writes nothing', async () => {
    for (const dims of [[0], [3, 0], [0, 3], [2, 0, 4]]) {
      const output = fitOperand(
        'float32',
        dims,
        dims.map(() => 1),
        4,
      )
      const input = fitOperand(
        'float32',
        dims,
        dims.map(() => 1),
      )
      await rig.compare(loop(dims, [input], [output], [x]), [
        data('float32', []),
        untouched('float32', 8),
      ])
    }
  })

  gathers(rig)
  guards(rig)
}

function gathers(rig: Rig): void {
  const { test } = rig
  const positions = [0, 3, 6, -1, 7, 100, -100, 2147483647, -2147483648, 5, 5]
  const at = (dtype: DType, i: Expr, size: number, stride: number): Expr => ({
    kind: 'loadAt',
    input: 0,
    index: i,
    size,
    stride,
    dtype,
  })

  for (const dtype of ['float32', 'float64', 'uint8', 'int32', 'int64', 'bool'] as const) {
    test(`loadAt takes rows ${dtype}`, async () => {
      const dims = [positions.length, 5]
      const inputs = [
        { operand: { dtype, strides: [0, 1], offset: 2 }, size: 37 },
        {
          operand: { dtype: 'int32' as const, strides: [1, 0], offset: 0 },
          size: positions.length,
        },
      ]
      const outputs = [fitOperand(dtype, dims, [5, 1])]
      const body = [at(dtype, load(1, 'int32'), 7, 5)]
      await rig.compare(loop(dims, inputs, outputs, body), [
        smallValues(dtype, 37),
        data('int32', positions),
        untouched(dtype, dims[0]! * 5),
      ])
    })
  }

  test('loadAt with computed indices, negative strides and batches', async () => {
    const dims = [4, positions.length]
    const inputs = [
      { operand: { dtype: 'float32' as const, strides: [7, 0], offset: 6 }, size: 28 },
      {
        operand: { dtype: 'float32' as const, strides: [0, 1], offset: 0 },
        size: positions.length,
      },
    ]
    const i = binary('sub', cast(load(1, 'float32'), 'int32'), index(0))
    const body = [add(at('float32', i, 7, -1), cast(index(1), 'float32'))]
    await rig.compare(
      loop(dims, inputs, [fitOperand('float32', dims, [positions.length, 1])], body),
      [
        smallValues('float32', 28),
        data(
          'float32',
          positions.map((p) => Math.max(-1e6, Math.min(1e6, p))),
        ),
        untouched('float32', 4 * positions.length),
      ],
    )
  })

  test('loadAt of loadAt', async () => {
    const inner: Expr = {
      kind: 'loadAt',
      input: 1,
      index: index(0),
      size: 6,
      stride: 1,
      dtype: 'int32',
    }
    const outer: Expr = {
      kind: 'loadAt',
      input: 0,
      index: inner,
      size: 9,
      stride: 2,
      dtype: 'float32',
    }
    const inputs = [
      { operand: { dtype: 'float32' as const, strides: [0], offset: 0 }, size: 17 },
      { operand: { dtype: 'int32' as const, strides: [0], offset: 0 }, size: 6 },
    ]
    await rig.compare(loop([8], inputs, [fitOperand('float32', [8], [1])], [outer]), [
      smallValues('float32', 17),
      data('int32', [8, 0, -3, 20, 4, 1]),
      untouched('float32', 8),
    ])
  })
}

function guards(rig: Rig): void {
  const { test } = rig

  for (const dtype of ['float32', 'float64', 'int32', 'int8', 'int64', 'bool'] as const) {
    test(`guards give 0 outside ${dtype}`, async () => {
      const dims = [6, 11]
      const limits = [
        { dim: 0, lo: 1, hi: 5 },
        { dim: 1, lo: 2, hi: 10 },
      ]
      const input = fitOperand(dtype, dims, [8, 1], 0, limits)
      await rig.compare(loop(dims, [input], [fitOperand(dtype, dims, [11, 1])], [load(0, dtype)]), [
        data(dtype, new Array<number>(input.size).fill(1)),
        untouched(dtype, 66),
      ])
    })
  }

  test('guards on some operands, in one direction, and never inside', async () => {
    const dims = [5, 23]
    const inputs = [
      fitOperand('float32', dims, [23, 1], 0, [{ dim: 1, lo: 3, hi: 23 }]),
      fitOperand('float32', dims, [23, 1]),
      fitOperand('float32', dims, [23, -1], 0, [
        { dim: 1, lo: -5, hi: 7 },
        { dim: 0, lo: 4, hi: 9 },
      ]),
      fitOperand('float32', dims, [0, 1], 0, [{ dim: 1, lo: 9, hi: 9 }]),
    ]
    const sum = inputs.map((_, i) => load(i, 'float32') as Expr).reduce(add)
    await rig.compare(loop(dims, inputs, [fitOperand('float32', dims, [23, 1])], [sum]), [
      ...inputsOf(inputs),
      untouched('float32', 115),
    ])
  })

  test('guards with loadAt and select', async () => {
    const dims = [9]
    const input = {
      operand: {
        dtype: 'float32' as const,
        strides: [0],
        offset: 0,
        guards: [{ dim: 0, lo: 2, hi: 8 }],
      },
      size: 5,
    }
    const taken: Expr = {
      kind: 'loadAt',
      input: 0,
      index: index(0),
      size: 5,
      stride: 1,
      dtype: 'float32',
    }
    const body = [
      select(compare('lt', index(0), constant(6, 'int32')), taken, constant(9, 'float32')),
    ]
    await rig.compare(loop(dims, [input], [fitOperand('float32', dims, [1])], body), [
      smallValues('float32', 5),
      untouched('float32', 9),
    ])
  })
}
