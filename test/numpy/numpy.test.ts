/** `mx.np` against results of NumPy: values, shapes and dtypes, eager and traced, with gradients where there are any. */

import { readFileSync } from 'node:fs'
import {
  autograd,
  type DType,
  gluon,
  MXNetError,
  type NDArray,
  np,
  npx,
  random,
  type Tensor,
  testUtils,
} from 'mxnet-ts'
import { describe, expect, it } from 'vitest'

interface Recorded {
  readonly shape: readonly number[]
  readonly dtype: DType
  readonly data: readonly (number | 'nan' | 'inf' | '-inf')[]
}
type Argument = Recorded | { readonly list: readonly Recorded[] } | { readonly plain: unknown }
interface NumpyCase {
  readonly name: string
  readonly args: readonly Argument[]
  readonly out: readonly Recorded[]
  readonly many: boolean
}

// Written by NumPy 2 from the calls that stand in each line; float64 results are rounded to float32, MXNet's default.
const cases = readFileSync(new URL('./cases.jsonl', import.meta.url), 'utf8')
  .split('\n')
  .filter((line) => line !== '')
  .map((line) => JSON.parse(line) as NumpyCase)

const special = { nan: Number.NaN, inf: Number.POSITIVE_INFINITY, '-inf': Number.NEGATIVE_INFINITY }
const number = (v: Recorded['data'][number]): number => (typeof v === 'number' ? v : special[v])
const make = (x: Recorded): NDArray =>
  np.array(x.data.map(number), { dtype: x.dtype }).reshape(x.shape)

function argument(a: Argument): unknown {
  if ('plain' in a) return a.plain
  return 'list' in a ? a.list.map(make) : make(a)
}

type Call = (...args: unknown[]) => NDArray | NDArray[]
const functionOf = (name: string): Call =>
  name
    .split('.')
    .reduce((space, part) => (space as { [k: string]: unknown })[part], np as unknown) as Call

function expectSame(got: NDArray, want: Recorded, what: string): void {
  expect(got.shape, `${what}: shape`).toEqual(want.shape)
  expect(got.dtype, `${what}: dtype`).toBe(want.dtype)
  const data = Array.from(got.asTypedArraySync() as ArrayLike<number | bigint>, Number)
  want.data.map(number).forEach((w, i) => {
    const close = Object.is(data[i], w) || Math.abs(data[i]! - w) <= 3e-6 * (1 + Math.abs(w))
    if (!close) expect.fail(`${what}: element ${i} is ${data[i]}, NumPy has ${w}`)
  })
}

const isArray = (x: unknown): x is NDArray =>
  typeof x === 'object' && x !== null && 'asTypedArray' in x

describe('mx.np', () => {
  it.each(cases.map((c, i) => [`${c.name} ${i}`, c] as const))('%s', (_name, c) => {
    const args = c.args.map(argument)
    const call = functionOf(c.name)
    const list = (x: NDArray | NDArray[]): NDArray[] => (c.many ? (x as NDArray[]) : [x as NDArray])
    const outs = list(call(...args))
    expect(outs.length).toBe(c.out.length)
    outs.forEach((out, k) => expectSame(out, c.out[k]!, c.name))
    // The same inside a traced block: arrays come in as places in a graph.
    const arrays = args.flat().filter(isArray)
    if (arrays.length === 0) return
    class Traced extends gluon.HybridBlock {
      override forward(...inputs: Tensor[]): Tensor {
        let next = 0
        const place = (x: unknown): unknown =>
          isArray(x) ? inputs[next++] : Array.isArray(x) ? x.map(place) : x
        const made = args.map(place)
        return call(...made) as unknown as Tensor
      }
    }
    const net = new Traced()
    net.hybridize()
    const again = list(net(...arrays) as NDArray | NDArray[])
    again.forEach((out, k) => expectSame(out, c.out[k]!, `${c.name} traced`))
  })

  it('differentiates', async () => {
    random.seed(1)
    const x = testUtils.randNdarray([3, 4], { dtype: 'float64' })
    const y = testUtils.randNdarray([4, 2], { dtype: 'float64' })
    await testUtils.checkNumericGradient((a, b) => np.einsum('ij,jk->ki', a, b), [x, y])
    await testUtils.checkNumericGradient((a, b) => np.tensordot(a, b, 1), [x, y])
    await testUtils.checkNumericGradient((a) => np.std(a, 1), [x])
    await testUtils.checkNumericGradient((a) => np.roll(np.rot90(a), 1), [x])
    await testUtils.checkNumericGradient((a) => np.split(a, 2, 1)[1]!, [x])
    await testUtils.checkNumericGradient((a) => np.linalg.norm(a, { axis: 0 }), [x])
    await testUtils.checkNumericGradient(
      (a, b) => np.arctan2(a, np.transpose(a).reshape([3, 4]).add(np.sum(b))),
      [x, y],
    )
  })

  it.each([
    ['wide', [3, 5]],
    ['tall', [5, 3]],
    ['square', [4, 4]],
    ['many', [2, 3, 4]],
    ['one row', [1, 3]],
  ] as const)('takes %s matrices apart into singular values', async (_name, shape) => {
    random.seed(3)
    const a = np.random.normal(0, 1, shape)
    const [u, s, v] = np.linalg.svd(a)
    const close = async (x: NDArray, y: NDArray) =>
      expect(await np.max(np.abs(np.subtract(x, y))).asScalar()).toBeLessThan(2e-5)
    await close(np.matmul(np.multiply(u, np.expandDims(s, -2)), v), a)
    const k = s.shape.at(-1)!
    const unit = np.broadcastTo(np.eye(k), [...shape.slice(0, -2), k, k])
    await close(np.matmul(np.swapaxes(u, -1, -2), u), unit)
    await close(np.matmul(v, np.swapaxes(v, -1, -2)), unit)
    await close(np.sort(s), np.flip(s, -1))
    const p = np.linalg.pinv(a)
    await close(np.matmul(np.matmul(a, p), a), a)
    await close(np.matmul(np.matmul(p, a), p), p)
    const values = await np.sum(s).asScalar()
    const nuclear = np.linalg.norm(a, { ord: 'nuc', axis: [-2, -1] })
    expect(await np.sum(nuclear).asScalar()).toBeCloseTo(values, 4)
    const weights = [u, s, v].map((t) => np.random.normal(0, 1, t.shape))
    await testUtils.checkNumericGradient(
      (x) => {
        const [l, d, r] = np.linalg.svd(x) as unknown as [NDArray, NDArray, NDArray]
        // The sign of each pair is free: pairs are seen as products.
        const pairs = np.multiply(np.expandDims(l, -2), np.expandDims(np.swapaxes(r, -1, -2), -3))
        const ways = np.multiply(
          np.expandDims(weights[0]!, -2),
          np.expandDims(np.swapaxes(weights[2]!, -1, -2), -3),
        )
        return np.sum(np.multiply(pairs, ways)).add(np.sum(np.multiply(d, weights[1]!)))
      },
      [a],
    )
    await testUtils.checkNumericGradient((x) => np.linalg.pinv(x), [a])
  })

  it('takes matrices of lower rank apart', async () => {
    const a = np.array([
      [1, 2, 3],
      [2, 4, 6],
      [0, 0, 0],
    ])
    for (const x of [a, np.zeros([2, 3]), np.ones([3, 2]), np.multiply(a, 1e-6)]) {
      const [u, s, v] = np.linalg.svd(x)
      const scale = (await np.max(np.abs(x)).asScalar()) as number
      const back = np.matmul(np.multiply(u, np.expandDims(s, -2)), v)
      expect(await np.max(np.abs(np.subtract(back, x))).asScalar()).toBeLessThanOrEqual(
        scale * 1e-5,
      )
      const unit = np.eye(s.size)
      for (const t of [np.matmul(np.transpose(u), u), np.matmul(v, np.transpose(v))])
        expect(await np.max(np.abs(np.subtract(t, unit))).asScalar()).toBeLessThan(1e-5)
    }
    const half = np.linalg.pinv(a, 1e-5)
    const wanted = np.divide(
      np.array([
        [1, 2, 0],
        [2, 4, 0],
        [3, 6, 0],
      ]),
      70,
    )
    expect(await np.max(np.abs(np.subtract(half, wanted))).asScalar()).toBeLessThan(1e-6)
    expect(await np.linalg.norm(a, { ord: 2 }).asScalar()).toBeCloseTo(Math.sqrt(70), 4)
    expect((await np.linalg.norm(a, { ord: -2, keepdims: true })).shape).toEqual([1, 1])
  })

  it('keeps numbers and truths apart from arrays', async () => {
    const x = np.array([1, 2, 3])
    expect(np.greater(x, 2).dtype).toBe('bool')
    expect(await np.sum(np.greater(x, 1)).asScalar()).toBe(2)
    expect(np.sum(x).shape).toEqual([])
    expect(np.array([1, 2], { dtype: 'int32' }).shape).toEqual([2])
    expect(np.divide(np.array([1], { dtype: 'int32' }), 2).dtype).toBe('float32')
    expect([np.pi, np.inf, np.newaxis]).toEqual([Math.PI, Number.POSITIVE_INFINITY, null])
    expect(np.float32).toBe('float32')
  })

  it('counts and combines bits', async () => {
    const x = np.array([0, 2, 2, 5], { dtype: 'int32' })
    expect(await (await np.bincount(x)).asArray()).toEqual([1n, 0n, 2n, 0n, 0n, 1n])
    expect((await np.bincount(x, null, 9)).shape).toEqual([9])
    const sums = await np.bincount(x, np.array([1, 0.5, 0.25, 2]))
    expect(await sums.asArray()).toEqual([1, 0, 0.75, 0, 0, 2])
    await expect(np.bincount(np.array([-1]))).rejects.toThrow('at least 0')
    await expect(np.bincount(np.zeros([2, 2]))).rejects.toThrow('a vector')
    expect(() => np.bitwiseAnd(np.ones([1]), np.ones([1]))).toThrow('no bits')
  })

  it('reshapes by codes', () => {
    const shapes: readonly (readonly [number[], number[] | number, boolean, number[]])[] = [
      [[2, 3, 8], [-2, -2, 2, -1], false, [2, 3, 2, 4]],
      [[8, 3, 3, 3, 4, 4], [-6, 2, -1, -4], false, [2, 4, 3, 3, 3, 4, 4]],
      [[8, 3, 3, 3, 4, 4], [-5, -4], false, [24, 3, 3, 4, 4]],
      [[1, 8, 1, 3], [-3, -2, -3, -1], false, [8, 3]],
      [[8, 3, 3, 3, 3, 8], [-4, -6, -1, 2], true, [8, 3, 3, 3, 3, 4, 2]],
      [[2, 3, 4], [-4, -5], true, [2, 12]],
      [[2, 3], -1, false, [6]],
      [[0, 3], [3, 0], false, [3, 0]],
    ]
    for (const [from, codes, reverse, to] of shapes)
      expect(npx.reshape(np.zeros(from), codes, { reverse }).shape).toEqual(to)
    for (const [codes, why] of [
      [[-3, -1], '-3 leaves out'],
      [[-6, 2], 'two sizes after'],
      [[-6, -1, -1, 3], 'only one of the two'],
      [[-6, 4, -1, 3], 'does not split'],
      [[-1, -1], 'only one size'],
      [[-2, -2, -2], 'more axes'],
      [[-7, 1], 'not a code'],
      [[5], 'do not fill'],
    ] as const)
      expect(() => npx.reshape(np.zeros([2, 3]), codes)).toThrow(why)
  })

  it('tells whether arrays are close, and draws batches', async () => {
    const x = np.array([1, 2])
    expect(await np.allclose(x, np.array([1, 2 + 1e-6]))).toBe(true)
    expect(await np.allclose(x, np.array([1, 2.1]))).toBe(false)
    expect(await np.allclose(np.zeros([0]), np.zeros([0]))).toBe(true)
    expect([np.PINF, np.NINF, 1 / np.PZERO, 1 / np.NZERO].map(Math.sign)).toEqual([1, -1, 1, -1])
    const normal = npx.random.normalN(np.array([0, 100]), 1, [500])
    expect(normal.shape).toEqual([500, 2])
    const means = (await np.mean(normal, { axis: 0 }).asArray()) as number[]
    expect(Math.abs(means[0]!)).toBeLessThan(0.3)
    expect(Math.abs(means[1]! - 100)).toBeLessThan(0.3)
    const uniform = npx.random.uniformN(np.array([[0], [10]]), np.array([1, 20]), 3)
    expect(uniform.shape).toEqual([3, 2, 2])
    const last = (await uniform.at(':', 1, 1).asArray()) as number[]
    expect(last.every((v) => v >= 10 && v < 20)).toBe(true)
    expect(npx.image.toTensor(np.zeros([2, 3, 1])).shape).toEqual([1, 2, 3])
  })

  it('reads what has no shape beforehand', async () => {
    const [rows, columns] = await np.nonzero(
      np.array([
        [0, 3],
        [5, 0],
      ]),
    )
    expect([await rows!.asArray(), await columns!.asArray()]).toEqual([
      [0n, 1n],
      [1n, 0n],
    ])
    expect(
      await (
        await npx.nonzero(
          np.array([
            [0, 3],
            [5, 0],
          ]),
        )
      ).asArray(),
    ).toEqual([
      [0n, 1n],
      [1n, 0n],
    ])
    expect(await (await np.unique(np.array([3, 1, 3, 2]))).asArray()).toEqual([1, 2, 3])
  })

  it('says what is wrong', () => {
    const x = np.zeros([2, 3])
    for (const f of [
      () => np.reshape(x, [4, 2]),
      () => np.split(x, 2, 1),
      () => np.matmul(x, x),
      () => np.einsum('ij,jk', x),
      () => np.einsum('ij->ik', x),
      () => np.tensordot(x, x, 1),
      () => np.concatenate([]),
      () => np.quantile(x, 2),
      () => np.linalg.norm(x, { ord: 3 }),
      () => np.linalg.norm(x, { ord: 'nuc', axis: 0 }),
      () => np.moveaxis(x, 0, [0, 1]),
    ])
      expect(f).toThrow(MXNetError)
  })
})

describe('np.random', () => {
  it('draws by NumPy’s arguments, from the seed', async () => {
    random.seed(5)
    const first = await np.random.normal(2, 0.5, [1000]).asTypedArray()
    const mean = (first as Float32Array).reduce((a, b) => a + b) / 1000
    expect(Math.abs(mean - 2)).toBeLessThan(0.1)
    expect(np.random.uniform(0, 1, { size: [2, 2], dtype: 'float64' }).dtype).toBe('float64')
    expect(np.random.uniform().shape).toEqual([])
    expect(np.random.randn(2, 3).shape).toEqual([2, 3])
    const ints = Array.from((await np.random.randint(3, 6, [100]).asTypedArray()) as Int32Array)
    expect(new Set(ints)).toEqual(new Set([3, 4, 5]))
    random.seed(5)
    expect(await np.random.normal(2, 0.5, [1000]).asTypedArray()).toEqual(first)
  })

  it.each([
    ['exponential', () => np.random.exponential(2, [4000]), 2, 2],
    ['gamma', () => np.random.gamma(3, 0.5, [4000]), 1.5, Math.sqrt(3) / 2],
    ['poisson', () => np.random.poisson(4, [4000]), 4, 2],
    [
      'lognormal',
      () => np.random.lognormal(0, 0.5, [4000]),
      Math.exp(0.125),
      Math.sqrt(Math.exp(0.5) - Math.exp(0.25)),
    ],
    ['logistic', () => np.random.logistic(1, 0.5, [4000]), 1, Math.PI / 2 / Math.sqrt(3)],
    ['gumbel', () => np.random.gumbel(0, 1, [4000]), 0.57722, Math.PI / Math.sqrt(6)],
    [
      'rayleigh',
      () => np.random.rayleigh(2, [4000]),
      2 * Math.sqrt(Math.PI / 2),
      2 * Math.sqrt(2 - Math.PI / 2),
    ],
    ['weibull', () => np.random.weibull(2, [4000]), 0.886227, 0.463251],
    ['pareto', () => np.random.pareto(6, [4000]), 0.2, Math.sqrt(6 / (25 * 4))],
    ['power', () => np.random.power(3, [4000]), 0.75, Math.sqrt(3 / (16 * 5))],
    ['beta', () => np.random.beta(2, 3, [4000]), 0.4, 0.2],
    ['chisquare', () => np.random.chisquare(5, [4000]), 5, Math.sqrt(10)],
  ] as const)(
    'draws %s numbers of their mean and deviation',
    async (_name, draw, mean, deviation) => {
      random.seed(8)
      const x = draw()
      expect(x.shape).toEqual([4000])
      expect(Math.abs((await np.mean(x).asScalar()) - mean)).toBeLessThan(0.1 * (1 + deviation))
      expect(Math.abs((await np.std(x).asScalar()) - deviation)).toBeLessThan(
        0.12 * (1 + deviation),
      )
    },
  )

  it('draws normal vectors of a covariance', async () => {
    random.seed(9)
    const cov = np.array([
      [2, 0.6],
      [0.6, 0.5],
    ])
    const x = np.random.multivariateNormal(np.array([1, -2]), cov, [6000])
    expect(x.shape).toEqual([6000, 2])
    const mean = np.mean(x, { axis: 0 })
    const away = np.subtract(x, mean)
    const found = np.divide(np.dot(np.transpose(away), away), 6000)
    expect(
      np
        .abs(np.subtract(mean, np.array([1, -2])))
        .max()
        .asScalarSync(),
    ).toBeLessThan(0.06)
    expect(np.abs(np.subtract(found, cov)).max().asScalarSync()).toBeLessThan(0.12)
    expect(() => np.random.multivariateNormal(np.zeros([3]), cov)).toThrow('(N,) and (N, N)')
  })

  it('chooses, counts and shuffles', async () => {
    random.seed(6)
    const some = await np.random
      .choice(np.array([10, 20, 30]), [500], { p: [0.5, 0, 0.5] })
      .asTypedArray()
    expect(new Set(some as Float32Array)).toEqual(new Set([10, 30]))
    const all = await np.random.choice(4, [4], { replace: false }).asTypedArray()
    expect(Array.from(all as BigInt64Array, Number).toSorted()).toEqual([0, 1, 2, 3])
    const counts = await np.random.multinomial(1000, [0.2, 0.8]).asTypedArray()
    const [a, b] = Array.from(counts as BigInt64Array, Number) as [number, number]
    expect([a + b, Math.abs(a - 200) < 60]).toEqual([1000, true])
    const x = np.arange(50)
    np.random.shuffle(x)
    const shuffled = Array.from((await x.asTypedArray()) as Float32Array)
    expect(shuffled).not.toEqual(Array.from({ length: 50 }, (_, i) => i))
    expect(shuffled.toSorted((p, q) => p - q)).toEqual(Array.from({ length: 50 }, (_, i) => i))
    expect(() => np.random.choice(2, [3], { replace: false })).toThrow(/without replacement/)
  })
})

it('npx has the operators of networks and the switches of NumPy mode', async () => {
  npx.setNp()
  expect([npx.isNpArray(), npx.isNpShape()]).toEqual([true, true])
  npx.resetNp()
  expect(npx.isNpArray()).toBe(false)
  npx.setNp()
  const x = np.array([[-1, 2]])
  expect(await npx.relu(x).asArray()).toEqual([[0, 2]])
  expect(await npx.oneHot(np.array([1]), 3).asArray()).toEqual([[0, 1, 0]])
  expect(npx.batchFlatten(np.zeros([2, 3, 4])).shape).toEqual([2, 12])
  expect(await npx.shapeArray(x).asArray()).toEqual([1n, 2n])
  x.attachGrad()
  autograd.record(() => npx.softmax(x).at(0, 0)).backward()
  expect((await x.grad!.asTypedArray()).length).toBe(2)
  await npx.waitall()
})
