/** Pictures from files: PNG, and one of an IDX file's images (`t10k-images-idx3-ubyte:7`). */

import { existsSync, readFileSync } from 'node:fs'
import { gunzipSync } from 'node:zlib'
import { type DecodedPng, decode, hasPngSignature } from 'fast-png'
import { fail, MXNetError } from '../base/error.ts'
import { sampler } from '../image/png.ts'
import { parseIdx } from '../io/idx.ts'
import { fileError } from '../ndarray/nodeFiles.ts'
import type { Grey } from './digit.ts'

/** Wider or higher pictures are no digits, and are not unpacked. */
const maxSide = 4096
/** Where a PNG's header has width and height. */
const widthAt = 16
/** No IDX file is larger once unpacked. */
const unpackedLimit = 1024 * 1024 * 1024

/** The picture that an argument names. */
export function readPicture(argument: string): Grey {
  const [, file, index] = /^(.*?)(?::(\d+))?$/.exec(argument)!
  if (index === undefined || existsSync(argument)) return readPng(argument)
  return readIdxImage(file!, Number(index))
}

function readBytes(file: string): Uint8Array {
  try {
    return readFileSync(file)
  } catch (e) {
    throw fileError('predict', 'read', file, e)
  }
}

function readPng(file: string): Grey {
  const bytes = readBytes(file)
  if (!hasPngSignature(bytes) || bytes.length < widthAt + 8) {
    fail(file, 'is no PNG picture; of an IDX file name one image, as in t10k-images-idx3-ubyte:7')
  }
  const view = new DataView(bytes.buffer, bytes.byteOffset)
  const [width, height] = [view.getUint32(widthAt), view.getUint32(widthAt + 4)]
  if (width > maxSide || height > maxSide) {
    fail(file, `is ${width} x ${height} pixels: up to ${maxSide} x ${maxSide} are read`)
  }
  try {
    return greyOf(decode(bytes, { checkCrc: true }))
  } catch (e) {
    throw new MXNetError(file, `is damaged: ${(e as Error).message}`, { cause: e })
  }
}

/** Luminance by ITU-R BT.601, over black where the picture is transparent. */
function greyOf({ width, height, data, depth, channels, palette }: DecodedPng): Grey {
  const most = palette !== undefined ? 255 : 2 ** depth - 1
  const sample = sampler(data, depth, channels * width)
  const colours = palette === undefined ? channels - (channels % 2 === 0 ? 1 : 0) : 3
  const pixels = new Float32Array(width * height)
  for (let y = 0; y < height; y++) {
    for (let x = 0; x < width; x++) {
      const entry = palette?.[sample(y, x)]
      const channel = (k: number): number => entry?.[k] ?? sample(y, x * channels + k)
      const light =
        colours === 1 ? channel(0) : 0.299 * channel(0) + 0.587 * channel(1) + 0.114 * channel(2)
      const opaque = palette === undefined && channels > colours ? channel(colours) / most : 1
      pixels[y * width + x] = (255 * light * opaque) / most
    }
  }
  return { width, height, pixels }
}

function readIdxImage(file: string, index: number): Grey {
  let bytes = readBytes(file)
  if (bytes[0] === 0x1f && bytes[1] === 0x8b) {
    try {
      bytes = gunzipSync(bytes, { maxOutputLength: unpackedLimit })
    } catch (e) {
      throw new MXNetError(file, `cannot be unpacked: ${(e as Error).message}`, { cause: e })
    }
  }
  const { shape, values } = parseIdx(bytes, 3, file)
  const [count, height, width] = shape as [number, number, number]
  if (index >= count) fail(file, `has ${count} images, and ${index} is asked for: the first is 0`)
  const size = width * height
  return { width, height, pixels: values.subarray(index * size, (index + 1) * size) }
}
