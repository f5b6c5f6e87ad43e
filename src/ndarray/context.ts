/** Contexts as users see them: the current one, and how many GPUs there are. */

import { Context } from '../base/context.ts'
import { frame, withFrame } from '../core/frame.ts'
import { hasDevice } from '../exec/storage.ts'

/** The context in which arrays are made when nothing else is said. @see MXNet `mx.current_context` */
export const currentContext = (): Context => frame.context

/** The number of GPUs; 0 until the WebGPU backend arrives. @see MXNet `mx.context.num_gpus` */
export const numGpus = async (): Promise<number> => (hasDevice('gpu') ? 1 : 0)

declare module '../base/context.ts' {
  interface Context {
    /** Runs a body in which this is the current context; returns the body's value. */
    use<R>(body: () => R): R
  }
}

Context.prototype.use = function (body) {
  return withFrame({ context: this }, body)
}
