/** `mx.recordio`: files of records, in order and by key. Node only. */

import { fail } from '../base/error.ts'
import { checkOptions } from '../base/options.ts'
import { type DecodeOptions, imdecode } from '../image/decode.ts'
import type { NDArray } from '../ndarray/ndarray.ts'
import { fileError, nodeModule } from '../ndarray/nodeFiles.ts'
import { decodeRecord, encodeRecord, type IRHeader, unpack } from './record.ts'

export { type GivenHeader, type IRHeader, pack, unpack } from './record.ts'

type Fs = typeof import('node:fs')

/** Does something with a file; what the host says of it becomes an error that names it. */
function using<R>(where: string, doing: string, file: string, body: (fs: Fs) => R): R {
  const fs = nodeModule(where, 'node:fs')
  try {
    return body(fs)
  } catch (error) {
    throw fileError(where, doing, file, error)
  }
}

/**
 * A file of records, read or written one after another.
 *
 * What is written appears under its name when the file is closed, whole; `using` closes it at the end of its scope.
 * @throws MXNetError for other flags than 'r' and 'w', files that cannot be used, and damaged ones when they are read.
 * @example
 * const file = new recordio.MXRecordIO('data.rec', 'w')
 * file.write(new Uint8Array([1, 2, 3]))
 * file.close()
 * Array.from(new recordio.MXRecordIO('data.rec', 'r').read()) // => [1, 2, 3]
 * @see MXNet `mx.recordio.MXRecordIO`
 */
export class MXRecordIO {
  readonly uri: string
  readonly writable: boolean
  #handle: number | null = null
  /** Where a file that is being written lies until it is closed. */
  #beside = ''
  #at = 0
  #size = 0

  constructor(uri: string, flag: 'r' | 'w') {
    if (flag !== 'r' && flag !== 'w')
      fail('MXRecordIO', `flag is '${String(flag)}': 'r' reads, 'w' writes`)
    this.uri = uri
    this.writable = flag === 'w'
    this.open()
  }

  /** Whether the file is open. */
  get isOpen(): boolean {
    return this.#handle !== null
  }

  /** Opens the file, at its beginning. */
  open(): void {
    if (this.#handle !== null) return
    this.#at = 0
    if (this.writable) {
      const { randomUUID } = nodeModule('MXRecordIO', 'node:crypto')
      this.#beside = `${this.uri}.${randomUUID()}.part`
      this.#handle = using('MXRecordIO', 'write', this.uri, (fs) => fs.openSync(this.#beside, 'wx'))
      return
    }
    using('MXRecordIO', 'read', this.uri, (fs) => {
      this.#handle = fs.openSync(this.uri, 'r')
      this.#size = fs.fstatSync(this.#handle).size
    })
  }

  /** Closes the file; one that was written gets its name now. Closing once more does nothing. */
  close(): void {
    const handle = this.#handle
    if (handle === null) return
    this.#handle = null
    using('MXRecordIO', this.writable ? 'write' : 'read', this.uri, (fs) => {
      if (this.writable) fs.fsyncSync(handle)
      fs.closeSync(handle)
      if (this.writable) fs.renameSync(this.#beside, this.uri)
    })
  }

  [Symbol.dispose](): void {
    this.close()
  }

  /** Goes back to the beginning; a file that is being written begins anew. */
  reset(): void {
    if (this.writable && this.#handle !== null) {
      const handle = this.#handle
      using('MXRecordIO', 'write', this.uri, (fs) => fs.ftruncateSync(handle))
    }
    this.open()
    this.#at = 0
  }

  #opened(where: string, writes: boolean): number {
    if (this.writable !== writes) {
      const [is, needs] = this.writable ? ['written', 'r'] : ['read', 'w']
      fail(where, `'${this.uri}' is being ${is}: open it with '${needs}'`)
    }
    return this.#handle ?? fail(where, `'${this.uri}' is closed: call open`)
  }

  /** Appends a record. */
  write(buf: Uint8Array): void {
    const handle = this.#opened('MXRecordIO.write', true)
    if (!(buf instanceof Uint8Array))
      fail('MXRecordIO.write', `a record is ${String(buf)}: give a Uint8Array`)
    const bytes = encodeRecord(buf)
    using('MXRecordIO', 'write', this.uri, (fs) => {
      for (let done = 0; done < bytes.length; )
        done += fs.writeSync(handle, bytes, done, bytes.length - done, this.#at + done)
    })
    this.#at += bytes.length
  }

  /** The next record; null at the end. */
  read(): Uint8Array | null {
    const handle = this.#opened('MXRecordIO.read', false)
    const read = (at: number, length: number): Uint8Array =>
      using('MXRecordIO', 'read', this.uri, (fs) => {
        const bytes = new Uint8Array(length)
        for (let done = 0; done < length; ) {
          const count = fs.readSync(handle, bytes, done, length - done, at + done)
          if (count === 0) throw new Error('it has become shorter while it was read')
          done += count
        }
        return bytes
      })
    const found = decodeRecord(read, this.#at, this.#size, this.uri)
    if (found === null) return null
    this.#at = found.next
    return found.record
  }

  /** Where the next record is written, or read. */
  tell(): number {
    return this.#at
  }

  /** Goes to a place that `tell` has given. */
  protected goTo(place: number): void {
    this.#opened('MXIndexedRecordIO.seek', false)
    this.#at = place
  }
}

/** Options of an `MXIndexedRecordIO`. */
export interface IndexedOptions<K extends 'int' | 'str'> {
  /** What keys are: 'int' (the default) or 'str'. */
  readonly keyType?: K
}

/**
 * A file of records with an index beside it: each line of `idxPath` is a key and the place of its record.
 * @throws MXNetError as `MXRecordIO`, for damaged indices, keys that are not there and those that are there already.
 * @example
 * const file = new recordio.MXIndexedRecordIO('data.idx', 'data.rec', 'w')
 * for (const key of [0, 1]) file.writeIdx(key, new Uint8Array([key]))
 * file.close()
 * Array.from(new recordio.MXIndexedRecordIO('data.idx', 'data.rec', 'r').readIdx(1)) // => [1]
 * @see MXNet `mx.recordio.MXIndexedRecordIO`
 */
export class MXIndexedRecordIO<K extends 'int' | 'str' = 'int'> extends MXRecordIO {
  readonly idxPath: string
  /** The keys, in the order of the index. */
  readonly keys: (K extends 'int' ? number : string)[] = []
  /** Places of records by key. */
  readonly idx = new Map<K extends 'int' ? number : string, number>()

  constructor(idxPath: string, uri: string, flag: 'r' | 'w', options: IndexedOptions<K> = {}) {
    const { keyType = 'int' } = checkOptions('MXIndexedRecordIO', options, ['keyType'])
    super(uri, flag)
    this.idxPath = idxPath
    if (!this.writable) this.#readIndex(keyType)
  }

  #readIndex(keyType: 'int' | 'str'): void {
    const text = using('MXIndexedRecordIO', 'read', this.idxPath, (fs) =>
      fs.readFileSync(this.idxPath, 'utf8'),
    )
    text.split(/\r?\n/).forEach((line, i) => {
      if (line.trim() === '') return
      const [name, offset, ...more] = line.trim().split('\t')
      const [key, place] = [keyType === 'int' ? Number(name) : name!, Number(offset)]
      const whole = Number.isSafeInteger(place) && place >= 0
      if (more.length > 0 || !whole || (keyType === 'int' && !Number.isSafeInteger(key)))
        fail(
          'MXIndexedRecordIO',
          `'${this.idxPath}', line ${i + 1}: a key, a tab and a place are needed`,
        )
      this.keys.push(key as K extends 'int' ? number : string)
      this.idx.set(key as K extends 'int' ? number : string, place)
    })
  }

  override close(): void {
    const writes = this.writable && this.isOpen
    super.close()
    if (!writes) return
    const lines = this.keys.map((key) => `${key}\t${this.idx.get(key)}\n`)
    const { randomUUID } = nodeModule('MXIndexedRecordIO', 'node:crypto')
    const beside = `${this.idxPath}.${randomUUID()}.part`
    using('MXIndexedRecordIO', 'write', this.idxPath, (fs) => {
      fs.writeFileSync(beside, lines.join(''), { flush: true })
      fs.renameSync(beside, this.idxPath)
    })
  }

  override reset(): void {
    super.reset()
    if (!this.writable) return
    this.keys.length = 0
    this.idx.clear()
  }

  /** Goes to the record of a key. */
  seek(idx: K extends 'int' ? number : string): void {
    const place = this.idx.get(idx)
    if (place === undefined)
      fail('MXIndexedRecordIO', `there is no key ${String(idx)} in '${this.idxPath}'`)
    this.goTo(place)
  }

  /** The record of a key. */
  readIdx(idx: K extends 'int' ? number : string): Uint8Array {
    this.seek(idx)
    return this.read() ?? fail('MXIndexedRecordIO', `'${this.uri}' ends before key ${String(idx)}`)
  }

  /** Appends a record under a key. */
  writeIdx(idx: K extends 'int' ? number : string, buf: Uint8Array): void {
    if (this.idx.has(idx)) fail('MXIndexedRecordIO', `key ${String(idx)} has a record already`)
    const place = this.tell()
    this.write(buf)
    this.keys.push(idx)
    this.idx.set(idx, place)
  }
}

/**
 * Header and picture of a packed sample: uint8 of shape (H, W, C), its channels blue, green, red as in MXNet unless `toRgb`.
 * @throws MXNetError when the bytes are no PNG or JPEG.
 * @example
 * const file = new recordio.MXRecordIO('train.rec', 'r')
 * const [header, picture] = await recordio.unpackImg(file.read())
 * @see MXNet `mx.recordio.unpack_img`
 */
export async function unpackImg(
  s: Uint8Array,
  options: DecodeOptions = {},
): Promise<[header: IRHeader, image: NDArray]> {
  const [header, bytes] = unpack(s)
  return [header, await imdecode(bytes, { toRgb: false, ...options })]
}
