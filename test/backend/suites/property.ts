/** Random loop nests: whatever the layout and the expression, a backend agrees with the reference. */

import fc from 'fast-check'
import type { DType } from '../../../src/base/dtype.ts'
import { sizeOf } from '../../../src/base/shape.ts'
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
import type { Guard, LoopKernel, ReduceOp } from '../../../src/prim/kernel.ts'
import type { Rig } from '../conformance.ts'
import { type Fitted, fitOperand, narrowed, smallValues, untouched } from '../kernels.ts'

const types = ['float32', 'float64', 'int32', 'uint8', 'int8', 'int64'] as const

/** Sizes of a domain: small, sometimes empty, the last one long enough for vectors. */
const anyDims = fc
  .tuple(
    fc.array(fc.constantFrom(1, 2, 3, 3, 4, 5), { maxLength: 3 }),
    fc.constantFrom(0, 1, 2, 3, 4, 5, 8, 11, 16, 17, 37),
  )
  .map(([outer, last]) => [...outer, last])

/** Strides of an axis order, with gaps, reversals and, on inputs, repeats. */
const anyStrides = (dims: readonly number[], repeats: boolean): fc.Arbitrary<number[]> =>
  fc
    .record({
      order: fc.shuffledSubarray(
        dims.map((_, i) => i),
        { minLength: dims.length, maxLength: dims.length },
      ),
      inOrder: fc.boolean(),
      gap: fc.constantFrom(1, 1, 1, 2, 3),
      flips: fc.array(fc.constantFrom(1, 1, 1, -1), {
        minLength: dims.length,
        maxLength: dims.length,
      }),
      keep: fc.array(fc.constantFrom(1, 1, 1, 0), {
        minLength: dims.length,
        maxLength: dims.length,
      }),
    })
    .map(({ order, inOrder, gap, flips, keep }) => {
      const strides = dims.map(() => 0)
      let step = gap
      for (const axis of inOrder ? dims.map((_, i) => dims.length - 1 - i) : order) {
        if (repeats && keep[axis] === 0) continue
        strides[axis] = step * flips[axis]!
        step *= Math.max(1, dims[axis]!)
      }
      return strides
    })

const anyGuards = (dims: readonly number[]): fc.Arbitrary<Guard[] | undefined> =>
  fc.option(
    fc
      .nat(dims.length - 1)
      .chain((dim) =>
        fc
          .tuple(
            fc.integer({ min: -2, max: dims[dim]! }),
            fc.integer({ min: 0, max: dims[dim]! + 2 }),
          )
          .map(([lo, hi]) => [{ dim, lo, hi }]),
      ),
    { nil: undefined, freq: 4 },
  )

const anyInput = (dims: readonly number[]): fc.Arbitrary<Fitted> =>
  fc
    .tuple(
      fc.constantFrom('float32' as const, ...types),
      anyStrides(dims, true),
      fc.nat(4),
      anyGuards(dims),
    )
    .map(([dtype, strides, slack, guards]) => fitOperand(dtype, dims, strides, slack, guards))

/** A float32 expression whose value is exact: few products, small numbers. */
function anyBody(inputs: readonly Fitted[], dims: readonly number[]): fc.Arbitrary<Expr> {
  const asFloat = (e: Expr): Expr => cast(e, 'float32')
  const leaf = fc.oneof(
    {
      weight: 6,
      arbitrary: fc.nat(inputs.length - 1).map((i) => asFloat(load(i, inputs[i]!.operand.dtype))),
    },
    {
      weight: 1,
      arbitrary: fc.integer({ min: -6, max: 6 }).map((v) => constant(v / 2, 'float32')),
    },
    { weight: 1, arbitrary: fc.nat(1).map((slot) => param(slot, 'float32')) },
    { weight: 1, arbitrary: fc.nat(dims.length - 1).map((d) => asFloat(index(d))) },
  )
  const grow = (part: fc.Arbitrary<Expr>): fc.Arbitrary<Expr> =>
    fc.oneof(
      part,
      fc
        .tuple(fc.constantFrom('add', 'sub', 'max', 'min'), part, part)
        .map(([op, x, y]) => binary(op as 'add', x, y)),
      fc
        .tuple(fc.constantFrom('neg', 'abs', 'floor', 'trunc', 'sign'), part)
        .map(([op, x]) => unary(op as 'neg', x)),
      fc
        .tuple(fc.constantFrom('lt', 'le', 'eq', 'ge'), part, part, part, part)
        .map(([op, a, b, x, y]) => select(compare(op as 'lt', a, b), x, y)),
      part.map((x) => asFloat(cast(x, 'int32'))),
    )
  const product = fc.tuple(leaf, leaf).map(([x, y]) => binary('mul', x, y))
  return grow(grow(fc.oneof(leaf, product)))
}

const anyOutputType = fc.constantFrom<DType>('float32', 'float32', 'float64', 'int32', 'int64')

interface Case {
  readonly kernel: LoopKernel
  readonly sizes: readonly number[]
  readonly seed: number
}

const anyMap: fc.Arbitrary<Case> = anyDims.chain((dims) =>
  fc.array(anyInput(dims), { minLength: 1, maxLength: 3 }).chain((inputs) =>
    fc
      .record({
        bodies: fc.array(
          fc.tuple(anyBody(inputs, dims), anyOutputType, anyStrides(dims, false), fc.nat(3)),
          { minLength: 1, maxLength: 2 },
        ),
        seed: fc.integer({ min: 1, max: 1000 }),
      })
      .map(({ bodies, seed }) => {
        const outputs = bodies.map(([, dtype, strides, slack]) =>
          fitOperand(dtype, dims, strides, slack),
        )
        const kernel: LoopKernel = {
          kind: 'loop',
          dims,
          parallel: dims.length,
          inputs: inputs.map((f) => f.operand),
          outputs: outputs.map((f) => f.operand),
          body: bodies.map(([e, dtype]) => cast(e, dtype)),
          reduce: [],
          epilogue: [],
        }
        return { kernel, sizes: [...inputs, ...outputs].map((f) => f.size), seed }
      }),
  ),
)

const anyReduce: fc.Arbitrary<Case> = anyDims.chain((dims) =>
  fc
    .tuple(fc.array(anyInput(dims), { minLength: 1, maxLength: 3 }), fc.nat(dims.length - 1))
    .chain(([inputs, parallel]) => {
      const kept = dims.slice(0, parallel)
      return fc
        .record({
          bodies: fc.array(
            fc.tuple(
              anyBody(inputs, dims),
              fc.constantFrom<ReduceOp>('sum', 'max', 'min', 'argmax', 'argmin'),
            ),
            { minLength: 1, maxLength: 3 },
          ),
          extra: anyStrides(kept, true),
          out: anyStrides(kept, false),
          slack: fc.nat(3),
          seed: fc.integer({ min: 1, max: 1000 }),
        })
        .map(({ bodies, extra, out, slack, seed }) => {
          const more = fitOperand(
            'float32',
            dims,
            [...extra, ...dims.slice(parallel).map(() => 0)],
            slack,
          )
          // With an empty reduction the extra operand is still read, once a parallel point.
          const moreSize = Math.max(more.size, fitOperand('float32', kept, extra, slack).size)
          const outputs = bodies.map(() => fitOperand('float32', kept, out, slack))
          const sums = bodies.map(([, op], slot) =>
            cast(acc(slot, op.startsWith('arg') ? 'int32' : 'float32'), 'float32'),
          )
          const kernel: LoopKernel = {
            kind: 'loop',
            dims,
            parallel,
            inputs: [...inputs.map((f) => f.operand), more.operand],
            outputs: outputs.map((f) => f.operand),
            body: bodies.map(([e]) => e),
            reduce: bodies.map(([, op]) => op),
            epilogue: sums.map((e, j) =>
              j === 0 ? binary('add', e, load(inputs.length, 'float32')) : e,
            ),
          }
          return {
            kernel,
            sizes: [...inputs.map((f) => f.size), moreSize, ...outputs.map((f) => f.size)],
            seed,
          }
        })
    }),
)

/** Property tests of loop nests. */
export function propertySuite(rig: Rig): void {
  const { test } = rig
  const agree = async ({ kernel: any, sizes, seed }: Case): Promise<void> => {
    const kernel = rig.lacks.length > 0 ? narrowed(any) : any
    const operands = [...kernel.inputs, ...kernel.outputs]
    const blocks = operands.map(({ dtype }, i) =>
      i < kernel.inputs.length
        ? smallValues(dtype, sizes[i]!, seed + i)
        : untouched(dtype, sizes[i]!),
    )
    await rig.compare(kernel, blocks, { params: [1.5, -3], tolerance: 'value' })
  }
  const options = { numRuns: 150, seed: 20240607 }

  test('property: maps', () => fc.assert(fc.asyncProperty(anyMap, agree), options))
  test('property: reductions', () => fc.assert(fc.asyncProperty(anyReduce, agree), options))
  test('property: nothing is generated that is too large', () => {
    for (const { kernel } of fc.sample(anyMap, { numRuns: 50, seed: 1 })) {
      if (sizeOf(kernel.dims) > 10_000) throw new Error(`too large: ${kernel.dims.join()}`)
    }
  })
}
