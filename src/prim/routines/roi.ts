/** ROIAlign: means of bilinear samples in the bins of regions, and the transpose of that. */

import type { Floats, Routine } from './routine.ts'

/** Sizes and settings: batch, channels, H, W, regions, bins down and across, scale, samples, 1 aligned, 1 by position. */
type Settings = readonly [
  n: number,
  c: number,
  h: number,
  w: number,
  regions: number,
  down: number,
  across: number,
  scale: number,
  ratio: number,
  aligned: number,
  positional: number,
]

/** Calls `visit` for every sample corner with its weight: which output element takes how much of which input element. */
function eachSample(
  rois: Floats,
  settings: Settings,
  visit: (output: number, input: number, weight: number) => void,
): void {
  const [n, c, h, w, regions, down, across, scale, ratio, aligned, positional] = settings
  const outChannels = positional === 1 ? Math.floor(c / (down * across)) : c
  const shift = aligned === 1 ? 0.5 : 0
  for (let r = 0; r < regions; r++) {
    const image = Math.trunc(rois[5 * r]!)
    if (!(image >= 0 && image < n)) continue
    const [x1, y1, x2, y2] = [1, 2, 3, 4].map((k) => rois[5 * r + k]! * scale - shift) as [
      number,
      number,
      number,
      number,
    ]
    const [roiW, roiH] =
      aligned === 1 ? [x2 - x1, y2 - y1] : [Math.max(x2 - x1, 1), Math.max(y2 - y1, 1)]
    const [binW, binH] = [roiW / across, roiH / down]
    const samplesY = ratio > 0 ? ratio : adapted(roiH / down)
    const samplesX = ratio > 0 ? ratio : adapted(roiW / across)
    const share = 1 / Math.max(samplesY * samplesX, 1)
    for (let i = 0; i < down; i++) {
      for (let j = 0; j < across; j++) {
        for (let sy = 0; sy < samplesY; sy++) {
          const y = y1 + i * binH + ((sy + 0.5) * binH) / samplesY
          for (let sx = 0; sx < samplesX; sx++) {
            const x = x1 + j * binW + ((sx + 0.5) * binW) / samplesX
            for (const [at, weight] of corners(y, x, h, w)) {
              for (let k = 0; k < outChannels; k++) {
                const channel = positional === 1 ? (k * down + i) * across + j : k
                const to = ((r * outChannels + k) * down + i) * across + j
                visit(to, (image * c + channel) * h * w + at, weight * share)
              }
            }
          }
        }
      }
    }
  }
}

/** One sample an element of a bin; regions far larger than any map are sampled more thinly. */
const adapted = (extent: number): number => (extent > 0 ? Math.min(Math.ceil(extent), 256) : 0)

/** The four elements around a place and their weights; none further than one element outside. */
function corners(y: number, x: number, h: number, w: number): [number, number][] {
  if (!(y >= -1 && y <= h && x >= -1 && x <= w) || h * w === 0) return []
  const [yy, xx] = [Math.max(y, 0), Math.max(x, 0)]
  const top = Math.min(Math.floor(yy), h - 1)
  const left = Math.min(Math.floor(xx), w - 1)
  const bottom = Math.min(top + 1, h - 1)
  const right = Math.min(left + 1, w - 1)
  const dy = top >= h - 1 ? 0 : yy - top
  const dx = left >= w - 1 ? 0 : xx - left
  return [
    [top * w + left, (1 - dy) * (1 - dx)],
    [top * w + right, (1 - dy) * dx],
    [bottom * w + left, dy * (1 - dx)],
    [bottom * w + right, dy * dx],
  ]
}

/** Inputs: data, regions. */
export const roiAlign: Routine = ([data, rois], output, numbers) => {
  const sums = new Float64Array(output.length)
  eachSample(rois as Floats, numbers as unknown as Settings, (to, from, weight) => {
    sums[to]! += weight * (data as Floats)[from]!
  })
  ;(output as Floats).set(sums)
}

/** Inputs: regions, gradients of the result. The gradient of the data. */
export const roiAlignBack: Routine = ([rois, dy], output, numbers) => {
  const sums = new Float64Array(output.length)
  eachSample(rois as Floats, numbers as unknown as Settings, (to, from, weight) => {
    sums[from]! += weight * (dy as Floats)[to]!
  })
  ;(output as Floats).set(sums)
}
