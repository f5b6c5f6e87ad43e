/** `mx.io`: iterators over batches, as MXNet's programs before Gluon use them. */

export { DataBatch, type DataBatchOptions, DataDesc, type DataDescOptions } from './batch.ts'
export {
  DataIter,
  PrefetchingIter,
  type PrefetchingOptions,
  type Renames,
  ResizeIter,
} from './dataIter.ts'
export { CSVIter, type CSVIterOptions, MNISTIter, type MNISTIterOptions } from './fileIters.ts'
export { type IterSource, NDArrayIter, type NDArrayIterOptions } from './ndarrayIter.ts'
