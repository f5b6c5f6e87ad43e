/** Embedding: a table of vectors, looked up by number. */

import type { DType } from '../../base/dtype.ts'
import { fail } from '../../base/error.ts'
import { checkOptions } from '../../base/options.ts'
import type { Tensor } from '../../core/tensor.ts'
import type { InitLike } from '../../initializer/initializer.ts'
import { embedding } from '../../ops/indexing.ts'
import { type BlockOptions, blockOptions, HybridBlock } from '../block.ts'
import type { Parameter } from '../parameter.ts'

/** Options of `Embedding`. */
export interface EmbeddingOptions extends BlockOptions {
  readonly dtype?: DType
  readonly weightInitializer?: InitLike | null
  /** Accepted for programs that set it: gradients are dense here. */
  readonly sparseGrad?: boolean
}

/**
 * A vector for each number below `inputDim`.
 *
 * `out = weight[x]`; `(I…) -> (I…, outputDim)`, weight `(inputDim, outputDim)`; numbers outside are clipped.
 * @throws MXNetError unless both sizes are integers above 0.
 * @example
 * const layer = new gluon.nn.Embedding(1000, 32)
 * @see MXNet `gluon.nn.Embedding`
 */
export class Embedding extends HybridBlock {
  readonly weight: Parameter
  readonly #sizes: { readonly inputDim: number; readonly outputDim: number }
  readonly #dtype: DType
  readonly #sparseGrad: boolean

  constructor(inputDim: number, outputDim: number, options: EmbeddingOptions = {}) {
    super(
      checkOptions('Embedding', options, [
        ...blockOptions,
        'dtype',
        'weightInitializer',
        'sparseGrad',
      ]),
    )
    for (const [name, size] of Object.entries({ inputDim, outputDim }))
      if (!Number.isInteger(size) || size <= 0)
        fail('Embedding', `${name} is ${String(size)}: it must be an integer above 0`)
    this.#sizes = { inputDim, outputDim }
    this.#dtype = options.dtype ?? 'float32'
    this.#sparseGrad = options.sparseGrad ?? false
    this.weight = this.params.get('weight', {
      shape: [inputDim, outputDim],
      dtype: this.#dtype,
      init: options.weightInitializer ?? null,
      allowDeferredInit: true,
    })
  }

  protected override get operatorName(): string {
    return 'fwd'
  }

  override forward(x: Tensor): Tensor {
    const options = { ...this.#sizes, dtype: this.#dtype, sparseGrad: this.#sparseGrad }
    return embedding(x, this.weight.data() as Tensor, options)
  }

  protected override describe(): string {
    return `(${this.#sizes.inputDim} -> ${this.#sizes.outputDim}, ${this.#dtype})`
  }
}
