/** The IDX format of MNIST: a magic number, big-endian sizes, bytes. */

import { fail } from '../base/error.ts'
import { formatShape, sizeOf } from '../base/shape.ts'

/** The contents of an IDX file of bytes. */
export interface IdxBytes {
  readonly shape: readonly number[]
  /** Shares memory with the file's bytes. */
  readonly values: Uint8Array
}

/** The type code of unsigned bytes, the only one in use here. */
const unsignedByte = 0x08

/**
 * The array of unsigned bytes in an IDX file; `file` names it in messages.
 *
 * Rank `rank` is required: 1 for labels (magic number 2049), 3 for images (2051).
 *
 * @throws MXNetError when the bytes are not exactly such a file.
 * @example
 * parseIdx(Uint8Array.of(0, 0, 8, 1, 0, 0, 0, 2, 5, 6), 1, 'labels').shape
 * @see http://yann.lecun.com/exdb/mnist/
 */
export function parseIdx(bytes: Uint8Array, rank: number, file: string): IdxBytes {
  const header = 4 + 4 * rank
  if (bytes.length < header) {
    fail(file, `has ${bytes.length} bytes: an IDX file of ${rank} dimensions starts with ${header}`)
  }
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  const magic = view.getUint32(0)
  const wanted = unsignedByte * 256 + rank
  if (magic !== wanted)
    fail(
      file,
      `starts with ${magic}: an IDX file of bytes of ${rank} dimensions starts with ${wanted}`,
    )
  const shape = Array.from({ length: rank }, (_, i) => view.getUint32(4 + 4 * i))
  const held = bytes.length - header
  if (sizeOf(shape) !== held) {
    fail(
      file,
      `holds ${held} bytes for shape ${formatShape(shape)}, which takes ${sizeOf(shape)}: it is damaged`,
    )
  }
  return { shape, values: bytes.subarray(header) }
}
