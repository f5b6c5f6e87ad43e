/** Counter-based random bits (Threefry-2x32, 20 rounds): the same key and counter give the same bits on every device. */

const rotations = [13, 15, 26, 6, 17, 29, 16, 24] as const
const parity = 0x1bd11bda

/**
 * Threefry-2x32 with 20 rounds; returns the first word xor the second, as a signed 32-bit integer.
 *
 * Source: Salmon et al., "Parallel random numbers: as easy as 1, 2, 3", SC 2011.
 */
export function threefry(key0: number, key1: number, counter: number): number {
  const keys = [key0 | 0, key1 | 0, key0 ^ key1 ^ parity]
  let x0 = keys[0]!
  let x1 = (counter + keys[1]!) | 0
  for (let round = 0; round < 20; round++) {
    x0 = (x0 + x1) | 0
    const r = rotations[round % 8]!
    x1 = ((x1 << r) | (x1 >>> (32 - r))) ^ x0
    if (round % 4 === 3) {
      const s = (round + 1) / 4
      x0 = (x0 + keys[s % 3]!) | 0
      x1 = (x1 + keys[(s + 1) % 3]! + s) | 0
    }
  }
  return x0 ^ x1
}

/** The facts a code generator needs to emit `threefry`. */
export const threefryRotations: readonly number[] = rotations
/** The Skein parity constant of the key schedule. */
export const threefryParity = parity

/** A seeded stream of 32-bit keys for operators, and of indices for shuffling. */
export class KeyStream {
  #seed: number
  #stream: number
  #counter = 0

  constructor(seed: number, stream = 0) {
    this.#seed = seed | 0
    this.#stream = stream | 0
  }

  /** The next 32 random bits as a signed integer. */
  next(): number {
    return threefry(this.#seed, this.#stream, this.#counter++)
  }

  /** A uniform integer from 0 to n - 1, unbiased. */
  below(n: number): number {
    const limit = 4294967296 - (4294967296 % n)
    for (;;) {
      const bits = this.next() >>> 0
      if (bits < limit) return bits % n
    }
  }

  /** Indices 0 … n - 1 in random order (Fisher-Yates). */
  permutation(n: number): Int32Array {
    const order = new Int32Array(n)
    for (let i = 0; i < n; i++) order[i] = i
    for (let i = n - 1; i > 0; i--) {
      const j = this.below(i + 1)
      const swap = order[i]!
      order[i] = order[j]!
      order[j] = swap
    }
    return order
  }
}
