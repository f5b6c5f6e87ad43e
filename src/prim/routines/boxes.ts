/** Boxes: overlaps, greedy suppression and matching, and the targets and detections of single-shot detectors. */

import type { Floats, Routine } from './routine.ts'

type Numbers = readonly number[]

/** Intersection over union of two boxes given by left, top, right, bottom, at positions of two arrays. */
function overlap(a: Floats, i: number, b: Floats, j: number): number {
  const width = Math.min(a[i + 2]!, b[j + 2]!) - Math.max(a[i]!, b[j]!)
  const height = Math.min(a[i + 3]!, b[j + 3]!) - Math.max(a[i + 1]!, b[j + 1]!)
  if (!(width > 0 && height > 0)) return 0
  const shared = width * height
  const area = (x: Floats, k: number): number => (x[k + 2]! - x[k]!) * (x[k + 3]! - x[k + 1]!)
  return shared / (area(a, i) + area(b, j) - shared)
}

/** Positions that pass a test, by descending score; equal scores as they stood. */
function ranked(n: number, passes: (i: number) => boolean, score: (i: number) => number): number[] {
  return Array.from({ length: n }, (_, i) => i)
    .filter(passes)
    .sort((i, j) => score(j) - score(i) || i - j)
}

/**
 * Numbers: batch, boxes, width of a row, overlap, least score (exclusive), most boxes (below 1: all), where coordinates
 * begin, the score and the class stand (a class below 0: none), the background class, 1 to suppress across classes.
 * Boxes are corners. For each place of the result the row that stands there, or -1; int32.
 */
export const nms: Routine = ([data], output, numbers) => {
  const [batch, n, width, limit, least, most, coord, scoreAt, idAt, background, across] =
    numbers as [
      number,
      number,
      number,
      number,
      number,
      number,
      number,
      number,
      number,
      number,
      number,
    ]
  const x = data as Floats
  for (let b = 0; b < batch; b++) {
    const at = (i: number, k: number): number => (b * n + i) * width + k
    const id = (i: number): number => (idAt < 0 ? 0 : x[at(i, idAt)]!)
    const score = (i: number): number => x[at(i, scoreAt)]!
    const order = ranked(
      n,
      (i) => score(i) > least && !(idAt >= 0 && background >= 0 && id(i) === background),
      score,
    )
    const candidates = most > 0 ? order.slice(0, most) : order
    const kept: number[] = []
    for (const i of candidates) {
      const covered = kept.some(
        (k) =>
          (across === 1 || id(k) === id(i)) && overlap(x, at(k, coord), x, at(i, coord)) > limit,
      )
      if (!covered) kept.push(i)
    }
    for (let i = 0; i < n; i++) output[b * n + i] = kept[i] ?? -1
  }
}

/**
 * Numbers: batch, rows, columns, threshold, 1 for ascending, most matches (below 1: all). Greedy matching by score: the column of
 * each row, then the row of each column, -1 for none.
 */
export const bipartite: Routine = ([data], output, numbers) => {
  const [batch, rows, columns, threshold, ascending, most] = numbers as [
    number,
    number,
    number,
    number,
    number,
    number,
  ]
  const x = data as Floats
  for (let b = 0; b < batch; b++) {
    const from = b * rows * columns
    const to = b * (rows + columns)
    for (let i = 0; i < rows + columns; i++) output[to + i] = -1
    const sign = ascending === 1 ? -1 : 1
    const order = ranked(
      rows * columns,
      () => true,
      (i) => sign * x[from + i]!,
    )
    let count = 0
    for (const p of order) {
      if (!(sign * x[from + p]! > sign * threshold) || (most > 0 && count >= most)) break
      const [r, c] = [Math.floor(p / columns), p % columns]
      if (output[to + r] !== -1 || output[to + rows + c] !== -1) continue
      output[to + r] = c
      output[to + rows + c] = r
      count++
    }
  }
}

/** Offsets of box g from anchor a, by centres and logarithms of sizes, divided by variances. */
function encode(a: Floats, i: number, g: Floats, j: number, v: Numbers): number[] {
  const centre = (x: Floats, k: number): number => (x[k]! + x[k + 2]!) / 2
  const size = (x: Floats, k: number): number => x[k + 2]! - x[k]!
  return [
    (centre(g, j) - centre(a, i)) / size(a, i) / v[0]!,
    (centre(g, j + 1) - centre(a, i + 1)) / size(a, i + 1) / v[1]!,
    Math.log(size(g, j) / size(a, i)) / v[2]!,
    Math.log(size(g, j + 1) / size(a, i + 1)) / v[3]!,
  ]
}

/**
 * Numbers: batch, anchors, labels, width of a label, classes, overlap threshold, ignored label, ratio, threshold and least
 * number of mined negatives, four variances. Inputs: anchors, labels, class predictions (classes × anchors). For each
 * batch entry: offsets (4·anchors), their mask (4·anchors), classes (anchors).
 */
export const multiboxTarget: Routine = ([anchorData, labelData, predictions], output, numbers) => {
  const [
    batch,
    anchors,
    labels,
    width,
    classes,
    threshold,
    ignored,
    ratio,
    mining,
    least,
    ...variances
  ] = numbers as [
    number,
    number,
    number,
    number,
    number,
    number,
    number,
    number,
    number,
    number,
    ...number[],
  ]
  const [a, l, p] = [anchorData as Floats, labelData as Floats, predictions as Floats]
  for (let b = 0; b < batch; b++) {
    const out = (output as Floats).subarray(b * 9 * anchors, (b + 1) * 9 * anchors)
    out.fill(0)
    out.fill(ignored, 8 * anchors)
    const label = (g: number): number => (b * labels + g) * width
    let count = 0
    while (count < labels && l[label(count)] !== -1) count++
    if (count === 0) continue
    const best = matchAnchors(anchors, count, threshold, (i, g) =>
      overlap(a, 4 * i, l, label(g) + 1),
    )
    const positives = best.filter((m) => m.positive).length
    const isNegative =
      ratio > 0
        ? mined(
            best,
            p.subarray(b * classes * anchors),
            anchors,
            classes,
            mining,
            Math.max(Math.floor(positives * ratio), least),
          )
        : () => true
    best.forEach((match, i) => {
      if (!match.positive) {
        if (isNegative(i)) out[8 * anchors + i] = 0
        return
      }
      out.set(encode(a, 4 * i, l, label(match.label) + 1, variances), 4 * i)
      out.fill(1, 4 * anchors + 4 * i, 4 * anchors + 4 * i + 4)
      out[8 * anchors + i] = l[label(match.label)]! + 1
    })
  }
}

interface Match {
  positive: boolean
  label: number
  overlap: number
}

/** First the best anchor of each label, one after the other, then every anchor that overlaps a label enough. */
function matchAnchors(
  anchors: number,
  labels: number,
  threshold: number,
  overlapOf: (anchor: number, label: number) => number,
): Match[] {
  const table = Array.from({ length: anchors }, (_, i) =>
    Array.from({ length: labels }, (_, g) => overlapOf(i, g)),
  )
  const matches: Match[] = table.map((row) => {
    let label = 0
    for (let g = 1; g < labels; g++) if (row[g]! > row[label]!) label = g
    return { positive: false, label, overlap: row[label]! }
  })
  const taken = new Set<number>()
  while (taken.size < labels) {
    let [anchor, label, most] = [-1, -1, 1e-6]
    for (let i = 0; i < anchors; i++) {
      if (matches[i]!.positive) continue
      for (let g = 0; g < labels; g++) {
        if (taken.has(g) || !(table[i]![g]! > most)) continue
        ;[anchor, label, most] = [i, g, table[i]![g]!]
      }
    }
    if (anchor < 0) break
    matches[anchor] = { positive: true, label, overlap: most }
    taken.add(label)
  }
  if (threshold > 0)
    for (const m of matches) if (!m.positive && m.overlap > threshold) m.positive = true
  return matches
}

/** The negatives whose background probability is lowest, `count` of them, among those that overlap little. */
function mined(
  matches: readonly Match[],
  predictions: Floats,
  anchors: number,
  classes: number,
  threshold: number,
  count: number,
): (anchor: number) => boolean {
  const background = (i: number): number => {
    let largest = Number.NEGATIVE_INFINITY
    for (let c = 0; c < classes; c++) largest = Math.max(largest, predictions[c * anchors + i]!)
    let sum = 0
    for (let c = 0; c < classes; c++) sum += Math.exp(predictions[c * anchors + i]! - largest)
    return Math.exp(predictions[i]! - largest) / sum
  }
  const open = (i: number): boolean => !matches[i]!.positive && matches[i]!.overlap < threshold
  const chosen = new Set(ranked(anchors, open, (i) => -background(i)).slice(0, count))
  return (anchor) => chosen.has(anchor)
}

/**
 * Numbers: batch, classes, anchors, 1 to clip, score threshold, background, overlap, 1 to suppress across classes, most
 * boxes (below 1: all), four variances. Inputs: class probabilities (classes × anchors), offsets, anchors. Rows of class,
 * score and corners by descending score; a class of -1 is suppressed.
 */
export const multiboxDetection: Routine = (
  [probabilities, offsets, anchorData],
  output,
  numbers,
) => {
  const [batch, classes, anchors, clip, threshold, background, limit, across, most, ...v] =
    numbers as [number, number, number, number, number, number, number, number, number, ...number[]]
  const [p, o, a] = [probabilities as Floats, offsets as Floats, anchorData as Floats]
  output.fill(-1 as never)
  for (let b = 0; b < batch; b++) {
    const score = new Float64Array(anchors)
    const id = new Int32Array(anchors)
    for (let i = 0; i < anchors; i++) {
      let best = -1
      for (let c = 0; c < classes; c++) {
        const value = p[(b * classes + c) * anchors + i]!
        if (c !== background && (best < 0 || value > score[i]!)) {
          best = c
          score[i] = value
        }
      }
      // Classes are counted without the background.
      id[i] = best > background ? best - 1 : best
    }
    const order = ranked(
      anchors,
      (i) => score[i]! >= threshold,
      (i) => score[i]!,
    )
    const rows = (output as Floats).subarray(b * anchors * 6, (b + 1) * anchors * 6)
    order.forEach((i, r) => {
      rows.set(
        [id[i]!, score[i]!, ...decode(a, i, o.subarray(b * 4 * anchors), v, clip === 1)],
        6 * r,
      )
    })
    suppress(
      rows,
      order.length,
      limit,
      across === 1,
      most > 0 ? Math.min(most, order.length) : order.length,
    )
  }
}

/** The corners of a box from its offsets from an anchor. */
function decode(a: Floats, i: number, o: Floats, v: Numbers, clip: boolean): number[] {
  const [left, top, right, bottom] = [a[4 * i]!, a[4 * i + 1]!, a[4 * i + 2]!, a[4 * i + 3]!]
  const [w, h] = [right - left, bottom - top]
  const x = o[4 * i]! * v[0]! * w + (left + right) / 2
  const y = o[4 * i + 1]! * v[1]! * h + (top + bottom) / 2
  const [hw, hh] = [
    (Math.exp(o[4 * i + 2]! * v[2]!) * w) / 2,
    (Math.exp(o[4 * i + 3]! * v[3]!) * h) / 2,
  ]
  const corners = [x - hw, y - hh, x + hw, y + hh]
  return clip ? corners.map((c) => Math.min(Math.max(c, 0), 1)) : corners
}

/** Sets the class of rows to -1 that overlap an earlier one, or come after the first `most`. */
function suppress(rows: Floats, count: number, limit: number, across: boolean, most: number): void {
  for (let r = most; r < count; r++) rows[6 * r] = -1
  if (limit <= 0 || limit > 1) return
  for (let i = 0; i < most; i++) {
    if (rows[6 * i]! < 0) continue
    for (let j = i + 1; j < most; j++) {
      if (rows[6 * j]! < 0 || (!across && rows[6 * j] !== rows[6 * i])) continue
      if (overlap(rows, 6 * i + 2, rows, 6 * j + 2) >= limit) rows[6 * j] = -1
    }
  }
}
