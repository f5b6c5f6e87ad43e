/** MXNet's Python functions that are no operators of their own, as they are called here. */

import { booleanMask } from '../../src/ndarray/contrib.ts'
import { onehotEncode } from '../../src/ndarray/indexing.ts'
import type { NDArray } from '../../src/ndarray/ndarray.ts'
import * as contrib from '../../src/ops/contrib.ts'
import * as ops from '../../src/ops/index.ts'

type Call = (arrays: readonly NDArray[], attrs: { readonly [name: string]: unknown }) => NDArray[]

/** By MXNet's name. */
export const functions: { readonly [name: string]: Call } = {
  'contrib.isnan': ([x]) => [contrib.isnan(x!)],
  'contrib.isinf': ([x]) => [contrib.isinf(x!)],
  'contrib.isfinite': ([x]) => [contrib.isfinite(x!)],
  'contrib.boolean_mask': ([data, index], attrs) => [booleanMask(data!, index!, attrs)],
  onehot_encode: ([indices, out]) => [onehotEncode(indices!, out!)],
  moveaxis: ([data], { source, destination }) => [
    ops.moveaxis(data!, source as number, destination as number),
  ],
  concatenate: (arrays, attrs) => [ops.concatenate(arrays, attrs)],
  split_v2: ([data], { indices_or_sections, axis, squeeze_axis }) =>
    ops.splitV2(data!, indices_or_sections as number, {
      ...(axis === undefined ? {} : { axis: axis as number }),
      ...(squeeze_axis === undefined ? {} : { squeezeAxis: Boolean(squeeze_axis) }),
    }),
  histogram: ([data, edges], { bins, range }) =>
    ops.histogram(data!, {
      bins: edges ?? (bins as number),
      range: (range as number[] | undefined) ?? null,
    }),
}
