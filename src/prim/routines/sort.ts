/** Sorting: positions of the elements of each line in order, equal ones as they stood; NaN counts as the largest. */

import type { Elements, Routine } from './routine.ts'

const runLength = 12

/** Numbers: lines, length of a line, 1 for descending. Output int32. */
export const argsort: Routine = ([data], output, [lines, n, descending]) => {
  const order = output as Int32Array
  const from = new Int32Array(n!)
  const to = new Int32Array(n!)
  for (let line = 0; line < lines!; line++) {
    const at = line * n!
    const keys = data!.subarray(at, at + n!)
    for (let i = 0; i < n!; i++) from[i] = i
    const after = descending === 1 ? isLess : isGreater
    order.set(mergeSort(keys, from, to, after), at)
  }
}

type Before = (x: number | bigint, y: number | bigint) => boolean

/** NaN above everything: x !== x only for NaN. */
// biome-ignore lint/suspicious/noSelfCompare: this is how NaN shows
const isGreater: Before = (x, y) => x > y || (x !== x && y === y)
const isLess: Before = (x, y) => isGreater(y, x)

/** Sorts positions by their keys, stably; `after(x, y)` says that x belongs strictly after y. */
function mergeSort(keys: Elements, from: Int32Array, to: Int32Array, after: Before): Int32Array {
  const n = from.length
  for (let start = 0; start < n; start += runLength) {
    const end = Math.min(start + runLength, n)
    for (let i = start + 1; i < end; i++) {
      const p = from[i]!
      const key = keys[p]!
      let j = i - 1
      while (j >= start && after(keys[from[j]!]!, key)) {
        from[j + 1] = from[j]!
        j--
      }
      from[j + 1] = p
    }
  }
  let [source, target] = [from, to]
  for (let width = runLength; width < n; width *= 2) {
    for (let start = 0; start < n; start += 2 * width) {
      const middle = Math.min(start + width, n)
      const end = Math.min(start + 2 * width, n)
      let i = start
      let j = middle
      for (let k = start; k < end; k++) {
        const left = j >= end || (i < middle && !after(keys[source[i]!]!, keys[source[j]!]!))
        target[k] = left ? source[i++]! : source[j++]!
      }
    }
    ;[source, target] = [target, source]
  }
  return source
}
