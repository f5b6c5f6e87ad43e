/** Exchanging elements between devices that work on one memory: read where they lie, in order with the work of both. */

import { itemSize } from '../base/dtype.ts'
import { binary, type Expr, load } from '../prim/expr.ts'
import type { LoopKernel, Operand } from '../prim/kernel.ts'
import type { DeviceArray } from './array.ts'
import { ownElements, runInto, writeElements } from './region.ts'

/** Whether the devices of two arrays work on one memory. */
export const shareMemory = (a: DeviceArray, b: DeviceArray): boolean =>
  a.storage.device.pool === b.storage.device.pool

/** Runs work of the target's device that reads arrays of others: after what writes them, before what will. */
function exchange(target: DeviceArray, sources: readonly DeviceArray[], work: () => void): void {
  const { backend } = target.storage.device
  for (const { storage } of sources) {
    storage.check('NDArray')
    backend.waitFor?.(storage.device.backend, storage.written)
  }
  work()
  const { written } = target.storage
  for (const { storage } of sources) storage.device.backend.waitFor?.(backend, written)
}

/** Writes the elements of an array over those of one of the same shape on another device of the memory. */
export function copyElements(target: DeviceArray, source: DeviceArray): void {
  ownElements(target, false)
  exchange(target, [source], () => writeElements(target, target.layout, source))
}

/** Adds arrays of the same shape and dtype, on any devices of the memory, to the target. */
export function addElements(target: DeviceArray, sources: readonly DeviceArray[]): void {
  ownElements(target, true)
  const { dtype, shape } = target
  const all = [target, ...sources]
  const operand = ({ layout }: DeviceArray): Operand => ({
    dtype,
    strides: layout.strides,
    offset: 0,
  })
  const total = all.map((_, i): Expr => load(i, dtype)).reduce((a, b) => binary('add', a, b))
  const kernel: LoopKernel = {
    kind: 'loop',
    dims: shape,
    parallel: shape.length,
    inputs: all.map(operand),
    outputs: [operand(target)],
    body: [total],
    reduce: [],
    epilogue: [],
  }
  const addresses = [...all, target].map(
    ({ storage, layout }) => storage.address + layout.offset * itemSize(dtype),
  )
  exchange(target, sources, () => runInto(target, kernel, addresses))
}
