/** Linear algebra on batches of small matrices, computed in float64: factorisations, triangular systems, eigenvalues. */

import { fail } from '../../base/error.ts'
import type { Floats, Routine } from './routine.ts'

/** Numbers: batch, n, 1 for the lower factor. Of a symmetric A, of which one triangle is read: A = L·Lᵀ, or Uᵀ·U. */
export const potrf: Routine = ([data], output, [batch, n, lower]) => {
  const size = n! * n!
  const l = new Float64Array(size)
  for (let b = 0; b < batch!; b++) {
    const a = (data as Floats).subarray(b * size, (b + 1) * size)
    l.fill(0)
    for (let i = 0; i < n!; i++) {
      for (let j = 0; j <= i; j++) {
        let sum = lower === 1 ? a[i * n! + j]! : a[j * n! + i]!
        for (let k = 0; k < j; k++) sum -= l[i * n! + k]! * l[j * n! + k]!
        if (i !== j) l[i * n! + j] = sum / l[j * n! + j]!
        else if (sum > 0) l[i * n! + i] = Math.sqrt(sum)
        else fail('linalg_potrf', `matrix ${b} is not positive definite: pivot ${i} is ${sum}`)
      }
    }
    const out = (output as Floats).subarray(b * size, (b + 1) * size)
    if (lower === 1) out.set(l)
    else for (let i = 0; i < size; i++) out[(i % n!) * n! + Math.floor(i / n!)] = l[i]!
  }
}

/** Numbers: batch, n, columns, 1 for a lower A, 1 for its transpose. X of op(A)·X = B, where A is a triangle. */
export const trsm: Routine = ([triangle, data], output, numbers) => {
  const [batch, n, m, lower, transpose] = numbers as [number, number, number, number, number]
  const x = new Float64Array(n * m)
  for (let b = 0; b < batch; b++) {
    const a = (triangle as Floats).subarray(b * n * n, (b + 1) * n * n)
    x.set((data as Floats).subarray(b * n * m, (b + 1) * n * m))
    const forward = lower !== transpose
    for (let step = 0; step < n; step++) {
      const i = forward ? step : n - 1 - step
      const pivot = a[i * n + i]!
      for (let c = 0; c < m; c++) x[i * m + c]! /= pivot
      for (let r = forward ? i + 1 : 0; r < (forward ? n : i); r++) {
        const factor = transpose === 1 ? a[i * n + r]! : a[r * n + i]!
        if (factor !== 0) for (let c = 0; c < m; c++) x[r * m + c]! -= factor * x[i * m + c]!
      }
    }
    ;(output as Floats).set(x, b * n * m)
  }
}

/** Numbers: batch, m, n with m ≤ n. A = L·Q with rows of Q orthonormal: Q (m·n), then L (m·m), for each matrix. */
export const gelqf: Routine = ([data], output, [batch, rows, columns]) => {
  const [m, n] = [rows!, columns!]
  for (let b = 0; b < batch!; b++) {
    const a = Float64Array.from((data as Floats).subarray(b * m * n, (b + 1) * m * n))
    // Householder vectors, as LAPACK has them: the first element of each is 1.
    const vectors: Float64Array[] = []
    const scales: number[] = []
    for (let i = 0; i < m; i++) {
      const row = a.subarray(i * n + i, (i + 1) * n)
      const { vector, scale, beta } = reflector(row)
      row.fill(0)
      row[0] = beta
      vectors.push(vector)
      scales.push(scale)
      for (let r = i + 1; r < m; r++) reflect(a.subarray(r * n + i, (r + 1) * n), vector, scale)
    }
    const q = new Float64Array(m * n)
    for (let i = 0; i < m; i++) q[i * n + i] = 1
    for (let i = m - 1; i >= 0; i--)
      for (let r = i; r < m; r++)
        reflect(q.subarray(r * n + i, (r + 1) * n), vectors[i]!, scales[i]!)
    const out = (output as Floats).subarray(b * (m * n + m * m), (b + 1) * (m * n + m * m))
    out.set(q)
    for (let i = 0; i < m; i++)
      for (let j = 0; j < m; j++) out[m * n + i * m + j] = j <= i ? a[i * n + j]! : 0
  }
}

/** The reflection I - scale·v·vᵀ that takes a row to (beta, 0, …). */
function reflector(row: Float64Array): { vector: Float64Array; scale: number; beta: number } {
  const vector = Float64Array.from(row)
  const alpha = row[0]!
  let rest = 0
  for (let k = 1; k < row.length; k++) rest += row[k]! ** 2
  vector[0] = 1
  if (rest === 0) return { vector, scale: 0, beta: alpha }
  const beta = -Math.sign(alpha || 1) * Math.sqrt(alpha * alpha + rest)
  for (let k = 1; k < vector.length; k++) vector[k]! /= alpha - beta
  return { vector, scale: (beta - alpha) / beta, beta }
}

function reflect(row: Float64Array, vector: Float64Array, scale: number): void {
  if (scale === 0) return
  let dot = 0
  for (let k = 0; k < vector.length; k++) dot += row[k]! * vector[k]!
  for (let k = 0; k < vector.length; k++) row[k]! -= scale * dot * vector[k]!
}

/**
 * Numbers: batch, n. Eigenvectors of a symmetric A (its lower triangle is read) as rows U (n·n), then eigenvalues,
 * ascending; the element of largest magnitude of each row is positive. Jacobi's rotations.
 */
export const syevd: Routine = ([data], output, [batch, n]) => {
  const size = n! * n!
  for (let b = 0; b < batch!; b++) {
    const source = (data as Floats).subarray(b * size, (b + 1) * size)
    const a = new Float64Array(size)
    const u = new Float64Array(size)
    for (let i = 0; i < n!; i++) {
      u[i * n! + i] = 1
      for (let j = 0; j <= i; j++) {
        a[i * n! + j] = source[i * n! + j]!
        a[j * n! + i] = source[i * n! + j]!
      }
    }
    if (!a.every(Number.isFinite)) fail('linalg_syevd', `matrix ${b} holds NaN or infinities`)
    for (let sweep = 0; sweep < 64; sweep++) if (!rotateAll(a, u, n!)) break
    const order = Array.from({ length: n! }, (_, i) => i).sort(
      (i, j) => a[i * n! + i]! - a[j * n! + j]!,
    )
    const out = (output as Floats).subarray(b * (size + n!), (b + 1) * (size + n!))
    order.forEach((from, i) => {
      const row = u.subarray(from * n!, (from + 1) * n!)
      let largest = 0
      for (const v of row) if (Math.abs(v) > Math.abs(largest)) largest = v
      for (let k = 0; k < n!; k++) out[i * n! + k] = largest < 0 ? -row[k]! : row[k]!
      out[size + i] = a[from * n! + from]!
    })
  }
}

/** One sweep of rotations; false when nothing is left off the diagonal. */
function rotateAll(a: Float64Array, u: Float64Array, n: number): boolean {
  let rotated = false
  for (let p = 0; p < n; p++) {
    for (let q = p + 1; q < n; q++) {
      const off = a[p * n + q]!
      const [dp, dq] = [a[p * n + p]!, a[q * n + q]!]
      if (Math.abs(off) <= 1e-17 * (Math.abs(dp) + Math.abs(dq)) || off === 0) continue
      rotated = true
      const theta = (dq - dp) / (2 * off)
      const t = Math.sign(theta || 1) / (Math.abs(theta) + Math.sqrt(theta * theta + 1))
      const c = 1 / Math.sqrt(t * t + 1)
      const s = t * c
      for (let k = 0; k < n; k++) {
        const [x, y] = [a[k * n + p]!, a[k * n + q]!]
        a[k * n + p] = c * x - s * y
        a[k * n + q] = s * x + c * y
      }
      for (const rows of [a, u]) {
        for (let k = 0; k < n; k++) {
          const [x, y] = [rows[p * n + k]!, rows[q * n + k]!]
          rows[p * n + k] = c * x - s * y
          rows[q * n + k] = s * x + c * y
        }
      }
    }
  }
  return rotated
}

/** Gauss-Jordan elimination with row pivots of [a | right]; the determinant is that of a. */
function eliminate(
  a: Float64Array,
  right: Float64Array | null,
  n: number,
): { sign: number; log: number } {
  let [sign, log] = [1, 0]
  for (let i = 0; i < n; i++) {
    let p = i
    for (let r = i + 1; r < n; r++) if (Math.abs(a[r * n + i]!) > Math.abs(a[p * n + i]!)) p = r
    const pivot = a[p * n + i]!
    if (pivot === 0) return { sign: 0, log: Number.NEGATIVE_INFINITY }
    if (p !== i) sign = -sign
    if (pivot < 0) sign = -sign
    log += Math.log(Math.abs(pivot))
    for (const rows of right === null ? [a] : [a, right]) {
      for (let k = 0; k < n; k++) {
        const held = rows[i * n + k]!
        rows[i * n + k] = rows[p * n + k]! / pivot
        if (p !== i) rows[p * n + k] = held
      }
    }
    for (let r = right === null ? i + 1 : 0; r < n; r++) {
      const factor = a[r * n + i]!
      if (r === i || factor === 0) continue
      for (const rows of right === null ? [a] : [a, right])
        for (let k = 0; k < n; k++) rows[r * n + k]! -= factor * rows[i * n + k]!
    }
  }
  return { sign, log }
}

/** Numbers: batch, n, 1 where a singular matrix is an error and not zeros. */
export const inverse: Routine = ([data], output, [batch, n, strict]) => {
  const size = n! * n!
  for (let b = 0; b < batch!; b++) {
    const a = Float64Array.from((data as Floats).subarray(b * size, (b + 1) * size))
    const right = new Float64Array(size)
    for (let i = 0; i < n!; i++) right[i * n! + i] = 1
    if (eliminate(a, right, n!).sign === 0) {
      if (strict === 1) fail('linalg_inverse', `matrix ${b} is singular`)
      right.fill(0)
    }
    ;(output as Floats).set(right, b * size)
  }
}

/** Numbers: batch, n. For each matrix the sign of the determinant and the logarithm of its magnitude. */
export const slogdet: Routine = ([data], output, [batch, n]) => {
  const size = n! * n!
  for (let b = 0; b < batch!; b++) {
    const a = Float64Array.from((data as Floats).subarray(b * size, (b + 1) * size))
    const { sign, log } = eliminate(a, null, n!)
    ;(output as Floats).set([sign, log], 2 * b)
  }
}
