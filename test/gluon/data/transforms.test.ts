/** Transforms of images: sizes, ranges, and what is random comes from the seed. */

import { gluon, type NDArray, nd, random } from 'mxnet-ts'
import { describe, expect, it } from 'vitest'

const { transforms } = gluon.data.vision
const values = (x: NDArray): number[] => Array.from(x.asTypedArraySync() as ArrayLike<number>)
/** Bytes that tell their place: 10·row + column. */
const picture = (rows: number, columns: number, channels = 1): NDArray =>
  nd
    .array(
      Uint8Array.from({ length: rows * columns * channels }, (_, i) => {
        const pixel = Math.floor(i / channels)
        return 10 * Math.floor(pixel / columns) + (pixel % columns)
      }),
    )
    .reshape([rows, columns, channels])

describe('transforms', () => {
  it('make tensors of pictures', () => {
    const compose = new transforms.Compose([
      new transforms.ToTensor(),
      new transforms.Normalize([0.5], [0.25]),
    ])
    const out = compose(picture(2, 3))
    expect([out.shape, out.dtype]).toEqual([[1, 2, 3], 'float32'])
    values(out).forEach((v, i) => {
      const byte = 10 * Math.floor(i / 3) + (i % 3)
      expect(v).toBeCloseTo((byte / 255 - 0.5) / 0.25, 5)
    })
    const hybrid = new transforms.HybridCompose([
      new transforms.ToTensor(),
      new transforms.Cast('float64'),
    ])
    hybrid.hybridize()
    expect(hybrid(picture(2, 3)).dtype).toBe('float64')
  })

  it('cut and resize', () => {
    expect(values(new transforms.CropResize(1, 0, 2, 2)(picture(3, 4)))).toEqual([1, 2, 11, 12])
    expect(new transforms.CropResize(0, 0, 2, 2, { size: 5 })(picture(3, 4, 3)).shape).toEqual([
      5, 5, 3,
    ])
    expect(values(new transforms.CenterCrop(2)(picture(4, 6)))).toEqual([12, 13, 22, 23])
    expect(new transforms.CenterCrop([8, 4])(picture(3, 4)).shape).toEqual([4, 8, 1])
    expect(new transforms.Resize(6, { keepRatio: true })(picture(3, 4)).shape).toEqual([6, 8, 1])
    expect(new transforms.Resize([6, 2])(picture(3, 4)).shape).toEqual([2, 6, 1])
    expect(() => new transforms.Resize(0)).toThrow(/\[Resize\] size 0/)
  })

  it('cut at random within the picture, from the seed', () => {
    const crop = new transforms.RandomResizedCrop(2, { scale: [0.1, 0.5], interpolation: 0 })
    const draw = (): number[][] => {
      random.seed(3)
      return Array.from({ length: 20 }, () => values(crop(picture(9, 9))))
    }
    const first = draw()
    expect(draw()).toEqual(first)
    expect(new Set(first.map(String)).size).toBeGreaterThan(5)
    for (const part of first) {
      expect(part).toHaveLength(4)
      for (const v of part) expect(v % 10 <= 8 && Math.floor(v / 10) <= 8).toBe(true)
      expect(part[0]!).toBeLessThanOrEqual(part[3]!)
    }
  })

  it('flip and recolour at random', () => {
    random.seed(1)
    const x = picture(2, 2)
    const seen = new Set<string>()
    const both = new transforms.Compose([
      new transforms.RandomFlipLeftRight(),
      new transforms.RandomFlipTopBottom(),
    ])
    for (let i = 0; i < 40; i++) seen.add(String(values(both(x))))
    expect(seen).toEqual(new Set(['0,1,10,11', '1,0,11,10', '10,11,0,1', '11,10,1,0']))
    const colours = picture(3, 3, 3).astype('float32')
    for (const t of [
      new transforms.RandomBrightness(0.5),
      new transforms.RandomContrast(0.5),
      new transforms.RandomSaturation(0.5),
      new transforms.RandomHue(0.5),
      new transforms.RandomColorJitter({ brightness: 0.3, hue: 0.1 }),
      new transforms.RandomLighting(0.1),
    ]) {
      const outs = Array.from({ length: 4 }, () => t(colours))
      for (const out of outs) expect([out.shape, out.dtype]).toEqual([[3, 3, 3], 'float32'])
    }
    const factors = Array.from(
      { length: 30 },
      () => values(new transforms.RandomBrightness(0.5)(colours)).at(-1)! / 22,
    )
    expect(Math.min(...factors)).toBeGreaterThanOrEqual(0.5 - 1e-5)
    expect(Math.max(...factors)).toBeLessThanOrEqual(1.5 + 1e-5)
    expect(Math.max(...factors) - Math.min(...factors)).toBeGreaterThan(0.3)
    expect(() => new transforms.RandomHue(-1)).toThrow(/\[RandomHue\]/)
  })

  it('run or not, all together', () => {
    random.seed(2)
    const maybe = new transforms.RandomApply(
      [new transforms.Cast('float32'), new transforms.ToTensor()],
      0.5,
    )
    const shapes = Array.from({ length: 30 }, () => String(maybe(picture(2, 3)).shape))
    expect(new Set(shapes)).toEqual(new Set(['2,3,1', '1,2,3']))
  })

  it('of a dataset are drawn anew for each sample of a batch', async () => {
    random.seed(4)
    const dataset = new gluon.data.ArrayDataset(
      nd.concat(...Array.from({ length: 32 }, () => picture(2, 2).expandDims(0)), { dim: 0 }),
      nd.arange(32),
    )
    const flipped = dataset.transformFirst(new transforms.RandomFlipLeftRight() as never)
    const loader = new gluon.data.DataLoader(flipped as never, { batchSize: 32 })
    for await (const [x] of loader as AsyncIterable<[NDArray, NDArray]>) {
      const firsts = new Set(values(x.reshape([32, -1]).sliceAxis(1, 0, 1)))
      expect(firsts).toEqual(new Set([0, 1]))
    }
  })
})
