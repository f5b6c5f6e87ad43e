/** Pictures in a file of records. */

import { fail } from '../../../base/error.ts'
import { checkOptions } from '../../../base/options.ts'
import { type Decoder, loadDecoder } from '../../../image/decode.ts'
import { unpack } from '../../../io/recordio.ts'
import { array } from '../../../ndarray/creation.ts'
import type { NDArray } from '../../../ndarray/ndarray.ts'
import { Dataset } from '../dataset.ts'
import { RecordFileDataset } from '../recordFile.ts'

/** Options of `ImageRecordDataset`. */
export interface ImageRecordOptions<T> {
  /** 1 (the default) for colours, 0 for grey. */
  readonly flag?: 0 | 1
  /** A function of image and label, run when a sample is read. */
  readonly transform?: (data: NDArray, label: NDArray) => T
}

/**
 * The pictures of a file of records with an index beside it, as MXNet's `im2rec` makes them.
 *
 * A sample is `[image, label]`: uint8 of shape (H, W, C); float32 of shape (), or (n) where the header has n labels. Node only.
 * `await dataset.prepare()` (a DataLoader does so) before samples are read one by one.
 *
 * @throws MXNetError when a file is missing or damaged.
 * @example
 * const dataset = new vision.ImageRecordDataset('train.rec')
 * @see MXNet `gluon.data.vision.ImageRecordDataset`
 */
export class ImageRecordDataset<T = [NDArray, NDArray]> extends Dataset<T> {
  readonly #records: RecordFileDataset
  readonly #name: string
  readonly #flag: 0 | 1
  readonly #transform: ((data: NDArray, label: NDArray) => T) | null
  #decode: Decoder | null = null

  constructor(filename: string, options: ImageRecordOptions<T> = {}) {
    super()
    const where = 'ImageRecordDataset'
    const { flag = 1, transform = null } = checkOptions(where, options, ['flag', 'transform'])
    if (flag !== 0 && flag !== 1) fail(where, `flag is ${String(flag)}: 1 for colours, 0 for grey`)
    this.#records = new RecordFileDataset(filename)
    this.#name = filename
    this.#flag = flag
    this.#transform = transform
  }

  get length(): number {
    return this.#records.length
  }

  override async prepare(): Promise<void> {
    this.#decode ??= await loadDecoder()
  }

  get(index: number): T {
    if (this.#decode === null) {
      const advice = 'await dataset.prepare() before reading samples, or use a DataLoader'
      return fail('ImageRecordDataset', advice)
    }
    const [header, bytes] = unpack(this.#records.get(index))
    const image = this.#decode(bytes, `${this.#name}, picture ${index}`, { flag: this.#flag })
    const label = array(header.label, { dtype: 'float32' })
    return this.#transform === null ? ([image, label] as T) : this.#transform(image, label)
  }
}
