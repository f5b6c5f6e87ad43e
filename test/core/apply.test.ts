/** Writing results into existing arrays: never over an element that is still to be read. */

import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { apply, applyInto } from '../../src/core/apply.ts'
import { findOp, OpDef } from '../../src/core/op.ts'
import type { Tensor } from '../../src/core/tensor.ts'
import { arange, array, ones, zeros } from '../../src/ndarray/creation.ts'
import type { NDArray } from '../../src/ndarray/ndarray.ts'
import * as nd from '../../src/ops/index.ts'
import { multiUpdate } from '../../src/ops/multiUpdate.ts'
import { adamUpdate, sgdMomUpdate, sgdUpdate } from '../../src/ops/update.ts'
import { backends, reference } from '../cases/devices.ts'
import { expectClose, put, take } from '../cases/runner.ts'
import { play, programs, shapes } from '../passes/programs.ts'

const numbers = (x: NDArray): number[] => Array.from(x.asTypedArraySync(), Number)
const op = (body: (x: Tensor, y: Tensor) => Tensor): OpDef =>
  new OpDef({ name: 'test', inputs: ['x', 'y'], body: ([x, y]) => body(x!, y!) })

const bodies: readonly [string, (x: Tensor, y: Tensor) => Tensor][] = [
  ['a map', (x, y) => nd.add(nd.multiply(x, 2), y)],
  ['a copy', (x) => nd.identity(x)],
  ['the input itself', (x) => nd.reshape(x, [0, 0])],
  ['a reversal', (x) => nd.flip(x, { axis: 0 })],
  ['a reversal in a map', (x, y) => nd.add(nd.flip(x, { axis: [0, 1] }), y)],
  ['a transpose', (x, y) => nd.add(nd.transpose(x), nd.multiply(y, 10))],
  ['both ways', (x) => nd.add(nd.transpose(x), x)],
  ['a row for all', (x) => nd.subtract(x, nd.sliceAxis(x, { axis: 0, begin: 0, end: 1 }))],
  ['a reduction', (x) => nd.subtract(x, nd.sum(x, { axis: 0, keepdims: true }))],
  ['softmax', (x) => nd.softmax(x)],
  ['a product', (x, y) => nd.dot(x, y)],
  ['a product with itself', (x) => nd.dot(x, x)],
  ['a gather', (x, y) => nd.take(x, nd.sliceAxis(y, { axis: 1, begin: 0, end: 1 }).reshape([-1]))],
  [
    'pieces',
    (x) =>
      nd.concat(
        nd.sliceAxis(x, { axis: 0, begin: 1, end: 3 }),
        nd.sliceAxis(x, { axis: 0, begin: 0, end: 1 }),
        { dim: 0 },
      ),
  ],
]

describe.each(
  backends.filter((b) => b.skip === null).map((b) => [String(b.context), b.context] as const),
)('on %s', (_n, ctx) => {
  const fresh = (): [NDArray, NDArray] => [
    arange(9, null, 1, { ctx }).reshape([3, 3]).copy(),
    arange(9, 0, -1, { ctx }).reshape([3, 3]).copy(),
  ]

  describe.each(bodies)('%s', (_name, body) => {
    const want = (): number[] => numbers(apply(op(body), fresh()))

    it('into its first input', () => {
      const [x, y] = fresh()
      applyInto(op(body), [x, y], undefined, [x])
      expect([numbers(x), numbers(y)]).toEqual([want(), numbers(fresh()[1])])
    })

    it('into its second input', () => {
      const [x, y] = fresh()
      applyInto(op(body), [x, y], undefined, [y])
      expect([numbers(y), numbers(x)]).toEqual([want(), numbers(fresh()[0])])
    })

    it('into an array that others see', () => {
      const [x, y] = fresh()
      const target = zeros([3, 3], { ctx })
      const [seen, part] = [target.detach(), x.at(1)]
      applyInto(op(body), [x, y], undefined, [target])
      expect(numbers(target)).toEqual(want())
      expect(numbers(seen)).toEqual(new Array(9).fill(0))
      applyInto(op(body), [x, y], undefined, [x])
      expect([numbers(x), numbers(part)]).toEqual([want(), [3, 4, 5]])
    })

    it('from views of the target', () => {
      const [x, y] = fresh()
      const views: [NDArray, NDArray] = [nd.flip(x, { axis: 0 }), y]
      const wanted = numbers(apply(op(body), views))
      applyInto(op(body), views, undefined, [x])
      expect(numbers(x)).toEqual(wanted)
    })
  })
})

it('any program may write over any input', () => {
  fc.assert(
    fc.property(programs, fc.nat(3), ({ moves }, at) => {
      const body = (xs: readonly Tensor[]): Tensor =>
        nd.add(
          xs[at]!,
          nd.multiply(nd.mean(play(moves, xs).at(-1)!), nd.flip(xs[at]!, { axis: 0 })),
        )
      const program = new OpDef({ name: 'program', inputs: ['...xs'], body })
      const make = (): NDArray[] =>
        shapes.map((shape) => {
          const n = shape.reduce((a: number, b) => a * b, 1)
          return put(
            { shape, data: Array.from({ length: n }, (_, i) => Math.sin(i + shape.length)) },
            'float64',
            reference,
          )
        })
      const want = apply(program, make())
      const inputs = make()
      applyInto(program, inputs, undefined, [inputs[at]!])
      expectClose(take(inputs[at]!), take(want), 1e-12, 'in place')
    }),
    { numRuns: 300 },
  )
})

describe('targets', () => {
  it('hold their block once', () => {
    const { backend } = zeros([1]).storage.device
    const [x, y] = [arange(9).reshape([3, 3]).copy(), ones([3, 3])]
    const run = (body: (x: Tensor, y: Tensor) => Tensor): void =>
      applyInto(op(body), [x, y], undefined, [x])
    for (const [, body] of bodies) run(body)
    expect([x.storage.shares, y.storage.shares]).toEqual([1, 1])
    const { live } = backend.memory()
    for (const [, body] of bodies) run(body)
    expect(backend.memory().live).toBe(live)
  })

  it('must have the shape and dtype of the result', () => {
    const x = ones([2])
    expect(() => applyInto(findOp('exp')!, [x], undefined, [zeros([3])])).toThrow(
      /^\[exp\] the result is float32 \(2\)/,
    )
    expect(() =>
      applyInto(findOp('exp')!, [x], undefined, [zeros([2], { dtype: 'float64' })]),
    ).toThrow(/^\[exp\]/)
  })
})

describe('updates', () => {
  it('give a new weight, or write it', () => {
    const [w, g] = [array([1, 2]), array([2, 4])]
    const next = sgdUpdate(w, g, { lr: 0.5 })
    expect([numbers(next), numbers(w)]).toEqual([
      [0, 0],
      [1, 2],
    ])
    expect(sgdUpdate(w, g, { lr: 0.5, out: w })).toBe(w)
    expect(numbers(w)).toEqual([0, 0])
  })

  it('always write their states', () => {
    for (const inPlace of [false, true]) {
      const [w, g, m] = [array([1]), array([2]), array([1])]
      const next = sgdMomUpdate(w, g, m, { lr: 0.5, momentum: 0.5, ...(inPlace ? { out: w } : {}) })
      expect([numbers(next), numbers(m)]).toEqual([[0.5], [-0.5]])
      const [mean, variance] = [zeros([1]), zeros([1])]
      adamUpdate(array([1]), g, mean, variance, { lr: 0.1 })
      expect([mean.asScalarSync(), variance.asScalarSync()].map((v) => v.toFixed(4))).toEqual([
        '0.2000',
        '0.0040',
      ])
    }
  })

  it('of many parameters are those of each', () => {
    const make = (k: number): NDArray => array([k, 2 * k, -k])
    const [ws, gs, ms] = [
      [make(1), make(2)],
      [make(3), make(4)],
      [make(5), make(6)],
    ]
    const options = { lr: 0.1, wd: 0.01, rescaleGrad: 0.5, clipGradient: 2, momentum: 0.9 }
    const single = [1, 2].map((k) => {
      const [w, m] = [make(k), make(k + 4)]
      sgdMomUpdate(w, make(k + 2), m, { ...options, out: w })
      return [numbers(w), numbers(m)]
    })
    multiUpdate(
      'momentum',
      ws,
      gs,
      ms.map((m) => [m]),
      options,
    )
    expect(ws.map((w, i) => [numbers(w), numbers(ms[i]!)])).toEqual(single)
  })
})
