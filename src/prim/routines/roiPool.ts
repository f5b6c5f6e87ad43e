/** The largest element in each bin of boxes on images. */

import { round } from './roi.ts'
import type { Routine } from './routine.ts'

/**
 * Inputs: images (N, C, H, W), boxes (R, 5) of image number and corners; numbers: N, C, H, W, R, bins down and across,
 * and the scale of the corners. Output: for each bin of (R, C, down, across) the position in the images of its first largest
 * element, or -1 where it is empty.
 */
export const roiPool: Routine = ([images, boxes], output, numbers) => {
  const [N, C, H, W, R, down, across] = numbers as [
    number,
    number,
    number,
    number,
    number,
    number,
    number,
  ]
  const scale = Math.fround(numbers[7]!)
  /** Ends of bin `k` of `count` over `size` pixels from `from`, within `limit`. */
  const bin = (k: number, count: number, size: number, from: number, limit: number) => {
    const step = Math.fround(size / count)
    const clip = (v: number): number => Math.min(Math.max(v + from, 0), limit)
    return [clip(Math.floor(Math.fround(k * step))), clip(Math.ceil(Math.fround((k + 1) * step)))]
  }
  let to = 0
  for (let r = 0; r < R; r++) {
    const box = Array.from({ length: 5 }, (_, i) => Number(boxes![r * 5 + i]))
    const image = Math.min(N - 1, Math.max(0, Math.trunc(box[0]!)))
    const [x1, y1, x2, y2] = box.slice(1).map((v) => round(Math.fround(v * scale))) as [
      number,
      number,
      number,
      number,
    ]
    const [height, width] = [Math.max(y2 - y1 + 1, 1), Math.max(x2 - x1 + 1, 1)]
    for (let c = 0; c < C; c++) {
      const plane = (image * C + c) * H * W
      for (let i = 0; i < down; i++) {
        const [top, bottom] = bin(i, down, height, y1, H) as [number, number]
        for (let j = 0; j < across; j++) {
          const [left, right] = bin(j, across, width, x1, W) as [number, number]
          let best = -1
          for (let y = top; y < bottom; y++) {
            for (let x = left; x < right; x++) {
              const at = plane + y * W + x
              if (best < 0 || images![at]! > images![best]!) best = at
            }
          }
          output[to++] = best as never
        }
      }
    }
  }
}
