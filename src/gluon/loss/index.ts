/** `gluon.loss`: how far predictions are from labels, one number a sample. */

export {
  KLDivLoss,
  type KLDivOptions,
  SigmoidBCELoss,
  type SigmoidBCEOptions,
  SigmoidBinaryCrossEntropyLoss,
  SoftmaxCELoss,
  type SoftmaxCEOptions,
  SoftmaxCrossEntropyLoss,
} from './classification.ts'
export { Loss, type LossOptions } from './loss.ts'
export {
  CosineEmbeddingLoss,
  HingeLoss,
  LogisticLoss,
  type LogisticOptions,
  type MarginOptions,
  SDMLLoss,
  type SDMLOptions,
  SquaredHingeLoss,
  TripletLoss,
} from './margin.ts'
export {
  HuberLoss,
  type HuberOptions,
  L1Loss,
  L2Loss,
  PoissonNLLLoss,
  type PoissonOptions,
} from './regression.ts'
export { CTCLoss, type CTCOptions } from './sequence.ts'
