/** One update of a metric as one kernel: the running sums and what a batch adds to them. */

import { applyInto } from '../core/apply.ts'
import type { Schema } from '../core/attrs.ts'
import { OpDef, type Values } from '../core/op.ts'
import type { Tensor } from '../core/tensor.ts'
import type { NDArray } from '../ndarray/ndarray.ts'
import { add } from '../ops/binary.ts'
import { cast } from '../ops/cast.ts'

/** What is added, from a label and a prediction in the sums' dtype. */
export type Added<S extends Schema> = (label: Tensor, pred: Tensor, attrs: Values<S>) => Tensor

/** Adds what `added` makes of a label and a prediction to running sums, in place. */
export type Adder = (
  total: NDArray,
  label: NDArray,
  pred: NDArray,
  attrs?: { readonly [name: string]: unknown },
) => void

/** An operator that adds to running sums. */
export function adder<S extends Schema>(name: string, attrs: S, added: Added<S>): Adder {
  const op = new OpDef({
    name,
    inputs: ['total', 'label', 'pred'],
    attrs,
    body: ([total, label, pred], values) => {
      const { dtype } = total!
      const more = added(cast(label!, { dtype }), cast(pred!, { dtype }), values)
      return add(total!, cast(more, { dtype }))
    },
  }) as unknown as OpDef
  return (total, label, pred, given) => applyInto(op, [total, label, pred], given, [total])
}
