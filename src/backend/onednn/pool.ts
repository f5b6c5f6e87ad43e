/** Max pooling by the bridge: what is claimed, and how it is described. */

import type { Operand } from '../../prim/kernel.ts'
import type { PoolKernel } from '../../prim/window.ts'
import type { Code, Compiled } from '../backend.ts'
import type { NativeBridge } from './bridge.ts'

/** Pooling of fewer elements of windows runs faster without the way into native code. */
const leastWork = 1024

/** The description of pooling for the bridge, with axes of one element added in front; see `PoolField`. */
function describe(
  { mode, sizes }: PoolKernel,
  x: Operand,
  y: Operand,
  result: Operand,
): Float64Array<ArrayBuffer> {
  const [batch, channels] = sizes.lines as [number, number]
  const missing = 2 - sizes.x.length
  const axis = (d: number): number[] => {
    const at = d - missing
    if (at < 0) return [1, 1, 1, 1, 1, 0]
    const { window, y, stride, dilate, pad } = sizes
    return [sizes.x[at]!, window[at]!, y[at]!, stride[at]!, dilate[at]!, pad[at]!]
  }
  const strides = ({ strides: [first, , ...axes] }: Operand): number[] => [
    first!,
    ...new Array<number>(missing).fill(0),
    ...axes,
  ]
  return Float64Array.from([
    ...[mode === 'max' ? 0 : 1, batch, channels],
    ...[...axis(0), ...axis(1)],
    ...[...strides(x), ...strides(y), ...strides(result)],
  ])
}

/** Claims max pooling or its gradient over one or two axes where channels lie last; null where WebAssembly should run it. */
export function claimPool(
  kernel: PoolKernel,
  bridge: NativeBridge,
  handles: FinalizationRegistry<number>,
): Compiled | null {
  const { mode, sizes, inputs, output } = kernel
  const operands = [...inputs, output]
  if (mode === 'pick' || sizes.lines.length !== 2 || sizes.x.length > 2) return null
  if (operands.some((o) => o.dtype !== 'float32' || o.strides[1] !== 1)) return null
  const work = [...sizes.lines, ...sizes.y, ...sizes.window].reduce((a, b) => a * b, 1)
  if (work < leastWork) return null
  const [x, y] = [inputs[0]!, mode === 'max' ? output : inputs[1]!]
  const spec = describe(kernel, x, y, output)
  const handle = bridge.poolCreate(spec)
  if (handle < 0) return null
  const code: Code = { kind: 'native', name: 'pool', bytes: new Uint8Array(spec.buffer) }
  const call = (addresses: readonly number[]): [number, number, number] => {
    const at = (i: number): number => addresses[i]! + 4 * operands[i]!.offset
    return [at(0), at(1), mode === 'max' ? 0 : at(2)]
  }
  const compiled: Compiled = {
    run: (addresses) => void bridge.poolRun(handle, ...call(addresses)),
    send: (sink, addresses) => sink.call(code, call(addresses)),
  }
  handles.register(compiled, handle)
  return compiled
}
