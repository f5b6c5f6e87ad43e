/** Saving and loading arrays in MXNet's `.params` format, on disk and in memory. */

import { type Context, cpu } from '../base/context.ts'
import { dtypeInfo } from '../base/dtype.ts'
import { fail } from '../base/error.ts'
import { fromBytes } from './creation.ts'
import { NDArray } from './ndarray.ts'
import { readWhole, writeWhole } from './nodeFiles.ts'
import { decodeParams, encodeParams, type StoredArray } from './params.ts'

/** Arrays that a file can hold: one, a list, or by name. */
export type Saveable = NDArray | readonly NDArray[] | { readonly [name: string]: NDArray }

/** What a file gives back: by name, or a list, as it was stored. */
export type Loaded = NDArray[] | Record<string, NDArray>

/** Where loaded arrays are made. */
export interface LoadOptions {
  /** The device; `cpu()` when left out. */
  readonly ctx?: Context
}

/**
 * Saves arrays to a file in MXNet's `.params` format.
 *
 * The file is written beside its place and renamed, so that it is there whole or not at all. Arrays of
 * any dtype and device; they come back on `cpu()`. One array is stored as a list of one.
 *
 * @throws MXNetError when something other than arrays is given or the file cannot be written.
 * @example
 * await nd.save('model.params', { weight: nd.ones([2, 3]) })
 * Object.keys(await nd.load('model.params')) // => ['weight']
 * @see MXNet `nd.save`
 */
export async function save(file: string, data: Saveable): Promise<void> {
  await writeWhole('save', file, await saveToBuffer(data))
}

/**
 * Loads the arrays of a `.params` file: a plain object if they have names, else an array.
 *
 * Reads files of every version of MXNet; of equal names the last one counts.
 *
 * @throws MXNetError when the file is missing, damaged, or holds float16, bfloat16 or sparse arrays.
 * @example
 * const bytes = await nd.saveToBuffer({ weight: nd.ones([2]) })
 * Object.keys(nd.loadFromBuffer(bytes)) // => ['weight']
 * @see MXNet `nd.load`
 */
export async function load(file: string, options: LoadOptions = {}): Promise<Loaded> {
  return decode(await readWhole('load', file), `load ${file}`, options)
}

/**
 * Arrays as the bytes that `save` would write.
 *
 * @throws MXNetError when something other than arrays is given.
 * @example
 * const bytes = await nd.saveToBuffer([nd.ones([2])])
 * bytes.length // => 72
 * @see MXNet `nd.save`
 */
export async function saveToBuffer(data: Saveable): Promise<Uint8Array<ArrayBuffer>> {
  const named = !(data instanceof NDArray) && !Array.isArray(data)
  const entries = Object.entries(
    data instanceof NDArray ? [data] : (data ?? fail('save', 'nothing was given')),
  )
  for (const [name, x] of entries) {
    if (!(x instanceof NDArray))
      fail('save', `${name} is ${typeof x}: give arrays, a list of them or an object of them`)
  }
  const arrays = await Promise.all(
    entries.map(async ([, x]: [string, NDArray]): Promise<StoredArray> => {
      return { dtype: x.dtype, shape: x.shape, values: await x.asTypedArray() }
    }),
  )
  return encodeParams({ arrays, names: named ? entries.map(([name]) => name) : null })
}

/**
 * The arrays in the bytes of a `.params` file, as `load` gives them.
 *
 * @throws MXNetError when the bytes are damaged, or hold float16, bfloat16 or sparse arrays.
 * @example
 * const bytes = await nd.saveToBuffer({ bias: nd.ones([2]) })
 * Object.keys(nd.loadFromBuffer(bytes)) // => ['bias']
 * @see MXNet `nd.load_frombuffer`
 */
export function loadFromBuffer(bytes: Uint8Array, options: LoadOptions = {}): Loaded {
  return decode(bytes, 'loadFromBuffer', options)
}

function decode(bytes: Uint8Array, where: string, options: LoadOptions): Loaded {
  if (!(bytes instanceof Uint8Array)) fail(where, 'the bytes must be a Uint8Array')
  const { arrays, names } = decodeParams(bytes, where)
  arrays.forEach(({ dtype }, i) => {
    if (dtypeInfo(dtype).supported) return
    fail(
      where,
      `array ${names?.[i] ?? i} is ${dtype}, which is not supported yet: save it as float32`,
    )
  })
  const made = arrays.map((x) => fromStored(x, options.ctx ?? cpu()))
  return names === null ? made : Object.fromEntries(names.map((name, i) => [name, made[i]!]))
}

function fromStored({ dtype, shape, values }: StoredArray, context: Context): NDArray {
  const bytes = new Uint8Array(values.buffer, values.byteOffset, values.byteLength)
  return fromBytes(bytes, shape, dtype, context)
}
