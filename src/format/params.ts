/** MXNet's `.params` files: a list of arrays, with or without names, written as version 2 and read in all versions. */

import { dtypeInfo, dtypeOfCode, itemSize } from '../base/dtype.ts'
import { fail } from '../base/error.ts'
import { type Shape, sameShape, sizeOf } from '../base/shape.ts'
import {
  checkRank,
  checkStoredShape,
  denseBytes,
  type Entry,
  type Index,
  type Sparse,
} from './entry.ts'
import { Cursor, type Parse } from './parse.ts'
import type { Stored } from './write.ts'

/** The number that a file begins with. */
export const paramsMagic = 0x112
const version1 = 0xf993fac8
const version2 = 0xf993fac9
const version3 = 0xf993faca
const cpuDevice = 1
const storageKinds = ['default', 'row_sparse', 'csr'] as const

/**
 * The bytes of a `.params` file.
 *
 * Records are of version 2 on device cpu(0). Arrays of rank 0 or size 0 do not exist in version 2, so
 * a file with one is of version 3, which MXNet reads under `np_shape`.
 *
 * @see MXNet `src/ndarray/ndarray.cc` (NDArray::Save)
 */
export async function* writeParams(
  arrays: readonly Stored[],
  named: boolean,
): AsyncGenerator<Uint8Array> {
  const extended = arrays.some(({ shape }) => shape.length === 0 || sizeOf(shape) === 0)
  yield words([paramsMagic, 0, 0, 0, arrays.length, 0])
  for (const { dtype, shape, elements } of arrays) {
    yield words([
      extended ? version3 : version2,
      0,
      shape.length,
      ...shape.flatMap((d) => [d, 0]),
      cpuDevice,
      0,
      dtypeInfo(dtype).code,
    ])
    yield await elements()
  }
  yield words([named ? arrays.length : 0, 0])
  for (const { name } of named ? arrays : []) {
    const label = new TextEncoder().encode(name)
    yield words([label.length, 0])
    yield label
  }
}

/** 32-bit words; a 64-bit number is two of them. */
function words(values: readonly number[]): Uint8Array {
  const view = new DataView(new ArrayBuffer(4 * values.length))
  values.forEach((value, i) => {
    view.setUint32(4 * i, value, true)
  })
  return new Uint8Array(view.buffer)
}

/**
 * What a `.params` file of `size` bytes holds.
 *
 * Nothing in the bytes is trusted: lengths are checked against what is there before memory is taken. Sparse
 * arrays are read as dense ones where these take at most twice the bytes of the file.
 *
 * @throws MXNetError for anything that is not a whole and well-formed file.
 * @see MXNet `src/ndarray/ndarray.cc` (NDArray::Load)
 */
export function* readParams(where: string, size: number): Parse<Index> {
  const cursor = new Cursor(where, size)
  if ((yield* cursor.u64('the magic number')) !== paramsMagic) {
    cursor.refuse('does not start with the magic number 0x112: it is not a .params file')
  }
  cursor.skip(8, 'the header')
  const count = yield* cursor.count(8, 'the number of arrays')
  const records: Omit<Entry, 'name'>[] = []
  for (let i = 0; i < count; i++) records.push(yield* readRecord(cursor, where, `array ${i}`))
  const named = yield* cursor.count(8, 'the number of names')
  if (named !== 0 && named !== count) {
    cursor.refuse(`holds ${named} names for ${count} arrays: there must be none or one each`)
  }
  const names: string[] = []
  for (let i = 0; i < named; i++) {
    const length = yield* cursor.count(1, `the length of name ${i}`)
    names.push(yield* cursor.text(length, `name ${i}`))
  }
  if (cursor.rest > 0) cursor.refuse(`has ${cursor.rest} bytes after its end: it is damaged`)
  const entries = records.map((record, i): Entry => ({ ...record, name: names[i] ?? String(i) }))
  const dense = entries.reduce((sum, entry) => sum + (entry.sparse ? denseBytes(entry) : 0), 0)
  const first = entries.find(({ sparse }) => sparse !== undefined)
  if (first !== undefined && dense > 2 * size) {
    fail(
      where,
      `array ${first.name} is ${first.sparse!.kind} and takes over twice the file's bytes when dense: save it with tostype('default')`,
    )
  }
  return { format: 'params', entries, named: named > 0 }
}

function* readRecord(cursor: Cursor, where: string, what: string): Parse<Omit<Entry, 'name'>> {
  const magic = yield* cursor.u32(what)
  let kind = 0
  let stored: Shape | null = null
  let shape: Shape
  if (magic === version2 || magic === version3) {
    kind = yield* cursor.i32(`the storage type of ${what}`)
    if (storageKinds[kind] === undefined) {
      cursor.refuse(`${what} has the unknown storage type ${kind}`)
    }
    if (kind !== 0) stored = yield* readWideShape(cursor, where, `the values of ${what}`)
    shape = yield* readWideShape(cursor, where, what)
  } else if (magic === version1) {
    shape = yield* readWideShape(cursor, where, what)
  } else {
    shape = yield* readShape(cursor, where, what, magic, 4)
  }
  if (shape.length === 0 && magic !== version3) {
    cursor.refuse(`${what} is none (an array without a shape): leave it out when saving`)
  }
  cursor.skip(8, `the device of ${what}`)
  const dtype = yield* readDType(cursor, what)
  const bytes = sizeOf(shape) * itemSize(dtype)
  if (stored === null) {
    return { dtype, shape, data: cursor.skip(bytes, `the ${bytes} bytes of ${what}`) }
  }
  return yield* readSparse(cursor, where, what, { kind: storageKinds[kind]!, dtype, shape, stored })
}

/** The rest of a sparse record: the indices' types, the values, the indices. */
function* readSparse(
  cursor: Cursor,
  where: string,
  what: string,
  {
    kind,
    dtype,
    shape,
    stored,
  }: Omit<Entry, 'name' | 'data' | 'sparse'> & {
    readonly kind: string
    readonly stored: Shape
  },
): Parse<Omit<Entry, 'name'>> {
  const csr = kind === 'csr'
  const heads: Omit<Sparse['indices'][number], 'data'>[] = []
  for (let i = 0; i < (csr ? 2 : 1); i++) {
    const indexType = yield* readDType(cursor, `the indices of ${what}`)
    if (dtypeInfo(indexType).kind !== 'int') {
      cursor.refuse(`${what} has indices of ${indexType}: they must be integers`)
    }
    const length = sizeOf(yield* readWideShape(cursor, where, `the indices of ${what}`))
    heads.push({ dtype: indexType, length })
  }
  const n = stored[0]
  const fits = csr
    ? shape.length === 2 &&
      stored.length === 1 &&
      heads[0]!.length === shape[0]! + 1 &&
      heads[1]!.length === n
    : sameShape(stored.slice(1), shape.slice(1)) &&
      heads[0]!.length === n &&
      stored.length === shape.length
  if (!fits) cursor.refuse(`${what} is ${kind} of sizes that do not fit each other: it is damaged`)
  const bytes = sizeOf(stored) * itemSize(dtype)
  const data = cursor.skip(bytes, `the ${bytes} bytes of ${what}`)
  const indices = heads.map((head) => ({
    ...head,
    data: cursor.skip(head.length * itemSize(head.dtype), `the indices of ${what}`),
  }))
  return { dtype, shape, data, sparse: { kind: csr ? 'csr' : 'row_sparse', stored, indices } }
}

function* readDType(cursor: Cursor, what: string): Parse<Entry['dtype']> {
  const code = yield* cursor.i32(`the dtype of ${what}`)
  return dtypeOfCode(code) ?? cursor.refuse(`${what} has the unknown dtype code ${code}`)
}

function* readWideShape(cursor: Cursor, where: string, what: string): Parse<Shape> {
  return yield* readShape(cursor, where, what, yield* cursor.i32(`the rank of ${what}`), 8)
}

function* readShape(
  cursor: Cursor,
  where: string,
  what: string,
  rank: number,
  width: 4 | 8,
): Parse<Shape> {
  checkRank(where, what, rank)
  const view = yield* cursor.view(rank * width, `the shape of ${what}`)
  const shape = Array.from({ length: rank }, (_, i) =>
    width === 4 ? view.getUint32(4 * i, true) : Number(view.getBigInt64(8 * i, true)),
  )
  return checkStoredShape(where, what, shape)
}
