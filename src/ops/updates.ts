/** Optimizer updates as `nd` has them: of one weight, of many, and the questions about many arrays. */

export {
  lambUpdatePhase1,
  lambUpdatePhase2,
  mpLambUpdatePhase1,
  mpLambUpdatePhase2,
} from './layerUpdate.ts'
export * from './manyArrays.ts'
export {
  multiMpSgdMomUpdate,
  multiMpSgdUpdate,
  multiSgdMomUpdate,
  multiSgdUpdate,
  preloadedMultiMpSgdMomUpdate,
  preloadedMultiMpSgdUpdate,
  preloadedMultiSgdMomUpdate,
  preloadedMultiSgdUpdate,
} from './multiUpdate.ts'
export * from './update.ts'
