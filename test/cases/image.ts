/** Rows: images, and random operators on them. */

import { expect } from 'vitest'
import type { Context } from '../../src/base/context.ts'
import { applyAll } from '../../src/core/apply.ts'
import { withFrame } from '../../src/core/frame.ts'
import { findOp } from '../../src/core/op.ts'
import type { NDArray } from '../../src/ndarray/ndarray.ts'
import { type Arr, build, generator, get, sum } from './model.ts'
import { between, type Row, row } from './row.ts'
import { expectClose, put, takeAll } from './runner.ts'

const pixels = between(0.05, 0.95)
const isImage = (x: Arr): void => {
  if (x.shape.length !== 3 && x.shape.length !== 4) throw new Error('an image')
}
/** An image of a batch by its coordinates behind the batch axis. */
const flip =
  (axis: number) =>
  ([x]: readonly Arr[]): Arr => {
    isImage(x!)
    const a = x!.shape.length - 3 + axis
    return build(x!.shape, (at) => get(x!, at.with(a, x!.shape[a]! - 1 - at[a]!)))
  }

/** The weights of a resampled axis, from the definition of each filter. */
function weight(n: number, m: number, interp: number, o: number, i: number): number {
  const s = n / m
  const clamp = (v: number): number => Math.min(Math.max(v, 0), n - 1)
  if (interp === 0) return clamp(Math.floor(o * s)) === i ? 1 : 0
  if (interp === 3 && m < n)
    return Math.max(0, Math.min((o + 1) * s, i + 1) - Math.max(o * s, i)) / s
  const x = (o + 0.5) * s - 0.5
  const base = Math.floor(x)
  if (interp === 2) {
    const k = (d: number): number => {
      const [t, a] = [Math.abs(d), -0.75]
      if (t <= 1) return (a + 2) * t ** 3 - (a + 3) * t ** 2 + 1
      return t < 2 ? a * t ** 3 - 5 * a * t ** 2 + 8 * a * t - 4 * a : 0
    }
    return sum([-1, 0, 1, 2].map((t) => (clamp(base + t) === i ? k(t - (x - base)) : 0)))
  }
  const inner = clamp(x)
  return Math.max(0, 1 - Math.abs(inner - i))
}

/** Runs an operator twice under given attributes; random ones with equal bounds are not random. */
const apply1 = async (name: string, x: NDArray, attrs: object, context: Context): Promise<Arr> => {
  const outs = withFrame({ context }, () => applyAll(findOp(name)!, [x], { ...attrs }) as NDArray[])
  return (await takeAll(outs))[0]!
}

const random = (op: string, attrs: object, want: (x: Arr) => Arr, channels = 3): Row =>
  row({
    op,
    cases: [{ inputs: [[2, 3, channels]], attrs }],
    statistics: async (context) => {
      const draw = generator(3)
      const x = build([2, 3, channels], () => pixels(draw()))
      const got = await apply1(op, put(x, 'float32', context), attrs, context)
      expectClose(got, want(x), 2e-5, op)
    },
    order: 0,
    why: 'it is random; the operators that it is made of have rows of their own',
  })

const gray = (x: Arr, at: readonly number[]): number =>
  sum([0.299, 0.587, 0.114].map((w, c) => w * get(x, [at[0]!, at[1]!, c])))

export const imageRows: readonly Row[] = [
  row({
    op: '_image_to_tensor',
    domain: pixels,
    cases: [{ inputs: [[2, 3, 3]] }, { inputs: [[2, 2, 3, 1]] }, { inputs: [[4, 1, 2]] }],
    formula: ([x]) => {
      isImage(x!)
      const [h, w, c] = x!.shape.slice(-3) as [number, number, number]
      return build([...x!.shape.slice(0, -3), c, h, w], (at) => {
        const [k, y, z] = at.slice(-3) as [number, number, number]
        return get(x!, [...at.slice(0, -3), y, z, k]) / 255
      })
    },
    result: () => 'float32',
    order: 0,
    why: 'float32 results are too coarse for differences; it is a division by 255',
    tol64: 1e-7,
  }),
  row<{ mean?: number[]; std?: number[] }>({
    op: '_image_normalize',
    domain: pixels,
    cases: [
      { inputs: [[3, 2, 2]], attrs: { mean: [0.1, 0.2, 0.3], std: [0.5, 1, 2] } },
      { inputs: [[1, 3, 2]], attrs: { mean: [0.3], std: [0.5] } },
      { inputs: [[2, 1, 2, 3]] },
    ],
    formula: ([x], { mean = [0], std = [1] }) => {
      isImage(x!)
      const a = x!.shape.length - 3
      if (mean.length > 1 && mean.length !== x!.shape[a]) throw new Error('channels')
      return build(
        x!.shape,
        (at) => (get(x!, at) - (mean[at[a]!] ?? mean[0]!)) / (std[at[a]!] ?? std[0]!),
      )
    },
    halfUnits: 8,
  }),
  row<{ size: number | number[]; keepRatio?: boolean; interp?: number }>({
    op: '_image_resize',
    domain: pixels,
    cases: [
      { inputs: [[4, 6, 2]], attrs: { size: [3, 2] } },
      { inputs: [[4, 6, 1]], attrs: { size: 2, keepRatio: true, interp: 0 } },
      { inputs: [[2, 3, 4, 1]], attrs: { size: [7, 5], interp: 2 } },
      { inputs: [[5, 5, 1]], attrs: { size: 3, interp: 3 } },
    ],
    formula: ([x], { size, keepRatio, interp = 1 }) => {
      isImage(x!)
      const [h, w] = x!.shape.slice(-3) as [number, number]
      const list = typeof size === 'number' ? [size] : size
      const to =
        list.length === 2
          ? [list[1]!, list[0]!]
          : !keepRatio
            ? [list[0]!, list[0]!]
            : h > w
              ? [Math.floor((list[0]! * h) / w), list[0]!]
              : [list[0]!, Math.floor((list[0]! * w) / h)]
      if (h * w === 0) throw new Error('empty')
      return build([...x!.shape.slice(0, -3), to[0]!, to[1]!, x!.shape.at(-1)!], (at) => {
        const [y, z, c] = at.slice(-3) as [number, number, number]
        let total = 0
        for (let i = 0; i < h; i++)
          for (let j = 0; j < w; j++)
            total +=
              weight(h, to[0]!, interp, y, i) *
              weight(w, to[1]!, interp, z, j) *
              get(x!, [...at.slice(0, -3), i, j, c])
        return total
      })
    },
    tol64: 1e-11,
    halfUnits: 16,
  }),
  row<{ x: number; y: number; width: number; height: number }>({
    op: '_image_crop',
    domain: pixels,
    cases: [
      { inputs: [[4, 5, 3]], attrs: { x: 1, y: 0, width: 3, height: 2 } },
      { inputs: [[2, 5, 4, 1]], attrs: { x: 2, y: 3, width: 2, height: 1 } },
      { inputs: [[3, 3, 1]], attrs: { x: 0, y: 0, width: 3, height: 3 } },
    ],
    formula: ([image], { x, y, width, height }) => {
      isImage(image!)
      const shape = [...image!.shape.slice(0, -3), height, width, image!.shape.at(-1)!]
      return build(shape, (at) => {
        const [i, j, c] = at.slice(-3) as [number, number, number]
        return get(image!, [...at.slice(0, -3), i + y, j + x, c])
      })
    },
    ints: { dtypes: ['uint8', 'int32'] },
  }),
  row({
    op: '_image_flip_left_right',
    domain: pixels,
    cases: [{ inputs: [[2, 3, 3]] }, { inputs: [[2, 2, 2, 1]] }, { inputs: [[1, 1, 1]] }],
    formula: flip(1),
    ints: { dtypes: ['uint8', 'int32'] },
  }),
  row({
    op: '_image_flip_top_bottom',
    domain: pixels,
    cases: [{ inputs: [[2, 3, 3]] }, { inputs: [[2, 2, 2, 1]] }, { inputs: [[1, 1, 1]] }],
    formula: flip(0),
    ints: { dtypes: ['uint8', 'int32'] },
  }),
  row<{ alpha: number[] }>({
    op: '_image_adjust_lighting',
    domain: pixels,
    cases: [
      { inputs: [[2, 3, 3]], attrs: { alpha: [0.1, -0.05, 0.02] } },
      { inputs: [[2, 1, 2, 3]], attrs: { alpha: [0, 0, 1] } },
      { inputs: [[1, 1, 3]], attrs: { alpha: [0, 0, 0] } },
    ],
    formula: ([x], { alpha }) => {
      isImage(x!)
      const vectors = [
        [-0.5675, 0.7192, 0.4009],
        [-0.5808, -0.0045, -0.814],
        [-0.5836, -0.6948, 0.4203],
      ]
      const deviations = [55.46, 4.794, 1.148]
      return build(
        x!.shape,
        (at) =>
          get(x!, at) + sum(alpha.map((a, k) => a * deviations[k]! * vectors[at.at(-1)!]![k]!)),
      )
    },
    halfUnits: 16,
  }),
  random('_image_random_flip_left_right', { p: 1 }, (x) => flip(1)([x])),
  random('_image_random_flip_top_bottom', { p: 0 }, (x) => x),
  random('_image_random_brightness', { minFactor: 1.5, maxFactor: 1.5 }, (x) =>
    build(x.shape, (at) => 1.5 * get(x, at)),
  ),
  random('_image_random_contrast', { minFactor: 0.25, maxFactor: 0.25 }, (x) => {
    const [h, w] = x.shape as [number, number]
    let mean = 0
    for (let i = 0; i < h; i++) for (let j = 0; j < w; j++) mean += gray(x, [i, j]) / (h * w)
    return build(x.shape, (at) => 0.25 * get(x, at) + 0.75 * mean)
  }),
  random('_image_random_saturation', { minFactor: 0.25, maxFactor: 0.25 }, (x) =>
    build(x.shape, (at) => 0.25 * get(x, at) + 0.75 * gray(x, at)),
  ),
  // A third of the circle exchanges the channels.
  random('_image_random_hue', { minFactor: 1 / 3, maxFactor: 1 / 3 }, (x) =>
    build(x.shape, ([i, j, c]) => get(x, [i!, j!, (c! + 2) % 3])),
  ),
  random(
    '_image_random_color_jitter',
    { brightness: 0, contrast: 0, saturation: 0, hue: 0 },
    (x) => x,
  ),
  row({
    op: '_image_random_lighting',
    cases: [{ inputs: [[1, 1, 3]] }],
    statistics: async (context) => {
      const zero = put({ shape: [1, 1, 3], data: [0, 0, 0] }, 'float32', context)
      const lit = (alphaStd: number): Promise<Arr> =>
        apply1('_image_random_lighting', zero, { alphaStd }, context)
      expect((await lit(0)).data).toEqual([0, 0, 0])
      const reds = (await Promise.all(Array.from({ length: 300 }, () => lit(1)))).map(
        (x) => x.data[0]!,
      )
      const deviation = Math.sqrt(sum(reds.map((r) => r * r)) / reds.length)
      expect(
        Math.abs(deviation / Math.hypot(55.46 * 0.5675, 4.794 * 0.7192, 1.148 * 0.4009) - 1),
      ).toBeLessThan(0.2)
    },
    order: 0,
    why: 'it is random',
  }),
]
