/** Products and scatters. */

import type { DType } from '../../../src/base/dtype.ts'
import {
  acc,
  binary,
  cast,
  constant,
  type Expr,
  index,
  load,
  param,
  unary,
} from '../../../src/prim/expr.ts'
import type { ContractKernel, ScatterKernel } from '../../../src/prim/kernel.ts'
import type { Rig } from '../conformance.ts'
import { data, fitOperand, randoms, smallValues, type Tolerance, untouched } from '../kernels.ts'

type Sizes = readonly [b: number, m: number, n: number, k: number]

interface Layout {
  readonly lhs?: readonly number[]
  readonly rhs?: readonly number[]
  readonly out?: readonly number[]
}

/** A product with dense operands unless `layout` says otherwise, and its data. */
function product(
  dtype: DType,
  [b, m, n, k]: Sizes,
  layout: Layout = {},
  more: { epilogue?: Expr; inputs?: readonly (readonly number[])[] } = {},
) {
  const lhs = fitOperand(dtype, [b, m, k], layout.lhs ?? [m * k, k, 1])
  const rhs = fitOperand(dtype, [b, k, n], layout.rhs ?? [k * n, n, 1])
  const epilogue = more.epilogue ?? acc(0, dtype)
  const output = fitOperand(epilogue.dtype, [b, m, n], layout.out ?? [m * n, n, 1], 1)
  const inputs = (more.inputs ?? []).map((strides) => fitOperand(dtype, [b, m, n], strides))
  const kernel: ContractKernel = {
    kind: 'contract',
    dtype,
    b,
    m,
    n,
    k,
    lhs: lhs.operand,
    rhs: rhs.operand,
    inputs: inputs.map((f) => f.operand),
    output: output.operand,
    epilogue,
  }
  const blocks = [
    ...[lhs, rhs, ...inputs].map((f, i) => smallValues(dtype, f.size, i + 1)),
    untouched(epilogue.dtype, output.size),
  ]
  return { kernel, blocks }
}

const sizes: readonly Sizes[] = [
  [1, 1, 1, 1],
  [1, 1, 7, 5],
  [1, 7, 1, 5],
  [1, 4, 4, 1],
  [1, 3, 5, 7],
  [1, 8, 16, 32],
  [1, 17, 19, 23],
  [1, 64, 10, 65],
  [3, 5, 6, 7],
  [2, 1, 9, 4],
  [1, 33, 66, 3],
]

/** Tests of products. */
export function contractSuite(rig: Rig): void {
  const { test } = rig
  const run = (
    { kernel, blocks }: ReturnType<typeof product>,
    params: readonly number[] = [],
    tolerance: Tolerance = 'value',
  ) => rig.compare(kernel, blocks, { params, tolerance })

  for (const dtype of ['float32', 'float64', 'int32', 'int64', 'int8', 'uint8'] as const) {
    test(`contract ${dtype}`, async () => {
      for (const size of sizes) await run(product(dtype, size))
    })
  }

  test('contract transposed', async () => {
    for (const [b, m, n, k] of [
      [1, 6, 9, 11],
      [2, 16, 8, 24],
      [1, 1, 5, 6],
      [1, 5, 1, 6],
    ] as const) {
      for (const lhs of [
        [m * k, k, 1],
        [m * k, 1, m],
      ]) {
        for (const rhs of [
          [k * n, n, 1],
          [k * n, 1, k],
        ]) {
          for (const out of [
            [m * n, n, 1],
            [m * n, 1, m],
          ]) {
            for (const dtype of ['float32', 'float64'] as const)
              await run(product(dtype, [b, m, n, k], { lhs, rhs, out }))
          }
        }
      }
    }
  })

  test('contract with gaps, negative strides, broadcast batches and interleaved batches', async () => {
    const [b, m, n, k] = [3, 5, 9, 6]
    await run(product('float32', [b, m, n, k], { lhs: [0, k, 1] }))
    await run(product('float32', [b, m, n, k], { rhs: [0, n, 1] }))
    await run(product('float32', [b, m, n, k], { rhs: [0, 1, 0], lhs: [1, 0, 0] }))
    await run(
      product('float32', [b, m, n, k], { lhs: [100, 20, 3], rhs: [200, 30, 2], out: [150, 30, 2] }),
    )
    await run(product('float32', [b, m, n, k], { lhs: [-m * k, -k, -1], rhs: [k * n, -n, 1] }))
    await run(
      product('float32', [b, m, n, k], {
        lhs: [k, b * k, 1],
        rhs: [n, b * n, 1],
        out: [n, b * n, 1],
      }),
    )
  })

  test('contract epilogues: bias, relu, residual, scale, cast', async () => {
    const [b, m, n, k] = [2, 7, 13, 10]
    const sum = acc(0, 'float32')
    const biased = binary('add', sum, load(0, 'float32'))
    const relu = binary('max', biased, constant(0, 'float32'))
    await run(product('float32', [b, m, n, k], {}, { epilogue: biased, inputs: [[0, 0, 1]] }))
    await run(product('float32', [b, m, n, k], {}, { epilogue: relu, inputs: [[0, 0, 1]] }))
    await run(product('float32', [b, m, n, k], {}, { epilogue: relu, inputs: [[0, 1, 0]] }))
    const residual = binary('add', relu, load(1, 'float32'))
    await run(
      product(
        'float32',
        [b, m, n, k],
        {},
        {
          epilogue: residual,
          inputs: [
            [0, 0, 1],
            [m * n, n, 1],
          ],
        },
      ),
    )
    const scaled = binary('sub', binary('mul', sum, param(0, 'float32')), param(1, 'float32'))
    await run(product('float32', [b, m, n, k], {}, { epilogue: scaled }), [0.5, 3])
    await run(product('float32', [b, m, n, k], {}, { epilogue: cast(sum, 'float64') }))
    await run(
      product('float32', [b, m, n, k], {}, { epilogue: cast(relu, 'int32'), inputs: [[0, 0, 0]] }),
    )
    await run(product('float32', [b, m, n, k], {}, { epilogue: unary('neg', sum) }))
    await run(
      product(
        'int32',
        [b, m, n, k],
        {},
        { epilogue: binary('add', acc(0, 'int32'), load(0, 'int32')), inputs: [[0, 0, 1]] },
      ),
    )
    const sigmoid = binary(
      'div',
      constant(1, 'float32'),
      binary(
        'add',
        constant(1, 'float32'),
        unary('exp', unary('neg', binary('mul', sum, constant(0.01, 'float32')))),
      ),
    )
    await run(product('float32', [b, m, n, k], {}, { epilogue: sigmoid }), [], {
      rel: 2e-6,
      abs: 0,
    })
    await run(
      product(
        'float32',
        [1, 9, 17, 8],
        {},
        { epilogue: unary('tanh', binary('mul', sum, constant(0.01, 'float32'))) },
      ),
      [],
      { rel: 2e-6, abs: 1e-7 },
    )
  })

  test('contract of nothing', async () => {
    for (const size of [
      [1, 3, 4, 0],
      [0, 3, 4, 5],
      [2, 0, 4, 5],
      [2, 3, 0, 5],
    ] as const) {
      await run(product('float32', size))
      const epilogue = binary('add', acc(0, 'float32'), load(0, 'float32'))
      await run(product('float32', size, {}, { epilogue, inputs: [[0, 0, 1]] }))
    }
  })

  test('contract integers wrap', async () => {
    for (const dtype of ['int32', 'int8', 'uint8'] as const) {
      const { kernel, blocks } = product(dtype, [1, 5, 6, 20])
      const large = blocks.slice(0, 2).map((d, i) =>
        data(
          dtype,
          randoms(d.array.length, i + 3).map((u) => Math.floor(u * 2 ** 31)),
        ),
      )
      await rig.compare(kernel, [...large, blocks[2]!])
    }
  })

  test('contract propagates NaN and Infinity, also beside zeros', async () => {
    const { kernel, blocks } = product('float32', [1, 6, 9, 5])
    const lhs = smallValues('float32', 30)
    const rhs = smallValues('float32', 45, 2)
    lhs.array[7] = Number.NaN
    lhs.array[16] = Infinity
    lhs.array[22] = 0
    rhs.array[20] = -Infinity
    rhs.array[11] = 0
    await rig.compare(kernel, [lhs, rhs, blocks[2]!], { tolerance: 'value' })
  })

  test('contract of random floats', async () => {
    for (const [dtype, rel] of [
      ['float32', 1e-5],
      ['float64', 1e-12],
    ] as const) {
      for (const size of [
        [1, 64, 64, 784],
        [1, 128, 96, 33],
        [4, 20, 30, 40],
      ] as const) {
        const { kernel, blocks } = product(dtype, size)
        const [lhs, rhs] = blocks.slice(0, 2).map((d, i) =>
          data(
            dtype,
            randoms(d.array.length, i + 5).map((u) => u * 2 - 1),
          ),
        )
        await rig.compare(kernel, [lhs!, rhs!, blocks[2]!], { tolerance: { rel, abs: rel } })
      }
    }
  })

  test('contract with a large output', () => run(product('float32', [1, 300, 310, 20])))
}

/** Tests of scatters. */
export function scatterSuite(rig: Rig): void {
  const { test } = rig
  const positions = [3, 0, 3, 6, -5, 99, 3, 2, 0]

  /** Rows of 4 into an output of 7 rows at positions that repeat and go outside. */
  const rows = (dtype: DType, op: ScatterKernel['op']): ScatterKernel => ({
    kind: 'scatter',
    dims: [positions.length, 4],
    inputs: [
      { dtype: 'int32', strides: [1, 0], offset: 0 },
      { dtype, strides: [4, 1], offset: 0 },
    ],
    output: { dtype, strides: [0, 1], offset: 2 },
    at: [{ index: load(0, 'int32'), size: 7, stride: 4 }],
    value: load(1, dtype),
    op,
  })

  for (const op of ['set', 'add', 'max'] as const) {
    for (const dtype of ['float32', 'float64', 'int32', 'int64', 'uint8', 'int8'] as const) {
      test(`scatter ${op} ${dtype}`, async () => {
        await rig.compare(rows(dtype, op), [
          data('int32', positions),
          smallValues(dtype, positions.length * 4),
          smallValues(dtype, 33, 8),
        ])
      })
    }
  }

  test('scatter set bool', () =>
    rig.compare(rows('bool', 'set'), [
      data('int32', positions),
      smallValues('bool', 36),
      smallValues('bool', 33, 8),
    ]))

  test('scatter max propagates NaN', () =>
    rig.compare(
      {
        ...rows('float32', 'max'),
        dims: [3, 1],
        at: [{ index: load(0, 'int32'), size: 3, stride: 1 }],
      },
      [
        data('int32', [0, 1, 1]),
        data('float32', [Number.NaN, 0, 0, 0, 1, 0, 0, 0, 2]),
        data('float32', [0, 0, 5, Number.NaN, 7]),
      ],
    ))

  test('scatter at several computed indices', async () => {
    const kernel: ScatterKernel = {
      kind: 'scatter',
      dims: [5, 6],
      inputs: [{ dtype: 'float32', strides: [6, 1], offset: 0 }],
      output: { dtype: 'float32', strides: [0, 0], offset: 0 },
      at: [
        { index: binary('sub', constant(4, 'int32'), index(0)), size: 4, stride: 9 },
        { index: binary('mul', index(1), constant(2, 'int32')), size: 9, stride: 1 },
      ],
      value: binary('mul', load(0, 'float32'), param(0, 'float32')),
      op: 'add',
    }
    await rig.compare(kernel, [smallValues('float32', 30), smallValues('float32', 36, 2)], {
      params: [0.5],
    })
  })

  test('scatter with batches, a negative stride, and a computed value', async () => {
    const kernel: ScatterKernel = {
      kind: 'scatter',
      dims: [3, 8],
      inputs: [{ dtype: 'int32', strides: [8, 1], offset: 0 }],
      output: { dtype: 'float32', strides: [5, 0], offset: 4 },
      at: [{ index: load(0, 'int32'), size: 5, stride: -1 }],
      value: cast(binary('add', index(1), load(0, 'int32')), 'float32'),
      op: 'add',
    }
    const indices = data(
      'int32',
      randoms(24, 2).map((u) => Math.floor(u * 9) - 2),
    )
    await rig.compare(kernel, [indices, smallValues('float32', 15)])
  })

  test('scatter without indices, and of nothing', async () => {
    const plain: ScatterKernel = {
      ...rows('float32', 'add'),
      at: [],
      output: { dtype: 'float32', strides: [4, 1], offset: 0 },
    }
    await rig.compare(plain, [
      data('int32', positions),
      smallValues('float32', 36),
      smallValues('float32', 36, 2),
    ])
    await rig.compare({ ...rows('float32', 'add'), dims: [0, 4] }, [
      data('int32', []),
      data('float32', []),
      smallValues('float32', 33),
    ])
  })

  test('scatter of many', async () => {
    const n = 20_000
    const kernel: ScatterKernel = {
      kind: 'scatter',
      dims: [n],
      inputs: [
        { dtype: 'int32', strides: [1], offset: 0 },
        { dtype: 'float32', strides: [1], offset: 0 },
      ],
      output: { dtype: 'float32', strides: [0], offset: 0 },
      at: [{ index: load(0, 'int32'), size: 50, stride: 1 }],
      value: load(1, 'float32'),
      op: 'add',
    }
    await rig.compare(kernel, [
      data(
        'int32',
        randoms(n).map((u) => Math.floor(u * 50)),
      ),
      smallValues('float32', n),
      smallValues('float32', 50),
    ])
  })
}
