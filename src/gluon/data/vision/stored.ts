/** Datasets of labelled images that are kept as two arrays, read from files when they are first asked for. */

import { fail } from '../../../base/error.ts'
import { checkOptions } from '../../../base/options.ts'
import type { NDArray } from '../../../ndarray/ndarray.ts'
import { type Columns, Dataset } from '../dataset.ts'
import {
  type DatasetFile,
  type DatasetPlace,
  defaultRoot,
  readDatasetFile,
  readDatasetFileSync,
} from '../nodeFiles.ts'

/** Options of datasets of images. */
export interface ImagesOptions<T> {
  /** Folder of the files; `$MXNET_HOME/datasets/<name>` when left out. In a browser, an address. */
  readonly root?: string | undefined
  /** The samples for training (the default), or those for testing. */
  readonly train?: boolean | undefined
  /** A function of image and label, run when a sample is read (see `DataLoader` for when it is run on batches). */
  readonly transform?: ((data: NDArray, label: NDArray) => T) | undefined
}

/** What tells one dataset from another. */
export interface Images {
  readonly place: Omit<DatasetPlace, 'root'>
  readonly files: readonly DatasetFile[]
  /** Images and labels from the bytes of the files; `name` gives a file's name for messages. */
  readonly decode: (
    bytes: readonly Uint8Array[],
    name: (file: number) => string,
    root: string,
  ) => readonly [NDArray, NDArray]
}

/** Images and labels, read when the first sample is asked for. */
export abstract class StoredImages<T> extends Dataset<T> {
  readonly #transform: ((data: NDArray, label: NDArray) => T) | null
  readonly #place: DatasetPlace
  readonly #images: Images
  #arrays: readonly [NDArray, NDArray] | null = null
  #reading: Promise<void> | null = null

  constructor(options: ImagesOptions<T>, kind: Images, known: readonly string[] = []) {
    super()
    const { where, namespace } = kind.place
    checkOptions(where, options, ['root', 'train', 'transform', ...known])
    const { root = defaultRoot(namespace), transform } = options
    if (typeof root !== 'string') fail(where, 'root must be the path of a folder')
    if (transform !== undefined && typeof transform !== 'function') {
      fail(where, 'transform must be a function of data and label')
    }
    this.#transform = transform ?? null
    this.#place = { ...kind.place, root }
    this.#images = kind
  }

  get length(): number {
    return this.#read()[1].shape[0]!
  }

  get(index: number): T {
    const [images, labels] = this.#read()
    const [data, label] = [images.at(index), labels.at(index)]
    return this.#transform === null ? ([data, label] as T) : this.#transform(data, label)
  }

  override async prepare(): Promise<void> {
    if (this.#arrays !== null) return
    this.#reading ??= this.#readAsync().finally(() => {
      this.#reading = null
    })
    await this.#reading
  }

  override columns(): Columns {
    return { arrays: this.#read(), row: null, fn: this.#transform, tuple: true }
  }

  async #readAsync(): Promise<void> {
    const bytes: Uint8Array[] = []
    for (const file of this.#images.files) bytes.push(await readDatasetFile(this.#place, file))
    this.#arrays ??= this.#decode(bytes)
  }

  #read(): readonly [NDArray, NDArray] {
    this.#arrays ??= this.#decode(
      this.#images.files.map((file) => readDatasetFileSync(this.#place, file)),
    )
    return this.#arrays
  }

  #decode(bytes: readonly Uint8Array[]): readonly [NDArray, NDArray] {
    const { where, root } = this.#place
    const { files, decode } = this.#images
    return decode(bytes, (i) => `${where} ${files[i]!.name.replace(/\.gz$/, '')}`, root)
  }
}
