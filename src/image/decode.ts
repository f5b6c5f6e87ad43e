/** Pictures from bytes: PNG and JPEG as arrays (H, W, C) of bytes. */

import { type Context, cpu } from '../base/context.ts'
import { fail, MXNetError } from '../base/error.ts'
import { checkOptions } from '../base/options.ts'
import { fromBytes } from '../ndarray/creation.ts'
import type { NDArray } from '../ndarray/ndarray.ts'
import { fileError, nodeModule } from '../ndarray/nodeFiles.ts'
import { sampler } from './png.ts'

/** Pictures of more pixels are not unpacked. */
const mostPixels = 100e6
/** Where a PNG's header has width and height. */
const widthAt = 16

/** Options of `imdecode` and `imread`. */
export interface DecodeOptions {
  /** 1 (the default) for colours, 0 for grey. */
  readonly flag?: 0 | 1
  /** Whether colours come as red, green, blue (the default), not the other way round. */
  readonly toRgb?: boolean
  readonly ctx?: Context
}

/** Colours of one picture. */
interface Colours {
  readonly width: number
  readonly height: number
  /** Red, green or blue (0, 1, 2) of a pixel, 0 to 255. */
  readonly at: (row: number, column: number, colour: number) => number
}

/** Reads pictures at once; `file` names one in messages. */
export type Decoder = (bytes: Uint8Array, file: string, options: DecodeOptions) => NDArray

/** What reads pictures, once its libraries are there. */
export async function loadDecoder(): Promise<Decoder> {
  const [png, { default: jpeg }] = await Promise.all([import('fast-png'), import('jpeg-js')])
  const fromPng = (bytes: Uint8Array, file: string): Colours => {
    if (bytes.length < widthAt + 8) fail(file, 'is damaged: its header is cut off')
    const view = new DataView(bytes.buffer, bytes.byteOffset)
    checkSize(file, view.getUint32(widthAt), view.getUint32(widthAt + 4))
    const { width, height, data, depth, channels, palette } = png.decode(bytes, { checkCrc: true })
    const sample = sampler(data, depth, channels * width)
    const most = 2 ** depth - 1
    const colours = channels < 3 ? 1 : 3
    const at = (row: number, column: number, colour: number): number => {
      if (palette !== undefined) return palette[sample(row, column)]![colour]!
      const v = sample(row, column * channels + (colours === 1 ? 0 : colour))
      return depth === 8 ? v : depth > 8 ? v >> 8 : (v * 255) / most
    }
    return { width, height, at }
  }
  const fromJpeg = (bytes: Uint8Array): Colours => {
    const limits = { maxResolutionInMP: mostPixels / 1e6, tolerantDecoding: false }
    const settings = { useTArray: true, formatAsRGBA: false, ...limits } as const
    const { width, height, data } = jpeg.decode(bytes, settings)
    return {
      width,
      height,
      at: (row, column, colour) => data[3 * (row * width + column) + colour]!,
    }
  }
  return (bytes, file, { flag = 1, toRgb = true, ctx = cpu() }) => {
    const isPng = png.hasPngSignature(bytes)
    if (!isPng && !(bytes[0] === 0xff && bytes[1] === 0xd8))
      fail(file, 'is no picture: PNG and JPEG are read')
    let picture: Colours
    try {
      picture = isPng ? fromPng(bytes, file) : fromJpeg(bytes)
    } catch (e) {
      if (e instanceof MXNetError) throw e
      throw new MXNetError(file, `is damaged: ${(e as Error).message}`, { cause: e })
    }
    const { width, height, at } = picture
    const channels = flag === 0 ? 1 : 3
    const out = new Uint8Array(height * width * channels)
    let to = 0
    for (let y = 0; y < height; y++) {
      for (let x = 0; x < width; x++) {
        if (flag === 0) {
          const light = 0.299 * at(y, x, 0) + 0.587 * at(y, x, 1) + 0.114 * at(y, x, 2)
          out[to++] = Math.round(light)
        } else {
          for (let c = 0; c < 3; c++) out[to++] = at(y, x, toRgb ? c : 2 - c)
        }
      }
    }
    return fromBytes(out, [height, width, channels], 'uint8', ctx)
  }
}

function checkSize(file: string, width: number, height: number): void {
  if (width * height > mostPixels)
    fail(file, `is ${width} x ${height} pixels: up to ${mostPixels / 1e6} million are read`)
}

function checkFlags(where: string, options: DecodeOptions): void {
  const { flag = 1 } = checkOptions(where, options, ['flag', 'toRgb', 'ctx'])
  if (flag !== 0 && flag !== 1) fail(where, `flag is ${String(flag)}: 1 for colours, 0 for grey`)
}

/**
 * The picture in the bytes of a PNG or JPEG file.
 *
 * `(H, W, 3)` of uint8, red, green, blue; `(H, W, 1)` for `flag: 0`. Transparency is left out.
 * @throws MXNetError for bytes that are no such file, or damaged.
 * @example
 * const picture = await image.imdecode(readFileSync('cat.png'))
 * @see MXNet `mx.image.imdecode`
 */
export async function imdecode(buf: Uint8Array, options: DecodeOptions = {}): Promise<NDArray> {
  checkFlags('imdecode', options)
  if (!(buf instanceof Uint8Array)) fail('imdecode', 'buf must be the bytes of a file')
  return (await loadDecoder())(buf, 'imdecode', options)
}

/**
 * The picture in a PNG or JPEG file, as `imdecode` gives it; Node only.
 * @throws MXNetError when the file is missing, no picture, or damaged.
 * @example
 * const picture = await image.imread('cat.png', { flag: 0 })
 * @see MXNet `mx.image.imread`
 */
export async function imread(filename: string, options: DecodeOptions = {}): Promise<NDArray> {
  checkFlags('imread', options)
  const { readFile } = nodeModule('imread', 'node:fs/promises')
  const bytes = await readFile(filename).catch((e) => {
    throw fileError('imread', 'read', filename, e)
  })
  return (await loadDecoder())(bytes, filename, options)
}
