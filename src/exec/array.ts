/** Arrays as the executor sees them: a block of memory and how the elements lie in it. */

import type { Context } from '../base/context.ts'
import { isDense, type View } from '../base/view.ts'
import type { Aval } from '../core/aval.ts'
import { Tensor } from '../core/tensor.ts'
import { freed, type Storage } from './storage.ts'

/** How the elements of an array lie in its block. Results of one plan share one layout object. */
export class Layout implements View {
  readonly shape: readonly number[]
  readonly strides: readonly number[]
  readonly offset: number
  /** Whether the elements lie in row-major order without gaps. */
  readonly dense: boolean

  constructor(view: View) {
    this.shape = view.shape
    this.strides = view.strides
    this.offset = view.offset
    this.dense = isDense(view)
  }
}

/** A tensor with data. */
export abstract class DeviceArray extends Tensor {
  aval: Aval
  storage: Storage
  layout: Layout

  constructor(value: Aval, storage: Storage, layout: Layout) {
    super()
    this.aval = value
    this.storage = storage
    this.layout = layout
  }

  override get context(): Context {
    return this.storage.device.context
  }
}

let make: (value: Aval, storage: Storage, layout: Layout) => DeviceArray

/** Installed by `ndarray/`: makes the arrays that users hold. */
export function installArrayMaker(maker: typeof make): void {
  make = maker
}

/** Handles made since the innermost memory scope began, or null outside of scopes. */
let scoped: DeviceArray[] | null = null

/** A new handle; the caller has counted it in the storage. */
export function makeArray(value: Aval, storage: Storage, layout: Layout): DeviceArray {
  const array = make(value, storage, layout)
  if (scoped !== null) scoped.push(array)
  return array
}

/** Runs a body, then gives back the arrays it made, except those that `keep` names in its value. */
export function memoryScope<R>(body: () => R, keep: (value: R) => ReadonlySet<unknown>): R {
  const outer = scoped
  const own: DeviceArray[] = []
  scoped = own
  try {
    const value = body()
    const kept = keep(value)
    for (const array of own) {
      if (kept.has(array)) outer?.push(array)
      else free(array)
    }
    return value
  } finally {
    scoped = outer
  }
}

/** Gives up a handle; using it afterwards is an error. */
export function free(array: DeviceArray): void {
  const { storage } = array
  if (storage.address < 0) return
  array.storage = freed(storage.device)
  storage.release()
}

/** Another handle on the same elements. */
export function share(
  array: DeviceArray,
  value: Aval = array.aval,
  layout: Layout = array.layout,
): DeviceArray {
  array.storage.retain()
  return makeArray(value, array.storage, layout)
}
