/** Eigenvalues of general matrices, and least common multiples. */

import { type NDArray, np, random, testUtils } from 'mxnet-ts'
import { describe, expect, it } from 'vitest'

const largest = async (x: NDArray): Promise<number> => np.max(np.abs(x)).asScalar()

/** How far `a·v` is from `v·diag(w)`, and columns of v from length 1. */
async function error(a: NDArray, w: NDArray, v: NDArray): Promise<number> {
  const apart = np.subtract(np.matmul(a, v), np.multiply(v, np.expandDims(w, -2)))
  const lengths = np.sqrt(np.sum(np.multiply(v, v), { axis: -2 }))
  return Math.max(await largest(apart), await largest(np.subtract(lengths, 1)))
}

describe('np.linalg.eig', () => {
  it.each([1, 2, 3, 5, 8, 20, 60])('finds %i given eigenvalues', async (n) => {
    random.seed(n)
    const values = Array.from({ length: n }, (_, i) => (i % 2 === 0 ? i + 1 : -i / 3))
    const basis = np.random.normal(0, 1, [2, n, n]).astype('float64')
    const scaled = np.multiply(basis, np.array(values, { dtype: 'float64' }))
    const a = np.matmul(scaled, np.linalg.inv(basis))
    const [w, v] = np.linalg.eig(a)
    expect(await error(a, w, v)).toBeLessThan(1e-8 * n)
    const sorted = values.toSorted((x, y) => x - y)
    for (const found of (await np.sort(w).asArray()) as number[][])
      found.forEach((value, i) => {
        expect(value).toBeCloseTo(sorted[i]!, 7)
      })
    expect(await largest(np.subtract(np.linalg.eigvals(a), w))).toBe(0)
  })

  it.each([
    [
      'zeros',
      [
        [0, 0],
        [0, 0],
      ],
      [0, 0],
    ],
    [
      'one value twice',
      [
        [2, 1],
        [0, 2],
      ],
      [2, 2],
    ],
    [
      'one value three times',
      [
        [5, 1, 0],
        [0, 5, 1],
        [0, 0, 5],
      ],
      [5, 5, 5],
    ],
    [
      'rank one',
      [
        [1, 2, 3],
        [2, 4, 6],
        [3, 6, 9],
      ],
      [0, 0, 14],
    ],
    [
      'a permutation',
      [
        [0, 1],
        [1, 0],
      ],
      [-1, 1],
    ],
    [
      'tiny numbers',
      [
        [1e-20, 2e-20],
        [3e-20, 4e-20],
      ],
      [-3.7228132e-21, 5.3722813e-20],
    ],
  ])('copes with %s', async (_name, rows, values) => {
    const a = np.array(rows)
    const [w, v] = np.linalg.eig(a)
    const scale = await largest(a)
    expect(await error(np.divide(a, scale || 1), np.divide(w, scale || 1), v)).toBeLessThan(1e-6)
    const found = (await np.sort(w).asArray()) as number[]
    found.forEach((value, i) => {
      expect(Math.abs(value - values[i]!)).toBeLessThanOrEqual(1e-5 * scale)
    })
  })

  it('says what it cannot do', async () => {
    // A thread says so when the result is read, work in place at once.
    const values = async (a: NDArray) => np.linalg.eig(a)[0].asArray()
    const turn = np.array([
      [0, -1, 0],
      [1, 0, 0],
      [0, 0, 1],
    ])
    await expect(values(turn)).rejects.toThrow(/\[eig\] matrix 0 has complex/)
    const hole = np.array([
      [Number.NaN, 0],
      [0, 1],
    ])
    await expect(values(hole)).rejects.toThrow(/\[eig\] matrix 0 holds NaN/)
    expect(() => np.linalg.eig(np.ones([2, 3]))).toThrow(/\[eig\] shape \(2, 3\): square/)
  })

  it('has gradients', async () => {
    random.seed(9)
    const basis = np.random.normal(0, 1, [3, 3])
    const scaled = np.multiply(basis, np.array([1, 2.5, -2]))
    const a = np.matmul(scaled, np.linalg.inv(basis))
    const weights = np.random.normal(0, 1, [3, 3])
    await testUtils.checkNumericGradient(
      (x) => {
        const [w, v] = np.linalg.eig(x) as unknown as [NDArray, NDArray]
        // The sign of each vector is free, that of its squares is not.
        return np.sum(np.multiply(np.multiply(v, v), weights)).add(np.sum(np.multiply(w, w)))
      },
      [a],
    )
  })
})

describe('np.lcm', () => {
  it.each(['int8', 'uint8', 'int32', 'int64'] as const)('multiplies in %s', async (dtype) => {
    const x = np.array([[4], [0], [7]], { dtype })
    const y = np.array([6, 0, 14, 5], { dtype })
    const found = np.lcm(x, y)
    expect(found.dtype).toBe(dtype)
    const wanted = [
      [12, 0, 28, 20],
      [0, 0, 0, 0],
      [42, 0, 14, 35],
    ]
    expect(await found.astype('int32').asArray()).toEqual(wanted)
  })

  it('is never below 0, and wants integers', async () => {
    const x = np.array([-4, -4, 4], { dtype: 'int32' })
    expect(await np.lcm(x, np.array([6, -6, -6], { dtype: 'int32' })).asArray()).toEqual([
      12, 12, 12,
    ])
    expect(() => np.lcm(np.ones([2]), x)).toThrow(/\[lcm\] float32 and int32: integers/)
  })
})
