/** `mx.gluon`: networks, their parameters and how they are trained. */

import './symbolic.ts'

export { Block, type BlockOptions, HybridBlock, type HybridizeOptions } from './block.ts'
export { Constant } from './constant.ts'
export * as contrib from './contrib/index.ts'
export * as data from './data/index.ts'
export { type FusedStep, fuseStep } from './fuseStep.ts'
export * as loss from './loss/index.ts'
export * as modelZoo from './modelZoo/index.ts'
export * as nn from './nn/index.ts'
export * as utils from './parallel.ts'
export { Parameter, type ParameterOptions } from './parameter.ts'
export { ParameterDict } from './parameterDict.ts'
export * as rnn from './rnn/index.ts'
export { type ImportOptions, SymbolBlock, type SymbolBlockOptions } from './symbolBlock.ts'
export { Trainer, type TrainerOptions } from './trainer.ts'
