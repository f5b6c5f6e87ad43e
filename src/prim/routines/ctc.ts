/** Connectionist temporal classification: the probability of label sequences over all their alignments. */

import type { Routine } from './routine.ts'

const nothing = Number.NEGATIVE_INFINITY

/** ln(eᵃ + eᵇ). */
function logAdd(a: number, b: number): number {
  if (a === nothing) return b
  if (b === nothing) return a
  return a > b ? a + Math.log1p(Math.exp(b - a)) : b + Math.log1p(Math.exp(a - b))
}

/**
 * Inputs: logarithms of probabilities (T, N, C), labels (N, L), steps that count (N), labels that count (N); numbers:
 * T, N, C, L and the class that stands for no label. Output: N negative log-likelihoods, then their derivatives with respect
 * to the logarithms (T, N, C). A sequence that cannot be aligned gives 0 and zeros.
 */
export const ctc: Routine = ([logs, labels, steps, counts], output, numbers) => {
  const [T, N, C, L, blank] = numbers as [number, number, number, number, number]
  output.fill(0 as never)
  for (let n = 0; n < N; n++) {
    const frames = Math.min(T, Math.max(0, Number(steps![n])))
    const count = Math.min(L, Math.max(0, Number(counts![n])))
    // The labels with blanks around each of them.
    const path = new Int32Array(2 * count + 1).fill(blank)
    for (let k = 0; k < count; k++) {
      path[2 * k + 1] = Math.min(C - 1, Math.max(0, Number(labels![n * L + k])))
    }
    const S = path.length
    const at = (t: number, s: number): number => Number(logs![(t * N + n) * C + path[s]!])
    /** Whether s may be reached from two places before it: past a blank between different labels. */
    const skips = (s: number): boolean => s >= 2 && path[s] !== blank && path[s] !== path[s - 2]
    if (frames === 0) continue
    const alpha = new Float64Array(frames * S).fill(nothing)
    alpha[0] = at(0, 0)
    if (S > 1) alpha[1] = at(0, 1)
    for (let t = 1; t < frames; t++) {
      const [now, before] = [t * S, (t - 1) * S]
      for (let s = 0; s < S; s++) {
        let sum = alpha[before + s]!
        if (s >= 1) sum = logAdd(sum, alpha[before + s - 1]!)
        if (skips(s)) sum = logAdd(sum, alpha[before + s - 2]!)
        alpha[now + s] = sum + at(t, s)
      }
    }
    const end = (frames - 1) * S
    const total = logAdd(alpha[end + S - 1]!, S > 1 ? alpha[end + S - 2]! : nothing)
    if (total === nothing || Number.isNaN(total)) {
      if (Number.isNaN(total)) output[n] = Number.NaN as never
      continue
    }
    output[n] = -total as never
    let beta = new Float64Array(S).fill(nothing)
    beta[S - 1] = 0
    if (S > 1) beta[S - 2] = 0
    for (let t = frames - 1; t >= 0; t--) {
      for (let s = 0; s < S; s++) {
        const share = Math.exp(alpha[t * S + s]! + beta[s]! - total)
        if (share > 0) {
          const to = N + (t * N + n) * C + path[s]!
          output[to] = (Number(output[to]) - share) as never
        }
      }
      const next = new Float64Array(S)
      for (let s = 0; s < S; s++) {
        let sum = beta[s]! + at(t, s)
        if (s + 1 < S) sum = logAdd(sum, beta[s + 1]! + at(t, s + 1))
        if (s + 2 < S && skips(s + 2)) sum = logAdd(sum, beta[s + 2]! + at(t, s + 2))
        next[s] = sum
      }
      beta = next
    }
  }
}
