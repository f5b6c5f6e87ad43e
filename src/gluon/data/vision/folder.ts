/** Pictures in folders: one folder for each class. */

import { fail } from '../../../base/error.ts'
import { checkOptions } from '../../../base/options.ts'
import { type Decoder, loadDecoder } from '../../../image/decode.ts'
import { array } from '../../../ndarray/creation.ts'
import type { NDArray } from '../../../ndarray/ndarray.ts'
import { fileError, nodeModule } from '../../../ndarray/nodeFiles.ts'
import { Dataset } from '../dataset.ts'

/** Options of `ImageFolderDataset`. */
export interface ImageFolderOptions<T> {
  /** 1 (the default) for colours, 0 for grey. */
  readonly flag?: 0 | 1
  /** A function of image and label, run when a sample is read. */
  readonly transform?: (data: NDArray, label: NDArray) => T
}

const endings = ['.jpg', '.jpeg', '.png']

/**
 * Pictures in the folders below `root`, each of which is a class: `root/car/0001.jpg`, `root/bus/1.png`.
 *
 * A sample is `[image, label]`: uint8 of shape (H, W, C), int32 of shape (); labels count the folders by name. Node only.
 * `await dataset.prepare()` (a DataLoader does so) before samples are read one by one.
 *
 * @throws MXNetError when `root` is no folder or a picture is damaged.
 * @example
 * const dataset = new vision.ImageFolderDataset('data/vehicles')
 * @see MXNet `gluon.data.vision.ImageFolderDataset`
 */
export class ImageFolderDataset<T = [NDArray, NDArray]> extends Dataset<T> {
  /** Names of the classes, in the order of their labels. */
  readonly synsets: readonly string[]
  /** Paths of the pictures and their labels. */
  readonly items: readonly (readonly [path: string, label: number])[]
  readonly #flag: 0 | 1
  readonly #transform: ((data: NDArray, label: NDArray) => T) | null
  #decode: Decoder | null = null

  constructor(root: string, options: ImageFolderOptions<T> = {}) {
    super()
    const where = 'ImageFolderDataset'
    const { flag = 1, transform = null } = checkOptions(where, options, ['flag', 'transform'])
    if (flag !== 0 && flag !== 1) fail(where, `flag is ${String(flag)}: 1 for colours, 0 for grey`)
    this.#flag = flag
    this.#transform = transform
    const { readdirSync, statSync } = nodeModule(where, 'node:fs')
    const { extname, join } = nodeModule(where, 'node:path')
    const list = (folder: string): string[] => {
      try {
        return readdirSync(folder).sort()
      } catch (e) {
        throw fileError(where, 'read', folder, e)
      }
    }
    const isFolder = (path: string): boolean => statSync(path).isDirectory()
    this.synsets = list(root).filter((name) => isFolder(join(root, name)))
    this.items = this.synsets.flatMap((name, label) => {
      const folder = join(root, name)
      const [pictures, others] = [true, false].map((wanted) =>
        list(folder).filter((file) => endings.includes(extname(file).toLowerCase()) === wanted),
      ) as [string[], string[]]
      if (others.length > 0)
        console.warn(
          `[${where}] ${folder}: ${others.join(', ')} left out, not ${endings.join(', ')}`,
        )
      return pictures.map((file) => [join(folder, file), label] as const)
    })
  }

  get length(): number {
    return this.items.length
  }

  override async prepare(): Promise<void> {
    this.#decode ??= await loadDecoder()
  }

  get(index: number): T {
    const where = 'ImageFolderDataset'
    if (this.#decode === null)
      return fail(where, 'await dataset.prepare() before reading samples, or use a DataLoader')
    const [path, label] = this.items[index]!
    const { readFileSync } = nodeModule(where, 'node:fs')
    let bytes: Uint8Array
    try {
      bytes = readFileSync(path)
    } catch (e) {
      throw fileError(where, 'read', path, e)
    }
    const image = this.#decode(bytes, path, { flag: this.#flag })
    const own = array(label, { dtype: 'int32' })
    return this.#transform === null ? ([image, own] as T) : this.#transform(image, own)
  }
}
