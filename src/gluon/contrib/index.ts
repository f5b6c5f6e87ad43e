/** `gluon.contrib`: blocks that MXNet keeps apart. */

export * as cnn from './cnn.ts'
export * as data from './data.ts'
export * as nn from './nn.ts'
export * as rnn from './rnn.ts'
