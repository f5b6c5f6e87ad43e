/** Single-shot detectors: anchors, their targets, and detections. */

import { fail } from '../base/error.ts'
import { formatShape, sameShape } from '../base/shape.ts'
import { apply, applyAll } from '../core/apply.ts'
import { attr, type Given } from '../core/attrs.ts'
import { defineOp, type OpDef } from '../core/op.ts'
import type { Tensor } from '../core/tensor.ts'
import { callRoutine } from '../prim/call.ts'
import { binary, cast, compare, constant, type Expr, index, select } from '../prim/expr.ts'
import { castTo, mapTensors, sliceOf } from '../prim/primitive.ts'

const priorAttrs = {
  sizes: attr.floats([1], { above: 0 }),
  ratios: attr.floats([1], { above: 0 }),
  clip: attr.bool(false),
  steps: attr.floats([-1, -1]),
  offsets: attr.floats([0.5, 0.5]),
}

const priorOp = defineOp({
  name: '_contrib_MultiBoxPrior',
  inputs: ['data'],
  attrs: priorAttrs,
  body: ([x], { sizes, ratios, clip, steps, offsets }) => {
    if (x!.shape.length !== 4)
      fail(
        '_contrib_MultiBoxPrior',
        `data has shape ${formatShape(x!.shape)}: it must be (N, C, H, W)`,
      )
    if (steps.length !== 2 || offsets.length !== 2 || sizes.length === 0 || ratios.length === 0)
      fail(
        '_contrib_MultiBoxPrior',
        'steps and offsets have two numbers, sizes and ratios at least one',
      )
    const [h, w] = x!.shape.slice(2) as [number, number]
    const [stepY, stepX] = [steps[0]! > 0 ? steps[0]! : 1 / h, steps[1]! > 0 ? steps[1]! : 1 / w]
    // Every size with the first ratio, then the first size with the other ratios; widths are in units of the height.
    const anchors = [
      ...sizes.map((s) => [s, ratios[0]!] as const),
      ...ratios.slice(1).map((r) => [sizes[0]!, r] as const),
    ].map(([s, r]) => [((s * h) / w) * Math.sqrt(r) * 0.5, (s / Math.sqrt(r)) * 0.5] as const)
    const k = anchors.length
    const cell = binary('div', index(1), constant(k, 'int32'))
    const which = binary('mod', index(1), constant(k, 'int32'))
    const real = (e: Expr): Expr => cast(e, 'float64')
    const at = (e: Expr, step: number, offset: number): Expr =>
      binary('mul', binary('add', real(e), constant(offset, 'float64')), constant(step, 'float64'))
    const columns = constant(Math.max(w, 1), 'int32')
    const centreX = at(binary('mod', cell, columns), stepX, offsets[1]!)
    const centreY = at(binary('div', cell, columns), stepY, offsets[0]!)
    const half = (axis: 0 | 1): Expr =>
      anchors.reduce<Expr>(
        (e, a, i) =>
          select(compare('eq', which, constant(i, 'int32')), constant(a[axis], 'float64'), e),
        constant(0, 'float64'),
      )
    const side = binary('mod', index(2), constant(2, 'int32'))
    const isX = compare('eq', side, constant(0, 'int32'))
    const centre = select(isX, centreX, centreY)
    const extent = select(isX, half(0), half(1))
    const low = compare('lt', index(2), constant(2, 'int32'))
    const value = select(low, binary('sub', centre, extent), binary('add', centre, extent))
    const held = clip
      ? binary('min', binary('max', value, constant(0, 'float64')), constant(1, 'float64'))
      : value
    return mapTensors(cast(held, x!.dtype), [1, h * w * k, 4], [])
  },
  grad: () => [null],
})

/**
 * Anchor boxes over the cells of a feature map, as corners in units of the image; no gradient.
 *
 * `(N, C, H, W) -> (1, H·W·(S + R - 1), 4)`; keeps the dtype. Each cell has every size with the first ratio, and the first size with
 * every other ratio.
 * @throws MXNetError unless the data is a feature map.
 * @example
 * nd.contrib.multiBoxPrior(nd.zeros([1, 3, 2, 2]), { sizes: [0.5, 0.25], ratios: [1, 2] }).shape // => [1, 12, 4]
 * @see MXNet `_contrib_MultiBoxPrior`
 */
export function multiBoxPrior<T extends Tensor>(data: T, options?: Given<typeof priorAttrs>): T {
  return apply(priorOp, [data], options)
}

const variances = attr.floats([0.1, 0.1, 0.2, 0.2])

const targetAttrs = {
  overlapThreshold: attr.float(0.5),
  ignoreLabel: attr.float(-1),
  negativeMiningRatio: attr.float(-1),
  negativeMiningThresh: attr.float(0.5),
  minimumNegativeSamples: attr.int(0, { min: 0 }),
  variances,
}

const targetOp = defineOp({
  name: '_contrib_MultiBoxTarget',
  inputs: ['anchor', 'label', 'cls_pred'],
  attrs: targetAttrs,
  body: ([anchor, label, predictions], attrs) => {
    const where = '_contrib_MultiBoxTarget'
    const [, n] = anchor!.shape
    const [batch, labels, width] = label!.shape
    const classes = predictions!.shape[1]
    const fits =
      sameShape(anchor!.shape, [1, n ?? -1, 4]) &&
      label!.shape.length === 3 &&
      width! >= 5 &&
      sameShape(predictions!.shape, [batch!, classes ?? -1, n!])
    if (!fits || attrs.variances.length !== 4)
      fail(
        where,
        `anchors ${formatShape(anchor!.shape)}, labels ${formatShape(label!.shape)} and predictions ${formatShape(predictions!.shape)} must be (1, A, 4), (B, M, 5) and (B, C, A)`,
      )
    const numbers = [
      ...[batch!, n!, labels!, width!, classes!, attrs.overlapThreshold, attrs.ignoreLabel],
      ...[attrs.negativeMiningRatio, attrs.negativeMiningThresh, attrs.minimumNegativeSamples],
      ...attrs.variances,
    ]
    const given = [label!, predictions!].map((t) => castTo(t, anchor!.dtype))
    const packed = callRoutine('multiboxTarget', [anchor!, ...given], numbers, [batch!, 9 * n!])
    const cut = (from: number, size: number): Tensor =>
      sliceOf(packed, [0, from * n!], [1, 1], [batch!, size * n!])
    return [cut(0, 4), cut(4, 4), cut(8, 1)]
  },
  grad: () => [null, null, null],
})

/**
 * What anchors should predict: offsets, a mask of the anchors that have a box, and classes (0: background); no gradient.
 *
 * `(1, A, 4), (B, M, 5), (B, C, A) -> (B, 4A), (B, 4A), (B, A)`. Labels are rows of class and corners, -1 ends them.
 * @throws MXNetError when the shapes do not fit.
 * @example
 * const anchor = nd.array([[[0, 0, 1, 1]]])
 * await nd.contrib.multiBoxTarget(anchor, nd.array([[[2, 0, 0, 1, 1]]]), nd.zeros([1, 4, 1]))[2].asArray() // => [[3]]
 * @see MXNet `_contrib_MultiBoxTarget`
 */
export function multiBoxTarget<T extends Tensor>(
  anchor: T,
  label: T,
  clsPred: T,
  options?: Given<typeof targetAttrs>,
): T[] {
  return applyAll(targetOp as unknown as OpDef, [anchor, label, clsPred], options)
}

const detectionAttrs = {
  clip: attr.bool(true),
  threshold: attr.float(0.01),
  backgroundId: attr.int(0, { min: 0 }),
  nmsThreshold: attr.float(0.5),
  forceSuppress: attr.bool(false),
  variances,
  nmsTopk: attr.int(-1),
}

const detectionOp = defineOp({
  name: '_contrib_MultiBoxDetection',
  inputs: ['cls_prob', 'loc_pred', 'anchor'],
  attrs: detectionAttrs,
  body: ([probabilities, offsets, anchor], attrs) => {
    const [batch, classes, n] = probabilities!.shape
    const fits =
      probabilities!.shape.length === 3 &&
      sameShape(offsets!.shape, [batch!, 4 * n!]) &&
      sameShape(anchor!.shape, [1, n!, 4])
    if (!fits || attrs.variances.length !== 4)
      fail(
        '_contrib_MultiBoxDetection',
        `probabilities ${formatShape(probabilities!.shape)}, offsets ${formatShape(offsets!.shape)} and anchors ${formatShape(anchor!.shape)} must be (B, C, A), (B, 4A) and (1, A, 4)`,
      )
    const numbers = [
      ...[batch!, classes!, n!, attrs.clip ? 1 : 0, attrs.threshold, attrs.backgroundId],
      ...[attrs.nmsThreshold, attrs.forceSuppress ? 1 : 0, attrs.nmsTopk, ...attrs.variances],
    ]
    const given = [offsets!, anchor!].map((t) => castTo(t, probabilities!.dtype))
    return callRoutine('multiboxDetection', [probabilities!, ...given], numbers, [batch!, n!, 6])
  },
  grad: () => [null, null, null],
})

/**
 * Detections from probabilities and offsets: rows of class, score and corners by descending score, class -1 where
 * suppressed, -1 everywhere where nothing was found; no gradient.
 *
 * `(B, C, A), (B, 4A), (1, A, 4) -> (B, A, 6)`; keeps the dtype.
 * @throws MXNetError when the shapes do not fit.
 * @example
 * const found = nd.contrib.multiBoxDetection(nd.array([[[0], [1]]]), nd.zeros([1, 4]), nd.array([[[0, 0, 1, 1]]]))
 * await found.asArray() // => [[[0, 1, 0, 0, 1, 1]]]
 * @see MXNet `_contrib_MultiBoxDetection`
 */
export function multiBoxDetection<T extends Tensor>(
  clsProb: T,
  locPred: T,
  anchor: T,
  options?: Given<typeof detectionAttrs>,
): T {
  return apply(detectionOp, [clsProb, locPred, anchor], options)
}
