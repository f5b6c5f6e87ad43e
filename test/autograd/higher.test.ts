/** Higher orders: gradients of gradients against formulas and differences, in float64. */

import { describe, expect, it } from 'vitest'
import { grad, record } from '../../src/autograd/index.ts'
import { array } from '../../src/ndarray/creation.ts'
import type { NDArray } from '../../src/ndarray/ndarray.ts'
import * as nd from '../../src/ops/index.ts'
import '../cases/devices.ts'

const variable = (values: readonly unknown[]): NDArray => {
  const x = array(values as number[], { dtype: 'float64' })
  x.attachGrad()
  return x
}
const numbers = (x: NDArray): number[] => Array.from(x.asTypedArraySync(), Number)

/** f, f', f'' … at x, each the gradient of the sum of the one before. */
function derivatives(
  f: (x: NDArray) => NDArray,
  at: readonly number[],
  orders: number,
): number[][] {
  const x = variable(at)
  return record(() => {
    let y = f(x)
    const out = [numbers(y)]
    for (let i = 0; i < orders; i++) {
      y = grad(y, [x], { createGraph: true })[0]!
      out.push(numbers(y))
    }
    return out
  })
}

function expectAll(got: readonly number[], want: readonly number[], digits = 9): void {
  expect(got.length).toBe(want.length)
  got.forEach((g, i) => expect(g).toBeCloseTo(want[i]!, digits))
}

const at = [-1.3, 0.4, 2]

describe('derivatives of higher order', () => {
  it('of a power', () => {
    const [y, d1, d2, d3, d4, d5] = derivatives((x) => x.mul(x).mul(x.mul(x)), at, 5)
    expectAll(
      y!,
      at.map((x) => x ** 4),
    )
    expectAll(
      d1!,
      at.map((x) => 4 * x ** 3),
    )
    expectAll(
      d2!,
      at.map((x) => 12 * x ** 2),
    )
    expectAll(
      d3!,
      at.map((x) => 24 * x),
    )
    expectAll(
      d4!,
      at.map(() => 24),
    )
    expectAll(
      d5!,
      at.map(() => 0),
    )
  })

  it('of power with a number', () => {
    const [, , , d3] = derivatives((x) => x.pow(4), [0.5, 2], 3)
    expectAll(d3!, [12, 48])
  })

  it('of tanh', () => {
    const [, d1, d2, d3] = derivatives((x) => nd.tanh(x), at, 3)
    const t = at.map(Math.tanh)
    expectAll(
      d1!,
      t.map((v) => 1 - v * v),
    )
    expectAll(
      d2!,
      t.map((v) => -2 * v * (1 - v * v)),
    )
    expectAll(
      d3!,
      t.map((v) => (1 - v * v) * (6 * v * v - 2)),
    )
  })

  it('of exp and sine', () => {
    const all = derivatives((x) => nd.exp(x), at, 3)
    for (const d of all) expectAll(d, at.map(Math.exp))
    const [, , , d3] = derivatives((x) => nd.sin(x), at, 3)
    expectAll(
      d3!,
      at.map((x) => -Math.cos(x)),
    )
  })

  it('reach backward', () => {
    const x = variable([3])
    const [g] = record(() => grad(x.mul(x).mul(x), [x], { createGraph: true }))
    record(() => g!.mul(g!)).backward()
    // d/dx (3x²)² = 36x³
    expectAll(numbers(x.grad!), [36 * 27])
  })
})

/** The Hessian of a scalar function: by two gradients, and by differences of the gradient. */
function hessians(
  f: (x: NDArray) => NDArray,
  at: readonly number[],
  shape: readonly number[],
): [number[][], number[][]] {
  const gradient = (values: readonly number[]): number[] => {
    const x = variable(values)
    return numbers(record(() => grad(f(x.reshape(shape)), [x]))[0]!)
  }
  const h = 1e-5
  const differences = at.map((v, i) => {
    const [above, below] = [gradient(at.with(i, v + h)), gradient(at.with(i, v - h))]
    return above.map((a, j) => (a - below[j]!) / (2 * h))
  })
  const x = variable(at)
  const exact = record(() => {
    const [g] = grad(f(x.reshape(shape)), [x], { createGraph: true })
    return at.map((_, i) => numbers(grad(g!.at(i), [x], { retainGraph: true })[0]!))
  })
  return [exact, differences]
}

describe('Hessians', () => {
  const logits = [0.3, -1.2, 0.7, 1.5, 0.1, -0.4]

  it.each([
    [
      'softmax cross-entropy',
      (x: NDArray) => nd.softmaxCrossEntropy(x, array([2, 0], { dtype: 'float64' })),
    ],
    [
      'the composed cross-entropy',
      (x: NDArray) => nd.sum(nd.pick(nd.logSoftmax(x), array([2, 0]))).neg(),
    ],
    ['softmax squared', (x: NDArray) => nd.sum(nd.softmax(x).square())],
    ['a small network', (x: NDArray) => nd.sum(nd.tanh(nd.dot(x, nd.transpose(x))).square())],
    ['a norm', (x: NDArray) => nd.norm(x)],
    ['a product', (x: NDArray) => nd.prod(x)],
    ['a largest element', (x: NDArray) => nd.max(x).square()],
    [
      'a gather',
      (x: NDArray) =>
        nd.sum(
          nd
            .take(x, array([1, 0, 1]))
            .square()
            .mul(nd.take(x, array([0, 0, 1]))),
        ),
    ],
  ])('of %s', (_name, f) => {
    const [exact, differences] = hessians(f, logits, [2, 3])
    exact.forEach((line, i) => expectAll(line, differences[i]!, 6))
    exact.forEach((line, i) => line.forEach((v, j) => expect(v).toBeCloseTo(exact[j]![i]!, 9)))
  })

  it('of softmax cross-entropy is diag(p) - p·pᵀ', () => {
    const [exact] = hessians(
      (x) => nd.softmaxCrossEntropy(x, array([1], { dtype: 'float64' })),
      [0.2, 0.5, -1],
      [1, 3],
    )
    const e = [0.2, 0.5, -1].map(Math.exp)
    const p = e.map((v) => v / (e[0]! + e[1]! + e[2]!))
    exact.forEach((line, i) =>
      expectAll(
        line,
        p.map((q, j) => (i === j ? q : 0) - p[i]! * q),
      ),
    )
  })
})
