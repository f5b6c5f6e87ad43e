/** MXNet's Python functions that are no operators of their own, as they are called here. */

import type { NDArray } from '../../src/ndarray/ndarray.ts'
import * as ops from '../../src/ops/index.ts'

type Call = (arrays: readonly NDArray[], attrs: { readonly [name: string]: unknown }) => NDArray[]

/** By MXNet's name. */
export const functions: { readonly [name: string]: Call } = {
  histogram: ([data, edges], { bins, range }) =>
    ops.histogram(data!, {
      bins: edges ?? (bins as number),
      range: (range as number[] | undefined) ?? null,
    }),
}
