/** `mx.callback`: what a training loop calls after each batch or epoch to report and to save. */

import { fail } from '../base/error.ts'
import type { AnyMetric } from '../metric/composite.ts'

/** What a callback after a batch is told. */
export interface BatchEndParam {
  readonly epoch: number
  readonly nbatch: number
  readonly evalMetric?: AnyMetric | null
}

/** Where lines go: the console by default. */
export type Log = (line: string) => void

const pairsOf = async (metric: AnyMetric | null | undefined): Promise<[string, number][]> =>
  metric ? metric.getNameValue() : []

/** A number as C prints it with `%f`. */
const shown = (value: number): string => (Number.isNaN(value) ? 'nan' : value.toFixed(6))

/** Options of `Speedometer`. */
export interface SpeedometerOptions {
  /** Reports every so many batches, 50 by default. */
  readonly frequent?: number
  /** Whether the metric starts anew after a report (the default). */
  readonly autoReset?: boolean
  readonly log?: Log
}

/**
 * Reports the speed in samples a second, and the metric, every so many batches.
 *
 * Called with `{ epoch, nbatch, evalMetric }` after each batch; await it where a metric is read.
 * @example
 * const lines = []
 * const speedometer = new callback.Speedometer(32, { frequent: 1, log: (line) => lines.push(line) })
 * await speedometer.call({ epoch: 0, nbatch: 0 })
 * await speedometer.call({ epoch: 0, nbatch: 1 })
 * lines.length // => 1
 * @see MXNet `callback.Speedometer`
 */
export class Speedometer {
  readonly batchSize: number
  readonly frequent: number
  readonly autoReset: boolean
  readonly #log: Log
  #start: number | null = null
  #last = 0

  constructor(batchSize: number, options: SpeedometerOptions = {}) {
    this.batchSize = batchSize
    this.frequent = options.frequent ?? 50
    this.autoReset = options.autoReset ?? true
    this.#log = options.log ?? console.log
    if (!Number.isInteger(this.frequent) || this.frequent < 1)
      fail(
        'Speedometer',
        `frequent is ${String(this.frequent)}: it must be an integer of at least 1`,
      )
  }

  /** To be called after each batch. */
  async call({ epoch, nbatch, evalMetric }: BatchEndParam): Promise<void> {
    // A smaller number than before is the beginning of another epoch.
    if (this.#last > nbatch) this.#start = null
    this.#last = nbatch
    if (this.#start === null) {
      this.#start = performance.now()
      return
    }
    if (nbatch % this.frequent !== 0) return
    const seconds = (performance.now() - this.#start) / 1000
    const speed =
      seconds === 0 ? Number.POSITIVE_INFINITY : (this.frequent * this.batchSize) / seconds
    const rate = `Speed: ${speed.toFixed(2)} samples/sec`
    if (evalMetric) {
      const values = (await pairsOf(evalMetric))
        .map(([name, v]) => `\t${name}=${shown(v)}`)
        .join('')
      if (this.autoReset) {
        evalMetric.resetLocal()
        this.#log(`Epoch[${epoch}] Batch [${nbatch - this.frequent}-${nbatch}]\t${rate}${values}`)
      } else this.#log(`Epoch[${epoch}] Batch [0-${nbatch}]\t${rate}${values}`)
    } else this.#log(`Iter[${epoch}] Batch [${nbatch}]\t${rate}`)
    this.#start = performance.now()
  }
}

/**
 * A bar that fills while an epoch of `total` batches goes on: `[=====-----] 50%`.
 * @example
 * let line = ''
 * const bar = new callback.ProgressBar(4, { length: 8, log: (text) => { line = text } })
 * bar.call({ epoch: 0, nbatch: 2 })
 * line // => '[====----] 50%\r'
 * @see MXNet `callback.ProgressBar`
 */
export class ProgressBar {
  readonly total: number
  readonly length: number
  readonly #log: Log

  constructor(
    total: number,
    { length = 80, log = console.log }: { readonly length?: number; readonly log?: Log } = {},
  ) {
    this.total = total
    this.length = length
    this.#log = log
  }

  /** To be called after each batch. */
  call({ nbatch }: BatchEndParam): void {
    const filled = Math.round((this.length * nbatch) / this.total)
    const percent = Math.ceil((100 * nbatch) / this.total)
    this.#log(`[${'='.repeat(filled)}${'-'.repeat(this.length - filled)}] ${percent}%\r`)
  }
}

/** Options of reports of metrics. */
export interface LogMetricOptions {
  /** Whether the metric starts anew after a report; off by default. */
  readonly autoReset?: boolean
  readonly log?: Log
}

/**
 * A callback that reports the metric every `period` batches: `Iter[0] Batch[100] Train-accuracy=0.9`.
 * @see MXNet `callback.log_train_metric`
 */
export function logTrainMetric(
  period: number,
  { autoReset = false, log = console.log }: LogMetricOptions = {},
): (param: BatchEndParam) => Promise<void> {
  return async ({ epoch, nbatch, evalMetric }) => {
    if (nbatch % period !== 0 || !evalMetric) return
    for (const [name, value] of await pairsOf(evalMetric))
      log(`Iter[${epoch}] Batch[${nbatch}] Train-${name}=${shown(value)}`)
    if (autoReset) evalMetric.resetLocal()
  }
}

/**
 * Reports the metric of a validation: `Epoch[0] Validation-accuracy=0.9`.
 * @see MXNet `callback.LogValidationMetricsCallback`
 */
export class LogValidationMetricsCallback {
  readonly #log: Log

  constructor({ log = console.log }: { readonly log?: Log } = {}) {
    this.#log = log
  }

  /** To be called after each epoch. */
  async call({ epoch, evalMetric }: Omit<BatchEndParam, 'nbatch'>): Promise<void> {
    for (const [name, value] of await pairsOf(evalMetric))
      this.#log(`Epoch[${epoch}] Validation-${name}=${shown(value)}`)
  }
}

/** What can save itself as `prefix-symbol.json` and `prefix-0001.params`. */
export interface Exportable {
  export(path: string, epoch?: number): unknown
}

/**
 * A callback after each epoch that exports a network every `period` epochs, as `prefix-0001.params` and so on.
 * @throws MXNetError for a period below 1.
 * @see MXNet `callback.do_checkpoint`
 */
export function doCheckpoint(
  net: Exportable,
  prefix: string,
  period = 1,
): (epoch: number) => Promise<void> {
  if (!Number.isInteger(period) || period < 1)
    fail('doCheckpoint', `period is ${String(period)}: it must be an integer of at least 1`)
  return async (epoch) => {
    if ((epoch + 1) % period === 0) await net.export(prefix, epoch + 1)
  }
}
