/** Batches of what files hold: tables of numbers and MNIST's images. */

import type { DType } from '../base/dtype.ts'
import { fail } from '../base/error.ts'
import { checkOptions } from '../base/options.ts'
import { formatShape, type Shape, sizeOf } from '../base/shape.ts'
import { array } from '../ndarray/creation.ts'
import type { NDArray } from '../ndarray/ndarray.ts'
import { fileError, nodeModule } from '../ndarray/nodeFiles.ts'
import { permutation } from '../ndarray/random.ts'
import { take } from '../ops/indexing.ts'
import { parseIdx } from './idx.ts'
import { NDArrayIter } from './ndarrayIter.ts'

/** No file of images here is larger; a packed file that claims to be is not unpacked. */
const unpackedLimit = 256 * 1024 * 1024

function bytesOf(where: string, file: string): Uint8Array {
  try {
    const bytes = nodeModule(where, 'node:fs').readFileSync(file)
    if (bytes[0] !== 0x1f || bytes[1] !== 0x8b) return bytes
    return nodeModule(where, 'node:zlib').gunzipSync(bytes, { maxOutputLength: unpackedLimit })
  } catch (error) {
    throw fileError(where, 'read', file, error)
  }
}

/** The numbers of a CSV file, so many a line. */
function table(file: string, columns: number): Float64Array {
  const lines = new TextDecoder().decode(bytesOf('CSVIter', file)).split(/\r?\n/)
  while (lines.at(-1)?.trim() === '') lines.pop()
  const values = new Float64Array(lines.length * columns)
  lines.forEach((line, i) => {
    const cells = line.split(',')
    const where = `'${file}', line ${i + 1}`
    if (cells.length !== columns)
      fail('CSVIter', `${where} has ${cells.length} numbers: its shape takes ${columns}`)
    cells.forEach((cell, k) => {
      const value = Number(cell)
      if (cell.trim() === '' || (Number.isNaN(value) && cell.trim().toLowerCase() !== 'nan'))
        fail('CSVIter', `${where} has '${cell.trim()}' where a number is needed`)
      values[i * columns + k] = value
    })
  })
  return values
}

function checkedShape(where: string, what: string, shape: unknown): Shape {
  const list = typeof shape === 'number' ? [shape] : shape
  const fits = Array.isArray(list) && list.every((d) => Number.isInteger(d) && d > 0)
  if (!fits) fail(where, `${what} is ${String(shape)}: it must be a list of whole numbers above 0`)
  return list as Shape
}

/** Options of a `CSVIter`. */
export interface CSVIterOptions {
  /** The file of the data: a sample a line, its numbers separated by commas. */
  readonly dataCsv: string
  /** The shape of a sample. */
  readonly dataShape: Shape
  /** The file of the labels; without it they are 0. */
  readonly labelCsv?: string | null
  readonly labelShape?: Shape
  readonly batchSize: number
  /** Whether the samples that fill up the last batch are taken from the next pass (true), or come once more in it. */
  readonly roundBatch?: boolean
  readonly dtype?: DType
  readonly dataName?: string
  readonly labelName?: string
}

/**
 * Batches of tables of numbers in text files. Node only.
 *
 * `(batchSize, dataShape…)` and `(batchSize, labelShape…)`; a label of one number is `(batchSize)`. The last batch is filled
 * up from the beginning.
 * @throws MXNetError when a file is missing, or a line of it does not hold the numbers of a sample.
 * @example
 * const iter = new io.CSVIter({ dataCsv: 'x.csv', dataShape: [3], labelCsv: 'y.csv', batchSize: 2 })
 * @see MXNet `mx.io.CSVIter`
 */
export class CSVIter extends NDArrayIter {
  readonly #round: boolean

  constructor(options: CSVIterOptions) {
    const {
      dataCsv,
      labelCsv,
      batchSize,
      roundBatch = true,
      dtype = 'float32',
      dataName = 'data',
      labelName = 'label',
    } = checkOptions('CSVIter', options, [
      'dataCsv',
      'dataShape',
      'labelCsv',
      'labelShape',
      'batchSize',
      'roundBatch',
      'dtype',
      'dataName',
      'labelName',
    ])
    const read = (file: string, shape: Shape): NDArray => {
      const values = table(file, sizeOf(shape))
      return array(values, { dtype }).reshape([values.length / sizeOf(shape), ...shape])
    }
    const data = read(dataCsv, checkedShape('CSVIter', 'dataShape', options.dataShape))
    const shape = checkedShape('CSVIter', 'labelShape', options.labelShape ?? [1])
    const count = data.shape[0]!
    const label =
      typeof labelCsv === 'string'
        ? read(labelCsv, shape)
        : array(new Float64Array(count * sizeOf(shape)), { dtype }).reshape([count, ...shape])
    const labels = sizeOf(shape) === 1 ? label.reshape([-1]) : label
    super(data, labels, { batchSize, dataName, labelName })
    this.#round = roundBatch
  }

  override reset(): void {
    const pad = this.cursor < 0 ? 0 : this.getPad()
    super.reset()
    if (this.#round) this.cursor += pad
  }
}

/** Options of an `MNISTIter`. */
export interface MNISTIterOptions {
  /** The file of the images, raw or gzipped. */
  readonly image?: string
  readonly label?: string
  /** 128 by default. */
  readonly batchSize?: number
  /** Whether the samples are in one random order (true). */
  readonly shuffle?: boolean
  /** Whether an image is a row of numbers. */
  readonly flat?: boolean
  /** Into how many parts the file is cut, and which of them is wanted. */
  readonly numParts?: number
  readonly partIndex?: number
  readonly dataName?: string
  readonly labelName?: string
}

/**
 * Batches of MNIST's files. Node only.
 *
 * Images are float32, divided by 256: `(batchSize, 1, 28, 28)`, or `(batchSize, 784)` if `flat`; labels `(batchSize)`. Samples
 * that do not fill a batch are left out.
 * @throws MXNetError when a file is missing or no such file, and for parts that are not there.
 * @example
 * const iter = new io.MNISTIter({ image: 'train-images-idx3-ubyte', label: 'train-labels-idx1-ubyte', flat: true })
 * @see MXNet `mx.io.MNISTIter`
 */
export class MNISTIter extends NDArrayIter {
  constructor(options: MNISTIterOptions = {}) {
    const {
      image = './train-images-idx3-ubyte',
      label = './train-labels-idx1-ubyte',
      batchSize = 128,
      shuffle = true,
      flat = false,
      numParts = 1,
      partIndex = 0,
      dataName = 'data',
      labelName = 'label',
    } = checkOptions('MNISTIter', options, [
      'image',
      'label',
      'batchSize',
      'shuffle',
      'flat',
      'numParts',
      'partIndex',
      'dataName',
      'labelName',
    ])
    const images = parseIdx(bytesOf('MNISTIter', image), 3, image)
    const labels = parseIdx(bytesOf('MNISTIter', label), 1, label)
    const [count, rows, columns] = images.shape as [number, number, number]
    if (labels.shape[0] !== count) {
      const shapes = `${formatShape(images.shape)} and ${formatShape(labels.shape)}`
      fail('MNISTIter', `images and labels are ${shapes}: they do not belong together`)
    }
    const whole = Number.isInteger(numParts) && Number.isInteger(partIndex)
    if (!whole || partIndex < 0 || partIndex >= numParts)
      fail('MNISTIter', `part ${partIndex} of ${numParts}: parts are counted from 0`)
    const [from, to] = [partIndex, partIndex + 1].map((k) => Math.floor((count * k) / numParts))
    const size = rows * columns
    const shape = flat ? [size] : [1, rows, columns]
    const pixels = array(images.values.subarray(from! * size, to! * size), { dtype: 'float32' })
    const x = pixels.div(256).reshape([-1, ...shape])
    const y = array(labels.values.subarray(from, to), { dtype: 'float32' })
    const order = shuffle ? array(permutation(to! - from!)) : null
    const turned = (a: NDArray): NDArray => (order === null ? a : take(a, order, { axis: 0 }))
    const rest = { batchSize, dataName, labelName, lastBatchHandle: 'discard' } as const
    super(turned(x), turned(y), rest)
  }
}
