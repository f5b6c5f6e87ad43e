/** Hugging Face's `.safetensors`: a JSON header, then the elements, without gaps and without code. */

import { type DType, itemSize } from '../base/dtype.ts'
import { fail } from '../base/error.ts'
import { sizeOf } from '../base/shape.ts'
import { checkRank, checkStoredShape, type Entry, type Index } from './entry.ts'
import { Cursor, decodeText, type Parse } from './parse.ts'
import type { Stored } from './write.ts'

const typeNames: Record<DType, string> = {
  float32: 'F32',
  float64: 'F64',
  float16: 'F16',
  bfloat16: 'BF16',
  uint8: 'U8',
  int8: 'I8',
  int32: 'I32',
  int64: 'I64',
  bool: 'BOOL',
}
const dtypeOf = new Map(Object.entries(typeNames).map(([dtype, name]) => [name, dtype as DType]))
const metadataKey = '__metadata__'
/** The format's own limit. */
const maxHeader = 100_000_000

/** Text beside the arrays. */
export type Metadata = { readonly [key: string]: string }

/**
 * The bytes of a `.safetensors` file: wide types first, so that all elements are aligned.
 * @see https://github.com/huggingface/safetensors (Format)
 */
export async function* writeSafetensors(
  where: string,
  arrays: readonly Stored[],
  metadata?: Metadata,
): AsyncGenerator<Uint8Array> {
  if (metadata !== undefined && !isMetadata(metadata)) {
    fail(where, 'metadata must be texts by name, such as { format: "pt" }')
  }
  const sorted = [...arrays].sort((a, b) => itemSize(b.dtype) - itemSize(a.dtype))
  const header: [string, unknown][] = metadata === undefined ? [] : [[metadataKey, metadata]]
  let at = 0
  for (const { name, dtype, shape } of sorted) {
    if (name === metadataKey) fail(where, `an array cannot be called ${metadataKey} here`)
    const end = at + sizeOf(shape) * itemSize(dtype)
    header.push([name, { dtype: typeNames[dtype], shape, data_offsets: [at, end] }])
    at = end
  }
  const text = new TextEncoder().encode(JSON.stringify(Object.fromEntries(header)))
  const length = Math.ceil(text.length / 8) * 8
  if (length > maxHeader) fail(where, `the names take over ${maxHeader} bytes`)
  const head = new Uint8Array(8 + length).fill(0x20)
  new DataView(head.buffer).setBigUint64(0, BigInt(length), true)
  head.set(text, 8)
  yield head
  for (const { elements } of sorted) yield await elements()
}

/**
 * What a `.safetensors` file of `size` bytes holds, in the order of its bytes.
 * @throws MXNetError for damaged files, overlaps and holes, and by name for types that arrays here do not have.
 */
export function* readSafetensors(where: string, size: number): Parse<Index> {
  const cursor = new Cursor(where, size)
  const length = yield* cursor.count(1, 'the length of the header')
  if (length > maxHeader)
    cursor.refuse(`has a header of ${length} bytes: the limit is ${maxHeader}`)
  const header = parseHeader(where, yield* cursor.take(length, 'the header'))
  const { [metadataKey]: metadata, ...tensors } = header
  const start = cursor.at
  const entries = Object.entries(tensors)
    .map(([name, value]) => entryOf(where, name, value, start, cursor.rest))
    .sort((a, b) => a.data.at - b.data.at || a.data.length - b.data.length)
  let end = start
  for (const { name, data } of entries) {
    if (data.at !== end) {
      const what = data.at < end ? 'overlaps another' : 'leaves a hole before it'
      fail(where, `array ${name} ${what}: it is damaged`)
    }
    end = data.at + data.length
  }
  if (end !== size) fail(where, `has ${size - end} bytes that belong to no array: it is damaged`)
  const index = { format: 'safetensors', entries, named: true } as const
  if (metadata === undefined) return index
  if (!isMetadata(metadata)) return fail(where, `${metadataKey} must hold texts by name`)
  return { ...index, metadata }
}

const isRecord = (value: unknown): value is Record<string, unknown> =>
  typeof value === 'object' && value !== null && !Array.isArray(value)

const isMetadata = (value: unknown): value is Metadata =>
  isRecord(value) && Object.values(value).every((v) => typeof v === 'string')

const isShape = (value: unknown): value is number[] =>
  Array.isArray(value) && value.every((d) => typeof d === 'number')

function parseHeader(where: string, bytes: Uint8Array): Record<string, unknown> {
  let header: unknown
  const text = decodeText(where, bytes, 'the header')
  try {
    header = JSON.parse(text)
  } catch (e) {
    fail(where, `the header is no JSON (${(e as Error).message}): it is damaged`)
  }
  return isRecord(header) ? header : fail(where, 'the header must be an object of arrays by name')
}

function entryOf(where: string, name: string, value: unknown, start: number, held: number): Entry {
  const what = `array ${name}`
  if (!isRecord(value)) return fail(where, `${what} must have dtype, shape and data_offsets`)
  const { dtype: type, shape, data_offsets: offsets } = value
  const dtype = typeof type === 'string' ? dtypeOf.get(type) : undefined
  if (dtype === undefined) {
    const known = [...dtypeOf.keys()].join(', ')
    return fail(
      where,
      `${what} has the type ${typeof type === 'string' ? type : typeof type}: there are ${known}`,
    )
  }
  if (!isShape(shape)) return fail(where, `${what} has no shape: it is damaged`)
  checkRank(where, what, shape.length)
  checkStoredShape(where, what, shape)
  const [begin, end, ...more] = Array.isArray(offsets) ? (offsets as unknown[]) : []
  const within = (n: unknown): n is number =>
    Number.isInteger(n) && Number(n) >= 0 && Number(n) <= held
  if (!within(begin) || !within(end) || more.length > 0) {
    return fail(
      where,
      `${what} has data_offsets outside of the file's ${held} bytes: it is damaged`,
    )
  }
  const bytes = sizeOf(shape) * itemSize(dtype)
  if (end - begin !== bytes) {
    fail(
      where,
      `${what} takes ${bytes} bytes and its data_offsets span ${end - begin}: it is damaged`,
    )
  }
  return { name, dtype, shape: [...shape], data: { at: start + begin, length: bytes } }
}
