/** Contexts as users see them: the current one, and how many GPUs there are. */

import { Context, gpu } from '../base/context.ts'
import { frame, withFrame } from '../core/frame.ts'
import { countDevices, deviceOf } from '../exec/storage.ts'

/** The context in which arrays are made when nothing else is said. @see MXNet `mx.current_context` */
export const currentContext = (): Context => frame.context

/**
 * The number of GPUs that programs here can reach.
 *
 * @example
 * const ctx = (await mx.numGpus()) > 0 ? mx.gpu(0) : mx.cpu()
 * @see MXNet `mx.context.num_gpus`
 */
export const numGpus = (): Promise<number> => countDevices('gpu')

/**
 * Bytes of a GPU's memory, `[free, total]`. WebGPU does not tell what a GPU has: total is what its buffers may hold.
 *
 * @throws MXNetError where there is no such GPU.
 * @example
 * if ((await mx.numGpus()) > 0) console.log(await mx.gpuMemoryInfo(0))
 * @see MXNet `mx.context.gpu_memory_info`
 */
export async function gpuMemoryInfo(deviceId = 0): Promise<[free: number, total: number]> {
  const context = gpu(deviceId)
  await context.ready()
  const { backend, pool } = deviceOf(context)
  const total = backend.total ?? 0
  return [total - pool.live, total]
}

declare module '../base/context.ts' {
  interface Context {
    /** Runs a body in which this is the current context; returns the body's value. */
    use<R>(body: () => R): R
    /**
     * Resolves when the device has started; arrays may be made and computed before, and wait for it.
     * @throws MXNetError where there is no such device.
     */
    ready(): Promise<void>
    /** Gives memory that the device keeps for later back to the system. @see MXNet `mx.context.Context.empty_cache` */
    emptyCache(): void
  }
}

Context.prototype.use = function (body) {
  return withFrame({ context: this }, body)
}

Context.prototype.ready = async function () {
  await deviceOf(this).backend.ready?.()
}

Context.prototype.emptyCache = function () {
  const device = deviceOf(this)
  device.pool.emptyCache(device)
}
