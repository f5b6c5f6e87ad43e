// What every measured system is given: a case's form, the same numbers in every language, and what results are known by.

/** A case that is set up. */
export interface Served {
  check(): ArrayLike<number> | Promise<ArrayLike<number>>
  /** Runs it so often. A number that it gives is the seconds, taken where they could not be taken around this call. */
  run(reps: number): unknown
}

/** The same numbers in every language: MurmurHash3's finalizer of the index, in [low, high). */
export function numbers(count: number, seed: number, low: number, high: number): Float32Array {
  const values = new Float32Array(count)
  for (let i = 0; i < count; i++) {
    let h = (i + Math.imul(seed, 0x9e3779b9)) >>> 0
    h = Math.imul(h ^ (h >>> 16), 0x85ebca6b)
    h = Math.imul(h ^ (h >>> 13), 0xc2b2ae35)
    h = (h ^ (h >>> 16)) >>> 0
    values[i] = low + (high - low) * (h / 2 ** 32)
  }
  return values
}

/** Classes 0 to 9. */
export const labels = (count: number, seed: number): Int32Array =>
  Int32Array.from(numbers(count, seed, 0, 10), Math.floor)

/** Weights of a layer as MXNet and PyTorch store them: (out, in). */
export const weights = (out: number, inputs: number, seed: number): Float32Array =>
  numbers(out * inputs, seed, -0.17, 0.17)

/** (rows, columns) -> (columns, rows). */
export function transpose(values: Float32Array, rows: number): Float32Array {
  const columns = values.length / rows
  return values.map((_, i) => values[(i % rows) * columns + Math.floor(i / rows)]!)
}

/** The few numbers a result is known by. */
export const corners = (c: ArrayLike<number | bigint>): number[] =>
  [0, c.length >> 1, c.length - 1].map((i) => Number(c[i]))

/** How many steps the check of training takes; it gives the first loss and the last. */
export const checkSteps = 20
