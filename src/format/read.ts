/** What a file of arrays holds, recognised by its bytes and not by its name. */

import { fail } from '../base/error.ts'
import type { Format, Index } from './entry.ts'
import { npyMagic, readNpy, readNpz } from './npy.ts'
import { paramsMagic, readParams } from './params.ts'
import type { Parse } from './parse.ts'
import { readSafetensors } from './safetensors.ts'

const readers = { params: readParams, npy: readNpy, npz: readNpz, safetensors: readSafetensors }

/** The format of a file from its first nine bytes, or undefined. */
export function formatOfBytes(head: Uint8Array): Format | undefined {
  const [p, k, a, b] = head
  if (npyMagic.every((v, i) => head[i] === v)) return 'npy'
  if (p === 0x50 && k === 0x4b && ((a === 3 && b === 4) || (a === 5 && b === 6))) return 'npz'
  if (head[8] === 0x7b) return 'safetensors'
  if (head.length < 8) return undefined
  const view = new DataView(head.buffer, head.byteOffset, 8)
  return view.getBigUint64(0, true) === BigInt(paramsMagic) ? 'params' : undefined
}

/**
 * What a file of `size` bytes holds.
 * @throws MXNetError for files that are damaged or of none of the formats.
 */
export function* readIndex(where: string, size: number): Parse<Index> {
  const format = formatOfBytes(yield { at: 0, length: Math.min(9, size) })
  if (format !== undefined) return yield* readers[format](where, size)
  return fail(
    where,
    'begins as no file of arrays does: .params, .npy, .npz and .safetensors are read',
  )
}
