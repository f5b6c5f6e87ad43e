/** Optimizers against numbers of MXNet 1.9.1 and by hand. */

import { MXNetError, type NDArray, nd, optimizer } from 'mxnet-ts'
import { expect, test } from 'vitest'

const near = async (x: NDArray, want: readonly number[]): Promise<void> => {
  const got = [...(await x.asTypedArray())].map(Number)
  expect(got).toHaveLength(want.length)
  got.forEach((v, i) => {
    expect(v).toBeCloseTo(want[i]!, 5)
  })
}

test('sgd with momentum and weight decay follows MXNet', async () => {
  // gluon/optimizer/sgd/1, the first weight's second row and the first two steps.
  const sgd = optimizer.create('sgd', { learningRate: 0.1, momentum: 0.9, wd: 0.01 })
  const updater = optimizer.getUpdater(sgd)
  const w = nd.array([-0.870617449, 0.0230903886, -1.28168297, -0.848612785])
  updater.update(0, nd.array([-0.0610343702, -0.77049768, 0.473895848, -0.849160612]), w)
  await near(w, [-0.863643408, 0.100117072, -1.32779086, -0.762848139])
  updater.update(0, nd.array([1.44064391, 0.19188042, -0.305063277, -0.732637644]), w)
  await near(w, [-1.00056756, 0.150152922, -1.33745384, -0.611633301])
})

test('sgd clips the rescaled gradient and decays apart from it', async () => {
  const sgd = new optimizer.SGD({ learningRate: 0.5, wd: 0.1, rescaleGrad: 0.5, clipGradient: 1 })
  const w = nd.array([1, 2])
  sgd.update(0, w, nd.array([10, -1]), [])
  await near(w, [1 * 0.95 - 0.5, 2 * 0.95 + 0.25])
})

test('adam corrects its bias in the learning rate', async () => {
  const adam = new optimizer.Adam({ learningRate: 0.1 })
  const updater = optimizer.getUpdater(adam)
  const w = nd.array([1, -1])
  for (let t = 0; t < 3; t++) updater.update(0, nd.array([2, -0.5]), w)
  await near(w, [0.7, -0.7])
})

test('many parameters are updated as one by one', async () => {
  for (const name of ['sgd', 'adam']) {
    const make = (): NDArray[] => [
      nd.array([
        [1, 2],
        [3, 4],
      ]),
      nd.array([5]),
      nd.array([6, 7]),
    ]
    const grads = [
      nd.array([
        [1, 1],
        [2, 2],
      ]),
      nd.array([-1]),
      nd.array([0.5, 0]),
    ]
    const [single, many] = [make(), make()]
    const options = { learningRate: 0.1, wd: 0.01 }
    const [a, b] = [0, 1].map(() => optimizer.getUpdater(optimizer.create(name, options)))
    for (let t = 0; t < 3; t++) {
      grads.forEach((g, i) => {
        a!.update(i, g, single[i]!)
      })
      b!.updateAll([0, 1, 2], grads, many)
    }
    for (let i = 0; i < 3; i++)
      await near(many[i]!, [...(await single[i]!.asTypedArray())].map(Number))
  }
})

test('multipliers and schedulers reach each parameter', async () => {
  const seen: number[] = []
  const lrScheduler = (n: number): number => {
    seen.push(n)
    return 1 / n
  }
  const sgd = new optimizer.SGD({
    lrScheduler,
    paramDict: { 1: { lrMult: 0.5, wdMult: 0 } },
    wd: 0.1,
  })
  const [a, b] = [nd.array([1]), nd.array([1])]
  sgd.updateAll([0, 1], [a, b], [nd.array([1]), nd.array([1])], [[], []])
  expect(seen).toEqual([1, 1])
  await near(a, [1 - 0.1 - 1])
  await near(b, [1 - 0.5])
  expect(() => sgd.setLearningRate(1)).toThrow(/scheduler/)
})

test('what does not exist is an error', () => {
  expect(() => optimizer.create('sdg')).toThrow(MXNetError)
  expect(() => optimizer.create('sgd', { learning_rate: 0.1 })).toThrow(
    /\[SGD\] unknown option learning_rate/,
  )
})

test('half precision keeps a float32 copy where it is asked for', () => {
  expect(new optimizer.SGD({ multiPrecision: true }).multiPrecision).toBe(true)
})
