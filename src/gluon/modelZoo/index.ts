/** `gluon.modelZoo`: well-known networks. */

export * as vision from './vision.ts'
export { getModel } from './vision.ts'
