/** Writing a region of an array in place: the one kernel that changes part of a block. */

import type { Backend, Compiled } from '../backend/backend.ts'
import { Cache } from '../base/cache.ts'
import { isFloat, itemSize } from '../base/dtype.ts'
import { rowMajor } from '../base/shape.ts'
import { broadcast, type View } from '../base/view.ts'
import { cast, load, param } from '../prim/expr.ts'
import { kernelKey, type LoopKernel, type Operand } from '../prim/kernel.ts'
import { type DeviceArray, Layout } from './array.ts'

/** Writes `value`, broadcast and cast, to the elements of `target` that `region` names (a view of its block). */
export function writeElements(
  target: DeviceArray,
  region: View,
  value: DeviceArray | number,
): void {
  target.storage.check('NDArray')
  if (typeof value !== 'number') value.storage.check('NDArray')
  const { backend } = target.storage.device
  const { dtype } = target
  const rank = region.shape.length
  const operand = (view: View, type: typeof dtype): Operand => ({
    dtype: type,
    strides: view.strides,
    offset: 0,
  })
  const addressOf = (array: DeviceArray, view: View): number =>
    array.storage.address + view.offset * itemSize(array.dtype)
  const source = typeof value === 'number' ? null : broadcast(value.layout, region.shape)
  const kernel: LoopKernel = {
    kind: 'loop',
    dims: region.shape,
    parallel: rank,
    inputs: source === null ? [] : [operand(source, (value as DeviceArray).dtype)],
    outputs: [operand(region, dtype)],
    body: [source === null ? numberOf(dtype) : cast(load(0, (value as DeviceArray).dtype), dtype)],
    reduce: [],
    epilogue: [],
  }
  const inputs = source === null ? [] : [addressOf(value as DeviceArray, source)]
  compiledFor(backend, kernel).run(
    [...inputs, addressOf(target, region)],
    source === null ? [value as number] : [],
  )
}

const compiled = new WeakMap<Backend, Cache<string, Compiled>>()
const cacheLimit = 512

function compiledFor(backend: Backend, kernel: LoopKernel): Compiled {
  let known = compiled.get(backend)
  if (known === undefined) {
    known = new Cache(cacheLimit)
    compiled.set(backend, known)
  }
  return known.get(kernelKey(kernel), () => backend.compile(kernel))
}

const numberOf = (dtype: DeviceArray['dtype']) =>
  isFloat(dtype) ? param(0, dtype) : cast(param(0, 'float64'), dtype)

/** Makes the block of an array its own and row-major, so that writing changes nothing else. */
export function ownElements(array: DeviceArray, keep: boolean): void {
  if (array.storage.shares === 1 && array.layout.dense && array.layout.offset === 0) return
  const { storage } = array
  const layout = new Layout({ shape: array.shape, strides: rowMajor(array.shape), offset: 0 })
  const fresh = storage.device.allocate(array.size * itemSize(array.dtype))
  const before = { storage, layout: array.layout }
  array.storage = fresh
  array.layout = layout
  if (keep) writeElements(array, layout, { ...before, dtype: array.dtype } as DeviceArray)
  storage.release()
}
