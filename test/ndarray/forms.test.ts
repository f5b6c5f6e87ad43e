/** How operators may be called: arrays left out before the options, and arguments by position or by name. */

import { type NDArray, nd } from 'mxnet-ts'
import { describe, expect, it } from 'vitest'
import { allOps } from '../../src/core/op.ts'

const x = nd.random.normal(0, 1, { shape: [2, 3, 6, 6] })
const w = nd.random.normal(0, 1, { shape: [4, 3, 3, 3] })
const steps = nd.random.normal(0, 1, { shape: [3, 2, 4] })
const labels = nd.array([
  [1, 2],
  [2, 0],
])
const conv = { kernel: [3, 3], numFilter: 4, noBias: true }
const offset = nd.zeros([2, 18, 4, 4])
const rnn = { mode: 'rnn_tanh', stateSize: 5, numLayers: 1 } as const
const weights = nd.ones([4 * 5 + 5 * 5 + 10])
const state = nd.zeros([1, 2, 5])
const dense = nd.ones([5, 108])
const boxes = nd.array([[0, 0, 0, 5, 5]])
const region = { spatialScale: 1, outputDim: 3, groupSize: 1, pooledSize: 2, noTrans: true }

type Forms = readonly (() => unknown)[]

/** By record: a call without an optional array, left out and as undefined. */
const leftOut: { readonly [record: string]: Forms } = {
  Convolution: [() => nd.convolution(x, w, conv), () => nd.convolution(x, w, undefined, conv)],
  Deconvolution: [
    () => nd.deconvolution(x, nd.ones([3, 4, 3, 3]), conv),
    () => nd.deconvolution(x, nd.ones([3, 4, 3, 3]), undefined, conv),
  ],
  FullyConnected: [
    () => nd.fullyConnected(x, dense, { numHidden: 5, noBias: true }),
    () => nd.fullyConnected(x, dense, undefined, { numHidden: 5, noBias: true }),
  ],
  CTCLoss: [
    () => nd.ctcLoss(steps, labels, { blankLabel: 'last' }),
    () => nd.ctcLoss(steps, labels, undefined, { blankLabel: 'last' }),
    () => nd.ctcLoss(steps, labels, undefined, undefined, { blankLabel: 'last' }),
  ],
  LeakyReLU: [
    () => nd.leakyReLU(x, { actType: 'elu', slope: 0.5 }),
    () => nd.leakyReLU(x, undefined, { actType: 'elu', slope: 0.5 }),
  ],
  SequenceMask: [
    () => nd.sequenceMask(steps, { axis: 1 }),
    () => nd.sequenceMask(steps, undefined, { axis: 1 }),
  ],
  SequenceLast: [
    () => nd.sequenceLast(steps, { axis: 1 }),
    () => nd.sequenceLast(steps, undefined, { axis: 1 }),
  ],
  SequenceReverse: [
    () => nd.sequenceReverse(steps, { axis: 0 }),
    () => nd.sequenceReverse(steps, undefined, { axis: 0 }),
  ],
  softmax: [() => nd.softmax(x, { axis: 1 }), () => nd.softmax(x, undefined, { axis: 1 })],
  RNN: [
    () => nd.rnn(steps, weights, state, rnn),
    () => nd.rnn(steps, weights, state, undefined, rnn),
    () => nd.rnn(steps, weights, state, undefined, undefined, rnn),
  ],
  _contrib_BilinearResize2D: [
    () => nd.contrib.bilinearResize2D(x, { height: 3, width: 4 }),
    () => nd.contrib.bilinearResize2D(x, undefined, { height: 3, width: 4 }),
  ],
  _contrib_DeformableConvolution: [
    () => nd.contrib.deformableConvolution(x, offset, w, conv),
    () => nd.contrib.deformableConvolution(x, offset, w, undefined, conv),
  ],
  _contrib_ModulatedDeformableConvolution: [
    () => nd.contrib.modulatedDeformableConvolution(x, offset, nd.ones([2, 9, 4, 4]), w, conv),
    () =>
      nd.contrib.modulatedDeformableConvolution(
        x,
        offset,
        nd.ones([2, 9, 4, 4]),
        w,
        undefined,
        conv,
      ),
  ],
  _contrib_DeformablePSROIPooling: [
    () => nd.contrib.deformablePSROIPooling(x, boxes, region),
    () => nd.contrib.deformablePSROIPooling(x, boxes, undefined, region),
  ],
  Crop: [() => nd.crop(x, { hW: [2, 2] }), () => nd.crop(x, undefined, { hW: [2, 2] })],
}
/** Records whose optional array is an option of the function. */
const elsewhere = ['_histogram', 'softmin', '_rnn_layer']

/** Calls of a function and a method, by position and by name. */
const alike: { readonly [name: string]: Forms } = {
  clip: [
    () => nd.clip(x, 0, 1),
    () => nd.clip(x, { aMin: 0, aMax: 1 }),
    () => x.clip(0, 1),
    () => x.clip({ aMin: 0, aMax: 1 }),
  ],
  swapaxes: [
    () => nd.swapaxes(x, 0, 2),
    () => nd.swapaxes(x, { dim1: 0, dim2: 2 }),
    () => x.swapaxes({ dim1: 0, dim2: 2 }),
  ],
  expandDims: [
    () => nd.expandDims(x, 1),
    () => nd.expandDims(x, { axis: 1 }),
    () => x.expandDims({ axis: 1 }),
  ],
  squeeze: [
    () => nd.squeeze(nd.ones([1, 2, 1]), 0),
    () => nd.squeeze(nd.ones([1, 2, 1]), { axis: 0 }),
    () => nd.ones([1, 2, 1]).squeeze({ axis: [0] }),
  ],
  transpose: [
    () => nd.transpose(x, [1, 0, 3, 2]),
    () => nd.transpose(x, { axes: [1, 0, 3, 2] }),
    () => x.transpose({ axes: [1, 0, 3, 2] }),
  ],
  reshape: [
    () => nd.reshape(x, [-1, 6]),
    () => nd.reshape(x, { shape: [-1, 6] }),
    () => x.reshape({ shape: [-1, 6] }),
    () => x.reshape([36, 0], { reverse: true }),
    () => x.reshape({ shape: [36, 0], reverse: true }),
  ],
  broadcastTo: [
    () => nd.broadcastTo(nd.ones([1, 3]), [2, 3]),
    () => nd.broadcastTo(nd.ones([1, 3]), { shape: [2, 3] }),
    () => nd.ones([1, 3]).broadcastTo({ shape: [2, 3] }),
  ],
  oneHot: [
    () => nd.oneHot(labels, 4, { onValue: 2 }),
    () => nd.oneHot(labels, { depth: 4, onValue: 2 }),
    () => labels.oneHot({ depth: 4, onValue: 2 }),
  ],
  scatterNd: [
    () => nd.scatterNd(nd.ones([2]), nd.array([[0, 2]]), [3]),
    () => nd.scatterNd(nd.ones([2]), nd.array([[0, 2]]), { shape: [3] }),
  ],
  slice: [
    () => nd.slice(x, { begin: [0, 1], end: [2, 3] }),
    () => x.slice([0, 1], [2, 3]),
    () => x.slice({ begin: [0, 1], end: [2, 3] }),
  ],
  sliceAxis: [
    () => nd.sliceAxis(x, { axis: 1, begin: 0, end: 2 }),
    () => x.sliceAxis(1, 0, 2),
    () => x.sliceAxis({ axis: 1, begin: 0, end: 2 }),
  ],
  split: [
    () => nd.split(x, { numOutputs: 3, axis: 1 }),
    () => x.split(3, { axis: 1 }),
    () => x.split({ numOutputs: 3, axis: 1 }),
  ],
  repeat: [
    () => nd.repeat(x, { repeats: 2, axis: 0 }),
    () => x.repeat(2, { axis: 0 }),
    () => x.repeat({ repeats: 2, axis: 0 }),
  ],
  tile: [() => nd.tile(x, { reps: [2] }), () => x.tile([2]), () => x.tile({ reps: [2] })],
  flip: [() => nd.flip(x, { axis: 2 }), () => x.flip(2), () => x.flip({ axis: 2 })],
  broadcastAxes: [
    () => nd.broadcastAxis(nd.ones([1, 3]), { axis: 0, size: 2 }),
    () => nd.ones([1, 3]).broadcastAxes(0, 2),
    () => nd.ones([1, 3]).broadcastAxes({ axis: 0, size: 2 }),
  ],
  depthToSpace: [
    () => nd.depthToSpace(nd.ones([1, 4, 2, 2]), { blockSize: 2 }),
    () => nd.ones([1, 4, 2, 2]).depthToSpace(2),
    () => nd.ones([1, 4, 2, 2]).depthToSpace({ blockSize: 2 }),
  ],
  spaceToDepth: [
    () => nd.spaceToDepth(x, { blockSize: 2 }),
    () => x.spaceToDepth(2),
    () => x.spaceToDepth({ blockSize: 2 }),
  ],
}

const read = (result: unknown): unknown =>
  [result].flat().map((r) => [(r as NDArray).shape, (r as NDArray).asArraySync()])

describe.each([
  ['an optional array may be left out', leftOut],
  ['by position and by name', alike],
] as const)('%s', (_, table) => {
  it.each(Object.entries(table))('%s', (_name, [first, ...others]) => {
    const want = read(first!())
    for (const form of others) expect(read(form())).toEqual(want)
  })
})

it('names every operator with an optional array', () => {
  const optional = allOps().filter(({ spec }) => spec.inputs.some((i) => i.endsWith('?')))
  const names = optional.map(({ name }) => name)
  expect(names.filter((n) => !(n in leftOut) && !elsewhere.includes(n))).toEqual([])
})
