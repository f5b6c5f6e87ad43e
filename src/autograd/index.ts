/** `mx.autograd`: derivatives of what has been computed. */

export { checkpoint } from './checkpoint.ts'
export { CustomFunction as Function } from './function.ts'
export {
  attachGrad,
  type BackwardOptions,
  backward,
  type GradOptions,
  grad,
  isRecording,
  isTraining,
  markVariables,
  pause,
  predictMode,
  type RecordOptions,
  record,
  type Scope,
  setRecording,
  setTraining,
  trainMode,
} from './tape.ts'
