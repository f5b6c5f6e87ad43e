// Results as text: what each system took, and the ratios between ours, the peers and the limit.
import type { Case } from './cases.ts'
import { type CaseResult, type Measured, median } from './measure.ts'

/** 0.000213 -> '213 µs': three digits and a unit. */
export function duration(seconds: number): string {
  const [scale, unit] = (
    [
      [1, 's'],
      [1e-3, 'ms'],
      [1e-6, 'µs'],
      [1e-9, 'ns'],
    ] as const
  ).find(([size]) => seconds >= size) ?? [1e-9, 'ns']
  const value = seconds / scale
  return `${value.toFixed(value >= 100 ? 0 : value >= 10 ? 1 : 2)} ${unit}`
}

function rate({ flops, bytes }: Case, seconds: number): string {
  if (flops !== undefined) return `${(flops / seconds / 1e9).toFixed(1)} GFLOP/s`
  if (bytes !== undefined) return `${(bytes / seconds / 1e9).toFixed(1)} GB/s`
  return ''
}

const digits = (value: number): string => value.toFixed(value >= 100 ? 0 : value >= 10 ? 1 : 2)

/** The median of a's time over b's, round by round: what disturbed a round disturbed both. */
export const ratio = (a: Measured, b: Measured): number =>
  median(a.times.map((time, i) => time / b.times[i]!))

/** Columns aligned: the first `left` ones to the left, the others to the right. */
function columns(rows: readonly (readonly string[])[], left: number): string {
  const widths = rows[0]!.map((_, i) => Math.max(...rows.map((row) => row[i]!.length)))
  return rows
    .map((row) =>
      row
        .map((text, i) => (i < left ? text.padEnd(widths[i]!) : text.padStart(widths[i]!)))
        .join('  ')
        .trimEnd(),
    )
    .join('\n')
}

/** One line a system. */
export function times({ case: which, measured }: CaseResult): string {
  const rows = measured.map(({ system, times, reps }) => {
    const middle = median(times)
    const least = Math.min(...times)
    return [system, duration(middle), duration(least), rate(which, middle), `${reps}`]
  })
  return columns([['system', 'median', 'min', 'rate', 'reps'], ...rows], 1)
}

/** One line for each of ours against each peer; `ratio` above 1 says ours is faster. */
export function ratios(results: readonly CaseResult[]): string {
  const rows = results.flatMap(({ case: which, measured }) => {
    const limit = measured.find(({ kind }) => kind === 'limit')
    const peers = measured.filter(({ kind }) => kind === 'peer')
    return measured
      .filter(({ kind }) => kind === 'ours')
      .flatMap((ours) => {
        const beside = limit === undefined ? '' : `${digits(ratio(ours, limit))} x`
        const row = (name: string, time: string, value: string): string[] => [
          which.name,
          ours.system,
          name,
          duration(median(ours.times)),
          time,
          value,
          beside,
        ]
        if (peers.length === 0) return [row('-', '-', '-')]
        return peers.map((peer) =>
          row(peer.system, duration(median(peer.times)), digits(ratio(peer, ours))),
        )
      })
  })
  if (rows.length === 0) return 'nothing of ours was measured'
  const header = ['case', 'ours', 'peer', 'ours takes', 'peer takes', 'ratio', 'of limit']
  return columns([header, ...rows], 3)
}
