/** Indexing against a plain model: reading, writing, and views that read as copies. */

import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { MXNetError } from '../../src/base/error.ts'
import { arange, array, zeros } from '../../src/ndarray/creation.ts'
import type { NDArray } from '../../src/ndarray/ndarray.ts'
import * as nd from '../../src/ops/index.ts'
import { backends } from '../cases/devices.ts'
import { type Arr, build, get, points, sizeOf, sliceRange } from '../cases/model.ts'
import { put } from '../cases/runner.ts'

type BasicKey = number | string | null

const numbers = (x: NDArray): number[] => Array.from(x.asTypedArraySync(), Number)

/** The shape that a key gives, and where each of its elements lies in the array. */
function select(
  shape: readonly number[],
  key: readonly BasicKey[],
): { shape: number[]; places: number[][] } {
  const named = key.filter((k) => k !== null && k !== '...').length
  const dots = key.includes('...') ? key : [...key, '...']
  const full = dots.flatMap((k) =>
    k === '...' ? new Array<string>(shape.length - named).fill(':') : [k],
  )
  let axis = 0
  const picks: number[][] = []
  const out: number[] = []
  const source: number[] = []
  for (const k of full) {
    if (k === null) {
      out.push(1)
      continue
    }
    const d = shape[axis++]!
    if (typeof k === 'number') {
      picks.push([k < 0 ? k + d : k])
      source.push(-1)
    } else {
      const [from, to, by] = k.split(':').map((t) => (t.trim() === '' ? null : Number(t)))
      const list = sliceRange(d, from ?? null, to ?? null, by ?? null)
      picks.push(list)
      source.push(out.length)
      out.push(list.length)
    }
  }
  const places = [...points(out)].map((at) =>
    picks.map((list, i) => list[source[i]! < 0 ? 0 : at[source[i]!]!]!),
  )
  return { shape: out, places }
}

const bound = fc.option(fc.integer({ min: -6, max: 6 }), { nil: null })
const sliceText = fc
  .tuple(bound, bound, fc.option(fc.constantFrom(-3, -2, -1, 1, 2, 3), { nil: null }))
  .map(([a, b, c]) => `${a ?? ''}:${b ?? ''}${c === null ? '' : `:${c}`}`)

/** A shape with a key that fits it. */
const indexed = fc
  .array(fc.integer({ min: 1, max: 4 }), { minLength: 1, maxLength: 3 })
  .chain((shape) => {
    const one = (d: number): fc.Arbitrary<BasicKey> =>
      fc.oneof(fc.integer({ min: -d, max: d - 1 }), sliceText)
    return fc
      .tuple(
        fc.integer({ min: 0, max: shape.length }),
        fc.integer({ min: -1, max: 4 }),
        fc.integer({ min: -1, max: 4 }),
      )
      .chain(([named, dots, axis]) =>
        fc.tuple(...shape.map(one)).map((keys): { shape: number[]; key: BasicKey[] } => {
          // Keys behind the ellipsis name the last axes.
          const split = dots < 0 ? named : Math.min(dots, named)
          const front = keys.slice(0, split)
          const back = keys.slice(keys.length - (named - split))
          const key: BasicKey[] =
            dots < 0 ? keys.slice(0, named) : [...front, '...', ...(named > split ? back : [])]
          if (axis >= 0) key.splice(Math.min(axis, key.length), 0, null)
          return { shape, key }
        }),
      )
  })

const counted = (shape: readonly number[]): Arr => {
  let n = 0
  return build(shape, () => n++)
}

describe.each(
  backends.filter((b) => b.skip === null).map((b) => [String(b.context), b.context] as const),
)('on %s', (_n, ctx) => {
  const made = (shape: readonly number[]): NDArray =>
    arange(sizeOf(shape), null, 1, { ctx }).reshape(shape)

  it('at reads what the model reads', () => {
    fc.assert(
      fc.property(indexed, ({ shape, key }) => {
        const want = select(shape, key)
        const got = made(shape).at(...key)
        expect(got.shape).toEqual(want.shape)
        expect(numbers(got)).toEqual(want.places.map((at) => get(counted(shape), at)))
      }),
      { numRuns: 300 },
    )
  })

  it('at of at composes', () => {
    fc.assert(
      fc.property(indexed, sliceText, ({ shape, key }, second) => {
        const first = made(shape).at(...key)
        if (first.ndim === 0) return
        const values = { shape: first.shape, data: numbers(first) }
        const want = select(first.shape, [second])
        expect(numbers(first.at(second))).toEqual(
          want.places.map((_, i) => get(values, select(first.shape, [second]).places[i]!)),
        )
        expect(numbers(first.at(second).mul(2))).toEqual(
          want.places.map((at) => 2 * get(values, at)),
        )
      }),
      { numRuns: 200 },
    )
  })

  it('set writes where the model writes, and nowhere else', () => {
    fc.assert(
      fc.property(indexed, fc.boolean(), ({ shape, key }, scalar) => {
        const want = select(shape, key)
        const x = made(shape)
        const values = want.places.map((_, i) => 100 + i)
        x.set(scalar ? -7 : put({ shape: want.shape, data: values }, 'float32', ctx), ...key)
        const model = new Map([...points(shape)].map((at, i) => [at.join(), i]))
        want.places.forEach((at, i) => model.set(at.join(), scalar ? -7 : values[i]!))
        expect(numbers(x)).toEqual([...model.values()])
      }),
      { numRuns: 300 },
    )
  })

  it('set broadcasts and casts its value', () => {
    const x = zeros([2, 3], { ctx, dtype: 'int32' })
    x.set(array([1.9, -2.9, 3], { ctx }), 1)
    expect(numbers(x)).toEqual([0, 0, 0, 1, -2, 3])
    x.set(array([[5], [6]], { ctx, dtype: 'float64' }), ':', '1:')
    expect(numbers(x)).toEqual([0, 5, 5, 1, 6, 6])
    x.assign(array(new Uint8Array([9, 8, 7]), { ctx }))
    expect(numbers(x)).toEqual([9, 8, 7, 9, 8, 7])
    expect(x.dtype).toBe('int32')
  })

  it('a view does not see later writes, nor does its source', () => {
    const x = made([3, 3])
    const views = [
      x.at(1),
      x.at(':', '::-1'),
      x.reshape([9]),
      x.T,
      nd.broadcastTo(x.at('0:1'), [3, 3]),
    ]
    const before = views.map(numbers)
    x.set(-1, 1, 1)
    x.addAssign(100)
    expect(views.map(numbers)).toEqual(before)
    const kept = numbers(x)
    views[0]!.assign(0)
    views[1]!.set(5, 0)
    views[2]!.mulAssign(2)
    views[3]!.set(1, ':', 0)
    views[4]!.set(3, 1)
    expect(numbers(x)).toEqual(kept)
    expect(numbers(views[4]!)).toEqual([0, 1, 2, 3, 3, 3, 0, 1, 2])
  })

  it('an array written from a view of itself reads the old elements', () => {
    const x = made([5])
    x.set(x.at('0:4'), '1:5')
    expect(numbers(x)).toEqual([0, 0, 1, 2, 3])
    x.assign(x.at('::-1'))
    expect(numbers(x)).toEqual([3, 2, 1, 0, 0])
    x.addAssign(x.at('::-1'))
    expect(numbers(x)).toEqual([3, 2, 2, 2, 3])
  })
})

describe('errors', () => {
  const x = arange(6).reshape([2, 3])
  it.each([
    [[2], /\[at\] index 2 is out of range for axis 0 of size 2/],
    [[0, -4], /axis 1 of size 3/],
    [[0, 0, 0], /3 indices for an array of 2 dimensions/],
    [['...', '...'], /at most one/],
    [['1;2'], /not understood/],
    [['::0'], /step 0/],
    [[0.5], /index 0.5/],
    [[Number.NaN], /index NaN/],
  ] as [BasicKey[], RegExp][])('at(%j)', (key, message) => {
    expect(() => x.at(...key)).toThrow(MXNetError)
    expect(() => x.at(...key)).toThrow(message)
  })

  it('a text that is a number is not a slice', () => expect(() => x.at('1')).toThrow(/^\[at\]/))
  it('set checks its value', () => {
    expect(() => x.set(zeros([4]), 0)).toThrow(/^\[set\] .*\(4,\).*\(3,\)/)
    expect(() => x.set('a' as never, 0)).toThrow(/^\[set\]/)
    expect(() => x.astype('int32').set(0.5, 0)).toThrow(/^\[set\] 0.5/)
    expect(() => x.assign(zeros([3, 3]))).toThrow(/^\[assign\]/)
    const other = zeros([3], { ctx: backends[1]!.context })
    expect(() => x.set(other, 0)).toThrow(/^\[set\] .*asInContext/)
  })
})
