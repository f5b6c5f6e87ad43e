/** Losses against numbers of MXNet 1.9.1 and by hand. */

import { autograd, gluon, type NDArray, nd } from 'mxnet-ts'
import { expect, test } from 'vitest'

const near = async (x: NDArray, want: readonly number[]): Promise<void> => {
  const got = [...(await x.asTypedArray())].map(Number)
  expect(got).toHaveLength(want.length)
  got.forEach((v, i) => {
    expect(v).toBeCloseTo(want[i]!, 5)
  })
}

const { L1Loss, L2Loss, SigmoidBCELoss, SoftmaxCELoss, SoftmaxCrossEntropyLoss } = gluon.loss

test('softmax cross entropy and its gradient', async () => {
  // gluon/loss/SoftmaxCrossEntropyLoss/10
  const pred = nd.array([
    [0.244267225, -0.0554735698],
    [1.5303545, -1.43552339],
    [1.33682978, 0.901972294],
  ])
  const label = nd.array(Int32Array.of(1, 0, 0))
  pred.attachGrad()
  const loss = autograd.record(() => new SoftmaxCrossEntropyLoss()(pred, label))
  await near(loss, [0.85420537, 0.050235603, 0.499169767])
  loss.backward(nd.array([1.18113089, -0.12121404, 1.88568938]))
  await near(
    pred.grad!,
    [0.678417563, -0.678416491, 0.00593884056, -0.00593842752, -0.741011083, 0.741015494],
  )
})

test('softmax cross entropy with dense labels, weights and other axes', async () => {
  const pred = nd.array([
    [0, 0],
    [0, Math.log(3)],
  ])
  const dense = new SoftmaxCELoss({ sparseLabel: false })
  await near(
    dense(
      pred,
      nd.array([
        [0.5, 0.5],
        [0, 1],
      ]),
    ),
    [Math.log(2), Math.log(4 / 3)],
  )
  const weighted = new SoftmaxCELoss({ weight: 2 })
  const label = nd.array([1, 1])
  await near(weighted(pred, label), [2 * Math.log(2), 2 * Math.log(4 / 3)])
  await near(weighted(pred, label, nd.array([[1], [0.5]])), [2 * Math.log(2), Math.log(4 / 3)])
  const logits = new SoftmaxCELoss({ fromLogits: true })
  await near(logits(pred, label), [0, -Math.log(3)])
  // (N, C, W) with classes along axis 1: the mean over W.
  const image = nd.zeros([2, 4, 3])
  const spatial = new SoftmaxCELoss({ axis: 1 })(image, nd.zeros([2, 3]))
  await near(spatial, [Math.log(4), Math.log(4)])
  // The batch along axis 1, classes before it.
  const turned = new SoftmaxCELoss({ axis: 0, batchAxis: 1 })(nd.zeros([4, 2]), nd.zeros([2]))
  await near(turned, [Math.log(4), Math.log(4)])
})

test('squared and absolute errors', async () => {
  const pred = nd.array([
    [1, 2],
    [3, 5],
  ])
  const label = nd.array([
    [1, 4],
    [0, 4],
  ])
  await near(new L2Loss()(pred, label), [1, 2.5])
  await near(new L1Loss()(pred, label), [1, 2])
  await near(new L1Loss({ weight: 0.5, batchAxis: 1 })(pred, label), [0.75, 0.75])
  await near(new L2Loss()(pred, label, nd.array([[1], [2]])), [1, 5])
  // (N,) labels go with (N, 1) predictions.
  await near(new L1Loss()(nd.array([[1], [2]]), nd.array([3, 3])), [2, 1])
})

test('binary cross entropy from logits and from probabilities', async () => {
  const logits = nd.array([[0, 2]])
  const label = nd.array([[1, 0]])
  const want = (Math.log(2) + Math.log(1 + Math.exp(2))) / 2
  await near(new SigmoidBCELoss()(logits, label), [want])
  await near(new SigmoidBCELoss({ fromSigmoid: true })(nd.sigmoid(logits), label), [want])
  const weighted = (3 * Math.log(2) + Math.log(1 + Math.exp(2))) / 2
  const posWeight = nd.array([[3, 3]])
  await near(new SigmoidBCELoss()(logits, label, null, posWeight), [weighted])
  await near(
    new SigmoidBCELoss({ fromSigmoid: true })(nd.sigmoid(logits), label, null, posWeight),
    [weighted],
  )
})

test('losses print as MXNet prints them', () => {
  expect(`${new L2Loss()}`).toBe('L2Loss(batch_axis=0, w=1.0)')
  expect(`${new SoftmaxCrossEntropyLoss()}`).toBe('SoftmaxCrossEntropyLoss(batch_axis=0, w=None)')
})
