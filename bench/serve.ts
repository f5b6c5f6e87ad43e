// The protocol of a measured process: a request a line on stdin, an answer a line on stdout.
import { createInterface } from 'node:readline'

/*
 * about              = text             what answers: versions, backend
 * cases              = name name …      what this system can run
 * check <case>       = number number …  results by which systems are compared with each other
 * run <case> <reps>  = seconds          the time of that many repetitions, waited for
 * An answer starts with '= ', a failure with '! '; every other line of output is noise.
 */

export interface Served {
  check(): ArrayLike<number> | Promise<ArrayLike<number>>
  run(reps: number): unknown
}

/** Answers until stdin ends; a case is set up at its first request. */
export async function serve(
  about: string,
  cases: Readonly<Record<string, () => Served | Promise<Served>>>,
): Promise<void> {
  console.log = console.error
  const ready = new Map<string, Promise<Served>>()
  const get = (name: string): Promise<Served> => {
    const make = cases[name]
    if (make === undefined) throw new Error(`no case ${name}`)
    const known = ready.get(name) ?? Promise.resolve(make())
    ready.set(name, known)
    return known
  }
  const answer = async (line: string): Promise<string> => {
    const [verb, name = '', reps] = line.split(' ')
    if (verb === 'about') return about.replace(/\s+/g, ' ')
    if (verb === 'cases') return Object.keys(cases).join(' ')
    const served = await get(name)
    if (verb === 'check') return Array.from(await served.check()).join(' ')
    const start = performance.now()
    await served.run(Number(reps))
    return String((performance.now() - start) / 1000)
  }
  for await (const line of createInterface({ input: process.stdin })) {
    let text: string
    try {
      text = `= ${await answer(line)}`
    } catch (error) {
      text = `! ${(error instanceof Error ? error.message : String(error)).replace(/\s+/g, ' ')}`
    }
    process.stdout.write(`${text}\n`)
  }
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
