/** `mx.optimizer.contrib`: optimizers that MXNet keeps apart. */

export { GroupAdaGrad } from './adaptive.ts'
