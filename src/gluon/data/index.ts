/** The namespace `gluon.data`: datasets, samplers and the DataLoader. */

export { type Batched, defaultBatchifyFn } from './batchify.ts'
export { DataLoader, type DataLoaderOptions } from './dataloader.ts'
export {
  ArrayDataset,
  type Columns,
  Dataset,
  type Indexable,
  SimpleDataset,
  type TransformOptions,
} from './dataset.ts'
export { RecordFileDataset } from './recordFile.ts'
export {
  BatchSampler,
  FilterSampler,
  type LastBatch,
  RandomSampler,
  Sampler,
  SequentialSampler,
} from './sampler.ts'
export * as vision from './vision/index.ts'
