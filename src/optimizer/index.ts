/** `mx.optimizer`: how gradients become new weights. */

export { Adam, type AdamOptions } from './adam.ts'
export {
  create,
  type LRScheduler,
  Optimizer,
  type OptimizerOptions,
  type OptimizerState,
  register,
} from './optimizer.ts'
export { SGD, type SGDOptions } from './sgd.ts'
export { getUpdater, Updater } from './updater.ts'
