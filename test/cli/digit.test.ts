/** Pictures of digits: brought to MNIST's form, read from files, damaged files refused. */

import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import fc from 'fast-check'
import { encode } from 'fast-png'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { MXNetError } from '../../src/base/error.ts'
import { side, toDigit } from '../../src/cli/digit.ts'
import { readPicture } from '../../src/cli/pictures.ts'
import { testImages } from './run.ts'

/** Where the ink of a digit lies: centre of mass and box. */
function inkOf(digit: Float32Array) {
  let [mass, x, y] = [0, 0, 0]
  const [xs, ys]: [number[], number[]] = [[], []]
  digit.forEach((v, i) => {
    mass += v
    x += v * ((i % side) + 0.5)
    y += v * (Math.floor(i / side) + 0.5)
    if (v > 0) {
      xs.push(i % side)
      ys.push(Math.floor(i / side))
    }
  })
  const span = (list: number[]): number => Math.max(...list) - Math.min(...list) + 1
  return { mass, x: x / mass, y: y / mass, width: span(xs), height: span(ys) }
}

describe('toDigit', () => {
  it('leaves pictures of MNIST alone', () => {
    const pixels = readFileSync(testImages).subarray(16, 16 + 784)
    const digit = toDigit({ width: 28, height: 28, pixels })
    expect(digit).toEqual(Float32Array.from(pixels, (v) => v / 255))
  })

  it('puts ink of any size, place and shade into the middle of the box', () => {
    const picture = fc.record({
      width: fc.integer({ min: 29, max: 200 }),
      height: fc.integer({ min: 29, max: 200 }),
      left: fc.double({ min: 0.05, max: 0.6, noNaN: true }),
      top: fc.double({ min: 0.05, max: 0.6, noNaN: true }),
      part: fc.double({ min: 0.1, max: 0.9, noNaN: true }),
      dark: fc.boolean(),
    })
    fc.assert(
      fc.property(picture, ({ width, height, left, top, part, dark }) => {
        const pixels = new Float32Array(width * height).fill(dark ? 250 : 5)
        const [x, y] = [Math.floor(left * width), Math.floor(top * height)]
        const w = Math.max(1, Math.floor(part * (width - x - 2)))
        const h = Math.max(1, Math.floor(part * (height - y - 2)))
        for (let j = y; j < y + h; j++)
          pixels.fill(dark ? 10 : 245, j * width + x, j * width + x + w)
        const ink = inkOf(toDigit({ width, height, pixels }))
        expect(Math.max(ink.width, ink.height)).toBe(20)
        expect(Math.abs(ink.x - 14)).toBeLessThanOrEqual(0.51)
        expect(Math.abs(ink.y - 14)).toBeLessThanOrEqual(0.51)
      }),
    )
  })

  it('finds nothing on an empty sheet', () => {
    expect(toDigit({ width: 50, height: 60, pixels: new Float32Array(3000) }).some(Boolean)).toBe(
      false,
    )
  })
})

describe('readPicture', () => {
  let folder: string
  beforeAll(() => {
    folder = mkdtempSync(join(tmpdir(), 'pictures-'))
  })
  afterAll(() => rmSync(folder, { recursive: true }))

  it.each([
    ['grey', { channels: 1, data: [0, 255, 128, 64] }, [0, 255, 128, 64]],
    [
      'grey with alpha',
      { channels: 2, data: [255, 255, 255, 0, 255, 128, 0, 255] },
      [255, 0, 128, 0],
    ],
    [
      'colour',
      { channels: 3, data: [255, 255, 255, 0, 0, 0, 255, 0, 0, 0, 0, 255] },
      [255, 0, 76.245, 29.07],
    ],
  ] as const)('reads %s', (name, { channels, data }, want) => {
    const file = join(folder, `${name}.png`)
    writeFileSync(file, encode({ width: 2, height: 2, channels, data: Uint8Array.from(data) }))
    const { width, height, pixels } = readPicture(file)
    expect([width, height]).toEqual([2, 2])
    want.forEach((v, i) => {
      expect(pixels[i]).toBeCloseTo(v, 3)
    })
  })

  it('reads images of an IDX file by number', () => {
    const grey = readPicture(`${testImages}:3`)
    expect([grey.width, grey.height, grey.pixels.length]).toEqual([28, 28, 784])
    expect(() => readPicture(`${testImages}:10000`)).toThrow(
      'has 10000 images, and 10000 is asked for',
    )
  })

  it('refuses damage in words', () => {
    const whole = encode({ width: 8, height: 8, channels: 1, data: new Uint8Array(64) })
    const file = join(folder, 'damaged.png')
    for (let at = 8; at < whole.length; at++) {
      const bytes = whole.slice()
      bytes[at]! ^= 0x55
      writeFileSync(file, bytes)
      expect(() => readPicture(file)).toThrow(MXNetError)
    }
    const huge = whole.slice()
    new DataView(huge.buffer, huge.byteOffset).setUint32(16, 1e6)
    writeFileSync(file, huge)
    expect(() => readPicture(file)).toThrow('up to 4096 x 4096 are read')
  })
})
