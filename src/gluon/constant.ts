/** Parameters that never change. */

import { Initializer, type InitLike } from '../initializer/initializer.ts'
import type { NDArray } from '../ndarray/ndarray.ts'
import { type InitializeOptions, Parameter } from './parameter.ts'

/** Fills a parameter with one given array. */
class Given extends Initializer {
  readonly #value: NDArray

  constructor(value: NDArray) {
    super()
    this.#value = value
  }

  override initWeight(_name: string, array: NDArray): void {
    array.assign(this.#value.detach().asInContext(array.context))
  }
}

/**
 * A parameter that training never changes and that no other initializer reaches.
 * @example
 * const scale = new gluon.Constant('scale', nd.array([1, 2]))
 * @see MXNet `gluon.Constant`
 */
export class Constant extends Parameter {
  readonly value: NDArray

  constructor(name: string, value: NDArray) {
    super(name, {
      shape: value.shape,
      dtype: value.dtype,
      init: new Given(value),
      differentiable: false,
    })
    this.value = value
  }

  override initialize(options: InitializeOptions & { readonly defaultInit?: InitLike } = {}): void {
    super.initialize({ ...options, init: null })
  }

  /** `Constant scale (shape=(2,), dtype=float32)`. */
  override toString(): string {
    return super.toString().replace('Parameter', 'Constant')
  }
}
