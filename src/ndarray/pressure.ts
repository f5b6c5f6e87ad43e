/** Memory pressure: how long-running loops outside the executor give the garbage collector its turn. */

import { activeMemories } from '../exec/storage.ts'

/** Gives the collector a turn on every device that has handed out much memory; cheap when none has. */
export async function breathe(): Promise<void> {
  for (const device of activeMemories()) await device.breathe()
}
