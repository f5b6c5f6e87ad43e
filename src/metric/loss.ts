/** Loss: the mean of loss values that a program has computed already. */

import { applyInto } from '../core/apply.ts'
import { OpDef } from '../core/op.ts'
import type { NDArray } from '../ndarray/ndarray.ts'
import { add } from '../ops/binary.ts'
import { cast } from '../ops/cast.ts'
import { sum } from '../ops/reduce.ts'
import { type Arrays, EvalMetric, listOf, type MetricOptions } from './metric.ts'

const addSum = new OpDef({
  name: 'loss',
  inputs: ['total', 'values'],
  body: ([total, values]) => add(total!, sum(cast(values!, { dtype: total!.dtype }))),
}) as unknown as OpDef

/**
 * The mean of all values given as predictions; labels are not read.
 * @example
 * const mean = new metric.Loss()
 * mean.update(null, nd.array([1, 3]))
 * await mean.get() // => ['loss', 2]
 * @see MXNet `metric.Loss`
 */
export class Loss extends EvalMetric {
  constructor(options: MetricOptions = {}) {
    super('loss', options)
  }

  override update(_labels: Arrays | null | undefined, preds: Arrays): void {
    const list = listOf(preds)
    super.update(list, list)
  }

  protected override updatePair(_label: NDArray, values: NDArray): void {
    const total = this.totalFor(values, values.size)
    applyInto(addSum, [total, values], undefined, [total])
  }
}

/**
 * The same as `Loss`, under the name `torch`.
 * @example
 * new metric.Torch().name // => 'torch'
 * @see MXNet `metric.Torch`
 */
export class Torch extends Loss {
  constructor(options: MetricOptions = {}) {
    super({ ...options, name: options.name ?? 'torch' })
  }
}

/**
 * The same as `Loss`, under the name `caffe`.
 * @example
 * new metric.Caffe().name // => 'caffe'
 * @see MXNet `metric.Caffe`
 */
export class Caffe extends Loss {
  constructor(options: MetricOptions = {}) {
    super({ ...options, name: options.name ?? 'caffe' })
  }
}
