/** `mx.kv`: values that several devices share. */

export {
  type CompressionParams,
  create,
  type Key,
  KVStore,
  type PullOptions,
  type StoreUpdater,
  type Values,
} from './kvstore.ts'
