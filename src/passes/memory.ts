/** Memory planning: temporaries of a program share one arena by lifetime. */

import type { Fused } from './fuse.ts'

/** Where temporaries lie in the arena. */
export interface Arena {
  readonly bytes: number
  /** Offset of each buffer in the arena, or -1 for inputs and results. */
  readonly offsets: readonly number[]
}

const align = (n: number): number => Math.ceil(n / 64) * 64

/** Lays out the temporaries of a program: two that are alive at the same step never overlap. */
export function planMemory(fused: Fused): Arena {
  const kept = new Set(fused.outputs.map((o) => o.buffer))
  const first = new Map<number, number>()
  const last = new Map<number, number>()
  fused.steps.forEach((step, i) => {
    for (const b of step.buffers) {
      if (fused.buffers[b]!.input !== null || kept.has(b)) continue
      if (!first.has(b)) first.set(b, i)
      last.set(b, i)
    }
  })
  const offsets = fused.buffers.map(() => -1)
  const placed: { from: number; to: number; begin: number; end: number }[] = []
  let bytes = 0
  const bySize = [...first.keys()].sort((a, b) => fused.buffers[b]!.bytes - fused.buffers[a]!.bytes)
  for (const b of bySize) {
    const size = align(fused.buffers[b]!.bytes)
    const [from, to] = [first.get(b)!, last.get(b)!]
    const busy = placed
      .filter((p) => p.from <= to && from <= p.to)
      .sort((x, y) => x.begin - y.begin)
    let begin = 0
    for (const p of busy) {
      if (begin + size <= p.begin) break
      begin = Math.max(begin, p.end)
    }
    placed.push({ from, to, begin, end: begin + size })
    offsets[b] = begin
    bytes = Math.max(bytes, begin + size)
  }
  return { bytes, offsets }
}
