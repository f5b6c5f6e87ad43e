/** `mx.lrScheduler`: learning rates as functions of the number of updates. */

export { LRScheduler, type SchedulerOptions } from './scheduler.ts'
export { type CosineOptions, CosineScheduler, type PolyOptions, PolyScheduler } from './smooth.ts'
export {
  type FactorOptions,
  FactorScheduler,
  type MultiFactorOptions,
  MultiFactorScheduler,
} from './steps.ts'
