/** Eigenvalues of general matrices: Hessenberg form, shifted QR steps, and what the triangle says of vectors. */

import { fail } from '../../base/error.ts'
import type { Floats, Routine } from './routine.ts'

/** Rows of a square matrix. */
type Matrix = readonly Float64Array[]

/** Steps after which an eigenvalue is given up, and between which a shift out of the ordinary is tried. */
const mostSteps = 90
const oddStep = 10

/** Rows p and q from column `from` on, turned by (c, s). */
function turnRows(m: Matrix, p: number, q: number, c: number, s: number, from: number): void {
  const [x, y] = [m[p]!, m[q]!]
  for (let k = from; k < x.length; k++) {
    const [u, v] = [x[k]!, y[k]!]
    x[k] = c * u + s * v
    y[k] = c * v - s * u
  }
}

/** Columns p and q of the rows before `to`, turned by (c, s). */
function turnColumns(m: Matrix, p: number, q: number, c: number, s: number, to: number): void {
  for (let i = 0; i < to; i++) {
    const row = m[i]!
    const [u, v] = [row[p]!, row[q]!]
    row[p] = c * u + s * v
    row[q] = c * v - s * u
  }
}

/** The turn that takes (x, y) to (r, 0). */
function turn(x: number, y: number): readonly [c: number, s: number] {
  const r = Math.hypot(x, y)
  return r === 0 ? [1, 0] : [x / r, y / r]
}

/** Zeros below the first diagonal beneath the main one; `q` gathers the turns. */
function toHessenberg(h: Matrix, q: Matrix): void {
  const n = h.length
  for (let k = 0; k < n - 2; k++) {
    for (let i = k + 2; i < n; i++) {
      if (h[i]![k] === 0) continue
      const [c, s] = turn(h[k + 1]![k]!, h[i]![k]!)
      turnRows(h, k + 1, i, c, s, k)
      h[i]![k] = 0
      turnColumns(h, k + 1, i, c, s, n)
      turnColumns(q, k + 1, i, c, s, n)
    }
  }
}

/** One QR step on the rows and columns from `low` to `high`. */
function step(h: Matrix, q: Matrix, low: number, high: number, shift: number): void {
  const n = h.length
  const turns: (readonly [number, number])[] = []
  for (let i = low; i <= high; i++) h[i]![i] = h[i]![i]! - shift
  for (let k = low; k < high; k++) {
    const [c, s] = turn(h[k]![k]!, h[k + 1]![k]!)
    turns.push([c, s])
    turnRows(h, k, k + 1, c, s, k)
    h[k + 1]![k] = 0
  }
  turns.forEach(([c, s], i) => {
    const k = low + i
    turnColumns(h, k, k + 1, c, s, k + 2)
    turnColumns(q, k, k + 1, c, s, n)
  })
  for (let i = low; i <= high; i++) h[i]![i] = h[i]![i]! + shift
}

/** Makes a block of two rows triangular; false where its eigenvalues are complex. */
function split(h: Matrix, q: Matrix, p: number): boolean {
  const n = h.length
  const [a, b, c, d] = [h[p]![p]!, h[p]![p + 1]!, h[p + 1]![p]!, h[p + 1]![p + 1]!]
  const half = (a - d) / 2
  const square = half * half + b * c
  const size = Math.abs(a) + Math.abs(b) + Math.abs(c) + Math.abs(d)
  // Double eigenvalues come out a little apart, or with a little that is imaginary.
  if (square < -1e-14 * size * size) return false
  const root = Math.sqrt(Math.max(square, 0))
  const value = half + (half < 0 ? -root : root)
  // (λ - d, c) is the vector of the eigenvalue λ that is further from d.
  const [x, y] = Math.abs(value) + Math.abs(c) > 0 ? [value, c] : [1, 0]
  const [cos, sin] = turn(x, y)
  turnRows(h, p, p + 1, cos, sin, p)
  turnColumns(h, p, p + 1, cos, sin, p + 2)
  turnColumns(q, p, p + 1, cos, sin, n)
  h[p + 1]![p] = 0
  return true
}

/** The real Schur form of a Hessenberg matrix, in place; false where an eigenvalue is complex. */
function toTriangle(h: Matrix, q: Matrix): boolean {
  let high = h.length - 1
  let steps = 0
  while (high > 0) {
    let low = high
    while (low > 0) {
      const around = Math.abs(h[low]![low]!) + Math.abs(h[low - 1]![low - 1]!)
      if (Math.abs(h[low]![low - 1]!) <= Number.EPSILON * around) break
      low--
    }
    if (low > 0) h[low]![low - 1] = 0
    if (low === high) {
      high--
      steps = 0
      continue
    }
    if (low === high - 1) {
      if (!split(h, q, low)) return false
      high -= 2
      steps = 0
      continue
    }
    if (++steps > mostSteps) return false
    const [a, b] = [h[high - 1]![high - 1]!, h[high - 1]![high]!]
    const [c, d] = [h[high]![high - 1]!, h[high]![high]!]
    const half = (a - d) / 2
    const square = half * half + b * c
    const root = Math.sqrt(Math.max(square, 0))
    const near = square < 0 ? half : half - (half < 0 ? -root : root)
    const odd = Math.abs(c) + Math.abs(h[high - 1]![high - 2]!)
    step(h, q, low, high, steps % oddStep === 0 ? odd : d + near)
  }
  return true
}

/** The eigenvector of the triangle's eigenvalue at `j`, of length 1, as `q` turns it. */
function vectorOf(t: Matrix, q: Matrix, j: number, smallest: number): Float64Array {
  const n = t.length
  const x = new Float64Array(n)
  x[j] = 1
  for (let i = j - 1; i >= 0; i--) {
    let sum = 0
    for (let k = i + 1; k <= j; k++) sum += t[i]![k]! * x[k]!
    const gap = t[i]![i]! - t[j]![j]!
    x[i] = -sum / (Math.abs(gap) < smallest ? smallest : gap)
    const size = Math.abs(x[i]!)
    if (size > 1e100) for (let k = i; k <= j; k++) x[k] = x[k]! / size
  }
  const v = Float64Array.from(q, (row) => row.reduce((sum, value, k) => sum + value * x[k]!, 0))
  const length = Math.hypot(...v)
  return v.map((value) => value / length)
}

/** Numbers: batch, n. Eigenvalues of a matrix whose eigenvalues are real (n), then eigenvectors as columns (n·n). */
export const geev: Routine = ([data], output, [batch, n]) => {
  const size = n! * n!
  for (let b = 0; b < batch!; b++) {
    const source = (data as Floats).subarray(b * size, (b + 1) * size)
    if (!source.every(Number.isFinite)) fail('eig', `matrix ${b} holds NaN or infinities`)
    const h = Array.from({ length: n! }, (_, i) =>
      Float64Array.from(source.subarray(i * n!, (i + 1) * n!)),
    )
    const q = h.map((_, i) => new Float64Array(n!).fill(1, i, i + 1))
    const scale = Math.hypot(...source)
    toHessenberg(h, q)
    if (!toTriangle(h, q))
      fail('eig', `matrix ${b} has complex eigenvalues, and there are no complex arrays here`)
    const out = (output as Floats).subarray(b * (size + n!), (b + 1) * (size + n!))
    const smallest = Math.max(Number.EPSILON * scale, Number.MIN_VALUE)
    for (let j = 0; j < n!; j++) {
      out[j] = h[j]![j]!
      vectorOf(h, q, j, smallest).forEach((value, i) => {
        out[n! + i * n! + j] = value
      })
    }
  }
}
