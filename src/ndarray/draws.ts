/** Random numbers of the program itself, from the stream that arrays are drawn from. */

import { KeyStream } from '../base/random.ts'
import { frame } from '../core/frame.ts'

/** A source of uniform numbers in [0, 1), begun anew from the current device's stream. */
export function hostUniform(): () => number {
  const [key, stream] = frame.keys() as readonly [number, number]
  const words = new KeyStream(key, stream)
  return () => (words.next() >>> 0) / 2 ** 32
}
