/** `mx.optimizer`: how gradients become new weights. */

export {
  Adam,
  Adamax,
  type AdamOptions,
  AdamW,
  type AdamWOptions,
  FTML,
  type FTMLOptions,
  Nadam,
  type NadamOptions,
} from './adam.ts'
export {
  AdaDelta,
  type AdaDeltaOptions,
  AdaGrad,
  type AdaGradOptions,
  Ftrl,
  type FtrlOptions,
  RMSProp,
  type RMSPropOptions,
} from './adaptive.ts'
export * as contrib from './contrib.ts'
export {
  LAMB,
  type LAMBOptions,
  LARS,
  type LARSOptions,
  LBSGD,
  type LBSGDOptions,
} from './largeBatch.ts'
export {
  create,
  type LRScheduler,
  Optimizer,
  type OptimizerOptions,
  type OptimizerState,
  register,
} from './optimizer.ts'
export {
  ccSGD,
  DCASGD,
  type DCASGDOptions,
  NAG,
  SGD,
  type SGDOptions,
  SGLD,
  Signum,
  type SignumOptions,
  Test,
} from './sgd.ts'
export { getUpdater, Updater } from './updater.ts'
