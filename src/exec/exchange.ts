/** Arrays of one memory on several devices: lent to each other where they lie, in order with the work of both. */

import { type DeviceArray, makeArray, share } from './array.ts'
import type { Device } from './storage.ts'

/** Whether the devices of two arrays work on one memory. */
export const shareMemory = (a: DeviceArray, b: DeviceArray): boolean =>
  a.storage.device.pool === b.storage.device.pool

/** The same elements on another device of the memory; whoever writes first takes a block of its own. */
export function lend(array: DeviceArray, device: Device): DeviceArray {
  const { storage } = array
  storage.check('NDArray')
  if (storage.device === device) return share(array)
  return makeArray(array.aval, storage.lend(device), array.layout)
}

/** Whether two arrays lie in one block, their own or lent. */
export const sharesBlock = (a: DeviceArray, b: DeviceArray): boolean =>
  (a.storage.lender ?? a.storage) === (b.storage.lender ?? b.storage)
