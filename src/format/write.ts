/** Arrays on their way into a file: which format it is, by its name's ending, and its bytes in pieces. */

import type { DType } from '../base/dtype.ts'
import { fail } from '../base/error.ts'
import type { Shape } from '../base/shape.ts'
import type { Format } from './entry.ts'
import { writeNpy, writeNpz } from './npy.ts'
import { writeParams } from './params.ts'
import { type Metadata, writeSafetensors } from './safetensors.ts'

/** An array to be written. */
export interface Stored {
  /** Its name, or its number in a list. */
  readonly name: string
  readonly dtype: DType
  readonly shape: Shape
  /** The elements in row-major order, little-endian; asked for once, when their turn comes. */
  elements(): Promise<Uint8Array>
}

/** How arrays are written. */
export interface WriteOptions {
  readonly format: Format
  /** Whether the arrays have names, as against a list. */
  readonly named: boolean
  /** Whether an archive is packed. */
  readonly compress: boolean
  /** Text beside the arrays of a `.safetensors` file. */
  readonly metadata: Metadata | undefined
}

/** The formats by the endings of their files. */
export const formats: readonly Format[] = ['params', 'npy', 'npz', 'safetensors']

/** The format that a file's ending asks for; `.params` for any other. */
export function formatOfName(file: string): Format {
  const ending = /\.([a-z]+)$/i.exec(file)?.[1]?.toLowerCase()
  return formats.find((format) => format === ending) ?? 'params'
}

/** The bytes of a file of arrays. @throws MXNetError for arrays that the format has no place for. */
export function writeArrays(
  where: string,
  arrays: readonly Stored[],
  { format, named, compress, metadata }: WriteOptions,
): AsyncGenerator<Uint8Array> {
  if (compress && format !== 'npz') fail(where, `a .${format} file is never compressed: use .npz`)
  if (metadata !== undefined && format !== 'safetensors') {
    fail(where, `a .${format} file has no place for metadata: use .safetensors`)
  }
  switch (format) {
    case 'params':
      return writeParams(arrays, named)
    case 'npz':
      return writeNpz(where, arrays, named, compress)
    case 'npy': {
      const [array] = arrays
      if (array !== undefined && arrays.length === 1 && !named) return writeNpy(array)
      return fail(where, 'a .npy file holds one array without a name: use .npz for several')
    }
    case 'safetensors':
      if (named || arrays.length === 0) return writeSafetensors(where, arrays, metadata)
      return fail(where, 'a .safetensors file holds arrays by name: give an object of them')
    default:
      format satisfies never
      return fail(where, `format ${String(format)} is unknown: use one of ${formats.join(', ')}`)
  }
}
