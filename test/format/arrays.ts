/** Arrays in bytes, as tests compare them: what a parser finds, with the elements in typed arrays. */

import { type DType, dtypeInfo, type TypedArray } from '../../src/base/dtype.ts'
import { type Shape, sizeOf } from '../../src/base/shape.ts'
import { denseBytes, type Index, prove, readElements } from '../../src/format/entry.ts'
import { type Parse, parseBytes, parseSource } from '../../src/format/parse.ts'
import { readIndex } from '../../src/format/read.ts'
import { type Stored, type WriteOptions, writeArrays } from '../../src/format/write.ts'
import { bytesSource } from '../../src/ndarray/nodeFiles.ts'

/** An array with its elements; 16-bit floats are their bits. */
export interface Plain {
  readonly dtype: DType
  readonly shape: Shape
  readonly values: TypedArray
}

/** Arrays by name, or a list. */
export interface PlainArrays {
  readonly arrays: readonly Plain[]
  readonly names: readonly string[] | null
}

const asStored = ({ arrays, names }: PlainArrays): Stored[] =>
  arrays.map(({ dtype, shape, values }, i) => ({
    name: names?.[i] ?? String(i),
    dtype,
    shape,
    elements: async () => new Uint8Array(values.buffer, values.byteOffset, values.byteLength),
  }))

/** The bytes of a file of arrays. */
export async function encode(
  data: PlainArrays,
  format: WriteOptions['format'] = 'params',
  options: Partial<WriteOptions> = {},
): Promise<Uint8Array<ArrayBuffer>> {
  const named = data.names !== null
  const all = { format, named, compress: false, metadata: undefined, ...options }
  const pieces: Uint8Array[] = []
  for await (const piece of writeArrays('save', asStored(data), all)) pieces.push(piece)
  return new Uint8Array(Buffer.concat(pieces))
}

/** All arrays of a file; `taken` adds up the bytes of the elements' memory. */
export function* readAll(
  where: string,
  size: number,
  taken: { bytes: number },
): Parse<PlainArrays & { readonly index: Index }> {
  const index = yield* readIndex(where, size)
  const arrays: Plain[] = []
  for (const entry of index.entries) {
    const { dtype, shape, fortran } = entry
    taken.bytes += denseBytes(entry)
    const bytes = new Uint8Array(denseBytes(entry))
    let at = 0
    yield* prove(where, entry)
    yield* readElements(where, entry, (piece) => {
      bytes.set(piece, at)
      at += piece.length
    })
    if (at !== bytes.length) throw new Error(`${at} of ${bytes.length} bytes of ${entry.name}`)
    const { array } = dtypeInfo(dtype)
    const values = new array(bytes.buffer)
    arrays.push({ dtype, shape, values: fortran ? rowMajorOf(values, shape) : values })
  }
  const names = index.named ? index.entries.map(({ name }) => name) : null
  return { arrays, names, index }
}

/** Column-major elements in row-major order. */
function rowMajorOf(values: TypedArray, shape: Shape): TypedArray {
  const out = values.slice()
  for (let i = 0; i < sizeOf(shape); i++) {
    let [rest, from, step] = [i, 0, sizeOf(shape)]
    for (let axis = shape.length - 1; axis >= 0; axis--) {
      step /= shape[axis]!
      from += (rest % shape[axis]!) * step
      rest = Math.floor(rest / shape[axis]!)
    }
    out[i] = values[from]!
  }
  return out
}

/** The arrays in bytes, at once. */
export function decode(bytes: Uint8Array, where: string, taken = { bytes: 0 }): PlainArrays {
  const { arrays, names } = parseBytes(readAll(where, bytes.length, taken), bytes)
  return { arrays, names }
}

/** The arrays in bytes, packed or not. */
export async function decodeAsync(
  bytes: Uint8Array,
  where: string,
  taken = { bytes: 0 },
): Promise<PlainArrays & { readonly index: Index }> {
  return parseSource(readAll(where, bytes.length, taken), bytesSource(bytes))
}
