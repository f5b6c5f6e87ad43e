/** Writing a region of an array, or elements at places, in place: the kernels that change part of a block. */

import type { Backend, Compiled } from '../backend/backend.ts'
import { Cache } from '../base/cache.ts'
import { isFloat, itemSize } from '../base/dtype.ts'
import { rowMajor } from '../base/shape.ts'
import { broadcast, type View } from '../base/view.ts'
import { frame } from '../core/frame.ts'
import { cast, load, param } from '../prim/expr.ts'
import {
  type Kernel,
  kernelKey,
  type LoopKernel,
  type Operand,
  type ScatterKernel,
} from '../prim/kernel.ts'
import { type DeviceArray, Layout } from './array.ts'

/** Writes `value`, broadcast and cast, to the elements of `target` that `region` names (a view of its block). */
export function writeElements(
  target: DeviceArray,
  region: View,
  value: DeviceArray | number,
): void {
  target.storage.check('NDArray')
  if (typeof value !== 'number') value.storage.check('NDArray')
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
  const numbers = source === null ? [value as number] : []
  runInto(target, kernel, [...inputs, addressOf(target, region)], numbers)
}

/**
 * Sets the elements of a dense array at row-major places (int32, inside it) to `value`, broadcast to the shape of the
 * places and cast; of several values for one place the last stays.
 */
export function scatterElements(
  target: DeviceArray,
  places: DeviceArray,
  value: DeviceArray | number,
): void {
  const { dtype } = target
  const dims = places.shape
  const operand = (array: DeviceArray, view: View): Operand => ({
    dtype: array.dtype,
    strides: view.strides,
    offset: view.offset,
  })
  const arrays = typeof value === 'number' ? [places] : [places, value]
  for (const array of arrays) array.storage.check('NDArray')
  const kernel: ScatterKernel = {
    kind: 'scatter',
    dims,
    inputs: arrays.map((array) => operand(array, broadcast(array.layout, dims))),
    output: { dtype, strides: dims.map(() => 0), offset: 0 },
    at: [{ index: load(0, 'int32'), size: target.size, stride: 1 }],
    value: typeof value === 'number' ? numberOf(dtype) : cast(load(1, value.dtype), dtype),
    op: 'set',
  }
  const addresses = [...arrays, target].map((array) => array.storage.address)
  runInto(target, kernel, addresses, typeof value === 'number' ? [value] : [])
}

const compiled = new WeakMap<Backend, Cache<string, Compiled>>()
const cacheLimit = 512

/** Runs a kernel, compiled once, that changes the block of an array; reads of it wait for that. */
export function runInto(
  target: DeviceArray,
  kernel: Kernel,
  addresses: readonly number[],
  numbers: readonly number[] = [],
): void {
  const { storage } = target
  const { backend } = storage.device
  frame.calls++
  compiledFor(backend, kernel).run(addresses, numbers)
  storage.written = backend.mark?.() ?? 0
}

function compiledFor(backend: Backend, kernel: Kernel): Compiled {
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
  if (array.storage.alone && array.layout.dense && array.layout.offset === 0) return
  const { storage } = array
  const layout = new Layout({ shape: array.shape, strides: rowMajor(array.shape), offset: 0 })
  const fresh = storage.device.allocate(array.size * itemSize(array.dtype))
  const before = { storage, layout: array.layout }
  array.storage = fresh
  array.layout = layout
  if (keep) writeElements(array, layout, { ...before, dtype: array.dtype } as DeviceArray)
  storage.release()
}
