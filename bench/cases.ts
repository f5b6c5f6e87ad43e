// What is measured: names, words, and how much arithmetic or memory traffic a repetition is.

export interface Case {
  readonly name: string
  readonly title: string
  /** Floating-point operations a repetition, where arithmetic is what counts. */
  readonly flops?: number
  /** Bytes read and written a repetition, where memory is what counts. */
  readonly bytes?: number
}

const product = (m: number, k: number, n: number): number => 2 * m * k * n

/** Forward, gradients of the weights, and gradients of the inputs of all layers but the first. */
function denseStep(batch: number, units: readonly number[]): number {
  let flops = 0
  for (let i = 1; i < units.length; i++) {
    flops += product(batch, units[i - 1]!, units[i]!) * (i === 1 ? 2 : 3)
  }
  return flops
}

export const cases: readonly Case[] = [
  {
    name: 'mlp',
    title: 'MLP 784-64-64-10, one training step, batch 64, sgd',
    flops: denseStep(64, [784, 64, 64, 10]),
  },
  { name: 'matmul64', title: 'product 64x784 by 784x64', flops: product(64, 784, 64) },
  { name: 'matmul64x64', title: 'product 64x64 by 64x64', flops: product(64, 64, 64) },
  { name: 'matmul1024', title: 'product 1024x1024 by 1024x1024', flops: product(1024, 1024, 1024) },
  { name: 'chain', title: 'ten elementwise operators over 16 M floats', bytes: 2 * 4 * 2 ** 24 },
  { name: 'softmax', title: 'softmax of 4096x1024 over rows', bytes: 2 * 4 * 2 ** 22 },
  { name: 'layerNorm', title: 'layer normalization of 4096x1024', bytes: 2 * 4 * 2 ** 22 },
  { name: 'sumRows', title: 'sums of the rows of 4096x1024', bytes: 4 * 2 ** 22 },
  { name: 'sumColumns', title: 'sums of the columns of 4096x1024', bytes: 4 * 2 ** 22 },
  { name: 'lenet', title: 'LeNet, one training step, batch 64, sgd', flops: 0.84e9 },
  { name: 'lstm', title: 'LSTM 256, 35 steps, batch 32, forward and backward', flops: 3.5e9 },
  { name: 'resnetForward', title: 'ResNet-18 forward, batch 32', flops: 32 * 3.63e9 },
  { name: 'resnetStep', title: 'ResNet-18 forward and backward, batch 16', flops: 16 * 3 * 3.63e9 },
  ...[256, 1024].map((batch) => ({
    name: batch === 256 ? 'wide' : `wide${batch}`,
    title: `MLP 784-2048-2048-10, one training step, batch ${batch}, sgd`,
    flops: denseStep(batch, [784, 2048, 2048, 10]),
  })),
  { name: 'add64', title: 'one add of 64 elements, in a chain' },
  { name: 'triad', title: 'a = b + 3 c over 64 MiB arrays', bytes: 3 * 4 * 2 ** 24 },
]
