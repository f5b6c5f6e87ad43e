/** `gluon.contrib`: blocks that MXNet keeps apart. */

export * as nn from './nn.ts'
