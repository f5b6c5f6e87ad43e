/** Arrays: reading, copying, writing in place. */

import { describe, expect, expectTypeOf, it } from 'vitest'
import { Context } from '../../src/base/context.ts'
import type { DType } from '../../src/base/dtype.ts'
import { MXNetError } from '../../src/base/error.ts'
import { arange, array, ones, zeros } from '../../src/ndarray/creation.ts'
import type { NDArray } from '../../src/ndarray/ndarray.ts'
import * as nd from '../../src/ops/index.ts'
import { backends, reference } from '../cases/devices.ts'

const here = backends
  .filter((b) => b.skip === null)
  .map((b) => [String(b.context), b.context] as const)

describe.each(here)('on %s', (_name, ctx) => {
  it('reads typed arrays of each dtype', async () => {
    const kinds: [DType, string][] = [
      ['float32', 'Float32Array'],
      ['float64', 'Float64Array'],
      ['int32', 'Int32Array'],
      ['int8', 'Int8Array'],
      ['uint8', 'Uint8Array'],
      ['int64', 'BigInt64Array'],
      ['bool', 'Uint8Array'],
    ]
    for (const [dtype, name] of kinds) {
      const x = array(
        [
          [0, 1],
          [1, 0],
        ],
        { ctx, dtype },
      )
      const values = await x.asTypedArray()
      expect(values.constructor.name).toBe(name)
      expect(Array.from(values, Number)).toEqual([0, 1, 1, 0])
      expect(x.asTypedArraySync()).toEqual(values)
      values.fill((dtype === 'int64' ? 5n : 5) as never)
      expect(x.at(0, 0).asScalarSync()).toBe(0)
    }
  })

  it('reads nested arrays', async () => {
    expect(
      await array(
        [
          [1, 2],
          [3, 4],
        ],
        { ctx },
      ).asArray(),
    ).toEqual([
      [1, 2],
      [3, 4],
    ])
    expect(array([1, 2], { ctx, dtype: 'int64' }).asArraySync()).toEqual([1n, 2n])
    expect(array([true, false], { ctx }).asArraySync()).toEqual([true, false])
    expect(array(3, { ctx }).asArraySync()).toBe(3)
    expect(zeros([2, 0], { ctx }).asArraySync()).toEqual([[], []])
    expect(zeros([0, 2], { ctx }).asArraySync()).toEqual([])
  })

  it('reads scalars of arrays of one element only', async () => {
    expect(await array([[7]], { ctx }).asScalar()).toBe(7)
    expect(array([9], { ctx, dtype: 'int64' }).asScalarSync()).toBe(9)
    await expect(ones([2], { ctx }).asScalar()).rejects.toThrow(/^\[asScalar\] .*\(2,\)/)
    expect(() => zeros([0], { ctx }).asScalarSync()).toThrow(/^\[asScalarSync\]/)
  })

  it('reads views in their own order', () => {
    const x = arange(6, null, 1, { ctx }).reshape([2, 3])
    expect(x.T.asArraySync()).toEqual([
      [0, 3],
      [1, 4],
      [2, 5],
    ])
    expect(Array.from(x.at(1, '::-1').asTypedArraySync(), Number)).toEqual([5, 4, 3])
    expect(Array.from(x.at(1).asTypedArraySync(), Number)).toEqual([3, 4, 5])
  })

  it('writes in place', () => {
    const x = array([6, 8], { ctx })
    expect(x.addAssign(2)).toBe(x)
    x.subAssign(array([1, 2], { ctx }))
      .mulAssign(3)
      .divAssign(2)
    expect(x.asArraySync()).toEqual([10.5, 12])
    expect(x.modAssign(5).asArraySync()).toEqual([0.5, 2])
    expect(() => x.addAssign(ones([2, 2], { ctx }))).toThrow(/^\[addAssign\]/)
    expect(() => x.addAssign(ones([2], { ctx, dtype: 'float64' }))).toThrow(
      /^\[addAssign\] .*float64/,
    )
    const k = array([5, -5], { ctx, dtype: 'int32' })
    expect(k.divAssign(2).asArraySync()).toEqual([2, -2])
    expect(() => k.mulAssign(0.5)).toThrow(MXNetError)
  })

  it('writes in place into an array that others hold a copy of', () => {
    const x = array([1, 2], { ctx })
    const [copy, alias] = [x.copy(), x.detach()]
    x.addAssign(1)
    expect([x, copy, alias].map((a) => a.asArraySync())).toEqual([
      [2, 3],
      [1, 2],
      [1, 2],
    ])
  })

  it('copies into arrays and to devices', () => {
    const x = array(
      [
        [1.5, 2],
        [3, 4],
      ],
      { ctx },
    )
    const k = zeros([2, 2], { ctx, dtype: 'int32' })
    expect(x.copyTo(k)).toBe(k)
    expect(k.asArraySync()).toEqual([
      [1, 2],
      [3, 4],
    ])
    expect(() => x.copyTo(zeros([4], { ctx }))).toThrow(/^\[copyTo\] .*\(4,\)/)
    const y = x.T.at('::-1').copyTo(reference)
    expect(y.context).toBe(reference)
    expect(y.asArraySync()).toEqual([
      [2, 4],
      [1.5, 3],
    ])
    const back = y.asInContext(ctx)
    expect([back.ctx, back.asArraySync()]).toEqual([
      ctx,
      [
        [2, 4],
        [1.5, 3],
      ],
    ])
    expect(x.asInContext(ctx)).toBe(x)
    x.copy().assign(0)
    expect(x.at(0, 0).asScalarSync()).toBe(1.5)
  })
})

it('arrays of two devices do not mix', () => {
  const [x, y] = [ones([2]), ones([2], { ctx: backends[1]!.context })]
  expect(() => nd.add(x, y)).toThrow(/^\[broadcast_add\] .*reference\(0\).*wasm\(0\).*asInContext/)
})

it('a device that is not there says so', () => {
  const ctx = new Context('cpu_shared', 0)
  expect(() => zeros([2], { ctx })).toThrow(/^\[Context\] .*cpu_shared\(0\)/)
})

describe('the rules of dtypes', () => {
  const typed = (dtype: DType): NDArray => ones([2], { dtype })
  it.each([
    ['float32', 'float64', 'float64'],
    ['int32', 'float32', 'float32'],
    ['int64', 'float32', 'float32'],
    ['uint8', 'int8', 'int32'],
    ['uint8', 'int64', 'int64'],
    ['bool', 'uint8', 'uint8'],
    ['bool', 'bool', 'int64'],
  ] as [DType, DType, DType][])('%s and %s give %s', (a, b, c) => {
    expect(typed(a).add(typed(b)).dtype).toBe(c)
    expect(typed(b).mul(typed(a)).dtype).toBe(c)
  })

  it('a number takes the dtype of the array', () => {
    for (const dtype of ['float32', 'float64', 'int32', 'uint8', 'int64'] as const) {
      const y = typed(dtype).add(2)
      expect([y.dtype, Array.from(y.asTypedArraySync(), Number)]).toEqual([dtype, [3, 3]])
    }
    expect(typed('uint8').sub(2).asArraySync()).toEqual([255, 255])
  })

  it('a fraction does not fit integers', () => {
    const k = typed('int32')
    for (const f of [
      () => k.add(0.5),
      () => k.mul(1.5),
      () => nd.divide(0.5, k),
      () => nd.greater(k, 0.5),
      () => k.maximum(1.5),
    ]) {
      expect(f).toThrow(/^\[_\w+_scalar\] the number [\d.]+ does not fit an array of int32/)
    }
    expect(() => nd.clip(k, 0.5, 2)).toThrow(/^\[clip\]/)
  })
})

it('handles have types', () => {
  const x = zeros([1])
  expectTypeOf(x.add(1)).toEqualTypeOf<NDArray>()
  expectTypeOf(nd.softmax(x)).toEqualTypeOf<NDArray>()
})
