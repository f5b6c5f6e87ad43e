/** What all networks of the zoo are: features, and an output for each class. */

import { fail } from '../../base/error.ts'
import { checkOptions } from '../../base/options.ts'
import type { Tensor } from '../../core/tensor.ts'
import { type BlockOptions, blockOptions, HybridBlock } from '../block.ts'
import type { HybridSequential } from '../nn/sequential.ts'

/** Options of networks of the zoo. */
export interface NetworkOptions extends BlockOptions {
  /** How many classes there are; 1000 by default. */
  readonly classes?: number
}

/** A network that sorts images into classes: `features`, then `output`. */
export abstract class Network extends HybridBlock {
  /** What the image shows. */
  abstract readonly features: HybridSequential
  /** Scores of the classes. */
  abstract readonly output: HybridBlock

  constructor(where: string, options: NetworkOptions, more: readonly string[] = []) {
    super(checkOptions(where, options, [...blockOptions, 'classes', ...more]))
    const { classes = 1000 } = options
    if (!Number.isInteger(classes) || classes < 1)
      fail(where, `classes is ${String(classes)}: it must be an integer above 0`)
  }

  override forward(x: Tensor): Tensor {
    return this.output(this.features(x))
  }
}
