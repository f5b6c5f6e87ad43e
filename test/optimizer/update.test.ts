/** The update operators by themselves: new arrays, states overwritten, `out` written in place. */

import { nd } from 'mxnet-ts'
import { expect, test } from 'vitest'
import { adamUpdate, sgdMomUpdate, sgdUpdate } from '../../src/ops/update.ts'

test('sgd_update gives a new weight, or writes into out', async () => {
  const [w, g] = [nd.array([1, 2]), nd.array([4, -4])]
  expect(
    await sgdUpdate(w, g, { lr: 0.5, wd: 0.5, rescaleGrad: 0.5, clipGradient: 1 }).asArray(),
  ).toEqual([0.25, 2])
  expect(await w.asArray()).toEqual([1, 2])
  expect(sgdUpdate(w, g, { lr: 0.25, out: w })).toBe(w)
  expect(await w.asArray()).toEqual([0, 3])
})

test('sgd_mom_update overwrites its momentum', async () => {
  const mom = nd.array([1])
  const w = sgdMomUpdate(nd.array([1]), nd.array([2]), mom, { lr: 0.5, momentum: 0.5 })
  expect([await w.asArray(), await mom.asArray()]).toEqual([[0.5], [-0.5]])
})

test('adam_update overwrites its means', async () => {
  const [mean, variance] = [nd.zeros([1]), nd.zeros([1])]
  const w = adamUpdate(nd.array([1]), nd.array([2]), mean, variance, {
    lr: 0.1,
    beta1: 0.5,
    beta2: 0.75,
  })
  expect([await mean.asArray(), await variance.asArray(), await w.asArray()]).toEqual([
    [1],
    [1],
    [expect.closeTo(0.9, 6)],
  ])
})

test('shapes must agree', () => {
  expect(() => sgdUpdate(nd.zeros([2]), nd.zeros([3]), { lr: 1 })).toThrow(
    /\[sgd_update\] arrays of shapes \(2,\), \(3,\)/,
  )
})
