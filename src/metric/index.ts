/** `mx.metric`: how good predictions are. */

import { Accuracy } from './accuracy.ts'
import { CrossEntropy, NegativeLogLikelihood, Perplexity, TopKAccuracy } from './classification.ts'
import { CompositeEvalMetric, register } from './composite.ts'
import { F1, MCC, PCC } from './confusion.ts'
import { CustomMetric } from './custom.ts'
import { Caffe, Loss, Torch } from './loss.ts'
import { MAE, MSE, PearsonCorrelation, RMSE } from './regression.ts'

register(Accuracy, ['acc'])
register(TopKAccuracy as never, ['top_k_accuracy', 'top_k_acc'])
register(CrossEntropy, ['ce'])
register(NegativeLogLikelihood, ['nll_loss'])
register(PearsonCorrelation, ['pearsonr'])
register(Perplexity as never)
register(CustomMetric as never)
for (const klass of [F1, MCC, PCC, MAE, MSE, RMSE, Loss, Torch, Caffe]) register(klass)
register(CompositeEvalMetric as never, ['composite'])

export { Accuracy, type AccuracyOptions } from './accuracy.ts'
export {
  CrossEntropy,
  type CrossEntropyOptions,
  NegativeLogLikelihood,
  Perplexity,
  type PerplexityOptions,
  TopKAccuracy,
  type TopKOptions,
} from './classification.ts'
export { type AnyMetric, CompositeEvalMetric, create, register } from './composite.ts'
export { type BinaryOptions, F1, MCC, PCC } from './confusion.ts'
export { CustomMetric, type CustomOptions, type FEval, np } from './custom.ts'
export { Caffe, Loss, Torch } from './loss.ts'
export { type Arrays, EvalMetric, type MetricOptions } from './metric.ts'
export { type CorrelationOptions, MAE, MSE, PearsonCorrelation, RMSE } from './regression.ts'
