import { frame } from '../../core/frame.ts'
import type { Tensor } from '../../core/tensor.ts'

/** What is running: a trace, symbols being made, or arrays (null). */
const here = (): unknown => (frame.composing ? frame.compose : frame.capture)

/** A tensor kept from one step to the next. What was kept while a graph was traced is no value outside of it, and the other way round. */
export class Kept {
  #value: Tensor | null = null
  #where: unknown = null

  get value(): Tensor | null {
    return this.#where === here() ? this.#value : null
  }

  set value(value: Tensor | null) {
    this.#value = value
    this.#where = here()
  }
}
