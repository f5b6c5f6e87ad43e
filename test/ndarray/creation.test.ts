/** Making arrays: dtypes, shapes, copies and errors. */

import { describe, expect, it } from 'vitest'
import { MXNetError } from '../../src/base/error.ts'
import {
  arange,
  array,
  empty,
  eye,
  full,
  linspace,
  ones,
  zeros,
} from '../../src/ndarray/creation.ts'
import '../cases/devices.ts'

describe('array', () => {
  it.each([
    [[1, 2], 'float32', [2]],
    [[[1], [2]], 'float32', [2, 1]],
    [[], 'float32', [0]],
    [[[], []], 'float32', [2, 0]],
    [3, 'float32', []],
    [true, 'bool', []],
    [[true, false], 'bool', [2]],
    [[true, 2], 'float32', [2]],
    [[1n, 2n], 'float32', [2]],
    [new Float32Array(2), 'float32', [2]],
    [new Float64Array(2), 'float64', [2]],
    [new Uint8Array(2), 'uint8', [2]],
    [new Uint8ClampedArray(2), 'uint8', [2]],
    [new Int8Array(2), 'int8', [2]],
    [new Int32Array(2), 'int32', [2]],
    [new BigInt64Array(2), 'int64', [2]],
  ] as [unknown, string, number[]][])('array $#', (source, dtype, shape) => {
    const x = array(source as never)
    expect([x.dtype, x.shape]).toEqual([dtype, shape])
  })

  it('takes a dtype', () => {
    expect(array([1, 2], { dtype: 'int64' }).asArraySync()).toEqual([1n, 2n])
    expect(array(new Uint8Array([1, 2]), { dtype: 'float64' }).dtype).toBe('float64')
    expect(array([0, 2], { dtype: 'bool' }).asArraySync()).toEqual([false, true])
    expect(array([2n ** 60n + 1n], { dtype: 'int64' }).asArraySync()).toEqual([2n ** 60n + 1n])
    const x = array([1.5], { dtype: 'float64' })
    expect(array(x).dtype).toBe('float64')
    expect(array(x, { dtype: 'float32' }).dtype).toBe('float32')
  })

  it('copies', () => {
    const typed = new Float32Array([1, 2, 3])
    const x = array(typed)
    typed[0] = 9
    const y = array(x)
    x.assign(0)
    expect(y.asArraySync()).toEqual([1, 2, 3])
    const part = array(new Float32Array([1, 2, 3, 4]).subarray(1, 3))
    expect(part.asArraySync()).toEqual([2, 3])
    expect(array(y.at('::-1')).asArraySync()).toEqual([3, 2, 1])
  })

  it('stacks arrays', () => {
    expect(array([ones([2]), zeros([2])]).asArraySync()).toEqual([
      [1, 1],
      [0, 0],
    ])
    expect(() => array([ones([2]), zeros([3])])).toThrow(/^\[array\]/)
  })

  it.each([
    [[[1, 2], [3]], undefined, /ragged/],
    [[[1], 2], undefined, /ragged/],
    [[1, [2]], undefined, /ragged/],
    [['a'], undefined, /string/],
    [null, undefined, /object|null/],
    [undefined, undefined, /undefined/],
    [[1.5], 'int32', /1.5 does not fit int32/],
    [[300], 'uint8', /300 does not fit uint8/],
    [[-1], 'uint8', /-1 does not fit uint8/],
    [[Number.NaN], 'int32', /NaN/],
    [[0.5], 'int64', /0.5/],
    [[1], 'float128', /float128 is unknown/],
    [[1], 'int16', /dtype int16 is unknown/],
    [new Uint16Array(1), undefined, /Uint16Array/],
    [new BigUint64Array(1), undefined, /BigUint64Array/],
  ] as [unknown, string | undefined, RegExp][])('refusal $#', (source, dtype, message) => {
    const make = (): unknown => array(source as never, { dtype: dtype as never })
    expect(make).toThrow(MXNetError)
    expect(make).toThrow(message)
    expect(make).toThrow(/^\[array\]/)
  })
})

describe('filled arrays', () => {
  it('have shapes and dtypes', () => {
    expect(zeros([2, 2]).asArraySync()).toEqual([
      [0, 0],
      [0, 0],
    ])
    expect(ones(3, { dtype: 'int32' }).asArraySync()).toEqual([1, 1, 1])
    expect(full([2], 2.5).asArraySync()).toEqual([2.5, 2.5])
    expect(full([], 7).asArraySync()).toBe(7)
    expect(full([2], 1, { dtype: 'bool' }).asArraySync()).toEqual([true, true])
    expect(empty([2, 3]).shape).toEqual([2, 3])
    expect(() => full([2], 0.5, { dtype: 'int32' })).toThrow(/^\[full\] 0.5/)
  })

  it('are dense and writable', () => {
    const x = full([2, 2], 3)
    x.set(1, 0, 0)
    expect(x.asArraySync()).toEqual([
      [1, 3],
      [3, 3],
    ])
    expect(full([2, 2], 3).asArraySync()).toEqual([
      [3, 3],
      [3, 3],
    ])
  })

  it('count', () => {
    expect(arange(3).asArraySync()).toEqual([0, 1, 2])
    expect(arange(1, 2, 0.25).asArraySync()).toEqual([1, 1.25, 1.5, 1.75])
    expect(arange(5, 0, -2, { repeat: 2 }).asArraySync()).toEqual([5, 5, 3, 3, 1, 1])
    expect(arange(3, 1).shape).toEqual([0])
    expect(arange(0, 3, 1, { dtype: 'int64' }).asArraySync()).toEqual([0n, 1n, 2n])
    expect(linspace(0, 1, 3).asArraySync()).toEqual([0, 0.5, 1])
    expect(linspace(0, 1, 2, { endpoint: false }).asArraySync()).toEqual([0, 0.5])
    expect(eye(2, 3, 1).asArraySync()).toEqual([
      [0, 1, 0],
      [0, 0, 1],
    ])
    expect(() => arange(0, 1, 0)).toThrow(/arange\] .*step/)
  })

  it.each([[[-1]], [[1.5]], ['2'], [[70000, 70000]], [null], [[Number.NaN]]] as unknown[][])(
    'refuse the shape %s',
    (shape) => {
      for (const make of [zeros, ones, empty])
        expect(() => make(shape as never)).toThrow(/^\[(zeros|ones|empty|_\w+)\] .*shape/)
    },
  )

  it('refuse other contexts and dtypes', () => {
    expect(() => zeros([1], { ctx: 'cpu' as never })).toThrow(/^\[zeros\] ctx/)
    expect(() => zeros([1], { dtype: 'f32' as never })).toThrow(/^\[zeros\] dtype f32/)
    expect(() => array([1], { ctx: 'cpu' as never })).toThrow(/^\[array\] ctx/)
    expect(() => empty([1], { ctx: 'cpu' as never })).toThrow(/^\[empty\] ctx/)
  })
})
