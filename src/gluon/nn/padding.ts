/** ReflectionPad2D: images with their own mirror image around them. */

import { fail } from '../../base/error.ts'
import { checkOptions } from '../../base/options.ts'
import type { Tensor } from '../../core/tensor.ts'
import { pad } from '../../ops/padding.ts'
import { type BlockOptions, blockOptions, HybridBlock } from '../block.ts'

/**
 * Pads images with their own mirror image; the outermost row and column are not repeated.
 *
 * `(N, C, H, W) -> (N, C, H + 2·padding, W + 2·padding)`; eight numbers are those of `pad`, two for each axis, the first
 * four 0.
 * @throws MXNetError when the padding is not below the size of the image.
 * @example
 * new gluon.nn.ReflectionPad2D(2)
 * @see MXNet `gluon.nn.ReflectionPad2D`
 */
export class ReflectionPad2D extends HybridBlock {
  readonly #padding: readonly number[]

  constructor(padding: number | readonly number[] = 0, options: BlockOptions = {}) {
    super(checkOptions('ReflectionPad2D', options, blockOptions))
    const given =
      typeof padding === 'number' ? [0, 0, 0, 0, padding, padding, padding, padding] : padding
    const fits =
      Array.isArray(given) &&
      given.length === 8 &&
      given.every((p, i) => Number.isInteger(p) && p >= 0 && (i > 3 || p === 0))
    if (!fits)
      fail(
        'ReflectionPad2D',
        `padding is ${JSON.stringify(padding)}: it must be an integer of at least 0, or eight, the first four 0`,
      )
    this.#padding = given
  }

  override forward(x: Tensor): Tensor {
    return pad(x, { mode: 'reflect', padWidth: this.#padding })
  }
}
