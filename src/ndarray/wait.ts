/** Waiting for all devices. */

import { activeDevices } from '../exec/storage.ts'

/**
 * Resolves when all work on all devices is done; rejects with the first error that no read has shown yet.
 *
 * @example
 * await nd.waitAll()
 * @see MXNet `mx.nd.waitall`
 */
export async function waitAll(): Promise<void> {
  for (const device of activeDevices()) {
    await device.backend.sync()
    await device.breathe()
  }
}
