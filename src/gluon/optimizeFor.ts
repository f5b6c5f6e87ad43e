/** `optimizeFor`: a block compiled for a backend ahead of its first call. */

import { pause } from '../autograd/index.ts'
import { fail } from '../base/error.ts'
import { checkOptions } from '../base/options.ts'
import { NDArray } from '../ndarray/ndarray.ts'
import { HybridBlock, type HybridizeOptions } from './block.ts'

/** What computes: oneDNN and WebAssembly together, WebAssembly alone, a GPU, or the plain interpreter of tests. */
const backends = ['onednn', 'wasm', 'webgpu', 'reference'] as const
/** The name of a backend. */
export type BackendName = (typeof backends)[number]

/** Options of `optimizeFor`. */
export interface OptimizeForOptions extends Omit<HybridizeOptions, 'active'> {
  /** Which backend the block is to be compiled for; it must be the one that computes where the inputs are. */
  readonly backend: BackendName
  /** Whether a block that is hybridized already forgets what it has compiled; no by default. */
  readonly clear?: boolean
}

declare module './block.ts' {
  interface HybridBlock {
    /**
     * Hybridizes the block and compiles it for inputs such as these, so that its first call is as fast as the others.
     *
     * It runs once as for predicting, which makes parameters that wait for their shapes; the result is dropped. A backend
     * belongs to the device of the inputs: `onednn` or `wasm` to `cpu()`, `webgpu` to `gpu()`.
     * @throws MXNetError for a backend that is not known, or that does not compute where the inputs are.
     * @example
     * const net = new gluon.nn.Dense(3)
     * net.initialize()
     * const backend = mx.runtime.features().isEnabled('ONEDNN') ? 'onednn' : 'wasm'
     * net.optimizeFor(nd.ones([2, 4]), { backend })
     * net.weight.shape // => [3, 4]
     * @see MXNet `HybridBlock.optimize_for`
     */
    optimizeFor(...args: [...inputs: NDArray[], options: OptimizeForOptions]): void
  }
}

const known = [
  'backend',
  'clear',
  'staticAlloc',
  'staticShape',
  'inlineLimit',
  'forwardBulkSize',
  'backwardBulkSize',
]

HybridBlock.prototype.optimizeFor = function (...args) {
  const where = this.constructor.name
  const last = args.at(-1)
  const [inputs, options] = last instanceof NDArray ? [args, {}] : [args.slice(0, -1), last ?? {}]
  checkOptions(where, options, known)
  const { backend, clear = false, ...rest } = options as Partial<OptimizeForOptions>
  if (backend === undefined || !backends.includes(backend))
    fail(where, `there is no backend ${String(backend)}: give one of ${backends.join(', ')}`)
  const [first] = inputs
  if (!(first instanceof NDArray))
    return fail(where, 'inputs are needed: optimizeFor(x, { backend }) compiles for such as x')
  const { name } = first.storage.device.backend
  if (name !== backend)
    fail(
      where,
      `the inputs are on ${first.context}, where ${name} computes: ${backend} does not (mx.runtime.features() says why)`,
    )
  if (clear || !this.hybridized) this.hybridize(rest)
  pause(() => this(...(inputs as NDArray[])))
}
