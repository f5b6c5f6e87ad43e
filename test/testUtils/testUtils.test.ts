/** Checks that users run on their own operators: they pass what is right and refuse what is wrong. */

import {
  autograd,
  cpu,
  gluon,
  MXNetError,
  type NDArray,
  nd,
  random,
  type Tensor,
  testUtils,
} from 'mxnet-ts'
import { describe, expect, it } from 'vitest'

const {
  almostEqual,
  assertAlmostEqual,
  assertException,
  checkConsistency,
  checkNumericGradient,
  randNdarray,
  randShapeNd,
  same,
  sameArray,
} = testUtils
const float64 = (values: number[]): NDArray => nd.array(values, { dtype: 'float64' })

/** The square, with a gradient that forgets the factor 2. */
class WrongSquare extends autograd.Function {
  override forward(x: Tensor): Tensor {
    this.saveForBackward(x)
    return nd.square(x)
  }

  override backward(dy: Tensor): Tensor {
    return nd.multiply(dy, this.savedTensors[0])
  }
}

describe('comparison', () => {
  it('goes by the dtype unless tolerances are given', async () => {
    expect(await almostEqual(nd.array([1]), nd.array([1.0005]))).toBe(true)
    expect(await almostEqual(float64([1]), float64([1.0005]))).toBe(false)
    expect(await almostEqual(float64([1]), float64([1.0005]), { atol: 1e-3 })).toBe(true)
    expect(await almostEqual(nd.array([1]), nd.array([[1]]))).toBe(false)
    expect(await almostEqual([Number.NaN], [Number.NaN])).toBe(false)
    expect(await almostEqual([Number.NaN], [Number.NaN], { equalNan: true })).toBe(true)
    expect(await almostEqual([Number.POSITIVE_INFINITY], [1])).toBe(false)
  })

  it('says how many differ and where by most', async () => {
    const a = nd.array([
      [1, 2],
      [3, 4],
    ])
    await assertAlmostEqual(a, [
      [1, 2],
      [3, 4],
    ])
    const wrong = assertAlmostEqual(
      a,
      [
        [1, 2.5],
        [3, 9],
      ],
      { names: ['got', 'want'] },
    )
    await expect(wrong).rejects.toThrow(/2 of 4 elements .* most at \(1, 1\): got is 4, want is 9/)
    await expect(assertAlmostEqual(a, [1])).rejects.toThrow(/a has shape \(2, 2\), b \(1,\)/)
  })

  it('tells equal arrays from one array', async () => {
    const x = nd.array([1, 2])
    expect(await same(x, x.copy())).toBe(true)
    expect(await same(x, [1, 3])).toBe(false)
    expect([await sameArray(x, x), await sameArray(x, x.copy())]).toEqual([true, false])
    expect(await x.asArray()).toEqual([1, 2])
  })
})

describe('checkNumericGradient', () => {
  it('passes right gradients of functions of several inputs and outputs', async () => {
    random.seed(2)
    const [a, b] = [
      randNdarray([2, 3], { dtype: 'float64' }),
      randNdarray([3], { dtype: 'float64' }),
    ]
    await checkNumericGradient((x, y) => [nd.multiply(nd.sin(x), y), nd.sum(nd.exp(y))], [a, b])
    const index = nd.array([0, 2], { dtype: 'int32' })
    await checkNumericGradient((x, i) => nd.take(x, i), [b, index])
    await checkNumericGradient((x) => nd.tanh(x), [[0.1, 0.2]])
  })

  it('passes blocks with their parameters as they are', async () => {
    const net = new gluon.nn.Dense(2, { inUnits: 3, activation: 'sigmoid', dtype: 'float64' })
    net.initialize()
    await checkNumericGradient((x) => net(x), [randNdarray([4, 3], { dtype: 'float64' })])
  })

  it('refuses wrong ones', async () => {
    const wrong = checkNumericGradient((x) => new WrongSquare()(x), [float64([3])])
    await expect(wrong).rejects.toThrow(/input 0, element 0, gradReq write/)
  })
})

describe('checkConsistency', () => {
  it('passes what is the same on all devices and in all dtypes', async () => {
    const settings = [
      { ctx: cpu(0) },
      { ctx: cpu(1), dtype: 'float64' as const },
      { ctx: cpu(0), dtype: 'float16' as const },
    ]
    await checkConsistency((x) => nd.softmax(x), settings, [nd.array([[1, 2, 3]])])
  })

  it('refuses what is not', async () => {
    const drifting = (x: NDArray): NDArray => (x.context === cpu(1) ? x.add(0.1) : x.mul(1))
    const settings = [{ ctx: cpu(0), dtype: 'float64' as const }, { ctx: cpu(1) }]
    await expect(checkConsistency(drifting, settings, [nd.array([1])])).rejects.toThrow(
      /output 0 on cpu\(1\) in float32: element 0/,
    )
  })
})

it('draws arrays and shapes from the seed', async () => {
  random.seed(3)
  const first = randNdarray([4], { distribution: 'normal', dtype: 'float64' })
  const shape = randShapeNd(5, { dim: 3, allowZeroSize: true })
  random.seed(3)
  expect(await same(first, randNdarray([4], { distribution: 'normal', dtype: 'float64' }))).toBe(
    true,
  )
  expect(randShapeNd(5, { dim: 3, allowZeroSize: true })).toEqual(shape)
  expect(Math.max(...shape)).toBeLessThanOrEqual(3)
  expect(randShapeNd(50, { dim: 2 }).every((d) => d === 1 || d === 2)).toBe(true)
})

it('expects errors of a class', async () => {
  await assertException(() => nd.dot(nd.zeros([2]), nd.zeros([3])))
  await expect(assertException(() => 1)).rejects.toThrow(/nothing was thrown: MXNetError/)
  const other = assertException(() => {
    throw new TypeError('x')
  }, MXNetError)
  await expect(other).rejects.toThrow(TypeError)
})
