/** Means of samples in the bins of regions, and the transpose of that. */

import type { Floats, Routine } from './routine.ts'

/**
 * How regions lie on their map: from corner to corner (`legacy`: at least one element wide; `aligned`: moved by half an
 * element), turned about their middle by degrees (`rotated`), or as whole pixels from rounded corners, all of which count (`pixels`).
 */
export const regionKinds = ['legacy', 'aligned', 'rotated', 'pixels'] as const
/** How regions lie on their map. */
export type RegionKind = (typeof regionKinds)[number]

/** Sizes and settings: batch, channels, H, W, regions, bins down and across, scale, samples, kind, groups of channels down and across. */
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
  kind: number,
  groupsDown: number,
  groupsAcross: number,
]

/** Calls for each sample of bin (i, j) of one region: elements of the map and their weights. */
type Samples = (
  i: number,
  j: number,
  sample: (places: readonly (readonly [at: number, weight: number])[]) => void,
) => void

/** Calls `visit` for every sampled element with its weight: which output element takes how much of which input element. */
function eachSample(
  rois: Floats,
  settings: Settings,
  visit: (output: number, input: number, weight: number) => void,
): void {
  const [n, c, h, w, regions, down, across, , , kindAt, groupsDown, groupsAcross] = settings
  const kind = regionKinds[kindAt]!
  const width = kind === 'rotated' ? 6 : 5
  const groups = groupsDown * groupsAcross
  const outChannels = c / groups
  const samplesOf = kind === 'pixels' ? pixelSamples : pointSamples
  for (let r = 0; r < regions; r++) {
    const region = rois.subarray(width * r, width * (r + 1))
    const image = Math.trunc(region[0]!)
    if (!(image >= 0 && image < n)) continue
    const samples = samplesOf(region, kind, settings)
    for (let i = 0; i < down; i++) {
      for (let j = 0; j < across; j++) {
        const part =
          Math.floor((i * groupsDown) / down) * groupsAcross +
          Math.floor((j * groupsAcross) / across)
        samples(i, j, (places) => {
          for (const [at, weight] of places) {
            for (let k = 0; k < outChannels; k++) {
              const to = ((r * outChannels + k) * down + i) * across + j
              visit(to, (image * c + k * groups + part) * h * w + at, weight)
            }
          }
        })
      }
    }
  }
}

/** Samples between elements, evenly spread over each bin. */
function pointSamples(region: Floats, kind: RegionKind, settings: Settings): Samples {
  const [, , h, w, , down, across, scale, ratio] = settings
  const { roiH, roiW, place } =
    kind === 'rotated' ? turned(region, scale) : upright(region, kind, scale)
  const [binW, binH] = [roiW / across, roiH / down]
  const samplesY = ratio > 0 ? ratio : adapted(binH)
  const samplesX = ratio > 0 ? ratio : adapted(binW)
  const share = 1 / Math.max(samplesY * samplesX, 1)
  return (i, j, sample) => {
    for (let sy = 0; sy < samplesY; sy++) {
      const y = i * binH + ((sy + 0.5) * binH) / samplesY
      for (let sx = 0; sx < samplesX; sx++) {
        const x = j * binW + ((sx + 0.5) * binW) / samplesX
        sample(corners(...place(y, x), h, w, share))
      }
    }
  }
}

/** A region's size, and where a point (y, x) of it lies on the map. */
interface Frame {
  readonly roiH: number
  readonly roiW: number
  readonly place: (y: number, x: number) => [y: number, x: number]
}

function upright(region: Floats, kind: RegionKind, scale: number): Frame {
  const shift = kind === 'aligned' ? 0.5 : 0
  const least = kind === 'aligned' ? Number.NEGATIVE_INFINITY : 1
  const at = (k: number): number => region[k]! * scale - shift
  const [x1, y1] = [at(1), at(2)]
  return {
    roiH: Math.max(at(4) - y1, least),
    roiW: Math.max(at(3) - x1, least),
    place: (y, x) => [y1 + y, x1 + x],
  }
}

function turned(region: Floats, scale: number): Frame {
  const [, x, y, width, height] = Array.from(region, (v) => v * scale) as number[]
  const angle = (region[5]! * Math.PI) / 180
  const [cos, sin] = [Math.cos(angle), Math.sin(angle)]
  const [roiW, roiH] = [Math.max(width!, 1), Math.max(height!, 1)]
  return {
    roiH,
    roiW,
    place: (py, px) => {
      const [u, v] = [px - roiW / 2, py - roiH / 2]
      return [v * cos - u * sin + y!, u * cos + v * sin + x!]
    },
  }
}

/** Half away from zero, as C rounds. */
export const round = (x: number): number => Math.sign(x) * Math.floor(Math.abs(x) + 0.5)

/** All pixels of a bin that lie on the map; edges of bins are computed in the precision of the regions. */
function pixelSamples(region: Floats, _kind: RegionKind, settings: Settings): Samples {
  const [, , h, w, , down, across, scale] = settings
  const exact = region instanceof Float32Array ? Math.fround : (v: number): number => v
  const range = (from: number, to: number, bins: number, limit: number) => {
    const start = exact(round(region[from]!) * scale)
    const size = Math.max(exact(exact((round(region[to]!) + 1) * scale) - start), exact(0.1))
    const step = exact(size / bins)
    const edge = (k: number): number => exact(exact(k * step) + start)
    const clip = (v: number): number => Math.min(Math.max(v, 0), limit)
    return (k: number) => [clip(Math.floor(edge(k))), clip(Math.ceil(edge(k + 1)))] as const
  }
  const rows = range(2, 4, down, h)
  const columns = range(1, 3, across, w)
  return (i, j, sample) => {
    const [[top, bottom], [left, right]] = [rows(i), columns(j)]
    const share = 1 / ((bottom - top) * (right - left))
    for (let y = top; y < bottom; y++)
      for (let x = left; x < right; x++) sample([[y * w + x, share]])
  }
}

/** One sample an element of a bin; regions far larger than any map are sampled more thinly. */
const adapted = (extent: number): number => (extent > 0 ? Math.min(Math.ceil(extent), 256) : 0)

/** The four elements around a place and their parts of a weight; none further than one element outside. */
function corners(y: number, x: number, h: number, w: number, weight: number): [number, number][] {
  if (!(y >= -1 && y <= h && x >= -1 && x <= w) || h * w === 0) return []
  const [yy, xx] = [Math.max(y, 0), Math.max(x, 0)]
  const top = Math.min(Math.floor(yy), h - 1)
  const left = Math.min(Math.floor(xx), w - 1)
  const bottom = Math.min(top + 1, h - 1)
  const right = Math.min(left + 1, w - 1)
  const dy = top >= h - 1 ? 0 : yy - top
  const dx = left >= w - 1 ? 0 : xx - left
  return [
    [top * w + left, (1 - dy) * (1 - dx) * weight],
    [top * w + right, (1 - dy) * dx * weight],
    [bottom * w + left, dy * (1 - dx) * weight],
    [bottom * w + right, dy * dx * weight],
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
