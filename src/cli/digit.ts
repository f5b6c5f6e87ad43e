/** Pictures of digits as MNIST has them: white on black, the ink in a box of 20 × 20, its centre of mass in the middle of 28 × 28. */

/** A grey picture: one number from 0 to 255 a pixel, row by row. */
export interface Grey {
  readonly width: number
  readonly height: number
  readonly pixels: ArrayLike<number>
}

/** The side of MNIST's pictures, and of the box that their ink fills. */
export const side = 28
const box = 20
/** Ink fainter than this part of the strongest is paper. */
const faint = 0.1

/**
 * A picture as MNIST would have it, its pixels from 0 to 1.
 *
 * A picture of 28 × 28 on black is taken as it is. Others are turned to white on black where the edge is bright, cut to
 * the ink, scaled to fit 20 × 20 by averaging, and centred by mass.
 */
export function toDigit(grey: Grey): Float32Array {
  const bright = edgeMean(grey) > 127
  const ink = Float32Array.from(grey.pixels, (v) => (bright ? 255 - v : v) / 255)
  if (grey.width === side && grey.height === side && !bright) return ink
  const bounds = inkBounds(ink, grey)
  return bounds === null ? new Float32Array(side * side) : centre(scale(ink, grey.width, bounds))
}

function edgeMean({ width, height, pixels }: Grey): number {
  let [sum, count] = [0, 0]
  for (let y = 0; y < height; y++) {
    for (let x = 0; x < width; x++) {
      if (x > 0 && x < width - 1 && y > 0 && y < height - 1) continue
      sum += pixels[y * width + x]!
      count++
    }
  }
  return sum / count
}

/** A rectangle of pixels: from `left` and `top` on. */
interface Bounds {
  readonly left: number
  readonly top: number
  readonly width: number
  readonly height: number
}

function inkBounds(ink: Float32Array, { width }: Grey): Bounds | null {
  const least = faint * ink.reduce((most, v) => Math.max(most, v), 0)
  let [left, top, right, bottom] = [width, ink.length, -1, -1]
  ink.forEach((v, i) => {
    if (v <= least) return
    const [x, y] = [i % width, Math.floor(i / width)]
    left = Math.min(left, x)
    right = Math.max(right, x)
    top = Math.min(top, y)
    bottom = Math.max(bottom, y)
  })
  return right < 0 ? null : { left, top, width: right - left + 1, height: bottom - top + 1 }
}

interface Scaled {
  readonly width: number
  readonly height: number
  readonly values: Float32Array
}

/** The part of a picture at a size that fits the box; each pixel is the mean of what it covers. */
function scale(ink: Float32Array, stride: number, { left, top, ...part }: Bounds): Scaled {
  const factor = box / Math.max(part.width, part.height)
  const width = Math.max(1, Math.round(part.width * factor))
  const height = Math.max(1, Math.round(part.height * factor))
  const columns = coverage(part.width, width)
  const rows = coverage(part.height, height)
  const values = new Float32Array(width * height)
  rows.forEach((row, y) => {
    columns.forEach((column, x) => {
      let sum = 0
      for (const [j, down] of row) {
        for (const [i, across] of column) {
          sum += down * across * ink[(top + j) * stride + left + i]!
        }
      }
      values[y * width + x] = sum
    })
  })
  return { width, height, values }
}

/** For each of `to` equal parts of a line of `from` pixels: the pixels it covers, with weights that add up to 1. */
function coverage(from: number, to: number): [number, number][][] {
  const step = from / to
  return Array.from({ length: to }, (_, k) => {
    const [begin, end] = [k * step, (k + 1) * step]
    const covered: [number, number][] = []
    for (let i = Math.floor(begin); i < Math.min(from, Math.ceil(end)); i++) {
      const part = Math.min(end, i + 1) - Math.max(begin, i)
      if (part > 1e-9) covered.push([i, part / step])
    }
    return covered
  })
}

/** Puts a picture so that its centre of mass is the middle, as far as it fits. */
function centre({ width, height, values }: Scaled): Float32Array {
  let [mass, x, y] = [0, 0, 0]
  values.forEach((v, i) => {
    mass += v
    x += v * ((i % width) + 0.5)
    y += v * (Math.floor(i / width) + 0.5)
  })
  const place = (middle: number, size: number): number =>
    Math.min(side - size, Math.max(0, Math.round(side / 2 - middle / mass)))
  const [left, top] = [place(x, width), place(y, height)]
  const out = new Float32Array(side * side)
  values.forEach((v, i) => {
    out[(top + Math.floor(i / width)) * side + left + (i % width)] = Math.min(1, v)
  })
  return out
}
