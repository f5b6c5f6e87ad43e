/** Arrays as indices against a plain model of NumPy's rule: reading, writing, gradients, masks. */

import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { backward, record } from '../../src/autograd/index.ts'
import type { Context } from '../../src/base/context.ts'
import { MXNetError } from '../../src/base/error.ts'
import type { IndexKey } from '../../src/core/methods.ts'
import { OpDef } from '../../src/core/op.ts'
import { arange, array, zeros } from '../../src/ndarray/creation.ts'
import type { NDArray } from '../../src/ndarray/ndarray.ts'
import { backends, reference } from '../cases/devices.ts'
import { type Arr, broadcastShape, build, get, points, sizeOf, sliceRange } from '../cases/model.ts'
import { call, put, take } from '../cases/runner.ts'

/** A key as plain data: arrays are `{ index }`, masks `{ mask }`. */
type Plain = number | string | null | { readonly index: Arr } | { readonly mask: Arr }

/** Masks become the positions of what they hold, the ellipsis the slices it stands for. */
function expand(rank: number, key: readonly Plain[]): Plain[] {
  const plain = key.flatMap((k): Plain[] => {
    if (k === null || typeof k !== 'object' || !('mask' in k)) return [k]
    const held = [...points(k.mask.shape)].filter((at) => get(k.mask, at) !== 0)
    return k.mask.shape.map((_, a) => ({
      index: { shape: [held.length], data: held.map((at) => at[a]!) },
    }))
  })
  const named = plain.filter((k) => k !== null && k !== '...').length
  const full = plain.includes('...') ? plain : [...plain, '...']
  return full.flatMap((k) => (k === '...' ? new Array<Plain>(rank - named).fill(':') : [k]))
}

/** The shape that a key gives, and for each element its coordinates in the array. */
function select(
  shape: readonly number[],
  key: readonly Plain[],
): { shape: number[]; from: number[][] } {
  const parts = expand(shape.length, key)
  const advanced = (k: Plain): boolean =>
    typeof k === 'number' || (k !== null && typeof k === 'object')
  const places = parts.flatMap((k, i) => (advanced(k) ? [i] : []))
  const arrays = parts.some((k) => k !== null && typeof k === 'object')
  const common = broadcastShape(
    [],
    ...parts.flatMap((k) =>
      k !== null && typeof k === 'object' && 'index' in k ? [k.index.shape] : [],
    ),
  )
  const together = places.every((p, i) => i === 0 || p === places[i - 1]! + 1)
  let axis = 0
  const lists: (number[] | null)[] = []
  parts.forEach((k) => {
    if (k === null) lists.push(null)
    else if (typeof k === 'string') {
      const [a, b, c] = k.split(':').map((t) => (t.trim() === '' ? null : Number(t)))
      lists.push(sliceRange(shape[axis++]!, a ?? null, b ?? null, c ?? null))
    } else {
      lists.push([])
      axis++
    }
  })
  const basic = parts.flatMap((k, i) => (advanced(k) ? [] : [lists[i]?.length ?? 1]))
  const before = parts.slice(0, places[0] ?? 0).length
  const lead = arrays ? (together ? before : 0) : 0
  const out = arrays ? [...basic.slice(0, lead), ...common, ...basic.slice(lead)] : basic
  const from = [...points(out)].map((at) => {
    const shared = arrays ? at.slice(lead, lead + common.length) : []
    const own = arrays ? [...at.slice(0, lead), ...at.slice(lead + common.length)] : at
    const source: number[] = []
    let next = 0
    parts.forEach((k, i) => {
      const d = shape[source.length]!
      if (k === null) next++
      else if (typeof k === 'string') source.push(lists[i]![own[next++]!]!)
      else {
        const v = typeof k === 'number' ? k : get((k as { index: Arr }).index, shared)
        source.push(v < 0 ? v + d : v)
      }
    })
    return source
  })
  return { shape: out, from }
}

const bound = fc.option(fc.integer({ min: -5, max: 5 }), { nil: null })
const sliceText = fc
  .tuple(bound, bound, fc.option(fc.constantFrom(-2, -1, 1, 2), { nil: null }))
  .map(([a, b, c]) => `${a ?? ''}:${b ?? ''}${c === null ? '' : `:${c}`}`)
const arr = (shape: readonly number[], of: fc.Arbitrary<number>): fc.Arbitrary<Arr> =>
  fc
    .array(of, { minLength: sizeOf(shape), maxLength: sizeOf(shape) })
    .map((data) => ({ shape, data }))

/** A shape and a key with at least one array. */
const indexed = fc
  .tuple(
    fc.array(fc.integer({ min: 1, max: 4 }), { minLength: 1, maxLength: 4 }),
    fc.constantFrom<number[][]>(
      [[], [3]],
      [[2], [1]],
      [[2, 3], [3], [1]],
      [
        [2, 1],
        [1, 2],
      ],
    ),
  )
  .chain(([shape, forms]) => {
    const index = (d: number): fc.Arbitrary<Plain> =>
      fc
        .constantFrom(...forms)
        .chain((form) => arr(form, fc.integer({ min: -d, max: d - 1 })))
        .map((a) => ({ index: a }))
    const one = (d: number): fc.Arbitrary<Plain> =>
      fc.oneof(
        { weight: 2, arbitrary: index(d) },
        { weight: 1, arbitrary: fc.integer({ min: -d, max: d - 1 }) },
        { weight: 2, arbitrary: sliceText },
      )
    return fc
      .tuple(
        fc.tuple(...shape.map(one)),
        fc.nat(shape.length),
        fc.nat(5),
        fc.nat(5),
        index(shape[0]!),
      )
      .map(([keys, named, axis, dots, sure]) => {
        const key = keys.slice(0, named)
        if (!key.some((k) => k !== null && typeof k === 'object')) key.splice(0, 1, sure)
        if (axis <= key.length) key.splice(axis, 0, null)
        if (dots === 0) key.push('...')
        return { shape, key: key as Plain[] }
      })
  })

/** A shape and a key with one mask among numbers and slices. */
const masked = fc
  .tuple(
    fc.array(fc.integer({ min: 1, max: 3 }), { minLength: 1, maxLength: 3 }),
    fc.nat(2),
    fc.nat(2),
  )
  .chain(([shape, at, rank]) => {
    const start = Math.min(at, shape.length - 1)
    const end = Math.min(start + 1 + rank, shape.length)
    return fc
      .tuple(
        fc.tuple(...shape.map((d) => fc.oneof(sliceText, fc.integer({ min: -d, max: d - 1 })))),
        arr(shape.slice(start, end), fc.nat(1)),
      )
      .map(([keys, mask]) => ({
        shape,
        key: [...keys.slice(0, start), { mask }, ...keys.slice(end)] as Plain[],
      }))
  })

const counted = (shape: readonly number[]): Arr => {
  let n = 0
  return build(shape, () => n++)
}
const flatOf = (shape: readonly number[], at: readonly number[]): number =>
  at.reduce((sum, v, i) => sum * shape[i]! + v, 0)

describe.each(
  backends.filter((b) => b.skip === null).map((b) => [String(b.context), b.context] as const),
)('arrays as indices on %s', (_n, ctx) => {
  const numRuns = ctx === reference ? 300 : 1200
  const made = (shape: readonly number[]): NDArray =>
    arange(sizeOf(shape), null, 1, { ctx }).reshape(shape)
  const keyOf = (
    key: readonly Plain[],
    on: Context,
    dtype: 'int32' | 'float32' = 'int32',
  ): IndexKey[] =>
    key.map((k) => {
      if (k === null || typeof k !== 'object') return k
      return 'mask' in k ? put(k.mask, 'bool', on) : put(k.index, dtype, on)
    })

  it.each([
    ['arrays', indexed],
    ['masks', masked],
  ] as const)('at reads what the model reads by %s', (_name, keys) => {
    fc.assert(
      fc.property(keys, fc.constantFrom('int32', 'float32'), ({ shape, key }, dtype) => {
        const want = select(shape, key)
        const got = made(shape).at(...keyOf(key, ctx, dtype as 'int32'))
        expect(got.shape).toEqual(want.shape)
        expect(take(got).data).toEqual(want.from.map((at) => get(counted(shape), at)))
      }),
      { numRuns },
    )
  })

  it.each([
    ['arrays', indexed],
    ['masks', masked],
  ] as const)('set writes what the model writes by %s, and nothing else', (_name, keys) => {
    fc.assert(
      fc.property(keys, fc.boolean(), ({ shape, key }, number) => {
        const want = select(shape, key)
        const x = made(shape)
        const view = x.reshape([-1])
        const value = number ? -7 : made(want.shape).add(100)
        x.set(value, ...keyOf(key, ctx))
        const model = [...counted(shape).data]
        want.from.forEach((at, i) => {
          model[flatOf(shape, at)] = number ? -7 : 100 + i
        })
        expect(take(x).data).toEqual(model)
        expect(take(view).data).toEqual(counted([sizeOf(shape)]).data)
      }),
      { numRuns: numRuns / 2 },
    )
  })

  it('gradients add up where elements are taken twice', () => {
    fc.assert(
      fc.property(fc.oneof(indexed, masked), ({ shape, key }) => {
        const x = made(shape)
        x.attachGrad()
        const want = select(shape, key)
        const y = record(() => x.at(...keyOf(key, ctx)))
        const head = made(want.shape).add(1)
        if (want.from.length === 0) return
        backward(y, head)
        const model = new Array<number>(sizeOf(shape)).fill(0)
        want.from.forEach((at, i) => {
          model[flatOf(shape, at)]! += i + 1
        })
        expect(take(x.grad!).data).toEqual(model)
      }),
      { numRuns: numRuns / 4 },
    )
  })

  it('works while a graph is traced', () => {
    const op = new OpDef({ name: 'rows', inputs: ['x', 'i'], body: ([x, i]) => x!.at(i!, '::-1') })
    const [y] = call(
      op,
      [made([3, 2]), put({ shape: [2], data: [2, 0] }, 'int32', ctx)],
      undefined,
      ctx,
    )
    expect(take(y!).data).toEqual([5, 4, 1, 0])
    const mask = new OpDef({ name: 'masked', inputs: ['x', 'm'], body: ([x, m]) => x!.at(m!) })
    const inputs = [made([2]), put({ shape: [2], data: [1, 0] }, 'bool', ctx)]
    expect(() => call(mask, inputs, undefined, ctx)).toThrow(/mask/)
  })

  it('clips positions outside and never reads beyond the array', () => {
    const x = made([3])
    const far = put({ shape: [4], data: [-9, 3, 2 ** 31 - 1, -(2 ** 31)] }, 'int32', ctx)
    expect(take(x.at(far)).data).toEqual([0, 2, 2, 0])
    x.set(9, far)
    expect(take(x).data).toEqual([9, 1, 9])
  })

  it('refuses in words', () => {
    const x = made([2, 3])
    const index = (...data: number[]): NDArray => put({ shape: [data.length], data }, 'int32', ctx)
    const mask = (n: number): NDArray => zeros([n], { dtype: 'bool', ctx })
    for (const wrong of [
      () => x.at(index(0, 1), index(0, 1, 1)),
      () => x.at(mask(3)),
      () => x.at(zeros([], { dtype: 'bool', ctx })),
      () => x.at(index(0), index(0), index(0)),
      () => x.at(index(0), 5),
      () => x.set(array([1, 2], { ctx }), index(0, 1, 1), 0),
      () => x.set(0.5 as never, 'x'),
      () => zeros([0, 2], { ctx }).at(index(0)),
      () => x.at([0] as never),
    ])
      expect(wrong).toThrow(MXNetError)
  })
})
