/** Saving and loading arrays: MXNet's `.params`, NumPy's `.npy` and `.npz`, and `.safetensors`. */

import { type Context, cpu } from '../base/context.ts'
import { itemSize } from '../base/dtype.ts'
import { fail } from '../base/error.ts'
import { checkOptions } from '../base/options.ts'
import { rowMajor } from '../base/shape.ts'
import { aval } from '../core/aval.ts'
import { Layout } from '../exec/array.ts'
import { deviceOf } from '../exec/storage.ts'
import {
  denseBytes,
  type Entry,
  type Format,
  type Index,
  prove,
  readElements,
} from '../format/entry.ts'
import { type Parse, parseBytes, parseSource, type Source } from '../format/parse.ts'
import { readIndex } from '../format/read.ts'
import type { Metadata } from '../format/safetensors.ts'
import { formatOfName, formats, type Stored, writeArrays } from '../format/write.ts'
import { NDArray } from './ndarray.ts'
import { blobSource, bytesSource, hasNode, withSource, writeWhole } from './nodeFiles.ts'

/** Arrays that a file can hold: one, a list, or by name. */
export type Saveable = NDArray | readonly NDArray[] | { readonly [name: string]: NDArray }

/** What a file gives back: by name, or a list, as it was stored. */
export type Loaded = NDArray[] | Record<string, NDArray>

/** What is loaded from: the path of a file (in a browser its address), a blob such as a chosen `File`, or bytes. */
export type LoadSource = string | Blob | Uint8Array

/** Where loaded arrays are made. */
export interface LoadOptions {
  /** The device; `cpu()` when left out. */
  readonly ctx?: Context | undefined
}

/** How arrays are saved. */
export interface SaveOptions {
  /** The format; by default the one that the file's ending names, else `'params'`. */
  readonly format?: Format | undefined
  /** Whether a `.npz` archive is packed. */
  readonly compress?: boolean | undefined
  /** Text that a `.safetensors` file carries beside its arrays. */
  readonly metadata?: Metadata | undefined
}

/**
 * Saves arrays to a file, in the format that its ending names: `.npy`, `.npz`, `.safetensors`, and for
 * any other MXNet's `.params`.
 *
 * The file is written beside its place and renamed, so that it is there whole or not at all. Arrays of
 * any dtype and device; they come back on `cpu()`. One array is stored as a list of one.
 *
 * @throws MXNetError when something other than arrays is given, the format has no place for them, or the file
 *   cannot be written.
 * @example
 * await nd.save('model.params', { weight: nd.ones([2, 3]) })
 * Object.keys(await nd.load('model.params')) // => ['weight']
 * @see MXNet `nd.save`
 */
export async function save(file: string, data: Saveable, options: SaveOptions = {}): Promise<void> {
  await writeWhole('save', file, encode(data, options, formatOfName(file)))
}

/**
 * Loads the arrays of a file: a plain object if they have names, else an array.
 *
 * The format is recognised by content: `.params` of every version of MXNet, `.npy`, `.npz` (packed or not),
 * `.safetensors`. The file is read piece by piece into the arrays' memory. Of equal names the last one counts.
 *
 * @throws MXNetError when the file is missing, damaged, of another format, or has a type that arrays here do not have.
 * @example
 * await nd.save('model.npz', { weight: nd.ones([2, 3]) })
 * Object.keys(await nd.load('model.npz')) // => ['weight']
 * @see MXNet `nd.load`
 */
export async function load(source: LoadSource, options: LoadOptions = {}): Promise<Loaded> {
  const ctx = contextOf('load', options)
  return readFrom('load', source, async (where, bytes) => {
    const index = await parseSource(readIndex(where, bytes.size), bytes)
    return await parseSource(makeArrays(where, index, ctx), bytes)
  })
}

/** What a file holds, without loading it: format, names, shapes and dtypes. */
export function readContents(where: string, source: LoadSource): Promise<Index> {
  return readFrom(where, source, (name, bytes) => parseSource(readIndex(name, bytes.size), bytes))
}

/** Reads from a path, a blob, bytes or, in a browser, an address; `read` is told where the bytes come from. */
export async function readFrom<R>(
  where: string,
  source: LoadSource,
  read: (where: string, source: Source) => Promise<R>,
): Promise<R> {
  if (source instanceof Uint8Array) return read(where, bytesSource(source))
  if (source instanceof Blob) return read(where, blobSource(source))
  if (typeof source !== 'string') {
    return fail(where, 'give the path of a file, a Blob or a Uint8Array of its bytes')
  }
  const named = `${where} ${source}`
  if (hasNode()) return withSource(where, source, (file) => read(named, file))
  const answer = await fetch(source).catch((e: Error) =>
    fail(named, `cannot be read: ${e.message}`),
  )
  if (!answer.ok) fail(named, `cannot be read: status ${answer.status}`)
  return read(named, blobSource(await answer.blob()))
}

/**
 * Arrays as the bytes that `save` would write.
 *
 * @throws MXNetError when something other than arrays is given, or the format has no place for them.
 * @example
 * const bytes = await nd.saveToBuffer([nd.ones([2])])
 * bytes.length // => 72
 * @see MXNet `nd.save`
 */
export async function saveToBuffer(
  data: Saveable,
  options: SaveOptions = {},
): Promise<Uint8Array<ArrayBuffer>> {
  const pieces: Uint8Array[] = []
  for await (const piece of encode(data, options, 'params')) pieces.push(piece)
  const bytes = new Uint8Array(pieces.reduce((sum, piece) => sum + piece.length, 0))
  let at = 0
  for (const piece of pieces) {
    bytes.set(piece, at)
    at += piece.length
  }
  return bytes
}

function encode(data: Saveable, options: SaveOptions, own: Format): AsyncGenerator<Uint8Array> {
  checkOptions('save', options, ['format', 'compress', 'metadata'])
  const named = !(data instanceof NDArray) && !Array.isArray(data)
  const entries: [string, unknown][] = Object.entries(
    data instanceof NDArray ? [data] : (data ?? fail('save', 'nothing was given')),
  )
  const arrays = entries.map(([name, x]): Stored => {
    if (!(x instanceof NDArray)) {
      return fail(
        'save',
        `${name} is ${typeof x}: give arrays, a list of them or an object of them`,
      )
    }
    // The elements as they are now: what is written to the array later is not saved.
    const view = x.detach()
    return { name, dtype: x.dtype, shape: x.shape, elements: () => elementsOf(view) }
  })
  const { format = own, compress = false, metadata } = options
  if (!formats.includes(format)) {
    fail('save', `format '${String(format)}' is unknown: use one of ${formats.join(', ')}`)
  }
  return writeArrays('save', arrays, { format, named, compress, metadata })
}

/** The bytes of the elements in row-major order; the handle is given up. */
async function elementsOf(view: NDArray): Promise<Uint8Array> {
  const dense = view.layout.dense ? view : view.copy()
  const { device, address } = dense.storage
  const item = itemSize(view.dtype)
  const bytes = await device.backend.read(address + dense.layout.offset * item, view.size * item)
  if (dense !== view) dense[Symbol.dispose]()
  view[Symbol.dispose]()
  await device.breathe()
  return bytes
}

/**
 * The arrays in the bytes of a file, as `load` gives them, at once.
 *
 * @throws MXNetError when the bytes are damaged or of another format.
 * @example
 * const bytes = await nd.saveToBuffer({ bias: nd.ones([2]) })
 * Object.keys(nd.loadFromBuffer(bytes)) // => ['bias']
 * @see MXNet `nd.load_frombuffer`
 */
export function loadFromBuffer(bytes: Uint8Array, options: LoadOptions = {}): Loaded {
  const where = 'loadFromBuffer'
  const ctx = contextOf(where, options)
  if (!(bytes instanceof Uint8Array)) fail(where, 'the bytes must be a Uint8Array')
  const index = parseBytes(readIndex(where, bytes.length), bytes)
  return parseBytes(makeArrays(where, index, ctx), bytes)
}

function contextOf(where: string, options: LoadOptions): Context {
  checkOptions(where, options, ['ctx'])
  return options.ctx ?? cpu()
}

/** Makes all arrays of a file, or none. */
function* makeArrays(where: string, { entries, named }: Index, ctx: Context): Parse<Loaded> {
  const wanted = named ? new Map(entries.map((entry) => [entry.name, entry])) : null
  const made: NDArray[] = []
  try {
    for (const entry of wanted?.values() ?? entries) made.push(yield* makeArray(where, entry, ctx))
  } catch (e) {
    for (const array of made) array[Symbol.dispose]()
    throw e
  }
  if (wanted === null) return made
  return Object.fromEntries([...wanted.keys()].map((name, i) => [name, made[i]!]))
}

/** An array of the elements of an entry, which go into its memory piece by piece. */
function* makeArray(where: string, entry: Entry, ctx: Context): Parse<NDArray> {
  const { shape, dtype } = entry
  const device = deviceOf(ctx)
  yield* prove(where, entry)
  const storage = device.allocate(denseBytes(entry))
  try {
    let at = storage.address
    yield* readElements(where, entry, (piece) => {
      device.backend.write(at, piece)
      at += piece.length
    })
  } catch (e) {
    storage.release()
    throw e
  }
  const strides = entry.fortran ? rowMajor([...shape].reverse()).reverse() : rowMajor(shape)
  return new NDArray(aval(shape, dtype), storage, new Layout({ shape, strides, offset: 0 }))
}
