/** CIFAR-10 and CIFAR-100: coloured images of 32 × 32, kept as two arrays. */

import { cpu } from '../../../base/context.ts'
import { fail } from '../../../base/error.ts'
import { fromBytes } from '../../../ndarray/creation.ts'
import type { NDArray } from '../../../ndarray/ndarray.ts'
import type { DatasetFile } from '../nodeFiles.ts'
import { type Images, type ImagesOptions, StoredImages } from './stored.ts'

const side = 32
const channels = 3
const pixels = side * side
const named = (name: string): DatasetFile => ({ name, sha1: null })

/** A dataset in records of labels, then pixels, colour by colour; label `which` counts of `labels`. */
function records(
  place: Images['place'],
  files: readonly string[],
  labels: number,
  which: number,
): Images {
  const size = labels + channels * pixels
  return {
    place,
    files: files.map(named),
    decode: (bytes, name) => {
      bytes.forEach((b, i) => {
        if (b.length === 0 || b.length % size !== 0)
          fail(
            name(i),
            `has ${b.length} bytes: it must hold records of ${size} bytes; the binary version is needed`,
          )
      })
      const count = bytes.reduce((sum, b) => sum + b.length / size, 0)
      const images = new Uint8Array(count * channels * pixels)
      const classes = new Int32Array(count)
      let n = 0
      for (const b of bytes) {
        for (let from = 0; from < b.length; from += size, n++) {
          classes[n] = b[from + which]!
          for (let c = 0; c < channels; c++) {
            const plane = from + labels + c * pixels
            const to = n * channels * pixels + c
            for (let p = 0; p < pixels; p++) images[to + p * channels] = b[plane + p]!
          }
        }
      }
      return [
        fromBytes(images, [count, side, side, channels], 'uint8', cpu()),
        fromBytes(new Uint8Array(classes.buffer), [count], 'int32', cpu()),
      ]
    },
  }
}

/** Options of CIFAR10. */
export type CIFAR10Options<T> = ImagesOptions<T>

/**
 * Small photographs of ten kinds of things: 50,000 samples for training and 10,000 for testing.
 *
 * A sample is `[image, label]`: uint8 of shape (32, 32, 3), int32 of shape (). The files `data_batch_1.bin` … and `test_batch.bin`
 * (the binary version, unpacked) are read from `root` when the first sample, the length or a batch is asked for; nothing is downloaded.
 *
 * @throws MXNetError when the files are missing or damaged, at the first use.
 * @example
 * const dataset = new vision.CIFAR10({ root: 'data/cifar10', train: false })
 * @see MXNet `gluon.data.vision.CIFAR10`
 */
export class CIFAR10<T = [NDArray, NDArray]> extends StoredImages<T> {
  constructor(options: CIFAR10Options<T> = {}) {
    const train = [1, 2, 3, 4, 5].map((i) => `data_batch_${i}.bin`)
    const files = (options.train ?? true) ? train : ['test_batch.bin']
    const place = {
      where: 'CIFAR10',
      namespace: 'cifar10',
      archive: 'cifar-10-binary.tar.gz',
      folder: 'cifar-10-batches-bin',
    }
    super(options, records(place, files, 1, 0))
  }
}

/** Options of CIFAR100. */
export interface CIFAR100Options<T> extends ImagesOptions<T> {
  /** Whether labels are the 100 kinds, not the 20 groups of them; no by default. */
  readonly fineLabel?: boolean | undefined
}

/**
 * Small photographs of a hundred kinds of things in twenty groups: 50,000 samples for training and 10,000 for testing.
 *
 * As `CIFAR10`, from the files `train.bin` and `test.bin`; labels are groups, or kinds with `fineLabel`.
 *
 * @throws MXNetError when the files are missing or damaged, at the first use.
 * @example
 * const dataset = new vision.CIFAR100({ root: 'data/cifar100', fineLabel: true })
 * @see MXNet `gluon.data.vision.CIFAR100`
 */
export class CIFAR100<T = [NDArray, NDArray]> extends StoredImages<T> {
  constructor(options: CIFAR100Options<T> = {}) {
    const file = (options.train ?? true) ? 'train.bin' : 'test.bin'
    const place = {
      where: 'CIFAR100',
      namespace: 'cifar100',
      archive: 'cifar-100-binary.tar.gz',
      folder: 'cifar-100-binary',
    }
    super(options, records(place, [file], 2, options.fineLabel ? 1 : 0), ['fineLabel'])
  }
}
