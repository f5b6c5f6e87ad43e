/** `mx.metric`: how good predictions are. */

import { Accuracy } from './accuracy.ts'
import { CompositeEvalMetric, register } from './composite.ts'
import { Loss } from './loss.ts'

register(Accuracy, ['acc'])
register(Loss)
register(CompositeEvalMetric as never, ['composite'])

export { Accuracy, type AccuracyOptions } from './accuracy.ts'
export { type AnyMetric, CompositeEvalMetric, create, register } from './composite.ts'
export { Loss } from './loss.ts'
export { type Arrays, EvalMetric, type MetricOptions } from './metric.ts'
