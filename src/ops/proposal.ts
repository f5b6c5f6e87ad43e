/** Proposals of regions: anchors moved by predicted offsets, the best of them, without those that overlap a better one. */

import { isFloat } from '../base/dtype.ts'
import { fail } from '../base/error.ts'
import { formatShape } from '../base/shape.ts'
import { applyAll } from '../core/apply.ts'
import { attr, type Given } from '../core/attrs.ts'
import { defineOp, type OpDef } from '../core/op.ts'
import type { Tensor } from '../core/tensor.ts'
import { add, int, mul, num, sub } from '../prim/arithmetic.ts'
import { callRoutine, sortPositions } from '../prim/call.ts'
import { binary, cast, compare, constant, type Expr, index, select, unary } from '../prim/expr.ts'
import {
  castTo,
  filled,
  gather,
  mapTensors,
  permuteAxes,
  pointwise,
  reduce,
  reshapeTo,
  sliceOf,
} from '../prim/primitive.ts'
import { part, together } from './boxes.ts'

const either = (p: Expr, q: Expr): Expr => binary('or', p, q)

const proposalAttrs = {
  rpnPreNmsTopN: attr.int(6000),
  rpnPostNmsTopN: attr.int(300, { above: 0 }),
  threshold: attr.float(0.7),
  rpnMinSize: attr.int(16),
  scales: attr.floats([4, 8, 16, 32]),
  ratios: attr.floats([0.5, 1, 2]),
  featureStride: attr.int(16, { above: 0 }),
  outputScore: attr.bool(false),
  iouLoss: attr.bool(false),
}
/** Options of `proposal` and `multiProposal`. */
export type ProposalOptions = Given<typeof proposalAttrs>
type Settings = Required<{ [K in keyof ProposalOptions]: NonNullable<ProposalOptions[K]> }>

/** Anchors around the first cell as left, top, right, bottom: for each ratio of height to width, each scale. */
function anchorsOf({ scales, ratios, featureStride: side }: Settings): number[][] {
  const middle = (side - 1) / 2
  return ratios.flatMap((ratio) =>
    scales.map((scale) => {
      const base = Math.floor(Math.sqrt(Math.floor((side * side) / ratio)) + 0.5)
      const width = base * scale
      const height = Math.floor(base * ratio + 0.5) * scale
      return [
        middle - (width - 1) / 2,
        middle - (height - 1) / 2,
        middle + (width - 1) / 2,
        middle + (height - 1) / 2,
      ]
    }),
  )
}

/** The number of a short list that stands at a place. */
const chosen = (values: readonly number[], at: Expr, like: Expr): Expr =>
  values
    .slice(1)
    .reduce(
      (rest, v, i) => select(compare('eq', at, int(i + 1)), num(like, v), rest),
      num(like, values[0]!),
    )

/** The rows of `n` lists of `count` rows each, at places (n, k) within each list. */
function rowsAt(rows: Tensor, places: Tensor, count: number): Tensor {
  const flat = pointwise(
    [places, mapTensors(mul(index(0), int(count)), places.shape, [])],
    ([i, b]) => add(b!, binary('max', i!, int(0))),
  )
  return gather(rows, flat, 0)
}

/** The predicted boxes, inside of the images, and their scores: (N, H, W, A) each. */
function predicted(
  scores: Tensor,
  deltas: Tensor,
  info: readonly [height: Tensor, width: Tensor, scale: Tensor],
  attrs: Settings,
): { corners: Tensor[]; score: Tensor } {
  const anchors = anchorsOf(attrs)
  const { featureStride: stride, rpnMinSize, iouLoss } = attrs
  const grid = scores.shape
  const { dtype } = scores
  /** Corner k of every anchor. */
  const anchor = (k: number): Tensor => {
    const like = constant(0, dtype)
    const own = chosen(
      anchors.map((a) => a[k]!),
      index(3),
      like,
    )
    const cell = cast(index(k % 2 === 0 ? 2 : 1), dtype)
    return mapTensors(add(own, mul(cell, num(like, stride))), grid, [])
  }
  const delta = (k: number): Tensor => part(deltas, k)
  /** Both ends along an axis (0: across, 1: down). */
  const ends = (axis: 0 | 1): Tensor[] => {
    const inputs = [anchor(axis), anchor(axis + 2), delta(axis), delta(axis + 2)]
    const limit = info[1 - axis]!
    const held = (x: Expr, size: Expr): Expr =>
      binary('max', binary('min', x, sub(size, num(size, 1))), num(x, 0))
    return [0, 1].map((end) =>
      pointwise([...inputs, limit], (e) => {
        const [a, b, shift, grow, size] = e as [Expr, Expr, Expr, Expr, Expr]
        if (iouLoss) return held(end === 0 ? add(a, shift) : add(b, grow), size)
        const width = add(sub(b, a), num(a, 1))
        const centre = add(mul(shift, width), add(a, mul(sub(width, num(a, 1)), num(a, 0.5))))
        const wide = mul(unary('exp', grow), width)
        const half = mul(sub(wide, num(a, 1)), num(a, 0.5))
        return held(end === 0 ? sub(centre, half) : add(centre, half), size)
      }),
    )
  }
  const [[x1, x2], [y1, y2]] = [ends(0), ends(1)] as [[Tensor, Tensor], [Tensor, Tensor]]
  const least = (scale: Expr): Expr => mul(scale, num(scale, rpnMinSize))
  const small = pointwise([x1, y1, x2, y2, info[2]], ([a, b, c, d, scale]) => {
    const short = (p: Expr, q: Expr): Expr =>
      compare('lt', add(sub(q, p), num(p, 1)), least(scale!))
    return either(short(a!, c!), short(b!, d!))
  })
  const grown = (corner: Tensor, sign: 1 | -1): Tensor =>
    pointwise([corner, small, info[2]], ([v, s, scale]) =>
      select(s!, add(v!, mul(least(scale!), num(v!, sign / 2))), v!),
    )
  // Cells beyond the image itself are padding.
  const beyond = (axis: 1 | 2, limit: Tensor): Tensor =>
    pointwise([mapTensors(cast(index(axis), dtype), grid, []), limit], ([at, size]) => {
      const cells = unary('trunc', binary('div', size!, num(size!, stride)))
      return compare('ge', at!, cells)
    })
  const score = pointwise([scores, small, beyond(1, info[0]), beyond(2, info[1])], ([s, a, b, c]) =>
    select(either(a!, either(b!, c!)), num(s!, -1), s!),
  )
  return { corners: [grown(x1, -1), grown(y1, -1), grown(x2, 1), grown(y2, 1)], score }
}

/** Regions (N·post, 5) of image number and corners, and their scores (N·post, 1). */
function propose(where: string, [prob, pred, info]: readonly Tensor[], attrs: Settings): Tensor[] {
  if (prob!.shape.length !== 4 || !isFloat(prob!.dtype))
    fail(
      where,
      `cls_prob is ${prob!.dtype} ${formatShape(prob!.shape)}: it must be floats (N, 2·A, H, W)`,
    )
  const [n, channels, h, w] = prob!.shape as [number, number, number, number]
  const anchors = attrs.ratios.length * attrs.scales.length
  if (channels !== 2 * anchors || anchors === 0)
    fail(where, `cls_prob has ${channels} channels: it must have 2 for each of ${anchors} anchors`)
  const fits = (x: Tensor, want: readonly number[]): boolean =>
    x.shape.length === want.length && x.shape.every((d, i) => d === want[i])
  if (!fits(pred!, [n, 4 * anchors, h, w]) || !fits(info!, [n, 3]))
    fail(
      where,
      `bbox_pred ${formatShape(pred!.shape)} must be (${n}, ${4 * anchors}, ${h}, ${w}), and im_info ${formatShape(info!.shape)} (${n}, 3)`,
    )
  const { dtype } = prob!
  const post = attrs.rpnPostNmsTopN
  const count = anchors * h * w
  if (n * count === 0) return [filled([n * post, 5], 0, dtype), filled([n * post, 1], 0, dtype)]
  const foreground = sliceOf(prob!, [0, anchors, 0, 0], [1, 1, 1, 1], [n, anchors, h, w])
  const scores = permuteAxes(foreground, [0, 2, 3, 1])
  const deltas = permuteAxes(
    reshapeTo(castTo(pred!, dtype), [n, anchors, 4, h, w]),
    [0, 3, 4, 1, 2],
  )
  const facts = [0, 1, 2].map((k) => reshapeTo(part(castTo(info!, dtype), k), [n, 1, 1, 1]))
  const { corners, score } = predicted(scores, deltas, facts as [Tensor, Tensor, Tensor], attrs)
  const rows = reshapeTo(together([...corners, score]), [n * count, 5])
  const order = sortPositions(reshapeTo(score, [n, count]), true)
  const pre = Math.min(attrs.rpnPreNmsTopN > 0 ? attrs.rpnPreNmsTopN : count, count)
  const best = rowsAt(rows, sliceOf(order, [0, 0], [1, 1], [n, pre]), count)
  // Both ends belong to a box.
  const ends = [0, 1, 2, 3].map((k) =>
    pointwise([part(best, k)], ([v]) => (k < 2 ? v! : add(v!, num(v!, 1)))),
  )
  const boxes = reshapeTo(together([...ends, part(best, 4)]), [n * pre, 5])
  const all = Number.NEGATIVE_INFINITY
  const numbers = [n, pre, 5, attrs.threshold, all, 0, 0, 4, -1, -1, 1]
  const kept = reshapeTo(callRoutine('nms', [boxes], numbers, [n * pre], 'int32'), [n, pre])
  const found = reduce(
    pointwise([kept], ([i]) => cast(compare('ge', i!, int(0)), 'int32')),
    'sum',
    [1],
  )
  // What is missing is filled with the regions there are, over again.
  const places = pointwise(
    [mapTensors(index(1), [n, post], []), reshapeTo(found, [n, 1])],
    ([slot, have]) => {
      const many = binary('max', binary('min', have!, int(Math.min(post, pre))), int(1))
      return binary('mod', slot!, many)
    },
  )
  const taken = rowsAt(reshapeTo(kept, [n * pre]), places, pre)
  const chosenRows = reshapeTo(rowsAt(reshapeTo(best, [n * pre, 5]), taken, pre), [n * post, 5])
  const image = mapTensors(cast(binary('div', index(0), int(post)), dtype), [n * post], [])
  const regions = together([image, ...[0, 1, 2, 3].map((k) => part(chosenRows, k))])
  return [regions, reshapeTo(part(chosenRows, 4), [n * post, 1])]
}

const inputs = ['cls_prob', 'bbox_pred', 'im_info'] as const

const proposalOp = defineOp({
  name: '_contrib_Proposal',
  inputs,
  attrs: proposalAttrs,
  body: (xs, attrs) => {
    const where = '_contrib_Proposal'
    if (xs[0]!.shape[0] !== 1)
      fail(
        where,
        `cls_prob ${formatShape(xs[0]!.shape)} must be one image: use multiProposal for more`,
      )
    return propose(where, xs, attrs)
  },
  grad: () => [null, null, null],
})

const multiProposalOp = defineOp({
  name: '_contrib_MultiProposal',
  inputs,
  attrs: proposalAttrs,
  body: (xs, attrs) => propose('_contrib_MultiProposal', xs, attrs),
  grad: () => [null, null, null],
})

function call<T extends Tensor>(op: unknown, xs: readonly T[], attrs: ProposalOptions): T | T[] {
  const [regions, scores] = applyAll(op as OpDef, xs, attrs)
  return attrs.outputScore ? [regions as T, scores as T] : (regions as T)
}

/**
 * The most promising regions of one image, from scores of anchors and offsets of their boxes: the first stage of Faster R-CNN.
 *
 * `(1, 2·A, H, W), (1, 4·A, H, W), (1, 3) -> (rpnPostNmsTopN, 5)`: rows of 0, left, top, right, bottom. An anchor of each of
 * `ratios` and `scales` stands on every cell of `featureStride` pixels; `im_info` is height, width and scale of the image. The best
 * `rpnPreNmsTopN` are kept if they overlap no better one by more than `threshold`; regions below `rpnMinSize` score -1; where too
 * few are left they are repeated. `outputScore` gives the scores (rpnPostNmsTopN, 1) too. No gradient.
 * @throws MXNetError when the shapes do not fit.
 * @example
 * const [scores, offsets, info] = [nd.ones([1, 2, 2, 2]), nd.zeros([1, 4, 2, 2]), nd.array([[32, 32, 1]])]
 * const options = { ratios: [1], scales: [1], rpnMinSize: 4, rpnPostNmsTopN: 3 }
 * nd.contrib.proposal(scores, offsets, info, options).shape // => [3, 5]
 * @see MXNet `_contrib_Proposal`
 */
export function proposal<T extends Tensor>(
  clsProb: T,
  bboxPred: T,
  imInfo: T,
  attrs?: ProposalOptions & { readonly outputScore?: false | undefined },
): T
export function proposal<T extends Tensor>(
  clsProb: T,
  bboxPred: T,
  imInfo: T,
  attrs: ProposalOptions,
): T | T[]
export function proposal<T extends Tensor>(
  clsProb: T,
  bboxPred: T,
  imInfo: T,
  attrs: ProposalOptions = {},
): T | T[] {
  return call(proposalOp, [clsProb, bboxPred, imInfo], attrs)
}

/**
 * `proposal` for each image of a batch: the first number of a row is that of its image.
 *
 * `(N, 2·A, H, W), (N, 4·A, H, W), (N, 3) -> (N·rpnPostNmsTopN, 5)`; no gradient.
 * @throws MXNetError when the shapes do not fit.
 * @example
 * const [scores, offsets] = [nd.ones([2, 2, 2, 2]), nd.zeros([2, 4, 2, 2])]
 * const options = { ratios: [1], scales: [1], rpnMinSize: 4, rpnPostNmsTopN: 3 }
 * nd.contrib.multiProposal(scores, offsets, nd.array([[32, 32, 1], [32, 32, 1]]), options).shape // => [6, 5]
 * @see MXNet `_contrib_MultiProposal`
 */
export function multiProposal<T extends Tensor>(
  clsProb: T,
  bboxPred: T,
  imInfo: T,
  attrs?: ProposalOptions & { readonly outputScore?: false | undefined },
): T
export function multiProposal<T extends Tensor>(
  clsProb: T,
  bboxPred: T,
  imInfo: T,
  attrs: ProposalOptions,
): T | T[]
export function multiProposal<T extends Tensor>(
  clsProb: T,
  bboxPred: T,
  imInfo: T,
  attrs: ProposalOptions = {},
): T | T[] {
  return call(multiProposalOp, [clsProb, bboxPred, imInfo], attrs)
}
