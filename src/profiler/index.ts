/** The profiler: what ran, when and for how long — as a Chrome trace, and as MXNet's table. */

import { fail } from '../base/error.ts'
import { frame, type Probe } from '../core/frame.ts'
import { activeDevices, activeMemories } from '../exec/storage.ts'
import { writeWhole } from '../ndarray/nodeFiles.ts'

/** What `setConfig` takes. */
export interface ProfilerConfig {
  /** Where `dump` writes; `profile.json` by default. */
  readonly filename?: string
  /** Whether `dumps` has statistics to print; true by default. */
  readonly aggregateStats?: boolean
}

type Kind = Parameters<Probe>[0] | 'thread'

interface Event {
  readonly kind: Kind
  readonly name: string
  /** Milliseconds. */
  readonly start: number
  readonly end: number
  /** Which thread of the pool, for what runs there. */
  readonly thread?: number
}

interface MemoryPoint {
  readonly at: number
  readonly live: number
  readonly allocations: number
}

/** More events than this are counted but not kept for the trace, so that a long run stays bounded. */
const mostEvents = 1_000_000
/** Rows of the trace; those of threads follow. */
const rows = { layer: 1, operator: 2, kernel: 3, thread: 4 } as const

let config: Required<ProfilerConfig> = { filename: 'profile.json', aggregateStats: true }
let events: Event[] = []
let points: MemoryPoint[] = []
let lost = 0

/** Totals of one name, in milliseconds. */
interface Total {
  count: number
  total: number
  min: number
  max: number
}
const totals = new Map<string, Total>()

const listen: Probe = (kind, name, start, end) => {
  take({ kind, name, start, end })
  if (kind === 'operator') points.push({ at: end, ...use() })
  if (points.length > mostEvents) points = points.slice(-mostEvents / 2)
}

/** Turns the notes of threads on or off, and takes those that are there. */
function listenToThreads(on: boolean): void {
  for (const { backend } of activeMemories()) {
    const spans = backend.trace?.(on) ?? []
    if (tracing) for (const span of spans) take({ kind: 'thread', ...span })
  }
  tracing = on
}

/** Whether threads have been noting what they run. */
let tracing = false

function take(event: Event): void {
  if (events.length < mostEvents) events.push(event)
  else lost++
  if (!config.aggregateStats) return
  const { kind, name, start, end } = event
  const key = `${kind} ${name}`
  const time = end - start
  const t = totals.get(key)
  if (t === undefined) totals.set(key, { count: 1, total: time, min: time, max: time })
  else {
    t.count++
    t.total += time
    t.min = Math.min(t.min, time)
    t.max = Math.max(t.max, time)
  }
}

function use(): { live: number; allocations: number } {
  let [live, allocations] = [0, 0]
  for (const device of activeMemories()) {
    live += device.pool.live
    allocations += device.allocations
  }
  return { live, allocations }
}

/**
 * Sets where and what the profiler writes.
 * @throws MXNetError for an unknown setting.
 * @example
 * mx.profiler.setConfig({ filename: 'profile.json', aggregateStats: true })
 * @see MXNet `mx.profiler.set_config`
 */
export function setConfig(settings: ProfilerConfig): void {
  for (const name of Object.keys(settings)) {
    if (!Object.hasOwn(config, name)) {
      fail('profiler', `unknown setting ${name}: use ${Object.keys(config).join(', ')}`)
    }
  }
  config = { ...config, ...settings }
}

/** Starts listening. @see MXNet `mx.profiler.start` */
export function start(): void {
  frame.probe = listen
  listenToThreads(true)
}

/** Stops listening; what was heard stays for `dump` and `dumps`. @see MXNet `mx.profiler.stop` */
export function stop(): void {
  frame.probe = null
  listenToThreads(false)
}

/** Stops listening for a while. @see MXNet `mx.profiler.pause` */
export const pause = stop
/** Listens again. @see MXNet `mx.profiler.resume` */
export const resume = start

/**
 * `'run'` starts and `'stop'` stops.
 * @throws MXNetError for another state.
 * @see MXNet `mx.profiler.set_state`
 */
export function setState(state: 'run' | 'stop' = 'stop'): void {
  if (state !== 'run' && state !== 'stop')
    fail('profiler', `state '${String(state)}' must be 'run' or 'stop'`)
  if (state === 'run') start()
  else stop()
}

/**
 * What each device that counts has done since it started, by context: a GPU counts launches, submits, pipelines, bind
 * groups and buffers. Numbers that stand still from step to step are work that is not repeated.
 *
 * @example
 * const before = mx.profiler.deviceCounters()
 */
export function deviceCounters(): { readonly [context: string]: Readonly<Record<string, number>> } {
  return Object.fromEntries(
    activeDevices().flatMap(({ context, backend }) => {
      const counts = backend.counters?.()
      return counts === undefined ? [] : [[String(context), counts]]
    }),
  )
}

/** Forgets what was heard. */
export function reset(): void {
  events = []
  points = []
  lost = 0
  totals.clear()
}

/** The events as a Chrome trace, which Perfetto and chrome://tracing open; times in microseconds. */
export function trace(): {
  readonly traceEvents: readonly object[]
  readonly displayTimeUnit: 'ms'
} {
  const threads = new Set(events.flatMap(({ thread }) => (thread === undefined ? [] : [thread])))
  const { thread: _, ...here } = rows
  const titles = [
    ...Object.entries(here).map(([name, tid]) => [`${name}s`, tid] as const),
    ...[...threads].sort().map((thread) => [`thread ${thread}`, rows.thread + thread] as const),
  ]
  const named = titles.map(([name, tid]) => ({
    ph: 'M',
    pid: 1,
    tid,
    name: 'thread_name',
    args: { name },
  }))
  const spans = events.map(({ kind, name, start: from, end, thread = 0 }) => ({
    ph: 'X',
    pid: 1,
    tid: rows[kind] + thread,
    cat: kind,
    name,
    ts: from * 1000,
    dur: (end - from) * 1000,
  }))
  const counters = points.map(({ at, live, allocations }) => ({
    ph: 'C',
    pid: 1,
    tid: 0,
    name: 'memory',
    ts: at * 1000,
    args: { live, allocations },
  }))
  return { traceEvents: [...named, ...spans, ...counters], displayTimeUnit: 'ms' }
}

/**
 * Writes the Chrome trace to the configured file; `finished` also stops and forgets.
 * @throws MXNetError when the file cannot be written.
 * @see MXNet `mx.profiler.dump`
 */
export async function dump(finished = true): Promise<void> {
  const text = JSON.stringify(trace())
  await writeWhole('profiler', config.filename, new TextEncoder().encode(text))
  if (!finished) return
  stop()
  reset()
}

/** What has been counted since the program began. */
export interface Counters {
  /** Blocks of memory taken so far; results for which a block of their size was at hand do not count. */
  readonly allocations: number
  /** Bytes of all arrays in use. */
  readonly live: number
}

/**
 * Counters that show what a training step costs besides time: one that has run often enough allocates nothing.
 *
 * @example
 * const before = mx.profiler.counters().allocations
 * nd.ones([2, 3]).exp()
 * mx.profiler.counters().allocations - before <= 2 // => true
 */
export const counters = (): Counters => use()

/** How `dumps` orders names. */
export type SortBy = 'total' | 'avg' | 'min' | 'max' | 'count'

/**
 * The statistics by name as MXNet's table, in milliseconds; the most of `sortBy` first.
 * @example
 * console.log(mx.profiler.dumps())
 * @see MXNet `mx.profiler.dumps`
 */
export function dumps(
  options: {
    readonly reset?: boolean
    readonly sortBy?: SortBy
    readonly ascending?: boolean
  } = {},
): string {
  const { sortBy = 'total', ascending = false } = options
  const value = (t: Total): number => (sortBy === 'avg' ? t.total / t.count : t[sortBy])
  const lines = ['Profile Statistics:']
  for (const kind of Object.keys(rows) as Kind[]) {
    const own = [...totals].filter(([key]) => key.startsWith(`${kind} `))
    if (own.length === 0) continue
    own.sort(([, a], [, b]) => (ascending ? value(a) - value(b) : value(b) - value(a)))
    lines.push(
      '',
      `${kind}s`,
      '='.repeat(kind.length + 1),
      line('Name', 'Total Count', 'Time (ms)', 'Min Time (ms)', 'Max Time (ms)', 'Avg Time (ms)'),
    )
    lines.push(
      line('----', '-----------', '---------', '-------------', '-------------', '-------------'),
    )
    for (const [key, t] of own) {
      const times = [t.total, t.min, t.max, t.total / t.count].map((x) => x.toFixed(4))
      lines.push(line(key.slice(kind.length + 1), String(t.count), ...times))
    }
  }
  const { live, allocations } = use()
  lines.push('', `memory: ${live} bytes in use, ${allocations} blocks taken so far`)
  for (const [context, counts] of Object.entries(deviceCounters())) {
    const each = Object.entries(counts).map(([name, count]) => `${count} ${name}`)
    lines.push(`${context}: ${each.join(', ')} so far`)
  }
  if (lost > 0) lines.push(`${lost} events are counted here but too many for the trace`)
  if (options.reset) reset()
  return lines.join('\n')
}

const line = (name: string, ...cells: string[]): string =>
  name.padEnd(40) + cells.map((c) => c.padStart(16)).join('')
