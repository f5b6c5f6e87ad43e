/** Pictures: from bytes and files, in other sizes, cut and turned. */

import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { encode as encodePng } from 'fast-png'
import jpeg from 'jpeg-js'
import { afterAll, describe, expect, it } from 'vitest'
import * as mx from '../../src/node.ts'

const { nd, image } = mx
const folder = mkdtempSync(join(tmpdir(), 'pictures-'))
afterAll(() => rmSync(folder, { recursive: true }))

const bytes = [255, 0, 0, 0, 255, 0, 0, 0, 255, 10, 20, 30, 40, 50, 60, 70, 80, 90]
const png = (data: readonly number[], channels: 1 | 2 | 3 | 4, width = 3, height = 2): Uint8Array =>
  encodePng({ width, height, channels, depth: 8, data: Uint8Array.from(data) })
const flat = async (x: mx.NDArray): Promise<number[]> => [...(await x.asTypedArray())].map(Number)

describe('imdecode', () => {
  it('reads PNG in colours, backwards and in grey', async () => {
    const rgb = await image.imdecode(png(bytes, 3))
    expect([rgb.dtype, rgb.shape]).toEqual(['uint8', [2, 3, 3]])
    expect(await flat(rgb)).toEqual(bytes)
    expect((await flat(await image.imdecode(png(bytes, 3), { toRgb: false }))).slice(0, 3)).toEqual(
      [0, 0, 255],
    )
    const grey = await image.imdecode(png(bytes, 3), { flag: 0 })
    expect(grey.shape).toEqual([2, 3, 1])
    expect(await flat(grey)).toEqual([76, 150, 29, 18, 48, 78])
  })

  it('spreads grey over colours, leaves transparency out, halves 16 bits', async () => {
    expect(await flat(await image.imdecode(png([1, 2], 1, 2, 1)))).toEqual([1, 1, 1, 2, 2, 2])
    expect(await flat(await image.imdecode(png([1, 2, 3, 0], 4, 1, 1)))).toEqual([1, 2, 3])
    const deep = encodePng({
      width: 1,
      height: 1,
      channels: 1,
      depth: 16,
      data: Uint16Array.of(0x1234),
    })
    expect(await flat(await image.imdecode(deep, { flag: 0 }))).toEqual([0x12])
  })

  it('reads JPEG', async () => {
    const data = Buffer.from(Array.from({ length: 64 }, () => [200, 100, 50, 255]).flat())
    const file = jpeg.encode({ width: 8, height: 8, data }, 95).data
    const rgb = await image.imdecode(new Uint8Array(file))
    expect(rgb.shape).toEqual([8, 8, 3])
    for (const [i, v] of (await flat(rgb)).entries())
      expect(Math.abs(v - [200, 100, 50][i % 3]!)).toBeLessThan(4)
  })

  it('refuses what is no picture, cut off or too large', async () => {
    await expect(image.imdecode(Uint8Array.of(1, 2, 3))).rejects.toThrow('[imdecode] is no picture')
    await expect(image.imdecode(png(bytes, 3).slice(0, 30))).rejects.toThrow('is damaged')
    await expect(image.imdecode(png(bytes, 3).slice(0, 18))).rejects.toThrow('header is cut off')
    const huge = png(bytes, 3)
    new DataView(huge.buffer, huge.byteOffset).setUint32(16, 1e6)
    new DataView(huge.buffer, huge.byteOffset).setUint32(20, 1e6)
    await expect(image.imdecode(huge)).rejects.toThrow('up to 100 million')
    await expect(image.imdecode(Uint8Array.of(0xff, 0xd8, 1, 2))).rejects.toThrow('is damaged')
    await expect(image.imdecode(png(bytes, 3), { flag: 2 } as never)).rejects.toThrow('flag is 2')
    await expect(image.imread(join(folder, 'none.png'))).rejects.toThrow('none.png')
    writeFileSync(join(folder, 'one.png'), png(bytes, 3))
    expect(await flat(await image.imread(join(folder, 'one.png')))).toEqual(bytes)
  })
})

describe('sizes', () => {
  const x = nd.arange(24).reshape([4, 6, 1])

  it('resizes, shortens and cuts', async () => {
    expect(image.imresize(x, 3, 2).shape).toEqual([2, 3, 1])
    expect(image.resizeShort(x, 2).shape).toEqual([2, 3, 1])
    expect(image.resizeShort(nd.ones([6, 4, 3]), 2).shape).toEqual([3, 2, 3])
    expect(image.scaleDown([640, 480], [720, 120])).toEqual([640, 106])
    expect(await flat(image.fixedCrop(x, 1, 2, 2, 1))).toEqual([13, 14])
    const [middle, box] = image.centerCrop(x, [2, 2])
    expect(box).toEqual([2, 1, 2, 2])
    expect(await flat(middle)).toEqual([8, 9, 14, 15])
    const [part, [x0, y0, w, h]] = image.randomCrop(x, [3, 2])
    expect([part.shape, w, h]).toEqual([[2, 3, 1], 3, 2])
    expect(await part.at(0, 0, 0).asScalar()).toBe(6 * y0 + x0)
    expect(image.centerCrop(x, [12, 8])[0].shape).toEqual([8, 12, 1])
    expect(() => image.imresize(x, 3, 2, 7)).toThrow('interp is 7')
    expect(image.imresize(x, 3, 2, 9).shape).toEqual([2, 3, 1])
    expect(await flat(image.colorNormalize(nd.ones([1, 1, 2]), 0, 2))).toEqual([0.5, 0.5])
  })
})

describe('imrotate', () => {
  const x = nd.arange(9).reshape([1, 3, 3])

  it('turns by quarters exactly, and batches each by its own angle', async () => {
    const close = async (y: mx.NDArray, want: readonly number[]): Promise<void> => {
      for (const [i, v] of (await flat(y)).entries()) expect(v).toBeCloseTo(want[i]!, 4)
    }
    await close(image.imrotate(x, 90), [2, 5, 8, 1, 4, 7, 0, 3, 6])
    await close(image.imrotate(x, 180), [8, 7, 6, 5, 4, 3, 2, 1, 0])
    const both = image.imrotate(nd.stack(x, x), [0, 90])
    await close(both.at(0), [0, 1, 2, 3, 4, 5, 6, 7, 8])
    await close(both.at(1), [2, 5, 8, 1, 4, 7, 0, 3, 6])
  })

  it('zooms until no corner is empty, or until all is seen', async () => {
    const ones = nd.ones([1, 16, 16])
    const empty = async (y: mx.NDArray): Promise<number> =>
      (await flat(y)).filter((v) => v < 0.5).length
    expect(await empty(image.imrotate(ones, 30))).toBeGreaterThan(0)
    expect(await empty(image.imrotate(ones, 30, { zoomIn: true }))).toBe(0)
    const out = await flat(image.imrotate(ones, 45, { zoomOut: true }))
    expect(Math.abs(out.reduce((a, b) => a + b) - 128)).toBeLessThan(16)
    expect(() => image.imrotate(ones, 3, { zoomIn: true, zoomOut: true })).toThrow('exclude')
    expect(() => image.imrotate(nd.ones([3, 3]), 3)).toThrow('(C, H, W)')
    expect(() => image.imrotate(ones.astype('uint8'), 3)).toThrow('float32')
    expect(() => image.imrotate(ones, [1, 2])).toThrow('one for each of 1')
    expect(image.randomRotate(nd.ones([2, 3, 4, 4]), [-5, 5]).shape).toEqual([2, 3, 4, 4])
  })

  it('is behind Rotate and RandomRotation', async () => {
    const { Rotate, RandomRotation } = mx.gluon.data.vision.transforms
    expect(await flat(new Rotate(90)(x))).toEqual(await flat(image.imrotate(x, 90)))
    expect(await flat(new RandomRotation([90, 90])(x))).toEqual(await flat(image.imrotate(x, 90)))
    expect(new RandomRotation([1, 2], { rotateWithProba: 0 })(x)).toBe(x)
    expect(() => new RandomRotation([2, 1])).toThrow('angleLimits')
    expect(() => new RandomRotation([1, 2], { rotateWithProba: 2 })).toThrow('from 0 to 1')
  })
})
