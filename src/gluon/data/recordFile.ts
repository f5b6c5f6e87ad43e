/** Samples that are records of a file. */

import { MXIndexedRecordIO } from '../../io/recordio.ts'
import { Dataset } from './dataset.ts'

/**
 * The records of a file with an index beside it (`train.rec`, `train.idx`), each a sample of bytes. Node only.
 * @throws MXNetError when a file is missing or damaged.
 * @example
 * const dataset = new RecordFileDataset('train.rec')
 * @see MXNet `gluon.data.RecordFileDataset`
 */
export class RecordFileDataset extends Dataset<Uint8Array> {
  readonly #file: MXIndexedRecordIO

  constructor(filename: string) {
    super()
    this.#file = new MXIndexedRecordIO(filename.replace(/\.[^./\\]*$/, '.idx'), filename, 'r')
  }

  get length(): number {
    return this.#file.keys.length
  }

  get(index: number): Uint8Array {
    return this.#file.readIdx(this.#file.keys[index]!)
  }
}
