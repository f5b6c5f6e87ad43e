/** Operators on boxes: overlaps, suppression, matching, offsets from anchors. */

import { fail } from '../base/error.ts'
import { formatShape, type Shape, sameShape, sizeOf } from '../base/shape.ts'
import { apply, applyAll } from '../core/apply.ts'
import { attr, type Given } from '../core/attrs.ts'
import { defineOp, type OpDef } from '../core/op.ts'
import type { Tensor } from '../core/tensor.ts'
import { add, div, mul, num, sub } from '../prim/arithmetic.ts'
import { callRoutine } from '../prim/call.ts'
import { binary, compare, type Expr, select, unary } from '../prim/expr.ts'
import {
  assemble,
  broadcastTo,
  castTo,
  flatPositions,
  gather,
  pointwise,
  reshapeTo,
  sliceOf,
} from '../prim/primitive.ts'

const formats = ['corner', 'center'] as const
type Format = (typeof formats)[number]

/** Part k of the last axis, which is dropped. */
export function part(x: Tensor, k: number): Tensor {
  const last = x.shape.length - 1
  const shape = x.shape.with(last, 1)
  const begin = shape.map((_, i) => (i === last ? k : 0))
  return reshapeTo(
    sliceOf(
      x,
      begin,
      shape.map(() => 1),
      shape,
    ),
    x.shape.slice(0, -1),
  )
}

/** Tensors of one shape side by side in a new last axis. */
export function together(parts: readonly Tensor[]): Tensor {
  const { shape } = parts[0]!
  const ones = [...shape.map(() => 1), 1]
  return assemble(
    [...shape, parts.length],
    parts.map((p) => reshapeTo(p, [...shape, 1])),
    parts.map((_, k) => ({ begin: [...shape.map(() => 0), k], step: ones })),
  )
}

/** The four numbers of boxes in the last axis as left, top, right, bottom. */
export function corners(boxes: Tensor, format: Format): Tensor[] {
  const parts = [0, 1, 2, 3].map((k) => part(boxes, k))
  if (format === 'corner') return parts
  const side = (middle: Tensor, size: Tensor, sign: number): Tensor =>
    pointwise([middle, size], ([m, s]) => add(m!, mul(s!, num(s!, sign / 2))))
  const [x, y, w, h] = parts as [Tensor, Tensor, Tensor, Tensor]
  return [side(x, w, -1), side(y, h, -1), side(x, w, 1), side(y, h, 1)]
}

/** Boxes from corners in a format. */
function inFormat(parts: readonly Tensor[], format: Format): Tensor {
  if (format === 'corner') return together(parts)
  const [l, t, r, b] = parts as [Tensor, Tensor, Tensor, Tensor]
  const middle = (p: Tensor, q: Tensor): Tensor =>
    pointwise([p, q], ([x, y]) => mul(add(x!, y!), num(x!, 0.5)))
  const size = (p: Tensor, q: Tensor): Tensor => pointwise([p, q], ([x, y]) => sub(y!, x!))
  return together([middle(l, r), middle(t, b), size(l, r), size(t, b)])
}

function checkBoxes(where: string, x: Tensor): void {
  if (x.shape.at(-1) !== 4)
    fail(where, `boxes have shape ${formatShape(x.shape)}: the last axis must be 4`)
}

const iouAttrs = { format: attr.oneOf(formats, 'corner') }

const iouOp = defineOp({
  name: '_contrib_box_iou',
  inputs: ['lhs', 'rhs'],
  attrs: iouAttrs,
  body: ([a, b], { format }) => {
    checkBoxes('_contrib_box_iou', a!)
    checkBoxes('_contrib_box_iou', b!)
    const [left, right] = [a!.shape.slice(0, -1), b!.shape.slice(0, -1)]
    const out = [...left, ...right]
    const lay = (t: Tensor, shape: Shape): Tensor => broadcastTo(reshapeTo(t, shape), out)
    const lhs = corners(a!, format).map((t) => lay(t, [...left, ...right.map(() => 1)]))
    const rhs = corners(b!, format).map((t) => lay(t, [...left.map(() => 1), ...right]))
    return pointwise([...lhs, ...rhs], (e) => {
      const [l1, t1, r1, b1, l2, t2, r2, b2] = e as [Expr, Expr, Expr, Expr, Expr, Expr, Expr, Expr]
      const gap = (low: Expr, high: Expr): Expr => binary('max', sub(high, low), num(low, 0))
      const shared = mul(
        gap(binary('max', l1, l2), binary('min', r1, r2)),
        gap(binary('max', t1, t2), binary('min', b1, b2)),
      )
      const union = sub(add(mul(sub(r1, l1), sub(b1, t1)), mul(sub(r2, l2), sub(b2, t2))), shared)
      const empty = compare('le', union, num(union, 0))
      return select(empty, num(union, 0), div(shared, select(empty, num(union, 1), union)))
    })
  },
  grad: () => [null, null],
})

/**
 * Intersection over union of every box with every other; no gradient.
 *
 * `(A…, 4), (B…, 4) -> (A…, B…)`; keeps the dtype. Boxes are corners (left, top, right, bottom), or centre and size.
 * @throws MXNetError unless the last axes are 4.
 * @example
 * await nd.contrib.boxIou(nd.array([[0, 0, 1, 1]]), nd.array([[0, 0, 1, 2]])).asArray() // => [[0.5]]
 * @see MXNet `_contrib_box_iou`
 */
export function boxIou<T extends Tensor>(lhs: T, rhs: T, options?: Given<typeof iouAttrs>): T {
  return apply(iouOp, [lhs, rhs], options)
}

const nmsAttrs = {
  overlapThresh: attr.float(0.5),
  validThresh: attr.float(0),
  topk: attr.int(-1),
  coordStart: attr.int(2, { min: 0 }),
  scoreIndex: attr.int(1, { min: 0 }),
  idIndex: attr.int(-1),
  backgroundId: attr.int(-1),
  forceSuppress: attr.bool(false),
  inFormat: attr.oneOf(formats, 'corner'),
  outFormat: attr.oneOf(formats, 'corner'),
}

const nmsOp = defineOp({
  name: '_contrib_box_nms',
  aliases: ['_contrib_box_non_maximum_suppression'],
  inputs: ['data'],
  attrs: nmsAttrs,
  body: ([x], attrs) => {
    const [n, width] = x!.shape.slice(-2) as [number, number]
    const { coordStart: start, scoreIndex, idIndex } = attrs
    if (x!.shape.length < 2 || start + 4 > width || scoreIndex >= width || idIndex >= width)
      fail(
        '_contrib_box_nms',
        `rows of ${formatShape(x!.shape)} do not hold coordinates at ${start}, a score at ${scoreIndex} and a class at ${idIndex}`,
      )
    const batch = sizeOf(x!.shape.slice(0, -2))
    const rows = reshapeTo(x!, [batch * n, width])
    const boxes = sliceOf(rows, [0, start], [1, 1], [batch * n, 4])
    const seen =
      attrs.inFormat === 'corner' ? rows : replaced(rows, start, together(corners(boxes, 'center')))
    const numbers = [
      ...[batch, n, width, attrs.overlapThresh, attrs.validThresh, attrs.topk],
      ...[
        start,
        scoreIndex,
        idIndex,
        attrs.backgroundId,
        attrs.forceSuppress || idIndex < 0 ? 1 : 0,
      ],
    ]
    const chosen = callRoutine('nms', [seen], numbers, [batch * n], 'int32')
    const shown =
      attrs.inFormat === attrs.outFormat
        ? rows
        : replaced(rows, start, inFormat(corners(boxes, attrs.inFormat), attrs.outFormat))
    const places = pointwise([chosen, flatPositions([batch * n])], ([i, at]) => {
      const line = mul(div(at!, num(at!, Math.max(n, 1))), num(at!, n))
      return add(line, binary('max', i!, num(i!, 0)))
    })
    if (rows.size === 0) return pointwise([x!], ([v]) => v!)
    const held = broadcastTo(reshapeTo(chosen, [batch * n, 1]), rows.shape)
    const kept = pointwise([gather(shown, places, 0), held], ([v, i]) =>
      select(compare('ge', i!, num(i!, 0)), v!, num(v!, -1)),
    )
    return reshapeTo(kept, x!.shape)
  },
})

/** Rows with columns from `start` on replaced. */
function replaced(rows: Tensor, start: number, columns: Tensor): Tensor {
  const [n, width] = rows.shape as [number, number]
  const count = columns.shape[1]!
  const cut = (from: number, to: number): Tensor => sliceOf(rows, [0, from], [1, 1], [n, to - from])
  const pieces = [cut(0, start), columns, cut(start + count, width)]
  const begins = [0, start, start + count]
  return assemble(
    rows.shape,
    pieces,
    begins.map((b) => ({ begin: [0, b], step: [1, 1] })),
  )
}

/** Options of `boxNms`. */
export type BoxNmsOptions = Given<typeof nmsAttrs>

/**
 * Rows of boxes by descending score, without those that overlap a better one; -1 in the rows that are left over.
 *
 * `(B…, n, w) -> (B…, n, w)`; keeps the dtype. Rows hold a score (above `validThresh`), four coordinates and, with
 * `idIndex`, a class: boxes suppress those of their class (all with `forceSuppress`) that overlap more than
 * `overlapThresh`. Gradients go back to the rows that stay.
 * @throws MXNetError when rows are too short.
 * @example
 * await nd.contrib.boxNms(nd.array([[0, 0.5, 0, 0, 1, 1]])).asArray() // => [[0, 0.5, 0, 0, 1, 1]]
 * @see MXNet `_contrib_box_nms`
 */
export function boxNms<T extends Tensor>(data: T, options?: BoxNmsOptions): T {
  return apply(nmsOp, [data], options)
}

/** `box_non_maximum_suppression` is `box_nms`. */
export const boxNonMaximumSuppression = boxNms

const matchAttrs = { isAscend: attr.bool(false), threshold: attr.float(), topk: attr.int(-1) }

const matchingOp = defineOp({
  name: '_contrib_bipartite_matching',
  inputs: ['data'],
  attrs: matchAttrs,
  body: ([x], { isAscend, threshold, topk }) => {
    if (x!.shape.length < 2)
      fail(
        '_contrib_bipartite_matching',
        `data has shape ${formatShape(x!.shape)}: it must be (B…, n, m)`,
      )
    const [n, m] = x!.shape.slice(-2) as [number, number]
    const lead = x!.shape.slice(0, -2)
    const numbers = [sizeOf(lead), n, m, threshold, isAscend ? 1 : 0, topk]
    const packed = callRoutine('bipartite', [x!], numbers, [...lead, n + m])
    const zeros = lead.map(() => 0)
    const ones = packed.shape.map(() => 1)
    return [
      sliceOf(packed, [...zeros, 0], ones, [...lead, n]),
      sliceOf(packed, [...zeros, n], ones, [...lead, m]),
    ]
  },
  grad: () => [null],
})

/**
 * A greedy matching of rows and columns by score: the column of each row and the row of each column, -1 without one.
 *
 * `(B…, n, m) -> (B…, n), (B…, m)`; keeps the dtype; no gradient.
 * @throws MXNetError without two axes.
 * @example
 * await nd.contrib.bipartiteMatching(nd.array([[0.9, 0.8], [0.7, 0.1]]), { threshold: 0 })[0].asArray() // => [0, 1]
 * @see MXNet `_contrib_bipartite_matching`
 */
export function bipartiteMatching<T extends Tensor>(data: T, attrs: Given<typeof matchAttrs>): T[] {
  return applyAll(matchingOp as unknown as OpDef, [data], attrs)
}

const encodeOp = defineOp({
  name: '_contrib_box_encode',
  inputs: ['samples', 'matches', 'anchors', 'refs', 'means', 'stds'],
  body: ([samples, matches, anchors, refs, means, stds]) => {
    const where = '_contrib_box_encode'
    checkBoxes(where, anchors!)
    checkBoxes(where, refs!)
    const [b, n] = samples!.shape as [number, number]
    const m = refs!.shape[1] ?? 0
    const fits =
      samples!.shape.length === 2 &&
      sameShape(matches!.shape, [b, n]) &&
      sameShape(anchors!.shape, [b, n, 4]) &&
      sameShape(refs!.shape, [b, m, 4])
    if (!fits || sizeOf(means!.shape) !== 4 || sizeOf(stds!.shape) !== 4)
      fail(
        where,
        'samples and matches must be (B, N), anchors (B, N, 4), refs (B, M, 4), means and stds (4,)',
      )
    if (m === 0) fail(where, 'there are no boxes to encode')
    // The matched box of each anchor.
    const places = pointwise([castTo(matches!, 'int32'), flatPositions([b, n])], ([k, at]) => {
      const entry = div(at!, num(at!, Math.max(n, 1)))
      const inside = binary('min', binary('max', k!, num(k!, 0)), num(k!, m - 1))
      return add(mul(entry, num(at!, m)), inside)
    })
    const matched = gather(reshapeTo(refs!, [b * m, 4]), places, 0)
    const [al, at, ar, ab] = corners(anchors!, 'corner')
    const [gl, gt, gr, gb] = corners(matched, 'corner')
    const place = (a0: Tensor, a1: Tensor, g0: Tensor, g1: Tensor): Tensor =>
      pointwise([a0, a1, g0, g1], ([p, q, u, v]) =>
        div(mul(sub(add(u!, v!), add(p!, q!)), num(p!, 0.5)), sub(q!, p!)),
      )
    const size = (a0: Tensor, a1: Tensor, g0: Tensor, g1: Tensor): Tensor =>
      pointwise([a0, a1, g0, g1], ([p, q, u, v]) => unary('log', div(sub(v!, u!), sub(q!, p!))))
    const raw = together([
      place(al!, ar!, gl!, gr!),
      place(at!, ab!, gt!, gb!),
      size(al!, ar!, gl!, gr!),
      size(at!, ab!, gt!, gb!),
    ])
    const spread = (t: Tensor): Tensor =>
      broadcastTo(reshapeTo(castTo(t, raw.dtype), [1, 1, 4]), raw.shape)
    const held = broadcastTo(reshapeTo(samples!, [b, n, 1]), raw.shape)
    const positive = (s: Expr): Expr => compare('gt', s, num(s, 0.5))
    return [
      pointwise([raw, spread(means!), spread(stds!), held], ([r, mean, std, s]) =>
        select(positive(s!), div(sub(r!, mean!), std!), num(r!, 0)),
      ),
      pointwise([held, raw], ([s, r]) => select(positive(s!), num(r!, 1), num(r!, 0))),
    ]
  },
  grad: ({ inputs }) => inputs.map(() => null),
})

/**
 * Offsets of matched boxes from their anchors, normalised, and a mask of those that count (samples of 1); no gradient.
 *
 * `(B, N), (B, N), (B, N, 4), (B, M, 4), (4,), (4,) -> 2 × (B, N, 4)`. Boxes are corners.
 * @throws MXNetError when the shapes do not fit.
 * @example
 * const box = nd.array([[[0, 0, 1, 1]]])
 * nd.contrib.boxEncode(nd.ones([1, 1]), nd.zeros([1, 1]), box, box, nd.zeros([4]), nd.ones([4])).length // => 2
 * @see MXNet `_contrib_box_encode`
 */
export function boxEncode<T extends Tensor>(
  samples: T,
  matches: T,
  anchors: T,
  refs: T,
  means: T,
  stds: T,
): T[] {
  return applyAll(encodeOp as unknown as OpDef, [samples, matches, anchors, refs, means, stds])
}

const decodeAttrs = {
  std0: attr.float(1),
  std1: attr.float(1),
  std2: attr.float(1),
  std3: attr.float(1),
  clip: attr.float(-1),
  format: attr.oneOf(formats, 'center'),
}

const decodeOp = defineOp({
  name: '_contrib_box_decode',
  inputs: ['data', 'anchors'],
  attrs: decodeAttrs,
  body: ([x, anchors], { std0, std1, std2, std3, clip, format }) => {
    checkBoxes('_contrib_box_decode', x!)
    const [, n] = x!.shape
    if (x!.shape.length !== 3 || !sameShape(anchors!.shape, [1, n!, 4]))
      fail(
        '_contrib_box_decode',
        `data ${formatShape(x!.shape)} must be (B, N, 4), anchors ${formatShape(anchors!.shape)} (1, N, 4)`,
      )
    const laid = broadcastTo(anchors!, x!.shape)
    const centred = format === 'center' ? laid : inFormat(corners(laid, 'corner'), 'center')
    const [ax, ay, aw, ah] = [0, 1, 2, 3].map((k) => part(centred, k))
    const [dx, dy, dw, dh] = [0, 1, 2, 3].map((k) => part(x!, k))
    const axis = (
      d: Tensor,
      s: Tensor,
      m: Tensor,
      size: Tensor,
      v: number,
      vs: number,
      sign: number,
    ): Tensor =>
      pointwise([d, s, m, size], ([o, e, c, w]) => {
        const middle = add(mul(mul(o!, num(o!, v)), w!), c!)
        const log = mul(e!, num(e!, vs))
        const limited = clip > 0 ? binary('min', log, num(log, clip)) : log
        return add(middle, mul(mul(unary('exp', limited), w!), num(w!, sign / 2)))
      })
    return together([
      axis(dx!, dw!, ax!, aw!, std0, std2, -1),
      axis(dy!, dh!, ay!, ah!, std1, std3, -1),
      axis(dx!, dw!, ax!, aw!, std0, std2, 1),
      axis(dy!, dh!, ay!, ah!, std1, std3, 1),
    ])
  },
  grad: () => [null, null],
})

/**
 * Corners of boxes from their offsets from anchors; no gradient.
 *
 * `(B, N, 4), (1, N, 4) -> (B, N, 4)`; keeps the dtype. Logarithms of sizes are held below `clip` where it is above 0.
 * @throws MXNetError when the shapes do not fit.
 * @example
 * await nd.contrib.boxDecode(nd.zeros([1, 1, 4]), nd.array([[[1, 1, 2, 2]]])).asArray() // => [[[0, 0, 2, 2]]]
 * @see MXNet `_contrib_box_decode`
 */
export function boxDecode<T extends Tensor>(
  data: T,
  anchors: T,
  options?: Given<typeof decodeAttrs>,
): T {
  return apply(decodeOp, [data, anchors], options)
}
