/** Reductions: every operation, along every axis, with several accumulators and epilogues. */

import { type DType, dtypeInfo, isFloat } from '../../../src/base/dtype.ts'
import { rowMajor, sizeOf } from '../../../src/base/shape.ts'
import {
  acc,
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
import type { LoopKernel, Operand, ReduceOp } from '../../../src/prim/kernel.ts'
import type { Rig } from '../conformance.ts'
import {
  allTypes,
  type Data,
  data,
  denseOperand,
  fitOperand,
  randoms,
  smallValues,
  untouched,
} from '../kernels.ts'

const reduceOps = ['sum', 'prod', 'max', 'min', 'argmax', 'argmin'] as const
const accType = (op: ReduceOp, dtype: DType): DType =>
  op === 'argmax' || op === 'argmin' ? 'int32' : dtype

/** Reduces dense data of `shape` along `axes`; the domain has the kept axes first. */
function reduction(
  shape: readonly number[],
  axes: readonly number[],
  dtype: DType,
  ops: readonly ReduceOp[],
  more: { body?: readonly Expr[]; epilogue?: readonly Expr[]; inputs?: readonly Operand[] } = {},
): LoopKernel {
  const strides = rowMajor(shape)
  const kept = shape.map((_, i) => i).filter((i) => !axes.includes(i))
  const order = [...kept, ...axes]
  const out = kept.map((i) => shape[i]!)
  const epilogue = more.epilogue ?? ops.map((op, slot) => acc(slot, accType(op, dtype)))
  return {
    kind: 'loop',
    dims: order.map((i) => shape[i]!),
    parallel: kept.length,
    inputs: [{ dtype, strides: order.map((i) => strides[i]!), offset: 0 }, ...(more.inputs ?? [])],
    outputs: epilogue.map((e) => denseOperand(e.dtype, out)),
    body: more.body ?? ops.map(() => load(0, dtype)),
    reduce: ops,
    epilogue,
  }
}

const outputsOf = (kernel: LoopKernel): Data[] =>
  kernel.outputs.map((o) => untouched(o.dtype, sizeOf(kernel.dims.slice(0, kernel.parallel))))

/** Values whose product over a few hundred elements stays exact. */
function productValues(dtype: DType, size: number): Data {
  const choices = isFloat(dtype)
    ? [1, -1, 2, 0.5, -2, -0.5]
    : dtype === 'uint8'
      ? [1, 3, 5, 7]
      : [1, -1, 3, -5]
  let [twos, picked] = [0, 0]
  const values = randoms(size, 9).map((u) => {
    picked = choices[Math.floor(u * choices.length)]!
    const shift = Math.log2(Math.abs(picked))
    if (isFloat(dtype) && Math.abs(twos + shift) > 20) return 1
    twos += shift
    return picked
  })
  return data(
    dtype,
    dtype === 'bool'
      ? values.map(() => 1)
      : dtype === 'int64'
        ? values.map((v, i) => (i % 9 === 0 ? v : 1))
        : values,
  )
}

const cases: readonly (readonly [string, number[], number[]])[] = [
  ['inner', [5, 33], [1]],
  ['outer', [33, 5], [0]],
  ['middle', [3, 17, 6], [1]],
  ['all', [7, 19], [0, 1]],
  ['two of three', [3, 4, 21], [0, 2]],
  ['first two', [3, 4, 21], [0, 1]],
  ['size 1', [4, 1, 5], [1]],
  ['long', [2, 1000], [1]],
  ['vector', [67], [0]],
]

/** Tests of reductions. */
export function reduceSuite(rig: Rig): void {
  const { test } = rig

  for (const op of reduceOps) {
    for (const dtype of allTypes) {
      if (dtype === 'bool' && (op === 'sum' || op === 'prod')) continue
      test(`${op} ${dtype}`, async () => {
        for (const [, shape, axes] of cases) {
          const n = sizeOf(shape)
          const values = op === 'prod' ? productValues(dtype, n) : smallValues(dtype, n, 4)
          const kernel = reduction(shape, axes, dtype, [op])
          await rig.compare(kernel, [values, ...outputsOf(kernel)], { tolerance: 'value' })
        }
      })

      test(`${op} ${dtype} over nothing`, async () => {
        for (const [shape, axes] of [
          [[3, 0], [1]],
          [[0], [0]],
          [
            [0, 0],
            [0, 1],
          ],
          [[0, 3], [1]],
          [[2, 0, 3], [1]],
        ] as const) {
          const kernel = reduction(shape, axes, dtype, [op])
          await rig.compare(kernel, [data(dtype, []), ...outputsOf(kernel)])
        }
      })
    }
  }

  test('max and min propagate NaN and know -Infinity', async () => {
    for (const dtype of ['float32', 'float64'] as const) {
      for (const n of [1, 3, 8, 37]) {
        for (const special of [Number.NaN, Infinity, -Infinity]) {
          for (const at of [0, n >> 1, n - 1]) {
            const values = Array.from({ length: n }, (_, i) => (i === at ? special : i - 5))
            const kernel = reduction([n], [0], dtype, ['max', 'min'])
            await rig.compare(kernel, [data(dtype, values), ...outputsOf(kernel)])
          }
        }
      }
      const kernel = reduction([6], [0], dtype, ['max', 'argmax', 'min'])
      await rig.compare(kernel, [
        data(dtype, new Array<number>(6).fill(-Infinity)),
        ...outputsOf(kernel),
      ])
    }
  })

  test('max and min of the ends of integer types', async () => {
    for (const dtype of ['uint8', 'int8', 'int32'] as const) {
      const { min, max } = dtypeInfo(dtype)
      for (const values of [
        [min, min, min],
        [max, max],
        [0, min, max, 1],
      ]) {
        const kernel = reduction([values.length], [0], dtype, ['max', 'min', 'argmax', 'argmin'])
        await rig.compare(kernel, [data(dtype, values), ...outputsOf(kernel)])
      }
    }
  })

  test('integer sums and products wrap', async () => {
    for (const dtype of ['uint8', 'int8', 'int32'] as const) {
      const { max } = dtypeInfo(dtype)
      const values = Array.from({ length: 41 }, (_, i) => max - i * 2)
      const kernel = reduction([41], [0], dtype, ['sum', 'prod'])
      await rig.compare(kernel, [data(dtype, values), ...outputsOf(kernel)])
    }
  })

  test('argmax gives the first of equal places, counted over all reduced dimensions', async () => {
    const values = data('float32', [1, 7, 3, 7, 7, 0, 2, -4, -4, 7, -4, 1])
    for (const axes of [[0], [1], [2], [0, 1], [1, 2], [0, 2], [0, 1, 2]]) {
      const kernel = reduction([2, 3, 2], axes, 'float32', ['argmax', 'argmin'])
      await rig.compare(kernel, [values, ...outputsOf(kernel)])
    }
  })

  test('several accumulators of several dtypes', async () => {
    for (const [shape, axes] of [
      [[5, 40], [1]],
      [[40, 5], [0]],
    ] as const) {
      const x = load(0, 'float32')
      const body = [
        x,
        binary('mul', x, x),
        x,
        x,
        cast(x, 'int32'),
        compare('gt', x, constant(0, 'float32')),
      ]
      const ops = ['sum', 'sum', 'max', 'argmin', 'sum', 'max'] as const
      const epilogue = body.map((e, slot) => acc(slot, accType(ops[slot]!, e.dtype)))
      const kernel = reduction(shape, axes, 'float32', ops, { body, epilogue })
      await rig.compare(kernel, [smallValues('float32', 200), ...outputsOf(kernel)])
    }
  })

  test('epilogues with further operands, launch numbers and indices', async () => {
    for (const [shape, axes] of [
      [[6, 32], [1]],
      [[32, 6], [0]],
    ] as const) {
      const inputs = [{ dtype: 'float32' as const, strides: [2, 0], offset: 1 }]
      const scaled = binary('mul', acc(0, 'float32'), param(0, 'float32'))
      const epilogue = [
        binary('max', binary('add', scaled, load(1, 'float32')), constant(0, 'float32')),
        cast(acc(0, 'float32'), 'int32'),
        binary('add', index(0), cast(acc(1, 'float32'), 'int32')),
        select(
          compare('gt', acc(0, 'float32'), constant(3, 'float32')),
          acc(1, 'float32'),
          constant(-1, 'float32'),
        ),
      ]
      const kernel = reduction(shape, axes, 'float32', ['sum', 'max'], { epilogue, inputs })
      await rig.compare(
        kernel,
        [smallValues('float32', 192), smallValues('float32', 13, 3), ...outputsOf(kernel)],
        { params: [0.5] },
      )
    }
  })

  test('an epilogue may write over what it alone reads', async () => {
    const inputs = [{ dtype: 'float32' as const, strides: [1, 0], offset: 0 }]
    const epilogue = [binary('add', acc(0, 'float32'), load(1, 'float32'))]
    const kernel = reduction([9, 13], [1], 'float32', ['sum'], { epilogue, inputs })
    const running = smallValues('float32', 9, 3)
    await rig.compare(kernel, [smallValues('float32', 117), running, running])
  })

  test('bodies with broadcast operands, indices and casts', async () => {
    const dims = [7, 29]
    const inputs = [
      fitOperand('float32', dims, [29, 1]),
      fitOperand('float32', dims, [0, 1]),
      fitOperand('float32', dims, [1, 0]),
    ]
    const [x, y, z] = inputs.map((_, i) => load(i, 'float32')) as [Expr, Expr, Expr]
    const masked = select(
      compare('le', index(1), index(0)),
      binary('sub', binary('mul', x, y), z),
      constant(0, 'float32'),
    )
    const kernel: LoopKernel = {
      kind: 'loop',
      dims,
      parallel: 1,
      inputs: inputs.map((f) => f.operand),
      outputs: [fitOperand('float32', [7], [-2]).operand],
      body: [masked],
      reduce: ['sum'],
      epilogue: [unary('neg', acc(0, 'float32'))],
    }
    await rig.compare(kernel, [
      ...inputs.map((f, i) => smallValues('float32', f.size, i + 1)),
      untouched('float32', 13),
    ])
  })

  test('guarded windows: pooling', async () => {
    // out[y, x] = reduce over a 3 × 3 window with padding 1 of a 6 × 7 image: the window's places are guarded by bands.
    for (const op of ['sum', 'max'] as const) {
      for (let ky = 0; ky < 3; ky++) {
        const dims = [6, 7, 3]
        const guards = [{ dim: 0, lo: 1 - ky, hi: 7 - ky }]
        const input = {
          dtype: 'float32' as const,
          strides: [7, 1, 0],
          offset: (ky - 1) * 7,
          guards,
        }
        const kernel: LoopKernel = {
          kind: 'loop',
          dims,
          parallel: 2,
          inputs: [input],
          outputs: [denseOperand('float32', [6, 7])],
          body: [load(0, 'float32')],
          reduce: [op],
          epilogue: [acc(0, 'float32')],
        }
        await rig.compare(kernel, [smallValues('float32', 42), untouched('float32', 42)])
      }
    }
    const guards = [{ dim: 1, lo: 2, hi: 20 }]
    const input = fitOperand('float32', [5, 23], [30, 1], 0, guards)
    const kernel: LoopKernel = {
      kind: 'loop',
      dims: [5, 23],
      parallel: 1,
      inputs: [input.operand],
      outputs: [denseOperand('float32', [5])],
      body: [load(0, 'float32')],
      reduce: ['min'],
      epilogue: [acc(0, 'float32')],
    }
    await rig.compare(kernel, [
      data(
        'float32',
        Array.from({ length: input.size }, (_, i) => i + 1),
      ),
      untouched('float32', 5),
    ])
  })

  test('long float32 sums stay accurate', async () => {
    const n = 100_000
    const values = data(
      'float32',
      randoms(n, 6).map((u) => u + 0.5),
    )
    for (const [shape, axes] of [
      [[n], [0]],
      [[10, n / 10], [1]],
      [[n / 10, 10], [0]],
    ] as const) {
      const kernel = reduction(shape, axes, 'float32', ['sum'])
      await rig.compare(kernel, [values, ...outputsOf(kernel)], {
        tolerance: { rel: 2e-5, abs: 0 },
      })
    }
  })

  test('sums of products in batches, and what a condition leaves out', async () => {
    const [b, m, n, k] = [2, 9, 12, 11]
    const [left, right] = [load(0, 'float32'), load(1, 'float32')]
    const kernelOf = (body: Expr): LoopKernel => ({
      kind: 'loop',
      dims: [m, b, n, k],
      parallel: 3,
      inputs: [
        { dtype: 'float32', strides: [k, m * k, 0, 1], offset: 0 },
        { dtype: 'float32', strides: [0, k * n, 1, n], offset: 0 },
        { dtype: 'bool', strides: [0, 0, k, 1], offset: 0 },
      ],
      outputs: [{ dtype: 'float32', strides: [b * n, n, 1], offset: 0 }],
      body: [body],
      reduce: ['sum'],
      epilogue: [acc(0, 'float32')],
    })
    const product = binary('mul', left, right)
    const zero = constant(0, 'float32')
    const below = compare('le', index(3), index(2))
    const masked = select(load(2, 'bool'), product, zero)
    for (const body of [product, select(below, product, zero), masked]) {
      const mask = smallValues('bool', n * k)
      const values = [...smallValues('float32', b * m * k).array].map(Number)
      // No column takes in this term of any row.
      if (body === masked) {
        for (let column = 0; column < n; column++) mask.array[column * k + 3] = 0
        for (let row = 0; row < b * m; row++) values[row * k + 3] = row % 2 ? Number.NaN : Infinity
      }
      await rig.compare(kernelOf(body), [
        data('float32', values),
        smallValues('float32', b * k * n, 2),
        mask,
        untouched('float32', m * b * n),
      ])
    }
  })

  test('large reductions', async () => {
    for (const [shape, axes] of [
      [[300, 700], [1]],
      [[300, 700], [0]],
      [
        [300, 700],
        [0, 1],
      ],
    ] as const) {
      const kernel = reduction(shape, axes, 'float32', ['max', 'argmax'])
      await rig.compare(kernel, [smallValues('float32', 210_000), ...outputsOf(kernel)])
    }
  })
}
