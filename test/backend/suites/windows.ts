/** Convolutions, their transposes, and pooling. */

import { rowMajor } from '../../../src/base/shape.ts'
import { acc, binary, constant, type Expr, load } from '../../../src/prim/expr.ts'
import {
  type ConvKernel,
  type ConvSide,
  type ConvSizes,
  convGiven,
  convShape,
  type PoolKernel,
  type PoolMode,
  type PoolSizes,
  poolOperandShape,
} from '../../../src/prim/window.ts'
import type { Rig } from '../conformance.ts'
import { data, fitOperand, randoms, smallValues, untouched } from '../kernels.ts'

type Real = 'float32' | 'float64'
type Arrange = (shape: readonly number[], lead: number) => number[]

/** Batch, then the axes, then the channels between. */
const channelsLast: Arrange = (shape, lead) => {
  if (lead < 2) return rowMajor(shape)
  const order = [0, ...shape.map((_, i) => i).slice(lead), ...shape.map((_, i) => i).slice(1, lead)]
  const inner = rowMajor(order.map((a) => shape[a]!))
  return shape.map((_, a) => inner[order.indexOf(a)]!)
}
const spaced: Arrange = (shape) => rowMajor(shape).map((s) => 2 * s)

const window = (
  x: readonly number[],
  size: readonly number[],
  {
    stride = [1],
    dilate = [1],
    pad = [0],
  }: Partial<Pick<ConvSizes, 'stride' | 'dilate' | 'pad'>> = {},
) => {
  const full = (v: readonly number[]): number[] => x.map((_, d) => v[d] ?? v[0]!)
  const [s, l, p] = [full(stride), full(dilate), full(pad)]
  const y = x.map((n, d) => Math.floor((n + 2 * p[d]! - l[d]! * (size[d]! - 1) - 1) / s[d]!) + 1)
  return { x, window: size, y, stride: s, dilate: l, pad: p }
}

const conv = (
  batch: number,
  groups: number,
  inner: number,
  outer: number,
  w: ReturnType<typeof window>,
): ConvSizes => ({
  batch,
  groups,
  inner,
  outer,
  ...w,
})

const sizes: readonly ConvSizes[] = [
  conv(1, 1, 1, 1, window([5], [3])),
  conv(2, 1, 3, 8, window([9, 8], [3, 3], { pad: [1] })),
  conv(3, 1, 16, 16, window([7, 7], [3, 3], { stride: [2], pad: [1] })),
  conv(2, 1, 4, 20, window([12, 12], [5, 5])),
  conv(2, 6, 1, 1, window([9, 10], [3, 3], { pad: [1] })),
  conv(1, 2, 6, 5, window([8, 6], [3, 2], { stride: [2, 1], dilate: [1, 2], pad: [2, 1] })),
  conv(2, 1, 8, 12, window([6, 6], [1, 1], { stride: [2] })),
  conv(2, 1, 5, 9, window([4, 5, 6], [2, 3, 2], { pad: [1, 0, 1], stride: [1, 2, 1] })),
  conv(2, 1, 7, 9, window([31], [4], { dilate: [3], pad: [2] })),
  conv(1, 1, 1, 6, window([28, 28], [5, 5])),
  conv(4, 1, 1, 8, window([18, 18], [3, 3])),
  conv(0, 1, 2, 2, window([4], [3])),
]

/** Sizes for which faster algorithms than the plain one exist: of uneven edges, and with more weights than images. */
const wide: readonly ConvSizes[] = [
  conv(3, 1, 32, 48, window([31, 34], [3, 3], { pad: [1] })),
  conv(2, 1, 32, 48, window([6, 6], [3, 3])),
  conv(2, 1, 32, 64, window([26, 30], [3, 3], { pad: [2, 0] })),
]
/** A size of which a batch entry is a piece of its own. */
const large = conv(2, 1, 32, 32, window([56, 56], [3, 3], { pad: [1] }))

/** A convolution with its operands laid out in some way, and its data. */
function convolution(
  dtype: Real,
  result: ConvSide,
  s: ConvSizes,
  arrange?: Arrange,
  more: { epilogue?: Expr; inputs?: readonly (readonly number[])[] } = {},
) {
  const shape = (side: ConvSide): number[] => convShape(s, side)
  const strides = (side: ConvSide): readonly number[] =>
    side === 'w' || !arrange ? rowMajor(shape(side)) : arrange(shape(side), 3)
  const [first, second] = convGiven(result)
  const fitted = [first, second].map((side) => fitOperand(dtype, shape(side), strides(side)))
  const output = fitOperand(dtype, shape(result), strides(result), 1)
  const inputs = (more.inputs ?? []).map((i) => fitOperand(dtype, shape(result), i))
  const kernel: ConvKernel = {
    kind: 'conv',
    dtype,
    result,
    sizes: s,
    lhs: fitted[0]!.operand,
    rhs: fitted[1]!.operand,
    inputs: inputs.map((f) => f.operand),
    output: output.operand,
    epilogue: more.epilogue ?? acc(0, dtype),
  }
  const blocks = [
    ...[...fitted, ...inputs].map((f, i) => smallValues(dtype, f.size, i + 1)),
    untouched(dtype, output.size),
  ]
  return { kernel, blocks }
}

const near = { rel: 1e-5, abs: 1e-3 }
/** Winograd's algorithm rounds in proportion to the largest sums, which here are some thousands. */
const transformed = { rel: 1e-5, abs: 2e-2 }

/** Tests of convolutions. */
export function convSuite(rig: Rig): void {
  const { test } = rig
  const run = ({ kernel, blocks }: ReturnType<typeof convolution>, tolerance = near) =>
    rig.compare(kernel, blocks, { tolerance })
  for (const dtype of ['float32', 'float64'] as const) {
    for (const result of ['y', 'x', 'w'] as const) {
      test(`conv ${result} ${dtype}`, async () => {
        for (const s of sizes) await run(convolution(dtype, result, s))
      })
      test(`conv ${result} ${dtype} channels last`, async () => {
        for (const s of sizes) await run(convolution(dtype, result, s, channelsLast))
      })
      test(`conv ${result} ${dtype} spaced`, async () => {
        for (const s of sizes) await run(convolution(dtype, result, s, spaced))
      })
    }
  }
  for (const result of ['y', 'x', 'w'] as const) {
    test(`conv ${result} of many channels`, async () => {
      for (const s of wide) {
        await run(convolution('float32', result, s), transformed)
        await run(convolution('float32', result, s, channelsLast), transformed)
      }
    })
  }
  for (const result of ['y', 'x', 'w'] as const) {
    test(`conv ${result} of many channels and places, added to an array`, async () => {
      const shape = convShape(large, result)
      const more = {
        epilogue: binary('add', acc(0, 'float32'), load(0, 'float32')),
        inputs: [result === 'w' ? rowMajor(shape) : channelsLast(shape, 3)],
      }
      await run(convolution('float32', result, large, channelsLast, more), transformed)
    })
  }
  const dtype = 'float32'
  const relu = (e: Expr): Expr => binary('max', e, constant(0, dtype))
  const perChannel = (s: ConvSizes): number[] => [0, s.outer, 1, ...s.x.map(() => 0)]
  const sum = binary('add', acc(0, dtype), load(0, dtype))
  const finishes: Record<string, { epilogue: Expr; inputs: (s: ConvSizes) => number[][] }> = {
    bias: { epilogue: sum, inputs: (s) => [perChannel(s)] },
    'bias and relu': { epilogue: relu(sum), inputs: (s) => [perChannel(s)] },
    'bias, residual and relu': {
      epilogue: relu(binary('add', sum, load(1, dtype))),
      inputs: (s) => [perChannel(s), channelsLast(convShape(s, 'y'), 3)],
    },
    'the sum twice': {
      epilogue: binary('mul', sum, acc(0, dtype)),
      inputs: (s) => [perChannel(s)],
    },
    scale: {
      epilogue: binary('mul', acc(0, dtype), load(0, dtype)),
      inputs: (s) => [perChannel(s)],
    },
  }
  test('conv and bias of many channels', async () => {
    const s = wide[2]!
    const more = { epilogue: sum, inputs: [perChannel(s)] }
    await run(convolution(dtype, 'y', s, channelsLast, more), transformed)
  })
  for (const name in finishes) {
    test(`conv and ${name}`, async () => {
      const { epilogue, inputs } = finishes[name]!
      for (const s of sizes) {
        for (const arrange of [undefined, channelsLast])
          await run(convolution(dtype, 'y', s, arrange, { epilogue, inputs: inputs(s) }))
      }
    })
  }
}

const pools: readonly PoolSizes[] = [
  { lines: [2, 3], ...window([6, 8], [2, 2], { stride: [2] }) },
  { lines: [1, 2], ...window([7], [3], { stride: [2], pad: [1] }) },
  { lines: [2, 4], ...window([9, 9], [3, 3], { stride: [2], pad: [1] }) },
  { lines: [2, 2], ...window([4, 5, 4], [2, 2, 3], { pad: [1, 0, 1] }) },
  { lines: [1, 3], ...window([5, 5], [5, 5]) },
  {
    lines: [2, 16],
    x: [5, 5],
    window: [3, 3],
    y: [3, 3],
    stride: [2, 2],
    dilate: [1, 1],
    pad: [0, 0],
  },
  { lines: [2, 37], ...window([9, 10], [3, 2], { stride: [2, 1], dilate: [1, 2], pad: [1] }) },
  { lines: [3, 20], ...window([40], [3], { stride: [2], pad: [1] }) },
  { lines: [2, 17], ...window([7, 6], [2, 2], { stride: [3], pad: [2] }) },
  { lines: [], ...window([8], [2], { dilate: [3] }) },
  { lines: [0, 2], ...window([4], [2]) },
]

/** Tests of pooling. */
export function poolSuite(rig: Rig): void {
  const { test } = rig
  for (const dtype of ['float32', 'float64'] as const) {
    for (const mode of ['max', 'pick', 'spread'] as const satisfies readonly PoolMode[]) {
      test(`pool ${mode} ${dtype}`, async () => {
        for (const s of pools) {
          for (const arrange of [undefined, channelsLast, spaced]) {
            const fitted = (i: number) => {
              const shape = poolOperandShape({ mode, sizes: s } as PoolKernel, i)
              const strides = arrange ? arrange(shape, s.lines.length) : rowMajor(shape)
              return fitOperand(dtype, shape, strides, i < 0 ? 1 : 0)
            }
            const inputs = (mode === 'max' ? [0] : [0, 1]).map(fitted)
            const output = fitted(-1)
            const kernel: PoolKernel = {
              kind: 'pool',
              dtype,
              mode,
              sizes: s,
              inputs: inputs.map((f) => f.operand),
              output: output.operand,
            }
            // Distinct values, so that there is one largest element; the second input may have ties.
            const distinct = randoms(inputs[0]!.size, 5).map((u) => u * 100 - 50)
            const blocks = [
              data(dtype, distinct),
              ...inputs.slice(1).map((f) => smallValues(dtype, f.size, 2)),
              untouched(dtype, output.size),
            ]
            await rig.compare(kernel, blocks, { tolerance: 'value' })
          }
        }
      })
    }
  }
  test('pool where windows hold NaN and infinities', async () => {
    const s: PoolSizes = { lines: [2, 20], ...window([8, 8], [2, 2], { stride: [2] }) }
    for (const mode of ['max', 'spread'] as const) {
      const fitted = (i: number) => {
        const shape = poolOperandShape({ mode, sizes: s } as PoolKernel, i)
        return fitOperand('float32', shape, channelsLast(shape, 2))
      }
      const [x, v, out] = [fitted(0), fitted(1), fitted(-1)]
      const odd = [Number.NaN, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY]
      const values = randoms(x.size, 8).map((u, i) => (u < 0.3 ? odd[i % 3]! : u))
      const spread = mode === 'spread'
      const kernel: PoolKernel = {
        kind: 'pool',
        dtype: 'float32',
        mode,
        sizes: s,
        inputs: spread ? [x.operand, v.operand] : [x.operand],
        output: out.operand,
      }
      const blocks = [
        data('float32', values),
        ...(spread ? [smallValues('float32', v.size)] : []),
        untouched('float32', out.size),
      ]
      await rig.compare(kernel, blocks, { tolerance: 'value' })
    }
  })
  test('pool takes the first of equal elements', async () => {
    const s: PoolSizes = { lines: [1, 1], ...window([6], [3], { stride: [3] }) }
    for (const mode of ['pick', 'spread'] as const) {
      const shape = (i: number): number[] => poolOperandShape({ mode, sizes: s } as PoolKernel, i)
      const operand = (i: number) => fitOperand('float32', shape(i), rowMajor(shape(i))).operand
      const kernel: PoolKernel = {
        kind: 'pool',
        dtype: 'float32',
        mode,
        sizes: s,
        inputs: [operand(0), operand(1)],
        output: operand(-1),
      }
      const v = mode === 'pick' ? [1, 2, 3, 4, 5, 6] : [1, 2]
      const out = untouched('float32', mode === 'pick' ? 2 : 6)
      await rig.compare(kernel, [data('float32', [1, 2, 2, 0, 0, 0]), data('float32', v), out])
    }
  })
}
